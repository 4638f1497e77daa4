/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every kernel-version conditional of the project, and the few kernel idioms
 * that differ with the kernel's configuration. Nothing else belongs here.
 */
#ifndef UMBRA_COMPAT_H
#define UMBRA_COMPAT_H

#ifdef __ASSEMBLY__

/* Calls clear_bhb_loop() where the processor needs that done in software after an exit. */
#if defined(X86_FEATURE_CLEAR_BHB_LOOP_ON_VMEXIT) && !defined(UMBRA_CLOSED)
#define UMBRA_CLEAR_BRANCH_HISTORY CLEAR_BRANCH_HISTORY_VMEXIT
#else
#define UMBRA_CLEAR_BRANCH_HISTORY
#endif

#else /* __ASSEMBLY__ */

#include <linux/context_tracking.h>
#include <linux/eventfd.h>
#include <linux/ftrace.h>
#include <linux/hrtimer.h>
#include <linux/instrumentation.h>
#include <linux/irqflags.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/smp.h>
#include <linux/version.h>
#include <linux/vtime.h>
#include <asm/cpufeature.h>
#include <asm/desc.h>
#include <asm/mce.h>
#include <asm/nospec-branch.h>
#include <asm/perf_event.h>
#include <asm/processor-flags.h>
#include <asm/ptrace.h>
#include <asm/reboot.h>
#include <asm/tlbflush.h>

/*
 * Work that the kernel wants done before a task goes on running a guest.
 * xfer_to_guest_mode_handle_work() would write a pending signal to the struct
 * kvm_vcpu it is given, and there is none here. Signals and rescheduling are
 * the part that cannot wait; what TIF_NOTIFY_RESUME asks for (task work,
 * restartable sequences, memory cgroup throttling) is done on the way to user
 * space.
 */
static inline bool umbra_guest_work_pending(void)
{
	/* One look for both: nearly always there is nothing. */
	if (likely(!(read_thread_flags() &
		     (_TIF_NEED_RESCHED | _TIF_SIGPENDING | _TIF_NOTIFY_SIGNAL))))
		return false;
	return need_resched() || signal_pending(current);
}

/* Sleeps. 0, or -EINTR when a signal waits for user space. */
static inline int umbra_guest_work(void)
{
	cond_resched();
	return signal_pending(current) ? -EINTR : 0;
}

/* Account the time that follows to the guest; interrupts off. */
static __always_inline void umbra_guest_time_enter(void)
{
	instrumentation_begin();
	vtime_account_guest_enter();
	instrumentation_end();
}

static __always_inline void umbra_guest_time_exit(void)
{
	instrumentation_begin();
	vtime_account_guest_exit();
	instrumentation_end();
}

/* This CPU is in no read section; interrupts off. */
static inline void umbra_rcu_note(void)
{
	rcu_virt_note_context_switch(smp_processor_id());
}

/*
 * From here to umbra_guest_exit_irqoff() the CPU counts as running a guest: where
 * context tracking is on, RCU does not wait for it. Only noinstr code may run in between.
 */
static __always_inline void umbra_guest_enter_irqoff(void)
{
	instrumentation_begin();
	trace_hardirqs_on_prepare();
	lockdep_hardirqs_on_prepare();
	instrumentation_end();
	context_tracking_guest_enter();
	lockdep_hardirqs_on(CALLER_ADDR0);
}

static __always_inline void umbra_guest_exit_irqoff(void)
{
	lockdep_hardirqs_off(CALLER_ADDR0);
	context_tracking_guest_exit();
	instrumentation_begin();
	trace_hardirqs_off_finish();
	instrumentation_end();
}

/* Can an interrupt (of modify_ldt() in another thread) change this thread's LDTR? */
static inline bool umbra_host_has_ldt(void)
{
#ifdef CONFIG_MODIFY_LDT_SYSCALL
	return READ_ONCE(current->mm->context.ldt);
#else
	return false;
#endif
}

/*
 * CR4.VMXE has to be in the kernel's own idea of CR4 too: otherwise its next
 * change of another bit faults. Newer kernels let KVM alone say so, by
 * cr4_update_irqsoff().
 */
static inline bool umbra_can_set_vmxe(void)
{
#ifdef UMBRA_CLOSED
	return false;
#else
	return true;
#endif
}

/* With FRED, `int $2` is no NMI: its handler is entered in another way. */
static inline bool umbra_host_has_fred(void)
{
#ifdef X86_FEATURE_FRED
	return boot_cpu_has(X86_FEATURE_FRED);
#else
	return false;
#endif
}

/* Some processors cannot trace (Intel PT) in VMX operation: perf has to know. */
static inline void umbra_trace_vmx(bool on)
{
#if !defined(UMBRA_CLOSED) && defined(CONFIG_CPU_SUP_INTEL)
	intel_pt_handle_vmx(on);
#endif
}

/* Interrupts off. */
static inline void umbra_set_vmxe(bool on)
{
#ifndef UMBRA_CLOSED
	if (on)
		cr4_set_bits_irqsoff(X86_CR4_VMXE);
	else
		cr4_clear_bits_irqsoff(X86_CR4_VMXE);
#endif
}

/*
 * Where the kernel leaves it to hypervisors to turn their extension off when it
 * crashes or is reset, it takes one callback, for NMI context, and warns of a second.
 */
#if !defined(UMBRA_CLOSED) && \
	(KERNEL_VERSION(6, 6, 0) <= LINUX_VERSION_CODE || \
	 (KERNEL_VERSION(6, 1, 192) <= LINUX_VERSION_CODE && \
	  KERNEL_VERSION(6, 2, 0) > LINUX_VERSION_CODE))
#define umbra_register_emergency(callback)	cpu_emergency_register_virt_callback(callback)
#define umbra_unregister_emergency(callback)	cpu_emergency_unregister_virt_callback(callback)
#else
#define umbra_register_emergency(callback)	((void)(callback))
#define umbra_unregister_emergency(callback)	((void)(callback))
#endif

/*
 * An exit for a machine check kept the host's handler from running. By INT 18 it
 * would blame the kernel and panic; the guest counts as user space.
 */
static inline void umbra_machine_check(void)
{
#ifdef CONFIG_X86_MCE
	struct pt_regs regs = { .cs = 3, .flags = X86_EFLAGS_IF };

	do_machine_check(&regs);
#endif
}

/* A VM exit left the task register with a limit that ends before the I/O bitmap. */
static inline void umbra_host_tss_shortened(void)
{
	invalidate_tss_limit();
}

/* A guest ran here: where the processor needs it, user space gets a barrier. */
static inline void umbra_guest_branches_seen(void)
{
#ifdef X86_FEATURE_IBPB_EXIT_TO_USER
	if (cpu_feature_enabled(X86_FEATURE_IBPB_EXIT_TO_USER))
		this_cpu_write(x86_ibpb_exit_to_user, true);
#endif
}

/* Count up by one. Any context but NMI; wakes whoever waits, irqfds included. */
static inline void umbra_eventfd_signal(struct eventfd_ctx *ctx)
{
#if KERNEL_VERSION(6, 8, 0) <= LINUX_VERSION_CODE
	eventfd_signal(ctx);
#else
	eventfd_signal(ctx, 1);
#endif
}

/* Interrupt @cpu for no other reason than to make it leave guest mode. */
static inline void umbra_kick_cpu(int cpu)
{
	smp_send_reschedule(cpu);
}

static inline void umbra_hrtimer_setup(struct hrtimer *timer,
				       enum hrtimer_restart (*function)(struct hrtimer *),
				       clockid_t clock, enum hrtimer_mode mode)
{
#if KERNEL_VERSION(6, 13, 0) <= LINUX_VERSION_CODE
	hrtimer_setup(timer, function, clock, mode);
#else
	hrtimer_init(timer, clock, mode);
	timer->function = function;
#endif
}

#endif /* __ASSEMBLY__ */
#endif
