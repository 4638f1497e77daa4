// SPDX-License-Identifier: GPL-2.0
/*
 * Opcode table of the one-byte map and its groups. Data only. An entry that is
 * absent is not known: UNHANDLED, not #UD.
 */
#include "optab.h"

static const struct umbra_emul_opcode group1_b[8] = {
	OP2(add, OF_LOCK, O_EB, O_IB),
	OP2(or, OF_LOCK, O_EB, O_IB),
	OP2(adc, OF_LOCK, O_EB, O_IB),
	OP2(sbb, OF_LOCK, O_EB, O_IB),
	OP2(and, OF_LOCK, O_EB, O_IB),
	OP2(sub, OF_LOCK, O_EB, O_IB),
	OP2(xor, OF_LOCK, O_EB, O_IB),
	OP2(cmp, OF_NOWRITE, O_EB, O_IB),
};

static const struct umbra_emul_opcode group1_82[8] = {
	OP2(add, OF_LOCK | OF_NO64, O_EB, O_IB),
	OP2(or, OF_LOCK | OF_NO64, O_EB, O_IB),
	OP2(adc, OF_LOCK | OF_NO64, O_EB, O_IB),
	OP2(sbb, OF_LOCK | OF_NO64, O_EB, O_IB),
	OP2(and, OF_LOCK | OF_NO64, O_EB, O_IB),
	OP2(sub, OF_LOCK | OF_NO64, O_EB, O_IB),
	OP2(xor, OF_LOCK | OF_NO64, O_EB, O_IB),
	OP2(cmp, OF_NOWRITE | OF_NO64, O_EB, O_IB),
};

static const struct umbra_emul_opcode group1_v[8] = {
	OP2(add, OF_LOCK, O_EV, O_IV),
	OP2(or, OF_LOCK, O_EV, O_IV),
	OP2(adc, OF_LOCK, O_EV, O_IV),
	OP2(sbb, OF_LOCK, O_EV, O_IV),
	OP2(and, OF_LOCK, O_EV, O_IV),
	OP2(sub, OF_LOCK, O_EV, O_IV),
	OP2(xor, OF_LOCK, O_EV, O_IV),
	OP2(cmp, OF_NOWRITE, O_EV, O_IV),
};

static const struct umbra_emul_opcode group1_s[8] = {
	OP2(add, OF_LOCK, O_EV, O_IS),
	OP2(or, OF_LOCK, O_EV, O_IS),
	OP2(adc, OF_LOCK, O_EV, O_IS),
	OP2(sbb, OF_LOCK, O_EV, O_IS),
	OP2(and, OF_LOCK, O_EV, O_IS),
	OP2(sub, OF_LOCK, O_EV, O_IS),
	OP2(xor, OF_LOCK, O_EV, O_IS),
	OP2(cmp, OF_NOWRITE, O_EV, O_IS),
};

static const struct umbra_emul_opcode group1a[8] = {
	OP1(pop, OF_RAW | OF_DEF64, O_EV),
};

static const struct umbra_emul_opcode group2_b_ib[8] = {
	OP2(rol, 0, O_EB, O_IU),
	OP2(ror, 0, O_EB, O_IU),
	OP2(rcl, 0, O_EB, O_IU),
	OP2(rcr, 0, O_EB, O_IU),
	OP2(shl, 0, O_EB, O_IU),
	OP2(shr, 0, O_EB, O_IU),
	OP2(shl, 0, O_EB, O_IU),
	OP2(sar, 0, O_EB, O_IU),
};

static const struct umbra_emul_opcode group2_v_ib[8] = {
	OP2(rol, 0, O_EV, O_IU),
	OP2(ror, 0, O_EV, O_IU),
	OP2(rcl, 0, O_EV, O_IU),
	OP2(rcr, 0, O_EV, O_IU),
	OP2(shl, 0, O_EV, O_IU),
	OP2(shr, 0, O_EV, O_IU),
	OP2(shl, 0, O_EV, O_IU),
	OP2(sar, 0, O_EV, O_IU),
};

static const struct umbra_emul_opcode group2_b_1[8] = {
	OP2(rol, 0, O_EB, O_ONE),
	OP2(ror, 0, O_EB, O_ONE),
	OP2(rcl, 0, O_EB, O_ONE),
	OP2(rcr, 0, O_EB, O_ONE),
	OP2(shl, 0, O_EB, O_ONE),
	OP2(shr, 0, O_EB, O_ONE),
	OP2(shl, 0, O_EB, O_ONE),
	OP2(sar, 0, O_EB, O_ONE),
};

static const struct umbra_emul_opcode group2_v_1[8] = {
	OP2(rol, 0, O_EV, O_ONE),
	OP2(ror, 0, O_EV, O_ONE),
	OP2(rcl, 0, O_EV, O_ONE),
	OP2(rcr, 0, O_EV, O_ONE),
	OP2(shl, 0, O_EV, O_ONE),
	OP2(shr, 0, O_EV, O_ONE),
	OP2(shl, 0, O_EV, O_ONE),
	OP2(sar, 0, O_EV, O_ONE),
};

static const struct umbra_emul_opcode group2_b_cl[8] = {
	OP2(rol, 0, O_EB, O_CL),
	OP2(ror, 0, O_EB, O_CL),
	OP2(rcl, 0, O_EB, O_CL),
	OP2(rcr, 0, O_EB, O_CL),
	OP2(shl, 0, O_EB, O_CL),
	OP2(shr, 0, O_EB, O_CL),
	OP2(shl, 0, O_EB, O_CL),
	OP2(sar, 0, O_EB, O_CL),
};

static const struct umbra_emul_opcode group2_v_cl[8] = {
	OP2(rol, 0, O_EV, O_CL),
	OP2(ror, 0, O_EV, O_CL),
	OP2(rcl, 0, O_EV, O_CL),
	OP2(rcr, 0, O_EV, O_CL),
	OP2(shl, 0, O_EV, O_CL),
	OP2(shr, 0, O_EV, O_CL),
	OP2(shl, 0, O_EV, O_CL),
	OP2(sar, 0, O_EV, O_CL),
};

static const struct umbra_emul_opcode group3_b[8] = {
	OP2(test, OF_NOWRITE, O_EB, O_IB),
	OP2(test, OF_NOWRITE, O_EB, O_IB),
	OP1(not, OF_LOCK, O_EB),
	OP1(neg, OF_LOCK, O_EB),
	OP1(mul, OF_NOWRITE, O_EB),
	OP1(imul, OF_NOWRITE, O_EB),
	OP1(div, OF_NOWRITE, O_EB),
	OP1(idiv, OF_NOWRITE, O_EB),
};

static const struct umbra_emul_opcode group3_v[8] = {
	OP2(test, OF_NOWRITE, O_EV, O_IV),
	OP2(test, OF_NOWRITE, O_EV, O_IV),
	OP1(not, OF_LOCK, O_EV),
	OP1(neg, OF_LOCK, O_EV),
	OP1(mul, OF_NOWRITE, O_EV),
	OP1(imul, OF_NOWRITE, O_EV),
	OP1(div, OF_NOWRITE, O_EV),
	OP1(idiv, OF_NOWRITE, O_EV),
};

static const struct umbra_emul_opcode group4[8] = {
	OP1(inc, OF_LOCK, O_EB),
	OP1(dec, OF_LOCK, O_EB),
};

static const struct umbra_emul_opcode group5[8] = {
	OP1(inc, OF_LOCK, O_EV),
	OP1(dec, OF_LOCK, O_EV),
	OP1(call_near, OF_NOWRITE | OF_NEAR, O_EV),
	OP1(call_far_mem, OF_RAW, O_M0),
	OP1(jmp_near, OF_NOWRITE | OF_NEAR, O_EV),
	OP1(jmp_far_mem, OF_RAW, O_M0),
	OP1(push, OF_NOWRITE | OF_DEF64, O_EV),
};

static const struct umbra_emul_opcode group11_b[8] = {
	OP2(mov, OF_NOREAD, O_EB, O_IB),
};

static const struct umbra_emul_opcode group11_v[8] = {
	OP2(mov, OF_NOREAD, O_EV, O_IV),
};

/* A selector stored to memory is 16 bits wide whatever the operand size. */
static const struct umbra_emul_opcode mov_from_sreg[2] = {
	OP2(mov, OF_NOREAD, O_EW, O_SW),
	OP2(mov, OF_NOREAD, O_EV, O_SW),
};

static const struct umbra_emul_opcode opcode_63[2] = {
	OP2(unhandled, OF_RAW | OF_PROT, O_EW, O_GW),	/* ARPL */
	OP2(movsx, OF_NOREAD, O_GV, O_ED),
};

const struct umbra_emul_opcode umbra_emul_optab[256] = {
	[0x00] = OP2(add, OF_LOCK, O_EB, O_GB),
	[0x01] = OP2(add, OF_LOCK, O_EV, O_GV),
	[0x02] = OP2(add, 0, O_GB, O_EB),
	[0x03] = OP2(add, 0, O_GV, O_EV),
	[0x04] = OP2(add, 0, O_AB, O_IB),
	[0x05] = OP2(add, 0, O_AV, O_IV),
	[0x06] = OP0(push_sreg, OF_NO64),
	[0x07] = OP0(pop_sreg, OF_NO64),
	[0x08] = OP2(or, OF_LOCK, O_EB, O_GB),
	[0x09] = OP2(or, OF_LOCK, O_EV, O_GV),
	[0x0a] = OP2(or, 0, O_GB, O_EB),
	[0x0b] = OP2(or, 0, O_GV, O_EV),
	[0x0c] = OP2(or, 0, O_AB, O_IB),
	[0x0d] = OP2(or, 0, O_AV, O_IV),
	[0x0e] = OP0(push_sreg, OF_NO64),
	[0x10] = OP2(adc, OF_LOCK, O_EB, O_GB),
	[0x11] = OP2(adc, OF_LOCK, O_EV, O_GV),
	[0x12] = OP2(adc, 0, O_GB, O_EB),
	[0x13] = OP2(adc, 0, O_GV, O_EV),
	[0x14] = OP2(adc, 0, O_AB, O_IB),
	[0x15] = OP2(adc, 0, O_AV, O_IV),
	[0x16] = OP0(push_sreg, OF_NO64),
	[0x17] = OP0(pop_sreg, OF_NO64),
	[0x18] = OP2(sbb, OF_LOCK, O_EB, O_GB),
	[0x19] = OP2(sbb, OF_LOCK, O_EV, O_GV),
	[0x1a] = OP2(sbb, 0, O_GB, O_EB),
	[0x1b] = OP2(sbb, 0, O_GV, O_EV),
	[0x1c] = OP2(sbb, 0, O_AB, O_IB),
	[0x1d] = OP2(sbb, 0, O_AV, O_IV),
	[0x1e] = OP0(push_sreg, OF_NO64),
	[0x1f] = OP0(pop_sreg, OF_NO64),
	[0x20] = OP2(and, OF_LOCK, O_EB, O_GB),
	[0x21] = OP2(and, OF_LOCK, O_EV, O_GV),
	[0x22] = OP2(and, 0, O_GB, O_EB),
	[0x23] = OP2(and, 0, O_GV, O_EV),
	[0x24] = OP2(and, 0, O_AB, O_IB),
	[0x25] = OP2(and, 0, O_AV, O_IV),
	[0x27] = OP0(unhandled, OF_NO64),		/* DAA */
	[0x28] = OP2(sub, OF_LOCK, O_EB, O_GB),
	[0x29] = OP2(sub, OF_LOCK, O_EV, O_GV),
	[0x2a] = OP2(sub, 0, O_GB, O_EB),
	[0x2b] = OP2(sub, 0, O_GV, O_EV),
	[0x2c] = OP2(sub, 0, O_AB, O_IB),
	[0x2d] = OP2(sub, 0, O_AV, O_IV),
	[0x2f] = OP0(unhandled, OF_NO64),		/* DAS */
	[0x30] = OP2(xor, OF_LOCK, O_EB, O_GB),
	[0x31] = OP2(xor, OF_LOCK, O_EV, O_GV),
	[0x32] = OP2(xor, 0, O_GB, O_EB),
	[0x33] = OP2(xor, 0, O_GV, O_EV),
	[0x34] = OP2(xor, 0, O_AB, O_IB),
	[0x35] = OP2(xor, 0, O_AV, O_IV),
	[0x37] = OP0(unhandled, OF_NO64),		/* AAA */
	[0x38] = OP2(cmp, OF_NOWRITE, O_EB, O_GB),
	[0x39] = OP2(cmp, OF_NOWRITE, O_EV, O_GV),
	[0x3a] = OP2(cmp, OF_NOWRITE, O_GB, O_EB),
	[0x3b] = OP2(cmp, OF_NOWRITE, O_GV, O_EV),
	[0x3c] = OP2(cmp, OF_NOWRITE, O_AB, O_IB),
	[0x3d] = OP2(cmp, OF_NOWRITE, O_AV, O_IV),
	[0x3f] = OP0(unhandled, OF_NO64),		/* AAS */
	[0x40 ... 0x47] = OP1(inc, OF_NO64, O_ZV),
	[0x48 ... 0x4f] = OP1(dec, OF_NO64, O_ZV),
	[0x50 ... 0x57] = OP1(push, OF_NOWRITE | OF_DEF64, O_ZV),
	[0x58 ... 0x5f] = OP1(pop, OF_RAW | OF_DEF64, O_ZV),
	[0x60] = OP0(pusha, OF_NO64),
	[0x61] = OP0(popa, OF_NO64),
	[0x63] = OPSUB(LONG, opcode_63),
	[0x68] = OP1(push, OF_NOWRITE | OF_DEF64, O_IV),
	[0x69] = OP3(imul3, OF_NOREAD, O_GV, O_EV, O_IV),
	[0x6a] = OP1(push, OF_NOWRITE | OF_DEF64, O_IS),
	[0x6b] = OP3(imul3, OF_NOREAD, O_GV, O_EV, O_IS),
	[0x6c] = OP0(ins, OF_STRING),
	[0x6d] = OP0(ins, OF_STRING),
	[0x6e] = OP0(outs, OF_STRING),
	[0x6f] = OP0(outs, OF_STRING),
	[0x70 ... 0x7f] = OP1(jcc, OF_NOWRITE | OF_NEAR, O_JB),
	[0x80] = OPSUB(GROUP, group1_b),
	[0x81] = OPSUB(GROUP, group1_v),
	[0x82] = OPSUB(GROUP, group1_82),
	[0x83] = OPSUB(GROUP, group1_s),
	[0x84] = OP2(test, OF_NOWRITE, O_EB, O_GB),
	[0x85] = OP2(test, OF_NOWRITE, O_EV, O_GV),
	[0x86] = OP2(xchg, OF_LOCK | OF_XCHG, O_EB, O_GB),
	[0x87] = OP2(xchg, OF_LOCK | OF_XCHG, O_EV, O_GV),
	[0x88] = OP2(mov, OF_NOREAD, O_EB, O_GB),
	[0x89] = OP2(mov, OF_NOREAD, O_EV, O_GV),
	[0x8a] = OP2(mov, OF_NOREAD, O_GB, O_EB),
	[0x8b] = OP2(mov, OF_NOREAD, O_GV, O_EV),
	[0x8c] = OPSUB(MOD, mov_from_sreg),
	[0x8d] = OP2(lea, OF_NOREAD, O_GV, O_M0),
	[0x8e] = OP2(mov_sreg, OF_NOREAD | OF_NOWRITE, O_SW, O_EW),
	[0x8f] = OPSUB(GROUP, group1a),
	[0x90] = OP2(xchg_nop, OF_RAW, O_ZV, O_AV),
	[0x91 ... 0x97] = OP2(xchg, 0, O_ZV, O_AV),
	[0x98] = OP0(cbw, 0),
	[0x99] = OP0(cwd, 0),
	[0x9a] = OP1(call_far, OF_RAW | OF_NO64, O_P),
	[0x9b] = OP0(unhandled, 0),			/* WAIT */
	[0x9c] = OP0(pushf, OF_DEF64),
	[0x9d] = OP0(popf, OF_DEF64),
	[0x9e] = OP0(sahf, 0),
	[0x9f] = OP0(lahf, 0),
	[0xa0] = OP2(mov, OF_NOREAD, O_AB, O_OB),
	[0xa1] = OP2(mov, OF_NOREAD, O_AV, O_OV),
	[0xa2] = OP2(mov, OF_NOREAD, O_OB, O_AB),
	[0xa3] = OP2(mov, OF_NOREAD, O_OV, O_AV),
	[0xa4] = OP0(movs, OF_STRING),
	[0xa5] = OP0(movs, OF_STRING),
	[0xa6] = OP0(cmps, OF_STRING),
	[0xa7] = OP0(cmps, OF_STRING),
	[0xa8] = OP2(test, OF_NOWRITE, O_AB, O_IB),
	[0xa9] = OP2(test, OF_NOWRITE, O_AV, O_IV),
	[0xaa] = OP0(stos, OF_STRING),
	[0xab] = OP0(stos, OF_STRING),
	[0xac] = OP0(lods, OF_STRING),
	[0xad] = OP0(lods, OF_STRING),
	[0xae] = OP0(scas, OF_STRING),
	[0xaf] = OP0(scas, OF_STRING),
	[0xb0 ... 0xb7] = OP2(mov, OF_NOREAD, O_ZB, O_IB),
	[0xb8 ... 0xbf] = OP2(mov, OF_NOREAD, O_ZV, O_IQ),
	[0xc0] = OPSUB(GROUP, group2_b_ib),
	[0xc1] = OPSUB(GROUP, group2_v_ib),
	[0xc2] = OP1(ret, OF_RAW | OF_NEAR, O_IW),
	[0xc3] = OP0(ret, OF_NEAR),
	[0xc4] = OP2(load_far, OF_RAW | OF_NO64, O_GV, O_M0),
	[0xc5] = OP2(load_far, OF_RAW | OF_NO64, O_GV, O_M0),
	[0xc6] = OPSUB(GROUP, group11_b),
	[0xc7] = OPSUB(GROUP, group11_v),
	[0xc8] = OP3(enter, OF_RAW | OF_DEF64, O_IW, 0, O_IU),
	[0xc9] = OP0(leave, OF_DEF64),
	[0xca] = OP1(ret_far, OF_RAW, O_IW),
	[0xcb] = OP0(ret_far, 0),
	[0xcc] = OP0(int3, 0),
	[0xcd] = OP1(int, OF_RAW, O_IU),
	[0xce] = OP0(into, OF_NO64),
	[0xcf] = OP0(iret, 0),
	[0xd0] = OPSUB(GROUP, group2_b_1),
	[0xd1] = OPSUB(GROUP, group2_v_1),
	[0xd2] = OPSUB(GROUP, group2_b_cl),
	[0xd3] = OPSUB(GROUP, group2_v_cl),
	[0xd4] = OP1(unhandled, OF_RAW | OF_NO64, O_IU),	/* AAM */
	[0xd5] = OP1(unhandled, OF_RAW | OF_NO64, O_IU),	/* AAD */
	[0xd7] = OP0(xlat, 0),
	[0xe0 ... 0xe2] = OP1(loop, OF_NOWRITE | OF_NEAR, O_JB),
	[0xe3] = OP1(jcxz, OF_NOWRITE | OF_NEAR, O_JB),
	[0xe4] = OP1(in, OF_RAW, O_IU),
	[0xe5] = OP1(in, OF_RAW, O_IU),
	[0xe6] = OP1(out, OF_RAW, O_IU),
	[0xe7] = OP1(out, OF_RAW, O_IU),
	[0xe8] = OP1(call_rel, OF_NOWRITE | OF_NEAR, O_JV),
	[0xe9] = OP1(jmp_rel, OF_NOWRITE | OF_NEAR, O_JV),
	[0xea] = OP1(jmp_far, OF_RAW | OF_NO64, O_P),
	[0xeb] = OP1(jmp_rel, OF_NOWRITE | OF_NEAR, O_JB),
	[0xec] = OP0(in, 0),
	[0xed] = OP0(in, 0),
	[0xee] = OP0(out, 0),
	[0xef] = OP0(out, 0),
	[0xf1] = OP0(unhandled, 0),			/* INT1 */
	[0xf4] = OP0(hlt, OF_PRIV),
	[0xf5] = OP0(cmc, 0),
	[0xf6] = OPSUB(GROUP, group3_b),
	[0xf7] = OPSUB(GROUP, group3_v),
	[0xf8] = OP0(clc, 0),
	[0xf9] = OP0(stc, 0),
	[0xfa] = OP0(cli, 0),
	[0xfb] = OP0(sti, 0),
	[0xfc] = OP0(cld, 0),
	[0xfd] = OP0(std, 0),
	[0xfe] = OPSUB(GROUP, group4),
	[0xff] = OPSUB(GROUP, group5),
};
