// SPDX-License-Identifier: GPL-2.0
/*
 * What user space chooses for a VM by KVM_ENABLE_CAP and its kin: KVM's quirks, PLATFORM_INFO, ids
 * of vCPUs, the offset of the TSC, the number of shadow tables.
 */
#include <kselftest_harness.h>
#include "umbra_util.h"

#define MSR_PLATFORM_INFO	0xce
#define MSR_MISC_ENABLE		0x1a0
#define MSR_POWER_CTL		0x1fc
#define MISC_ENABLE_MWAIT	(1ull << 18)
#define CPUID_MWAIT		(1u << 3)

FIXTURE(caps) {
	struct ut_vcpu *vcpu;
	struct kvm_run *run;
	struct ut_ucall uc;
	int fd;
};

FIXTURE_SETUP(caps)
{
	self->vcpu = ut_long_guest(NULL);
	self->run = self->vcpu->run;
	self->fd = self->vcpu->vm->fd;
}

FIXTURE_TEARDOWN(caps)
{
	ut_vm_free(self->vcpu->vm);
}

static int enable(int fd, u32 cap, u64 arg)
{
	struct kvm_enable_cap args = { .cap = cap, .args[0] = arg };

	return ut_ioctl(fd, KVM_ENABLE_CAP, &args);
}

/* ---- quirks ---- */

static void guest_monitor(void)
{
	u64 monitor, mwait;
	u32 ecx;

	guest_catch(UT_UD_VECTOR);
	for (;;) {
		monitor = guest_try("mov %%rsp, %%rax\n\txor %%ecx, %%ecx\n\txor %%edx, %%edx\n\t"
				    "monitor");
		mwait = guest_try("xor %%eax, %%eax\n\txor %%ecx, %%ecx\n\tmwait");
		asm volatile("cpuid" : "=c"(ecx) : "a"(1), "c"(0) : "rbx", "rdx");
		guest_sync_args(monitor, mwait, ecx & CPUID_MWAIT, 0);
	}
}

/* The host's CPUID, but without MONITOR. */
static void set_cpuid(struct ut_vcpu *vcpu)
{
	struct kvm_cpuid2 *cpuid = ut_supported_cpuid(vcpu->vm->dev_fd);
	struct kvm_cpuid_entry2 *e = ut_cpuid_entry(cpuid, 1, 0);

	e->ecx &= ~CPUID_MWAIT;
	ut_must_ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid);
	free(cpuid);
}

/* True when both instructions, and the CPUID bit, are as said. */
static bool monitor_is(struct ut_vcpu *vcpu, u64 vector, bool bit)
{
	struct ut_ucall uc;

	if (ut_next(vcpu, &uc) != UT_SYNC)
		ut_die("the guest is lost");
	return uc.arg[0] == vector && uc.arg[1] == vector && !!uc.arg[2] == bit;
}

TEST_F(caps, quirks)
{
	u64 misc_enable, quirks = ut_cap(self->fd, KVM_CAP_DISABLE_QUIRKS2);

	ASSERT_EQ(KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT | KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS,
		  quirks & (KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT |
			    KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS));
	ASSERT_EQ(1, ut_cap(self->fd, KVM_CAP_DISABLE_QUIRKS));
	ASSERT_EQ(-EINVAL, enable(self->fd, KVM_CAP_DISABLE_QUIRKS2, 1ull << 63));
	/* The older form never minds. */
	ASSERT_EQ(0, enable(self->fd, KVM_CAP_DISABLE_QUIRKS, 1ull << 63));
	set_cpuid(self->vcpu);
	ut_restart(self->vcpu, guest_monitor);
	ASSERT_TRUE(monitor_is(self->vcpu, 0, false));
	ASSERT_EQ(0, enable(self->fd, KVM_CAP_DISABLE_QUIRKS2,
			    KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS));
	ASSERT_TRUE(monitor_is(self->vcpu, UT_UD_VECTOR, false));
	/* With its quirk the bit of MISC_ENABLE does nothing. */
	ASSERT_EQ(1, ut_read_msr(self->vcpu, MSR_MISC_ENABLE, &misc_enable));
	misc_enable ^= MISC_ENABLE_MWAIT;
	ASSERT_EQ(1, ut_write_msr(self->vcpu, MSR_MISC_ENABLE, misc_enable));
	ASSERT_TRUE(monitor_is(self->vcpu, UT_UD_VECTOR, false));
	/* Each call says which quirks are disabled now, not which more. */
	ASSERT_EQ(0, enable(self->fd, KVM_CAP_DISABLE_QUIRKS2,
			    KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT));
	misc_enable &= ~MISC_ENABLE_MWAIT;
	ASSERT_EQ(1, ut_write_msr(self->vcpu, MSR_MISC_ENABLE, misc_enable));
	ASSERT_TRUE(monitor_is(self->vcpu, 0, false));
	ASSERT_EQ(0, enable(self->fd, KVM_CAP_DISABLE_QUIRKS2,
			    KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT |
			    KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS));
	ASSERT_EQ(1, ut_write_msr(self->vcpu, MSR_MISC_ENABLE, misc_enable | MISC_ENABLE_MWAIT));
	ASSERT_TRUE(monitor_is(self->vcpu, 0, true));
	ASSERT_EQ(1, ut_write_msr(self->vcpu, MSR_MISC_ENABLE, misc_enable));
	ASSERT_TRUE(monitor_is(self->vcpu, UT_UD_VECTOR, false));
}

/* ---- MSRs ---- */

static void guest_read(u64 index)
{
	u64 vec, v = 0;

	guest_catch(UT_GP_VECTOR);
	for (;;) {
		asm volatile("lea 1f(%%rip), %%r11\n\txor %%r10d, %%r10d\n\trdmsr\n"
			     "1:\tmov %%r10, %0\n\tshl $32, %%rdx\n\tor %%rdx, %%rax"
			     : "=&r"(vec), "=a"(v) : "c"(index), "1"(0)
			     : "rdx", "r10", "r11", "memory");
		guest_sync_args(vec, v, 0, 0);
	}
}

TEST_F(caps, platform_info)
{
	ASSERT_EQ(1, ut_cap(self->fd, KVM_CAP_MSR_PLATFORM_INFO));
	ASSERT_EQ(1, ut_write_msr(self->vcpu, MSR_PLATFORM_INFO, 0xff00));
	ut_restart(self->vcpu, guest_read);
	ut_set_args(self->vcpu, MSR_PLATFORM_INFO, 0);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
	ASSERT_EQ(0, self->uc.arg[0]);
	ASSERT_EQ(0xff00, self->uc.arg[1]);
	ASSERT_EQ(0, enable(self->fd, KVM_CAP_MSR_PLATFORM_INFO, 0));
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
	ASSERT_EQ(UT_GP_VECTOR, self->uc.arg[0]);
	ASSERT_EQ(0, enable(self->fd, KVM_CAP_MSR_PLATFORM_INFO, 1));
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
	ASSERT_EQ(0, self->uc.arg[0]);
}

/* Nobody can have CPUID faulting: it is not offered. KVM has it. */
TEST_F(caps, no_cpuid_faulting)
{
	u64 value;

	if (!ut_on_umbra())
		SKIP(return, "KVM emulates CPUID faulting");
	ASSERT_EQ(0, ut_write_msr(self->vcpu, MSR_PLATFORM_INFO, 1ull << 31));
	ASSERT_EQ(1, ut_read_msr(self->vcpu, MSR_PLATFORM_INFO, &value));
	ASSERT_EQ(0, value);
}

TEST_F(caps, power_ctl)
{
	ASSERT_EQ(1, ut_write_msr(self->vcpu, MSR_POWER_CTL, 0x1234));
	ut_restart(self->vcpu, guest_read);
	ut_set_args(self->vcpu, MSR_POWER_CTL, 0);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
	ASSERT_EQ(0, self->uc.arg[0]);
	ASSERT_EQ(0x1234, self->uc.arg[1]);
}

/* ---- ids ---- */

TEST_F(caps, max_vcpu_id)
{
	int max = ut_cap(self->fd, KVM_CAP_MAX_VCPU_ID);
	struct ut_vm *vm = ut_vm_new();

	ASSERT_EQ(-EINVAL, enable(vm->fd, KVM_CAP_MAX_VCPU_ID, max + 1));
	ASSERT_EQ(0, enable(vm->fd, KVM_CAP_MAX_VCPU_ID, 3));
	ASSERT_EQ(0, enable(vm->fd, KVM_CAP_MAX_VCPU_ID, 3));
	ASSERT_EQ(-EINVAL, enable(vm->fd, KVM_CAP_MAX_VCPU_ID, 2));
	ASSERT_EQ(-EINVAL, ut_ioctl(vm->fd, KVM_CREATE_VCPU, 3));
	ASSERT_LT(0, ut_ioctl(vm->fd, KVM_CREATE_VCPU, 2));
	ut_vm_free(vm);
}

TEST_F(caps, max_vcpu_id_too_late)
{
	if (!ut_on_umbra())
		SKIP(return, "KVM does not look whether there are vCPUs");
	ASSERT_EQ(-EINVAL, enable(self->fd, KVM_CAP_MAX_VCPU_ID, 8));
	ASSERT_LT(0, ut_ioctl(self->fd, KVM_CREATE_VCPU, 8));
}

/* ---- the TSC ---- */

static void guest_tsc(void)
{
	u32 low, high;

	for (;;) {
		asm volatile("rdtsc" : "=a"(low), "=d"(high));
		guest_sync_args((u64)high << 32 | low, 0, 0, 0);
	}
}

static u64 host_tsc(void)
{
	u32 low, high;

	asm volatile("lfence; rdtsc; lfence" : "=a"(low), "=d"(high) : : "memory");
	return (u64)high << 32 | low;
}

static int offset_attr(struct ut_vcpu *vcpu, unsigned long call, u64 *offset)
{
	struct kvm_device_attr attr = {
		.group = KVM_VCPU_TSC_CTRL,
		.attr = KVM_VCPU_TSC_OFFSET,
		.addr = (u64)offset,
	};

	return ut_ioctl(vcpu->fd, call, &attr);
}

TEST_F(caps, tsc_offset)
{
	const u64 offsets[] = { 0, 1ull << 40, -(1ull << 40), 12345 };
	u64 start, end, got;
	int i;

	ASSERT_EQ(1, ut_cap(self->fd, KVM_CAP_VCPU_ATTRIBUTES));
	ASSERT_EQ(0, offset_attr(self->vcpu, KVM_HAS_DEVICE_ATTR, NULL));
	ut_restart(self->vcpu, guest_tsc);
	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		got = offsets[i];
		ASSERT_EQ(0, offset_attr(self->vcpu, KVM_SET_DEVICE_ATTR, &got));
		start = host_tsc();
		ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
		end = host_tsc();
		ASSERT_LE(self->uc.arg[0] - offsets[i] - start, end - start);
		ASSERT_EQ(0, offset_attr(self->vcpu, KVM_GET_DEVICE_ATTR, &got));
		/* KVM moves it where the host's own TSC is not to be trusted. */
		if (ut_on_umbra())
			ASSERT_EQ(offsets[i], got);
	}
}

TEST_F(caps, tsc_offset_refused)
{
	struct kvm_device_attr attr = { .group = KVM_VCPU_TSC_CTRL, .attr = 77 };
	u64 before, after;

	ASSERT_EQ(0, offset_attr(self->vcpu, KVM_GET_DEVICE_ATTR, &before));
	ASSERT_EQ(-ENXIO, ut_ioctl(self->vcpu->fd, KVM_HAS_DEVICE_ATTR, &attr));
	ASSERT_EQ(-ENXIO, ut_ioctl(self->vcpu->fd, KVM_SET_DEVICE_ATTR, &attr));
	attr = (struct kvm_device_attr){ .group = 5 };
	ASSERT_EQ(-ENXIO, ut_ioctl(self->vcpu->fd, KVM_GET_DEVICE_ATTR, &attr));
	ASSERT_EQ(-EFAULT, offset_attr(self->vcpu, KVM_SET_DEVICE_ATTR, (u64 *)0x10));
	ASSERT_EQ(-EFAULT, offset_attr(self->vcpu, KVM_GET_DEVICE_ATTR, (u64 *)0x10));
	ASSERT_EQ(-EFAULT, ut_ioctl(self->vcpu->fd, KVM_SET_DEVICE_ATTR, 0x10));
	ASSERT_EQ(0, offset_attr(self->vcpu, KVM_GET_DEVICE_ATTR, &after));
	if (ut_on_umbra())
		ASSERT_EQ(before, after);
}

/* ---- tables ---- */

#define FAR_GVA		0x8000000000ull
#define FAR_GPA		0x1000000ull
#define FAR_PAGES	96

/* A page in each of many tables: more of them than there may be. */
static void guest_touch(void)
{
	u64 i, round;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < FAR_PAGES; i++)
			guest_write64(FAR_GVA + (i << 21), i + round);
		for (i = 0; i < FAR_PAGES; i++)
			GUEST_ASSERT_EQ(i + round, guest_read64(FAR_GVA + (i << 21)));
	}
	guest_done();
}

TEST_F(caps, nr_mmu_pages)
{
	struct ut_vm *vm = self->vcpu->vm;
	u64 i;

	ASSERT_EQ(1, ut_cap(self->fd, KVM_CAP_MMU_SHADOW_CACHE_CONTROL));
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_SET_NR_MMU_PAGES, 63));
	ut_add_slot(vm, 1, FAR_GPA, FAR_PAGES * UT_PAGE_SIZE, 0);
	for (i = 0; i < FAR_PAGES; i++)
		ut_map(vm, FAR_GVA + (i << 21), FAR_GPA + i * UT_PAGE_SIZE, 1, UT_PTE_W);
	ASSERT_EQ(0, ut_ioctl(self->fd, KVM_SET_NR_MMU_PAGES, 64));
	if (ut_on_umbra())
		ASSERT_EQ(64, ut_ioctl(self->fd, KVM_GET_NR_MMU_PAGES, 0));
	ut_restart(self->vcpu, guest_touch);
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
}

/* ---- the exit reason ---- */

static void guest_in(void)
{
	guest_inb(0x60);
	guest_done();
}

/* Clients finish an access so and look at its reason only then. */
TEST_F(caps, immediate_exit_keeps_the_reason)
{
	ut_restart(self->vcpu, guest_in);
	ASSERT_EQ(0, ut_run(self->vcpu));
	ASSERT_EQ(KVM_EXIT_IO, self->run->exit_reason);
	self->run->immediate_exit = 1;
	ASSERT_EQ(-EINTR, ut_run(self->vcpu));
	ASSERT_EQ(KVM_EXIT_IO, self->run->exit_reason);
	ASSERT_EQ(0x60, self->run->io.port);
	ASSERT_EQ(-EINTR, ut_run(self->vcpu));
	ASSERT_EQ(KVM_EXIT_IO, self->run->exit_reason);
	self->run->immediate_exit = 0;
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
}

TEST_HARNESS_MAIN
