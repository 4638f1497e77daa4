// SPDX-License-Identifier: GPL-2.0
/*
 * When the virtualization extension is on, on which CPUs. The how is the
 * vendor's. Reference counted by VMs, so that another hypervisor can be used
 * whenever no Umbra guest exists.
 */
#define pr_fmt(fmt) "umbra: " fmt

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/printk.h>
#include <linux/reboot.h>
#include <linux/smp.h>
#include <linux/syscore_ops.h>
#include "host.h"
#include "tsc.h"
#include "vendor.h"

DEFINE_PER_CPU(bool, umbra_cpu_on);

static DEFINE_MUTEX(host_lock);		/* inside cpus_read_lock() */
static int host_users;			/* (host_lock) */
static bool going_down;			/* set once: no guest enters any more */
static int hotplug_state;

/* Interrupts off: by on_each_cpu(), syscore or the callers below. */
static void cpu_on(void *failed)
{
	int r;

	if (this_cpu_read(umbra_cpu_on) || going_down)
		return;
	r = umbra_vendor->cpu_enable();
	if (r)
		atomic_inc(failed);
	else
		this_cpu_write(umbra_cpu_on, true);
}

static void cpu_off(void *unused)
{
	if (!this_cpu_read(umbra_cpu_on))
		return;
	this_cpu_write(umbra_cpu_on, false);
	umbra_vendor->cpu_disable();
}

bool umbra_host_going_down(void)
{
	return READ_ONCE(going_down);
}

int umbra_host_get(void)
{
	atomic_t failed = ATOMIC_INIT(0);
	int r = 0;

	cpus_read_lock();
	mutex_lock(&host_lock);
	if (!host_users) {
		on_each_cpu(cpu_on, &failed, 1);
		if (atomic_read(&failed)) {
			on_each_cpu(cpu_off, NULL, 1);
			pr_err_ratelimited("%d CPU(s) are in use by another hypervisor: stop its guests, or unload it (for KVM: rmmod kvm_amd kvm_intel)\n",
					   atomic_read(&failed));
			r = -EBUSY;
		}
	}
	if (!r)
		host_users++;
	mutex_unlock(&host_lock);
	cpus_read_unlock();
	return r;
}

void umbra_host_put(void)
{
	cpus_read_lock();
	mutex_lock(&host_lock);
	if (!--host_users)
		on_each_cpu(cpu_off, NULL, 1);
	mutex_unlock(&host_lock);
	cpus_read_unlock();
}

static int host_cpu_online(unsigned int cpu)
{
	atomic_t failed = ATOMIC_INIT(0);
	unsigned long flags;

	mutex_lock(&host_lock);
	if (host_users) {
		local_irq_save(flags);
		cpu_on(&failed);
		local_irq_restore(flags);
	}
	mutex_unlock(&host_lock);
	return atomic_read(&failed) ? -EBUSY : 0;
}

static int host_cpu_offline(unsigned int cpu)
{
	unsigned long flags;

	/* A vCPU still here sees umbra_cpu_on clear and waits to be moved. */
	mutex_lock(&host_lock);
	local_irq_save(flags);
	cpu_off(NULL);
	local_irq_restore(flags);
	mutex_unlock(&host_lock);
	return 0;
}

/* Only the boot CPU is left here, with interrupts off. */
static int host_suspend(void)
{
	umbra_tsc_suspend();
	cpu_off(NULL);
	return 0;
}

static void host_resume(void)
{
	atomic_t failed = ATOMIC_INIT(0);

	umbra_tsc_resume();
	if (host_users)
		cpu_on(&failed);
	if (!atomic_read(&failed))
		return;
	/* A vCPU on a CPU that stays off would wait for ever: none runs again. */
	WRITE_ONCE(going_down, true);
	pr_err("the firmware or another hypervisor took CPU %d during suspend: load umbra again\n",
	       smp_processor_id());
}

static struct syscore_ops host_syscore = {
	.suspend = host_suspend,
	.resume = host_resume,
};

/* A warm reset or kexec must not find a CPU with the extension on. */
static int host_reboot(struct notifier_block *nb, unsigned long action, void *data)
{
	WRITE_ONCE(going_down, true);
	on_each_cpu(cpu_off, NULL, 1);
	return NOTIFY_OK;
}

static struct notifier_block host_reboot_nb = {
	.notifier_call = host_reboot,
};

int umbra_host_init(void)
{
	int r = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "virt/umbra:online",
					  host_cpu_online, host_cpu_offline);

	if (r < 0)
		return r;
	hotplug_state = r;
	register_syscore_ops(&host_syscore);
	register_reboot_notifier(&host_reboot_nb);
	return 0;
}

void umbra_host_exit(void)
{
	unregister_reboot_notifier(&host_reboot_nb);
	unregister_syscore_ops(&host_syscore);
	cpuhp_remove_state_nocalls(hotplug_state);
}
