// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_GET_VCPU_EVENTS and KVM_SET_VCPU_EVENTS: the event queues as user space
 * saves and restores them. Delivers nothing itself.
 */
#include <linux/kvm.h>
#include <linux/string.h>
#include <asm/kvm.h>
#include <asm/irq_vectors.h>
#include <asm/trapnr.h>
#include "event.h"
#include "request.h"
#include "vcpu.h"

#define KNOWN_FLAGS (KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SIPI_VECTOR | \
		     KVM_VCPUEVENT_VALID_SHADOW | KVM_VCPUEVENT_VALID_SMM | \
		     KVM_VCPUEVENT_VALID_PAYLOAD | KVM_VCPUEVENT_VALID_TRIPLE_FAULT)

static void get_exception(struct umbra_vcpu *vcpu, struct kvm_vcpu_events *out)
{
	const struct umbra_events *ev = &vcpu->ev;
	const struct umbra_event *e;
	bool pending = ev->exception.type == UMBRA_EVENT_EXCEPTION;
	bool injected = ev->injected.type == UMBRA_EVENT_EXCEPTION;

	if (!pending && !injected)
		return;
	e = injected ? &ev->injected : &ev->exception;
	out->exception.nr = e->vector;
	out->exception.has_error_code = e->has_error;
	out->exception.error_code = e->error;
	if (vcpu->vm->exception_payload) {
		out->exception.injected = injected;
		out->exception.pending = !injected;
		out->exception_has_payload = e->has_payload;
		out->exception_payload = e->payload;
	} else {
		/* Without the capability user space knows only one kind. */
		out->exception.injected = 1;
	}
}

/**
 * umbra_event_get() - body of KVM_GET_VCPU_EVENTS
 * @vcpu: its mutex is held
 * @out: filled completely
 */
void umbra_event_get(struct umbra_vcpu *vcpu, struct kvm_vcpu_events *out)
{
	const struct umbra_events *ev = &vcpu->ev;
	bool irq = ev->injected.type == UMBRA_EVENT_IRQ;

	memset(out, 0, sizeof(*out));
	get_exception(vcpu, out);
	out->interrupt.injected = irq || ev->irq.type == UMBRA_EVENT_IRQ;
	out->interrupt.nr = irq ? ev->injected.vector :
			    out->interrupt.injected ? ev->irq.vector : 0;
	out->interrupt.shadow = ev->shadow;
	out->nmi.injected = ev->injected.type == UMBRA_EVENT_NMI;
	out->nmi.pending = ev->nmi_pending || atomic_read(&ev->nmi_queued);
	out->nmi.masked = ev->nmi_blocked;
	out->flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
	if (vcpu->vm->exception_payload)
		out->flags |= KVM_VCPUEVENT_VALID_PAYLOAD;
	if (vcpu->vm->triple_fault_event) {
		out->triple_fault.pending = ev->triple_fault;
		out->flags |= KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
	}
}

static bool events_valid(const struct umbra_vcpu *vcpu, const struct kvm_vcpu_events *in)
{
	bool payload = in->flags & KVM_VCPUEVENT_VALID_PAYLOAD;
	bool exc = in->exception.injected || (payload && in->exception.pending);

	if (in->flags & ~KNOWN_FLAGS)
		return false;
	if (payload && !vcpu->vm->exception_payload)
		return false;
	if (exc && (in->exception.nr > 31 || in->exception.nr == NMI_VECTOR))
		return false;
	if ((in->flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT) && !vcpu->vm->triple_fault_event)
		return false;
	/* No system management mode: only its absence can be restored. */
	return !(in->flags & KVM_VCPUEVENT_VALID_SMM) ||
	       !(in->smi.smm | in->smi.pending | in->smi.smm_inside_nmi | in->smi.latched_init);
}

static void set_exception(struct umbra_vcpu *vcpu, const struct kvm_vcpu_events *in)
{
	bool payload = in->flags & KVM_VCPUEVENT_VALID_PAYLOAD;
	struct umbra_event e = {
		.type = UMBRA_EVENT_EXCEPTION,
		.vector = in->exception.nr,
		.has_error = in->exception.has_error_code,
		.error = in->exception.error_code,
	};

	/* Pending outranks injected, and is nothing to those who don't know it. */
	if (payload && in->exception.pending) {
		e.has_payload = in->exception_has_payload;
		e.payload = in->exception_payload;
		vcpu->ev.exception = e;
	} else if (in->exception.injected) {
		vcpu->ev.injected = e;
	}
}

/* An INT n is under way already: no interrupt flag stops it. */
static void set_interrupt(struct umbra_events *ev, u8 vector, bool soft)
{
	if (!soft)
		ev->irq = (struct umbra_event) { .type = UMBRA_EVENT_IRQ, .vector = vector };
	else if (ev->injected.type == UMBRA_EVENT_NONE)
		ev->injected = (struct umbra_event) {
			.type = UMBRA_EVENT_SOFT_INT, .vector = vector };
}

/**
 * umbra_event_set() - body of KVM_SET_VCPU_EVENTS
 * @vcpu: its mutex is held
 * @in: a kernel copy of the caller's structure
 *
 * Return: 0, or -EINVAL with nothing changed.
 */
int umbra_event_set(struct umbra_vcpu *vcpu, const struct kvm_vcpu_events *in)
{
	struct umbra_events *ev = &vcpu->ev;

	if (!events_valid(vcpu, in))
		return -EINVAL;
	ev->injected.type = UMBRA_EVENT_NONE;
	ev->exception.type = UMBRA_EVENT_NONE;
	ev->irq.type = UMBRA_EVENT_NONE;
	set_exception(vcpu, in);
	if (in->interrupt.injected)
		set_interrupt(ev, in->interrupt.nr, in->interrupt.soft);
	if (in->flags & KVM_VCPUEVENT_VALID_SHADOW)
		ev->shadow = in->interrupt.shadow & (UMBRA_SHADOW_MOV_SS | UMBRA_SHADOW_STI);
	if (in->nmi.injected && ev->injected.type == UMBRA_EVENT_NONE)
		ev->injected = (struct umbra_event) {
			.type = UMBRA_EVENT_NMI, .vector = NMI_VECTOR };
	if (in->flags & KVM_VCPUEVENT_VALID_NMI_PENDING) {
		atomic_set(&ev->nmi_queued, 0);
		ev->nmi_pending = !!in->nmi.pending;
	}
	ev->nmi_blocked = in->nmi.masked;
	if (in->flags & KVM_VCPUEVENT_VALID_SIPI_VECTOR && vcpu->lapic)
		umbra_lapic_set_sipi_vector(vcpu, in->sipi_vector);
	if (in->flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT)
		ev->triple_fault = in->triple_fault.pending;
	umbra_request(vcpu, UMBRA_REQ_EVENT);
	return 0;
}
