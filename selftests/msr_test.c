// SPDX-License-Identifier: GPL-2.0
/*
 * MSRs from user space and from the guest: every listed one can be read and
 * set to its own value, what one side writes the other reads, junk is refused.
 */
#include <string.h>
#include <kselftest_harness.h>
#include "umbra_util.h"

#define MSR_TSC			0x10
#define MSR_APICBASE		0x1b
#define MSR_FEAT_CTL		0x3a
#define MSR_SYSENTER_CS		0x174
#define MSR_SYSENTER_ESP	0x175
#define MSR_PAT			0x277
#define MSR_MTRR_DEF_TYPE	0x2ff
#define MSR_MC0_STATUS		0x401
#define MSR_EFER		0xc0000080
#define MSR_STAR		0xc0000081
#define MSR_LSTAR		0xc0000082
#define MSR_SYSCALL_MASK	0xc0000084
#define MSR_FS_BASE		0xc0000100
#define MSR_GS_BASE		0xc0000101
#define MSR_KERNEL_GS_BASE	0xc0000102
#define MSR_TSC_AUX		0xc0000103
#define MSR_HWCR		0xc0010015
#define MSR_NOBODYS		0x38000000

#define FEAT_CTL_LOCKED		1ull
#define HWCR_MC_STATUS_WRITE	BIT_ULL(18)

struct msr_list {
	struct kvm_msr_list head;
	u32 index[1024];
};

static void guest_idle(void)
{
	for (;;)
		guest_sync(1);
}

FIXTURE(msr) {
	struct ut_vcpu *vcpu;
	struct msr_list list;
};

FIXTURE_SETUP(msr)
{
	self->vcpu = ut_long_guest(guest_idle);
	self->list.head.nmsrs = ARRAY_SIZE(self->list.index);
	ut_must_ioctl(self->vcpu->vm->dev_fd, KVM_GET_MSR_INDEX_LIST, &self->list);
}

FIXTURE_TEARDOWN(msr)
{
	ut_vm_free(self->vcpu->vm);
}

/* KVM lists these though the vCPU's CPUID need not have the feature behind them. */
static bool may_be_absent(u32 index)
{
	return !ut_on_umbra() && ((index >= 0x40000000 && index < 0x40001000) ||
				  (index >= 0x4b564d00 && index < 0x4b564d10));
}

TEST_F(msr, each_listed)
{
	u64 value;
	u32 i;

	ASSERT_LT(10, self->list.head.nmsrs);
	for (i = 0; i < self->list.head.nmsrs; i++) {
		u32 index = self->list.index[i];

		if (may_be_absent(index))
			continue;
		EXPECT_EQ(1, ut_read_msr(self->vcpu, index, &value)) {
			TH_LOG("cannot read MSR %#x", index);
			continue;
		}
		EXPECT_EQ(1, ut_write_msr(self->vcpu, index, value))
			TH_LOG("cannot set MSR %#x to its own %#lx", index, value);
	}
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
}

TEST_F(msr, list_is_complete)
{
	static const u32 needed[] = {
		MSR_TSC, MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_ESP + 1, MSR_PAT,
		MSR_STAR, MSR_LSTAR, MSR_LSTAR + 1, MSR_SYSCALL_MASK, MSR_KERNEL_GS_BASE,
	};
	u32 i, j;

	for (i = 0; i < ARRAY_SIZE(needed); i++) {
		for (j = 0; j < self->list.head.nmsrs; j++)
			if (self->list.index[j] == needed[i])
				break;
		EXPECT_NE(j, self->list.head.nmsrs)
			TH_LOG("MSR %#x is not listed", needed[i]);
	}
	for (i = 0; i < self->list.head.nmsrs; i++)
		for (j = i + 1; j < self->list.head.nmsrs; j++)
			EXPECT_NE(self->list.index[i], self->list.index[j]);
}

static const struct {
	u32 index;
	u64 value;
} settable[] = {
	{ MSR_SYSENTER_CS, 0x8 },
	{ MSR_SYSENTER_ESP, 0x12345678 },	/* 32 bits on AMD */
	{ MSR_PAT, 0x0007010600070106ull },
	{ MSR_MTRR_DEF_TYPE, 0xc06 },
	{ MSR_STAR, 0x0023001000000000ull },
	{ MSR_LSTAR, 0xffffffff81000000ull },
	{ MSR_SYSCALL_MASK, 0x47700 },
	{ MSR_FS_BASE, 0x12345000 },
	{ MSR_GS_BASE, 0xffff888000000000ull },
	{ MSR_KERNEL_GS_BASE, 0x7fffffff0000ull },
};

static void guest_read_msrs(u64 n)
{
	u64 i;

	for (i = 0; i < n; i++)
		guest_sync_args(i, guest_rdmsr(settable[i].index), 0, 0);
	guest_done();
}

TEST_F(msr, user_to_guest)
{
	struct ut_ucall uc;
	u64 i, value;

	ut_restart(self->vcpu, guest_read_msrs);
	ut_set_args(self->vcpu, ARRAY_SIZE(settable), 0);
	for (i = 0; i < ARRAY_SIZE(settable); i++)
		ASSERT_EQ(1, ut_write_msr(self->vcpu, settable[i].index, settable[i].value))
			TH_LOG("MSR %#x", settable[i].index);
	for (i = 0; i < ARRAY_SIZE(settable); i++) {
		ASSERT_EQ(1, ut_read_msr(self->vcpu, settable[i].index, &value));
		EXPECT_EQ(settable[i].value, value);
		ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &uc));
		EXPECT_EQ(settable[i].value, uc.arg[1])
			TH_LOG("MSR %#x in the guest", settable[i].index);
	}
}

static void guest_write_msrs(u64 n)
{
	u64 i;

	for (i = 0; i < n; i++)
		guest_wrmsr(settable[i].index, settable[i].value);
	guest_done();
}

TEST_F(msr, guest_to_user)
{
	u64 i, value;

	ut_restart(self->vcpu, guest_write_msrs);
	ut_set_args(self->vcpu, ARRAY_SIZE(settable), 0);
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
	for (i = 0; i < ARRAY_SIZE(settable); i++) {
		ASSERT_EQ(1, ut_read_msr(self->vcpu, settable[i].index, &value));
		EXPECT_EQ(settable[i].value, value)
			TH_LOG("MSR %#x", settable[i].index);
	}
}

TEST_F(msr, refused)
{
	u64 was, now;

	ASSERT_EQ(0, ut_read_msr(self->vcpu, MSR_NOBODYS, &now));
	ASSERT_EQ(0, ut_write_msr(self->vcpu, MSR_NOBODYS, 0));
	/* Memory type 2 does not exist; not canonical; reserved APIC base bits. */
	ASSERT_EQ(1, ut_read_msr(self->vcpu, MSR_PAT, &was));
	ASSERT_EQ(0, ut_write_msr(self->vcpu, MSR_PAT, 0x0202020202020202ull));
	ASSERT_EQ(1, ut_read_msr(self->vcpu, MSR_PAT, &now));
	ASSERT_EQ(was, now);
	ASSERT_EQ(1, ut_read_msr(self->vcpu, MSR_LSTAR, &was));
	ASSERT_EQ(0, ut_write_msr(self->vcpu, MSR_LSTAR, 0x8000000000000000ull));
	ASSERT_EQ(1, ut_read_msr(self->vcpu, MSR_LSTAR, &now));
	ASSERT_EQ(was, now);
	ASSERT_EQ(0, ut_write_msr(self->vcpu, MSR_APICBASE, 1));
}

static void guest_faults(void)
{
	guest_catch(UT_GP_VECTOR);
	GUEST_ASSERT_EQ(guest_try("mov $0x38000000, %%ecx; rdmsr"), UT_GP_VECTOR);
	GUEST_ASSERT_EQ(guest_caught_error(), 0);
	GUEST_ASSERT_EQ(guest_try("mov $0x38000000, %%ecx; wrmsr"), UT_GP_VECTOR);
	/* PAT with junk, EFER with junk. */
	GUEST_ASSERT_EQ(guest_try("mov $0x277, %%ecx; mov $2, %%eax; xor %%edx, %%edx; wrmsr"),
			UT_GP_VECTOR);
	GUEST_ASSERT_EQ(guest_try("mov $0xc0000080, %%ecx; rdmsr; or $2, %%eax; wrmsr"),
			UT_GP_VECTOR);
	/* LME must not change while paging is on. */
	GUEST_ASSERT_EQ(guest_try("mov $0xc0000080, %%ecx; rdmsr; xor $0x100, %%eax; wrmsr"),
			UT_GP_VECTOR);
	GUEST_ASSERT_EQ(guest_rdmsr(MSR_EFER), 0xd01);
	/* SCE may. */
	guest_wrmsr(MSR_EFER, 0xd00);
	GUEST_ASSERT_EQ(guest_rdmsr(MSR_EFER), 0xd00);
	guest_done();
}

TEST_F(msr, guest_faults)
{
	ut_restart(self->vcpu, guest_faults);
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
}

/* What depends on whose processor the guest believes to run on. */
static void guest_intel(void)
{
	guest_catch(UT_GP_VECTOR);
	GUEST_ASSERT_EQ(guest_rdmsr(MSR_FEAT_CTL), 0);
	/* Nothing that it could allow is there; as it is it can be locked, once. */
	GUEST_ASSERT_EQ(guest_try("mov $0x3a, %%ecx; mov $5, %%eax; xor %%edx, %%edx; wrmsr"),
			UT_GP_VECTOR);
	guest_wrmsr(MSR_FEAT_CTL, FEAT_CTL_LOCKED);
	GUEST_ASSERT_EQ(guest_rdmsr(MSR_FEAT_CTL), FEAT_CTL_LOCKED);
	GUEST_ASSERT_EQ(guest_try("mov $0x3a, %%ecx; mov $1, %%eax; xor %%edx, %%edx; wrmsr"),
			UT_GP_VECTOR);
	/* HWCR is AMD's: it does not open the status of machine checks. */
	GUEST_ASSERT_EQ(guest_try("mov $0x401, %%ecx; mov $1, %%eax; xor %%edx, %%edx; wrmsr"),
			UT_GP_VECTOR);
	guest_wrmsr(MSR_HWCR, HWCR_MC_STATUS_WRITE);
	GUEST_ASSERT_EQ(guest_try("mov $0x401, %%ecx; mov $1, %%eax; xor %%edx, %%edx; wrmsr"),
			UT_GP_VECTOR);
	guest_done();
}

static void guest_amd(void)
{
	guest_catch(UT_GP_VECTOR);
	GUEST_ASSERT_EQ(guest_try("mov $0x3a, %%ecx; rdmsr"), UT_GP_VECTOR);
	GUEST_ASSERT_EQ(guest_try("mov $0x3a, %%ecx; mov $1, %%eax; xor %%edx, %%edx; wrmsr"),
			UT_GP_VECTOR);
	GUEST_ASSERT_EQ(guest_try("mov $0x401, %%ecx; mov $1, %%eax; xor %%edx, %%edx; wrmsr"),
			UT_GP_VECTOR);
	guest_wrmsr(MSR_HWCR, HWCR_MC_STATUS_WRITE);
	guest_wrmsr(MSR_MC0_STATUS, 1);
	GUEST_ASSERT_EQ(guest_rdmsr(MSR_MC0_STATUS), 1);
	guest_done();
}

static void check_vendor(struct __test_metadata *_metadata, struct ut_vcpu *vcpu,
			 const char *name, void *guest)
{
	struct kvm_cpuid2 *cpuid = ut_supported_cpuid(vcpu->vm->dev_fd);
	struct kvm_cpuid_entry2 *e = ut_cpuid_entry(cpuid, 0, 0);
	bool hosts = !memcmp(&e->ebx, name, 4);

	memcpy(&e->ebx, name, 4);
	memcpy(&e->edx, name + 4, 4);
	memcpy(&e->ecx, name + 8, 4);
	ut_must_ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid);
	free(cpuid);
	if (!hosts && !ut_on_umbra())
		SKIP(return, "KVM goes by the host's processor in part");
	ut_restart(vcpu, guest);
	ASSERT_EQ(UT_DONE, ut_next(vcpu, NULL));
}

TEST_F(msr, of_intel)
{
	check_vendor(_metadata, self->vcpu, "GenuineIntel", guest_intel);
}

TEST_F(msr, of_amd)
{
	check_vendor(_metadata, self->vcpu, "AuthenticAMD", guest_amd);
}

static void guest_tsc(void)
{
	u64 a, b;

	a = guest_rdmsr(MSR_TSC);
	b = __builtin_ia32_rdtsc();
	guest_sync_args(1, a, b, 0);
	guest_wrmsr(MSR_TSC, 1ull << 50);
	a = __builtin_ia32_rdtsc();
	guest_sync_args(2, a, 0, 0);
	guest_done();
}

TEST_F(msr, tsc)
{
	struct ut_ucall uc;
	u64 value;

	ut_restart(self->vcpu, guest_tsc);
	ASSERT_EQ(1, ut_write_msr(self->vcpu, MSR_TSC, 1ull << 40));
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &uc));
	/* Set, and running from there on. */
	ASSERT_LE(1ull << 40, uc.arg[1]);
	ASSERT_LT(uc.arg[1], uc.arg[2]);
	ASSERT_GT(1ull << 41, uc.arg[2]);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &uc));
	ASSERT_LE(1ull << 50, uc.arg[1]);
	ASSERT_GT(1ull << 51, uc.arg[1]);
	ASSERT_EQ(1, ut_read_msr(self->vcpu, MSR_TSC, &value));
	ASSERT_LT(uc.arg[1], value);
	ASSERT_GT(1ull << 51, value);
}

TEST_HARNESS_MAIN
