// SPDX-License-Identifier: GPL-2.0
/*
 * The first state of a storm: who has which linear pages, and what random numbers. Runs in
 * the test, before the guest; memory's first contents are storm_vm.c's.
 */
#include "storm.h"

static void add_page(struct storm_cpu *cpu, u64 gva)
{
	const struct storm_fmt *fmt = cpu->world->fmt;

	if (fmt->levels == 4 && gva >> 47 & 1)
		gva |= 0xffffull << 48;
	cpu->gva[cpu->nr_gvas++] = gva;
}

static u64 gva_of(const struct storm_fmt *fmt, const u32 *index)
{
	u64 gva = 0;
	int level;

	for (level = 1; level <= fmt->levels; level++)
		gva |= (u64)index[level] << (12 + fmt->bits * (level - 1));
	return gva;
}

/* All combinations of the format's indexes; those of the top level are the vCPU's own. */
static void add_own(struct storm_cpu *cpu)
{
	const struct storm_fmt *fmt = cpu->world->fmt;
	u32 index[5] = {}, total = 1, i, rest;
	int level;

	for (level = 1; level <= fmt->levels; level++)
		total *= fmt->nidx[level];
	for (i = 0; i < total; i++) {
		for (rest = i, level = 1; level <= fmt->levels; level++) {
			index[level] = fmt->idx[level][rest % fmt->nidx[level]];
			rest /= fmt->nidx[level];
		}
		if (fmt == &storm_long)
			index[4] += cpu->id;
		add_page(cpu, gva_of(fmt, index));
	}
}

static void add_common_at(struct storm_cpu *cpu, u32 level2, u32 level1)
{
	const u32 index[5] = { 0, level1, level2, 0, STORM_TOP_COMMON };

	add_page(cpu, gva_of(cpu->world->fmt, index));
}

/* Pages in everybody's tables: with an own entry of level 1, of level 2, with none. */
static void add_common(struct storm_cpu *cpu)
{
	u32 i, v = cpu->id;

	for (i = 0; i < 3; i++) {
		add_common_at(cpu, i, v);
		add_common_at(cpu, i, v + cpu->world->nr_cpus);
		add_common_at(cpu, i, v + 256);
		add_common_at(cpu, i, v + 256 + cpu->world->nr_cpus);
	}
	for (i = 0; i < 4; i++)
		add_common_at(cpu, 3, i ? 508 + i : 0);
	add_common_at(cpu, STORM_C2_OWN + v, 0);
	add_common_at(cpu, STORM_C2_OWN + v, 1);
	add_common_at(cpu, STORM_C2_OWN + v, 511);
}

static void find_neighbours(struct storm_cpu *cpu)
{
	u32 i, j;

	for (i = 0; i < cpu->nr_gvas; i++) {
		cpu->next[i] = -1;
		for (j = 0; j < cpu->nr_gvas; j++)
			if (cpu->gva[j] == cpu->gva[i] + UT_PAGE_SIZE)
				cpu->next[i] = j;
	}
}

/* Fill in all but the machine's part of @world: fmt, seed, nr_cpus and steps are there. */
void storm_init(struct storm_world *world)
{
	struct storm_cpu *cpu;
	u32 i;

	for (i = 0; i < world->nr_cpus; i++) {
		cpu = &world->cpu[i];
		cpu->world = world;
		cpu->id = i;
		cpu->random = (world->seed + 1) * 0x9e3779b97f4a7c15ull + i * 0xbf58476d1ce4e5b9ull;
		cpu->random |= 1;
		cpu->wp = 1;
		add_own(cpu);
		cpu->first_common = cpu->nr_gvas;
		if (world->fmt == &storm_long)
			add_common(cpu);
		find_neighbours(cpu);
	}
}
