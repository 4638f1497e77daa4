/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One-line wrappers of the SVM instructions. Each tolerates the #UD that a
 * reboot on another CPU may cause by turning SVM off underneath: the machine
 * is going down then, and an oops would only hide why.
 */
#ifndef UMBRA_SVM_INSN_H
#define UMBRA_SVM_INSN_H

#include <linux/types.h>
#include <asm/asm.h>

/* Clear the global interrupt flag: nothing reaches this CPU until STGI. */
static __always_inline void svm_clgi(void)
{
	asm volatile("1: clgi\n2:\n" _ASM_EXTABLE(1b, 2b) ::: "memory");
}

/* Set the global interrupt flag: pending NMIs and SMIs are taken here. */
static __always_inline void svm_stgi(void)
{
	asm volatile("1: stgi\n2:\n" _ASM_EXTABLE(1b, 2b) ::: "memory");
}

/* Store the state that VMRUN does not switch into the VMCB at @pa. */
static __always_inline void svm_vmsave(u64 pa)
{
	asm volatile("1: vmsave %%rax\n2:\n" _ASM_EXTABLE(1b, 2b) :: "a" (pa) : "memory");
}

#endif
