/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The only door from module/emul/ to kernel headers.
 *
 * A user-space test force-includes a shim with this same guard before any
 * source of this folder; kernel names are kept on both sides. Must not
 * include anything of Umbra's own.
 */
#ifndef UMBRA_EMUL_ENV_H
#define UMBRA_EMUL_ENV_H

#include <linux/bitops.h>
#include <linux/build_bug.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/types.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#endif /* UMBRA_EMUL_ENV_H */
