// SPDX-License-Identifier: GPL-2.0
/*
 * What Umbra does about each kind of exit: one small handler per kind, tried
 * first in atomic context and, where that answers UMBRA_SLOW, again where it
 * may sleep. Exits about memory and control registers are in exit_mmu.c. Decides
 * from the vendor-neutral record alone; must not look at a VMCB or VMCS, and
 * enters no guest.
 */
#include <linux/kernel.h>
#include <linux/kvm.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <asm/cpufeatures.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>
#include "cpuid.h"
#include "debug.h"
#include "emulate.h"
#include "event.h"
#include "exit.h"
#include "halt.h"
#include "msr.h"
#include "regs.h"
#include "vcpu.h"
#include "vendor.h"

/*
 * Handlers answer UMBRA_CONTINUE, UMBRA_TO_USER, UMBRA_SLOW (only when @atomic),
 * or -errno for KVM_RUN.
 */
typedef int (*exit_fn)(struct umbra_vcpu *vcpu, bool atomic);

int umbra_exit_internal_error(struct umbra_vcpu *vcpu, u32 suberror)
{
	const struct umbra_exit *exit = &vcpu->exit;
	struct kvm_run *run = vcpu->run;

	if (suberror == KVM_INTERNAL_ERROR_EMULATION)
		return umbra_exit_emulation_failure(vcpu, exit->insn, exit->insn_bytes);
	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	run->internal.suberror = suberror;
	run->internal.ndata = 4;
	run->internal.data[0] = exit->hw_reason;
	run->internal.data[1] = exit->info1;
	run->internal.data[2] = exit->info2;
	run->internal.data[3] = vcpu->last_cpu;
	return UMBRA_TO_USER;
}

int umbra_exit_emulation_failure(struct umbra_vcpu *vcpu, const u8 *bytes, u8 nr)
{
	struct kvm_run *run = vcpu->run;

	if (umbra_vendor->cpl(vcpu)) {
		umbra_queue_ud(vcpu);
		return UMBRA_CONTINUE;
	}
	nr = min_t(u8, nr, sizeof(run->emulation_failure.insn_bytes));
	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	run->emulation_failure.suberror = KVM_INTERNAL_ERROR_EMULATION;
	run->emulation_failure.ndata = 0;
	run->emulation_failure.flags = 0;
	if (nr) {
		/* In units of data[]: flags, and 16 bytes of length and instruction. */
		run->emulation_failure.ndata = 3;
		run->emulation_failure.flags = KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;
		run->emulation_failure.insn_size = nr;
		memset(run->emulation_failure.insn_bytes, 0x90,
		       sizeof(run->emulation_failure.insn_bytes));
		memcpy(run->emulation_failure.insn_bytes, bytes, nr);
	}
	return UMBRA_TO_USER;
}

int umbra_exit_halt(struct umbra_vcpu *vcpu)
{
	if (umbra_event_pending(vcpu))
		return UMBRA_CONTINUE;
	if (vcpu->lapic) {
		umbra_halt_enter(vcpu);
		return UMBRA_CONTINUE;
	}
	vcpu->run->exit_reason = KVM_EXIT_HLT;
	return UMBRA_TO_USER;
}

static int exit_nothing(struct umbra_vcpu *vcpu, bool atomic)
{
	return UMBRA_CONTINUE;
}

static int exit_exception(struct umbra_vcpu *vcpu, bool atomic)
{
	const struct umbra_exit *exit = &vcpu->exit;

	switch (exit->exc.vector) {
	case X86_TRAP_DB:
	case X86_TRAP_BP:
		if (atomic)
			return UMBRA_SLOW;
		return umbra_debug_exception(vcpu, exit->exc.vector, exit->exc.payload);
	case X86_TRAP_MC:
		/* The host's machine check, and the vendor gave it to the host. */
		return UMBRA_CONTINUE;
	case X86_TRAP_PF:
		return umbra_exit_page_fault(vcpu, atomic);
	default:
		if (exit->exc.has_error)
			umbra_queue_exception_err(vcpu, exit->exc.vector, exit->exc.error);
		else
			umbra_queue_exception(vcpu, exit->exc.vector);
		return UMBRA_CONTINUE;
	}
}

/*
 * A write of the local APIC's registers or of its deadline: too frequent for the detour
 * to where sleeping is allowed. What goes wrong goes wrong there again, and is told.
 */
static int exit_apic_write(struct umbra_vcpu *vcpu)
{
	u64 data = (u32)vcpu->gpr[UMBRA_RAX] | vcpu->gpr[UMBRA_RDX] << 32;
	u32 index = vcpu->gpr[UMBRA_RCX];
	int verdict;
	u64 next;

	if (!umbra_next_rip(vcpu, true, &next, &verdict))
		return verdict;
	if (!umbra_msr_write_quick(vcpu, index, data))
		return UMBRA_SLOW;
	return umbra_step_rip(vcpu, next);
}

static int exit_msr(struct umbra_vcpu *vcpu, bool atomic)
{
	if (!atomic)
		return umbra_msr_exit(vcpu, vcpu->exit.msr.write);
	return vcpu->lapic && vcpu->exit.msr.write ? exit_apic_write(vcpu) : UMBRA_SLOW;
}

static int exit_cpuid(struct umbra_vcpu *vcpu, bool atomic)
{
	int verdict;
	u64 next;

	if (!umbra_next_rip(vcpu, atomic, &next, &verdict))
		return verdict;
	umbra_cpuid_execute(vcpu);
	return umbra_step_rip(vcpu, next);
}

static int exit_hlt(struct umbra_vcpu *vcpu, bool atomic)
{
	int verdict, r;
	u64 next;

	if (!umbra_next_rip(vcpu, atomic, &next, &verdict))
		return verdict;
	r = umbra_step_rip(vcpu, next);
	return r == UMBRA_CONTINUE ? umbra_exit_halt(vcpu) : r;
}

static int exit_emulate(struct umbra_vcpu *vcpu, bool atomic)
{
	return atomic ? UMBRA_SLOW : umbra_emulate(vcpu);
}

static int exit_undefined(struct umbra_vcpu *vcpu, bool atomic)
{
	umbra_queue_ud(vcpu);
	return UMBRA_CONTINUE;
}

static int exit_invpcid(struct umbra_vcpu *vcpu, bool atomic)
{
	if (!umbra_cpuid_has(vcpu, X86_FEATURE_INVPCID))
		return exit_undefined(vcpu, atomic);
	return exit_emulate(vcpu, atomic);
}

static int exit_monitor(struct umbra_vcpu *vcpu, bool atomic)
{
	if (!umbra_cpuid_allows_monitor(vcpu))
		return exit_undefined(vcpu, atomic);
	return exit_emulate(vcpu, atomic);
}

/* #UD comes before the intercept on hardware; checked again, it costs nothing. */
static int exit_xsetbv(struct umbra_vcpu *vcpu, bool atomic)
{
	u64 value = (u32)vcpu->gpr[UMBRA_RAX] | vcpu->gpr[UMBRA_RDX] << 32;
	int verdict;
	u64 next;

	if (atomic)
		return UMBRA_SLOW;
	if (!(vcpu->cr4 & X86_CR4_OSXSAVE))
		return exit_undefined(vcpu, atomic);
	if (!umbra_next_rip(vcpu, atomic, &next, &verdict))
		return verdict;
	if (umbra_vendor->cpl(vcpu) || (u32)vcpu->gpr[UMBRA_RCX] || umbra_set_xcr0(vcpu, value)) {
		umbra_queue_gp(vcpu);
		return UMBRA_CONTINUE;
	}
	return umbra_step_rip(vcpu, next);
}

/* Guest memory is coherent with every device it can reach: nothing to write back. */
static int exit_wbinvd(struct umbra_vcpu *vcpu, bool atomic)
{
	return umbra_skip_insn(vcpu, atomic);
}

/* No performance counter is offered: every number is out of range. */
static int exit_rdpmc(struct umbra_vcpu *vcpu, bool atomic)
{
	umbra_queue_gp(vcpu);
	return UMBRA_CONTINUE;
}

/* The guest spins: let somebody else have this CPU, the lock holder perhaps. */
static int exit_pause(struct umbra_vcpu *vcpu, bool atomic)
{
	if (atomic)
		return UMBRA_SLOW;
	cond_resched();
	return umbra_skip_insn(vcpu, atomic);
}

static int exit_shutdown(struct umbra_vcpu *vcpu, bool atomic)
{
	vcpu->run->exit_reason = KVM_EXIT_SHUTDOWN;
	return UMBRA_TO_USER;
}

static int exit_irq_window(struct umbra_vcpu *vcpu, bool atomic)
{
	struct kvm_run *run = vcpu->run;

	if (!umbra_user_wants_window(vcpu) || !umbra_event_irq_window_open(vcpu))
		return UMBRA_CONTINUE;
	run->exit_reason = KVM_EXIT_IRQ_WINDOW_OPEN;
	return UMBRA_TO_USER;
}

/* Task gates and TSS switches are not emulated; no guest system in use needs them. */
static int exit_task_switch(struct umbra_vcpu *vcpu, bool atomic)
{
	return umbra_exit_internal_error(vcpu, KVM_INTERNAL_ERROR_EMULATION);
}

static int exit_entry_failed(struct umbra_vcpu *vcpu, bool atomic)
{
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_FAIL_ENTRY;
	run->fail_entry.hardware_entry_failure_reason = vcpu->exit.hw_reason;
	run->fail_entry.cpu = vcpu->last_cpu;
	return UMBRA_TO_USER;
}

static int dispatch(struct umbra_vcpu *vcpu, bool atomic);

/* The vendor may find that it is an ordinary exit after all, and say which. */
static int exit_inner(struct umbra_vcpu *vcpu, bool atomic)
{
	int r;

	if (atomic)
		return UMBRA_SLOW;
	r = umbra_vendor->inner_exit(vcpu);
	return r == UMBRA_SLOW ? dispatch(vcpu, false) : r;
}

static int exit_unknown(struct umbra_vcpu *vcpu, bool atomic)
{
	return umbra_exit_internal_error(vcpu, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON);
}

static const exit_fn handlers[] = {
	[UMBRA_EXIT_NOTHING] = exit_nothing,
	[UMBRA_EXIT_FAULT] = umbra_exit_fault,
	[UMBRA_EXIT_EXCEPTION] = exit_exception,
	[UMBRA_EXIT_IO] = umbra_pio_exit,
	[UMBRA_EXIT_MSR] = exit_msr,
	[UMBRA_EXIT_CPUID] = exit_cpuid,
	[UMBRA_EXIT_HLT] = exit_hlt,
	[UMBRA_EXIT_CR] = umbra_exit_cr,
	[UMBRA_EXIT_DR] = exit_emulate,
	[UMBRA_EXIT_INVLPG] = umbra_exit_invlpg,
	[UMBRA_EXIT_INVPCID] = exit_invpcid,
	[UMBRA_EXIT_XSETBV] = exit_xsetbv,
	[UMBRA_EXIT_WBINVD] = exit_wbinvd,
	[UMBRA_EXIT_RDPMC] = exit_rdpmc,
	[UMBRA_EXIT_PAUSE] = exit_pause,
	[UMBRA_EXIT_MONITOR] = exit_monitor,
	[UMBRA_EXIT_HYPERCALL] = umbra_exit_hypercall,
	[UMBRA_EXIT_SHUTDOWN] = exit_shutdown,
	[UMBRA_EXIT_IRQ_WINDOW] = exit_irq_window,
	[UMBRA_EXIT_NMI_WINDOW] = exit_nothing,
	[UMBRA_EXIT_TASK_SWITCH] = exit_task_switch,
	[UMBRA_EXIT_UNDEFINED] = exit_undefined,
	[UMBRA_EXIT_EMULATE] = exit_emulate,
	[UMBRA_EXIT_INNER] = exit_inner,
	[UMBRA_EXIT_ENTRY_FAILED] = exit_entry_failed,
	[UMBRA_EXIT_UNKNOWN] = exit_unknown,
};

static int dispatch(struct umbra_vcpu *vcpu, bool atomic)
{
	u8 kind = vcpu->exit.kind;

	if (unlikely(kind >= ARRAY_SIZE(handlers)))
		return exit_unknown(vcpu, atomic);
	return handlers[kind](vcpu, atomic);
}

/**
 * umbra_exit_fast() - act on vcpu->exit without sleeping
 * @vcpu: virtual processor, mutex held
 *
 * Context: preemption off, interrupts on, the guest's FPU state loaded; SRCU
 * read section held by the caller.
 * Return: UMBRA_CONTINUE, UMBRA_TO_USER, UMBRA_SLOW with nothing changed, or
 * -errno for KVM_RUN.
 */
int umbra_exit_fast(struct umbra_vcpu *vcpu)
{
	/* Indirect calls are dear on hosts with retpolines: not for the frequent kinds. */
	if (vcpu->exit.kind == UMBRA_EXIT_EXCEPTION && vcpu->exit.exc.vector == X86_TRAP_PF)
		return umbra_exit_page_fault(vcpu, true);
	switch (vcpu->exit.kind) {
	case UMBRA_EXIT_CPUID:
		return exit_cpuid(vcpu, true);
	case UMBRA_EXIT_IO:
		return umbra_pio_exit(vcpu, true);
	case UMBRA_EXIT_FAULT:
		return umbra_exit_fault(vcpu, true);
	case UMBRA_EXIT_CR:
		return umbra_exit_cr(vcpu, true);
	case UMBRA_EXIT_INVLPG:
		return umbra_exit_invlpg(vcpu, true);
	default:
		return dispatch(vcpu, true);
	}
}

/**
 * umbra_exit_handle() - act on vcpu->exit where sleeping is allowed
 * @vcpu: virtual processor, mutex held
 *
 * Context: process context of the VM's mm; SRCU read section held.
 * Return: UMBRA_CONTINUE, UMBRA_TO_USER, or -errno for KVM_RUN.
 */
int umbra_exit_handle(struct umbra_vcpu *vcpu)
{
	return dispatch(vcpu, false);
}
