// SPDX-License-Identifier: GPL-2.0
/*
 * The host processor's side of AMD-V: may this machine run guests, turning SVM
 * on and off on a CPU, and what all VMs share (I/O permission map). Knows no
 * guest state.
 */
#define pr_fmt(fmt) "umbra: " fmt

#include <linux/gfp.h>
#include <linux/mem_encrypt.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <asm/cpufeature.h>
#include <asm/io.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include "svm.h"

static bool npt = true;
module_param(npt, bool, 0444);
MODULE_PARM_DESC(npt, "offer nested page tables where the CPU has them (default: yes)");

DEFINE_PER_CPU(struct svm_cpu, umbra_svm_cpu);

static struct page *iopm;

u64 svm_iopm_pa(void)
{
	return __sme_set(page_to_phys(iopm));
}

/* Tell apart the three reasons for a CPU without usable SVM. */
static int svm_check_cpu(void)
{
	u64 vm_cr;

	if (!boot_cpu_has(X86_FEATURE_SVM)) {
		bool amd = boot_cpu_data.x86_vendor == X86_VENDOR_AMD ||
			   boot_cpu_data.x86_vendor == X86_VENDOR_HYGON;

		if (amd && boot_cpu_has(X86_FEATURE_HYPERVISOR))
			pr_err("AMD-V is hidden by an outer hypervisor: enable nested virtualization there\n");
		else
			pr_err("no AMD-V (SVM) in this CPU: run on a CPU that has it, or in scripts/lab\n");
		return -ENODEV;
	}
	if (!rdmsrl_safe(MSR_VM_CR, &vm_cr) && (vm_cr & SVM_VM_CR_SVM_DIS_MASK)) {
		pr_err("AMD-V is disabled by firmware (VM_CR.SVMDIS%s): enable SVM in the firmware setup\n",
		       vm_cr & SVM_VM_CR_SVM_LOCK_MASK ? ", locked" : "");
		return -EOPNOTSUPP;
	}
	return 0;
}

int svm_probe(void)
{
	u32 eax, ebx, ecx, edx;
	int r = svm_check_cpu();

	if (r)
		return r;
	cpuid(SVM_CPUID_FUNC, &eax, &ebx, &ecx, &edx);
	if (ebx < 2) {
		pr_err("this CPU has no ASID for a guest\n");
		return -EOPNOTSUPP;
	}
	if (!boot_cpu_has(X86_FEATURE_NPT))
		pr_info("no nested paging (NPT) in this CPU: mode nested is not offered\n");
	else if (!npt)
		pr_info("nested paging (NPT) is turned off by npt=0: mode nested is not offered\n");
	umbra_caps = (struct umbra_host_caps) {
		.nested = npt && boot_cpu_has(X86_FEATURE_NPT),
		.nested_1g = boot_cpu_has(X86_FEATURE_GBPAGES),
		.nested_ad = true,
		.insn_len = boot_cpu_has(X86_FEATURE_NRIPS),
		.insn_bytes = boot_cpu_has(X86_FEATURE_DECODEASSISTS),
		.flush_by_asid = boot_cpu_has(X86_FEATURE_FLUSHBYASID),
		.inner = true,
		.fmt = UMBRA_FMT_NPT,
		.asids = ebx,
	};
	return 0;
}

static void svm_free_cpus(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct svm_cpu *sc = per_cpu_ptr(&umbra_svm_cpu, cpu);

		free_page((unsigned long)sc->hsave);
		free_page((unsigned long)sc->host_vmcb);
		sc->hsave = NULL;
		sc->host_vmcb = NULL;
	}
}

static int svm_alloc_cpus(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct svm_cpu *sc = per_cpu_ptr(&umbra_svm_cpu, cpu);

		sc->hsave = (void *)get_zeroed_page(GFP_KERNEL);
		sc->host_vmcb = (void *)get_zeroed_page(GFP_KERNEL);
		if (!sc->hsave || !sc->host_vmcb) {
			svm_free_cpus();
			return -ENOMEM;
		}
		sc->host_vmcb_pa = __sme_pa(sc->host_vmcb);
	}
	return 0;
}

int svm_setup(void)
{
	int r = svm_alloc_cpus();

	if (r)
		return r;
	iopm = alloc_pages(GFP_KERNEL, SVM_IOPM_ORDER);
	if (!iopm) {
		svm_free_cpus();
		return -ENOMEM;
	}
	/* Every port access leaves the guest. */
	memset(page_address(iopm), 0xff, PAGE_SIZE << SVM_IOPM_ORDER);
	return 0;
}

void svm_teardown(void)
{
	__free_pages(iopm, SVM_IOPM_ORDER);
	svm_free_cpus();
}

int svm_cpu_enable(void)
{
	struct svm_cpu *sc = this_cpu_ptr(&umbra_svm_cpu);
	u64 efer;

	rdmsrl(MSR_EFER, efer);
	if (efer & EFER_SVME)
		return -EBUSY;
	/* Firmware may have left SVM locked off on this CPU alone. */
	if (wrmsrl_safe(MSR_EFER, efer | EFER_SVME))
		return -EBUSY;
	wrmsrl(MSR_VM_HSAVE_PA, __sme_pa(sc->hsave));
	/* Tags handed out before are void: other owners may have used them. */
	svm_void_asids(sc);
	umbra_branches_unknown();
	sc->enabled = true;
	return 0;
}

void svm_cpu_disable(void)
{
	struct svm_cpu *sc = this_cpu_ptr(&umbra_svm_cpu);
	u64 efer;

	if (!sc->enabled)
		return;
	sc->enabled = false;
	wrmsrl(MSR_VM_HSAVE_PA, 0);
	rdmsrl(MSR_EFER, efer);
	/* EFER.SVME may only be cleared with GIF set. */
	asm volatile("1: stgi\n2:\n" _ASM_EXTABLE(1b, 2b) ::: "memory");
	wrmsrl(MSR_EFER, efer & ~EFER_SVME);
}
