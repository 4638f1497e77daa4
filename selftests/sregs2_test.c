// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_GET_SREGS2 and KVM_SET_SREGS2: the same as the older pair, plus the
 * PAE page-directory pointers, which then are not read from guest memory.
 */
#include <kselftest_harness.h>
#include "umbra_util.h"

#define CR0_PE		BIT_ULL(0)
#define CR0_PG		BIT_ULL(31)
#define CR4_PAE		BIT_ULL(5)
#define CR4_PCIDE	BIT_ULL(17)
#define CPUID_PCID	BIT_ULL(17)

static void guest_steps(void)
{
	for (;;)
		guest_sync(1);
}

FIXTURE(sregs2) {
	struct ut_vcpu *vcpu;
};

FIXTURE_SETUP(sregs2)
{
	int fd = ut_open_device();

	if (!ut_cap(fd, KVM_CAP_SREGS2))
		SKIP(_exit(255), "KVM_CAP_SREGS2 is not offered");
	close(fd);
	self->vcpu = ut_long_guest(guest_steps);
}

FIXTURE_TEARDOWN(sregs2)
{
	ut_vm_free(self->vcpu->vm);
}

TEST_F(sregs2, same_as_sregs)
{
	struct kvm_sregs2 two;
	struct kvm_sregs one;

	ut_get_sregs(self->vcpu, &one);
	ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_GET_SREGS2, &two));
	/* Up to the interrupt bitmap both are laid out alike. */
	ASSERT_EQ(0, memcmp(&one, &two, offsetof(struct kvm_sregs, interrupt_bitmap)));
	ASSERT_EQ(0, two.flags);
	ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_SET_SREGS2, &two));
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
}

TEST_F(sregs2, bad_flags)
{
	struct kvm_sregs2 was, now;

	ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_GET_SREGS2, &was));
	now = was;
	now.flags = 1ull << 63;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->vcpu->fd, KVM_SET_SREGS2, &now));
	/* No such pointers in long mode. */
	now.flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->vcpu->fd, KVM_SET_SREGS2, &now));
	now = was;
	now.cr4 |= 1ull << 31;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->vcpu->fd, KVM_SET_SREGS2, &now));
	ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_GET_SREGS2, &now));
	ASSERT_EQ(0, memcmp(&was, &now, sizeof(was)));
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
}

UT_BLOB(pae_code, ".code32\n1:\tmov 0x300000, %eax\n\tout %eax, $0x80\n\tjmp 1b");

/* 0-1 GiB by two 2 MiB pages, the second shifted to 0x200000 + 1 MiB's page. */
static void build_pae(struct ut_vm *vm)
{
	u64 *pdpt = ut_hva(vm, 0x10000), *pd = ut_hva(vm, 0x11000), *pt = ut_hva(vm, 0x12000);
	int i;

	pdpt[0] = 0x11000 | UT_PTE_P;
	pd[0] = UT_PTE_P | UT_PTE_W | UT_PTE_PS;
	pd[1] = 0x12000 | UT_PTE_P | UT_PTE_W;
	for (i = 0; i < 512; i++)
		pt[i] = 0x100000 | UT_PTE_P | UT_PTE_W;
	*(u32 *)ut_hva(vm, 0x100000) = 0xabcd1234;
}

TEST(pdptrs)
{
	struct ut_vcpu *vcpu = ut_blob_guest(UT_PROT32, pae_code, UT_BLOB_LEN(pae_code));
	struct kvm_sregs2 set, get;

	build_pae(vcpu->vm);
	ASSERT_EQ(0, ut_ioctl(vcpu->fd, KVM_GET_SREGS2, &set));
	set.cr0 |= CR0_PE | CR0_PG;
	set.cr4 = CR4_PAE;
	set.cr3 = 0x10000;
	set.flags = 0;
	ASSERT_EQ(0, ut_ioctl(vcpu->fd, KVM_SET_SREGS2, &set));
	ASSERT_EQ(0, ut_ioctl(vcpu->fd, KVM_GET_SREGS2, &get));
	ASSERT_EQ(KVM_SREGS2_FLAGS_PDPTRS_VALID, get.flags);
	ASSERT_EQ(0x11001, get.pdptrs[0]);
	ASSERT_EQ(0, get.pdptrs[1]);
	ASSERT_EQ(UT_EXIT, ut_next(vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_IO, vcpu->run->exit_reason);
	ASSERT_EQ(0xabcd1234, *(u32 *)ut_io_data(vcpu));
	/* The same state back, and the guest goes on. */
	ASSERT_EQ(0, ut_ioctl(vcpu->fd, KVM_GET_SREGS2, &get));
	ASSERT_EQ(0, ut_ioctl(vcpu->fd, KVM_SET_SREGS2, &get));
	ASSERT_EQ(UT_EXIT, ut_next(vcpu, NULL));
	ASSERT_EQ(0xabcd1234, *(u32 *)ut_io_data(vcpu));
	ut_vm_free(vcpu->vm);
}

UT_BLOB(paging_code,
	".code32\n\tmov %cr0, %eax\n\tor $0x80000000, %eax\n\tmov %eax, %cr0\n"
	"\tmov $1, %al\n\tout %al, $0x80");

/* PCIDE can be set while there is no paging; then only long mode can be turned on. */
TEST(pcide_without_paging)
{
	struct ut_vcpu *vcpu = ut_blob_guest(UT_PROT32, paging_code, UT_BLOB_LEN(paging_code));
	struct kvm_cpuid2 *cpuid = ut_supported_cpuid(vcpu->vm->dev_fd);
	struct kvm_sregs sregs, got;

	if (!(ut_cpuid_entry(cpuid, 1, 0)->ecx & CPUID_PCID))
		SKIP(return, "no PCID in this CPUID");
	ut_must_ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid);
	ut_get_sregs(vcpu, &sregs);
	sregs.cr4 |= CR4_PCIDE;
	ASSERT_EQ(0, ut_ioctl(vcpu->fd, KVM_SET_SREGS, &sregs));
	ut_get_sregs(vcpu, &got);
	ASSERT_EQ(sregs.cr4, got.cr4);
	/* The processor refuses the state, or what the guest does next is a triple fault. */
	ASSERT_EQ(UT_EXIT, ut_next(vcpu, NULL));
	ASSERT_TRUE(vcpu->run->exit_reason == KVM_EXIT_FAIL_ENTRY ||
		    vcpu->run->exit_reason == KVM_EXIT_SHUTDOWN);
	if (!ut_on_umbra())
		SKIP(return, "KVM lets user space turn on any paging with PCIDE");
	sregs.cr0 |= CR0_PG;
	ASSERT_EQ(-EINVAL, ut_ioctl(vcpu->fd, KVM_SET_SREGS, &sregs));
	ut_vm_free(vcpu->vm);
}

TEST_HARNESS_MAIN
