/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small world around module/mmu/ for unit tests: guest memory, slots over it,
 * a host whose answers a test sets, and a model of processors that keep every
 * translation and every table pointer they were ever allowed to keep, until
 * Umbra flushes. mmu_lib.c has the world, mmu_lib_slot.c slots, mmu_lib_cpu.c
 * processors.
 */
#ifndef UMBRA_UNIT_MMU_LIB_H
#define UMBRA_UNIT_MMU_LIB_H

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define UNIT_SLOTS	8

/* Bits of entries that processors read, in all tables that Umbra makes. */
#define E_P	0x1ULL
#define E_W	0x2ULL
#define E_U	0x4ULL
#define E_A	0x20ULL
#define E_D	0x40ULL
#define E_PS	0x80ULL
#define E_G	0x100ULL
#define E_NX	BIT_ULL(63)
#define E_ADDR	0x000ffffffffff000ULL
#define E_PKEY	(15ULL << 59)

struct umbra_trace;

/**
 * struct unit_world - everything a test can set or read
 * @vm: the VM
 * @vcpu: its vCPUs; most tests use the first alone
 * @slots: its slots, as the module sees them
 * @host_level: what the host maps guest memory with
 * @host_readonly: the host gives no write right
 * @foreign: another thread than the client's runs
 * @frame_error: umbra_frame_get() returns this
 * @frame: when set, asked instead of all of these
 * @peek: answer of umbra_frame_peek(); NULL: never at hand
 * @level_at: when set, asked instead of @host_level
 * @frame_hook: called by umbra_frame_get(), to do what the host does meanwhile
 * @cmpxchg_hook: called before an exchange in guest memory
 * @resched_hook: called while the lock is dropped
 * @unlock_hook: called when the MMU lock was released
 * @request_hook: called for each request to a vCPU
 * @user_fails: when set, may a read of host memory at this address be refused?
 * @resched: answer of need_resched()
 * @killed: answer of fatal_signal_pending()
 * @alloc_left: allocations until one fails, -1 never
 * @tables: table pages in use
 * @objects: other objects in use
 * @flushes: remote flushes so far
 * @forget_flush: mutation: processors do not notice flushes
 * @cpl: current privilege level
 * @pkru: guest PKRU
 * @gbpages: CPUID offers 1 GiB pages
 * @absent: host address that cannot be read now, NULL none
 * @root: what set_root() was told last
 * @root_nested: and of which kind it is
 * @tlb_flushes: local flushes asked of the vendor
 * @shrinker: the registered one
 */
struct unit_world {
	struct umbra_vm vm;
	struct umbra_vcpu vcpu[UNIT_VCPUS];
	struct umbra_memslots *slots;
	int host_level;
	bool host_readonly;
	bool foreign;
	int frame_error;
	int (*frame)(struct umbra_memslot *slot, gfn_t gfn, bool write, bool atomic,
		     struct umbra_frame *frame);
	bool (*peek)(hva_t hva, bool write, struct umbra_frame *frame);
	int (*level_at)(hva_t hva);
	void (*frame_hook)(void);
	void (*cmpxchg_hook)(gpa_t gpa);
	void (*resched_hook)(void);
	void (*unlock_hook)(void);
	void (*request_hook)(struct umbra_vcpu *vcpu, enum umbra_request req);
	bool (*user_fails)(const void *user);
	bool resched;
	bool killed;
	int alloc_left;
	int tables;
	int objects;
	int flushes;
	bool forget_flush;
	int cpl;
	u32 pkru;
	bool gbpages;
	const void *absent;
	hpa_t root;
	bool root_nested;
	int tlb_flushes;
	struct shrinker *shrinker;
};

extern struct unit_world unit;

/* What the host has in the tests to come; a test that changes it changes it back. */
extern struct umbra_host_caps unit_caps;
/* Hosts by name, for unit_caps: NPT; EPT, with and without accessed and dirty bits. */
extern const struct umbra_host_caps unit_npt, unit_ept, unit_ept_no_ad;
/* EPT, where guests without paging run on it in all modes. */
extern const struct umbra_host_caps unit_ept_unpaged, unit_npt_unpaged;

/* cmocka group setup and teardown of one test: nested tables, one vCPU. */
int unit_setup(void **state);
int unit_teardown(void **state);
/* The same for any mode and number of vCPUs; their roots are loaded. */
int unit_setup_mode(enum umbra_mmu_mode mode, int nr_vcpus);

/* Slots over host memory at @hva (made up unless the test reads it). */
struct umbra_memslot *unit_slot(int id, gfn_t base, unsigned long npages, hva_t hva, u32 flags);
struct umbra_memslot *unit_slot_id(int id);
/* What memslot.c does, in its order. */
void unit_slot_delete(struct umbra_memslot *slot);
struct umbra_memslot *unit_slot_move(struct umbra_memslot *slot, gfn_t base);
struct umbra_memslot *unit_slot_log(struct umbra_memslot *slot, bool on);
/* Read the log and protect again; true when there was anything. */
bool unit_slot_get_log(struct umbra_memslot *slot);
void unit_slots_free(void);

/* A vCPU serves what was requested of it: 0 or -ENOMEM. */
int unit_serve(struct umbra_vcpu *vcpu);
/* May @vcpu enter the guest as it is? */
bool unit_can_run(const struct umbra_vcpu *vcpu);
/* Does @vcpu run on second-level tables, by its mode and registers? */
bool unit_on_nested(const struct umbra_vcpu *vcpu);

/**
 * struct unit_kept - one translation that a processor keeps
 * @page: linear (nested: guest-physical) page number
 * @entry: E_W, E_U, E_NX, key and address as the walk found them together
 * @level: size
 */
struct unit_kept {
	u64 page;
	u64 entry;
	int level;
};

/* Processors use all that the tables allow now: they may keep it from here on. */
void unit_cpus_touch(void);
/* Is everything that processors may have kept still what the tables say? */
bool unit_cpus_agree(void);
/* Drop all that processor @i keeps of the kind of tables that it runs on. */
void unit_cpu_flush(int i);
/* A page fault at @page drops what processor @i has there. */
void unit_cpu_forget(int i, u64 page);
/* The processor's translation of @page now, 0 without; and one that it keeps. */
u64 unit_cpu_walk(int i, u64 page, int *level);
u64 unit_cpu_kept(int i, u64 page, int *level);
/* Number @n of what processor @i keeps, NULL after the last. */
const struct unit_kept *unit_cpu_at(int i, int n);
void unit_cpus_reset(void);
void unit_cpu_set_root(struct umbra_vcpu *vcpu, hpa_t root, bool nested);
/* Is table page @page in some processor's reach? */
bool unit_cpus_keep_table(const struct page *page);
/* The bits E_* for entry @e of @level of a second-level table. */
u64 unit_nested_entry(u64 e, int level);
/* The processor sets accessed and dirty bits in an entry as it may at any time. */
u64 unit_touched_entry(u64 e, bool nested);

/* The first processor's walk: the entry for @gfn (0: none) and its level. */
u64 unit_lookup(gfn_t gfn, int *level);
u64 unit_pfn_of(gfn_t gfn);
/* Deterministic random numbers. */
u64 unit_random(void);
void unit_seed(u64 seed);

#endif
