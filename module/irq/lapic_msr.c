// SPDX-License-Identifier: GPL-2.0
/*
 * A local APIC by its MSRs: APIC_BASE, which switches between its modes, and the
 * registers of x2APIC mode. vCPU, atomic. The deadline is in lapic_timer.c.
 */
#include "irq_env.h"
#include "lapic.h"

#define X2APIC_MSR(offset)	(APIC_BASE_MSR + ((offset) >> 4))

/* But not bit 12, which xAPICs have and which is ignored: old software writes back what it read. */
#define ICR_RESERVED		(GENMASK_ULL(31, 20) | GENMASK_ULL(17, 16) | BIT_ULL(13))

/**
 * umbra_lapic_set_base() - APIC_BASE is written
 * @vcpu: virtual processor
 * @base: value, without reserved bits, and not x2APIC mode in one that is off
 * @host: by user space, which restores a state and may go from any mode to any other
 *
 * Return: 0, or -EINVAL for a step that the guest must not make: x2APIC mode is entered
 * from xAPIC mode, and left by turning the local APIC off.
 */
int umbra_lapic_set_base(struct umbra_vcpu *vcpu, u64 base, bool host)
{
	enum umbra_lapic_mode old = umbra_lapic_mode_of(vcpu->msrs.apic_base);
	enum umbra_lapic_mode new = umbra_lapic_mode_of(base);

	if (!host && old == UMBRA_LAPIC_X2APIC && new == UMBRA_LAPIC_XAPIC)
		return -EINVAL;
	if (!host && old == UMBRA_LAPIC_OFF && new == UMBRA_LAPIC_X2APIC)
		return -EINVAL;
	vcpu->msrs.apic_base = base;
	if (new == old)
		return 0;
	/* Its state is lost. User space may turn it off after it has restored the registers. */
	if (!host && new == UMBRA_LAPIC_OFF)
		umbra_lapic_reset(vcpu, true);
	if (new != UMBRA_LAPIC_OFF)
		umbra_lapic_default_ids(vcpu->lapic);
	umbra_lapic_refresh(vcpu->lapic);
	return 0;
}

int umbra_lapic_get_msr(struct umbra_vcpu *vcpu, u32 index, u64 *data)
{
	struct umbra_lapic *lapic = vcpu->lapic;
	u32 value;

	if (lapic->mode != UMBRA_LAPIC_X2APIC)
		return -EINVAL;
	if (index == X2APIC_MSR(APIC_ICR)) {
		*data = lapic->icr;
		return 0;
	}
	if (umbra_lapic_reg_read(lapic, (index - APIC_BASE_MSR) << 4, &value))
		return -EINVAL;
	*data = value;
	return 0;
}

static int write_icr(struct umbra_lapic *lapic, u64 data)
{
	if (data & ICR_RESERVED)
		return -EINVAL;
	umbra_lapic_icr_write(lapic, data);
	return 0;
}

static int self_ipi(struct umbra_lapic *lapic, u64 data)
{
	if (data & ~(u64)APIC_VECTOR_MASK)
		return -EINVAL;
	umbra_lapic_send_self(lapic, data);
	return 0;
}

int umbra_lapic_set_msr(struct umbra_vcpu *vcpu, u32 index, u64 data)
{
	struct umbra_lapic *lapic = vcpu->lapic;

	if (lapic->mode != UMBRA_LAPIC_X2APIC)
		return -EINVAL;
	if (index == X2APIC_MSR(APIC_ICR))
		return write_icr(lapic, data);
	if (index == X2APIC_MSR(APIC_SELF_IPI))
		return self_ipi(lapic, data);
	if (data >> 32 || (data && index == X2APIC_MSR(APIC_EOI)))
		return -EINVAL;
	return umbra_lapic_reg_write(lapic, (index - APIC_BASE_MSR) << 4, data);
}
