/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pending exceptions, NMIs and interrupts of one vCPU: queue, priority,
 * re-injection after an exit that interrupted delivery, wanted windows.
 * Everything here is touched only by the thread that holds vcpu->mutex;
 * umbra_event_kick_nmi() alone may come from elsewhere.
 */
#ifndef UMBRA_EVENT_H
#define UMBRA_EVENT_H

#include <linux/atomic.h>
#include <linux/types.h>

struct kvm_vcpu_events;
struct umbra_vcpu;

/* Numbers are the hardware's event types (the same in SVM and VT-x). */
enum umbra_event_type {
	UMBRA_EVENT_IRQ		= 0,
	UMBRA_EVENT_NMI		= 2,
	UMBRA_EVENT_EXCEPTION	= 3,
	UMBRA_EVENT_SOFT_INT	= 4,	/* INT n, and INT3/INTO when re-injected */
	UMBRA_EVENT_NONE	= 0xff,
};

/**
 * struct umbra_event - one event that can be delivered to the guest
 * @type: enum umbra_event_type
 * @vector: 0..255
 * @has_error: an error code is pushed
 * @has_payload: @payload is valid and not yet applied to CR2 or DR6
 * @insn_len: bytes to skip on delivery of software events, 0 if none
 * @error: error code
 * @payload: CR2 for #PF, DR6 bits for #DB
 */
struct umbra_event {
	u8 type;
	u8 vector;
	bool has_error;
	bool has_payload;
	u8 insn_len;
	u32 error;
	u64 payload;
};

/* Interrupt shadow bits: the same numbers as KVM_X86_SHADOW_INT_*. */
#define UMBRA_SHADOW_MOV_SS	0x01u
#define UMBRA_SHADOW_STI	0x02u

/**
 * struct umbra_events - event state of one vCPU
 * @injected: handed to the hardware and not yet known to be delivered
 * @exception: queued, not yet handed over; type NONE when empty
 * @irq: external interrupt queued by KVM_INTERRUPT; type NONE when empty
 * @nmi_queued: NMIs posted from any thread, moved to @nmi_pending by the vCPU
 * @nmi_pending: NMIs that wait (at most 2, as hardware latches)
 * @nmi_blocked: an NMI handler runs and IRET was not seen
 * @triple_fault: the guest shuts down before its next instruction
 * @shadow: UMBRA_SHADOW_* before the next guest instruction
 * @look: something else than @injected may wait, or a window be open or wanted
 * @window: the vendor was told to wait for a window, or for IRET
 *
 * The vendor reads and writes @shadow and @nmi_blocked around each entry.
 */
struct umbra_events {
	struct umbra_event injected;
	struct umbra_event exception;
	struct umbra_event irq;
	atomic_t nmi_queued;
	u8 nmi_pending;
	bool nmi_blocked;
	bool triple_fault;
	u8 shadow;
	bool look;
	bool window;
};

/* Bytes of INT n, INT3 or INTO without prefixes; 0 for what no instruction asked for. */
static inline u8 umbra_soft_event_len(u8 type, u8 vector)
{
	if (type == UMBRA_EVENT_SOFT_INT)
		return 2;
	return type == UMBRA_EVENT_EXCEPTION && (vector == 3 || vector == 4);
}

/* Queue a fault or trap; merges to #DF or triple fault as the manual says. */
void umbra_queue_exception(struct umbra_vcpu *vcpu, u8 vector);
void umbra_queue_exception_err(struct umbra_vcpu *vcpu, u8 vector, u32 error);
void umbra_queue_pf(struct umbra_vcpu *vcpu, u64 cr2, u32 error);
void umbra_queue_db(struct umbra_vcpu *vcpu, u64 dr6_bits);

static inline void umbra_queue_gp(struct umbra_vcpu *vcpu)
{
	umbra_queue_exception_err(vcpu, 13, 0);
}

static inline void umbra_queue_ud(struct umbra_vcpu *vcpu)
{
	umbra_queue_exception(vcpu, 6);
}

void umbra_events_reset(struct umbra_vcpu *vcpu);
void umbra_event_kick_nmi(struct umbra_vcpu *vcpu);
int umbra_event_interrupt(struct umbra_vcpu *vcpu, u32 vector);
bool umbra_event_deliver(struct umbra_vcpu *vcpu);
bool umbra_event_irq_window_open(struct umbra_vcpu *vcpu);
bool umbra_event_pending(struct umbra_vcpu *vcpu);
void umbra_event_get(struct umbra_vcpu *vcpu, struct kvm_vcpu_events *out);
int umbra_event_set(struct umbra_vcpu *vcpu, const struct kvm_vcpu_events *in);

#endif
