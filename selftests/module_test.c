// SPDX-License-Identifier: GPL-2.0
/*
 * The module stays while any descriptor or mapping needs it. Umbra only: the
 * reference hypervisor's module is another test's business.
 */
#include <fcntl.h>
#include <sys/syscall.h>
#include <kselftest_harness.h>
#include "umbra_util.h"

#define REFCNT	"/sys/module/umbra/refcnt"

static int refcnt(void)
{
	FILE *f = fopen(REFCNT, "r");
	int n = -1;

	if (!f)
		return -1;
	if (fscanf(f, "%d", &n) != 1)
		n = -1;
	fclose(f);
	return n;
}

static int unload(void)
{
	return syscall(SYS_delete_module, "umbra", O_NONBLOCK) ? -errno : 0;
}

FIXTURE(module) {
	int idle;
};

FIXTURE_SETUP(module)
{
	if (!ut_on_umbra())
		SKIP(_exit(255), "for Umbra's module only");
	self->idle = refcnt();
	ASSERT_LE(0, self->idle);
}

FIXTURE_TEARDOWN(module)
{
}

TEST_F(module, device_holds)
{
	int fd = ut_open_device();

	ASSERT_LT(self->idle, refcnt());
	ASSERT_EQ(-EAGAIN, unload());
	close(fd);
	ASSERT_EQ(self->idle, refcnt());
}

TEST_F(module, vm_holds)
{
	struct ut_vm *vm = ut_vm_new();

	close(vm->dev_fd);
	ASSERT_LT(self->idle, refcnt());
	ASSERT_EQ(-EAGAIN, unload());
	close(vm->fd);
	ASSERT_EQ(self->idle, refcnt());
}

TEST_F(module, vcpu_holds)
{
	struct ut_vm *vm = ut_vm_new();
	int fd = ut_must_ioctl(vm->fd, KVM_CREATE_VCPU, 0);

	close(vm->dev_fd);
	close(vm->fd);
	ASSERT_LT(self->idle, refcnt());
	ASSERT_EQ(-EAGAIN, unload());
	close(fd);
	ASSERT_EQ(self->idle, refcnt());
}

TEST_F(module, mapping_holds)
{
	struct ut_vm *vm = ut_vm_new();
	struct ut_vcpu *vcpu = ut_vcpu_new(vm, 0);

	close(vm->dev_fd);
	close(vm->fd);
	close(vcpu->fd);
	ASSERT_LT(self->idle, refcnt());
	ASSERT_EQ(-EAGAIN, unload());
	vcpu->run->immediate_exit = 1;
	munmap(vcpu->run, vcpu->run_size);
	ASSERT_EQ(self->idle, refcnt());
}

TEST_HARNESS_MAIN
