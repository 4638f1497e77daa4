// SPDX-License-Identifier: GPL-2.0
/*
 * The small state blocks: debug registers, pending events, run state, TSC
 * frequency. What is set is got, and the guest has it.
 */
#include <kselftest_harness.h>
#include "umbra_util.h"

static void guest_idle(void)
{
	for (;;)
		guest_sync(1);
}

FIXTURE(state) {
	struct ut_vcpu *vcpu;
};

FIXTURE_SETUP(state)
{
	self->vcpu = ut_long_guest(guest_idle);
}

FIXTURE_TEARDOWN(state)
{
	ut_vm_free(self->vcpu->vm);
}

TEST_F(state, debugregs_round_trip)
{
	struct kvm_debugregs set = {
		.db = { 0x1000, 0x2000, 0xffff800000003000ull, 0x4000 },
		.dr6 = 0xffff0ff0,
		.dr7 = 0x400,
	}, get;

	ut_set_debugregs(self->vcpu, &set);
	ut_get_debugregs(self->vcpu, &get);
	ASSERT_EQ(0, memcmp(&set, &get, sizeof(set)));
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
	ut_get_debugregs(self->vcpu, &get);
	ASSERT_EQ(0, memcmp(&set, &get, sizeof(set)));
}

static void guest_debugregs(void)
{
	u64 a, b, c;

	asm volatile("mov %%dr0, %0\n\tmov %%dr3, %1\n\tmov %%dr7, %2" :
		     "=r"(a), "=r"(b), "=r"(c));
	guest_sync_args(1, a, b, c);
	asm volatile("mov %0, %%dr0\n\tmov %1, %%dr7" : : "r"(0x123400ul), "r"(0x402ul));
	guest_done();
}

TEST_F(state, debugregs_in_the_guest)
{
	struct kvm_debugregs dr = { .db = { 0xa000, 0, 0, 0xb000 }, .dr6 = 0xffff0ff0,
				    .dr7 = 0x400 };
	struct ut_ucall uc;

	ut_restart(self->vcpu, guest_debugregs);
	ut_set_debugregs(self->vcpu, &dr);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &uc));
	ASSERT_EQ(0xa000, uc.arg[1]);
	ASSERT_EQ(0xb000, uc.arg[2]);
	ASSERT_EQ(0x400, uc.arg[3]);
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
	ut_get_debugregs(self->vcpu, &dr);
	ASSERT_EQ(0x123400, dr.db[0]);
	ASSERT_EQ(0xb000, dr.db[3]);
	ASSERT_EQ(0x402, dr.dr7);
}

/* The host's own debug registers are not the guest's: a write there hits nothing here. */
TEST_F(state, host_has_no_breakpoint_left)
{
	static u64 target;
	struct kvm_debugregs dr = { .dr6 = 0xffff0ff0, .dr7 = 0xd0402 };

	dr.db[0] = (u64)&target;
	ut_set_debugregs(self->vcpu, &dr);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
	/* SIGTRAP would end this process. */
	ut_write_once(target, 1);
	ASSERT_EQ(1, ut_read_once(target));
}

TEST_F(state, events_round_trip)
{
	struct kvm_vcpu_events set, get;

	ut_get_events(self->vcpu, &set);
	ASSERT_EQ(0, set.exception.injected);
	ASSERT_EQ(0, set.interrupt.injected);
	ASSERT_EQ(0, set.nmi.pending);
	set.exception.injected = 1;
	set.exception.nr = UT_GP_VECTOR;
	set.exception.has_error_code = 1;
	set.exception.error_code = 0x18;
	set.nmi.masked = 1;
	set.nmi.pending = 1;
	set.flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
	set.interrupt.shadow = KVM_X86_SHADOW_INT_STI;
	ut_set_events(self->vcpu, &set);
	ut_get_events(self->vcpu, &get);
	ASSERT_EQ(1, get.exception.injected);
	ASSERT_EQ(UT_GP_VECTOR, get.exception.nr);
	ASSERT_EQ(1, get.exception.has_error_code);
	ASSERT_EQ(0x18, get.exception.error_code);
	ASSERT_EQ(1, get.nmi.masked);
	ASSERT_EQ(1, get.nmi.pending);
	ASSERT_NE(0, get.interrupt.shadow);
	/* And all of it gone again. */
	memset(&set, 0, sizeof(set));
	set.flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
	ut_set_events(self->vcpu, &set);
	ut_get_events(self->vcpu, &get);
	ASSERT_EQ(0, get.exception.injected);
	ASSERT_EQ(0, get.nmi.masked);
	ASSERT_EQ(0, get.nmi.pending);
	ASSERT_EQ(0, get.interrupt.shadow);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
}

TEST_F(state, mp_state)
{
	struct kvm_mp_state state = { .mp_state = 99 };

	ut_get_mp_state(self->vcpu, &state);
	ASSERT_EQ(KVM_MP_STATE_RUNNABLE, state.mp_state);
	ut_set_mp_state(self->vcpu, &state);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
}

TEST_F(state, tsc_khz)
{
	int khz = ut_ioctl(self->vcpu->fd, KVM_GET_TSC_KHZ, 0);

	ASSERT_LT(1000, khz);
	/* Its own frequency is always fine, a lower one needs scaling hardware. */
	ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_SET_TSC_KHZ, khz));
	ASSERT_EQ(khz, ut_ioctl(self->vcpu->fd, KVM_GET_TSC_KHZ, 0));
	ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_SET_TSC_KHZ, 0));
	ASSERT_EQ(khz, ut_ioctl(self->vcpu->fd, KVM_GET_TSC_KHZ, 0));
	if (!ut_cap(self->vcpu->vm->fd, KVM_CAP_TSC_CONTROL))
		ASSERT_EQ(-EINVAL, ut_ioctl(self->vcpu->fd, KVM_SET_TSC_KHZ, khz / 2));
	/* KVM forgets the old number even then. */
	if (ut_on_umbra())
		ASSERT_EQ(khz, ut_ioctl(self->vcpu->fd, KVM_GET_TSC_KHZ, 0));
}

TEST_F(state, two_vcpus_apart)
{
	struct ut_vcpu *other = ut_vcpu_long(self->vcpu->vm, 1, guest_idle);
	struct kvm_debugregs dr = { .db = { 0xa000 }, .dr6 = 0xffff0ff0, .dr7 = 0x400 }, get;
	struct kvm_regs regs;

	ut_set_debugregs(self->vcpu, &dr);
	ut_get_debugregs(other, &get);
	ASSERT_EQ(0, get.db[0]);
	ut_get_regs(self->vcpu, &regs);
	regs.r15 = 0x5151;
	ut_set_regs(self->vcpu, &regs);
	ASSERT_EQ(UT_SYNC, ut_next(other, NULL));
	ut_get_regs(other, &regs);
	ASSERT_NE(0x5151, regs.r15);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
}

static u64 translate(struct ut_vcpu *vcpu, u64 gva, int *valid)
{
	struct kvm_translation tr = { .linear_address = gva };

	ut_must_ioctl(vcpu->fd, KVM_TRANSLATE, &tr);
	*valid = tr.valid;
	return tr.physical_address;
}

TEST_F(state, translate)
{
	int valid;

	ut_map(self->vcpu->vm, 0x7f0012345000ull, UT_FREE_GPA, 1, 0);
	ASSERT_EQ(UT_FREE_GPA + 0x678, translate(self->vcpu, 0x7f0012345678ull, &valid));
	ASSERT_EQ(1, valid);
	translate(self->vcpu, 0x7f0012346000ull, &valid);
	ASSERT_EQ(0, valid);
}

TEST_HARNESS_MAIN
