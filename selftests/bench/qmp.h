/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Asks a running QEMU for the hypervisor's statistics over its control socket. A hypervisor
 * answers only the process that made the VM, so nobody else can read them.
 */
#ifndef BENCH_QMP_H
#define BENCH_QMP_H

#include <stdbool.h>
#include <stdint.h>

/**
 * qmp_connect() - open the control socket
 * @path: what QEMU was given with -qmp unix:PATH,server=on,wait=off
 *
 * Return: a descriptor, or -1.
 */
int qmp_connect(const char *path);

/**
 * qmp_statistic() - the value of a statistic
 * @fd: result of qmp_connect()
 * @target: "vm", or "vcpu" for that of the first one
 * @name: as the hypervisor calls it
 * @value: result
 *
 * Return: false when QEMU does not know.
 */
bool qmp_statistic(int fd, const char *target, const char *name, uint64_t *value);

#endif
