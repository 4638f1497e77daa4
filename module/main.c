// SPDX-License-Identifier: GPL-2.0
/*
 * Module init and exit: pick the vendor, bring the parts up in order, take
 * them down in reverse. Nothing else.
 */
#define pr_fmt(fmt) "umbra: " fmt

#include <linux/module.h>
#include <linux/printk.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>
#include "dev.h"
#include "fpu.h"
#include "host.h"
#include "mmu/mmu.h"
#include "mode.h"
#include "msr.h"
#include "vcpu.h"
#include "vendor.h"

const struct umbra_vendor_ops *umbra_vendor __ro_after_init;
struct umbra_host_caps umbra_caps __ro_after_init;

/* A CPU of neither vendor's kind is refused by the probe, whichever it is. */
static const struct umbra_vendor_ops * __init umbra_host_vendor(void)
{
	switch (boot_cpu_data.x86_vendor) {
	case X86_VENDOR_INTEL:
	case X86_VENDOR_CENTAUR:
	case X86_VENDOR_ZHAOXIN:
		return &umbra_vmx_ops;
	default:
		return &umbra_svm_ops;
	}
}

static int __init umbra_pick_vendor(void)
{
	int r;

	umbra_vendor = umbra_host_vendor();
	r = umbra_vendor->probe();
	if (!r)
		r = umbra_mode_init();
	return r ? r : umbra_vendor->setup();
}

static int __init umbra_init(void)
{
	int r = umbra_pick_vendor();

	if (r)
		return r;
	umbra_run_init();
	r = umbra_fpu_init();
	if (r)
		goto teardown;
	r = umbra_msrs_init();
	if (r)
		goto teardown;
	r = umbra_mmu_init();
	if (r)
		goto teardown;
	r = umbra_host_init();
	if (r)
		goto mmu_exit;
	r = umbra_dev_register();
	if (r)
		goto host_exit;
	pr_info("ready: %s, mode %s, %u address space tags\n", umbra_vendor->name,
		umbra_mode_name(umbra_mode_default()), umbra_caps.asids);
	return 0;

host_exit:
	umbra_host_exit();
mmu_exit:
	umbra_mmu_exit();
teardown:
	umbra_vendor->teardown();
	return r;
}

static void __exit umbra_exit(void)
{
	umbra_dev_unregister();
	umbra_host_exit();
	umbra_mmu_exit();
	umbra_vendor->teardown();
}

module_init(umbra_init);
module_exit(umbra_exit);

MODULE_DESCRIPTION("Umbra: a small hypervisor for the study of memory virtualization");
MODULE_AUTHOR("Umbra developers");
MODULE_LICENSE("GPL");
