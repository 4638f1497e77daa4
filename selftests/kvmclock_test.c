// SPDX-License-Identifier: GPL-2.0
/*
 * The clock that a VM has: kvmclock's pages as guests read them, the wall clock, and
 * KVM_GET_CLOCK and KVM_SET_CLOCK, which have to agree with them. What is promised about two
 * vCPUs' clocks is promised where the host runs by its TSC; elsewhere the pages must not say so.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <asm/kvm_para.h>
#include <kselftest_harness.h>
#include "irq.h"

#define PAGE_GPA(cpu)	(UT_FREE_GPA + (cpu) * UT_PAGE_SIZE)
#define WALL_GPA	(UT_FREE_GPA + 0x10100)
#define SLOT_GPA	0x40000000ull	/* where tests put a slot of their own */
#define MS		1000000ll
#define SECOND		1000000000ll
/* Emulated hosts measure their TSC badly, and one that is not the host's clock drifts. */
#define DRIFT		(200 * MS)
#define TSC_STABLE	1
#define GUEST_STOPPED	2
#define MSR_TSC		0x10

struct clock_page {
	u32 version;
	u32 pad0;
	u64 tsc;
	u64 ns;
	u32 mul;
	signed char shift;
	u8 flags;
	u8 pad[2];
};

struct wall_page {
	u32 version;
	u32 sec;
	u32 nsec;
};

/* ---- guest ---- */

enum { CLOCK, WRITE_MSR, READ_MSR };

/* What the guest is to do next, and its answer. */
static u64 order, order_msr, order_value, answer;
/* Several vCPUs: the latest time that any has read, and what went wrong. */
static u64 latest, backwards, torn, quit;

static u64 page_time(const volatile struct clock_page *p)
{
	u64 tsc, ns, ticks, high;
	u32 version, mul;
	signed char shift;

	do {
		version = __atomic_load_n(&p->version, __ATOMIC_ACQUIRE) & ~1u;
		tsc = p->tsc;
		ns = p->ns;
		mul = p->mul;
		shift = p->shift;
		asm volatile("lfence" : : : "memory");
		ticks = guest_rdtsc() - tsc;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (version != __atomic_load_n(&p->version, __ATOMIC_RELAXED));
	ticks = shift < 0 ? ticks >> -shift : ticks << shift;
	asm("mulq %2\n\tshrdq $32, %1, %0" : "+a"(ticks), "=&d"(high) : "r"((u64)mul) : "cc");
	return ns + ticks;
}

static void guest_obey(u64 page)
{
	for (;;) {
		switch (ut_read_once(order)) {
		case CLOCK:
			ut_write_once(answer, page_time((void *)page));
			break;
		case WRITE_MSR:
			guest_wrmsr(order_msr, order_value);
			break;
		case READ_MSR:
			ut_write_once(answer, guest_rdmsr(order_msr));
			break;
		}
		guest_sync(0);
	}
}

static void guest_race(u64 page, u64 rounds)
{
	u64 seen, now, i;

	for (i = 0; i < rounds; i++) {
		seen = __atomic_load_n(&latest, __ATOMIC_SEQ_CST);
		now = page_time((void *)page);
		if (now < seen)
			__atomic_add_fetch(&backwards, 1, __ATOMIC_RELAXED);
		while (seen < now && !__atomic_compare_exchange_n(&latest, &seen, now, false,
								  __ATOMIC_SEQ_CST,
								  __ATOMIC_SEQ_CST))
			;
	}
	guest_done();
}

#define EARLY	(1000 * SECOND)
#define LATE	(1000000 * SECOND)

/* Of times that are either early or late, with nothing in between. */
static void guest_look_for_torn(u64 page)
{
	while (!ut_read_once(quit)) {
		u64 now = page_time((void *)page);

		if (now < EARLY || (now > 2 * EARLY && now < LATE) || now > 2 * LATE)
			__atomic_add_fetch(&torn, 1, __ATOMIC_RELAXED);
	}
	guest_done();
}

static void guest_leave_often(void)
{
	while (!ut_read_once(quit))
		guest_rdmsr(MSR_TSC);
	guest_done();
}

/* ---- test ---- */

FIXTURE(kvmclock)
{
	struct ut_vm *vm;
	struct ut_vcpu *vcpu[2];
	u32 time_msr, wall_msr;
};

FIXTURE_VARIANT(kvmclock)
{
	u32 time_msr, wall_msr;
};

FIXTURE_VARIANT_ADD(kvmclock, new)
{
	.time_msr = MSR_KVM_SYSTEM_TIME_NEW, .wall_msr = MSR_KVM_WALL_CLOCK_NEW,
};

FIXTURE_VARIANT_ADD(kvmclock, old)
{
	.time_msr = MSR_KVM_SYSTEM_TIME, .wall_msr = MSR_KVM_WALL_CLOCK,
};

#define SELF	struct _test_data_kvmclock *self

FIXTURE_SETUP(kvmclock)
{
	int i;

	self->vm = ut_vm_long();
	for (i = 0; i < 2; i++) {
		self->vcpu[i] = ut_vcpu_long(self->vm, i, guest_obey);
		ut_set_args(self->vcpu[i], PAGE_GPA(i), 0);
	}
	self->time_msr = variant->time_msr;
	self->wall_msr = variant->wall_msr;
}

FIXTURE_TEARDOWN(kvmclock)
{
	ut_vm_free(self->vm);
}

static struct clock_page *page_of(SELF, int cpu)
{
	return ut_hva(self->vm, PAGE_GPA(cpu));
}

static u64 ask(SELF, int cpu, u64 what, u64 msr, u64 value)
{
	*ut_guest_var(self->vm, order) = what;
	*ut_guest_var(self->vm, order_msr) = msr;
	*ut_guest_var(self->vm, order_value) = value;
	if (ut_next(self->vcpu[cpu], NULL) != UT_SYNC)
		ut_die("guest's exit %s", ut_exit_name(self->vcpu[cpu]->run->exit_reason));
	return *ut_guest_var(self->vm, answer);
}

static u64 guest_time(SELF, int cpu)
{
	return ask(self, cpu, CLOCK, 0, 0);
}

/* The guest turns its page on, and has entered again since. */
static void start(SELF, int cpu)
{
	ask(self, cpu, WRITE_MSR, self->time_msr, PAGE_GPA(cpu) | KVM_MSR_ENABLED);
	guest_time(self, cpu);
}

static u64 vm_time(SELF, u32 *flags)
{
	struct kvm_clock_data data;

	ut_must_ioctl(self->vm->fd, KVM_GET_CLOCK, &data);
	if (flags)
		*flags = data.flags;
	return data.clock;
}

static void set_time(SELF, u64 ns)
{
	struct kvm_clock_data data = { .clock = ns };

	ut_must_ioctl(self->vm->fd, KVM_SET_CLOCK, &data);
}

/* KVM_GET_CLOCK around one reading of the guest, with @slack where clocks may differ. */
static bool agree(SELF, int cpu, long long slack)
{
	u64 before = vm_time(self, NULL), guest = guest_time(self, cpu);
	u64 after = vm_time(self, NULL);

	if (guest + slack >= before && guest <= after + slack)
		return true;
	fprintf(stderr, "# guest reads %lu, KVM_GET_CLOCK %lu before and %lu after\n", guest,
		before, after);
	return false;
}

/* Does the host run by its TSC? */
static bool host_by_tsc(void)
{
	FILE *f = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "r");
	char name[32] = "";

	if (!f || !fgets(name, sizeof(name), f))
		ut_die("no clocksource in sysfs");
	fclose(f);
	return !strcmp(name, "tsc\n");
}

static long long slack(void)
{
	return host_by_tsc() ? 0 : DRIFT;
}

static u64 monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SECOND + now.tv_nsec;
}

/* An emulated host on a busy machine may have measured its TSC wrong by half. */
static bool host_knows_its_tsc(SELF)
{
	u64 khz = ut_must_ioctl(self->vcpu[0]->fd, KVM_GET_TSC_KHZ, 0), tsc, ns, real;
	int i;

	if (host_by_tsc())
		return true;
	for (i = 0; i < 3; i++) {
		ns = monotonic_ns();
		tsc = guest_rdtsc();
		ut_msleep(300);
		ns = monotonic_ns() - ns;
		real = (guest_rdtsc() - tsc) * 1000000 / ns;
		if (real > khz - khz / 20 && real < khz + khz / 20)
			return true;
		fprintf(stderr, "# the TSC runs at %lu kHz, not %lu\n", real, khz);
	}
	return false;
}

TEST_F(kvmclock, page)
{
	struct clock_page *p = page_of(self, 0);
	u32 flags;

	memset(p, 0, sizeof(*p));
	start(self, 0);
	EXPECT_NE(0, p->version);
	EXPECT_EQ(0, p->version & 1);
	EXPECT_EQ(0, p->pad0 | p->pad[0] | p->pad[1]);
	EXPECT_NE(0, p->mul);
	EXPECT_EQ(0, p->flags & ~TSC_STABLE);
	vm_time(self, &flags);
	/* The old registers have no flags. */
	if (ut_on_umbra() || self->time_msr == MSR_KVM_SYSTEM_TIME_NEW) {
		EXPECT_EQ(host_by_tsc(), !!(p->flags & TSC_STABLE));
		EXPECT_EQ(host_by_tsc(), !!(flags & KVM_CLOCK_TSC_STABLE));
	}
	if (!host_knows_its_tsc(self))
		SKIP(return, "the host is wrong about its TSC's frequency");
	EXPECT_TRUE(agree(self, 0, slack()));
	ut_msleep(300);
	EXPECT_TRUE(agree(self, 0, slack()));
}

TEST_F(kvmclock, rate)
{
	u64 guest, vm;

	if (!host_knows_its_tsc(self))
		SKIP(return, "the host is wrong about its TSC's frequency");
	start(self, 0);
	vm = vm_time(self, NULL);
	guest = guest_time(self, 0);
	ut_msleep(500);
	guest = guest_time(self, 0) - guest;
	vm = vm_time(self, NULL) - vm;
	EXPECT_LT(450 * MS, guest);
	EXPECT_GT(vm + DRIFT, guest);
}

TEST_F(kvmclock, set_clock)
{
	struct clock_page *p = page_of(self, 0);
	u32 version;
	u64 guest;

	start(self, 0);
	version = p->version;
	set_time(self, 4000 * SECOND);
	guest = guest_time(self, 0);
	EXPECT_LE(4000 * SECOND, guest + slack());
	EXPECT_GT(4030 * SECOND, guest);
	EXPECT_TRUE(agree(self, 0, slack()));
	EXPECT_NE(version, p->version);
	EXPECT_EQ(0, p->version & 1);
	/* Back as well. */
	set_time(self, 7 * SECOND);
	guest = guest_time(self, 0);
	EXPECT_LE(7 * SECOND, guest + slack());
	EXPECT_GT(37 * SECOND, guest);
}

TEST_F(kvmclock, set_clock_real_time)
{
	struct kvm_clock_data data;
	u64 then;

	start(self, 0);
	ut_must_ioctl(self->vm->fd, KVM_GET_CLOCK, &data);
	if (!(data.flags & KVM_CLOCK_REALTIME))
		SKIP(return, "no KVM_CLOCK_REALTIME on this host");
	then = data.clock;
	/* An hour ago it was what it is now. */
	data.realtime -= 3600 * SECOND;
	data.flags = KVM_CLOCK_REALTIME;
	ut_must_ioctl(self->vm->fd, KVM_SET_CLOCK, &data);
	EXPECT_LE(then + 3600 * SECOND, guest_time(self, 0) + slack());
	EXPECT_GT(then + 3630 * SECOND, guest_time(self, 0));
	data.flags = 1u << 31;
	EXPECT_EQ(-EINVAL, ut_ioctl(self->vm->fd, KVM_SET_CLOCK, &data));
}

TEST_F(kvmclock, registers)
{
	const u64 on = PAGE_GPA(0) | KVM_MSR_ENABLED;
	struct clock_page *p = page_of(self, 0);
	u32 other = self->time_msr == MSR_KVM_SYSTEM_TIME ? MSR_KVM_SYSTEM_TIME_NEW :
							    MSR_KVM_SYSTEM_TIME;
	u32 version;
	u64 value;

	EXPECT_EQ(0, ask(self, 0, READ_MSR, self->time_msr, 0));
	start(self, 0);
	EXPECT_EQ(on, ask(self, 0, READ_MSR, self->time_msr, 0));
	EXPECT_EQ(1, ut_read_msr(self->vcpu[0], self->time_msr, &value));
	EXPECT_EQ(on, value);
	/* Two names of one register. */
	EXPECT_EQ(1, ut_read_msr(self->vcpu[0], other, &value));
	EXPECT_EQ(on, value);
	/* Without the bit the page is left alone. */
	ask(self, 0, WRITE_MSR, self->time_msr, PAGE_GPA(0));
	version = p->version;
	set_time(self, SECOND);
	guest_time(self, 0);
	EXPECT_EQ(version, p->version);
	/* User space may turn it on: so does who restores a guest. */
	EXPECT_EQ(1, ut_write_msr(self->vcpu[0], self->time_msr, on));
	guest_time(self, 0);
	EXPECT_TRUE(agree(self, 0, slack()));
}

TEST_F(kvmclock, wall_clock)
{
	struct wall_page *wall = ut_hva(self->vm, WALL_GPA);
	struct timespec now;
	long long ns;
	u64 value;

	memset(wall, 0, sizeof(*wall));
	start(self, 0);
	ask(self, 0, WRITE_MSR, self->wall_msr, WALL_GPA);
	clock_gettime(CLOCK_REALTIME, &now);
	EXPECT_NE(0, wall->version);
	EXPECT_EQ(0, wall->version & 1);
	EXPECT_GT(SECOND, wall->nsec);
	ns = (wall->sec * SECOND + wall->nsec + guest_time(self, 0)) -
	     (now.tv_sec * SECOND + now.tv_nsec);
	EXPECT_LT(-2 * SECOND, ns);
	EXPECT_GT(2 * SECOND, ns);
	/* Of the whole VM. */
	EXPECT_EQ(WALL_GPA, ask(self, 1, READ_MSR, self->wall_msr, 0));
	EXPECT_EQ(1, ut_read_msr(self->vcpu[1], self->wall_msr, &value));
	EXPECT_EQ(WALL_GPA, value);
}

TEST_F(kvmclock, stopped)
{
	struct clock_page *p = page_of(self, 0);

	EXPECT_EQ(-EINVAL, ut_ioctl(self->vcpu[0]->fd, KVM_KVMCLOCK_CTRL, 0));
	start(self, 0);
	EXPECT_EQ(0, p->flags & GUEST_STOPPED);
	ASSERT_EQ(0, ut_ioctl(self->vcpu[0]->fd, KVM_KVMCLOCK_CTRL, 0));
	guest_time(self, 0);
	EXPECT_NE(0, p->flags & GUEST_STOPPED);
	/* It stays until the guest has seen it. */
	set_time(self, SECOND);
	guest_time(self, 0);
	EXPECT_NE(0, p->flags & GUEST_STOPPED);
	p->flags &= ~GUEST_STOPPED;
	set_time(self, SECOND);
	guest_time(self, 0);
	EXPECT_EQ(0, p->flags & GUEST_STOPPED);
}

/*
 * Saved while it reads, and restored: the version that it finds is not the one that it began
 * with, or it would take half of each for a whole.
 */
TEST_F(kvmclock, version_goes_on)
{
	struct clock_page *p = page_of(self, 0);
	u32 version, i;
	u64 msr;

	start(self, 0);
	ASSERT_EQ(1, ut_read_msr(self->vcpu[0], self->time_msr, &msr));
	for (i = 0; i < 5; i++) {
		version = p->version;
		ASSERT_EQ(1, ut_write_msr(self->vcpu[0], self->time_msr, msr));
		guest_time(self, 0);
		EXPECT_LT(version, p->version);
		EXPECT_EQ(0, p->version & 1);
	}
	/* Whoever saved it may have been in the middle of writing. */
	p->version = 0x7fffffff;
	ASSERT_EQ(1, ut_write_msr(self->vcpu[0], self->time_msr, msr));
	guest_time(self, 0);
	EXPECT_LT(0x7fffffff, p->version);
	EXPECT_EQ(0, p->version & 1);
}

/* The guest moves its TSC: its clock does not notice. */
TEST_F(kvmclock, tsc_moves)
{
	u64 before;

	if (!ut_on_umbra())
		SKIP(return, "on KVM it does");
	start(self, 0);
	before = guest_time(self, 0);
	ask(self, 0, WRITE_MSR, MSR_TSC, 1ull << 40);
	EXPECT_LE(before, guest_time(self, 0) + slack());
	EXPECT_GT(before + 30 * SECOND, guest_time(self, 0));
	EXPECT_TRUE(agree(self, 0, slack()));
	before = guest_time(self, 0);
	ask(self, 0, WRITE_MSR, MSR_TSC, 0);
	EXPECT_LE(before, guest_time(self, 0) + slack());
	EXPECT_GT(before + 30 * SECOND, guest_time(self, 0));
}

static void set_tsc_offset(struct ut_vcpu *vcpu, u64 offset)
{
	struct kvm_device_attr attr = {
		.group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = (u64)&offset,
	};

	ut_must_ioctl(vcpu->fd, KVM_SET_DEVICE_ATTR, &attr);
}

static u64 tsc_offset(struct ut_vcpu *vcpu)
{
	u64 offset;
	struct kvm_device_attr attr = {
		.group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = (u64)&offset,
	};

	ut_must_ioctl(vcpu->fd, KVM_GET_DEVICE_ATTR, &attr);
	return offset;
}

/* TSCs out of step: both pages have to stop saying that one page does for all. */
TEST_F(kvmclock, stable_flag_follows_the_tscs)
{
	u64 offset;
	u32 flags;
	int i;

	if (!host_by_tsc())
		SKIP(return, "the host does not run by its TSC: the flag is never set");
	if (!ut_on_umbra())
		SKIP(return, "KVM writes the pages again at some later time");
	start(self, 0);
	start(self, 1);
	offset = tsc_offset(self->vcpu[0]);
	ASSERT_EQ(offset, tsc_offset(self->vcpu[1]));
	for (i = 0; i < 2; i++)
		EXPECT_EQ(TSC_STABLE, page_of(self, i)->flags);
	set_tsc_offset(self->vcpu[1], offset + (1ull << 40));
	for (i = 0; i < 2; i++) {
		EXPECT_TRUE(agree(self, i, 0));
		EXPECT_EQ(0, page_of(self, i)->flags);
	}
	vm_time(self, &flags);
	EXPECT_EQ(0, flags & KVM_CLOCK_TSC_STABLE);
	set_tsc_offset(self->vcpu[1], offset);
	for (i = 0; i < 2; i++) {
		EXPECT_TRUE(agree(self, i, 0));
		EXPECT_EQ(TSC_STABLE, page_of(self, i)->flags);
	}
}

TEST_F_TIMEOUT(kvmclock, monotonic, UT_IRQ_TIMEOUT)
{
	struct ut_runner *runner[2];
	int i;

	start(self, 0);
	start(self, 1);
	if (!(page_of(self, 0)->flags & page_of(self, 1)->flags & TSC_STABLE))
		SKIP(return, "the host does not run by its TSC: two vCPUs' clocks may differ");
	for (i = 0; i < 2; i++) {
		ut_restart(self->vcpu[i], guest_race);
		ut_set_args(self->vcpu[i], PAGE_GPA(i), 200000);
	}
	for (i = 0; i < 2; i++)
		runner[i] = ut_runner_start(self->vcpu[i]);
	for (i = 0; i < 2; i++)
		EXPECT_EQ(UT_DONE, ut_runner_join(runner[i]));
	EXPECT_EQ(0, *ut_guest_var(self->vm, backwards));
	EXPECT_NE(0, *ut_guest_var(self->vm, latest));
}

/* One vCPU reads another's page, as programs in the guest do, while it is written again. */
TEST_F_TIMEOUT(kvmclock, version_protocol, UT_IRQ_TIMEOUT)
{
	u32 first;
	struct ut_runner *runner[2];
	int i;

	start(self, 0);
	set_time(self, EARLY + SECOND);
	guest_time(self, 0);
	first = page_of(self, 0)->version;
	ut_restart(self->vcpu[0], guest_leave_often);
	ut_restart(self->vcpu[1], guest_look_for_torn);
	ut_set_args(self->vcpu[1], PAGE_GPA(0), 0);
	for (i = 0; i < 2; i++)
		runner[i] = ut_runner_start(self->vcpu[i]);
	for (i = 0; i < 300; i++) {
		set_time(self, (i & 1 ? EARLY : LATE) + SECOND);
		ut_msleep(1);
	}
	*ut_guest_var(self->vm, quit) = 1;
	for (i = 0; i < 2; i++)
		EXPECT_EQ(UT_DONE, ut_runner_join(runner[i]));
	EXPECT_EQ(0, *ut_guest_var(self->vm, torn));
	EXPECT_LT(first + 20, page_of(self, 0)->version);
}

/* What the page says is written to the guest's memory, and so to the log. */
TEST_F(kvmclock, dirty_log)
{
	u64 bits[1] = {}, gpa = SLOT_GPA + UT_PAGE_SIZE;
	struct kvm_dirty_log log = { .slot = 1, .dirty_bitmap = bits };

	ut_add_slot(self->vm, 1, SLOT_GPA, 4 * UT_PAGE_SIZE, KVM_MEM_LOG_DIRTY_PAGES);
	ask(self, 0, WRITE_MSR, self->time_msr, gpa | KVM_MSR_ENABLED);
	ask(self, 0, READ_MSR, self->time_msr, 0);
	ut_must_ioctl(self->vm->fd, KVM_GET_DIRTY_LOG, &log);
	EXPECT_EQ(2, bits[0]);
	ask(self, 0, WRITE_MSR, self->wall_msr, gpa + UT_PAGE_SIZE);
	set_time(self, SECOND);
	ask(self, 0, READ_MSR, self->time_msr, 0);
	ut_must_ioctl(self->vm->fd, KVM_GET_DIRTY_LOG, &log);
	EXPECT_EQ(6, bits[0]);
}

/* Addresses that are no good are the guest's own loss. */
TEST_F(kvmclock, hostile_addresses)
{
	char *readonly = ut_add_slot(self->vm, 1, SLOT_GPA, 2 * UT_PAGE_SIZE, KVM_MEM_READONLY);
	char *zero = calloc(2, UT_PAGE_SIZE);
	const u64 address[] = {
		SLOT_GPA, SLOT_GPA + UT_PAGE_SIZE - 16,		/* read-only */
		SLOT_GPA - 16, SLOT_GPA + 2 * UT_PAGE_SIZE - 16,	/* half of it memory */
		UT_SLOT0_SIZE - 16, UT_SLOT0_SIZE - 2,		/* at the end of memory */
		PAGE_GPA(4) + UT_PAGE_SIZE - 16, PAGE_GPA(4) + UT_PAGE_SIZE - 2,
		PAGE_GPA(4) + 2, PAGE_GPA(4) + 6,		/* odd places */
		UT_MMIO_GPA, SLOT_GPA * 2, 1ull << 40, 1ull << 52, ~0ull << 1, 0,
	};
	u64 value;
	u32 i;

	ASSERT_NE(NULL, zero);
	for (i = 0; i < ARRAY_SIZE(address); i++) {
		ask(self, 0, WRITE_MSR, self->time_msr, address[i] | KVM_MSR_ENABLED);
		set_time(self, SECOND);
		EXPECT_EQ(address[i] | KVM_MSR_ENABLED,
			  ask(self, 0, READ_MSR, self->time_msr, 0));
		ask(self, 0, WRITE_MSR, self->wall_msr, address[i]);
		EXPECT_EQ(1, ut_read_msr(self->vcpu[0], self->wall_msr, &value));
		EXPECT_EQ(1, ut_write_msr(self->vcpu[0], self->wall_msr, value));
	}
	EXPECT_EQ(0, memcmp(readonly, zero, 2 * UT_PAGE_SIZE));
	free(zero);
	/* Nothing of it stays. */
	start(self, 0);
	EXPECT_TRUE(agree(self, 0, slack()));
}

/* A slot that comes, goes and moves under the page. */
TEST_F(kvmclock, slot_goes)
{
	char *mem = ut_add_slot(self->vm, 1, SLOT_GPA, UT_PAGE_SIZE, 0);
	struct clock_page *p = (void *)mem;

	ask(self, 0, WRITE_MSR, self->time_msr, SLOT_GPA | KVM_MSR_ENABLED);
	ask(self, 0, READ_MSR, self->time_msr, 0);
	EXPECT_NE(0, p->version);
	ut_del_slot(self->vm, 1);
	set_time(self, SECOND);
	ask(self, 0, READ_MSR, self->time_msr, 0);
	p = ut_add_slot(self->vm, 1, SLOT_GPA, UT_PAGE_SIZE, 0);
	EXPECT_EQ(0, p->version);
	set_time(self, SECOND);
	ask(self, 0, READ_MSR, self->time_msr, 0);
	EXPECT_NE(0, p->version);
	EXPECT_EQ(0, p->version & 1);
}

/* What a migration does: the registers and the clock of one VM given to another. */
TEST_F(kvmclock, restored)
{
	struct _test_data_kvmclock other = *self;
	struct kvm_clock_data data;
	u64 before, value;

	set_time(self, 5000 * SECOND);
	start(self, 0);
	before = guest_time(self, 0);
	ut_must_ioctl(self->vm->fd, KVM_GET_CLOCK, &data);
	ASSERT_EQ(1, ut_read_msr(self->vcpu[0], self->time_msr, &value));
	other.vm = ut_vm_long();
	other.vcpu[0] = ut_vcpu_long(other.vm, 0, guest_obey);
	ut_set_args(other.vcpu[0], PAGE_GPA(0), 0);
	data.flags = 0;
	ut_must_ioctl(other.vm->fd, KVM_SET_CLOCK, &data);
	ASSERT_EQ(1, ut_write_msr(other.vcpu[0], self->time_msr, value));
	EXPECT_LE(before, guest_time(&other, 0) + slack());
	EXPECT_GT(before + 30 * SECOND, guest_time(&other, 0));
	ut_vm_free(other.vm);
}

TEST_HARNESS_MAIN
