// SPDX-License-Identifier: GPL-2.0
/*
 * Exceptions that user space injects with KVM_SET_VCPU_EVENTS: each vector,
 * with and without error code, payloads, the triple fault.
 */
#include <kselftest_harness.h>
#include "umbra_util.h"

#define MSR_DR6_FIXED	0xffff0ff0ull
#define DR6_BS		BIT_ULL(14)

static void report(struct ut_ex_regs *regs)
{
	u64 dr6;

	asm volatile("mov %%dr6, %0" : "=r"(dr6));
	guest_sync_args(regs->vector, regs->error_code,
			regs->vector == UT_PF_VECTOR ? guest_read_cr(2) : dr6, regs->rip);
}

static void guest_spin(void)
{
	for (;;)
		guest_sync(100);
}

FIXTURE(inject) {
	struct ut_vcpu *vcpu;
	struct ut_ucall uc;
};

FIXTURE_SETUP(inject)
{
	int i;

	self->vcpu = ut_long_guest(guest_spin);
	for (i = 0; i < 32; i++)
		ut_set_handler(self->vcpu->vm, i, report);
}

FIXTURE_TEARDOWN(inject)
{
	ut_vm_free(self->vcpu->vm);
}

static bool has_error(int vector)
{
	return vector == UT_DF_VECTOR || vector == UT_AC_VECTOR ||
	       (vector >= 10 && vector <= 14);
}

TEST_F(inject, each_vector)
{
	struct kvm_vcpu_events ev;
	struct kvm_regs regs;
	int v;

	for (v = 0; v < 20; v++) {
		/* NMI is another thing; #BP and #OF belong to an instruction; 9, 15 are unused. */
		if (v == UT_NMI_VECTOR || v == UT_BP_VECTOR || v == 4 || v == 9 || v == 15)
			continue;
		ut_restart(self->vcpu, guest_spin);
		ut_get_regs(self->vcpu, &regs);
		ut_get_events(self->vcpu, &ev);
		ev.exception.injected = 1;
		ev.exception.nr = v;
		ev.exception.has_error_code = has_error(v);
		ev.exception.error_code = has_error(v) && v != UT_DF_VECTOR ? 0x14 : 0;
		ut_set_events(self->vcpu, &ev);
		ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
		EXPECT_EQ(v, self->uc.arg[0]);
		EXPECT_EQ(ev.exception.error_code, self->uc.arg[1]);
		EXPECT_EQ(regs.rip, self->uc.arg[3])
			TH_LOG("vector %d", v);
		/* Once: the handler returns to the guest's own work. */
		if (v == UT_DF_VECTOR)
			continue;
		ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
		EXPECT_EQ(100, self->uc.arg[0]);
		ut_get_events(self->vcpu, &ev);
		EXPECT_EQ(0, ev.exception.injected);
	}
}

static void guest_int3(void)
{
	guest_hlt();
	asm volatile(".global at_int3\nat_int3:\n\tint3\n\t"
		     ".global after_int3\nafter_int3:\n\tnop");
	guest_done();
}

/* A trap of an instruction: the saved RIP is behind it. */
TEST_F(inject, breakpoint)
{
	struct kvm_vcpu_events ev;

	ut_restart(self->vcpu, guest_int3);
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
	ASSERT_EQ(UT_BP_VECTOR, self->uc.arg[0]);
	ASSERT_EQ(ut_label(after_int3), self->uc.arg[3]);
	/* Injected after HLT: after port I/O, KVM without NRIP takes that instruction's end. */
	ut_restart(self->vcpu, guest_int3);
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	ut_restart(self->vcpu, (void *)ut_label(at_int3));
	ut_get_events(self->vcpu, &ev);
	ev.exception.injected = 1;
	ev.exception.nr = UT_BP_VECTOR;
	ut_set_events(self->vcpu, &ev);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
	ASSERT_EQ(UT_BP_VECTOR, self->uc.arg[0]);
	ASSERT_EQ(ut_label(after_int3), self->uc.arg[3]);
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
}

static void enable(struct ut_vm *vm, u32 capability)
{
	struct kvm_enable_cap cap = { .cap = capability, .args[0] = 1 };

	ut_must_ioctl(vm->fd, KVM_ENABLE_CAP, &cap);
}

static void set_pending(struct ut_vcpu *vcpu, int vector, u64 payload)
{
	struct kvm_vcpu_events ev;

	ut_get_events(vcpu, &ev);
	ev.flags |= KVM_VCPUEVENT_VALID_PAYLOAD;
	ev.exception.pending = 1;
	ev.exception.injected = 0;
	ev.exception.nr = vector;
	ev.exception.has_error_code = has_error(vector);
	ev.exception.error_code = has_error(vector) ? 6 : 0;
	ev.exception_has_payload = 1;
	ev.exception_payload = payload;
	ut_set_events(vcpu, &ev);
}

TEST_F(inject, page_fault_payload)
{
	struct kvm_vcpu_events ev;
	struct kvm_sregs sregs;

	enable(self->vcpu->vm, KVM_CAP_EXCEPTION_PAYLOAD);
	set_pending(self->vcpu, UT_PF_VECTOR, 0x123456789000ull);
	/* Not yet in CR2: it is pending, not delivered. */
	ut_get_events(self->vcpu, &ev);
	ASSERT_EQ(1, ev.exception.pending);
	ASSERT_EQ(1, ev.exception_has_payload);
	ASSERT_EQ(0x123456789000ull, ev.exception_payload);
	ut_get_sregs(self->vcpu, &sregs);
	ASSERT_EQ(0, sregs.cr2);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
	ASSERT_EQ(UT_PF_VECTOR, self->uc.arg[0]);
	ASSERT_EQ(6, self->uc.arg[1]);
	ASSERT_EQ(0x123456789000ull, self->uc.arg[2]);
	ut_get_sregs(self->vcpu, &sregs);
	ASSERT_EQ(0x123456789000ull, sregs.cr2);
}

TEST_F(inject, debug_payload)
{
	enable(self->vcpu->vm, KVM_CAP_EXCEPTION_PAYLOAD);
	set_pending(self->vcpu, UT_DB_VECTOR, DR6_BS);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
	ASSERT_EQ(UT_DB_VECTOR, self->uc.arg[0]);
	ASSERT_EQ(MSR_DR6_FIXED | DR6_BS, self->uc.arg[2]);
}

/* Both at once: the pending one counts. */
TEST_F(inject, pending_and_injected)
{
	struct kvm_vcpu_events ev;

	enable(self->vcpu->vm, KVM_CAP_EXCEPTION_PAYLOAD);
	ut_get_events(self->vcpu, &ev);
	ev.flags |= KVM_VCPUEVENT_VALID_PAYLOAD;
	ev.exception.pending = 1;
	ev.exception.injected = 1;
	ev.exception.nr = UT_GP_VECTOR;
	ev.exception.has_error_code = 1;
	ut_set_events(self->vcpu, &ev);
	ut_get_events(self->vcpu, &ev);
	ASSERT_EQ(1, ev.exception.pending);
	ASSERT_EQ(0, ev.exception.injected);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
	ASSERT_EQ(UT_GP_VECTOR, self->uc.arg[0]);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &self->uc));
	ASSERT_EQ(100, self->uc.arg[0]);
}

TEST_F(inject, triple_fault)
{
	struct kvm_vcpu_events ev;

	if (!ut_cap(self->vcpu->vm->fd, KVM_CAP_X86_TRIPLE_FAULT_EVENT))
		SKIP(return, "KVM_CAP_X86_TRIPLE_FAULT_EVENT is not offered");
	ut_get_events(self->vcpu, &ev);
	ev.flags |= KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
	ev.triple_fault.pending = 1;
	/* Off until it is enabled. */
	ASSERT_EQ(-EINVAL, ut_ioctl(self->vcpu->fd, KVM_SET_VCPU_EVENTS, &ev));
	enable(self->vcpu->vm, KVM_CAP_X86_TRIPLE_FAULT_EVENT);
	ut_set_events(self->vcpu, &ev);
	ut_get_events(self->vcpu, &ev);
	ASSERT_EQ(KVM_VCPUEVENT_VALID_TRIPLE_FAULT, ev.flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT);
	ASSERT_EQ(1, ev.triple_fault.pending);
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_SHUTDOWN, self->vcpu->run->exit_reason);
}

TEST_HARNESS_MAIN
