// SPDX-License-Identifier: GPL-2.0
/*
 * Host requirements that the CPU, its firmware and an outer hypervisor decide:
 * extension, firmware lock, features that guests need or gain from.
 *
 * Tells the three causes of "no extension" apart: not in the CPU, switched off by
 * the firmware, hidden by an outer hypervisor.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check_host.h"
#include "cpu.h"

#define MSR_VM_CR			0xc0010114
#define VM_CR_LOCK			BIT_ULL(3)
#define VM_CR_SVMDIS			BIT_ULL(4)
#define MSR_FEATURE_CONTROL		0x3a
#define FEATURE_CONTROL_LOCK		BIT_ULL(0)
#define FEATURE_CONTROL_VMXON		BIT_ULL(2)
/* In the upper half, what may be turned on. */
#define MSR_VMX_PROCBASED_CTLS2		0x48b
#define MSR_VMX_EPT_VPID_CAP		0x48c
#define CPUID_SVM			0x8000000a

/**
 * struct feature - what one bit says about the CPU
 * @name: of the finding
 * @bit: in the register or the MSR
 * @required: guests cannot run without
 * @text: what it is
 * @without: what follows from its absence
 */
struct feature {
	const char *name;
	unsigned int bit;
	bool required;
	const char *text;
	const char *without;
};

#define NEWER_CPU	"use a newer CPU, or have the outer hypervisor offer it"

static const struct feature svm_features[] = {
	{ "npt", 0, false, "nested page tables (NPT)",
	  "none needed: guests run on shadow page tables" },
	{ "nrip-save", 3, false, "next RIP saved on exit",
	  "none needed: instructions are decoded" },
	{ "flush-by-asid", 6, false, "flush by ASID", "none needed: whole flushes are slower" },
	{ "decode-assists", 7, false, "decode assists", "none needed: instructions are fetched" },
	{ "pause-filter", 10, false, "PAUSE filter", "none needed: spinning vCPUs waste time" },
	{ "vgif", 16, false, "virtual GIF", "none needed" },
};

static const struct feature vmx_features[] = {
	{ "ept", 1, true, "extended page tables (EPT)", NEWER_CPU },
	{ "unrestricted-guest", 7, true, "unrestricted guest, for guests without paging",
	  NEWER_CPU },
	{ "vpid", 5, false, "VPID", "none needed: entries flush the TLB" },
};

static const struct feature ept_features[] = {
	{ "ept-1g", 17, false, "EPT entries of 1 GiB", "none needed: 2 MiB are the largest" },
	{ "ept-ad", 21, false, "accessed and dirty bits in EPT",
	  "none needed: faults tell which pages are used" },
};

static void remedy(struct finding *f, const char *text)
{
	snprintf(f->remedy, sizeof(f->remedy), "%s", text);
}

static void check_extension(struct finding *f)
{
	char outer[13];

	if (cpu_has_svm() || cpu_has_vmx()) {
		found(f, "cpu-extension", CHECK_YES, "the CPU has %s",
		      cpu_has_svm() ? "AMD-V (SVM)" : "VT-x (VMX)");
		return;
	}
	if (cpu_under_hypervisor(outer)) {
		found(f, "cpu-extension", CHECK_NO,
		      "hidden: this host is a guest of '%s', which shows no SVM or VMX", outer);
		remedy(f, "switch on nested virtualization in the outer hypervisor");
		return;
	}
	found(f, "cpu-extension", CHECK_NO, "CPUID shows neither SVM nor VMX");
	remedy(f, "switch it on in the firmware setup if the CPU has it; else use another CPU");
}

static void check_outer(struct finding *f)
{
	bool have = cpu_has_svm() || cpu_has_vmx();
	char outer[13];

	if (!cpu_under_hypervisor(outer)) {
		found(f, "outer-hypervisor", CHECK_YES, "none: runs on bare hardware");
		return;
	}
	found(f, "outer-hypervisor", have ? CHECK_YES : CHECK_NO,
	      have ? "this host is a guest of '%s', which passes the extension on" :
	      "this host is a guest of '%s', which hides the extension", outer);
	if (!have)
		remedy(f, "switch on nested virtualization in the outer hypervisor");
}

static const char *lock_text(u64 value)
{
	if (cpu_has_svm()) {
		if (!(value & VM_CR_SVMDIS))
			return NULL;
		return value & VM_CR_LOCK ? "VM_CR.SVMDIS is set and locked" :
					    "VM_CR.SVMDIS is set, not locked";
	}
	if (!(value & FEATURE_CONTROL_LOCK) || value & FEATURE_CONTROL_VMXON)
		return NULL;
	return "IA32_FEATURE_CONTROL is locked without VMX";
}

static void check_firmware(struct finding *f)
{
	u32 msr = cpu_has_svm() ? MSR_VM_CR : MSR_FEATURE_CONTROL;
	long cpu, cpus = sysconf(_SC_NPROCESSORS_CONF);
	const char *why;
	u64 value;
	int err;

	if (!cpu_has_svm() && !cpu_has_vmx()) {
		found(f, "firmware", CHECK_UNKNOWN, "no extension to be locked");
		return;
	}
	for (cpu = 0; cpu < cpus; cpu++) {
		err = cpu_read_msr(cpu, msr, &value);
		/* An offline CPU has no node or no answer; the first one is always there. */
		if (err && cpu)
			continue;
		if (err) {
			found(f, "firmware", CHECK_UNKNOWN, "cannot read MSR 0x%x: %s",
			      msr, strerror(-err));
			remedy(f, err == -EACCES || err == -EPERM ? "run this check as root" :
				  "load the msr module (modprobe msr) and run as root");
			return;
		}
		why = lock_text(value);
		if (why) {
			found(f, "firmware", CHECK_NO, "CPU %ld: %s", cpu, why);
			remedy(f, "switch on SVM (AMD-V) or VT-x in the firmware setup");
			return;
		}
	}
	found(f, "firmware", CHECK_YES, "the firmware left the extension on");
}

static enum verdict feature_verdict(bool known, bool has)
{
	if (!known)
		return CHECK_UNKNOWN;
	return has ? CHECK_YES : CHECK_NO;
}

static void check_features(struct finding *f, const struct feature *list, unsigned int n, u32 bits,
			   bool known)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		bool has = known && bits & (1u << list[i].bit);

		found(&f[i], list[i].name, feature_verdict(known, has), "%s", list[i].text);
		f[i].required = list[i].required;
		if (known && !has)
			remedy(&f[i], list[i].without);
		else if (!known)
			remedy(&f[i], "load the msr module (modprobe msr) and run as root");
	}
}

/* A capability MSR that the CPU does not have says that it has none of the features. */
static bool read_capability(u32 msr, u64 *value)
{
	int err = cpu_read_msr(0, msr, value);

	if (err)
		*value = 0;
	return !err || err == -EIO;
}

static unsigned int check_vmx_features(struct finding *f)
{
	const unsigned int n = ARRAY_SIZE(vmx_features);
	bool known;
	u64 value;

	known = read_capability(MSR_VMX_PROCBASED_CTLS2, &value);
	check_features(f, vmx_features, n, value >> 32, known);
	known = read_capability(MSR_VMX_EPT_VPID_CAP, &value);
	check_features(f + n, ept_features, ARRAY_SIZE(ept_features), value, known);
	return n + ARRAY_SIZE(ept_features);
}

static unsigned int check_extension_features(struct finding *f)
{
	if (cpu_has_svm()) {
		check_features(f, svm_features, ARRAY_SIZE(svm_features), cpu_cpuid(CPUID_SVM).edx,
			       true);
		return ARRAY_SIZE(svm_features);
	}
	return cpu_has_vmx() ? check_vmx_features(f) : 0;
}

/**
 * check_cpu() - Findings about CPU, firmware, outer hypervisor, CPU features.
 * @f: room for at least 10
 *
 * Return: number of findings.
 */
unsigned int check_cpu(struct finding *f)
{
	check_extension(&f[0]);
	check_firmware(&f[1]);
	check_outer(&f[2]);
	return 3 + check_extension_features(&f[3]);
}
