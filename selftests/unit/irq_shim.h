/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stands in for module/irq/irq_env.h in user space: same guard, the kernel's own names,
 * only what module/irq/ uses. First what behaves as in the kernel, then what is altered
 * so that a test can watch it: time, timers, locks, work, allocation. irq_lib.c has the
 * functions.
 */
#ifndef UMBRA_IRQ_ENV_H
#define UMBRA_IRQ_ENV_H

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/kvm.h>
#include <linux/kvm_para.h>

/* As in the kernel. */
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef unsigned long long u64;
typedef int16_t s16;
typedef int32_t s32;
typedef long long s64;
#define ktime_t s64

#define BITS_PER_LONG		64
#define BIT(n)			(1UL << (n))
#define BIT_ULL(n)		(1ULL << (n))
#define GENMASK(h, l)		((~0UL << (l)) & (~0UL >> (63 - (h))))
#define GENMASK_ULL(h, l)	((~0ULL << (l)) & (~0ULL >> (63 - (h))))
#define BITS_TO_LONGS(n)	(((n) + BITS_PER_LONG - 1) / BITS_PER_LONG)
#define DECLARE_BITMAP(name, n)	unsigned long name[BITS_TO_LONGS(n)]
#define IS_ALIGNED(x, a)	(!((x) & ((typeof(x))(a) - 1)))
#define DIV_ROUND_UP(n, d)	({ __auto_type _d = (d); ((n) + _d - 1) / _d; })
#define min(a, b)		({ __auto_type _a = (a); __auto_type _b = (b); _a < _b ? _a : _b; })
#define max(a, b)		({ __auto_type _c = (a); __auto_type _d = (b); _c > _d ? _c : _d; })
#define min_t(type, a, b)	min((type)(a), (type)(b))
#define max_t(type, a, b)	max((type)(a), (type)(b))
#define ARRAY_SIZE(a)		((int)(sizeof(a) / sizeof(*(a))))
#define U32_MAX			(~(u32)0)
#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#define noinline		__attribute__((noinline))
#define fallthrough		__attribute__((fallthrough))
#define struct_size(p, member, n)	(sizeof(*(p)) + (n) * sizeof(*(p)->member))
#define array_size(n, size)	((size_t)(n) * (size))
#define array_index_nospec(i, n)	((void)(n), i)
#define container_of(p, type, member)	((type *)((char *)(p) - offsetof(type, member)))
#define __user
#define __rcu
#define __acquires(lock)
#define __releases(lock)
#define __ffs(v)		((unsigned int)__builtin_ctzl(v))
#define __fls(v)		((unsigned int)(63 - __builtin_clzl(v)))
#define hweight8(v)		((unsigned int)__builtin_popcount((u8)(v)))
#define hweight32(v)		((unsigned int)__builtin_popcount(v))

#define div_u64(n, d)		((u64)(n) / (u32)(d))
#define div64_u64(n, d)		((u64)(n) / (u64)(d))
#define div64_s64(n, d)		((s64)(n) / (s64)(d))
#define div_u64_rem(n, d, rest)	({ u64 _n = (n); *(rest) = _n % (u32)(d); _n / (u32)(d); })
#define mul_u64_u32_div(a, m, d)	((u64)((__uint128_t)(a) * (u32)(m) / (u32)(d)))
#define mul_u64_u64_div_u64(a, m, d)	((u64)((__uint128_t)(a) * (m) / (d)))

#define MAX_ERRNO		4095
#define ERR_PTR(e)		((void *)(long)(e))
#define PTR_ERR(p)		((long)(p))
#define IS_ERR(p)		((unsigned long)(p) >= (unsigned long)-MAX_ERRNO)

#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v)	__atomic_store_n(&(x), v, __ATOMIC_RELAXED)
#define smp_load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)
#define xchg(p, v)		__atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
#define cmpxchg(p, o, n)							\
	({ typeof(*(p)) _o = (o);						\
	   __atomic_compare_exchange_n(p, &_o, n, false, __ATOMIC_SEQ_CST,	\
				       __ATOMIC_SEQ_CST);			\
	   _o; })
#define smp_rmb()		__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_wmb()		__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_mb__before_atomic()	__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_mb__after_atomic()	__atomic_thread_fence(__ATOMIC_SEQ_CST)

static inline bool test_bit(unsigned long nr, const unsigned long *map)
{
	return READ_ONCE(map[nr / BITS_PER_LONG]) >> (nr % BITS_PER_LONG) & 1;
}

static inline bool test_and_set_bit(unsigned long nr, unsigned long *map)
{
	unsigned long bit = BIT(nr % BITS_PER_LONG);

	return __atomic_fetch_or(&map[nr / BITS_PER_LONG], bit, __ATOMIC_SEQ_CST) & bit;
}

static inline bool test_and_clear_bit(unsigned long nr, unsigned long *map)
{
	unsigned long bit = BIT(nr % BITS_PER_LONG);

	return __atomic_fetch_and(&map[nr / BITS_PER_LONG], ~bit, __ATOMIC_SEQ_CST) & bit;
}

#define set_bit(nr, map)	((void)test_and_set_bit(nr, map))
#define clear_bit(nr, map)	((void)test_and_clear_bit(nr, map))
#define __set_bit(nr, map)	set_bit(nr, map)
#define __clear_bit(nr, map)	clear_bit(nr, map)

static inline unsigned long find_next_bit(const unsigned long *map, unsigned long size,
					  unsigned long from)
{
	while (from < size && !test_bit(from, map))
		from++;
	return from < size ? from : size;
}

#define for_each_set_bit(bit, map, size)					\
	for ((bit) = find_next_bit(map, size, 0); (bit) < (size);		\
	     (bit) = find_next_bit(map, size, (bit) + 1))

struct list_head {
	struct list_head *next, *prev;
};

#define ktime_to_ns(t)		((s64)(t))
#define ns_to_ktime(ns)		((ktime_t)(ns))
#define ktime_add_ns(t, ns)	((ktime_t)((t) + (s64)(ns)))
#define ktime_sub(a, b)		((ktime_t)((a) - (b)))
#define NSEC_PER_SEC		1000000000L
#define NSEC_PER_MSEC		1000000L
#define NSEC_PER_USEC		1000L
#define HZ			250
#define CLOCK_MONOTONIC		1

/* Of asm/apicdef.h. */
#define XAPIC_ENABLE		(1UL << 11)
#define X2APIC_ENABLE		(1UL << 10)
#define APIC_BASE_MSR		0x800
#define APIC_ID			0x20
#define APIC_LVR		0x30
#define APIC_TASKPRI		0x80
#define APIC_ARBPRI		0x90
#define APIC_PROCPRI		0xa0
#define APIC_EOI		0xb0
#define APIC_LDR		0xd0
#define APIC_LDR_MASK		(0xffu << 24)
#define APIC_DFR		0xe0
#define APIC_DFR_CLUSTER	0x0ffffffful
#define APIC_DFR_FLAT		0xfffffffful
#define APIC_SPIV		0xf0
#define APIC_ISR		0x100
#define APIC_TMR		0x180
#define APIC_IRR		0x200
#define APIC_ESR		0x280
#define APIC_ESR_SENDILL	0x20
#define APIC_ESR_RECVILL	0x40
#define APIC_ESR_ILLREGA	0x80
#define APIC_ICR		0x300
#define APIC_DEST_ALLBUT	0xc0000
#define APIC_INT_LEVELTRIG	0x8000
#define APIC_INT_ASSERT		0x4000
#define APIC_ICR_BUSY		0x1000
#define APIC_DEST_LOGICAL	0x800
#define APIC_DM_EXTINT		0x700
#define APIC_VECTOR_MASK	0xff
#define APIC_ICR2		0x310
#define APIC_LVTT		0x320
#define APIC_LVT0		0x350
#define APIC_LVT1		0x360
#define APIC_LVTERR		0x370
#define APIC_LVT_TIMER_PERIODIC	(1 << 17)
#define APIC_LVT_TIMER_TSCDEADLINE	(2 << 17)
#define APIC_LVT_MASKED		(1 << 16)
#define APIC_LVT_LEVEL_TRIGGER	(1 << 15)
#define APIC_INPUT_POLARITY	(1 << 13)
#define APIC_MODE_MASK		0x700
#define GET_APIC_DELIVERY_MODE(x)	(((x) >> 8) & 7)
#define APIC_TMICT		0x380
#define APIC_TMCCT		0x390
#define APIC_TDCR		0x3e0
#define APIC_SELF_IPI		0x3f0
#define MSR_IA32_APICBASE_BSP	BIT(8)
#define MSR_IA32_APICBASE_ENABLE	BIT(11)
#define MSR_IA32_APICBASE_BASE	0xfffff000UL
#define X86_FEATURE_TSC_DEADLINE_TIMER	(4 * 32 + 24)

/* Altered: here, and where clocks and timers are used, a test may play another processor. */
void unit_elsewhere(void);
#define smp_mb()		unit_elsewhere()

/* Altered: time stands still unless a test moves it; the TSC may drift against it. */
extern u32 tsc_khz;
ktime_t ktime_get(void);
u64 rdtsc(void);

enum hrtimer_restart {
	HRTIMER_NORESTART,
	HRTIMER_RESTART,
};

enum hrtimer_mode {
	HRTIMER_MODE_ABS,
	HRTIMER_MODE_REL,
	HRTIMER_MODE_ABS_HARD = 8,
	HRTIMER_MODE_REL_HARD,
	HRTIMER_MODE_ABS_PINNED_HARD,
	HRTIMER_MODE_REL_PINNED_HARD,
};

struct hrtimer {
	enum hrtimer_restart (*function)(struct hrtimer *timer);
	struct hrtimer *next;
	ktime_t expires;
	bool queued;
	bool running;
};

void umbra_hrtimer_setup(struct hrtimer *timer, enum hrtimer_restart (*function)(struct hrtimer *),
			 clockid_t clock, enum hrtimer_mode mode);
void hrtimer_start(struct hrtimer *timer, ktime_t time, enum hrtimer_mode mode);
int hrtimer_try_to_cancel(struct hrtimer *timer);
int hrtimer_cancel(struct hrtimer *timer);
u64 hrtimer_forward_now(struct hrtimer *timer, ktime_t interval);
void hrtimer_set_expires(struct hrtimer *timer, ktime_t time);
#define hrtimer_get_expires(t)	((t)->expires)
#define hrtimer_is_queued(t)	((t)->queued)
#define hrtimer_cb_get_time(t)	((void)(t), ktime_get())

/* Altered: one thread, but who forgets or doubles a lock is caught, unless @unit_blocked. */
struct unit_lock {
	bool held;
};

extern void (*unit_blocked)(void);	/* as another processor that has to wait; does not return */

#define spinlock_t		struct unit_lock
#define raw_spinlock_t		struct unit_lock

static inline void unit_lock(struct unit_lock *l)
{
	if (l->held && unit_blocked)
		unit_blocked();
	assert(!l->held);
	l->held = true;
}

static inline void unit_unlock(struct unit_lock *l)
{
	assert(l->held);
	l->held = false;
}

#define raw_spin_lock_init(l)	((l)->held = false)
#define raw_spin_lock(l)	unit_lock(l)
#define raw_spin_unlock(l)	unit_unlock(l)
#define raw_spin_lock_irq(l)	unit_lock(l)
#define raw_spin_unlock_irq(l)	unit_unlock(l)
#define raw_spin_lock_irqsave(l, flags)		((flags) = 0, unit_lock(l))
#define raw_spin_unlock_irqrestore(l, flags)	((void)(flags), unit_unlock(l))
#define lockdep_assert_held(l)	assert((l)->held)

struct mutex {
	struct unit_lock lock;
};

#define mutex_init(m)		((m)->lock.held = false)
#define mutex_destroy(m)	assert(!(m)->lock.held)
#define mutex_lock(m)		unit_lock(&(m)->lock)
#define mutex_unlock(m)		unit_unlock(&(m)->lock)
#define lockdep_is_held(m)	((m)->lock.held)

/* Altered: read sections are only counted. */
struct srcu_struct {
	int readers;
};

#define srcu_read_lock(s)	((s)->readers++)
#define srcu_read_unlock(s, i)	((void)(i), (s)->readers--)
#define synchronize_srcu_expedited(s)	assert(!(s)->readers)
#define srcu_dereference(p, s)	({ assert((s)->readers > 0); (p); })
#define rcu_dereference_protected(p, c)	({ assert(c); (p); })
#define rcu_assign_pointer(p, v)	((p) = (v))
#define RCU_INIT_POINTER(p, v)	((p) = (v))

/* Altered: work runs when the test says so. */
struct work_struct {
	void (*function)(struct work_struct *work);
};

struct delayed_work {
	struct work_struct work;
};

#define INIT_DELAYED_WORK(w, f)	((w)->work.function = (f))
#define schedule_delayed_work(w, delay)	((void)(delay), unit_delayed = (w))
#define cancel_delayed_work_sync(w)	((void)(w), unit_delayed = NULL)
extern struct delayed_work *unit_delayed;	/* the one that waits */

/* Altered: objects are counted, and allocation fails where the test says so. */
void *unit_zalloc(size_t n);
void unit_free(void *p);
#define GFP_KERNEL_ACCOUNT	0
#define kzalloc(n, gfp)		unit_zalloc(n)
#define kcalloc(n, size, gfp)	unit_zalloc((size_t)(n) * (size))
#define kvzalloc(n, gfp)	unit_zalloc(n)
#define kvcalloc(n, size, gfp)	unit_zalloc((size_t)(n) * (size))
#define kfree(p)		unit_free(p)
#define kvfree(p)		unit_free(p)

/* Altered: the VMM's memory is the test's own; NULL faults. */
unsigned long copy_from_user(void *to, const void *from, size_t n);
unsigned long copy_to_user(void *to, const void *from, size_t n);
void *vmemdup_user(const void *from, size_t n);
#define memdup_user(from, n)	vmemdup_user(from, n)
#define put_user(v, p)							\
	({ typeof(*(p)) _v = (v); copy_to_user(p, &_v, sizeof(_v)) ? -EFAULT : 0; })

#include "request.h"
#include "tpr.h"
#include "types.h"
#include "irq/irq.h"

#define UMBRA_MAX_VCPUS		1024
#define UMBRA_MAX_VCPU_ID	4096

/* The fields of struct umbra_vm and struct umbra_vcpu that irq/ uses. */
struct umbra_vm {
	struct mutex lock;		/* of what the VM has */
	struct mutex slots_lock;	/* of its routes */
	struct srcu_struct srcu;
	struct umbra_irq irq;
	struct umbra_vcpu *vcpu[UMBRA_MAX_VCPUS];
	int nr_vcpus;
	u64 disabled_quirks;
};

struct umbra_vcpu {
	struct umbra_vm *vm;
	int id;
	int index;
	u64 cr8;
	u64 tsc_offset;
	unsigned long requests;
	struct {
		bool look;
	} ev;
	struct {
		u64 apic_base;
	} msrs;
	struct umbra_lapic *lapic;
};

extern int unit_lookups;	/* how often somebody looked for a vCPU */

static inline struct umbra_vcpu *umbra_vcpu_at(const struct umbra_vm *vm, int index)
{
	unit_lookups++;
	return index < vm->nr_vcpus ? vm->vcpu[index] : NULL;
}

static inline bool umbra_has_quirk(const struct umbra_vm *vm, u64 quirk)
{
	return !(vm->disabled_quirks & quirk);
}

extern u64 umbra_tsc_lost;

static inline u64 umbra_tsc_hw_offset(const struct umbra_vcpu *vcpu)
{
	return vcpu->tsc_offset + umbra_tsc_lost;
}

bool umbra_cpuid_has(const struct umbra_vcpu *vcpu, unsigned int x86_feature);
void umbra_event_kick_nmi(struct umbra_vcpu *vcpu);

#endif
