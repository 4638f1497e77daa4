// SPDX-License-Identifier: GPL-2.0
/*
 * What this host can offer to guests: KVM_GET_SUPPORTED_CPUID,
 * KVM_GET_EMULATED_CPUID, and the bounds of CR4 and EFER. A feature is
 * offered when the processor has it, the host kernel did not disable it, and
 * Umbra virtualizes it. Knows no vCPU.
 */
#include <linux/kvm.h>
#include <linux/kvm_para.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>
#include <asm/fpu/types.h>
#include <asm/msr-index.h>
#include <asm/processor.h>
#include <asm/processor-flags.h>
#include <asm/special_insns.h>
#include "cpuid.h"
#include "fpu.h"
#include "inner.h"
#include "vendor.h"
#include "vm.h"

#define F(name)		BIT(X86_FEATURE_##name & 31)

/* Predictive store forwarding can be disabled: no name in this kernel. */
#define PSFD		BIT(28)

#define MAX_BASIC		0xdU
#define MAX_EXTENDED		0x80000021U
#define MAX_SUBLEAVES		32
#define FXSAVE_SIZE		512U
#define XSAVE_HEADER_SIZE	64U

/* Guest physical addresses are input of a nested table of four levels. */
#define NESTED_PHYS_BITS	48U

/* Tags of inner guests mean nothing, as every switch flushes: any number will do. */
#define SVM_REVISION		1U
#define SVM_GUEST_ASIDS		8U

/* Features that a guest may have when the host has them. */
static const struct {
	u16 word;
	u32 mask;
} offered[] = {
	{ CPUID_1_ECX,
	  F(XMM3) | F(PCLMULQDQ) | F(SSSE3) | F(FMA) | F(CX16) | F(PCID) | F(XMM4_1) |
	  F(XMM4_2) | F(MOVBE) | F(POPCNT) | F(AES) | F(XSAVE) | F(AVX) | F(F16C) | F(RDRAND) },
	{ CPUID_1_EDX,
	  F(FPU) | F(VME) | F(DE) | F(PSE) | F(TSC) | F(MSR) | F(PAE) | F(MCE) | F(CX8) |
	  F(APIC) | F(SEP) | F(MTRR) | F(PGE) | F(MCA) | F(CMOV) | F(PAT) | F(PSE36) |
	  F(CLFLUSH) | F(MMX) | F(FXSR) | F(XMM) | F(XMM2) | F(SELFSNOOP) },
	{ CPUID_7_0_EBX,
	  F(FSGSBASE) | F(BMI1) | F(AVX2) | F(FDP_EXCPTN_ONLY) | F(SMEP) | F(BMI2) | F(ERMS) |
	  F(INVPCID) | F(ZERO_FCS_FDS) | F(AVX512F) | F(AVX512DQ) | F(RDSEED) | F(ADX) |
	  F(SMAP) | F(AVX512IFMA) | F(CLFLUSHOPT) | F(CLWB) | F(AVX512PF) | F(AVX512ER) |
	  F(AVX512CD) | F(SHA_NI) | F(AVX512BW) | F(AVX512VL) },
	{ CPUID_7_ECX,
	  F(AVX512VBMI) | F(PKU) | F(UMIP) | F(AVX512_VBMI2) | F(GFNI) | F(VAES) |
	  F(VPCLMULQDQ) | F(AVX512_VNNI) | F(AVX512_BITALG) | F(AVX512_VPOPCNTDQ) | F(LA57) |
	  F(RDPID) | F(CLDEMOTE) | F(MOVDIRI) | F(MOVDIR64B) },
	{ CPUID_7_EDX,
	  F(AVX512_4VNNIW) | F(AVX512_4FMAPS) | F(FSRM) | F(AVX512_VP2INTERSECT) |
	  F(MD_CLEAR) | F(SERIALIZE) | F(AVX512_FP16) | F(SPEC_CTRL) | F(INTEL_STIBP) |
	  F(SPEC_CTRL_SSBD) },
	{ CPUID_7_1_EAX, F(AVX_VNNI) | F(AVX512_BF16) },
	{ CPUID_D_1_EAX, F(XSAVEOPT) | F(XSAVEC) | F(XGETBV1) },
	{ CPUID_8000_0001_ECX,
	  F(LAHF_LM) | F(CMP_LEGACY) | F(ABM) | F(SSE4A) | F(MISALIGNSSE) |
	  F(3DNOWPREFETCH) | F(OSVW) | F(XOP) | F(FMA4) | F(TBM) | F(TOPOEXT) },
	{ CPUID_8000_0001_EDX,
	  F(FPU) | F(VME) | F(DE) | F(PSE) | F(TSC) | F(MSR) | F(PAE) | F(MCE) | F(CX8) |
	  F(APIC) | F(SYSCALL) | F(MTRR) | F(PGE) | F(MCA) | F(CMOV) | F(PAT) | F(PSE36) |
	  F(NX) | F(MMXEXT) | F(MMX) | F(FXSR) | F(FXSR_OPT) | F(GBPAGES) | F(RDTSCP) |
	  F(LM) | F(3DNOWEXT) | F(3DNOW) },
	{ CPUID_8000_0008_EBX,
	  F(CLZERO) | F(XSAVEERPTR) | F(WBNOINVD) | F(AMD_IBPB) | F(AMD_IBRS) | F(AMD_SSBD) |
	  F(AMD_SSB_NO) | F(AMD_STIBP) | F(AMD_STIBP_ALWAYS_ON) | PSFD },
};

/* Do this processor's registers and leaves follow AMD's manual, or Intel's? */
bool umbra_host_is_amd(void)
{
	return boot_cpu_data.x86_vendor == X86_VENDOR_AMD ||
	       boot_cpu_data.x86_vendor == X86_VENDOR_HYGON;
}

/*
 * @raw is the processor's word. The kernel clears bits of its copy that it
 * found broken or was told to ignore; those are not offered either.
 */
static u32 filter(u16 word, u32 raw)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(offered); i++)
		if (offered[i].word == word)
			return raw & offered[i].mask & boot_cpu_data.x86_capability[word];
	return 0;
}

u32 umbra_xsave_bytes(u64 xcr0, bool compacted)
{
	u32 size = FXSAVE_SIZE + XSAVE_HEADER_SIZE;
	int nr;

	for (nr = FIRST_EXTENDED_XFEATURE; nr < UMBRA_XCOMPS; nr++) {
		const struct umbra_xcomp *comp = &umbra_xcomps[nr];

		if (!(xcr0 & BIT_ULL(nr)) || !comp->size)
			continue;
		if (!compacted)
			size = max(size, comp->offset + comp->size);
		else if (comp->align64)
			size = ALIGN(size, 64) + comp->size;
		else
			size += comp->size;
	}
	return size;
}

/* Bits of CR4 that need a feature of the host beyond the oldest processors'. */
u64 umbra_host_cr4(void)
{
	u64 cr4 = X86_CR4_VME | X86_CR4_PVI | X86_CR4_TSD | X86_CR4_DE | X86_CR4_PSE |
		  X86_CR4_PAE | X86_CR4_MCE | X86_CR4_PGE | X86_CR4_PCE | X86_CR4_OSFXSR |
		  X86_CR4_OSXMMEXCPT;

	if (umbra_host_xcr0)
		cr4 |= X86_CR4_OSXSAVE;
	if (umbra_host_xcr0 & XFEATURE_MASK_PKRU)
		cr4 |= X86_CR4_PKE;
	if (boot_cpu_has(X86_FEATURE_SMEP))
		cr4 |= X86_CR4_SMEP;
	if (boot_cpu_has(X86_FEATURE_SMAP))
		cr4 |= X86_CR4_SMAP;
	if (boot_cpu_has(X86_FEATURE_FSGSBASE))
		cr4 |= X86_CR4_FSGSBASE;
	if (boot_cpu_has(X86_FEATURE_UMIP))
		cr4 |= X86_CR4_UMIP;
	if (boot_cpu_has(X86_FEATURE_PCID))
		cr4 |= X86_CR4_PCIDE;
	if (pgtable_l5_enabled())
		cr4 |= X86_CR4_LA57;
	return cr4;
}

u64 umbra_host_efer(const struct umbra_vm *vm)
{
	u64 efer = EFER_SCE | EFER_LME | EFER_LMA;

	if (boot_cpu_has(X86_FEATURE_NX))
		efer |= EFER_NX;
	if (boot_cpu_has(X86_FEATURE_FXSR_OPT))
		efer |= EFER_FFXSR;
	if (vm->nested)
		efer |= EFER_SVME;
	return efer;
}

/* The list under construction. */
struct cpuid_list {
	struct kvm_cpuid_entry2 *e;
	u32 count;
	u32 room;
	bool full;
	struct kvm_cpuid_entry2 spill;	/* where entries go that have no room */
};

static struct kvm_cpuid_entry2 *add(struct cpuid_list *l, u32 function, u32 index)
{
	struct kvm_cpuid_entry2 *e;

	if (l->count >= l->room) {
		l->full = true;
		return &l->spill;
	}
	e = &l->e[l->count++];
	*e = (struct kvm_cpuid_entry2) { .function = function, .index = index };
	return e;
}

static struct kvm_cpuid_entry2 *add_host(struct cpuid_list *l, u32 function, u32 index,
					 u32 flags)
{
	struct kvm_cpuid_entry2 *e = add(l, function, index);

	e->flags = flags;
	cpuid_count(function, index, &e->eax, &e->ebx, &e->ecx, &e->edx);
	return e;
}

/* Caches: sub-leaves until one says that there are no more. */
static void add_caches(struct cpuid_list *l, u32 function)
{
	u32 index;

	for (index = 0; index < MAX_SUBLEAVES; index++)
		if (!(add_host(l, function, index, KVM_CPUID_FLAG_SIGNIFCANT_INDEX)->eax & 0x1f))
			break;
}

static void add_leaf_1(struct cpuid_list *l)
{
	struct kvm_cpuid_entry2 *e = add_host(l, 1, 0, 0);

	/* Only the CLFLUSH line size is common to all processors. */
	e->ebx &= 0xff00;
	e->ecx = filter(CPUID_1_ECX, e->ecx) | F(HYPERVISOR) | F(X2APIC);
	e->edx = filter(CPUID_1_EDX, e->edx);
	if (!umbra_host_xcr0)
		e->ecx &= ~(F(XSAVE) | F(AVX) | F(FMA) | F(F16C));
}

static void add_leaf_7(struct cpuid_list *l)
{
	struct kvm_cpuid_entry2 *e = add_host(l, 7, 0, KVM_CPUID_FLAG_SIGNIFCANT_INDEX);
	u32 subleaves = min(e->eax, 1U);

	e->eax = subleaves;
	e->ebx = filter(CPUID_7_0_EBX, e->ebx) | F(TSC_ADJUST);
	e->ecx = filter(CPUID_7_ECX, e->ecx);
	if (!(umbra_host_xcr0 & XFEATURE_MASK_PKRU))
		e->ecx &= ~F(PKU);
	if (!pgtable_l5_enabled())
		e->ecx &= ~F(LA57);
	e->edx = filter(CPUID_7_EDX, e->edx) | F(ARCH_CAPABILITIES);
	if (!subleaves)
		return;
	e = add_host(l, 7, 1, KVM_CPUID_FLAG_SIGNIFCANT_INDEX);
	e->eax = filter(CPUID_7_1_EAX, e->eax);
	e->ebx = 0;
	e->ecx = 0;
	e->edx = 0;
}

static void add_leaf_d(struct cpuid_list *l)
{
	struct kvm_cpuid_entry2 *e = add(l, 0xd, 0);
	int nr;

	e->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	if (!umbra_host_xcr0)
		return;
	e->eax = umbra_host_xcr0;
	e->edx = umbra_host_xcr0 >> 32;
	e->ebx = umbra_xsave_bytes(umbra_host_xcr0, false);
	e->ecx = e->ebx;
	e = add_host(l, 0xd, 1, KVM_CPUID_FLAG_SIGNIFCANT_INDEX);
	e->eax = filter(CPUID_D_1_EAX, e->eax);
	e->ebx = e->eax & F(XSAVEC) ? umbra_xsave_bytes(umbra_host_xcr0, true) : 0;
	e->ecx = 0;
	e->edx = 0;
	for (nr = FIRST_EXTENDED_XFEATURE; nr < UMBRA_XCOMPS; nr++) {
		if (!umbra_xcomps[nr].size)
			continue;
		e = add(l, 0xd, nr);
		e->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
		e->eax = umbra_xcomps[nr].size;
		e->ebx = umbra_xcomps[nr].offset;
		e->ecx = umbra_xcomps[nr].align64 ? 2 : 0;
	}
}

static void add_basic(struct cpuid_list *l)
{
	struct kvm_cpuid_entry2 *e = add_host(l, 0, 0, 0);
	u32 max = min(e->eax, MAX_BASIC);
	u32 leaf;

	e->eax = max;
	for (leaf = 1; leaf <= max; leaf++) {
		switch (leaf) {
		case 1:
			add_leaf_1(l);
			break;
		case 2:
			add_host(l, leaf, 0, 0);
			break;
		case 4:
			add_caches(l, leaf);
			break;
		case 6:
			/* A user-space APIC timer never stops: ARAT. */
			add(l, leaf, 0)->eax = 4;
			break;
		case 7:
			add_leaf_7(l);
			break;
		case 0xb:
			add(l, leaf, 0)->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
			break;
		case 0xd:
			add_leaf_d(l);
			break;
		default:
			/* Serial number, MONITOR, counters: not offered. */
			add(l, leaf, 0);
		}
	}
}

/* What is offered beyond a processor's features. Clients leave it out to hide all of it. */
#define PV_FEATURES	(BIT(KVM_FEATURE_CLOCKSOURCE) | BIT(KVM_FEATURE_CLOCKSOURCE2) |		\
			 BIT(KVM_FEATURE_CLOCKSOURCE_STABLE_BIT) |				\
			 BIT(KVM_FEATURE_NOP_IO_DELAY) | BIT(KVM_FEATURE_PV_EOI) |		\
			 BIT(KVM_FEATURE_PV_UNHALT) | BIT(KVM_FEATURE_PV_SEND_IPI))

static void add_hypervisor(struct cpuid_list *l)
{
	struct kvm_cpuid_entry2 *e = add(l, KVM_CPUID_SIGNATURE, 0);

	e->eax = KVM_CPUID_FEATURES;
	memcpy(&e->ebx, KVM_SIGNATURE, 4);
	memcpy(&e->ecx, KVM_SIGNATURE + 4, 4);
	memcpy(&e->edx, KVM_SIGNATURE + 8, 4);
	add(l, KVM_CPUID_FEATURES, 0)->eax = PV_FEATURES;
}

static void add_address_sizes(struct cpuid_list *l, u32 leaf)
{
	struct kvm_cpuid_entry2 *e = add_host(l, leaf, 0, 0);
	u32 phys = min(e->eax & 0xff, NESTED_PHYS_BITS);
	u32 virt = pgtable_l5_enabled() ? (e->eax >> 8) & 0xff : 48;

	e->eax = phys | virt << 8;
	e->ebx = filter(CPUID_8000_0008_EBX, e->ebx);
	e->ecx = 0;
	e->edx = 0;
}

/*
 * The SVM that guests get: no nested paging, and of all that came later only the address of
 * the next instruction, where the processor tells it.
 */
static void add_svm(struct cpuid_list *l, u32 leaf)
{
	struct kvm_cpuid_entry2 *e = add(l, leaf, 0);

	if (!umbra_inner_offered())
		return;
	e->eax = SVM_REVISION;
	e->ebx = SVM_GUEST_ASIDS;
	e->edx = umbra_caps.insn_len ? F(NRIPS) : 0;
}

/* Properties of the processor that the kernel's own words may not hold. */
static void add_leaf_80000021(struct cpuid_list *l, u32 leaf, bool on_host)
{
	const u32 no_nested_data_bp = BIT(0), lfence_serializes = BIT(2), null_sel = BIT(6);
	struct kvm_cpuid_entry2 *e = add(l, leaf, 0);

	if (on_host)
		e->eax = cpuid_eax(leaf) & (no_nested_data_bp | lfence_serializes | null_sel);
	if (boot_cpu_has(X86_FEATURE_LFENCE_RDTSC))
		e->eax |= lfence_serializes;
	if (!boot_cpu_has_bug(X86_BUG_NULL_SEG))
		e->eax |= null_sel;
}

static void add_extended_leaf(struct cpuid_list *l, u32 leaf, u32 host_max)
{
	struct kvm_cpuid_entry2 *e;

	switch (leaf) {
	case 0x80000001:
		e = add_host(l, leaf, 0, 0);
		e->ebx &= 0xffff;
		e->ecx = filter(CPUID_8000_0001_ECX, e->ecx);
		if (umbra_inner_offered() && umbra_host_is_amd())
			e->ecx |= F(SVM);
		e->edx = filter(CPUID_8000_0001_EDX, e->edx);
		break;
	case 0x80000002 ... 0x80000006:
	case 0x80000019:
	case 0x8000001a:
		add_host(l, leaf, 0, 0);
		break;
	case 0x80000007:
		/* A TSC that never changes its rate stays one in a guest. */
		e = add(l, leaf, 0);
		e->edx = boot_cpu_has(X86_FEATURE_CONSTANT_TSC) &&
			 boot_cpu_has(X86_FEATURE_NONSTOP_TSC) ? BIT(8) : 0;
		break;
	case 0x80000008:
		add_address_sizes(l, leaf);
		break;
	case 0x8000000a:
		add_svm(l, leaf);
		break;
	case 0x8000001d:
		if (boot_cpu_has(X86_FEATURE_TOPOEXT))
			add_caches(l, leaf);
		else
			add(l, leaf, 0);
		break;
	case 0x80000021:
		add_leaf_80000021(l, leaf, leaf <= host_max);
		break;
	default:
		/* IBS, memory encryption ...: not offered. */
		add(l, leaf, 0);
	}
}

static void add_extended(struct cpuid_list *l)
{
	struct kvm_cpuid_entry2 *e = add_host(l, 0x80000000, 0, 0);
	u32 host_max = e->eax;
	bool amd = umbra_host_is_amd();
	u32 leaf;

	/* The last leaf only states what is known: it needs no host leaf. */
	e->eax = amd ? MAX_EXTENDED : min(host_max, MAX_EXTENDED);
	for (leaf = 0x80000001; leaf <= host_max && leaf <= 0x8000000a; leaf++)
		add_extended_leaf(l, leaf, host_max);
	for (leaf = 0x80000019; leaf <= host_max && leaf <= 0x8000001d; leaf++)
		add_extended_leaf(l, leaf, host_max);
	if (amd)
		add_extended_leaf(l, MAX_EXTENDED, host_max);
}

/* Nothing is emulated that a processor lacks: only the leaf that says so. */
static void add_emulated(struct cpuid_list *l)
{
	add(l, 0, 0);
}

static int check_padding(const struct kvm_cpuid2 __user *user, u32 count)
{
	struct kvm_cpuid_entry2 e;
	u32 i;

	for (i = 0; i < count; i++) {
		if (copy_from_user(&e, &user->entries[i], sizeof(e)))
			return -EFAULT;
		if (memchr_inv(e.padding, 0, sizeof(e.padding)))
			return -EINVAL;
	}
	return 0;
}

static int copy_out(struct kvm_cpuid2 __user *user, const struct cpuid_list *l)
{
	if (l->full)
		return -E2BIG;
	if (copy_to_user(user->entries, l->e, l->count * sizeof(*l->e)))
		return -EFAULT;
	return put_user(l->count, &user->nent);
}

/**
 * umbra_get_supported_cpuid() - KVM_GET_SUPPORTED_CPUID, KVM_GET_EMULATED_CPUID
 * @user: caller's table: nent is the room in it, then the number of entries
 * @emulated: the second of the two
 *
 * Return: 0, -EFAULT, -E2BIG when there is too little room, -ENOMEM, or
 * -EINVAL when padding is not zero (emulated features only).
 */
int umbra_get_supported_cpuid(struct kvm_cpuid2 __user *user, bool emulated)
{
	struct cpuid_list list = {};
	u32 room;
	int err = 0;

	if (get_user(room, &user->nent))
		return -EFAULT;
	if (room < 1)
		return -E2BIG;
	list.room = min_t(u32, room, UMBRA_MAX_CPUID);
	if (emulated)
		err = check_padding(user, list.room);
	if (err)
		return err;
	list.e = kvcalloc(list.room, sizeof(*list.e), GFP_KERNEL);
	if (!list.e)
		return -ENOMEM;
	if (emulated) {
		add_emulated(&list);
	} else {
		add_basic(&list);
		add_hypervisor(&list);
		add_extended(&list);
	}
	err = copy_out(user, &list);
	kvfree(list.e);
	return err;
}
