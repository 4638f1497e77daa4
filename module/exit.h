/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The vendor-neutral exit record, and the handlers that act on it.
 * The vendor's decode() fills a record and takes no decision; exit.c decides
 * and never looks at a VMCB or VMCS.
 */
#ifndef UMBRA_EXIT_H
#define UMBRA_EXIT_H

#include "event.h"
#include "types.h"

struct umbra_vcpu;

enum umbra_exit_kind {
	UMBRA_EXIT_UNKNOWN,		/* first, so that gaps in tables mean it */
	UMBRA_EXIT_NOTHING,		/* host interrupt or NMI: already served */
	UMBRA_EXIT_FAULT,		/* second-level fault: .fault */
	UMBRA_EXIT_EXCEPTION,		/* intercepted guest exception: .exc */
	UMBRA_EXIT_IO,			/* IN/OUT/INS/OUTS: .io */
	UMBRA_EXIT_MSR,			/* RDMSR/WRMSR: .msr */
	UMBRA_EXIT_CPUID,
	UMBRA_EXIT_HLT,
	UMBRA_EXIT_CR,			/* MOV CR, CLTS, LMSW, SMSW: .cr */
	UMBRA_EXIT_DR,			/* MOV DR: .dr */
	UMBRA_EXIT_INVLPG,
	UMBRA_EXIT_INVPCID,
	UMBRA_EXIT_XSETBV,
	UMBRA_EXIT_WBINVD,
	UMBRA_EXIT_RDPMC,
	UMBRA_EXIT_PAUSE,
	UMBRA_EXIT_MONITOR,		/* MONITOR and MWAIT */
	UMBRA_EXIT_HYPERCALL,
	UMBRA_EXIT_SHUTDOWN,		/* triple fault in the guest */
	UMBRA_EXIT_IRQ_WINDOW,
	UMBRA_EXIT_NMI_WINDOW,
	UMBRA_EXIT_TASK_SWITCH,
	UMBRA_EXIT_UNDEFINED,		/* an instruction not offered: #UD */
	UMBRA_EXIT_EMULATE,		/* let the emulator do the instruction */
	UMBRA_EXIT_INNER,		/* about inner guests: see inner_exit() of the vendor */
	UMBRA_EXIT_ENTRY_FAILED,	/* the hardware refused the guest state */
};

/**
 * struct umbra_exit - what stopped the guest, in words both vendors share
 * @kind: enum umbra_exit_kind
 * @code64: the guest ran 64-bit code: RIP is its own linear address
 * @insn_len: length of the instruction at RIP when the hardware told, else 0
 * @insn_bytes: number of valid bytes in @insn, 0 when not provided
 * @insn: instruction bytes at RIP from decode assists
 * @hw_reason: vendor's raw exit code (reported to user space undecoded)
 * @info1: vendor's raw qualification
 * @info2: vendor's second raw qualification
 */
struct umbra_exit {
	u8 kind;
	bool code64;
	u8 insn_len;
	u8 insn_bytes;
	u8 insn[15];
	u64 hw_reason;
	u64 info1;
	u64 info2;
	union {
		struct {
			gpa_t gpa;
			u32 access;	/* UMBRA_ACC_* */
			bool present;	/* the entry was present: rights fault */
			bool walk;	/* while walking the guest's own tables */
		} fault;
		struct {
			u8 vector;
			bool has_error;
			u32 error;
			u64 payload;	/* CR2 for #PF, DR6 bits for #DB */
		} exc;
		struct {
			u16 port;
			u8 size;	/* 1, 2 or 4 */
			bool in;
			bool string;
			bool rep;
			u64 next_rip;	/* 0 when not told */
		} io;
		struct {
			bool write;
		} msr;
		struct {
			u8 nr;
			bool write;
			bool has_gpr;	/* a MOV, and its register is known */
			u8 gpr;
		} cr;
		struct {
			bool has_gva;
			gva_t gva;	/* linear address */
		} invlpg;
		struct {
			u8 nr;
			bool write;
		} dr;
	};
};

/* Outcomes of handlers and of the run loop's steps. */
#define UMBRA_TO_USER		0	/* vcpu->run is filled: return to user space */
#define UMBRA_CONTINUE		1	/* enter the guest again */
#define UMBRA_SLOW		2	/* atomic handler cannot: call the sleeping one */

int umbra_exit_fast(struct umbra_vcpu *vcpu);
int umbra_exit_handle(struct umbra_vcpu *vcpu);

/* exit_mmu.c: second-level faults, the guest's #PF, its control registers and INVLPG. */
int umbra_exit_fault(struct umbra_vcpu *vcpu, bool atomic);
int umbra_exit_page_fault(struct umbra_vcpu *vcpu, bool atomic);
int umbra_exit_cr(struct umbra_vcpu *vcpu, bool atomic);
int umbra_exit_invlpg(struct umbra_vcpu *vcpu, bool atomic);

/* hypercall.c */
int umbra_exit_hypercall(struct umbra_vcpu *vcpu, bool atomic);

/*
 * The first @len (1 to 8) bytes at RIP, little-endian, perhaps more of them.
 * False when they lie on two pages or cannot be had (now, when @atomic).
 */
bool umbra_peek_insn(struct umbra_vcpu *vcpu, unsigned int len, bool atomic, u64 *bytes);
/*
 * Where the guest goes on after the instruction that caused the exit. False
 * when that is not known: then *@verdict is what the handler shall return
 * (UMBRA_SLOW when @atomic; a queued fault; an internal error; -errno).
 */
bool umbra_next_rip(struct umbra_vcpu *vcpu, bool atomic, u64 *next, int *verdict);
/*
 * Move RIP to @next, end the interrupt shadow. True when a single-step trap is
 * due: then the caller owes umbra_debug_insn_done() with the old RFLAGS.
 */
bool umbra_advance_rip(struct umbra_vcpu *vcpu, u64 next);
/* Both: UMBRA_CONTINUE or UMBRA_TO_USER. Atomic. */
int umbra_step_rip(struct umbra_vcpu *vcpu, u64 next);
/*
 * Step RIP over the instruction that caused the exit, finish single-stepping
 * and clear the interrupt shadow. Returns UMBRA_CONTINUE, UMBRA_TO_USER, or
 * UMBRA_SLOW when @atomic and the length is not known without sleeping.
 */
int umbra_skip_insn(struct umbra_vcpu *vcpu, bool atomic);

/* Exits to user space; all are atomic. */
/* HLT was executed: continue when something wakes the guest, else KVM_EXIT_HLT. */
int umbra_exit_halt(struct umbra_vcpu *vcpu);
/* KVM_EXIT_INTERNAL_ERROR with the exit's raw numbers; always UMBRA_TO_USER. */
int umbra_exit_internal_error(struct umbra_vcpu *vcpu, u32 suberror);
/*
 * The emulator does not know the instruction. In the guest's kernel: internal
 * error with the @nr instruction bytes; in its user mode #UD, so that a
 * program in the guest cannot stop the guest. UMBRA_TO_USER or UMBRA_CONTINUE.
 */
int umbra_exit_emulation_failure(struct umbra_vcpu *vcpu, const u8 *bytes, u8 nr);

#endif
