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
 * @entry: entries read, by level, with the bits that the walk set itself
 * @gpa: where they are, by level; not of PDPTEs that were loaded with CR3
 * @slot: memory of the entry read last
 * @rom: levels whose entry lies in a read-only slot, as bits
 * @host_fault: a table lies in a slot, but the VMM's memory there does not answer
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
	const struct umbra_memslot *slot;
	u8 rom;
	bool host_fault;
};

/* Bits of a #PF error code that depend on the access alone. */
u32 umbra_access_error(const struct umbra_vcpu *vcpu, u32 access);
/* The paging mode that the vCPU's registers select. */
void umbra_guest_mode(struct umbra_vcpu *vcpu, struct x86_mode *mode);
/*
 * umbra_mmu_walk() for those who need the entries: @walk has vcpu, gva and
 * access; CR0.PG is set. With page faults disabled also @set_ad is allowed; what
 * would have to be faulted in counts as w->bad_gpa.
 */
int umbra_gwalk(struct umbra_gwalk *walk, bool set_ad, struct umbra_walk *w);
/*
 * Read a guest entry at @gpa, of 8 bytes or 4. 0, or -EFAULT when there is no
 * memory or it is not there now. SRCU read section held; does not sleep when
 * page faults are disabled.
 */
int umbra_gpte_read(struct umbra_vm *vm, gpa_t gpa, bool wide, u64 *e);
/* The same for those who know the slot. */
int umbra_slot_gpte(const struct umbra_memslot *slot, gpa_t gpa, bool wide, u64 *e);

#endif
