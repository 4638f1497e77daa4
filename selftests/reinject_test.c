// SPDX-License-Identifier: GPL-2.0
/*
 * Events whose delivery itself leaves the guest: the handler's stack, the IDT
 * or the handler is not there yet when the event strikes. Each must arrive
 * exactly once, with the right return address.
 */
#include <errno.h>
#include <sys/mman.h>
#include <kselftest_harness.h>
#include "umbra_util.h"

#define STACK_SLOT	1
#define STACK_GPA	0x40000000ull
#define STACK_SIZE	0x10000ull
#define STACK_TOP	(STACK_GPA + STACK_SIZE)

static u64 hits, last_vector, last_rip, last_error;

static void count(struct ut_ex_regs *regs)
{
	ut_write_once(hits, ut_read_once(hits) + 1);
	ut_write_once(last_vector, regs->vector);
	ut_write_once(last_rip, regs->rip);
	ut_write_once(last_error, regs->error_code);
	/* A fault would come back for ever: R11 is where to go on. */
	if (regs->vector < 32 && regs->vector != UT_BP_VECTOR && regs->vector != UT_NMI_VECTOR)
		regs->rip = regs->r11;
}

/* Do @insn on the fresh stack; the address of it and behind it into @at and @behind. */
#define ON_FRESH_STACK(insn, at, behind) ({					\
	asm volatile("mov %%rsp, %%r15\n\t"					\
		     "mov %2, %%rsp\n\t"					\
		     "lea 2f(%%rip), %%r11\n\t"					\
		     "lea 1f(%%rip), %0\n\t"					\
		     "mov %%r11, %1\n"						\
		     "1:\t" insn "\n"						\
		     "2:\tmov %%r15, %%rsp"					\
		     : "=&r"(at), "=&r"(behind) : "r"(STACK_TOP)		\
		     : "rax", "rcx", "rdx", "r11", "r15", "memory", "cc");	\
})

enum what { SOFT_INT, INT3, UD2, PAGE_FAULT, DIVIDE, GENERAL, NR_WHAT };

static void guest_events(u64 what)
{
	u64 at = 0, behind = 0;

	for (;;) {
		guest_sync(what);
		switch (what) {
		case SOFT_INT:
			ON_FRESH_STACK("int $0x40", at, behind);
			break;
		case INT3:
			ON_FRESH_STACK("int3", at, behind);
			break;
		case UD2:
			ON_FRESH_STACK("ud2", at, behind);
			break;
		case PAGE_FAULT:
			ON_FRESH_STACK("movl 0x123, %%eax", at, behind);
			break;
		case DIVIDE:
			ON_FRESH_STACK("xor %%ecx, %%ecx; lea 3f(%%rip), %0; 3: div %%ecx",
				       at, behind);
			break;
		case GENERAL:
			ON_FRESH_STACK("mov $0x38000000, %%ecx; lea 3f(%%rip), %0; 3: rdmsr",
				       at, behind);
			break;
		}
		guest_sync_args(ut_read_once(hits), at, behind, what);
	}
}

FIXTURE(again) {
	struct ut_vcpu *vcpu;
	struct ut_vm *vm;
	char *stack;
};

FIXTURE_SETUP(again)
{
	int i;

	self->vcpu = ut_long_guest(guest_events);
	self->vm = self->vcpu->vm;
	self->stack = ut_add_slot(self->vm, STACK_SLOT, STACK_GPA, STACK_SIZE, 0);
	ut_map(self->vm, STACK_GPA, STACK_GPA, STACK_SIZE / UT_PAGE_SIZE, UT_PTE_W);
	for (i = 0; i < 256; i++)
		ut_set_handler(self->vm, i, count);
}

FIXTURE_TEARDOWN(again)
{
	ut_vm_free(self->vm);
}

static void check_event(struct __test_metadata *_metadata, struct ut_vcpu *vcpu, char *stack,
			enum what what)
{
	static const u8 vector[NR_WHAT] = { 0x40, UT_BP_VECTOR, UT_UD_VECTOR, UT_PF_VECTOR, 0,
					    UT_GP_VECTOR };
	bool trap = what == SOFT_INT || what == INT3;
	struct ut_ucall uc;
	int round;

	*ut_guest_var(vcpu->vm, hits) = 0;
	ut_restart(vcpu, guest_events);
	ut_set_args(vcpu, what, 0);
	for (round = 1; round <= 3; round++) {
		ASSERT_EQ(UT_SYNC, ut_next(vcpu, &uc));
		/* Take the stack away: the push must fault outside the guest. */
		ASSERT_EQ(0, madvise(stack, STACK_SIZE, MADV_DONTNEED));
		ASSERT_EQ(UT_SYNC, ut_next(vcpu, &uc));
		EXPECT_EQ(round, uc.arg[0]);
		EXPECT_EQ(vector[what], *ut_guest_var(vcpu->vm, last_vector));
		EXPECT_EQ(uc.arg[trap ? 2 : 1], *ut_guest_var(vcpu->vm, last_rip))
			TH_LOG("event %d, round %d", what, round);
		EXPECT_EQ(0, *ut_guest_var(vcpu->vm, last_error));
	}
}

TEST_F(again, software_interrupt)
{
	check_event(_metadata, self->vcpu, self->stack, SOFT_INT);
}

TEST_F(again, breakpoint)
{
	check_event(_metadata, self->vcpu, self->stack, INT3);
}

TEST_F(again, faults_without_error_code)
{
	check_event(_metadata, self->vcpu, self->stack, UD2);
	check_event(_metadata, self->vcpu, self->stack, DIVIDE);
}

TEST_F(again, faults_with_error_code)
{
	check_event(_metadata, self->vcpu, self->stack, PAGE_FAULT);
	check_event(_metadata, self->vcpu, self->stack, GENERAL);
}

static void guest_wait(void)
{
	asm volatile("mov %0, %%rsp" : : "r"(STACK_TOP) : "memory");
	for (;;)
		asm volatile("sti\n\tnop\n\tout %%al, $0x80" : : : "memory");
}

/* Interrupts and NMIs from outside, onto a stack that is gone. */
TEST_F(again, external)
{
	struct kvm_interrupt irq = { .irq = 0x55 };
	int i;

	ut_restart(self->vcpu, guest_wait);
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	for (i = 1; i <= 6; i++) {
		ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
		ASSERT_EQ(0, madvise(self->stack, STACK_SIZE, MADV_DONTNEED));
		if (i % 2)
			ut_must_ioctl(self->vcpu->fd, KVM_INTERRUPT, &irq);
		else
			ut_must_ioctl(self->vcpu->fd, KVM_NMI, 0);
		ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
		ASSERT_EQ(KVM_EXIT_IO, self->vcpu->run->exit_reason);
		ASSERT_EQ(i, *ut_guest_var(self->vm, hits));
		ASSERT_EQ(i % 2 ? 0x55 : UT_NMI_VECTOR, *ut_guest_var(self->vm, last_vector));
	}
}

/* A place in the assembler code of this file. */
#define LABEL(name)	extern char name[]

/* An NMI handler that notes where it struck, and exits right before its IRET. */
u64 nmi_count, nmi_rip[4];
LABEL(nmi_entry);
LABEL(nmi_return);
asm(".text\n"
	"nmi_entry:	push %rax\n"
	"		push %rcx\n"
	"		mov nmi_count(%rip), %rcx\n"
	"		mov 16(%rsp), %rax\n"
	"		mov %rax, nmi_rip(,%rcx,8)\n"
	"		incq nmi_count(%rip)\n"
	"		pop %rcx\n"
	"		pop %rax\n"
	"		out %al, $0x81\n"
	"nmi_return:	iretq\n");

static void guest_nmi_loop(void)
{
	asm volatile("mov %0, %%rsp\n"
		     "1:\tout %%al, $0x80\n\tnop\n\tjmp 1b" : : "r"(STACK_TOP) : "memory");
}

static void set_gate_offset(struct ut_vm *vm, int vector, u64 offset)
{
	u16 *gate = ut_hva(vm, vm->idt + vector * 16);

	gate[0] = offset;
	gate[3] = offset >> 16;
	gate[4] = offset >> 32;
	gate[5] = offset >> 48;
}

static int next_port(struct ut_vcpu *vcpu)
{
	if (ut_next(vcpu, NULL) != UT_EXIT || vcpu->run->exit_reason != KVM_EXIT_IO)
		ut_die("no port access but %s", ut_exit_name(vcpu->run->exit_reason));
	return vcpu->run->io.port;
}

/*
 * The IRET of an NMI handler has to wait for its stack. The next NMI waits until the
 * IRET is done: it strikes where the first did, not at the IRET.
 */
TEST_F(again, return_from_nmi)
{
	struct ut_vm *vm = self->vm;
	u64 *rip;

	ut_restart(self->vcpu, guest_nmi_loop);
	set_gate_offset(vm, UT_NMI_VECTOR, (u64)nmi_entry);
	ASSERT_EQ(0x80, next_port(self->vcpu));
	ut_must_ioctl(self->vcpu->fd, KVM_NMI, 0);
	ASSERT_EQ(0x81, next_port(self->vcpu));
	ut_must_ioctl(self->vcpu->fd, KVM_NMI, 0);
	/* The page goes from the guest, and keeps what is in it. */
	ASSERT_EQ(0, mprotect(self->stack, STACK_SIZE, PROT_NONE));
	ASSERT_EQ(0, mprotect(self->stack, STACK_SIZE, PROT_READ | PROT_WRITE));
	ASSERT_EQ(0x81, next_port(self->vcpu));
	ASSERT_EQ(2, *ut_guest_var(vm, nmi_count));
	rip = ut_guest_var(vm, nmi_rip[0]);
	EXPECT_NE((u64)nmi_return, rip[1]);
	EXPECT_EQ(rip[0], rip[1]);
	ASSERT_EQ(0x80, next_port(self->vcpu));
	ASSERT_EQ(2, *ut_guest_var(vm, nmi_count));
}

static void guest_wait_on_device(void)
{
	asm volatile("mov %0, %%rsp" : : "r"(UT_MMIO_GPA + 0x800) : "memory");
	for (;;)
		asm volatile("sti\n\tnop\n\tout %%al, $0x80" : : : "memory");
}

/*
 * An interrupt that cannot get in, as its stack is a device, is still there when
 * user space has put memory in the device's place, and has saved and restored the
 * registers meanwhile.
 */
TEST_F(again, interrupt_saved_half_way)
{
	struct kvm_interrupt irq = { .irq = 0x55 };
	struct kvm_sregs sregs;
	int i;

	ut_restart(self->vcpu, guest_wait_on_device);
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_IO, self->vcpu->run->exit_reason);
	ut_must_ioctl(self->vcpu->fd, KVM_INTERRUPT, &irq);
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	if (!ut_on_umbra() && self->vcpu->run->exit_reason == KVM_EXIT_IO)
		SKIP(return, "KVM on AMD carries out the interrupted instruction instead");
	ASSERT_EQ(KVM_EXIT_INTERNAL_ERROR, self->vcpu->run->exit_reason);
	EXPECT_EQ(-EEXIST, ut_ioctl(self->vcpu->fd, KVM_INTERRUPT, &irq));
	ut_get_sregs(self->vcpu, &sregs);
	EXPECT_EQ(1ull << (0x55 & 63), sregs.interrupt_bitmap[0x55 / 64]);
	ut_set_sregs(self->vcpu, &sregs);
	ut_add_slot(self->vm, STACK_SLOT + 1, UT_MMIO_GPA, UT_PAGE_SIZE, 0);
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
		ASSERT_EQ(KVM_EXIT_IO, self->vcpu->run->exit_reason);
	}
	EXPECT_EQ(1, *ut_guest_var(self->vm, hits));
	EXPECT_EQ(0x55, *ut_guest_var(self->vm, last_vector));
}

/* No stack at all: delivery becomes MMIO, which no processor retries for us. */
static void guest_no_stack(void)
{
	asm volatile("mov %0, %%rsp\n\tud2" : : "r"(UT_MMIO_GPA + 0x800) : "memory");
}

TEST_F(again, delivery_into_a_device)
{
	struct kvm_run *run = self->vcpu->run;

	ut_restart(self->vcpu, guest_no_stack);
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_INTERNAL_ERROR, run->exit_reason);
	/* KVM finds words for it on VT-x only. */
	ASSERT_TRUE(run->internal.suberror == KVM_INTERNAL_ERROR_DELIVERY_EV ||
		    run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION);
}

TEST_HARNESS_MAIN
