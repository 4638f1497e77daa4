// SPDX-License-Identifier: GPL-2.0
/*
 * Guest debugging by user space (KVM_SET_GUEST_DEBUG) and the choice between
 * its breakpoints and the guest's own. Fills KVM_EXIT_DEBUG. The guest's
 * debug registers themselves are in regs.c. vcpu->mutex is held.
 */
#include <linux/kvm.h>
#include <linux/nospec.h>
#include <linux/percpu.h>
#include <linux/string.h>
#include <asm/processor.h>
#include <asm/debugreg.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>
#include "debug.h"
#include "event.h"
#include "exit.h"
#include "regs.h"
#include "request.h"
#include "vcpu.h"
#include "vendor.h"

#define FLAGS_KNOWN	(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP |	\
			 KVM_GUESTDBG_USE_SW_BP | KVM_GUESTDBG_USE_HW_BP |	\
			 KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP |	\
			 KVM_GUESTDBG_BLOCKIRQ)

/* DR7 of user space: all but the bits hardware fixes, and GD. */
#define DR7_USABLE	0xffff03ffULL
#define DR7_ONES	0x00000400ULL
#define DR6_IDLE	0xffff0ff0ULL
static u64 linear_rip(struct umbra_vcpu *vcpu)
{
	struct kvm_segment cs;

	if (umbra_is_64bit_code(vcpu))
		return vcpu->rip;
	umbra_vendor->get_segment(vcpu, UMBRA_SEG_CS, &cs);
	return (u32)(cs.base + vcpu->rip);
}

static int inject(struct umbra_vcpu *vcpu, u32 control)
{
	if (!(control & (KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP)))
		return 0;
	if (vcpu->ev.exception.type != UMBRA_EVENT_NONE)
		return -EBUSY;
	if (control & KVM_GUESTDBG_INJECT_DB)
		umbra_queue_exception(vcpu, DB_VECTOR);
	else
		umbra_queue_exception(vcpu, BP_VECTOR);
	return 0;
}

/**
 * umbra_set_guest_debug() - KVM_SET_GUEST_DEBUG
 * @vcpu: virtual processor
 * @dbg: what to watch for, and an exception to give to the guest
 *
 * Return: 0, -EINVAL for unknown flags or bits above 31 in DR7, or -EBUSY
 * when an exception shall be injected and another one is pending.
 */
int umbra_set_guest_debug(struct umbra_vcpu *vcpu, const struct kvm_guest_debug *dbg)
{
	u32 control = dbg->control;
	int err;

	if (control & ~FLAGS_KNOWN)
		return -EINVAL;
	if ((control & KVM_GUESTDBG_USE_HW_BP) && dbg->arch.debugreg[7] >> 32)
		return -EINVAL;
	err = inject(vcpu, control);
	if (err)
		return err;
	control &= ~(KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP);
	vcpu->guest_debug = control & KVM_GUESTDBG_ENABLE ? control : 0;
	if (vcpu->guest_debug & KVM_GUESTDBG_USE_HW_BP) {
		memcpy(vcpu->debug_dr, dbg->arch.debugreg, 4 * sizeof(u64));
		vcpu->debug_dr[7] = (dbg->arch.debugreg[7] & DR7_USABLE) | DR7_ONES;
	}
	umbra_vendor->sync_debug(vcpu);
	umbra_request(vcpu, UMBRA_REQ_EVENT);
	return 0;
}

u64 umbra_effective_dr(const struct umbra_vcpu *vcpu, int nr)
{
	bool theirs = vcpu->guest_debug & KVM_GUESTDBG_USE_HW_BP;

	switch (nr) {
	case 0 ... 3:
		nr = array_index_nospec(nr, 4);
		return theirs ? vcpu->debug_dr[nr] : vcpu->dr[nr];
	case 6:
		return vcpu->dr6;
	default:
		return theirs ? vcpu->debug_dr[7] : vcpu->dr7;
	}
}

static int debug_exit(struct umbra_vcpu *vcpu, u8 vector, u64 dr6)
{
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_DEBUG;
	memset(&run->debug, 0, sizeof(run->debug));
	run->debug.arch.exception = vector;
	run->debug.arch.pc = linear_rip(vcpu);
	run->debug.arch.dr6 = dr6;
	run->debug.arch.dr7 = umbra_effective_dr(vcpu, 7);
	return UMBRA_TO_USER;
}

static bool theirs(const struct umbra_vcpu *vcpu, u8 vector)
{
	if (vector == BP_VECTOR)
		return vcpu->guest_debug & KVM_GUESTDBG_USE_SW_BP;
	return vcpu->guest_debug & (KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_HW_BP);
}

int umbra_debug_exception(struct umbra_vcpu *vcpu, u8 vector, u64 dr6_bits)
{
	if (theirs(vcpu, vector))
		return debug_exit(vcpu, vector, dr6_bits | DR6_IDLE);
	if (vector == BP_VECTOR)
		umbra_queue_exception(vcpu, BP_VECTOR);
	else
		umbra_queue_db(vcpu, dr6_bits);
	return UMBRA_CONTINUE;
}

int umbra_debug_insn_done(struct umbra_vcpu *vcpu, u64 rflags_before)
{
	if (vcpu->guest_debug & KVM_GUESTDBG_SINGLESTEP)
		return debug_exit(vcpu, DB_VECTOR, DR_STEP | DR6_IDLE);
	if (rflags_before & X86_EFLAGS_TF)
		umbra_queue_db(vcpu, DR_STEP);
	return UMBRA_CONTINUE;
}
