/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stands in for module/mmu/mmu_env.h in user space: same guard, the kernel's
 * own names, only what module/mmu/ uses. First what behaves as in the kernel,
 * then what is altered so that a test can watch it: table pages, the lock,
 * rescheduling. mmu_lib.c has the functions.
 */
#ifndef UMBRA_MMU_ENV_H
#define UMBRA_MMU_ENV_H

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asm/processor-flags.h>
#include <linux/kvm.h>

/* As in the kernel. */
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef unsigned long long u64;
typedef int64_t s64;
typedef struct { int counter; } atomic_t;

#define BITS_PER_LONG		64
#define BIT(n)			(1UL << (n))
#define BIT_ULL(n)		(1ULL << (n))
#define GENMASK_ULL(h, l)	((~0ULL << (l)) & (~0ULL >> (63 - (h))))
#define DIV_ROUND_UP(n, d)	({ __auto_type _d = (d); ((n) + _d - 1) / _d; })
#define min(a, b)		({ __auto_type _a = (a); __auto_type _b = (b); _a < _b ? _a : _b; })
#define max(a, b)		({ __auto_type _a = (a); __auto_type _b = (b); _a > _b ? _a : _b; })
#define ARRAY_SIZE(a)		((int)(sizeof(a) / sizeof(*(a))))
#define unlikely(x)		__builtin_expect(!!(x), 0)
#define offset_in_page(a)	((unsigned long)(a) & (PAGE_SIZE - 1))
#define __iomem
#define __user
#define __rcu
#define __ffs64(v)		((unsigned int)__builtin_ctzll(v))
#define fls64(v)		(64 - __builtin_clzll(v))

#define EFER_LME		BIT(8)
#define EFER_LMA		BIT(10)
#define EFER_NX			BIT(11)
#define X86_FEATURE_GBPAGES	(1 * 32 + 26)

#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define smp_load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)	/* the kernel's name */
#define xchg(p, v)		__atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)

#define container_of(p, type, member) \
	((type *)((char *)(p) - offsetof(type, member)))

struct list_head {
	struct list_head *next, *prev;
};

static inline void INIT_LIST_HEAD(struct list_head *l)
{
	l->next = l;
	l->prev = l;
}

static inline void list_add(struct list_head *n, struct list_head *head)
{
	n->next = head->next;
	n->prev = head;
	head->next->prev = n;
	head->next = n;
}

static inline void list_del(struct list_head *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
}

static inline bool list_empty(const struct list_head *l)
{
	return l->next == l;
}

#define list_first_entry(l, type, member)	container_of((l)->next, type, member)

/* Altered: a processor may set bits between the read of an entry and its exchange. */
u64 unit_cmpxchg(u64 *p, u64 old, u64 new);
#define cmpxchg(p, o, n)	unit_cmpxchg(p, o, n)

/* Altered: no memory encryption, addresses are their own physical ones. */
#define __pa(v)			((u64)(unsigned long)(v))
#define __va(p)			((void *)(unsigned long)(p))
#define __sme_set(x)		(x)
#define __sme_clr(x)		(x)
#define pgtable_l5_enabled()	(unit_five_levels)
extern bool unit_five_levels;

/* Altered: a table page carries its struct page behind it, and is watched. */
struct page {
	struct list_head lru;
};

#define virt_to_page(t)		((struct page *)((char *)(t) + 4096))
#define page_address(p)		((void *)((char *)(p) - 4096))
#define GFP_KERNEL_ACCOUNT	0
#define __GFP_ZERO		0
#define __get_free_page(gfp)	unit_get_free_page()
unsigned long unit_get_free_page(void);
void free_page(unsigned long addr);
#define kzalloc(n, gfp)		calloc(1, n)
#define kfree(p)		free(p)

/* Altered: one thread, but who forgets or doubles a lock is caught. */
struct unit_lock {
	bool held;
};

#define spinlock_t		struct unit_lock
#define spin_lock_init(l)	((l)->held = false)

static inline void spin_lock(struct unit_lock *l)
{
	assert(!l->held);
	l->held = true;
}

static inline void spin_unlock(struct unit_lock *l)
{
	assert(l->held);
	l->held = false;
}

#define lockdep_assert_held(l)	assert((l)->held)
#define lockdep_assert_irqs_enabled()	((void)0)
#define spin_needbreak(l)	(0)
#define need_resched()		unit_need_resched()
#define cond_resched_lock(l)	unit_cond_resched_lock(l)
#define cond_resched()		((void)0)
#define current			NULL
#define fatal_signal_pending(t)	((void)(t), unit_fatal_signal())
bool unit_need_resched(void);
bool unit_fatal_signal(void);
void unit_cond_resched_lock(struct unit_lock *lock);

#define WARN_ON_ONCE(c)		assert(!(c))
#define pagefault_disable()	(unit_atomic++)
#define pagefault_enable()	(unit_atomic--)
extern int unit_atomic;

/* Altered: a read of the VMM's memory fails where the test says so. */
bool unit_user_fails(const void *user);
#define __get_user(v, p) \
	({ __auto_type _p = (p);					\
	   unit_user_fails(_p) ? -EFAULT : (memcpy(&(v), _p, sizeof(v)), 0); })

#include "types.h"
#include "memslot.h"
#include "guest_mem.h"
#include "request.h"
#include "mmu/mmu.h"
#include "vendor.h"

/* The fields of struct umbra_vm and struct umbra_vcpu that mmu/ uses. */
struct umbra_vm {
	struct umbra_mmu *mmu;
	enum umbra_mmu_mode mmu_mode;
};

struct umbra_cpuid {
	u8 phys_bits;
};

struct umbra_vcpu {
	struct umbra_vm *vm;
	u64 rflags;
	u64 cr0, cr3, cr4;
	u64 efer;
	u64 pdpte[4];
	struct umbra_cpuid cpuid;
	struct umbra_mmu_vcpu *mmu;
};

u32 umbra_guest_pkru(const struct umbra_vcpu *vcpu);
bool umbra_cpuid_has(const struct umbra_vcpu *vcpu, unsigned int x86_feature);

#endif
