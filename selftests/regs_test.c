// SPDX-License-Identifier: GPL-2.0
/*
 * General and special registers: what user space sets the guest has, what the
 * guest has user space gets; illegal special registers are refused whole.
 */
#include <kselftest_harness.h>
#include "umbra_util.h"

#define CR0_PE		BIT_ULL(0)
#define CR0_NW		BIT_ULL(29)
#define CR0_CD		BIT_ULL(30)
#define CR0_PG		BIT_ULL(31)
#define CR4_PAE		BIT_ULL(5)
#define CR4_VMXE	BIT_ULL(13)
#define EFER_LME	BIT_ULL(8)
#define EFER_LMA	BIT_ULL(10)

/* struct kvm_regs begins with sixteen registers, RSP among them. */
#define NR_GPRS		16
#define RSP_INDEX	6

/* Adds 1 to every register and says so: no C code could. */
asm(".pushsection .text\n"
	".global guest_inc\nguest_inc:\n\t"
	"inc %rax; inc %rbx; inc %rcx; inc %rdx; inc %rsi; inc %rdi; inc %rbp\n\t"
	"inc %r8; inc %r9; inc %r10; inc %r11; inc %r12; inc %r13; inc %r14; inc %r15\n\t"
	"outb %al, $0x80\n\t"
	"jmp guest_inc\n"
	".popsection");

/* A different value for each. */
static void fill_gprs(struct kvm_regs *regs)
{
	int i;

	for (i = 0; i < NR_GPRS; i++)
		if (i != RSP_INDEX)
			(&regs->rax)[i] = 0x1111111111111111ull * i + 1;
}

static void guest_steps(void)
{
	for (;;)
		guest_sync_args(1, guest_read_cr(0), guest_read_cr(4), guest_read_cr(8));
}

FIXTURE(regs) {
	struct ut_vcpu *vcpu;
};

FIXTURE_SETUP(regs)
{
	self->vcpu = ut_long_guest(guest_steps);
}

FIXTURE_TEARDOWN(regs)
{
	ut_vm_free(self->vcpu->vm);
}

TEST_F(regs, round_trip)
{
	struct kvm_regs set, get;

	memset(&set, 0, sizeof(set));
	fill_gprs(&set);
	set.rsp = 0x123456789abcd000ull;
	set.rip = ut_label(guest_inc);
	set.rflags = UT_RFLAGS_FIXED | UT_RFLAGS_CF | UT_RFLAGS_DF;
	ut_set_regs(self->vcpu, &set);
	ut_get_regs(self->vcpu, &get);
	ASSERT_EQ(0, memcmp(&set, &get, sizeof(set)));
}

TEST_F(regs, guest_sees_and_user_sees)
{
	struct kvm_regs set, get;
	int i;

	ut_get_regs(self->vcpu, &set);
	fill_gprs(&set);
	set.rip = ut_label(guest_inc);
	ut_set_regs(self->vcpu, &set);
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_IO, self->vcpu->run->exit_reason);
	ut_get_regs(self->vcpu, &get);
	for (i = 0; i < NR_GPRS; i++)
		EXPECT_EQ((&set.rax)[i] + (i != RSP_INDEX), (&get.rax)[i])
			TH_LOG("register %d", i);
}

TEST_F(regs, reserved_flag_is_forced)
{
	struct kvm_regs set, get;

	ut_get_regs(self->vcpu, &set);
	set.rflags = 0;
	ut_set_regs(self->vcpu, &set);
	ut_get_regs(self->vcpu, &get);
	ASSERT_EQ(UT_RFLAGS_FIXED, get.rflags);
}

TEST_F(regs, sregs_round_trip)
{
	struct kvm_sregs set, get;

	ut_get_sregs(self->vcpu, &set);
	set.cr2 = 0xdeadbeefcafeull;
	set.cr8 = 9;
	set.fs.base = 0x1234567890ull;
	set.gs.base = 0xffff800000001000ull;
	set.fs.selector = 0x18;
	set.ldt.base = 0x5000;
	set.ldt.limit = 0xff;
	set.ldt.selector = 0x30;
	set.ldt.type = 2;
	set.ldt.present = 1;
	set.ldt.unusable = 0;
	set.gdt.limit = 0x7f;
	set.idt.limit = 0xabc;
	ut_set_sregs(self->vcpu, &set);
	ut_get_sregs(self->vcpu, &get);
	ASSERT_EQ(set.cr2, get.cr2);
	ASSERT_EQ(set.cr8, get.cr8);
	ASSERT_EQ(0, memcmp(&set, &get, sizeof(set)));
}

TEST_F(regs, sregs_reach_the_guest)
{
	struct kvm_sregs sregs;
	struct ut_ucall uc;

	ut_get_sregs(self->vcpu, &sregs);
	sregs.cr4 |= BIT_ULL(2);
	ut_set_sregs(self->vcpu, &sregs);
	/* Without interrupt controllers in the kernel CR8 comes with each run. */
	self->vcpu->run->cr8 = 5;
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &uc));
	ASSERT_EQ(sregs.cr0, uc.arg[1]);
	ASSERT_EQ(sregs.cr4, uc.arg[2]);
	ASSERT_EQ(5, uc.arg[3]);
	ASSERT_EQ(5, self->vcpu->run->cr8);
}

/* Set one thing wrong, expect a refusal and nothing changed. */
#define REFUSED(change) do {							\
	struct kvm_sregs __was, __new, __now;					\
										\
	ut_get_sregs(self->vcpu, &__was);					\
	__new = __was;								\
	__new.fs.base = 0x7000;							\
	__new.change;								\
	EXPECT_EQ(-EINVAL, ut_ioctl(self->vcpu->fd, KVM_SET_SREGS, &__new))	\
		TH_LOG("accepted: %s", #change);				\
	ut_get_sregs(self->vcpu, &__now);					\
	EXPECT_EQ(0, memcmp(&__was, &__now, sizeof(__was)))			\
		TH_LOG("changed by: %s", #change);				\
} while (0)

TEST_F(regs, illegal_cr0)
{
	REFUSED(cr0 &= ~CR0_PE);
	REFUSED(cr0 |= 1ull << 32);
	REFUSED(cr0 &= ~CR0_PG);	/* with EFER.LMA on: contradiction */
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
}

TEST_F(regs, illegal_cr4)
{
	REFUSED(cr4 |= 1ull << 63);
	REFUSED(cr4 |= 1ull << 31);
	REFUSED(cr4 |= 1ull << 15);
	/* KVM gives guests VT-x of their own where it has it itself. */
	if (ut_on_umbra() || !ut_on_vmx())
		REFUSED(cr4 |= CR4_VMXE);
	REFUSED(cr4 &= ~CR4_PAE);	/* long mode needs it */
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
}

TEST_F(regs, illegal_efer)
{
	/* KVM takes reserved bits here and fails at entry; Umbra refuses them at once. */
	if (ut_on_umbra()) {
		REFUSED(efer |= 1ull << 63);
		REFUSED(efer |= 1ull << 1);
	}
	REFUSED(efer &= ~EFER_LME);
	REFUSED(efer &= ~EFER_LMA);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
}

TEST_F(regs, illegal_others)
{
	REFUSED(cr3 |= 1ull << 62);
	REFUSED(apic_base |= 1ull << 1);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
}

TEST_F(regs, legal_sregs_from_reset)
{
	struct ut_vcpu *vcpu = ut_vcpu_new(self->vcpu->vm, 1);
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	/* The architecture's reset state, here on a fresh vCPU. */
	ut_get_sregs(vcpu, &sregs);
	ut_get_regs(vcpu, &regs);
	ASSERT_EQ(0xfff0, regs.rip);
	ASSERT_EQ(UT_RFLAGS_FIXED, regs.rflags);
	ASSERT_EQ(0xf000, sregs.cs.selector);
	ASSERT_EQ(0xffff0000, sregs.cs.base);
	ASSERT_EQ(0xffff, sregs.cs.limit);
	ASSERT_EQ(CR0_CD | CR0_NW | BIT_ULL(4), sregs.cr0);
	ASSERT_EQ(0, sregs.cr4);
	ASSERT_EQ(0, sregs.efer);
	ASSERT_EQ(0xffff, sregs.idt.limit);
}

TEST_F(regs, interrupt_bitmap)
{
	struct kvm_sregs set, get;

	ut_get_sregs(self->vcpu, &set);
	set.interrupt_bitmap[0] = 1ull << 40;
	ut_set_sregs(self->vcpu, &set);
	ut_get_sregs(self->vcpu, &get);
	ASSERT_EQ(1ull << 40, get.interrupt_bitmap[0]);
	ASSERT_EQ(0, get.interrupt_bitmap[1]);
}

TEST_HARNESS_MAIN
