// SPDX-License-Identifier: GPL-2.0
/*
 * The MMU modes by name and by bit, which of them the host offers, and the
 * default of new VMs. What a mode does is mmu/'s business.
 */
#define pr_fmt(fmt) "umbra: " fmt

#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/umbra.h>
#include "mode.h"
#include "vendor.h"

static const char * const mode_names[] = {
	[UMBRA_MMU_NESTED] = "nested",
	[UMBRA_MMU_SHADOW] = "shadow",
	[UMBRA_MMU_VTLB] = "vtlb",
};

static const u32 mode_bits[] = {
	[UMBRA_MMU_NESTED] = UMBRA_MMU_MODE_NESTED,
	[UMBRA_MMU_SHADOW] = UMBRA_MMU_MODE_SHADOW,
	[UMBRA_MMU_VTLB] = UMBRA_MMU_MODE_VTLB,
};

#define NOT_CHOSEN	(-1)

/* The parameter's lock excludes writers: the parameter's set() and module init. */
static int chosen = NOT_CHOSEN;
/* What the host offers is known. */
static bool probed;

bool umbra_mode_offered(enum umbra_mmu_mode mode)
{
	return mode != UMBRA_MMU_NESTED || umbra_caps.nested;
}

/* Before the probe the choice is only noted: what the host offers is not known yet. */
static int mode_set(const char *val, const struct kernel_param *kp)
{
	int mode = sysfs_match_string(mode_names, val);

	if (mode < 0)
		return -EINVAL;
	if (probed && !umbra_mode_offered(mode))
		return -EOPNOTSUPP;
	WRITE_ONCE(chosen, mode);
	return 0;
}

static int mode_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%s\n", umbra_mode_name(umbra_mode_default()));
}

static const struct kernel_param_ops mode_param_ops = {
	.set = mode_set,
	.get = mode_get,
};

module_param_cb(mmu, &mode_param_ops, NULL, 0644);
MODULE_PARM_DESC(mmu, "MMU mode of new VMs: nested, shadow or vtlb (default: nested where the processor has it, else shadow)");

int __init umbra_mode_init(void)
{
	int r = 0;

	kernel_param_lock(THIS_MODULE);
	if (chosen == NOT_CHOSEN) {
		WRITE_ONCE(chosen, umbra_caps.nested ? UMBRA_MMU_NESTED : UMBRA_MMU_SHADOW);
	} else if (!umbra_mode_offered(chosen)) {
		pr_err("mmu=%s: not on this host; mmu=shadow and mmu=vtlb are on every one\n",
		       mode_names[chosen]);
		r = -EOPNOTSUPP;
	}
	probed = true;
	kernel_param_unlock(THIS_MODULE);
	return r;
}

enum umbra_mmu_mode umbra_mode_default(void)
{
	int mode = READ_ONCE(chosen);

	/* Only sysfs can ask before module init has settled it. */
	return mode == NOT_CHOSEN ? UMBRA_MMU_SHADOW : mode;
}

const char *umbra_mode_name(enum umbra_mmu_mode mode)
{
	return mode_names[mode];
}

u32 umbra_mode_to_bit(enum umbra_mmu_mode mode)
{
	return mode_bits[mode];
}

u32 umbra_mode_bits(void)
{
	u32 bits = 0;
	int mode;

	for (mode = 0; mode < ARRAY_SIZE(mode_bits); mode++)
		if (umbra_mode_offered(mode))
			bits |= mode_bits[mode];
	return bits;
}

bool umbra_mode_from_bit(u32 bit, enum umbra_mmu_mode *mode)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(mode_bits); i++) {
		if (mode_bits[i] == bit) {
			*mode = i;
			return true;
		}
	}
	return false;
}
