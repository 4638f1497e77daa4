// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_SET_USER_MEMORY_REGION: what it refuses, and that a refusal leaves the
 * slots as they were, seen through a guest that keeps running in them.
 */
#include <kselftest_harness.h>
#include "umbra_util.h"

#define GPA	0x40000000ull
#define SIZE	0x10000ull

static void guest_probe(void)
{
	u64 n = 0;

	for (;;)
		guest_sync_args(n++, guest_read32(GPA), guest_read32(GPA + SIZE - 4), 0);
}

FIXTURE(slots) {
	struct ut_vcpu *vcpu;
	struct ut_vm *vm;
	u32 *hva;
};

FIXTURE_SETUP(slots)
{
	self->vcpu = ut_long_guest(guest_probe);
	self->vm = self->vcpu->vm;
	self->hva = ut_add_slot(self->vm, 1, GPA, SIZE, 0);
	ut_map(self->vm, GPA, GPA, SIZE / UT_PAGE_SIZE, UT_PTE_W);
	self->hva[0] = 0x11111111;
	self->hva[SIZE / 4 - 1] = 0x22222222;
}

/* Whatever a test tried: the guest sees slot 1 as ever. */
FIXTURE_TEARDOWN(slots)
{
	struct ut_ucall uc;

	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &uc));
	ASSERT_EQ(0x11111111, uc.arg[1]);
	ASSERT_EQ(0x22222222, uc.arg[2]);
	ut_vm_free(self->vm);
}

static int set(struct ut_vm *vm, u32 slot, u64 gpa, u64 size, u64 hva, u32 flags)
{
	return ut_set_region(vm, slot, gpa, size, (void *)hva, flags);
}

TEST_F(slots, misaligned)
{
	u64 hva = (u64)self->hva;

	ASSERT_EQ(-EINVAL, set(self->vm, 2, GPA * 2, SIZE + 1, hva, 0));
	ASSERT_EQ(-EINVAL, set(self->vm, 2, GPA * 2, SIZE - 1, hva, 0));
	ASSERT_EQ(-EINVAL, set(self->vm, 2, GPA * 2 + 0x800, SIZE, hva, 0));
	ASSERT_EQ(-EINVAL, set(self->vm, 2, GPA * 2, SIZE, hva + 0x10, 0));
	ASSERT_EQ(-EINVAL, set(self->vm, 2, GPA * 2, 1, hva, 0));
}

TEST_F(slots, overlap)
{
	u64 hva = (u64)self->hva;

	ASSERT_EQ(-EEXIST, set(self->vm, 2, GPA, SIZE, hva, 0));
	ASSERT_EQ(-EEXIST, set(self->vm, 2, GPA + SIZE - UT_PAGE_SIZE, SIZE, hva, 0));
	ASSERT_EQ(-EEXIST, set(self->vm, 2, GPA - SIZE + UT_PAGE_SIZE, SIZE, hva, 0));
	ASSERT_EQ(-EEXIST, set(self->vm, 2, GPA + UT_PAGE_SIZE, UT_PAGE_SIZE, hva, 0));
	/* Around all of it; and slot 1 moved onto slot 0. */
	ASSERT_EQ(-EEXIST, set(self->vm, 2, GPA - UT_PAGE_SIZE, SIZE + 2 * UT_PAGE_SIZE, hva, 0));
	ASSERT_EQ(-EEXIST, set(self->vm, 1, UT_SLOT0_SIZE - UT_PAGE_SIZE, SIZE, hva, 0));
	/* Side by side is fine. */
	ASSERT_EQ(0, set(self->vm, 2, GPA + SIZE, UT_PAGE_SIZE, hva, 0));
	ASSERT_EQ(0, set(self->vm, 3, GPA - UT_PAGE_SIZE, UT_PAGE_SIZE, hva, 0));
}

TEST_F(slots, wrap)
{
	u64 hva = (u64)self->hva;

	ASSERT_EQ(-EINVAL, set(self->vm, 2, -SIZE, 2 * SIZE, hva, 0));
	ASSERT_EQ(-EINVAL, set(self->vm, 2, -UT_PAGE_SIZE, 2 * UT_PAGE_SIZE, hva, 0));
	ASSERT_EQ(-EINVAL, set(self->vm, 2, GPA * 2, -UT_PAGE_SIZE, hva, 0));
	/* The limit of pages in a slot. */
	ASSERT_EQ(-EINVAL, set(self->vm, 2, GPA * 2, 1ull << 43, 0x10000, 0));
	/* Memory of the kernel's half, and not in the caller's range at all. */
	ASSERT_EQ(-EINVAL, set(self->vm, 2, GPA * 2, SIZE, 0xffff888000000000ull, 0));
	ASSERT_EQ(-EINVAL, set(self->vm, 2, GPA * 2, SIZE, -SIZE, 0));
	ASSERT_EQ(-EINVAL, set(self->vm, 2, GPA * 2, 2 * SIZE, -SIZE, 0));
}

TEST_F(slots, tagged_address)
{
	/* Bit 63 set: no such address can be canonical and in user space. */
	ASSERT_EQ(-EINVAL, set(self->vm, 2, GPA * 2, SIZE, (u64)self->hva | 1ull << 63, 0));
}

TEST_F(slots, unknown_flags)
{
	int bit;

	for (bit = 2; bit < 32; bit++)
		EXPECT_EQ(-EINVAL, set(self->vm, 2, GPA * 2, SIZE, (u64)self->hva, 1u << bit))
			TH_LOG("flag %d", bit);
}

TEST_F(slots, slot_numbers)
{
	u32 max = ut_cap(self->vm->fd, KVM_CAP_NR_MEMSLOTS);
	u64 hva = (u64)self->hva;

	ASSERT_LE(32, max);
	ASSERT_EQ(-EINVAL, set(self->vm, max, GPA * 2, SIZE, hva, 0));
	ASSERT_EQ(-EINVAL, set(self->vm, 0x7fff, GPA * 2, SIZE, hva, 0));
	/* Address spaces that are not there. */
	ASSERT_EQ(-EINVAL, set(self->vm, 7u << 16 | 2, GPA * 2, SIZE, hva, 0));
	ASSERT_EQ(-EINVAL, set(self->vm, 0xffffffff, GPA * 2, SIZE, hva, 0));
	ASSERT_EQ(0, set(self->vm, max - 1, GPA * 2, SIZE, hva, 0));
	ASSERT_EQ(0, set(self->vm, max - 1, GPA * 2, 0, hva, 0));
}

TEST_F(slots, delete_missing)
{
	ASSERT_EQ(-EINVAL, set(self->vm, 5, GPA * 2, 0, 0, 0));
	ASSERT_EQ(0, set(self->vm, 5, GPA * 2, SIZE, (u64)self->hva, 0));
	ASSERT_EQ(0, set(self->vm, 5, GPA * 2, 0, 0, 0));
	ASSERT_EQ(-EINVAL, set(self->vm, 5, GPA * 2, 0, 0, 0));
}

TEST_F(slots, change_in_place)
{
	u64 hva = (u64)self->hva;

	/* Size, backing and read-only are fixed while a slot lives. */
	ASSERT_EQ(-EINVAL, set(self->vm, 1, GPA, SIZE * 2, hva, 0));
	ASSERT_EQ(-EINVAL, set(self->vm, 1, GPA, SIZE / 2, hva, 0));
	ASSERT_EQ(-EINVAL, set(self->vm, 1, GPA, SIZE, hva + UT_PAGE_SIZE, 0));
	ASSERT_EQ(-EINVAL, set(self->vm, 1, GPA, SIZE, hva, KVM_MEM_READONLY));
	/* The log may come and go; the same again is no error. */
	ASSERT_EQ(0, set(self->vm, 1, GPA, SIZE, hva, KVM_MEM_LOG_DIRTY_PAGES));
	ASSERT_EQ(0, set(self->vm, 1, GPA, SIZE, hva, KVM_MEM_LOG_DIRTY_PAGES));
	ASSERT_EQ(0, set(self->vm, 1, GPA, SIZE, hva, 0));
	ASSERT_EQ(0, set(self->vm, 1, GPA, SIZE, hva, 0));
}

TEST_F(slots, dirty_log_arguments)
{
	u64 map[4] = { 0 };
	struct kvm_dirty_log get = { .slot = 1, .dirty_bitmap = map };
	struct kvm_clear_dirty_log clear = { .slot = 1, .num_pages = 16, .dirty_bitmap = map };

	ASSERT_EQ(0, set(self->vm, 1, GPA, SIZE, (u64)self->hva, KVM_MEM_LOG_DIRTY_PAGES));
	get.dirty_bitmap = (void *)0x10;
	ASSERT_EQ(-EFAULT, ut_ioctl(self->vm->fd, KVM_GET_DIRTY_LOG, &get));
	get.dirty_bitmap = map;
	get.slot = 1 | 7u << 16;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->vm->fd, KVM_GET_DIRTY_LOG, &get));
	get.slot = 1;
	ASSERT_EQ(0, ut_ioctl(self->vm->fd, KVM_GET_DIRTY_LOG, &get));
	/* Beyond the slot; a start that is no multiple of 64; a length neither. */
	clear.first_page = 64;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->vm->fd, KVM_CLEAR_DIRTY_LOG, &clear));
	clear.first_page = 1;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->vm->fd, KVM_CLEAR_DIRTY_LOG, &clear));
	clear.first_page = 0;
	clear.num_pages = 8;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->vm->fd, KVM_CLEAR_DIRTY_LOG, &clear));
	clear.num_pages = 17;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->vm->fd, KVM_CLEAR_DIRTY_LOG, &clear));
	clear.num_pages = 16;
	ASSERT_EQ(0, ut_ioctl(self->vm->fd, KVM_CLEAR_DIRTY_LOG, &clear));
	ASSERT_EQ(0, set(self->vm, 1, GPA, SIZE, (u64)self->hva, 0));
}

TEST_HARNESS_MAIN
