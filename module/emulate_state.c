// SPDX-License-Identifier: GPL-2.0
/*
 * Registers for the emulator: control, debug, model-specific and vector
 * registers, segments and descriptor tables, and instructions whose effect is
 * wholly Umbra's. Forwards to the objects that own the state and turns their
 * refusals into the guest's faults. Must not touch the run page.
 */
#include <linux/kvm.h>
#include <linux/string.h>
#include <asm/cpufeatures.h>
#include <asm/msr-index.h>
#include "cpuid.h"
#include "emulate_internal.h"
#include "fpu.h"
#include "mmu/mmu.h"
#include "msr.h"
#include "regs.h"
#include "tsc.h"
#include "vcpu.h"
#include "vendor.h"

/* The kernel has no names for these. */
#define DR6_ACCESS_DETECTED	0x2000ULL	/* BD */
#define DR7_ACCESS_TRAPPED	0x2000ULL	/* GD */

static const u8 seg_map[] = {
	[UMBRA_EMUL_ES] = UMBRA_SEG_ES,
	[UMBRA_EMUL_CS] = UMBRA_SEG_CS,
	[UMBRA_EMUL_SS] = UMBRA_SEG_SS,
	[UMBRA_EMUL_DS] = UMBRA_SEG_DS,
	[UMBRA_EMUL_FS] = UMBRA_SEG_FS,
	[UMBRA_EMUL_GS] = UMBRA_SEG_GS,
	[UMBRA_EMUL_LDTR] = UMBRA_SEG_LDTR,
	[UMBRA_EMUL_TR] = UMBRA_SEG_TR,
};

static void read_segment(struct umbra_vcpu *vcpu, unsigned int nr, struct umbra_emul_seg *seg)
{
	struct kvm_segment s = {};

	umbra_vendor->get_segment(vcpu, seg_map[nr], &s);
	*seg = (struct umbra_emul_seg){
		.base = s.base, .limit = s.limit, .selector = s.selector,
		.type = s.type, .s = s.s, .dpl = s.dpl, .p = s.present, .avl = s.avl,
		.l = s.l, .db = s.db, .g = s.g, .unusable = s.unusable,
	};
}

/**
 * umbra_em_load_segments() - fill the emulator's segment registers
 * @vcpu: virtual processor, mutex held
 * @em: context to fill
 * @all: all six, else those that count for addresses in 64-bit code
 */
void umbra_em_load_segments(struct umbra_vcpu *vcpu, struct umbra_emul *em, bool all)
{
	unsigned int nr;

	for (nr = 0; nr < UMBRA_EMUL_NR_SEGS; nr++)
		if (all || nr == UMBRA_EMUL_CS || nr >= UMBRA_EMUL_FS)
			read_segment(vcpu, nr, &em->seg[nr]);
}

int umbra_em_get_segment(struct umbra_emul *em, unsigned int nr, struct umbra_emul_seg *seg)
{
	if (nr >= ARRAY_SIZE(seg_map))
		return UMBRA_EMUL_UNHANDLED;
	read_segment(em_vcpu(em), nr, seg);
	return UMBRA_EMUL_OK;
}

int umbra_em_set_segment(struct umbra_emul *em, unsigned int nr,
			 const struct umbra_emul_seg *seg)
{
	const struct kvm_segment s = {
		.base = seg->base, .limit = seg->limit, .selector = seg->selector,
		.type = seg->type, .s = seg->s, .dpl = seg->dpl, .present = seg->p,
		.avl = seg->avl, .l = seg->l, .db = seg->db, .g = seg->g,
		.unusable = seg->unusable,
	};

	if (nr >= ARRAY_SIZE(seg_map))
		return UMBRA_EMUL_UNHANDLED;
	umbra_vendor->set_segment(em_vcpu(em), seg_map[nr], &s);
	return UMBRA_EMUL_OK;
}

int umbra_em_get_dt(struct umbra_emul *em, bool idt, struct umbra_emul_dt *dt)
{
	struct kvm_dtable t = {};

	umbra_vendor->get_table(em_vcpu(em), idt ? UMBRA_TABLE_IDT : UMBRA_TABLE_GDT, &t);
	dt->base = t.base;
	dt->limit = t.limit;
	return UMBRA_EMUL_OK;
}

int umbra_em_set_dt(struct umbra_emul *em, bool idt, const struct umbra_emul_dt *dt)
{
	const struct kvm_dtable t = { .base = dt->base, .limit = dt->limit };

	umbra_vendor->set_table(em_vcpu(em), idt ? UMBRA_TABLE_IDT : UMBRA_TABLE_GDT, &t);
	return UMBRA_EMUL_OK;
}

int umbra_em_get_cr(struct umbra_emul *em, unsigned int nr, u64 *val)
{
	const struct umbra_vcpu *vcpu = em_vcpu(em);

	switch (nr) {
	case 0:
		*val = vcpu->cr0;
		break;
	case 2:
		*val = vcpu->cr2;
		break;
	case 3:
		*val = vcpu->cr3;
		break;
	case 4:
		*val = vcpu->cr4;
		break;
	case 8:
		*val = umbra_guest_cr8(vcpu);
		break;
	default:
		return em_ud(em);
	}
	return UMBRA_EMUL_OK;
}

int umbra_em_set_cr(struct umbra_emul *em, unsigned int nr, u64 val)
{
	struct umbra_vcpu *vcpu = em_vcpu(em);
	u64 old_cr8 = vcpu->cr8;
	int r = 0;

	switch (nr) {
	case 0:
		r = umbra_set_cr0(vcpu, val);
		break;
	case 2:
		vcpu->cr2 = val;
		break;
	case 3:
		r = umbra_set_cr3(vcpu, val);
		break;
	case 4:
		r = umbra_set_cr4(vcpu, val);
		break;
	case 8:
		r = umbra_guest_set_cr8(vcpu, val);
		vcpu->emu->tpr_lowered = !vcpu->lapic && vcpu->cr8 < old_cr8;
		break;
	default:
		return em_ud(em);
	}
	return r ? em_gp(em) : UMBRA_EMUL_OK;
}

/*
 * Any access to a debug register is trapped. The emulator's fault record has no
 * room for a #DB's cause; @cr2 carries it to emulate.c.
 */
static bool general_detect(struct umbra_emul *em)
{
	if (!(em_vcpu(em)->dr7 & DR7_ACCESS_TRAPPED))
		return false;
	em->fault = (struct umbra_emul_fault){
		.vector = X86_TRAP_DB, .cr2 = DR6_ACCESS_DETECTED,
	};
	return true;
}

int umbra_em_get_dr(struct umbra_emul *em, unsigned int nr, u64 *val)
{
	if (general_detect(em))
		return UMBRA_EMUL_FAULT;
	*val = umbra_get_dr(em_vcpu(em), nr);
	return UMBRA_EMUL_OK;
}

int umbra_em_set_dr(struct umbra_emul *em, unsigned int nr, u64 val)
{
	if (general_detect(em))
		return UMBRA_EMUL_FAULT;
	return umbra_set_dr(em_vcpu(em), nr, val) ? em_gp(em) : UMBRA_EMUL_OK;
}

static int msr_access(struct umbra_emul *em, u32 index, u64 *val, bool write)
{
	struct umbra_vcpu *vcpu = em_vcpu(em);
	int r = umbra_msr_emulated(vcpu, index, val, write);

	if (r <= 0)
		return r ? em_gp(em) : UMBRA_EMUL_OK;
	vcpu->emu->ask = UMBRA_ASK_OTHER;
	return UMBRA_EMUL_IO;
}

int umbra_em_get_msr(struct umbra_emul *em, u32 index, u64 *val)
{
	if (index == MSR_EFER) {
		*val = em_vcpu(em)->efer;
		return UMBRA_EMUL_OK;
	}
	return msr_access(em, index, val, false);
}

int umbra_em_set_msr(struct umbra_emul *em, u32 index, u64 val)
{
	return msr_access(em, index, &val, true);
}

int umbra_em_cpuid(struct umbra_emul *em, u32 regs[4])
{
	umbra_cpuid_lookup(em_vcpu(em), &regs[0], &regs[1], &regs[2], &regs[3]);
	return UMBRA_EMUL_OK;
}

int umbra_em_get_xcr(struct umbra_emul *em, u32 index, u64 *val)
{
	if (index)
		return em_gp(em);
	*val = em_vcpu(em)->fpu.xcr0;
	return UMBRA_EMUL_OK;
}

int umbra_em_set_xcr(struct umbra_emul *em, u32 index, u64 val)
{
	if (index || umbra_set_xcr0(em_vcpu(em), val))
		return em_gp(em);
	return UMBRA_EMUL_OK;
}

int umbra_em_rdtsc(struct umbra_emul *em, u64 *tsc, u32 *aux)
{
	struct umbra_vcpu *vcpu = em_vcpu(em);

	*tsc = umbra_guest_tsc(vcpu);
	*aux = vcpu->msrs.tsc_aux;
	return UMBRA_EMUL_OK;
}

/* No performance counter is offered: every number is out of range. */
int umbra_em_rdpmc(struct umbra_emul *em, u32 index, u64 *val)
{
	return em_gp(em);
}

int umbra_em_get_vec(struct umbra_emul *em, unsigned int nr, void *buf, unsigned int bytes)
{
	if (umbra_fpu_read_vec(em_vcpu(em), nr, buf, bytes))
		return UMBRA_EMUL_UNHANDLED;
	return UMBRA_EMUL_OK;
}

int umbra_em_set_vec(struct umbra_emul *em, unsigned int nr, const void *buf,
		     unsigned int bytes, bool zero_upper)
{
	u8 wide[UMBRA_EMUL_VEC_BYTES] = {};

	if (bytes > sizeof(wide))
		return UMBRA_EMUL_UNHANDLED;
	memcpy(wide, buf, bytes);
	if (zero_upper)
		bytes = sizeof(wide);
	if (umbra_fpu_write_vec(em_vcpu(em), nr, wide, bytes))
		return UMBRA_EMUL_UNHANDLED;
	return UMBRA_EMUL_OK;
}

int umbra_em_invpcid(struct umbra_emul *em, unsigned int type, u64 pcid, u64 linear)
{
	umbra_mmu_invpcid(em_vcpu(em));
	return UMBRA_EMUL_OK;
}

int umbra_em_hook(struct umbra_emul *em, enum umbra_emul_hook what, u64 arg)
{
	struct umbra_vcpu *vcpu = em_vcpu(em);

	switch (what) {
	case UMBRA_EMUL_HOOK_HLT:
		vcpu->emu->halt = true;
		return UMBRA_EMUL_OK;
	case UMBRA_EMUL_HOOK_INVLPG:
		umbra_mmu_invlpg(vcpu, arg);
		return UMBRA_EMUL_OK;
	case UMBRA_EMUL_HOOK_MONITOR:
	case UMBRA_EMUL_HOOK_MWAIT:
		/* Waking at once is a legal MWAIT. */
		if (umbra_cpuid_allows_monitor(vcpu))
			return UMBRA_EMUL_OK;
		return em_ud(em);
	case UMBRA_EMUL_HOOK_WBINVD:
	case UMBRA_EMUL_HOOK_INVD:
	case UMBRA_EMUL_HOOK_PAUSE:
		/* Guest memory is coherent: no cache needs to be written back. */
		return UMBRA_EMUL_OK;
	}
	return UMBRA_EMUL_UNHANDLED;
}
