/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Turning the virtualization extension on and off on the host's CPUs, and
 * keeping it right over CPU hotplug, suspend and reboot.
 */
#ifndef UMBRA_HOST_H
#define UMBRA_HOST_H

#include <linux/percpu.h>
#include <linux/types.h>

DECLARE_PER_CPU(bool, umbra_cpu_on);

int umbra_host_init(void);
void umbra_host_exit(void);

/*
 * The first user turns the extension on everywhere, the last one turns it off.
 * Sleeps. 0, or -EBUSY when another hypervisor owns a CPU.
 */
int umbra_host_get(void);
void umbra_host_put(void);

/* The machine is going down: no guest enters any more. */
bool umbra_host_going_down(void);

#endif
