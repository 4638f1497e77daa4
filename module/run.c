// SPDX-License-Identifier: GPL-2.0
/*
 * The run loop, once for both vendors: signals, requests, events, entry, and
 * handing the exit to its handler. Decides nothing about a single exit.
 *
 * Two nested loops. The inner one keeps preemption off, with the vCPU loaded on
 * this CPU and the guest's FPU in its registers, and handles what can be done
 * without sleeping. The outer one serves what may sleep. No preempt notifiers
 * are needed: a vCPU that is scheduled out has always left the inner loop.
 */
#include <linux/bitops.h>
#include <linux/jiffies.h>
#include <linux/kvm.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/srcu.h>
#include <linux/static_call.h>
#include <asm/processor-flags.h>
#include "compat.h"
#include "emulate.h"
#include "halt.h"
#include "host.h"
#include "mmu/mmu.h"
#include "request.h"
#include "tpr.h"
#include "tsc.h"
#include "vcpu.h"
#include "vendor.h"

/* The two calls of every entry, which are dear where indirect calls are guarded. */
DEFINE_STATIC_CALL_NULL(umbra_vendor_enter, *((struct umbra_vendor_ops *)NULL)->enter);
DEFINE_STATIC_CALL_NULL(umbra_vendor_decode, *((struct umbra_vendor_ops *)NULL)->decode);

static DEFINE_PER_CPU(unsigned long, rcu_told);		/* jiffy of the last note */

static const unsigned long atomic_requests =
	BIT(UMBRA_REQ_FLUSH_TLB) | BIT(UMBRA_REQ_EVENT) | BIT(UMBRA_REQ_UNBLOCK);

/* Requests that are served with preemption off, right before the entry. */
static void serve_atomic_requests(struct umbra_vcpu *vcpu)
{
	if (umbra_take_request(vcpu, UMBRA_REQ_FLUSH_TLB)) {
		umbra_stat_inc(vcpu, flushes_remote);
		umbra_vendor->flush_tlb(vcpu);
	}
	if (umbra_take_request(vcpu, UMBRA_REQ_EVENT))
		vcpu->ev.look = true;
	umbra_take_request(vcpu, UMBRA_REQ_UNBLOCK);
}

/* Where not, nothing waits, no window is open, and what went in the last time has arrived. */
static bool event_due(const struct umbra_vcpu *vcpu)
{
	return vcpu->ev.look || vcpu->ev.injected.type != UMBRA_EVENT_NONE;
}

/* False when the guest must not be entered now. */
static bool deliver_events(struct umbra_vcpu *vcpu)
{
	if (vcpu->ev.triple_fault || unlikely(umbra_inner_due(vcpu) != UMBRA_INNER_STAYS))
		return false;
	/* What waits behind this event has no window: leave right after it. */
	if (umbra_event_deliver(vcpu))
		umbra_kick_cpu(smp_processor_id());
	return true;
}

/*
 * RCU takes an interrupted guest for a kernel with preemption off, that is, for a reader,
 * and has to be told that it is none. Once per jiffy is enough:
 * - A CPU learns in its own tick, or the softirq behind it, that a grace period wants a
 *   quiescent state of it; states noted before do not count, and the answer is looked for
 *   in the next tick. The first entry behind a tick must tell, whether the tick met the
 *   guest or an exit's handler. Where this CPU's tick runs ahead of the one that counts
 *   jiffies, the entry behind the next tick does.
 * - Grace periods that are expedited or late ask for a reschedule, and that ends the
 *   series of entries at once. What else they ask for, and tasks RCU, may wait for many
 *   jiffies, and looks at nothing but such notes.
 * - Where there is no tick, on a nohz_full CPU, context tracking takes the guest out of
 *   RCU's sight altogether.
 * All of that holds with PREEMPT_RCU or without: preemption is off in between.
 */
static void tell_rcu(void)
{
	unsigned long now = jiffies;

	if (likely(this_cpu_read(rcu_told) == now))
		return;
	this_cpu_write(rcu_told, now);
	umbra_rcu_note();
}

/* XCR0, XSS and PKRU exist for a guest with these bits only; exits change neither. */
static bool reaches_xcr0(const struct umbra_vcpu *vcpu)
{
	return vcpu->cr4 & (X86_CR4_OSXSAVE | X86_CR4_PKE);
}

/*
 * One entry. The order of mode, barrier, requests is the other half of the
 * protocol in request.h. UMBRA_SLOW: something has to be done first.
 */
static int enter_once(struct umbra_vcpu *vcpu)
{
	local_irq_disable();
	/* Pairs with umbra_request(): mode before requests, there the reverse. */
	smp_store_mb(vcpu->mode, UMBRA_IN_GUEST);
	if (unlikely(READ_ONCE(vcpu->requests))) {
		serve_atomic_requests(vcpu);
		if (READ_ONCE(vcpu->requests))
			goto not_now;
	}
	if (umbra_guest_work_pending() || !this_cpu_read(umbra_cpu_on))
		goto not_now;
	if (event_due(vcpu) && !deliver_events(vcpu))
		goto not_now;
	if (umbra_pv_eoi_on(&vcpu->pv_eoi) && vcpu->lapic)
		umbra_pv_eoi_arm(vcpu);

	tell_rcu();
	if (reaches_xcr0(vcpu))
		umbra_fpu_guest_xcr0(vcpu);
	umbra_guest_time_enter();
	static_call(umbra_vendor_enter)(vcpu);
	if (reaches_xcr0(vcpu))
		umbra_fpu_host_xcr0(vcpu);

	WRITE_ONCE(vcpu->mode, UMBRA_OUTSIDE_GUEST);
	/* A tick that ended the guest is taken here, and counts as the guest's. */
	local_irq_enable();
	local_irq_disable();
	umbra_guest_time_exit();
	local_irq_enable();
	/* What was injected has arrived, or has to be injected again. */
	static_call(umbra_vendor_decode)(vcpu, &vcpu->ev.injected);
	umbra_stat_inc(vcpu, exits);
	return UMBRA_CONTINUE;

not_now:
	WRITE_ONCE(vcpu->mode, UMBRA_OUTSIDE_GUEST);
	local_irq_enable();
	return UMBRA_SLOW;
}

static void load(struct umbra_vcpu *vcpu)
{
	int cpu = smp_processor_id();

	/* Anything may have been changed meanwhile, by the client above all. */
	vcpu->ev.look = true;
	umbra_fpu_enter(vcpu);
	umbra_vendor->load(vcpu);
	vcpu->last_cpu = cpu;
	umbra_kvmclock_loaded(vcpu);
	WRITE_ONCE(vcpu->cpu, cpu);
}

static void put(struct umbra_vcpu *vcpu)
{
	WRITE_ONCE(vcpu->cpu, -1);
	umbra_vendor->put(vcpu);
	umbra_fpu_leave(vcpu);
}

/* User space asked to be told when KVM_INTERRUPT would be taken. */
static bool window_wanted_and_open(struct umbra_vcpu *vcpu)
{
	if (likely(!umbra_user_wants_window(vcpu)))
		return false;
	vcpu->ev.look = true;
	return umbra_event_irq_window_open(vcpu);
}

/*
 * Run the guest until something needs to sleep or user space. *handled tells
 * whether vcpu->exit still waits for its sleeping handler.
 */
static int run_atomic(struct umbra_vcpu *vcpu, bool *handled)
{
	int r;

	preempt_disable();
	load(vcpu);
	do {
		int idx;

		*handled = true;
		r = enter_once(vcpu);
		if (r != UMBRA_CONTINUE)
			break;
		if (vcpu->pv_eoi.armed && !umbra_pv_eoi_disarm(vcpu, true)) {
			*handled = false;
			break;
		}
		/* What the guest wrote there comes first, and may have to be faulted in. */
		if (unlikely(vcpu->tpr.page)) {
			*handled = false;
			break;
		}
		idx = srcu_read_lock(&vcpu->vm->srcu);
		r = umbra_exit_fast(vcpu);
		srcu_read_unlock(&vcpu->vm->srcu, idx);
		*handled = r != UMBRA_SLOW;
	} while (r == UMBRA_CONTINUE && !window_wanted_and_open(vcpu));
	put(vcpu);
	preempt_enable();
	return r;
}

static int serve_requests(struct umbra_vcpu *vcpu)
{
	int r = 0;

	if (umbra_take_request(vcpu, UMBRA_REQ_MSR_FILTER))
		umbra_vendor->sync_msr_map(vcpu);
	if (umbra_take_request(vcpu, UMBRA_REQ_CLOCK)) {
		umbra_tsc_sync(vcpu);
		umbra_kvmclock_update(vcpu);
	}
	/* What it asks for is in umbra_halt_due(), later: it is no root that is missing. */
	umbra_take_request(vcpu, UMBRA_REQ_HALT);
	if (umbra_take_request(vcpu, UMBRA_REQ_NEW_ROOT))
		r = umbra_mmu_load(vcpu);
	/* Without a root the guest must not run: ask again the next time. */
	if (r)
		umbra_request(vcpu, UMBRA_REQ_NEW_ROOT);
	return r;
}

static int signal_exit(struct umbra_vcpu *vcpu)
{
	vcpu->run->exit_reason = KVM_EXIT_INTR;
	return -EINTR;
}

/* Something waits that the inner guest does not see: its hypervisor goes on. */
static void end_inner(struct umbra_vcpu *vcpu)
{
	enum umbra_inner_end why = umbra_inner_due(vcpu);
	int idx;

	if (why == UMBRA_INNER_STAYS)
		return;
	idx = srcu_read_lock(&vcpu->vm->srcu);
	umbra_vendor->inner_end(vcpu, why);
	srcu_read_unlock(&vcpu->vm->srcu, idx);
}

/* What has to be in order before the atomic loop; sleeps. */
static int prepare(struct umbra_vcpu *vcpu)
{
	int r;

	if (READ_ONCE(vcpu->requests) & ~atomic_requests) {
		r = serve_requests(vcpu);
		if (r)
			return r;
	}
	if (umbra_tpr_exit(vcpu))
		return UMBRA_TO_USER;
	if (umbra_halt_due(vcpu)) {
		r = umbra_halt(vcpu);
		if (r != UMBRA_CONTINUE)
			return signal_exit(vcpu);
	}
	if (unlikely(vcpu->inner.active))
		end_inner(vcpu);
	if (vcpu->ev.triple_fault) {
		vcpu->ev.triple_fault = false;
		vcpu->run->exit_reason = KVM_EXIT_SHUTDOWN;
		return UMBRA_TO_USER;
	}
	if (unlikely(vcpu->tpr.page))
		umbra_tpr_sync(vcpu);
	if (unlikely(umbra_kvmclock_stale(vcpu)))
		umbra_request(vcpu, UMBRA_REQ_CLOCK);
	if (umbra_host_going_down())
		return -EIO;
	if (window_wanted_and_open(vcpu)) {
		vcpu->run->exit_reason = KVM_EXIT_IRQ_WINDOW_OPEN;
		return UMBRA_TO_USER;
	}
	if (umbra_guest_work_pending() && umbra_guest_work())
		return signal_exit(vcpu);
	if (!raw_cpu_read(umbra_cpu_on))
		cond_resched();
	return UMBRA_CONTINUE;
}

static int run_loop(struct umbra_vcpu *vcpu)
{
	int r;

	do {
		bool handled;
		int idx;

		r = prepare(vcpu);
		if (r != UMBRA_CONTINUE)
			break;
		r = run_atomic(vcpu, &handled);
		if (handled) {
			r = r == UMBRA_SLOW ? UMBRA_CONTINUE : r;
			continue;
		}
		if (vcpu->pv_eoi.armed)
			umbra_pv_eoi_disarm(vcpu, false);
		if (unlikely(vcpu->tpr.page))
			umbra_tpr_sync(vcpu);
		idx = srcu_read_lock(&vcpu->vm->srcu);
		r = umbra_exit_handle(vcpu);
		srcu_read_unlock(&vcpu->vm->srcu, idx);
	} while (r == UMBRA_CONTINUE);
	return r;
}

/* What user space may look at after every KVM_RUN. */
static void publish(struct umbra_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	run->if_flag = !!(vcpu->rflags & X86_EFLAGS_IF);
	run->flags = 0;
	run->cr8 = vcpu->cr8;
	run->apic_base = vcpu->msrs.apic_base;
	run->ready_for_interrupt_injection = umbra_event_irq_window_open(vcpu);
	if (READ_ONCE(run->kvm_valid_regs))
		umbra_sync_regs_store(vcpu);
}

static int begin(struct umbra_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	u64 dirty = READ_ONCE(run->kvm_dirty_regs);
	int idx, r;

	if ((READ_ONCE(run->kvm_valid_regs) | dirty) & ~(u64)KVM_SYNC_X86_VALID_FIELDS)
		return -EINVAL;
	if (dirty) {
		r = umbra_sync_regs_load(vcpu);
		if (r)
			return r;
	}
	/* Without a chip in the kernel user space owns the task priority. */
	if (!vcpu->lapic && umbra_set_cr8(vcpu, READ_ONCE(run->cr8)))
		return -EINVAL;
	idx = srcu_read_lock(&vcpu->vm->srcu);
	r = umbra_complete_user_io(vcpu);
	srcu_read_unlock(&vcpu->vm->srcu, idx);
	return r;
}

/* At module init, when the vendor is known. */
void __init umbra_run_init(void)
{
	static_call_update(umbra_vendor_enter, umbra_vendor->enter);
	static_call_update(umbra_vendor_decode, umbra_vendor->decode);
}

/**
 * umbra_vcpu_run() - KVM_RUN
 * @vcpu: its mutex is held; current->mm is the VM's
 *
 * Return: 0 with vcpu->run filled, -EINTR, or another negative errno.
 */
int umbra_vcpu_run(struct umbra_vcpu *vcpu)
{
	int r;

	/* With real_blocked, a signal let in for this call alone kills nobody. */
	if (vcpu->sigset_active)
		sigprocmask(SIG_SETMASK, &vcpu->sigset, &current->real_blocked);
	r = begin(vcpu);
	if (r == UMBRA_CONTINUE) {
		/* Leaving at once is no exit: clients look at the reason of the last one. */
		if (READ_ONCE(vcpu->run->immediate_exit)) {
			r = -EINTR;
		} else {
			vcpu->run->exit_reason = KVM_EXIT_UNKNOWN;
			r = run_loop(vcpu);
		}
	}
	publish(vcpu);
	if (vcpu->sigset_active) {
		sigprocmask(SIG_SETMASK, &current->real_blocked, NULL);
		sigemptyset(&current->real_blocked);
	}
	return r > 0 ? 0 : r;
}
