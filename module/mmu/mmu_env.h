/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The only way out of mmu/: what it uses of the kernel and of Umbra's other
 * files. User-space tests include a file with the same guard first, which
 * offers the same names; so add here only what a test can imitate.
 */
#ifndef UMBRA_MMU_ENV_H
#define UMBRA_MMU_ENV_H

#include <linux/bitmap.h>
#include <linux/gfp.h>
#include <linux/hash.h>
#include <linux/io.h>
#include <linux/kvm.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/pgtable.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <asm/set_memory.h>

#include "../cpuid.h"
#include "../fpu.h"
#include "../guest_mem.h"
#include "../memslot.h"
#include "../request.h"
#include "../stats.h"
#include "../types.h"
#include "../vcpu.h"
#include "../vendor.h"
#include "../vm.h"

#endif
