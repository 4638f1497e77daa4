// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_SET_GUEST_DEBUG: single step over every kind of instruction, with and
 * without exits, software and hardware breakpoints, injected debug exceptions,
 * and the guest's own use of TF, INT3 and the debug registers meanwhile.
 */
#include <cpuid.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <kselftest_harness.h>
#include "umbra_util.h"

#define DB_VECTOR	1
#define BP_VECTOR	3
#define RFLAGS_RF	(1ull << 16)
#define DR6_BS		(1ull << 14)
#define DR6_INIT	0xffff0ff0ull
#define DR7_INIT	0x400ull
#define STEP_PORT	0x80

FIXTURE(debug)
{
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
};

FIXTURE_SETUP(debug)
{
	self->vcpu = ut_long_guest(NULL);
	self->vm = self->vcpu->vm;
	if (!ut_cap(self->vm->fd, KVM_CAP_SET_GUEST_DEBUG))
		SKIP(_exit(UT_SKIPPED), "no guest debugging");
}

FIXTURE_TEARDOWN(debug)
{
	ut_vm_free(self->vm);
}

static void set_debug(struct ut_vcpu *vcpu, uint32_t control)
{
	struct kvm_guest_debug debug = { .control = control };

	ut_must_ioctl(vcpu->fd, KVM_SET_GUEST_DEBUG, &debug);
}

/*
 * QEMU's software emulation of SVM does not load DR7 from the VMCB, and takes
 * INT3 for a software interrupt, not for an exception that can be intercepted.
 */
static bool processor_is_tcg(void)
{
	uint32_t eax, ebx, ecx, edx;

	__cpuid(0x40000000, eax, ebx, ecx, edx);
	return ebx == 0x54474354 && ecx == 0x43544743 && edx == 0x47435447;
}

static uint64_t rip_of(struct ut_vcpu *vcpu)
{
	struct kvm_regs regs;

	ut_get_regs(vcpu, &regs);
	return regs.rip;
}

/* A place in the assembler code of this file. */
#define LABEL(name)	extern char name[]

/* ---- single step ---- */

/* RDI: the MMIO page. Each label is where a step must end. */
asm(".text\n"
	"step_0:	nop\n"
	"step_1:	mov $2, %ecx\n"
	"step_2:	dec %ecx\n"
	"step_3:	jnz step_2\n"
	"step_4:	xor %eax, %eax\n"
	"step_5:	cpuid\n"
	"step_6:	mov $0xc0000080, %ecx\n"
	"step_7:	rdmsr\n"
	"step_8:	sti\n"
	"step_9:	cli\n"
	"step_10:	out %al, $0x80\n"
	"step_11:	in $0x80, %al\n"
	"step_12:	mov (%rdi), %rbx\n"
	"step_13:	push %rbx\n"
	"step_14:	pop (%rsp)\n"
	"step_15:	mov %cr3, %rdx\n"
	"step_16:	mov %rdx, %cr3\n"
	"step_17:	call step_40\n"
	"step_18:	mov %rbx, (%rdi)\n"
	"step_19:	nop\n"
	"step_20:	hlt\n"
	"step_21:	nop\n"
	"step_22:	jmp *%rsi\n"
	"	ud2\n"
	"step_40:	nop\n"
	"step_41:	ret\n");

LABEL(step_0); LABEL(step_1); LABEL(step_2); LABEL(step_3); LABEL(step_4); LABEL(step_5);
LABEL(step_6); LABEL(step_7); LABEL(step_8); LABEL(step_9); LABEL(step_10);
LABEL(step_11); LABEL(step_12); LABEL(step_13); LABEL(step_14); LABEL(step_15);
LABEL(step_16); LABEL(step_17); LABEL(step_18); LABEL(step_19); LABEL(step_20);
LABEL(step_21); LABEL(step_22); LABEL(step_40); LABEL(step_41);

enum { ALWAYS, MAYBE };

static const struct {
	uint32_t reason;
	const char *pc;		/* for KVM_EXIT_DEBUG */
	int need;
} steps[] = {
	{ KVM_EXIT_DEBUG, step_1 },
	{ KVM_EXIT_DEBUG, step_2 },
	{ KVM_EXIT_DEBUG, step_3 },
	{ KVM_EXIT_DEBUG, step_2 },
	{ KVM_EXIT_DEBUG, step_3 },
	{ KVM_EXIT_DEBUG, step_4 },
	{ KVM_EXIT_DEBUG, step_5 },
	{ KVM_EXIT_DEBUG, step_6 },
	{ KVM_EXIT_DEBUG, step_7 },
	{ KVM_EXIT_DEBUG, step_8 },
	/* QEMU's software emulation does not stop in the shadow of STI. */
	{ KVM_EXIT_DEBUG, step_9, MAYBE },
	{ KVM_EXIT_DEBUG, step_10 },
	{ KVM_EXIT_IO },
	{ KVM_EXIT_DEBUG, step_11 },
	{ KVM_EXIT_IO },
	{ KVM_EXIT_DEBUG, step_12 },
	{ KVM_EXIT_MMIO },
	{ KVM_EXIT_DEBUG, step_13 },
	{ KVM_EXIT_DEBUG, step_14 },
	{ KVM_EXIT_DEBUG, step_15 },
	{ KVM_EXIT_DEBUG, step_16 },
	{ KVM_EXIT_DEBUG, step_17 },
	{ KVM_EXIT_DEBUG, step_40 },
	{ KVM_EXIT_DEBUG, step_41 },
	{ KVM_EXIT_DEBUG, step_18 },
	{ KVM_EXIT_MMIO },
	/* After a write KVM goes on without telling. */
	{ KVM_EXIT_DEBUG, step_19, MAYBE },
	{ KVM_EXIT_DEBUG, step_20 },
	/* One of these: KVM has only the first, a processor wakes up with the second. */
	{ KVM_EXIT_HLT, NULL, MAYBE },
	{ KVM_EXIT_DEBUG, step_21, MAYBE },
	{ KVM_EXIT_DEBUG, step_22 },
	{ KVM_EXIT_DEBUG, step_0 },
};

static void prepare_steps(struct ut_vcpu *vcpu)
{
	ut_restart(vcpu, step_0);
	ut_set_args(vcpu, UT_MMIO_GPA, (uint64_t)step_0);
}

static void answer(struct ut_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	if (run->exit_reason == KVM_EXIT_MMIO && !run->mmio.is_write)
		memset(run->mmio.data, 0x21, 8);
}

static bool is_step(const struct kvm_run *run, size_t i)
{
	return run->exit_reason == steps[i].reason &&
	       (run->exit_reason != KVM_EXIT_DEBUG ||
		run->debug.arch.pc == (uint64_t)steps[i].pc);
}

TEST_F(debug, single_step)
{
	struct kvm_run *run = self->vcpu->run;
	struct kvm_debugregs dr;
	struct kvm_regs regs;
	bool halted = false;
	size_t i;

	prepare_steps(self->vcpu);
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		/* KVM wants to hear it again after each emulated instruction. */
		set_debug(self->vcpu, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP);
		ASSERT_EQ(0, ut_run(self->vcpu));
		while (steps[i].need == MAYBE && !is_step(run, i))
			i++;
		ut_get_regs(self->vcpu, &regs);
		ASSERT_TRUE(is_step(run, i)) {
			TH_LOG("step %zu: exit %s, rip %#llx", i, ut_exit_name(run->exit_reason),
			       regs.rip);
		}
		halted |= run->exit_reason == KVM_EXIT_HLT || regs.rip == (uint64_t)step_21;
		answer(self->vcpu);
		if (run->exit_reason != KVM_EXIT_DEBUG)
			continue;
		ASSERT_EQ((uint64_t)steps[i].pc, regs.rip);
		ASSERT_EQ(DB_VECTOR, run->debug.arch.exception);
		ASSERT_EQ(DR6_BS, run->debug.arch.dr6 & (DR6_BS | 0xf));
		/* TF is the debugger's, not the guest's. */
		ASSERT_EQ(0, regs.rflags & UT_RFLAGS_TF);
	}
	ASSERT_TRUE(halted);
	/* Nor is what happened to DR6. */
	ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_GET_DEBUGREGS, &dr));
	ASSERT_EQ(DR6_INIT, dr.dr6);
	ASSERT_EQ(DR7_INIT, dr.dr7);
}

static void guest_flags_after(void)
{
	uint64_t flags;

	guest_set_handler(UT_DB_VECTOR, NULL);
	asm volatile("pushf; pop %0" : "=r"(flags));
	GUEST_ASSERT_EQ(flags & UT_RFLAGS_TF, 0);
	guest_sync(1);
	asm volatile("pushf; pop %0" : "=r"(flags));
	GUEST_ASSERT_EQ(flags & UT_RFLAGS_TF, 0);
	guest_done();
}

/* Debugging ends: the guest runs on, nothing of it stays. */
TEST_F(debug, switched_off)
{
	int i;

	ut_restart(self->vcpu, guest_flags_after);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
	set_debug(self->vcpu, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, ut_run(self->vcpu));
		ASSERT_EQ(KVM_EXIT_DEBUG, self->vcpu->run->exit_reason);
	}
	set_debug(self->vcpu, 0);
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
}

/* Enabled without asking for anything: no exits. */
TEST_F(debug, enabled_only)
{
	set_debug(self->vcpu, KVM_GUESTDBG_ENABLE);
	ut_restart(self->vcpu, guest_flags_after);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
}

/* ---- software breakpoints ---- */

/* In the guest. */
static uint64_t traps, trap_rip[16], trap_dr6;

static void count_trap(struct ut_ex_regs *regs)
{
	if (traps < 16)
		trap_rip[traps] = regs->rip;
	traps++;
}

asm(".text\n"
	"bp_code:	nop\n"
	"bp_int3:	int3\n"
	"bp_after:	nop\n"
	"	jmp *%rdi\n");
LABEL(bp_code); LABEL(bp_int3); LABEL(bp_after);

static void prepare_breakpoint(struct ut_vcpu *vcpu)
{
	ut_set_handler(vcpu->vm, BP_VECTOR, count_trap);
	ut_restart(vcpu, bp_code);
	ut_set_args(vcpu, (uint64_t)guest_done, 0);
}

TEST_F(debug, software_breakpoint)
{
	struct kvm_run *run = self->vcpu->run;
	struct kvm_regs regs;

	if (processor_is_tcg())
		SKIP(return, "QEMU's software emulation does not intercept INT3");
	prepare_breakpoint(self->vcpu);
	set_debug(self->vcpu, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP);
	ASSERT_EQ(0, ut_run(self->vcpu));
	ASSERT_EQ(KVM_EXIT_DEBUG, run->exit_reason);
	ASSERT_EQ(BP_VECTOR, run->debug.arch.exception);
	ASSERT_EQ((uint64_t)bp_int3, run->debug.arch.pc);
	ASSERT_EQ((uint64_t)bp_int3, rip_of(self->vcpu));
	/* Still there, so it hits again. */
	ASSERT_EQ(0, ut_run(self->vcpu));
	ASSERT_EQ(KVM_EXIT_DEBUG, run->exit_reason);
	/* The debugger steps over it. */
	ut_get_regs(self->vcpu, &regs);
	regs.rip = (uint64_t)bp_after;
	ut_set_regs(self->vcpu, &regs);
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
	ASSERT_EQ(0, *ut_guest_var(self->vm, traps));
}

TEST_F(debug, the_guests_own_breakpoint)
{
	prepare_breakpoint(self->vcpu);
	set_debug(self->vcpu, KVM_GUESTDBG_ENABLE);
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
	ASSERT_EQ(1, *ut_guest_var(self->vm, traps));
	ASSERT_EQ((uint64_t)bp_after, ut_guest_var(self->vm, trap_rip)[0][0]);
}

/* It was the guest's after all: the debugger hands it on. */
TEST_F(debug, inject_breakpoint)
{
	struct kvm_run *run = self->vcpu->run;

	if (processor_is_tcg())
		SKIP(return, "QEMU's software emulation does not intercept INT3");
	prepare_breakpoint(self->vcpu);
	set_debug(self->vcpu, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP);
	ASSERT_EQ(0, ut_run(self->vcpu));
	ASSERT_EQ(KVM_EXIT_DEBUG, run->exit_reason);
	set_debug(self->vcpu, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP |
		  KVM_GUESTDBG_INJECT_BP);
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
	ASSERT_EQ(1, *ut_guest_var(self->vm, traps));
	ASSERT_EQ((uint64_t)bp_after, ut_guest_var(self->vm, trap_rip)[0][0]);
}

TEST_F(debug, inject_debug_exception)
{
	ut_set_handler(self->vm, DB_VECTOR, count_trap);
	prepare_breakpoint(self->vcpu);
	set_debug(self->vcpu, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_INJECT_DB);
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
	/* The injected one before the first instruction, then INT3. */
	ASSERT_EQ(2, *ut_guest_var(self->vm, traps));
	ASSERT_EQ((uint64_t)bp_code, ut_guest_var(self->vm, trap_rip)[0][0]);
	ASSERT_EQ((uint64_t)bp_after, ut_guest_var(self->vm, trap_rip)[0][1]);
}

/* ---- hardware breakpoints ---- */

static void set_hw_debug(struct ut_vcpu *vcpu, uint64_t addr, uint64_t dr7)
{
	struct kvm_guest_debug debug = {
		.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP,
		.arch.debugreg = { [1] = addr, [7] = dr7 },
	};

	ut_must_ioctl(vcpu->fd, KVM_SET_GUEST_DEBUG, &debug);
}

asm(".text\n"
	"hw_code:	nop\n"
	"hw_exec:	nop\n"
	"	mov (%rsi), %rax\n"
	"hw_read:	nop\n"
	"	mov %rax, 8(%rsi)\n"
	"	mov %rax, (%rsi)\n"
	"hw_written:	jmp *%rdi\n");
LABEL(hw_code); LABEL(hw_exec); LABEL(hw_read); LABEL(hw_written);
static uint64_t watched[2];

static void prepare_watch(struct ut_vcpu *vcpu)
{
	ut_restart(vcpu, hw_code);
	ut_set_args(vcpu, (uint64_t)guest_done, (uint64_t)watched);
}

/* Type and length of breakpoint 1 in DR7, enabled. */
#define DR7_BP1(type, len)	(DR7_INIT | 1 << 2 | (type) << 20 | ((len) - 1) << 22)

TEST_F(debug, hardware_breakpoint)
{
	struct kvm_run *run = self->vcpu->run;
	struct kvm_regs regs;

	if (processor_is_tcg())
		SKIP(return, "QEMU's software emulation ignores DR7 of the VMCB");
	prepare_watch(self->vcpu);
	set_hw_debug(self->vcpu, (uint64_t)hw_exec, DR7_BP1(0, 1));
	ASSERT_EQ(0, ut_run(self->vcpu));
	ASSERT_EQ(KVM_EXIT_DEBUG, run->exit_reason);
	ASSERT_EQ(DB_VECTOR, run->debug.arch.exception);
	ASSERT_EQ((uint64_t)hw_exec, run->debug.arch.pc);
	ASSERT_EQ(2, run->debug.arch.dr6 & 0xf);
	ut_get_regs(self->vcpu, &regs);
	regs.rflags |= RFLAGS_RF;
	ut_set_regs(self->vcpu, &regs);
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
}

TEST_F(debug, hardware_watchpoints)
{
	struct kvm_run *run = self->vcpu->run;
	static const struct {
		int type;
		const char *pc[2];
	} cases[] = {
		{ 1, { hw_written } },
		{ 3, { hw_read, hw_written } },
	};
	int i, hit;

	if (processor_is_tcg())
		SKIP(return, "QEMU's software emulation ignores DR7 of the VMCB");
	for (i = 0; i < 2; i++) {
		prepare_watch(self->vcpu);
		set_hw_debug(self->vcpu, (uint64_t)watched, DR7_BP1(cases[i].type, 4));
		for (hit = 0; hit < 2 && cases[i].pc[hit]; hit++) {
			ASSERT_EQ(0, ut_run(self->vcpu));
			ASSERT_EQ(KVM_EXIT_DEBUG, run->exit_reason);
			ASSERT_EQ((uint64_t)cases[i].pc[hit], run->debug.arch.pc);
			ASSERT_EQ(2, run->debug.arch.dr6 & 0xf);
		}
		ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
	}
}

static void guest_debug_registers(void)
{
	uint64_t v, i;

	for (i = 0; i < 3; i++) {
		asm volatile("mov %0, %%dr0" : : "r"(0x1000 + i));
		asm volatile("mov %0, %%dr1" : : "r"(0x2000 + i));
		asm volatile("mov %0, %%dr2" : : "r"(0x3000 + i));
		asm volatile("mov %0, %%dr3" : : "r"(0x4000 + i));
		asm volatile("mov %0, %%dr6" : : "r"(DR6_INIT));
		asm volatile("mov %0, %%dr7" : : "r"(DR7_INIT | 0x200));
		asm volatile("mov %%dr0, %0" : "=r"(v));
		GUEST_ASSERT_EQ(v, 0x1000 + i);
		asm volatile("mov %%dr1, %0" : "=r"(v));
		GUEST_ASSERT_EQ(v, 0x2000 + i);
		asm volatile("mov %%dr2, %0" : "=r"(v));
		GUEST_ASSERT_EQ(v, 0x3000 + i);
		asm volatile("mov %%dr3, %0" : "=r"(v));
		GUEST_ASSERT_EQ(v, 0x4000 + i);
		asm volatile("mov %%dr6, %0" : "=r"(v));
		GUEST_ASSERT_EQ(v, DR6_INIT);
		asm volatile("mov %%dr7, %0" : "=r"(v));
		GUEST_ASSERT_EQ(v, DR7_INIT | 0x200);
		guest_sync(i);
	}
	guest_done();
}

/* The debugger's registers and the guest's are two sets. */
TEST_F(debug, the_guests_own_registers)
{
	struct kvm_debugregs dr;
	uint64_t i;

	ut_restart(self->vcpu, guest_debug_registers);
	for (i = 0; i < 3; i++) {
		/* Without, with, and again without the debugger's. */
		if (i == 1)
			set_hw_debug(self->vcpu, 0xdead000, DR7_BP1(1, 8));
		else
			set_debug(self->vcpu, 0);
		ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
		ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_GET_DEBUGREGS, &dr));
		ASSERT_EQ(0x1000 + i, dr.db[0]);
		ASSERT_EQ(0x2000 + i, dr.db[1]);
		ASSERT_EQ(0x3000 + i, dr.db[2]);
		ASSERT_EQ(0x4000 + i, dr.db[3]);
		ASSERT_EQ(DR7_INIT | 0x200, dr.dr7);
	}
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
}

/* ---- the guest's own single step ---- */

static void trap_and_log(struct ut_ex_regs *regs)
{
	uint64_t dr6;

	asm volatile("mov %%dr6, %0" : "=r"(dr6));
	trap_dr6 |= dr6;
	count_trap(regs);
}

/* RDI: the MMIO page; TF on, then everything that leaves the guest, TF off. */
asm(".text\n"
	"tf_code:	mov %rsi, %r12\n"
	"	pushf\n"
	"	orl $0x100, (%rsp)\n"
	"	popf\n"
	"tf_0:	nop\n"
	"tf_1:	xor %eax, %eax\n"
	"tf_2:	cpuid\n"
	"tf_3:	out %al, $0x80\n"
	"tf_4:	in $0x80, %al\n"
	"tf_5:	mov (%rdi), %rbx\n"
	"tf_6:	mov %rbx, (%rdi)\n"
	"tf_7:	pushf\n"
	"tf_8:	andl $~0x100, (%rsp)\n"
	"tf_9:	popf\n"
	"tf_10:	jmp *%r12\n");
LABEL(tf_code); LABEL(tf_1); LABEL(tf_2); LABEL(tf_3); LABEL(tf_4); LABEL(tf_5);
LABEL(tf_6); LABEL(tf_7); LABEL(tf_8); LABEL(tf_9); LABEL(tf_10);

TEST_F(debug, the_guests_own_single_step)
{
	const char * const expected[] = {
		tf_1, tf_2, tf_3, tf_4, tf_5, tf_6, tf_7, tf_8, tf_9,
	};
	size_t i, n = sizeof(expected) / sizeof(expected[0]);
	uint64_t *rip = ut_guest_var(self->vm, trap_rip)[0];
	bool write_missed;
	int ret;

	ut_set_handler(self->vm, DB_VECTOR, trap_and_log);
	ut_restart(self->vcpu, tf_code);
	ut_set_args(self->vcpu, UT_MMIO_GPA, (uint64_t)guest_done);
	while ((ret = ut_next(self->vcpu, NULL)) == UT_EXIT) {
		ASSERT_NE(KVM_EXIT_DEBUG, self->vcpu->run->exit_reason);
		ASSERT_NE(KVM_EXIT_SHUTDOWN, self->vcpu->run->exit_reason);
		answer(self->vcpu);
	}
	ASSERT_EQ(UT_DONE, ret);
	/* KVM forgets the trap after a write to a device. */
	write_missed = !ut_on_umbra() && rip[6] != (uint64_t)tf_7;
	for (i = 0; i < n - write_missed; i++)
		ASSERT_EQ((uint64_t)expected[i + (write_missed && i > 5)], rip[i]) {
			TH_LOG("trap %zu", i);
		}
	/* POPF that clears TF still traps, once. */
	ASSERT_EQ((uint64_t)tf_10, rip[n - write_missed]);
	ASSERT_EQ(n + 1 - write_missed, *ut_guest_var(self->vm, traps));
	ASSERT_EQ(DR6_BS, *ut_guest_var(self->vm, trap_dr6) & (DR6_BS | 0xf));
}

TEST_HARNESS_MAIN
