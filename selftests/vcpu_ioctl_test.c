// SPDX-License-Identifier: GPL-2.0
/*
 * Calls on a vCPU's descriptor: refusals. Every test ends by checking that the
 * refused calls left registers alone and that the guest still runs.
 */
#include <signal.h>
#include <kselftest_harness.h>
#include "umbra_util.h"

#define BAD_PTR		((void *)0x10)

static void guest_steps(void)
{
	u64 n = 1;

	for (;;)
		guest_sync(n++);
}

FIXTURE(vcpu) {
	struct ut_vcpu *vcpu;
	int fd;
	struct kvm_regs regs;
	struct kvm_sregs sregs;
};

FIXTURE_SETUP(vcpu)
{
	self->vcpu = ut_long_guest(guest_steps);
	self->fd = self->vcpu->fd;
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
	ut_get_regs(self->vcpu, &self->regs);
	ut_get_sregs(self->vcpu, &self->sregs);
}

FIXTURE_TEARDOWN(vcpu)
{
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct ut_ucall uc;

	ut_get_regs(self->vcpu, &regs);
	ut_get_sregs(self->vcpu, &sregs);
	ASSERT_EQ(0, memcmp(&regs, &self->regs, sizeof(regs)));
	ASSERT_EQ(0, memcmp(&sregs, &self->sregs, sizeof(sregs)));
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &uc));
	ASSERT_EQ(2, uc.arg[0]);
	ut_vm_free(self->vcpu->vm);
}

TEST_F(vcpu, bad_pointers)
{
	static const unsigned long calls[] = {
		KVM_GET_REGS, KVM_SET_REGS, KVM_GET_SREGS, KVM_SET_SREGS, KVM_GET_SREGS2,
		KVM_SET_SREGS2, KVM_GET_FPU, KVM_SET_FPU, KVM_GET_XSAVE, KVM_SET_XSAVE,
		KVM_GET_XSAVE2, KVM_GET_XCRS, KVM_SET_XCRS, KVM_GET_MSRS, KVM_SET_MSRS,
		KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS,
		KVM_GET_MP_STATE, KVM_SET_MP_STATE, KVM_SET_CPUID2, KVM_GET_CPUID2,
		KVM_SET_GUEST_DEBUG, KVM_INTERRUPT, KVM_SET_SIGNAL_MASK, KVM_TRANSLATE,
		KVM_X86_SETUP_MCE,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(calls); i++)
		EXPECT_EQ(-EFAULT, ut_ioctl(self->fd, calls[i], BAD_PTR))
			TH_LOG("call %#lx", calls[i]);
}

TEST_F(vcpu, wrong_kind)
{
	static const unsigned long calls[] = {
		KVM_CREATE_VM, KVM_CREATE_VCPU, KVM_SET_USER_MEMORY_REGION,
		_IO(KVMIO, 0xff), _IO('u', 1),
	};
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		/* KVM itself says EINVAL here, its VM descriptor ENOTTY. */
		ret = ut_ioctl(self->fd, calls[i], 0);
		EXPECT_TRUE(ret == -EINVAL || ret == -ENOTTY)
			TH_LOG("call %#lx: %d", calls[i], ret);
	}
}

TEST_F(vcpu, run_argument)
{
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_RUN, 1));
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_RUN, -1));
	/* The I/O in flight is finished by the fixture's next run. */
}

TEST_F(vcpu, signal_mask_size)
{
	struct {
		struct kvm_signal_mask head;
		sigset_t set;
	} mask = { .head.len = 3 };

	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_SET_SIGNAL_MASK, &mask));
	mask.head.len = 16;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_SET_SIGNAL_MASK, &mask));
	mask.head.len = 8;
	ASSERT_EQ(0, ut_ioctl(self->fd, KVM_SET_SIGNAL_MASK, &mask));
	ASSERT_EQ(0, ut_ioctl(self->fd, KVM_SET_SIGNAL_MASK, 0));
}

TEST_F(vcpu, interrupt_vector)
{
	struct kvm_interrupt irq = { .irq = 256 };

	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_INTERRUPT, &irq));
	irq.irq = ~0u;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_INTERRUPT, &irq));
}

TEST_F(vcpu, events)
{
	struct kvm_vcpu_events ev, was;

	ut_get_events(self->vcpu, &was);
	ev = was;
	ev.flags = 1u << 31;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_SET_VCPU_EVENTS, &ev));
	/* Vectors above 31, and NMI, are no exceptions. */
	ev = was;
	ev.exception.injected = 1;
	ev.exception.nr = 32;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_SET_VCPU_EVENTS, &ev));
	ev.exception.nr = UT_NMI_VECTOR;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_SET_VCPU_EVENTS, &ev));
	/* A payload, without the capability that would allow it. */
	ev = was;
	ev.flags |= KVM_VCPUEVENT_VALID_PAYLOAD;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_SET_VCPU_EVENTS, &ev));
	ut_get_events(self->vcpu, &ev);
	ASSERT_EQ(0, memcmp(&was, &ev, sizeof(ev)));
}

TEST_F(vcpu, debugregs)
{
	struct kvm_debugregs dr, was;

	ut_get_debugregs(self->vcpu, &was);
	dr = was;
	dr.dr6 = 1ull << 32;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_SET_DEBUGREGS, &dr));
	dr = was;
	dr.dr7 = 1ull << 63;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_SET_DEBUGREGS, &dr));
	dr = was;
	dr.flags = 1;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_SET_DEBUGREGS, &dr));
	ut_get_debugregs(self->vcpu, &dr);
	ASSERT_EQ(0, memcmp(&was, &dr, sizeof(dr)));
}

TEST_F(vcpu, xcrs)
{
	struct kvm_xcrs was = { 0 }, xcrs;

	ut_get_xcrs(self->vcpu, &was);
	ASSERT_EQ(1, was.nr_xcrs);
	xcrs = was;
	xcrs.nr_xcrs = KVM_MAX_XCRS + 1;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_SET_XCRS, &xcrs));
	xcrs = was;
	xcrs.flags = 1;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_SET_XCRS, &xcrs));
	/* x87 is never off; AVX needs SSE; bit 62 is nobody's. */
	xcrs = was;
	xcrs.xcrs[0].value = 0;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_SET_XCRS, &xcrs));
	xcrs.xcrs[0].value = 5;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_SET_XCRS, &xcrs));
	xcrs.xcrs[0].value = 1 | 1ull << 62;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_SET_XCRS, &xcrs));
	ut_get_xcrs(self->vcpu, &xcrs);
	ASSERT_EQ(was.xcrs[0].value, xcrs.xcrs[0].value);
}

TEST_F(vcpu, mp_state)
{
	struct kvm_mp_state state = { .mp_state = 0x1000 };

	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_SET_MP_STATE, &state));
	/* Halted or waiting for SIPI is for in-kernel interrupt controllers. */
	state.mp_state = KVM_MP_STATE_SIPI_RECEIVED;
	ASSERT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_SET_MP_STATE, &state));
	ut_get_mp_state(self->vcpu, &state);
	ASSERT_EQ(KVM_MP_STATE_RUNNABLE, state.mp_state);
}

TEST_F(vcpu, msr_counts)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry[2];
	} msrs = { .head.nmsrs = 0x7fffffff };
	u64 star;

	ASSERT_EQ(-E2BIG, ut_ioctl(self->fd, KVM_GET_MSRS, &msrs));
	ASSERT_EQ(-E2BIG, ut_ioctl(self->fd, KVM_SET_MSRS, &msrs));
	/* The count of those done before the first that is refused. */
	msrs.head.nmsrs = 2;
	msrs.entry[0].index = 0xc0000081;
	msrs.entry[1].index = 0x38000000;
	msrs.entry[0].data = 0x23001000000000;
	ASSERT_EQ(1, ut_ioctl(self->fd, KVM_SET_MSRS, &msrs));
	ASSERT_EQ(1, ut_read_msr(self->vcpu, 0xc0000081, &star));
	ASSERT_EQ(0x23001000000000, star);
	ASSERT_EQ(1, ut_ioctl(self->fd, KVM_GET_MSRS, &msrs));
	msrs.head.nmsrs = 0;
	ASSERT_EQ(0, ut_ioctl(self->fd, KVM_GET_MSRS, &msrs));
}

TEST_F(vcpu, guest_debug_flags)
{
	struct kvm_guest_debug dbg = { .control = KVM_GUESTDBG_INJECT_DB };

	/* Nothing to inject over: allowed when no exception waits. */
	ASSERT_EQ(0, ut_ioctl(self->fd, KVM_SET_GUEST_DEBUG, &dbg));
	/* Queued: a second one finds the place taken. */
	ASSERT_EQ(-EBUSY, ut_ioctl(self->fd, KVM_SET_GUEST_DEBUG, &dbg));
	ut_restart(self->vcpu, guest_steps);
	ut_set_regs(self->vcpu, &self->regs);
	ut_set_events(self->vcpu, &(struct kvm_vcpu_events){ 0 });
	dbg.control = 0;
	ASSERT_EQ(0, ut_ioctl(self->fd, KVM_SET_GUEST_DEBUG, &dbg));
}

TEST_F(vcpu, mapping)
{
	size_t size = self->vcpu->run_size;

	/* Nothing beyond the size that the device names. */
	ASSERT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_SHARED, self->fd, -4096));
	void *far = mmap(NULL, 4096, PROT_READ, MAP_SHARED, self->fd, size + (1ul << 30));

	if (far != MAP_FAILED) {
		/* KVM refuses at the access, with SIGBUS: ask the kernel to touch it. */
		int p[2];

		ASSERT_EQ(0, pipe(p));
		ASSERT_EQ(-1, write(p[1], far, 1));
		ASSERT_EQ(EFAULT, errno);
	}
}

TEST_HARNESS_MAIN
