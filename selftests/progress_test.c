// SPDX-License-Identifier: GPL-2.0
/*
 * Writes to pages that are page tables: by instructions that no emulator knows, by the
 * delivery of events, far too many of them, and locked ones from two vCPUs. Whatever traces
 * such writes, the guest gets on, and every value lands as it would in plain memory.
 */
#include <string.h>
#include <sys/mman.h>
#include <kselftest_harness.h>
#include "shootdown.h"
#include "worker.h"

#define SLOW		120	/* seconds: emulated hosts may have little of a processor */
#define ROUNDS		12
#define FRAMES_GPA	UT_FREE_GPA
#define NFRAMES		64
#define FRAME(i)	(FRAMES_GPA + (u64)(i) * UT_PAGE_SIZE)
#define VALUE(i)	(0xf000000000000000ull | (u64)(i))
#define PLAIN_GPA	(FRAMES_GPA + 0x100000)	/* never a table */
/* Only the first entries of a table are in use, the rest is the test's. */
#define FIRST_SPARE	256
#define SPARE		(UT_PAGE_SIZE - 1024)
#define STACK		(UT_PAGE_SIZE - 16)
#define VECTOR		0x50
#define PORT		0x80

FIXTURE(progress)
{
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
};

/* Which table is written: its level, and whether by an address that it translates itself. */
FIXTURE_VARIANT(progress)
{
	int level;
	bool self_mapped;
};

FIXTURE_VARIANT_ADD(progress, leaf_table)
{
	.level = 1,
};

FIXTURE_VARIANT_ADD(progress, second_level)
{
	.level = 2,
};

FIXTURE_VARIANT_ADD(progress, top_level)
{
	.level = 4,
};

FIXTURE_VARIANT_ADD(progress, leaf_table_that_maps_itself)
{
	.level = 1,
	.self_mapped = true,
};

/* In the guest: where the table is written, and the entry that maps the window. */
static u64 table, pte, ready, hits;

FIXTURE_SETUP(progress)
{
	struct ut_vm *vm;
	u64 gpa;
	int i;

	vm = ut_vm_long();
	self->vm = vm;
	sd_setup(vm);
	for (i = 0; i < NFRAMES; i++)
		sd_fill_frame(vm, FRAME(i), VALUE(i));
	sd_map_window(vm, FRAME(0), 1, UT_PTE_W);
	gpa = sd_gva(vm, sd_pte(vm, vm->cr3, SD_WINDOW, variant->level)) & UT_PTE_ADDR;
	*ut_guest_var(vm, pte) = ut_guest_var(vm, sd_entry)[0][1];
	*ut_guest_var(vm, table) = gpa;
	if (variant->self_mapped) {
		sd_map(vm, vm->cr3, SD_WINDOW + 7 * UT_PAGE_SIZE, gpa, 1, UT_PTE_W);
		*ut_guest_var(vm, table) = SD_WINDOW + 7 * UT_PAGE_SIZE;
	}
	self->vcpu = ut_vcpu_long(vm, 0, NULL);
}

FIXTURE_TEARDOWN(progress)
{
	ut_vm_free(self->vm);
}

/* An instruction that KVM's emulator lacks too: KVM protects the root again and again. */
static bool stuck_on_kvm(int level)
{
	return !ut_on_umbra() && ut_shadowed() && level == 4;
}

/* Use the window, by a new entry, so that the table is one again. */
static void guest_use(u64 i)
{
	guest_write64(pte, FRAME(i) | SD_PTE_RW);
	guest_invlpg(SD_WINDOW);
	GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(i));
	guest_write64(SD_WINDOW + 8, i);
	GUEST_ASSERT_EQ(guest_read64(FRAME(i) + 8), i);
}

static void guest_compare(u64 a, u64 b, u64 len)
{
	u64 i;

	for (i = 0; i < len; i += 2)
		GUEST_ASSERT_EQ(*(volatile u16 *)(a + i), *(volatile u16 *)(b + i));
}

/* ---- instructions that are in no table of the emulator ---- */

/* A state of the x87 and SSE registers that is told by @i. */
static void guest_set_fpu(u64 i)
{
	u64 a = i * 3 + 1, b = i * 0x0101010101010101ull;

	asm volatile("fninit\n\t"
		     "fildll %0\n\t"
		     "fldpi\n\t"
		     "movq %1, %%xmm1\n\t"
		     "pshufd $0x44, %%xmm1, %%xmm2"
		     : : "m"(a), "m"(b) : "xmm1", "xmm2");
}

static void guest_fxsave(u64 to)
{
	asm volatile("fxsave64 (%0)" : : "r"(to) : "memory");
}

/* These two change the state that they save: done twice, the image is another. */
static void guest_fnsave(u64 to)
{
	asm volatile("fnsave (%0)" : : "r"(to) : "memory");
}

static void guest_fstpt(u64 to)
{
	asm volatile("fstpt (%0)\n\t"
		     "fbstp 16(%0)" : : "r"(to) : "memory");
}

static void guest_fnstenv(u64 to)
{
	asm volatile("fnstenv (%0)\n\t"
		     "fnstcw 64(%0)\n\t"
		     "stmxcsr 72(%0)" : : "r"(to) : "memory");
}

static void guest_vector(u64 to)
{
	asm volatile("pextrw $3, %%xmm1, %%eax\n\t"
		     "movss %%xmm1, (%0)\n\t"
		     "maskmovdqu %%xmm2, %%xmm1\n\t"
		     "movntdq %%xmm2, 16(%0)" : : "r"(to), "D"(to + 64) : "rax", "memory");
}

static void (*const unknown[])(u64) = {
	guest_fxsave, guest_fnsave, guest_fstpt, guest_fnstenv, guest_vector,
};

static const u64 unknown_len[] = { 416, 108, 26, 76, 96 };

/* FXSAVE puts the last instruction's address into its image: leave it out. */
static void guest_clear_pointers(u64 to, u64 which)
{
	if (which == 0)
		memset((void *)(to + 8), 0, 16);
	else if (which == 1 || which == 3)
		memset((void *)(to + 12), 0, 16);
}

static void guest_unknown(u64 from)
{
	u64 i, k, to;

	for (i = 0; i < ROUNDS; i++) {
		for (k = 0; k < ARRAY_SIZE(unknown); k++) {
			to = table + from;
			guest_use(i + k);
			memset((void *)PLAIN_GPA, 0, 512);
			memset((void *)to, 0, 512);
			guest_use(i + k + 1);
			guest_set_fpu(i + k);
			unknown[k](PLAIN_GPA);
			guest_set_fpu(i + k);
			unknown[k](to);
			guest_clear_pointers(PLAIN_GPA, k);
			guest_clear_pointers(to, k);
			guest_compare(to, PLAIN_GPA, unknown_len[k]);
			guest_use(i + k + 2);
		}
	}
	guest_done();
}

TEST_F_TIMEOUT(progress, unknown_instructions, SLOW)
{
	if (stuck_on_kvm(variant->level))
		SKIP(return, "KVM never lets go of a root that is in use");
	sd_run(self->vcpu, guest_unknown, SPARE, 0);
}

#define BEHIND		(SD_WINDOW + UT_HUGE_SIZE + 64 * UT_PAGE_SIZE)

/* An image that ends in the page behind the table, which is a table as well. */
static void guest_across(u64 at)
{
	u64 i;

	for (i = 0; i < ROUNDS; i++) {
		memset((void *)at, 0, 512);
		memset((void *)PLAIN_GPA, 0, 512);
		guest_use(i);
		GUEST_ASSERT_EQ(guest_read64(BEHIND), VALUE(9));
		guest_set_fpu(i);
		guest_fxsave(PLAIN_GPA);
		guest_set_fpu(i);
		guest_fxsave(at);
		guest_clear_pointers(PLAIN_GPA, 0);
		guest_clear_pointers(at, 0);
		guest_compare(at, PLAIN_GPA, 416);
		guest_use(i + 1);
		guest_write_cr3(guest_read_cr(3));
		GUEST_ASSERT_EQ(guest_read64(BEHIND), VALUE(9));
	}
	guest_done();
}

TEST(unknown_instruction_across_two_tables)
{
	struct ut_vm *vm = ut_vm_long();
	u64 pair, *pde, i;

	sd_setup(vm);
	for (i = 0; i < NFRAMES; i++)
		sd_fill_frame(vm, FRAME(i), VALUE(i));
	/* Pages in a row; the image ends before the entry of the second one that is in use. */
	pair = ut_alloc_table(vm);
	ut_alloc_table(vm);
	pde = sd_pte(vm, vm->cr3, SD_WINDOW, 2);
	pde[0] = pair | SD_PTE_RW;
	pde[1] = (pair + UT_PAGE_SIZE) | SD_PTE_RW;
	*ut_guest_var(vm, pte) = pair;
	*(u64 *)ut_hva(vm, pair) = FRAME(0) | SD_PTE_RW;
	*(u64 *)ut_hva(vm, pair + UT_PAGE_SIZE + 64 * 8) = FRAME(9) | SD_PTE_RW;
	sd_run(ut_vcpu_long(vm, 0, NULL), guest_across, pair + UT_PAGE_SIZE - 256, 0);
	ut_vm_free(vm);
}

/* ---- events that are delivered to a stack in a table ---- */

static void on_event(struct ut_ex_regs *regs)
{
	u64 at = regs->rsp & ~(UT_PAGE_SIZE - 1);

	GUEST_ASSERT_EQ(at, table & ~(UT_PAGE_SIZE - 1));
	ut_write_once(hits, hits + 1);
	if (regs->vector == UT_UD_VECTOR)
		regs->rip += 2;
	else if (regs->vector == UT_PF_VECTOR)
		regs->rip = regs->r11;
}

static void guest_call_on(u64 rsp, void (*fn)(u64), u64 arg)
{
	asm volatile("mov %%rsp, %%rbx\n\t"
		     "mov %[rsp], %%rsp\n\t"
		     "call *%[fn]\n\t"
		     "mov %%rbx, %%rsp"
		     : "+D"(arg)
		     : [rsp] "r"(rsp), [fn] "r"(fn)
		     : "rax", "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory",
		       "cc");
}

static void guest_events(u64 i)
{
	u64 before = hits, fault;

	asm volatile("int3" : : : "memory");
	GUEST_ASSERT_EQ(ut_read_once(hits), before + 1);
	asm volatile("ud2" : : : "memory");
	GUEST_ASSERT_EQ(ut_read_once(hits), before + 2);
	fault = sd_read(SD_WINDOW + 11 * UT_PAGE_SIZE, NULL);
	(void)fault;
	GUEST_ASSERT_EQ(ut_read_once(hits), before + 3);
	guest_use(i);
	asm volatile("int3" : : : "memory");
	GUEST_ASSERT_EQ(ut_read_once(hits), before + 4);
}

static void guest_deliveries(void)
{
	u64 i;

	for (i = 0; i < ROUNDS; i++) {
		guest_use(i);
		guest_call_on(table + STACK, guest_events, i + 1);
	}
	guest_done();
}

TEST_F_TIMEOUT(progress, event_delivery, SLOW)
{
	if (stuck_on_kvm(variant->level))
		SKIP(return, "KVM never lets go of a root that is in use");
	ut_set_handler(self->vm, UT_BP_VECTOR, on_event);
	ut_set_handler(self->vm, UT_UD_VECTOR, on_event);
	ut_set_handler(self->vm, UT_PF_VECTOR, on_event);
	sd_run(self->vcpu, guest_deliveries, 0, 0);
	ASSERT_EQ(4 * ROUNDS, *ut_guest_var(self->vm, hits));
}

static void guest_open(u64 i)
{
	u64 before = hits;

	guest_use(i);
	guest_sti();
	/* A ucall's address is taken for a physical one: this stack may have another. */
	guest_outl(PORT, i);
	guest_cli();
	GUEST_ASSERT_EQ(ut_read_once(hits), before + 1);
}

static void guest_interrupted(void)
{
	u64 i;

	for (i = 0; i < ROUNDS; i++) {
		guest_use(i + 1);
		guest_call_on(table + STACK, guest_open, i);
	}
	guest_done();
}

/* What user space injects is pushed there as well. */
TEST_F_TIMEOUT(progress, injected_interrupts, SLOW)
{
	struct kvm_interrupt irq = { .irq = VECTOR };
	int i;

	if (stuck_on_kvm(variant->level))
		SKIP(return, "KVM never lets go of a root that is in use");
	ut_set_handler(self->vm, VECTOR, on_event);
	ut_set_handler(self->vm, UT_NMI_VECTOR, on_event);
	ut_restart(self->vcpu, guest_interrupted);
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
		ASSERT_EQ(KVM_EXIT_IO, self->vcpu->run->exit_reason);
		ASSERT_EQ(PORT, self->vcpu->run->io.port);
		if (i & 1)
			ut_must_ioctl(self->vcpu->fd, KVM_NMI, 0);
		else
			ut_must_ioctl(self->vcpu->fd, KVM_INTERRUPT, &irq);
	}
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
}

/* ---- floods ---- */

#define NSPARE	(512 - FIRST_SPARE)

static void guest_check_spare(u64 value, u64 step)
{
	u64 i, spare = table + FIRST_SPARE * 8;

	for (i = 0; i < NSPARE; i++)
		GUEST_ASSERT_EQ(guest_read64(spare + i * 8), value + i * step);
}

/* Entry by entry, by halves of entries, and by string instructions, with the table in use. */
static void guest_flood(void)
{
	u64 round, i, spare = table + FIRST_SPARE * 8, at, n;

	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < NSPARE; i++) {
			guest_write64(spare + i * 8, VALUE(round) + i);
			if (i % 64 == 0)
				guest_use(i / 64 + round);
		}
		guest_check_spare(VALUE(round), 1);
		for (i = 0; i < 2 * NSPARE; i++)
			guest_write32(spare + i * 4, i & 1 ? 0 : round * 2);
		guest_check_spare(round * 2, 0);
		guest_use(round);
		at = spare;
		n = NSPARE;
		asm volatile("rep stosq" : "+D"(at), "+c"(n) : "a"(round << 1) : "memory");
		guest_check_spare(round << 1, 0);
		guest_use(round + 1);
		for (i = 0; i < NSPARE; i++)
			guest_write64(PLAIN_GPA + i * 8, VALUE(round) + 2 * i);
		at = spare;
		n = NSPARE;
		i = PLAIN_GPA;
		asm volatile("rep movsq" : "+D"(at), "+S"(i), "+c"(n) : : "memory");
		guest_check_spare(VALUE(round), 2);
		guest_use(round + 2);
	}
	guest_done();
}

TEST_F_TIMEOUT(progress, flood, SLOW)
{
	sd_run(self->vcpu, guest_flood, 0, 0);
}

/* ---- two vCPUs ---- */

#define LOOPS	400

/* Counters are spare entries that may look present at times: nobody uses them. */
static void guest_locked(u64 id)
{
	u64 spare = table + FIRST_SPARE * 8, own = spare + 128 + id * 32, i, old, lo, hi;
	bool done;

	sd_meet(&ready, 2);
	for (i = 0; i < LOOPS; i++) {
		asm volatile("lock addq %1, (%0)" : : "r"(spare), "r"(id + 1) : "memory", "cc");
		old = guest_read64(spare + 8);
		do
			asm volatile("lock cmpxchgq %2, (%3)" : "=@ccz"(done), "+a"(old)
				     : "r"(old + 2), "r"(spare + 8) : "memory");
		while (!done);
		lo = guest_read64(spare + 16);
		hi = guest_read64(spare + 24);
		do
			asm volatile("lock cmpxchg16b (%3)" : "=@ccz"(done), "+a"(lo), "+d"(hi)
				     : "r"(spare + 16), "b"(lo + 1), "c"(hi + 3) : "memory");
		while (!done);
		/* Each has a place of its own for what must not be mixed up. */
		old = i;
		asm volatile("xchgq %0, (%1)" : "+r"(old) : "r"(own) : "memory");
		GUEST_ASSERT_EQ(old, i ? i - 1 : 0);
		asm volatile("movq %0, %%xmm3\n\t"
			     "pshufd $0x44, %%xmm3, %%xmm3\n\t"
			     "movaps %%xmm3, 16(%1)" : : "r"(i), "r"(own) : "xmm3", "memory");
		GUEST_ASSERT_EQ(guest_read64(own + 16), i);
		GUEST_ASSERT_EQ(guest_read64(own + 24), i);
		if (i % 8)
			continue;
		guest_write64(pte + id * 8, FRAME(i % NFRAMES) | SD_PTE_RW);
		guest_invlpg(SD_WINDOW + id * UT_PAGE_SIZE);
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW + id * UT_PAGE_SIZE), VALUE(i % NFRAMES));
	}
	guest_done();
}

TEST_F_TIMEOUT(progress, locked_by_two, SLOW)
{
	struct ut_vm *vm = self->vm;
	u64 gpa = sd_gva(vm, sd_pte(vm, vm->cr3, SD_WINDOW, variant->level)) & UT_PTE_ADDR;
	u64 *spare = (u64 *)ut_hva(vm, gpa) + FIRST_SPARE;

	if (stuck_on_kvm(variant->level))
		SKIP(return, "KVM never lets go of a root that is in use");
	ut_restart(self->vcpu, guest_locked);
	ut_set_args(ut_vcpu_long(vm, 1, guest_locked), 1, 0);
	sd_run_all(vm);
	ASSERT_EQ(3 * LOOPS, spare[0]);
	ASSERT_EQ(2 * 2 * LOOPS, spare[1]);
	ASSERT_EQ(2 * LOOPS, spare[2]);
	ASSERT_EQ(2 * 3 * LOOPS, spare[3]);
}

TEST_HARNESS_MAIN
