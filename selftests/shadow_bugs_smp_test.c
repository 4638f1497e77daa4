// SPDX-License-Identifier: GPL-2.0
/*
 * Classes of bugs that hypervisors with shadow page tables are known for, one test each: those
 * that take several vCPUs, or a host that changes slots under a running one. The others are
 * in shadow_bugs_test.c.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <kselftest_harness.h>
#include "shootdown.h"
#include "worker.h"

#define SLOW		120	/* seconds: emulated hosts may have little of a processor */
#define NVCPUS		3
#define FRAMES_GPA	UT_FREE_GPA
#define NFRAMES		128
#define FRAME(i)	(FRAMES_GPA + (u64)(i) * UT_PAGE_SIZE)
#define VALUE(i)	(0xf000000000000000ull | (u64)(i))
#define STOP(vm)	ut_write_once(*ut_guest_var(vm, stop), 1)

/* In the guest. */
static u64 ready, stop, looks, roots[NVCPUS][2], live_root;

FIXTURE(bug)
{
	struct ut_vm *vm;
};

FIXTURE_SETUP(bug)
{
	int i;

	self->vm = ut_vm_long();
	sd_setup(self->vm);
	for (i = 0; i < NFRAMES; i++)
		sd_fill_frame(self->vm, FRAME(i), VALUE(i));
}

FIXTURE_TEARDOWN(bug)
{
	ut_vm_free(self->vm);
}

/* ---- a storm of CR3 writes ---- */

#define SWITCHES	1500
#define SECRET		(SD_WINDOW + UT_PAGE_SIZE)

/* As a kernel with page-table isolation: in and out, with a look now and then. */
static void guest_isolation(u64 id)
{
	u64 i, v;

	sd_meet(&ready, NVCPUS);
	for (i = 0; i < SWITCHES; i++) {
		guest_write_cr3(roots[id][0]);
		if (i % 8 == 0)
			GUEST_ASSERT_EQ(sd_read(SECRET, NULL), SD_PF(0));
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(id / 2));
		guest_write_cr3(roots[id][1]);
		GUEST_ASSERT_EQ(sd_read(SECRET, &v), 0);
		GUEST_ASSERT_EQ(v, VALUE(10 + id / 2));
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(id / 2));
	}
	guest_done();
}

/* vCPUs 0 and 1 are threads of one process, the third has roots of its own. */
TEST_F_TIMEOUT(bug, cr3_switch_storm, SLOW)
{
	struct ut_vm *vm = self->vm;
	u64 pair[2], id;

	for (id = 0; id < NVCPUS; id++) {
		if (id != 1) {
			pair[0] = sd_root(vm);
			pair[1] = sd_root(vm);
			sd_map(vm, pair[0], SD_WINDOW, FRAME(id / 2), 1, UT_PTE_W);
			sd_map(vm, pair[1], SD_WINDOW, FRAME(id / 2), 1, UT_PTE_W);
			sd_map(vm, pair[1], SECRET, FRAME(10 + id / 2), 1, UT_PTE_W);
		}
		memcpy(ut_guest_var(vm, roots)[0][id], pair, sizeof(pair));
		ut_set_args(ut_vcpu_long(vm, id, guest_isolation), id, 0);
	}
	sd_run_all(vm);
}

/* ---- slots of huge pages come and go ---- */

#define BIG_SIZE	(64 * UT_HUGE_SIZE)

/* While one vCPU's memory goes at once, the other one must get on. */
TEST_F_TIMEOUT(bug, huge_slots_zapped, SLOW)
{
	struct ut_job busy = {
		.op = UT_OP_HAMMER,
		.gva = UT_FREE_GPA,
		.count = 64,
		.stride = UT_PAGE_SIZE,
		.value = VALUE(0),
		.step = 1,
	};
	struct ut_job touch = {
		.op = UT_OP_FILL,
		.gva = UT_TEST_GPA,
		.count = BIG_SIZE / 0x40000,
		.stride = 0x40000,
		.step = 1,
	};
	struct ut_vm *vm = self->vm;
	struct ut_vcpu *vcpu[2] = { ut_worker(vm, 0), ut_worker(vm, 1) };
	struct ut_thread *thread;
	char *hva;
	int i;

	hva = ut_mmap(BIG_SIZE, UT_HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);
	madvise(hva, BIG_SIZE, MADV_HUGEPAGE);
	ut_map_identity(vm, UT_TEST_GPA, BIG_SIZE);
	thread = ut_work_start(vcpu[0], &busy);
	for (i = 0; i < 8; i++) {
		ut_add_slot_hva(vm, 1, UT_TEST_GPA, BIG_SIZE, hva, 0);
		touch.value = VALUE(i);
		touch.op = UT_OP_FILL;
		ASSERT_EQ(0, ut_work(vcpu[1], &touch));
		ut_del_slot(vm, 1);
		ut_work_wait(vcpu[0], 1);
		ut_add_slot_hva(vm, 1, UT_TEST_GPA, BIG_SIZE, hva, 0);
		touch.op = UT_OP_CHECK;
		ASSERT_EQ(0, ut_work(vcpu[1], &touch));
		ASSERT_EQ(0, touch.bad);
		ut_del_slot(vm, 1);
		ut_work_wait(vcpu[0], 1);
	}
	ut_work_stop(vm, true);
	ASSERT_EQ(0, ut_work_join(thread, &busy));
	ASSERT_EQ(0, busy.bad);
	ASSERT_EQ(0, ut_hammered_wrong(&busy, ut_hva(vm, UT_FREE_GPA)));
	munmap(hva, BIG_SIZE);
}

/* ---- more tables than fit, in memory whose writes are logged ---- */

#define NTABLES		2500
#define TABLES_GPA	UT_TEST_GPA
#define NLOGGED		512
#define LOGGED_GPA	(UT_TEST_GPA + 0x2000000)
#define SPAN		UT_HUGE_SIZE	/* of the window, for each leaf table */

static void guest_many_tables(void)
{
	u64 round, i, gva;

	for (round = 0; round < 2; round++) {
		for (i = 0; i < NTABLES; i++) {
			gva = SD_WINDOW + i * SPAN;
			guest_write64(gva + 8 * (i / NLOGGED), i + round);
		}
		for (i = 0; i < NTABLES; i++) {
			gva = SD_WINDOW + i * SPAN;
			GUEST_ASSERT_EQ(guest_read64(gva + 8 * (i / NLOGGED)), i + round);
		}
		guest_sync(round);
	}
	guest_done();
}

/* Table @i is page @i of its slot; leaf tables first, then those above them. */
static void build_tables(struct ut_vm *vm, u64 *tables)
{
	u64 i, pd = NTABLES, npd = (NTABLES + 511) / 512, pdpt = pd + npd;

	for (i = 0; i < NTABLES; i++) {
		tables[i * 512] = (LOGGED_GPA + i % NLOGGED * UT_PAGE_SIZE) | SD_PTE_RW;
		tables[pd * 512 + i] = (TABLES_GPA + i * UT_PAGE_SIZE) | SD_PTE_RW;
	}
	for (i = 0; i < npd; i++)
		tables[pdpt * 512 + i] = (TABLES_GPA + (pd + i) * UT_PAGE_SIZE) | SD_PTE_RW;
	*sd_pte(vm, vm->cr3, SD_WINDOW, 4) = (TABLES_GPA + pdpt * UT_PAGE_SIZE) | SD_PTE_RW;
}

static void *run_to_the_end(void *arg)
{
	while (ut_next(arg, NULL) == UT_SYNC)
		;
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Add what was written in slot @slot of up to 4096 pages to @seen. */
static void gather(struct ut_vm *vm, u32 slot, u64 *seen)
{
	u64 bitmap[64] = {};
	struct kvm_dirty_log log = { .slot = slot, .dirty_bitmap = bitmap };
	int i;

	ut_must_ioctl(vm->fd, KVM_GET_DIRTY_LOG, &log);
	for (i = 0; i < 64; i++)
		seen[i] |= bitmap[i];
}

static u64 missing(const u64 *seen, u64 n)
{
	u64 i, count = 0;

	for (i = 0; i < n; i++)
		count += !(seen[i / 64] >> i % 64 & 1);
	return count;
}

TEST_F_TIMEOUT(bug, tables_run_short_while_logging, SLOW)
{
	u64 ntables = NTABLES + NTABLES / 512 + 2, frames[64] = {}, tables[64] = {}, i;
	struct ut_vm *vm = self->vm;
	struct ut_vcpu *vcpu;
	pthread_t thread;
	u64 *hva;

	hva = ut_add_slot(vm, 1, TABLES_GPA, ntables * UT_PAGE_SIZE, KVM_MEM_LOG_DIRTY_PAGES);
	ut_add_slot(vm, 2, LOGGED_GPA, NLOGGED * UT_PAGE_SIZE, KVM_MEM_LOG_DIRTY_PAGES);
	build_tables(vm, hva);
	vcpu = ut_vcpu_long(vm, 0, guest_many_tables);
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_to_the_end, vcpu));
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		gather(vm, 2, frames);
		gather(vm, 1, tables);
		ut_msleep(20);
	}
	pthread_join(thread, NULL);
	gather(vm, 2, frames);
	gather(vm, 1, tables);
	ASSERT_EQ(0, missing(frames, NLOGGED));
	/* Accessed and dirty bits are writes as well. */
	ASSERT_EQ(0, missing(tables, ntables));
	for (i = 0; i < NTABLES; i++)
		ASSERT_EQ(UT_PTE_A | UT_PTE_D, hva[i * 512] & (UT_PTE_A | UT_PTE_D));
}

/* ---- tables in a slot that is exchanged for another one ---- */

static void guest_tell(void)
{
	guest_write_cr3(live_root);
	for (;;)
		guest_sync_args(0, guest_read64(SD_WINDOW), 0, 0);
}

/* Root to leaf table at @gpa, in memory at @tables, that map the window to @frame. */
static void fill_tables(struct ut_vm *vm, u64 *tables, u64 gpa, u64 frame)
{
	int i;

	memcpy(tables, ut_hva(vm, vm->cr3), UT_PAGE_SIZE);
	for (i = 0; i < 3; i++)
		tables[i ? i * 512 : 1] = (gpa + (i + 1) * UT_PAGE_SIZE) | SD_PTE_RW;
	tables[3 * 512] = frame | SD_PTE_RW;
}

/* No flush by the guest: the memory is another one from the call on. */
TEST_F_TIMEOUT(bug, tables_exchanged_with_their_slot, SLOW)
{
	struct ut_vm *vm = self->vm;
	struct ut_vcpu *vcpu;
	struct ut_ucall uc;
	u64 *hva[2], i;

	for (i = 0; i < 2; i++) {
		hva[i] = ut_mmap(4 * UT_PAGE_SIZE, UT_PAGE_SIZE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE, -1);
		fill_tables(vm, hva[i], UT_TEST_GPA, FRAME(i));
	}
	*ut_guest_var(vm, live_root) = UT_TEST_GPA;
	vcpu = ut_vcpu_long(vm, 0, guest_tell);
	for (i = 0; i < 20; i++) {
		ut_add_slot_hva(vm, 1, UT_TEST_GPA, 4 * UT_PAGE_SIZE, hva[i & 1], 0);
		ASSERT_EQ(UT_SYNC, ut_next(vcpu, &uc));
		ASSERT_EQ(VALUE(i & 1), uc.arg[1]);
		ut_del_slot(vm, 1);
	}
	munmap(hva[0], 4 * UT_PAGE_SIZE);
	munmap(hva[1], 4 * UT_PAGE_SIZE);
}

/* ---- the top table that a vCPU is running on ---- */

static void guest_on_root(void)
{
	u64 v, i = 0;

	guest_write_cr3(live_root);
	while (!ut_read_once(stop)) {
		GUEST_ASSERT_EQ(sd_read(SD_WINDOW, &v), 0);
		GUEST_ASSERT_EQ(v, VALUE(3));
		guest_write64(SD_WINDOW + 8, i);
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW + 8), i++);
		ut_write_once(looks, looks + 1);
		if (i % 16 == 0)
			guest_write_cr3(live_root);
	}
	guest_done();
}

/* Far more writes to the other's root than anybody would follow; none concerns its memory. */
static void guest_overwrite(void)
{
	u64 round, i, before;

	for (round = 0; round < 20; round++) {
		for (i = 2; i < 256; i++)
			guest_write64(live_root + i * 8, round & 1 ? 0 : FRAME(i) << 1);
		before = ut_read_once(looks);
		while (ut_read_once(looks) < before + 2)
			guest_pause();
	}
	ut_write_once(stop, 1);
	guest_done();
}

TEST_F_TIMEOUT(bug, live_root_overwritten, SLOW)
{
	struct ut_vm *vm = self->vm;
	u64 root = sd_root(vm);

	sd_map(vm, root, SD_WINDOW, FRAME(3), 1, UT_PTE_W);
	*ut_guest_var(vm, live_root) = root;
	ut_vcpu_long(vm, 0, guest_overwrite);
	ut_vcpu_long(vm, 1, guest_on_root);
	sd_run_all(vm);
}

static struct kvm_sregs first_sregs;
static struct kvm_vcpu_events first_events;
static u64 have_root, losses;

static void kick(int sig)
{
	(void)sig;
}

/* End what an exit to user space left half done, before the state is set. */
static void complete(struct ut_vcpu *vcpu)
{
	vcpu->run->immediate_exit = 1;
	while (ut_run(vcpu) != -EINTR)
		;
	vcpu->run->immediate_exit = 0;
}

/*
 * Without its root a vCPU may do anything: fault, stop, or run in circles until it is kicked.
 * Once the root is back it starts again. Only between two losses its word counts.
 */
static void *run_on_root(void *arg)
{
	struct ut_vcpu *vcpu = arg;
	struct ut_ucall uc;
	u64 known = 0;
	int ret;

	for (;;) {
		uc = (struct ut_ucall){};
		ret = ut_run(vcpu);
		if (!ret && ut_get_ucall(vcpu, &uc) && uc.cmd == UT_DONE)
			return NULL;
		if (known == __atomic_load_n(&losses, __ATOMIC_ACQUIRE)) {
			if (ret == -EINTR)
				continue;
			ut_die("KVM_RUN: %d, exit %s, ucall %lu: %#lx, %#lx, %#lx, %#lx, %#lx", ret,
			       ut_exit_name(vcpu->run->exit_reason), uc.cmd, uc.arg[0],
			       uc.arg[1], uc.arg[2], uc.arg[3], uc.arg[4]);
		}
		/* In this order: a loss that comes now is one that is not known. */
		known = __atomic_load_n(&losses, __ATOMIC_ACQUIRE);
		while (!__atomic_load_n(&have_root, __ATOMIC_ACQUIRE))
			ut_msleep(1);
		complete(vcpu);
		ut_set_events(vcpu, &first_events);
		ut_set_sregs(vcpu, &first_sregs);
		ut_restart(vcpu, guest_on_root);
	}
}

static void wait_for_looks(struct ut_vm *vm, pthread_t thread)
{
	u64 before = ut_read_once(*ut_guest_var(vm, looks)), i;

	for (i = 1; ut_read_once(*ut_guest_var(vm, looks)) < before + 3; i++) {
		ut_msleep(1);
		if (i % 32 == 0)
			pthread_kill(thread, SIGUSR1);
	}
}

/* The slot with the root is deleted and comes back, while the vCPU runs on it. */
TEST_F_TIMEOUT(bug, live_root_deleted, SLOW)
{
	struct sigaction sa = { .sa_handler = kick };
	struct ut_vm *vm = self->vm;
	struct ut_vcpu *vcpu;
	pthread_t thread;
	u64 *hva;
	int i;

	if (!ut_on_umbra() && !ut_shadowed())
		SKIP(return, "without its tables the guest's memory is not safe on KVM");
	ASSERT_EQ(0, sigaction(SIGUSR1, &sa, NULL));
	hva = ut_mmap(UT_PAGE_SIZE, UT_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);
	sd_map(vm, vm->cr3, SD_WINDOW, FRAME(3), 1, UT_PTE_W);
	memcpy(hva, ut_hva(vm, vm->cr3), UT_PAGE_SIZE);
	ut_add_slot_hva(vm, 1, UT_TEST_GPA, UT_PAGE_SIZE, hva, 0);
	*ut_guest_var(vm, live_root) = UT_TEST_GPA;
	vcpu = ut_vcpu_long(vm, 0, guest_on_root);
	ut_get_sregs(vcpu, &first_sregs);
	ut_get_events(vcpu, &first_events);
	have_root = 1;
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_on_root, vcpu));
	for (i = 0; i < 12; i++) {
		wait_for_looks(vm, thread);
		__atomic_store_n(&have_root, 0, __ATOMIC_RELEASE);
		__atomic_fetch_add(&losses, 1, __ATOMIC_SEQ_CST);
		ut_del_slot(vm, 1);
		if (i & 1)
			ut_msleep(5);
		ut_add_slot_hva(vm, 1, UT_TEST_GPA, UT_PAGE_SIZE, hva, 0);
		__atomic_store_n(&have_root, 1, __ATOMIC_RELEASE);
	}
	wait_for_looks(vm, thread);
	STOP(vm);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	munmap(hva, UT_PAGE_SIZE);
}

TEST_HARNESS_MAIN
