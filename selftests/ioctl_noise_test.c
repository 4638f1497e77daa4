// SPDX-License-Identifier: GPL-2.0
/*
 * Every call of the three descriptors with noise for an argument: whole
 * structures of random bytes, pointers to the last bytes of a page, numbers.
 * The only right answers are errors or effects inside this VM; the same seed
 * each time, unless UMBRA_SEED names another. The host's log is the judge
 * (scripts/lab fails on a warning).
 */
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <kselftest_harness.h>
#include "irq.h"
#include "umbra_util.h"

#define ROUNDS	40

static const unsigned long vm_calls[] = {
	KVM_CHECK_EXTENSION, KVM_SET_USER_MEMORY_REGION, KVM_SET_TSS_ADDR, KVM_GET_DIRTY_LOG,
	KVM_CLEAR_DIRTY_LOG, KVM_SET_IDENTITY_MAP_ADDR, KVM_IOEVENTFD, KVM_IRQFD, KVM_IRQ_LINE,
	KVM_REGISTER_COALESCED_MMIO, KVM_UNREGISTER_COALESCED_MMIO, KVM_SET_CLOCK, KVM_GET_CLOCK,
	KVM_ENABLE_CAP, KVM_SIGNAL_MSI, KVM_SET_GSI_ROUTING, KVM_CREATE_DEVICE,
	KVM_CREATE_IRQCHIP, KVM_GET_IRQCHIP, KVM_SET_IRQCHIP, KVM_IRQ_LINE_STATUS,
	KVM_CREATE_PIT2, KVM_GET_PIT2, KVM_SET_PIT2, KVM_GET_PIT, KVM_SET_PIT,
	KVM_REINJECT_CONTROL, KVM_SET_BOOT_CPU_ID,
};

static const unsigned long vcpu_calls[] = {
	KVM_GET_REGS, KVM_SET_REGS, KVM_GET_SREGS, KVM_SET_SREGS, KVM_GET_SREGS2, KVM_SET_SREGS2,
	KVM_TRANSLATE, KVM_INTERRUPT, KVM_GET_MSRS, KVM_SET_MSRS, KVM_SET_CPUID, KVM_SET_CPUID2,
	KVM_GET_CPUID2, KVM_SET_SIGNAL_MASK, KVM_GET_FPU, KVM_SET_FPU, KVM_GET_XSAVE,
	KVM_SET_XSAVE, KVM_GET_XSAVE2, KVM_GET_XCRS, KVM_SET_XCRS, KVM_GET_DEBUGREGS,
	KVM_SET_DEBUGREGS, KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, KVM_GET_MP_STATE,
	KVM_SET_MP_STATE, KVM_SET_GUEST_DEBUG, KVM_NMI, KVM_SET_TSC_KHZ, KVM_GET_TSC_KHZ,
	KVM_X86_SETUP_MCE, KVM_X86_SET_MCE, KVM_KVMCLOCK_CTRL, KVM_GET_LAPIC, KVM_SET_LAPIC,
	KVM_TPR_ACCESS_REPORTING, KVM_SET_VAPIC_ADDR, KVM_RUN,
};

static const unsigned long dev_calls[] = {
	KVM_GET_API_VERSION, KVM_CHECK_EXTENSION, KVM_GET_VCPU_MMAP_SIZE,
	KVM_GET_SUPPORTED_CPUID, KVM_GET_EMULATED_CPUID, KVM_GET_MSR_INDEX_LIST,
	KVM_GET_MSR_FEATURE_INDEX_LIST, KVM_GET_MSRS, KVM_X86_GET_MCE_CAP_SUPPORTED,
	KVM_GET_DEVICE_ATTR, KVM_HAS_DEVICE_ATTR,
};

static u64 seed = 20260101;

static u64 noise(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

FIXTURE(noise) {
	struct ut_vcpu *vcpu;
	u8 *page;	/* followed by a page that is not there */
};

FIXTURE_VARIANT(noise) {
	bool chip;	/* interrupt controllers in the kernel */
};

FIXTURE_VARIANT_ADD(noise, bare) {
	.chip = false,
};

FIXTURE_VARIANT_ADD(noise, chip) {
	.chip = true,
};

static void guest_loop(void)
{
	for (;;)
		guest_sync(1);
}

FIXTURE_SETUP(noise)
{
	if (getenv("UMBRA_SEED"))
		seed = strtoull(getenv("UMBRA_SEED"), NULL, 0) | 1;
	self->vcpu = variant->chip ? ut_vcpu_long(ut_irq_vm(), 0, guest_loop) :
				     ut_long_guest(guest_loop);
	self->vcpu->run->immediate_exit = 1;
	self->page = mmap(NULL, 3 * UT_PAGE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->page);
	ASSERT_EQ(0, mprotect(self->page + 2 * UT_PAGE_SIZE, UT_PAGE_SIZE, PROT_NONE));
}

FIXTURE_TEARDOWN(noise)
{
	ut_vm_free(self->vcpu->vm);
}

/* Random bytes, with many zeroes and small numbers so that some of it is taken. */
static void fill(u8 *page, int kind)
{
	u64 *word = (u64 *)page;
	size_t i;

	for (i = 0; i < 2 * UT_PAGE_SIZE / sizeof(u64); i++) {
		word[i] = noise();
		if (kind == 1 || (kind == 2 && noise() % 4))
			word[i] = noise() % 8 ? 0 : noise() % 64;
	}
}

static void make_noise(int fd, const unsigned long *calls, int n, u8 *page)
{
	int round, i;

	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < n; i++) {
			size_t size = _IOC_SIZE(calls[i]);

			fill(page, round % 3);
			ut_ioctl(fd, calls[i], page);
			ut_ioctl(fd, calls[i], page + 2 * UT_PAGE_SIZE - size);
			ut_ioctl(fd, calls[i], page + 2 * UT_PAGE_SIZE - size / 2);
			ut_ioctl(fd, calls[i], noise());
		}
	}
}

TEST_F(noise, device)
{
	make_noise(self->vcpu->vm->dev_fd, dev_calls, ARRAY_SIZE(dev_calls), self->page);
	ASSERT_EQ(KVM_API_VERSION, ut_ioctl(self->vcpu->vm->dev_fd, KVM_GET_API_VERSION, 0));
}

TEST_F(noise, vm)
{
	struct ut_vcpu *other;

	make_noise(self->vcpu->vm->fd, vm_calls, ARRAY_SIZE(vm_calls), self->page);
	/* Another VM knows nothing of it. */
	other = ut_long_guest(guest_loop);
	ASSERT_EQ(UT_SYNC, ut_next(other, NULL));
	ut_vm_free(other->vm);
}

TEST_F(noise, vcpu)
{
	struct ut_vcpu *other;

	make_noise(self->vcpu->fd, vcpu_calls, ARRAY_SIZE(vcpu_calls), self->page);
	other = ut_long_guest(guest_loop);
	ASSERT_EQ(UT_SYNC, ut_next(other, NULL));
	ut_vm_free(other->vm);
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* A guest gone wild may spin: 20 ms each. */
static void run_briefly(struct ut_vcpu *vcpu)
{
	struct itimerval on = { .it_value.tv_usec = 20000 }, off = { 0 };

	setitimer(ITIMER_REAL, &on, NULL);
	ut_run(vcpu);
	setitimer(ITIMER_REAL, &off, NULL);
}

/* State made of noise, as far as it is accepted, then the guest runs in it. */
TEST_F(noise, run_in_noise)
{
	static const unsigned long state[] = {
		KVM_SET_REGS, KVM_SET_XCRS, KVM_SET_FPU,
	};
	struct sigaction sa = { .sa_handler = on_alarm };
	struct kvm_sregs sregs, broken;
	int round, i;

	if (getenv("UMBRA_LAB") && !getenv("UMBRA_SEED"))
		SKIP(return, "a guest gone wild can stall the emulated processor: set UMBRA_SEED");
	ut_get_sregs(self->vcpu, &sregs);
	self->vcpu->run->immediate_exit = 0;
	ASSERT_EQ(0, sigaction(SIGALRM, &sa, NULL));
	for (round = 0; round < 300; round++) {
		for (i = 0; i < (int)ARRAY_SIZE(state); i++) {
			fill(self->page, round % 3);
			ut_ioctl(self->vcpu->fd, state[i], self->page);
		}
		/* All noise, or one bit of a working state; never the TSS: QEMU aborts on it. */
		broken = sregs;
		if (round % 2)
			memcpy(&broken, self->page, sizeof(broken));
		else
			((u8 *)&broken)[noise() % sizeof(broken)] ^= 1 << noise() % 8;
		broken.tr = sregs.tr;
		ut_ioctl(self->vcpu->fd, KVM_SET_SREGS, &broken);
		run_briefly(self->vcpu);
		run_briefly(self->vcpu);
	}
}

TEST_HARNESS_MAIN
