// SPDX-License-Identifier: GPL-2.0
/*
 * One local APIC: registers, priorities against a plain model, EOI, errors, ExtINT,
 * modes, and the state that user space saves.
 */
#include "irq_lib.h"
#include "irq/lapic.h"
#include "irq/route.h"

#define STEPS		20000
#define ENTRY_MASKED	0x10000u
#define X2APIC_ICR_RESERVED	0xfff32000ULL

static int setup_kernel(void **state)
{
	srandom(1);
	return unit_setup(UMBRA_IRQCHIP_KERNEL, 2);
}

static int setup_split(void **state)
{
	srandom(1);
	return unit_setup(UMBRA_IRQCHIP_SPLIT, 2);
}

static u32 random32(void)
{
	return random() << 16 ^ random();
}

static int msi(u8 vector, bool level)
{
	const struct umbra_irq_msg msg = { .vector = vector, .level = level };

	return umbra_apic_deliver(&unit.vm, NULL, &msg);
}

static void power_up(void **state)
{
	u32 lvt;

	assert_int_equal(unit_reg(0, APIC_ID), 0);
	assert_int_equal(unit_reg(1, APIC_ID), 1 << 24);
	assert_int_equal(unit_reg(0, APIC_LVR), 0x50014);
	assert_int_equal(unit_reg(0, APIC_TASKPRI), 0);
	assert_int_equal(unit_reg(0, APIC_PROCPRI), 0);
	assert_int_equal(unit_reg(0, APIC_LDR), 0);
	assert_int_equal(unit_reg(0, APIC_DFR), 0xffffffff);
	assert_int_equal(unit_reg(0, APIC_SPIV), 0xff);
	/* Virtual wire at the boot processor alone. */
	assert_int_equal(unit_reg(0, APIC_LVT0), APIC_DM_EXTINT);
	assert_int_equal(unit_reg(1, APIC_LVT0), ENTRY_MASKED);
	for (lvt = APIC_LVTT; lvt <= APIC_LVTERR; lvt += 0x10)
		if (lvt != APIC_LVT0)
			assert_int_equal(unit_reg(0, lvt), ENTRY_MASKED);
	/* Software disabled: nothing is taken. */
	assert_int_equal(msi(0x40, false), -1);
	assert_false(umbra_irq_has(&unit.vcpu[0]));
}

static void create_fails(void **state)
{
	struct umbra_vcpu vcpu = { .vm = &unit.vm };

	unit.fail_alloc = 0;
	assert_int_equal(umbra_lapic_create(&vcpu), -ENOMEM);
	unit.fail_alloc = -1;
	assert_null(vcpu.lapic);
}

/* What the manual says of priorities, without any shortcut. */
struct model {
	bool irr[256];
	bool isr[256];
	u8 tpr;
};

static int model_top(const bool *set)
{
	int v;

	for (v = 255; v >= 0; v--)
		if (set[v])
			return v;
	return -1;
}

static u8 model_ppr(const struct model *m)
{
	int service = model_top(m->isr);
	int class = service < 0 ? 0 : service >> 4;

	return m->tpr >> 4 >= class ? m->tpr : class << 4;
}

static int model_offer(const struct model *m)
{
	int v = model_top(m->irr);

	return v >= 0 && v >> 4 > model_ppr(m) >> 4 ? v : -1;
}

static void model_step(struct model *m)
{
	struct umbra_vcpu *vcpu = &unit.vcpu[0];
	int offer = model_offer(m);
	u8 v = 16 + random() % 240;
	int top;

	switch (random() % 8) {
	case 0 ... 2:
		assert_int_equal(msi(v, false), !m->irr[v]);
		m->irr[v] = true;
		break;
	case 3:
		m->tpr = random() % 3 ? random() % 64 : random();
		unit_set_reg(0, APIC_TASKPRI, 0xabcdef00 | m->tpr);
		assert_int_equal(vcpu->cr8, m->tpr >> 4);
		break;
	case 4 ... 5:
		assert_int_equal(umbra_irq_take(vcpu), offer);
		if (offer >= 0) {
			m->irr[offer] = false;
			m->isr[offer] = true;
		}
		break;
	default:
		top = model_top(m->isr);
		unit_set_reg(0, APIC_EOI, 0);
		if (top >= 0)
			m->isr[top] = false;
		break;
	}
	/* Who has something to offer has made the vCPU look. */
	if (model_offer(m) >= 0)
		assert_true(vcpu->ev.look || vcpu->requests & BIT(UMBRA_REQ_EVENT));
	if (umbra_irq_has(vcpu))
		return;
	vcpu->ev.look = false;
	vcpu->requests = 0;
}

static void priorities(void **state)
{
	struct umbra_vcpu *vcpu = &unit.vcpu[0];
	struct model m = {};
	int i, v;

	unit_enable(0, false);
	unit_set_reg(0, APIC_LVT0, ENTRY_MASKED);
	for (i = 0; i < STEPS; i++) {
		model_step(&m);
		assert_int_equal(umbra_irq_has(vcpu), model_offer(&m) >= 0);
		assert_int_equal(unit_reg(0, APIC_PROCPRI), model_ppr(&m));
		v = random() % 256;
		assert_int_equal(unit_reg(0, APIC_IRR + v / 32 * 16) >> v % 32 & 1, m.irr[v]);
		assert_int_equal(unit_reg(0, APIC_ISR + v / 32 * 16) >> v % 32 & 1, m.isr[v]);
		v = model_top(m.irr) < 0 && model_top(m.isr) >= 0 ? model_top(m.isr) : -1;
		assert_int_equal(umbra_lapic_pv_eoi_vector(vcpu), v);
	}
}

static void vapic(void **state)
{
	struct umbra_vcpu *vcpu = &unit.vcpu[0];

	unit_enable(0, false);
	umbra_lapic_set_tpr(vcpu, 0x23);
	assert_int_equal(vcpu->cr8, 2);
	assert_int_equal(umbra_lapic_vapic(vcpu), 0x23);
	msi(0x9a, false);
	assert_int_equal(umbra_lapic_vapic(vcpu), 0x9a000023);
	assert_int_equal(umbra_irq_take(vcpu), 0x9a);
	msi(0x31, false);
	assert_int_equal(umbra_lapic_vapic(vcpu), 0x31009023);
	unit_set_reg(0, APIC_TASKPRI, 0x55);
	assert_int_equal(unit.told[0].tpr, 1);
	assert_int_equal(unit_reg(0, APIC_TASKPRI), 0x55);
	assert_int_equal(unit.told[0].tpr, 2);
}

static void cr8(void **state)
{
	struct umbra_vcpu *vcpu = &unit.vcpu[0];

	unit_enable(0, false);
	unit_set_reg(0, APIC_TASKPRI, 0x57);
	assert_int_equal(vcpu->cr8, 5);
	/* The same class: the lower bits go all the same. */
	umbra_lapic_set_cr8(vcpu, 5);
	assert_int_equal(unit_reg(0, APIC_TASKPRI), 0x50);
	msi(0x60, false);
	assert_true(umbra_irq_has(vcpu));
	umbra_lapic_set_cr8(vcpu, 6);
	assert_int_equal(unit_reg(0, APIC_TASKPRI), 0x60);
	assert_false(umbra_irq_has(vcpu));
	vcpu->ev.look = false;
	umbra_lapic_set_cr8(vcpu, 0);
	assert_true(vcpu->ev.look && umbra_irq_has(vcpu));
}

static void lvt_masks(void **state)
{
	static const u32 writable[] = { 0x700ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff };
	u32 i, offset;

	unit_enable(0, false);
	for (i = 0; i < ARRAY_SIZE(writable); i++) {
		offset = APIC_LVTT + i * 0x10;
		unit_set_reg(0, offset, 0xffffffff);
		assert_int_equal(unit_reg(0, offset), writable[i]);
		unit_set_reg(0, offset, 0);
		assert_int_equal(unit_reg(0, offset), 0);
	}
	unit.no_deadline = true;
	unit_set_reg(0, APIC_LVTT, 0xffffffff);
	assert_int_equal(unit_reg(0, APIC_LVTT), 0x300ff);
	/* Disabled by software: all are masked, and stay so. */
	unit_set_reg(0, APIC_SPIV, 0xfffffeff);
	assert_int_equal(unit_reg(0, APIC_SPIV), 0x2ff);
	for (i = 0; i < ARRAY_SIZE(writable); i++) {
		offset = APIC_LVTT + i * 0x10;
		assert_int_equal(unit_reg(0, offset) & ENTRY_MASKED, ENTRY_MASKED);
		unit_set_reg(0, offset, 0);
		assert_int_equal(unit_reg(0, offset), ENTRY_MASKED);
	}
}

static void send(u32 icr)
{
	unit_set_reg(0, APIC_ICR, icr);
}

static void errors(void **state)
{
	unit_enable(0, false);
	unit_set_reg(0, APIC_LVTERR, 0xf0);
	send(0x40000 | 0x0f);
	assert_int_equal(unit_serve(0), 0xf0);
	/* It shows when ESR is written, until it is written again. */
	assert_int_equal(unit_reg(0, APIC_ESR), 0);
	unit_set_reg(0, APIC_ESR, 0);
	assert_int_equal(unit_reg(0, APIC_ESR), APIC_ESR_SENDILL);
	assert_int_equal(msi(3, false), -1);
	assert_int_equal(unit_reg(0, APIC_ESR), APIC_ESR_SENDILL);
	assert_int_equal(unit_serve(0), 0xf0);
	/* One interrupt for each kind of error. */
	assert_int_equal(msi(3, false), -1);
	assert_int_equal(unit_serve(0), -1);
	unit_reg(0, 0x400);
	assert_int_equal(unit_serve(0), 0xf0);
	unit_set_reg(0, APIC_ESR, 0);
	assert_int_equal(unit_reg(0, APIC_ESR), APIC_ESR_RECVILL | APIC_ESR_ILLREGA);
	unit_set_reg(0, APIC_ESR, 0);
	assert_int_equal(unit_reg(0, APIC_ESR), 0);
	/* The error's own vector is none: that ends. */
	unit_set_reg(0, APIC_LVTERR, 5);
	send(0x40000 | 0x0f);
	unit_set_reg(0, APIC_ESR, 0);
	assert_int_equal(unit_reg(0, APIC_ESR), APIC_ESR_SENDILL | APIC_ESR_RECVILL);
	assert_int_equal(unit_serve(0), -1);
}

static void icr_reads_back(void **state)
{
	u64 value, got, before = 0;
	int i;

	unit_enable(0, false);
	unit_enable(1, true);
	for (i = 0; i < 32; i++) {
		unit_set_reg(0, APIC_ICR2, 0xfffffffe);
		unit_set_reg(0, APIC_ICR, BIT(i));
		assert_int_equal(unit_reg(0, APIC_ICR), BIT(i) & ~APIC_ICR_BUSY);
		assert_int_equal(unit_reg(0, APIC_ICR2), 0xff000000);
	}
	for (i = 0; i < 64; i++) {
		value = BIT_ULL(i) | 0x5000000000ULL;
		if (X2APIC_ICR_RESERVED >> i & 1) {
			assert_int_equal(unit_wrmsr(1, APIC_ICR, value), -EINVAL);
			value = before;
		} else {
			assert_int_equal(unit_wrmsr(1, APIC_ICR, value), 0);
		}
		assert_int_equal(unit_rdmsr(1, APIC_ICR, &got), 0);
		assert_int_equal(got, value & ~(u64)APIC_ICR_BUSY);
		before = value;
	}
}

static void mmio(void **state)
{
	struct umbra_vcpu *vcpu = &unit.vcpu[0];
	u64 wide = 0;
	u16 half = 0;
	u8 byte = 0;

	assert_true(umbra_lapic_mmio(vcpu, 0xfee00000, 4));
	assert_true(umbra_lapic_mmio(vcpu, 0xfee00ffc, 4));
	assert_false(umbra_lapic_mmio(vcpu, 0xfee00ffd, 4));
	assert_false(umbra_lapic_mmio(vcpu, 0xfedffffc, 8));
	assert_false(umbra_lapic_mmio(vcpu, 0xfee01000, 1));
	assert_false(umbra_lapic_set_base(vcpu, 0xd0000000 | MSR_IA32_APICBASE_ENABLE, false));
	assert_false(umbra_lapic_mmio(vcpu, 0xfee00000, 4));
	assert_true(umbra_lapic_mmio(vcpu, 0xd0000020, 4));
	unit_enable(0, false);

	umbra_lapic_read(vcpu, APIC_LVR, 2, &half);
	assert_int_equal(half, 0x14);
	umbra_lapic_read(vcpu, APIC_LVR + 2, 1, &byte);
	assert_int_equal(byte, 5);
	umbra_lapic_read(vcpu, APIC_LVR, 8, &wide);
	assert_int_equal(wide, 0);
	umbra_lapic_read(vcpu, APIC_LVR + 4, 4, &wide);
	assert_int_equal(wide, 0);
	/* Only whole registers are written. */
	unit_set_reg(0, APIC_TASKPRI, 0x30);
	umbra_lapic_write(vcpu, APIC_TASKPRI, 1, "\x77");
	umbra_lapic_write(vcpu, APIC_TASKPRI, 8, "\x77\0\0\0\0\0\0\0");
	umbra_lapic_write(vcpu, APIC_TASKPRI + 1, 4, "\x77\0\0\0");
	assert_int_equal(unit_reg(0, APIC_TASKPRI), 0x30);
	/* In x2APIC mode nothing is there. */
	unit_enable(0, true);
	unit_set_reg(0, APIC_TASKPRI, 0x70);
	assert_int_equal(unit_reg(0, APIC_TASKPRI), 0xffffffff);
	assert_int_equal(vcpu->cr8, 3);
	/* ... or whatever user space has there, if it says so. */
	assert_true(umbra_lapic_mmio(vcpu, 0xd0000020, 4));
	unit.vm.disabled_quirks = KVM_X86_QUIRK_LAPIC_MMIO_HOLE;
	assert_false(umbra_lapic_mmio(vcpu, 0xd0000020, 4));
}

static const u64 bases[] = {
	[UMBRA_LAPIC_OFF] = UNIT_APIC_BASE,
	[UMBRA_LAPIC_XAPIC] = UNIT_APIC_BASE | MSR_IA32_APICBASE_ENABLE,
	[UMBRA_LAPIC_X2APIC] = UNIT_APIC_BASE | MSR_IA32_APICBASE_ENABLE | X2APIC_ENABLE,
};

static void base_steps(void **state)
{
	static const bool allowed[3][3] = {
		[UMBRA_LAPIC_OFF] = { true, true, false },
		[UMBRA_LAPIC_XAPIC] = { true, true, true },
		[UMBRA_LAPIC_X2APIC] = { true, false, true },
	};
	struct umbra_vcpu *vcpu = &unit.vcpu[1];
	int from, to;

	for (from = 0; from < 3; from++) {
		for (to = 0; to < 3; to++) {
			bool ok = allowed[from][to];

			assert_int_equal(umbra_lapic_set_base(vcpu, bases[from], true), 0);
			assert_int_equal(umbra_lapic_set_base(vcpu, bases[to], false),
					 ok ? 0 : -EINVAL);
			assert_int_equal(vcpu->msrs.apic_base, bases[ok ? to : from]);
			assert_int_equal(vcpu->lapic->mode, ok ? to : from);
		}
	}
}

static void turned_off(void **state)
{
	struct umbra_vcpu *vcpu = &unit.vcpu[1];

	unit_enable(1, false);
	unit_set_reg(1, APIC_ID, 0x77000000);
	unit_set_reg(1, APIC_LDR, 0x02ffffff);
	unit_set_reg(1, APIC_DFR, 0);
	assert_int_equal(unit_reg(1, APIC_ID), 0x77000000);
	assert_int_equal(unit_reg(1, APIC_LDR), 0x02000000);
	assert_int_equal(unit_reg(1, APIC_DFR), 0x0fffffff);
	unit_set_reg(1, APIC_ICR2, 0x77000000);
	unit_set_reg(1, APIC_ICR, 0x45);
	assert_true(umbra_irq_has(vcpu));
	unit_set_reg(1, APIC_LVTT, 0x20040);
	unit_set_reg(1, APIC_TMICT, 1000000);
	assert_int_equal(unit_timers(), 1);
	assert_int_equal(umbra_lapic_set_base(vcpu, bases[UMBRA_LAPIC_OFF], false), 0);
	assert_false(umbra_irq_has(vcpu));
	assert_int_equal(unit_timers(), 0);
	assert_int_equal(unit_reg(1, APIC_ID), 0xffffffff);
	assert_int_equal(umbra_lapic_set_base(vcpu, bases[UMBRA_LAPIC_XAPIC], false), 0);
	assert_int_equal(unit_reg(1, APIC_ID), 0x01000000);
	assert_int_equal(unit_reg(1, APIC_SPIV), 0xff);
	assert_false(unit_waits(1, 0x45));
	assert_int_equal(unit_reg(1, APIC_DFR), 0xffffffff);
}

/* Which registers x2APIC mode has, as the manual's table lists them. */
static bool x2apic_readable(u32 offset)
{
	switch (offset) {
	case 0x20: case 0x30: case 0x80: case 0xa0: case 0xd0: case 0xf0:
	case 0x100: case 0x110: case 0x120: case 0x130: case 0x140: case 0x150: case 0x160:
	case 0x170: case 0x180: case 0x190: case 0x1a0: case 0x1b0: case 0x1c0: case 0x1d0:
	case 0x1e0: case 0x1f0: case 0x200: case 0x210: case 0x220: case 0x230: case 0x240:
	case 0x250: case 0x260: case 0x270: case 0x280: case 0x300: case 0x320: case 0x330:
	case 0x340: case 0x350: case 0x360: case 0x370: case 0x380: case 0x390: case 0x3e0:
		return true;
	default:
		return false;
	}
}

static bool x2apic_writable(u32 offset)
{
	switch (offset) {
	case 0x80: case 0xb0: case 0xf0: case 0x280: case 0x300: case 0x320: case 0x330:
	case 0x340: case 0x350: case 0x360: case 0x370: case 0x380: case 0x3e0: case 0x3f0:
		return true;
	default:
		return false;
	}
}

static void x2apic_registers(void **state)
{
	u32 offset;
	u64 value;

	/* Not in another mode. */
	assert_int_equal(unit_rdmsr(1, APIC_LVR, &value), -EINVAL);
	assert_int_equal(unit_wrmsr(1, APIC_TASKPRI, 0), -EINVAL);
	unit_enable(1, true);
	for (offset = 0; offset < 0x1000; offset += 0x10) {
		assert_int_equal(!unit_rdmsr(1, offset, &value), x2apic_readable(offset));
		assert_int_equal(!unit_wrmsr(1, offset, 0), x2apic_writable(offset));
		if (offset != APIC_ICR)
			assert_int_equal(unit_wrmsr(1, offset, BIT_ULL(32)), -EINVAL);
	}
	unit_wrmsr(1, APIC_SPIV, 0x1ff);
	assert_int_equal(unit_wrmsr(1, APIC_EOI, 1), -EINVAL);
	assert_int_equal(unit_wrmsr(1, APIC_ESR, 1), -EINVAL);
	assert_int_equal(unit_rdmsr(1, APIC_ID, &value), 0);
	assert_int_equal(value, 1);
	assert_int_equal(unit_rdmsr(1, APIC_LDR, &value), 0);
	assert_int_equal(value, 2);
	assert_int_equal(unit_wrmsr(1, APIC_SELF_IPI, 0x91), 0);
	assert_int_equal(unit_wrmsr(1, APIC_SELF_IPI, 0x191), -EINVAL);
	assert_int_equal(unit_serve(1), 0x91);
	assert_int_equal(unit_serve(1), -1);
	assert_int_equal(unit_wrmsr(1, APIC_SELF_IPI, 3), 0);
	unit_wrmsr(1, APIC_ESR, 0);
	unit_rdmsr(1, APIC_ESR, &value);
	assert_int_equal(value, APIC_ESR_SENDILL);
}

static void user_extint(void **state)
{
	struct umbra_vcpu *vcpu = &unit.vcpu[0];

	assert_true(umbra_irq_extint_wanted(vcpu));
	assert_int_equal(umbra_irq_user_extint(vcpu, 8), 0);
	assert_int_equal(umbra_irq_user_extint(vcpu, 9), -EEXIST);
	assert_false(umbra_irq_extint_wanted(vcpu));
	/* It knows no priorities, and is never in service. */
	unit_set_reg(0, APIC_TASKPRI, 0xff);
	assert_true(umbra_irq_has(vcpu));
	unit_set_reg(0, APIC_LVT0, ENTRY_MASKED | APIC_DM_EXTINT);
	assert_false(umbra_irq_has(vcpu));
	assert_int_equal(umbra_irq_take(vcpu), -1);
	unit_enable(0, false);
	unit_set_reg(0, APIC_LVT0, APIC_DM_EXTINT);
	assert_int_equal(umbra_irq_take(vcpu), 8);
	assert_int_equal(umbra_irq_take(vcpu), -1);
	assert_int_equal(unit_reg(0, APIC_PROCPRI), 0xff);
	/* Past a local APIC that is off. */
	unit_set_reg(0, APIC_LVT0, 0x40);
	assert_false(umbra_irq_extint_wanted(vcpu));
	assert_int_equal(umbra_lapic_set_base(vcpu, bases[UMBRA_LAPIC_OFF], false), 0);
	assert_true(umbra_irq_extint_wanted(vcpu));
}

static void extint_kick(void **state)
{
	umbra_apic_extint_kick(&unit.vm);
	assert_int_equal(unit.told[0].woken, 1);
	assert_int_equal(unit.told[1].woken, 0);
	/* LINT0 as NMI: the old watchdog. */
	unit_enable(0, false);
	unit_enable(1, false);
	unit_set_reg(0, APIC_LVT0, 0x400);
	unit_set_reg(1, APIC_LVT0, ENTRY_MASKED | 0x400);
	umbra_apic_pit_nmi(&unit.vm);
	assert_int_equal(unit.told[0].nmis, 1);
	assert_int_equal(unit.told[1].nmis, 0);
}

static void split_eoi(void **state)
{
	static const struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry entry;
	} routes = {
		.head = { .nr = 1 },
		.entry = {
			.gsi = 5, .type = KVM_IRQ_ROUTING_MSI,
			.u.msi = { .address_lo = 0xfee00000, .data = 0xc051 },
		},
	};

	struct kvm_irq_routing *copy = malloc(sizeof(routes));
	int r;

	memcpy(copy, &routes, sizeof(routes));
	r = umbra_routes_set(&unit.vm, copy);
	free(copy);
	assert_int_equal(r, 0);
	unit_enable(0, false);
	assert_int_equal(msi(0x51, true), 1);
	assert_int_equal(unit_reg(0, APIC_TMR + 0x20) >> 17 & 1, 1);
	assert_int_equal(unit_serve(0), 0x51);
	assert_int_equal(unit.told[0].eois, 1);
	assert_int_equal(unit.told[0].eoi, 0x51);
	/* Nobody wants to know of other vectors, and of edges. */
	assert_int_equal(msi(0x52, true), 1);
	assert_int_equal(unit_serve(0), 0x52);
	assert_int_equal(msi(0x51, false), 1);
	assert_int_equal(unit_reg(0, APIC_TMR + 0x20) >> 17 & 1, 0);
	assert_int_equal(unit_serve(0), 0x51);
	assert_int_equal(unit.told[0].eois, 1);
}

static void eoi_of_nothing(void **state)
{
	unit_enable(0, false);
	unit_set_reg(0, APIC_EOI, 0);
	assert_int_equal(msi(0x51, true), 1);
	unit_set_reg(0, APIC_EOI, 0);
	assert_true(unit_waits(0, 0x51));
	assert_int_equal(umbra_irq_take(&unit.vcpu[0]), 0x51);
	assert_int_equal(umbra_lapic_pv_eoi_vector(&unit.vcpu[0]), -1);
}

static void reset_by_init(void **state)
{
	struct umbra_vcpu *vcpu = &unit.vcpu[1];
	u64 value;

	unit_enable(1, true);
	umbra_lapic_set_tpr(vcpu, 0x30);
	msi(0x61, false);
	unit_wrmsr(1, APIC_SELF_IPI, 0x62);
	assert_int_equal(umbra_irq_take(vcpu), 0x62);
	umbra_lapic_reset(vcpu, true);
	assert_int_equal(vcpu->cr8, 0);
	assert_false(umbra_irq_has(vcpu));
	assert_int_equal(unit_rdmsr(1, APIC_ID, &value), 0);
	assert_int_equal(value, 1);
	unit_rdmsr(1, APIC_LDR, &value);
	assert_int_equal(value, 2);
	unit_rdmsr(1, APIC_PROCPRI, &value);
	assert_int_equal(value, 0);
	/* Its number in an xAPIC stays, the logical one does not. */
	unit_set_reg(0, APIC_ID, 0x12000000);
	unit_set_reg(0, APIC_LDR, 0x12000000);
	umbra_lapic_reset(&unit.vcpu[0], true);
	assert_int_equal(unit_reg(0, APIC_ID), 0x12000000);
	assert_int_equal(unit_reg(0, APIC_LDR), 0);
}

static void randomize(struct kvm_lapic_state *s)
{
	u32 offset, value;

	for (offset = 0; offset < sizeof(s->regs); offset += 4) {
		value = random32();
		memcpy(s->regs + offset, &value, sizeof(value));
	}
}

static u32 state_reg(const struct kvm_lapic_state *s, u32 offset)
{
	u32 value;

	memcpy(&value, s->regs + offset, sizeof(value));
	return value;
}

static void save_and_restore(void **state)
{
	struct umbra_vcpu *vcpu = &unit.vcpu[1];
	struct kvm_lapic_state in, out, again;
	u32 offset;
	int i;

	for (i = 0; i < 2000; i++) {
		umbra_lapic_set_base(vcpu, bases[random() % 3], true);
		unit.vm.irq.x2apic_ids = random() % 2;
		randomize(&in);
		if (vcpu->lapic->mode == UMBRA_LAPIC_X2APIC && unit.vm.irq.x2apic_ids)
			memcpy(in.regs + APIC_ID, &(u32) { 1 }, 4);
		vcpu->ev.look = false;
		assert_int_equal(umbra_lapic_set_state(vcpu, &in), 0);
		assert_true(vcpu->ev.look);
		assert_int_equal(vcpu->cr8, (u8)in.regs[APIC_TASKPRI] >> 4);
		assert_int_equal(umbra_lapic_get_state(vcpu, &out), 0);
		assert_int_equal(state_reg(&out, APIC_LVR), 0x50014);
		for (offset = APIC_ISR; offset < APIC_ESR; offset += 0x10)
			if (offset < APIC_IRR)
				assert_int_equal(state_reg(&out, offset), state_reg(&in, offset));
			else
				assert_false(state_reg(&in, offset) & ~state_reg(&out, offset));
		assert_int_equal(state_reg(&out, APIC_ICR),
				 state_reg(&in, APIC_ICR) & ~APIC_ICR_BUSY);
		/* Software disabled or not: it is a state, no write of the guest's. */
		for (offset = APIC_LVTT; offset <= APIC_LVTERR; offset += 0x10)
			assert_int_equal(state_reg(&out, offset) & ENTRY_MASKED,
					 state_reg(&in, offset) & ENTRY_MASKED);
		/* What came out goes in again, and comes out the same. */
		assert_int_equal(umbra_lapic_set_state(vcpu, &out), 0);
		assert_int_equal(umbra_lapic_get_state(vcpu, &again), 0);
		assert_memory_equal(&out, &again, sizeof(out));
		umbra_irq_has(vcpu);
		umbra_irq_take(vcpu);
	}
}

static void x2apic_ids(void **state)
{
	struct umbra_vcpu *vcpu = &unit.vcpu[1];
	struct kvm_lapic_state s, before, after;

	unit_enable(1, true);
	umbra_lapic_get_state(vcpu, &s);
	assert_int_equal(state_reg(&s, APIC_ID), 1 << 24);
	assert_int_equal(state_reg(&s, APIC_LDR), 2);
	unit.vm.irq.x2apic_ids = true;
	umbra_lapic_get_state(vcpu, &before);
	assert_int_equal(state_reg(&before, APIC_ID), 1);
	randomize(&s);
	memcpy(s.regs + APIC_ID, &(u32) { 2 }, 4);
	assert_int_equal(umbra_lapic_set_state(vcpu, &s), -EINVAL);
	umbra_lapic_get_state(vcpu, &after);
	assert_memory_equal(&before, &after, sizeof(before));
}

/* Anything a guest or user space can do, in any order: nothing breaks. */
static void chaos(void **state)
{
	struct kvm_lapic_state s;
	int i, n, v;

	for (i = 0; i < 200000; i++) {
		n = random() % 2;
		switch (random() % 10) {
		case 0 ... 3:
			unit_set_reg(n, random() % 0x100 * 16, random32());
			break;
		case 4:
			unit_wrmsr(n, random() % 0x100 * 16, (u64)random32() << 32 | random32());
			break;
		case 5:
			umbra_lapic_set_base(&unit.vcpu[n], bases[random() % 3], random() % 2);
			break;
		case 6:
			randomize(&s);
			umbra_lapic_set_state(&unit.vcpu[n], &s);
			break;
		case 7:
			unit_reg(n, random() % 0x1000);
			break;
		case 8:
			unit_pass(random() % 1000000);
			break;
		default:
			v = umbra_irq_has(&unit.vcpu[n]) ? umbra_irq_take(&unit.vcpu[n]) : -1;
			if (v >= 0)
				unit_set_reg(n, APIC_EOI, 0);
		}
		assert_in_range(unit.vcpu[n].cr8, 0, 15);
		unit.vcpu[n].requests = 0;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(power_up, setup_kernel, unit_teardown),
		cmocka_unit_test_setup_teardown(create_fails, setup_kernel, unit_teardown),
		cmocka_unit_test_setup_teardown(priorities, setup_kernel, unit_teardown),
		cmocka_unit_test_setup_teardown(vapic, setup_split, unit_teardown),
		cmocka_unit_test_setup_teardown(cr8, setup_kernel, unit_teardown),
		cmocka_unit_test_setup_teardown(lvt_masks, setup_kernel, unit_teardown),
		cmocka_unit_test_setup_teardown(errors, setup_kernel, unit_teardown),
		cmocka_unit_test_setup_teardown(icr_reads_back, setup_kernel, unit_teardown),
		cmocka_unit_test_setup_teardown(mmio, setup_kernel, unit_teardown),
		cmocka_unit_test_setup_teardown(base_steps, setup_kernel, unit_teardown),
		cmocka_unit_test_setup_teardown(turned_off, setup_split, unit_teardown),
		cmocka_unit_test_setup_teardown(x2apic_registers, setup_kernel, unit_teardown),
		cmocka_unit_test_setup_teardown(user_extint, setup_split, unit_teardown),
		cmocka_unit_test_setup_teardown(extint_kick, setup_kernel, unit_teardown),
		cmocka_unit_test_setup_teardown(split_eoi, setup_split, unit_teardown),
		cmocka_unit_test_setup_teardown(eoi_of_nothing, setup_kernel, unit_teardown),
		cmocka_unit_test_setup_teardown(reset_by_init, setup_kernel, unit_teardown),
		cmocka_unit_test_setup_teardown(save_and_restore, setup_split, unit_teardown),
		cmocka_unit_test_setup_teardown(x2apic_ids, setup_kernel, unit_teardown),
		cmocka_unit_test_setup_teardown(chaos, setup_kernel, unit_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
