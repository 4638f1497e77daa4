// SPDX-License-Identifier: GPL-2.0
/*
 * The calls that Umbra has and KVM has not: <linux/umbra.h>. Nothing here can
 * run on /dev/kvm, where each test says so and counts as skipped.
 */
#include <errno.h>
#include <linux/umbra.h>
#include <string.h>
#include <unistd.h>
#include <kselftest_harness.h>
#include "umbra_util.h"

FIXTURE(umbra)
{
	int fd;
	struct umbra_info info;
};

FIXTURE_SETUP(umbra)
{
	if (!ut_on_umbra())
		SKIP(_exit(UT_SKIPPED), "this is /dev/kvm: it has none of Umbra's own calls");
	self->fd = ut_open_device();
	memset(&self->info, 0xee, sizeof(self->info));
	ASSERT_EQ(0, ut_ioctl(self->fd, UMBRA_GET_INFO, &self->info));
}

FIXTURE_TEARDOWN(umbra)
{
	close(self->fd);
}

TEST_F(umbra, info)
{
	struct umbra_info *info = &self->info;
	size_t i;

	EXPECT_EQ(UMBRA_API_VERSION, info->api_version);
	EXPECT_TRUE(info->vendor == UMBRA_VENDOR_SVM || info->vendor == UMBRA_VENDOR_VMX);
	/* One mode, and one that can be chosen. */
	EXPECT_EQ(1, __builtin_popcount(info->mmu_mode));
	EXPECT_EQ(info->mmu_mode, info->mmu_mode & info->mmu_modes);
	EXPECT_EQ(!(info->features & UMBRA_FEATURE_NESTED),
		  !(info->mmu_modes & UMBRA_MMU_MODE_NESTED));
	EXPECT_LT(1, info->asids);
	for (i = 0; i < sizeof(info->reserved) / sizeof(info->reserved[0]); i++)
		EXPECT_EQ(0, info->reserved[i]);
	/* Nothing is written behind the structure, nothing of it left unwritten. */
	EXPECT_NE(0xeeeeeeee, info->features);
}

/* Umbra's numbers and KVM's must tell the same. */
TEST_F(umbra, same_as_the_capabilities)
{
	EXPECT_EQ(self->info.max_vcpus, ut_cap(self->fd, KVM_CAP_MAX_VCPUS));
	EXPECT_EQ(self->info.max_memslots, ut_cap(self->fd, KVM_CAP_NR_MEMSLOTS));
}

TEST_F(umbra, same_answer_again)
{
	struct umbra_info again;

	memset(&again, 0x11, sizeof(again));
	ASSERT_EQ(0, ut_ioctl(self->fd, UMBRA_GET_INFO, &again));
	ASSERT_EQ(0, memcmp(&again, &self->info, sizeof(again)));
}

TEST_F(umbra, bad_calls)
{
	struct ut_vm *vm = ut_vm_new();

	EXPECT_EQ(-EFAULT, ut_ioctl(self->fd, UMBRA_GET_INFO, 0));
	EXPECT_EQ(-EFAULT, ut_ioctl(self->fd, UMBRA_GET_INFO, ~0ul << 12));
	/* Not a call of a VM; and no other numbers of Umbra's type. */
	EXPECT_GT(0, ut_ioctl(vm->fd, UMBRA_GET_INFO, &self->info));
	EXPECT_GT(0, ut_ioctl(self->fd, _IOR(UMBRAIO, 0xff, struct umbra_info), &self->info));
	EXPECT_GT(0, ut_ioctl(self->fd, _IOR(UMBRAIO, 0, char), &self->info));
	ut_vm_free(vm);
}

TEST_HARNESS_MAIN
