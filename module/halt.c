// SPDX-License-Identifier: GPL-2.0
/*
 * Where a vCPU's thread sleeps inside KVM_RUN, and what INIT and SIPI do to it.
 *
 * vcpu->mp_state says what is waited for, and only the vCPU's thread changes it
 * (or who holds its mutex). Others set a signal of the local APIC, or an event, and
 * call umbra_vcpu_wake(): it pairs with the barrier in set_current_state(), so either the
 * sleeper sees what came, or the waker sees the sleeper.
 *
 * Knows nothing of how an interrupt gets into the guest: event.c.
 */
#include <linux/kvm.h>
#include <linux/rcuwait.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include "event.h"
#include "exit.h"
#include "halt.h"
#include "request.h"
#include "vcpu.h"
#include "vendor.h"

/* A kick by another vCPU's hypercall counts once, and also when it came before the HLT. */
static bool ends_hlt(struct umbra_vcpu *vcpu)
{
	return READ_ONCE(vcpu->pv_kicked) || umbra_event_pending(vcpu);
}

/* Is it over with what mp_state says, as far as that depends on others? */
static bool wakes(struct umbra_vcpu *vcpu)
{
	if (umbra_lapic_signals(vcpu))
		return true;
	return vcpu->mp_state == KVM_MP_STATE_HALTED && ends_hlt(vcpu);
}

static int sleep_until_woken(struct umbra_vcpu *vcpu)
{
	int r = UMBRA_CONTINUE;

	prepare_to_rcuwait(&vcpu->wait);
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		/* First of all: other vCPUs can see to it that there is always an INIT. */
		if (signal_pending(current)) {
			r = -EINTR;
			break;
		}
		if (wakes(vcpu))
			break;
		schedule();
	}
	finish_rcuwait(&vcpu->wait);
	return r;
}

/*
 * The state that the chapter "Processor Initialization State" of the manuals gives
 * for INIT: the FPU, MSRs, the TSC, CR0's cache bits and the APIC's base stay.
 */
static void obey_init(struct umbra_vcpu *vcpu)
{
	umbra_vcpu_reset(vcpu, true);
	if (umbra_is_boot_cpu(&vcpu->vm->irq, vcpu->id))
		vcpu->mp_state = KVM_MP_STATE_RUNNABLE;
	else
		vcpu->mp_state = KVM_MP_STATE_INIT_RECEIVED;
}

/* Real mode at the page that the vector names. */
static void obey_sipi(struct umbra_vcpu *vcpu, u8 vector)
{
	struct kvm_segment cs;

	umbra_vendor->get_segment(vcpu, UMBRA_SEG_CS, &cs);
	cs.selector = vector << 8;
	cs.base = vector << 12;
	umbra_vendor->set_segment(vcpu, UMBRA_SEG_CS, &cs);
	vcpu->rip = 0;
	vcpu->mp_state = KVM_MP_STATE_RUNNABLE;
}

/*
 * A SIPI counts for a processor that waits for it, and is nothing to others. Both are taken at
 * once: one after the other, a SIPI could be taken for nothing whose INIT came in between.
 */
static void obey_signals(struct umbra_vcpu *vcpu)
{
	unsigned long signals = umbra_lapic_take_signals(vcpu);

	if (signals & UMBRA_APIC_INIT)
		obey_init(vcpu);
	if (signals & UMBRA_APIC_SIPI && vcpu->mp_state == KVM_MP_STATE_INIT_RECEIVED)
		obey_sipi(vcpu, umbra_lapic_sipi_vector(vcpu));
}

static void end_hlt(struct umbra_vcpu *vcpu)
{
	WRITE_ONCE(vcpu->pv_kicked, false);
	vcpu->mp_state = KVM_MP_STATE_RUNNABLE;
}

int umbra_halt(struct umbra_vcpu *vcpu)
{
	int r = UMBRA_CONTINUE;

	obey_signals(vcpu);
	while (vcpu->mp_state != KVM_MP_STATE_RUNNABLE && r == UMBRA_CONTINUE) {
		r = sleep_until_woken(vcpu);
		/* For the same reason: it may not have slept at all. */
		cond_resched();
		obey_signals(vcpu);
		if (vcpu->mp_state == KVM_MP_STATE_HALTED && ends_hlt(vcpu))
			end_hlt(vcpu);
	}
	return r;
}

/* The request brings the thread out of its atomic loop, to umbra_halt(). */
void umbra_halt_enter(struct umbra_vcpu *vcpu)
{
	vcpu->mp_state = KVM_MP_STATE_HALTED;
	umbra_request(vcpu, UMBRA_REQ_HALT);
}

/**
 * umbra_get_mp_state() - KVM_GET_MP_STATE
 * @vcpu: virtual processor
 * @out: filled; INIT and SIPI that came meanwhile have taken effect, as has the kick of
 *	another vCPU: nothing that user space can save would tell of it
 *
 * Return: 0.
 */
int umbra_get_mp_state(struct umbra_vcpu *vcpu, struct kvm_mp_state *out)
{
	if (vcpu->lapic)
		obey_signals(vcpu);
	if (vcpu->mp_state == KVM_MP_STATE_HALTED && READ_ONCE(vcpu->pv_kicked))
		end_hlt(vcpu);
	out->mp_state = vcpu->mp_state;
	return 0;
}

/**
 * umbra_set_mp_state() - KVM_SET_MP_STATE
 * @vcpu: virtual processor
 * @in: new state; KVM_MP_STATE_SIPI_RECEIVED starts at the vector received last
 *
 * Return: 0, or -EINVAL: a state of other architectures, or one in which nobody but a
 * local APIC in the kernel could wake the vCPU where there is none.
 */
int umbra_set_mp_state(struct umbra_vcpu *vcpu, const struct kvm_mp_state *in)
{
	switch (in->mp_state) {
	case KVM_MP_STATE_RUNNABLE:
		break;
	case KVM_MP_STATE_UNINITIALIZED:
	case KVM_MP_STATE_INIT_RECEIVED:
	case KVM_MP_STATE_SIPI_RECEIVED:
	case KVM_MP_STATE_HALTED:
		if (vcpu->lapic)
			break;
		fallthrough;
	default:
		return -EINVAL;
	}
	if (in->mp_state == KVM_MP_STATE_SIPI_RECEIVED)
		obey_sipi(vcpu, umbra_lapic_sipi_vector(vcpu));
	else
		vcpu->mp_state = in->mp_state;
	return 0;
}
