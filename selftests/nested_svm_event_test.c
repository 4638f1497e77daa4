// SPDX-License-Identifier: GPL-2.0
/*
 * AMD-V inside guests: interrupts, NMIs, exceptions and shutdowns on the border between the
 * inner guest and its hypervisor, and address spaces of the inner guest's own.
 */
#include <kselftest_harness.h>
#include "irq.h"
#include "nested_svm.h"
#include "svm.h"

#define VECTOR		0x51
#define VIRTUAL		0x62

FIXTURE(nested_svm_event) {
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
	struct ut_ucall uc;
};

FIXTURE_SETUP(nested_svm_event)
{
	if (!ut_svm_offered())
		SKIP(_exit(UT_SKIPPED), "no SVM for guests: parameter nested, or not on AMD-V");
	self->vm = ut_irq_vm();
	/* The local APIC knows nothing of this one. */
	ut_set_handler(self->vm, VIRTUAL, guest_irq_count);
	self->vcpu = ut_vcpu_long(self->vm, 0, guest_done);
}

FIXTURE_TEARDOWN(nested_svm_event)
{
	ut_vm_free(self->vm);
}

/* Run the guest's @fn, with an argument, up to guest_done(). */
static void run(struct ut_vcpu *vcpu, void *fn, u64 arg)
{
	ut_restart(vcpu, fn);
	ut_set_args(vcpu, arg, 0);
	ut_until(vcpu, UT_UNTIL_DONE);
}

/*
 * KVM has the processor tell it of an open window by a virtual interrupt, and QEMU's ends
 * then, with a failed assertion, or takes vector 0.
 */
#define NEEDS_WINDOWS(action) do {						\
	if (!ut_on_umbra() && ut_emulated_by("qemu"))				\
		SKIP(action, "KVM's interrupt windows end QEMU");		\
} while (0)

static u64 seen;

static void inner_nothing(void)
{
	for (;;)
		guest_vmmcall();
}

/* Interrupts on for a moment; says how far it came. */
static void inner_open(void)
{
	ut_write_once(seen, 1);
	guest_take_all();
	ut_write_once(seen, 2);
	for (;;)
		guest_vmmcall();
}

static void interrupt_me(void)
{
	guest_apic_icr(0, UT_ICR_SELF | VECTOR);
}

static void begin(void (*inner)(void))
{
	guest_svm_on();
	guest_x2apic_on();
	guest_apic_on();
	guest_svm_setup(inner);
	ut_write_once(seen, 0);
}

static void guest_gif(void)
{
	begin(inner_nothing);
	guest_clgi();
	guest_sti();
	interrupt_me();
	guest_pause();
	GUEST_ASSERT_EQ(guest_hits(VECTOR), 0);
	guest_stgi();
	guest_pause();
	GUEST_ASSERT_EQ(guest_hits(VECTOR), 1);
	/* VMRUN sets it for the inner guest, #VMEXIT clears it. */
	guest_clgi();
	GUEST_ASSERT_EQ(guest_svm_enter(), UT_SVM_VMMCALL);
	interrupt_me();
	guest_pause();
	GUEST_ASSERT_EQ(guest_hits(VECTOR), 1);
	guest_stgi();
	guest_pause();
	GUEST_ASSERT_EQ(guest_hits(VECTOR), 2);
	guest_done();
}

TEST_F(nested_svm_event, gif)
{
	NEEDS_WINDOWS(return);
	run(self->vcpu, guest_gif, 0);
}

/* One interrupt waits when the inner guest starts, and is asked for. */
static void guest_intr_pending(void)
{
	volatile struct ut_svm_vmcb *vmcb = guest_vmcb();

	begin(inner_open);
	guest_svm_intercept(UT_SVM_INTR);
	vmcb->int_ctl = UT_SVM_V_MASKING;
	guest_clgi();
	guest_sti();
	interrupt_me();
	GUEST_ASSERT_EQ(guest_svm_enter(), UT_SVM_INTR);
	GUEST_ASSERT_EQ(vmcb->rip, (u64)inner_open);
	GUEST_ASSERT_EQ(vmcb->exit_int_info, 0);
	GUEST_ASSERT_EQ(guest_hits(VECTOR), 0);
	guest_stgi();
	guest_pause();
	GUEST_ASSERT_EQ(guest_hits(VECTOR), 1);
	/* Taken: now the inner guest runs. */
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_VMMCALL);
	GUEST_ASSERT_EQ(ut_read_once(seen), 2);
	GUEST_ASSERT_EQ(guest_hits(VECTOR), 1);
	guest_done();
}

TEST_F(nested_svm_event, intr_pending)
{
	run(self->vcpu, guest_intr_pending, 0);
}

/* With V_INTR_MASKING the outer guest's IF counts, without it the inner guest's. */
static void guest_intr_masking(void)
{
	volatile struct ut_svm_vmcb *vmcb = guest_vmcb();

	begin(inner_open);
	guest_svm_intercept(UT_SVM_INTR);
	vmcb->int_ctl = UT_SVM_V_MASKING;
	guest_cli();
	interrupt_me();
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_VMMCALL);
	GUEST_ASSERT_EQ(ut_read_once(seen), 2);
	GUEST_ASSERT_EQ(guest_hits(VECTOR), 0);

	vmcb->int_ctl = 0;
	vmcb->rip = (u64)inner_open;
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_INTR);
	GUEST_ASSERT_EQ(ut_read_once(seen), 1);
	GUEST_ASSERT(vmcb->rip > (u64)inner_open);
	GUEST_ASSERT(vmcb->rflags & UT_RFLAGS_IF);
	GUEST_ASSERT_EQ(guest_hits(VECTOR), 0);
	/* Not asked for, it is the inner guest's, with the IDT that both share here. */
	guest_svm_unintercept(UT_SVM_INTR);
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_VMMCALL);
	GUEST_ASSERT_EQ(ut_read_once(seen), 2);
	GUEST_ASSERT_EQ(guest_hits(VECTOR), 1);
	guest_done();
}

TEST_F(nested_svm_event, intr_masking)
{
	NEEDS_WINDOWS(return);
	run(self->vcpu, guest_intr_masking, 0);
}

/* An interrupt that comes while the inner guest spins: its own timer, which both share. */
static void inner_spin(void)
{
	ut_write_once(seen, 1);
	guest_sync(7);
	guest_apic_write(UT_APIC_TMICT, 200000);
	while (ut_read_once(seen) == 1)
		guest_pause();
	guest_vmmcall();
}

static void guest_intr_later(void)
{
	begin(inner_spin);
	guest_svm_intercept(UT_SVM_INTR);
	guest_vmcb()->int_ctl = UT_SVM_V_MASKING;
	guest_sti();
	guest_apic_write(UT_APIC_TDCR, 0xb);
	guest_apic_write(UT_APIC_LVTT, VECTOR);
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_INTR);
	guest_pause();
	GUEST_ASSERT(guest_hits(VECTOR) >= 1);
	ut_write_once(seen, 2);
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_VMMCALL);
	guest_done();
}

TEST_F(nested_svm_event, intr_later)
{
	struct kvm_sregs sregs;

	ut_restart(self->vcpu, guest_intr_later);
	ut_until(self->vcpu, 7);
	/* Seen from outside it is the inner guest, and can be set as it is. */
	ut_get_sregs(self->vcpu, &sregs);
	ut_set_sregs(self->vcpu, &sregs);
	ut_until(self->vcpu, UT_UNTIL_DONE);
}

static void guest_virq(void)
{
	volatile struct ut_svm_vmcb *vmcb = guest_vmcb();

	begin(inner_open);
	vmcb->int_ctl = UT_SVM_V_MASKING | UT_SVM_V_IRQ | UT_SVM_V_PRIO(6);
	vmcb->int_vector = VIRTUAL;
	guest_svm_intercept(UT_SVM_VINTR);
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_VINTR);
	GUEST_ASSERT_EQ(ut_read_once(seen), 1);
	GUEST_ASSERT(vmcb->int_ctl & UT_SVM_V_IRQ);
	guest_svm_unintercept(UT_SVM_VINTR);
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_VMMCALL);
	GUEST_ASSERT_EQ(ut_read_once(seen), 2);
	GUEST_ASSERT(guest_hits(VIRTUAL) >= 1);
	GUEST_ASSERT(!(vmcb->int_ctl & UT_SVM_V_IRQ));

	/* The virtual priority holds it back, and the inner guest's CR8 is that. */
	vmcb->int_ctl = UT_SVM_V_MASKING | UT_SVM_V_IRQ | UT_SVM_V_PRIO(6) | 6;
	vmcb->rip = (u64)inner_open;
	guest_svm_intercept(UT_SVM_VINTR);
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_VMMCALL);
	GUEST_ASSERT(vmcb->int_ctl & UT_SVM_V_IRQ);
	guest_done();
}

TEST_F(nested_svm_event, virtual_interrupt)
{
	NEEDS_WINDOWS(return);
	run(self->vcpu, guest_virq, 0);
}

static void inner_cr8(void)
{
	ut_write_once(seen, guest_read_cr(8));
	guest_write_cr8(3);
	guest_take_all();
	guest_vmmcall();
}

static void guest_virtual_tpr(void)
{
	volatile struct ut_svm_vmcb *vmcb = guest_vmcb();

	begin(inner_cr8);
	guest_write_cr8(1);
	vmcb->int_ctl = UT_SVM_V_MASKING | UT_SVM_V_IRQ | UT_SVM_V_PRIO(6) | 9;
	vmcb->int_vector = VIRTUAL;
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_VMMCALL);
	GUEST_ASSERT_EQ(ut_read_once(seen), 9);
	GUEST_ASSERT_EQ(vmcb->int_ctl & 0xf, 3);
	GUEST_ASSERT(guest_hits(VIRTUAL) >= 1);
	GUEST_ASSERT_EQ(guest_read_cr(8), 1);
	guest_done();
}

TEST_F(nested_svm_event, virtual_tpr)
{
	NEEDS_WINDOWS(return);
	run(self->vcpu, guest_virtual_tpr, 0);
}

static void count_exception(struct ut_ex_regs *regs)
{
	ut_write_once(seen, regs->vector << 32 | regs->error_code);
}

static void guest_event_injection(void)
{
	volatile struct ut_svm_vmcb *vmcb = guest_vmcb();

	begin(inner_nothing);
	/* Also when it would end the inner guest by itself. */
	guest_svm_intercept(UT_SVM_EXCP(UT_GP_VECTOR));
	vmcb->event = UT_SVM_EV(UT_SVM_EV_EXCP, UT_GP_VECTOR) | UT_SVM_EV_ERROR;
	vmcb->event_error = 0x58;
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_VMMCALL);
	GUEST_ASSERT_EQ(ut_read_once(seen), (u64)UT_GP_VECTOR << 32 | 0x58);
	GUEST_ASSERT(!(vmcb->event & BIT_ULL(31)));
	/* IF is not asked. */
	vmcb->event = UT_SVM_EV(UT_SVM_EV_INTR, VIRTUAL);
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_VMMCALL);
	GUEST_ASSERT(guest_hits(VIRTUAL) >= 1);
	/* It returns to the address that RIP has: VMMCALL, and no INT n is there. */
	vmcb->event = UT_SVM_EV(UT_SVM_EV_SOFT, UT_BP_VECTOR);
	vmcb->next_rip = vmcb->rip;
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_VMMCALL);
	GUEST_ASSERT_EQ(ut_read_once(seen), (u64)UT_BP_VECTOR << 32);
	guest_done();
}

TEST_F(nested_svm_event, event_injection)
{
	ut_set_handler(self->vm, UT_GP_VECTOR, count_exception);
	ut_set_handler(self->vm, UT_BP_VECTOR, count_exception);
	run(self->vcpu, guest_event_injection, 0);
}

static void inner_ud(void)
{
	asm volatile("ud2");
	guest_vmmcall();
}

static void skip_ud(struct ut_ex_regs *regs)
{
	ut_write_once(seen, 6);
	regs->rip += 2;
}

static void guest_exceptions(void)
{
	volatile struct ut_svm_vmcb *vmcb = guest_vmcb();

	begin(inner_ud);
	guest_svm_intercept(UT_SVM_EXCP(UT_UD_VECTOR));
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_EXCP(UT_UD_VECTOR));
	GUEST_ASSERT_EQ(*(volatile u16 *)vmcb->rip, 0x0b0f);
	GUEST_ASSERT_EQ(ut_read_once(seen), 0);
	guest_svm_unintercept(UT_SVM_EXCP(UT_UD_VECTOR));
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_VMMCALL);
	GUEST_ASSERT_EQ(ut_read_once(seen), 6);
	guest_done();
}

TEST_F(nested_svm_event, exceptions)
{
	ut_set_handler(self->vm, UT_UD_VECTOR, skip_ud);
	run(self->vcpu, guest_exceptions, 0);
}

/* Page 0 is not mapped. */
static void inner_fault(void)
{
	asm volatile("movb $1, 0x123");
	guest_vmmcall();
}

static void skip_fault(struct ut_ex_regs *regs)
{
	ut_write_once(seen, regs->error_code << 32 | guest_read_cr(2));
	regs->rip += 8;
}

static void guest_page_fault(u64 strict)
{
	volatile struct ut_svm_vmcb *vmcb = guest_vmcb();

	begin(inner_fault);
	vmcb->cr2 = 0x777;
	guest_svm_intercept(UT_SVM_EXCP(UT_PF_VECTOR));
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_EXCP(UT_PF_VECTOR));
	GUEST_ASSERT_EQ(vmcb->info1, 2);
	GUEST_ASSERT_EQ(vmcb->info2, 0x123);
	GUEST_ASSERT_EQ(vmcb->rip, (u64)inner_fault);
	if (strict)
		GUEST_ASSERT_EQ(vmcb->cr2, 0x777);
	guest_svm_unintercept(UT_SVM_EXCP(UT_PF_VECTOR));
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_VMMCALL);
	GUEST_ASSERT_EQ(ut_read_once(seen), 2ull << 32 | 0x123);
	GUEST_ASSERT_EQ(vmcb->cr2, 0x123);
	guest_done();
}

TEST_F(nested_svm_event, page_fault)
{
	ut_set_handler(self->vm, UT_PF_VECTOR, skip_fault);
	/* QEMU's processor sets CR2 before it asks who wants the exception. */
	run(self->vcpu, guest_page_fault, ut_on_umbra() && !ut_emulated_by("qemu"));
}

/* The IDT is empty: whatever happens ends in a shutdown. */
static void guest_shutdown(u64 wanted)
{
	volatile struct ut_svm_vmcb *vmcb = guest_vmcb();

	begin(inner_ud);
	vmcb->idtr.limit = 0;
	if (wanted)
		guest_svm_intercept(UT_SVM_SHUTDOWN);
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_SHUTDOWN);
	guest_done();
}

TEST_F(nested_svm_event, shutdown_intercepted)
{
	if (ut_no_triple_faults())
		SKIP(return, "a triple fault ends the emulated host");
	run(self->vcpu, guest_shutdown, 1);
}

TEST_F(nested_svm_event, shutdown)
{
	if (ut_no_triple_faults())
		SKIP(return, "a triple fault ends the emulated host");
	ut_restart(self->vcpu, guest_shutdown);
	ut_set_args(self->vcpu, 0, 0);
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, &self->uc));
	ASSERT_EQ(KVM_EXIT_SHUTDOWN, self->vcpu->run->exit_reason);
}

static void inner_sync(void)
{
	guest_sync(1);
	guest_vmmcall();
}

static void guest_nmi(void)
{
	begin(inner_sync);
	guest_svm_intercept(UT_SVM_NMI);
	guest_sti();
	GUEST_ASSERT_EQ(guest_svm_enter(), UT_SVM_NMI);
	GUEST_ASSERT_EQ(guest_hits(UT_NMI_VECTOR), 0);
	guest_stgi();
	guest_pause();
	GUEST_ASSERT_EQ(guest_hits(UT_NMI_VECTOR), 1);
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_VMMCALL);
	guest_done();
}

TEST_F(nested_svm_event, nmi)
{
	ut_set_handler(self->vm, UT_NMI_VECTOR, guest_irq_count);
	ut_restart(self->vcpu, guest_nmi);
	ut_until(self->vcpu, 1);
	ut_must_ioctl(self->vcpu->fd, KVM_NMI, 0);
	ut_until(self->vcpu, UT_UNTIL_DONE);
}

static void guest_user_shutdown(void)
{
	begin(inner_sync);
	guest_svm_intercept(UT_SVM_SHUTDOWN);
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_SHUTDOWN);
	guest_done();
}

/* KVM_SET_VCPU_EVENTS shuts down the inner guest, of which its hypervisor is told. */
TEST_F(nested_svm_event, shutdown_by_user)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_X86_TRIPLE_FAULT_EVENT, .args[0] = 1 };
	struct kvm_vcpu_events ev;

	ut_must_ioctl(self->vm->fd, KVM_ENABLE_CAP, &cap);
	ut_restart(self->vcpu, guest_user_shutdown);
	ut_until(self->vcpu, 1);
	ut_get_events(self->vcpu, &ev);
	ev.flags |= KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
	ev.triple_fault.pending = 1;
	ut_set_events(self->vcpu, &ev);
	ut_until(self->vcpu, UT_UNTIL_DONE);
}

#define WINDOW		0x40000000ull	/* mapped in the inner guest's tables alone */
#define PAGE_A		0xf00000ull
#define PAGE_B		0xf01000ull

static u64 tables[2];

static void inner_spaces(void)
{
	guest_sync_args(1, guest_read64(WINDOW), guest_read_cr(3), 0);
	guest_vmmcall();
	guest_sync_args(2, guest_read64(WINDOW), guest_read_cr(3), 0);
	guest_write_cr3(ut_read_once(tables[0]));
	guest_sync_args(3, guest_read64(WINDOW), guest_read_cr(3), 0);
	guest_write64(WINDOW, 0xaa);
	guest_vmmcall();
	/* Its entry was changed meanwhile: a new VMRUN finds no old translation. */
	guest_sync_args(4, guest_read64(WINDOW), 0, 0);
	guest_vmmcall();
	asm volatile("vmload %%rax" : : "a"(UT_SVM_VMCB));
}

/* @entry: the entry of the first tables that maps WINDOW. */
static void guest_spaces(u64 entry)
{
	volatile struct ut_svm_vmcb *vmcb = guest_vmcb();
	u64 cr3 = guest_read_cr(3);

	begin(inner_spaces);
	guest_catch(UT_PF_VECTOR);
	vmcb->cr3 = tables[0];
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_VMMCALL);
	GUEST_ASSERT_EQ(guest_try("mov 0x40000000, %%rax"), UT_PF_VECTOR);
	GUEST_ASSERT_EQ(guest_read_cr(3), cr3);
	vmcb->cr3 = tables[1];
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_VMMCALL);
	GUEST_ASSERT_EQ(vmcb->cr3, tables[0]);
	GUEST_ASSERT_EQ(guest_read64(PAGE_A), 0xaa);
	guest_write64(entry, (guest_read64(entry) & ~UT_PTE_ADDR) | PAGE_B);
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_VMMCALL);
	GUEST_ASSERT_EQ(guest_try("mov 0x40000000, %%rax"), UT_PF_VECTOR);
	/* User mode has no right to the instructions; its hypervisor hears what came of it. */
	vmcb->cpl = 3;
	vmcb->cs.selector = UT_SEL_USER_CODE;
	vmcb->cs.attrib |= 0x60;
	vmcb->ss.selector = UT_SEL_USER_DATA;
	vmcb->ss.attrib |= 0x60;
	guest_svm_intercept(UT_SVM_EXCP(UT_GP_VECTOR));
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_EXCP(UT_GP_VECTOR));
	GUEST_ASSERT_EQ(vmcb->info1, 0);
	GUEST_ASSERT_EQ(vmcb->cpl, 3);
	guest_done();
}

static void expect(struct __test_metadata *_metadata, struct ut_vcpu *vcpu, u64 stage, u64 value,
		   u64 cr3)
{
	struct ut_ucall uc;

	ASSERT_EQ(UT_SYNC, ut_next(vcpu, &uc));
	ASSERT_EQ(stage, uc.arg[0]);
	EXPECT_EQ(value, uc.arg[1]);
	EXPECT_EQ(cr3, uc.arg[2]);
}

/* The same low half gigabyte, open to user mode, and another window each. */
static u64 make_space(struct ut_vm *vm, u64 page)
{
	u64 outer = vm->cr3, cr3 = ut_alloc_table(vm);

	vm->cr3 = cr3;
	ut_map(vm, UT_PAGE_SIZE, UT_PAGE_SIZE, UT_SLOT0_SIZE / UT_PAGE_SIZE - 1,
	       UT_PTE_W | UT_PTE_U);
	ut_map(vm, WINDOW, page, 1, UT_PTE_W | UT_PTE_U);
	vm->cr3 = outer;
	return cr3;
}

static u64 entry_gpa(struct ut_vm *vm, u64 cr3)
{
	u64 outer = vm->cr3, gpa;

	vm->cr3 = cr3;
	gpa = (char *)ut_pte(vm, WINDOW, 1) - (char *)ut_hva(vm, 0);
	vm->cr3 = outer;
	return gpa;
}

TEST_F(nested_svm_event, address_spaces)
{
	tables[0] = make_space(self->vm, PAGE_A);
	tables[1] = make_space(self->vm, PAGE_B);
	ut_push_var(self->vm, tables);
	*(u64 *)ut_hva(self->vm, PAGE_A) = 0xa;
	*(u64 *)ut_hva(self->vm, PAGE_B) = 0xb;
	ut_restart(self->vcpu, guest_spaces);
	ut_set_args(self->vcpu, entry_gpa(self->vm, tables[0]), 0);
	expect(_metadata, self->vcpu, 1, 0xa, tables[0]);
	expect(_metadata, self->vcpu, 2, 0xb, tables[1]);
	expect(_metadata, self->vcpu, 3, 0xa, tables[0]);
	expect(_metadata, self->vcpu, 4, 0xb, 0);
	ut_until(self->vcpu, UT_UNTIL_DONE);
}

static void inner_freed(void)
{
	guest_sync(1);
	/* Nobody is left whose VMMCALL this could be. */
	guest_done();
}

static void guest_freed(void)
{
	begin(inner_freed);
	guest_svm_intercept(UT_SVM_IOIO);
	guest_svm_run();
	guest_abort("the hypervisor is gone", __FILE__, __LINE__, 0, 0);
}

/* User space takes the extension away from a vCPU that runs an inner guest. */
TEST_F(nested_svm_event, svme_cleared_by_user)
{
	struct kvm_sregs sregs;

	ut_restart(self->vcpu, guest_freed);
	ut_until(self->vcpu, 1);
	ut_get_sregs(self->vcpu, &sregs);
	sregs.efer &= ~UT_EFER_SVME;
	ut_set_sregs(self->vcpu, &sregs);
	ut_until(self->vcpu, UT_UNTIL_DONE);
}

TEST_HARNESS_MAIN
