/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private to svm/: hypervisors inside guests. Here the guest's own guest is the inner guest,
 * and the guest that runs it is the outer one. "Nested" alone means nested paging elsewhere in
 * this folder.
 */
#ifndef UMBRA_SVM_NESTED_H
#define UMBRA_SVM_NESTED_H

#include "../types.h"
#include "svm.h"

/**
 * struct svm_inner - what a vCPU with an inner guest has to keep
 * @image: the outer guest's VMCB, as VMRUN read it; never read again
 * @gpa: where it lies
 * @next_rip: what its soft event pushes
 * @cs: the outer guest's segment, as all below while the inner one runs
 * @ss: likewise
 * @ds: likewise
 * @es: likewise
 * @gdtr: likewise
 * @idtr: likewise
 * @cr0: its registers
 * @cr3: likewise
 * @cr4: likewise
 * @efer: likewise
 * @pdpte: likewise
 * @rflags: likewise
 * @rip: behind its VMRUN
 * @rsp: likewise
 * @rax: likewise
 */
struct svm_inner {
	struct vmcb image;
	gpa_t gpa;
	u64 next_rip;
	struct vmcb_seg cs, ss, ds, es, gdtr, idtr;
	u64 cr0, cr3, cr4, efer;
	u64 pdpte[4];
	u64 rflags, rip, rsp, rax;
};

/* Does the outer guest's VMCB have intercept @bit? Exit codes are numbers of bits. */
static inline bool svm_inner_wants(const struct svm_vcpu *svm, unsigned int bit)
{
	return bit / 32 < MAX_INTERCEPT &&
	       svm->inner->image.control.intercepts[bit / 32] & 1u << (bit % 32);
}

/* A physical address that an instruction may name: a page that can exist. */
static inline bool svm_inner_page(const struct umbra_vcpu *vcpu, u64 gpa)
{
	return !(gpa & ~PAGE_MASK) && !(gpa >> vcpu->cpuid.phys_bits);
}

/* nested.c: VMRUN. UMBRA_CONTINUE, UMBRA_TO_USER or -ENOMEM. */
int svm_inner_run(struct umbra_vcpu *vcpu, gpa_t gpa, u64 next_rip);
/* What the processor keeps for an inner guest follows vcpu->inner and @asked, 0 for none. */
void svm_inner_apply(struct umbra_vcpu *vcpu, const u32 *asked);
/* EFER.SVME went: there is neither an inner guest nor a global interrupt flag. Atomic. */
void svm_inner_forget(struct umbra_vcpu *vcpu);

/* nested_exit.c: is this exit for inner_exit()? Atomic. */
bool svm_inner_concerned(const struct umbra_vcpu *vcpu, u32 code);
/* #VMEXIT; @ran: the inner guest was entered, or could have been. */
void svm_inner_leave(struct umbra_vcpu *vcpu, u64 code, u64 info1, u64 info2, bool ran);
int svm_inner_exit(struct umbra_vcpu *vcpu);
void svm_inner_end(struct umbra_vcpu *vcpu, enum umbra_inner_end why);

/* nested_insn.c: the instructions of the extension, by their exit codes. */
bool svm_inner_is_insn(u32 code);
int svm_inner_insn(struct umbra_vcpu *vcpu, u32 code);

#endif
