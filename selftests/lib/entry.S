/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Exception and interrupt entry of long mode guests: 256 stubs of 16 bytes,
 * which push the vector (and 0 where the processor pushes no error code), and
 * the common part, which builds struct ut_ex_regs on the stack.
 */

	.text
	.balign	16
	.global	ut_exception_stubs
ut_exception_stubs:
	vector = 0
	.rept	256
	.balign	16
	.if	(vector != 8) && (vector != 17) && (vector != 21) && \
		(vector != 29) && (vector != 30) && ((vector < 10) || (vector > 14))
	pushq	$0
	.endif
	pushq	$vector
	jmp	common
	vector = vector + 1
	.endr

common:
	pushq	%r15
	pushq	%r14
	pushq	%r13
	pushq	%r12
	pushq	%r11
	pushq	%r10
	pushq	%r9
	pushq	%r8
	pushq	%rdi
	pushq	%rsi
	pushq	%rbp
	pushq	%rbx
	pushq	%rdx
	pushq	%rcx
	pushq	%rax
	movq	%rsp, %rdi
	movq	%rsp, %rbp
	andq	$-16, %rsp
	cld
	call	ut_guest_exception
	movq	%rbp, %rsp
	popq	%rax
	popq	%rcx
	popq	%rdx
	popq	%rbx
	popq	%rbp
	popq	%rsi
	popq	%rdi
	popq	%r8
	popq	%r9
	popq	%r10
	popq	%r11
	popq	%r12
	popq	%r13
	popq	%r14
	popq	%r15
	addq	$16, %rsp	/* vector and error code */
	iretq

	.section .note.GNU-stack, "", @progbits
