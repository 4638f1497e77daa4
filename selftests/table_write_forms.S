/* SPDX-License-Identifier: GPL-2.0 */
/* See table_write.h. */

#define CF	0x1
#define PF	0x4
#define AF	0x10
#define SF	0x80
#define OF	0x800
/* What BTS and its like leave undefined. */
#define BITS	(PF | AF | SF | OF)

	.section .bss
	.balign	4096
	.globl	tw_plain, tw_table
tw_plain:
	.skip	4096
tw_table:
	.skip	4096

	/* Both copies of an instruction; @table where it names its operand. */
	.macro	form undefined:req, plain:req, table
	.pushsection .text
801:	\plain
	ret
802:
	.ifb	\table
	\plain
	.else
	\table
	.endif
	ret
	.popsection
	.quad	801b, 802b, \undefined
	.endm

	/* With the operand's name between @before and @after. */
	.macro	named undefined:req, before:req, after
	form	\undefined, "\before tw_plain+0xc00\after", "\before tw_table+0xc00\after"
	.endm

	.section .rodata
	.balign	8
	.globl	tw_forms, tw_forms_end
tw_forms:
	form	0, "movq %rax, (%rdi)"
	form	0, "movl %eax, (%rdi)"
	form	0, "movw %ax, (%rdi)"
	form	0, "movb %ah, (%rdi)"
	form	0, "movq %r9, (%r12)"
	form	0, "movl %r15d, (%r13)"
	form	0, "movq %rdx, -0x80(%rbx)"
	form	0, "movq %rdx, 0x12345678(%r14)"
	form	0, "movq %rdx, (%rsi,%rcx,8)"
	form	0, "movl %edx, 8(%rsi,%rcx,8)"
	named	0, "movq %rdx,", "-40(,%rcx,8)"
	form	0, "movq %rsp, (%rdi)"
	named	0, "movq %rax,", "(%rip)"
	named	0, "movq %rax,"
	form	0, "movq %rax, %fs:0x40"
	form	0, "movl %eax, %gs:(%r9)"
	form	0, ".byte 0x3e; movq %rax, (%rdi)"
	form	0, "movq %rax, (%edi)"
	form	0, "movq $-2, (%rdi)"
	form	0, "movl $0x87654321, (%rdi)"
	form	0, "movq $0, -0x80(%rbx)"
	form	0, "movq $0x7fffffff, (%rsi,%rcx,8)"
	named	0, "movl $0x1234,", "(%rip)"
	form	0, "movq %rax, 3(%rdi)"
	form	0, "movl %eax, 6(%rdi)"
	form	0, "movntiq %rax, (%rdi)"
	form	0, "xchgq %rax, (%rdi)"
	form	0, "xchgl %edx, (%rdi)"
	form	0, "xchgq %r10, (%r12)"
	form	0, "xchgb %al, (%rdi)"
	form	0, "lock xchgq %rax, (%rdi)"
	form	0, "xchgl %eax, 2(%rdi)"
	form	0, "lock cmpxchgq %rcx, (%rdi)"
	form	0, "lock cmpxchgl %r10d, (%rdi)"
	form	0, "lock cmpxchgw %cx, (%rdi)"
	form	0, "cmpxchgq %rcx, (%rdi)"
	named	0, "lock cmpxchgq %rcx,", "(%rip)"
	form	AF, "lock orq %rax, (%rdi)"
	form	AF, "lock orl %r8d, (%rdi)"
	form	AF, "lock orb $0x40, (%rdi)"
	named	AF, "lock orb $0x42,", "(%rip)"
	form	AF, "lock orb $0x80, 7(%rdi)"
	form	AF, "lock orq $-128, (%rdi)"
	form	AF, "lock orl $0x11111111, (%rdi)"
	form	AF, "orq %rax, (%rdi)"
	form	AF, "lock andq %rax, (%rdi)"
	form	AF, "lock andl %ecx, (%rdi)"
	form	AF, "lock andb $0xfd, (%rdi)"
	form	AF, "lock andb $0xdf, -0x80(%rbx)"
	form	AF, "lock andq $-3, (%rdi)"
	form	AF, "lock andq $-0x1000, (%rdi)"
	form	AF, "lock andl $0, (%rdi)"
	form	AF, "lock xorq %rax, (%rdi)"
	form	BITS, "lock btsq $63, (%rdi)"
	form	BITS, "lock btsl $33, (%rdi)"
	form	BITS, "lock btrq $5, (%rdi)"
	form	BITS, "lock btrl $31, (%rdi)"
	form	BITS, "lock btcq $6, (%rdi)"
	form	BITS, "lock btrq %rcx, (%rdi)"
	form	BITS, "lock btsq %r8, (%rdi)"
	form	0, "lock addq %rax, (%rdi)"
	form	0, "lock xaddq %rax, (%rdi)"
	form	0, "incl (%rdi)"
	form	0, "pushq %rdx; popq (%rdi)"
tw_forms_end:

	.text
	.globl	tw_run
tw_run:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdi
	push	%rsi
	pushq	128(%rdi)
	mov	0(%rdi), %rax
	mov	8(%rdi), %rcx
	mov	16(%rdi), %rdx
	mov	24(%rdi), %rbx
	mov	40(%rdi), %rbp
	mov	48(%rdi), %rsi
	mov	64(%rdi), %r8
	mov	72(%rdi), %r9
	mov	80(%rdi), %r10
	mov	88(%rdi), %r11
	mov	96(%rdi), %r12
	mov	104(%rdi), %r13
	mov	112(%rdi), %r14
	mov	120(%rdi), %r15
	mov	56(%rdi), %rdi
	popf
	call	*(%rsp)
	push	%rdi
	mov	16(%rsp), %rdi
	pushf
	popq	128(%rdi)
	cld
	mov	%rax, 0(%rdi)
	mov	%rcx, 8(%rdi)
	mov	%rdx, 16(%rdi)
	mov	%rbx, 24(%rdi)
	mov	%rsp, 32(%rdi)
	mov	%rbp, 40(%rdi)
	mov	%rsi, 48(%rdi)
	popq	56(%rdi)
	mov	%r8, 64(%rdi)
	mov	%r9, 72(%rdi)
	mov	%r10, 80(%rdi)
	mov	%r11, 88(%rdi)
	mov	%r12, 96(%rdi)
	mov	%r13, 104(%rdi)
	mov	%r14, 112(%rdi)
	mov	%r15, 120(%rdi)
	pop	%rsi
	pop	%rdi
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

	.section .note.GNU-stack, "", @progbits
