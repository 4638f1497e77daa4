// SPDX-License-Identifier: GPL-2.0
/*
 * PV EOI: a byte in guest memory by which the guest says EOI without leaving. Before an
 * entry its bit is set when the EOI of the vector in service would have no effect but to
 * take it out of service; the guest clears the bit instead of writing to its local APIC.
 * After the exit, before anybody looks at the local APIC, what the guest did is made up
 * for and the bit is taken back. So nothing of this is ever seen outside of KVM_RUN.
 *
 * Which vector qualifies is lapic.c's answer. Others that deliver an interrupt need not know:
 * they kick the vCPU, and that is an exit.
 */
#include "irq_env.h"
#include "irq_internal.h"

/* The only bit of the byte. */
#define PV_EOI_PENDING	0x1

static gpa_t pv_eoi_gpa(const struct umbra_vcpu *vcpu)
{
	return vcpu->pv_eoi.msr & ~(u64)KVM_MSR_ENABLED;
}

/**
 * umbra_pv_eoi_set() - write MSR_KVM_PV_EOI_EN
 * @vcpu: virtual processor
 * @data: address, in units of 4 bytes, and KVM_MSR_ENABLED
 *
 * Where the address has no memory the guest just goes without.
 *
 * Return: 0, or -EINVAL.
 */
int umbra_pv_eoi_set(struct umbra_vcpu *vcpu, u64 data)
{
	if (!IS_ALIGNED(data & ~(u64)KVM_MSR_ENABLED, 4))
		return -EINVAL;
	vcpu->pv_eoi.msr = data;
	return 0;
}

/*
 * The MMU is not told of the write: it may take locks for that. It is told after the exit,
 * and a translation may be that much older than the table it came from.
 */
void umbra_pv_eoi_arm(struct umbra_vcpu *vcpu)
{
	const u8 bit = PV_EOI_PENDING;
	int idx;

	if (umbra_lapic_pv_eoi_vector(vcpu) < 0)
		return;
	idx = srcu_read_lock(&vcpu->vm->srcu);
	pagefault_disable();
	vcpu->pv_eoi.armed = !umbra_gpa_write(vcpu->vm, pv_eoi_gpa(vcpu), &bit, sizeof(bit));
	pagefault_enable();
	srcu_read_unlock(&vcpu->vm->srcu, idx);
}

/* The bit as the guest left it, then 0: 0, 1, or -EFAULT. */
static int take_back(struct umbra_vcpu *vcpu)
{
	gpa_t gpa = pv_eoi_gpa(vcpu);
	struct umbra_vm *vm = vcpu->vm;
	const u8 zero = 0;
	u8 byte;

	if (umbra_gpa_read(vm, gpa, &byte, sizeof(byte)))
		return -EFAULT;
	if (byte & PV_EOI_PENDING) {
		umbra_mmu_guest_write(vcpu, gpa, &zero, sizeof(zero), false);
		if (umbra_gpa_write(vm, gpa, &zero, sizeof(zero)))
			return -EFAULT;
	}
	umbra_mmu_guest_write(vcpu, gpa, &zero, sizeof(zero), true);
	return byte & PV_EOI_PENDING;
}

/*
 * Memory that went away under the byte says nothing: the vector stays in service until
 * the guest writes to its local APIC.
 */
bool umbra_pv_eoi_disarm(struct umbra_vcpu *vcpu, bool atomic)
{
	int idx, left;

	idx = srcu_read_lock(&vcpu->vm->srcu);
	if (atomic)
		pagefault_disable();
	left = take_back(vcpu);
	if (atomic)
		pagefault_enable();
	srcu_read_unlock(&vcpu->vm->srcu, idx);
	if (atomic && left < 0)
		return false;
	vcpu->pv_eoi.armed = false;
	if (!left)
		umbra_lapic_eoi(vcpu);
	return true;
}
