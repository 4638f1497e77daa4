// SPDX-License-Identifier: GPL-2.0
/*
 * The VM's clock. Where the host can trust its TSC the clock is one line over it, from
 * one pair of TSC and nanoseconds: all vCPUs and KVM_GET_CLOCK compute the same line, so
 * that it is monotonic whoever reads it where. Elsewhere the clock is the host's time
 * since boot plus an offset, and each vCPU is told of it anew, on each CPU it gets to.
 *
 * Owns vm->clock and vcpu->clock. Guest TSCs are tsc.c's.
 */
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/kvm.h>
#include <linux/kvm_para.h>
#include <linux/math64.h>
#include <linux/smp.h>
#include <linux/srcu.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <asm/pvclock-abi.h>
#include <asm/tsc.h>
#include "cpuid.h"
#include "guest_mem.h"
#include "guest_write.h"
#include "kvmclock.h"
#include "request.h"
#include "tsc.h"
#include "vcpu.h"

/* How far clocks that are no line may drift apart before they are told of it. */
#define REFRESH		HZ

/**
 * struct moment - what was read at one instant
 * @tsc: host's TSC, as umbra_host_tsc()
 * @ns: the VM's clock
 * @real: the host's real time
 */
struct moment {
	u64 tsc;
	s64 ns;
	s64 real;
};

static s64 boot_ns(void)
{
	return ktime_to_ns(ktime_get_boottime());
}

/* A TSC that is the host's own clock is the same everywhere and keeps its rate. */
static bool host_runs_by_tsc(void)
{
	struct system_time_snapshot snap;
	unsigned long flags;
	u64 before, after;

	if (check_tsc_unstable())
		return false;
	local_irq_save(flags);
	before = rdtsc_ordered();
	ktime_get_snapshot(&snap);
	after = rdtsc_ordered();
	local_irq_restore(flags);
	return snap.cycles >= before && snap.cycles <= after;
}

static void set_rate(struct umbra_clock *c, u32 khz)
{
	u64 mul;

	c->shift = 0;
	while ((mul = div64_u64(1000000ULL << 32, (u64)khz << c->shift)) > U32_MAX)
		c->shift++;
	c->mul = mul;
}

/* Exactly what a guest does with its page. */
static s64 line_at(const struct umbra_clock *c, u64 tsc)
{
	u64 ticks = tsc - c->tsc;

	if ((s64)ticks < 0)
		return c->ns;
	return c->ns + mul_u64_u32_shr(ticks << c->shift, c->mul, 32);
}

/* A line that cannot go on is left where it is. vCPUs notice in umbra_kvmclock_stale(). */
static void leave_line(struct umbra_clock *c)
{
	c->ns = line_at(c, umbra_host_tsc()) - boot_ns();
	WRITE_ONCE(c->line, false);
}

static void clock_lock(struct umbra_clock *c, unsigned long *flags)
	__acquires(&c->lock)
{
	spin_lock_irqsave(&c->lock, *flags);
	if (c->line && check_tsc_unstable())
		leave_line(c);
}

static void clock_unlock(struct umbra_clock *c, unsigned long flags)
	__releases(&c->lock)
{
	spin_unlock_irqrestore(&c->lock, flags);
}

/* @c->lock held: interrupts are off, so that all of it is one instant. */
static void read_now(const struct umbra_clock *c, struct moment *now)
{
	now->tsc = umbra_host_tsc();
	now->ns = c->line ? line_at(c, now->tsc) : boot_ns() + c->ns;
	now->real = ktime_get_real_ns();
}

/**
 * umbra_clock_init() - start the VM's clock at 0
 * @vm: virtual machine under construction
 */
void umbra_clock_init(struct umbra_vm *vm)
{
	struct umbra_clock *c = &vm->clock;

	spin_lock_init(&c->lock);
	set_rate(c, tsc_khz);
	c->line = host_runs_by_tsc();
	c->tsc = umbra_host_tsc();
	c->ns = c->line ? 0 : -boot_ns();
}

/**
 * umbra_get_clock() - KVM_GET_CLOCK
 * @vm: virtual machine
 * @out: filled: clock, and the host's real time and TSC at that instant
 */
void umbra_get_clock(struct umbra_vm *vm, struct kvm_clock_data *out)
{
	struct umbra_clock *c = &vm->clock;
	unsigned long flags;
	struct moment now;
	bool line;

	memset(out, 0, sizeof(*out));
	clock_lock(c, &flags);
	read_now(c, &now);
	line = c->line;
	clock_unlock(c, flags);
	out->clock = now.ns;
	out->realtime = now.real;
	out->flags = KVM_CLOCK_REALTIME;
	if (!line)
		return;
	out->host_tsc = now.tsc - READ_ONCE(umbra_tsc_lost);
	out->flags |= KVM_CLOCK_HOST_TSC;
	if (umbra_tsc_in_step(vm))
		out->flags |= KVM_CLOCK_TSC_STABLE;
}

/**
 * umbra_set_clock() - KVM_SET_CLOCK
 * @vm: virtual machine
 * @in: clock; with KVM_CLOCK_REALTIME, its value at that host time
 *
 * Return: 0, or -EINVAL for unknown flags.
 */
int umbra_set_clock(struct umbra_vm *vm, const struct kvm_clock_data *in)
{
	const u32 known = KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC;
	struct umbra_clock *c = &vm->clock;
	s64 clock = in->clock;
	unsigned long flags;
	struct moment now;

	if (in->flags & ~known)
		return -EINVAL;
	clock_lock(c, &flags);
	read_now(c, &now);
	if ((in->flags & KVM_CLOCK_REALTIME) && now.real - (s64)in->realtime > 0)
		clock += now.real - (s64)in->realtime;
	if (c->line) {
		c->tsc = now.tsc;
		c->ns = clock;
	} else {
		c->ns += clock - now.ns;
	}
	clock_unlock(c, flags);
	umbra_request_all(vm, UMBRA_REQ_CLOCK);
	return 0;
}

static bool has_page(const struct umbra_kvmclock *k)
{
	return k->msr & KVM_MSR_ENABLED;
}

void umbra_kvmclock_reset(struct umbra_vcpu *vcpu)
{
	memset(&vcpu->clock, 0, sizeof(vcpu->clock));
}

bool umbra_kvmclock_stale(const struct umbra_vcpu *vcpu)
{
	const struct umbra_kvmclock *k = &vcpu->clock;

	if (umbra_tsc_moved(vcpu))
		return true;
	if (!has_page(k))
		return false;
	if (READ_ONCE(vcpu->vm->clock.line))
		return check_tsc_unstable();
	return k->line || time_after_eq(jiffies, k->written + REFRESH);
}

void umbra_kvmclock_loaded(struct umbra_vcpu *vcpu)
{
	const struct umbra_kvmclock *k = &vcpu->clock;

	if (has_page(k) && !k->line && k->cpu != smp_processor_id())
		umbra_request(vcpu, UMBRA_REQ_CLOCK);
}

/* The contents of the page, but for its version and what the guest keeps there. */
static void fill_page(struct umbra_vcpu *vcpu, struct pvclock_vcpu_time_info *info)
{
	struct umbra_kvmclock *k = &vcpu->clock;
	struct umbra_clock *c = &vcpu->vm->clock;
	bool in_step = umbra_tsc_in_step(vcpu->vm);
	unsigned long flags;
	struct moment at;

	memset(info, 0, sizeof(*info));
	clock_lock(c, &flags);
	k->line = c->line;
	if (c->line) {
		at.tsc = c->tsc;
		at.ns = c->ns;
	} else {
		read_now(c, &at);
		k->cpu = smp_processor_id();
		k->written = jiffies;
	}
	info->tsc_to_system_mul = c->mul;
	info->tsc_shift = c->shift;
	clock_unlock(c, flags);
	info->tsc_timestamp = at.tsc + vcpu->tsc_offset;
	info->system_time = at.ns;
	/* With it the guest may read any vCPU's page on any, with the TSC of where it is. */
	if (k->line && in_step)
		info->flags |= PVCLOCK_TSC_STABLE_BIT;
}

/*
 * Where the address has no memory the guest has no clock: its own fault, and nobody
 * is told. The guest takes back PVCLOCK_GUEST_STOPPED itself, once it saw it.
 */
static void write_page(struct umbra_vcpu *vcpu, struct pvclock_vcpu_time_info *info)
{
	const unsigned int body = sizeof(info->version);
	const unsigned int flags = offsetof(struct pvclock_vcpu_time_info, flags);
	struct umbra_kvmclock *k = &vcpu->clock;
	gpa_t gpa = k->msr & ~(u64)KVM_MSR_ENABLED;
	u32 version;
	u8 old;

	if (umbra_gpa_read(vcpu->vm, gpa + flags, &old, sizeof(old)) ||
	    umbra_gpa_read(vcpu->vm, gpa, &version, sizeof(version)))
		return;
	if (k->stopped || (k->shown && old & PVCLOCK_GUEST_STOPPED))
		info->flags |= PVCLOCK_GUEST_STOPPED;
	/* On from there: the guest may have been saved elsewhere in the middle of reading. */
	version = (version + 1) | 1;
	if (umbra_guest_write(vcpu, gpa, &version, sizeof(version)))
		return;
	smp_wmb();	/* odd before anything changes ... */
	umbra_guest_write(vcpu, gpa + body, (u8 *)info + body, sizeof(*info) - body);
	smp_wmb();	/* ... and all of it before even */
	k->shown = true;
	version++;
	if (!umbra_guest_write(vcpu, gpa, &version, sizeof(version)))
		k->stopped = false;
}

void umbra_kvmclock_update(struct umbra_vcpu *vcpu)
{
	struct pvclock_vcpu_time_info info;
	int idx;

	if (!has_page(&vcpu->clock))
		return;
	fill_page(vcpu, &info);
	idx = srcu_read_lock(&vcpu->vm->srcu);
	write_page(vcpu, &info);
	srcu_read_unlock(&vcpu->vm->srcu, idx);
}

int umbra_kvmclock_stopped(struct umbra_vcpu *vcpu)
{
	if (!has_page(&vcpu->clock))
		return -EINVAL;
	vcpu->clock.stopped = true;
	umbra_request(vcpu, UMBRA_REQ_CLOCK);
	return 0;
}

/* The real time when the VM's clock was 0, where the guest asked for it. */
static void write_wall_clock(struct umbra_vcpu *vcpu, gpa_t gpa)
{
	struct umbra_vm *vm = vcpu->vm;
	struct umbra_clock *c = &vm->clock;
	struct pvclock_wall_clock wall;
	unsigned long flags;
	struct moment now;
	u32 version, nsec;
	int idx;

	clock_lock(c, &flags);
	read_now(c, &now);
	clock_unlock(c, flags);
	wall.sec = div_u64_rem(now.real - now.ns, NSEC_PER_SEC, &nsec);
	wall.nsec = nsec;
	idx = srcu_read_lock(&vm->srcu);
	if (umbra_gpa_read(vm, gpa, &version, sizeof(version)))
		goto out;
	wall.version = (version + 1) | 1;
	if (umbra_guest_write(vcpu, gpa, &wall.version, sizeof(wall.version)))
		goto out;
	smp_wmb();	/* as in write_page() */
	if (umbra_guest_write(vcpu, gpa, &wall, sizeof(wall)))
		goto out;
	smp_wmb();	/* likewise */
	wall.version++;
	umbra_guest_write(vcpu, gpa, &wall.version, sizeof(wall.version));
out:
	srcu_read_unlock(&vm->srcu, idx);
}

/* The pair of MSRs that @index belongs to has to be in the guest's CPUID. */
static bool msr_offered(struct umbra_vcpu *vcpu, u32 index, bool host)
{
	bool old = index == MSR_KVM_WALL_CLOCK || index == MSR_KVM_SYSTEM_TIME;

	return host || umbra_pv_has(vcpu, old ? KVM_FEATURE_CLOCKSOURCE :
						KVM_FEATURE_CLOCKSOURCE2);
}

static bool is_wall_clock(u32 index)
{
	return index == MSR_KVM_WALL_CLOCK || index == MSR_KVM_WALL_CLOCK_NEW;
}

int umbra_kvmclock_get_msr(struct umbra_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	if (!msr_offered(vcpu, index, host))
		return -EINVAL;
	*data = is_wall_clock(index) ? READ_ONCE(vcpu->vm->clock.wall_msr) : vcpu->clock.msr;
	return 0;
}

int umbra_kvmclock_set_msr(struct umbra_vcpu *vcpu, u32 index, u64 data, bool host)
{
	if (!msr_offered(vcpu, index, host))
		return -EINVAL;
	if (is_wall_clock(index)) {
		WRITE_ONCE(vcpu->vm->clock.wall_msr, data);
		if (data)
			write_wall_clock(vcpu, data);
		return 0;
	}
	umbra_kvmclock_reset(vcpu);
	vcpu->clock.msr = data;
	umbra_request(vcpu, UMBRA_REQ_CLOCK);
	return 0;
}

/* The guest's TSC and the host's real time at one instant, for the guest's time daemon. */
long umbra_kvmclock_pairing(struct umbra_vcpu *vcpu, gpa_t gpa, u64 type)
{
	struct umbra_clock *c = &vcpu->vm->clock;
	struct kvm_clock_pairing pair = {};
	unsigned long flags;
	struct moment now;
	u32 nsec;
	bool line;
	int idx, r;

	if (type != KVM_CLOCK_PAIRING_WALLCLOCK)
		return -KVM_EOPNOTSUPP;
	clock_lock(c, &flags);
	read_now(c, &now);
	line = c->line;
	clock_unlock(c, flags);
	if (!line)
		return -KVM_EOPNOTSUPP;
	pair.sec = div_u64_rem(now.real, NSEC_PER_SEC, &nsec);
	pair.nsec = nsec;
	pair.tsc = now.tsc + vcpu->tsc_offset;
	idx = srcu_read_lock(&vcpu->vm->srcu);
	r = umbra_guest_write(vcpu, gpa, &pair, sizeof(pair));
	srcu_read_unlock(&vcpu->vm->srcu, idx);
	return r ? -KVM_EFAULT : 0;
}
