// SPDX-License-Identifier: GPL-2.0
/*
 * The registers of a local APIC: what each reads as, what a write does, and the MMIO
 * page through which an xAPIC has them. vCPU, atomic. x2APIC's MSRs are in lapic_msr.c.
 */
#include "irq_env.h"
#include "lapic.h"

#define REG_SIZE	0x10
#define PAGE_BYTES	0x1000

/* What can be written in an LVT entry; delivery status and remote IRR cannot. */
#define LVT_COMMON	(UMBRA_LAPIC_LVT_MASKED | APIC_VECTOR_MASK)
#define LVT_LINT	(LVT_COMMON | APIC_MODE_MASK | APIC_INPUT_POLARITY | APIC_LVT_LEVEL_TRIGGER)

static const u32 lvt_writable[] = {
	[UMBRA_LVT_TIMER] = LVT_COMMON | APIC_LVT_TIMER_PERIODIC,
	[UMBRA_LVT_THERMAL] = LVT_COMMON | APIC_MODE_MASK,
	[UMBRA_LVT_PERF] = LVT_COMMON | APIC_MODE_MASK,
	[UMBRA_LVT_LINT0] = LVT_LINT,
	[UMBRA_LVT_LINT1] = LVT_LINT,
	[UMBRA_LVT_ERROR] = LVT_COMMON,
};

u32 umbra_lapic_lvt_writable(const struct umbra_lapic *lapic, enum umbra_lvt lvt)
{
	u32 mask = lvt_writable[lvt];

	if (lvt == UMBRA_LVT_TIMER &&
	    umbra_cpuid_has(lapic->vcpu, X86_FEATURE_TSC_DEADLINE_TIMER))
		mask |= APIC_LVT_TIMER_TSCDEADLINE;
	return mask;
}

static enum umbra_lvt lvt_at(u32 offset)
{
	return (offset - APIC_LVTT) / REG_SIZE;
}

u32 umbra_lapic_word(const unsigned long *bits, unsigned int i)
{
	return READ_ONCE(bits[i / 2]) >> (i % 2 * 32);
}

/* Registers that only one of the two modes has. */
static bool missing(const struct umbra_lapic *lapic, u32 offset)
{
	switch (offset) {
	case APIC_ARBPRI:
	case APIC_DFR:
	case APIC_ICR2:
		return lapic->mode == UMBRA_LAPIC_X2APIC;
	default:
		return false;
	}
}

static u32 read_id(const struct umbra_lapic *lapic)
{
	return lapic->mode == UMBRA_LAPIC_X2APIC ? lapic->id : lapic->id << 24;
}

static u32 read_ldr(const struct umbra_lapic *lapic)
{
	return lapic->mode == UMBRA_LAPIC_X2APIC ? lapic->ldr : lapic->ldr << 24;
}

int umbra_lapic_reg_read(struct umbra_lapic *lapic, u32 offset, u32 *value)
{
	if (missing(lapic, offset))
		return -EINVAL;
	switch (offset) {
	case APIC_ID:
		*value = read_id(lapic);
		break;
	case APIC_LVR:
		*value = UMBRA_LAPIC_VERSION;
		break;
	case APIC_TASKPRI:
		*value = lapic->tpr;
		break;
	case APIC_ARBPRI:
		*value = 0;
		break;
	case APIC_PROCPRI:
		*value = lapic->ppr;
		break;
	case APIC_LDR:
		*value = read_ldr(lapic);
		break;
	case APIC_DFR:
		*value = lapic->dfr;
		break;
	case APIC_SPIV:
		*value = lapic->svr;
		break;
	case APIC_ISR ... APIC_ISR + 7 * REG_SIZE:
		*value = umbra_lapic_word(lapic->isr, (offset - APIC_ISR) / REG_SIZE);
		break;
	case APIC_TMR ... APIC_TMR + 7 * REG_SIZE:
		*value = umbra_lapic_word(lapic->tmr, (offset - APIC_TMR) / REG_SIZE);
		break;
	case APIC_IRR ... APIC_IRR + 7 * REG_SIZE:
		*value = umbra_lapic_word(lapic->irr, (offset - APIC_IRR) / REG_SIZE);
		break;
	case APIC_ESR:
		*value = lapic->esr;
		break;
	case APIC_ICR:
		*value = lapic->icr;
		break;
	case APIC_ICR2:
		*value = lapic->icr >> 32;
		break;
	case APIC_LVTT ... APIC_LVTERR:
		*value = lapic->lvt[lvt_at(offset)];
		break;
	case APIC_TMICT:
		*value = lapic->timer.initial;
		break;
	case APIC_TMCCT:
		*value = umbra_lapic_timer_current(lapic);
		break;
	case APIC_TDCR:
		*value = lapic->timer.divide;
		break;
	default:
		return -EINVAL;
	}
	return 0;
}

static void write_lvt(struct umbra_lapic *lapic, enum umbra_lvt lvt, u32 value)
{
	value &= umbra_lapic_lvt_writable(lapic, lvt);
	/* Software disabled: they stay masked, whatever is written. */
	if (!(lapic->svr & UMBRA_LAPIC_SW_ENABLED))
		value |= UMBRA_LAPIC_LVT_MASKED;
	if (lvt == UMBRA_LVT_TIMER) {
		umbra_lapic_timer_set_lvt(lapic, value);
		return;
	}
	WRITE_ONCE(lapic->lvt[lvt], value);
	if (lvt == UMBRA_LVT_LINT0)
		umbra_lapic_refresh(lapic);
}

static void write_svr(struct umbra_lapic *lapic, u32 value)
{
	int i;

	lapic->svr = value & UMBRA_LAPIC_SVR_WRITABLE;
	if (!(value & UMBRA_LAPIC_SW_ENABLED))
		for (i = 0; i < UMBRA_NR_LVT; i++)
			WRITE_ONCE(lapic->lvt[i], lapic->lvt[i] | UMBRA_LAPIC_LVT_MASKED);
	umbra_lapic_refresh(lapic);
}

/* ESR shows what came up to the last write, and collects anew from then on. */
static int write_esr(struct umbra_lapic *lapic, u32 value)
{
	if (lapic->mode == UMBRA_LAPIC_X2APIC && value)
		return -EINVAL;
	lapic->esr = xchg(&lapic->errors, 0);
	return 0;
}

/* These can be written in an xAPIC alone. */
static int write_xapic(struct umbra_lapic *lapic, u32 offset, u32 value)
{
	if (lapic->mode == UMBRA_LAPIC_X2APIC)
		return -EINVAL;
	switch (offset) {
	case APIC_ID:
		umbra_lapic_set_xapic_id(lapic, value >> 24);
		break;
	case APIC_LDR:
		WRITE_ONCE(lapic->ldr, value >> 24);
		break;
	case APIC_DFR:
		WRITE_ONCE(lapic->dfr, value | APIC_DFR_CLUSTER);
		break;
	case APIC_ICR2:
		lapic->icr = (u32)lapic->icr | (u64)(value & (APIC_LDR_MASK)) << 32;
		break;
	}
	return 0;
}

static int write_icr(struct umbra_lapic *lapic, u32 value)
{
	umbra_lapic_icr_write(lapic, (lapic->icr & ~(u64)U32_MAX) | value);
	return 0;
}

int umbra_lapic_reg_write(struct umbra_lapic *lapic, u32 offset, u32 value)
{
	switch (offset) {
	case APIC_EOI:
		umbra_lapic_eoi(lapic->vcpu);
		return 0;
	case APIC_ICR:
		return write_icr(lapic, value);
	case APIC_ICR2:
	case APIC_ID:
	case APIC_LDR:
	case APIC_DFR:
		return write_xapic(lapic, offset, value);
	case APIC_TASKPRI:
		umbra_lapic_set_tpr(lapic->vcpu, value);
		return 0;
	case APIC_SPIV:
		write_svr(lapic, value);
		return 0;
	case APIC_ESR:
		return write_esr(lapic, value);
	case APIC_LVTT ... APIC_LVTERR:
		write_lvt(lapic, lvt_at(offset), value);
		return 0;
	case APIC_TMICT:
		umbra_lapic_timer_set_initial(lapic, value);
		return 0;
	case APIC_TDCR:
		umbra_lapic_timer_set_divide(lapic, value);
		return 0;
	default:
		return -EINVAL;
	}
}

/**
 * umbra_lapic_mmio() - does the vCPU's local APIC answer at this address?
 * @vcpu: virtual processor
 * @addr: guest physical address
 * @len: bytes
 *
 * It does in x2APIC mode and while it is off, too, unless user space has disabled this quirk:
 * nothing else is there, and user space does not expect such an access.
 */
bool umbra_lapic_mmio(struct umbra_vcpu *vcpu, gpa_t addr, unsigned int len)
{
	if (addr - (vcpu->msrs.apic_base & MSR_IA32_APICBASE_BASE) > PAGE_BYTES - len)
		return false;
	return vcpu->lapic->mode == UMBRA_LAPIC_XAPIC ||
	       umbra_has_quirk(vcpu->vm, KVM_X86_QUIRK_LAPIC_MMIO_HOLE);
}

static bool illegal(struct umbra_lapic *lapic, int err)
{
	if (!err)
		return false;
	umbra_lapic_error(lapic, APIC_ESR_ILLREGA);
	return true;
}

void umbra_lapic_read(struct umbra_vcpu *vcpu, u32 offset, unsigned int len, void *data)
{
	struct umbra_lapic *lapic = vcpu->lapic;
	u32 within = offset % REG_SIZE;
	u32 value = 0;

	memset(data, lapic->mode == UMBRA_LAPIC_XAPIC ? 0 : 0xff, len);
	if (lapic->mode != UMBRA_LAPIC_XAPIC || within + len > sizeof(value))
		return;
	if (illegal(lapic, umbra_lapic_reg_read(lapic, offset - within, &value)))
		return;
	memcpy(data, (u8 *)&value + within, len);
	if (offset - within == APIC_TASKPRI)
		umbra_tpr_accessed(vcpu, false);
}

void umbra_lapic_write(struct umbra_vcpu *vcpu, u32 offset, unsigned int len, const void *data)
{
	struct umbra_lapic *lapic = vcpu->lapic;
	u32 value;

	if (lapic->mode != UMBRA_LAPIC_XAPIC || len != sizeof(value) || offset % REG_SIZE)
		return;
	memcpy(&value, data, sizeof(value));
	illegal(lapic, umbra_lapic_reg_write(lapic, offset, value));
	if (offset == APIC_TASKPRI)
		umbra_tpr_accessed(vcpu, true);
}
