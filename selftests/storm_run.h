/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The test's side of the storm: VMs for it, one whole storm from its setup to its log, and
 * what a host can do to a VM meanwhile. Must not know what a right log is.
 */
#ifndef SELFTESTS_STORM_RUN_H
#define SELFTESTS_STORM_RUN_H

#include "paging.h"
#include "storm.h"

/**
 * struct storm_setup - one storm
 * @fmt: format of the guest's tables
 * @seed: of everything
 * @nr_cpus: vCPUs, 1 unless @fmt is storm_long
 * @steps: of each vCPU
 * @mmu_mode: UMBRA_MMU_MODE_*, or 0 for what KVM_CREATE_VM gives
 * @disturb: let the host move, take back and write-protect memory meanwhile
 */
struct storm_setup {
	const struct storm_fmt *fmt;
	u64 seed;
	u32 nr_cpus;
	u32 steps;
	u32 mmu_mode;
	bool disturb;
};

/**
 * struct storm_result - what is left of a storm
 * @world: as it was at the end
 * @memory: a hash of its page frames, without accessed and dirty bits
 * @disturbed: what the host did to the VM, number of times
 */
struct storm_result {
	struct storm_world world;
	u64 memory;
	u64 disturbed;
};

/* Run one. The caller frees the result. */
struct storm_result *storm_run(const struct storm_setup *setup);

/* storm_legacy.c: the engine in the test, for guests on PAE or 2-level tables. */
void storm_legacy_setup(struct ut_pg *guest, struct storm_world *world);
void storm_legacy_run(struct storm_world *world);

/* storm_host.c: memory of @vm in slot 1, until storm_disturb_stop(), which says how often. */
struct storm_disturber;
struct storm_disturber *storm_disturb_start(struct ut_vm *vm, u64 seed);
u64 storm_disturb_stop(struct storm_disturber *disturber);

#endif
