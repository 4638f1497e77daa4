/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Integer types under their kernel names, for all of the userspace VMM.
 *
 * u64 is the uapi's __u64 (unsigned long long), so that "%llx" fits it and the
 * fields of struct kvm_regs alike. Nothing else belongs here.
 */
#ifndef UMBRA_VMM_TYPES_H
#define UMBRA_VMM_TYPES_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define BIT_ULL(n)	(1ULL << (n))
#define KIB(n)		((u64)(n) << 10)
#define MIB(n)		((u64)(n) << 20)
#define GIB(n)		((u64)(n) << 30)

#endif
