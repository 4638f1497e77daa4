// SPDX-License-Identifier: GPL-2.0
/*
 * Stepping over an intercepted instruction. Processors without next-RIP save
 * do not tell its length: compare the bytes at RIP with the one encoding that
 * compilers emit for this kind of exit, and decode only when they differ.
 * Must not carry out any instruction.
 */
#include <linux/kvm.h>
#include <linux/mm.h>
#include <asm/processor-flags.h>
#include "debug.h"
#include "emulate.h"
#include "exit.h"
#include "mmu/mmu.h"
#include "vcpu.h"
#include "vendor.h"

/* First bytes of an instruction, little-endian; @mask selects what must match. */
struct encoding {
	u32 bytes;
	u32 mask;
	u8 len;
};

static const struct encoding encodings[] = {
	[UMBRA_EXIT_MSR] = { 0x300f, 0xfdff, 2 },	/* WRMSR 30, RDMSR 32 */
	[UMBRA_EXIT_CPUID] = { 0xa20f, 0xffff, 2 },
	[UMBRA_EXIT_HLT] = { 0xf4, 0xff, 1 },
	[UMBRA_EXIT_XSETBV] = { 0xd1010f, 0xffffff, 3 },
	[UMBRA_EXIT_WBINVD] = { 0x080f, 0xfeff, 2 },	/* INVD 08, WBINVD 09 */
	[UMBRA_EXIT_PAUSE] = { 0x90f3, 0xffff, 2 },
	[UMBRA_EXIT_HYPERCALL] = { 0xc1010f, 0xe7ffff, 3 },	/* VMCALL C1, VMMCALL D9 */
	[UMBRA_EXIT_INNER] = { 0xd8010f, 0xf8ffff, 3 },		/* VMRUN D8 to INVLPGA DF */
};

static gva_t linear_rip(struct umbra_vcpu *vcpu)
{
	struct kvm_segment cs;

	if (likely(vcpu->exit.code64))
		return vcpu->rip;
	umbra_vendor->get_segment(vcpu, UMBRA_SEG_CS, &cs);
	return (u32)(cs.base + vcpu->rip);
}

bool umbra_peek_insn(struct umbra_vcpu *vcpu, unsigned int len, bool atomic, u64 *bytes)
{
	gva_t gva = linear_rip(vcpu);

	*bytes = 0;
	if (!umbra_mmu_refetch(vcpu, gva, bytes))
		return true;
	return offset_in_page(gva) + len <= PAGE_SIZE &&
	       !umbra_mmu_fetch(vcpu, gva, bytes, len, atomic);
}

static u8 length_by_bytes(struct umbra_vcpu *vcpu, bool atomic)
{
	const struct encoding *e;
	u64 bytes;

	if (vcpu->exit.kind >= ARRAY_SIZE(encodings))
		return 0;
	e = &encodings[vcpu->exit.kind];
	/* An instruction on two pages is left to the decoder. */
	if (!e->len || !umbra_peek_insn(vcpu, e->len, atomic, &bytes))
		return 0;
	return (bytes & e->mask) == e->bytes ? e->len : 0;
}

/* By decoding; 0 when that cannot be told, and *@verdict is set. Sleeps. */
static int length_by_decoder(struct umbra_vcpu *vcpu, int *verdict)
{
	int len = umbra_insn_length(vcpu);

	if (len > 0)
		return len;
	*verdict = len ? len : UMBRA_CONTINUE;
	if (len == -EOPNOTSUPP)
		*verdict = umbra_exit_internal_error(vcpu, KVM_INTERNAL_ERROR_EMULATION);
	return 0;
}

bool umbra_next_rip(struct umbra_vcpu *vcpu, bool atomic, u64 *next, int *verdict)
{
	int len = vcpu->exit.insn_len;

	if (!len)
		len = length_by_bytes(vcpu, atomic);
	if (unlikely(!len)) {
		*verdict = UMBRA_SLOW;
		if (!atomic)
			len = length_by_decoder(vcpu, verdict);
		if (!len)
			return false;
	}
	*next = vcpu->rip + len;
	if (!vcpu->exit.code64)
		*next = (u32)*next;
	return true;
}

bool umbra_advance_rip(struct umbra_vcpu *vcpu, u64 next)
{
	bool step = (vcpu->rflags & X86_EFLAGS_TF) || vcpu->guest_debug;

	vcpu->rip = next;
	vcpu->rflags &= ~(u64)X86_EFLAGS_RF;
	vcpu->ev.shadow = 0;
	return step;
}

int umbra_step_rip(struct umbra_vcpu *vcpu, u64 next)
{
	u64 rflags = vcpu->rflags;

	if (likely(!umbra_advance_rip(vcpu, next)))
		return UMBRA_CONTINUE;
	return umbra_debug_insn_done(vcpu, rflags);
}

int umbra_skip_insn(struct umbra_vcpu *vcpu, bool atomic)
{
	int verdict;
	u64 next;

	if (!umbra_next_rip(vcpu, atomic, &next, &verdict))
		return verdict;
	return umbra_step_rip(vcpu, next);
}
