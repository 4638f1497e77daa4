// SPDX-License-Identifier: GPL-2.0
/*
 * Lifetimes of the three kinds of descriptors: any order of closing, inherited
 * by fork, lost or kept by exec, another address space, a process killed while
 * its guest runs.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <kselftest_harness.h>
#include "umbra_util.h"

static void guest_spin(void)
{
	guest_sync(1);
	for (;;)
		guest_pause();
}

static void guest_short(void)
{
	guest_sync(1);
	guest_sync(2);
	guest_done();
}

FIXTURE(life) {
	struct ut_vcpu *vcpu;
	struct ut_vm *vm;
};

FIXTURE_SETUP(life)
{
	self->vcpu = ut_long_guest(guest_short);
	self->vm = self->vcpu->vm;
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
}

FIXTURE_TEARDOWN(life)
{
}

TEST_F(life, vcpu_runs_without_the_others)
{
	close(self->vm->dev_fd);
	close(self->vm->fd);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
	close(self->vcpu->fd);
	/* The mapping holds the vCPU: still there, without a descriptor. */
	ASSERT_EQ(KVM_EXIT_IO, self->vcpu->run->exit_reason);
}

TEST_F(life, vcpu_closed_first)
{
	struct kvm_userspace_memory_region region = { .slot = 3 };

	munmap(self->vcpu->run, self->vcpu->run_size);
	close(self->vcpu->fd);
	/* The VM goes on: its number stays taken, others can be created. */
	ASSERT_EQ(-EEXIST, ut_ioctl(self->vm->fd, KVM_CREATE_VCPU, 0));
	ASSERT_LT(0, ut_ioctl(self->vm->fd, KVM_CREATE_VCPU, 1));
	ASSERT_EQ(-EINVAL, ut_set_region(self->vm, 3, 0, 1, NULL, 0));
	close(self->vm->fd);
	ASSERT_EQ(-EBADF, ut_ioctl(self->vm->fd, KVM_SET_USER_MEMORY_REGION, &region));
	ASSERT_EQ(KVM_API_VERSION, ut_ioctl(self->vm->dev_fd, KVM_GET_API_VERSION, 0));
	close(self->vm->dev_fd);
}

TEST_F(life, memory_gone_before_the_vm)
{
	struct ut_slot *slot = &self->vm->slot[0];

	/* The guest's next access finds no memory: the call fails, the host does not. */
	munmap(slot->hva, slot->size);
	ASSERT_EQ(-EFAULT, ut_run(self->vcpu));
	ASSERT_EQ(-EFAULT, ut_run(self->vcpu));
}

TEST_F(life, fork_parent_goes_on)
{
	int status;
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid) {
		/* Another address space than the VM's. */
		struct kvm_regs regs;
		int bad = 0;

		bad |= ut_ioctl(self->vcpu->fd, KVM_GET_REGS, &regs) != -EIO ? 1 : 0;
		bad |= ut_run(self->vcpu) != -EIO ? 2 : 0;
		bad |= ut_ioctl(self->vm->fd, KVM_CHECK_EXTENSION, KVM_CAP_USER_MEMORY) != -EIO ?
		       4 : 0;
		bad |= ut_set_region(self->vm, 1, 0x2000000, 0x1000, (void *)0x1000, 0) != -EIO ?
		       8 : 0;
		bad |= ut_ioctl(self->vm->fd, KVM_CREATE_VCPU, 1) != -EIO ? 16 : 0;
		/* The device has no address space. */
		bad |= ut_ioctl(self->vm->dev_fd, KVM_GET_API_VERSION, 0) != KVM_API_VERSION ?
		       32 : 0;
		_exit(bad);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	ASSERT_EQ(0, WEXITSTATUS(status));
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
	ut_vm_free(self->vm);
}

TEST_F(life, fork_child_outlives_parent)
{
	int ready[2], status;
	pid_t pid;

	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		char c;

		/* Last to hold the descriptors: closes them after the VM's owner died. */
		close(ready[1]);
		if (fork()) {
			raise(SIGKILL);
			_exit(1);
		}
		if (read(ready[0], &c, 1) != 0)
			_exit(1);
		close(self->vm->fd);
		close(self->vm->dev_fd);
		_exit(ut_run(self->vcpu) == -EIO ? 0 : 1);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(SIGKILL, WTERMSIG(status));
	close(ready[0]);
	ut_vm_free(self->vm);
	close(ready[1]);
}

TEST_F(life, exec_closes)
{
	char path[64];
	int status;
	pid_t pid;

	/* The kernel creates VM and vCPU descriptors close-on-exec. */
	ASSERT_EQ(FD_CLOEXEC, fcntl(self->vm->fd, F_GETFD));
	ASSERT_EQ(FD_CLOEXEC, fcntl(self->vcpu->fd, F_GETFD));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->vm->fd);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		execl("/bin/sh", "sh", "-c", "test ! -e $0", path, (char *)NULL);
		_exit(127);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	ASSERT_EQ(0, WEXITSTATUS(status));
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
}

TEST_F(life, exec_inherits_on_demand)
{
	char path[64];
	int status;
	pid_t pid;

	ASSERT_EQ(0, fcntl(self->vm->fd, F_SETFD, 0));
	ASSERT_EQ(0, fcntl(self->vcpu->fd, F_SETFD, 0));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->vm->fd);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		execl("/bin/sh", "sh", "-c", "readlink $0 | grep -q vm", path, (char *)NULL);
		_exit(127);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	ASSERT_EQ(0, WEXITSTATUS(status));
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
}

/* A child with a guest that never leaves by itself. */
[[gnu::noreturn]] static void run_forever(int ready)
{
	struct ut_vcpu *vcpu = ut_long_guest(guest_spin);

	if (ut_next(vcpu, NULL) != UT_SYNC || write(ready, "x", 1) != 1)
		_exit(1);
	ut_run(vcpu);
	_exit(2);
}

static void *spin_thread(void *vcpu)
{
	ut_run(vcpu);
	return NULL;
}

TEST(kill_while_running)
{
	int i;

	for (i = 0; i < 8; i++) {
		int ready[2], status;
		pid_t pid;
		char c;

		ASSERT_EQ(0, pipe(ready));
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			run_forever(ready[1]);
		ASSERT_EQ(1, read(ready[0], &c, 1));
		usleep(2000 * i);
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_TRUE(WIFSIGNALED(status));
		ASSERT_EQ(SIGKILL, WTERMSIG(status));
		close(ready[0]);
		close(ready[1]);
	}
}

TEST(exit_with_running_threads)
{
	struct ut_vm *vm = ut_vm_long();
	pthread_t thread;
	int i;

	for (i = 0; i < 2; i++) {
		struct ut_vcpu *vcpu = ut_vcpu_long(vm, i, guest_spin);

		ASSERT_EQ(UT_SYNC, ut_next(vcpu, NULL));
		ASSERT_EQ(0, pthread_create(&thread, NULL, spin_thread, vcpu));
	}
	usleep(20000);
	/* The end of this process ends the guests. */
}

TEST(vm_closed_while_running)
{
	struct ut_vcpu *vcpu = ut_long_guest(guest_spin);
	pthread_t thread;

	ASSERT_EQ(UT_SYNC, ut_next(vcpu, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, spin_thread, vcpu));
	usleep(10000);
	close(vcpu->vm->fd);
	close(vcpu->vm->dev_fd);
	close(vcpu->fd);
	usleep(10000);
}

TEST_HARNESS_MAIN
