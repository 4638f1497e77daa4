/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The only way out of irq/: what it uses of the kernel and of Umbra's other
 * files. User-space tests include a file with the same guard first, which
 * offers the same names; so add here only what a test can imitate.
 */
#ifndef UMBRA_IRQ_ENV_H
#define UMBRA_IRQ_ENV_H

#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/hrtimer.h>
#include <linux/kvm.h>
#include <linux/kvm_para.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/nospec.h>
#include <linux/poll.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <asm/apicdef.h>
#include <asm/cpufeatures.h>
#include <asm/msr-index.h>
#include <asm/tsc.h>

#include "../compat.h"
#include "../cpuid.h"
#include "../event.h"
#include "../guest_mem.h"
#include "../mmu/mmu.h"
#include "../request.h"
#include "../stats.h"
#include "../tpr.h"
#include "../tsc.h"
#include "../types.h"
#include "../vcpu.h"
#include "../vm.h"

#endif
