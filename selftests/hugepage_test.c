// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory in huge pages of the host: transparent ones, in private and in
 * shared memory, and those of hugetlbfs. Large second-level mappings may never
 * reach beyond a slot, nor join what is not contiguous, and splitting or
 * collapsing under a running guest may change nothing that it sees.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mman.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <kselftest_harness.h>
#include "worker.h"

#define SLOW		120	/* seconds: emulated hosts may have little of a processor */
#define THP		"/sys/kernel/mm/transparent_hugepage/"
#define HUGETLB_2M	"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
#define HUGETLB_1G	"/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages"
#define NHUGE		4
#define SIZE		(NHUGE * UT_HUGE_SIZE)
#define NPAGES		(SIZE / UT_PAGE_SIZE)
#define PATTERN		0x7171000000000000ull
#define CANARY		0xcacacacacacacacaull
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

FIXTURE(hugepage)
{
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
	char *hva;
};

FIXTURE_SETUP(hugepage)
{
	char text[64] = "";
	FILE *f = fopen(THP "enabled", "re");

	if (!f || !fgets(text, sizeof(text), f) || strstr(text, "[never]"))
		SKIP(_exit(UT_SKIPPED), "no transparent huge pages on this machine");
	fclose(f);
	self->vm = ut_vm_long();
	self->vcpu = ut_worker(self->vm, 0);
	ut_map_identity(self->vm, UT_TEST_GPA, SIZE + UT_HUGE_SIZE);
	self->hva = ut_mmap(SIZE, UT_HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);
	ASSERT_EQ(0, madvise(self->hva, SIZE, MADV_HUGEPAGE));
}

FIXTURE_TEARDOWN(hugepage)
{
	ut_vm_free(self->vm);
}

static uint64_t *place(char *hva, uint64_t page)
{
	return (uint64_t *)(hva + page * UT_PAGE_SIZE);
}

static long fill_all(struct ut_vcpu *vcpu, uint64_t value)
{
	return ut_fill(vcpu, UT_TEST_GPA, NPAGES, value);
}

static long check_all(struct ut_vcpu *vcpu, uint64_t value)
{
	return ut_check(vcpu, UT_TEST_GPA, NPAGES, value);
}

/* Pages of [hva, ...) that do not hold value + page. */
static uint64_t host_bad(char *hva, uint64_t npages, uint64_t value)
{
	uint64_t i, bad = 0;

	for (i = 0; i < npages; i++)
		bad += *place(hva, i) != value + i;
	return bad;
}

/* The guest's first touch of a page gives the whole huge page, as a process's does. */
TEST_F(hugepage, faulted_in_by_the_guest)
{
	int i;

	ut_add_slot_hva(self->vm, 1, UT_TEST_GPA, SIZE, self->hva, 0);
	ASSERT_EQ(0, ut_present(self->hva, SIZE));
	for (i = 0; i < NHUGE; i++) {
		ASSERT_EQ(0, ut_fill(self->vcpu, UT_TEST_GPA + i * UT_HUGE_SIZE + 0x5000, 1,
				     PATTERN));
		ASSERT_EQ((i + 1) * UT_HUGE_PAGES, ut_present(self->hva, SIZE));
	}
	ASSERT_EQ(SIZE / 1024, ut_smaps(self->hva, "AnonHugePages"));
	ASSERT_EQ(0, fill_all(self->vcpu, PATTERN));
	ASSERT_EQ(0, host_bad(self->hva, NPAGES, PATTERN));
	ASSERT_EQ(0, madvise(self->hva, SIZE, MADV_DONTNEED));
	ASSERT_EQ(0, ut_check_zero(self->vcpu, UT_TEST_GPA, NPAGES));
}

/* gpa and hva differ by a 4 KiB page: no huge mapping can be right. */
TEST_F(hugepage, gpa_and_hva_not_congruent)
{
	uint64_t n = NPAGES - 1;

	memset(self->hva, 0, SIZE);
	ut_add_slot_hva(self->vm, 1, UT_TEST_GPA, n * UT_PAGE_SIZE, self->hva + UT_PAGE_SIZE, 0);
	ASSERT_EQ(0, ut_fill(self->vcpu, UT_TEST_GPA, n, PATTERN));
	ASSERT_EQ(SIZE / 1024, ut_smaps(self->hva, "AnonHugePages"));
	ASSERT_EQ(0, host_bad(self->hva + UT_PAGE_SIZE, n, PATTERN));
	ASSERT_EQ(0, *place(self->hva, 0));
	*place(self->hva, n) = CANARY;
	ASSERT_EQ(1, ut_check(self->vcpu, UT_TEST_GPA, n, PATTERN));
}

/*
 * A slot that begins and ends inside huge pages of the host, between two slots
 * with other memory, and the same huge pages hold canaries around it.
 */
TEST_F(hugepage, slot_borders_inside_huge_pages)
{
	uint64_t lead = 100, len = NPAGES - 2 * lead, end = UT_TEST_GPA + SIZE, i;
	char *low = ut_mmap(UT_HUGE_SIZE, UT_HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);
	char *high = ut_mmap(UT_HUGE_SIZE, UT_HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);

	for (i = 0; i < NPAGES; i++)
		*place(self->hva, i) = CANARY;
	ut_add_slot_hva(self->vm, 1, UT_TEST_GPA + lead * UT_PAGE_SIZE, len * UT_PAGE_SIZE,
			self->hva + lead * UT_PAGE_SIZE, 0);
	ut_add_slot_hva(self->vm, 2, UT_TEST_GPA, lead * UT_PAGE_SIZE, low, 0);
	ut_add_slot_hva(self->vm, 3, end - lead * UT_PAGE_SIZE, lead * UT_PAGE_SIZE, high, 0);
	/* The middle first, so that a mapping that is too large would already be there. */
	ASSERT_EQ(0, ut_fill(self->vcpu, UT_TEST_GPA + lead * UT_PAGE_SIZE, len, PATTERN + lead));
	ASSERT_EQ(0, fill_all(self->vcpu, PATTERN));
	ASSERT_EQ(0, check_all(self->vcpu, PATTERN));
	ASSERT_EQ(SIZE / 1024, ut_smaps(self->hva, "AnonHugePages"));
	ASSERT_EQ(0, host_bad(low, lead, PATTERN));
	ASSERT_EQ(0, host_bad(self->hva + lead * UT_PAGE_SIZE, len, PATTERN + lead));
	ASSERT_EQ(0, host_bad(high, lead, PATTERN + NPAGES - lead));
	for (i = 0; i < lead; i++) {
		ASSERT_EQ(CANARY, *place(self->hva, i));
		ASSERT_EQ(CANARY, *place(self->hva, NPAGES - 1 - i));
	}
	munmap(low, UT_HUGE_SIZE);
	munmap(high, UT_HUGE_SIZE);
}

/* Nothing behind the last page of the slot, though the huge page goes on. */
TEST_F(hugepage, no_memory_behind_the_slot)
{
	uint64_t n = UT_HUGE_PAGES + 7, gpa = UT_TEST_GPA + n * UT_PAGE_SIZE;

	memset(self->hva, 0, SIZE);
	ut_add_slot_hva(self->vm, 1, UT_TEST_GPA, n * UT_PAGE_SIZE, self->hva, 0);
	ASSERT_EQ(0, ut_fill(self->vcpu, UT_TEST_GPA, n, PATTERN));
	ut_restart(self->vcpu, guest_write64);
	ut_set_args(self->vcpu, gpa, CANARY);
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_MMIO, self->vcpu->run->exit_reason);
	ASSERT_EQ(gpa, self->vcpu->run->mmio.phys_addr);
	ASSERT_EQ(0, *place(self->hva, n));
}

/* What the host does to one small page of a huge one leaves the others alone. */
TEST_F(hugepage, split_by_the_host)
{
	uint64_t odd = UT_HUGE_PAGES + 17;
	struct ut_job job;

	ut_add_slot_hva(self->vm, 1, UT_TEST_GPA, SIZE, self->hva, 0);
	ASSERT_EQ(0, fill_all(self->vcpu, PATTERN));
	ASSERT_EQ(0, madvise(self->hva + odd * UT_PAGE_SIZE, UT_PAGE_SIZE, MADV_DONTNEED));
	ASSERT_EQ(1, check_all(self->vcpu, PATTERN));
	ASSERT_EQ(0, ut_check_zero(self->vcpu, UT_TEST_GPA + odd * UT_PAGE_SIZE, 1));
	ASSERT_EQ(0, fill_all(self->vcpu, ~PATTERN));
	ASSERT_EQ(0, mprotect(self->hva, UT_PAGE_SIZE, PROT_READ));
	ASSERT_EQ(0, check_all(self->vcpu, ~PATTERN));
	ASSERT_EQ(-EFAULT, fill_all(self->vcpu, PATTERN));
	ASSERT_EQ(0, host_bad(self->hva, NPAGES, ~PATTERN));
	ASSERT_EQ(0, mprotect(self->hva, UT_PAGE_SIZE, PROT_READ | PROT_WRITE));
	ASSERT_EQ(0, ut_work_resume(self->vcpu, &job));
	ASSERT_EQ(0, host_bad(self->hva, NPAGES, PATTERN));
}

/* Collapse by the kernel's daemon, for kernels without MADV_COLLAPSE. */
static void wait_for_daemon(char *hva)
{
	int i;

	ut_write_file(THP "khugepaged/scan_sleep_millisecs", "10");
	ut_write_file(THP "khugepaged/alloc_sleep_millisecs", "10");
	ut_write_file(THP "khugepaged/pages_to_scan", "8192");
	for (i = 0; i < 100 && ut_smaps(hva, "AnonHugePages") < SIZE / 1024; i++)
		ut_msleep(100);
}

TEST_F_TIMEOUT(hugepage, collapse_and_split_while_the_guest_runs, SLOW)
{
	struct ut_job job = {
		.op = UT_OP_HAMMER,
		.gva = UT_TEST_GPA,
		.count = NPAGES / 4,
		.stride = 4 * UT_PAGE_SIZE,
		.value = PATTERN,
		.step = 1,
	};
	struct ut_thread *thread;
	uint64_t huge;
	int i;

	ASSERT_EQ(0, madvise(self->hva, SIZE, MADV_NOHUGEPAGE));
	ut_add_slot_hva(self->vm, 1, UT_TEST_GPA, SIZE, self->hva, 0);
	ASSERT_EQ(0, fill_all(self->vcpu, PATTERN));
	ASSERT_EQ(0, ut_smaps(self->hva, "AnonHugePages"));
	ASSERT_EQ(0, madvise(self->hva, SIZE, MADV_HUGEPAGE));
	thread = ut_work_start(self->vcpu, &job);
	ut_work_wait(self->vcpu, 1);
	for (i = 0; i < 4; i++) {
		if (madvise(self->hva, SIZE, MADV_COLLAPSE) && errno == EINVAL)
			wait_for_daemon(self->hva);
		huge = ut_smaps(self->hva, "AnonHugePages");
		EXPECT_LT(0, huge);
		ut_work_wait(self->vcpu, 1);
		/* The middle becomes a mapping of its own: huge entries must be split. */
		mprotect(self->hva + UT_PAGE_SIZE, SIZE - 2 * UT_PAGE_SIZE,
			 PROT_READ | PROT_WRITE | PROT_EXEC);
		ut_work_wait(self->vcpu, 1);
		mprotect(self->hva + UT_PAGE_SIZE, SIZE - 2 * UT_PAGE_SIZE,
			 PROT_READ | PROT_WRITE);
	}
	ut_work_stop(self->vm, true);
	ASSERT_EQ(0, ut_work_join(thread, &job));
	ASSERT_EQ(0, job.bad) {
		TH_LOG("place %lu held %#lx", job.bad_index, job.bad_value);
	}
	ASSERT_EQ(0, ut_hammered_wrong(&job, self->hva));
}

TEST_F(hugepage, shared_memory)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);

	if (ut_write_file(THP "shmem_enabled", "advise"))
		SKIP(return, "no huge pages in shared memory");
	ASSERT_EQ(0, ftruncate(fd, SIZE));
	self->hva = ut_mmap(SIZE, UT_HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	ASSERT_EQ(0, madvise(self->hva, SIZE, MADV_HUGEPAGE));
	ut_add_slot_hva(self->vm, 1, UT_TEST_GPA, SIZE, self->hva, 0);
	ASSERT_EQ(0, fill_all(self->vcpu, PATTERN));
	EXPECT_EQ(SIZE / 1024, ut_smaps(self->hva, "ShmemPmdMapped"));
	EXPECT_EQ(0, ut_write_file(THP "shmem_enabled", "never"));
	ASSERT_EQ(0, host_bad(self->hva, NPAGES, PATTERN));
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       UT_HUGE_SIZE + UT_PAGE_SIZE, UT_PAGE_SIZE));
	ASSERT_EQ(1, check_all(self->vcpu, PATTERN));
	ASSERT_EQ(0, ut_check_zero(self->vcpu, UT_TEST_GPA + UT_HUGE_SIZE + UT_PAGE_SIZE, 1));
}

/* @n more pages of hugetlbfs; false where they cannot be had. */
static bool reserve(const char *file, long n)
{
	long before = ut_read_number(file);
	char text[32];

	snprintf(text, sizeof(text), "%ld", before + n);
	if (before < 0 || ut_write_file(file, text))
		return false;
	if (ut_read_number(file) >= before + n)
		return true;
	snprintf(text, sizeof(text), "%ld", before);
	ut_write_file(file, text);
	return false;
}

static void give_back(const char *file, long n)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", ut_read_number(file) - n);
	ut_write_file(file, text);
}

TEST_F(hugepage, hugetlb)
{
	int flags = MAP_PRIVATE | MAP_HUGETLB | MAP_HUGE_2MB;

	if (!reserve(HUGETLB_2M, NHUGE))
		SKIP(return, "%d huge pages of 2 MiB cannot be reserved", NHUGE);
	self->hva = ut_mmap(SIZE, UT_HUGE_SIZE, PROT_READ | PROT_WRITE, flags, -1);
	ut_add_slot_hva(self->vm, 1, UT_TEST_GPA, SIZE, self->hva, 0);
	EXPECT_EQ(0, ut_check_zero(self->vcpu, UT_TEST_GPA, NPAGES));
	EXPECT_EQ(0, fill_all(self->vcpu, PATTERN));
	EXPECT_EQ(0, host_bad(self->hva, NPAGES, PATTERN));
	EXPECT_EQ(0, madvise(self->hva, UT_HUGE_SIZE, MADV_DONTNEED));
	EXPECT_EQ(0, ut_check_zero(self->vcpu, UT_TEST_GPA, UT_HUGE_PAGES));
	EXPECT_EQ(0, ut_check(self->vcpu, UT_TEST_GPA + UT_HUGE_SIZE, NPAGES - UT_HUGE_PAGES,
			      PATTERN + UT_HUGE_PAGES));
	EXPECT_EQ(0, munmap(self->hva, SIZE));
	EXPECT_EQ(-EFAULT, ut_check_zero(self->vcpu, UT_TEST_GPA, 1));
	give_back(HUGETLB_2M, NHUGE);
}

TEST_F(hugepage, gigantic)
{
	int flags = MAP_PRIVATE | MAP_HUGETLB | MAP_HUGE_1GB;
	uint64_t size = 1ull << 30;
	struct ut_job job = {
		.op = UT_OP_FILL,
		.gva = UT_TEST_GPA,
		.count = size / UT_HUGE_SIZE,
		.stride = UT_HUGE_SIZE,
		.value = PATTERN,
		.step = 1,
	};
	uint64_t i;

	if (!reserve(HUGETLB_1G, 1))
		SKIP(return, "no huge page of 1 GiB can be reserved");
	self->hva = ut_mmap(size, size, PROT_READ | PROT_WRITE, flags, -1);
	ut_map_identity(self->vm, UT_TEST_GPA, size);
	ut_add_slot_hva(self->vm, 1, UT_TEST_GPA, size, self->hva, 0);
	EXPECT_EQ(0, ut_work(self->vcpu, &job));
	for (i = 0; i < job.count; i++)
		EXPECT_EQ(PATTERN + i, *(uint64_t *)(self->hva + i * UT_HUGE_SIZE));
	job.op = UT_OP_CHECK;
	EXPECT_EQ(0, ut_work(self->vcpu, &job));
	EXPECT_EQ(0, job.bad);
	munmap(self->hva, size);
	give_back(HUGETLB_1G, 1);
}

TEST_HARNESS_MAIN
