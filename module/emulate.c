// SPDX-License-Identifier: GPL-2.0
/*
 * Runs the emulator for a vCPU: fills its context, acts on its verdict, and
 * carries MMIO and port accesses to user space and back.
 *
 * An instruction that needs an answer from user space has changed nothing; it
 * runs again from the start with the answers so far replayed. Writes are handed
 * out after the instruction committed. The run page can be changed by user
 * space at any time: answers are copied once, sizes are kept here.
 */
#include <linux/kvm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "debug.h"
#include "emulate_internal.h"
#include "event.h"
#include "exit.h"
#include "vcpu.h"
#include "vendor.h"

/* Iterations of a REP instruction before signals and interrupts are looked at. */
#define REP_BATCH	256
/* Attempts of a LOCKed update against other vCPUs before the guest takes over. */
#define MAX_TRIES	16

static int run_emulator(struct umbra_vcpu *vcpu);

static void forget_answers(struct umbra_emulation *emu)
{
	emu->reads.nr = 0;
	emu->reads.pos = 0;
	emu->in.count = 0;
}

static void rep_commit(struct umbra_emul *em)
{
	forget_answers(em_vcpu(em)->emu);
}

static const struct umbra_emul_ops vcpu_ops = {
	.read = umbra_em_read,
	.write = umbra_em_write,
	.update = umbra_em_cmpxchg,
	.pio_in = umbra_em_pio_in,
	.pio_out = umbra_em_pio_out,
	.get_cr = umbra_em_get_cr,
	.set_cr = umbra_em_set_cr,
	.get_dr = umbra_em_get_dr,
	.set_dr = umbra_em_set_dr,
	.get_msr = umbra_em_get_msr,
	.set_msr = umbra_em_set_msr,
	.get_segment = umbra_em_get_segment,
	.set_segment = umbra_em_set_segment,
	.get_dt = umbra_em_get_dt,
	.set_dt = umbra_em_set_dt,
	.cpuid = umbra_em_cpuid,
	.get_xcr = umbra_em_get_xcr,
	.set_xcr = umbra_em_set_xcr,
	.rdtsc = umbra_em_rdtsc,
	.rdpmc = umbra_em_rdpmc,
	.get_vec = umbra_em_get_vec,
	.set_vec = umbra_em_set_vec,
	.invpcid = umbra_em_invpcid,
	.hook = umbra_em_hook,
	.rep_commit = rep_commit,
};

/**
 * umbra_emulate_create() - allocate a vCPU's emulation state
 * @vcpu: virtual processor that nobody else sees yet
 *
 * Return: 0 or -ENOMEM. Sleeps.
 */
int umbra_emulate_create(struct umbra_vcpu *vcpu)
{
	vcpu->emu = kvzalloc(sizeof(*vcpu->emu), GFP_KERNEL_ACCOUNT);
	return vcpu->emu ? 0 : -ENOMEM;
}

void umbra_emulate_destroy(struct umbra_vcpu *vcpu)
{
	kvfree(vcpu->emu);
	vcpu->emu = NULL;
}

/* A callback met an error of the host: end the emulation and report it. */
int umbra_emulate_host_error(struct umbra_emul *em, int error)
{
	em_vcpu(em)->emu->error = error;
	return UMBRA_EMUL_UNHANDLED;
}

/* Answer of a callback that raises @vector, with error code 0 if it has one. */
int umbra_emulate_inject(struct umbra_emul *em, u8 vector, bool has_error)
{
	em->fault = (struct umbra_emul_fault){ .vector = vector, .has_error = has_error };
	return UMBRA_EMUL_FAULT;
}

u64 umbra_emulate_linear_rip(struct umbra_vcpu *vcpu)
{
	struct kvm_segment cs = {};

	umbra_vendor->get_segment(vcpu, UMBRA_SEG_CS, &cs);
	return cs.base + vcpu->rip;
}

bool umbra_emulate_stepping(const struct umbra_vcpu *vcpu, u64 rflags)
{
	return (rflags & X86_EFLAGS_TF) || (vcpu->guest_debug & KVM_GUESTDBG_SINGLESTEP);
}

/* Without @all only what addresses depend on: in 64-bit code not all segments. */
static void fill_context(struct umbra_vcpu *vcpu, bool all)
{
	const struct umbra_exit *exit = &vcpu->exit;
	struct umbra_emul *em = &vcpu->emu->em;

	em->ops = &vcpu_ops;
	em->ctx = vcpu;
	memcpy(em->gpr, vcpu->gpr, sizeof(em->gpr));
	em->rip = vcpu->rip;
	em->rflags = vcpu->rflags;
	umbra_em_load_segments(vcpu, em, all || !exit->code64);
	em->mode = umbra_emul_mode_of(vcpu->cr0, vcpu->efer, vcpu->rflags,
				      &em->seg[UMBRA_EMUL_CS]);
	em->cpl = umbra_vendor->cpl(vcpu);
	em->rep_limit = umbra_emulate_stepping(vcpu, vcpu->rflags) ? 1 : REP_BATCH;
	/*
	 * Bytes that came with a fault save walk and fetch. They stay valid until
	 * the next exit: what runs the instruction again checks where RIP is.
	 */
	em->nr_bytes = 0;
	if (exit->insn_bytes) {
		em->nr_bytes = min_t(u8, exit->insn_bytes, sizeof(em->bytes));
		memcpy(em->bytes, exit->insn, em->nr_bytes);
	}
}

/* The context holds what was committed, whatever the verdict. */
static void store_context(struct umbra_vcpu *vcpu)
{
	const struct umbra_emul *em = &vcpu->emu->em;

	memcpy(vcpu->gpr, em->gpr, sizeof(vcpu->gpr));
	vcpu->rip = em->rip;
	vcpu->rflags = em->rflags;
}

/* Before the emulator runs, once or again: all that the last run left is void. */
void umbra_emulate_begin(struct umbra_vcpu *vcpu, bool all)
{
	struct umbra_emulation *emu = vcpu->emu;

	emu->error = 0;
	emu->xlat.page = 1;
	emu->ask = UMBRA_ASK_NOTHING;
	emu->halt = false;
	emu->tpr_lowered = false;
	emu->rflags_before = vcpu->rflags;
	emu->reads.pos = 0;
	emu->writes.nr = 0;
	emu->writes.pos = 0;
	emu->out.count = 0;
	fill_context(vcpu, all);
}

static int run_once(struct umbra_vcpu *vcpu)
{
	struct umbra_emulation *emu = vcpu->emu;
	int r;

	umbra_emulate_begin(vcpu, true);
	r = umbra_emul_decode(&emu->em);
	if (r == UMBRA_EMUL_DONE)
		r = umbra_emul_exec(&emu->em);
	/* Iterations of a REP instruction that went well before it failed. */
	if (r != UMBRA_EMUL_DONE)
		store_context(vcpu);
	return r;
}

/* Everything user space had to see was seen: traps and HLT take effect. */
static int finish(struct umbra_vcpu *vcpu)
{
	const struct umbra_emulation *emu = vcpu->emu;
	int r = UMBRA_CONTINUE;

	if (emu->step && umbra_emulate_stepping(vcpu, emu->rflags_before))
		r = umbra_debug_insn_done(vcpu, emu->rflags_before);
	if (r != UMBRA_CONTINUE)
		return r;
	if (emu->halt)
		return umbra_exit_halt(vcpu);
	if (emu->tpr_lowered) {
		vcpu->run->exit_reason = KVM_EXIT_SET_TPR;
		return UMBRA_TO_USER;
	}
	return UMBRA_CONTINUE;
}

static void fill_mmio(struct umbra_vcpu *vcpu, const struct umbra_mmio_part *part, bool write)
{
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = part->gpa;
	run->mmio.len = part->len;
	run->mmio.is_write = write;
	if (write)
		memcpy(run->mmio.data, part->data, sizeof(part->data));
}

/* Hand out the next queued write; also runs when user space has taken one. */
static int serve_writes(struct umbra_vcpu *vcpu)
{
	struct umbra_emulation *emu = vcpu->emu;

	if (emu->writes.pos < emu->writes.nr)
		fill_mmio(vcpu, &emu->writes.part[emu->writes.pos++], true);
	else if (emu->out.count)
		umbra_pio_post(vcpu);
	else
		return finish(vcpu);
	vcpu->complete = serve_writes;
	return UMBRA_TO_USER;
}

/* The emulator carried the instruction out. */
int umbra_emulate_done(struct umbra_vcpu *vcpu)
{
	struct umbra_emulation *emu = vcpu->emu;
	u32 out = emu->em.out;

	store_context(vcpu);
	forget_answers(emu);
	vcpu->ev.shadow = 0;
	if (out & UMBRA_EMUL_OUT_STI_SHADOW)
		vcpu->ev.shadow |= UMBRA_SHADOW_STI;
	if (out & UMBRA_EMUL_OUT_MOVSS_SHADOW)
		vcpu->ev.shadow |= UMBRA_SHADOW_MOV_SS;
	if (out & UMBRA_EMUL_OUT_IRET)
		vcpu->ev.nmi_blocked = false;
	emu->step = !(out & UMBRA_EMUL_OUT_MOVSS_SHADOW);
	return serve_writes(vcpu);
}

static int faulted(struct umbra_vcpu *vcpu)
{
	const struct umbra_emul_fault *f = &vcpu->emu->em.fault;

	forget_answers(vcpu->emu);
	if (f->vector == X86_TRAP_PF)
		umbra_queue_pf(vcpu, f->cr2, f->error);
	else if (f->vector == X86_TRAP_DB)
		umbra_queue_db(vcpu, f->cr2);	/* see umbra_em_get_dr() */
	else if (f->has_error)
		umbra_queue_exception_err(vcpu, f->vector, f->error);
	else
		umbra_queue_exception(vcpu, f->vector);
	return UMBRA_CONTINUE;
}

static int unhandled(struct umbra_vcpu *vcpu)
{
	const struct umbra_emulation *emu = vcpu->emu;

	forget_answers(vcpu->emu);
	if (emu->error)
		return emu->error;
	if (emu->traced != UMBRA_INVALID_GPA && umbra_emulate_natively(vcpu))
		return UMBRA_CONTINUE;
	return umbra_exit_emulation_failure(vcpu, emu->em.bytes, emu->em.nr_bytes);
}

/* User space answered: note the value and run the instruction again. */
static int take_answer(struct umbra_vcpu *vcpu)
{
	struct umbra_emulation *emu = vcpu->emu;
	struct umbra_mmio_part *part = &emu->reads.part[emu->reads.nr];

	/* User space made the vCPU go elsewhere: nobody wants the value now. */
	if (umbra_emulate_linear_rip(vcpu) != emu->linear_rip) {
		forget_answers(emu);
		return UMBRA_CONTINUE;
	}
	if (emu->ask == UMBRA_ASK_PIO) {
		umbra_pio_answered(vcpu);
	} else {
		memcpy(part->data, vcpu->run->mmio.data, sizeof(part->data));
		emu->reads.nr++;
	}
	return run_emulator(vcpu);
}

static int ask_user(struct umbra_vcpu *vcpu)
{
	struct umbra_emulation *emu = vcpu->emu;

	switch (emu->ask) {
	case UMBRA_ASK_MMIO:
		fill_mmio(vcpu, &emu->reads.part[emu->reads.nr], false);
		break;
	case UMBRA_ASK_PIO:
		umbra_pio_ask(vcpu);
		break;
	case UMBRA_ASK_OTHER:
		forget_answers(emu);
		return UMBRA_TO_USER;
	default:
		return unhandled(vcpu);
	}
	emu->linear_rip = umbra_emulate_linear_rip(vcpu);
	vcpu->complete = take_answer;
	return UMBRA_TO_USER;
}

static int run_emulator(struct umbra_vcpu *vcpu)
{
	int tries = MAX_TRIES;
	int r;

	do {
		r = run_once(vcpu);
	} while (r == UMBRA_EMUL_RETRY && --tries);

	switch (r) {
	case UMBRA_EMUL_DONE:
		return umbra_emulate_done(vcpu);
	case UMBRA_EMUL_FAULT:
		return faulted(vcpu);
	case UMBRA_EMUL_IO:
		return ask_user(vcpu);
	case UMBRA_EMUL_RETRY:
		forget_answers(vcpu->emu);
		return UMBRA_CONTINUE;
	default:
		return unhandled(vcpu);
	}
}

/**
 * umbra_emulate() - emulate the instruction at RIP
 * @vcpu: virtual processor, mutex held, not in the guest
 *
 * Context: inside an SRCU read section of the VM, in a thread of its mm; sleeps.
 * Return: UMBRA_CONTINUE when it is done, a fault is queued, or the guest shall
 * try again; UMBRA_TO_USER with the run page filled; -errno for a host error.
 */
int umbra_emulate(struct umbra_vcpu *vcpu)
{
	return umbra_emulate_write(vcpu, UMBRA_INVALID_GPA);
}

/**
 * umbra_emulate_write() - emulate the instruction at RIP, which writes a traced page
 * @vcpu: as umbra_emulate()
 * @gpa: an address in that page
 *
 * What the emulator does not know the guest does itself, on a page that is not
 * traced any more.
 * Return: as umbra_emulate().
 */
int umbra_emulate_write(struct umbra_vcpu *vcpu, gpa_t gpa)
{
	vcpu->emu->traced = gpa;
	forget_answers(vcpu->emu);
	return run_emulator(vcpu);
}

/**
 * umbra_complete_user_io() - finish what the last exit to user space began
 * @vcpu: virtual processor, mutex held, at the start of KVM_RUN
 *
 * Context: as umbra_emulate().
 * Return: UMBRA_CONTINUE, UMBRA_TO_USER with the next exit filled in, -errno.
 */
int umbra_complete_user_io(struct umbra_vcpu *vcpu)
{
	int (*complete)(struct umbra_vcpu *vcpu) = vcpu->complete;

	if (!complete)
		return UMBRA_CONTINUE;
	vcpu->complete = NULL;
	return complete(vcpu);
}

/**
 * umbra_insn_length() - length of the instruction at RIP by decoding it
 * @vcpu: virtual processor, mutex held, not in the guest
 *
 * Context: as umbra_emulate().
 * Return: 1 to 15; 0 when its fetch faulted and the fault is queued;
 * -EOPNOTSUPP when the decoder does not know it; -errno for a host error.
 */
int umbra_insn_length(struct umbra_vcpu *vcpu)
{
	struct umbra_emulation *emu = vcpu->emu;

	forget_answers(emu);
	emu->error = 0;
	emu->xlat.page = 1;
	fill_context(vcpu, true);
	switch (umbra_emul_decode(&emu->em)) {
	case UMBRA_EMUL_DONE:
		return emu->em.insn.len;
	case UMBRA_EMUL_FAULT:
		faulted(vcpu);
		return 0;
	default:
		return emu->error ? : -EOPNOTSUPP;
	}
}

/**
 * umbra_emulate_cancel() - the vCPU's state was set from outside
 * @vcpu: virtual processor, mutex held, new state in place
 *
 * An input in flight is dropped when the vCPU no longer stands at its
 * instruction; otherwise it goes on with the new register values, as user
 * space expects that reads and writes back registers in the middle of an input.
 * Writes that the guest has made still reach user space.
 */
void umbra_emulate_cancel(struct umbra_vcpu *vcpu)
{
	struct umbra_emulation *emu = vcpu->emu;

	if (vcpu->complete != take_answer)
		return;
	if (umbra_emulate_linear_rip(vcpu) == emu->linear_rip)
		return;
	forget_answers(emu);
	vcpu->complete = NULL;
}
