// SPDX-License-Identifier: GPL-2.0
/*
 * Page-table storms: the same seed in every mode of the MMU, on one vCPU and on four, must
 * leave the same log of values and faults. Where there is one mode only, a second run must
 * leave it again. The guest's own walk checks each record too, see storm_engine.c.
 *
 * UMBRA_STORM_SEEDS (number of seeds), UMBRA_STORM_FIRST (the first of them) and
 * UMBRA_STORM_STEPS (steps of each vCPU) make a longer one.
 */
#include <errno.h>
#include <stdlib.h>
#include <kselftest_harness.h>
#include <linux/umbra.h>
#include "storm_run.h"

#define SLOW		3600	/* seconds: the number of seeds is free */
#define SEEDS		2
#define STEPS		1200
#define CONTEXT		8	/* records shown before the one that differs */
#define MODES		3

static const struct {
	const char *name;
	u32 bit;
} modes[MODES] = {
	{ "nested", UMBRA_MMU_MODE_NESTED },
	{ "shadow", UMBRA_MMU_MODE_SHADOW },
	{ "vtlb", UMBRA_MMU_MODE_VTLB },
};

static const char * const op_names[STORM_OPS] = {
	[STORM_OP_ACCESS] = "access", [STORM_OP_STORE] = "store", [STORM_OP_INVLPG] = "invlpg",
	[STORM_OP_CR0] = "cr0", [STORM_OP_CR3] = "cr3", [STORM_OP_CR4] = "cr4",
	[STORM_OP_TO_TABLE] = "to table", [STORM_OP_TO_DATA] = "to data",
	[STORM_OP_COPY] = "copy", [STORM_OP_PHASE] = "phase",
};

/**
 * struct plan - the runs whose logs must be one
 * @nr: their number
 * @name: their names
 * @mode: their modes
 */
struct plan {
	u32 nr;
	const char *name[MODES + 1];
	u32 mode[MODES + 1];
};

static void add_run(struct plan *plan, const char *name, u32 mode)
{
	plan->name[plan->nr] = name;
	plan->mode[plan->nr++] = mode;
}

static void make_plan(struct plan *plan)
{
	struct umbra_info info = {};
	int i, fd = ut_open_device();

	plan->nr = 0;
	if (!ut_ioctl(fd, UMBRA_GET_INFO, &info)) {
		for (i = 0; i < MODES; i++)
			if (info.mmu_modes & modes[i].bit)
				add_run(plan, modes[i].name, modes[i].bit);
	}
	close(fd);
	if (!plan->nr)
		add_run(plan, "default", 0);
	if (plan->nr == 1)
		add_run(plan, "again", plan->mode[0]);
}

static u64 number(const char *name, u64 otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

static void show(const char *who, const struct storm_rec *r)
{
	printf("# %8s: step %u %s %#x gva %#lx value %#lx fault %lu/%#lx cr2 %#lx (%#lx)\n", who,
	       r->step, op_names[r->op], r->detail, r->gva, r->value, r->fault >> 32,
	       r->fault & 0xffffffff, r->cr2, r->expect);
}

static void show_last(const char *who, const struct storm_cpu *cpu, u32 end)
{
	u32 i = end > CONTEXT ? end - CONTEXT : 0;

	for (; i < end; i++)
		show(who, &cpu->log[i % STORM_RECORDS]);
}

static void show_path(const struct storm_path *path)
{
	u32 i;

	for (i = 0; i < path->n; i++)
		printf("#   %s entry at %#lx: %#lx\n", i ? "    " : "walk", path->at[i],
		       path->value[i]);
}

static bool same(const struct storm_rec *a, const struct storm_rec *b)
{
	return a->step == b->step && a->op == b->op && a->detail == b->detail && a->gva == b->gva &&
	       a->value == b->value && a->fault == b->fault && a->cr2 == b->cr2;
}

/* The first record that is not the same, as far as the logs reach back. */
static u32 first_difference(const struct storm_cpu *a, const struct storm_cpu *b)
{
	u32 most = a->records > b->records ? a->records : b->records;
	u32 least = a->records < b->records ? a->records : b->records;
	u32 i = most > STORM_RECORDS ? most - STORM_RECORDS : 0;

	for (; i < least; i++)
		if (!same(&a->log[i % STORM_RECORDS], &b->log[i % STORM_RECORDS]))
			break;
	return i;
}

static bool compare_cpu(const struct storm_cpu *a, const struct storm_cpu *b,
			const char * const name[2])
{
	u32 i;

	if (a->hash == b->hash && a->records == b->records)
		return true;
	i = first_difference(a, b);
	printf("# vCPU %u: %s and %s differ in record %u\n", a->id, name[0], name[1], i);
	show_last("both", a, i);
	if (i < a->records)
		show(name[0], &a->log[i % STORM_RECORDS]);
	if (i < b->records)
		show(name[1], &b->log[i % STORM_RECORDS]);
	return false;
}

static bool compare(const struct storm_result *a, const struct storm_result *b,
		    const char * const name[2])
{
	bool ok = true;
	u32 i;

	for (i = 0; i < a->world.nr_cpus; i++)
		ok &= compare_cpu(&a->world.cpu[i], &b->world.cpu[i], name);
	if (ok && a->memory != b->memory) {
		printf("# %s and %s: memory is not the same\n", name[0], name[1]);
		ok = false;
	}
	return ok;
}

/* What the storm's own walk found wrong. */
static bool right(const struct storm_result *result, const char *name)
{
	const struct storm_cpu *cpu = result->world.cpu;
	bool ok = true;

	for (; cpu < result->world.cpu + result->world.nr_cpus; cpu++) {
		if (!cpu->wrong)
			continue;
		printf("# vCPU %u in %s: %s\n", cpu->id, name, cpu->wrong);
		show_last(name, cpu, cpu->records);
		show_path(&cpu->path[0]);
		show_path(&cpu->path[1]);
		ok = false;
	}
	return ok;
}

static u64 total(const struct storm_result *result, int what)
{
	u64 n = 0;
	u32 i;

	for (i = 0; i < result->world.nr_cpus; i++)
		n += result->world.cpu[i].count[what];
	return n;
}

static u64 total_hash(const struct storm_result *result)
{
	u64 hash = result->memory;
	u32 i;

	for (i = 0; i < result->world.nr_cpus; i++)
		hash = (hash ^ result->world.cpu[i].hash) * 0x100000001b3ull;
	return hash;
}

static bool run_seed(const struct plan *plan, struct storm_setup *setup)
{
	struct storm_result *first = NULL, *result;
	bool ok = true;
	u32 i;

	for (i = 0; i < plan->nr; i++) {
		setup->mmu_mode = plan->mode[i];
		result = storm_run(setup);
		ok &= right(result, plan->name[i]);
		if (first)
			ok &= compare(first, result,
				      (const char *[]){ plan->name[0], plan->name[i] });
		if (first)
			free(result);
		else
			first = result;
	}
	printf("# %s, %u vCPUs, seed %lu, %u steps: %s hash %016lx\n", setup->fmt->name,
	       setup->nr_cpus, setup->seed, setup->steps, ok ? "ok" : "FAILED", total_hash(first));
	printf("#   accesses %lu, faults %lu, loose %lu, skipped %lu, disturbed %lu\n",
	       total(first, STORM_N_OK), total(first, STORM_N_FAULT), total(first, STORM_N_LOOSE),
	       total(first, STORM_N_SKIP), first->disturbed);
	printf("#   entries %lu, by alias %lu, flushes %lu, roles %lu\n",
	       total(first, STORM_N_EDIT), total(first, STORM_N_ALIAS),
	       total(first, STORM_N_FLUSH), total(first, STORM_N_ROLE));
	fflush(stdout);
	/* A storm that hardly gets anywhere proves nothing. */
	if (total(first, STORM_N_OK) < setup->steps / 20) {
		printf("# hardly any access succeeded\n");
		ok = false;
	}
	free(first);
	return ok;
}

static bool run_seeds(const struct storm_fmt *fmt, u32 nr_cpus, bool disturb)
{
	struct storm_setup setup = { .fmt = fmt, .nr_cpus = nr_cpus, .disturb = disturb };
	u64 seeds = number("UMBRA_STORM_SEEDS", SEEDS);
	u64 seed = number("UMBRA_STORM_FIRST", 1), end = seed + seeds;
	struct plan plan;
	bool ok = true;

	setup.steps = number("UMBRA_STORM_STEPS", STEPS);
	make_plan(&plan);
	for (; seed < end && ok; seed++) {
		setup.seed = seed;
		ok = run_seed(&plan, &setup);
	}
	return ok;
}

FIXTURE(storm) { };

FIXTURE_SETUP(storm)
{
}

FIXTURE_TEARDOWN(storm)
{
}

TEST_F_TIMEOUT(storm, one_vcpu, SLOW)
{
	ASSERT_TRUE(run_seeds(&storm_long, 1, false));
}

TEST_F_TIMEOUT(storm, four_vcpus, SLOW)
{
	ASSERT_TRUE(run_seeds(&storm_long, STORM_CPUS, false));
}

TEST_F_TIMEOUT(storm, pae_levels, SLOW)
{
	ASSERT_TRUE(run_seeds(&storm_pae, 1, false));
}

TEST_F_TIMEOUT(storm, two_levels, SLOW)
{
	ASSERT_TRUE(run_seeds(&storm_32, 1, false));
}

TEST_F_TIMEOUT(storm, one_vcpu_disturbed, SLOW)
{
	ASSERT_TRUE(run_seeds(&storm_long, 1, true));
}

TEST_F_TIMEOUT(storm, four_vcpus_disturbed, SLOW)
{
	ASSERT_TRUE(run_seeds(&storm_long, STORM_CPUS, true));
}

TEST_F_TIMEOUT(storm, pae_levels_disturbed, SLOW)
{
	ASSERT_TRUE(run_seeds(&storm_pae, 1, true));
}

TEST_F_TIMEOUT(storm, two_levels_disturbed, SLOW)
{
	ASSERT_TRUE(run_seeds(&storm_32, 1, true));
}

TEST_HARNESS_MAIN
