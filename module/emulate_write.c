// SPDX-License-Identifier: GPL-2.0
/*
 * Instructions that write traced pages, mostly the guest's page tables: whether
 * emulate_store.c, the emulator in atomic context, or the guest itself carries
 * them out. Reaches memory only.
 */
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include "emulate_internal.h"
#include "exit.h"
#include "mmu/mmu.h"
#include "vcpu.h"

/* Attempts of the guest at an instruction that does not get ahead. */
#define MAX_TRIES	64

/*
 * The page is no longer traced, and the guest writes it itself. Where it is part
 * of the tables that lead to the instruction, it is traced again before the
 * instruction gets that far: with nothing changed the attempts are counted.
 */
bool umbra_emulate_natively(struct umbra_vcpu *vcpu)
{
	struct umbra_native *native = &vcpu->emu->native;
	u64 rip = umbra_emulate_linear_rip(vcpu), sum = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(vcpu->gpr); i++)
		sum = sum * 31 + vcpu->gpr[i];
	if (native->rip != rip || native->sum != sum)
		native->tries = 0;
	native->rip = rip;
	native->sum = sum;
	return native->tries++ < MAX_TRIES && umbra_mmu_unprotect(vcpu, vcpu->emu->traced);
}

static bool plain_source(const struct umbra_emul_operand *o)
{
	return o->kind == UMBRA_EMUL_OPND_NONE || o->kind == UMBRA_EMUL_OPND_IMM ||
	       o->kind == UMBRA_EMUL_OPND_REG || o->kind == UMBRA_EMUL_OPND_REG_HIGH;
}

/*
 * Is this one of the instructions that kernels write table entries with: from
 * general registers to one place in memory, which is the last thing it does and
 * is done or not done as a whole? Not groups with far calls and system registers.
 */
static bool plain_write(const struct umbra_emul_insn *insn)
{
	if (insn->dst.kind != UMBRA_EMUL_OPND_MEM || insn->rep || !insn->mem_bytes ||
	    (insn->linear & (insn->mem_bytes - 1)))
		return false;
	if ((insn->map == 0 && insn->opcode == 0xff) || (insn->map == 1 && insn->opcode <= 1))
		return false;
	return plain_source(&insn->src) && plain_source(&insn->src2);
}

static int run_atomic(struct umbra_emul *em)
{
	int r;

	pagefault_disable();
	r = umbra_emul_decode(em);
	if (r == UMBRA_EMUL_DONE)
		r = plain_write(&em->insn) ? umbra_emul_exec(em) : UMBRA_EMUL_UNHANDLED;
	pagefault_enable();
	return r;
}

/* The first eight bytes of what has just run, without the consequences that fetches have. */
static bool code_at_rip(struct umbra_vcpu *vcpu, u64 *code)
{
	const struct umbra_exit *exit = &vcpu->exit;

	if (exit->insn_bytes >= sizeof(*code)) {
		memcpy(code, exit->insn, sizeof(*code));
		return true;
	}
	return exit->code64 && !umbra_mmu_refetch(vcpu, vcpu->rip, code);
}

/* REP STOS or REP MOVS, as kernels clear and copy pages. */
static bool fills_memory(const struct umbra_vcpu *vcpu, u64 code)
{
	u8 op = code >> 8;

	if ((code & 0xff) != 0xf3)
		return false;
	if (vcpu->exit.code64 && (op & 0xf0) == 0x40)
		op = code >> 16;
	return op == 0xaa || op == 0xab || op == 0xa4 || op == 0xa5;
}

/* By the emulator; @code where its bytes are known. */
static int emulate_atomic(struct umbra_vcpu *vcpu, const u64 *code, gva_t gva, u32 access,
			  gpa_t gpa)
{
	struct umbra_emulation *emu = vcpu->emu;
	struct umbra_emul *em = &emu->em;
	int r;

	umbra_emulate_begin(vcpu, false);
	umbra_emulate_translated(emu, gva, access, gpa);
	if (code && !em->nr_bytes) {
		memcpy(em->bytes, code, sizeof(*code));
		em->nr_bytes = sizeof(*code);
	}
	emu->atomic = true;
	r = run_atomic(em);
	emu->atomic = false;
	return r == UMBRA_EMUL_DONE ? umbra_emulate_done(vcpu) : UMBRA_SLOW;
}

/**
 * umbra_emulate_write_atomic() - umbra_emulate_write() for frequent cases, in atomic context
 * @vcpu: virtual processor, mutex held, not in the guest
 * @gva: linear address that was accessed
 * @access: how, UMBRA_ACC_*
 * @gpa: where the guest's tables lead for that, accessed and dirty bits being set
 *
 * A page that is about to be filled is let go of, and the guest goes on by itself.
 * Context: inside an SRCU read section of the VM; does not sleep.
 * Return: UMBRA_CONTINUE, UMBRA_TO_USER, or UMBRA_SLOW with nothing changed.
 */
int umbra_emulate_write_atomic(struct umbra_vcpu *vcpu, gva_t gva, u32 access, gpa_t gpa)
{
	u64 code;
	bool whole = code_at_rip(vcpu, &code);

	if ((whole || umbra_peek_insn(vcpu, 3, true, &code)) && fills_memory(vcpu, code) &&
	    umbra_mmu_unshadow(vcpu, gpa))
		return UMBRA_CONTINUE;
	if (umbra_emulate_stepping(vcpu, vcpu->rflags))
		return UMBRA_SLOW;
	if (whole && vcpu->exit.code64 &&
	    umbra_emulate_store(vcpu, code, gva, access, gpa) == UMBRA_CONTINUE)
		return UMBRA_CONTINUE;
	return emulate_atomic(vcpu, whole ? &code : NULL, gva, access, gpa);
}
