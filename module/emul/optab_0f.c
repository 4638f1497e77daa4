// SPDX-License-Identifier: GPL-2.0
/*
 * Opcode table of the 0F map and its groups. Data only. An entry that is
 * absent is not known: UNHANDLED, not #UD. Rows of four are selected by
 * mandatory prefix: none, 66, F3, F2.
 */
#include "optab.h"

#define VMOV	(OF_RAW | OF_VEX)
#define VMOV0	(OF_RAW | OF_VEX | OF_L0)
#define VMOVA	(OF_RAW | OF_VEX | OF_ALIGNED)
#define VSCALAR	(OF_RAW | OF_VEX)
#define VMERGE	(OF_RAW | OF_VEX | OF_VVVV)
#define VHALF	(OF_RAW | OF_VEX | OF_VVVV | OF_L0)

static const struct umbra_emul_opcode group6[8] = {
	OP1(sldt, OF_NOREAD | OF_PROT, O_EV),
	OP1(str, OF_NOREAD | OF_PROT, O_EV),
	OP1(lldt, OF_NOWRITE | OF_PROT | OF_PRIV, O_EW),
	OP1(ltr, OF_NOWRITE | OF_PROT | OF_PRIV, O_EW),
	OP1(unhandled, OF_RAW | OF_PROT, O_EW),	/* VERR */
	OP1(unhandled, OF_RAW | OF_PROT, O_EW),	/* VERW */
};

/* A selector or MSW stored to memory is 16 bits wide. */
static const struct umbra_emul_opcode group6_mem[8] = {
	OP1(sldt, OF_NOREAD | OF_PROT, O_EW),
	OP1(str, OF_NOREAD | OF_PROT, O_EW),
	OP1(lldt, OF_NOWRITE | OF_PROT | OF_PRIV, O_EW),
	OP1(ltr, OF_NOWRITE | OF_PROT | OF_PRIV, O_EW),
	OP1(unhandled, OF_RAW | OF_PROT, O_EW),
	OP1(unhandled, OF_RAW | OF_PROT, O_EW),
};

static const struct umbra_emul_opcode group6_mod[2] = {
	OPSUB(GROUP, group6_mem), OPSUB(GROUP, group6),
};

/* 0F 01 C1 to C4: VMCALL and Intel VMX */
static const struct umbra_emul_opcode group7_r0[8] = {
	[1] = OP0(unhandled, OF_NP),
	[2] = OP0(unhandled, OF_NP | OF_PROT),
	[3] = OP0(unhandled, OF_NP | OF_PROT),
	[4] = OP0(unhandled, OF_NP | OF_PROT),
};

/* 0F 01 C8: MONITOR, MWAIT, CLAC, STAC */
static const struct umbra_emul_opcode group7_r1[8] = {
	[0] = OP0(monitor, OF_PRIV | OF_NP),
	[1] = OP0(mwait, OF_PRIV | OF_NP),
	[2] = OP0(unhandled, OF_NP),
	[3] = OP0(unhandled, OF_NP),
};

static const struct umbra_emul_opcode group7_r2[8] = {
	[0] = OP0(xgetbv, OF_NP),
	[1] = OP0(xsetbv, OF_NP),
};

/* 0F 01 D8: VMRUN VMMCALL VMLOAD VMSAVE STGI CLGI SKINIT INVLPGA */
static const struct umbra_emul_opcode group7_r3[8] = {
	[0] = OP0(unhandled, OF_NP | OF_PROT),
	[1] = OP0(unhandled, OF_NP),
	[2 ... 7] = OP0(unhandled, OF_NP | OF_PROT),
};

/* 0F 01 F8: SWAPGS, RDTSCP */
static const struct umbra_emul_opcode group7_r7[8] = {
	[0] = OP0(unhandled, OF_ONLY64 | OF_NP),
	[1] = OP0(rdtscp, OF_NP),
};

static const struct umbra_emul_opcode group7_reg[8] = {
	OPSUB(RMGRP, group7_r0),
	OPSUB(RMGRP, group7_r1),
	OPSUB(RMGRP, group7_r2),
	OPSUB(RMGRP, group7_r3),
	OP1(smsw, OF_NOREAD, O_EV),
	{},
	OP1(lmsw, OF_NOWRITE | OF_PRIV, O_EW),
	OPSUB(RMGRP, group7_r7),
};

static const struct umbra_emul_opcode group7_mem[8] = {
	OP1(sgdt, OF_RAW, O_M0),
	OP1(sidt, OF_RAW, O_M0),
	OP1(lgdt, OF_RAW | OF_PRIV, O_M0),
	OP1(lidt, OF_RAW | OF_PRIV, O_M0),
	OP1(smsw, OF_NOREAD, O_EW),
	{},
	OP1(lmsw, OF_NOWRITE | OF_PRIV, O_EW),
	OP1(invlpg, OF_RAW | OF_PRIV, O_M0),
};

static const struct umbra_emul_opcode group7_mod[2] = {
	OPSUB(GROUP, group7_mem), OPSUB(GROUP, group7_reg),
};

static const struct umbra_emul_opcode prefetch_mod[2] = {
	OP0(nop, OF_MODRM), {},
};

static const struct umbra_emul_opcode group8[8] = {
	[4] = OP2(bt, OF_RAW, O_EV, O_IU),
	[5] = OP2(bts, OF_RAW | OF_LOCK, O_EV, O_IU),
	[6] = OP2(btr, OF_RAW | OF_LOCK, O_EV, O_IU),
	[7] = OP2(btc, OF_RAW | OF_LOCK, O_EV, O_IU),
};

static const struct umbra_emul_opcode group9_mem[8] = {
	[1] = OP1(cmpxchg_wide, OF_RAW | OF_LOCK, O_M0),
};

static const struct umbra_emul_opcode group9_pfx[4] = {
	OPSUB(GROUP, group9_mem), OPSUB(GROUP, group9_mem),
};

static const struct umbra_emul_opcode group9_mod[2] = {
	OPSUB(PFX, group9_pfx), {},
};

/* 0F AE: CLFLUSH and fences; state save and MXCSR are not known. */
static const struct umbra_emul_opcode group15_flush[4] = {
	OP1(clflush, OF_RAW, O_M0), OP1(clflush, OF_RAW, O_M0),
};

static const struct umbra_emul_opcode group15_clwb[4] = {
	[1] = OP1(clflush, OF_RAW, O_M0),
};

static const struct umbra_emul_opcode group15_fence[4] = {
	OP0(nop, OF_MODRM),
};

static const struct umbra_emul_opcode group15_mem[8] = {
	[6] = OPSUB(PFX, group15_clwb),
	[7] = OPSUB(PFX, group15_flush),
};

static const struct umbra_emul_opcode group15_reg[8] = {
	[5] = OPSUB(PFX, group15_fence),
	[6] = OPSUB(PFX, group15_fence),
	[7] = OPSUB(PFX, group15_fence),
};

static const struct umbra_emul_opcode group15_mod[2] = {
	OPSUB(GROUP, group15_mem), OPSUB(GROUP, group15_reg),
};

/* F3 0F 1E FA and FB: ENDBR64 and ENDBR32 */
static const struct umbra_emul_opcode endbr_rm[8] = {
	[2] = OP0(nop, 0), [3] = OP0(nop, 0),
};

static const struct umbra_emul_opcode endbr_reg[8] = {
	[7] = OPSUB(RMGRP, endbr_rm),
};

static const struct umbra_emul_opcode endbr_mod[2] = {
	{}, OPSUB(GROUP, endbr_reg),
};

static const struct umbra_emul_opcode opcode_1e[4] = {
	[2] = OPSUB(MOD, endbr_mod),
};

/* MOVSS and MOVSD load from memory, but merge between registers. */
static const struct umbra_emul_opcode movss_load[2] = {
	OP2(vmov, VSCALAR, O_VX, O_WD), OP2(vmerge_d, VMERGE, O_VX, O_WX),
};

static const struct umbra_emul_opcode movsd_load[2] = {
	OP2(vmov, VSCALAR, O_VX, O_WQ), OP2(vmerge_q, VMERGE, O_VX, O_WX),
};

static const struct umbra_emul_opcode movss_store[2] = {
	OP2(vmov, VSCALAR, O_WD, O_VX), OP2(vmerge_d, VMERGE, O_WX, O_VX),
};

static const struct umbra_emul_opcode movsd_store[2] = {
	OP2(vmov, VSCALAR, O_WQ, O_VX), OP2(vmerge_q, VMERGE, O_WX, O_VX),
};

static const struct umbra_emul_opcode opcode_10[4] = {
	OP2(vmov, VMOV, O_VL, O_WL), OP2(vmov, VMOV, O_VL, O_WL),
	OPSUB(MOD, movss_load), OPSUB(MOD, movsd_load),
};

static const struct umbra_emul_opcode opcode_11[4] = {
	OP2(vmov, VMOV, O_WL, O_VL), OP2(vmov, VMOV, O_WL, O_VL),
	OPSUB(MOD, movss_store), OPSUB(MOD, movsd_store),
};

static const struct umbra_emul_opcode opcode_12_ps[2] = {
	OP2(vload_low, VHALF, O_VX, O_WQ), OP2(vhigh_to_low, VHALF, O_VX, O_WX),
};

static const struct umbra_emul_opcode opcode_16_ps[2] = {
	OP2(vload_high, VHALF, O_VX, O_WQ), OP2(vload_high, VHALF, O_VX, O_WX),
};

static const struct umbra_emul_opcode load_low_pd[2] = {
	OP2(vload_low, VHALF, O_VX, O_WQ), {},
};

static const struct umbra_emul_opcode load_high_pd[2] = {
	OP2(vload_high, VHALF, O_VX, O_WQ), {},
};

static const struct umbra_emul_opcode store_low[2] = {
	OP2(vmov, VMOV0, O_WQ, O_VX), {},
};

static const struct umbra_emul_opcode store_high[2] = {
	OP2(vstore_high, VMOV0, O_WQ, O_VX), {},
};

static const struct umbra_emul_opcode opcode_12[4] = {
	OPSUB(MOD, opcode_12_ps), OPSUB(MOD, load_low_pd),
};

static const struct umbra_emul_opcode opcode_13[4] = {
	OPSUB(MOD, store_low), OPSUB(MOD, store_low),
};

static const struct umbra_emul_opcode opcode_16[4] = {
	OPSUB(MOD, opcode_16_ps), OPSUB(MOD, load_high_pd),
};

static const struct umbra_emul_opcode opcode_17[4] = {
	OPSUB(MOD, store_high), OPSUB(MOD, store_high),
};

static const struct umbra_emul_opcode opcode_28[4] = {
	OP2(vmov, VMOVA, O_VL, O_WL), OP2(vmov, VMOVA, O_VL, O_WL),
};

static const struct umbra_emul_opcode opcode_29[4] = {
	OP2(vmov, VMOVA, O_WL, O_VL), OP2(vmov, VMOVA, O_WL, O_VL),
};

static const struct umbra_emul_opcode store_nt_mod[2] = {
	OP2(vmov, VMOVA, O_WL, O_VL), {},
};

static const struct umbra_emul_opcode opcode_2b[4] = {
	OPSUB(MOD, store_nt_mod), OPSUB(MOD, store_nt_mod),
};

static const struct umbra_emul_opcode opcode_e7[4] = {
	[1] = OPSUB(MOD, store_nt_mod),
};

static const struct umbra_emul_opcode opcode_6e[4] = {
	[1] = OP2(vmov_from_gpr, VMOV0, O_VX, O_EY),
};

static const struct umbra_emul_opcode opcode_7e[4] = {
	[1] = OP2(vmov_to_gpr, VMOV0, O_EY, O_VX),
	[2] = OP2(vmov, VMOV0, O_VX, O_WQ),
};

static const struct umbra_emul_opcode opcode_6f[4] = {
	[1] = OP2(vmov, VMOVA, O_VL, O_WL),
	[2] = OP2(vmov, VMOV, O_VL, O_WL),
};

static const struct umbra_emul_opcode opcode_7f[4] = {
	[1] = OP2(vmov, VMOVA, O_WL, O_VL),
	[2] = OP2(vmov, VMOV, O_WL, O_VL),
};

static const struct umbra_emul_opcode opcode_d6[4] = {
	[1] = OP2(vmov, VMOV0, O_WQ, O_VQ),
};

static const struct umbra_emul_opcode lddqu_mod[2] = {
	OP2(vmov, VMOV, O_VL, O_WL), {},
};

static const struct umbra_emul_opcode opcode_f0[4] = {
	[3] = OPSUB(MOD, lddqu_mod),
};

static const struct umbra_emul_opcode opcode_c3[4] = {
	[0] = OP2(mov, OF_NOREAD, O_MY, O_GY),
};

static const struct umbra_emul_opcode opcode_b8[4] = {
	[2] = OP2(popcnt, OF_NOREAD, O_GV, O_EV),
};

/* BSF and BSR keep the destination on a zero source and store it themselves. */
static const struct umbra_emul_opcode opcode_bc[4] = {
	OP2(bsf, OF_NOREAD | OF_NOWRITE, O_GV, O_EV),
	OP2(bsf, OF_NOREAD | OF_NOWRITE, O_GV, O_EV),
	OP2(tzcnt, OF_NOREAD, O_GV, O_EV),
	OP2(bsf, OF_NOREAD | OF_NOWRITE, O_GV, O_EV),
};

static const struct umbra_emul_opcode opcode_bd[4] = {
	OP2(bsr, OF_NOREAD | OF_NOWRITE, O_GV, O_EV),
	OP2(bsr, OF_NOREAD | OF_NOWRITE, O_GV, O_EV),
	OP2(lzcnt, OF_NOREAD, O_GV, O_EV),
	OP2(bsr, OF_NOREAD | OF_NOWRITE, O_GV, O_EV),
};

const struct umbra_emul_opcode umbra_emul_optab_0f[256] = {
	[0x00] = OPSUB(MOD, group6_mod),
	[0x01] = OPSUB(MOD, group7_mod),
	[0x02] = OP2(unhandled, OF_RAW | OF_PROT, O_GV, O_EW),	/* LAR */
	[0x03] = OP2(unhandled, OF_RAW | OF_PROT, O_GV, O_EW),	/* LSL */
	[0x05] = OP0(unhandled, 0),				/* SYSCALL */
	[0x06] = OP0(clts, OF_PRIV),
	[0x07] = OP0(unhandled, OF_PROT),			/* SYSRET */
	[0x08] = OP0(invd, OF_PRIV),
	[0x09] = OP0(wbinvd, OF_PRIV),
	[0x0b] = OPUD,						/* UD2 */
	[0x0d] = OPSUB(MOD, prefetch_mod),
	[0x10] = OPSUB(PFX, opcode_10),
	[0x11] = OPSUB(PFX, opcode_11),
	[0x12] = OPSUB(PFX, opcode_12),
	[0x13] = OPSUB(PFX, opcode_13),
	[0x16] = OPSUB(PFX, opcode_16),
	[0x17] = OPSUB(PFX, opcode_17),
	[0x18] = OPSUB(MOD, prefetch_mod),
	[0x1e] = OPSUB(PFX, opcode_1e),
	[0x1f] = OP0(nop, OF_MODRM),
	[0x20] = OP2(mov, OF_NOREAD | OF_PRIV | OF_REGRM, O_RN, O_CN),
	[0x21] = OP2(mov_from_dr, OF_RAW | OF_PRIV | OF_REGRM, O_RN, O_DN),
	[0x22] = OP2(mov_to_cr, OF_NOREAD | OF_NOWRITE | OF_PRIV | OF_REGRM, O_CN, O_RN),
	[0x23] = OP2(mov_to_dr, OF_RAW | OF_PRIV | OF_REGRM, O_DN, O_RN),
	[0x28] = OPSUB(PFX, opcode_28),
	[0x29] = OPSUB(PFX, opcode_29),
	[0x2b] = OPSUB(PFX, opcode_2b),
	[0x30] = OP0(wrmsr, OF_PRIV),
	[0x31] = OP0(rdtsc, 0),
	[0x32] = OP0(rdmsr, OF_PRIV),
	[0x33] = OP0(rdpmc, 0),
	[0x34] = OP0(unhandled, OF_PROT),			/* SYSENTER */
	[0x35] = OP0(unhandled, OF_PROT),			/* SYSEXIT */
	[0x40 ... 0x4f] = OP2(cmovcc, 0, O_GV, O_EV),
	[0x6e] = OPSUB(PFX, opcode_6e),
	[0x6f] = OPSUB(PFX, opcode_6f),
	[0x7e] = OPSUB(PFX, opcode_7e),
	[0x7f] = OPSUB(PFX, opcode_7f),
	[0x80 ... 0x8f] = OP1(jcc, OF_NOWRITE | OF_NEAR, O_JV),
	[0x90 ... 0x9f] = OP1(setcc, OF_NOREAD, O_EB),
	[0xa0] = OP0(push_sreg, OF_DEF64),
	[0xa1] = OP0(pop_sreg, OF_DEF64),
	[0xa2] = OP0(cpuid, 0),
	[0xa3] = OP2(bt, OF_RAW, O_EV, O_GV),
	[0xa4] = OP3(shld, 0, O_EV, O_GV, O_IU),
	[0xa5] = OP3(shld, 0, O_EV, O_GV, O_CL),
	[0xa8] = OP0(push_sreg, OF_DEF64),
	[0xa9] = OP0(pop_sreg, OF_DEF64),
	[0xaa] = OP0(unhandled, 0),				/* RSM */
	[0xab] = OP2(bts, OF_RAW | OF_LOCK, O_EV, O_GV),
	[0xac] = OP3(shrd, 0, O_EV, O_GV, O_IU),
	[0xad] = OP3(shrd, 0, O_EV, O_GV, O_CL),
	[0xae] = OPSUB(MOD, group15_mod),
	[0xaf] = OP2(imul2, 0, O_GV, O_EV),
	[0xb0] = OP2(cmpxchg, OF_RAW | OF_LOCK, O_EB, O_GB),
	[0xb1] = OP2(cmpxchg, OF_RAW | OF_LOCK, O_EV, O_GV),
	[0xb2] = OP2(load_far, OF_RAW, O_GV, O_M0),
	[0xb3] = OP2(btr, OF_RAW | OF_LOCK, O_EV, O_GV),
	[0xb4] = OP2(load_far, OF_RAW, O_GV, O_M0),
	[0xb5] = OP2(load_far, OF_RAW, O_GV, O_M0),
	[0xb6] = OP2(mov, OF_NOREAD, O_GV, O_EB),
	[0xb7] = OP2(mov, OF_NOREAD, O_GV, O_EW),
	[0xb8] = OPSUB(PFX, opcode_b8),
	[0xb9] = OPUD,						/* UD1 */
	[0xba] = OPSUB(GROUP, group8),
	[0xbb] = OP2(btc, OF_RAW | OF_LOCK, O_EV, O_GV),
	[0xbc] = OPSUB(PFX, opcode_bc),
	[0xbd] = OPSUB(PFX, opcode_bd),
	[0xbe] = OP2(movsx, OF_NOREAD, O_GV, O_EB),
	[0xbf] = OP2(movsx, OF_NOREAD, O_GV, O_EW),
	[0xc0] = OP2(xadd, OF_LOCK, O_EB, O_GB),
	[0xc1] = OP2(xadd, OF_LOCK, O_EV, O_GV),
	[0xc3] = OPSUB(PFX, opcode_c3),
	[0xc7] = OPSUB(MOD, group9_mod),
	[0xc8 ... 0xcf] = OP1(bswap, 0, O_ZV),
	[0xd6] = OPSUB(PFX, opcode_d6),
	[0xe7] = OPSUB(PFX, opcode_e7),
	[0xf0] = OPSUB(PFX, opcode_f0),
	[0xff] = OPUD,						/* UD0 */
};
