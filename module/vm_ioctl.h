/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The calls on a VM's descriptor.
 */
#ifndef UMBRA_VM_IOCTL_H
#define UMBRA_VM_IOCTL_H

struct file;

long umbra_vm_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

#endif
