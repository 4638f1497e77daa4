/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stands in for module/emul/emul_env.h in user space: same guard, the kernel's
 * own names, only what module/emul/ uses. Must not change any meaning.
 */
#ifndef UMBRA_EMUL_ENV_H
#define UMBRA_EMUL_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <linux/types.h>
#include <asm/processor-flags.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s8 s8;
typedef __s32 s32;
typedef __s64 s64;

#define BIT(n)		(1UL << (n))
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define __aligned(n)	__attribute__((aligned(n)))

#define min(a, b) ({ \
	typeof(a) min_a_ = (a); \
	typeof(b) min_b_ = (b); \
	min_a_ < min_b_ ? min_a_ : min_b_; \
})
#define max(a, b) ({ \
	typeof(a) max_a_ = (a); \
	typeof(b) max_b_ = (b); \
	max_a_ > max_b_ ? max_a_ : max_b_; \
})
#define min_t(type, a, b)	min((type)(a), (type)(b))
#define max_t(type, a, b)	max((type)(a), (type)(b))

#define hweight8(v)	((unsigned int)__builtin_popcount((u8)(v)))
#define hweight64(v)	((unsigned int)__builtin_popcountll(v))

#define X86_TRAP_DE	0
#define X86_TRAP_DB	1
#define X86_TRAP_BP	3
#define X86_TRAP_OF	4
#define X86_TRAP_UD	6
#define X86_TRAP_NM	7
#define X86_TRAP_NP	11
#define X86_TRAP_SS	12
#define X86_TRAP_GP	13
#define X86_TRAP_PF	14

#define MSR_EFER	0xc0000080
#define EFER_LMA	0x400

#endif /* UMBRA_EMUL_ENV_H */
