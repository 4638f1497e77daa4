// SPDX-License-Identifier: GPL-2.0
/*
 * Host requirements that software decides: other hypervisors, module, device
 * node, permission, API version, and whether a VM can be made.
 *
 * Finds out; printing is cmd_check.c's.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check_host.h"
#include "cpu.h"
#include "hypervisor.h"
#include "mmu.h"

#define MSR_EFER	0xc0000080
#define EFER_SVME	BIT_ULL(12)

/* Modules that take the CPU's extension, and who they belong to. */
static const struct {
	const char *module;
	const char *owner;
} rivals[] = {
	{ "kvm_amd", "KVM" },
	{ "kvm_intel", "KVM" },
	{ "umbra", "Umbra" },
	{ "vboxdrv", "VirtualBox" },
	{ "vmmon", "VMware" },
};

/**
 * found() - Fill in a finding, required and without a remedy.
 * @f: finding
 * @name: short name
 * @verdict: whether the requirement is met
 * @fmt: what was found, as for printf()
 */
void found(struct finding *f, const char *name, enum verdict verdict, const char *fmt, ...)
{
	va_list args;

	memset(f, 0, sizeof(*f));
	f->name = name;
	f->required = true;
	f->verdict = verdict;
	va_start(args, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, args);
	va_end(args);
}

/* Users of a module; -1 when it is not loaded. */
static int module_users(const char *module)
{
	char path[64];
	int users = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/module/%s", module);
	if (access(path, F_OK))
		return -1;
	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", module);
	f = fopen(path, "r");
	if (!f)
		return 0;
	if (fscanf(f, "%d", &users) != 1)
		users = 0;
	fclose(f);
	return users;
}

/* Of Intel's CR4.VMXE no program can ask: there EBUSY tells when a VM is made. */
static bool svme_is_set(void)
{
	long cpu, cpus = sysconf(_SC_NPROCESSORS_CONF);
	u64 efer;

	for (cpu = 0; cpu < cpus; cpu++)
		if (!cpu_read_msr(cpu, MSR_EFER, &efer) && efer & EFER_SVME)
			return true;
	return false;
}

static void check_rivals(const char *device, struct finding *f)
{
	const char *own = hv_module_name(device);
	int own_users = module_users(own), users;
	char idle[64] = "";
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rivals); i++) {
		users = module_users(rivals[i].module);
		if (users < 0 || !strcmp(rivals[i].module, own))
			continue;
		if (users > 0) {
			found(f, "other-hypervisor", CHECK_NO, "%s (module %s) has users: %d",
			      rivals[i].owner, rivals[i].module, users);
			snprintf(f->remedy, sizeof(f->remedy),
				 "end its guests, or unload it (modprobe -r %s)",
				 rivals[i].module);
			return;
		}
		snprintf(idle, sizeof(idle), "; %s is loaded, but idle", rivals[i].module);
	}
	if (cpu_has_svm() && own_users <= 0 && svme_is_set()) {
		found(f, "other-hypervisor", CHECK_NO,
		      "EFER.SVME is set, but %s has no user: something else took the CPU", own);
		snprintf(f->remedy, sizeof(f->remedy),
			 "find and unload the other hypervisor's module; see lsmod");
		return;
	}
	found(f, "other-hypervisor", CHECK_YES, "no other hypervisor holds the CPU%s", idle);
}

static void check_module(const char *device, struct finding *f)
{
	const char *module = hv_module_name(device);

	if (module_users(module) >= 0) {
		found(f, "module", CHECK_YES, "%s is loaded", module);
		return;
	}
	found(f, "module", CHECK_NO, "%s is not loaded", module);
	snprintf(f->remedy, sizeof(f->remedy), "modprobe %s%s", module,
		 hv_is_kvm(device) ? "" : ", or insmod build/umbra.ko; dmesg tells why it refuses");
}

static bool check_node(const char *device, struct finding *f)
{
	struct stat st;

	if (stat(device, &st)) {
		found(f, "device-node", CHECK_NO, "%s: %s", device, strerror(errno));
		snprintf(f->remedy, sizeof(f->remedy), "load the module (modprobe %s)",
			 hv_module_name(device));
		return false;
	}
	if (!S_ISCHR(st.st_mode)) {
		found(f, "device-node", CHECK_NO, "%s is not a character device", device);
		snprintf(f->remedy, sizeof(f->remedy), "remove it and load the module again");
		return false;
	}
	found(f, "device-node", CHECK_YES, "%s is there", device);
	return true;
}

static int check_permission(const char *device, struct finding *f)
{
	int fd = open(device, O_RDWR | O_CLOEXEC);

	if (fd >= 0) {
		found(f, "permission", CHECK_YES, "%s can be opened", device);
		return fd;
	}
	found(f, "permission", CHECK_NO, "%s: %s", device, strerror(errno));
	hv_explain_open(device, errno, f->remedy, sizeof(f->remedy));
	return -1;
}

static bool check_version(int fd, struct finding *f)
{
	int version = ioctl(fd, KVM_GET_API_VERSION, 0);

	found(f, "api-version", version == KVM_API_VERSION ? CHECK_YES : CHECK_NO,
	      version < 0 ? "not a KVM-like device" : "API version %d", version);
	if (version == KVM_API_VERSION)
		return true;
	snprintf(f->remedy, sizeof(f->remedy), "module and tool do not fit: install both anew");
	return false;
}

static void check_vm(int fd, struct finding *f)
{
	int vm = ioctl(fd, KVM_CREATE_VM, 0);

	if (vm >= 0) {
		found(f, "vm", CHECK_YES, "a VM can be made");
		close(vm);
		return;
	}
	found(f, "vm", CHECK_NO, "no VM can be made: %s", strerror(errno));
	hv_explain_vm(errno, f->remedy, sizeof(f->remedy));
}

/* KVM's mode is its module's, for all VMs, and not told here. */
static void check_mmu(const char *device, int fd, struct finding *f)
{
	struct mmu_choice choice;
	char text[64];

	if (hv_is_kvm(device)) {
		found(f, "mmu-modes", CHECK_UNKNOWN, "KVM has one for all VMs");
	} else if (mmu_choice(fd, &choice)) {
		found(f, "mmu-modes", CHECK_NO, "an older Umbra, with one mode for all VMs");
		snprintf(f->remedy, sizeof(f->remedy), "install module and tool anew for --mmu");
	} else {
		mmu_list(&choice, text, sizeof(text));
		found(f, "mmu-modes", CHECK_YES, "%s", text);
	}
	f->required = false;
}

/* A kernel's PC wants them; other guests do not. */
static void check_irqchip(int fd, struct finding *f)
{
	bool chip = ioctl(fd, KVM_CHECK_EXTENSION, KVM_CAP_IRQCHIP) > 0 &&
		    ioctl(fd, KVM_CHECK_EXTENSION, KVM_CAP_PIT2) > 0;

	if (chip) {
		found(f, "irqchip", CHECK_YES, "interrupt controllers and timer, for --kernel");
	} else {
		found(f, "irqchip", CHECK_NO, "neither interrupt controllers nor timer");
		snprintf(f->remedy, sizeof(f->remedy), "install a newer module for --kernel");
	}
	f->required = false;
}

static unsigned int skip(struct finding *f, const char *const *names, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		found(&f[i], names[i], CHECK_UNKNOWN, "not tried, see above");
	return n;
}

static unsigned int check_device(const char *device, struct finding *f)
{
	static const char *const names[] = { "permission", "api-version", "vm" };
	unsigned int n = 0;
	int fd;

	if (!check_node(device, &f[n++]))
		return n + skip(f + n, names, 3);
	fd = check_permission(device, &f[n++]);
	if (fd < 0)
		return n + skip(f + n, names + 1, 2);
	if (check_version(fd, &f[n++])) {
		check_vm(fd, &f[n++]);
		check_mmu(device, fd, &f[n++]);
		check_irqchip(fd, &f[n++]);
	} else {
		n += skip(f + n, names + 2, 1);
	}
	close(fd);
	return n;
}

/**
 * check_host() - Find out about every requirement.
 * @device: device node guests are to run on
 * @findings: filled in
 *
 * Return: number of findings.
 */
unsigned int check_host(const char *device, struct finding findings[MAX_FINDINGS])
{
	unsigned int n = 0;

	n += check_cpu(findings + n);
	check_rivals(device, &findings[n++]);
	check_module(device, &findings[n++]);
	n += check_device(device, findings + n);
	return n;
}
