// SPDX-License-Identifier: GPL-2.0
/*
 * Which VMCS is active on which CPU. A processor keeps parts of an active VMCS
 * to itself: before another CPU may use it, before its page is freed and before
 * VMX is turned off, it has to be cleared where it is active. Looks at no
 * field of a VMCS but through vmx_fetch().
 *
 * vmx->cpu and the list change with interrupts off on the CPU concerned, by its
 * own code or in an IPI. vmx->cpu is -1 only when the cache is complete, so that
 * a vCPU's registers can be had even while its CPU's VMX is off.
 */
#include <linux/bug.h>
#include <linux/irqflags.h>
#include <linux/list.h>
#include <linux/percpu.h>
#include <linux/smp.h>
#include "insn.h"
#include "vmx.h"

static void vmx_set_current(struct vmx_cpu *vc, u64 pa)
{
	if (vc->current_vmcs == pa)
		return;
	vmx_vmptrld(pa);
	vc->current_vmcs = pa;
}

/* Interrupts off, on the CPU where the VMCS is active. */
static void vmx_clear_here(struct vmx_vcpu *vmx, struct vmx_cpu *vc)
{
	vmx_vmclear(vmx->vmcs_pa);
	if (vc->current_vmcs == vmx->vmcs_pa)
		vc->current_vmcs = 0;
	list_del(&vmx->active);
	vmx->launched = false;
	/* Pairs with vmx_complete_cache(): the cache before the number. */
	smp_store_release(&vmx->cpu, -1);
}

/* By IPI. The CPU may have been turned off, and on again, in the meantime. */
static void vmx_leave_cpu(void *data)
{
	struct vmx_vcpu *vmx = data;

	if (vmx->cpu == smp_processor_id())
		vmx_clear_here(vmx, this_cpu_ptr(&umbra_vmx_cpu));
}

void vmx_deactivate(struct vmx_vcpu *vmx)
{
	int cpu = READ_ONCE(vmx->cpu);

	if (cpu >= 0)
		smp_call_function_single(cpu, vmx_leave_cpu, vmx, 1);
}

static void vmx_complete_here(struct vmx_vcpu *vmx, struct vmx_cpu *vc)
{
	u64 before = vc->current_vmcs;

	vmx_set_current(vc, vmx->vmcs_pa);
	vmx_fetch(vmx, VMX_CACHED);
	/* Another vCPU may be loaded here. */
	if (before)
		vmx_set_current(vc, before);
}

static void vmx_complete_ipi(void *data)
{
	struct vmx_vcpu *vmx = data;

	if (vmx->cpu == smp_processor_id())
		vmx_complete_here(vmx, this_cpu_ptr(&umbra_vmx_cpu));
}

void vmx_complete_cache(struct vmx_vcpu *vmx)
{
	while (READ_ONCE(vmx->valid) != VMX_CACHED) {
		/* Pairs with vmx_clear_here(). */
		int cpu = smp_load_acquire(&vmx->cpu);

		if (cpu >= 0)
			smp_call_function_single(cpu, vmx_complete_ipi, vmx, 1);
		else if (WARN_ON_ONCE(READ_ONCE(vmx->valid) != VMX_CACHED))
			vmx->valid = VMX_CACHED;
	}
}

void vmx_deactivate_all(struct vmx_cpu *vc)
{
	struct vmx_vcpu *vmx, *next;

	list_for_each_entry_safe(vmx, next, &vc->active, active) {
		vmx_complete_here(vmx, vc);
		vmx_clear_here(vmx, vc);
	}
}

bool vmx_make_current(struct vmx_vcpu *vmx)
{
	struct vmx_cpu *vc = this_cpu_ptr(&umbra_vmx_cpu);
	int cpu = smp_processor_id();
	unsigned long flags;
	bool moved;

	if (likely(vc->current_vmcs == vmx->vmcs_pa))
		return false;
	if (READ_ONCE(vmx->cpu) != cpu)
		vmx_deactivate(vmx);
	local_irq_save(flags);
	moved = vmx->cpu != cpu;
	if (moved) {
		vmx_vmclear(vmx->vmcs_pa);
		list_add(&vmx->active, &vc->active);
		vmx->cpu = cpu;
	}
	vmx_set_current(vc, vmx->vmcs_pa);
	local_irq_restore(flags);
	return moved;
}
