// SPDX-License-Identifier: GPL-2.0
/*
 * Traces of pages, in every MMU mode: what several owners of one page leave of
 * its mappings, who is told what and when, letting go, and traces over dirty
 * logs, read-only slots, and slots that come and go. Guests run without paging
 * here, so that linear and guest-physical addresses are the same; also where they
 * run on second-level tables for that reason alone.
 */
#include "mmu_lib.h"
#include "mmu/mmu_internal.h"

#define HVA	0x7f0000000000UL
#define GFN	0x205

static struct umbra_vm *vm = &unit.vm;
static struct umbra_vcpu *vcpu = unit.vcpu;

/**
 * struct mine - a trace and what its owner was told
 * @trace: the trace
 * @befores: calls of before(); @afters: of after(); @accesses: of access()
 * @yields: calls of yield()
 * @gpa: of the last call
 * @bytes: of the last call
 * @data: first byte of what the last write stores
 * @remove: a callback removes this trace
 */
struct mine {
	struct umbra_trace trace;
	int befores, afters, accesses, yields;
	gpa_t gpa;
	unsigned int bytes;
	u8 data;
	struct mine *remove;
};

static struct mine *mine_of(const struct umbra_trace *trace)
{
	return container_of(trace, struct mine, trace);
}

static void note(struct mine *m, const struct umbra_traced *a, struct umbra_tlb *tlb)
{
	assert_true(vm->mmu->lock.held);
	assert_int_equal(unit_atomic, 1);
	assert_ptr_equal(a->vcpu, vcpu);
	m->gpa = a->gpa;
	m->bytes = a->bytes;
	m->data = a->data ? *(const u8 *)a->data : 0;
	if (m->remove)
		umbra_trace_remove(vm, &m->remove->trace, tlb);
}

static void before(struct umbra_trace *trace, const struct umbra_traced *a, struct umbra_tlb *tlb)
{
	assert_int_equal(mine_of(trace)->befores++, mine_of(trace)->afters);
	note(mine_of(trace), a, tlb);
}

static void after(struct umbra_trace *trace, const struct umbra_traced *a, struct umbra_tlb *tlb)
{
	mine_of(trace)->afters++;
	note(mine_of(trace), a, tlb);
}

static void on_access(struct umbra_trace *trace, const struct umbra_traced *a,
		      struct umbra_tlb *tlb)
{
	assert_null(a->data);
	mine_of(trace)->accesses++;
	note(mine_of(trace), a, tlb);
}

static bool may_yield(const struct umbra_trace *trace)
{
	return true;
}

static void yield(struct umbra_vm *of, struct umbra_trace *trace, struct umbra_tlb *tlb)
{
	mine_of(trace)->yields++;
	umbra_trace_change(of, trace, 0, tlb);
}

static const struct umbra_tracer firm = {
	.before = before, .after = after, .access = on_access,
};

static const struct umbra_tracer soft = {
	.before = before, .after = after, .access = on_access, .may_yield = may_yield,
	.yield = yield,
};

/* Lets go only where it must. */
static const struct umbra_tracer reluctant = { .after = after, .yield = yield };

/* Run @work as mmu.c does, against processors that keep everything. */
static void locked(void (*work)(struct mine *m, gfn_t gfn, u8 kinds, struct umbra_tlb *tlb),
		   struct mine *m, gfn_t gfn, u8 kinds)
{
	struct umbra_tlb tlb;

	unit_cpus_touch();
	umbra_tlb_begin(&tlb, vm);
	pagefault_disable();
	spin_lock(&vm->mmu->lock);
	work(m, gfn, kinds, &tlb);
	umbra_tlb_flush(&tlb);
	spin_unlock(&vm->mmu->lock);
	pagefault_enable();
	umbra_tlb_end(&tlb);
	assert_true(unit_cpus_agree());
}

static void work_add(struct mine *m, gfn_t gfn, u8 kinds, struct umbra_tlb *tlb)
{
	m->trace.gfn = gfn;
	m->trace.kinds = kinds;
	umbra_trace_add(vm, &m->trace, tlb);
}

static void work_change(struct mine *m, gfn_t gfn, u8 kinds, struct umbra_tlb *tlb)
{
	umbra_trace_change(vm, &m->trace, kinds, tlb);
}

static void work_remove(struct mine *m, gfn_t gfn, u8 kinds, struct umbra_tlb *tlb)
{
	umbra_trace_remove(vm, &m->trace, tlb);
}

static void add(struct mine *m, const struct umbra_tracer *owner, gfn_t gfn, u8 kinds)
{
	*m = (struct mine){ .trace.owner = owner };
	locked(work_add, m, gfn, kinds);
}

static void change(struct mine *m, u8 kinds)
{
	locked(work_change, m, 0, kinds);
}

static void drop(struct mine *m)
{
	locked(work_remove, m, 0, 0);
}

static int fault(gfn_t gfn, u32 access)
{
	struct umbra_walk w;
	int ret;

	assert_int_equal(unit_serve(vcpu), 0);
	if (unit_on_nested(vcpu))
		return umbra_mmu_fault(vcpu, gfn_to_gpa(gfn), access, false);
	ret = umbra_mmu_page_fault(vcpu, gfn_to_gpa(gfn), access, false, &w);
	assert_int_equal(w.gpa, gfn_to_gpa(gfn));
	return ret;
}

static int level_of(gfn_t gfn)
{
	int level;

	return unit_lookup(gfn, &level) ? level : 0;
}

static bool writable(gfn_t gfn)
{
	int level;

	return unit_lookup(gfn, &level) & E_W;
}

static void must_map(gfn_t gfn, u32 access, int level)
{
	assert_int_equal(fault(gfn, access), UMBRA_MMU_RETRY);
	assert_int_equal(level_of(gfn), level);
}

static u8 kinds_at(gfn_t gfn)
{
	u8 kinds;

	vm->mmu->lock.held = true;
	kinds = umbra_trace_kinds(vm, umbra_gfn_to_slot(vm, gfn), gfn);
	vm->mmu->lock.held = false;
	return kinds;
}

static void guest_write(gfn_t gfn, u8 val)
{
	umbra_mmu_guest_write(vcpu, gfn_to_gpa(gfn) + 8, &val, 1, false);
	umbra_mmu_guest_write(vcpu, gfn_to_gpa(gfn) + 8, &val, 1, true);
}

static void test_write_trace(void **state)
{
	struct mine m;

	unit_slot(0, 0, 0x1000, HVA, 0);
	must_map(GFN, UMBRA_ACC_WRITE, 1);
	must_map(GFN + 1, UMBRA_ACC_WRITE, 1);
	add(&m, &firm, GFN, UMBRA_TRACE_WRITE);
	assert_false(writable(GFN));
	assert_true(writable(GFN + 1));
	assert_int_equal(fault(GFN, UMBRA_ACC_WRITE), UMBRA_MMU_EMULATE);
	must_map(GFN, UMBRA_ACC_READ, 1);
	must_map(GFN, UMBRA_ACC_EXEC, 1);
	assert_false(writable(GFN));
	drop(&m);
	must_map(GFN, UMBRA_ACC_WRITE, 1);
	assert_true(writable(GFN));
}

static void test_access_trace(void **state)
{
	struct mine m;

	unit_slot(0, 0, 0x1000, HVA, 0);
	must_map(GFN, UMBRA_ACC_WRITE, 1);
	add(&m, &firm, GFN, UMBRA_TRACE_ACCESS);
	assert_int_equal(level_of(GFN), 0);
	assert_int_equal(fault(GFN, UMBRA_ACC_READ), UMBRA_MMU_EMULATE);
	assert_int_equal(fault(GFN, UMBRA_ACC_EXEC), UMBRA_MMU_EMULATE);
	assert_int_equal(fault(GFN, UMBRA_ACC_WRITE), UMBRA_MMU_EMULATE);
	assert_int_equal(level_of(GFN), 0);
	drop(&m);
	must_map(GFN, UMBRA_ACC_READ, 1);
}

/* What one owner wants holds until the last who wants it is gone. */
static void test_union(void **state)
{
	struct mine a, b, c;

	unit_slot(0, 0, 0x1000, HVA, 0);
	add(&a, &firm, GFN, UMBRA_TRACE_WRITE);
	add(&b, &firm, GFN, UMBRA_TRACE_WRITE);
	add(&c, &firm, GFN, UMBRA_TRACE_ACCESS);
	assert_int_equal(kinds_at(GFN), UMBRA_TRACE_WRITE | UMBRA_TRACE_ACCESS);
	assert_int_equal(kinds_at(GFN + 1), 0);
	drop(&a);
	assert_int_equal(kinds_at(GFN), UMBRA_TRACE_WRITE | UMBRA_TRACE_ACCESS);
	drop(&c);
	assert_int_equal(kinds_at(GFN), UMBRA_TRACE_WRITE);
	must_map(GFN, UMBRA_ACC_READ, 1);
	assert_int_equal(fault(GFN, UMBRA_ACC_WRITE), UMBRA_MMU_EMULATE);
	change(&b, UMBRA_TRACE_WRITE | UMBRA_TRACE_ACCESS);
	assert_int_equal(level_of(GFN), 0);
	change(&b, 0);
	must_map(GFN, UMBRA_ACC_WRITE, 1);
	assert_true(writable(GFN));
	/* Wants nothing now, but is told of what the emulator does. */
	guest_write(GFN, 5);
	assert_int_equal(b.befores, 1);
	assert_int_equal(a.befores, 0);
	drop(&b);
	guest_write(GFN, 5);
	assert_int_equal(b.befores, 1);
}

static void test_large(void **state)
{
	struct mine a, b;

	unit_slot(0, 0, 0x1000, HVA, 0);
	unit.host_level = 2;
	must_map(GFN, UMBRA_ACC_WRITE, 2);
	must_map(0x400, UMBRA_ACC_WRITE, 2);
	add(&a, &firm, GFN, UMBRA_TRACE_WRITE);
	assert_int_equal(level_of(GFN), 0);
	assert_int_equal(level_of(0x400), 2);
	add(&b, &firm, GFN + 9, UMBRA_TRACE_WRITE);
	must_map(GFN, UMBRA_ACC_READ, 1);
	must_map(GFN + 1, UMBRA_ACC_WRITE, 1);
	assert_int_equal(fault(GFN + 9, UMBRA_ACC_WRITE), UMBRA_MMU_EMULATE);
	drop(&a);
	must_map(GFN + 2, UMBRA_ACC_WRITE, 1);
	/* The last trace of the 2 MiB goes: a large mapping may come back. */
	drop(&b);
	must_map(GFN + 3, UMBRA_ACC_WRITE, 2);
	assert_int_equal(level_of(GFN + 9), 2);
	assert_true(writable(GFN));
}

static void test_callbacks(void **state)
{
	struct mine w, x;
	u64 val = 0x77;

	unit_slot(0, 0, 0x1000, HVA, 0);
	add(&w, &firm, GFN, UMBRA_TRACE_WRITE);
	add(&x, &firm, GFN, UMBRA_TRACE_ACCESS);
	umbra_mmu_guest_write(vcpu, gfn_to_gpa(GFN) + 0x123, &val, 8, false);
	assert_int_equal(w.befores, 1);
	assert_int_equal(w.afters, 0);
	assert_int_equal(w.gpa, gfn_to_gpa(GFN) + 0x123);
	assert_int_equal(w.bytes, 8);
	assert_int_equal(w.data, 0x77);
	umbra_mmu_guest_write(vcpu, gfn_to_gpa(GFN) + 0x123, &val, 8, true);
	assert_int_equal(w.afters, 1);
	assert_int_equal(x.afters, 1);
	/* Reads are told to those who want accesses alone. */
	umbra_mmu_guest_read(vcpu, gfn_to_gpa(GFN) + 4, 2);
	assert_int_equal(x.accesses, 1);
	assert_int_equal(x.bytes, 2);
	assert_int_equal(w.accesses, 0);
	/* Neighbours are nobody's business. */
	guest_write(GFN + 1, 1);
	umbra_mmu_guest_read(vcpu, gfn_to_gpa(GFN - 1), 8);
	assert_int_equal(w.befores, 1);
	assert_int_equal(x.accesses, 1);
	drop(&w);
	drop(&x);
}

/* A callback may end any trace: its own, one that was told, one that was not. */
static void test_callback_removes(void **state)
{
	struct mine a, b, c;
	int i, told;

	unit_slot(0, 0, 0x1000, HVA, 0);
	for (i = 0; i < 3; i++) {
		add(&a, &firm, GFN, UMBRA_TRACE_WRITE);
		add(&b, &firm, GFN, UMBRA_TRACE_WRITE);
		add(&c, &firm, GFN, UMBRA_TRACE_WRITE);
		b.remove = i == 0 ? &a : i == 1 ? &b : &c;
		umbra_mmu_guest_write(vcpu, gfn_to_gpa(GFN), &(u8){ 1 }, 1, false);
		told = a.befores + b.befores + c.befores;
		assert_int_equal(b.befores, 1);
		assert_in_range(told, 2, 3);
		b.remove = NULL;
		drop(&a);
		drop(&b);
		drop(&c);
		assert_int_equal(kinds_at(GFN), 0);
	}
}

static void test_yield(void **state)
{
	struct mine a, b;

	unit_slot(0, 0, 0x1000, HVA, 0);
	add(&a, &soft, GFN, UMBRA_TRACE_WRITE);
	must_map(GFN, UMBRA_ACC_WRITE, 1);
	assert_int_equal(a.yields, 1);
	assert_true(writable(GFN));
	change(&a, UMBRA_TRACE_WRITE);
	assert_false(writable(GFN));
	/* All must be willing, or nobody is asked to let go. */
	add(&b, &reluctant, GFN, UMBRA_TRACE_WRITE);
	assert_int_equal(fault(GFN, UMBRA_ACC_WRITE), UMBRA_MMU_EMULATE);
	assert_int_equal(a.yields, 1);
	assert_true(umbra_mmu_unprotect(vcpu, gfn_to_gpa(GFN)));
	assert_int_equal(a.yields, 2);
	assert_int_equal(b.yields, 1);
	must_map(GFN, UMBRA_ACC_WRITE, 1);
	drop(&b);
	add(&b, &firm, GFN, UMBRA_TRACE_WRITE);
	assert_false(umbra_mmu_unprotect(vcpu, gfn_to_gpa(GFN)));
	assert_false(umbra_mmu_unprotect(vcpu, gfn_to_gpa(0x5000)));
	drop(&a);
	drop(&b);
}

static void test_dirty_log(void **state)
{
	struct umbra_memslot *slot = unit_slot(0, 0, 0x1000, HVA, 0);
	struct mine a;

	unit.host_level = 2;
	must_map(GFN, UMBRA_ACC_WRITE, 2);
	unit_cpus_touch();
	slot = unit_slot_log(slot, true);
	assert_true(unit_cpus_agree());
	assert_int_equal(kinds_at(GFN), UMBRA_TRACE_WRITE);
	add(&a, &firm, GFN, UMBRA_TRACE_WRITE);
	/* Refused for the trace: the log must not call it written. */
	assert_int_equal(fault(GFN, UMBRA_ACC_WRITE), UMBRA_MMU_EMULATE);
	assert_false(test_bit(GFN, slot->dirty));
	drop(&a);
	add(&a, &soft, GFN, UMBRA_TRACE_WRITE);
	must_map(GFN, UMBRA_ACC_READ, 1);
	assert_false(writable(GFN));
	assert_int_equal(a.yields, 0);
	must_map(GFN, UMBRA_ACC_WRITE, 1);
	assert_int_equal(a.yields, 1);
	assert_true(test_bit(GFN, slot->dirty));
	unit_cpus_touch();
	assert_true(unit_slot_get_log(slot));
	assert_true(unit_cpus_agree());
	assert_false(writable(GFN));
	drop(&a);
	free(slot->dirty);
	slot->dirty = NULL;
}

static void test_read_only(void **state)
{
	struct mine a;

	unit_slot(0, 0, 0x1000, HVA, KVM_MEM_READONLY);
	add(&a, &soft, GFN, UMBRA_TRACE_WRITE);
	must_map(GFN, UMBRA_ACC_READ, 1);
	assert_false(writable(GFN));
	/* For a device, whatever owners would allow. */
	assert_int_equal(fault(GFN, UMBRA_ACC_WRITE), UMBRA_MMU_MMIO);
	assert_false(umbra_mmu_unprotect(vcpu, gfn_to_gpa(GFN)));
	assert_int_equal(a.yields, 0);
	drop(&a);
	assert_int_equal(kinds_at(GFN), UMBRA_TRACE_WRITE);
}

/* A trace outlives slots: it holds as soon as memory is there again. */
static void test_slots(void **state)
{
	struct umbra_memslot *slot = unit_slot(0, 0, 0x400, HVA, 0);
	struct mine a, b;

	add(&a, &firm, GFN, UMBRA_TRACE_WRITE);
	add(&b, &firm, GFN + 0x400, UMBRA_TRACE_ACCESS);
	must_map(GFN, UMBRA_ACC_READ, 1);
	unit_cpus_touch();
	unit_slot_delete(slot);
	assert_true(unit_cpus_agree());
	assert_int_equal(level_of(GFN), 0);
	guest_write(GFN, 1);
	assert_int_equal(a.befores, 0);
	slot = unit_slot(1, 0x200, 0x800, HVA, 0);
	assert_int_equal(fault(GFN, UMBRA_ACC_WRITE), UMBRA_MMU_EMULATE);
	assert_int_equal(fault(GFN + 0x400, UMBRA_ACC_READ), UMBRA_MMU_EMULATE);
	guest_write(GFN, 1);
	assert_int_equal(a.befores, 1);
	unit_cpus_touch();
	slot = unit_slot_move(slot, 0x600);
	assert_true(unit_cpus_agree());
	drop(&a);
	assert_int_equal(fault(GFN + 0x400, UMBRA_ACC_READ), UMBRA_MMU_EMULATE);
	drop(&b);
	must_map(GFN + 0x400, UMBRA_ACC_WRITE, 1);
}

/* Each mode, and for guests without paging the same on second-level tables. */
static const struct {
	const char *name;
	enum umbra_mmu_mode mode;
	const struct umbra_host_caps *caps;
} hosts[] = {
	{ "mmu_trace (nested)", UMBRA_MMU_NESTED, &unit_npt },
	{ "mmu_trace (nested, EPT)", UMBRA_MMU_NESTED, &unit_ept },
	{ "mmu_trace (shadow)", UMBRA_MMU_SHADOW, &unit_npt },
	{ "mmu_trace (shadow, EPT)", UMBRA_MMU_SHADOW, &unit_ept_unpaged },
	{ "mmu_trace (vtlb)", UMBRA_MMU_VTLB, &unit_npt },
	{ "mmu_trace (vtlb, EPT)", UMBRA_MMU_VTLB, &unit_ept_unpaged },
};

static int host;

static int setup(void **state)
{
	unit_caps = *hosts[host].caps;
	return unit_setup_mode(hosts[host].mode, 1);
}

#define TEST(f)		cmocka_unit_test_setup_teardown(f, setup, unit_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_write_trace), TEST(test_access_trace), TEST(test_union),
		TEST(test_large), TEST(test_callbacks), TEST(test_callback_removes),
		TEST(test_yield), TEST(test_dirty_log), TEST(test_read_only), TEST(test_slots),
	};
	int failed = 0;

	for (host = 0; host < ARRAY_SIZE(hosts); host++)
		failed |= cmocka_run_group_tests_name(hosts[host].name, tests, NULL, NULL);
	return failed;
}
