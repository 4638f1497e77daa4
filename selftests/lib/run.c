// SPDX-License-Identifier: GPL-2.0
/*
 * Running a vCPU and understanding what comes back. Answers ucalls only;
 * every other exit belongs to the test.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "umbra_util.h"

static const char * const exit_names[] = {
	[KVM_EXIT_UNKNOWN] = "UNKNOWN",
	[KVM_EXIT_IO] = "IO",
	[KVM_EXIT_DEBUG] = "DEBUG",
	[KVM_EXIT_HLT] = "HLT",
	[KVM_EXIT_MMIO] = "MMIO",
	[KVM_EXIT_IRQ_WINDOW_OPEN] = "IRQ_WINDOW_OPEN",
	[KVM_EXIT_SHUTDOWN] = "SHUTDOWN",
	[KVM_EXIT_FAIL_ENTRY] = "FAIL_ENTRY",
	[KVM_EXIT_INTR] = "INTR",
	[KVM_EXIT_SET_TPR] = "SET_TPR",
	[KVM_EXIT_INTERNAL_ERROR] = "INTERNAL_ERROR",
	[KVM_EXIT_X86_RDMSR] = "X86_RDMSR",
	[KVM_EXIT_X86_WRMSR] = "X86_WRMSR",
};

const char *ut_exit_name(u32 reason)
{
	if (reason < ARRAY_SIZE(exit_names) && exit_names[reason])
		return exit_names[reason];
	return "?";
}

int ut_run(struct ut_vcpu *vcpu)
{
	return ut_ioctl(vcpu->fd, KVM_RUN, 0);
}

void *ut_io_data(struct ut_vcpu *vcpu)
{
	return (char *)vcpu->run + vcpu->run->io.data_offset;
}

bool ut_get_ucall(struct ut_vcpu *vcpu, struct ut_ucall *uc)
{
	const struct kvm_run *run = vcpu->run;
	u32 gpa;

	if (run->exit_reason != KVM_EXIT_IO || run->io.port != UT_UCALL_PORT ||
	    run->io.direction != KVM_EXIT_IO_OUT || run->io.size != sizeof(gpa))
		return false;
	memcpy(&gpa, ut_io_data(vcpu), sizeof(gpa));
	memcpy(uc, ut_hva(vcpu->vm, gpa), sizeof(*uc));
	return true;
}

static void print_guest(const struct ut_ucall *uc)
{
	const char *fmt = (const char *)uc->arg[0];

	fputs("# guest: ", stderr);
	fprintf(stderr, fmt, uc->arg[1], uc->arg[2], uc->arg[3]);
	fputc('\n', stderr);
}

static void guest_failed(const struct ut_vcpu *vcpu, const struct ut_ucall *uc)
{
	if (uc->cmd == UT_ABORT)
		ut_die("vCPU %d, %s:%lu: guest assertion failed: %s (%#lx, %#lx)", vcpu->id,
		       (const char *)uc->arg[1], uc->arg[2], (const char *)uc->arg[0],
		       uc->arg[3], uc->arg[4]);
	if (uc->cmd == UT_EXCEPTION)
		ut_die("vCPU %d: exception %lu, error %#lx, rip %#lx, cr2 %#lx, rsp %#lx",
		       vcpu->id, uc->arg[0], uc->arg[1], uc->arg[2], uc->arg[3], uc->arg[4]);
	ut_die("vCPU %d: unknown ucall %lu", vcpu->id, uc->cmd);
}

int ut_next_or_signal(struct ut_vcpu *vcpu, struct ut_ucall *out)
{
	struct ut_ucall uc;
	int ret;

	for (;;) {
		ret = ut_run(vcpu);
		if (ret == -EINTR || ret == -EAGAIN)
			return ret;
		if (ret < 0)
			ut_die("KVM_RUN on vCPU %d: %s", vcpu->id, strerror(-ret));
		if (!ut_get_ucall(vcpu, &uc))
			return UT_EXIT;
		if (uc.cmd == UT_SYNC || uc.cmd == UT_DONE)
			break;
		if (uc.cmd != UT_PRINTF)
			guest_failed(vcpu, &uc);
		print_guest(&uc);
	}
	if (out)
		*out = uc;
	return uc.cmd;
}

int ut_next(struct ut_vcpu *vcpu, struct ut_ucall *out)
{
	int ret;

	do
		ret = ut_next_or_signal(vcpu, out);
	while (ret < 0);
	return ret;
}
