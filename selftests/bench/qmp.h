/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Steers a running QEMU over its control socket, and asks it for the hypervisor's statistics: a
 * hypervisor answers only the process that made the VM, so nobody else can read them.
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
 * qmp_execute() - one command and its answer
 * @fd: result of qmp_connect()
 * @command: one line of JSON
 *
 * Return: the line that answers, which has "return" or "error", to be freed; NULL when none came.
 */
char *qmp_execute(int fd, const char *command);

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
