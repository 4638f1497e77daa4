// SPDX-License-Identifier: GPL-2.0
/*
 * Messages between local APICs: every form of destination against a plain model, from
 * every kind of sender, and what each kind of message does to who gets it.
 */
#include "irq_lib.h"
#include "irq/lapic.h"

#define ROUNDS		300
#define MESSAGES	200

static int setup(void **state)
{
	srandom(1);
	return unit_setup(UMBRA_IRQCHIP_KERNEL, UNIT_VCPUS);
}

/* What a test knows of a local APIC: what it wrote there itself. */
struct model {
	enum umbra_lapic_mode mode;
	bool enabled;
	u32 id;
	u32 ldr;
	u32 dfr;
};

static struct model model[UNIT_VCPUS];

static const u64 bases[] = {
	[UMBRA_LAPIC_OFF] = UNIT_APIC_BASE,
	[UMBRA_LAPIC_XAPIC] = UNIT_APIC_BASE | MSR_IA32_APICBASE_ENABLE,
	[UMBRA_LAPIC_X2APIC] = UNIT_APIC_BASE | MSR_IA32_APICBASE_ENABLE | X2APIC_ENABLE,
};

static void configure(int i, enum umbra_lapic_mode mode, bool enabled)
{
	struct umbra_vcpu *vcpu = &unit.vcpu[i];
	struct model *m = &model[i];

	umbra_lapic_set_base(vcpu, bases[UMBRA_LAPIC_OFF], false);
	*m = (struct model) { .mode = mode, .id = i, .dfr = 0xf };
	if (mode == UMBRA_LAPIC_OFF)
		return;
	m->enabled = enabled;
	umbra_lapic_set_base(vcpu, bases[UMBRA_LAPIC_XAPIC], false);
	if (mode == UMBRA_LAPIC_X2APIC) {
		umbra_lapic_set_base(vcpu, bases[mode], false);
		assert_int_equal(unit_wrmsr(i, APIC_SPIV, enabled ? 0x1ff : 0xff), 0);
		m->ldr = i / 16 << 16 | 1u << i % 16;
		return;
	}
	unit_set_reg(i, APIC_SPIV, enabled ? 0x1ff : 0xff);
	if (random() % 4 == 0)
		unit_set_reg(i, APIC_ID, (m->id = random() % 256) << 24);
	unit_set_reg(i, APIC_LDR, (m->ldr = random() % 3 ? 1u << i : random() % 256) << 24);
	m->dfr = random() % 2 ? 0xf : random() % 2 ? 0 : random() % 16;
	unit_set_reg(i, APIC_DFR, m->dfr << 28 | 0x0fffffff);
}

static bool is_everybody(int from, const struct umbra_irq_msg *msg, const struct model *m)
{
	if (from >= 0)
		return msg->dest == (msg->x2apic ? 0xffffffff : 0xff);
	if (msg->x2apic && msg->dest == 0xffffffff)
		return true;
	return msg->dest == 0xff &&
	       (m->mode == UMBRA_LAPIC_XAPIC || !unit.vm.irq.no_broadcast_quirk);
}

static bool means(int from, const struct umbra_irq_msg *msg, int i)
{
	const struct model *m = &model[i];
	u32 d = msg->dest;

	if (m->mode == UMBRA_LAPIC_OFF)
		return false;
	switch (msg->shorthand) {
	case UMBRA_TO_SELF:
		return i == from;
	case UMBRA_TO_ALL:
		return true;
	case UMBRA_TO_OTHERS:
		return i != from;
	}
	if (is_everybody(from, msg, m))
		return true;
	if (!msg->logical)
		return m->id == d;
	if (m->mode == UMBRA_LAPIC_X2APIC)
		return m->ldr >> 16 == d >> 16 && (m->ldr & d & 0xffff);
	if (d > 0xff)
		return false;
	if (m->dfr == 0xf)
		return m->ldr & d;
	return m->dfr == 0 && m->ldr >> 4 == d >> 4 && (m->ldr & d & 0xf);
}

/* Physical ids that two have lead to one of them or both: nobody relies on that. */
static bool ambiguous(const struct umbra_irq_msg *msg)
{
	int i, n = 0;

	for (i = 0; i < UNIT_VCPUS; i++)
		n += model[i].id == msg->dest;
	return n > 1 && msg->shorthand == UMBRA_TO_DEST && !msg->logical;
}

static u32 random_dest(bool x2apic, bool logical)
{
	u32 all = x2apic ? 0xffffffff : 0xff;

	switch (random() % 8) {
	case 0:
		return all;
	case 1:
		return 0xff;
	case 2:
		return random() & all;
	default:
		return logical ? random() % 256 : random() % UNIT_VCPUS;
	}
}

/* By the sender's ICR, if there is one. */
static void submit(int from, const struct umbra_irq_msg *msg)
{
	u32 icr = msg->vector | msg->mode << 8 | (msg->logical ? 0x800 : 0) |
		  msg->shorthand << 18 | (msg->assert ? 0x4000 : 0x8000);

	if (from < 0) {
		umbra_apic_deliver(&unit.vm, NULL, msg);
	} else if (model[from].mode == UMBRA_LAPIC_X2APIC) {
		assert_int_equal(unit_wrmsr(from, APIC_ICR, (u64)msg->dest << 32 | icr), 0);
	} else {
		unit_set_reg(from, APIC_ICR2, msg->dest << 24);
		unit_set_reg(from, APIC_ICR, icr);
	}
}

/* It was told so that it will look, and was not told for nothing. */
static void check_told(int from, int i, bool got)
{
	struct umbra_vcpu *vcpu = &unit.vcpu[i];

	if (got && i == from) {
		assert_true(vcpu->ev.look);
	} else if (got) {
		assert_int_equal(unit.told[i].woken, 1);
		assert_int_equal(vcpu->requests, BIT(UMBRA_REQ_EVENT));
	} else {
		assert_int_equal(unit.told[i].woken, 0);
		assert_int_equal(vcpu->requests, 0);
	}
}

static void forget(void)
{
	int i;

	memset(unit.told, 0, sizeof(unit.told));
	for (i = 0; i < UNIT_VCPUS; i++) {
		unit.vcpu[i].requests = 0;
		unit.vcpu[i].ev.look = false;
	}
}

static void one_message(void)
{
	int from = (int)(random() % (UNIT_VCPUS + 1)) - 1;
	struct umbra_irq_msg msg = { .vector = 0x20 + random() % 0xe0, .assert = true };
	bool got, meant;
	int i, n = 0, possible = 0;

	if (from >= 0 && model[from].mode == UMBRA_LAPIC_OFF)
		return;
	msg.mode = random() % 3 ? UMBRA_DELIVER_FIXED : UMBRA_DELIVER_LOWEST;
	msg.logical = random() % 2;
	msg.x2apic = from < 0 ? unit.vm.irq.x2apic_ids : model[from].mode == UMBRA_LAPIC_X2APIC;
	msg.shorthand = from < 0 || random() % 2 ? UMBRA_TO_DEST : random() % 4;
	msg.dest = random_dest(msg.x2apic, msg.logical);
	if (ambiguous(&msg))
		return;
	forget();
	submit(from, &msg);
	for (i = 0; i < UNIT_VCPUS; i++) {
		meant = means(from, &msg, i) && model[i].enabled;
		possible += meant;
		got = unit_waits(i, msg.vector);
		n += got;
		if (got)
			assert_true(meant);
		if (msg.mode == UMBRA_DELIVER_FIXED)
			assert_int_equal(got, meant);
		check_told(from, i, got);
		if (got)
			assert_int_equal(unit_serve(i), msg.vector);
	}
	if (msg.mode == UMBRA_DELIVER_LOWEST &&
	    (msg.logical || msg.shorthand != UMBRA_TO_DEST || msg.dest < 0xff))
		assert_int_equal(n, !!possible);
	else
		assert_int_equal(n, possible);
}

static void destinations(void **state)
{
	int round, i;

	for (round = 0; round < ROUNDS; round++) {
		/* All alike, as guests have it, or anyhow. */
		int same = random() % 4;

		unit.vm.irq.x2apic_ids = random() % 2;
		unit.vm.irq.no_broadcast_quirk = random() % 2;
		for (i = 0; i < UNIT_VCPUS; i++) {
			configure(i, same && same < 3 ? same : random() % 3, random() % 8);
			unit_set_reg(i, APIC_LVT0, APIC_LVT_MASKED);
			unit_wrmsr(i, APIC_LVT0, APIC_LVT_MASKED);
		}
		for (i = 0; i < MESSAGES; i++)
			one_message();
	}
}

static void all_enabled(bool x2apic)
{
	int i;

	for (i = 0; i < UNIT_VCPUS; i++) {
		unit_enable(i, x2apic);
		if (x2apic) {
			unit_wrmsr(i, APIC_LVT0, APIC_LVT_MASKED);
		} else {
			unit_set_reg(i, APIC_LVT0, APIC_LVT_MASKED);
			unit_set_reg(i, APIC_LDR, 1u << (24 + i));
		}
	}
	forget();
}

/* They take turns, among those who are meant and take interrupts. */
static void turns(void **state)
{
	struct umbra_irq_msg msg = {
		.dest = 0x7e, .logical = true, .mode = UMBRA_DELIVER_LOWEST, .vector = 0x70,
	};
	int i, n, count[UNIT_VCPUS] = {};

	all_enabled(false);
	unit_set_reg(3, APIC_SPIV, 0xff);
	for (n = 0; n < 500; n++) {
		assert_int_equal(umbra_apic_deliver(&unit.vm, NULL, &msg), 1);
		for (i = 0; i < UNIT_VCPUS; i++)
			count[i] += unit_serve(i) == 0x70;
	}
	for (i = 0; i < UNIT_VCPUS; i++)
		assert_int_equal(count[i], i == 0 || i == 3 || i == 7 ? 0 : 100);
	msg.dest = 0x08;
	assert_int_equal(umbra_apic_deliver(&unit.vm, NULL, &msg), -1);
}

static void result(void **state)
{
	struct umbra_irq_msg msg = { .dest = 0x0f, .logical = true, .vector = 0x70 };

	all_enabled(false);
	assert_int_equal(umbra_apic_deliver(&unit.vm, NULL, &msg), 4);
	assert_int_equal(umbra_apic_deliver(&unit.vm, NULL, &msg), 0);
	assert_int_equal(unit_serve(2), 0x70);
	assert_int_equal(umbra_apic_deliver(&unit.vm, NULL, &msg), 1);
	assert_int_equal(unit.told[0].woken, 1);
	assert_int_equal(unit.told[2].woken, 2);
	msg = (struct umbra_irq_msg) { .dest = UNIT_VCPUS, .vector = 0x70 };
	assert_int_equal(umbra_apic_deliver(&unit.vm, NULL, &msg), -1);
	msg = (struct umbra_irq_msg) { .dest = 1, .vector = 0x0f };
	assert_int_equal(umbra_apic_deliver(&unit.vm, NULL, &msg), -1);
	msg = (struct umbra_irq_msg) { .dest = 1, .vector = 0x80, .mode = UMBRA_DELIVER_SMI };
	assert_int_equal(umbra_apic_deliver(&unit.vm, NULL, &msg), -1);
	msg.mode = UMBRA_DELIVER_EXTINT;
	assert_int_equal(umbra_apic_deliver(&unit.vm, NULL, &msg), -1);
	msg.mode = 3;
	assert_int_equal(umbra_apic_deliver(&unit.vm, NULL, &msg), -1);
	msg = (struct umbra_irq_msg) { .shorthand = UMBRA_TO_SELF, .vector = 0x80 };
	assert_int_equal(umbra_apic_deliver(&unit.vm, NULL, &msg), -1);
}

static void illegal_vectors(void **state)
{
	int i, v;

	all_enabled(false);
	for (v = 0; v < 16; v++) {
		unit_set_reg(0, APIC_ICR, 0x80000 | v);
		for (i = 0; i < UNIT_VCPUS; i++)
			assert_false(unit_waits(i, v));
	}
	unit_set_reg(1, APIC_ESR, 0);
	assert_int_equal(unit_reg(1, APIC_ESR), 0);
	unit_set_reg(0, APIC_ESR, 0);
	assert_int_equal(unit_reg(0, APIC_ESR), APIC_ESR_SENDILL);
	/* A vector means nothing to an NMI. */
	unit_set_reg(0, APIC_ICR, 0xc0000 | 0x400 | 2);
	for (i = 0; i < UNIT_VCPUS; i++)
		assert_int_equal(unit.told[i].nmis, i != 0);
	unit_set_reg(0, APIC_ESR, 0);
	assert_int_equal(unit_reg(0, APIC_ESR), 0);
}

static void nmi_of_disabled(void **state)
{
	/* NMI, INIT and SIPI reach one that is disabled by software, but none that is off. */
	umbra_lapic_set_base(&unit.vcpu[2], bases[UMBRA_LAPIC_OFF], false);
	unit_set_reg(0, APIC_ICR, 0xc0000 | 0x400);
	assert_int_equal(unit.told[1].nmis, 1);
	assert_int_equal(unit.told[2].nmis, 0);
	unit_set_reg(0, APIC_ICR, 0xc0000 | 0x4500);
	assert_int_equal(umbra_lapic_signals(&unit.vcpu[1]), UMBRA_APIC_INIT);
	assert_int_equal(umbra_lapic_signals(&unit.vcpu[2]), 0);
}

static void init_and_sipi(void **state)
{
	struct umbra_vcpu *ap = &unit.vcpu[1];

	all_enabled(true);
	/* The de-assert is no INIT. */
	unit_wrmsr(0, APIC_ICR, 1ULL << 32 | 0x8500);
	assert_int_equal(umbra_lapic_signals(ap), 0);
	assert_int_equal(unit.told[1].woken, 0);
	unit_wrmsr(0, APIC_ICR, 1ULL << 32 | 0xc500);
	assert_int_equal(umbra_lapic_signals(ap), UMBRA_APIC_INIT);
	assert_int_equal(unit.told[1].woken, 1);
	assert_int_equal(ap->requests, BIT(UMBRA_REQ_HALT));
	unit_wrmsr(0, APIC_ICR, 1ULL << 32 | 0x4600 | 0x9f);
	assert_int_equal(umbra_lapic_signals(ap), UMBRA_APIC_INIT | UMBRA_APIC_SIPI);
	assert_int_equal(umbra_lapic_sipi_vector(ap), 0x9f);
	assert_int_equal(unit.told[1].woken, 2);
	/* A second INIT undoes a SIPI that was for the first. */
	unit_wrmsr(0, APIC_ICR, 1ULL << 32 | 0x500);
	assert_int_equal(umbra_lapic_signals(ap), UMBRA_APIC_INIT);
	assert_int_equal(umbra_lapic_take_signals(ap), UMBRA_APIC_INIT);
	assert_int_equal(umbra_lapic_take_signals(ap), 0);
	umbra_lapic_reset(ap, true);
	unit_wrmsr(0, APIC_ICR, 1ULL << 32 | 0x4600 | 0x10);
	assert_int_equal(umbra_lapic_take_signals(ap), UMBRA_APIC_SIPI);
	assert_int_equal(umbra_lapic_sipi_vector(ap), 0x10);
	assert_int_equal(umbra_lapic_signals(&unit.vcpu[2]), 0);
}

static u64 received(u8 vector)
{
	u64 set = 0;
	int i;

	for (i = 0; i < UNIT_VCPUS; i++)
		if (unit_serve(i) == vector)
			set |= BIT(i);
	return set;
}

static void pv_ipi(void **state)
{
	struct umbra_vcpu *vcpu = &unit.vcpu[0];
	u64 low;
	u32 min;
	int i;

	all_enabled(true);
	for (i = 0; i < 1000; i++) {
		low = random() % 3 ? random() % 256 : (u64)random() << 32 | random();
		min = random() % 16;
		assert_int_equal(umbra_lapic_pv_ipi(vcpu, low, 0, min, 0x77, true),
				 hweight8(low << min));
		assert_int_equal(received(0x77), (low << min) & 0xff);
	}
	/* Words of 32 bits: the second begins where the first ends; nothing is above. */
	assert_int_equal(umbra_lapic_pv_ipi(vcpu, 6ULL << 32 | 1, 0, 0, 0x77, false), 1);
	assert_int_equal(received(0x77), 1);
	assert_int_equal(umbra_lapic_pv_ipi(vcpu, 0, 3, -31u, 0x77, false), 0);
	assert_int_equal(umbra_lapic_pv_ipi(vcpu, -1ULL, -1ULL, 0xffffffff, 0x77, true), 0);
	assert_int_equal(umbra_lapic_pv_ipi(vcpu, -1ULL, -1ULL, 0, 0x400, true), UNIT_VCPUS);
	assert_int_equal(unit.told[3].nmis, 1);
	assert_int_equal(umbra_lapic_pv_ipi(vcpu, 1, 0, 0, 0x40077, true), -KVM_EINVAL);
	assert_int_equal(umbra_lapic_pv_ipi(vcpu, 1, 0, 0, 0x877, true), -KVM_EINVAL);
	assert_int_equal(received(0x77), 0);
}

/* Ids that are not places, and a hypercall for many that do not exist: still one search. */
static void pv_ipi_elsewhere(void **state)
{
	struct umbra_vcpu *vcpu = &unit.vcpu[0];
	int i;

	for (i = 0; i < UNIT_VCPUS; i++) {
		unit.vcpu[i].id = 1000 + 9 * i;
		umbra_lapic_reset(&unit.vcpu[i], false);
	}
	all_enabled(true);
	unit_lookups = 0;
	assert_int_equal(umbra_lapic_pv_ipi(vcpu, -1ULL, -1ULL, 1000, 0x77, true), UNIT_VCPUS);
	assert_in_range(unit_lookups, 1, 128 + UNIT_VCPUS + 1);
	assert_int_equal(received(0x77), 0xff);
	assert_int_equal(umbra_lapic_pv_ipi(vcpu, -1ULL, 0, 1009, 0x77, true), UNIT_VCPUS - 1);
	assert_int_equal(received(0x77), 0xfe);
	assert_int_equal(umbra_lapic_pv_ipi(vcpu, BIT_ULL(63), 0, 1000, 0x77, true), 1);
	assert_int_equal(received(0x77), 0x80);
	assert_int_equal(umbra_lapic_pv_ipi(vcpu, -1ULL, -1ULL, 1064, 0x77, true), 0);
	assert_int_equal(umbra_lapic_pv_ipi(vcpu, -1ULL, -1ULL, 872, 0x77, true), 0);
	assert_int_equal(umbra_lapic_pv_ipi(vcpu, 0, 1, 1000 - 32, 0x77, false), 1);
	assert_int_equal(received(0x77), 1);
	/* One that is off hears nothing. */
	umbra_lapic_set_base(&unit.vcpu[2], UNIT_APIC_BASE, true);
	assert_int_equal(umbra_lapic_pv_ipi(vcpu, -1ULL, -1ULL, 1000, 0x77, true), UNIT_VCPUS - 1);
	assert_int_equal(received(0x77), 0xfb);
	unit_lookups = 0;
	assert_int_equal(umbra_lapic_pv_ipi(vcpu, -1ULL, -1ULL, 2000, 0x77, true), 0);
	assert_in_range(unit_lookups, 0, 128 + UNIT_VCPUS + 1);
}

/* It starts as an xAPIC, whose register is too narrow for its id. */
static void wide_id(void **state)
{
	struct umbra_vcpu *wide = &unit.vcpu[3];
	struct kvm_lapic_state s;

	wide->id = 0x102;
	umbra_lapic_reset(wide, false);
	unit_enable(0, true);
	unit_enable(2, false);
	unit_enable(3, false);
	assert_int_equal(unit_reg(3, APIC_ID), 2 << 24);
	umbra_lapic_get_state(wide, &s);
	assert_int_equal(umbra_lapic_set_state(wide, &s), 0);
	unit_wrmsr(0, APIC_ICR, 0x102ULL << 32 | 0x4500);
	assert_int_equal(umbra_lapic_signals(wide), UMBRA_APIC_INIT);
	assert_int_equal(umbra_lapic_signals(&unit.vcpu[2]), 0);
	unit_wrmsr(0, APIC_ICR, 2ULL << 32 | 0x77);
	assert_true(unit_waits(2, 0x77));
	assert_false(unit_waits(3, 0x77));
}

static void levels(void **state)
{
	struct umbra_irq_msg msg = { .dest = 1, .vector = 0x60, .level = true };

	all_enabled(false);
	assert_int_equal(umbra_apic_deliver(&unit.vm, NULL, &msg), 1);
	assert_int_equal(unit_reg(1, APIC_TMR + 0x30) & 1, 1);
	/* IPIs are edges, whatever bit 15 says. */
	unit_set_reg(0, APIC_ICR2, 1 << 24);
	unit_set_reg(0, APIC_ICR, 0x8000 | 0x61);
	assert_int_equal(unit_reg(1, APIC_TMR + 0x30) & 2, 0);
	assert_int_equal(unit_reg(1, APIC_IRR + 0x30) & 3, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(destinations, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(turns, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(result, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(illegal_vectors, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(nmi_of_disabled, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(init_and_sipi, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(pv_ipi, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(pv_ipi_elsewhere, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(wide_id, setup, unit_teardown),
		cmocka_unit_test_setup_teardown(levels, setup, unit_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
