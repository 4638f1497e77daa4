// SPDX-License-Identifier: GPL-2.0
/*
 * One vCPU changes page tables that another one uses, and tells it to flush: by shared memory
 * or by an interrupt. From its answer on the old translation must be gone on every
 * vCPU that flushed; before it the old and the new one are allowed, and nothing else.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <kselftest_harness.h>
#include "shootdown.h"
#include "worker.h"

#define SLOW		120	/* seconds: emulated hosts may have little of a processor */
#define NVCPUS		3	/* the first one changes, the others flush */
#define ROUNDS		300
#define INTERRUPTS	40
#define VECTOR		0x40
#define FRAMES_GPA	UT_FREE_GPA
#define NFRAMES		64
#define FRAME(i)	(FRAMES_GPA + (u64)(i) % NFRAMES * UT_PAGE_SIZE)
/* What the frame of round @i holds from then on until the round after the next. */
#define VALUE(i)	(0xf000000000000000ull | (u64)(i))
#define POISON		0xbadbadbadbadbadull

/* In the guest. */
static u64 ready, wanted, done[NVCPUS], looks[NVCPUS], finished;

FIXTURE(shootdown)
{
	struct ut_vm *vm;
	struct ut_vcpu *vcpu[NVCPUS];
};

FIXTURE_SETUP(shootdown)
{
	self->vm = ut_vm_long();
	sd_setup(self->vm);
	*(u64 *)ut_hva(self->vm, FRAME(0)) = VALUE(0);
	sd_map_window(self->vm, FRAME(0), 1, UT_PTE_W);
}

FIXTURE_TEARDOWN(shootdown)
{
	ut_vm_free(self->vm);
}

/* What was flushed for or what came since, and after a flush nothing but the former. */
static void guest_look(u64 id, u64 round, bool flushed)
{
	u64 v = guest_read64(SD_WINDOW);

	ut_write_once(looks[id], looks[id] + 1);
	if (v != VALUE(round) && (flushed || v != VALUE(round + 1)))
		guest_abort("old frame", __FILE__, __LINE__, v, round);
}

static void guest_flusher(u64 id)
{
	u64 round = 0, w;

	sd_meet(&ready, NVCPUS);
	while (round < ROUNDS) {
		guest_look(id, round, false);
		w = __atomic_load_n(&wanted, __ATOMIC_ACQUIRE);
		if (w == round)
			continue;
		sd_flush((id + w) % SD_NFLUSHES, SD_WINDOW);
		guest_look(id, w, true);
		round = w;
		__atomic_store_n(&done[id], round, __ATOMIC_RELEASE);
	}
	guest_done();
}

static void guest_wait_for_all(const u64 *counts, u64 round)
{
	u64 id;

	for (id = 1; id < NVCPUS; id++)
		while (__atomic_load_n(&counts[id], __ATOMIC_ACQUIRE) != round)
			guest_pause();
}

static void guest_changer(void)
{
	u64 round, pte = sd_entry[1];

	sd_meet(&ready, NVCPUS);
	for (round = 1; round <= ROUNDS; round++) {
		guest_write64(FRAME(round), VALUE(round));
		guest_write64(pte, FRAME(round) | SD_PTE_RW);
		__atomic_store_n(&wanted, round, __ATOMIC_RELEASE);
		sd_flush(round % SD_NFLUSHES, SD_WINDOW);
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(round));
		guest_wait_for_all(done, round);
		/* Nobody may still find the old frame, so it has a new use. */
		guest_write64(FRAME(round - 1), POISON);
		if (round % 64 == 0)
			guest_sync(round);
	}
	guest_done();
}

static void *run_changer(void *arg)
{
	int cmd;

	do
		cmd = ut_next(arg, NULL);
	while (cmd == UT_SYNC);
	if (cmd != UT_DONE)
		ut_die("exit %s", ut_exit_name(((struct ut_vcpu *)arg)->run->exit_reason));
	return NULL;
}

static void run_two_sides(struct _test_data_shootdown *self, void *changer, void *flusher)
{
	pthread_t thread[NVCPUS];
	int i;

	for (i = 0; i < NVCPUS; i++) {
		self->vcpu[i] = ut_vcpu_long(self->vm, i, i ? flusher : changer);
		ut_set_args(self->vcpu[i], i, 0);
		if (pthread_create(&thread[i], NULL, run_changer, self->vcpu[i]))
			ut_die("no thread");
	}
	for (i = 0; i < NVCPUS; i++)
		pthread_join(thread[i], NULL);
}

TEST_F_TIMEOUT(shootdown, by_shared_memory, SLOW)
{
	run_two_sides(self, guest_changer, guest_flusher);
	ASSERT_LT(ROUNDS, ut_guest_var(self->vm, looks)[0][1]);
}

static void guest_owner(u64 id)
{
	u64 round, w;

	(void)id;
	sd_meet(&ready, NVCPUS);
	for (round = 1; round <= ROUNDS; round++) {
		guest_write64(sd_entry[1], 0);
		sd_flush(round % SD_NFLUSHES, SD_WINDOW);
		__atomic_store_n(&wanted, round, __ATOMIC_RELEASE);
		guest_wait_for_all(done, round);
		w = FRAME(round);
		guest_write64(w, VALUE(round));
		guest_write64(sd_entry[1], w | SD_PTE_RW);
		__atomic_store_n(&finished, round, __ATOMIC_RELEASE);
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(round));
		guest_wait_for_all(looks, round);
	}
	guest_done();
}

static void guest_tenant(u64 id)
{
	u64 round, v;

	sd_meet(&ready, NVCPUS);
	for (round = 1; round <= ROUNDS; round++) {
		while (__atomic_load_n(&wanted, __ATOMIC_ACQUIRE) != round)
			guest_pause();
		sd_flush((id + round) % SD_NFLUSHES, SD_WINDOW);
		/* Gone for as long as nobody brings it back. */
		GUEST_ASSERT_EQ(sd_read(SD_WINDOW, &v), SD_PF(0));
		__atomic_store_n(&done[id], round, __ATOMIC_RELEASE);
		while (__atomic_load_n(&finished, __ATOMIC_ACQUIRE) != round)
			guest_pause();
		/* Back again, by a change that needs no flush here. */
		GUEST_ASSERT_EQ(sd_read(SD_WINDOW, &v), 0);
		GUEST_ASSERT_EQ(v, VALUE(round));
		__atomic_store_n(&looks[id], round, __ATOMIC_RELEASE);
	}
	guest_done();
}

/* Away with a shoot-down, and back without one. */
TEST_F_TIMEOUT(shootdown, away_and_back, SLOW)
{
	run_two_sides(self, guest_owner, guest_tenant);
}

/* ---- by interrupt ---- */

static void kick(int sig)
{
	(void)sig;
}

static void on_flush(struct ut_ex_regs *regs)
{
	(void)regs;
	guest_invlpg(SD_WINDOW);
	__atomic_store_n(&done[1], ut_read_once(wanted), __ATOMIC_RELEASE);
}

/* Never looks at what is wanted: the interrupt alone brings the flush. */
static void guest_interrupted(u64 id)
{
	u64 before, after, v;

	guest_sti();
	sd_meet(&ready, 2);
	while (ut_read_once(finished) == 0) {
		before = __atomic_load_n(&done[id], __ATOMIC_ACQUIRE);
		v = guest_read64(SD_WINDOW);
		after = __atomic_load_n(&done[id], __ATOMIC_ACQUIRE);
		if (v < VALUE(before) || v > VALUE(after + 1))
			guest_abort("old frame", __FILE__, __LINE__, v, before);
		ut_write_once(looks[id], looks[id] + 1);
	}
	guest_done();
}

static void guest_interrupter(void)
{
	u64 round;

	sd_meet(&ready, 2);
	for (round = 1; round <= INTERRUPTS; round++) {
		guest_write64(FRAME(round), VALUE(round));
		guest_write64(sd_entry[1], FRAME(round) | SD_PTE_RW);
		__atomic_store_n(&wanted, round, __ATOMIC_RELEASE);
		guest_sync(round);
		while (__atomic_load_n(&done[1], __ATOMIC_ACQUIRE) != round)
			guest_pause();
		guest_write64(FRAME(round - 1), POISON);
	}
	ut_write_once(finished, 1);
	guest_done();
}

static int want_interrupt;

/* The thread of the interrupted vCPU; only it can inject. */
static void *run_interrupted(void *arg)
{
	struct kvm_interrupt irq = { .irq = VECTOR };
	struct ut_vcpu *vcpu = arg;
	struct ut_ucall uc;
	int ret;

	for (;;) {
		ret = ut_run(vcpu);
		if (ret && ret != -EINTR)
			ut_die("KVM_RUN: %s", strerror(-ret));
		if (!ret && ut_get_ucall(vcpu, &uc)) {
			if (uc.cmd != UT_DONE)
				ut_die("ucall %lu: %#lx, %#lx", uc.cmd, uc.arg[3], uc.arg[4]);
			return NULL;
		}
		if (!ret && vcpu->run->exit_reason != KVM_EXIT_IRQ_WINDOW_OPEN)
			ut_die("exit %s", ut_exit_name(vcpu->run->exit_reason));
		vcpu->run->request_interrupt_window = 0;
		if (!__atomic_load_n(&want_interrupt, __ATOMIC_ACQUIRE))
			continue;
		if (vcpu->run->ready_for_interrupt_injection) {
			ut_must_ioctl(vcpu->fd, KVM_INTERRUPT, &irq);
			__atomic_store_n(&want_interrupt, 0, __ATOMIC_RELEASE);
		} else {
			vcpu->run->request_interrupt_window = 1;
		}
	}
}

TEST_F_TIMEOUT(shootdown, by_interrupt, SLOW)
{
	struct sigaction sa = { .sa_handler = kick };
	pthread_t other;
	int i;

	ASSERT_EQ(0, sigaction(SIGUSR1, &sa, NULL));
	ut_set_handler(self->vm, VECTOR, on_flush);
	self->vcpu[0] = ut_vcpu_long(self->vm, 0, guest_interrupter);
	self->vcpu[1] = ut_vcpu_long(self->vm, 1, guest_interrupted);
	ut_set_args(self->vcpu[1], 1, 0);
	ASSERT_EQ(0, pthread_create(&other, NULL, run_interrupted, self->vcpu[1]));
	for (i = 0; i < INTERRUPTS; i++) {
		ASSERT_EQ(UT_SYNC, ut_next(self->vcpu[0], NULL));
		__atomic_store_n(&want_interrupt, 1, __ATOMIC_RELEASE);
		/* Again, should the thread have been on its way in. */
		while (__atomic_load_n(&want_interrupt, __ATOMIC_ACQUIRE)) {
			pthread_kill(other, SIGUSR1);
			ut_msleep(1);
		}
	}
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu[0], NULL));
	ASSERT_EQ(0, pthread_join(other, NULL));
	ASSERT_LT(0, ut_guest_var(self->vm, looks)[0][1]);
}

TEST_HARNESS_MAIN
