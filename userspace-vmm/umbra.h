/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the subcommands of the umbra tool share: exit statuses, their names, messages.
 *
 * The numbers are part of the tool's interface (umbra.1 lists them); a guest's own
 * status and a failure of the VMM never share a number. Owns no state.
 */
#ifndef UMBRA_VMM_UMBRA_H
#define UMBRA_VMM_UMBRA_H

#include "types.h"

#define UMBRA_VERSION		"0.1"
#define UMBRA_DEVICE		"/dev/umbra"

/**
 * enum run_status - exit status of "umbra run"
 * @STATUS_GUEST_MAX: 0 to here is what the guest wrote to the debug exit port
 * @STATUS_USAGE: wrong options or arguments
 * @STATUS_HOST: the host cannot run guests: device, permission, version, resources
 * @STATUS_IMAGE: the guest's image was refused
 * @STATUS_TIMEOUT: the guest ran out of time
 * @STATUS_SHUTDOWN: a vCPU shut down, as by a triple fault
 * @STATUS_FAIL_ENTRY: the CPU refused to enter the guest
 * @STATUS_INTERNAL: the hypervisor reported an internal error
 * @STATUS_HALTED: no vCPU can ever run again, and none reported a status
 * @STATUS_SIGNAL: the user ended the run: SIGINT, SIGTERM, or Ctrl-A x on the console
 * @STATUS_UNKNOWN_EXIT: a guest exit the VMM has no handler for, or KVM_RUN failed
 * @STATUS_REBOOT: the guest rebooted, and the user did not want that
 */
enum run_status {
	STATUS_GUEST_MAX = 99,
	STATUS_USAGE = 100,
	STATUS_HOST,
	STATUS_IMAGE,
	STATUS_TIMEOUT,
	STATUS_SHUTDOWN,
	STATUS_FAIL_ENTRY,
	STATUS_INTERNAL,
	STATUS_HALTED,
	STATUS_SIGNAL,
	STATUS_UNKNOWN_EXIT,
	STATUS_REBOOT,
};

const char *status_name(int status);
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);

#endif
