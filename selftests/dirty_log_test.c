// SPDX-License-Identifier: GPL-2.0
/*
 * The dirty log is exact: what the guest wrote is in it, once, and nothing
 * else; also for writes by emulated instructions and by the processor's walks
 * of guest page tables, with huge pages below, with both ways of clearing, and
 * when it is switched on and off under a running guest.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <kselftest_harness.h>
#include "worker.h"

/* Neither a multiple of 64 nor of 512. */
#define NPAGES		1531
#define SIZE		(NPAGES * UT_PAGE_SIZE)
#define WORDS		((NPAGES + 63) / 64)
#define MAX_LIST	256
#define ROUNDS		6
#define SLOT		1

/* In the guest: places to write, offset from UT_TEST_GPA, and how wide. */
static struct {
	uint64_t offset[MAX_LIST];
	uint64_t count;
} lists[2];

FIXTURE(log)
{
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
	char *hva;
	uint64_t want[WORDS];
	uint64_t got[WORDS];
	uint64_t seed;
};

FIXTURE_VARIANT(log)
{
	int advice;
	uint64_t manual;	/* argument of KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 */
};

FIXTURE_VARIANT_ADD(log, small_pages)
{
	.advice = MADV_NOHUGEPAGE,
};

FIXTURE_VARIANT_ADD(log, huge_pages)
{
	.advice = MADV_HUGEPAGE,
};

FIXTURE_VARIANT_ADD(log, manual)
{
	.advice = MADV_NOHUGEPAGE,
	.manual = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE,
};

FIXTURE_VARIANT_ADD(log, manual_huge_pages)
{
	.advice = MADV_HUGEPAGE,
	.manual = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE,
};

/* Writes one byte to each place of the list, then says so. */
static void guest_scatter(uint64_t id)
{
	uint64_t i;

	for (;; guest_sync(0))
		for (i = 0; i < lists[id].count; i++)
			guest_write8(UT_TEST_GPA + lists[id].offset[i], i);
}

static void set_log(struct _test_data_log *self, bool on)
{
	int ret = ut_set_region(self->vm, SLOT, UT_TEST_GPA, SIZE, self->hva,
				on ? KVM_MEM_LOG_DIRTY_PAGES : 0);

	if (ret)
		ut_die("dirty log %s: %s", on ? "on" : "off", strerror(-ret));
}

FIXTURE_SETUP(log)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
		.args = { variant->manual },
	};

	self->vm = ut_vm_long();
	self->vcpu = ut_vcpu_long(self->vm, 0, guest_scatter);
	self->hva = ut_mmap(SIZE, UT_HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);
	madvise(self->hva, SIZE, variant->advice);
	memset(self->hva, 0x11, SIZE);
	ut_map_identity(self->vm, UT_TEST_GPA, SIZE);
	if (variant->manual) {
		if (!(ut_cap(self->vm->fd, cap.cap) & (long)variant->manual))
			SKIP(_exit(UT_SKIPPED), "no manual clearing of the dirty log");
		ut_must_ioctl(self->vm->fd, KVM_ENABLE_CAP, &cap);
	}
	ut_add_slot_hva(self->vm, SLOT, UT_TEST_GPA, SIZE, self->hva, 0);
	set_log(self, true);
	self->seed = 0x9e3779b97f4a7c15ull;
}

FIXTURE_TEARDOWN(log)
{
	ut_vm_free(self->vm);
}

static uint64_t random64(struct _test_data_log *self)
{
	self->seed ^= self->seed << 13;
	self->seed ^= self->seed >> 7;
	self->seed ^= self->seed << 17;
	return self->seed;
}

static void mark(uint64_t *bitmap, uint64_t page)
{
	bitmap[page / 64] |= 1ull << page % 64;
}

/* A new list of @n random places for vCPU @id; their pages are added to want. */
static void make_list(struct _test_data_log *self, int id, uint64_t n)
{
	uint64_t i, offset;

	for (i = 0; i < n; i++) {
		offset = random64(self) % SIZE;
		ut_guest_var(self->vm, lists)[0][id].offset[i] = offset;
		mark(self->want, offset / UT_PAGE_SIZE);
	}
	ut_guest_var(self->vm, lists)[0][id].count = n;
}

/* Read the log and, where that is the caller's, clear all that was read. */
static const uint64_t *get_log(struct _test_data_log *self, bool manual)
{
	struct kvm_dirty_log log = { .slot = SLOT, .dirty_bitmap = self->got };
	struct kvm_clear_dirty_log clear = {
		.slot = SLOT,
		.num_pages = NPAGES,
		.dirty_bitmap = self->got,
	};

	memset(self->got, 0xff, sizeof(self->got));
	ut_must_ioctl(self->vm->fd, KVM_GET_DIRTY_LOG, &log);
	if (manual)
		ut_must_ioctl(self->vm->fd, KVM_CLEAR_DIRTY_LOG, &clear);
	return self->got;
}

/* Pages in which the log and the truth differ. */
static uint64_t wrong_pages(struct _test_data_log *self)
{
	uint64_t i, bad = 0;

	for (i = 0; i < WORDS; i++)
		bad += __builtin_popcountll(self->want[i] ^ self->got[i]);
	return bad;
}

static void run_list(struct ut_vcpu *vcpu)
{
	if (ut_next(vcpu, NULL) != UT_SYNC)
		ut_die("exit %s", ut_exit_name(vcpu->run->exit_reason));
}

static void forget(struct _test_data_log *self)
{
	memset(self->want, 0, sizeof(self->want));
}

TEST_F(log, exact)
{
	int round;

	for (round = 0; round < ROUNDS; round++) {
		forget(self);
		/* From a few pages to more than half of them touched again. */
		make_list(self, 0, 1 + random64(self) % MAX_LIST);
		run_list(self->vcpu);
		get_log(self, variant->manual);
		ASSERT_EQ(0, wrong_pages(self)) {
			TH_LOG("round %d", round);
		}
		/* Reading it has emptied it. */
		forget(self);
		get_log(self, variant->manual);
		ASSERT_EQ(0, wrong_pages(self));
	}
	/* The same places once more: protected again by the reading. */
	make_list(self, 0, MAX_LIST);
	run_list(self->vcpu);
	get_log(self, variant->manual);
	run_list(self->vcpu);
	get_log(self, variant->manual);
	ASSERT_EQ(0, wrong_pages(self));
}

TEST_F(log, two_vcpus)
{
	struct ut_vcpu *other = ut_vcpu_long(self->vm, 1, guest_scatter);
	int round;

	ut_set_args(other, 1, 0);
	for (round = 0; round < ROUNDS; round++) {
		forget(self);
		make_list(self, 0, MAX_LIST / 2);
		make_list(self, 1, MAX_LIST / 2);
		run_list(self->vcpu);
		run_list(other);
		get_log(self, variant->manual);
		ASSERT_EQ(0, wrong_pages(self));
	}
}

/* Reads, and the host's own writes, are not the guest's writes. */
TEST_F(log, nothing_else)
{
	struct ut_vcpu *worker = ut_worker(self->vm, 1);

	forget(self);
	ASSERT_EQ(NPAGES, ut_check(worker, UT_TEST_GPA, NPAGES, 0));
	get_log(self, variant->manual);
	/* KVM counts a page as written when reading it gave a writable mapping. */
	ASSERT_TRUE(!ut_on_umbra() || !wrong_pages(self));
	memset(self->hva, 0x22, SIZE);
	ASSERT_EQ(NPAGES, ut_check(worker, UT_TEST_GPA, NPAGES, 1));
	get_log(self, variant->manual);
	ASSERT_EQ(0, wrong_pages(self));
}

/* An access across a border writes to both pages. */
TEST_F(log, across_pages)
{
	forget(self);
	ut_restart(self->vcpu, guest_write64);
	ut_set_args(self->vcpu, UT_TEST_GPA + 41 * UT_PAGE_SIZE - 3, 7);
	/* Returns to address 0, which is not mapped: an exception ends it. */
	do {
		if (ut_run(self->vcpu))
			ut_die("KVM_RUN failed");
	} while (self->vcpu->run->exit_reason != KVM_EXIT_IO);
	mark(self->want, 40);
	mark(self->want, 41);
	get_log(self, variant->manual);
	ASSERT_EQ(0, wrong_pages(self));
}

TEST_F(log, off_and_on)
{
	struct kvm_dirty_log log = { .slot = SLOT, .dirty_bitmap = self->got };

	make_list(self, 0, MAX_LIST);
	run_list(self->vcpu);
	set_log(self, false);
	ASSERT_EQ(-ENOENT, ut_ioctl(self->vm->fd, KVM_GET_DIRTY_LOG, &log));
	/* Writable mappings from the time without a log. */
	run_list(self->vcpu);
	set_log(self, true);
	forget(self);
	get_log(self, variant->manual);
	ASSERT_EQ(0, wrong_pages(self));
	make_list(self, 0, MAX_LIST / 4);
	run_list(self->vcpu);
	get_log(self, variant->manual);
	ASSERT_EQ(0, wrong_pages(self));
	/* Without a log nothing is lost of what is written. */
	set_log(self, false);
	memset(self->hva, 0x33, SIZE);
	run_list(self->vcpu);
	ASSERT_EQ(0, (uint8_t)self->hva[ut_guest_var(self->vm, lists)[0][0].offset[0]]);
}

/* Discarded memory faults in again: logged as long as the guest writes it. */
TEST_F(log, over_dontneed)
{
	forget(self);
	make_list(self, 0, MAX_LIST / 2);
	run_list(self->vcpu);
	madvise(self->hva, SIZE, MADV_DONTNEED);
	get_log(self, variant->manual);
	ASSERT_EQ(0, wrong_pages(self));
	madvise(self->hva, SIZE, MADV_DONTNEED);
	run_list(self->vcpu);
	get_log(self, variant->manual);
	ASSERT_EQ(0, wrong_pages(self));
}

/* ---- writes that no instruction of the guest makes directly ---- */

static void guest_string_input(uint64_t gva, uint64_t count)
{
	asm volatile("cld; rep insb" : "+D"(gva), "+c"(count) : "d"(0x99) : "memory");
	guest_done();
}

/* Port input in string form is written by the hypervisor. */
TEST_F(log, string_input)
{
	uint64_t gva = UT_TEST_GPA + 700 * UT_PAGE_SIZE - 2;

	forget(self);
	ut_restart(self->vcpu, guest_string_input);
	ut_set_args(self->vcpu, gva, 5);
	while (ut_next(self->vcpu, NULL) == UT_EXIT) {
		ASSERT_EQ(KVM_EXIT_IO, self->vcpu->run->exit_reason);
		memset(ut_io_data(self->vcpu), 0x77, self->vcpu->run->io.count);
	}
	mark(self->want, 699);
	mark(self->want, 700);
	get_log(self, variant->manual);
	ASSERT_EQ(0, wrong_pages(self));
	ASSERT_EQ(0x77, self->hva[700 * UT_PAGE_SIZE - 2]);
	ASSERT_EQ(0x77, self->hva[700 * UT_PAGE_SIZE + 2]);
	ASSERT_EQ(0x11, self->hva[700 * UT_PAGE_SIZE + 3]);
}

static void guest_copy_device(uint64_t gva, uint64_t count)
{
	uint64_t from = UT_MMIO_GPA;

	asm volatile("cld; rep movsb" : "+D"(gva), "+S"(from), "+c"(count) : : "memory");
	guest_done();
}

/* A copy from a device to memory is an emulated instruction. */
TEST_F(log, emulated_copy)
{
	uint64_t gva = UT_TEST_GPA + 900 * UT_PAGE_SIZE - 3;

	forget(self);
	ut_restart(self->vcpu, guest_copy_device);
	ut_set_args(self->vcpu, gva, 6);
	while (ut_next(self->vcpu, NULL) == UT_EXIT) {
		ASSERT_EQ(KVM_EXIT_MMIO, self->vcpu->run->exit_reason);
		ASSERT_EQ(0, self->vcpu->run->mmio.is_write);
		memset(self->vcpu->run->mmio.data, 0x66, 8);
	}
	mark(self->want, 899);
	mark(self->want, 900);
	get_log(self, variant->manual);
	ASSERT_EQ(0, wrong_pages(self));
	ASSERT_EQ(0x66, self->hva[900 * UT_PAGE_SIZE + 2]);
}

/* Tables of the guest in the logged slot: accessed and dirty bits are writes too. */
TEST_F(log, page_table_walk)
{
	uint64_t table = UT_TEST_GPA + 33 * UT_PAGE_SIZE, gva = 0x7f0000000000ull, i;
	uint64_t *pte = (uint64_t *)(self->hva + 33 * UT_PAGE_SIZE);
	struct ut_vcpu *worker;

	memset(pte, 0, UT_PAGE_SIZE);
	for (i = 0; i < 8; i++)
		pte[i] = (UT_FREE_GPA + i * UT_PAGE_SIZE) | UT_PTE_P | UT_PTE_W;
	*ut_pte(self->vm, gva, 2) = table | UT_PTE_P | UT_PTE_W;
	worker = ut_worker(self->vm, 1);
	forget(self);
	get_log(self, variant->manual);
	ASSERT_EQ(0, wrong_pages(self));

	mark(self->want, 33);
	ASSERT_EQ(0, ut_check_zero(worker, gva, 1));
	ASSERT_EQ(UT_PTE_A, pte[0] & (UT_PTE_A | UT_PTE_D));
	get_log(self, variant->manual);
	ASSERT_EQ(0, wrong_pages(self));
	ASSERT_EQ(0, ut_fill(worker, gva, 8, 5));
	for (i = 0; i < 8; i++)
		ASSERT_EQ(UT_PTE_A | UT_PTE_D, pte[i] & (UT_PTE_A | UT_PTE_D));
	get_log(self, variant->manual);
	ASSERT_EQ(0, wrong_pages(self));
}

/* ---- what a migration does ---- */

/* Copy the pages that the log names. */
static uint64_t copy_dirty(struct _test_data_log *self, char *copy)
{
	uint64_t i, n = 0;

	for (i = 0; i < NPAGES; i++) {
		if (!(self->got[i / 64] >> i % 64 & 1))
			continue;
		memcpy(copy + i * UT_PAGE_SIZE, self->hva + i * UT_PAGE_SIZE, UT_PAGE_SIZE);
		n++;
	}
	return n;
}

TEST_F(log, copy_of_a_running_guest)
{
	struct ut_vcpu *worker = ut_worker(self->vm, 1);
	struct ut_job job = {
		.op = UT_OP_HAMMER,
		.gva = UT_TEST_GPA,
		.count = NPAGES / 11,
		.stride = 11 * UT_PAGE_SIZE,
		.value = 1,
		.step = 3,
	};
	struct ut_thread *thread;
	char *copy = malloc(SIZE);
	uint64_t copied = 0;
	int i;

	ASSERT_NE(NULL, copy);
	/* All has been copied when the log begins. */
	memcpy(copy, self->hva, SIZE);
	thread = ut_work_start(worker, &job);
	for (i = 0; i < 8; i++) {
		/* One whole round at least, wherever it is now. */
		ut_work_wait(worker, 2);
		get_log(self, variant->manual);
		copied += copy_dirty(self, copy);
	}
	ut_work_stop(self->vm, true);
	ASSERT_EQ(0, ut_work_join(thread, &job));
	ASSERT_EQ(0, job.bad);
	get_log(self, variant->manual);
	copied += copy_dirty(self, copy);
	ASSERT_EQ(0, memcmp(copy, self->hva, SIZE));
	ASSERT_LE(8 * (NPAGES / 11), copied);
}

/* ---- manual clearing only ---- */

FIXTURE(clear)
{
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
	char *hva;
	uint64_t got[WORDS];
};

FIXTURE_SETUP(clear)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
		.args = { KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET },
	};

	self->vm = ut_vm_long();
	if ((ut_cap(self->vm->fd, cap.cap) & (long)cap.args[0]) != (long)cap.args[0])
		SKIP(_exit(UT_SKIPPED), "no initially set, manually cleared dirty log");
	ut_must_ioctl(self->vm->fd, KVM_ENABLE_CAP, &cap);
	self->vcpu = ut_worker(self->vm, 0);
	self->hva = ut_mmap(SIZE, UT_HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);
	ut_map_identity(self->vm, UT_TEST_GPA, SIZE);
	ut_add_slot_hva(self->vm, SLOT, UT_TEST_GPA, SIZE, self->hva, KVM_MEM_LOG_DIRTY_PAGES);
}

FIXTURE_TEARDOWN(clear)
{
	ut_vm_free(self->vm);
}

static int clear_log(struct _test_data_clear *self, uint64_t first, uint32_t n, void *bitmap)
{
	struct kvm_clear_dirty_log clear = {
		.slot = SLOT,
		.first_page = first,
		.num_pages = n,
		.dirty_bitmap = bitmap,
	};

	return ut_ioctl(self->vm->fd, KVM_CLEAR_DIRTY_LOG, &clear);
}

static uint64_t count_log(struct _test_data_clear *self)
{
	struct kvm_dirty_log log = { .slot = SLOT, .dirty_bitmap = self->got };
	uint64_t i, n = 0;

	ut_must_ioctl(self->vm->fd, KVM_GET_DIRTY_LOG, &log);
	for (i = 0; i < WORDS; i++)
		n += __builtin_popcountll(self->got[i]);
	return n;
}

TEST_F(clear, initially_set)
{
	uint64_t ones[WORDS];

	memset(ones, 0xff, sizeof(ones));
	ASSERT_EQ(NPAGES, count_log(self));
	/* Reading does not clear. */
	ASSERT_EQ(NPAGES, count_log(self));
	ASSERT_EQ(0, clear_log(self, 0, NPAGES, ones));
	ASSERT_EQ(0, count_log(self));
	ASSERT_EQ(0, ut_fill(self->vcpu, UT_TEST_GPA + 10 * UT_PAGE_SIZE, 100, 1));
	ASSERT_EQ(100, count_log(self));
	ASSERT_EQ(0x3ff, ~self->got[0]);
}

/* Only what is asked for is cleared, and only that is protected again. */
TEST_F(clear, in_parts)
{
	uint64_t mask = 0x00ff00ff00ff00ffull, i;
	uint64_t masks[WORDS];

	for (i = 0; i < WORDS; i++)
		masks[i] = mask;
	ASSERT_EQ(0, ut_fill(self->vcpu, UT_TEST_GPA, NPAGES, 1));
	ASSERT_EQ(0, clear_log(self, 64, 128, masks));
	ASSERT_EQ(NPAGES - 64, count_log(self));
	ASSERT_EQ(~0ull, self->got[0]);
	ASSERT_EQ(~mask, self->got[1]);
	ASSERT_EQ(~mask, self->got[2]);
	ASSERT_EQ(~0ull, self->got[3]);
	/* The last, incomplete word. */
	ASSERT_EQ(0, clear_log(self, NPAGES & ~63u, NPAGES % 64, masks));
	count_log(self);
	ASSERT_EQ(~mask & ((1ull << NPAGES % 64) - 1), self->got[WORDS - 1]);
	/* What was cleared is noted when written again; what was not stays. */
	ASSERT_EQ(0, ut_fill(self->vcpu, UT_TEST_GPA + 64 * UT_PAGE_SIZE, 4, 1));
	count_log(self);
	ASSERT_EQ(~mask | 0xf, self->got[1]);
}

TEST_F(clear, bad_ranges)
{
	uint64_t ones[WORDS + 1];
	uint64_t before = count_log(self);

	memset(ones, 0xff, sizeof(ones));
	ASSERT_EQ(-EINVAL, clear_log(self, 1, 64, ones));
	ASSERT_EQ(-EINVAL, clear_log(self, 0, 65, ones));
	ASSERT_EQ(-EINVAL, clear_log(self, 0, NPAGES + 1, ones));
	ASSERT_EQ(-EINVAL, clear_log(self, (NPAGES + 64) & ~63u, 64, ones));
	ASSERT_EQ(-EINVAL, clear_log(self, ~63ull, 64, ones));
	ASSERT_EQ(-EFAULT, clear_log(self, 0, 64, (void *)16));
	ASSERT_EQ(before, count_log(self));
}

TEST_HARNESS_MAIN
