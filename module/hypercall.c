// SPDX-License-Identifier: GPL-2.0
/*
 * Hypercalls: VMCALL and VMMCALL of the guest's kernel, by KVM's numbers. Arguments and
 * answer are registers. What each call does belongs to others.
 */
#include <linux/kvm_para.h>
#include "cpuid.h"
#include "exit.h"
#include "irq/irq.h"
#include "kvmclock.h"
#include "regs.h"
#include "request.h"
#include "vcpu.h"
#include "vendor.h"

struct hypercall {
	u64 nr;
	u64 arg[4];
	bool wide;	/* from 64-bit code: registers count in full */
};

/* End the HLT of the vCPU with this APIC id, which is its number, or its next one. */
static void kick(struct umbra_vm *vm, u32 apic_id)
{
	struct umbra_vcpu *vcpu;
	int i;

	for (i = 0; (vcpu = umbra_vcpu_at(vm, i)); i++) {
		if (vcpu->id != apic_id)
			continue;
		WRITE_ONCE(vcpu->pv_kicked, true);
		umbra_request(vcpu, UMBRA_REQ_EVENT);
		umbra_vcpu_wake(vcpu);
	}
}

static long send_ipi(struct umbra_vcpu *vcpu, const struct hypercall *call)
{
	if (!vcpu->lapic)
		return -KVM_EOPNOTSUPP;
	return umbra_lapic_pv_ipi(vcpu, call->arg[0], call->arg[1], call->arg[2], call->arg[3],
				  call->wide);
}

static bool may_sleep(const struct hypercall *call)
{
	return call->nr == KVM_HC_CLOCK_PAIRING;
}

static long answer(struct umbra_vcpu *vcpu, const struct hypercall *call)
{
	if (umbra_vendor->cpl(vcpu))
		return -KVM_EPERM;
	switch (call->nr) {
	case KVM_HC_VAPIC_POLL_IRQ:
		/* The exit was all that was asked for. */
		return 0;
	case KVM_HC_KICK_CPU:
		if (!umbra_pv_has(vcpu, KVM_FEATURE_PV_UNHALT))
			return -KVM_ENOSYS;
		kick(vcpu->vm, call->arg[1]);
		return 0;
	case KVM_HC_SEND_IPI:
		if (!umbra_pv_has(vcpu, KVM_FEATURE_PV_SEND_IPI))
			return -KVM_ENOSYS;
		return send_ipi(vcpu, call);
	case KVM_HC_CLOCK_PAIRING:
		return umbra_kvmclock_pairing(vcpu, call->arg[0], call->arg[1]);
	default:
		return -KVM_ENOSYS;
	}
}

static void fetch(struct umbra_vcpu *vcpu, struct hypercall *call)
{
	u64 mask;

	call->wide = umbra_is_64bit_code(vcpu);
	mask = call->wide ? U64_MAX : U32_MAX;
	call->nr = vcpu->gpr[UMBRA_RAX] & mask;
	call->arg[0] = vcpu->gpr[UMBRA_RBX] & mask;
	call->arg[1] = vcpu->gpr[UMBRA_RCX] & mask;
	call->arg[2] = vcpu->gpr[UMBRA_RDX] & mask;
	call->arg[3] = vcpu->gpr[UMBRA_RSI] & mask;
}

/**
 * umbra_exit_hypercall() - the guest executed VMCALL or VMMCALL
 * @vcpu: virtual processor
 * @atomic: do not sleep
 *
 * Return: as all handlers of exits.
 */
int umbra_exit_hypercall(struct umbra_vcpu *vcpu, bool atomic)
{
	struct hypercall call;
	int verdict;
	u64 next;
	long r;

	fetch(vcpu, &call);
	if (atomic && may_sleep(&call))
		return UMBRA_SLOW;
	if (!umbra_next_rip(vcpu, atomic, &next, &verdict))
		return verdict;
	r = answer(vcpu, &call);
	vcpu->gpr[UMBRA_RAX] = call.wide ? (u64)r : (u32)r;
	return umbra_step_rip(vcpu, next);
}
