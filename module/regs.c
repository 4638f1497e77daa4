// SPDX-License-Identifier: GPL-2.0
/*
 * General registers, RIP, RFLAGS and debug registers: reset, the guest's MOV
 * DR, and user space's get and set. vcpu->mutex is held throughout. Holds no
 * rule for control registers and touches no segment.
 */
#include <linux/kvm.h>
#include <linux/percpu.h>
#include <linux/string.h>
#include <asm/processor.h>
#include <asm/debugreg.h>
#include <asm/processor-flags.h>
#include "cpuid.h"
#include "emulate.h"
#include "mmu/mmu.h"
#include "regs.h"
#include "request.h"
#include "vcpu.h"
#include "vendor.h"

#define DR6_WRITABLE	0x0000e00fULL
#define DR6_ONES	0xffff0ff0ULL
#define DR7_WRITABLE	0xffff2bffULL
#define DR7_ONES	0x00000400ULL

/**
 * umbra_regs_reset() - everything in struct umbra_vcpu as after power-up
 * @vcpu: virtual processor; its hw part exists
 * @init: as after INIT: the caches stay as they are
 *
 * Segments and descriptor tables belong to the vendor's vcpu_reset().
 */
void umbra_regs_reset(struct umbra_vcpu *vcpu, bool init)
{
	u64 caches = X86_CR0_CD | X86_CR0_NW;

	if (init)
		caches &= vcpu->cr0;
	memset(vcpu->gpr, 0, sizeof(vcpu->gpr));
	vcpu->gpr[UMBRA_RDX] = umbra_cpuid_signature(vcpu);
	vcpu->rip = 0xfff0;
	vcpu->rflags = X86_EFLAGS_FIXED;
	vcpu->cr0 = caches | X86_CR0_ET;
	vcpu->cr2 = 0;
	vcpu->cr3 = 0;
	vcpu->cr4 = 0;
	vcpu->cr8 = 0;
	vcpu->efer = 0;
	memset(vcpu->pdpte, 0, sizeof(vcpu->pdpte));
	memset(vcpu->dr, 0, sizeof(vcpu->dr));
	vcpu->dr6 = DR6_ONES;
	vcpu->dr7 = DR7_ONES;
}

/**
 * umbra_get_regs() - KVM_GET_REGS
 * @vcpu: virtual processor
 * @out: filled
 */
void umbra_get_regs(struct umbra_vcpu *vcpu, struct kvm_regs *out)
{
	const u64 *gpr = vcpu->gpr;

	*out = (struct kvm_regs) {
		.rax = gpr[UMBRA_RAX], .rbx = gpr[UMBRA_RBX],
		.rcx = gpr[UMBRA_RCX], .rdx = gpr[UMBRA_RDX],
		.rsi = gpr[UMBRA_RSI], .rdi = gpr[UMBRA_RDI],
		.rsp = gpr[UMBRA_RSP], .rbp = gpr[UMBRA_RBP],
		.r8 = gpr[8], .r9 = gpr[9], .r10 = gpr[10], .r11 = gpr[11],
		.r12 = gpr[12], .r13 = gpr[13], .r14 = gpr[14], .r15 = gpr[15],
		.rip = vcpu->rip,
		.rflags = vcpu->rflags,
	};
}

/**
 * umbra_set_regs() - KVM_SET_REGS
 * @vcpu: virtual processor
 * @in: new values; RFLAGS bit 1 is always set
 *
 * Moving RIP gives up an instruction that waits for user space's answer; an
 * exception that is queued but not delivered goes in any case.
 *
 * Return: 0.
 */
int umbra_set_regs(struct umbra_vcpu *vcpu, const struct kvm_regs *in)
{
	u64 *gpr = vcpu->gpr;

	gpr[UMBRA_RAX] = in->rax;
	gpr[UMBRA_RBX] = in->rbx;
	gpr[UMBRA_RCX] = in->rcx;
	gpr[UMBRA_RDX] = in->rdx;
	gpr[UMBRA_RSI] = in->rsi;
	gpr[UMBRA_RDI] = in->rdi;
	gpr[UMBRA_RSP] = in->rsp;
	gpr[UMBRA_RBP] = in->rbp;
	gpr[8] = in->r8;
	gpr[9] = in->r9;
	gpr[10] = in->r10;
	gpr[11] = in->r11;
	gpr[12] = in->r12;
	gpr[13] = in->r13;
	gpr[14] = in->r14;
	gpr[15] = in->r15;
	vcpu->rip = in->rip;
	vcpu->rflags = in->rflags | X86_EFLAGS_FIXED;
	vcpu->ev.exception.type = UMBRA_EVENT_NONE;
	umbra_emulate_cancel(vcpu);
	umbra_request(vcpu, UMBRA_REQ_EVENT);
	return 0;
}

static void store_dr6(struct umbra_vcpu *vcpu, u64 value)
{
	vcpu->dr6 = (value & DR6_WRITABLE) | DR6_ONES;
}

static void store_dr7(struct umbra_vcpu *vcpu, u64 value)
{
	vcpu->dr7 = (value & DR7_WRITABLE) | DR7_ONES;
}

int umbra_set_dr(struct umbra_vcpu *vcpu, int nr, u64 value)
{
	if (nr >= 4 && value >> 32)
		return -EINVAL;
	switch (nr) {
	case 0 ... 3:
		vcpu->dr[nr] = value;
		break;
	case 4:
	case 6:
		store_dr6(vcpu, value);
		break;
	case 5:
	case 7:
		store_dr7(vcpu, value);
		break;
	default:
		return -EINVAL;
	}
	umbra_vendor->sync_debug(vcpu);
	return 0;
}

u64 umbra_get_dr(struct umbra_vcpu *vcpu, int nr)
{
	switch (nr) {
	case 0 ... 3:
		return vcpu->dr[nr];
	case 4:
	case 6:
		return vcpu->dr6;
	default:
		return vcpu->dr7;
	}
}

/**
 * umbra_get_debugregs() - KVM_GET_DEBUGREGS
 * @vcpu: virtual processor
 * @out: filled
 */
void umbra_get_debugregs(struct umbra_vcpu *vcpu, struct kvm_debugregs *out)
{
	memset(out, 0, sizeof(*out));
	memcpy(out->db, vcpu->dr, sizeof(vcpu->dr));
	out->dr6 = vcpu->dr6;
	out->dr7 = vcpu->dr7;
}

/**
 * umbra_set_debugregs() - KVM_SET_DEBUGREGS
 * @vcpu: virtual processor
 * @in: new values; bits that are fixed in hardware stay as they are
 *
 * Return: 0, or -EINVAL for flags or for bits above 31 in DR6 or DR7.
 */
int umbra_set_debugregs(struct umbra_vcpu *vcpu, const struct kvm_debugregs *in)
{
	if (in->flags || in->dr6 >> 32 || in->dr7 >> 32)
		return -EINVAL;
	memcpy(vcpu->dr, in->db, sizeof(vcpu->dr));
	store_dr6(vcpu, in->dr6);
	store_dr7(vcpu, in->dr7);
	umbra_vendor->sync_debug(vcpu);
	return 0;
}
