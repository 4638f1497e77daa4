// SPDX-License-Identifier: GPL-2.0
/*
 * Open the hypervisor's device, check its API version, and put every way this
 * can fail into words that name the module, the permission and the remedy.
 *
 * Knows the device node only; VMs and vCPUs are machine.c's and vcpu.c's.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cpu.h"
#include "hypervisor.h"
#include "umbra.h"

/**
 * hv_is_kvm() - Whether the node is the kernel's own KVM by its name.
 * @path: device node
 *
 * Return: true when the last part of @path is "kvm".
 */
bool hv_is_kvm(const char *path)
{
	const char *name = strrchr(path, '/');

	return !strcmp(name ? name + 1 : path, "kvm");
}

/**
 * hv_module_name() - Module that has to be loaded for a device node.
 * @path: device node
 *
 * Return: module name, for KVM by this CPU's vendor.
 */
const char *hv_module_name(const char *path)
{
	if (!hv_is_kvm(path))
		return "umbra";
	return cpu_vendor() == CPU_INTEL ? "kvm_intel" : "kvm_amd";
}

static void explain_permission(const char *path, char *text, size_t size)
{
	const struct group *group;
	struct stat st;

	if (stat(path, &st)) {
		snprintf(text, size, "no permission for %s", path);
		return;
	}
	group = getgrgid(st.st_gid);
	if (group && st.st_gid && st.st_mode & 0060)
		snprintf(text, size,
			 "no permission for %s: join its group (usermod -aG %s USER), log in again",
			 path, group->gr_name);
	else
		snprintf(text, size,
			 "no permission for %s (mode %04o): run as root, or install the udev rule",
			 path, st.st_mode & 07777);
}

/**
 * hv_explain_open() - Say why open() of the device failed and what to do.
 * @path: device node
 * @err: errno of the failure
 * @text: where to put the sentence
 * @size: of @text
 */
void hv_explain_open(const char *path, int err, char *text, size_t size)
{
	const char *module = hv_module_name(path);

	switch (err) {
	case ENOENT:
		snprintf(text, size,
			 "%s is not there: load the module (modprobe %s), then see 'umbra check'",
			 path, module);
		break;
	case ENODEV:
	case ENXIO:
		snprintf(text, size,
			 "%s has no driver behind it: load the module (modprobe %s)",
			 path, module);
		break;
	case EACCES:
	case EPERM:
		explain_permission(path, text, size);
		break;
	case EBUSY:
		hv_explain_vm(err, text, size);
		break;
	default:
		snprintf(text, size, "cannot open %s: %s", path, strerror(err));
		break;
	}
}

/**
 * hv_explain_vm() - Say why KVM_CREATE_VM failed and what to do.
 * @err: errno of the failure
 * @text: where to put the sentence
 * @size: of @text
 */
void hv_explain_vm(int err, char *text, size_t size)
{
	if (err == EBUSY)
		snprintf(text, size,
			 "the CPU's extension is taken by another hypervisor: end its guests or unload its module, see 'umbra check'");
	else
		snprintf(text, size, "cannot create a VM: %s", strerror(err));
}

/**
 * hv_open() - Open a device node and check that it speaks API version 12.
 * @hv: filled in
 * @path: device node; must live as long as @hv
 *
 * Return: 0, or -1 after a message.
 */
int hv_open(struct hypervisor *hv, const char *path)
{
	char text[256];
	int version, size;

	hv->path = path;
	hv->fd = open(path, O_RDWR | O_CLOEXEC);
	if (hv->fd < 0) {
		hv_explain_open(path, errno, text, sizeof(text));
		complain("%s", text);
		return -1;
	}
	version = ioctl(hv->fd, KVM_GET_API_VERSION, 0);
	size = ioctl(hv->fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (version != KVM_API_VERSION || size < (int)sizeof(struct kvm_run)) {
		if (version < 0)
			complain("%s is not a KVM-like device: %s", path, strerror(errno));
		else if (version != KVM_API_VERSION)
			complain("%s speaks API version %d, %d is wanted", path, version,
				 KVM_API_VERSION);
		else
			complain("%s offers no usable vCPU page", path);
		hv_close(hv);
		return -1;
	}
	hv->run_size = size;
	return 0;
}

/**
 * hv_close() - Close the device node.
 * @hv: opened by hv_open()
 */
void hv_close(struct hypervisor *hv)
{
	close(hv->fd);
	hv->fd = -1;
}

/**
 * hv_capability() - Ask for a capability.
 * @hv: open device
 * @cap: KVM_CAP_*
 *
 * Return: the answer, 0 when the question itself fails.
 */
int hv_capability(const struct hypervisor *hv, int cap)
{
	int answer = ioctl(hv->fd, KVM_CHECK_EXTENSION, cap);

	return answer < 0 ? 0 : answer;
}
