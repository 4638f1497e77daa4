/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Walks of the guest's own tables: what mmu/ shares among its files about
 * them. The public calls are in mmu.h.
 */
#ifndef UMBRA_MMU_GWALK_H
#define UMBRA_MMU_GWALK_H

#include "fmt_x86.h"
#include "mmu.h"

/* #PF error code bits. */
#define PFERR_PRESENT	0x01u
#define PFERR_WRITE	0x02u
#define PFERR_USER	0x04u
#define PFERR_RSVD	0x08u
#define PFERR_FETCH	0x10u
#define PFERR_PKEY	0x20u

/**
 * struct umbra_gwalk - a walk under way
 * @vcpu: whose tables
 * @gva: linear address
 * @access: UMBRA_ACC_*
 * @mode: paging mode now in force
 * @level: level of the entry read last
 * @rights: AND of the entries' U/S and R/W; NX is set when any has it
 * @entry: entries read, by level
 * @gpa: where they are, by level; UMBRA_INVALID_GPA when it cannot be written
 */
struct umbra_gwalk {
	struct umbra_vcpu *vcpu;
	gva_t gva;
	u32 access;
	struct x86_mode mode;
	int level;
	u64 rights;
	u64 entry[6];
	gpa_t gpa[6];
};

/* The paging mode that the vCPU's registers select. */
void umbra_guest_mode(struct umbra_vcpu *vcpu, struct x86_mode *mode);

#endif
