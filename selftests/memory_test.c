// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory is the caller's memory: nothing is touched before the guest
 * does, and whatever the host does to a mapping (madvise, mprotect, munmap,
 * mremap, fork, userfaultfd, truncation) is what the guest sees from then on.
 * Swap and KSM are in reclaim_test.c, huge pages in hugepage_test.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <kselftest_harness.h>
#include "worker.h"

#define NPAGES		512
#define SIZE		(NPAGES * UT_PAGE_SIZE)
#define HALF		(NPAGES / 2)
#define PATTERN		0x5a5a000000000000ull
#define ALIAS_GPA	(UT_TEST_GPA + 0x10000000ull)

FIXTURE(memory)
{
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
	char *hva;
};

static char *anon(void)
{
	char *hva = ut_mmap(SIZE, UT_HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);

	/* Counts below are of 4 KiB pages. */
	madvise(hva, SIZE, MADV_NOHUGEPAGE);
	return hva;
}

FIXTURE_SETUP(memory)
{
	self->vm = ut_vm_long();
	self->vcpu = ut_worker(self->vm, 0);
	ut_map_identity(self->vm, UT_TEST_GPA, SIZE);
	ut_map_identity(self->vm, ALIAS_GPA, SIZE);
	self->hva = anon();
	ut_add_slot_hva(self->vm, 1, UT_TEST_GPA, SIZE, self->hva, 0);
}

FIXTURE_TEARDOWN(memory)
{
	ut_vm_free(self->vm);
}

static uint64_t *place(char *hva, uint64_t page)
{
	return (uint64_t *)(hva + page * UT_PAGE_SIZE);
}

/* The worker's view of the first half and of the second half of the slot. */
static long check_low(struct ut_vcpu *vcpu, uint64_t value)
{
	return ut_check(vcpu, UT_TEST_GPA, HALF, value);
}

static long check_high(struct ut_vcpu *vcpu, uint64_t value)
{
	return ut_check(vcpu, UT_TEST_GPA + HALF * UT_PAGE_SIZE, HALF, value + HALF);
}

static long fill_all(struct ut_vcpu *vcpu, uint64_t value)
{
	return ut_fill(vcpu, UT_TEST_GPA, NPAGES, value);
}

TEST_F(memory, demand_paging)
{
	struct ut_job job = {
		.op = UT_OP_TOUCH,
		.gva = UT_TEST_GPA,
		.count = NPAGES / 4,
		.stride = 4 * UT_PAGE_SIZE,
		.value = PATTERN,
	};
	int i;

	ASSERT_EQ(0, ut_present(self->hva, SIZE));
	ASSERT_EQ(0, ut_work(self->vcpu, &job));
	for (i = 0; i < NPAGES; i++)
		ASSERT_EQ(i % 4 == 0, ut_present(self->hva + i * UT_PAGE_SIZE, UT_PAGE_SIZE)) {
			TH_LOG("page %d", i);
		}
	/* Reading gives no page of its own. */
	ASSERT_EQ(0, ut_smaps(self->hva, "Anonymous"));
	job.op = UT_OP_FILL;
	job.gva = UT_TEST_GPA + 2 * UT_PAGE_SIZE;
	ASSERT_EQ(0, ut_work(self->vcpu, &job));
	for (i = 0; i < NPAGES; i++)
		ASSERT_EQ(i % 2 == 0, ut_present(self->hva + i * UT_PAGE_SIZE, UT_PAGE_SIZE)) {
			TH_LOG("page %d", i);
		}
	ASSERT_EQ(SIZE / 4 / 1024, ut_smaps(self->hva, "Anonymous"));
	for (i = 0; i < NPAGES; i++)
		ASSERT_EQ(i % 4 == 2 ? PATTERN : 0, *place(self->hva, i));
}

TEST_F(memory, host_writes_are_seen)
{
	int round, i;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < NPAGES; i++)
			*place(self->hva, i) = PATTERN + round + i;
		ASSERT_EQ(0, ut_check(self->vcpu, UT_TEST_GPA, NPAGES, PATTERN + round));
		ASSERT_EQ(0, fill_all(self->vcpu, ~PATTERN));
		for (i = 0; i < NPAGES; i++)
			ASSERT_EQ(~PATTERN + i, *place(self->hva, i));
	}
}

TEST_F(memory, zero_page_then_write)
{
	int i;

	/* Maps the zero page, which the following writes must not change. */
	ASSERT_EQ(0, ut_check_zero(self->vcpu, UT_TEST_GPA, NPAGES));
	ASSERT_EQ(0, fill_all(self->vcpu, PATTERN));
	ASSERT_EQ(0, ut_check(self->vcpu, UT_TEST_GPA, NPAGES, PATTERN));
	ASSERT_EQ(SIZE / 1024, ut_smaps(self->hva, "Anonymous"));
	for (i = 0; i < NPAGES; i++)
		ASSERT_EQ(PATTERN + i, *place(self->hva, i));
}

/* The host replaces zero pages by writing: the guest may not keep the old ones. */
TEST_F(memory, zero_page_then_host_write)
{
	int i;

	ASSERT_EQ(0, ut_check_zero(self->vcpu, UT_TEST_GPA, NPAGES));
	for (i = 0; i < NPAGES; i++)
		*place(self->hva, i) = PATTERN + i;
	ASSERT_EQ(0, ut_check(self->vcpu, UT_TEST_GPA, NPAGES, PATTERN));
}

TEST_F(memory, dontneed_anonymous)
{
	int round;

	for (round = 0; round < 3; round++) {
		ASSERT_EQ(0, fill_all(self->vcpu, PATTERN + round));
		ASSERT_EQ(0, madvise(self->hva, SIZE / 2, MADV_DONTNEED));
		ASSERT_EQ(HALF, ut_present(self->hva, SIZE));
		ASSERT_EQ(0, ut_check_zero(self->vcpu, UT_TEST_GPA, HALF));
		ASSERT_EQ(0, check_high(self->vcpu, PATTERN + round));
		ASSERT_EQ(0, ut_fill(self->vcpu, UT_TEST_GPA, HALF, ~PATTERN));
		ASSERT_EQ(0, madvise(self->hva + SIZE / 2, SIZE / 2, MADV_DONTNEED));
		ASSERT_EQ(0, check_low(self->vcpu, ~PATTERN));
		ASSERT_EQ(0, ut_check_zero(self->vcpu, UT_TEST_GPA + SIZE / 2, HALF));
	}
}

/* A temporary file of SIZE bytes with PATTERN + page at the start of each page. */
static int pattern_file(void)
{
	char name[] = "/tmp/umbra-memory-XXXXXX";
	int fd = mkstemp(name);
	uint64_t i, v;

	if (fd < 0 || unlink(name) || ftruncate(fd, SIZE))
		ut_die("%s: %s", name, strerror(errno));
	for (i = 0; i < NPAGES; i++) {
		v = PATTERN + i;
		if (pwrite(fd, &v, sizeof(v), i * UT_PAGE_SIZE) != sizeof(v))
			ut_die("%s: %s", name, strerror(errno));
	}
	return fd;
}

static uint64_t in_file(int fd, uint64_t page)
{
	uint64_t v;

	if (pread(fd, &v, sizeof(v), page * UT_PAGE_SIZE) != sizeof(v))
		ut_die("reading back: %s", strerror(errno));
	return v;
}

TEST_F(memory, private_file)
{
	int fd = pattern_file(), i;

	self->hva = ut_mmap(SIZE, UT_HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
	ut_add_slot_hva(self->vm, 2, ALIAS_GPA, SIZE, self->hva, 0);
	ASSERT_EQ(0, ut_check(self->vcpu, ALIAS_GPA, NPAGES, PATTERN));
	ASSERT_EQ(0, ut_fill(self->vcpu, ALIAS_GPA, NPAGES, ~PATTERN));
	ASSERT_EQ(0, ut_check(self->vcpu, ALIAS_GPA, NPAGES, ~PATTERN));
	for (i = 0; i < NPAGES; i++) {
		ASSERT_EQ(PATTERN + i, in_file(fd, i));
		ASSERT_EQ(~PATTERN + i, *place(self->hva, i));
	}
	/* The private copies go, the file shines through. */
	ASSERT_EQ(0, madvise(self->hva, SIZE, MADV_DONTNEED));
	ASSERT_EQ(0, ut_check(self->vcpu, ALIAS_GPA, NPAGES, PATTERN));
}

TEST_F(memory, shared_file)
{
	int fd = pattern_file(), i;
	uint64_t v;

	self->hva = ut_mmap(SIZE, UT_HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	ut_add_slot_hva(self->vm, 2, ALIAS_GPA, SIZE, self->hva, 0);
	ASSERT_EQ(0, ut_check(self->vcpu, ALIAS_GPA, NPAGES, PATTERN));
	ASSERT_EQ(0, ut_fill(self->vcpu, ALIAS_GPA, NPAGES, ~PATTERN));
	for (i = 0; i < NPAGES; i++)
		ASSERT_EQ(~PATTERN + i, in_file(fd, i));
	ASSERT_EQ(0, madvise(self->hva, SIZE, MADV_DONTNEED));
	ASSERT_EQ(0, ut_check(self->vcpu, ALIAS_GPA, NPAGES, ~PATTERN));
	for (i = 0; i < NPAGES; i++) {
		v = PATTERN + 7 + i;
		ASSERT_EQ(8, pwrite(fd, &v, sizeof(v), i * UT_PAGE_SIZE));
	}
	ASSERT_EQ(0, ut_check(self->vcpu, ALIAS_GPA, NPAGES, PATTERN + 7));
}

TEST_F(memory, memfd_hole_and_truncation)
{
	int fd = memfd_create("guest", MFD_CLOEXEC), i;
	struct ut_job job;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, SIZE));
	self->hva = ut_mmap(SIZE, UT_HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	ut_add_slot_hva(self->vm, 1, UT_TEST_GPA, 0, NULL, 0);
	ut_add_slot_hva(self->vm, 1, UT_TEST_GPA, SIZE, self->hva, 0);
	ASSERT_EQ(0, fill_all(self->vcpu, PATTERN));
	for (i = 0; i < NPAGES; i++)
		ASSERT_EQ(PATTERN + i, in_file(fd, i));
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, SIZE / 2));
	ASSERT_EQ(0, ut_check_zero(self->vcpu, UT_TEST_GPA, HALF));
	ASSERT_EQ(0, check_high(self->vcpu, PATTERN));
	ASSERT_EQ(0, ftruncate(fd, SIZE / 2));
	ASSERT_EQ(0, ut_check_zero(self->vcpu, UT_TEST_GPA, HALF));
	ASSERT_EQ(-EFAULT, check_high(self->vcpu, PATTERN));
	ASSERT_EQ(0, ftruncate(fd, SIZE));
	/* The interrupted check goes on, over zeroes. */
	ASSERT_EQ(0, ut_work_resume(self->vcpu, &job));
	ASSERT_EQ(HALF, job.bad);
	ASSERT_EQ(0, job.bad_value);
}

TEST_F(memory, protection)
{
	struct ut_job job = {
		.op = UT_OP_FILL,
		.gva = UT_TEST_GPA,
		.count = NPAGES,
		.stride = UT_PAGE_SIZE,
		.value = ~PATTERN,
		.step = 1,
	};
	int i;

	ASSERT_EQ(0, fill_all(self->vcpu, PATTERN));
	ASSERT_EQ(0, mprotect(self->hva, SIZE, PROT_READ));
	ASSERT_EQ(0, ut_check(self->vcpu, UT_TEST_GPA, NPAGES, PATTERN));
	ASSERT_EQ(-EFAULT, ut_work(self->vcpu, &job));
	/* Every attempt fails, and nothing was written. */
	ASSERT_EQ(-EFAULT, ut_work_resume(self->vcpu, &job));
	for (i = 0; i < NPAGES; i++)
		ASSERT_EQ(PATTERN + i, *place(self->hva, i));
	ASSERT_EQ(0, mprotect(self->hva, SIZE, PROT_READ | PROT_WRITE));
	ASSERT_EQ(0, ut_work_resume(self->vcpu, &job));
	for (i = 0; i < NPAGES; i++)
		ASSERT_EQ(~PATTERN + i, *place(self->hva, i));
	ASSERT_EQ(0, mprotect(self->hva, SIZE, PROT_NONE));
	ASSERT_EQ(-EFAULT, ut_check(self->vcpu, UT_TEST_GPA, NPAGES, ~PATTERN));
	ASSERT_EQ(0, mprotect(self->hva, SIZE, PROT_READ));
	ASSERT_EQ(0, ut_work_resume(self->vcpu, &job));
	ASSERT_EQ(0, job.bad);
}

TEST_F(memory, unmapped_and_mapped_anew)
{
	struct ut_job job;

	ASSERT_EQ(0, fill_all(self->vcpu, PATTERN));
	ASSERT_EQ(0, munmap(self->hva, SIZE));
	ASSERT_EQ(-EFAULT, ut_check_zero(self->vcpu, UT_TEST_GPA, NPAGES));
	ASSERT_EQ((void *)self->hva, mmap(self->hva, SIZE, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	ASSERT_EQ(0, ut_work_resume(self->vcpu, &job));
	ASSERT_EQ(0, job.bad);
}

TEST_F(memory, moved)
{
	char *other = ut_mmap(SIZE, UT_HUGE_SIZE, PROT_NONE, MAP_PRIVATE, -1);
	struct ut_job job;

	ASSERT_EQ(0, fill_all(self->vcpu, PATTERN));
	ASSERT_EQ((void *)other, mremap(self->hva, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
					other));
	ASSERT_EQ(-EFAULT, check_low(self->vcpu, PATTERN));
	ASSERT_EQ((void *)self->hva, mremap(other, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
					    self->hva));
	ASSERT_EQ(0, ut_work_resume(self->vcpu, &job));
	ASSERT_EQ(0, job.bad);
	ASSERT_EQ(0, check_high(self->vcpu, PATTERN));
}

TEST_F(memory, two_gpas_on_one_hva)
{
	ut_add_slot_hva(self->vm, 2, ALIAS_GPA, SIZE, self->hva, 0);
	ASSERT_EQ(0, fill_all(self->vcpu, PATTERN));
	ASSERT_EQ(0, ut_check(self->vcpu, ALIAS_GPA, NPAGES, PATTERN));
	ASSERT_EQ(0, ut_fill(self->vcpu, ALIAS_GPA, NPAGES, ~PATTERN));
	ASSERT_EQ(0, ut_check(self->vcpu, UT_TEST_GPA, NPAGES, ~PATTERN));
	ASSERT_EQ(0, madvise(self->hva, SIZE, MADV_DONTNEED));
	ASSERT_EQ(0, ut_check_zero(self->vcpu, ALIAS_GPA, NPAGES));
	ASSERT_EQ(0, ut_check_zero(self->vcpu, UT_TEST_GPA, NPAGES));
	ASSERT_EQ(0, fill_all(self->vcpu, PATTERN));
	ut_set_region(self->vm, 1, UT_TEST_GPA, 0, self->hva, 0);
	ASSERT_EQ(0, ut_check(self->vcpu, ALIAS_GPA, NPAGES, PATTERN));
}

/* Both processes own the pages after fork(): the guest's writes must make copies. */
TEST_F(memory, fork_copies_on_write)
{
	int ready[2], status, i;
	char c = 0;
	pid_t pid;

	ASSERT_EQ(0, fill_all(self->vcpu, PATTERN));
	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(ready[1]);
		if (read(ready[0], &c, 1) != 1)
			_exit(2);
		for (i = 0; i < NPAGES; i++)
			if (*place(self->hva, i) != PATTERN + i)
				_exit(1);
		_exit(0);
	}
	ASSERT_EQ(0, fill_all(self->vcpu, ~PATTERN));
	ASSERT_EQ(1, write(ready[1], &c, 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	for (i = 0; i < NPAGES; i++)
		ASSERT_EQ(~PATTERN + i, *place(self->hva, i));
}

/* Answers faults with pages that hold PATTERN + page, until the descriptor is closed. */
static void *answer_faults(void *arg)
{
	static uint64_t page[512] __attribute__((aligned(4096)));
	struct { int fd; char *hva; } *uffd = arg;
	struct uffdio_copy copy = { .src = (uintptr_t)page, .len = UT_PAGE_SIZE };
	struct uffd_msg msg;
	uintptr_t n = 0;

	while (n < NPAGES && read(uffd->fd, &msg, sizeof(msg)) == sizeof(msg)) {
		copy.dst = msg.arg.pagefault.address & ~(UT_PAGE_SIZE - 1);
		page[0] = PATTERN + (copy.dst - (uintptr_t)uffd->hva) / UT_PAGE_SIZE;
		if (ioctl(uffd->fd, UFFDIO_COPY, &copy))
			ut_die("UFFDIO_COPY: %s", strerror(errno));
		n++;
	}
	return (void *)n;
}

TEST_F(memory, userfaultfd)
{
	struct { int fd; char *hva; } uffd = { .hva = self->hva };
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)self->hva, .len = SIZE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	pthread_t thread;
	void *answered;

	uffd.fd = syscall(__NR_userfaultfd, O_CLOEXEC);
	if (uffd.fd < 0)
		SKIP(return, "userfaultfd: %s", strerror(errno));
	ASSERT_EQ(0, ioctl(uffd.fd, UFFDIO_API, &api));
	ASSERT_EQ(0, ioctl(uffd.fd, UFFDIO_REGISTER, &reg));
	ASSERT_EQ(0, pthread_create(&thread, NULL, answer_faults, &uffd));
	ASSERT_EQ(0, ut_check(self->vcpu, UT_TEST_GPA, NPAGES, PATTERN));
	ASSERT_EQ(0, pthread_join(thread, &answered));
	/* One fault for each page: neither skipped nor asked for twice. */
	ASSERT_EQ(NPAGES, (uintptr_t)answered);
	ASSERT_EQ(0, fill_all(self->vcpu, ~PATTERN));
}

TEST_HARNESS_MAIN
