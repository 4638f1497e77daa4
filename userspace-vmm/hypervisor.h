/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The hypervisor's device: open it, know its version, explain why it will not open.
 *
 * /dev/umbra and /dev/kvm speak the same ioctls; only messages tell them apart.
 */
#ifndef UMBRA_VMM_HYPERVISOR_H
#define UMBRA_VMM_HYPERVISOR_H

#include "types.h"

/**
 * struct hypervisor - an open device node
 * @path: as given by the user, not owned
 * @fd: the node
 * @run_size: bytes of a vCPU's shared page area
 */
struct hypervisor {
	const char *path;
	int fd;
	size_t run_size;
};

bool hv_is_kvm(const char *path);
const char *hv_module_name(const char *path);
void hv_explain_open(const char *path, int err, char *text, size_t size);
void hv_explain_vm(int err, char *text, size_t size);
int hv_open(struct hypervisor *hv, const char *path);
void hv_close(struct hypervisor *hv);
int hv_capability(const struct hypervisor *hv, int cap);

#endif
