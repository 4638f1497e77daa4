// SPDX-License-Identifier: GPL-2.0
/*
 * Many VMs: 64 at once with memory of their own, in turn and in parallel; and
 * VMs made and destroyed again and again, which must leave nothing behind.
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <kselftest_harness.h>
#include "worker.h"

#define NVMS		64
#define NPAGES		32
#define SIZE		(NPAGES * UT_PAGE_SIZE)
#define LIVES		40	/* VMs made and destroyed in one measurement */
#define LEAK_KIB	512	/* tolerated growth, below the second-level tables of LIVES VMs */
#define SLOW		120	/* seconds: emulated hosts may have little of a processor */

FIXTURE(many)
{
	struct ut_vm *vm[NVMS];
	struct ut_vcpu *vcpu[NVMS];
};

FIXTURE_SETUP(many)
{
	int i;

	for (i = 0; i < NVMS; i++) {
		self->vm[i] = ut_vm_long();
		self->vcpu[i] = ut_worker(self->vm[i], 0);
		ut_map_identity(self->vm[i], UT_TEST_GPA, SIZE);
		ut_add_slot(self->vm[i], 1, UT_TEST_GPA, SIZE, 0);
	}
}

FIXTURE_TEARDOWN(many)
{
	int i;

	/* Not in the order of their creation. */
	for (i = 0; i < NVMS; i += 2)
		ut_vm_free(self->vm[i]);
	for (i = 1; i < NVMS; i += 2)
		ut_vm_free(self->vm[i]);
}

static uint64_t pattern(int vm, int round)
{
	return (uint64_t)(vm + 1) << 32 | (uint64_t)round << 16;
}

TEST_F_TIMEOUT(many, in_turn, SLOW)
{
	int round, i;

	for (round = 0; round < 2; round++) {
		for (i = 0; i < NVMS; i++)
			ASSERT_EQ(0, ut_fill(self->vcpu[i], UT_TEST_GPA, NPAGES,
					     pattern(i, round)));
		for (i = NVMS - 1; i >= 0; i--)
			ASSERT_EQ(0, ut_check(self->vcpu[i], UT_TEST_GPA, NPAGES,
					      pattern(i, round)));
	}
	/* The host finds each VM's values in its own memory. */
	for (i = 0; i < NVMS; i++)
		ASSERT_EQ(pattern(i, 1), *(uint64_t *)ut_hva(self->vm[i], UT_TEST_GPA));
}

TEST_F_TIMEOUT(many, in_parallel, SLOW)
{
	struct ut_thread *thread[NVMS];
	struct ut_job job = {
		.op = UT_OP_HAMMER,
		.gva = UT_TEST_GPA,
		.count = NPAGES,
		.stride = UT_PAGE_SIZE,
		.step = 1,
	};
	int i;

	for (i = 0; i < NVMS; i++) {
		job.value = pattern(i, 0);
		thread[i] = ut_work_start(self->vcpu[i], &job);
	}
	for (i = 0; i < NVMS; i++) {
		ut_work_wait(self->vcpu[i], 1);
		ut_work_stop(self->vm[i], true);
	}
	for (i = 0; i < NVMS; i++) {
		ASSERT_EQ(0, ut_work_join(thread[i], &job));
		ASSERT_EQ(0, job.bad) {
			TH_LOG("VM %d: place %lu held %#lx", i, job.bad_index, job.bad_value);
		}
		ASSERT_EQ(0, ut_hammered_wrong(&job, ut_hva(self->vm[i], UT_TEST_GPA)));
	}
}

/* ---- leaks ---- */

static int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

/* A field of a /proc file in KiB. */
static long field(const char *path, const char *name)
{
	FILE *f = fopen(path, "re");
	char line[256];
	long v = -1;

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)) &&
		    sscanf(line + strlen(name), ": %ld", &v) == 1)
			break;
	if (f)
		fclose(f);
	return v;
}

/* What the kernel itself uses, of the kinds that a VM is made of. */
static long kernel_kib(void)
{
	return field("/proc/meminfo", "SUnreclaim") + field("/proc/meminfo", "VmallocUsed") +
	       field("/proc/meminfo", "Percpu") + field("/proc/meminfo", "KernelStack");
}

/* Free pages that each processor keeps for itself: not part of MemFree. */
static long kept_free_kib(void)
{
	FILE *f = fopen("/proc/zoneinfo", "re");
	long sum = 0, v;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, " count: %ld", &v) == 1)
			sum += v * 4;
	if (f)
		fclose(f);
	return sum;
}

/*
 * Memory in nobody's account: pages taken without a name are missing from all
 * of the known fields.
 */
static long unaccounted_kib(void)
{
	static const char * const known[] = {
		"MemFree", "Buffers", "Cached", "SwapCached", "AnonPages", "Slab", "PageTables",
		"KernelStack", "Percpu",
	};
	long sum = field("/proc/meminfo", "MemTotal") - kept_free_kib();
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		sum -= field("/proc/meminfo", known[i]);
	return sum;
}

/* Write to each page from LIFE_GPA on: second-level tables come into being. */
UT_BLOB(toucher, ".code32\n"
	"\tmov $0x600000, %edi\n"
	"\tmov $32, %ecx\n"
	"1:\tmov %ecx, (%edi)\n"
	"\tadd $0x1000, %edi\n"
	"\tloop 1b\n"
	"\thlt");
#define LIFE_GPA	0x600000ull

static void one_life(int vcpus)
{
	struct ut_vcpu *vcpu = ut_blob_guest(UT_PROT32, toucher, UT_BLOB_LEN(toucher));
	struct ut_vm *vm = vcpu->vm;
	int i;

	ut_add_slot(vm, 1, LIFE_GPA, SIZE, KVM_MEM_LOG_DIRTY_PAGES);
	for (i = 1; i < vcpus; i++)
		ut_vcpu_new(vm, i);
	if (ut_next(vcpu, NULL) != UT_EXIT || vcpu->run->exit_reason != KVM_EXIT_HLT)
		ut_die("exit %s", ut_exit_name(vcpu->run->exit_reason));
	if (*(uint32_t *)ut_hva(vm, LIFE_GPA + SIZE - UT_PAGE_SIZE) != 1)
		ut_die("the guest has not written the last page");
	ut_vm_free(vm);
}

static void lives(int n)
{
	int i;

	for (i = 0; i < n; i++)
		one_life(1 + i % 3);
	/* What the kernel frees later, it has freed then. */
	ut_msleep(200);
}

FIXTURE(leak) { };
FIXTURE_SETUP(leak) { }
FIXTURE_TEARDOWN(leak) { }

TEST_F_TIMEOUT(leak, nothing_is_left_behind, SLOW)
{
	long kernel, unaccounted, rss;
	int files;

	/* Caches fill up in the first round. */
	lives(LIVES / 4);
	files = open_files();
	rss = field("/proc/self/status", "VmRSS");
	kernel = kernel_kib();
	unaccounted = unaccounted_kib();
	ASSERT_LT(0, rss);
	ASSERT_LT(0, kernel);
	lives(LIVES);
	EXPECT_EQ(files, open_files());
	EXPECT_GT(LEAK_KIB, field("/proc/self/status", "VmRSS") - rss);
	EXPECT_GT(LEAK_KIB, kernel_kib() - kernel);
	EXPECT_GT(LEAK_KIB, unaccounted_kib() - unaccounted);
	printf("# after %d VMs: kernel %+ld KiB, unaccounted %+ld KiB, own %+ld KiB\n", LIVES,
	       kernel_kib() - kernel, unaccounted_kib() - unaccounted,
	       field("/proc/self/status", "VmRSS") - rss);
}

TEST_HARNESS_MAIN
