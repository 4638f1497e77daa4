// SPDX-License-Identifier: GPL-2.0
/*
 * CPUID of a vCPU in a machine with interrupt controllers: one package with a core for each
 * vCPU, APIC identifier and number of the vCPU the same.
 *
 * Changes entries of the table that the hypervisor supports, and adds leaves of no others.
 */
#include <string.h>

#include "topology.h"

#define LEAF_FEATURES		0x1
#define LEAF_CACHES		0x4
#define LEAF_TOPOLOGY		0xb
#define LEAF_TOPOLOGY_V2	0x1f
#define LEAF_AMD_FEATURES	0x80000001
#define LEAF_AMD_SIZES		0x80000008
#define LEAF_AMD_CACHES		0x8000001d
#define LEAF_AMD_TOPOLOGY	0x8000001e

#define FEATURES_HTT		BIT_ULL(28)	/* EDX: several processors in the package */
#define FEATURES_DEADLINE	BIT_ULL(24)	/* ECX */
#define FEATURES_HYPERVISOR	BIT_ULL(31)	/* ECX */
#define AMD_CMP_LEGACY		BIT_ULL(1)	/* ECX: they are cores, not threads */
#define GENUINE			0x756e6547u	/* "Genu", the first letters of Intel's */
#define LEVEL_THREAD		1
#define LEVEL_CORE		2

/* Bits of an APIC identifier that number @cpus processors. */
static u32 id_bits(unsigned int cpus)
{
	return cpus > 1 ? 32 - __builtin_clz(cpus - 1) : 0;
}

static void fill_features(struct kvm_cpuid_entry2 *e, unsigned int index, unsigned int cpus,
			  bool deadline)
{
	e->ebx = (e->ebx & 0xffff) | (1u << id_bits(cpus)) << 16 | index << 24;
	e->ecx |= FEATURES_HYPERVISOR;
	if (deadline)
		e->ecx |= FEATURES_DEADLINE;
	if (cpus > 1)
		e->edx |= FEATURES_HTT;
	else
		e->edx &= ~FEATURES_HTT;
}

/* Level 0 are the threads of a core, of which there is one; level 1 the cores; then the end. */
static void add_levels(struct kvm_cpuid2 *table, unsigned int index, unsigned int cpus)
{
	const struct kvm_cpuid_entry2 levels[TOPOLOGY_EXTRA] = {
		{ .ebx = 1, .ecx = LEVEL_THREAD << 8 },
		{ .index = 1, .eax = id_bits(cpus), .ebx = cpus, .ecx = LEVEL_CORE << 8 | 1 },
		{ .index = 2, .ecx = 2 },
	};
	u32 i;

	for (i = 0; i < TOPOLOGY_EXTRA; i++) {
		struct kvm_cpuid_entry2 *e = &table->entries[table->nent++];

		*e = levels[i];
		e->function = LEAF_TOPOLOGY;
		e->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
		e->edx = index;
	}
}

/* Those of the host's cores must go; whether the leaf was there at all. */
static bool remove_levels(struct kvm_cpuid2 *table)
{
	bool found = false;
	u32 i, n = 0;

	for (i = 0; i < table->nent; i++) {
		u32 leaf = table->entries[i].function;

		if (leaf == LEAF_TOPOLOGY)
			found = true;
		if (leaf != LEAF_TOPOLOGY && leaf != LEAF_TOPOLOGY_V2)
			table->entries[n++] = table->entries[i];
	}
	table->nent = n;
	return found;
}

/* Intel: how many share a cache, and how many cores; both less one. */
static void fill_caches(struct kvm_cpuid_entry2 *e, unsigned int cpus)
{
	u32 level = e->eax >> 5 & 7;
	u32 sharing = level > 2 ? (1u << id_bits(cpus)) - 1 : 0;

	if (!(e->eax & 0x1f))
		return;
	e->eax = (e->eax & 0x3fff) | sharing << 14 | ((1u << id_bits(cpus)) - 1) << 26;
}

static void fill_amd_caches(struct kvm_cpuid_entry2 *e, unsigned int cpus)
{
	u32 sharing = (e->eax >> 5 & 7) > 2 ? cpus - 1 : 0;

	if (e->eax & 0x1f)
		e->eax = (e->eax & 0x3fff) | sharing << 14;
}

static void fill_amd_features(struct kvm_cpuid_entry2 *e, unsigned int cpus)
{
	if (cpus > 1)
		e->ecx |= AMD_CMP_LEGACY;
	else
		e->ecx &= ~AMD_CMP_LEGACY;
}

static void fill_amd(struct kvm_cpuid_entry2 *e, unsigned int index, unsigned int cpus)
{
	switch (e->function) {
	case LEAF_AMD_FEATURES:
		fill_amd_features(e, cpus);
		break;
	case LEAF_AMD_SIZES:
		e->ecx = id_bits(cpus) << 12 | (cpus - 1);
		break;
	case LEAF_AMD_CACHES:
		fill_amd_caches(e, cpus);
		break;
	case LEAF_AMD_TOPOLOGY:
		e->eax = index;
		e->ebx = index;
		e->ecx = 0;
		break;
	}
}

/* Those leaves are AMD's, and of who makes processors like AMD's. */
static bool like_intel(const struct kvm_cpuid2 *table)
{
	u32 i;

	for (i = 0; i < table->nent; i++)
		if (!table->entries[i].function)
			return table->entries[i].ebx == GENUINE;
	return false;
}

/**
 * topology_fill() - Make a table the one of a vCPU.
 * @table: what the hypervisor supports, with room for TOPOLOGY_EXTRA more; changed
 * @index: number of the vCPU
 * @cpus: number of vCPUs
 * @deadline: the hypervisor's local APIC has the TSC-deadline timer
 */
void topology_fill(struct kvm_cpuid2 *table, unsigned int index, unsigned int cpus, bool deadline)
{
	bool intel = like_intel(table);
	u32 i;

	if (remove_levels(table))
		add_levels(table, index, cpus);
	for (i = 0; i < table->nent; i++) {
		struct kvm_cpuid_entry2 *e = &table->entries[i];

		if (e->function == LEAF_FEATURES)
			fill_features(e, index, cpus, deadline);
		else if (e->function == LEAF_CACHES)
			fill_caches(e, cpus);
		else if (!intel)
			fill_amd(e, index, cpus);
	}
}
