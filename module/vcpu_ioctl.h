/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The calls on a vCPU's descriptor.
 */
#ifndef UMBRA_VCPU_IOCTL_H
#define UMBRA_VCPU_IOCTL_H

struct file;

long umbra_vcpu_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

#endif
