// SPDX-License-Identifier: GPL-2.0
/*
 * A vCPU's CPUID table: store it, derive what it allows, keep the bits that
 * follow the vCPU's state current, and answer the guest. What a host can
 * offer at all is in cpuid_host.c. vcpu->mutex is held.
 */
#include <linux/kvm.h>
#include <linux/kvm_para.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>
#include <asm/fpu/types.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include "cpuid.h"
#include "fpu.h"
#include "mmu/mmu.h"
#include "vcpu.h"
#include "vendor.h"

#define NOT_THERE		0xffff
#define DEFAULT_PHYS_BITS	36	/* the manuals' answer without leaf 0x80000008 */

static struct kvm_cpuid_entry2 *scan(struct kvm_cpuid_entry2 *entries, int from, int count,
				     u32 function, u32 index)
{
	struct kvm_cpuid_entry2 *e;

	for (e = entries + from; e < entries + count; e++)
		if (e->function == function &&
		    (e->index == index || !(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX)))
			return e;
	return NULL;
}

/* Class of a leaf for the quick index, or UMBRA_CPUID_CLASSES: search. */
static unsigned int leaf_class(u32 function)
{
	if (function & 0x3fffffff & ~(UMBRA_CPUID_QUICK - 1))
		return UMBRA_CPUID_CLASSES;
	switch (function >> 30) {
	case 0:
		return 0;
	case 1:
		return 1;
	case 2:
		return 2;
	default:
		return UMBRA_CPUID_CLASSES;
	}
}

static inline struct kvm_cpuid_entry2 *find(const struct umbra_cpuid *c, u32 function, u32 index)
{
	unsigned int class = leaf_class(function);
	int from = 0;

	if (class < UMBRA_CPUID_CLASSES) {
		from = c->first[class][function & (UMBRA_CPUID_QUICK - 1)];
		if (from == NOT_THERE)
			return NULL;
	}
	return scan(c->entries, from, c->count, function, index);
}

static void build_index(struct umbra_cpuid *c)
{
	int i;

	memset(c->first, 0xff, sizeof(c->first));
	for (i = c->count - 1; i >= 0; i--) {
		u32 function = c->entries[i].function;
		unsigned int class = leaf_class(function);

		if (class < UMBRA_CPUID_CLASSES)
			c->first[class][function & (UMBRA_CPUID_QUICK - 1)] = i;
	}
}

/* Where each word of the kernel's feature array comes from. */
static const struct {
	u32 function;
	u8 index;
	u8 reg;		/* 0 = EAX ... 3 = EDX */
} feature_words[NCAPINTS] = {
	[CPUID_1_EDX]		= { 1, 0, 3 },
	[CPUID_1_ECX]		= { 1, 0, 2 },
	[CPUID_8000_0001_EDX]	= { 0x80000001, 0, 3 },
	[CPUID_8000_0001_ECX]	= { 0x80000001, 0, 2 },
	[CPUID_7_0_EBX]		= { 7, 0, 1 },
	[CPUID_7_ECX]		= { 7, 0, 2 },
	[CPUID_7_EDX]		= { 7, 0, 3 },
	[CPUID_7_1_EAX]		= { 7, 1, 0 },
	[CPUID_D_1_EAX]		= { 0xd, 1, 0 },
	[CPUID_8000_0008_EBX]	= { 0x80000008, 0, 1 },
	[CPUID_8000_000A_EDX]	= { 0x8000000a, 0, 3 },
};

static u32 entry_reg(const struct kvm_cpuid_entry2 *e, u8 reg)
{
	switch (reg) {
	case 0:
		return e->eax;
	case 1:
		return e->ebx;
	case 2:
		return e->ecx;
	default:
		return e->edx;
	}
}

static bool has(const struct umbra_cpuid *c, unsigned int feature)
{
	unsigned int word = feature / 32;
	const struct kvm_cpuid_entry2 *e;

	if (word >= NCAPINTS || !feature_words[word].function)
		return false;
	e = find(c, feature_words[word].function, feature_words[word].index);
	if (!e)
		return false;
	return entry_reg(e, feature_words[word].reg) & BIT(feature % 32);
}

bool umbra_cpuid_has(const struct umbra_vcpu *vcpu, unsigned int x86_feature)
{
	return has(&vcpu->cpuid, x86_feature);
}

bool umbra_cpuid_allows_monitor(const struct umbra_vcpu *vcpu)
{
	return umbra_has_quirk(vcpu->vm, KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS) ||
	       umbra_cpuid_has(vcpu, X86_FEATURE_MWAIT);
}

u32 umbra_cpuid_signature(const struct umbra_vcpu *vcpu)
{
	const struct kvm_cpuid_entry2 *e = find(&vcpu->cpuid, 1, 0);

	return e ? e->eax : 0x600;
}

/* The features that the leaf behind KVM's signature has; other signatures may stand before it. */
static u32 pv_features(const struct umbra_cpuid *c)
{
	const struct kvm_cpuid_entry2 *e;

	for (e = c->entries; e < c->entries + c->count; e++)
		if ((e->function & 0xffff00ff) == KVM_CPUID_SIGNATURE &&
		    !memcmp(&e->ebx, KVM_SIGNATURE, 12)) {
			e = find(c, e->function | KVM_CPUID_FEATURES, 0);
			return e ? e->eax : 0;
		}
	return 0;
}

bool umbra_pv_has(const struct umbra_vcpu *vcpu, unsigned int feature)
{
	return !vcpu->pv_enforce || pv_features(&vcpu->cpuid) & BIT(feature);
}

static bool vendor_is(const struct kvm_cpuid_entry2 *e, const char *name)
{
	return !memcmp(&e->ebx, name, 4) && !memcmp(&e->edx, name + 4, 4) &&
	       !memcmp(&e->ecx, name + 8, 4);
}

bool umbra_cpuid_is_amd(const struct umbra_vcpu *vcpu)
{
	const struct kvm_cpuid_entry2 *e = find(&vcpu->cpuid, 0, 0);

	return e && (vendor_is(e, "AuthenticAMD") || vendor_is(e, "HygonGenuine"));
}

static void change(u32 *reg, unsigned int feature, bool on)
{
	if (on)
		*reg |= BIT(feature % 32);
	else
		*reg &= ~BIT(feature % 32);
}

static void update_table(const struct umbra_vcpu *vcpu, const struct umbra_cpuid *c)
{
	struct kvm_cpuid_entry2 *e = find(c, 1, 0);

	if (e) {
		change(&e->ecx, X86_FEATURE_OSXSAVE, vcpu->cr4 & X86_CR4_OSXSAVE);
		change(&e->edx, X86_FEATURE_APIC,
		       vcpu->msrs.apic_base & MSR_IA32_APICBASE_ENABLE);
		if (!umbra_has_quirk(vcpu->vm, KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT))
			change(&e->ecx, X86_FEATURE_MWAIT,
			       vcpu->msrs.misc_enable & MSR_IA32_MISC_ENABLE_MWAIT);
	}
	e = find(c, 7, 0);
	if (e)
		change(&e->ecx, X86_FEATURE_OSPKE, vcpu->cr4 & X86_CR4_PKE);
	e = find(c, 0xd, 0);
	if (e)
		e->ebx = umbra_xsave_bytes(vcpu->fpu.xcr0, false);
	e = find(c, 0xd, 1);
	if (e && has(c, X86_FEATURE_XSAVEC))
		e->ebx = umbra_xsave_bytes(vcpu->fpu.xcr0, true);
}

/**
 * umbra_cpuid_update_dynamic() - let the table follow CR4, XCR0 and APIC_BASE
 * @vcpu: virtual processor
 */
void umbra_cpuid_update_dynamic(struct umbra_vcpu *vcpu)
{
	update_table(vcpu, &vcpu->cpuid);
}

/* An answer for a leaf beyond the table: Intel repeats its last basic leaf. */
static const struct kvm_cpuid_entry2 *out_of_range(const struct umbra_vcpu *vcpu, u32 function,
						   u32 index)
{
	const struct umbra_cpuid *c = &vcpu->cpuid;
	const struct kvm_cpuid_entry2 *basic = find(c, 0, 0);
	const struct kvm_cpuid_entry2 *top;

	if (!basic || umbra_cpuid_is_amd(vcpu))
		return NULL;
	if (function >> 28 == 4)
		top = find(c, function & 0xffffff00, 0);
	else if (function >= 0xc0000000)
		top = find(c, 0xc0000000, 0);
	else
		top = find(c, function & 0x80000000, 0);
	if (top && function <= top->eax)
		return NULL;
	return find(c, basic->eax, index);
}

/* Topology leaves answer in part for sub-leaves that do not exist. */
static void topology_default(const struct umbra_vcpu *vcpu, u32 function, u32 *ecx, u32 *edx)
{
	u32 index = *ecx;
	const struct kvm_cpuid_entry2 *e;

	*ecx = 0;
	*edx = 0;
	if (function != 0xb && function != 0x1f)
		return;
	e = find(&vcpu->cpuid, function, 1);
	if (!e)
		return;
	*ecx = index & 0xff;
	*edx = e->edx;
}

void umbra_cpuid_lookup(struct umbra_vcpu *vcpu, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	u32 function = *eax, index = *ecx;
	const struct kvm_cpuid_entry2 *e = find(&vcpu->cpuid, function, index);

	if (!e)
		e = out_of_range(vcpu, function, index);
	if (e) {
		*eax = e->eax;
		*ebx = e->ebx;
		*ecx = e->ecx;
		*edx = e->edx;
		return;
	}
	*eax = 0;
	*ebx = 0;
	topology_default(vcpu, function, ecx, edx);
}

static noinline void execute_missing(struct umbra_vcpu *vcpu)
{
	u32 eax = vcpu->gpr[UMBRA_RAX];
	u32 ecx = vcpu->gpr[UMBRA_RCX];
	u32 ebx, edx;

	umbra_cpuid_lookup(vcpu, &eax, &ebx, &ecx, &edx);
	vcpu->gpr[UMBRA_RAX] = eax;
	vcpu->gpr[UMBRA_RBX] = ebx;
	vcpu->gpr[UMBRA_RCX] = ecx;
	vcpu->gpr[UMBRA_RDX] = edx;
}

void umbra_cpuid_execute(struct umbra_vcpu *vcpu)
{
	const struct kvm_cpuid_entry2 *e = find(&vcpu->cpuid, vcpu->gpr[UMBRA_RAX],
						vcpu->gpr[UMBRA_RCX]);

	if (unlikely(!e)) {
		execute_missing(vcpu);
		return;
	}
	vcpu->gpr[UMBRA_RAX] = e->eax;
	vcpu->gpr[UMBRA_RBX] = e->ebx;
	vcpu->gpr[UMBRA_RCX] = e->ecx;
	vcpu->gpr[UMBRA_RDX] = e->edx;
}

/* CR4 bits that exist only with a CPUID feature. */
static const struct {
	u64 bit;
	unsigned int feature;
} cr4_features[] = {
	{ X86_CR4_OSXSAVE, X86_FEATURE_XSAVE },
	{ X86_CR4_SMEP, X86_FEATURE_SMEP },
	{ X86_CR4_SMAP, X86_FEATURE_SMAP },
	{ X86_CR4_FSGSBASE, X86_FEATURE_FSGSBASE },
	{ X86_CR4_PKE, X86_FEATURE_PKU },
	{ X86_CR4_LA57, X86_FEATURE_LA57 },
	{ X86_CR4_UMIP, X86_FEATURE_UMIP },
	{ X86_CR4_PCIDE, X86_FEATURE_PCID },
};

static u64 allowed_cr4(const struct umbra_cpuid *c)
{
	u64 cr4 = umbra_host_cr4();
	int i;

	for (i = 0; i < ARRAY_SIZE(cr4_features); i++)
		if (!has(c, cr4_features[i].feature))
			cr4 &= ~cr4_features[i].bit;
	return cr4;
}

static u64 allowed_efer(const struct umbra_vm *vm, const struct umbra_cpuid *c)
{
	u64 efer = umbra_host_efer(vm) | EFER_LMA;

	if (!has(c, X86_FEATURE_LM))
		efer &= ~(u64)(EFER_LME | EFER_LMA);
	if (!has(c, X86_FEATURE_NX))
		efer &= ~(u64)EFER_NX;
	if (!has(c, X86_FEATURE_FXSR_OPT))
		efer &= ~(u64)EFER_FFXSR;
	if (!has(c, X86_FEATURE_SVM))
		efer &= ~(u64)EFER_SVME;
	return efer;
}

static void derive(const struct umbra_vm *vm, struct umbra_cpuid *c)
{
	const struct kvm_cpuid_entry2 *e;

	c->cr4_allowed = allowed_cr4(c);
	c->efer_allowed = allowed_efer(vm, c);
	e = find(c, 0xd, 0);
	c->xcr0_allowed = e ? (e->eax | (u64)e->edx << 32) & umbra_host_xcr0 : 0;
	e = find(c, 0x80000008, 0);
	c->phys_bits = e && (e->eax & 0xff) ? clamp_t(u32, e->eax & 0xff, 32, 52) :
					      DEFAULT_PHYS_BITS;
}

/**
 * umbra_cpuid_init() - a new vCPU, whose user space chose no table yet
 * @vcpu: virtual processor under construction
 *
 * Until then control registers are bounded by the host alone.
 */
void umbra_cpuid_init(struct umbra_vcpu *vcpu)
{
	struct umbra_cpuid *c = &vcpu->cpuid;

	c->entries = NULL;
	c->count = 0;
	build_index(c);
	c->cr4_allowed = umbra_host_cr4();
	c->efer_allowed = (umbra_host_efer(vcpu->vm) & ~(u64)EFER_SVME) | EFER_LMA;
	c->xcr0_allowed = 0;
	c->phys_bits = DEFAULT_PHYS_BITS;
}

void umbra_cpuid_free(struct umbra_vcpu *vcpu)
{
	struct umbra_cpuid *c = &vcpu->cpuid;

	kvfree(c->entries);
	c->entries = NULL;
	c->count = 0;
	build_index(c);
}

/* A width of linear addresses that no paging mode has cannot be honoured. */
static int check_table(const struct umbra_cpuid *c)
{
	const struct kvm_cpuid_entry2 *e = find(c, 0x80000008, 0);
	u32 bits = e ? (e->eax >> 8) & 0xff : 0;

	return bits == 0 || bits == 48 || bits == 57 ? 0 : -EINVAL;
}

static bool same_table(const struct umbra_cpuid *a, const struct umbra_cpuid *b)
{
	int i;

	if (a->count != b->count)
		return false;
	for (i = 0; i < a->count; i++) {
		const struct kvm_cpuid_entry2 *x = &a->entries[i], *y = &b->entries[i];

		if (x->function != y->function || x->index != y->index ||
		    x->flags != y->flags || x->eax != y->eax || x->ebx != y->ebx ||
		    x->ecx != y->ecx || x->edx != y->edx)
			return false;
	}
	return true;
}

/*
 * Takes @entries over, also on failure. What a guest was told once stays
 * true: after the first KVM_RUN only the same table is accepted again.
 */
static int install(struct umbra_vcpu *vcpu, struct kvm_cpuid_entry2 *entries, int count)
{
	struct umbra_cpuid *c = kzalloc(sizeof(*c), GFP_KERNEL);
	int err = -ENOMEM;

	if (!c)
		goto out_entries;
	c->entries = entries;
	c->count = count;
	build_index(c);
	err = check_table(c);
	if (err)
		goto out;
	update_table(vcpu, c);
	if (vcpu->last_cpu != -1) {
		err = same_table(&vcpu->cpuid, c) ? 0 : -EINVAL;
		goto out;
	}
	derive(vcpu->vm, c);
	swap(vcpu->cpuid, *c);
	entries = c->entries;
	umbra_vendor->sync_msr_map(vcpu);
	umbra_mmu_context_changed(vcpu);
out:
	kfree(c);
out_entries:
	kvfree(entries);
	return err;
}

/**
 * umbra_set_cpuid2() - KVM_SET_CPUID2
 * @vcpu: virtual processor
 * @user: caller's table; of several equal leaves the first one counts
 *
 * Return: 0, -EFAULT, -E2BIG, -ENOMEM, or -EINVAL: a width of linear
 * addresses other than 48 and 57, or a change after the guest has run.
 */
int umbra_set_cpuid2(struct umbra_vcpu *vcpu, struct kvm_cpuid2 __user *user)
{
	struct kvm_cpuid_entry2 *entries;
	u32 count;

	if (get_user(count, &user->nent))
		return -EFAULT;
	if (count > UMBRA_MAX_CPUID)
		return -E2BIG;
	if (!count)
		return install(vcpu, NULL, 0);
	entries = vmemdup_user(user->entries, count * sizeof(*entries));
	if (IS_ERR(entries))
		return PTR_ERR(entries);
	return install(vcpu, entries, count);
}

/**
 * umbra_set_cpuid() - KVM_SET_CPUID, the older form without sub-leaves
 * @vcpu: virtual processor
 * @user: caller's table
 *
 * Return: as umbra_set_cpuid2().
 */
int umbra_set_cpuid(struct umbra_vcpu *vcpu, struct kvm_cpuid __user *user)
{
	struct kvm_cpuid_entry2 *entries;
	struct kvm_cpuid_entry *old;
	u32 count, i;

	if (get_user(count, &user->nent))
		return -EFAULT;
	if (count > UMBRA_MAX_CPUID)
		return -E2BIG;
	if (!count)
		return install(vcpu, NULL, 0);
	old = vmemdup_user(user->entries, count * sizeof(*old));
	if (IS_ERR(old))
		return PTR_ERR(old);
	entries = kvcalloc(count, sizeof(*entries), GFP_KERNEL_ACCOUNT);
	for (i = 0; entries && i < count; i++)
		entries[i] = (struct kvm_cpuid_entry2) {
			.function = old[i].function, .eax = old[i].eax, .ebx = old[i].ebx,
			.ecx = old[i].ecx, .edx = old[i].edx,
		};
	kvfree(old);
	return entries ? install(vcpu, entries, count) : -ENOMEM;
}

/**
 * umbra_get_cpuid2() - KVM_GET_CPUID2
 * @vcpu: virtual processor
 * @user: filled; nent becomes the number of entries
 *
 * Return: 0, -EFAULT, or -E2BIG when @user has too little room.
 */
int umbra_get_cpuid2(struct umbra_vcpu *vcpu, struct kvm_cpuid2 __user *user)
{
	const struct umbra_cpuid *c = &vcpu->cpuid;
	u32 room;

	if (get_user(room, &user->nent))
		return -EFAULT;
	if (put_user((u32)c->count, &user->nent))
		return -EFAULT;
	if (room < c->count)
		return -E2BIG;
	if (copy_to_user(user->entries, c->entries, c->count * sizeof(*c->entries)))
		return -EFAULT;
	return 0;
}
