// SPDX-License-Identifier: GPL-2.0
/*
 * What memory costs a guest: each case does one thing N times and 2N times, each time in a
 * new VM, and the difference by N is the price of the thing, in ticks of the TSC. With
 * scripts/lab --icount a tick is one instruction that the emulated host executes.
 *
 * usage: mmu_bench [CASE...]; one line for each case: name, ticks, exits, description.
 * Judges nothing: see scripts/bench.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "bench.h"
#include "umbra_util.h"

#define FRAMES_GPA	0x10000000ull	/* slot 1: what the pages under test map */
#define NR_FRAMES	4096ull
#define PAGES_GVA	0x40000000ull	/* the pages under test, AREA bytes to a leaf table */
#define NR_AREAS	64ull
#define AREA		0x200000ull
#define AREA_PAGES	512ull
/* KVM maps the neighbours of a page at the same time: go beyond them. */
#define STRIDE		16ull
#define TOUCHES		(AREA_PAGES / STRIDE - 1)
#define NR_ROOTS	8
#define PTE_FLAGS	(UT_PTE_P | UT_PTE_W | UT_PTE_A | UT_PTE_D)

/* What the host has built, for the guest; gpa = gva of tables. */
static struct {
	u64 *directory;			/* entry i maps area i */
	u64 leaf[NR_AREAS];
	u64 root[NR_ROOTS];
} env;

static inline u64 tsc(void)
{
	u32 lo, hi;

	asm volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return lo | (u64)hi << 32;
}

static u64 page(u64 area, u64 nr)
{
	return PAGES_GVA + area * AREA + nr * UT_PAGE_SIZE;
}

static u64 *pte(u64 area, u64 nr)
{
	return (u64 *)env.leaf[area] + nr;
}

/* Link the leaf tables of all areas. */
static void warm_areas(void)
{
	u64 area;

	for (area = 0; area < NR_AREAS; area++)
		guest_read8(page(area, 0));
}

/* ---- one function for each case: do it n times, report the ticks, do not return ---- */

/* What was prepared does not count. */
static u64 begin(void)
{
	guest_sync(0);
	return tsc();
}

static void report(u64 start)
{
	guest_sync_args(1, tsc() - start, 0, 0);
	guest_done();
}

static void touch_spread(u64 n, u64 first)
{
	u64 i;

	for (i = 0; i < n; i++)
		guest_read8(page(i / TOUCHES, first + (i % TOUCHES) * STRIDE));
}

static void hidden(u64 n)
{
	u64 start;

	warm_areas();
	start = begin();
	touch_spread(n, STRIDE);
	report(start);
}

static void hidden_row(u64 n)
{
	u64 start, i;

	warm_areas();
	start = begin();
	for (i = 0; i < n; i++)
		guest_read8(page(i / 256, 256 + i % 256));
	report(start);
}

static void new_table(u64 n)
{
	u64 start, i;

	guest_read8(page(0, 0));
	start = begin();
	for (i = 0; i < n; i++)
		guest_read8(page(1 + i, 0));
	report(start);
}

/* The host has left the dirty bits clear, and accessed bits set. */
static void dirty(u64 n)
{
	u64 start, i;

	warm_areas();
	touch_spread(n, STRIDE);
	start = begin();
	for (i = 0; i < n; i++)
		guest_write8(page(i / TOUCHES, (1 + i % TOUCHES) * STRIDE), 1);
	report(start);
}

static void leaf_write(u64 n)
{
	u64 start, i;

	guest_read8(page(0, 1));
	guest_write64((u64)pte(0, 2), 0);
	start = begin();
	for (i = 0; i < n; i++)
		guest_write64((u64)pte(0, 3 + i % 256), 0);
	report(start);
}

/* A new mapping: no flush is needed, a fault brings it. */
static void map_touch(u64 n)
{
	u64 start, i, nr;

	warm_areas();
	for (i = 0; i < n; i++)
		guest_write64((u64)pte(i / TOUCHES, (1 + i % TOUCHES) * STRIDE), 0);
	guest_write_cr3(env.root[0]);
	warm_areas();
	start = begin();
	for (i = 0; i < n; i++) {
		nr = (1 + i % TOUCHES) * STRIDE;
		guest_write64((u64)pte(i / TOUCHES, nr), (FRAMES_GPA + i % NR_FRAMES * 4096) |
			      PTE_FLAGS);
		guest_read8(page(i / TOUCHES, nr));
	}
	report(start);
}

static void remap_invlpg(u64 n)
{
	u64 start, i;

	guest_read8(page(0, 1));
	start = begin();
	for (i = 0; i < n; i++) {
		guest_write64((u64)pte(0, 1), (FRAMES_GPA + (i & 1) * 4096) | PTE_FLAGS);
		guest_invlpg(page(0, 1));
		guest_read8(page(0, 1));
	}
	report(start);
}

static void remap_cr3(u64 n)
{
	u64 start, i;

	guest_read8(page(0, 1));
	start = begin();
	for (i = 0; i < n; i++) {
		guest_write64((u64)pte(0, 1), (FRAMES_GPA + (i & 1) * 4096) | PTE_FLAGS);
		guest_write_cr3(env.root[0]);
		guest_read8(page(0, 1));
	}
	report(start);
}

/* Many tables are written before one flush, as fork() does. */
static void remap_tables(u64 n)
{
	u64 start, i, k;

	warm_areas();
	start = begin();
	for (i = 0; i < n; i++) {
		guest_write64((u64)pte(i % 32, 1), (FRAMES_GPA + (i & 1) * 4096) | PTE_FLAGS);
		if (i % 32 != 31)
			continue;
		guest_write_cr3(env.root[0]);
		for (k = 0; k < 32; k++)
			guest_read8(page(k, 1));
	}
	report(start);
}

static void upper_write(u64 n)
{
	u64 start, i;

	warm_areas();
	start = begin();
	for (i = 0; i < n; i++) {
		guest_write64((u64)&env.directory[2], env.leaf[i & 1] | PTE_FLAGS);
		guest_invlpg(page(2, 1));
		guest_read8(page(2, 1));
	}
	report(start);
}

static void upper_alone(u64 n)
{
	u64 start, i, entry;

	warm_areas();
	start = begin();
	for (i = 0; i < n; i++) {
		entry = i & 32 ? env.leaf[2] | PTE_FLAGS : 0;
		guest_write64((u64)&env.directory[2 + i % 32], entry);
	}
	report(start);
}

static void switch_roots(u64 n, u64 roots, u64 pages)
{
	u64 start, i, k;

	for (i = 0; i < 2 * roots; i++) {
		guest_write_cr3(env.root[i % roots]);
		for (k = 0; k < pages; k++)
			guest_read8(page(0, k));
	}
	start = begin();
	for (i = 0; i < n; i++) {
		guest_write_cr3(env.root[i % roots]);
		for (k = 0; k < pages; k++)
			guest_read8(page(0, k));
	}
	report(start);
}

static void cr3_2(u64 n)
{
	switch_roots(n, 2, 0);
}

static void cr3_8(u64 n)
{
	switch_roots(n, NR_ROOTS, 0);
}

static void cr3_touch(u64 n)
{
	switch_roots(n, 2, 16);
}

static void invlpg(u64 n)
{
	u64 start, i;

	guest_read8(page(0, 1));
	start = begin();
	for (i = 0; i < n; i++)
		guest_invlpg(page(0, 1));
	report(start);
}

static void invlpg_touch(u64 n)
{
	u64 start, i;

	guest_read8(page(0, 1));
	start = begin();
	for (i = 0; i < n; i++) {
		guest_invlpg(page(0, 1));
		guest_read8(page(0, 1));
	}
	report(start);
}

static void cpuid(u64 n)
{
	u32 eax = 0, ecx = 0;
	u64 start, i;

	start = begin();
	for (i = 0; i < n; i++, eax = 0)
		asm volatile("cpuid" : "+a"(eax), "+c"(ecx) : : "rbx", "rdx");
	report(start);
}

static void fault_absent(u64 n)
{
	u64 start, i;

	guest_catch(UT_PF_VECTOR);
	guest_write64((u64)pte(0, 1), 0);
	GUEST_ASSERT_EQ(guest_try("mov $0x40001000, %%eax; mov (%%rax), %%eax"), UT_PF_VECTOR);
	start = begin();
	for (i = 0; i < n; i++)
		guest_try("mov $0x40001000, %%eax; mov (%%rax), %%eax");
	report(start);
}

static void fault_read_only(u64 n)
{
	u64 start, i;

	guest_catch(UT_PF_VECTOR);
	guest_write64((u64)pte(0, 1), FRAMES_GPA | UT_PTE_P | UT_PTE_A);
	guest_read8(page(0, 1));
	GUEST_ASSERT_EQ(guest_try("mov $0x40001000, %%eax; mov %%eax, (%%rax)"), UT_PF_VECTOR);
	start = begin();
	for (i = 0; i < n; i++)
		guest_try("mov $0x40001000, %%eax; mov %%eax, (%%rax)");
	report(start);
}

/* ---- host ---- */

static const struct bench_case cases[] = {
	{ "cpuid", cpuid, 1000, 1, 0, "CPUID: an exit that has nothing to do with memory" },
	{ "hidden", hidden, 496, 1, 0, "first touch of a mapped page, none near it" },
	{ "hidden-row", hidden_row, 4096, 1, 0, "first touch of mapped pages in a row, each" },
	{ "new-table", new_table, 24, 1, 0, "first touch of a page of a leaf table never seen" },
	{ "dirty", dirty, 496, 1, UT_PTE_D, "first write to a clean page that was read" },
	{ "leaf-write", leaf_write, 1000, 1, 0, "write to a leaf table, again and again" },
	{ "map-touch", map_touch, 496, 1, 0, "new leaf entry, then a touch of its page" },
	{ "remap-invlpg", remap_invlpg, 1000, 1, 0, "leaf entry changed, INVLPG, touch" },
	{ "remap-cr3", remap_cr3, 1000, 1, 0, "leaf entry changed, CR3 loaded, touch" },
	{ "remap-tables", remap_tables, 960, 1, 0,
	  "one entry in each of 32 leaf tables changed, CR3 loaded, touch; each" },
	{ "upper-write", upper_write, 1000, 1, 0, "directory entry changed, INVLPG, touch" },
	{ "upper-alone", upper_alone, 1000, 1, 0, "directory entries changed, nothing else" },
	{ "cr3-2", cr3_2, 1000, 1, 0, "CR3 switch between two roots" },
	{ "cr3-8", cr3_8, 1000, 1, 0, "CR3 switch, eight roots in turn" },
	{ "cr3-touch", cr3_touch, 1000, 1, 0, "CR3 switch between two roots, touch of 16 pages" },
	{ "invlpg", invlpg, 1000, 1, 0, "INVLPG" },
	{ "invlpg-touch", invlpg_touch, 1000, 1, 0, "INVLPG, touch" },
	{ "fault-absent", fault_absent, 1000, 1, 0, "#PF for an absent page, with its handler" },
	{ "fault-read-only", fault_read_only, 1000, 1, 0, "#PF for a write to a read-only page" },
};

static void *frames(void)
{
	static void *mem;

	if (mem)
		return mem;
	mem = mmap(NULL, NR_FRAMES * UT_PAGE_SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED)
		ut_die("no memory");
	madvise(mem, NR_FRAMES * UT_PAGE_SIZE, MADV_NOHUGEPAGE);
	memset(mem, 1, NR_FRAMES * UT_PAGE_SIZE);
	return mem;
}

static void build_tables(struct ut_vm *vm, u64 clear)
{
	u64 i, nr = 0;

	for (i = 0; i < NR_AREAS * AREA_PAGES; i++) {
		/* A frame for each page that is touched alone: reverse maps stay short. */
		nr = i / STRIDE + i % STRIDE * 256;
		*ut_pte(vm, page(0, i), 1) = (FRAMES_GPA + nr % NR_FRAMES * UT_PAGE_SIZE) |
					     (PTE_FLAGS & ~clear);
	}
	for (i = 0; i < NR_AREAS; i++)
		env.leaf[i] = *ut_pte(vm, page(i, 0), 2) & UT_PTE_ADDR;
	env.directory = (u64 *)(*ut_pte(vm, PAGES_GVA, 3) & UT_PTE_ADDR);
	env.root[0] = vm->cr3;
	for (i = 1; i < NR_ROOTS; i++) {
		env.root[i] = ut_alloc_table(vm);
		memcpy(ut_hva(vm, env.root[i]), ut_hva(vm, vm->cr3), UT_PAGE_SIZE);
	}
	ut_push_var(vm, env);
}

/* Ticks for @n times, in a VM of its own; exits of the vCPU in @exits. */
static u64 once(const struct bench_case *c, u64 n, u64 *exits)
{
	struct ut_vm *vm = ut_vm_long();
	struct ut_vcpu *vcpu;
	struct ut_ucall uc;

	ut_add_slot_hva(vm, 1, FRAMES_GPA, NR_FRAMES * UT_PAGE_SIZE, frames(), 0);
	build_tables(vm, c->clear);
	vcpu = ut_vcpu_long(vm, 0, c->fn);
	ut_set_args(vcpu, n, 0);
	*exits = -bench_exits(c, vcpu, &uc);
	*exits += bench_exits(c, vcpu, &uc);
	ut_vm_free(vm);
	return uc.arg[1];
}

int main(int argc, char **argv)
{
	return bench_main(argc, argv, cases, ARRAY_SIZE(cases), once);
}
