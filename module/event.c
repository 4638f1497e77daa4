// SPDX-License-Identifier: GPL-2.0
/*
 * Exceptions, NMIs and interrupts on their way into the guest: queues, the
 * rules by which a second exception becomes a double fault or a shutdown, what
 * is handed to the hardware next, and the user space view of all that.
 */
#include <linux/kvm.h>
#include <uapi/asm/debugreg.h>
#include <asm/processor-flags.h>
#include <asm/irq_vectors.h>
#include <asm/trapnr.h>
#include "event.h"
#include "irq/irq.h"
#include "request.h"
#include "vcpu.h"
#include "vendor.h"

/* General detect: cleared when #DB is delivered, so that its handler may use DRs. */
#define UMBRA_DR7_GD BIT(13)

#define UMBRA_NO_EVENT ((struct umbra_event) { .type = UMBRA_EVENT_NONE })

enum fault_class {
	BENIGN,
	CONTRIBUTORY,
	PAGE_FAULT,
	DOUBLE_FAULT,
};

static enum fault_class fault_class(u8 vector)
{
	switch (vector) {
	case DE_VECTOR:
	case TS_VECTOR:
	case NP_VECTOR:
	case SS_VECTOR:
	case GP_VECTOR:
		return CONTRIBUTORY;
	case PF_VECTOR:
		return PAGE_FAULT;
	case DF_VECTOR:
		return DOUBLE_FAULT;
	default:
		return BENIGN;
	}
}

/* The exception that is under way already, or NULL. */
static struct umbra_event *current_exception(struct umbra_events *ev)
{
	if (ev->exception.type == UMBRA_EVENT_EXCEPTION)
		return &ev->exception;
	if (ev->injected.type == UMBRA_EVENT_EXCEPTION)
		return &ev->injected;
	return NULL;
}

/*
 * An exception struck while something else was on its way in, and goes first.
 * What came from outside waits again: an interrupt for IF, which the exception's
 * gate may have cleared, an NMI for the IRET, so that a fault of the NMI's own
 * delivery can be handled first. A software interrupt's instruction runs again
 * by itself.
 */
static noinline void put_back_injected(struct umbra_vcpu *vcpu)
{
	struct umbra_events *ev = &vcpu->ev;

	switch (ev->injected.type) {
	case UMBRA_EVENT_IRQ:
		if (!vcpu->inner.active) {
			ev->irq = ev->injected;
			break;
		}
		/* It was for the inner guest: its hypervisor must not find it again. */
		vcpu->inner.virq = true;
		vcpu->inner.virq_prio = UMBRA_VIRQ_ANY_TPR;
		vcpu->inner.virq_vector = ev->injected.vector;
		break;
	case UMBRA_EVENT_NMI:
		/* What an inner guest has of them, its hypervisor injected. */
		if (!vcpu->inner.nmi_exits)
			ev->nmi_pending++;
		break;
	}
	ev->injected = UMBRA_NO_EVENT;
}

/* The rules of the chapter on #DF: two contributory ones, or any after #PF. */
static noinline void queue_second(struct umbra_events *ev, struct umbra_event *cur,
				  const struct umbra_event *new)
{
	enum fault_class first = fault_class(cur->vector), second = fault_class(new->vector);

	cur->type = UMBRA_EVENT_NONE;
	if (first == DOUBLE_FAULT && second != BENIGN) {
		ev->exception = UMBRA_NO_EVENT;
		ev->triple_fault = true;
		return;
	}
	if ((first == CONTRIBUTORY && second == CONTRIBUTORY) ||
	    (first == PAGE_FAULT && (second == CONTRIBUTORY || second == PAGE_FAULT)))
		ev->exception = (struct umbra_event) {
			.type = UMBRA_EVENT_EXCEPTION, .vector = DF_VECTOR, .has_error = true,
		};
	else
		ev->exception = *new;
}

static __always_inline void queue(struct umbra_vcpu *vcpu, const struct umbra_event *new)
{
	struct umbra_events *ev = &vcpu->ev;
	struct umbra_event *cur = current_exception(ev);

	ev->look = true;
	/* It ends the inner guest, whose hypervisor is told what it interrupted. */
	if (unlikely(vcpu->inner.exceptions & BIT(new->vector))) {
		ev->exception = *new;
		return;
	}
	if (unlikely(cur)) {
		queue_second(ev, cur, new);
		return;
	}
	if (unlikely(ev->injected.type != UMBRA_EVENT_NONE))
		put_back_injected(vcpu);
	ev->exception = *new;
}

void umbra_queue_exception(struct umbra_vcpu *vcpu, u8 vector)
{
	queue(vcpu, &(struct umbra_event) {
		.type = UMBRA_EVENT_EXCEPTION, .vector = vector });
}

void umbra_queue_exception_err(struct umbra_vcpu *vcpu, u8 vector, u32 error)
{
	queue(vcpu, &(struct umbra_event) {
		.type = UMBRA_EVENT_EXCEPTION, .vector = vector,
		.has_error = true, .error = error });
}

/* CR2 or DR6 change now: at the moment of delivery, unless user space cannot see a payload. */
static void apply_payload(struct umbra_vcpu *vcpu, struct umbra_event *ev)
{
	if (!ev->has_payload)
		return;
	ev->has_payload = false;
	if (ev->vector == PF_VECTOR) {
		vcpu->cr2 = ev->payload;
	} else if (ev->vector == DB_VECTOR) {
		/* Some bits are low when set; bit 12 means something to VT-x alone. */
		vcpu->dr6 = (vcpu->dr6 & ~(u64)DR_TRAP_BITS) | DR6_RESERVED;
		vcpu->dr6 |= ev->payload & U32_MAX & ~BIT_ULL(12);
		vcpu->dr6 ^= ev->payload & DR6_RESERVED;
		vcpu->dr7 &= ~(u64)UMBRA_DR7_GD;
		umbra_vendor->sync_debug(vcpu);
	}
}

/* Without the capability an exception that waits would be saved without its payload. */
static __always_inline void queue_payload(struct umbra_vcpu *vcpu, const struct umbra_event *new)
{
	queue(vcpu, new);
	/* Of what ends the inner guest, its hypervisor is told in another way. */
	if (vcpu->inner.exceptions & BIT(new->vector))
		return;
	if (!READ_ONCE(vcpu->vm->exception_payload))
		apply_payload(vcpu, &vcpu->ev.exception);
}

void umbra_queue_pf(struct umbra_vcpu *vcpu, u64 cr2, u32 error)
{
	const struct umbra_event *cur = current_exception(&vcpu->ev);

	/* CR2 tells of the last one, though the two become a double fault. */
	if (unlikely(cur) && fault_class(cur->vector) == PAGE_FAULT)
		vcpu->cr2 = cr2;
	queue_payload(vcpu, &(struct umbra_event) {
		.type = UMBRA_EVENT_EXCEPTION, .vector = PF_VECTOR,
		.has_error = true, .error = error, .has_payload = true, .payload = cr2 });
}

void umbra_queue_db(struct umbra_vcpu *vcpu, u64 dr6_bits)
{
	queue_payload(vcpu, &(struct umbra_event) {
		.type = UMBRA_EVENT_EXCEPTION, .vector = DB_VECTOR,
		.has_payload = true, .payload = dr6_bits });
}

void umbra_events_reset(struct umbra_vcpu *vcpu)
{
	struct umbra_events *ev = &vcpu->ev;

	ev->injected = UMBRA_NO_EVENT;
	ev->exception = UMBRA_NO_EVENT;
	ev->irq = UMBRA_NO_EVENT;
	atomic_set(&ev->nmi_queued, 0);
	ev->nmi_pending = 0;
	ev->nmi_blocked = false;
	ev->triple_fault = false;
	ev->shadow = 0;
}

/**
 * umbra_event_kick_nmi() - post an NMI; any thread, any context
 * @vcpu: the vCPU that shall take it
 */
void umbra_event_kick_nmi(struct umbra_vcpu *vcpu)
{
	atomic_inc(&vcpu->ev.nmi_queued);
	umbra_request(vcpu, UMBRA_REQ_EVENT);
	umbra_vcpu_wake(vcpu);
}

/**
 * umbra_event_interrupt() - KVM_INTERRUPT: queue an external interrupt
 * @vcpu: the vCPU; its mutex is held
 * @vector: interrupt vector
 *
 * Where local APICs are in the kernel, and the rest is not, it is an ExtINT to them.
 *
 * Return: 0; -EINVAL for a vector above 255; -ENXIO when the kernel has the 8259A, too;
 * -EEXIST when one is queued already or did not get in completely: it may have to be
 * queued again.
 */
int umbra_event_interrupt(struct umbra_vcpu *vcpu, u32 vector)
{
	if (vector > 255)
		return -EINVAL;
	vcpu->ev.look = true;
	if (vcpu->vm->irq.chip == UMBRA_IRQCHIP_KERNEL)
		return -ENXIO;
	if (vcpu->lapic)
		return umbra_irq_user_extint(vcpu, vector);
	if (vcpu->ev.irq.type != UMBRA_EVENT_NONE || vcpu->ev.injected.type == UMBRA_EVENT_IRQ)
		return -EEXIST;
	vcpu->ev.irq = (struct umbra_event) { .type = UMBRA_EVENT_IRQ, .vector = vector };
	return 0;
}

/* Faults push RF set, so that an instruction breakpoint does not hit twice. */
static bool is_fault(const struct umbra_event *ev)
{
	switch (ev->vector) {
	case DB_VECTOR:
	case BP_VECTOR:
	case OF_VECTOR:
	case DF_VECTOR:
	case MC_VECTOR:
		return false;
	default:
		return true;
	}
}

/* Would RFLAGS let an interrupt in, shadow or not? */
static bool irqs_on(const struct umbra_vcpu *vcpu)
{
	const struct umbra_inner *in = &vcpu->inner;

	if (unlikely(in->held))
		return false;
	return in->masked ? in->outer_if : vcpu->rflags & X86_EFLAGS_IF;
}

static bool can_take_irq(const struct umbra_vcpu *vcpu)
{
	if (unlikely(vcpu->inner.held || vcpu->inner.masked))
		return irqs_on(vcpu);
	return (vcpu->rflags & X86_EFLAGS_IF) && !vcpu->ev.shadow;
}

/* Does the local APIC offer an interrupt? */
static bool apic_offers(struct umbra_vcpu *vcpu)
{
	return vcpu->lapic && umbra_irq_has(vcpu);
}

/* Does a virtual interrupt wait that IF and the shadow alone can keep from an inner guest? */
static bool virq_waits(const struct umbra_vcpu *vcpu)
{
	return unlikely(vcpu->inner.virq) && !vcpu->inner.held &&
	       vcpu->inner.virq_prio > vcpu->inner.tpr;
}

static bool can_take_virq(const struct umbra_vcpu *vcpu)
{
	return virq_waits(vcpu) && (vcpu->rflags & X86_EFLAGS_IF) && !vcpu->ev.shadow;
}

static bool can_take_nmi(const struct umbra_vcpu *vcpu)
{
	return !vcpu->ev.nmi_blocked && !vcpu->inner.held;
}

static bool irq_waits(struct umbra_vcpu *vcpu)
{
	return vcpu->ev.irq.type != UMBRA_EVENT_NONE || apic_offers(vcpu);
}

/* Move the interrupt that goes first to @injected; false when it is gone meanwhile. */
static bool take_irq(struct umbra_vcpu *vcpu)
{
	struct umbra_events *ev = &vcpu->ev;
	int vector;

	if (ev->irq.type != UMBRA_EVENT_NONE) {
		ev->injected = ev->irq;
		ev->irq = UMBRA_NO_EVENT;
		return true;
	}
	vector = umbra_irq_take(vcpu);
	if (vector < 0)
		return false;
	ev->injected = (struct umbra_event) { .type = UMBRA_EVENT_IRQ, .vector = vector };
	return true;
}

static bool take_virq(struct umbra_vcpu *vcpu)
{
	vcpu->inner.virq = false;
	vcpu->ev.injected = (struct umbra_event) {
		.type = UMBRA_EVENT_IRQ, .vector = vcpu->inner.virq_vector };
	return true;
}

/* User space steps through code and wants no handler in between. */
static bool blocked_by_debugger(const struct umbra_vcpu *vcpu)
{
	return vcpu->guest_debug & KVM_GUESTDBG_BLOCKIRQ;
}

/* Put the event for this entry, by the manual's priority among what may go now, in @injected. */
static bool pick(struct umbra_vcpu *vcpu)
{
	struct umbra_events *ev = &vcpu->ev;

	if (ev->injected.type != UMBRA_EVENT_NONE)
		return true;
	if (ev->exception.type != UMBRA_EVENT_NONE) {
		apply_payload(vcpu, &ev->exception);
		ev->injected = ev->exception;
		ev->exception.type = UMBRA_EVENT_NONE;
		if (is_fault(&ev->injected))
			vcpu->rflags |= X86_EFLAGS_RF;
		return true;
	}
	if (blocked_by_debugger(vcpu))
		return false;
	if (ev->nmi_pending && can_take_nmi(vcpu) && !ev->shadow) {
		ev->injected = (struct umbra_event) {
			.type = UMBRA_EVENT_NMI, .vector = NMI_VECTOR };
		ev->nmi_pending--;
		ev->nmi_blocked = true;
		return true;
	}
	if (can_take_irq(vcpu) && irq_waits(vcpu) && take_irq(vcpu))
		return true;
	return can_take_virq(vcpu) && take_virq(vcpu);
}

/* One NMI waits while another is handled; more are lost, as on hardware. */
static void collect_nmis(struct umbra_events *ev)
{
	unsigned int limit = ev->nmi_blocked || ev->injected.type == UMBRA_EVENT_NMI ? 1 : 2;

	if (atomic_read(&ev->nmi_queued))
		ev->nmi_pending = min_t(unsigned int, limit,
					ev->nmi_pending + atomic_xchg(&ev->nmi_queued, 0));
}

/**
 * umbra_event_deliver() - hand the next event to the hardware, ask for windows
 * @vcpu: about to enter the guest; interrupts off; the entry will happen
 *
 * Need not be called while ev.look is clear and nothing is in ev.injected.
 *
 * Return: true when the guest has to be left right after the delivery because
 * something else, for which there is no window, waits behind it.
 */
bool umbra_event_deliver(struct umbra_vcpu *vcpu)
{
	struct umbra_events *ev = &vcpu->ev;
	bool given, irq, nmi, open, behind;

	collect_nmis(ev);
	given = pick(vcpu);
	if (given)
		umbra_vendor->inject(vcpu, &ev->injected);
	/* A window that nothing could use would end every entry at once. */
	nmi = ev->nmi_pending && !blocked_by_debugger(vcpu) && !vcpu->inner.held;
	irq = !blocked_by_debugger(vcpu) && irq_waits(vcpu);
	irq |= umbra_user_wants_window(vcpu) &&
	       (!vcpu->lapic || umbra_irq_extint_wanted(vcpu));
	/* No change of IF opens one here: it is open behind this event, or closed. */
	behind = irq && vcpu->inner.masked && irqs_on(vcpu);
	irq &= !vcpu->inner.held && !vcpu->inner.masked;
	irq |= !blocked_by_debugger(vcpu) && virq_waits(vcpu);
	open = irq || nmi || ev->nmi_blocked;
	if (open || ev->window)
		umbra_vendor->window(vcpu, irq, nmi);
	ev->window = open;
	/* An interrupt that is not taken after all comes back to its queue. */
	ev->look = open || ev->nmi_pending || ev->exception.type != UMBRA_EVENT_NONE ||
		   ev->irq.type != UMBRA_EVENT_NONE || ev->injected.type == UMBRA_EVENT_IRQ;
	return given && ((nmi && !ev->nmi_blocked) || behind ||
			 ev->exception.type != UMBRA_EVENT_NONE);
}

/**
 * umbra_inner_due() - does anything that waits end the inner guest now?
 * @vcpu: not running
 *
 * What is on its way in gets there first. What ends it stays where it waits, for the
 * vendor to take, and an interrupt or NMI for the guest's hypervisor.
 *
 * Return: why, or UMBRA_INNER_STAYS, also without an inner guest.
 */
enum umbra_inner_end umbra_inner_due(struct umbra_vcpu *vcpu)
{
	const struct umbra_inner *in = &vcpu->inner;
	struct umbra_events *ev = &vcpu->ev;

	if (likely(!in->active))
		return UMBRA_INNER_STAYS;
	if (ev->triple_fault)
		return in->shutdown_exits ? UMBRA_INNER_SHUTDOWN : UMBRA_INNER_STAYS;
	if (ev->exception.type != UMBRA_EVENT_NONE)
		return in->exceptions & BIT(ev->exception.vector) ? UMBRA_INNER_EXCEPTION :
								    UMBRA_INNER_STAYS;
	if (ev->injected.type != UMBRA_EVENT_NONE || blocked_by_debugger(vcpu))
		return UMBRA_INNER_STAYS;
	if (in->nmi_exits && can_take_nmi(vcpu) &&
	    (ev->nmi_pending || atomic_read(&ev->nmi_queued)))
		return UMBRA_INNER_NMI;
	if (in->irq_exits && can_take_irq(vcpu) && irq_waits(vcpu))
		return UMBRA_INNER_IRQ;
	if (in->virq_exits && can_take_virq(vcpu))
		return UMBRA_INNER_VIRQ;
	return UMBRA_INNER_STAYS;
}

/* An exception that ends the inner guest leaves the queue; DR6 tells of it, CR2 does not. */
void umbra_inner_take_exception(struct umbra_vcpu *vcpu, struct umbra_event *out)
{
	*out = vcpu->ev.exception;
	vcpu->ev.exception.type = UMBRA_EVENT_NONE;
	if (out->vector == DB_VECTOR)
		apply_payload(vcpu, out);
}

/**
 * umbra_event_irq_window_open() - could user space's interrupt go in now?
 * @vcpu: not running
 *
 * Return: true when KVM_INTERRUPT would be delivered at the next entry; always true where
 * the 8259A is in the kernel and user space need not care.
 */
bool umbra_event_irq_window_open(struct umbra_vcpu *vcpu)
{
	const struct umbra_events *ev = &vcpu->ev;

	if (vcpu->vm->irq.chip == UMBRA_IRQCHIP_KERNEL)
		return true;
	if (vcpu->lapic && !umbra_irq_extint_wanted(vcpu))
		return false;
	return can_take_irq(vcpu) && ev->injected.type == UMBRA_EVENT_NONE &&
	       ev->exception.type == UMBRA_EVENT_NONE && ev->irq.type == UMBRA_EVENT_NONE;
}

/**
 * umbra_event_pending() - does anything wait that would end a HLT?
 * @vcpu: not running
 *
 * Return: true when an exception, a shutdown, or an NMI or interrupt that can be
 * taken waits.
 */
bool umbra_event_pending(struct umbra_vcpu *vcpu)
{
	struct umbra_events *ev = &vcpu->ev;

	if (ev->exception.type != UMBRA_EVENT_NONE || ev->triple_fault)
		return true;
	if ((ev->nmi_pending || atomic_read(&ev->nmi_queued)) && can_take_nmi(vcpu))
		return true;
	return (irqs_on(vcpu) && irq_waits(vcpu)) || can_take_virq(vcpu);
}
