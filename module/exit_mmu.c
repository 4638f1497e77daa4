// SPDX-License-Identifier: GPL-2.0
/*
 * Exits about memory: second-level faults, and where there is no second level
 * the guest's page faults, its control registers and INVLPG. Turns the MMU's
 * verdicts into what happens to the guest; the forms of instructions that
 * guests use all the time are carried out here, the rest by the emulator.
 * Maps nothing itself.
 */
#include <linux/kvm.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <asm/processor-flags.h>
#include <asm/trap_pf.h>
#include "emulate.h"
#include "event.h"
#include "exit.h"
#include "memslot.h"
#include "mmu/mmu.h"
#include "regs.h"
#include "vcpu.h"
#include "vendor.h"

/* CR0 and CR4 bits whose change has no far-reaching consequences. */
#define CR0_LIGHT	(X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_ET | X86_CR0_NE | \
			 X86_CR0_WP | X86_CR0_AM)
#define CR4_LIGHT	(X86_CR4_VME | X86_CR4_PVI | X86_CR4_TSD | X86_CR4_DE | X86_CR4_PGE | \
			 X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT | X86_CR4_UMIP | \
			 X86_CR4_FSGSBASE | X86_CR4_SMEP | X86_CR4_SMAP)

/* The host's memory is broken there: user space gets SIGBUS, as for its own access. */
static int poisoned(struct umbra_vcpu *vcpu, gpa_t gpa)
{
	gfn_t gfn = gpa_to_gfn(gpa);
	const struct umbra_memslot *slot = umbra_gfn_to_slot(vcpu->vm, gfn);

	if (!slot)
		return -EFAULT;
	send_sig_mceerr(BUS_MCEERR_AR, (void __user *)umbra_slot_hva(slot, gfn), PAGE_SHIFT,
			current);
	return UMBRA_CONTINUE;
}

/* The access was made by the delivery of an event, not by the instruction at RIP. */
static bool in_delivery(const struct umbra_vcpu *vcpu)
{
	return vcpu->ev.injected.type != UMBRA_EVENT_NONE;
}

static int emulate_mmio(struct umbra_vcpu *vcpu)
{
	if (in_delivery(vcpu))
		return umbra_exit_internal_error(vcpu, KVM_INTERNAL_ERROR_DELIVERY_EV);
	return umbra_emulate(vcpu);
}

/* A stack may lie in a page that is traced because it once was a table. */
static int emulate_traced(struct umbra_vcpu *vcpu, gpa_t gpa)
{
	if (!in_delivery(vcpu))
		return umbra_emulate_write(vcpu, gpa);
	if (umbra_mmu_unprotect(vcpu, gpa))
		return UMBRA_CONTINUE;
	return umbra_exit_internal_error(vcpu, KVM_INTERNAL_ERROR_DELIVERY_EV);
}

/* What an access to a device comes to where nobody can sleep. */
static int mmio_atomic(struct umbra_vcpu *vcpu, gpa_t gpa, u32 access)
{
	if (!vcpu->lapic || in_delivery(vcpu))
		return UMBRA_SLOW;
	return umbra_emulate_mmio_atomic(vcpu, gpa, access);
}

/* What follows from a verdict whether the fault was second-level or the guest's. */
static int act(struct umbra_vcpu *vcpu, int verdict, gpa_t gpa, bool atomic)
{
	switch (verdict) {
	case UMBRA_MMU_RETRY:
		return UMBRA_CONTINUE;
	case UMBRA_MMU_SLEEP:
		return UMBRA_SLOW;
	case UMBRA_MMU_MMIO:
		return atomic ? UMBRA_SLOW : emulate_mmio(vcpu);
	case UMBRA_MMU_EMULATE:
		return atomic ? UMBRA_SLOW : emulate_traced(vcpu, gpa);
	case -EHWPOISON:
		return atomic ? UMBRA_SLOW : poisoned(vcpu, gpa);
	default:
		return verdict;
	}
}

/**
 * umbra_exit_fault() - second-level fault (UMBRA_EXIT_FAULT)
 * @vcpu: virtual processor, mutex held, SRCU read section held
 * @atomic: do not sleep
 *
 * Return: UMBRA_CONTINUE, UMBRA_TO_USER, UMBRA_SLOW (only when @atomic), or -errno.
 */
int umbra_exit_fault(struct umbra_vcpu *vcpu, bool atomic)
{
	gpa_t gpa = vcpu->exit.fault.gpa;
	u32 access = vcpu->exit.fault.access;
	int verdict = umbra_mmu_fault(vcpu, gpa, access, atomic);

	if (verdict == UMBRA_MMU_MMIO && atomic && !vcpu->exit.fault.walk)
		return mmio_atomic(vcpu, gpa, access);
	/* A second level knows nothing of the guest's own faults. */
	if (verdict == UMBRA_MMU_INJECT)
		return umbra_exit_internal_error(vcpu, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON);
	return act(vcpu, verdict, gpa, atomic);
}

static u32 page_fault_access(struct umbra_vcpu *vcpu)
{
	u32 error = vcpu->exit.exc.error;
	u32 access = UMBRA_ACC_READ;

	if (error & X86_PF_WRITE)
		access = UMBRA_ACC_WRITE;
	else if (error & X86_PF_INSTR)
		access = UMBRA_ACC_EXEC;
	if (error & X86_PF_USER)
		access |= UMBRA_ACC_USER;
	else if (umbra_vendor->cpl(vcpu) == 3)
		access |= UMBRA_ACC_IMPLICIT;
	return access;
}

/**
 * umbra_exit_page_fault() - #PF on tables of Umbra's own: the guest's fault or not?
 * @vcpu: virtual processor, mutex held, SRCU read section held
 * @atomic: do not sleep
 *
 * Return: as umbra_exit_fault().
 */
int umbra_exit_page_fault(struct umbra_vcpu *vcpu, bool atomic)
{
	struct umbra_walk w = { .gpa = UMBRA_INVALID_GPA };
	gva_t gva = vcpu->exit.exc.payload;
	u32 access = page_fault_access(vcpu);
	int verdict = umbra_mmu_page_fault(vcpu, gva, access, atomic, &w);

	if (likely(verdict == UMBRA_MMU_RETRY))
		return UMBRA_CONTINUE;
	if (verdict == UMBRA_MMU_INJECT) {
		umbra_mmu_fault_injected(vcpu, gva, w.error);
		umbra_queue_pf(vcpu, gva, w.error);
		return UMBRA_CONTINUE;
	}
	if (verdict == UMBRA_MMU_EMULATE && atomic && !in_delivery(vcpu))
		return umbra_emulate_write_atomic(vcpu, gva, access, w.gpa);
	if (verdict == UMBRA_MMU_MMIO && atomic)
		return mmio_atomic(vcpu, w.gpa, access);
	return act(vcpu, verdict, w.gpa, atomic);
}

/**
 * struct short_insn - an instruction of at most four bytes
 * @bytes: what follows a REX prefix
 * @rex: the prefix, 0 without
 * @len: length with @bytes counted as three
 */
struct short_insn {
	u32 bytes;
	u8 rex;
	u8 len;
};

/* Three bytes, after a prefix where the code has it; false when they cannot be had. */
static bool peek_short(struct umbra_vcpu *vcpu, struct short_insn *in)
{
	u64 bytes;

	if (!umbra_peek_insn(vcpu, 3, true, &bytes))
		return false;
	in->rex = 0;
	in->len = 3;
	if (vcpu->exit.code64 && (bytes & 0xf0) == 0x40) {
		if (!umbra_peek_insn(vcpu, 4, true, &bytes))
			return false;
		in->rex = bytes;
		in->len = 4;
		bytes >>= 8;
	}
	in->bytes = bytes & 0xffffff;
	return true;
}

static u8 modrm_reg(const struct short_insn *in)
{
	return (in->bytes >> 19 & 7) | (in->rex & 4) << 1;
}

static u8 modrm_rm(const struct short_insn *in)
{
	return (in->bytes >> 16 & 7) | (in->rex & 1) << 3;
}

static int step(struct umbra_vcpu *vcpu, u8 len)
{
	u64 next = vcpu->rip + len;

	return umbra_step_rip(vcpu, vcpu->exit.code64 ? next : (u32)next);
}

/* General register and length of a MOV to or from a control register. */
static bool find_mov_cr(struct umbra_vcpu *vcpu, u8 *gpr, u8 *len)
{
	const struct umbra_exit *exit = &vcpu->exit;
	u32 opcode = exit->cr.write ? 0x220f : 0x200f;
	struct short_insn in;

	if (exit->cr.has_gpr && exit->insn_len) {
		*gpr = exit->cr.gpr;
		*len = exit->insn_len;
		return true;
	}
	if (!peek_short(vcpu, &in) || (in.bytes & 0xffff) != opcode ||
	    in.bytes >> 22 != 3 || modrm_reg(&in) != exit->cr.nr)
		return false;
	*gpr = modrm_rm(&in);
	*len = in.len;
	return true;
}

static bool is_clts(struct umbra_vcpu *vcpu)
{
	u64 bytes;

	return umbra_peek_insn(vcpu, 2, true, &bytes) && (bytes & 0xffff) == 0x060f;
}

/*
 * Set a control register where that neither sleeps nor faults. PDPTEs may have to
 * be read: with page faults off, that fails where it would sleep.
 */
static bool set_cr_atomic(struct umbra_vcpu *vcpu, u8 nr, u64 value)
{
	int err = -EINVAL;

	pagefault_disable();
	switch (nr) {
	case 0:
		if (!((value ^ vcpu->cr0) & ~(u64)CR0_LIGHT))
			err = umbra_set_cr0(vcpu, value);
		break;
	case 3:
		err = umbra_set_cr3(vcpu, value);
		break;
	case 4:
		if (!((value ^ vcpu->cr4) & ~(u64)CR4_LIGHT))
			err = umbra_set_cr4(vcpu, value);
		break;
	case 8:
		/* Where user space has the chip, it has to be told. */
		if (vcpu->lapic || vcpu->inner.masked)
			err = umbra_guest_set_cr8(vcpu, value);
		break;
	}
	pagefault_enable();
	return !err;
}

static bool get_cr(const struct umbra_vcpu *vcpu, u8 nr, u64 *value)
{
	switch (nr) {
	case 0:
		*value = vcpu->cr0;
		return true;
	case 3:
		*value = vcpu->cr3;
		return true;
	case 4:
		*value = vcpu->cr4;
		return true;
	case 8:
		*value = umbra_guest_cr8(vcpu);
		return true;
	default:
		return false;
	}
}

static int mov_cr_atomic(struct umbra_vcpu *vcpu)
{
	const struct umbra_exit *exit = &vcpu->exit;
	u64 mask = exit->code64 ? U64_MAX : U32_MAX;
	u8 gpr, len;
	u64 value;

	if (!find_mov_cr(vcpu, &gpr, &len))
		return UMBRA_SLOW;
	if (exit->cr.write) {
		if (!set_cr_atomic(vcpu, exit->cr.nr, vcpu->gpr[gpr] & mask))
			return UMBRA_SLOW;
	} else {
		if (!get_cr(vcpu, exit->cr.nr, &value))
			return UMBRA_SLOW;
		vcpu->gpr[gpr] = value & mask;
	}
	return step(vcpu, len);
}

/**
 * umbra_exit_cr() - access to a control register (UMBRA_EXIT_CR)
 * @vcpu: virtual processor, mutex held, SRCU read section held
 * @atomic: do not sleep
 *
 * The processor has checked the privilege. Values that are refused, and what is
 * no MOV or CLTS, are the emulator's.
 * Return: as umbra_exit_fault().
 */
int umbra_exit_cr(struct umbra_vcpu *vcpu, bool atomic)
{
	const struct umbra_exit *exit = &vcpu->exit;
	int r;

	if (!atomic)
		return umbra_emulate(vcpu);
	r = mov_cr_atomic(vcpu);
	if (r != UMBRA_SLOW || exit->cr.nr || !exit->cr.write || !is_clts(vcpu))
		return r;
	if (!set_cr_atomic(vcpu, 0, vcpu->cr0 & ~(u64)X86_CR0_TS))
		return UMBRA_SLOW;
	return step(vcpu, 2);
}

/* The linear address, and the length: where the processor tells, or of INVLPG (reg). */
static bool find_invlpg(struct umbra_vcpu *vcpu, gva_t *gva, u8 *len)
{
	const struct umbra_exit *exit = &vcpu->exit;
	struct short_insn in;
	u8 rm;

	if (exit->invlpg.has_gva && exit->insn_len) {
		*gva = exit->invlpg.gva;
		*len = exit->insn_len;
		return true;
	}
	if (!exit->code64 || !peek_short(vcpu, &in) || (in.bytes & 0xf8ffff) != 0x38010f)
		return false;
	rm = modrm_rm(&in);
	/* These announce a SIB byte or a displacement. */
	if ((rm & 7) == 4 || (rm & 7) == 5)
		return false;
	*gva = vcpu->gpr[rm];
	*len = in.len;
	return true;
}

/**
 * umbra_exit_invlpg() - INVLPG (UMBRA_EXIT_INVLPG)
 * @vcpu: virtual processor, mutex held, SRCU read section held
 * @atomic: do not sleep
 *
 * Return: as umbra_exit_fault().
 */
int umbra_exit_invlpg(struct umbra_vcpu *vcpu, bool atomic)
{
	gva_t gva;
	u8 len;

	if (!atomic)
		return umbra_emulate(vcpu);
	if (!find_invlpg(vcpu, &gva, &len))
		return UMBRA_SLOW;
	umbra_mmu_invlpg(vcpu, gva);
	return step(vcpu, len);
}
