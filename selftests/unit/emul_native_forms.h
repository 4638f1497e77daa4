/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The instruction forms that emul_native_test.c runs on the processor and in
 * the emulator. Data only.
 */
#ifndef EMUL_NATIVE_FORMS_H
#define EMUL_NATIVE_FORMS_H

#include "emul/emul.h"

/**
 * struct form - one instruction form
 * @name: for messages
 * @code: fixed prefixes and opcode bytes; for K_VEX: map, pp, opcode, W allowed
 * @len: bytes of @code in use
 * @kind: enum kind
 * @reg: ModRM.reg, or -1 for any
 * @imm: immediate bytes; 4 means operand size, at most 4
 */
struct form {
	const char *name;
	u8 code[4];
	u8 len;
	u8 kind;
	s8 reg;
	u8 imm;
};

enum kind {
	K_MODRM,	/* ModRM, register or memory */
	K_MEM,		/* ModRM, memory only */
	K_REG,		/* ModRM, register only */
	K_PLAIN,	/* no ModRM */
	K_STRING,
	K_BRANCH,	/* relative branch, immediate is TAKEN */
	K_INDIRECT,	/* FF /2 /4: target in the operand */
	K_VEX,		/* ModRM after a VEX prefix */
};

#define F(n, k, r, i, l, ...) \
	{ .name = n, .kind = k, .reg = r, .imm = i, .len = l, .code = { __VA_ARGS__ } }

static const struct form alu_forms[] = {
	F("add eb gb", K_MODRM, -1, 0, 1, 0x00), F("add ev gv", K_MODRM, -1, 0, 1, 0x01),
	F("add gb eb", K_MODRM, -1, 0, 1, 0x02), F("add gv ev", K_MODRM, -1, 0, 1, 0x03),
	F("add al ib", K_PLAIN, -1, 1, 1, 0x04), F("add ax iv", K_PLAIN, -1, 4, 1, 0x05),
	F("or ev gv", K_MODRM, -1, 0, 1, 0x09), F("or gb eb", K_MODRM, -1, 0, 1, 0x0a),
	F("or al", K_PLAIN, -1, 1, 1, 0x0c), F("or ax", K_PLAIN, -1, 4, 1, 0x0d),
	F("adc eb gb", K_MODRM, -1, 0, 1, 0x10), F("adc gv ev", K_MODRM, -1, 0, 1, 0x13),
	F("adc ax", K_PLAIN, -1, 4, 1, 0x15), F("sbb eb gb", K_MODRM, -1, 0, 1, 0x18),
	F("sbb gv ev", K_MODRM, -1, 0, 1, 0x1b), F("sbb ax", K_PLAIN, -1, 4, 1, 0x1d),
	F("and eb gb", K_MODRM, -1, 0, 1, 0x20), F("and ev gv", K_MODRM, -1, 0, 1, 0x21),
	F("and ax", K_PLAIN, -1, 4, 1, 0x25), F("sub eb gb", K_MODRM, -1, 0, 1, 0x28),
	F("sub gv ev", K_MODRM, -1, 0, 1, 0x2b), F("sub ax", K_PLAIN, -1, 4, 1, 0x2d),
	F("xor eb gb", K_MODRM, -1, 0, 1, 0x30), F("xor gv ev", K_MODRM, -1, 0, 1, 0x33),
	F("xor ax", K_PLAIN, -1, 4, 1, 0x35), F("cmp eb gb", K_MODRM, -1, 0, 1, 0x38),
	F("cmp ev gv", K_MODRM, -1, 0, 1, 0x39), F("cmp gb eb", K_MODRM, -1, 0, 1, 0x3a),
	F("cmp gv ev", K_MODRM, -1, 0, 1, 0x3b), F("cmp ax", K_PLAIN, -1, 4, 1, 0x3d),
	F("grp1 eb ib", K_MODRM, -1, 1, 1, 0x80), F("grp1 ev iv", K_MODRM, -1, 4, 1, 0x81),
	F("grp1 ev ib", K_MODRM, -1, 1, 1, 0x83), F("test eb gb", K_MODRM, -1, 0, 1, 0x84),
	F("test ev gv", K_MODRM, -1, 0, 1, 0x85), F("test al", K_PLAIN, -1, 1, 1, 0xa8),
	F("test ax", K_PLAIN, -1, 4, 1, 0xa9),
	F("test eb ib", K_MODRM, 0, 1, 1, 0xf6), F("test ev iv", K_MODRM, 0, 4, 1, 0xf7),
	F("not b", K_MODRM, 2, 0, 1, 0xf6), F("not v", K_MODRM, 2, 0, 1, 0xf7),
	F("neg b", K_MODRM, 3, 0, 1, 0xf6), F("neg v", K_MODRM, 3, 0, 1, 0xf7),
	F("inc b", K_MODRM, 0, 0, 1, 0xfe), F("dec b", K_MODRM, 1, 0, 1, 0xfe),
	F("inc v", K_MODRM, 0, 0, 1, 0xff), F("dec v", K_MODRM, 1, 0, 1, 0xff),
	F("xadd b", K_MODRM, -1, 0, 2, 0x0f, 0xc0), F("xadd v", K_MODRM, -1, 0, 2, 0x0f, 0xc1),
	F("cmpxchg b", K_MODRM, -1, 0, 2, 0x0f, 0xb0),
	F("cmpxchg v", K_MODRM, -1, 0, 2, 0x0f, 0xb1),
	F("cmpxchg8b", K_MEM, 1, 0, 2, 0x0f, 0xc7),
	F("lock add", K_MEM, -1, 0, 2, 0xf0, 0x01), F("lock inc", K_MEM, 0, 0, 2, 0xf0, 0xff),
	F("clc", K_PLAIN, -1, 0, 1, 0xf8), F("stc", K_PLAIN, -1, 0, 1, 0xf9),
	F("cmc", K_PLAIN, -1, 0, 1, 0xf5),
};

static const struct form shift_forms[] = {
	F("shift b ib", K_MODRM, -1, 1, 1, 0xc0), F("shift v ib", K_MODRM, -1, 1, 1, 0xc1),
	F("shift b 1", K_MODRM, -1, 0, 1, 0xd0), F("shift v 1", K_MODRM, -1, 0, 1, 0xd1),
	F("shift b cl", K_MODRM, -1, 0, 1, 0xd2), F("shift v cl", K_MODRM, -1, 0, 1, 0xd3),
	F("shld ib", K_MODRM, -1, 1, 2, 0x0f, 0xa4), F("shld cl", K_MODRM, -1, 0, 2, 0x0f, 0xa5),
	F("shrd ib", K_MODRM, -1, 1, 2, 0x0f, 0xac), F("shrd cl", K_MODRM, -1, 0, 2, 0x0f, 0xad),
};

static const struct form mul_forms[] = {
	F("mul b", K_MODRM, 4, 0, 1, 0xf6), F("mul v", K_MODRM, 4, 0, 1, 0xf7),
	F("imul b", K_MODRM, 5, 0, 1, 0xf6), F("imul v", K_MODRM, 5, 0, 1, 0xf7),
	F("div b", K_MODRM, 6, 0, 1, 0xf6), F("div v", K_MODRM, 6, 0, 1, 0xf7),
	F("idiv b", K_MODRM, 7, 0, 1, 0xf6), F("idiv v", K_MODRM, 7, 0, 1, 0xf7),
	F("imul gv ev", K_MODRM, -1, 0, 2, 0x0f, 0xaf),
	F("imul gv ev iv", K_MODRM, -1, 4, 1, 0x69), F("imul gv ev ib", K_MODRM, -1, 1, 1, 0x6b),
};

static const struct form bit_forms[] = {
	F("bt", K_MODRM, -1, 0, 2, 0x0f, 0xa3), F("bts", K_MODRM, -1, 0, 2, 0x0f, 0xab),
	F("btr", K_MODRM, -1, 0, 2, 0x0f, 0xb3), F("btc", K_MODRM, -1, 0, 2, 0x0f, 0xbb),
	F("bt ib", K_MODRM, 4, 1, 2, 0x0f, 0xba), F("bts ib", K_MODRM, 5, 1, 2, 0x0f, 0xba),
	F("btr ib", K_MODRM, 6, 1, 2, 0x0f, 0xba), F("btc ib", K_MODRM, 7, 1, 2, 0x0f, 0xba),
	F("bsf", K_MODRM, -1, 0, 2, 0x0f, 0xbc), F("bsr", K_MODRM, -1, 0, 2, 0x0f, 0xbd),
	F("tzcnt", K_MODRM, -1, 0, 3, 0xf3, 0x0f, 0xbc),
	F("lzcnt", K_MODRM, -1, 0, 3, 0xf3, 0x0f, 0xbd),
	F("popcnt", K_MODRM, -1, 0, 3, 0xf3, 0x0f, 0xb8),
	F("bswap", K_PLAIN, -1, 0, 2, 0x0f, 0xc9),
	F("movbe load", K_MEM, -1, 0, 3, 0x0f, 0x38, 0xf0),
	F("movbe store", K_MEM, -1, 0, 3, 0x0f, 0x38, 0xf1),
	F("crc32 b", K_MODRM, -1, 0, 4, 0xf2, 0x0f, 0x38, 0xf0),
	F("crc32 v", K_MODRM, -1, 0, 4, 0xf2, 0x0f, 0x38, 0xf1),
	F("adcx", K_MODRM, -1, 0, 4, 0x66, 0x0f, 0x38, 0xf6),
	F("adox", K_MODRM, -1, 0, 4, 0xf3, 0x0f, 0x38, 0xf6),
	F("andn", K_VEX, -1, 0, 4, 2, 0, 0xf2, 1), F("blsr", K_VEX, 1, 0, 4, 2, 0, 0xf3, 1),
	F("blsmsk", K_VEX, 2, 0, 4, 2, 0, 0xf3, 1), F("blsi", K_VEX, 3, 0, 4, 2, 0, 0xf3, 1),
	F("bzhi", K_VEX, -1, 0, 4, 2, 0, 0xf5, 1), F("pext", K_VEX, -1, 0, 4, 2, 2, 0xf5, 1),
	F("pdep", K_VEX, -1, 0, 4, 2, 3, 0xf5, 1), F("mulx", K_VEX, -1, 0, 4, 2, 3, 0xf6, 1),
	F("bextr", K_VEX, -1, 0, 4, 2, 0, 0xf7, 1), F("shlx", K_VEX, -1, 0, 4, 2, 1, 0xf7, 1),
	F("sarx", K_VEX, -1, 0, 4, 2, 2, 0xf7, 1), F("shrx", K_VEX, -1, 0, 4, 2, 3, 0xf7, 1),
	F("rorx", K_VEX, -1, 1, 4, 3, 3, 0xf0, 1),
};

static const struct form mov_forms[] = {
	F("mov eb gb", K_MODRM, -1, 0, 1, 0x88), F("mov ev gv", K_MODRM, -1, 0, 1, 0x89),
	F("mov gb eb", K_MODRM, -1, 0, 1, 0x8a), F("mov gv ev", K_MODRM, -1, 0, 1, 0x8b),
	F("mov eb ib", K_MODRM, 0, 1, 1, 0xc6), F("mov ev iv", K_MODRM, 0, 4, 1, 0xc7),
	F("mov bl ib", K_PLAIN, -1, 1, 1, 0xb3), F("mov dh ib", K_PLAIN, -1, 1, 1, 0xb6),
	F("movzx b", K_MODRM, -1, 0, 2, 0x0f, 0xb6), F("movzx w", K_MODRM, -1, 0, 2, 0x0f, 0xb7),
	F("movsx b", K_MODRM, -1, 0, 2, 0x0f, 0xbe), F("movsx w", K_MODRM, -1, 0, 2, 0x0f, 0xbf),
	F("movsxd", K_MODRM, -1, 0, 1, 0x63), F("lea", K_MEM, -1, 0, 1, 0x8d),
	F("xchg b", K_MODRM, -1, 0, 1, 0x86), F("xchg v", K_MODRM, -1, 0, 1, 0x87),
	F("nop", K_PLAIN, -1, 0, 1, 0x90), F("xchg rcx", K_PLAIN, -1, 0, 1, 0x91),
	F("cbw", K_PLAIN, -1, 0, 1, 0x98), F("cwd", K_PLAIN, -1, 0, 1, 0x99),
	F("sahf", K_PLAIN, -1, 0, 1, 0x9e), F("lahf", K_PLAIN, -1, 0, 1, 0x9f),
	F("setl", K_MODRM, -1, 0, 2, 0x0f, 0x9c), F("setbe", K_MODRM, -1, 0, 2, 0x0f, 0x96),
	F("setno", K_MODRM, -1, 0, 2, 0x0f, 0x91), F("setp", K_MODRM, -1, 0, 2, 0x0f, 0x9a),
	F("cmovs", K_MODRM, -1, 0, 2, 0x0f, 0x48), F("cmovg", K_MODRM, -1, 0, 2, 0x0f, 0x4f),
	F("cmovae", K_MODRM, -1, 0, 2, 0x0f, 0x43), F("cmove", K_MODRM, -1, 0, 2, 0x0f, 0x44),
	F("movnti", K_MEM, -1, 0, 2, 0x0f, 0xc3), F("long nop", K_MODRM, 0, 0, 2, 0x0f, 0x1f),
	F("push r", K_PLAIN, -1, 0, 1, 0x53), F("push rsp", K_PLAIN, -1, 0, 1, 0x54),
	F("pop r", K_PLAIN, -1, 0, 1, 0x5b), F("pop rsp", K_PLAIN, -1, 0, 1, 0x5c),
	F("push iv", K_PLAIN, -1, 4, 1, 0x68), F("push ib", K_PLAIN, -1, 1, 1, 0x6a),
	F("push ev", K_MODRM, 6, 0, 1, 0xff), F("pop ev", K_MODRM, 0, 0, 1, 0x8f),
};

static const struct form string_forms[] = {
	F("movsb", K_STRING, -1, 0, 1, 0xa4), F("movs", K_STRING, -1, 0, 1, 0xa5),
	F("cmpsb", K_STRING, -1, 0, 1, 0xa6), F("cmps", K_STRING, -1, 0, 1, 0xa7),
	F("stosb", K_STRING, -1, 0, 1, 0xaa), F("stos", K_STRING, -1, 0, 1, 0xab),
	F("lodsb", K_STRING, -1, 0, 1, 0xac), F("lods", K_STRING, -1, 0, 1, 0xad),
	F("scasb", K_STRING, -1, 0, 1, 0xae), F("scas", K_STRING, -1, 0, 1, 0xaf),
};

static const struct form branch_forms[] = {
	F("jo", K_BRANCH, -1, 1, 1, 0x70), F("jae", K_BRANCH, -1, 1, 1, 0x73),
	F("je", K_BRANCH, -1, 1, 1, 0x74), F("jbe", K_BRANCH, -1, 1, 1, 0x76),
	F("js", K_BRANCH, -1, 1, 1, 0x78), F("jnp", K_BRANCH, -1, 1, 1, 0x7b),
	F("jl", K_BRANCH, -1, 1, 1, 0x7c), F("jg", K_BRANCH, -1, 1, 1, 0x7f),
	F("jc near", K_BRANCH, -1, 4, 2, 0x0f, 0x82),
	F("jle near", K_BRANCH, -1, 4, 2, 0x0f, 0x8e),
	F("loopne", K_BRANCH, -1, 1, 1, 0xe0), F("loope", K_BRANCH, -1, 1, 1, 0xe1),
	F("loop", K_BRANCH, -1, 1, 1, 0xe2), F("jrcxz", K_BRANCH, -1, 1, 1, 0xe3),
	F("jmp short", K_BRANCH, -1, 1, 1, 0xeb), F("jmp near", K_BRANCH, -1, 4, 1, 0xe9),
	F("call", K_BRANCH, -1, 4, 1, 0xe8),
	F("call ev", K_INDIRECT, 2, 0, 1, 0xff), F("jmp ev", K_INDIRECT, 4, 0, 1, 0xff),
};

static const struct form vector_forms[] = {
	F("movups", K_MODRM, -1, 0, 2, 0x0f, 0x10),
	F("movups store", K_MODRM, -1, 0, 2, 0x0f, 0x11),
	F("movss", K_MODRM, -1, 0, 3, 0xf3, 0x0f, 0x10),
	F("movss store", K_MODRM, -1, 0, 3, 0xf3, 0x0f, 0x11),
	F("movsd", K_MODRM, -1, 0, 3, 0xf2, 0x0f, 0x10),
	F("movsd store", K_MODRM, -1, 0, 3, 0xf2, 0x0f, 0x11),
	F("movlps", K_MEM, -1, 0, 2, 0x0f, 0x12), F("movhlps", K_REG, -1, 0, 2, 0x0f, 0x12),
	F("movlps store", K_MEM, -1, 0, 2, 0x0f, 0x13), F("movhps", K_MEM, -1, 0, 2, 0x0f, 0x16),
	F("movlhps", K_REG, -1, 0, 2, 0x0f, 0x16), F("movhps store", K_MEM, -1, 0, 2, 0x0f, 0x17),
	F("movaps", K_MODRM, -1, 0, 2, 0x0f, 0x28),
	F("movaps store", K_MODRM, -1, 0, 2, 0x0f, 0x29),
	F("movntps", K_MEM, -1, 0, 2, 0x0f, 0x2b),
	F("movd", K_MODRM, -1, 0, 3, 0x66, 0x0f, 0x6e),
	F("movd store", K_MODRM, -1, 0, 3, 0x66, 0x0f, 0x7e),
	F("movq", K_MODRM, -1, 0, 3, 0xf3, 0x0f, 0x7e),
	F("movq store", K_MODRM, -1, 0, 3, 0x66, 0x0f, 0xd6),
	F("movdqa", K_MODRM, -1, 0, 3, 0x66, 0x0f, 0x6f),
	F("movdqa store", K_MODRM, -1, 0, 3, 0x66, 0x0f, 0x7f),
	F("movdqu", K_MODRM, -1, 0, 3, 0xf3, 0x0f, 0x6f),
	F("movdqu store", K_MODRM, -1, 0, 3, 0xf3, 0x0f, 0x7f),
	F("movntdq", K_MEM, -1, 0, 3, 0x66, 0x0f, 0xe7),
	F("lddqu", K_MEM, -1, 0, 3, 0xf2, 0x0f, 0xf0),
	F("movntdqa", K_MEM, -1, 0, 4, 0x66, 0x0f, 0x38, 0x2a),
	F("vmovups", K_VEX, -1, 0, 4, 1, 0, 0x10, 0),
	F("vmovups st", K_VEX, -1, 0, 4, 1, 0, 0x11, 0),
	F("vmovss", K_VEX, -1, 0, 4, 1, 2, 0x10, 1), F("vmovsd", K_VEX, -1, 0, 4, 1, 3, 0x11, 1),
	F("vmovlps", K_VEX, -1, 0, 4, 1, 0, 0x12, 1),
	F("vmovhps", K_VEX, -1, 0, 4, 1, 0, 0x16, 1),
	F("vmovaps", K_VEX, -1, 0, 4, 1, 0, 0x28, 0),
	F("vmovaps st", K_VEX, -1, 0, 4, 1, 0, 0x29, 0),
	F("vmovdqa", K_VEX, -1, 0, 4, 1, 1, 0x6f, 0),
	F("vmovdqa st", K_VEX, -1, 0, 4, 1, 1, 0x7f, 0),
	F("vmovdqu", K_VEX, -1, 0, 4, 1, 2, 0x6f, 0),
	F("vmovdqu st", K_VEX, -1, 0, 4, 1, 2, 0x7f, 0),
	F("vmovq", K_VEX, -1, 0, 4, 1, 2, 0x7e, 0), F("vmovd", K_VEX, -1, 0, 4, 1, 1, 0x6e, 0),
};

#endif /* EMUL_NATIVE_FORMS_H */
