/* SPDX-License-Identifier: GPL-2.0 */
/*
 * vCPUs that do not run although user space lets them: HLT, and processors that
 * wait for INIT and SIPI. Only with local APICs in the kernel; without, HLT and
 * all that is user space's.
 */
#ifndef UMBRA_HALT_H
#define UMBRA_HALT_H

#include <linux/kvm.h>
#include "irq/irq.h"
#include "vcpu.h"

struct kvm_mp_state;

/* Must umbra_halt() be called before the guest is entered? vCPU. */
static inline bool umbra_halt_due(struct umbra_vcpu *vcpu)
{
	return vcpu->lapic && (vcpu->mp_state != KVM_MP_STATE_RUNNABLE ||
			       umbra_lapic_signals(vcpu));
}

/*
 * Obey INIT and SIPI; sleep until the vCPU may run. UMBRA_CONTINUE, or -EINTR when a
 * signal came first. Sleeps; vcpu->mutex held.
 */
int umbra_halt(struct umbra_vcpu *vcpu);
/* The guest executed HLT. Atomic. */
void umbra_halt_enter(struct umbra_vcpu *vcpu);
/* KVM_GET_MP_STATE, KVM_SET_MP_STATE: vcpu->mutex held. 0 or -EINVAL. */
int umbra_get_mp_state(struct umbra_vcpu *vcpu, struct kvm_mp_state *out);
int umbra_set_mp_state(struct umbra_vcpu *vcpu, const struct kvm_mp_state *in);

#endif
