/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Interrupt stubs of the tiny guests: one frame layout for all vectors, with and
 * without error code, struct trap_frame in trap.h.
 */
#define HAS_ERROR	0x60227d00	/* vectors 8, 10 to 14, 17, 21, 29, 30 */

	.text
	.balign 16
	.globl trap_stubs
trap_stubs:
	.set	vector, 0
	.rept	256
	.balign 16
	.set	has_error, 0
	.if	vector < 32
	.set	has_error, (HAS_ERROR >> vector) & 1
	.endif
	.if	!has_error
	push	$0
	.endif
	push	$vector
	jmp	common
	.set	vector, vector + 1
	.endr

common:
#ifdef __x86_64__
	.irp	reg, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
	push	%\reg
	.endr
	mov	%rsp, %rdi
	mov	%rsp, %rbx
	and	$-16, %rsp
	cld
	call	trap_handler
	mov	%rbx, %rsp
	.irp	reg, r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax
	pop	%\reg
	.endr
	add	$16, %rsp
	iretq
#else
	.irp	reg, eax, ebx, ecx, edx, esi, edi, ebp
	push	%\reg
	.endr
	mov	%esp, %ebx
	sub	$16, %esp
	and	$-16, %esp
	mov	%ebx, (%esp)
	cld
	call	trap_handler
	mov	%ebx, %esp
	.irp	reg, ebp, edi, esi, edx, ecx, ebx, eax
	pop	%\reg
	.endr
	add	$8, %esp
	iret
#endif

	.section .note.GNU-stack, "", @progbits
