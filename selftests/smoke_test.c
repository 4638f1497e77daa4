// SPDX-License-Identifier: GPL-2.0
/*
 * The library itself: a long mode guest can talk, take exceptions and arguments,
 * a blob guest runs in each mode. If this fails, look here before elsewhere.
 */
#include <kselftest_harness.h>
#include "umbra_util.h"

static u64 counter = 5;

static void guest_talk(u64 a, u64 b)
{
	GUEST_ASSERT_EQ(a, 0x1234);
	guest_sync_args(1, a + b, counter, 0);
	counter++;
	guest_printf("counter %lu", counter, 0, 0);
	guest_catch(UT_UD_VECTOR);
	guest_catch(UT_GP_VECTOR);
	guest_catch(UT_PF_VECTOR);
	GUEST_ASSERT_EQ(guest_try("ud2"), UT_UD_VECTOR);
	GUEST_ASSERT_EQ(guest_try("mov $0x38000000, %%ecx; rdmsr"), UT_GP_VECTOR);
	GUEST_ASSERT_EQ(guest_try("xor %%eax, %%eax; mov (%%rax), %%eax"), UT_PF_VECTOR);
	GUEST_ASSERT_EQ(guest_caught_error(), 0);
	GUEST_ASSERT_EQ(guest_try("nop"), 0);
	guest_done();
}

TEST(long_mode)
{
	struct ut_vcpu *vcpu = ut_long_guest(guest_talk);
	struct ut_ucall uc;

	ut_set_args(vcpu, 0x1234, 1);
	ASSERT_EQ(UT_SYNC, ut_next(vcpu, &uc));
	ASSERT_EQ(1, uc.arg[0]);
	ASSERT_EQ(0x1235, uc.arg[1]);
	ASSERT_EQ(5, uc.arg[2]);
	*ut_guest_var(vcpu->vm, counter) = 40;
	ASSERT_EQ(UT_DONE, ut_next(vcpu, &uc));
	ASSERT_EQ(41, *ut_guest_var(vcpu->vm, counter));
	ASSERT_EQ(5, counter);
	ut_vm_free(vcpu->vm);
}

UT_BLOB(blob16, ".code16\n\tmov $0x77, %al\n\tout %al, $0x80\n\thlt");
UT_BLOB(blob32, ".code32\n\tmov $0x12345678, %eax\n\tout %eax, $0x80\n\thlt");

TEST(real_mode)
{
	struct ut_vcpu *vcpu = ut_blob_guest(UT_REAL, blob16, UT_BLOB_LEN(blob16));

	ASSERT_EQ(UT_EXIT, ut_next(vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_IO, vcpu->run->exit_reason);
	ASSERT_EQ(0x77, *(u8 *)ut_io_data(vcpu));
	ASSERT_EQ(UT_EXIT, ut_next(vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_HLT, vcpu->run->exit_reason);
	ut_vm_free(vcpu->vm);
}

TEST(protected_mode)
{
	struct ut_vcpu *vcpu = ut_blob_guest(UT_PROT32, blob32, UT_BLOB_LEN(blob32));

	ASSERT_EQ(UT_EXIT, ut_next(vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_IO, vcpu->run->exit_reason);
	ASSERT_EQ(0x12345678, *(u32 *)ut_io_data(vcpu));
	ut_vm_free(vcpu->vm);
}

TEST_HARNESS_MAIN
