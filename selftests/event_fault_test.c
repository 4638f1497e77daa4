// SPDX-License-Identifier: GPL-2.0
/*
 * Events whose delivery page-faults in the guest: the guest's tables do not map
 * the gate or the stack. The guest's own #PF handler repairs that, and what was
 * interrupted must then arrive exactly once; or it is a double fault, or a shutdown.
 */
#include <stdlib.h>
#include <kselftest_harness.h>
#include "umbra_util.h"

/*
 * The IDT lies across two pages: gates below #PF in the first, #PF and all
 * interrupts in the second. Each page can be taken out of the guest's tables.
 */
#define GATES_GVA	0x50001000ull
#define IDT_GVA		(GATES_GVA - UT_PF_VECTOR * 16)
#define STACK_GVA	0x50010000ull
#define STACK_TOP	(STACK_GVA + UT_PAGE_SIZE)
#define FRAMES_GPA	UT_FREE_GPA	/* two pages of IDT, one of stack */
#define IRQ		0x55
#define INT_N		5		/* a gate in the first page */
#define IRQ_IST		2
#define TSS_IST		0x1c		/* offset of stack 0, which does not exist */
#define NR_LOG		8

enum what { UD2, GENERAL, SOFT_INT, BREAKPOINT, PAGE_FAULT };

static struct {
	u64 vector;
	u64 error;
	u64 cr2;
	u64 rip;
} events[NR_LOG];
static u64 nr_events;
/* What the page fault handler writes where before it returns. */
static u64 repair_pte[3], repair_value[3];
static u64 stop_in_handler;

static void note(struct ut_ex_regs *regs)
{
	u64 i = ut_read_once(nr_events);

	GUEST_ASSERT(i < NR_LOG);
	ut_write_once(events[i].vector, regs->vector);
	ut_write_once(events[i].error, regs->error_code);
	ut_write_once(events[i].cr2, guest_read_cr(2));
	ut_write_once(events[i].rip, regs->rip);
	ut_write_once(nr_events, i + 1);
}

static void handle_page_fault(struct ut_ex_regs *regs)
{
	unsigned int i;

	note(regs);
	if (ut_read_once(stop_in_handler))
		guest_sync(50);
	for (i = 0; i < ARRAY_SIZE(repair_pte); i++)
		guest_write64(ut_read_once(repair_pte[i]), ut_read_once(repair_value[i]));
}

/* A fault would come back for ever: R11 is where to go on. */
static void handle_fault(struct ut_ex_regs *regs)
{
	note(regs);
	regs->rip = regs->r11;
}

static void handle_double_fault(struct ut_ex_regs *regs)
{
	note(regs);
	for (;;)
		guest_sync(8);
}

#define DO(insn, at, behind) ({						\
	asm volatile("lea 2f(%%rip), %%r11\n\t"				\
		     "lea 1f(%%rip), %0\n\t"				\
		     "mov %%r11, %1\n"					\
		     "1:\t" insn "\n"					\
		     "2:"						\
		     : "=&r"(at), "=&r"(behind) : "a"(1ull << 62)	\
		     : "r11", "memory", "cc");				\
})

static void guest_once(u64 what)
{
	u64 at = 0, behind = 0;

	switch (what) {
	case UD2:
		DO("ud2", at, behind);
		break;
	case GENERAL:
		DO("movl (%%rax), %%eax", at, behind);
		break;
	case SOFT_INT:
		DO("int $5", at, behind);
		break;
	case BREAKPOINT:
		DO("int3", at, behind);
		break;
	case PAGE_FAULT:
		/* The double fault comes back to nobody: say first where it will be. */
		guest_sync_args(2, ut_label(absent_access), 0, 0);
		asm volatile(".global absent_access\n"
			     "absent_access:\tmovl 0x123, %%eax" : : : "eax", "memory");
		break;
	}
	guest_sync_args(1, at, behind, 0);
}

static void guest_wait(void)
{
	for (;;)
		asm volatile("sti\n\tnop\n\tnop\n\tout %%al, $0x80" : : : "memory");
}

FIXTURE(fault) {
	struct ut_vcpu *vcpu;
	struct ut_vm *vm;
};

static void set_up_repair(struct ut_vm *vm)
{
	static const u64 gva[] = { GATES_GVA - UT_PAGE_SIZE, GATES_GVA, STACK_GVA };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(gva); i++) {
		ut_map(vm, gva[i], FRAMES_GPA + i * UT_PAGE_SIZE, 1, UT_PTE_W);
		repair_value[i] = *ut_pte(vm, gva[i], 1);
		/* Tables lie in slot 0, which is mapped at gva = gpa. */
		repair_pte[i] = (char *)ut_pte(vm, gva[i], 1) - (char *)ut_hva(vm, 0);
	}
	ut_push_var(vm, repair_pte);
	ut_push_var(vm, repair_value);
}

static void set_up_idt(struct ut_vcpu *vcpu)
{
	struct ut_vm *vm = vcpu->vm;
	struct kvm_sregs sregs;
	u64 *gate = ut_hva(vm, FRAMES_GPA + (IDT_GVA & (UT_PAGE_SIZE - 1)));
	u64 top = STACK_TOP;

	memcpy(gate, ut_hva(vm, vm->idt), 256 * 16);
	gate[IRQ * 2] |= (u64)IRQ_IST << 32;
	ut_get_sregs(vcpu, &sregs);
	sregs.idt.base = IDT_GVA;
	sregs.idt.limit = 256 * 16 - 1;
	ut_set_sregs(vcpu, &sregs);
	memcpy((char *)ut_hva(vm, sregs.tr.base) + TSS_IST + IRQ_IST * 8, &top, sizeof(top));
}

FIXTURE_SETUP(fault)
{
	int i;

	self->vcpu = ut_long_guest(guest_once);
	self->vm = self->vcpu->vm;
	set_up_repair(self->vm);
	set_up_idt(self->vcpu);
	for (i = 0; i < 256; i++)
		ut_set_handler(self->vm, i, note);
	ut_set_handler(self->vm, UT_UD_VECTOR, handle_fault);
	ut_set_handler(self->vm, UT_GP_VECTOR, handle_fault);
	ut_set_handler(self->vm, UT_PF_VECTOR, handle_page_fault);
	ut_set_handler(self->vm, UT_DF_VECTOR, handle_double_fault);
}

FIXTURE_TEARDOWN(fault)
{
	ut_vm_free(self->vm);
}

static void take_out(struct ut_vm *vm, u64 gva)
{
	*ut_pte(vm, gva, 1) = 0;
}

#define EVENT(i)	(&(*ut_guest_var(self->vm, events))[i])
#define NR_EVENTS	(*ut_guest_var(self->vm, nr_events))

/* The first event is the #PF of the read of @vec's gate, at instruction @at. */
#define EXPECT_GATE_FAULT(vec, at) do {							\
	EXPECT_EQ(UT_PF_VECTOR, EVENT(0)->vector);					\
	EXPECT_EQ(0, EVENT(0)->error);							\
	EXPECT_EQ(IDT_GVA + (vec) * 16, EVENT(0)->cr2 & ~0xfull);			\
	EXPECT_EQ(at, EVENT(0)->rip);							\
} while (0)

/*
 * To guests on nested tables the processor itself delivers events and their faults.
 * External interrupts and NMIs whose delivery faults are gone then.
 */
static bool hardware_delivers(void)
{
	const char *mmu = getenv("UMBRA_MMU");

	return !mmu || !*mmu || !strcmp(mmu, "nested");
}

static void check_gate(struct __test_metadata *_metadata, struct _test_data_fault *self,
		       enum what what, u64 vector, bool trap)
{
	struct ut_ucall uc;

	ut_set_args(self->vcpu, what, 0);
	take_out(self->vm, GATES_GVA - UT_PAGE_SIZE);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &uc));
	ASSERT_EQ(1, uc.arg[0]);
	if (trap && hardware_delivers() && NR_EVENTS == 1 && EVENT(0)->rip == uc.arg[2])
		SKIP(return, "the emulated processor goes on behind the INT n that faulted");
	ASSERT_EQ(2, NR_EVENTS);
	EXPECT_GATE_FAULT(vector, uc.arg[1]);
	EXPECT_EQ(vector, EVENT(1)->vector);
	EXPECT_EQ(0, EVENT(1)->error);
	EXPECT_EQ(uc.arg[trap ? 2 : 1], EVENT(1)->rip);
}

TEST_F(fault, benign_exception)
{
	check_gate(_metadata, self, UD2, UT_UD_VECTOR, false);
}

/* A contributory exception comes before the #PF, so they are no double fault. */
TEST_F(fault, contributory_exception)
{
	check_gate(_metadata, self, GENERAL, UT_GP_VECTOR, false);
}

TEST_F(fault, software_interrupt)
{
	check_gate(_metadata, self, SOFT_INT, INT_N, true);
}

TEST_F(fault, breakpoint)
{
	check_gate(_metadata, self, BREAKPOINT, UT_BP_VECTOR, true);
}

TEST_F(fault, page_fault_twice)
{
	struct ut_ucall uc;
	u64 at;

	ut_set_args(self->vcpu, PAGE_FAULT, 0);
	take_out(self->vm, GATES_GVA);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &uc));
	ASSERT_EQ(2, uc.arg[0]);
	at = uc.arg[1];
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &uc));
	ASSERT_EQ(8, uc.arg[0]);
	ASSERT_EQ(1, NR_EVENTS);
	EXPECT_EQ(UT_DF_VECTOR, EVENT(0)->vector);
	EXPECT_EQ(0, EVENT(0)->error);
	EXPECT_EQ(at, EVENT(0)->rip);
	/* The second fault's address. KVM on shadow tables leaves the first's. */
	if (ut_on_umbra())
		EXPECT_EQ(IDT_GVA + UT_PF_VECTOR * 16, EVENT(0)->cr2 & ~0xfull);
}

/* The double fault has no gate either. */
TEST_F(fault, page_fault_three_times)
{
	struct ut_ucall uc;

	if (ut_no_triple_faults())
		SKIP(return, "Bochs ends when a guest of AMD-V has a triple fault");
	ut_set_args(self->vcpu, PAGE_FAULT, 0);
	take_out(self->vm, GATES_GVA);
	take_out(self->vm, GATES_GVA - UT_PAGE_SIZE);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &uc));
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, &uc));
	EXPECT_EQ(KVM_EXIT_SHUTDOWN, self->vcpu->run->exit_reason);
	EXPECT_EQ(0, NR_EVENTS);
}

static void wait_for(struct __test_metadata *_metadata, struct _test_data_fault *self, int rounds)
{
	while (rounds--) {
		ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
		ASSERT_EQ(KVM_EXIT_IO, self->vcpu->run->exit_reason);
	}
}

static void check_stack_fault(struct __test_metadata *_metadata, struct _test_data_fault *self)
{
	EXPECT_EQ(UT_PF_VECTOR, EVENT(0)->vector);
	EXPECT_EQ(2, EVENT(0)->error);
	EXPECT_EQ(STACK_GVA, EVENT(0)->cr2 & ~(UT_PAGE_SIZE - 1));
}

/* The interrupt's own stack is not there; nor is the #PF for it delivered there. */
TEST_F(fault, interrupt)
{
	struct kvm_interrupt irq = { .irq = IRQ };

	ut_restart(self->vcpu, guest_wait);
	take_out(self->vm, STACK_GVA);
	wait_for(_metadata, self, 2);
	ut_must_ioctl(self->vcpu->fd, KVM_INTERRUPT, &irq);
	wait_for(_metadata, self, 3);
	ASSERT_LE(1, NR_EVENTS);
	check_stack_fault(_metadata, self);
	if (hardware_delivers() && NR_EVENTS == 1)
		return;
	ASSERT_EQ(2, NR_EVENTS);
	EXPECT_EQ(IRQ, EVENT(1)->vector);
}

/* User space saves and restores events while the interrupt waits for the handler. */
TEST_F(fault, interrupt_saved_meanwhile)
{
	struct kvm_interrupt irq = { .irq = IRQ };
	struct kvm_vcpu_events ev;
	struct ut_ucall uc;

	*ut_guest_var(self->vm, stop_in_handler) = 1;
	ut_restart(self->vcpu, guest_wait);
	take_out(self->vm, STACK_GVA);
	wait_for(_metadata, self, 2);
	ut_must_ioctl(self->vcpu->fd, KVM_INTERRUPT, &irq);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &uc));
	ASSERT_EQ(50, uc.arg[0]);
	ut_get_events(self->vcpu, &ev);
	if (!hardware_delivers()) {
		EXPECT_EQ(1, ev.interrupt.injected);
		EXPECT_EQ(IRQ, ev.interrupt.nr);
	}
	EXPECT_EQ(0, ev.exception.injected);
	ut_set_events(self->vcpu, &ev);
	wait_for(_metadata, self, 3);
	check_stack_fault(_metadata, self);
	if (hardware_delivers() && NR_EVENTS == 1)
		return;
	ASSERT_EQ(2, NR_EVENTS);
	EXPECT_EQ(IRQ, EVENT(1)->vector);
}

TEST_F(fault, nmi)
{
	unsigned int nr;

	ut_restart(self->vcpu, guest_wait);
	take_out(self->vm, GATES_GVA - UT_PAGE_SIZE);
	wait_for(_metadata, self, 2);
	ut_must_ioctl(self->vcpu->fd, KVM_NMI, 0);
	wait_for(_metadata, self, 3);
	nr = NR_EVENTS;
	ASSERT_LE(1, nr);
	EXPECT_GATE_FAULT(UT_NMI_VECTOR, EVENT(0)->rip);
	if (!hardware_delivers() || nr != 1) {
		ASSERT_EQ(2, nr);
		EXPECT_EQ(UT_NMI_VECTOR, EVENT(1)->vector);
	}
	/* They are not blocked for ever, and the gate is there now. */
	ut_must_ioctl(self->vcpu->fd, KVM_NMI, 0);
	wait_for(_metadata, self, 3);
	ASSERT_EQ(nr + 1, NR_EVENTS);
	EXPECT_EQ(UT_NMI_VECTOR, EVENT(nr)->vector);
}

TEST_HARNESS_MAIN
