// SPDX-License-Identifier: GPL-2.0
/*
 * The storm in a long mode guest: how it touches memory at both privilege levels, stores
 * entries in many ways, and waits for the other vCPUs. All of this is guest code.
 */
#include "storm.h"
#include "umbra_util.h"

#define MAGIC		0x53544f524d5f5046ull	/* in R13 while a fault is expected */
#define PHASE_STEPS	120
#define SPINS		200

/*
 * At level 3. RDI is the address, RAX the value; executed pages jump to RDI. It is copied to a
 * page of its own, so nothing here may depend on where it is.
 */
UT_BLOB(storm_user,
	"movq (%rdi), %rax\n\tint $0x80\n\t"
	".balign 16\n\tmovq %rax, (%rdi)\n\tint $0x80\n\t"
	".balign 16\n\txchgq %rax, (%rdi)\n\tint $0x80\n\t"
	".balign 16\n\tmovq %rdi, %rcx\n\tleaq 1f(%rip), %rdi\n\tjmp *%rcx\n1:\tint $0x80");

/* Page faults at both levels, and INT 0x80 from level 3, end an access. */
void storm_guest_fault(struct ut_ex_regs *regs)
{
	struct storm_access *access = (struct storm_access *)regs->r12;

	if (regs->r13 != MAGIC)
		guest_abort("page fault in the storm itself", __FILE__, regs->error_code,
			    regs->rip, guest_read_cr(2));
	if (regs->vector == UT_PF_VECTOR) {
		access->vector = regs->vector;
		access->error = regs->error_code;
		access->cr2 = guest_read_cr(2);
	}
	regs->rip = regs->r14;
	if (regs->cs & 3) {
		regs->rsp = access->rsp;
		regs->cs = UT_SEL_CODE64;
		regs->ss = UT_SEL_DATA;
	}
}

#define SUPERVISOR(text) ({						\
	asm volatile("leaq 1f(%%rip), %%r14\n\tmovq %%rdi, %%rcx\n\t"	\
		     "movq %%r14, %%rdi\n\t"				\
		     "movabsq %[magic], %%r13\n\t"			\
		     text "\n1:\txorl %%r13d, %%r13d"			\
		     : "+a"(value), "+D"(gva) : "r"(r12), [magic] "i"(MAGIC) \
		     : "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r13", "r14", "memory", \
		       "cc");						\
})

static void guest_supervisor(struct storm_access *access)
{
	register struct storm_access *r12 asm("r12") = access;
	u64 value = access->value, gva = access->gva;

	switch (access->kind) {
	case STORM_READ:
		SUPERVISOR("movq (%%rcx), %%rax");
		break;
	case STORM_WRITE:
		SUPERVISOR("movq %%rax, (%%rcx)");
		break;
	case STORM_SWAP:
		SUPERVISOR("xchgq %%rax, (%%rcx)");
		break;
	case STORM_EXEC:
		SUPERVISOR("jmp *%%rcx");
		break;
	}
	access->value = value;
}

static void guest_user(struct storm_access *access)
{
	register struct storm_access *r12 asm("r12") = access;
	register u64 rip asm("r8") = STORM_USER_GVA + access->kind * 16;
	u64 value = access->value, gva = access->gva;

	asm volatile("leaq 1f(%%rip), %%r14\n\tmovabsq %[magic], %%r13\n\t"
		     "movq %%rsp, %c[rsp](%%r12)\n\t"
		     "pushq %[ss]\n\tpushq $0\n\tpushq $2\n\tpushq %[cs]\n\tpushq %%r8\n\t"
		     "iretq\n1:\txorl %%r13d, %%r13d"
		     : "+a"(value), "+r"(rip), "+D"(gva)
		     : "r"(r12), [magic] "i"(MAGIC), [ss] "i"(UT_SEL_USER_DATA),
		       [cs] "i"(UT_SEL_USER_CODE), [rsp] "i"(offsetof(struct storm_access, rsp))
		     : "rcx", "rdx", "rsi", "r9", "r10", "r11", "r13", "r14", "memory", "cc");
	access->value = value;
}

static void guest_access(struct storm_cpu *cpu, struct storm_access *access)
{
	(void)cpu;
	if (access->user)
		guest_user(access);
	else
		guest_supervisor(access);
}

static void *guest_phys(struct storm_cpu *cpu, u64 gpa)
{
	(void)cpu;
	return (void *)gpa;
}

static void store_halves(u64 gva, u64 old, u64 new)
{
	if (old & PTE_P)
		guest_write32(gva, 0);
	guest_write32(gva + 4, new >> 32);
	guest_write32(gva, (u32)new);
}

static void store_cmpxchg8b(u64 gva, u64 old, u64 new)
{
	u32 lo = old, hi = old >> 32;
	bool done;

	do {
		asm volatile("lock cmpxchg8b (%[p])"
			     : "=@ccz"(done), "+a"(lo), "+d"(hi)
			     : [p] "r"(gva), "b"((u32)new), "c"((u32)(new >> 32)) : "memory");
	} while (!done);
}

static void store_lock_and_or(u64 gva, u64 old, u64 new)
{
	asm volatile("lock andq %1, (%0)" : : "r"(gva), "r"(~(old & ~new)) : "memory", "cc");
	asm volatile("lock orq %1, (%0)" : : "r"(gva), "r"(new & ~old) : "memory", "cc");
}

static void guest_store(struct storm_cpu *cpu, u64 gva, u64 old, u64 new, int style)
{
	u64 count = 1, from = (u64)&new, seen = old;
	volatile u64 *p = (u64 *)gva;

	(void)cpu;
	switch (style) {
	case STORM_MOV:
		guest_write64(gva, new);
		break;
	case STORM_MOV_HALVES:
		store_halves(gva, old, new);
		break;
	case STORM_XCHG:
		__atomic_exchange_n(p, new, __ATOMIC_SEQ_CST);
		break;
	case STORM_CMPXCHG:
		while (!__atomic_compare_exchange_n(p, &seen, new, false, __ATOMIC_SEQ_CST,
						    __ATOMIC_SEQ_CST))
			;
		break;
	case STORM_CMPXCHG8B:
		store_cmpxchg8b(gva, old, new);
		break;
	case STORM_STOS:
		asm volatile("rep stosq" : "+D"(gva), "+c"(count) : "a"(new) : "memory");
		break;
	case STORM_MOVS:
		asm volatile("rep movsq" : "+D"(gva), "+S"(from), "+c"(count) : : "memory");
		break;
	case STORM_LOCK_AND_OR:
		store_lock_and_or(gva, old, new);
		break;
	case STORM_BYTE:
		guest_write8(gva, (u8)new);
		break;
	case STORM_XOR:
		asm volatile("xorq %1, (%0)" : : "r"(gva), "r"(old ^ new) : "memory", "cc");
		break;
	}
}

static void guest_fill(struct storm_cpu *cpu, u64 gva, u64 value)
{
	u64 to = gva, count = UT_PAGE_SIZE / 8;

	(void)cpu;
	asm volatile("rep stosq" : "+D"(to), "+c"(count) : "a"(value) : "memory");
	if (value)
		guest_write64(gva + STORM_CODE, STORM_CODE_WORD(value));
}

static void guest_copy(struct storm_cpu *cpu, u64 to, u64 from)
{
	u64 count = UT_PAGE_SIZE / 8;

	(void)cpu;
	asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

static void guest_flush(struct storm_cpu *cpu, u64 gva)
{
	(void)cpu;
	guest_invlpg(gva);
}

static void guest_set_cr(struct storm_cpu *cpu, int nr, u64 value)
{
	(void)cpu;
	if (nr == 0)
		asm volatile("mov %0, %%cr0" : : "r"(value) : "memory");
	else if (nr == 3)
		guest_write_cr3(value);
	else
		guest_write_cr4(value);
}

const struct storm_ops storm_guest_ops = {
	.phys = guest_phys,
	.access = guest_access,
	.store = guest_store,
	.fill = guest_fill,
	.copy = guest_copy,
	.invlpg = guest_flush,
	.write_cr = guest_set_cr,
};

/* False when somebody has stopped the storm. */
static bool meet(struct storm_world *world)
{
	u32 spins = 0, turn = ut_read_once(world->turn);

	if (__atomic_add_fetch(&world->arrived, 1, __ATOMIC_SEQ_CST) == world->nr_cpus) {
		ut_write_once(world->arrived, 0);
		__atomic_store_n(&world->turn, turn + 1, __ATOMIC_SEQ_CST);
		return !ut_read_once(world->stop);
	}
	while (__atomic_load_n(&world->turn, __ATOMIC_SEQ_CST) == turn) {
		if (ut_read_once(world->stop))
			return false;
		guest_pause();
		if (++spins % SPINS == 0)
			guest_sync(STORM_YIELD);
	}
	return !ut_read_once(world->stop);
}

static bool phase(struct storm_cpu *cpu, u32 number)
{
	struct storm_world *world = cpu->world;
	u32 i;

	storm_burst(cpu, (number + cpu->id) & 1);
	for (i = 0; i < PHASE_STEPS && !ut_read_once(world->stop); i++)
		storm_step(cpu);
	if (!meet(world))
		return false;
	if (number % world->nr_cpus == cpu->id)
		storm_lead(cpu, 8);
	return meet(world);
}

/* A vCPU of the storm. */
void storm_guest(u64 at, u64 id)
{
	struct storm_world *world = (struct storm_world *)at;
	struct storm_cpu *cpu = &world->cpu[id];
	u32 number;

	storm_load_root(cpu, 0);
	storm_build(cpu);
	for (number = 0; number * PHASE_STEPS < world->steps; number++)
		if (!phase(cpu, number))
			break;
	guest_done();
}
