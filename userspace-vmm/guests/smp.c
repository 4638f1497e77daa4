// SPDX-License-Identifier: GPL-2.0
/*
 * Guest with two or more vCPUs: starts them, shares out a sum in small pieces
 * under a spinlock, checks it, then wakes each from HLT by an interrupt.
 */
#include "trap.h"

#define LAST		200000u
#define PIECE		500u
#define WAKE_VECTOR	0x41
#define MAX_VCPUS	64

static u32 lock;
static u32 next = 1;
static u64 sum;
static u32 pieces[MAX_VCPUS];
static u32 ready;
static u32 done;
static u32 woken[MAX_VCPUS];

static void take(void)
{
	while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
		relax();
}

static void release(void)
{
	__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

static u32 peek(const u32 *value)
{
	return __atomic_load_n(value, __ATOMIC_ACQUIRE);
}

static bool take_piece(u32 *first)
{
	take();
	*first = next;
	if (next <= LAST)
		next += PIECE;
	release();
	return *first <= LAST;
}

static void work(u32 index)
{
	u32 first, i;
	u64 part;

	while (take_piece(&first)) {
		for (part = 0, i = first; i < first + PIECE; i++)
			part += i;
		take();
		sum += part;
		pieces[index]++;
		release();
	}
	__atomic_add_fetch(&done, 1, __ATOMIC_ACQ_REL);
}

void secondary_main(u32 index)
{
	trap_setup();
	CHECK(index < MAX_VCPUS && in32(PORT_START_ADDRESS) == index);
	__atomic_add_fetch(&ready, 1, __ATOMIC_ACQ_REL);
	work(index);
	/* STI holds the interrupt back for one instruction: no wake-up is lost. */
	asm volatile("sti; hlt; cli" : : : "memory");
	__atomic_store_n(&woken[index], 1, __ATOMIC_RELEASE);
}

static void start_all(u32 cpus)
{
	u32 i;

	for (i = 1; i < cpus; i++) {
		out32(PORT_START_ADDRESS, (u32)(unsigned long)secondary_start);
		out32(PORT_START_VCPU, i);
	}
	while (peek(&ready) != cpus - 1)
		relax();
	println("smp: vCPUs running: ", cpus);
}

static void wake_all(u32 cpus)
{
	u32 i;

	for (i = 1; i < cpus; i++) {
		out32(PORT_INTERRUPT, i << 8 | WAKE_VECTOR);
		while (!peek(&woken[i]))
			relax();
	}
	CHECK(trap.count[WAKE_VECTOR] == cpus - 1);
	println("smp: vCPUs woken by interrupt: ", cpus - 1);
}

u32 guest_main(const struct boot_info *info, u32 magic)
{
	u32 cpus = in32(PORT_START_VCPU), i, total = 0;

	(void)info;
	CHECK(magic == BOOT_MAGIC && in32(PORT_START_ADDRESS) == 0);
	if (cpus < 2 || cpus > MAX_VCPUS) {
		println("smp: wants --cpus 2 to 64, has ", cpus);
		return 2;
	}
	trap_setup();
	start_all(cpus);
	work(0);
	while (peek(&done) != cpus)
		relax();
	for (i = 0; i < cpus; i++)
		total += pieces[i];
	CHECK(total == LAST / PIECE);
	CHECK(sum == (u64)LAST * (LAST + 1) / 2);
	println("smp: sum of 1 to 200000 is ", sum);
	wake_all(cpus);
	return 0;
}
