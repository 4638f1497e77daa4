// SPDX-License-Identifier: GPL-2.0
/*
 * What each guest exit means: one small handler per reason.
 *
 * Handlers run on the vCPU's own thread. Decoding failures into words is reasons.c's.
 */
#include <linux/kvm.h>
#include <string.h>

#include "devices.h"
#include "machine.h"
#include "reasons.h"
#include "umbra.h"
#include "vcpu.h"

static void exit_io(struct vcpu *v)
{
	const struct kvm_run *run = v->run;
	u8 *data = (u8 *)run + run->io.data_offset;
	u32 i;

	for (i = 0; i < run->io.count; i++, data += run->io.size)
		port_access(v, run->io.port, data, run->io.size,
			    run->io.direction == KVM_EXIT_IO_OUT);
}

static void exit_mmio(struct vcpu *v)
{
	struct kvm_run *run = v->run;

	mmio_access(v, run->mmio.phys_addr, run->mmio.data, run->mmio.len, run->mmio.is_write);
}

static void exit_fail_entry(struct vcpu *v)
{
	u64 reason = v->run->fail_entry.hardware_entry_failure_reason;

	machine_end(v->m, v, STATUS_FAIL_ENTRY, "vCPU %u: entry failed, hardware reason 0x%llx: %s",
		    v->index, reason, fail_entry_text(reason));
}

static void exit_internal(struct vcpu *v)
{
	u32 suberror = v->run->internal.suberror;

	machine_end(v->m, v, STATUS_INTERNAL, "vCPU %u: internal error %u: %s", v->index, suberror,
		    internal_error_text(suberror));
}

static void exit_unknown(struct vcpu *v)
{
	u32 reason = v->run->exit_reason;

	if (reason == KVM_EXIT_UNKNOWN)
		machine_end(v->m, v, STATUS_UNKNOWN_EXIT,
			    "vCPU %u: hardware exit 0x%llx that the hypervisor does not know",
			    v->index, (u64)v->run->hw.hardware_exit_reason);
	else
		machine_end(v->m, v, STATUS_UNKNOWN_EXIT, "vCPU %u: exit %u (%s) not handled",
			    v->index, reason, exit_reason_name(reason));
}

/**
 * vcpu_handle_exit() - Act on the exit KVM_RUN just returned with.
 * @v: vCPU of the calling thread
 */
void vcpu_handle_exit(struct vcpu *v)
{
	u32 reason = v->run->exit_reason;

	v->exits[reason < NR_EXIT_REASONS ? reason : NR_EXIT_REASONS - 1]++;
	switch (reason) {
	case KVM_EXIT_IO:
		exit_io(v);
		break;
	case KVM_EXIT_MMIO:
		exit_mmio(v);
		break;
	case KVM_EXIT_HLT:
		vcpu_halted(v);
		break;
	case KVM_EXIT_IRQ_WINDOW_OPEN:
	case KVM_EXIT_INTR:
		break;
	case KVM_EXIT_SHUTDOWN:
		machine_end(v->m, v, STATUS_SHUTDOWN,
			    "vCPU %u shut down, as by a triple fault", v->index);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		exit_fail_entry(v);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		exit_internal(v);
		break;
	default:
		exit_unknown(v);
		break;
	}
}
