// SPDX-License-Identifier: GPL-2.0
/*
 * Coalesced MMIO and PIO: writes into a zone wait in the ring, in order, until
 * something else leaves the guest; a full ring and everything outside leave.
 */
#include <kselftest_harness.h>
#include "umbra_util.h"

#define DEV	UT_MMIO_GPA
#define PORT	0x300

FIXTURE(ring) {
	struct ut_vcpu *vcpu;
	struct kvm_run *run;
	struct kvm_coalesced_mmio_ring *ring;
	u32 max;
};

FIXTURE_SETUP(ring)
{
	int page;

	self->vcpu = ut_long_guest(guest_done);
	self->run = self->vcpu->run;
	page = ut_cap(self->vcpu->vm->fd, KVM_CAP_COALESCED_MMIO);
	if (!page)
		SKIP(_exit(255), "KVM_CAP_COALESCED_MMIO is not offered");
	self->ring = (void *)((char *)self->run + page * UT_PAGE_SIZE);
	self->max = (UT_PAGE_SIZE - sizeof(*self->ring)) / sizeof(struct kvm_coalesced_mmio);
}

FIXTURE_TEARDOWN(ring)
{
	ut_vm_free(self->vcpu->vm);
}

static void zone(struct ut_vm *vm, u64 addr, u32 size, u32 pio, bool on)
{
	struct kvm_coalesced_mmio_zone z = { .addr = addr, .size = size, .pio = pio };

	if (on)
		ut_must_ioctl(vm->fd, KVM_REGISTER_COALESCED_MMIO, &z);
	else
		ut_must_ioctl(vm->fd, KVM_UNREGISTER_COALESCED_MMIO, &z);
}

static void guest_three_writes(void)
{
	guest_write8(DEV, 0x11);
	guest_write32(DEV + 4, 0x22334455);
	guest_write64(DEV + 8, 0x66778899aabbccddull);
	guest_done();
}

TEST_F(ring, mmio)
{
	static const struct {
		u64 addr;
		u32 len;
		u64 data;
	} want[] = {
		{ DEV, 1, 0x11 }, { DEV + 4, 4, 0x22334455 },
		{ DEV + 8, 8, 0x66778899aabbccddull },
	};
	struct kvm_coalesced_mmio *e;
	u64 data;
	u32 i;

	zone(self->vcpu->vm, DEV, 0x100, 0, true);
	ut_restart(self->vcpu, guest_three_writes);
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
	ASSERT_EQ(0, self->ring->first);
	ASSERT_EQ(3, self->ring->last);
	for (i = 0; i < 3; i++) {
		e = &self->ring->coalesced_mmio[i];
		data = 0;
		memcpy(&data, e->data, want[i].len);
		EXPECT_EQ(want[i].addr, e->phys_addr);
		EXPECT_EQ(want[i].len, e->len);
		EXPECT_EQ(want[i].data, data);
		EXPECT_EQ(0, e->pio);
	}
}

static void guest_ports(void)
{
	guest_outb(PORT, 0x12);
	guest_outl(PORT + 4, 0x3456789a);
	guest_done();
}

TEST_F(ring, pio)
{
	if (!ut_cap(self->vcpu->vm->fd, KVM_CAP_COALESCED_PIO))
		SKIP(return, "KVM_CAP_COALESCED_PIO is not offered");
	zone(self->vcpu->vm, PORT, 8, 1, true);
	ut_restart(self->vcpu, guest_ports);
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
	ASSERT_EQ(2, self->ring->last);
	ASSERT_EQ(PORT, self->ring->coalesced_mmio[0].phys_addr);
	ASSERT_EQ(1, self->ring->coalesced_mmio[0].len);
	ASSERT_EQ(0x12, self->ring->coalesced_mmio[0].data[0]);
	ASSERT_EQ(1, self->ring->coalesced_mmio[0].pio);
	ASSERT_EQ(4, self->ring->coalesced_mmio[1].len);
}

static void guest_around(void)
{
	guest_write32(DEV - 4 + 0x100, 1);	/* last in the zone */
	guest_write32(DEV - 2 + 0x100, 2);	/* half outside */
	guest_write32(DEV + 0x100, 3);		/* outside */
	guest_read32(DEV);			/* a read */
	guest_done();
}

TEST_F(ring, outside_leaves)
{
	int i;

	zone(self->vcpu->vm, DEV, 0x100, 0, true);
	ut_restart(self->vcpu, guest_around);
	for (i = 2; i < 5; i++) {
		ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
		ASSERT_EQ(KVM_EXIT_MMIO, self->run->exit_reason);
		ASSERT_EQ(i == 4, !self->run->mmio.is_write);
		ASSERT_EQ(1, self->ring->last);
	}
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
}

static void guest_many(u64 n)
{
	u64 i;

	for (i = 0; i < n; i++)
		guest_write32(DEV, i);
	guest_done();
}

TEST_F(ring, full_and_wrapping)
{
	u32 i, exits = 0, seen = 0, total = 3 * self->max;
	struct kvm_coalesced_mmio *e;

	zone(self->vcpu->vm, DEV, 0x100, 0, true);
	ut_restart(self->vcpu, guest_many);
	ut_set_args(self->vcpu, total, 0);
	for (;;) {
		int cmd = ut_next(self->vcpu, NULL);

		/* Oldest first, whatever made the guest leave. */
		for (i = self->ring->first; i != self->ring->last; i = (i + 1) % self->max) {
			e = &self->ring->coalesced_mmio[i];
			ASSERT_EQ(seen, *(u32 *)e->data);
			seen++;
		}
		self->ring->first = i;
		if (cmd == UT_DONE)
			break;
		ASSERT_EQ(KVM_EXIT_MMIO, self->run->exit_reason);
		ASSERT_EQ(seen, *(u32 *)self->run->mmio.data);
		seen++;
		exits++;
	}
	ASSERT_EQ(total, seen);
	ASSERT_LE(2, exits);
}

/* Junk in the page that user space can write: an exit or not, never harm. */
TEST_F(ring, junk_indexes)
{
	zone(self->vcpu->vm, DEV, 0x100, 0, true);
	ut_restart(self->vcpu, guest_three_writes);
	self->ring->first = 0xffffffff;
	self->ring->last = 0x7fffffff;
	while (ut_next(self->vcpu, NULL) == UT_EXIT)
		ASSERT_EQ(KVM_EXIT_MMIO, self->run->exit_reason);
}

TEST_F(ring, unregistered)
{
	zone(self->vcpu->vm, DEV, 0x100, 0, true);
	zone(self->vcpu->vm, DEV, 0x100, 0, false);
	ut_restart(self->vcpu, guest_three_writes);
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_MMIO, self->run->exit_reason);
	ASSERT_EQ(self->ring->first, self->ring->last);
}

TEST_HARNESS_MAIN
