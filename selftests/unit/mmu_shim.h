/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stands in for module/mmu/mmu_env.h in user space: same guard, the kernel's
 * own names, only what module/mmu/ uses. First what behaves as in the kernel,
 * then what is altered so that a test can watch it: table pages, objects, the
 * lock, rescheduling. mmu_lib.c has the functions.
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
typedef struct { s64 counter; } atomic64_t;

#define atomic64_read(a)	((a)->counter)
#define atomic64_set(a, v)	((a)->counter = (v))
#define atomic64_add(v, a)	((a)->counter += (v))

#define BITS_PER_LONG		64
#define PMD_SHIFT		21
#define PMD_MASK		(~((1UL << PMD_SHIFT) - 1))
#define BIT(n)			(1UL << (n))
#define BIT_ULL(n)		(1ULL << (n))
#define GENMASK_ULL(h, l)	((~0ULL << (l)) & (~0ULL >> (63 - (h))))
#define DIV_ROUND_UP(n, d)	({ __auto_type _d = (d); ((n) + _d - 1) / _d; })
#define min(a, b)		({ __auto_type _a = (a); __auto_type _b = (b); _a < _b ? _a : _b; })
#define max(a, b)		({ __auto_type _a = (a); __auto_type _b = (b); _a > _b ? _a : _b; })
#define ARRAY_SIZE(a)		((int)(sizeof(a) / sizeof(*(a))))
#define U32_MAX			(~(u32)0)
#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#define noinline		__attribute__((noinline))
#define struct_size(p, member, n)	(sizeof(*(p)) + (n) * sizeof(*(p)->member))
#define offset_in_page(a)	((unsigned long)(a) & (PAGE_SIZE - 1))
#define __iomem
#define __user
#define __acquires(x)
#define __releases(x)
#define __rcu
#define __ffs(v)		((unsigned int)__builtin_ctzl(v))
#define __ffs64(v)		((unsigned int)__builtin_ctzll(v))
#define fls64(v)		(64 - __builtin_clzll(v))

#define EFER_LME		BIT(8)
#define EFER_LMA		BIT(10)
#define EFER_NX			BIT(11)
#define X86_FEATURE_GBPAGES	(1 * 32 + 26)

#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v)	__atomic_store_n(&(x), v, __ATOMIC_RELAXED)
#define smp_mb()		__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_rmb()		__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_wmb()		__atomic_thread_fence(__ATOMIC_SEQ_CST)
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

static inline void list_del_init(struct list_head *n)
{
	list_del(n);
	INIT_LIST_HEAD(n);
}

static inline void list_add_tail(struct list_head *n, struct list_head *head)
{
	list_add(n, head->prev);
}

static inline void list_move(struct list_head *n, struct list_head *head)
{
	list_del(n);
	list_add(n, head);
}

static inline void list_move_tail(struct list_head *n, struct list_head *head)
{
	list_del(n);
	list_add_tail(n, head);
}

static inline void list_splice(struct list_head *from, struct list_head *to)
{
	if (list_empty(from))
		return;
	from->next->prev = to;
	from->prev->next = to->next;
	to->next->prev = from->prev;
	to->next = from->next;
}

static inline void list_splice_init(struct list_head *from, struct list_head *to)
{
	list_splice(from, to);
	INIT_LIST_HEAD(from);
}

#define LIST_HEAD(name)		struct list_head name = { &(name), &(name) }
#define list_entry(p, type, member)		container_of(p, type, member)
#define list_first_entry(l, type, member)	container_of((l)->next, type, member)
#define list_last_entry(l, type, member)	container_of((l)->prev, type, member)
#define list_next_entry(p, member)	list_entry((p)->member.next, typeof(*(p)), member)
#define list_prev_entry(p, member)	list_entry((p)->member.prev, typeof(*(p)), member)
#define list_for_each_entry(p, l, member)					\
	for (p = list_first_entry(l, typeof(*p), member); &p->member != (l);	\
	     p = list_next_entry(p, member))
#define list_for_each_entry_reverse(p, l, member)				\
	for (p = list_last_entry(l, typeof(*p), member); &p->member != (l);	\
	     p = list_prev_entry(p, member))
#define list_for_each_entry_safe(p, n, l, member)				\
	for (p = list_first_entry(l, typeof(*p), member),			\
	     n = list_next_entry(p, member); &p->member != (l);			\
	     p = n, n = list_next_entry(n, member))

struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct hlist_head {
	struct hlist_node *first;
};

#define HLIST_HEAD_INIT		{ .first = NULL }

static inline void INIT_HLIST_NODE(struct hlist_node *n)
{
	n->next = NULL;
	n->pprev = NULL;
}

static inline bool hlist_unhashed(const struct hlist_node *n)
{
	return !n->pprev;
}

static inline bool hlist_empty(const struct hlist_head *h)
{
	return !h->first;
}

static inline void hlist_add_head(struct hlist_node *n, struct hlist_head *h)
{
	n->next = h->first;
	n->pprev = &h->first;
	if (n->next)
		n->next->pprev = &n->next;
	h->first = n;
}

static inline void hlist_del_init(struct hlist_node *n)
{
	if (hlist_unhashed(n))
		return;
	*n->pprev = n->next;
	if (n->next)
		n->next->pprev = n->pprev;
	INIT_HLIST_NODE(n);
}

static inline void hlist_move_list(struct hlist_head *from, struct hlist_head *to)
{
	to->first = from->first;
	if (to->first)
		to->first->pprev = &to->first;
	from->first = NULL;
}

#define hlist_entry(p, type, member)	container_of(p, type, member)
#define hlist_entry_safe(p, type, member) \
	({ __auto_type _n = (p); _n ? hlist_entry(_n, type, member) : NULL; })
#define hlist_for_each_entry(p, h, member)					\
	for (p = hlist_entry_safe((h)->first, typeof(*p), member); p;		\
	     p = hlist_entry_safe(p->member.next, typeof(*p), member))
#define hlist_for_each_entry_safe(p, n, h, member)				\
	for (p = hlist_entry_safe((h)->first, typeof(*p), member);		\
	     p && ({ n = p->member.next; 1; });					\
	     p = hlist_entry_safe(n, typeof(*p), member))

static inline u64 hash_64(u64 val, unsigned int bits)
{
	return val * 0x61c8864680b583ebULL >> (64 - bits);
}

static inline bool test_bit(unsigned long nr, const unsigned long *map)
{
	return map[nr / BITS_PER_LONG] >> (nr % BITS_PER_LONG) & 1;
}

static inline void set_bit(unsigned long nr, unsigned long *map)
{
	map[nr / BITS_PER_LONG] |= BIT(nr % BITS_PER_LONG);
}

static inline void clear_bit(unsigned long nr, unsigned long *map)
{
	map[nr / BITS_PER_LONG] &= ~BIT(nr % BITS_PER_LONG);
}

#define __set_bit(nr, map)	set_bit(nr, map)
#define __clear_bit(nr, map)	clear_bit(nr, map)

static inline unsigned long find_next_bit(const unsigned long *map, unsigned long size,
					  unsigned long from)
{
	while (from < size && !test_bit(from, map))
		from += map[from / BITS_PER_LONG] >> (from % BITS_PER_LONG) ? 1 :
			BITS_PER_LONG - from % BITS_PER_LONG;
	return from < size ? from : size;
}

#define for_each_set_bit(bit, map, size)					\
	for ((bit) = find_next_bit(map, size, 0); (bit) < (size);		\
	     (bit) = find_next_bit(map, size, (bit) + 1))

/*
 * Altered: a processor may set bits between the read of an entry and its exchange. Of
 * these the first is for entries of second-level tables alone, the other for the rest.
 */
u64 unit_cmpxchg(u64 *p, u64 old, u64 new, bool nested);
#define cmpxchg(p, o, n)	unit_cmpxchg(p, o, n, true)
#define try_cmpxchg(p, o, n) \
	({ u64 _was = unit_cmpxchg(p, *(o), n, false), _same = _was == *(o); *(o) = _was; _same; })

/* Altered: no memory encryption, addresses are their own physical ones. */
#define __pa(v)			((u64)(unsigned long)(v))
#define __va(p)			((void *)(unsigned long)(p))
#define __sme_set(x)		(x)
#define __sme_clr(x)		(x)
#define pgtable_l5_enabled()	(unit_five_levels)
extern bool unit_five_levels;

/*
 * Altered: a table page carries its struct page behind it, and is watched:
 * @kept tells by processor since which of its flushes it may walk this table.
 */
#define UNIT_VCPUS		3

struct page {
	struct list_head lru;
	unsigned long private;
	u64 kept[UNIT_VCPUS];
};

#define virt_to_page(t)		((struct page *)(((unsigned long)(t) & ~4095UL) + 4096))
#define pfn_to_page(pfn)	virt_to_page((pfn) << 12)
#define page_address(p)		((void *)((char *)(p) - 4096))
#define page_private(p)		((p)->private)
#define set_page_private(p, v)	((p)->private = (v))
#define GFP_KERNEL		0
#define GFP_KERNEL_ACCOUNT	0
#define GFP_DMA32		0
#define __GFP_ZERO		0
#define __get_free_page(gfp)	unit_get_free_page()
unsigned long unit_get_free_page(void);
void free_page(unsigned long addr);

/* Altered: no memory encryption. */
#define set_memory_decrypted(addr, pages)	((void)(addr), 0)
#define set_memory_encrypted(addr, pages)	((void)(addr), 0)

/* Altered: objects are counted, and allocation fails where the test says so. */
void *unit_zalloc(size_t n);
void unit_free(void *p);
#define kzalloc(n, gfp)		unit_zalloc(n)
#define kcalloc(n, size, gfp)	unit_zalloc((size_t)(n) * (size))
#define kvzalloc(n, gfp)	unit_zalloc(n)
#define kvcalloc(n, size, gfp)	unit_zalloc((size_t)(n) * (size))
#define kfree(p)		unit_free(p)
#define kvfree(p)		unit_free(p)

struct kmem_cache {
	size_t size;
	int objects;
};

#define SLAB_ACCOUNT		0
#define KMEM_CACHE(type, flags)	kmem_cache_create(#type, sizeof(struct type), 0, flags, NULL)
struct kmem_cache *kmem_cache_create(const char *name, unsigned int size, unsigned int align,
				     unsigned int flags, void (*ctor)(void *));
void kmem_cache_destroy(struct kmem_cache *cache);
void *kmem_cache_zalloc(struct kmem_cache *cache, int gfp);
void kmem_cache_free(struct kmem_cache *cache, void *p);

/* Altered: the one shrinker is remembered for the test to call. */
struct shrink_control {
	int gfp_mask;
	unsigned long nr_to_scan;
	unsigned long nr_scanned;
};

struct shrinker {
	unsigned long (*count_objects)(struct shrinker *shrinker, struct shrink_control *sc);
	unsigned long (*scan_objects)(struct shrinker *shrinker, struct shrink_control *sc);
	long batch;
	int seeks;
};

#define DEFAULT_SEEKS		2
#define SHRINK_STOP		(~0UL)
#define SHRINK_EMPTY		(~0UL - 1)
int register_shrinker(struct shrinker *shrinker, const char *name, ...);
void unregister_shrinker(struct shrinker *shrinker);

/* Altered: read sections are only counted. */
struct srcu_struct {
	int readers;
};

#define srcu_read_lock(s)	((s)->readers++)
#define srcu_read_unlock(s, i)	((void)(i), (s)->readers--)

/* Altered: one thread, but who forgets or doubles a lock is caught. */
struct unit_lock {
	bool held;
};

#define spinlock_t		struct unit_lock
#define spin_lock_init(l)	((l)->held = false)
#define DEFINE_SPINLOCK(name)	struct unit_lock name

/* Other processors go on from here with what the tables say now. */
void unit_unlocked(struct unit_lock *l);

static inline void spin_lock(struct unit_lock *l)
{
	assert(!l->held);
	l->held = true;
}

static inline void spin_unlock(struct unit_lock *l)
{
	assert(l->held);
	l->held = false;
	unit_unlocked(l);
}

static inline bool spin_trylock(struct unit_lock *l)
{
	if (l->held)
		return false;
	l->held = true;
	return true;
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

#define WARN_ON_ONCE(c)		({ bool _c = (c); assert(!_c); _c; })
#define faulthandler_disabled()	(unit_atomic > 0)
#define pagefault_disable()	(unit_atomic++)
#define pagefault_enable()	(unit_atomic--)
extern int unit_atomic;

/* Altered: a read of the VMM's memory fails where the test says so. */
bool unit_user_fails(const void *user);
#define __get_user(v, p) \
	({ __auto_type _p = (p);					\
	   unit_user_fails(_p) ? -EFAULT : (memcpy(&(v), _p, sizeof(v)), 0); })

#define user_read_access_begin(p, n)	((void)(n), (p) ? (unit_in_user++, true) : false)
#define user_read_access_end()		((void)unit_in_user--)
#define unsafe_get_user(v, p, label) \
	do { assert(unit_in_user == 1); if (__get_user(v, p)) goto label; } while (0)
extern int unit_in_user;
#define array_index_nospec(i, n)	((void)(n), i)

#include "types.h"
#include "memslot.h"
#include "guest_mem.h"
#include "request.h"
#include "mmu/mmu.h"
#include "stats.h"
#include "vendor.h"

#define UMBRA_MAX_VCPUS		64

/* The fields of struct umbra_vm and struct umbra_vcpu that mmu/ uses. */
struct umbra_vm {
	struct umbra_mmu *mmu;
	enum umbra_mmu_mode mmu_mode;
	struct srcu_struct srcu;
	struct umbra_vcpu *vcpu[UNIT_VCPUS];
	int nr_vcpus;
	struct umbra_vm_stats stats;
};

struct umbra_cpuid {
	u8 phys_bits;
};

struct umbra_vcpu {
	struct umbra_vm *vm;
	u64 gpr[16];
	u64 rip;
	u64 rflags;
	u64 cr0, cr3, cr4;
	u64 efer;
	u64 pdpte[4];
	struct umbra_cpuid cpuid;
	struct umbra_mmu_vcpu *mmu;
	int index;
	unsigned long requests;
	struct umbra_vcpu_stats stats;
};

static inline struct umbra_vcpu *umbra_vcpu_at(const struct umbra_vm *vm, int index)
{
	return index < vm->nr_vcpus ? vm->vcpu[index] : NULL;
}

u32 umbra_guest_pkru(const struct umbra_vcpu *vcpu);
bool umbra_cpuid_has(const struct umbra_vcpu *vcpu, unsigned int x86_feature);

#endif
