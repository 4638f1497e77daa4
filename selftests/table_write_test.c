// SPDX-License-Identifier: GPL-2.0
/*
 * Instructions that write an entry of a page table that is in use. Each is run twice from
 * the same state, on a plain page and on a table, and must leave the same memory, registers
 * and flags. Which entries translate what is asked of a few at the end only.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <kselftest_harness.h>
#include "shootdown.h"
#include "stats.h"
#include "table_write.h"

#define SLOW		120	/* seconds: emulated hosts may have little of a processor */
#define ROUNDS		6
#define NFRAMES		8
#define NFORMS		((u64)(tw_forms_end - tw_forms))
#define FRAME(i)	(UT_FREE_GPA + (u64)(i) * UT_PAGE_SIZE)
#define VALUE(i)	(0xf000000000000000ull | (u64)(i))
#define PLAIN_GPA	(UT_FREE_GPA + 0x100000)
#define LONGEST		20	/* bytes of one form */
#define VECTOR		0x50
#define PORT		0x80
#define FS_BASE		0xc0000100u
#define GS_BASE		0xc0000101u

#define CF		BIT_ULL(0)
#define PF		BIT_ULL(2)
#define AF		BIT_ULL(4)
#define ZF		BIT_ULL(6)
#define SF		BIT_ULL(7)
#define OF		BIT_ULL(11)
#define ARITH		(CF | PF | AF | ZF | SF | OF)

#define PLAIN_GVA	((u64)tw_plain)
#define TABLE_GVA	((u64)tw_table)

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

/* What one run leaves; addresses are told by their distance to the operand. */
struct result {
	struct tw_regs regs;
	u64 memory[4];
	u64 steps[3], nr_steps;
};

/* In the guest: the entry that maps the window, and what handlers note. */
static u64 pte, steps[3], nr_steps, interrupted_at;

FIXTURE(table_write)
{
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
};

FIXTURE_VARIANT(table_write)
{
	int level;
};

FIXTURE_VARIANT_ADD(table_write, leaf_table)
{
	.level = 1,
};

FIXTURE_VARIANT_ADD(table_write, second_level)
{
	.level = 2,
};

FIXTURE_VARIANT_ADD(table_write, top_level)
{
	.level = 4,
};

FIXTURE_SETUP(table_write)
{
	struct ut_vm *vm = ut_vm_long();
	u64 table;
	int i;

	self->vm = vm;
	sd_setup(vm);
	for (i = 0; i < NFRAMES; i++)
		sd_fill_frame(vm, FRAME(i), VALUE(i));
	sd_map_window(vm, FRAME(0), 1, UT_PTE_W);
	*ut_guest_var(vm, pte) = ut_guest_var(vm, sd_entry)[0][1];
	table = sd_gva(vm, sd_pte(vm, vm->cr3, SD_WINDOW, variant->level)) & UT_PTE_ADDR;
	ut_map(vm, PLAIN_GVA, PLAIN_GPA, 1, UT_PTE_W | UT_PTE_U);
	ut_map(vm, TABLE_GVA, table, 1, UT_PTE_W | UT_PTE_U);
	self->vcpu = ut_vcpu_long(vm, 0, NULL);
}

FIXTURE_TEARDOWN(table_write)
{
	ut_vm_free(self->vm);
}

/* Use the window, by a new entry, so that the table is one again. */
static void guest_use(u64 i)
{
	guest_write64(pte, FRAME(i % NFRAMES) | SD_PTE_RW);
	guest_invlpg(SD_WINDOW);
	GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(i % NFRAMES));
}

static u64 random64(u64 *state)
{
	u64 high = sd_random(state);

	return high << 40 ^ sd_random(state) << 20 ^ sd_random(state);
}

/* The state before one run; @at is where the operand lies, @memory what it is. */
static void guest_state(struct tw_regs *r, u64 seed, u64 at, u64 memory)
{
	u64 i;

	for (i = 0; i < 16; i++)
		r->gpr[i] = random64(&seed);
	r->rflags = UT_RFLAGS_FIXED | (random64(&seed) & ARITH);
	if (seed & 1) {
		r->gpr[RAX] = memory;
		r->gpr[RDX] = memory;
	}
	r->gpr[RCX] = 5;
	r->gpr[R8] = 70;
	r->gpr[R9] &= 0xffffff;
	r->gpr[RDI] = at;
	r->gpr[R12] = at;
	r->gpr[R13] = at;
	r->gpr[RSI] = at - 5 * 8;
	r->gpr[RBX] = at + 0x80;
	r->gpr[R14] = at - 0x12345678;
	guest_wrmsr(FS_BASE, at - 0x40);
	guest_wrmsr(GS_BASE, at - r->gpr[R9]);
}

static void relate(struct tw_regs *r, u64 at)
{
	static const u8 addresses[] = { RDI, R12, R13, RSI, RBX, R14 };
	u64 i;

	for (i = 0; i < ARRAY_SIZE(addresses); i++)
		r->gpr[addresses[i]] -= at;
}

static void guest_run(struct result *res, const char *code, u64 seed, u64 page, u64 flags)
{
	u64 at = page + TW_OPERAND, i, random = seed, memory = random64(&random);

	for (i = 0; i < 4; i++)
		guest_write64(at - 8 + i * 8, memory + i - 1);
	guest_use(seed);
	guest_state(&res->regs, seed, at, memory);
	res->regs.rflags |= flags;
	ut_write_once(nr_steps, 0);
	tw_run(&res->regs, code);
	relate(&res->regs, at);
	for (i = 0; i < 4; i++)
		res->memory[i] = guest_read64(at - 8 + i * 8);
	res->nr_steps = ut_read_once(nr_steps);
	/* Behind the instruction they are in code that is the same for both. */
	for (i = 0; i < ARRAY_SIZE(steps); i++)
		res->steps[i] = steps[i] - (steps[i] - (u64)code < LONGEST ? (u64)code : 0);
}

/* What is reported as a line is the number of the form, and of what differs. */
static void guest_compare(u64 form, const struct result *a, const struct result *b)
{
	u64 i;

	for (i = 0; i < 16; i++)
		if (a->regs.gpr[i] != b->regs.gpr[i])
			guest_abort("register", __FILE__, form * 100 + i, a->regs.gpr[i],
				    b->regs.gpr[i]);
	for (i = 0; i < 4; i++)
		if (a->memory[i] != b->memory[i])
			guest_abort("memory", __FILE__, form * 100 + i, a->memory[i],
				    b->memory[i]);
	if ((a->regs.rflags ^ b->regs.rflags) & ~tw_forms[form].undefined)
		guest_abort("flags", __FILE__, form * 100, a->regs.rflags, b->regs.rflags);
	GUEST_ASSERT_EQ(a->nr_steps, b->nr_steps);
	for (i = 0; i < a->nr_steps && i < ARRAY_SIZE(steps); i++)
		GUEST_ASSERT_EQ(a->steps[i], b->steps[i]);
}

static struct result plain_result, table_result;

static void guest_forms(u64 rounds, u64 flags)
{
	u64 form, round, seed;

	for (form = 0; form < NFORMS; form++) {
		for (round = 0; round < rounds; round++) {
			seed = form * ROUNDS + round;
			guest_run(&plain_result, tw_forms[form].plain, seed, PLAIN_GVA, flags);
			guest_run(&table_result, tw_forms[form].table, seed, TABLE_GVA, flags);
			guest_compare(form, &plain_result, &table_result);
			if (flags & UT_RFLAGS_TF)
				GUEST_ASSERT_EQ(table_result.nr_steps, ARRAY_SIZE(steps));
		}
	}
	guest_done();
}

TEST_F_TIMEOUT(table_write, as_in_plain_memory, SLOW)
{
	const char *mode = getenv("UMBRA_MMU");
	int stats;
	u64 n;

	sd_run(self->vcpu, guest_forms, ROUNDS, 0);
	/* Tables further down are written without being traced, until the next flush. */
	if (!mode || strcmp(mode, "shadow") || variant->level < 4)
		return;
	stats = ut_stats_fd(self->vcpu->fd);
	n = ut_stat(stats, "mmu_writes_emulated");
	close(stats);
	ASSERT_GE(n, NFORMS * ROUNDS);
}

/* ---- the trap comes once behind each instruction ---- */

static void on_step(struct ut_ex_regs *regs)
{
	if (nr_steps < ARRAY_SIZE(steps))
		steps[nr_steps] = regs->rip;
	ut_write_once(nr_steps, nr_steps + 1);
	if (nr_steps == ARRAY_SIZE(steps))
		regs->rflags &= ~UT_RFLAGS_TF;
}

TEST_F_TIMEOUT(table_write, single_step, SLOW)
{
	ut_set_handler(self->vm, UT_DB_VECTOR, on_step);
	sd_run(self->vcpu, guest_forms, 1, UT_RFLAGS_TF);
}

/* ---- the interrupt shadow ends with the store ---- */

static void on_interrupt(struct ut_ex_regs *regs)
{
	ut_write_once(interrupted_at, regs->rip);
}

static void guest_shadow(void)
{
	u64 i, at, behind, old;

	for (i = 0; i < ROUNDS; i++) {
		at = (i & 1 ? TABLE_GVA : PLAIN_GVA) + TW_OPERAND;
		guest_use(i);
		ut_write_once(interrupted_at, 0);
		old = i;
		guest_outl(PORT, i);
		asm volatile("lea 1f(%%rip), %0\n\t"
			     "sti\n\t"
			     "xchgq %1, (%2)\n"
			     "1:\tnop\n\t"
			     "nop\n\t"
			     "cli" : "=&r"(behind), "+r"(old) : "r"(at) : "memory");
		GUEST_ASSERT_EQ(ut_read_once(interrupted_at), behind);
		GUEST_ASSERT_EQ(guest_read64(at), i);
	}
	guest_done();
}

TEST_F_TIMEOUT(table_write, interrupt_shadow, SLOW)
{
	struct kvm_interrupt irq = { .irq = VECTOR };
	int i;

	if (ut_faults_end_shadow())
		SKIP(return, "Bochs reports no blocking by STI with an exit by a page fault");
	ut_set_handler(self->vm, VECTOR, on_interrupt);
	ut_restart(self->vcpu, guest_shadow);
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
		ASSERT_EQ(KVM_EXIT_IO, self->vcpu->run->exit_reason);
		ASSERT_EQ(PORT, self->vcpu->run->io.port);
		ut_must_ioctl(self->vcpu->fd, KVM_INTERRUPT, &irq);
	}
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
}

/* ---- stores of users, where the guest lets them ---- */

static void guest_user(void)
{
	u64 i, at = TABLE_GVA + TW_OPERAND;

	for (i = 0; i < 4 * ROUNDS; i++) {
		guest_use(i);
		GUEST_ASSERT_EQ(sd_user_write(at + i % 2 * 8, VALUE(i)), 0);
		GUEST_ASSERT_EQ(guest_read64(at + i % 2 * 8), VALUE(i));
	}
	guest_done();
}

TEST_F_TIMEOUT(table_write, user, SLOW)
{
	sd_run(self->vcpu, guest_user, 0, 0);
}

/* ---- entries that are in use: what is written counts ---- */

/* The entry that leads to the window is taken away and given back, at the variant's level. */
static void guest_switch(u64 entry)
{
	u64 i, old, now;

	for (i = 0; i < 4 * ROUNDS; i++) {
		guest_use(i);
		now = guest_read64(entry);
		old = 0;
		switch (i % 4) {
		case 0:
			guest_write64(entry, 0);
			break;
		case 1:
			asm volatile("xchgq %0, (%1)" : "+r"(old) : "r"(entry) : "memory");
			GUEST_ASSERT_EQ(old, now);
			break;
		case 2:
			old = now;
			asm volatile("lock cmpxchgq %2, (%1)"
				     : "+a"(old) : "r"(entry), "r"(0ull) : "memory", "cc");
			GUEST_ASSERT_EQ(old, now);
			break;
		default:
			asm volatile("lock andb $0xfe, (%0)" : : "r"(entry) : "memory", "cc");
			break;
		}
		guest_invlpg(SD_WINDOW);
		GUEST_ASSERT_EQ(sd_read(SD_WINDOW, NULL), SD_PF(0));
		if (i % 4 == 3)
			asm volatile("lock btsq $0, (%0)" : : "r"(entry) : "memory", "cc");
		else
			asm volatile("lock orq %1, (%0)" : : "r"(entry), "r"(now) : "memory",
				     "cc");
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(i % NFRAMES));
	}
	guest_done();
}

TEST_F_TIMEOUT(table_write, entry_in_use, SLOW)
{
	struct ut_vm *vm = self->vm;
	u64 entry = sd_gva(vm, sd_pte(vm, vm->cr3, SD_WINDOW, variant->level));

	sd_run(self->vcpu, guest_switch, entry, 0);
}

TEST_HARNESS_MAIN
