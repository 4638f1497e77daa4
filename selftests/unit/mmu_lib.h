/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small world around module/mmu/ for unit tests: guest memory in one piece,
 * slots over it, a host whose answers a test sets, and a model of processors
 * that keep every translation and every table pointer they were ever allowed
 * to keep, until Umbra flushes.
 */
#ifndef UMBRA_UNIT_MMU_LIB_H
#define UMBRA_UNIT_MMU_LIB_H

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define UNIT_SLOTS	4

/**
 * struct unit_world - everything a test can set or read
 * @vm: the VM
 * @vcpu: its one vCPU
 * @slot: its slots; npages 0 when unused
 * @host_level: what the host maps guest memory with
 * @host_readonly: the host gives no write right
 * @frame_error: umbra_frame_get() returns this
 * @frame_hook: called by umbra_frame_get(), to do what the host does meanwhile
 * @cmpxchg_hook: called before an exchange in guest memory
 * @resched_hook: called while the lock is dropped
 * @resched: answer of need_resched()
 * @killed: answer of fatal_signal_pending()
 * @alloc_left: table pages until allocation fails, -1 never
 * @tables: table pages in use
 * @flushes: remote flushes so far
 * @forget_flush: mutation: processors do not notice flushes
 * @cpl: current privilege level
 * @pkru: guest PKRU
 * @gbpages: CPUID offers 1 GiB pages
 * @absent: host address that cannot be read now, NULL none
 * @root: what set_root() was told
 * @tlb_flushes: local flushes asked of the vendor
 */
struct unit_world {
	struct umbra_vm vm;
	struct umbra_vcpu vcpu;
	struct umbra_memslot slot[UNIT_SLOTS];
	int host_level;
	bool host_readonly;
	int frame_error;
	void (*frame_hook)(void);
	void (*cmpxchg_hook)(gpa_t gpa);
	void (*resched_hook)(void);
	bool resched;
	bool killed;
	int alloc_left;
	int tables;
	int flushes;
	bool forget_flush;
	int cpl;
	u32 pkru;
	bool gbpages;
	const void *absent;
	hpa_t root;
	int tlb_flushes;
};

extern struct unit_world unit;

/* cmocka group setup and teardown of one test. */
int unit_setup(void **state);
int unit_teardown(void **state);

/* A slot over host memory at @hva (made up unless the test reads it). */
struct umbra_memslot *unit_slot(int id, gfn_t base, unsigned long npages, hva_t hva, u32 flags);

/* Processors use all that the tables allow now: they may keep it from here on. */
void unit_cpus_touch(void);
/* Is everything that processors may have kept still true? */
bool unit_cpus_agree(void);

/* The model's own walk: the entry for @gfn (0: none) and its level. */
u64 unit_lookup(gfn_t gfn, int *level);
u64 unit_pfn_of(gfn_t gfn);
/* Deterministic random numbers. */
u64 unit_random(void);

#endif
