// SPDX-License-Identifier: GPL-2.0
/*
 * Differential test: random instances of each 64-bit user-mode instruction
 * form run on this machine's processor and in the emulator; registers, memory,
 * instruction pointer, defined flags and faults must agree. Instructions that
 * the processor lacks are left out by CPUID.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "emul_lib.h"
#include "emul_native.h"
#include "emul_native_forms.h"
#include "emul/optab.h"

#define ROUNDS		1500	/* instances of each form */
#define DATA_BYTES	8192
#define CODE_OFFSET	64	/* of the instruction under test in the code page */
#define TAKEN		0x40	/* branch displacement */
#define ARITH		0x8d5	/* CF PF AF ZF SF OF */
#define REX_PROB	2

static struct mach mach;
static struct native_state ns;
static u8 *page;		/* code page, then data */
static u8 *data;
static u8 before[DATA_BYTES];
static sigjmp_buf fault_env;
static sig_atomic_t fault_sig;

static void on_fault(int sig)
{
	fault_sig = sig;
	siglongjmp(fault_env, 1);
}

static u8 *emit_exit(u8 *p, u8 tag)
{
	u64 state = (uintptr_t)&ns;

	*p++ = 0x48;			/* mov [state], rax */
	*p++ = 0xa3;
	memcpy(p, &state, 8);
	p += 8;
	*p++ = 0x48;			/* mov rax, state */
	*p++ = 0xb8;
	memcpy(p, &state, 8);
	p += 8;
	memcpy(p, "\xc7\x80", 2);	/* mov dword [rax + NS_TAG], tag */
	p += 2;
	memcpy(p, &(u32){ NS_TAG }, 4);
	p += 4;
	memcpy(p, &(u32){ tag }, 4);
	p += 4;
	memcpy(p, "\xff\xa0", 2);	/* jmp [rax + NS_EXIT] */
	p += 2;
	memcpy(p, &(u32){ NS_EXIT }, 4);
	return p + 4;
}

static void build_code(const u8 *insn, unsigned int len)
{
	u8 *p = page + CODE_OFFSET;
	u64 rdi = ns.gpr[7];

	/* mov rdi, imm64, directly before the instruction */
	p[-10] = 0x48;
	p[-9] = 0xbf;
	memcpy(p - 8, &rdi, 8);
	memcpy(p, insn, len);
	emit_exit(p + len, 1);
	emit_exit(p + len + TAKEN, 2);
	ns.code = (uintptr_t)p - 10;
	ns.exit = (uintptr_t)native_exit;
}

/* Return: 0, or the signal that the instruction raised. */
static int run_native(void)
{
	fault_sig = 0;
	ns.tag = 0;
	if (!sigsetjmp(fault_env, 1))
		native_run(&ns);
	else
		__asm__ volatile("cld");
	return fault_sig;
}

static u64 any_value(void)
{
	u64 v = mach_random();

	switch (mach_random() % 8) {
	case 0:
		return 0;
	case 1:
		return ~0ULL;
	case 2:
		return v & 0xff;
	case 3:
		return 1ULL << (v & 63);
	case 4:
		return (1ULL << (v & 63)) - 1;
	default:
		return v;
	}
}

static u64 data_address(void)
{
	return (uintptr_t)data + 2048 + mach_random() % 4000;
}

static void random_state(void)
{
	unsigned int i;

	for (i = 0; i < 16; i++)
		ns.gpr[i] = any_value();
	ns.gpr[UMBRA_EMUL_RSP] = data_address() & ~7ULL;
	ns.flags = 0x202 | (mach_random() & ARITH);
	for (i = 0; i < sizeof(ns.vec); i++)
		((u8 *)ns.vec)[i] = mach_random();
	for (i = 0; i < DATA_BYTES; i += 8)
		memcpy(data + i, &(u64){ any_value() }, 8);
}

static unsigned int add_modrm(u8 *p, const struct form *f)
{
	unsigned int n = 0, mod = mach_random() & 3, rm = mach_random() & 7;
	unsigned int reg = f->reg >= 0 ? f->reg : mach_random() & 7;
	s32 disp;

	if (f->kind == K_REG || (f->kind != K_MEM && mach_random() & 1))
		mod = 3;
	else if (mod == 3)
		mod = 1;
	p[n++] = mod << 6 | reg << 3 | rm;
	if (mod == 3)
		return n;
	if (rm == 4)
		p[n++] = mach_random();
	disp = (s32)mach_random() >> (mach_random() & 15);
	if (mod == 1) {
		p[n++] = disp;
	} else if (mod == 2 || rm == 5 || (rm == 4 && (p[1] & 7) == 5)) {
		memcpy(p + n, &disp, 4);
		n += 4;
	}
	return n;
}

static unsigned int add_vex(u8 *p, const struct form *f)
{
	u8 rxb = mach_random() & 0xe0;
	bool wide = f->code[3] && (mach_random() & 1);
	u8 l = !f->code[3] && (mach_random() & 1) ? 4 : 0;

	p[0] = 0xc4;
	p[1] = rxb | f->code[0];
	p[2] = (wide ? 0x80 : 0) | (mach_random() & 0x78) | l | f->code[1];
	if (!f->code[3])
		p[2] |= 0x78;
	p[3] = f->code[2];
	return 4;
}

static unsigned int add_legacy(u8 *p, const struct form *f)
{
	unsigned int i, n = 0;
	bool rex = mach_random() % REX_PROB;

	if (f->kind == K_STRING && mach_random() % 4)
		p[n++] = mach_random() & 1 ? 0xf3 : 0xf2;
	/* A 16-bit near branch is vendor specific; 66 selects among SSE moves. */
	if (f->kind != K_BRANCH && f->kind != K_INDIRECT && f->len < 3 && !(mach_random() & 3))
		p[n++] = 0x66;
	for (i = 0; i < f->len; i++) {
		bool mandatory = f->code[i] == 0x66 || f->code[i] == 0xf2 || f->code[i] == 0xf3;

		if (rex && !(mandatory && i == 0)) {
			p[n++] = 0x40 | (mach_random() & 15);
			rex = false;
		}
		p[n++] = f->code[i];
	}
	return n;
}

static unsigned int imm_bytes(const struct form *f, const u8 *insn)
{
	unsigned int i;

	if (f->imm != 4)
		return f->imm;
	for (i = 0; i < 4 && (insn[i] == 0x66 || (insn[i] & 0xf0) == 0x40); i++)
		if ((insn[i] & 0xf8) == 0x48)
			return 4;
	return insn[0] == 0x66 ? 2 : 4;
}

static unsigned int build_insn(u8 *p, const struct form *f)
{
	unsigned int i, n = f->kind == K_VEX ? add_vex(p, f) : add_legacy(p, f);
	unsigned int imm = imm_bytes(f, p);

	if (f->kind != K_PLAIN && f->kind != K_STRING && f->kind != K_BRANCH)
		n += add_modrm(p + n, f);
	for (i = 0; i < imm; i++)
		p[n++] = f->kind == K_BRANCH ? (i ? 0 : TAKEN) : mach_random();
	return n;
}

static void to_mach(void)
{
	struct umbra_emul *em = &mach.em;

	memcpy(em->gpr, ns.gpr, sizeof(em->gpr));
	em->rflags = ns.flags;
	em->rip = (uintptr_t)page + CODE_OFFSET;
	memcpy(mach.vec, ns.vec, sizeof(mach.vec));
	memcpy(mach.ram, data, DATA_BYTES);
	mach.ram_base = (uintptr_t)data;
}

static int decode(const u8 *insn, unsigned int len)
{
	to_mach();
	memset(mach.em.bytes, 0x90, 15);
	memcpy(mach.em.bytes, insn, len);
	mach.em.nr_bytes = 15;
	return umbra_emul_decode(&mach.em);
}

/* Register that moves the memory operand one for one, or -1. */
static int base_register(const struct umbra_emul_insn *in, const u8 *insn)
{
	unsigned int at;
	u8 sib;

	if ((in->modrm & 7) == 4) {
		for (at = 0; insn[at] != in->opcode || insn[at + 1] != in->modrm; at++)
			if (at > 10)
				return -1;
		sib = insn[at + 2];
		if ((sib & 7) == 5 && !(in->modrm >> 6))
			return -1;
		return (sib & 7) | (in->rex & 1 ? 8 : 0);
	}
	if (!(in->modrm >> 6) && (in->modrm & 7) == 5)
		return -1;
	return (in->modrm & 7) | (in->rex & 1 ? 8 : 0);
}

static bool is_bit_test(const struct umbra_emul_opcode *d)
{
	return d->exec == emul_op_bt || d->exec == emul_op_bts || d->exec == emul_op_btr ||
	       d->exec == emul_op_btc;
}

/* Steer the memory operand into the data; false when this instance cannot be. */
static bool place_operand(const u8 *insn, unsigned int len)
{
	struct umbra_emul_insn *in = &mach.em.insn;
	u64 target = data_address();
	int reg;

	if (!in->has_mem || in->desc->exec == emul_op_lea || in->desc->exec == emul_op_nop)
		return true;
	if (is_bit_test(in->desc) && in->src.kind == UMBRA_EMUL_OPND_REG)
		ns.gpr[in->src.reg] = (s64)mach_random() >> 51;
	if (decode(insn, len) != UMBRA_EMUL_OK)
		return false;
	if ((in->desc->flags & OF_ALIGNED) && mach_random() % 8)
		target &= ~31ULL;
	reg = base_register(in, insn);
	if (reg < 0)
		return false;
	ns.gpr[reg] += target - in->linear;
	if (ns.gpr[UMBRA_EMUL_RSP] - (uintptr_t)data - 1024 > DATA_BYTES - 2048)
		return false;
	if (decode(insn, len) != UMBRA_EMUL_OK || in->linear != target)
		return false;
	return !is_bit_test(in->desc) || in->src.kind != UMBRA_EMUL_OPND_REG ||
	       (s64)emul_sext(ns.gpr[in->src.reg], in->op_bytes) >> 13 == 0 ||
	       (s64)emul_sext(ns.gpr[in->src.reg], in->op_bytes) >> 13 == -1;
}

static void place_string(void)
{
	ns.gpr[UMBRA_EMUL_RSI] = data_address();
	ns.gpr[UMBRA_EMUL_RDI] = data_address();
	ns.gpr[UMBRA_EMUL_RCX] = mach_random() % 20;
	/* Equal operands often, or the compares end at once. */
	if (mach_random() & 1)
		memset(data, mach_random(), DATA_BYTES);
	if (mach_random() & 1)
		ns.flags |= X86_EFLAGS_DF;
}

static bool place_target(const struct umbra_emul_insn *in, unsigned int len)
{
	u64 target = (uintptr_t)page + CODE_OFFSET + len + TAKEN;

	if (in->has_mem) {
		memcpy(data + (in->linear - (uintptr_t)data), &target, 8);
		return true;
	}
	if (in->dst.reg == UMBRA_EMUL_RSP)
		return false;
	ns.gpr[in->dst.reg] = target;
	return true;
}

static u64 shift_undefined(const struct umbra_emul_insn *in, u64 count)
{
	u64 n = count & (in->dst.bytes == 8 ? 63 : 31);
	int (*fn)(struct umbra_emul *em) = in->desc->exec;
	bool rotates = fn == emul_op_rol || fn == emul_op_ror || fn == emul_op_rcl ||
		       fn == emul_op_rcr;
	u64 undefined = n == 1 ? 0 : X86_EFLAGS_OF;

	if (!n)
		return 0;
	if (!rotates)
		undefined |= X86_EFLAGS_AF;
	if ((fn == emul_op_shl || fn == emul_op_shr) && n >= in->dst.bytes * 8)
		undefined |= X86_EFLAGS_CF;
	return undefined;
}

static u64 undefined_flags(const struct umbra_emul_insn *in, const u64 *gpr)
{
	int (*fn)(struct umbra_emul *em) = in->desc->exec;
	u64 count = in->src.kind == UMBRA_EMUL_OPND_IMM ? in->src.val : gpr[UMBRA_EMUL_RCX];

	if (fn == emul_op_and || fn == emul_op_or || fn == emul_op_xor || fn == emul_op_test)
		return X86_EFLAGS_AF;
	if (fn == emul_op_rol || fn == emul_op_ror || fn == emul_op_rcl || fn == emul_op_rcr ||
	    fn == emul_op_shl || fn == emul_op_shr || fn == emul_op_sar)
		return shift_undefined(in, count);
	if (fn == emul_op_shld || fn == emul_op_shrd)
		return shift_undefined(in, in->src2.kind == UMBRA_EMUL_OPND_IMM ? in->src2.val :
								    gpr[UMBRA_EMUL_RCX]);
	if (fn == emul_op_mul || fn == emul_op_imul || fn == emul_op_imul2 ||
	    fn == emul_op_imul3)
		return X86_EFLAGS_SF | X86_EFLAGS_ZF | X86_EFLAGS_AF | X86_EFLAGS_PF;
	if (fn == emul_op_div || fn == emul_op_idiv)
		return ARITH;
	if (fn == emul_op_bsf || fn == emul_op_bsr)
		return ARITH & ~X86_EFLAGS_ZF;
	if (is_bit_test(in->desc))
		return ARITH & ~(X86_EFLAGS_CF | X86_EFLAGS_ZF);
	if (fn == emul_op_tzcnt || fn == emul_op_lzcnt)
		return X86_EFLAGS_OF | X86_EFLAGS_SF | X86_EFLAGS_PF | X86_EFLAGS_AF;
	if (fn == emul_op_bextr)
		return X86_EFLAGS_SF | X86_EFLAGS_AF | X86_EFLAGS_PF;
	if (fn == emul_op_andn || fn == emul_op_bzhi || fn == emul_op_blsr ||
	    fn == emul_op_blsi || fn == emul_op_blsmsk)
		return X86_EFLAGS_AF | X86_EFLAGS_PF;
	return 0;
}

/* 16-bit double shifts past the width, and 16-bit BSWAP, have no defined result. */
static bool undefined_result(const struct umbra_emul_insn *in)
{
	int (*fn)(struct umbra_emul *em) = in->desc->exec;
	u64 count;

	if (fn == emul_op_bswap)
		return in->op_bytes == 2;
	if (fn != emul_op_shld && fn != emul_op_shrd)
		return false;
	count = in->src2.kind == UMBRA_EMUL_OPND_IMM ? in->src2.val : ns.gpr[UMBRA_EMUL_RCX];
	return in->dst.bytes == 2 && (count & 31) > 16;
}

static void explain(const struct form *f, const char *what, const u8 *insn, unsigned int len)
{
	unsigned int i;

	fprintf(stderr, "# %s: %s differs:", f->name, what);
	for (i = 0; i < len; i++)
		fprintf(stderr, " %02x", insn[i]);
	fprintf(stderr, "\n");
	for (i = 0; i < 16; i++)
		if (ns.gpr[i] != mach.em.gpr[i])
			fprintf(stderr, "#   r%u cpu %#llx emulator %#llx\n", i, ns.gpr[i],
				mach.em.gpr[i]);
	fprintf(stderr, "#   flags cpu %#llx emulator %#llx\n", ns.flags, mach.em.rflags);
}

static const char *difference(u64 undefined, unsigned int len)
{
	u64 rip = (uintptr_t)page + CODE_OFFSET + len + (ns.tag == 2 ? TAKEN : 0);
	u64 flags = (ns.flags ^ mach.em.rflags) & (ARITH | X86_EFLAGS_DF) & ~undefined;

	if (memcmp(ns.gpr, mach.em.gpr, sizeof(ns.gpr)))
		return "register";
	if (flags)
		return "flags";
	if (rip != mach.em.rip)
		return "rip";
	if (memcmp(data, mach.ram, DATA_BYTES))
		return "memory";
	if (memcmp(ns.vec, mach.vec, sizeof(ns.vec)))
		return "vector";
	return NULL;
}

/* A native signal must be the emulator's fault, and leave all alone. */
static const char *fault_difference(int r, int sig, const struct native_state *start)
{
	u8 vector = sig == SIGFPE ? X86_TRAP_DE : sig == SIGILL ? X86_TRAP_UD : X86_TRAP_GP;

	if (r != UMBRA_EMUL_FAULT || mach.em.fault.vector != vector)
		return "fault";
	if (memcmp(start->gpr, mach.em.gpr, sizeof(start->gpr)) ||
	    memcmp(before, mach.ram, DATA_BYTES))
		return "state after a fault";
	return NULL;
}

static int emulate(void)
{
	int r;

	do {
		mach.em.rep_limit = 1 + mach_random() % 8;
		r = umbra_emul_exec(&mach.em);
	} while (r == UMBRA_EMUL_OK && (mach.em.out & UMBRA_EMUL_OUT_REP_MORE));
	return r;
}

/* Return: 1 compared, 0 skipped, -1 different. */
static int one(const struct form *f)
{
	const char *what;
	struct native_state start;
	unsigned int len;
	u64 undefined;
	u8 insn[16];
	int sig, r;

	random_state();
	len = build_insn(insn, f);
	if (f->kind == K_STRING)
		place_string();
	r = decode(insn, len);
	if (r == UMBRA_EMUL_FAULT && mach.em.fault.vector == X86_TRAP_UD)
		return 0;
	/* A random 66 makes some forms another instruction, perhaps not known. */
	if (r == UMBRA_EMUL_UNHANDLED && insn[0] == 0x66 && f->code[0] != 0x66)
		return 0;
	if (r != UMBRA_EMUL_OK || mach.em.insn.len != len) {
		explain(f, "decode", insn, len);
		return -1;
	}
	if (!place_operand(insn, len) || undefined_result(&mach.em.insn))
		return 0;
	if (f->kind == K_INDIRECT && !place_target(&mach.em.insn, len))
		return 0;
	decode(insn, len);
	undefined = undefined_flags(&mach.em.insn, ns.gpr);
	memcpy(before, data, DATA_BYTES);
	start = ns;
	build_code(insn, len);
	sig = run_native();
	r = emulate();
	if (sig)
		what = fault_difference(r, sig, &start);
	else
		what = r == UMBRA_EMUL_OK ? difference(undefined, len) : "result";
	if (what)
		explain(f, what, insn, len);
	return what ? -1 : 1;
}

struct group {
	const struct form *forms;
	unsigned int nr;
};

static bool cpu_has(const struct form *f)
{
	if (f->kind == K_VEX && f->code[0] > 1)
		return __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
	if (!strncmp(f->name, "crc32", 5))
		return __builtin_cpu_supports("sse4.2");
	return true;
}

/* In every test anew: cmocka puts its own handlers in place before each. */
static void catch_faults(void)
{
	static u8 stack[65536];
	stack_t alt = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction sa = { .sa_handler = on_fault, .sa_flags = SA_ONSTACK | SA_NODEFER };

	sigaltstack(&alt, NULL);
	sigaction(SIGFPE, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGILL, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
}

static void run_group(void **state)
{
	const struct group *g = *state;
	unsigned int i, n, compared, bad = 0;
	int r;

	if (!__builtin_cpu_supports("avx")) {
		print_message("# skipped: the harness needs AVX on this machine\n");
		skip();
	}
	catch_faults();
	for (i = 0; i < g->nr; i++) {
		if (!cpu_has(&g->forms[i])) {
			print_message("# %s: this processor lacks it\n", g->forms[i].name);
			continue;
		}
		compared = 0;
		for (n = 0; n < ROUNDS && bad < 12; n++) {
			r = one(&g->forms[i]);
			compared += r > 0;
			bad += r < 0;
		}
		/* A form that is never compared is a hole in the test. */
		if (!bad && compared < ROUNDS / 20) {
			fprintf(stderr, "# %s: only %u compared\n", g->forms[i].name, compared);
			bad++;
		}
	}
	assert_int_equal(bad, 0);
}

static int set_up(void **state)
{
	page = mmap(NULL, 4096 + DATA_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (page == MAP_FAILED)
		return -1;
	data = page + 4096;
	mach_init(&mach, UMBRA_EMUL_LONG64);
	mach_seed(0xfeedface);
	return 0;
}

int main(void)
{
	static struct group groups[] = {
		{ .forms = alu_forms, .nr = ARRAY_SIZE(alu_forms) },
		{ .forms = shift_forms, .nr = ARRAY_SIZE(shift_forms) },
		{ .forms = mul_forms, .nr = ARRAY_SIZE(mul_forms) },
		{ .forms = bit_forms, .nr = ARRAY_SIZE(bit_forms) },
		{ .forms = mov_forms, .nr = ARRAY_SIZE(mov_forms) },
		{ .forms = string_forms, .nr = ARRAY_SIZE(string_forms) },
		{ .forms = branch_forms, .nr = ARRAY_SIZE(branch_forms) },
		{ .forms = vector_forms, .nr = ARRAY_SIZE(vector_forms) },
	};
	const struct CMUnitTest tests[] = {
		{ "alu", run_group, NULL, NULL, &groups[0] },
		{ "shift", run_group, NULL, NULL, &groups[1] },
		{ "mul and div", run_group, NULL, NULL, &groups[2] },
		{ "bit", run_group, NULL, NULL, &groups[3] },
		{ "mov", run_group, NULL, NULL, &groups[4] },
		{ "string", run_group, NULL, NULL, &groups[5] },
		{ "branch", run_group, NULL, NULL, &groups[6] },
		{ "vector", run_group, NULL, NULL, &groups[7] },
	};

	return cmocka_run_group_tests_name("emul native", tests, set_up, NULL);
}
