// SPDX-License-Identifier: GPL-2.0
/*
 * ioeventfd: a write that matches signals the eventfd and the guest goes on;
 * any other value, length or address leaves as usual.
 */
#include <poll.h>
#include <sys/eventfd.h>
#include <kselftest_harness.h>
#include "umbra_util.h"

#define DEV	UT_MMIO_GPA
#define PORT	0x440

FIXTURE(ioevent) {
	struct ut_vcpu *vcpu;
	struct kvm_run *run;
	int fd;
};

FIXTURE_SETUP(ioevent)
{
	self->vcpu = ut_long_guest(guest_done);
	self->run = self->vcpu->run;
	if (!ut_cap(self->vcpu->vm->fd, KVM_CAP_IOEVENTFD))
		SKIP(_exit(255), "KVM_CAP_IOEVENTFD is not offered");
	self->fd = eventfd(0, EFD_NONBLOCK);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(ioevent)
{
	close(self->fd);
	ut_vm_free(self->vcpu->vm);
}

static void assign(struct ut_vcpu *vcpu, int fd, u64 addr, u32 len, u32 flags, u64 match)
{
	struct kvm_ioeventfd arg = {
		.addr = addr, .len = len, .fd = fd, .flags = flags, .datamatch = match,
	};

	ut_must_ioctl(vcpu->vm->fd, KVM_IOEVENTFD, &arg);
}

static void guest_mmio(void)
{
	guest_write32(DEV, 5);
	guest_write32(DEV, 6);
	guest_sync(1);
	guest_write8(DEV, 5);
	guest_write64(DEV, 5);
	guest_write32(DEV + 4, 5);
	guest_read32(DEV);
	guest_done();
}

TEST_F(ioevent, mmio)
{
	int i;

	assign(self->vcpu, self->fd, DEV, 4, 0, 0);
	ut_restart(self->vcpu, guest_mmio);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
	ASSERT_EQ(2, ut_signals(self->fd));
	/* Other lengths, another address, a read. */
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
		ASSERT_EQ(KVM_EXIT_MMIO, self->run->exit_reason);
		ASSERT_EQ(0, ut_signals(self->fd));
	}
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
}

TEST_F(ioevent, data_match)
{
	assign(self->vcpu, self->fd, DEV, 4, KVM_IOEVENTFD_FLAG_DATAMATCH, 6);
	ut_restart(self->vcpu, guest_mmio);
	/* 5 leaves, 6 is taken. */
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_MMIO, self->run->exit_reason);
	ASSERT_EQ(5, *(u32 *)self->run->mmio.data);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
	ASSERT_EQ(1, ut_signals(self->fd));
}

TEST_F(ioevent, two_matches_on_one_address)
{
	int other = eventfd(0, EFD_NONBLOCK);

	assign(self->vcpu, self->fd, DEV, 4, KVM_IOEVENTFD_FLAG_DATAMATCH, 6);
	assign(self->vcpu, other, DEV, 4, KVM_IOEVENTFD_FLAG_DATAMATCH, 5);
	ut_restart(self->vcpu, guest_mmio);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
	ASSERT_EQ(1, ut_signals(self->fd));
	ASSERT_EQ(1, ut_signals(other));
	close(other);
}

TEST_F(ioevent, any_length)
{
	if (!ut_cap(self->vcpu->vm->fd, KVM_CAP_IOEVENTFD_ANY_LENGTH))
		SKIP(return, "KVM_CAP_IOEVENTFD_ANY_LENGTH is not offered");
	assign(self->vcpu, self->fd, DEV, 0, 0, 0);
	ut_restart(self->vcpu, guest_mmio);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
	/* The widths that left before are taken: only the other address leaves. */
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	ASSERT_EQ(DEV + 4, self->run->mmio.phys_addr);
	ASSERT_EQ(4, ut_signals(self->fd));
}

static void guest_ports(void)
{
	guest_outw(PORT, 1);
	guest_outb(PORT, 1);
	guest_inw(PORT);
	guest_done();
}

TEST_F(ioevent, pio)
{
	int i;

	assign(self->vcpu, self->fd, PORT, 2, KVM_IOEVENTFD_FLAG_PIO, 0);
	ut_restart(self->vcpu, guest_ports);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
		ASSERT_EQ(KVM_EXIT_IO, self->run->exit_reason);
		ASSERT_EQ(PORT, self->run->io.port);
		ASSERT_EQ(2 - !i, self->run->io.size);
	}
	ASSERT_EQ(1, ut_signals(self->fd));
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
}

static void guest_string(void)
{
	u64 si = UT_FREE_GPA, cx = 8;

	asm volatile("rep outsw" : "+S"(si), "+c"(cx) : "d"(PORT) : "memory");
	GUEST_ASSERT_EQ(cx, 0);
	guest_done();
}

TEST_F(ioevent, string_output)
{
	assign(self->vcpu, self->fd, PORT, 2, KVM_IOEVENTFD_FLAG_PIO, 0);
	ut_restart(self->vcpu, guest_string);
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
	ASSERT_EQ(8, ut_signals(self->fd));
}

TEST_F(ioevent, deassign)
{
	assign(self->vcpu, self->fd, DEV, 4, 0, 0);
	assign(self->vcpu, self->fd, DEV, 4, KVM_IOEVENTFD_FLAG_DEASSIGN, 0);
	ut_restart(self->vcpu, guest_mmio);
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_MMIO, self->run->exit_reason);
	ASSERT_EQ(0, ut_signals(self->fd));
}

TEST_F(ioevent, eventfd_closed_first)
{
	assign(self->vcpu, self->fd, DEV, 4, 0, 0);
	close(self->fd);
	self->fd = -1;
	/* The VM holds it: nobody listens, nothing leaves. */
	ut_restart(self->vcpu, guest_mmio);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
}

TEST_HARNESS_MAIN
