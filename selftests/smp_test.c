// SPDX-License-Identifier: GPL-2.0
/*
 * Several vCPUs on shared memory: locked instructions, a spinlock, messages,
 * and page tables of their own. More vCPUs than processors, so that they are
 * preempted in the middle.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <kselftest_harness.h>
#include "worker.h"

#define SLOW		120	/* seconds: emulated hosts may have little of a processor */
#define NVCPUS		4
#define LOOPS		3000
#define HANDOVERS	200
#define FRAMES		32
#define WINDOW_GVA	0x500000000000ull
#define FRAMES_GPA	(UT_FREE_GPA + 0x100000)

/* In the guest. */
static uint64_t ready, lock, plain, added, swapped, bits[NVCPUS], turn, message;
static struct { uint64_t lo, hi; } pair __attribute__((aligned(16)));

FIXTURE(smp)
{
	struct ut_vm *vm;
	struct ut_vcpu *vcpu[NVCPUS];
};

FIXTURE_SETUP(smp)
{
	self->vm = ut_vm_long();
}

FIXTURE_TEARDOWN(smp)
{
	ut_vm_free(self->vm);
}

static void *run_to_the_end(void *arg)
{
	struct ut_vcpu *vcpu = arg;
	int ret;

	ret = ut_next(vcpu, NULL);
	if (ret != UT_DONE)
		ut_die("vCPU %d: exit %s", vcpu->id, ut_exit_name(vcpu->run->exit_reason));
	return NULL;
}

/* All vCPUs execute @fn with their number. */
static void run_all(struct _test_data_smp *self, void *fn)
{
	pthread_t thread[NVCPUS];
	int i;

	for (i = 0; i < NVCPUS; i++) {
		self->vcpu[i] = ut_vcpu_long(self->vm, i, fn);
		ut_set_args(self->vcpu[i], i, 0);
	}
	for (i = 0; i < NVCPUS; i++)
		if (pthread_create(&thread[i], NULL, run_to_the_end, self->vcpu[i]))
			ut_die("no thread");
	for (i = 0; i < NVCPUS; i++)
		pthread_join(thread[i], NULL);
}

static void guest_start_together(void)
{
	__atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
	while (ut_read_once(ready) < NVCPUS)
		guest_pause();
}

static void guest_atomics(uint64_t id)
{
	uint64_t i, lo, hi;
	bool done;

	guest_start_together();
	for (i = 0; i < LOOPS; i++) {
		__atomic_fetch_add(&added, id + 1, __ATOMIC_SEQ_CST);
		asm volatile("lock btsq %1, %0" : "+m"(bits[i % NVCPUS]) : "r"(id) : "cc");
		lo = ut_read_once(swapped);
		while (!__atomic_compare_exchange_n(&swapped, &lo, lo + 3, false,
						    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			;
		lo = ut_read_once(pair.lo);
		hi = ut_read_once(pair.hi);
		do {
			asm volatile("lock cmpxchg16b %1"
				     : "=@ccz"(done), "+m"(pair), "+a"(lo), "+d"(hi)
				     : "b"(lo + 1), "c"(hi + 2) : "memory");
		} while (!done);
	}
	guest_done();
}

TEST_F_TIMEOUT(smp, locked_instructions, SLOW)
{
	int i;

	run_all(self, guest_atomics);
	ASSERT_EQ(LOOPS * NVCPUS * (NVCPUS + 1) / 2, *ut_guest_var(self->vm, added));
	ASSERT_EQ(LOOPS * NVCPUS * 3, *ut_guest_var(self->vm, swapped));
	ASSERT_EQ(LOOPS * NVCPUS, ut_guest_var(self->vm, pair)->lo);
	ASSERT_EQ(LOOPS * NVCPUS * 2, ut_guest_var(self->vm, pair)->hi);
	for (i = 0; i < NVCPUS; i++)
		ASSERT_EQ((1u << NVCPUS) - 1, ut_guest_var(self->vm, bits)[0][i]);
}

static bool guest_take(uint64_t owner)
{
	uint64_t free = 0;

	return __atomic_compare_exchange_n(&lock, &free, owner, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

/* The read and the write of a count are apart: only the lock keeps them together. */
static void guest_spinlock(uint64_t id)
{
	uint64_t i, v;

	guest_start_together();
	for (i = 0; i < LOOPS; i++) {
		while (!guest_take(id + 1))
			guest_pause();
		v = ut_read_once(plain);
		/* An exit, now and then, with the lock held. */
		if (i % 512 == 0)
			asm volatile("cpuid" : : "a"(0) : "rbx", "rcx", "rdx", "memory");
		ut_write_once(plain, v + 1);
		GUEST_ASSERT_EQ(ut_read_once(lock), id + 1);
		__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
	}
	guest_done();
}

TEST_F_TIMEOUT(smp, spinlock, SLOW)
{
	run_all(self, guest_spinlock);
	ASSERT_EQ(LOOPS * NVCPUS, *ut_guest_var(self->vm, plain));
}

/* A value goes round; whoever has the turn must see the last one's message. */
static void guest_messages(uint64_t id)
{
	uint64_t i, t;

	guest_start_together();
	for (i = 0; i < HANDOVERS; i++) {
		t = i * NVCPUS + id;
		while (ut_read_once(turn) != t)
			guest_pause();
		GUEST_ASSERT_EQ(ut_read_once(message), t * 7);
		ut_write_once(message, (t + 1) * 7);
		__atomic_store_n(&turn, t + 1, __ATOMIC_RELEASE);
	}
	guest_done();
}

TEST_F_TIMEOUT(smp, messages, SLOW)
{
	run_all(self, guest_messages);
	ASSERT_EQ(HANDOVERS * NVCPUS, *ut_guest_var(self->vm, turn));
}

/*
 * Each vCPU has one address whose entry it changes all the time, in tables
 * shared by all: after INVLPG the new frame must be there at once.
 */
static void guest_remap(uint64_t id, uint64_t pte_gva)
{
	volatile uint64_t *pte = (uint64_t *)pte_gva;
	uint64_t gva = WINDOW_GVA + id * UT_PAGE_SIZE, frame, i;

	guest_start_together();
	for (i = 0; i < LOOPS; i++) {
		frame = (i * 5 + id) % FRAMES;
		*pte = (FRAMES_GPA + frame * UT_PAGE_SIZE) | UT_PTE_P | UT_PTE_W;
		guest_invlpg(gva);
		GUEST_ASSERT_EQ(guest_read64(gva), frame * 0x1111);
		if (i % 256 == 0)
			guest_write_cr3(guest_read_cr(3));
	}
	guest_done();
}

TEST_F_TIMEOUT(smp, page_tables, SLOW)
{
	pthread_t thread[NVCPUS];
	int i;

	for (i = 0; i < FRAMES; i++)
		*(uint64_t *)ut_hva(self->vm, FRAMES_GPA + i * UT_PAGE_SIZE) = i * 0x1111;
	for (i = 0; i < NVCPUS; i++) {
		ut_map(self->vm, WINDOW_GVA + i * UT_PAGE_SIZE, FRAMES_GPA, 1, UT_PTE_W);
		self->vcpu[i] = ut_vcpu_long(self->vm, i, guest_remap);
	}
	for (i = 0; i < NVCPUS; i++) {
		char *pte = (char *)ut_pte(self->vm, WINDOW_GVA + i * UT_PAGE_SIZE, 1);

		/* Slot 0 is mapped at its guest-physical address. */
		ut_set_args(self->vcpu[i], i, pte - (char *)ut_hva(self->vm, 0));
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, run_to_the_end, self->vcpu[i]));
	}
	for (i = 0; i < NVCPUS; i++)
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
}

/* All of them fault in the same memory at once: one page each, seen by all. */
static void guest_fault_together(uint64_t id)
{
	uint64_t gva, i;

	guest_start_together();
	for (i = 0; i < 512; i++) {
		gva = UT_TEST_GPA + i * UT_PAGE_SIZE;
		__atomic_fetch_add((uint64_t *)gva, 1ull << 8 * id, __ATOMIC_SEQ_CST);
	}
	guest_done();
}

TEST_F_TIMEOUT(smp, faults_on_the_same_pages, SLOW)
{
	uint64_t *hva, i;

	ut_map_identity(self->vm, UT_TEST_GPA, UT_HUGE_SIZE);
	hva = ut_add_slot(self->vm, 1, UT_TEST_GPA, UT_HUGE_SIZE, 0);
	run_all(self, guest_fault_together);
	for (i = 0; i < 512; i++)
		ASSERT_EQ(0x01010101, hva[i * 512]);
}

TEST_HARNESS_MAIN
