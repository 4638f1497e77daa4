// SPDX-License-Identifier: GPL-2.0
/*
 * The host's side of translations that a hypervisor keeps: there is a limit to their number,
 * they go when memory is short, and what the host does to a page reaches each of them, in
 * whatever address space of the guest and at whatever address.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <kselftest_harness.h>
#include "shootdown.h"
#include "stats.h"
#include "worker.h"

#define SLOW		120	/* seconds: emulated hosts may have little of a processor */
#define GAUGE		"mmu_shadow_pages"
#define DROP_CACHES	"/proc/sys/vm/drop_caches"
#define KSM		"/sys/kernel/mm/ksm/"
#define FRAMES_GPA	UT_FREE_GPA
#define VALUE(i)	(0xf000000000000000ull | (u64)(i))

/* ---- a limit ---- */

#define NTABLES		3000
#define TABLES_GPA	UT_TEST_GPA
#define NFRAMES		256
#define SPAN		UT_HUGE_SIZE	/* of the window, for each leaf table */

FIXTURE(limit)
{
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
	int stats;
};

static u64 stop, rounds;

/* With @talk, the host gets to look now and then. */
static void guest_tables(u64 nrounds, u64 talk)
{
	u64 round, i, gva;

	for (round = 0; round < nrounds && !ut_read_once(stop); round++) {
		for (i = 0; i < NTABLES; i++) {
			gva = SD_WINDOW + i * SPAN + 8 * (i / NFRAMES);
			guest_write64(gva, VALUE(i) + round);
		}
		for (i = 0; i < NTABLES; i++) {
			gva = SD_WINDOW + i * SPAN + 8 * (i / NFRAMES);
			GUEST_ASSERT_EQ(guest_read64(gva), VALUE(i) + round);
			if (talk && i % 500 == 0)
				guest_sync(i);
		}
		ut_write_once(rounds, round + 1);
	}
	guest_done();
}

FIXTURE_SETUP(limit)
{
	u64 i, npd = (NTABLES + 511) / 512, *tables;
	struct ut_vm *vm;

	vm = ut_vm_long();
	self->vm = vm;
	self->vcpu = ut_vcpu_long(vm, 0, NULL);
	self->stats = ut_stats_fd(vm->fd);
	tables = ut_add_slot(vm, 1, TABLES_GPA, (NTABLES + npd + 1) * UT_PAGE_SIZE, 0);
	for (i = 0; i < NTABLES; i++) {
		tables[i * 512] = (FRAMES_GPA + i % NFRAMES * UT_PAGE_SIZE) | SD_PTE_RW;
		tables[NTABLES * 512 + i] = (TABLES_GPA + i * UT_PAGE_SIZE) | SD_PTE_RW;
	}
	for (i = 0; i < npd; i++)
		tables[(NTABLES + npd) * 512 + i] =
			(TABLES_GPA + (NTABLES + i) * UT_PAGE_SIZE) | SD_PTE_RW;
	*sd_pte(vm, vm->cr3, SD_WINDOW, 4) = (TABLES_GPA + (NTABLES + npd) * UT_PAGE_SIZE) |
					     SD_PTE_RW;
}

FIXTURE_TEARDOWN(limit)
{
	close(self->stats);
	ut_vm_free(self->vm);
}

/* Shadow tables in use; 0 where nobody counts them. */
static u64 gauge(struct _test_data_limit *self)
{
	return ut_has_stat(self->stats, GAUGE) ? ut_stat(self->stats, GAUGE) : 0;
}

/* Umbra's shadow mode: an emulated TLB throws away what is not in use. */
static bool keeps_tables(void)
{
	const char *mode = getenv("UMBRA_MMU");

	return ut_on_umbra() && mode && !strcmp(mode, "shadow");
}

/* The guest has ten times as many tables as a guest of its size would need. */
TEST_F_TIMEOUT(limit, thousands_of_tables, SLOW)
{
	u64 most = 0;
	int cmd;

	ut_restart(self->vcpu, guest_tables);
	ut_set_args(self->vcpu, 3, 1);
	do {
		cmd = ut_next(self->vcpu, NULL);
		if (gauge(self) > most)
			most = gauge(self);
	} while (cmd == UT_SYNC);
	ASSERT_EQ(UT_DONE, cmd);
	ASSERT_LT(most, NTABLES / 2);
	ASSERT_TRUE(!keeps_tables() || most);
}

static void guest_touch(u64 gva)
{
	guest_read64(gva);
	guest_done();
}

/* Slots that come later allow for more, and less when they are gone: from the next fault on. */
TEST_F_TIMEOUT(limit, follows_the_slots, SLOW)
{
	u64 big = SD_GIGABYTE, small, more;
	void *hva;

	if (!keeps_tables())
		SKIP(return, "no shadow tables that are kept, or nobody counts them");
	sd_run(self->vcpu, guest_tables, 2, 0);
	small = gauge(self);
	hva = ut_mmap(big, UT_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, -1);
	ut_add_slot_hva(self->vm, 2, UT_TEST_GPA + big, big, hva, 0);
	sd_run(self->vcpu, guest_tables, 2, 0);
	more = gauge(self);
	ut_del_slot(self->vm, 2);
	sd_run(self->vcpu, guest_touch, UT_SLOT0_SIZE - UT_PAGE_SIZE, 0);
	ASSERT_LT(2 * small, more);
	ASSERT_LT(gauge(self), more / 2);
	sd_run(self->vcpu, guest_tables, 2, 0);
	ASSERT_LT(gauge(self), more / 2);
	munmap(hva, big);
}

/* ---- memory pressure ---- */

/* What drop_caches does with 2 is what reclaim does to every shrinker. */
TEST_F_TIMEOUT(limit, given_back, SLOW)
{
	u64 before, after;
	int err;

	ut_restart(self->vcpu, guest_tables);
	ut_set_args(self->vcpu, 3, 1);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
	before = gauge(self);
	err = ut_write_file(DROP_CACHES, "2");
	if (err)
		SKIP(return, DROP_CACHES ": %s", strerror(-err));
	after = gauge(self);
	ASSERT_TRUE(!keeps_tables() || after < before / 2) {
		TH_LOG("%lu tables, %lu after", before, after);
	}
	while (ut_next(self->vcpu, NULL) == UT_SYNC)
		ASSERT_EQ(0, ut_write_file(DROP_CACHES, "2"));
	ASSERT_EQ(KVM_EXIT_IO, self->vcpu->run->exit_reason);
}

static void *run_to_the_end(void *arg)
{
	struct ut_vcpu *vcpu = arg;

	if (ut_next(vcpu, NULL) != UT_DONE)
		ut_die("exit %s", ut_exit_name(vcpu->run->exit_reason));
	return NULL;
}

/* The same under a running vCPU. */
TEST_F_TIMEOUT(limit, given_back_while_running, SLOW)
{
	pthread_t thread;
	u64 goal;
	int i;

	if (access(DROP_CACHES, W_OK))
		SKIP(return, DROP_CACHES ": %s", strerror(errno));
	ut_restart(self->vcpu, guest_tables);
	ut_set_args(self->vcpu, 1000000, 0);
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_to_the_end, self->vcpu));
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, ut_write_file(DROP_CACHES, "2"));
		ut_msleep(10);
	}
	/* Nothing is lost, and no VM keeps the others from their share of time. */
	goal = ut_read_once(*ut_guest_var(self->vm, rounds)) + 1;
	while (ut_read_once(*ut_guest_var(self->vm, rounds)) < goal)
		ut_msleep(1);
	ut_write_once(*ut_guest_var(self->vm, stop), 1);
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

/* ---- many translations of one page ---- */

#define NROOTS		3
#define NALIASES	4
/* Each in a leaf table of its own. */
#define ALIAS(i)	(SD_WINDOW + (u64)(i) * (UT_HUGE_SIZE + UT_PAGE_SIZE))
#define SECOND_GPA	(UT_TEST_GPA + 0x10000000)
#define PAGE		2	/* the one under test, of NPAGES */
#define NPAGES		8

FIXTURE(alias)
{
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
	char *hva;
	u64 *page;
};

static u64 roots[NROOTS], expected, written, seen[NROOTS * NALIASES];

FIXTURE_SETUP(alias)
{
	struct ut_vm *vm;
	int r, i;

	vm = ut_vm_long();
	self->vm = vm;
	self->hva = ut_mmap(NPAGES * UT_PAGE_SIZE, UT_HUGE_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE, -1);
	self->page = (u64 *)(self->hva + PAGE * UT_PAGE_SIZE);
	ut_add_slot_hva(vm, 1, UT_TEST_GPA, NPAGES * UT_PAGE_SIZE, self->hva, 0);
	ut_add_slot_hva(vm, 2, SECOND_GPA, NPAGES * UT_PAGE_SIZE, self->hva, 0);
	for (r = 0; r < NROOTS; r++) {
		ut_guest_var(vm, roots)[0][r] = sd_root(vm);
		for (i = 0; i < NALIASES; i++)
			sd_map(vm, ut_guest_var(vm, roots)[0][r], ALIAS(i),
			       (i & 1 ? SECOND_GPA : UT_TEST_GPA) + PAGE * UT_PAGE_SIZE, 1,
			       UT_PTE_W);
	}
	self->vcpu = ut_vcpu_long(vm, 0, NULL);
}

FIXTURE_TEARDOWN(alias)
{
	ut_vm_free(self->vm);
	munmap(self->hva, NPAGES * UT_PAGE_SIZE);
}

static void guest_find(u64 value)
{
	u64 r, i;

	for (r = 0; r < NROOTS; r++) {
		guest_write_cr3(roots[r]);
		for (i = 0; i < NALIASES; i++)
			GUEST_ASSERT_EQ(guest_read64(ALIAS(i)), value);
	}
}

/* All find what the host put there; then one of them writes, and all find that. */
static void guest_aliases(void)
{
	u64 k;

	for (k = 0; ; k++) {
		guest_find(ut_read_once(expected));
		guest_write_cr3(roots[k % NROOTS]);
		guest_write64(ALIAS(k / NROOTS % NALIASES), ut_read_once(written));
		guest_find(ut_read_once(written));
		guest_sync(k);
	}
}

/* Let the guest find @found everywhere and leave @left, which the host must find. */
static void look(struct _test_data_alias *self, u64 found, u64 left)
{
	*ut_guest_var(self->vm, expected) = found;
	*ut_guest_var(self->vm, written) = left;
	if (ut_next(self->vcpu, NULL) != UT_SYNC)
		ut_die("exit %s", ut_exit_name(self->vcpu->run->exit_reason));
	if (*self->page != left)
		ut_die("the host finds %#lx instead of %#lx", *self->page, left);
}

#define TIMES	(NROOTS * NALIASES)

TEST_F_TIMEOUT(alias, taken_away, SLOW)
{
	u64 i;

	ut_restart(self->vcpu, guest_aliases);
	for (i = 0; i < TIMES; i++) {
		ASSERT_EQ(0, madvise(self->page, UT_PAGE_SIZE, MADV_DONTNEED));
		look(self, 0, VALUE(i));
		look(self, VALUE(i), ~VALUE(i));
	}
}

TEST_F_TIMEOUT(alias, moved_and_replaced, SLOW)
{
	u64 *other, i;

	ut_restart(self->vcpu, guest_aliases);
	look(self, 0, 1);
	for (i = 0; i < TIMES; i++) {
		other = ut_mmap(UT_PAGE_SIZE, UT_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE,
				-1);
		*other = VALUE(i);
		ASSERT_EQ(self->page, mremap(other, UT_PAGE_SIZE, UT_PAGE_SIZE,
					     MREMAP_MAYMOVE | MREMAP_FIXED, self->page));
		look(self, VALUE(i), i);
		ASSERT_EQ(self->page, mmap(self->page, UT_PAGE_SIZE, PROT_READ | PROT_WRITE,
					   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
		look(self, 0, i);
	}
}

/* A child that holds the page as it is now: the next write, whoever's, is to a new one. */
static pid_t hold_copy(void)
{
	pid_t pid = fork();

	if (!pid) {
		pause();
		_exit(0);
	}
	return pid;
}

static void let_go(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

TEST_F_TIMEOUT(alias, copied_on_write, SLOW)
{
	pid_t pid;
	u64 i;

	ut_restart(self->vcpu, guest_aliases);
	look(self, 0, 1);
	for (i = 0; i < TIMES; i++) {
		pid = hold_copy();
		ASSERT_LT(0, pid);
		/* Broken by the guest, then by the host. */
		look(self, i ? ~VALUE(i - 1) : 1, VALUE(i));
		let_go(pid);
		pid = hold_copy();
		ASSERT_LT(0, pid);
		*self->page = i;
		look(self, i, ~VALUE(i));
		let_go(pid);
	}
}

TEST_F_TIMEOUT(alias, swapped, SLOW)
{
	u64 i;

	if (!ut_have_swap())
		SKIP(return, "no swap on this machine");
	ut_restart(self->vcpu, guest_aliases);
	look(self, 0, VALUE(0));
	for (i = 0; i < TIMES; i++) {
		ASSERT_EQ(1, ut_page_out(self->page, UT_PAGE_SIZE));
		/* Every other time it is the host that brings it back, as another page. */
		if (i & 1)
			*self->page += 1;
		look(self, VALUE(i) + (i & 1), VALUE(i + 1));
	}
}

/* Two equal pages become one, which is then written through one of its many mappings. */
TEST_F_TIMEOUT(alias, merged, SLOW)
{
	u64 *twin = (u64 *)(self->hva + (PAGE + 1) * UT_PAGE_SIZE), i;
	int turns;

	if (ut_read_number(KSM "run") < 0)
		SKIP(return, "this kernel has no KSM");
	if (ut_read_number(KSM "run") == 1)
		SKIP(return, "KSM is in use on this machine");
	ut_restart(self->vcpu, guest_aliases);
	look(self, 0, VALUE(0));
	ASSERT_EQ(0, ut_write_file(KSM "run", "2"));
	ASSERT_EQ(0, ut_write_file(KSM "pages_to_scan", "1000"));
	ASSERT_EQ(0, ut_write_file(KSM "sleep_millisecs", "5"));
	ASSERT_EQ(0, madvise(self->hva, NPAGES * UT_PAGE_SIZE, MADV_MERGEABLE));
	for (i = 0; i < 4; i++) {
		memcpy(twin, self->page, UT_PAGE_SIZE);
		ASSERT_EQ(0, ut_write_file(KSM "run", "1"));
		for (turns = 0; turns < 1000 && ut_read_number(KSM "pages_sharing") < 1; turns++)
			ut_msleep(10);
		EXPECT_LT(0, ut_read_number(KSM "pages_sharing"));
		ASSERT_EQ(0, ut_write_file(KSM "run", "0"));
		look(self, VALUE(i), VALUE(i + 1));
		ASSERT_EQ(VALUE(i), *twin);
		ASSERT_EQ(0, ut_write_file(KSM "run", "2"));
		look(self, VALUE(i + 1), VALUE(i + 1));
	}
	ASSERT_EQ(0, ut_write_file(KSM "run", "0"));
}

/* ---- the same while the guest runs ---- */

/* Values only grow: one that is smaller than it was before is on a page of the past. */
static void guest_watch(void)
{
	u64 r, i, v, least;

	while (!ut_read_once(stop)) {
		for (r = 0; r < NROOTS; r++) {
			guest_write_cr3(roots[r]);
			for (i = 0; i < NALIASES; i++) {
				least = __atomic_load_n(&expected, __ATOMIC_ACQUIRE);
				v = guest_read64(ALIAS(i));
				if (v < least)
					guest_abort("old page", __FILE__, __LINE__, v, least);
				ut_write_once(seen[r * NALIASES + i], v);
			}
		}
	}
	guest_done();
}

TEST_F_TIMEOUT(alias, copied_under_a_running_guest, SLOW)
{
	pthread_t thread;
	pid_t pid;
	u64 n, i;

	ut_restart(self->vcpu, guest_watch);
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_to_the_end, self->vcpu));
	for (n = 1; n <= 40; n++) {
		pid = hold_copy();
		ASSERT_LT(0, pid);
		*(volatile u64 *)self->page = n;
		__atomic_store_n(ut_guest_var(self->vm, expected), n, __ATOMIC_RELEASE);
		for (i = 0; i < NROOTS * NALIASES; i++)
			while (ut_read_once(ut_guest_var(self->vm, seen)[0][i]) < n)
				ut_msleep(1);
		let_go(pid);
	}
	ut_write_once(*ut_guest_var(self->vm, stop), 1);
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

TEST_HARNESS_MAIN
