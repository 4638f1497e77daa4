// SPDX-License-Identifier: GPL-2.0
/*
 * Processors that go offline and come back while guests run on them, while
 * VMs exist that ran there before, and while new ones are made. Needs a second
 * processor that may be taken offline.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <kselftest_harness.h>
#include "worker.h"

#define SLOW		120	/* seconds: emulated hosts may have little of a processor */
#define CPU1		"/sys/devices/system/cpu/cpu1/online"
#define ROUNDS		4
#define NPAGES		64
#define SIZE		(NPAGES * UT_PAGE_SIZE)
#define PATTERN		0x1d1d000000000000ull

FIXTURE(hotplug)
{
	struct ut_vm *vm;
	struct ut_vcpu *vcpu[2];
	struct ut_job job;
};

static struct ut_vm *make_vm(struct ut_vcpu **vcpu, int n)
{
	struct ut_vm *vm = ut_vm_long();
	int i;

	for (i = 0; i < n; i++)
		vcpu[i] = ut_worker(vm, i);
	ut_map_identity(vm, UT_TEST_GPA, SIZE);
	ut_add_slot(vm, 1, UT_TEST_GPA, SIZE, 0);
	return vm;
}

FIXTURE_SETUP(hotplug)
{
	if (ut_read_number(CPU1) < 0 || ut_write_file(CPU1, "1"))
		SKIP(_exit(UT_SKIPPED), "no second processor that can go offline");
	self->vm = make_vm(self->vcpu, 2);
	self->job = (struct ut_job) {
		.op = UT_OP_HAMMER,
		.gva = UT_TEST_GPA,
		.count = NPAGES / 2,
		.stride = UT_PAGE_SIZE,
		.value = PATTERN,
		.step = 1,
	};
}

FIXTURE_TEARDOWN(hotplug)
{
	ut_write_file(CPU1, "1");
	ut_vm_free(self->vm);
}

/* Two vCPUs, of which one may run on that processor only: it is moved when it goes. */
TEST_F_TIMEOUT(hotplug, while_guests_run, SLOW)
{
	struct ut_thread *thread[2];
	struct ut_job job;
	int round, i;

	for (i = 0; i < 2; i++) {
		if (i)
			ut_pin(1);
		job = self->job;
		job.gva += i * SIZE / 2;
		/* A new thread runs where its maker does. */
		thread[i] = ut_work_start(self->vcpu[i], &job);
		ut_unpin();
	}
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < 2; i++)
			ut_work_wait(self->vcpu[i], 2);
		ASSERT_EQ(0, ut_write_file(CPU1, "0"));
		for (i = 0; i < 2; i++)
			ut_work_wait(self->vcpu[i], 2);
		ASSERT_EQ(0, ut_write_file(CPU1, "1"));
	}
	for (i = 0; i < 2; i++)
		ut_work_wait(self->vcpu[i], 2);
	ut_work_stop(self->vm, true);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, ut_work_join(thread[i], &job));
		ASSERT_EQ(0, job.bad) {
			TH_LOG("vCPU %d: place %lu held %#lx", i, job.bad_index, job.bad_value);
		}
		ASSERT_EQ(0, ut_hammered_wrong(&job, ut_hva(self->vm, job.gva)));
	}
}

/* The same vCPU on one processor, then on the other, then on the first come back. */
TEST_F_TIMEOUT(hotplug, between_runs, SLOW)
{
	int round;

	for (round = 0; round < ROUNDS; round++) {
		ut_pin(1);
		ASSERT_EQ(0, ut_fill(self->vcpu[0], UT_TEST_GPA, NPAGES, PATTERN + round));
		ut_pin(0);
		ASSERT_EQ(0, ut_write_file(CPU1, "0"));
		ASSERT_EQ(0, ut_check(self->vcpu[0], UT_TEST_GPA, NPAGES, PATTERN + round));
		ASSERT_EQ(0, ut_write_file(CPU1, "1"));
		ut_pin(1);
		ASSERT_EQ(0, ut_check(self->vcpu[0], UT_TEST_GPA, NPAGES, PATTERN + round));
	}
	ut_pin(0);
}

/* VMs made while it is away run there when it is back; others die in between. */
TEST_F_TIMEOUT(hotplug, vms_come_and_go, SLOW)
{
	struct ut_vcpu *vcpu, *gone;
	struct ut_vm *vm, *last;
	int round;

	for (round = 0; round < ROUNDS / 2; round++) {
		ut_pin(1);
		last = make_vm(&gone, 1);
		ASSERT_EQ(0, ut_fill(gone, UT_TEST_GPA, NPAGES, PATTERN));
		ut_pin(0);
		ASSERT_EQ(0, ut_write_file(CPU1, "0"));
		ut_vm_free(last);
		vm = make_vm(&vcpu, 1);
		ASSERT_EQ(0, ut_fill(vcpu, UT_TEST_GPA, NPAGES, PATTERN));
		ASSERT_EQ(0, ut_write_file(CPU1, "1"));
		ut_pin(1);
		ASSERT_EQ(0, ut_check(vcpu, UT_TEST_GPA, NPAGES, PATTERN));
		ASSERT_EQ(0, ut_fill(self->vcpu[0], UT_TEST_GPA, NPAGES, PATTERN));
		ut_vm_free(vm);
		ut_pin(0);
	}
}

/* The last VM is gone, and the first one comes, with the processor away. */
TEST_F_TIMEOUT(hotplug, without_any_vm, SLOW)
{
	struct ut_vcpu *vcpu;
	struct ut_vm *vm;

	ut_vm_free(self->vm);
	ASSERT_EQ(0, ut_write_file(CPU1, "0"));
	vm = make_vm(&vcpu, 1);
	ASSERT_EQ(0, ut_fill(vcpu, UT_TEST_GPA, NPAGES, PATTERN));
	ut_vm_free(vm);
	ASSERT_EQ(0, ut_write_file(CPU1, "1"));
	ut_pin(1);
	self->vm = make_vm(self->vcpu, 2);
	ASSERT_EQ(0, ut_fill(self->vcpu[0], UT_TEST_GPA, NPAGES, PATTERN));
	ut_pin(0);
	ASSERT_EQ(0, ut_check(self->vcpu[0], UT_TEST_GPA, NPAGES, PATTERN));
}

TEST_HARNESS_MAIN
