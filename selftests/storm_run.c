// SPDX-License-Identifier: GPL-2.0
/*
 * A storm from its setup to its log: the VM, the first contents of its memory, one thread
 * for each vCPU. Test code. What happens in between is the engine's.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "storm_run.h"
#include "worker.h"

#define WORLD_GPA	UT_FREE_GPA
#define USER_GPA	(UT_FREE_GPA + 0x700000)
#define USER_VECTOR	0x80
#define GATE_DPL3	(3ull << 45)
#define CR0_WP		BIT_ULL(16)
#define CR4_FLIPPED	(BIT_ULL(7) | BIT_ULL(20) | BIT_ULL(21))
#define CPUID7_SMEP	BIT_ULL(7)
#define CPUID7_SMAP	BIT_ULL(20)
#define TABLE_FLAGS	(PTE_P | PTE_W | PTE_U)

static void fill_page(char *mem, u64 gpa, u64 value)
{
	u64 *word = (u64 *)(mem + (gpa - STORM_BASE));
	u32 i;

	for (i = 0; i < UT_PAGE_SIZE / 8; i++)
		word[i] = value;
	word[STORM_CODE / 8] = STORM_CODE_WORD(value);
}

static void fill_data(const struct storm_world *world, char *mem)
{
	u32 f, region, frames = STORM_OWN_FIRST + STORM_OWN * world->nr_cpus;
	u64 gpa;

	for (f = STORM_CDATA; f < frames; f++)
		fill_page(mem, STORM_FRAME(f), STORM_FRAME(f) >> 12);
	for (region = 1; region < 2 + 2 * world->nr_cpus; region++)
		for (gpa = STORM_BIG(region); gpa < STORM_BIG(region + 1); gpa += UT_PAGE_SIZE)
			/* Where the storm's indexes of level 1 are, and their neighbours. */
			if ((gpa >> 12 & 0xff) < 32 || (gpa >> 12 & 0xff) > 250)
				fill_page(mem, gpa, gpa >> 12);
}

static u64 *entry_at(char *mem, u32 frame, u32 index)
{
	return (u64 *)(mem + frame * UT_PAGE_SIZE) + index;
}

/* Everybody's tables, and what all roots have: the library's identity map, code of level 3. */
static void fill_tables(struct ut_vm *vm, char *mem)
{
	const u64 *library = ut_hva(vm, vm->cr3);
	u32 i, user = storm_index(&storm_long, STORM_USER_GVA, 4);

	for (i = 0; i < STORM_ROOTS; i++) {
		*entry_at(mem, i, 0) = library[0];
		*entry_at(mem, i, user) = library[user];
		*entry_at(mem, i, STORM_TOP_COMMON) = STORM_FRAME(STORM_C3) | TABLE_FLAGS;
	}
	*entry_at(mem, STORM_C3, 0) = STORM_FRAME(STORM_C2) | TABLE_FLAGS;
	*entry_at(mem, STORM_C2, 0) = STORM_FRAME(STORM_C1A) | TABLE_FLAGS;
	*entry_at(mem, STORM_C2, 1) = STORM_FRAME(STORM_C1B) | TABLE_FLAGS;
	*entry_at(mem, STORM_C2, 2) = STORM_BIG(1) | PTE_PS | TABLE_FLAGS;
	*entry_at(mem, STORM_C2, 3) = STORM_FRAME(STORM_CF) | TABLE_FLAGS;
	for (i = 0; i < 512; i++)
		*entry_at(mem, STORM_CF, i) = STORM_FRAME(STORM_CDATA + i % 4) | TABLE_FLAGS;
}

static char *add_memory(struct ut_vm *vm)
{
	char *mem = ut_mmap(STORM_SIZE, UT_HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);

	ut_add_slot_hva(vm, 1, STORM_BASE, STORM_SIZE, mem, 0);
	vm->slot[1].own = true;
	return mem;
}

/* What CR0 and CR4 are but for the bits that the storm changes. */
static void find_registers(struct ut_vcpu *vcpu, struct storm_world *world)
{
	struct kvm_sregs sregs;

	ut_get_sregs(vcpu, &sregs);
	world->cr0 = sregs.cr0 & ~CR0_WP;
	world->cr4 = sregs.cr4 & ~CR4_FLIPPED;
}

static void find_features(struct ut_vm *vm, struct storm_world *world)
{
	struct kvm_cpuid2 *cpuid = ut_supported_cpuid(vm->dev_fd);
	const struct kvm_cpuid_entry2 *leaf = ut_cpuid_entry(cpuid, 7, 0);

	world->has_smep = leaf && (leaf->ebx & CPUID7_SMEP);
	world->has_smap = leaf && (leaf->ebx & CPUID7_SMAP);
	free(cpuid);
}

static void *run_vcpu(void *arg)
{
	struct ut_vcpu *vcpu = arg;
	int ret;

	while ((ret = ut_next(vcpu, NULL)) == UT_SYNC)
		sched_yield();
	if (ret != UT_DONE)
		ut_die("vCPU %d: exit %s", vcpu->id, ut_exit_name(vcpu->run->exit_reason));
	return NULL;
}

static void run_long(struct ut_vm *vm, struct storm_world *world)
{
	struct storm_world *at = (struct storm_world *)WORLD_GPA;
	pthread_t thread[STORM_CPUS];
	u32 i;

	for (i = 0; i < world->nr_cpus; i++) {
		ut_vcpu_long(vm, i, storm_guest);
		ut_set_args(vm->vcpu[i], WORLD_GPA, i);
		world->cpu[i].world = at;
	}
	find_registers(vm->vcpu[0], world);
	for (i = 0; i < world->nr_cpus; i++)
		if (pthread_create(&thread[i], NULL, run_vcpu, vm->vcpu[i]))
			ut_die("no thread");
	for (i = 0; i < world->nr_cpus; i++)
		pthread_join(thread[i], NULL);
}

static struct ut_vm *make_long(const struct storm_setup *setup)
{
	struct ut_vm *vm = ut_vm_long();
	u64 *gate = (u64 *)ut_hva(vm, vm->idt) + 2 * USER_VECTOR;
	u64 gpa, pool = STORM_BASE + STORM_POOL_SIZE;
	char *mem = add_memory(vm);

	*gate |= GATE_DPL3;
	ut_set_handler(vm, USER_VECTOR, storm_guest_fault);
	ut_set_handler(vm, UT_PF_VECTOR, storm_guest_fault);
	/* The pool's identity: big pages of the guest that tables are in, or small ones. */
	if (setup->seed & 1)
		ut_map(vm, STORM_BASE, STORM_BASE, STORM_POOL_SIZE / UT_PAGE_SIZE, UT_PTE_W);
	else
		ut_map_level(vm, STORM_BASE, STORM_BASE, 2, UT_PTE_W);
	for (gpa = pool; gpa < STORM_BASE + STORM_SIZE; gpa += UT_HUGE_SIZE)
		ut_map_level(vm, gpa, gpa, 2, UT_PTE_W);
	memcpy(ut_hva(vm, USER_GPA), storm_user, storm_user_end - storm_user);
	ut_map(vm, STORM_USER_GVA, USER_GPA, 1, UT_PTE_U);
	fill_tables(vm, mem);
	return vm;
}

static u64 hash_memory(struct ut_vm *vm, const struct storm_world *world)
{
	const u64 *word = ut_hva(vm, STORM_BASE);
	u64 hash = 0, ad = PTE_AD | PTE_AD << 32;
	u32 i, words = (STORM_OWN_FIRST + STORM_OWN * world->nr_cpus) * UT_PAGE_SIZE / 8;

	for (i = 0; i < words; i++)
		hash = (hash ^ (word[i] & ~ad)) * 0x9e3779b97f4a7c15ull + (hash >> 17);
	return hash;
}

static void start(const struct storm_setup *setup, struct ut_vm *vm, struct storm_world *world)
{
	world->fmt = setup->fmt;
	world->seed = setup->seed;
	world->nr_cpus = setup->nr_cpus;
	world->steps = setup->steps;
	find_features(vm, world);
	storm_init(world);
	fill_data(world, ut_hva(vm, STORM_BASE));
}

static void finish(struct ut_vm *vm, const struct storm_world *world, struct storm_result *result,
		   struct storm_disturber *disturber)
{
	if (disturber)
		result->disturbed = storm_disturb_stop(disturber);
	result->memory = hash_memory(vm, world);
	if (world != &result->world)
		result->world = *world;
}

static void storm_run_long(const struct storm_setup *setup, struct storm_result *result)
{
	struct storm_disturber *disturber = NULL;
	struct ut_vm *vm = make_long(setup);
	struct storm_world *world = ut_hva(vm, WORLD_GPA);

	start(setup, vm, world);
	world->ops = &storm_guest_ops;
	if (setup->disturb)
		disturber = storm_disturb_start(vm, setup->seed);
	run_long(vm, world);
	finish(vm, world, result, disturber);
	ut_vm_free(vm);
}

static void storm_run_legacy(const struct storm_setup *setup, struct storm_result *result)
{
	enum ut_paging mode = setup->fmt == &storm_pae ? UT_PG_PAE : UT_PG_PSE;
	struct storm_disturber *disturber = NULL;
	struct ut_pg *guest = ut_pg_new(mode, 1);
	struct storm_world *world = &result->world;

	world->mem = add_memory(guest->vm);
	start(setup, guest->vm, world);
	find_registers(guest->vm->vcpu[0], world);
	storm_legacy_setup(guest, world);
	if (setup->disturb)
		disturber = storm_disturb_start(guest->vm, setup->seed);
	storm_legacy_run(world);
	finish(guest->vm, world, result, disturber);
	ut_pg_free(guest);
}

struct storm_result *storm_run(const struct storm_setup *setup)
{
	struct storm_result *result = calloc(1, sizeof(*result));

	if (!result)
		ut_die("out of memory");
	ut_mmu_mode = setup->mmu_mode;
	if (setup->fmt == &storm_long)
		storm_run_long(setup, result);
	else
		storm_run_legacy(setup, result);
	ut_mmu_mode = 0;
	return result;
}
