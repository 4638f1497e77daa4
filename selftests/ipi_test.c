// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts between processors: every kind of destination in the flat, the cluster and the
 * x2APIC model, delivery modes, errors. One vCPU sends, the others sleep in HLT.
 */
#include <kselftest_harness.h>
#include "irq.h"

#define NCPUS		4
#define ALL		((1u << NCPUS) - 1)
#define VECTOR		0x70
#define FENCE_VECTOR	0x35	/* of lower priority: taken behind the one under test */
#define ASSERTED	UT_ICR_ASSERT
#define LOGICAL		(UT_DEST_LOGICAL | ASSERTED)
#define ROUNDS		300

enum model { FLAT, CLUSTER, X2APIC };

/* In the guest. */
static u64 model, ready, stop, doubled, nmis[UT_MAX_VCPUS];

FIXTURE(ipi) {
	struct ut_vm *vm;
};

FIXTURE_SETUP(ipi)
{
	self->vm = ut_irq_vm();
}

FIXTURE_TEARDOWN(ipi)
{
	ut_vm_free(self->vm);
}

static void count_nmi(struct ut_ex_regs *regs)
{
	(void)regs;
	__atomic_fetch_add(&nmis[guest_cpu()], 1, __ATOMIC_SEQ_CST);
}

/* Cluster model: CPUs 0 and 1 are in cluster 1, 2 and 3 in cluster 2. */
static void set_up(int cpu)
{
	switch (ut_read_once(model)) {
	case FLAT:
		guest_apic_write(UT_APIC_DFR, 0xffffffff);
		guest_apic_write(UT_APIC_LDR, 1u << (24 + cpu));
		break;
	case CLUSTER:
		guest_apic_write(UT_APIC_DFR, 0x0fffffff);
		guest_apic_write(UT_APIC_LDR, (0x10u << cpu / 2 | 1u << cpu % 2) << 24);
		break;
	default:
		guest_x2apic_on();
	}
	guest_apic_on();
	__atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
}

static void guest_receiver(void)
{
	set_up(guest_cpu());
	while (!ut_read_once(stop)) {
		guest_sti_hlt();
		guest_cli();
	}
	guest_done();
}

static void wait_for_receivers(void)
{
	set_up(guest_cpu());
	while (ut_read_once(ready) < NCPUS)
		guest_pause();
}

static void end_receivers(void)
{
	ut_write_once(stop, 1);
	guest_apic_icr(0, UT_ICR_OTHERS | ASSERTED | FENCE_VECTOR);
	guest_done();
}

/* Everybody has taken what was sent before this. */
static void fence(void)
{
	u64 n = guest_hits(FENCE_VECTOR) + 1;
	int cpu;

	guest_apic_icr(0, UT_ICR_ALL | ASSERTED | FENCE_VECTOR);
	guest_sti();
	for (cpu = 0; cpu < NCPUS; cpu++)
		while (guest_hits_of(cpu, FENCE_VECTOR) < n)
			guest_pause();
	guest_cli();
}

/* Count what came more than once for the test: see ut_counted(). */
static u64 once(u64 hits)
{
	if (hits > 1)
		ut_write_once(doubled, doubled + hits - 1);
	return !!hits;
}

/* It arrives once at each CPU of @mask and nowhere else. */
static void expect(int line, u32 dest, u32 low, u32 mask)
{
	int cpu, vector = low & 0xff;
	u64 before[NCPUS];

	for (cpu = 0; cpu < NCPUS; cpu++)
		before[cpu] = guest_hits_of(cpu, vector);
	guest_apic_icr(dest, low);
	fence();
	for (cpu = 0; cpu < NCPUS; cpu++)
		if (once(guest_hits_of(cpu, vector) - before[cpu]) != (mask >> cpu & 1))
			guest_abort("wrong destination: CPU, ICR", __FILE__, line, cpu, low);
}

#define EXPECT_AT(dest, low, mask)	expect(__LINE__, dest, (low) | VECTOR, mask)

/* It arrives at one of @mask. */
static void expect_one(int line, u32 dest, u32 low, u32 mask)
{
	u64 before[NCPUS], arrived = 0;
	int cpu;

	for (cpu = 0; cpu < NCPUS; cpu++)
		before[cpu] = guest_hits_of(cpu, VECTOR);
	guest_apic_icr(dest, low | UT_DM_LOWEST | VECTOR);
	fence();
	for (cpu = 0; cpu < NCPUS; cpu++) {
		before[cpu] = once(guest_hits_of(cpu, VECTOR) - before[cpu]);
		if (before[cpu] && !(mask >> cpu & 1))
			guest_abort("wrong destination: CPU, ICR", __FILE__, line, cpu, low);
		arrived += before[cpu];
	}
	if (arrived != 1)
		guest_abort("lowest priority: arrived, ICR", __FILE__, line, arrived, low);
}

static void start(struct ut_vm *vm, struct ut_runner **runner, void *fn, u64 value)
{
	int i;

	model = value;
	ut_push_var(vm, model);
	ut_set_handler(vm, UT_NMI_VECTOR, count_nmi);
	ut_vcpu_long(vm, 0, fn);
	for (i = 1; i < NCPUS; i++)
		runner[i] = ut_runner_start(ut_vcpu_long(vm, i, guest_receiver));
}

static void run(struct ut_vm *vm, void *fn, u64 value)
{
	struct ut_runner *runner[NCPUS];
	int i;

	start(vm, runner, fn, value);
	ut_until(vm->vcpu[0], UT_UNTIL_DONE);
	for (i = 1; i < NCPUS; i++)
		if (ut_runner_join(runner[i]) != UT_DONE)
			ut_die("vCPU %d has not come to its end", i);
	if (!ut_counted(*ut_guest_var(vm, doubled), 0))
		ut_die("%lu interrupts too many", *ut_guest_var(vm, doubled));
}

static void physical_and_shorthands(u32 everybody)
{
	u32 cpu;

	for (cpu = 0; cpu < NCPUS; cpu++)
		EXPECT_AT(cpu, ASSERTED, 1u << cpu);
	EXPECT_AT(NCPUS, ASSERTED, 0);
	EXPECT_AT(everybody, ASSERTED, ALL);
	EXPECT_AT(0, UT_ICR_SELF | ASSERTED, 1);
	EXPECT_AT(0, UT_ICR_ALL | ASSERTED, ALL);
	EXPECT_AT(0, UT_ICR_OTHERS | ASSERTED, ALL & ~1u);
	/* With a shorthand the rest of the destination means nothing. */
	EXPECT_AT(2, UT_ICR_SELF | LOGICAL, 1);
	EXPECT_AT(1, UT_ICR_OTHERS | LOGICAL, ALL & ~1u);
}

static void guest_flat(void)
{
	u32 mask;

	wait_for_receivers();
	physical_and_shorthands(0xff);
	for (mask = 0; mask <= ALL; mask++)
		EXPECT_AT(mask, LOGICAL, mask);
	EXPECT_AT(0xf0, LOGICAL, 0);
	EXPECT_AT(0xff, LOGICAL, ALL);
	for (mask = 1; mask <= ALL; mask++)
		expect_one(__LINE__, mask, LOGICAL, mask);
	for (mask = 0; mask < NCPUS; mask++)
		expect_one(__LINE__, mask, ASSERTED, 1u << mask);
	end_receivers();
}

TEST_F_TIMEOUT(ipi, flat, UT_IRQ_TIMEOUT)
{
	run(self->vm, guest_flat, FLAT);
}

static void guest_cluster(void)
{
	u32 mask;

	wait_for_receivers();
	physical_and_shorthands(0xff);
	for (mask = 0; mask < 4; mask++) {
		EXPECT_AT(0x10 | mask, LOGICAL, mask);
		EXPECT_AT(0x20 | mask, LOGICAL, mask << 2);
		EXPECT_AT(0x30 | mask, LOGICAL, 0);
	}
	EXPECT_AT(0x1f, LOGICAL, 3);
	EXPECT_AT(0x1c, LOGICAL, 0);
	EXPECT_AT(0xff, LOGICAL, ALL);
	for (mask = 1; mask < 4; mask++) {
		expect_one(__LINE__, 0x10 | mask, LOGICAL, mask);
		expect_one(__LINE__, 0x20 | mask, LOGICAL, mask << 2);
	}
	end_receivers();
}

TEST_F_TIMEOUT(ipi, cluster, UT_IRQ_TIMEOUT)
{
	run(self->vm, guest_cluster, CLUSTER);
}

static void guest_x2apic(void)
{
	u32 mask;

	wait_for_receivers();
	physical_and_shorthands(0xffffffff);
	/* No broadcast any more, but an ID. */
	EXPECT_AT(0xff, ASSERTED, 0);
	EXPECT_AT(0x100, ASSERTED, 0);
	for (mask = 0; mask <= ALL; mask++)
		EXPECT_AT(mask, LOGICAL, mask);
	EXPECT_AT(0x1000f, LOGICAL, 0);
	EXPECT_AT(0xfff0, LOGICAL, 0);
	EXPECT_AT(0xffffffff, LOGICAL, ALL);
	for (mask = 1; mask <= ALL; mask++)
		expect_one(__LINE__, mask, LOGICAL, mask);
	end_receivers();
}

TEST_F_TIMEOUT(ipi, x2apic, UT_IRQ_TIMEOUT)
{
	run(self->vm, guest_x2apic, X2APIC);
}

/* Not maskable, wakes from HLT, needs no EOI; the vector means nothing. */
static void guest_nmi(void)
{
	u64 i;
	int cpu;

	wait_for_receivers();
	for (i = 1; i <= 20; i++) {
		guest_apic_icr(i % 3 + 1, UT_DM_NMI | ASSERTED | i);
		while (ut_read_once(nmis[i % 3 + 1]) < (i + 2) / 3)
			guest_pause();
	}
	for (cpu = 1; cpu < NCPUS; cpu++)
		ut_write_once(nmis[cpu], 0);
	guest_apic_icr(0, UT_ICR_OTHERS | UT_DM_NMI | ASSERTED);
	for (cpu = 1; cpu < NCPUS; cpu++)
		while (!ut_read_once(nmis[cpu]))
			guest_pause();
	fence();
	GUEST_ASSERT_EQ(ut_read_once(nmis[0]), 0);
	guest_apic_icr(0, UT_DM_NMI | ASSERTED);
	while (!ut_read_once(nmis[0]))
		guest_pause();
	for (cpu = 0; cpu < NCPUS; cpu++)
		GUEST_ASSERT_EQ(ut_read_once(nmis[cpu]), 1);
	end_receivers();
}

TEST_F_TIMEOUT(ipi, nmi, UT_IRQ_TIMEOUT)
{
	run(self->vm, guest_nmi, FLAT);
}

TEST_F_TIMEOUT(ipi, nmi_x2apic, UT_IRQ_TIMEOUT)
{
	run(self->vm, guest_nmi, X2APIC);
}

/* Vectors 0 to 15 are not for interrupts: never delivered, at most ESR tells. */
static void guest_illegal(void)
{
	u32 v, esr;
	int cpu;

	wait_for_receivers();
	guest_apic_write(UT_APIC_ESR, 0);
	for (v = 0; v < 16; v++)
		if (v != UT_NMI_VECTOR)
			guest_set_handler(v, guest_irq_count);
	for (v = 0; v < 16; v++)
		guest_apic_icr(0, UT_ICR_ALL | ASSERTED | v);
	fence();
	guest_apic_write(UT_APIC_ESR, 0);
	esr = guest_apic_read(UT_APIC_ESR);
	GUEST_ASSERT(!(esr & ~(BIT_ULL(5) | BIT_ULL(6))));
	for (cpu = 0; cpu < NCPUS; cpu++) {
		GUEST_ASSERT_EQ(ut_read_once(nmis[cpu]), 0);
		for (v = 0; v < 16; v++)
			GUEST_ASSERT_EQ(guest_hits_of(cpu, v), 0);
	}
	/* Read once, gone. */
	guest_apic_write(UT_APIC_ESR, 0);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_ESR), 0);
	end_receivers();
}

TEST_F_TIMEOUT(ipi, illegal_vectors, UT_IRQ_TIMEOUT)
{
	run(self->vm, guest_illegal, FLAT);
}

/* Disabled by software the others hear NMIs and nothing fixed. */
static void guest_deaf(void)
{
	guest_apic_write(UT_APIC_LDR, 1u << (24 + guest_cpu()));
	guest_apic_on();
	guest_apic_write(UT_APIC_SVR, UT_SPURIOUS_VECTOR);
	__atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
	guest_sti();
	while (!ut_read_once(nmis[guest_cpu()]))
		guest_pause();
	guest_cli();
	GUEST_ASSERT_EQ(guest_hits(VECTOR), 0);
	GUEST_ASSERT(!guest_apic_bit(UT_APIC_IRR, VECTOR));
	guest_done();
}

static void guest_to_the_deaf(void)
{
	wait_for_receivers();
	guest_apic_icr(0, UT_ICR_OTHERS | ASSERTED | VECTOR);
	guest_apic_icr(2, ASSERTED | VECTOR);
	guest_apic_icr(0xf, LOGICAL | VECTOR);
	guest_apic_icr(0, UT_ICR_OTHERS | UT_DM_NMI | ASSERTED);
	guest_done();
}

TEST_F_TIMEOUT(ipi, software_disabled, UT_IRQ_TIMEOUT)
{
	struct ut_runner *runner[NCPUS];
	int i;

	ut_set_handler(self->vm, UT_NMI_VECTOR, count_nmi);
	ut_vcpu_long(self->vm, 0, guest_to_the_deaf);
	for (i = 1; i < NCPUS; i++)
		runner[i] = ut_runner_start(ut_vcpu_long(self->vm, i, guest_deaf));
	ut_until(self->vm->vcpu[0], UT_UNTIL_DONE);
	for (i = 1; i < NCPUS; i++)
		EXPECT_EQ(UT_DONE, ut_runner_join(runner[i]));
}

/* To and fro, both asleep while they wait: nothing is lost, nothing doubled. */
static void answer(struct ut_ex_regs *regs)
{
	guest_irq_eoi(regs);
	guest_apic_icr(0, ASSERTED | VECTOR);
}

static void guest_ping(void)
{
	u64 i;

	wait_for_receivers();
	guest_set_handler(VECTOR + 1, answer);
	for (i = 0; i < ROUNDS; i++) {
		guest_apic_icr(i % (NCPUS - 1) + 1, ASSERTED | (VECTOR + 1));
		while (guest_hits(VECTOR) <= i) {
			guest_sti_hlt();
			guest_cli();
		}
	}
	end_receivers();
}

TEST_F_TIMEOUT(ipi, to_and_fro, UT_IRQ_TIMEOUT)
{
	run(self->vm, guest_ping, FLAT);
	ASSERT_TRUE(ut_counted(ut_hits(self->vm, 1, VECTOR + 1), ROUNDS / (NCPUS - 1)));
}

TEST_F_TIMEOUT(ipi, to_and_fro_x2apic, UT_IRQ_TIMEOUT)
{
	run(self->vm, guest_ping, X2APIC);
	ASSERT_TRUE(ut_counted(ut_hits(self->vm, 3, VECTOR + 1), ROUNDS / (NCPUS - 1)));
}

TEST_HARNESS_MAIN
