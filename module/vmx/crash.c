// SPDX-License-Identifier: GPL-2.0
/*
 * VMX off when the kernel crashes or is reset in an emergency: the crash kernel
 * and the firmware find processors that take INIT. Owns the kernel's one callback
 * for it as long as kvm_intel is not there, which registers its own when it is
 * loaded; that turns VMX off whoever turned it on. Must not look at lists or
 * VMCSs: it runs in NMI context, in the middle of anything.
 */
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/string.h>
#include <asm/processor-flags.h>
#include <asm/special_insns.h>
#include "../compat.h"
#include "insn.h"
#include "vmx.h"

#define VMX_OTHER_OWNER	"kvm_intel"

static DEFINE_MUTEX(crash_lock);
static bool crash_registered;		/* (crash_lock) */

/* NMI context; the CPU does not come back from here to a guest. */
static void vmx_emergency(void)
{
	if (!(__read_cr4() & X86_CR4_VMXE))
		return;
	/* May come before VMXON or behind VMXOFF: the fault is tolerated. */
	vmx_vmxoff();
	umbra_set_vmxe(false);
}

static void vmx_crash_own(bool own)
{
	mutex_lock(&crash_lock);
	if (own && !crash_registered)
		umbra_register_emergency(vmx_emergency);
	else if (!own && crash_registered)
		umbra_unregister_emergency(vmx_emergency);
	crash_registered = own;
	mutex_unlock(&crash_lock);
}

/* kvm_intel registers between the two that are told here, and unregisters. */
static int vmx_crash_module(struct notifier_block *nb, unsigned long state, void *data)
{
	const struct module *mod = data;

	if (strcmp(mod->name, VMX_OTHER_OWNER))
		return NOTIFY_DONE;
	if (state == MODULE_STATE_COMING)
		vmx_crash_own(false);
	else if (state == MODULE_STATE_GOING)
		vmx_crash_own(true);
	return NOTIFY_OK;
}

static struct notifier_block vmx_crash_nb = {
	.notifier_call = vmx_crash_module,
};

/* Loaded, or part of the kernel: both are in /sys/module. */
static bool vmx_kvm_present(void)
{
	struct kobject *kobj = kset_find_obj(THIS_MODULE->mkobj.kobj.kset, VMX_OTHER_OWNER);

	kobject_put(kobj);
	return kobj;
}

void vmx_crash_init(void)
{
	register_module_notifier(&vmx_crash_nb);
	vmx_crash_own(!vmx_kvm_present());
}

void vmx_crash_exit(void)
{
	unregister_module_notifier(&vmx_crash_nb);
	vmx_crash_own(false);
}
