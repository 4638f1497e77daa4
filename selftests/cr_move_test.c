// SPDX-License-Identifier: GPL-2.0
/*
 * The instructions that read and write control registers, and INVLPG, in the forms
 * that exist: every general register, at the ends of pages, refused values, small
 * modes, single steps. What a new CR3 does to translations is cr3_test's.
 */
#include <stdlib.h>
#include <kselftest_harness.h>
#include "umbra_util.h"

#define CODE_GPA	UT_FREE_GPA		/* two pages for code, gva = gpa */
#define CODE_END	(CODE_GPA + UT_PAGE_SIZE)
#define DATA_GPA	(UT_FREE_GPA + 0x10000)	/* two pages of different content */
#define DATA_GVA	0x50000000ull
#define CR0_MP		BIT_ULL(1)
#define CR0_TS		BIT_ULL(3)
#define CR0_NE		BIT_ULL(5)
#define CR0_NW		BIT_ULL(29)
#define CR0_PG		BIT_ULL(31)
#define CR3_PWT		BIT_ULL(3)
#define CR3_PCD		BIT_ULL(4)
#define CR4_TSD		BIT_ULL(2)
#define CR4_PAE		BIT_ULL(5)
#define CR4_PGE		BIT_ULL(7)

#define NR_REGS		16

/* Out of the way of all registers, also of RSP; assembler text knows them by name. */
[[gnu::used]] static u64 reg_in[2], reg_out[NR_REGS], reg_old;

/*
 * Through each register in turn: load one of two values, write it to the control
 * register, read that back into the same one.
 */
#define EVERY_REGISTER(cr) do {								\
	asm volatile(".set reg_nr, 0\n\t"						\
		     ".irp reg, rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, "		\
			       "r8, r9, r10, r11, r12, r13, r14, r15\n\t"		\
		     "mov %%\\reg, reg_old(%%rip)\n\t"					\
		     "mov reg_in + (reg_nr & 1) * 8(%%rip), %%\\reg\n\t"			\
		     "mov %%\\reg, %%" #cr "\n\t"					\
		     "mov $-1, %%\\reg\n\t"						\
		     "mov %%" #cr ", %%\\reg\n\t"					\
		     "mov %%\\reg, reg_out + reg_nr * 8(%%rip)\n\t"			\
		     "mov reg_old(%%rip), %%\\reg\n\t"					\
		     ".set reg_nr, reg_nr + 1\n\t"					\
		     ".endr" : : : "memory");						\
	for (i = 0; i < NR_REGS; i++)							\
		GUEST_ASSERT_EQ(ut_read_once(reg_in[i & 1]), ut_read_once(reg_out[i]));	\
} while (0)

static void set_values(u64 value, u64 flip)
{
	ut_write_once(reg_in[0], value ^ flip);
	ut_write_once(reg_in[1], value);
}

/* Bits whose change harms nothing. */
static void guest_every_register(void)
{
	unsigned int i, round;

	for (round = 0; round < 3; round++) {
		set_values(guest_read_cr(3) ^ CR3_PWT, CR3_PWT | CR3_PCD);
		EVERY_REGISTER(cr3);
		set_values(guest_read_cr(4), CR4_TSD | CR4_PGE);
		EVERY_REGISTER(cr4);
		set_values(guest_read_cr(0), CR0_MP | CR0_NE);
		EVERY_REGISTER(cr0);
	}
	guest_done();
}

FIXTURE(cr) {
	struct ut_vcpu *vcpu;
	struct ut_vm *vm;
	struct ut_ucall uc;
};

FIXTURE_SETUP(cr)
{
	self->vcpu = ut_long_guest(guest_every_register);
	self->vm = self->vcpu->vm;
}

FIXTURE_TEARDOWN(cr)
{
	ut_vm_free(self->vm);
}

TEST_F(cr, every_register)
{
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, &self->uc));
}

/* mov %rax, %cr3; mov %cr3, %rdx; ret - and with R8 and R9. */
static const u8 low_regs[] = { 0x0f, 0x22, 0xd8, 0x0f, 0x20, 0xda, 0xc3 };
static const u8 high_regs[] = { 0x41, 0x0f, 0x22, 0xd8, 0x41, 0x0f, 0x20, 0xd9, 0xc3 };

static void guest_call(u64 start, u64 high)
{
	register u64 r8 asm("r8");
	register u64 r9 asm("r9");
	u64 value = guest_read_cr(3) ^ CR3_PWT;
	u64 rax = value, rdx = 0;

	r8 = value;
	r9 = 0;
	asm volatile("call *%4" : "+a"(rax), "+d"(rdx), "+r"(r8), "+r"(r9)
		     : "b"(start) : "memory");
	GUEST_ASSERT_EQ(value, high ? r9 : rdx);
	GUEST_ASSERT_EQ(value, guest_read_cr(3));
	guest_done();
}

TEST_F(cr, at_page_ends)
{
	unsigned int off;
	bool high;

	for (off = 1; off < 2 * sizeof(high_regs); off++) {
		high = off & 1;
		memcpy(ut_hva(self->vm, CODE_END - off / 2), high ? high_regs : low_regs,
		       high ? sizeof(high_regs) : sizeof(low_regs));
		ut_restart(self->vcpu, guest_call);
		ut_set_args(self->vcpu, CODE_END - off / 2, high);
		ASSERT_EQ(UT_DONE, ut_next(self->vcpu, &self->uc)) TH_LOG("offset %d", -off / 2);
	}
}

#define REFUSED(cr, value) do {							\
	int __nr = (cr);							\
	u64 __before = guest_read_cr(__nr);					\
										\
	ut_write_once(reg_in[0], value);					\
	GUEST_ASSERT_EQ(UT_GP_VECTOR,						\
			guest_try("mov reg_in(%%rip), %%rbx; mov %%rbx, %%cr" #cr));	\
	GUEST_ASSERT_EQ(0, guest_caught_error());				\
	GUEST_ASSERT_EQ(__before, guest_read_cr(__nr));				\
} while (0)

static void guest_refused(u64 high_halves, u64 cr3_seen)
{
	guest_catch(UT_GP_VECTOR);
	if (high_halves) {
		REFUSED(0, guest_read_cr(0) | BIT_ULL(32));
		REFUSED(4, guest_read_cr(4) | BIT_ULL(63));
	}
	REFUSED(0, guest_read_cr(0) | CR0_NW);
	REFUSED(0, guest_read_cr(0) & ~CR0_PG);		/* not from 64-bit code */
	if (cr3_seen)
		REFUSED(3, guest_read_cr(3) | BIT_ULL(62));
	REFUSED(4, guest_read_cr(4) | BIT_ULL(31));
	REFUSED(4, guest_read_cr(4) & ~CR4_PAE);
	guest_done();
}

/*
 * KVM's emulator drops the upper halves of CR0 and CR4. Writes of CR3 are the processor's
 * own on nested tables, and QEMU's takes any value.
 */
TEST_F(cr, refused_values)
{
	const char *mmu = getenv("UMBRA_MMU");
	bool nested = !mmu || !*mmu || !strcmp(mmu, "nested");

	ut_restart(self->vcpu, guest_refused);
	ut_set_args(self->vcpu, ut_on_umbra(), !nested || !ut_emulated_by("qemu"));
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, &self->uc));
}

static u64 status_word(void)
{
	u64 v;

	asm volatile("smsw %0" : "=r"(v));
	return v;
}

static void guest_status_word(void)
{
	u64 cr0 = guest_read_cr(0) & ~(CR0_TS | CR0_MP);
	u16 msw;
	int i;

	for (i = 0; i < 3; i++) {
		asm volatile("mov %0, %%cr0" : : "r"(cr0 | CR0_TS) : "memory");
		GUEST_ASSERT_EQ(cr0 | CR0_TS, guest_read_cr(0));
		GUEST_ASSERT_EQ(cr0 | CR0_TS, status_word());
		asm volatile("clts" : : : "memory");
		GUEST_ASSERT_EQ(cr0, guest_read_cr(0));
		/* PE cannot be cleared this way, and nothing above TS is written. */
		msw = (cr0 | CR0_TS | CR0_MP) & ~1ull;
		asm volatile("lmsw %0" : : "m"(msw) : "memory");
		GUEST_ASSERT_EQ(cr0 | CR0_TS | CR0_MP, guest_read_cr(0));
		msw = 0;
		asm volatile("lmsw %0" : : "r"(msw) : "memory");
		GUEST_ASSERT_EQ(cr0, status_word());
	}
	guest_done();
}

TEST_F(cr, status_word)
{
	ut_restart(self->vcpu, guest_status_word);
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, &self->uc));
}

static u64 data_pte;
/* Both pages hold their own number. */
static u64 page_value(u64 nr)
{
	return DATA_GPA + nr * UT_PAGE_SIZE;
}

/* Point the page at the other frame; only INVLPG makes that certain to be seen. */
#define INVALIDATE(insn, ...) do {						\
	nr ^= 1;								\
	guest_write64(ut_read_once(data_pte), page_value(nr) | UT_PTE_P | UT_PTE_W);	\
	asm volatile(insn : : __VA_ARGS__ : "memory");				\
	GUEST_ASSERT_EQ(page_value(nr), guest_read64(DATA_GVA));		\
} while (0)

static void guest_invlpg_forms(void)
{
	register u64 r8 asm("r8") = DATA_GVA;
	register u64 r12 asm("r12") = DATA_GVA;
	register u64 r13 asm("r13") = DATA_GVA;
	register u64 r15 asm("r15") = DATA_GVA;
	u64 nr = 0;
	int i;

	GUEST_ASSERT_EQ(page_value(nr), guest_read64(DATA_GVA));
	for (i = 0; i < 3; i++) {
		INVALIDATE("invlpg (%0)", "a"(DATA_GVA));
		INVALIDATE("invlpg (%0)", "D"(DATA_GVA));
		INVALIDATE("invlpg (%0)", "r"(r8));
		INVALIDATE("invlpg (%0)", "r"(r12));
		INVALIDATE("invlpg (%0)", "r"(r13));
		INVALIDATE("invlpg (%0)", "r"(r15));
		INVALIDATE("invlpg 0x10(%0)", "a"(DATA_GVA));
		INVALIDATE("invlpg -0x12345(%0)", "a"(DATA_GVA + 0x12345));
		INVALIDATE("invlpg (%0, %1, 8)", "b"(DATA_GVA - 0x800), "c"(0x100ul));
		INVALIDATE("invlpg 0x50000fff", "a"(0));
		INVALIDATE("addr32 invlpg (%k0)", "a"(DATA_GVA | 0xabcull << 32));
		INVALIDATE("invlpg %%gs:(%0)", "a"(DATA_GVA - 0x1000));
	}
	/* Not an address: nothing happens. */
	asm volatile("invlpg (%0)" : : "a"(BIT_ULL(62)) : "memory");
	guest_done();
}

TEST_F(cr, invlpg_forms)
{
	struct kvm_sregs sregs;
	u64 i;

	ut_map(self->vm, DATA_GVA, DATA_GPA, 1, UT_PTE_W);
	for (i = 0; i < 2; i++)
		*(u64 *)ut_hva(self->vm, page_value(i)) = page_value(i);
	data_pte = (char *)ut_pte(self->vm, DATA_GVA, 1) - (char *)ut_hva(self->vm, 0);
	ut_push_var(self->vm, data_pte);
	ut_get_sregs(self->vcpu, &sregs);
	sregs.gs.base = 0x1000;
	ut_set_sregs(self->vcpu, &sregs);
	ut_restart(self->vcpu, guest_invlpg_forms);
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, &self->uc));
}

static u64 traps, trap_rip;

static void count_trap(struct ut_ex_regs *regs)
{
	ut_write_once(traps, ut_read_once(traps) + 1);
	/* The one behind the instruction that is looked at. */
	if (ut_read_once(traps) == 2)
		ut_write_once(trap_rip, regs->rip);
	if (ut_read_once(traps) == 3)
		regs->rflags &= ~UT_RFLAGS_TF;
}

/* POPF traps behind the first instruction after it. */
#define STEP_OVER(insn) do {							\
	u64 __behind;								\
										\
	ut_write_once(traps, 0);						\
	asm volatile("lea 1f(%%rip), %0\n\t"					\
		     "pushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\t"		\
		     "nop\n\t" insn "\n1:\tnop\n\tnop"				\
		     : "=&r"(__behind) : "a"(guest_read_cr(3)),			\
		       "c"(guest_read_cr(0)), "d"(DATA_GVA) : "rbx", "memory", "cc");	\
	GUEST_ASSERT_EQ(3, ut_read_once(traps));				\
	GUEST_ASSERT_EQ(__behind, ut_read_once(trap_rip));			\
} while (0)

static void guest_trap_flag(void)
{
	STEP_OVER("mov %%rax, %%cr3");
	STEP_OVER("mov %%cr3, %%rbx");
	STEP_OVER("mov %%rcx, %%cr0");
	STEP_OVER("clts");
	STEP_OVER("invlpg (%%rdx)");
	guest_done();
}

TEST_F(cr, trap_flag)
{
	ut_set_handler(self->vm, UT_DB_VECTOR, count_trap);
	ut_restart(self->vcpu, guest_trap_flag);
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, &self->uc));
}

/* The same instructions without long mode; results in registers. */
#define SMALL(bits, name)								\
	UT_BLOB(name, ".code" #bits "\n\t"						\
		"mov $0x12345018, %ecx\n\tmov %ecx, %cr3\n\tmov %cr3, %edx\n\t"		\
		"mov %cr0, %ebp\n\tmov %ebp, %eax\n\tor $0xa, %eax\n\tmov %eax, %cr0\n\t"	\
		"mov %cr0, %ebx\n\tclts\n\tsmsw %esi\n\t"					\
		"mov $0x84, %eax\n\tmov %eax, %cr4\n\tmov %cr4, %edi\n\tinvlpg 0x1000\n\thlt")

SMALL(16, in_real_mode);
SMALL(32, in_protected_mode);

static void check_small(struct __test_metadata *_metadata, enum ut_mode mode, const char *code,
			size_t len)
{
	struct ut_vcpu *vcpu = ut_blob_guest(mode, code, len);
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	ASSERT_EQ(UT_EXIT, ut_next(vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_HLT, vcpu->run->exit_reason);
	ut_get_regs(vcpu, &regs);
	ut_get_sregs(vcpu, &sregs);
	EXPECT_EQ(0x12345018, regs.rdx);
	EXPECT_EQ(0x12345018, sregs.cr3);
	EXPECT_EQ(mode == UT_PROT32, regs.rbp & 1);
	EXPECT_EQ(0, regs.rbp & CR0_PG);
	EXPECT_EQ(regs.rbp | CR0_TS | CR0_MP, regs.rbx);
	EXPECT_EQ(regs.rbp | CR0_MP, regs.rsi);
	EXPECT_EQ(CR4_TSD | CR4_PGE, regs.rdi);
	EXPECT_EQ(CR4_TSD | CR4_PGE, sregs.cr4);
	ut_vm_free(vcpu->vm);
}

TEST(real_mode)
{
	check_small(_metadata, UT_REAL, in_real_mode, UT_BLOB_LEN(in_real_mode));
}

TEST(protected_mode)
{
	check_small(_metadata, UT_PROT32, in_protected_mode, UT_BLOB_LEN(in_protected_mode));
}

TEST_HARNESS_MAIN
