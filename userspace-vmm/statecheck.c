// SPDX-License-Identifier: GPL-2.0
/*
 * The architecture's consistency rules for guest state, checked after an entry
 * failed, so that the message can name the register instead of a bare number.
 *
 * Rules come from the manuals' lists of illegal state combinations. Reports only.
 */
#include "statecheck.h"
#include "types.h"

#define CR0_PE		BIT_ULL(0)
#define CR0_NW		BIT_ULL(29)
#define CR0_CD		BIT_ULL(30)
#define CR0_PG		BIT_ULL(31)
#define CR4_PAE		BIT_ULL(5)
#define CR4_PCIDE	BIT_ULL(17)
#define EFER_LME	BIT_ULL(8)
#define EFER_LMA	BIT_ULL(10)
#define RFLAGS_FIXED	BIT_ULL(1)
#define RFLAGS_VM	BIT_ULL(17)

struct rule {
	bool broken;
	const char *text;
};

static bool canonical(u64 address)
{
	/* 57 bits: right with 5-level paging too. */
	return (u64)((long long)(address << 7) >> 7) == address;
}

static unsigned int report(const struct rule *rules, size_t n, statecheck_fn tell, void *context)
{
	unsigned int broken = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		if (!rules[i].broken)
			continue;
		tell(context, rules[i].text);
		broken++;
	}
	return broken;
}

static unsigned int check_control(const struct kvm_sregs *s, statecheck_fn tell, void *context)
{
	bool pg = s->cr0 & CR0_PG, pe = s->cr0 & CR0_PE;
	bool lme = s->efer & EFER_LME, pae = s->cr4 & CR4_PAE;
	const struct rule rules[] = {
		{ pg && !pe, "CR0: PG is set without PE" },
		{ s->cr0 & CR0_NW && !(s->cr0 & CR0_CD), "CR0: NW is set without CD" },
		{ s->cr0 >> 32, "CR0: bits 63:32 are not zero" },
		{ s->cr4 >> 32, "CR4: bits 63:32 are not zero" },
		{ s->efer >> 32, "EFER: bits 63:32 are not zero" },
		{ s->cr3 >> 52, "CR3: bits above the physical address are not zero" },
		{ lme && pg && !pae, "EFER.LME and CR0.PG are set without CR4.PAE" },
		{ !!(s->efer & EFER_LMA) != (lme && pg), "EFER: LMA is not LME and CR0.PG" },
		{ s->cr4 & CR4_PCIDE && !(s->efer & EFER_LMA), "CR4: PCIDE outside long mode" },
		{ lme && pg && pae && s->cs.l && s->cs.db, "CS: both L and D are set" },
		{ s->cr8 >> 4, "CR8: more than 15" },
	};

	return report(rules, ARRAY_SIZE(rules), tell, context);
}

static unsigned int check_other(const struct kvm_regs *r, const struct kvm_sregs *s,
				const struct kvm_debugregs *d, statecheck_fn tell, void *context)
{
	bool long_mode = s->efer & EFER_LMA;
	const struct rule rules[] = {
		{ !(r->rflags & RFLAGS_FIXED), "RFLAGS: bit 1 is clear" },
		{ r->rflags >> 22, "RFLAGS: reserved bits are set" },
		{ long_mode && r->rflags & RFLAGS_VM, "RFLAGS: VM is set in long mode" },
		{ d->dr6 >> 32, "DR6: bits 63:32 are not zero" },
		{ d->dr7 >> 32, "DR7: bits 63:32 are not zero" },
		{ !canonical(s->gdt.base), "GDTR: base is not canonical" },
		{ !canonical(s->idt.base), "IDTR: base is not canonical" },
		{ !canonical(s->tr.base), "TR: base is not canonical" },
		{ !canonical(s->fs.base), "FS: base is not canonical" },
		{ !canonical(s->gs.base), "GS: base is not canonical" },
		{ long_mode && !canonical(r->rip), "RIP: not canonical" },
		{ !s->tr.present || s->tr.unusable, "TR: not a present task state segment" },
	};

	return report(rules, ARRAY_SIZE(rules), tell, context);
}

/**
 * statecheck() - Find illegal state.
 * @r: general registers
 * @s: special registers
 * @d: debug registers
 * @tell: called for each finding
 * @context: for @tell
 *
 * Return: number of findings.
 */
unsigned int statecheck(const struct kvm_regs *r, const struct kvm_sregs *s,
			const struct kvm_debugregs *d, statecheck_fn tell, void *context)
{
	return check_control(s, tell, context) + check_other(r, s, d, tell, context);
}
