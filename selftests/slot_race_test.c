// SPDX-License-Identifier: GPL-2.0
/*
 * Slots deleted, moved and replaced, and their memory taken away or protected,
 * while vCPUs use them. The test says before and after each change what a
 * place holds; a vCPU that finds something else in a time without changes has
 * used a mapping that should be gone.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <kselftest_harness.h>
#include "worker.h"

#define SLOW		120	/* seconds: emulated hosts may have little of a processor */
#define NVCPUS		3
#define ROUNDS		25
#define SIZE		UT_HUGE_SIZE
#define OTHER_GPA	(UT_TEST_GPA + 0x10000000ull)
#define PAGE_OFFSET	0x7000
#define FIRST		0x1111111111111111ull
#define SECOND		0x2222222222222222ull
#define NOTHING		0xeeeeeeeeeeeeeeeeull	/* answer to MMIO */

/* Shared with the guest, in its copy of the image. Odd phase: a change is under way. */
static uint64_t phase, stop;
static struct {
	uint64_t gva;
	uint64_t expected;
} watched[2];
static struct {
	uint64_t checks;
	uint64_t wrong;
	uint64_t found;
	uint64_t wanted;
} results[NVCPUS];

FIXTURE(race)
{
	struct ut_vm *vm;
	struct ut_vcpu *vcpu[NVCPUS];
	pthread_t thread[NVCPUS];
	char *hva[2];
	uint64_t phase;
};

static void guest_look(uint64_t id, int i)
{
	uint64_t before = ut_read_once(phase), wanted, v;

	wanted = ut_read_once(watched[i].expected);
	v = guest_read64(ut_read_once(watched[i].gva));
	if (before & 1 || ut_read_once(phase) != before)
		return;
	ut_write_once(results[id].checks, results[id].checks + 1);
	if (v != wanted && !results[id].wrong++) {
		results[id].found = v;
		results[id].wanted = wanted;
	}
}

static void guest_watch(uint64_t id)
{
	while (!ut_read_once(stop)) {
		guest_look(id, 0);
		guest_look(id, 1);
	}
	guest_done();
}

static void *watch(void *arg)
{
	const uint64_t nothing = NOTHING;
	struct ut_vcpu *vcpu = arg;
	int ret;

	for (;;) {
		ret = ut_run(vcpu);
		if (ret == -EINTR || ret == -EFAULT)
			continue;
		if (ret)
			ut_die("KVM_RUN: %s", strerror(-ret));
		if (vcpu->run->exit_reason != KVM_EXIT_MMIO)
			return NULL;
		if (!vcpu->run->mmio.is_write)
			memcpy(vcpu->run->mmio.data, &nothing, sizeof(nothing));
	}
}

static void change_begin(struct _test_data_race *self)
{
	ut_write_once(*ut_guest_var(self->vm, phase), ++self->phase);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* From here on the two places hold @first and @second. */
static void change_end(struct _test_data_race *self, uint64_t first, uint64_t second)
{
	ut_write_once(ut_guest_var(self->vm, watched)[0][0].expected, first);
	ut_write_once(ut_guest_var(self->vm, watched)[0][1].expected, second);
	__atomic_store_n(ut_guest_var(self->vm, phase), ++self->phase, __ATOMIC_RELEASE);
}

static uint64_t checks(struct _test_data_race *self, int id)
{
	return ut_read_once(ut_guest_var(self->vm, results)[0][id].checks);
}

/* Give each vCPU the time to look a few times. */
static void let_look(struct _test_data_race *self)
{
	uint64_t goal[NVCPUS];
	int i;

	for (i = 0; i < NVCPUS; i++)
		goal[i] = checks(self, i) + 4;
	for (i = 0; i < NVCPUS; i++)
		while (checks(self, i) < goal[i])
			sched_yield();
}

static void start(struct _test_data_race *self, uint64_t first, uint64_t second)
{
	int i;

	change_begin(self);
	change_end(self, first, second);
	for (i = 0; i < NVCPUS; i++)
		if (pthread_create(&self->thread[i], NULL, watch, self->vcpu[i]))
			ut_die("no thread");
	let_look(self);
}

static void finish(struct _test_data_race *self)
{
	int i;

	ut_write_once(*ut_guest_var(self->vm, stop), 1);
	for (i = 0; i < NVCPUS; i++)
		pthread_join(self->thread[i], NULL);
}

/* Places that were found wrong, over all vCPUs. */
static uint64_t wrong(struct _test_data_race *self)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < NVCPUS; i++) {
		sum += ut_guest_var(self->vm, results)[0][i].wrong;
		if (ut_guest_var(self->vm, results)[0][i].wrong)
			printf("# vCPU %d found %#lx instead of %#lx\n", i,
			       ut_guest_var(self->vm, results)[0][i].found,
			       ut_guest_var(self->vm, results)[0][i].wanted);
	}
	return sum;
}

static void fill(char *hva, uint64_t value)
{
	uint64_t i;

	for (i = 0; i < SIZE / UT_PAGE_SIZE; i++)
		*(uint64_t *)(hva + i * UT_PAGE_SIZE) = value;
}

FIXTURE_SETUP(race)
{
	int i;

	self->vm = ut_vm_long();
	for (i = 0; i < 2; i++) {
		self->hva[i] = ut_mmap(SIZE, UT_HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);
		fill(self->hva[i], i ? SECOND : FIRST);
	}
	ut_map_identity(self->vm, UT_TEST_GPA, SIZE);
	ut_map_identity(self->vm, OTHER_GPA, SIZE);
	for (i = 0; i < NVCPUS; i++) {
		self->vcpu[i] = ut_vcpu_long(self->vm, i, guest_watch);
		ut_set_args(self->vcpu[i], i, 0);
	}
	ut_guest_var(self->vm, watched)[0][0].gva = UT_TEST_GPA + PAGE_OFFSET;
	ut_guest_var(self->vm, watched)[0][1].gva = OTHER_GPA + PAGE_OFFSET;
	self->phase = 0;
}

FIXTURE_TEARDOWN(race)
{
	ut_vm_free(self->vm);
}

static void set_slot(struct _test_data_race *self, uint32_t slot, uint64_t gpa, uint64_t size,
		     char *hva)
{
	int ret = ut_set_region(self->vm, slot, gpa, size, hva, 0);

	if (ret)
		ut_die("slot %u: %s", slot, strerror(-ret));
}

/* After the deletion not even the host's later writes may be seen. */
TEST_F_TIMEOUT(race, deletion, SLOW)
{
	int i;

	set_slot(self, 1, UT_TEST_GPA, SIZE, self->hva[0]);
	set_slot(self, 2, OTHER_GPA, SIZE, self->hva[1]);
	start(self, FIRST, SECOND);
	for (i = 0; i < ROUNDS; i++) {
		change_begin(self);
		set_slot(self, 1, UT_TEST_GPA, 0, self->hva[0]);
		change_end(self, NOTHING, SECOND);
		*(uint64_t *)(self->hva[0] + PAGE_OFFSET) = FIRST + i;
		let_look(self);
		change_begin(self);
		set_slot(self, 1, UT_TEST_GPA, SIZE, self->hva[0]);
		change_end(self, FIRST + i, SECOND);
		let_look(self);
	}
	finish(self);
	ASSERT_EQ(0, wrong(self));
}

TEST_F_TIMEOUT(race, move, SLOW)
{
	int i;

	set_slot(self, 1, UT_TEST_GPA, SIZE, self->hva[0]);
	start(self, FIRST, NOTHING);
	for (i = 0; i < ROUNDS; i++) {
		change_begin(self);
		set_slot(self, 1, OTHER_GPA, SIZE, self->hva[0]);
		change_end(self, NOTHING, FIRST);
		let_look(self);
		change_begin(self);
		set_slot(self, 1, UT_TEST_GPA, SIZE, self->hva[0]);
		change_end(self, FIRST, NOTHING);
		let_look(self);
	}
	finish(self);
	ASSERT_EQ(0, wrong(self));
}

TEST_F_TIMEOUT(race, exchange, SLOW)
{
	int i, a = 0;

	set_slot(self, 1, UT_TEST_GPA, SIZE, self->hva[0]);
	set_slot(self, 2, OTHER_GPA, SIZE, self->hva[1]);
	start(self, FIRST, SECOND);
	for (i = 0; i < ROUNDS; i++, a = !a) {
		change_begin(self);
		set_slot(self, 1, UT_TEST_GPA, 0, self->hva[a]);
		set_slot(self, 2, OTHER_GPA, 0, self->hva[!a]);
		set_slot(self, 1, UT_TEST_GPA, SIZE, self->hva[!a]);
		set_slot(self, 2, OTHER_GPA, SIZE, self->hva[a]);
		change_end(self, a ? FIRST : SECOND, a ? SECOND : FIRST);
		let_look(self);
	}
	finish(self);
	ASSERT_EQ(0, wrong(self));
}

/* Part of the slot's range goes to another slot: a shrunken slot, a new neighbour. */
TEST_F_TIMEOUT(race, shrink, SLOW)
{
	int i;

	set_slot(self, 1, UT_TEST_GPA, SIZE, self->hva[0]);
	start(self, FIRST, NOTHING);
	for (i = 0; i < ROUNDS; i++) {
		change_begin(self);
		set_slot(self, 1, UT_TEST_GPA, 0, self->hva[0]);
		set_slot(self, 1, UT_TEST_GPA, PAGE_OFFSET, self->hva[0]);
		set_slot(self, 2, UT_TEST_GPA + PAGE_OFFSET, SIZE - PAGE_OFFSET, self->hva[1]);
		change_end(self, SECOND, NOTHING);
		let_look(self);
		change_begin(self);
		set_slot(self, 2, UT_TEST_GPA + PAGE_OFFSET, 0, self->hva[1]);
		set_slot(self, 1, UT_TEST_GPA, 0, self->hva[0]);
		set_slot(self, 1, UT_TEST_GPA, SIZE, self->hva[0]);
		change_end(self, FIRST, NOTHING);
		let_look(self);
	}
	finish(self);
	ASSERT_EQ(0, wrong(self));
}

TEST_F_TIMEOUT(race, dontneed, SLOW)
{
	int i;

	set_slot(self, 1, UT_TEST_GPA, SIZE, self->hva[0]);
	set_slot(self, 2, OTHER_GPA, SIZE, self->hva[1]);
	start(self, FIRST, SECOND);
	for (i = 1; i < ROUNDS; i++) {
		change_begin(self);
		madvise(self->hva[0], SIZE, MADV_DONTNEED);
		change_end(self, 0, SECOND);
		let_look(self);
		/* A new page, not zero from the start. */
		change_begin(self);
		madvise(self->hva[0], SIZE, MADV_DONTNEED);
		*(uint64_t *)(self->hva[0] + PAGE_OFFSET) = FIRST + i;
		change_end(self, FIRST + i, SECOND);
		let_look(self);
	}
	finish(self);
	ASSERT_EQ(0, wrong(self));
}

/* The same addresses of the host, in turn one file and another behind them. */
TEST_F_TIMEOUT(race, mapped_anew, SLOW)
{
	int fd[2], i;

	for (i = 0; i < 2; i++) {
		fd[i] = memfd_create("memory", MFD_CLOEXEC);
		ASSERT_LE(0, fd[i]);
		ASSERT_EQ(SIZE, write(fd[i], self->hva[i], SIZE));
	}
	set_slot(self, 1, UT_TEST_GPA, SIZE, self->hva[0]);
	start(self, FIRST, NOTHING);
	for (i = 1; i < ROUNDS; i++) {
		change_begin(self);
		ASSERT_EQ((void *)self->hva[0], mmap(self->hva[0], SIZE, PROT_READ | PROT_WRITE,
						     MAP_SHARED | MAP_FIXED, fd[i & 1], 0));
		change_end(self, i & 1 ? SECOND : FIRST, NOTHING);
		let_look(self);
	}
	finish(self);
	ASSERT_EQ(0, wrong(self));
}

/* ---- writers against mprotect ---- */

static void guest_count(uint64_t id)
{
	uint64_t gva = UT_TEST_GPA + PAGE_OFFSET + 8 * id, mine = 0;

	guest_write64(gva, 0);
	while (!ut_read_once(stop)) {
		if (guest_read64(gva) != mine && !results[id].wrong++) {
			results[id].found = guest_read64(gva);
			results[id].wanted = mine;
		}
		guest_write64(gva, ++mine);
		ut_write_once(results[id].checks, mine);
	}
	guest_done();
}

/* While the memory is read-only no count moves; no count is lost, none done twice. */
TEST_F_TIMEOUT(race, protection_and_writers, SLOW)
{
	volatile uint64_t *count = (uint64_t *)(self->hva[0] + PAGE_OFFSET);
	uint64_t seen[NVCPUS];
	int i, id;

	for (id = 0; id < NVCPUS; id++) {
		ut_restart(self->vcpu[id], guest_count);
		ut_set_args(self->vcpu[id], id, 0);
	}
	set_slot(self, 1, UT_TEST_GPA, SIZE, self->hva[0]);
	start(self, 0, 0);
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, mprotect(self->hva[0], SIZE, i & 1 ? PROT_READ : PROT_NONE));
		/* The counts are read here, too. */
		ASSERT_EQ(0, mprotect(self->hva[0], SIZE, PROT_READ));
		for (id = 0; id < NVCPUS; id++)
			seen[id] = count[id];
		ut_msleep(2);
		for (id = 0; id < NVCPUS; id++)
			ASSERT_EQ(seen[id], count[id]);
		ASSERT_EQ(0, mprotect(self->hva[0], SIZE, PROT_READ | PROT_WRITE));
		let_look(self);
	}
	finish(self);
	ASSERT_EQ(0, wrong(self));
	for (id = 0; id < NVCPUS; id++)
		ASSERT_EQ(checks(self, id), count[id]);
}

/* Logging begins and ends under writers: not one write may be lost. */
TEST_F_TIMEOUT(race, log_switched_under_writers, SLOW)
{
	volatile uint64_t *count = (uint64_t *)(self->hva[0] + PAGE_OFFSET);
	int i, id;

	for (id = 0; id < NVCPUS; id++) {
		ut_restart(self->vcpu[id], guest_count);
		ut_set_args(self->vcpu[id], id, 0);
	}
	set_slot(self, 1, UT_TEST_GPA, SIZE, self->hva[0]);
	start(self, 0, 0);
	for (i = 0; i < 2 * ROUNDS; i++) {
		ASSERT_EQ(0, ut_set_region(self->vm, 1, UT_TEST_GPA, SIZE, self->hva[0],
					   i & 1 ? 0 : KVM_MEM_LOG_DIRTY_PAGES));
		let_look(self);
	}
	finish(self);
	ASSERT_EQ(0, wrong(self));
	for (id = 0; id < NVCPUS; id++)
		ASSERT_EQ(checks(self, id), count[id]);
}

TEST_HARNESS_MAIN
