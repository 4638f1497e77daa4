// SPDX-License-Identifier: GPL-2.0
/*
 * What is known of a vCPU when its guest ended badly: snapshot it, print it.
 *
 * The vCPU's thread is gone by then. JSON of the same is report.c's.
 */
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "dump.h"
#include "gwalk.h"
#include "statecheck.h"
#include "umbra.h"

/* Bytes the hypervisor itself failed to emulate beat those in memory by now. */
static size_t failed_bytes(const struct kvm_run *run, u8 *bytes)
{
	size_t n;

	if (run->exit_reason != KVM_EXIT_INTERNAL_ERROR ||
	    run->emulation_failure.suberror != KVM_INTERNAL_ERROR_EMULATION ||
	    run->emulation_failure.ndata < 3 ||
	    !(run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES))
		return 0;
	n = run->emulation_failure.insn_size;
	if (n > sizeof(run->emulation_failure.insn_bytes))
		n = sizeof(run->emulation_failure.insn_bytes);
	memcpy(bytes, run->emulation_failure.insn_bytes, n);
	return n;
}

/**
 * dump_snapshot() - Read all there is to know about a stopped vCPU.
 * @v: vCPU
 * @snap: filled in
 */
void dump_snapshot(struct vcpu *v, struct vcpu_snapshot *snap)
{
	memset(snap, 0, sizeof(*snap));
	if (ioctl(v->fd, KVM_GET_REGS, &snap->regs) || ioctl(v->fd, KVM_GET_SREGS, &snap->sregs))
		return;
	if (ioctl(v->fd, KVM_GET_DEBUGREGS, &snap->debugregs))
		memset(&snap->debugregs, 0, sizeof(snap->debugregs));
	snap->valid = true;
	snap->nr_bytes = failed_bytes(v->run, snap->bytes);
	if (!snap->nr_bytes)
		snap->nr_bytes = gwalk_read(v, &snap->sregs, snap->sregs.cs.base + snap->regs.rip,
					    snap->bytes, sizeof(snap->bytes));
	disasm_one(&snap->sregs, snap->regs.rip, snap->bytes, snap->nr_bytes, snap->insn,
		   sizeof(snap->insn));
}

static void print_regs(FILE *f, const struct kvm_regs *r)
{
	fprintf(f, "  RAX %016llx  RBX %016llx  RCX %016llx  RDX %016llx\n", r->rax, r->rbx,
		r->rcx, r->rdx);
	fprintf(f, "  RSI %016llx  RDI %016llx  RBP %016llx  RSP %016llx\n", r->rsi, r->rdi,
		r->rbp, r->rsp);
	fprintf(f, "  R8  %016llx  R9  %016llx  R10 %016llx  R11 %016llx\n", r->r8, r->r9, r->r10,
		r->r11);
	fprintf(f, "  R12 %016llx  R13 %016llx  R14 %016llx  R15 %016llx\n", r->r12, r->r13,
		r->r14, r->r15);
	fprintf(f, "  RIP %016llx  RFLAGS %08llx\n", r->rip, r->rflags);
}

static void print_segment(FILE *f, const char *name, const struct kvm_segment *s)
{
	fprintf(f, "  %-4s %04x base %016llx limit %08x type %x dpl %u%s%s%s%s%s\n", name,
		s->selector, (u64)s->base, s->limit, s->type, s->dpl, s->s ? " s" : "",
		s->db ? " db" : "", s->l ? " l" : "", s->g ? " g" : "",
		!s->present || s->unusable ? " (unusable)" : "");
}

static void print_sregs(FILE *f, const struct kvm_sregs *s)
{
	fprintf(f, "  CR0 %08llx  CR2 %016llx  CR3 %016llx  CR4 %08llx  CR8 %llx  EFER %llx\n",
		(u64)s->cr0, (u64)s->cr2, (u64)s->cr3, (u64)s->cr4, (u64)s->cr8, (u64)s->efer);
	print_segment(f, "CS", &s->cs);
	print_segment(f, "SS", &s->ss);
	print_segment(f, "DS", &s->ds);
	print_segment(f, "ES", &s->es);
	print_segment(f, "FS", &s->fs);
	print_segment(f, "GS", &s->gs);
	print_segment(f, "LDT", &s->ldt);
	print_segment(f, "TR", &s->tr);
	fprintf(f, "  GDT  base %016llx limit %04x  IDT base %016llx limit %04x\n",
		(u64)s->gdt.base, s->gdt.limit, (u64)s->idt.base, s->idt.limit);
}

static void print_finding(void *context, const char *text)
{
	fprintf(context, "  illegal state: %s\n", text);
}

static void print_internal_data(FILE *f, const struct kvm_run *run)
{
	u32 i, n = run->internal.ndata;

	if (n > ARRAY_SIZE(run->internal.data))
		n = ARRAY_SIZE(run->internal.data);
	for (i = 0; i < n; i++)
		fprintf(f, "  data[%u] %016llx\n", i, (u64)run->internal.data[i]);
}

/**
 * dump_print() - Print the full post-mortem.
 * @f: where to
 * @v: vCPU
 * @snap: taken of it
 */
void dump_print(FILE *f, const struct vcpu *v, const struct vcpu_snapshot *snap)
{
	unsigned int findings;

	if (!snap->valid) {
		fprintf(f, "  vCPU %u: the hypervisor does not give its registers\n", v->index);
		return;
	}
	if (v->run->exit_reason == KVM_EXIT_INTERNAL_ERROR)
		print_internal_data(f, v->run);
	if (v->run->exit_reason == KVM_EXIT_FAIL_ENTRY) {
		findings = statecheck(&snap->regs, &snap->sregs, &snap->debugregs, print_finding,
				      f);
		if (!findings)
			fprintf(f, "  no register is in a state the manuals call illegal\n");
	}
	print_regs(f, &snap->regs);
	print_sregs(f, &snap->sregs);
	if (snap->nr_bytes)
		disasm_print(f, &snap->sregs, snap->regs.rip, snap->bytes, snap->nr_bytes, 3);
	else
		fprintf(f, "  no memory at CS:RIP\n");
}

/**
 * dump_where() - Print one line: where a vCPU is.
 * @f: where to
 * @v: vCPU
 * @snap: taken of it
 */
void dump_where(FILE *f, const struct vcpu *v, const struct vcpu_snapshot *snap)
{
	if (!snap->valid)
		return;
	fprintf(f, "  vCPU %u at %04x:%llx  %s\n", v->index, snap->sregs.cs.selector,
		snap->regs.rip, snap->insn[0] ? snap->insn : "(no instruction)");
}
