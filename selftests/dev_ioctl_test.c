// SPDX-License-Identifier: GPL-2.0
/*
 * Calls on the device's descriptor: what they promise, and how they refuse.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <kselftest_harness.h>
#include "umbra_util.h"

#define BAD_PTR		((void *)0x10)
#define MAX_ENTRIES	256

FIXTURE(dev) {
	int fd;
};

FIXTURE_SETUP(dev)
{
	self->fd = ut_open_device();
}

FIXTURE_TEARDOWN(dev)
{
	close(self->fd);
}

TEST_F(dev, version)
{
	ASSERT_EQ(12, ut_ioctl(self->fd, KVM_GET_API_VERSION, 0));
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_GET_API_VERSION, 1));
}

TEST_F(dev, mmap_size)
{
	int size = ut_ioctl(self->fd, KVM_GET_VCPU_MMAP_SIZE, 0);

	/* Run page, port data, coalescing ring: a page each, at least the first two. */
	ASSERT_LE((int)(2 * UT_PAGE_SIZE), size);
	ASSERT_EQ(0, size % (int)UT_PAGE_SIZE);
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_GET_VCPU_MMAP_SIZE, 1));
}

TEST_F(dev, capabilities)
{
	static const int needed[] = {
		KVM_CAP_USER_MEMORY, KVM_CAP_SET_TSS_ADDR, KVM_CAP_EXT_CPUID, KVM_CAP_MP_STATE,
		KVM_CAP_SYNC_MMU, KVM_CAP_DESTROY_MEMORY_REGION_WORKS,
		KVM_CAP_JOIN_MEMORY_REGIONS_WORKS, KVM_CAP_VCPU_EVENTS, KVM_CAP_XSAVE,
		KVM_CAP_XCRS, KVM_CAP_DEBUGREGS, KVM_CAP_SET_GUEST_DEBUG, KVM_CAP_IMMEDIATE_EXIT,
		KVM_CAP_NR_VCPUS, KVM_CAP_MAX_VCPUS, KVM_CAP_NR_MEMSLOTS, KVM_CAP_MAX_VCPU_ID,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(needed); i++)
		EXPECT_LT(0, ut_cap(self->fd, needed[i]))
			TH_LOG("capability %d", needed[i]);
	ASSERT_EQ(0, ut_cap(self->fd, 0x7fffffff));
	ASSERT_EQ(0, ut_cap(self->fd, -1));
	ASSERT_LE(ut_cap(self->fd, KVM_CAP_NR_VCPUS), ut_cap(self->fd, KVM_CAP_MAX_VCPUS));
	ASSERT_LE(ut_cap(self->fd, KVM_CAP_MAX_VCPUS), ut_cap(self->fd, KVM_CAP_MAX_VCPU_ID));
}

/* What Umbra does not offer must say so: a client believes the answer. */
TEST_F(dev, nothing_pretended)
{
	static const int absent[] = {
		KVM_CAP_PCI_2_3, KVM_CAP_STEAL_TIME, KVM_CAP_HYPERV, KVM_CAP_HYPERV_SYNIC,
		KVM_CAP_XEN_HVM, KVM_CAP_NESTED_STATE, KVM_CAP_X86_SMM,
		KVM_CAP_VM_COPY_ENC_CONTEXT_FROM,
	};
	unsigned int i;

	if (!ut_on_umbra())
		SKIP(return, "the reference hypervisor offers these");
	for (i = 0; i < ARRAY_SIZE(absent); i++)
		EXPECT_EQ(0, ut_cap(self->fd, absent[i]))
			TH_LOG("capability %d", absent[i]);
}

TEST_F(dev, create_vm_bad_type)
{
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_CREATE_VM, 1));
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_CREATE_VM, -1));
}

static bool refused(int ret)
{
	/* KVM's device and vCPU descriptors say EINVAL where its VM says ENOTTY. */
	return ret == -ENOTTY || ret == -EINVAL;
}

TEST_F(dev, wrong_kind)
{
	struct kvm_regs regs;

	ASSERT_TRUE(refused(ut_ioctl(self->fd, KVM_RUN, 0)));
	ASSERT_TRUE(refused(ut_ioctl(self->fd, KVM_GET_REGS, &regs)));
	ASSERT_TRUE(refused(ut_ioctl(self->fd, KVM_CREATE_VCPU, 0)));
	ASSERT_TRUE(refused(ut_ioctl(self->fd, KVM_SET_USER_MEMORY_REGION, &regs)));
	ASSERT_TRUE(refused(ut_ioctl(self->fd, _IO(KVMIO, 0xff), 0)));
	ASSERT_TRUE(refused(ut_ioctl(self->fd, _IO('u', 1), 0)));
}

TEST_F(dev, supported_cpuid_sizes)
{
	struct kvm_cpuid2 *all = ut_supported_cpuid(self->fd);
	struct kvm_cpuid2 *some;
	u32 n = all->nent;

	ASSERT_LT(1, n);
	some = calloc(1, sizeof(*some) + MAX_ENTRIES * sizeof(some->entries[0]));
	ASSERT_NE(NULL, some);
	some->nent = 1;
	ASSERT_EQ(-E2BIG, ut_ioctl(self->fd, KVM_GET_SUPPORTED_CPUID, some));
	some->nent = n - 1;
	ASSERT_EQ(-E2BIG, ut_ioctl(self->fd, KVM_GET_SUPPORTED_CPUID, some));
	some->nent = n;
	ASSERT_EQ(0, ut_ioctl(self->fd, KVM_GET_SUPPORTED_CPUID, some));
	ASSERT_EQ(n, some->nent);
	ASSERT_EQ(0, memcmp(some->entries, all->entries, n * sizeof(all->entries[0])));
	ASSERT_EQ(-EFAULT, ut_ioctl(self->fd, KVM_GET_SUPPORTED_CPUID, BAD_PTR));
	free(some);
	free(all);
}

TEST_F(dev, msr_lists)
{
	static const unsigned long calls[] = {
		KVM_GET_MSR_INDEX_LIST, KVM_GET_MSR_FEATURE_INDEX_LIST,
	};
	struct {
		struct kvm_msr_list head;
		u32 index[1024];
	} list;
	unsigned int i;
	u32 n;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		/* Too small: the needed size is told. */
		memset(&list, 0, sizeof(list));
		ASSERT_EQ(-E2BIG, ut_ioctl(self->fd, calls[i], &list));
		n = list.head.nmsrs;
		ASSERT_LT(0, n);
		ASSERT_GT(ARRAY_SIZE(list.index), n);
		ASSERT_EQ(0, list.index[0]);
		list.head.nmsrs = ARRAY_SIZE(list.index);
		ASSERT_EQ(0, ut_ioctl(self->fd, calls[i], &list));
		ASSERT_EQ(n, list.head.nmsrs);
		ASSERT_NE(0, list.index[0]);
		ASSERT_EQ(0, list.index[n]);
		ASSERT_EQ(-EFAULT, ut_ioctl(self->fd, calls[i], BAD_PTR));
	}
}

TEST_F(dev, feature_msrs)
{
	struct {
		struct kvm_msr_list head;
		u32 index[1024];
	} list = { .head.nmsrs = ARRAY_SIZE(list.index) };
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msr;
	u32 i;

	ASSERT_EQ(0, ut_ioctl(self->fd, KVM_GET_MSR_FEATURE_INDEX_LIST, &list));
	for (i = 0; i < list.head.nmsrs; i++) {
		memset(&msr, 0, sizeof(msr));
		msr.head.nmsrs = 1;
		msr.entry.index = list.index[i];
		EXPECT_EQ(1, ut_ioctl(self->fd, KVM_GET_MSRS, &msr))
			TH_LOG("feature MSR %#x", list.index[i]);
	}
	/* Not a feature: none done. */
	msr.entry.index = 0x38000000;
	ASSERT_EQ(0, ut_ioctl(self->fd, KVM_GET_MSRS, &msr));
	ASSERT_EQ(-EFAULT, ut_ioctl(self->fd, KVM_GET_MSRS, BAD_PTR));
	msr.head.nmsrs = 0x7fffffff;
	ASSERT_EQ(-E2BIG, ut_ioctl(self->fd, KVM_GET_MSRS, &msr));
}

TEST_F(dev, attributes)
{
	__u64 value = 0;
	struct kvm_device_attr attr = {
		.attr = KVM_X86_XCOMP_GUEST_SUPP,
		.addr = (u64)&value,
	};

	if (!ut_cap(self->fd, KVM_CAP_SYS_ATTRIBUTES))
		SKIP(return, "KVM_CAP_SYS_ATTRIBUTES is not offered");
	ASSERT_EQ(0, ut_ioctl(self->fd, KVM_HAS_DEVICE_ATTR, &attr));
	ASSERT_EQ(0, ut_ioctl(self->fd, KVM_GET_DEVICE_ATTR, &attr));
	/* x87 and SSE at the least. */
	ASSERT_EQ(3, value & 3);
	attr.addr = 0x10;
	ASSERT_EQ(-EFAULT, ut_ioctl(self->fd, KVM_GET_DEVICE_ATTR, &attr));
	attr.attr = 99;
	ASSERT_EQ(-ENXIO, ut_ioctl(self->fd, KVM_HAS_DEVICE_ATTR, &attr));
	ASSERT_EQ(-ENXIO, ut_ioctl(self->fd, KVM_GET_DEVICE_ATTR, &attr));
	attr.attr = KVM_X86_XCOMP_GUEST_SUPP;
	attr.group = 1;
	ASSERT_EQ(-ENXIO, ut_ioctl(self->fd, KVM_HAS_DEVICE_ATTR, &attr));
}

/* Read-only opening is enough for asking, as for KVM. */
TEST(open_read_only)
{
	int fd = open(ut_device_path(), O_RDONLY);

	ASSERT_LE(0, fd);
	ASSERT_EQ(KVM_API_VERSION, ut_ioctl(fd, KVM_GET_API_VERSION, 0));
	close(fd);
}

TEST(no_mmap_no_read)
{
	char c;
	int fd = ut_open_device();

	ASSERT_EQ(MAP_FAILED, mmap(NULL, UT_PAGE_SIZE, PROT_READ, MAP_SHARED, fd, 0));
	ASSERT_EQ(-1, read(fd, &c, 1));
	ASSERT_EQ(-1, write(fd, "x", 1));
}

TEST_HARNESS_MAIN
