// SPDX-License-Identifier: GPL-2.0
/*
 * The host takes guest memory away and gives it back: swap by request and by
 * a memory limit, and same-page merging. The guest must find its own data,
 * whatever was done. Needs swap: in the emulated host the test makes it,
 * elsewhere it uses what is there.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <kselftest_harness.h>
#include "worker.h"

#define SLOW		120	/* seconds: emulated hosts may have little of a processor */
#define NPAGES		1024
#define SIZE		(NPAGES * UT_PAGE_SIZE)
/*
 * Pages under test while a vCPU runs: each page taken away costs a kick of that
 * vCPU, which takes milliseconds on an emulated host.
 */
#define RUNNING		64
#define HOT		16
#define PATTERN		0x3c3c000000000000ull
#define CGROUP		"/sys/fs/cgroup/umbra-selftest"
#define KSM		"/sys/kernel/mm/ksm/"
#define SECONDS(n)	((n) * 100)	/* in turns of 10 ms */

static char *map_slot(struct ut_vm *vm, uint64_t size)
{
	char *hva = ut_mmap(size, UT_HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);

	madvise(hva, size, MADV_NOHUGEPAGE);
	ut_map_identity(vm, UT_TEST_GPA, size);
	ut_add_slot_hva(vm, 1, UT_TEST_GPA, size, hva, 0);
	return hva;
}

static uint64_t place(const char *hva, uint64_t page)
{
	return *(const uint64_t *)(hva + page * UT_PAGE_SIZE);
}

FIXTURE(swap)
{
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
	char *hva;
};

FIXTURE_SETUP(swap)
{
	if (!ut_have_swap())
		SKIP(_exit(UT_SKIPPED), "no swap on this machine");
	self->vm = ut_vm_long();
	self->vcpu = ut_worker(self->vm, 0);
	self->hva = map_slot(self->vm, SIZE);
}

FIXTURE_TEARDOWN(swap)
{
	ut_vm_free(self->vm);
}

TEST_F_TIMEOUT(swap, out_and_in, SLOW)
{
	int round, i;

	for (round = 0; round < 2; round++) {
		ASSERT_EQ(0, ut_fill(self->vcpu, UT_TEST_GPA, NPAGES, PATTERN + round));
		ASSERT_EQ(NPAGES, ut_page_out(self->hva, SIZE));
		ASSERT_EQ(0, ut_check(self->vcpu, UT_TEST_GPA, NPAGES, PATTERN + round));
		ASSERT_EQ(NPAGES, ut_present(self->hva, SIZE));
		/* Out again, unchanged: the copy in swap may be used. */
		ASSERT_EQ(NPAGES, ut_page_out(self->hva, SIZE));
		ASSERT_EQ(0, ut_check(self->vcpu, UT_TEST_GPA, NPAGES, PATTERN + round));
		/* Written after it came in by reading: it may not. */
		ASSERT_EQ(0, ut_fill(self->vcpu, UT_TEST_GPA, NPAGES, ~PATTERN));
		ASSERT_EQ(NPAGES, ut_page_out(self->hva, SIZE));
		for (i = 0; i < NPAGES; i++)
			ASSERT_EQ(~PATTERN + i, place(self->hva, i));
	}
}

/* As when the scheduler moves a vCPU: its pages wait on the lists of a CPU that it has left. */
TEST_F_TIMEOUT(swap, from_another_cpu, SLOW)
{
	int round;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "this machine has one CPU");
	for (round = 0; round < 4; round++) {
		ut_pin(round & 1);
		ASSERT_EQ(0, ut_fill(self->vcpu, UT_TEST_GPA, NPAGES, PATTERN + round));
		ut_pin(~round & 1);
		ASSERT_EQ(NPAGES, ut_page_out(self->hva, SIZE));
		ASSERT_EQ(0, ut_check(self->vcpu, UT_TEST_GPA, NPAGES, PATTERN + round));
	}
}

TEST_F_TIMEOUT(swap, written_from_swap, SLOW)
{
	struct ut_job job = {
		.op = UT_OP_FILL,
		.gva = UT_TEST_GPA + 8,
		.count = NPAGES,
		.stride = UT_PAGE_SIZE,
		.value = ~PATTERN,
		.step = 1,
	};

	ASSERT_EQ(0, ut_fill(self->vcpu, UT_TEST_GPA, NPAGES, PATTERN));
	ASSERT_EQ(NPAGES, ut_page_out(self->hva, SIZE));
	/* The write is what brings the page in; the rest of it must be there too. */
	ASSERT_EQ(0, ut_work(self->vcpu, &job));
	ASSERT_EQ(0, ut_check(self->vcpu, UT_TEST_GPA, NPAGES, PATTERN));
	job.op = UT_OP_CHECK;
	ASSERT_EQ(0, ut_work(self->vcpu, &job));
	ASSERT_EQ(0, job.bad);
}

/* One vCPU never rests while the memory of another one goes and comes. */
TEST_F_TIMEOUT(swap, while_the_guest_runs, SLOW)
{
	struct ut_job job = {
		.op = UT_OP_HAMMER,
		.gva = UT_TEST_GPA,
		.count = HOT,
		.stride = UT_PAGE_SIZE,
		.value = PATTERN,
		.step = 1,
	};
	uint64_t rest = HOT * UT_PAGE_SIZE, size = RUNNING * UT_PAGE_SIZE;
	struct ut_vcpu *vcpu = ut_worker(self->vm, 1);
	struct ut_thread *thread = ut_work_start(vcpu, &job);
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, ut_fill(self->vcpu, UT_TEST_GPA + rest, RUNNING, ~PATTERN + i));
		/* Hot pages may stay or go: the kernel's choice. */
		ASSERT_EQ(0, madvise(self->hva, rest, MADV_PAGEOUT));
		ASSERT_EQ(RUNNING, ut_page_out(self->hva + rest, size));
		ASSERT_EQ(0, ut_check(self->vcpu, UT_TEST_GPA + rest, RUNNING, ~PATTERN + i));
		ASSERT_EQ(RUNNING, ut_present(self->hva + rest, size));
	}
	/* Bring all of it in again, at least once. */
	ut_work_wait(vcpu, 2);
	ut_work_stop(self->vm, true);
	ASSERT_EQ(0, ut_work_join(thread, &job));
	ASSERT_EQ(0, job.bad) {
		TH_LOG("place %lu held %#lx", job.bad_index, job.bad_value);
	}
	ASSERT_EQ(0, ut_hammered_wrong(&job, self->hva));
}

/* More guest memory than the control group may have: reclaim by age. */
TEST_F_TIMEOUT(swap, under_a_memory_limit, SLOW)
{
	uint64_t size = 24ull << 20, npages = size / UT_PAGE_SIZE;
	struct ut_vm *vm = ut_vm_long();
	struct ut_vcpu *vcpu = ut_worker(vm, 0);
	char *hva = map_slot(vm, size);
	int ret;

	ut_write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	if (mkdir(CGROUP, 0755) && errno != EEXIST)
		SKIP(return, "no control group: %s", strerror(errno));
	ret = ut_write_file(CGROUP "/memory.max", "12582912");
	if (!ret)
		ret = ut_write_file(CGROUP "/cgroup.procs", "0");
	if (ret)
		SKIP(return, "no memory limit: %s", strerror(-ret));
	ASSERT_EQ(0, ut_fill(vcpu, UT_TEST_GPA, npages, PATTERN));
	ASSERT_LT(npages / 3, ut_swapped(hva, size));
	ASSERT_EQ(0, ut_check(vcpu, UT_TEST_GPA, npages, PATTERN));
	ASSERT_EQ(0, ut_fill(vcpu, UT_TEST_GPA, npages, ~PATTERN));
	ASSERT_EQ(0, ut_check(vcpu, UT_TEST_GPA, npages, ~PATTERN));
	ASSERT_EQ(0, ut_write_file("/sys/fs/cgroup/cgroup.procs", "0"));
	EXPECT_EQ(0, rmdir(CGROUP));
	ut_vm_free(vm);
}

FIXTURE(ksm)
{
	struct ut_vm *vm[2];
	struct ut_vcpu *vcpu[2];
	char *hva[2];
};

FIXTURE_SETUP(ksm)
{
	int i;

	if (ut_read_number(KSM "run") < 0)
		SKIP(_exit(UT_SKIPPED), "this kernel has no KSM");
	if (ut_read_number(KSM "run") == 1)
		SKIP(_exit(UT_SKIPPED), "KSM is in use on this machine");
	/* Counts of processes that have ended stay until everything is unmerged. */
	ASSERT_EQ(0, ut_write_file(KSM "run", "2"));
	ASSERT_EQ(0, ut_read_number(KSM "pages_sharing"));
	ASSERT_EQ(0, ut_write_file(KSM "pages_to_scan", "20000"));
	ASSERT_EQ(0, ut_write_file(KSM "sleep_millisecs", "5"));
	for (i = 0; i < 2; i++) {
		self->vm[i] = ut_vm_long();
		self->vcpu[i] = ut_worker(self->vm[i], 0);
		self->hva[i] = map_slot(self->vm[i], SIZE);
		ASSERT_EQ(0, madvise(self->hva[i], SIZE, MADV_MERGEABLE));
	}
}

FIXTURE_TEARDOWN(ksm)
{
	ut_write_file(KSM "run", "2");
	ut_write_file(KSM "run", "0");
	ut_vm_free(self->vm[0]);
	ut_vm_free(self->vm[1]);
}

static long wait_for_sharing(long goal)
{
	long sharing = 0;
	int i;

	ut_write_file(KSM "run", "1");
	for (i = 0; i < SECONDS(15); i++) {
		sharing = ut_read_number(KSM "pages_sharing");
		if (sharing >= goal)
			break;
		ut_msleep(10);
	}
	return sharing;
}

TEST_F_TIMEOUT(ksm, merge_and_copy_on_write, SLOW)
{
	uint64_t half = UT_TEST_GPA + SIZE / 2;
	long merged;
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, ut_fill(self->vcpu[i], UT_TEST_GPA, NPAGES, PATTERN));
	/* Every page of one guest with its equal in the other. */
	merged = wait_for_sharing(NPAGES);
	ASSERT_EQ(NPAGES, merged);
	ASSERT_EQ(0, ut_write_file(KSM "run", "0"));

	/* Reading keeps them shared. */
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, ut_check(self->vcpu[i], UT_TEST_GPA, NPAGES, PATTERN));
	ASSERT_EQ(merged, ut_read_number(KSM "pages_sharing"));

	/* Each guest writes another half, and sees only its own writes. */
	ASSERT_EQ(0, ut_fill(self->vcpu[0], UT_TEST_GPA, NPAGES / 2, ~PATTERN));
	ASSERT_EQ(0, ut_fill(self->vcpu[1], half, NPAGES / 2, ~PATTERN));
	ASSERT_EQ(0, ut_check(self->vcpu[0], UT_TEST_GPA, NPAGES / 2, ~PATTERN));
	ASSERT_EQ(0, ut_check(self->vcpu[0], half, NPAGES / 2, PATTERN + NPAGES / 2));
	ASSERT_EQ(0, ut_check(self->vcpu[1], UT_TEST_GPA, NPAGES / 2, PATTERN));
	ASSERT_EQ(0, ut_check(self->vcpu[1], half, NPAGES / 2, ~PATTERN));
	/* And the host agrees: nobody is left on a page of the past. */
	for (i = 0; i < NPAGES / 2; i++) {
		ASSERT_EQ(~PATTERN + i, place(self->hva[0], i));
		ASSERT_EQ(PATTERN + i, place(self->hva[1], i));
		ASSERT_EQ(~PATTERN + i, place(self->hva[1], NPAGES / 2 + i));
	}
}

TEST_F_TIMEOUT(ksm, unmerge, SLOW)
{
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, ut_fill(self->vcpu[i], UT_TEST_GPA, NPAGES, PATTERN));
	ASSERT_EQ(NPAGES, wait_for_sharing(NPAGES));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, ut_check(self->vcpu[i], UT_TEST_GPA, NPAGES, PATTERN));
	ASSERT_EQ(0, ut_write_file(KSM "run", "2"));
	ASSERT_EQ(0, ut_read_number(KSM "pages_sharing"));
	for (i = 0; i < NPAGES; i++)
		*(uint64_t *)(self->hva[0] + i * UT_PAGE_SIZE) = i;
	ASSERT_EQ(0, ut_check(self->vcpu[0], UT_TEST_GPA, NPAGES, 0));
	ASSERT_EQ(0, ut_check(self->vcpu[1], UT_TEST_GPA, NPAGES, PATTERN));
}

/* The merging daemon write-protects and compares what a guest writes all the time. */
TEST_F_TIMEOUT(ksm, while_a_guest_runs, SLOW)
{
	struct ut_job job = {
		.op = UT_OP_HAMMER,
		.gva = UT_TEST_GPA,
		.count = HOT,
		.stride = UT_PAGE_SIZE,
		.value = PATTERN,
	};
	uint64_t half = UT_TEST_GPA + SIZE / 2;
	struct ut_thread *thread;
	long merged;
	int i;

	/* The second halves merge under the running guest, the first never rests. */
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, ut_fill(self->vcpu[i], half, RUNNING, PATTERN));
	thread = ut_work_start(self->vcpu[0], &job);
	merged = wait_for_sharing(RUNNING);
	ut_work_wait(self->vcpu[0], 10);
	ut_work_stop(self->vm[0], true);
	ASSERT_EQ(0, ut_work_join(thread, &job));
	ASSERT_EQ(0, job.bad) {
		TH_LOG("place %lu held %#lx", job.bad_index, job.bad_value);
	}
	ASSERT_EQ(0, ut_hammered_wrong(&job, self->hva[0]));
	ASSERT_LE(RUNNING, merged);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, ut_check(self->vcpu[i], half, RUNNING, PATTERN));
}

TEST_HARNESS_MAIN
