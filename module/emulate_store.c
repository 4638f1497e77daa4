// SPDX-License-Identifier: GPL-2.0
/*
 * The stores that kernels change table entries with, carried out on a traced page
 * without the emulator: the fault has told the address, and the guest's tables
 * were walked for it. And the moves that they reach registers of devices with, where
 * the device is in the kernel. What differs in anything from what is expected here, and
 * what does not succeed at once, is the emulator's. Must not sleep.
 */
#include <linux/align.h>
#include <linux/bitops.h>
#include <linux/uaccess.h>
#include <asm/processor-flags.h>
#include "emulate_internal.h"
#include "exit.h"
#include "guest_mem.h"
#include "iobus.h"
#include "mmu/mmu.h"
#include "vcpu.h"

#define ARITH_FLAGS	(X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | X86_EFLAGS_ZF | \
			 X86_EFLAGS_SF | X86_EFLAGS_OF)

#define REX_W		8
#define REX_R		4
#define REX_X		2
#define REX_B		1

enum store_op {
	STORE_NONE,
	STORE_MOV,
	STORE_LOAD,		/* not a store: only of devices */
	STORE_XCHG,
	STORE_CMPXCHG,
	STORE_OR,
	STORE_AND,
	STORE_BTS,
	STORE_BTR,
};

/**
 * struct store - one instruction of 64-bit code on its way through here
 * @code: its bytes that were not looked at yet
 * @len: how many were
 * @rex: REX prefix, 0 without
 * @lock: LOCK prefix
 * @modrm: ModRM byte
 * @bytes: operand size
 * @imm_bytes: size of the immediate operand, 0: the source is a register
 * @imm: immediate operand, sign extended
 * @op: what it does
 */
struct store {
	u64 code;
	u8 len;
	u8 rex;
	bool lock;
	u8 modrm;
	u8 bytes;
	u8 imm_bytes;
	s64 imm;
	enum store_op op;
};

static u8 next_byte(struct store *s)
{
	u8 byte = s->code;

	s->code >>= 8;
	s->len++;
	return byte;
}

/* A displacement or an immediate operand, sign extended. */
static s64 next_signed(struct store *s, unsigned int bytes)
{
	s64 val = bytes == 1 ? (s8)s->code : (s32)s->code;

	s->code >>= 8 * bytes;
	s->len += bytes;
	return val;
}

/* Which of two operations a group's ModRM.reg selects. */
static enum store_op by_reg(const struct store *s, u8 reg1, enum store_op op1, u8 reg2,
			    enum store_op op2)
{
	u8 reg = s->modrm >> 3 & 7;

	if (reg == reg1)
		return op1;
	return reg == reg2 ? op2 : STORE_NONE;
}

/* Fill in what the opcode tells. An update without LOCK is not expected. */
static void classify(struct store *s, u16 opcode)
{
	s->bytes = s->rex & REX_W ? 8 : 4;
	s->imm_bytes = 0;
	s->op = STORE_NONE;
	switch (opcode) {
	case 0x89:
		s->op = s->lock ? STORE_NONE : STORE_MOV;
		return;
	case 0x8b:
		s->op = s->lock ? STORE_NONE : STORE_LOAD;
		return;
	case 0xc7:
		s->imm_bytes = 4;
		s->op = s->lock ? STORE_NONE : by_reg(s, 0, STORE_MOV, 0, STORE_MOV);
		return;
	case 0x87:
		s->op = STORE_XCHG;
		return;
	}
	if (!s->lock)
		return;
	switch (opcode) {
	case 0x0fb1:
		s->op = STORE_CMPXCHG;
		break;
	case 0x09:
		s->op = STORE_OR;
		break;
	case 0x21:
		s->op = STORE_AND;
		break;
	case 0x80:
		s->bytes = 1;
		fallthrough;
	case 0x83:
		s->imm_bytes = 1;
		s->op = by_reg(s, 1, STORE_OR, 4, STORE_AND);
		break;
	case 0x81:
		s->imm_bytes = 4;
		s->op = by_reg(s, 1, STORE_OR, 4, STORE_AND);
		break;
	case 0x0fba:
		s->imm_bytes = 1;
		s->op = by_reg(s, 5, STORE_BTS, 6, STORE_BTR);
		break;
	}
}

/* The address that ModRM and SIB form of registers; *@relative: RIP belongs to it. */
static u64 base_address(const struct umbra_vcpu *vcpu, struct store *s, bool *relative)
{
	u8 mod = s->modrm >> 6, rm = s->modrm & 7, base = rm, index = 4, sib = 0;
	u64 ea = 0;

	*relative = !mod && rm == 5;
	if (*relative)
		return next_signed(s, 4);
	if (rm == 4) {
		sib = next_byte(s);
		base = sib & 7;
		index = (sib >> 3 & 7) | (s->rex & REX_X ? 8 : 0);
	}
	if (index != 4)
		ea = vcpu->gpr[index] << (sib >> 6);
	if (!mod && base == 5)
		return ea + next_signed(s, 4);
	ea += vcpu->gpr[base | (s->rex & REX_B ? 8 : 0)];
	if (mod)
		ea += next_signed(s, mod == 1 ? 1 : 4);
	return ea;
}

/*
 * Take the instruction apart; true when it is known here and its operand is at @where, of
 * which the bits in @mask are known.
 */
static bool decode(const struct umbra_vcpu *vcpu, struct store *s, u64 where, u64 mask)
{
	u16 opcode = next_byte(s);
	bool relative;
	u64 ea;

	s->lock = opcode == 0xf0;
	if (s->lock)
		opcode = next_byte(s);
	s->rex = 0;
	if ((opcode & 0xf0) == 0x40) {
		s->rex = opcode;
		opcode = next_byte(s);
	}
	if (opcode == 0x0f)
		opcode = opcode << 8 | next_byte(s);
	s->modrm = next_byte(s);
	classify(s, opcode);
	if (s->op == STORE_NONE || s->modrm >> 6 == 3)
		return false;
	ea = base_address(vcpu, s, &relative);
	if (s->imm_bytes)
		s->imm = next_signed(s, s->imm_bytes);
	if (relative)
		ea += vcpu->rip + s->len;
	/* The rest of a longer one was not seen. */
	return s->len <= sizeof(s->code) && !((ea ^ where) & mask) &&
	       IS_ALIGNED(where, s->bytes);
}

static u64 *store_reg(struct umbra_vcpu *vcpu, const struct store *s)
{
	return &vcpu->gpr[(s->modrm >> 3 & 7) | (s->rex & REX_R ? 8 : 0)];
}

/* All values are kept zero extended. */
static u64 truncate(const struct store *s, u64 val)
{
	return s->bytes == 8 ? val : val & ((1ULL << 8 * s->bytes) - 1);
}

static u64 source(struct umbra_vcpu *vcpu, const struct store *s)
{
	return truncate(s, s->imm_bytes ? (u64)s->imm : *store_reg(vcpu, s));
}

static bool move(struct umbra_vcpu *vcpu, const struct store *s, gpa_t gpa)
{
	u64 val = source(vcpu, s);

	umbra_mmu_guest_write(vcpu, gpa, &val, s->bytes, false);
	if (umbra_gpa_write(vcpu->vm, gpa, &val, s->bytes))
		return false;
	umbra_mmu_guest_write(vcpu, gpa, &val, s->bytes, true);
	return true;
}

/* One attempt to make @new of @old in memory. */
static bool exchange(struct umbra_vcpu *vcpu, const struct store *s, gpa_t gpa, u64 old, u64 new)
{
	umbra_mmu_guest_write(vcpu, gpa, &new, s->bytes, false);
	if (umbra_gpa_cmpxchg(vcpu->vm, gpa, &old, &new, s->bytes))
		return false;
	umbra_mmu_guest_write(vcpu, gpa, &new, s->bytes, true);
	return true;
}

static void set_flags(struct umbra_vcpu *vcpu, u64 mask, u64 flags)
{
	vcpu->rflags = (vcpu->rflags & ~mask) | flags;
}

/* Of OR and AND; what they leave undefined is 0, as in the emulator. */
static u64 logic_flags(const struct store *s, u64 res)
{
	u64 flags = 0;

	if (res >> (8 * s->bytes - 1))
		flags |= X86_EFLAGS_SF;
	if (!res)
		flags |= X86_EFLAGS_ZF;
	if (!(hweight8(res) & 1))
		flags |= X86_EFLAGS_PF;
	return flags;
}

/* The accumulator differs from memory: more changes then than is done here. */
static bool compare_exchange(struct umbra_vcpu *vcpu, const struct store *s, gpa_t gpa)
{
	if (!exchange(vcpu, s, gpa, truncate(s, vcpu->gpr[0]), source(vcpu, s)))
		return false;
	set_flags(vcpu, ARITH_FLAGS, X86_EFLAGS_ZF | X86_EFLAGS_PF);
	return true;
}

/* Those whose result depends on what memory holds, or that hand it out. */
static bool update(struct umbra_vcpu *vcpu, const struct store *s, gpa_t gpa)
{
	u64 src = source(vcpu, s), bit = 1ULL << (s->imm & (8 * s->bytes - 1));
	u64 old = 0, new = src;

	umbra_mmu_guest_read(vcpu, gpa, s->bytes);
	if (umbra_gpa_read(vcpu->vm, gpa, &old, s->bytes))
		return false;
	if (s->op == STORE_OR)
		new = old | src;
	else if (s->op == STORE_AND)
		new = old & src;
	else if (s->op == STORE_BTS)
		new = old | bit;
	else if (s->op == STORE_BTR)
		new = old & ~bit;
	if (!exchange(vcpu, s, gpa, old, new))
		return false;
	if (s->op == STORE_XCHG)
		*store_reg(vcpu, s) = old;
	else if (s->op == STORE_BTS || s->op == STORE_BTR)
		set_flags(vcpu, X86_EFLAGS_CF, old & bit ? X86_EFLAGS_CF : 0);
	else
		set_flags(vcpu, ARITH_FLAGS, logic_flags(s, new));
	return true;
}

static bool carry_out(struct umbra_vcpu *vcpu, const struct store *s, gpa_t gpa)
{
	bool done;

	pagefault_disable();
	if (s->op == STORE_MOV)
		done = move(vcpu, s, gpa);
	else if (s->op == STORE_CMPXCHG)
		done = compare_exchange(vcpu, s, gpa);
	else
		done = update(vcpu, s, gpa);
	pagefault_enable();
	return done;
}

/**
 * umbra_emulate_store() - carry out a frequent store to a traced page
 * @vcpu: virtual processor in 64-bit code, not stepped or debugged
 * @code: the first eight bytes of the instruction
 * @gva: linear address that was written to
 * @access: how, UMBRA_ACC_*
 * @gpa: where the guest's tables lead for that, accessed and dirty bits being set
 *
 * Context: as umbra_emulate_write_atomic().
 * Return: UMBRA_CONTINUE, or UMBRA_SLOW with nothing changed.
 */
int umbra_emulate_store(struct umbra_vcpu *vcpu, u64 code, gva_t gva, u32 access, gpa_t gpa)
{
	struct store s = { .code = code };

	/* Not what the processor itself writes to descriptors and the like. */
	if ((access & ~UMBRA_ACC_USER) != UMBRA_ACC_WRITE)
		return UMBRA_SLOW;
	if (!decode(vcpu, &s, gva, ~0ULL) || s.op == STORE_LOAD || !carry_out(vcpu, &s, gpa))
		return UMBRA_SLOW;
	return umbra_step_rip(vcpu, vcpu->rip + s.len);
}

/* False: no device in the kernel took it. */
static bool move_device(struct umbra_vcpu *vcpu, const struct store *s, gpa_t gpa)
{
	u64 val = 0;

	if (s->op == STORE_MOV) {
		val = source(vcpu, s);
		return !umbra_iobus_write(vcpu, UMBRA_BUS_MMIO, gpa, s->bytes, &val);
	}
	if (umbra_iobus_read(vcpu, UMBRA_BUS_MMIO, gpa, s->bytes, &val))
		return false;
	*store_reg(vcpu, s) = val;
	return true;
}

/**
 * umbra_emulate_mmio_atomic() - carry out a move to or from a device in the kernel
 * @vcpu: virtual processor, mutex held, not in the guest
 * @gpa: what was accessed
 * @access: how, UMBRA_ACC_*
 *
 * Where the second level faulted the linear address is not known, but its offset in the
 * page is the same.
 * Context: inside an SRCU read section of the VM; does not sleep.
 * Return: UMBRA_CONTINUE, UMBRA_TO_USER, or UMBRA_SLOW with nothing changed.
 */
int umbra_emulate_mmio_atomic(struct umbra_vcpu *vcpu, gpa_t gpa, u32 access)
{
	bool write = access & UMBRA_ACC_WRITE;
	struct store s;

	if (!umbra_iobus_listens(vcpu, UMBRA_BUS_MMIO, gpa, sizeof(u32)))
		return UMBRA_SLOW;
	if (!vcpu->exit.code64 || umbra_emulate_stepping(vcpu, vcpu->rflags) ||
	    !umbra_peek_insn(vcpu, sizeof(s.code), true, &s.code))
		return UMBRA_SLOW;
	s.len = 0;
	if (!decode(vcpu, &s, gpa, PAGE_SIZE - 1) || s.op != (write ? STORE_MOV : STORE_LOAD))
		return UMBRA_SLOW;
	if (!move_device(vcpu, &s, gpa))
		return UMBRA_SLOW;
	return umbra_step_rip(vcpu, vcpu->rip + s.len);
}
