// SPDX-License-Identifier: GPL-2.0
/*
 * Memory-type MSRs: MTRRs and PAT. Values are checked and kept, so that a
 * guest reads back what it wrote. Under nested tables the host's memory types
 * rule, and the guest's PAT is combined by the processor.
 */
#include <linux/kvm.h>
#include <linux/nospec.h>
#include <linux/string.h>
#include "msr.h"
#include "msr_internal.h"
#include "vcpu.h"

#define NR_VARIABLE		8
#define CAP_FIXED		BIT_ULL(8)
#define CAP_WRITE_COMBINING	BIT_ULL(10)
#define DEF_TYPE_WRITABLE	0xcffULL
#define MASK_VALID		BIT_ULL(11)
#define PAT_RESET		0x0007040600070406ULL

/* Uncached, write combining, write through, write protect, write back. */
static bool type_valid(u8 type)
{
	return type < 8 && (BIT(type) & 0x73);
}

static bool all_types_valid(u64 data)
{
	int i;

	for (i = 0; i < 8; i++)
		if (!type_valid(data >> (8 * i)))
			return false;
	return true;
}

/* Place of a fixed-range MSR in the array, in address order; or -1. */
static int fixed_place(u32 index)
{
	switch (index) {
	case UMBRA_MTRR_64K:
		return 0;
	case UMBRA_MTRR_16K_FIRST ... UMBRA_MTRR_16K_LAST:
		return 1 + (index - UMBRA_MTRR_16K_FIRST);
	case UMBRA_MTRR_4K_FIRST ... UMBRA_MTRR_4K_LAST:
		return 3 + (index - UMBRA_MTRR_4K_FIRST);
	default:
		return -1;
	}
}

static u64 *slot(struct umbra_vcpu *vcpu, u32 index)
{
	struct umbra_msrs *msrs = &vcpu->msrs;
	int place = fixed_place(index);

	if (place >= 0)
		return &msrs->mtrr_fixed[array_index_nospec(place, ARRAY_SIZE(msrs->mtrr_fixed))];
	if (index == UMBRA_MTRR_DEF_TYPE)
		return &msrs->mtrr_def_type;
	return &msrs->mtrr_var[array_index_nospec(index - UMBRA_MTRR_VAR_FIRST, 2 * NR_VARIABLE)];
}

int umbra_mtrr_get(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	if (index == UMBRA_MTRR_CAP)
		*data = NR_VARIABLE | CAP_FIXED | CAP_WRITE_COMBINING;
	else
		*data = *slot(vcpu, index);
	return 0;
}

static bool variable_valid(const struct umbra_vcpu *vcpu, u32 index, u64 data)
{
	if (data >> vcpu->cpuid.phys_bits)
		return false;
	if (index & 1)
		return !(data & 0xfff & ~MASK_VALID);
	return !(data & 0xf00) && type_valid(data);
}

int umbra_mtrr_set(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host)
{
	bool valid;

	if (fixed_place(index) >= 0)
		valid = all_types_valid(data);
	else if (index == UMBRA_MTRR_DEF_TYPE)
		valid = !(data & ~DEF_TYPE_WRITABLE) && type_valid(data);
	else
		valid = variable_valid(vcpu, index, data);
	if (!valid)
		return -EINVAL;
	*slot(vcpu, index) = data;
	return 0;
}

int umbra_pat_get(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	*data = vcpu->msrs.pat;
	return 0;
}

/* Besides the MTRR types, PAT has a weak form of uncached. */
static bool pat_valid(u64 data)
{
	int i;

	for (i = 0; i < 8; i++) {
		u8 type = data >> (8 * i);

		if (type != 7 && !type_valid(type))
			return false;
	}
	return true;
}

int umbra_pat_set(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host)
{
	if (!pat_valid(data))
		return -EINVAL;
	vcpu->msrs.pat = data;
	return 0;
}

void umbra_mtrr_reset(struct umbra_vcpu *vcpu)
{
	vcpu->msrs.mtrr_def_type = 0;
	memset(vcpu->msrs.mtrr_fixed, 0, sizeof(vcpu->msrs.mtrr_fixed));
	memset(vcpu->msrs.mtrr_var, 0, sizeof(vcpu->msrs.mtrr_var));
	vcpu->msrs.pat = PAT_RESET;
}
