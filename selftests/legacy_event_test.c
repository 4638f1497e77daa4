// SPDX-License-Identifier: GPL-2.0
/*
 * Events in guests that are not in long mode: real mode with its vector table,
 * 32-bit protected mode with 8-byte gates, user mode above them.
 */
#include <kselftest_harness.h>
#include "umbra_util.h"

#define PORT	0x80

/* Real mode: each handler reports its vector and returns. */
UT_BLOB(real_code, ".code16\n"
	"real_start:\n\t"
	"sti\n"
	"1:\tmov $0xee, %al\n\tout %al, $0x80\n\t"
	"int $0x21\n\t"
	"jmp 1b\n"
	".balign 64\n"
	"real_handler_irq:\n\t"
	"push %ax\n\tmov $0x08, %al\n\tout %al, $0x80\n\tpop %ax\n\tiret\n"
	".balign 64\n"
	"real_handler_int:\n\t"
	"push %ax\n\tmov $0x21, %al\n\tout %al, $0x80\n\tpop %ax\n\tiret\n"
	".balign 64\n"
	"real_handler_nmi:\n\t"
	"push %ax\n\tmov $0x02, %al\n\tout %al, $0x80\n\tpop %ax\n\tiret\n");

#define REAL_IRQ	(UT_BLOB_GPA + 64)
#define REAL_INT	(UT_BLOB_GPA + 128)
#define REAL_NMI	(UT_BLOB_GPA + 192)

/* The byte that the guest says next; 0x1xx: another exit. */
static u32 next_byte(struct ut_vcpu *vcpu)
{
	if (ut_next(vcpu, NULL) != UT_EXIT || vcpu->run->exit_reason != KVM_EXIT_IO ||
	    vcpu->run->io.port != PORT)
		return 0x100 | vcpu->run->exit_reason;
	return *(u8 *)ut_io_data(vcpu);
}

static void interrupt(struct ut_vcpu *vcpu, u32 vector)
{
	struct kvm_interrupt irq = { .irq = vector };

	ut_must_ioctl(vcpu->fd, KVM_INTERRUPT, &irq);
}

TEST(real_mode)
{
	struct ut_vcpu *vcpu = ut_blob_guest(UT_REAL, real_code, UT_BLOB_LEN(real_code));
	u32 *ivt = ut_hva(vcpu->vm, 0);
	struct kvm_sregs sregs;

	ut_get_sregs(vcpu, &sregs);
	sregs.idt.base = 0;
	sregs.idt.limit = 0x3ff;
	ut_set_sregs(vcpu, &sregs);
	ivt[8] = REAL_IRQ;
	ivt[0x21] = REAL_INT;
	ivt[UT_NMI_VECTOR] = REAL_NMI;
	ASSERT_EQ(0xee, next_byte(vcpu));
	ASSERT_EQ(0x21, next_byte(vcpu));
	ASSERT_EQ(0xee, next_byte(vcpu));
	interrupt(vcpu, 8);
	ASSERT_EQ(0x08, next_byte(vcpu));
	ASSERT_EQ(0x21, next_byte(vcpu));
	ASSERT_EQ(0xee, next_byte(vcpu));
	ut_must_ioctl(vcpu->fd, KVM_NMI, 0);
	ASSERT_EQ(0x02, next_byte(vcpu));
	ASSERT_EQ(0x21, next_byte(vcpu));
	ut_vm_free(vcpu->vm);
}

/* Protected mode, ring 0: the handler says the error code's low byte and stops. */
UT_BLOB(prot_code, ".code32\n\t"
	"mov $0xee, %al\n\tout %al, $0x80\n\t"
	"ud2\n"
	".balign 64\n\t"		/* handler without error code */
	"mov $0x06, %al\n\tout %al, $0x80\n\tmov (%esp), %eax\n\tout %eax, $0x80\n\thlt\n"
	".balign 64\n\t"		/* handler with error code */
	"mov (%esp), %eax\n\tout %al, $0x80\n\tmov 4(%esp), %eax\n\tout %eax, $0x80\n\thlt\n");

#define PROT_IDT	0x2000
#define PROT_GDT	0x3000

static void gate(struct ut_vm *vm, int vector, u32 handler)
{
	u64 *idt = ut_hva(vm, PROT_IDT);

	idt[vector] = (handler & 0xffff) | (u64)UT_SEL_CODE64 << 16 | 0x8e00ull << 32 |
		      (u64)(handler >> 16) << 48;
}

static struct ut_vcpu *protected_guest(void)
{
	struct ut_vcpu *vcpu = ut_blob_guest(UT_PROT32, prot_code, UT_BLOB_LEN(prot_code));
	u64 *gdt = ut_hva(vcpu->vm, PROT_GDT);
	struct kvm_sregs sregs;
	int i;

	gdt[UT_SEL_CODE64 >> 3] = 0x00cf9b000000ffffull;
	gdt[UT_SEL_DATA >> 3] = 0x00cf93000000ffffull;
	for (i = 0; i < 32; i++)
		gate(vcpu->vm, i, UT_BLOB_GPA + (i >= 10 && i <= 14 ? 128 : 64));
	ut_get_sregs(vcpu, &sregs);
	sregs.gdt.base = PROT_GDT;
	sregs.gdt.limit = 0xff;
	sregs.idt.base = PROT_IDT;
	sregs.idt.limit = 0xff;
	ut_set_sregs(vcpu, &sregs);
	return vcpu;
}

TEST(protected_mode_own_fault)
{
	struct ut_vcpu *vcpu = protected_guest();
	struct kvm_regs regs;

	ASSERT_EQ(0xee, next_byte(vcpu));
	ASSERT_EQ(0x06, next_byte(vcpu));
	ut_get_regs(vcpu, &regs);
	ASSERT_EQ(UT_EXIT, ut_next(vcpu, NULL));
	/* The frame: EIP of UD2, CS, EFLAGS. */
	ASSERT_EQ(UT_BLOB_GPA + 4, *(u32 *)ut_io_data(vcpu));
	ASSERT_EQ(UT_BLOB_GPA - 12, regs.rsp);
	ut_vm_free(vcpu->vm);
}

TEST(protected_mode_injected)
{
	struct ut_vcpu *vcpu = protected_guest();
	struct kvm_vcpu_events ev;
	struct kvm_regs regs;

	ut_get_events(vcpu, &ev);
	ev.exception.injected = 1;
	ev.exception.nr = UT_GP_VECTOR;
	ev.exception.has_error_code = 1;
	ev.exception.error_code = 0x38;
	ut_set_events(vcpu, &ev);
	ASSERT_EQ(0x38, next_byte(vcpu));
	ut_get_regs(vcpu, &regs);
	ASSERT_EQ(UT_BLOB_GPA - 16, regs.rsp);
	ASSERT_EQ(UT_EXIT, ut_next(vcpu, NULL));
	ASSERT_EQ(UT_BLOB_GPA, *(u32 *)ut_io_data(vcpu));
	ut_vm_free(vcpu->vm);
}

static void count(struct ut_ex_regs *regs)
{
	guest_sync_args(regs->vector, regs->cs, regs->rip, regs->error_code);
}

static void user_code(void)
{
	for (;;)
		asm volatile("int $0x60\n\tnop" : : : "memory");
}

/* Long mode, to ring 3 by IRETQ, on a stack of its own. */
static void guest_to_user(void)
{
	asm volatile("pushq %0\n\tpushq %1\n\tpushq $0x202\n\tpushq %2\n\tpushq %3\n\tiretq"
		     : : "r"((u64)UT_SEL_USER_DATA), "r"(UT_FREE_GPA + 0x800),
			 "r"((u64)UT_SEL_USER_CODE), "r"(user_code) : "memory");
}

TEST(from_user_mode)
{
	struct ut_vcpu *vcpu = ut_long_guest(guest_to_user);
	u64 *idt = ut_hva(vcpu->vm, vcpu->vm->idt);
	struct ut_ucall uc;
	u64 gva;
	int i, l;

	/* Ring 3 may use all that is mapped, and call vector 0x60. */
	for (gva = UT_PAGE_SIZE; gva < UT_SLOT0_SIZE; gva += UT_PAGE_SIZE)
		for (l = 4; l >= 1; l--)
			*ut_pte(vcpu->vm, gva, l) |= UT_PTE_U;
	idt[2 * 0x60] |= 3ull << 45;
	for (i = 32; i < 256; i++)
		ut_set_handler(vcpu->vm, i, count);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(UT_SYNC, ut_next(vcpu, &uc));
		ASSERT_EQ(0x60, uc.arg[0]);
		ASSERT_EQ(UT_SEL_USER_CODE, uc.arg[1]);
	}
	/* In the handler, ring 0, interrupts off: leaves first, then strikes in ring 3. */
	vcpu->run->request_interrupt_window = 1;
	ASSERT_EQ(UT_EXIT, ut_next(vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_IRQ_WINDOW_OPEN, vcpu->run->exit_reason);
	vcpu->run->request_interrupt_window = 0;
	interrupt(vcpu, 0x99);
	ASSERT_EQ(UT_SYNC, ut_next(vcpu, &uc));
	ASSERT_EQ(0x99, uc.arg[0]);
	ASSERT_EQ(UT_SEL_USER_CODE, uc.arg[1]);
	ut_vm_free(vcpu->vm);
}

/* Ring 3 must not call what is not for it, nor halt, nor touch ports. */
static void user_tries(void)
{
	asm volatile("int $0x61\n\tnop" : : : "memory");
	asm volatile("hlt\n\tnop" : : : "memory");
	asm volatile("out %%al, $0x80\n\tnop" : : : "memory");
	asm volatile("mov %%cr0, %%rax\n\tnop" : : : "rax", "memory");
	for (;;)
		asm volatile("pause");
}

static void skip_fault(struct ut_ex_regs *regs)
{
	guest_sync_args(regs->vector, regs->error_code, regs->cs, 0);
	/* To the NOP behind the instruction. */
	while (guest_read8(regs->rip) != 0x90)
		regs->rip++;
}

static void guest_to_tries(void)
{
	asm volatile("pushq %0\n\tpushq %1\n\tpushq $0x202\n\tpushq %2\n\tpushq %3\n\tiretq"
		     : : "r"((u64)UT_SEL_USER_DATA), "r"(UT_FREE_GPA + 0x800),
			 "r"((u64)UT_SEL_USER_CODE), "r"(user_tries) : "memory");
}

TEST(user_mode_faults)
{
	/* The IDT's entry; QEMU's emulation of AMD-V counts entries in units of 8 bytes. */
	u64 want[] = { (ut_emulated_by("qemu") ? 0xc2 : 0x61) << 3 | 2, 0, 0, 0 };
	struct ut_vcpu *vcpu = ut_long_guest(guest_to_tries);
	struct kvm_sregs sregs;
	struct ut_ucall uc;
	u64 gva, i;
	int l;

	/* No port is free: the TSS ends where its map of them would begin. */
	ut_get_sregs(vcpu, &sregs);
	*(u16 *)((char *)ut_hva(vcpu->vm, sregs.tr.base) + 0x66) = 0x68;
	for (gva = UT_PAGE_SIZE; gva < UT_SLOT0_SIZE; gva += UT_PAGE_SIZE)
		for (l = 4; l >= 1; l--)
			*ut_pte(vcpu->vm, gva, l) |= UT_PTE_U;
	ut_set_handler(vcpu->vm, UT_GP_VECTOR, skip_fault);
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		ASSERT_EQ(UT_SYNC, ut_next(vcpu, &uc));
		ASSERT_EQ(UT_GP_VECTOR, uc.arg[0]);
		ASSERT_EQ(want[i], uc.arg[1]);
		ASSERT_EQ(UT_SEL_USER_CODE, uc.arg[2]);
	}
	ut_vm_free(vcpu->vm);
}

TEST_HARNESS_MAIN
