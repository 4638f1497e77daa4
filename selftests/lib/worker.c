// SPDX-License-Identifier: GPL-2.0
/*
 * Worker guests: the loop that executes jobs inside the guest, and handing
 * jobs in and results out, in the caller's or in a thread of its own.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "worker.h"

/* In the guest: the order book; indexed by vCPU id. */
static struct ut_job jobs[UT_MAX_VCPUS];
static uint64_t stop_all;

struct ut_thread {
	pthread_t thread;
	struct ut_vcpu *vcpu;
	struct ut_job job;
	int ret;
};

static void guest_fill(const struct ut_job *job, uint64_t value)
{
	uint64_t i;

	for (i = 0; i < job->count; i++)
		guest_write64(job->gva + i * job->stride, value + i * job->step);
}

static void guest_check(struct ut_job *job, uint64_t value)
{
	uint64_t i, v;

	for (i = 0; i < job->count; i++) {
		v = guest_read64(job->gva + i * job->stride);
		if (v == value + i * job->step)
			continue;
		if (!job->bad++) {
			job->bad_index = i;
			job->bad_value = v;
		}
	}
}

static void guest_touch(const struct ut_job *job)
{
	uint64_t i;

	for (i = 0; i < job->count; i++)
		guest_read64(job->gva + i * job->stride);
}

static void guest_hammer(struct ut_job *job)
{
	while (!ut_read_once(stop_all)) {
		guest_fill(job, job->value + job->rounds);
		guest_check(job, job->value + job->rounds);
		ut_write_once(job->rounds, job->rounds + 1);
	}
}

static void guest_worker(uint64_t id)
{
	struct ut_job *job = &jobs[id];

	for (;; guest_sync(0)) {
		switch (job->op) {
		case UT_OP_FILL:
			guest_fill(job, job->value);
			break;
		case UT_OP_CHECK:
			guest_check(job, job->value);
			break;
		case UT_OP_TOUCH:
			guest_touch(job);
			break;
		case UT_OP_HAMMER:
			guest_hammer(job);
			continue;
		}
		ut_write_once(job->rounds, 1);
	}
}

struct ut_vcpu *ut_worker(struct ut_vm *vm, int id)
{
	struct ut_vcpu *vcpu = ut_vcpu_long(vm, id, guest_worker);

	ut_set_args(vcpu, id, 0);
	return vcpu;
}

int ut_work_resume(struct ut_vcpu *vcpu, struct ut_job *job)
{
	struct ut_ucall uc;
	int ret;

	do
		ret = ut_run(vcpu);
	while (ret == -EINTR);
	if (ret)
		return ret;
	if (!ut_get_ucall(vcpu, &uc))
		ut_die("vCPU %d: exit %s instead of a finished job", vcpu->id,
		       ut_exit_name(vcpu->run->exit_reason));
	if (uc.cmd != UT_SYNC)
		ut_die("vCPU %d: ucall %lu (%#lx, %#lx, %#lx, %#lx)", vcpu->id, uc.cmd,
		       uc.arg[0], uc.arg[1], uc.arg[2], uc.arg[3]);
	*job = ut_guest_var(vcpu->vm, jobs)[0][vcpu->id];
	return 0;
}

int ut_work(struct ut_vcpu *vcpu, struct ut_job *job)
{
	job->bad = 0;
	job->rounds = 0;
	ut_guest_var(vcpu->vm, jobs)[0][vcpu->id] = *job;
	return ut_work_resume(vcpu, job);
}

static long simple_job(struct ut_vcpu *vcpu, struct ut_job *job)
{
	int ret = ut_work(vcpu, job);

	return ret ? ret : (long)job->bad;
}

long ut_fill(struct ut_vcpu *vcpu, uint64_t gva, uint64_t count, uint64_t value)
{
	struct ut_job job = {
		.op = UT_OP_FILL,
		.gva = gva,
		.count = count,
		.stride = UT_PAGE_SIZE,
		.value = value,
		.step = 1,
	};

	return simple_job(vcpu, &job);
}

long ut_check(struct ut_vcpu *vcpu, uint64_t gva, uint64_t count, uint64_t value)
{
	struct ut_job job = {
		.op = UT_OP_CHECK,
		.gva = gva,
		.count = count,
		.stride = UT_PAGE_SIZE,
		.value = value,
		.step = 1,
	};

	return simple_job(vcpu, &job);
}

long ut_check_zero(struct ut_vcpu *vcpu, uint64_t gva, uint64_t count)
{
	struct ut_job job = {
		.op = UT_OP_CHECK,
		.gva = gva,
		.count = count,
		.stride = UT_PAGE_SIZE,
	};

	return simple_job(vcpu, &job);
}

static void *thread_fn(void *arg)
{
	struct ut_thread *t = arg;

	t->ret = ut_work(t->vcpu, &t->job);
	return NULL;
}

struct ut_thread *ut_work_start(struct ut_vcpu *vcpu, const struct ut_job *job)
{
	struct ut_thread *t = calloc(1, sizeof(*t));

	if (!t)
		ut_die("out of memory");
	t->vcpu = vcpu;
	t->job = *job;
	ut_write_once(ut_guest_var(vcpu->vm, jobs)[0][vcpu->id].rounds, 0);
	if (pthread_create(&t->thread, NULL, thread_fn, t))
		ut_die("cannot make a thread for vCPU %d", vcpu->id);
	return t;
}

int ut_work_join(struct ut_thread *t, struct ut_job *job)
{
	int ret;

	pthread_join(t->thread, NULL);
	*job = t->job;
	ret = t->ret;
	free(t);
	return ret;
}

void ut_work_stop(struct ut_vm *vm, bool stop)
{
	ut_write_once(*ut_guest_var(vm, stop_all), stop);
}

uint64_t ut_hammered_wrong(const struct ut_job *job, const void *hva)
{
	uint64_t i, wrong = 0, value = job->value + job->rounds - 1;

	if (!job->rounds)
		ut_die("the guest has not done a single round");
	for (i = 0; i < job->count; i++)
		wrong += *(uint64_t *)((char *)hva + i * job->stride) != value + i * job->step;
	return wrong;
}

uint64_t ut_work_rounds(struct ut_vcpu *vcpu)
{
	return ut_read_once(ut_guest_var(vcpu->vm, jobs)[0][vcpu->id].rounds);
}

void ut_work_wait(struct ut_vcpu *vcpu, uint64_t n)
{
	uint64_t goal = ut_work_rounds(vcpu) + n;

	while (ut_work_rounds(vcpu) < goal)
		ut_msleep(1);
}

void ut_map_identity(struct ut_vm *vm, uint64_t gpa, uint64_t size)
{
	uint64_t gva;

	for (gva = gpa & ~(UT_HUGE_SIZE - 1); gva < gpa + size; gva += UT_HUGE_SIZE)
		ut_map_level(vm, gva, gva, 2, UT_PTE_W);
}
