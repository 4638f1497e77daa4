/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Names that the opcode tables are written with: operand specifications and
 * the executors, grouped by the file that defines them. Private to
 * module/emul/.
 */
#ifndef UMBRA_EMUL_OPTAB_H
#define UMBRA_EMUL_OPTAB_H

#include "emul_internal.h"

/* What (see enum emul_opnd_what) and width (see enum emul_opnd_width). */
#define O_AB	EO(A, B)
#define O_AV	EO(A, V)
#define O_BY	EO(B, Y)
#define O_CL	EO(CL, B)
#define O_CN	EO(C, N)
#define O_DN	EO(D, N)
#define O_EB	EO(E, B)
#define O_ED	EO(E, D)
#define O_EV	EO(E, V)
#define O_EW	EO(E, W)
#define O_EY	EO(E, Y)
#define O_GB	EO(G, B)
#define O_GN	EO(G, N)
#define O_GV	EO(G, V)
#define O_GW	EO(G, W)
#define O_GY	EO(G, Y)
#define O_IB	EO(I, B)
#define O_IQ	EO(IQ, V)
#define O_IS	EO(IS, V)
#define O_IU	EO(IU, B)
#define O_IV	EO(I, V)
#define O_IW	EO(IW, W)
#define O_JB	EO(JS, B)
#define O_JV	EO(J, V)
#define O_M0	EO(M, 0)
#define O_MV	EO(M, V)
#define O_MY	EO(M, Y)
#define O_OB	EO(O, B)
#define O_ONE	EO(ONE, V)
#define O_OV	EO(O, V)
#define O_P	EO(P, V)
#define O_RN	EO(R, N)
#define O_SW	EO(S, W)
#define O_VL	EO(V, L)
#define O_VQ	EO(V, Q)
#define O_VX	EO(V, X)
#define O_WD	EO(W, D)
#define O_WL	EO(W, L)
#define O_WQ	EO(W, Q)
#define O_WX	EO(W, X)
#define O_ZB	EO(Z, B)
#define O_ZV	EO(Z, V)

/* exec_alu.c */
int emul_op_adc(struct umbra_emul *em);
int emul_op_adcx(struct umbra_emul *em);
int emul_op_add(struct umbra_emul *em);
int emul_op_adox(struct umbra_emul *em);
int emul_op_and(struct umbra_emul *em);
int emul_op_clc(struct umbra_emul *em);
int emul_op_cld(struct umbra_emul *em);
int emul_op_cmc(struct umbra_emul *em);
int emul_op_cmp(struct umbra_emul *em);
int emul_op_cmpxchg(struct umbra_emul *em);
int emul_op_dec(struct umbra_emul *em);
int emul_op_inc(struct umbra_emul *em);
int emul_op_neg(struct umbra_emul *em);
int emul_op_not(struct umbra_emul *em);
int emul_op_or(struct umbra_emul *em);
int emul_op_sbb(struct umbra_emul *em);
int emul_op_stc(struct umbra_emul *em);
int emul_op_std(struct umbra_emul *em);
int emul_op_sub(struct umbra_emul *em);
int emul_op_test(struct umbra_emul *em);
int emul_op_xadd(struct umbra_emul *em);
int emul_op_xor(struct umbra_emul *em);

/* exec_bit.c */
int emul_op_andn(struct umbra_emul *em);
int emul_op_bextr(struct umbra_emul *em);
int emul_op_blsi(struct umbra_emul *em);
int emul_op_blsmsk(struct umbra_emul *em);
int emul_op_blsr(struct umbra_emul *em);
int emul_op_bsf(struct umbra_emul *em);
int emul_op_bsr(struct umbra_emul *em);
int emul_op_bswap(struct umbra_emul *em);
int emul_op_bt(struct umbra_emul *em);
int emul_op_btc(struct umbra_emul *em);
int emul_op_btr(struct umbra_emul *em);
int emul_op_bts(struct umbra_emul *em);
int emul_op_bzhi(struct umbra_emul *em);
int emul_op_crc32(struct umbra_emul *em);
int emul_op_lzcnt(struct umbra_emul *em);
int emul_op_movbe(struct umbra_emul *em);
int emul_op_pdep(struct umbra_emul *em);
int emul_op_pext(struct umbra_emul *em);
int emul_op_popcnt(struct umbra_emul *em);
int emul_op_tzcnt(struct umbra_emul *em);

/* exec_branch.c */
int emul_op_call_near(struct umbra_emul *em);
int emul_op_call_rel(struct umbra_emul *em);
int emul_op_jcc(struct umbra_emul *em);
int emul_op_jcxz(struct umbra_emul *em);
int emul_op_jmp_near(struct umbra_emul *em);
int emul_op_jmp_rel(struct umbra_emul *em);
int emul_op_loop(struct umbra_emul *em);
int emul_op_ret(struct umbra_emul *em);

/* exec_far.c */
int emul_op_call_far(struct umbra_emul *em);
int emul_op_call_far_mem(struct umbra_emul *em);
int emul_op_int(struct umbra_emul *em);
int emul_op_int3(struct umbra_emul *em);
int emul_op_into(struct umbra_emul *em);
int emul_op_iret(struct umbra_emul *em);
int emul_op_jmp_far(struct umbra_emul *em);
int emul_op_jmp_far_mem(struct umbra_emul *em);
int emul_op_ret_far(struct umbra_emul *em);

/* exec_io.c */
int emul_op_in(struct umbra_emul *em);
int emul_op_ins(struct umbra_emul *em);
int emul_op_out(struct umbra_emul *em);
int emul_op_outs(struct umbra_emul *em);

/* exec_mov.c */
int emul_op_cbw(struct umbra_emul *em);
int emul_op_cmovcc(struct umbra_emul *em);
int emul_op_cmpxchg_wide(struct umbra_emul *em);
int emul_op_cwd(struct umbra_emul *em);
int emul_op_lahf(struct umbra_emul *em);
int emul_op_lea(struct umbra_emul *em);
int emul_op_mov(struct umbra_emul *em);
int emul_op_movsx(struct umbra_emul *em);
int emul_op_nop(struct umbra_emul *em);
int emul_op_sahf(struct umbra_emul *em);
int emul_op_setcc(struct umbra_emul *em);
int emul_op_unhandled(struct umbra_emul *em);
int emul_op_xchg(struct umbra_emul *em);
int emul_op_xchg_nop(struct umbra_emul *em);
int emul_op_xlat(struct umbra_emul *em);

/* exec_mul.c */
int emul_op_div(struct umbra_emul *em);
int emul_op_idiv(struct umbra_emul *em);
int emul_op_imul(struct umbra_emul *em);
int emul_op_imul2(struct umbra_emul *em);
int emul_op_imul3(struct umbra_emul *em);
int emul_op_mul(struct umbra_emul *em);
int emul_op_mulx(struct umbra_emul *em);

/* exec_seg.c */
int emul_op_lldt(struct umbra_emul *em);
int emul_op_load_far(struct umbra_emul *em);
int emul_op_ltr(struct umbra_emul *em);
int emul_op_mov_sreg(struct umbra_emul *em);
int emul_op_sldt(struct umbra_emul *em);
int emul_op_str(struct umbra_emul *em);

/* exec_shift.c */
int emul_op_rcl(struct umbra_emul *em);
int emul_op_rcr(struct umbra_emul *em);
int emul_op_rol(struct umbra_emul *em);
int emul_op_ror(struct umbra_emul *em);
int emul_op_rorx(struct umbra_emul *em);
int emul_op_sar(struct umbra_emul *em);
int emul_op_sarx(struct umbra_emul *em);
int emul_op_shl(struct umbra_emul *em);
int emul_op_shld(struct umbra_emul *em);
int emul_op_shlx(struct umbra_emul *em);
int emul_op_shr(struct umbra_emul *em);
int emul_op_shrd(struct umbra_emul *em);
int emul_op_shrx(struct umbra_emul *em);

/* exec_sse.c */
int emul_op_vhigh_to_low(struct umbra_emul *em);
int emul_op_vload_high(struct umbra_emul *em);
int emul_op_vload_low(struct umbra_emul *em);
int emul_op_vmerge_d(struct umbra_emul *em);
int emul_op_vmerge_q(struct umbra_emul *em);
int emul_op_vmov(struct umbra_emul *em);
int emul_op_vmov_from_gpr(struct umbra_emul *em);
int emul_op_vmov_to_gpr(struct umbra_emul *em);
int emul_op_vstore_high(struct umbra_emul *em);

/* exec_stack.c */
int emul_op_enter(struct umbra_emul *em);
int emul_op_leave(struct umbra_emul *em);
int emul_op_pop(struct umbra_emul *em);
int emul_op_pop_sreg(struct umbra_emul *em);
int emul_op_popa(struct umbra_emul *em);
int emul_op_popf(struct umbra_emul *em);
int emul_op_push(struct umbra_emul *em);
int emul_op_push_sreg(struct umbra_emul *em);
int emul_op_pusha(struct umbra_emul *em);
int emul_op_pushf(struct umbra_emul *em);

/* exec_string.c */
int emul_op_cmps(struct umbra_emul *em);
int emul_op_lods(struct umbra_emul *em);
int emul_op_movs(struct umbra_emul *em);
int emul_op_scas(struct umbra_emul *em);
int emul_op_stos(struct umbra_emul *em);

/* exec_sys.c */
int emul_op_clflush(struct umbra_emul *em);
int emul_op_cli(struct umbra_emul *em);
int emul_op_clts(struct umbra_emul *em);
int emul_op_cpuid(struct umbra_emul *em);
int emul_op_hlt(struct umbra_emul *em);
int emul_op_invd(struct umbra_emul *em);
int emul_op_invlpg(struct umbra_emul *em);
int emul_op_invpcid(struct umbra_emul *em);
int emul_op_lgdt(struct umbra_emul *em);
int emul_op_lidt(struct umbra_emul *em);
int emul_op_lmsw(struct umbra_emul *em);
int emul_op_monitor(struct umbra_emul *em);
int emul_op_mov_from_dr(struct umbra_emul *em);
int emul_op_mov_to_cr(struct umbra_emul *em);
int emul_op_mov_to_dr(struct umbra_emul *em);
int emul_op_mwait(struct umbra_emul *em);
int emul_op_rdmsr(struct umbra_emul *em);
int emul_op_rdpmc(struct umbra_emul *em);
int emul_op_rdtsc(struct umbra_emul *em);
int emul_op_rdtscp(struct umbra_emul *em);
int emul_op_sgdt(struct umbra_emul *em);
int emul_op_sidt(struct umbra_emul *em);
int emul_op_smsw(struct umbra_emul *em);
int emul_op_sti(struct umbra_emul *em);
int emul_op_wbinvd(struct umbra_emul *em);
int emul_op_wrmsr(struct umbra_emul *em);
int emul_op_xgetbv(struct umbra_emul *em);
int emul_op_xsetbv(struct umbra_emul *em);

#endif /* UMBRA_EMUL_OPTAB_H */
