/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Load a register file, run one instruction, store the register file. Touches
 * no memory but the state between loading and storing.
 */
#include "emul_native.h"

	.text
	.globl	native_run
	.type	native_run, @function
native_run:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	pushfq
	mov	%rsp, NS_HOST_RSP(%rdi)
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vmovdqu	NS_VEC + 32 * \n(%rdi), %ymm\n
	.endr
	pushq	NS_FLAGS(%rdi)
	popfq
	mov	NS_GPR + 0(%rdi), %rax
	mov	NS_GPR + 8(%rdi), %rcx
	mov	NS_GPR + 16(%rdi), %rdx
	mov	NS_GPR + 24(%rdi), %rbx
	mov	NS_GPR + 32(%rdi), %rsp
	mov	NS_GPR + 40(%rdi), %rbp
	mov	NS_GPR + 48(%rdi), %rsi
	mov	NS_GPR + 64(%rdi), %r8
	mov	NS_GPR + 72(%rdi), %r9
	mov	NS_GPR + 80(%rdi), %r10
	mov	NS_GPR + 88(%rdi), %r11
	mov	NS_GPR + 96(%rdi), %r12
	mov	NS_GPR + 104(%rdi), %r13
	mov	NS_GPR + 112(%rdi), %r14
	mov	NS_GPR + 120(%rdi), %r15
	jmp	*NS_CODE(%rdi)
	.size	native_run, . - native_run

	.globl	native_exit
	.type	native_exit, @function
native_exit:
	mov	%rcx, NS_GPR + 8(%rax)
	mov	%rdx, NS_GPR + 16(%rax)
	mov	%rbx, NS_GPR + 24(%rax)
	mov	%rsp, NS_GPR + 32(%rax)
	mov	%rbp, NS_GPR + 40(%rax)
	mov	%rsi, NS_GPR + 48(%rax)
	mov	%rdi, NS_GPR + 56(%rax)
	mov	%r8, NS_GPR + 64(%rax)
	mov	%r9, NS_GPR + 72(%rax)
	mov	%r10, NS_GPR + 80(%rax)
	mov	%r11, NS_GPR + 88(%rax)
	mov	%r12, NS_GPR + 96(%rax)
	mov	%r13, NS_GPR + 104(%rax)
	mov	%r14, NS_GPR + 112(%rax)
	mov	%r15, NS_GPR + 120(%rax)
	mov	NS_HOST_RSP(%rax), %rsp
	pushfq
	popq	NS_FLAGS(%rax)
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vmovdqu	%ymm\n, NS_VEC + 32 * \n(%rax)
	.endr
	vzeroupper
	popfq
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret
	.size	native_exit, . - native_exit

	.section .note.GNU-stack, "", @progbits
