/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared by msr.c, msr_arch.c, msr_list.c, mtrr.c, mce.c and inner.c only: one row of
 * the table of emulated MSRs, and the accessors the table points at.
 */
#ifndef UMBRA_MSR_INTERNAL_H
#define UMBRA_MSR_INTERNAL_H

#include <linux/types.h>

struct umbra_vcpu;
struct umbra_vm;

/* First of the 256 MSRs that are the local APIC's in x2APIC mode. */
#define UMBRA_MSR_X2APIC	0x800

/* Memory type range registers. */
#define UMBRA_MTRR_CAP		0x0fe
#define UMBRA_MTRR_VAR_FIRST	0x200	/* eight pairs of base and mask */
#define UMBRA_MTRR_VAR_LAST	0x20f
#define UMBRA_MTRR_64K		0x250
#define UMBRA_MTRR_16K_FIRST	0x258
#define UMBRA_MTRR_16K_LAST	0x259
#define UMBRA_MTRR_4K_FIRST	0x268
#define UMBRA_MTRR_4K_LAST	0x26f
#define UMBRA_MTRR_DEF_TYPE	0x2ff

/**
 * struct umbra_msr_row - a range of MSRs with the same rules
 * @first: first index
 * @last: last index, included; 0 = only @first
 * @get: read; NULL = reads as 0
 * @set: write; NULL = only 0 can be written, and has no effect
 *
 * Accessors return 0, -EINVAL (the guest gets #GP) or -ENOENT (unknown).
 * @host tells an access by user space from one by the guest.
 */
struct umbra_msr_row {
	u32 first;
	u32 last;
	int (*get)(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host);
	int (*set)(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host);
};

/* Sorted by index, without overlap. */
extern const struct umbra_msr_row umbra_msr_rows[];
extern const unsigned int umbra_msr_nr_rows;

int umbra_mtrr_get(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host);
int umbra_mtrr_set(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host);
int umbra_pat_get(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host);
int umbra_pat_set(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host);
void umbra_mtrr_reset(struct umbra_vcpu *vcpu);

int umbra_inner_get_msr(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host);
int umbra_inner_set_msr(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host);

int umbra_mce_get(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host);
int umbra_mce_set(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host);
void umbra_mce_reset(struct umbra_vcpu *vcpu);

/* Does the filter let the guest do this? */
bool umbra_msr_filter_allows(struct umbra_vm *vm, u32 index, bool write);

/* Features of this host, computed once. */
u64 umbra_host_arch_caps(void);

#endif
