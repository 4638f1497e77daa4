// SPDX-License-Identifier: GPL-2.0
/*
 * System instructions: control, debug and model-specific registers,
 * descriptor tables, CPUID, time stamps, interrupt flag, cache and TLB
 * control. Legality of values belongs to the callbacks.
 */
#include "optab.h"

#define CR0_LMSW_BITS (X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS)

static u64 edx_eax(const struct umbra_emul *em)
{
	return (u32)em->work.gpr[UMBRA_EMUL_RAX] | em->work.gpr[UMBRA_EMUL_RDX] << 32;
}

static void set_edx_eax(struct umbra_emul *em, u64 val)
{
	emul_reg_write(em, UMBRA_EMUL_RAX, 4, val);
	emul_reg_write(em, UMBRA_EMUL_RDX, 4, val >> 32);
}

static u32 ecx(const struct umbra_emul *em)
{
	return em->work.gpr[UMBRA_EMUL_RCX];
}

/**
 * emul_umip() - whether UMIP forbids storing a system register here
 * @em: context
 *
 * Return: OK or FAULT.
 */
int emul_umip(struct umbra_emul *em)
{
	u64 cr4 = 0;
	int r;

	if (!em->cpl || em->mode == UMBRA_EMUL_REAL)
		return UMBRA_EMUL_OK;
	r = em->ops->get_cr(em, 4, &cr4);
	if (r == UMBRA_EMUL_OK && (cr4 & X86_CR4_UMIP))
		r = emul_gp0(em);
	return r;
}

int emul_op_mov_to_cr(struct umbra_emul *em)
{
	return em->ops->set_cr(em, em->insn.dst.reg, em->insn.src.val);
}

static int dr_number(struct umbra_emul *em, unsigned int nr, unsigned int *real)
{
	u64 cr4 = 0;
	int r = UMBRA_EMUL_OK;

	*real = nr;
	if (nr != 4 && nr != 5)
		return r;
	r = em->ops->get_cr(em, 4, &cr4);
	if (r == UMBRA_EMUL_OK && (cr4 & X86_CR4_DE))
		r = emul_ud(em);
	*real = nr + 2;
	return r;
}

int emul_op_mov_to_dr(struct umbra_emul *em)
{
	unsigned int nr;
	int r;

	emul_operand_load(em, &em->insn.src, 0);
	r = dr_number(em, em->insn.dst.reg, &nr);
	return r ? r : em->ops->set_dr(em, nr, em->insn.src.val);
}

int emul_op_mov_from_dr(struct umbra_emul *em)
{
	unsigned int nr;
	int r;

	r = dr_number(em, em->insn.src.reg, &nr);
	if (r == UMBRA_EMUL_OK)
		r = em->ops->get_dr(em, nr, &em->insn.dst.val);
	return r ? r : emul_operand_store(em, &em->insn.dst);
}

/* LMSW cannot clear PE. */
int emul_op_lmsw(struct umbra_emul *em)
{
	u64 msw = em->insn.dst.val;
	u64 cr0 = 0;
	int r = em->ops->get_cr(em, 0, &cr0);

	if (r != UMBRA_EMUL_OK)
		return r;
	msw |= cr0 & X86_CR0_PE;
	return em->ops->set_cr(em, 0, (cr0 & ~(u64)CR0_LMSW_BITS) | (msw & CR0_LMSW_BITS));
}

int emul_op_smsw(struct umbra_emul *em)
{
	int r = emul_umip(em);

	return r ? r : em->ops->get_cr(em, 0, &em->insn.dst.val);
}

int emul_op_clts(struct umbra_emul *em)
{
	u64 cr0 = 0;
	int r = em->ops->get_cr(em, 0, &cr0);

	return r ? r : em->ops->set_cr(em, 0, cr0 & ~(u64)X86_CR0_TS);
}

static int load_dt(struct umbra_emul *em, bool idt)
{
	struct umbra_emul_insn *in = &em->insn;
	unsigned int base_bytes = emul_long64(em) ? 8 : 4;
	struct umbra_emul_dt dt = {};
	u8 raw[10] = {};
	int r;

	r = emul_mem_read(em, in->seg, in->ea, raw, 2 + base_bytes, 0);
	if (r != UMBRA_EMUL_OK)
		return r;
	memcpy(&dt.limit, raw, 2);
	memcpy(&dt.base, raw + 2, base_bytes);
	if (!emul_long64(em) && in->op_bytes == 2)
		dt.base &= 0xffffff;
	if (!emul_canonical(em, dt.base))
		return emul_gp0(em);
	return em->ops->set_dt(em, idt, &dt);
}

static int store_dt(struct umbra_emul *em, bool idt)
{
	struct umbra_emul_insn *in = &em->insn;
	unsigned int base_bytes = emul_long64(em) ? 8 : 4;
	struct umbra_emul_dt dt = {};
	u8 raw[10];
	int r;

	r = emul_umip(em);
	if (r == UMBRA_EMUL_OK)
		r = em->ops->get_dt(em, idt, &dt);
	if (r != UMBRA_EMUL_OK)
		return r;
	memcpy(raw, &dt.limit, 2);
	memcpy(raw + 2, &dt.base, 8);
	return emul_mem_write(em, in->seg, in->ea, raw, 2 + base_bytes);
}

int emul_op_lgdt(struct umbra_emul *em)
{
	return load_dt(em, false);
}

int emul_op_lidt(struct umbra_emul *em)
{
	return load_dt(em, true);
}

int emul_op_sgdt(struct umbra_emul *em)
{
	return store_dt(em, false);
}

int emul_op_sidt(struct umbra_emul *em)
{
	return store_dt(em, true);
}

int emul_op_cpuid(struct umbra_emul *em)
{
	u32 regs[4] = { em->work.gpr[UMBRA_EMUL_RAX], 0, ecx(em), 0 };
	int r = em->ops->cpuid(em, regs);

	if (r != UMBRA_EMUL_OK)
		return r;
	emul_reg_write(em, UMBRA_EMUL_RAX, 4, regs[0]);
	emul_reg_write(em, UMBRA_EMUL_RBX, 4, regs[1]);
	emul_reg_write(em, UMBRA_EMUL_RCX, 4, regs[2]);
	emul_reg_write(em, UMBRA_EMUL_RDX, 4, regs[3]);
	return r;
}

int emul_op_rdmsr(struct umbra_emul *em)
{
	u64 val = 0;
	int r = em->ops->get_msr(em, ecx(em), &val);

	if (r == UMBRA_EMUL_OK)
		set_edx_eax(em, val);
	return r;
}

int emul_op_wrmsr(struct umbra_emul *em)
{
	return em->ops->set_msr(em, ecx(em), edx_eax(em));
}

/* CR4.@bit forbids (@forbid) or allows the instruction above CPL 0. */
static int user_allowed(struct umbra_emul *em, u64 bit, bool forbid)
{
	u64 cr4 = 0;
	int r;

	if (!em->cpl || em->mode == UMBRA_EMUL_REAL)
		return UMBRA_EMUL_OK;
	r = em->ops->get_cr(em, 4, &cr4);
	if (r == UMBRA_EMUL_OK && !!(cr4 & bit) == forbid)
		r = emul_gp0(em);
	return r;
}

static int rdtsc(struct umbra_emul *em, bool with_aux)
{
	u64 tsc = 0;
	u32 aux = 0;
	int r;

	r = user_allowed(em, X86_CR4_TSD, true);
	if (r == UMBRA_EMUL_OK)
		r = em->ops->rdtsc(em, &tsc, &aux);
	if (r != UMBRA_EMUL_OK)
		return r;
	set_edx_eax(em, tsc);
	if (with_aux)
		emul_reg_write(em, UMBRA_EMUL_RCX, 4, aux);
	return r;
}

int emul_op_rdtsc(struct umbra_emul *em)
{
	return rdtsc(em, false);
}

int emul_op_rdtscp(struct umbra_emul *em)
{
	return rdtsc(em, true);
}

int emul_op_rdpmc(struct umbra_emul *em)
{
	u64 val = 0;
	int r;

	if (!em->ops->rdpmc)
		return UMBRA_EMUL_UNHANDLED;
	r = user_allowed(em, X86_CR4_PCE, false);
	if (r == UMBRA_EMUL_OK)
		r = em->ops->rdpmc(em, ecx(em), &val);
	if (r == UMBRA_EMUL_OK)
		set_edx_eax(em, val);
	return r;
}

static int need_osxsave(struct umbra_emul *em)
{
	u64 cr4 = 0;
	int r = em->ops->get_cr(em, 4, &cr4);

	if (r == UMBRA_EMUL_OK && !(cr4 & X86_CR4_OSXSAVE))
		r = emul_ud(em);
	return r;
}

int emul_op_xgetbv(struct umbra_emul *em)
{
	u64 val = 0;
	int r;

	if (!em->ops->get_xcr)
		return UMBRA_EMUL_UNHANDLED;
	r = need_osxsave(em);
	if (r == UMBRA_EMUL_OK)
		r = em->ops->get_xcr(em, ecx(em), &val);
	if (r == UMBRA_EMUL_OK)
		set_edx_eax(em, val);
	return r;
}

int emul_op_xsetbv(struct umbra_emul *em)
{
	int r;

	if (!em->ops->set_xcr)
		return UMBRA_EMUL_UNHANDLED;
	r = need_osxsave(em);
	if (r == UMBRA_EMUL_OK && em->cpl)
		r = emul_gp0(em);
	return r ? r : em->ops->set_xcr(em, ecx(em), edx_eax(em));
}

/* CLI and STI below IOPL: the virtual interrupt flag is not emulated. */
static int interrupt_flag_allowed(struct umbra_emul *em)
{
	u64 cr4 = 0;
	int r;

	if (emul_iopl_ok(em))
		return UMBRA_EMUL_OK;
	r = em->ops->get_cr(em, 4, &cr4);
	if (r != UMBRA_EMUL_OK)
		return r;
	if (cr4 & (em->mode == UMBRA_EMUL_VM86 ? X86_CR4_VME : X86_CR4_PVI))
		return UMBRA_EMUL_UNHANDLED;
	return emul_gp0(em);
}

int emul_op_cli(struct umbra_emul *em)
{
	int r = interrupt_flag_allowed(em);

	em->work.rflags &= ~(u64)X86_EFLAGS_IF;
	return r;
}

int emul_op_sti(struct umbra_emul *em)
{
	int r = interrupt_flag_allowed(em);

	if (r == UMBRA_EMUL_OK && !(em->work.rflags & X86_EFLAGS_IF))
		em->out |= UMBRA_EMUL_OUT_STI_SHADOW;
	em->work.rflags |= X86_EFLAGS_IF;
	return r;
}

static int hook(struct umbra_emul *em, enum umbra_emul_hook what, u64 arg)
{
	return em->ops->hook(em, what, arg);
}

int emul_op_hlt(struct umbra_emul *em)
{
	return hook(em, UMBRA_EMUL_HOOK_HLT, 0);
}

int emul_op_wbinvd(struct umbra_emul *em)
{
	return hook(em, UMBRA_EMUL_HOOK_WBINVD, 0);
}

int emul_op_invd(struct umbra_emul *em)
{
	return hook(em, UMBRA_EMUL_HOOK_INVD, 0);
}

/* A non-canonical address is a no-operation, not a fault. */
int emul_op_invlpg(struct umbra_emul *em)
{
	return hook(em, UMBRA_EMUL_HOOK_INVLPG, em->insn.linear);
}

/* Type 0 names an address and a context, 1 a context, 2 and 3 all of them. */
static int invpcid_legal(struct umbra_emul *em, u64 type, u64 pcid, u64 linear)
{
	u64 cr4 = 0;
	int r;

	if (type > 3 || pcid >> 12)
		return emul_gp0(em);
	if (!type && !emul_canonical(em, linear))
		return emul_gp0(em);
	if (type > 1 || !pcid)
		return UMBRA_EMUL_OK;
	r = em->ops->get_cr(em, 4, &cr4);
	if (r == UMBRA_EMUL_OK && !(cr4 & X86_CR4_PCIDE))
		r = emul_gp0(em);
	return r;
}

int emul_op_invpcid(struct umbra_emul *em)
{
	struct umbra_emul_insn *in = &em->insn;
	u64 desc[2];	/* PCID, linear address */
	int r;

	if (!em->ops->invpcid)
		return UMBRA_EMUL_UNHANDLED;
	emul_operand_load(em, &in->dst, 0);
	r = emul_mem_read(em, in->seg, in->ea, desc, sizeof(desc), 0);
	if (r == UMBRA_EMUL_OK)
		r = invpcid_legal(em, in->dst.val, desc[0], desc[1]);
	return r ? r : em->ops->invpcid(em, in->dst.val, desc[0], desc[1]);
}

int emul_op_monitor(struct umbra_emul *em)
{
	struct umbra_emul_insn *in = &em->insn;
	u64 ea = emul_reg_read(em, UMBRA_EMUL_RAX, in->addr_bytes);
	u64 linear;
	int r;

	if (ecx(em))
		return emul_gp0(em);
	r = emul_linearize(em, in->seg, ea, 1, 0, &linear);
	return r ? r : hook(em, UMBRA_EMUL_HOOK_MONITOR, linear);
}

int emul_op_mwait(struct umbra_emul *em)
{
	return hook(em, UMBRA_EMUL_HOOK_MWAIT, 0);
}

/* CLFLUSH and its kin: the address must be readable, the cache is coherent. */
int emul_op_clflush(struct umbra_emul *em)
{
	u64 linear;
	int r = emul_linearize(em, em->insn.seg, em->insn.ea, 1, 0, &linear);

	return r ? r : emul_linear_read(em, linear, NULL, 1, UMBRA_EMUL_ACC_PROBE);
}
