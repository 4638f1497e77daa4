/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's part of paging.h: takes one operation after the other and notes how it ended. The
 * file includes itself for 16-bit, 32-bit and 64-bit code. All of it is data for the test, which
 * copies it into guests, where it works at its fixed addresses only.
 *
 * NAME(label) gives labels of one width, R(ax) is the full register, W(push) the instruction of
 * full width; LONG is defined in 64-bit code, REAL for real mode. RBP: the vCPU's control words
 * and its stack's end; RBX: the operation.
 */
#ifndef NAME
#include "paging.h"

#define UT_SEL_USER_DATA	0x1b		/* as in guest.h, which is C */
#define UT_SEL_USER_CODE	0x23
#define UT_SEL_TSS		0x28
#define HERE(label)	(NAME(label) - NAME(start) + UT_PG_CODE)
#define USER(label)	(NAME(label) - NAME(user) + UT_PG_USER_CODE)
#define FLAGS		2
#define FLAGS_AC	0x40002

	.section .rodata

	.code16
#define REAL
#define NAME(label)	pg16_##label
#define R(reg)		%e##reg
#define W(insn)		insn##l
#include "paging_engine.S"
#undef REAL
#undef NAME
#undef R
#undef W

	.code32
#define NAME(label)	pg32_##label
#define R(reg)		%e##reg
#define W(insn)		insn##l
#include "paging_engine.S"
#undef NAME
#undef R
#undef W

	.code64
#define LONG
#define NAME(label)	pg64_##label
#define R(reg)		%r##reg
#define W(insn)		insn##q
#include "paging_engine.S"

	.section .note.GNU-stack, "", @progbits

#else
	.balign 64
	.global	NAME(start), NAME(vectors), NAME(returned), NAME(end), NAME(user), NAME(user_end)
NAME(start):
#ifndef REAL
	/* QEMU's 32-bit code finds no stack for CPL 0 through a TR that was loaded as busy. */
	movl	$UT_SEL_TSS, %eax
	ltr	%ax
#endif
NAME(next):
	movl	(R(bp)), %ebx
	cmpl	8(R(bp)), %ebx
	jae	NAME(finished)
	movl	(R(bx)), %edx
	movl	UT_PG_OP_FLAGS(R(bx)), %ecx
	mov	UT_PG_OP_VALUE(R(bx)), R(ax)
	mov	UT_PG_OP_ADDR(R(bx)), R(si)
	movl	HERE(table)(, R(dx), 4), %edx
	jmp	*R(dx)

NAME(finished):
	movl	$UT_PG_PORT, %edx
	outl	%eax, %dx
	jmp	NAME(next)

	.balign	4
NAME(table):
	.long	HERE(read), HERE(write), HERE(fetch), HERE(set8), HERE(load8), HERE(cr0), HERE(cr3)
	.long	HERE(cr4), HERE(wrmsr), HERE(invlpg), HERE(invpcid), HERE(wrpkru), HERE(xchg)
	.long	HERE(getcr0), HERE(getcr2), HERE(getcr3), HERE(getcr4), HERE(rdmsr), HERE(cr2)

/* The end of every operation that did not fault; EAX has what was read. */
NAME(read_done):
	movl	%eax, UT_PG_OP_GOT(R(bx))
NAME(done):
	W(push)	$FLAGS
	W(popf)
	movl	$UT_PG_NO_FAULT, UT_PG_OP_VECTOR(R(bx))
NAME(advance):
	addl	$UT_PG_OP_SIZE, (R(bp))
	jmp	NAME(next)

	.macro	NAME(begin) label
	testl	$UT_PG_USER, %ecx
	jnz	NAME(to_user_\label)
	testl	$UT_PG_AC, %ecx
	jz	1f
	W(push)	$FLAGS_AC
	W(popf)
1:
	.endm

NAME(read):
	NAME(begin) read
	movl	(R(si)), %eax
	jmp	NAME(read_done)

NAME(write):
	NAME(begin) write
	movl	%eax, (R(si))
	jmp	NAME(done)

NAME(fetch):
	NAME(begin) fetch
	movl	$HERE(read_done), %edi
	jmp	*R(si)

NAME(xchg):
	NAME(begin) xchg
	lock xchgl %eax, (R(si))
	jmp	NAME(read_done)

NAME(set8):
#ifdef LONG
	movq	%rax, (%rsi)
#else
	movl	UT_PG_OP_VALUE + 4(R(bx)), %edx
	movl	%edx, 4(R(si))
	movl	%eax, (R(si))
#endif
	jmp	NAME(done)

NAME(load8):
#ifndef LONG
	movl	4(R(si)), %eax
	movl	%eax, UT_PG_OP_GOT + 4(R(bx))
#endif
	mov	(R(si)), R(ax)
	mov	R(ax), UT_PG_OP_GOT(R(bx))
	jmp	NAME(done)

	.macro	NAME(control) number
NAME(cr\number):
	mov	R(ax), %cr\number
	jmp	NAME(done)
NAME(getcr\number):
	mov	%cr\number, R(ax)
	mov	R(ax), UT_PG_OP_GOT(R(bx))
	jmp	NAME(done)
	.endm

	NAME(control) 0
	NAME(control) 2
	NAME(control) 3
	NAME(control) 4

NAME(rdmsr):
	movl	%esi, %ecx
	rdmsr
	movl	%eax, UT_PG_OP_GOT(R(bx))
	movl	%edx, UT_PG_OP_GOT + 4(R(bx))
	jmp	NAME(done)

NAME(wrmsr):
	movl	%esi, %ecx
	movl	UT_PG_OP_VALUE + 4(R(bx)), %edx
	wrmsr
	jmp	NAME(done)

NAME(invlpg):
	invlpg	(R(si))
	jmp	NAME(done)

NAME(invpcid):
	invpcid	UT_PG_OP_VALUE(R(bx)), R(cx)
	jmp	NAME(done)

NAME(wrpkru):
	xorl	%ecx, %ecx
	xorl	%edx, %edx
	wrpkru
	jmp	NAME(done)

/* To CPL 3 with EAX, RSI, RDI as they are; the way back is vector 0x80 or a fault. */
	.macro	NAME(to_user) label
NAME(to_user_\label):
	movl	$USER(user_back), %edi
	W(push)	$UT_SEL_USER_DATA
	W(push)	$0
	movl	$FLAGS, %edx
	testl	$UT_PG_AC, %ecx
	jz	1f
	movl	$FLAGS_AC, %edx
1:
	W(push)	R(dx)
	W(push)	$UT_SEL_USER_CODE
	W(push)	$USER(user_\label)
	W(iret)
	.endm

	NAME(to_user) read
	NAME(to_user) write
	NAME(to_user) fetch
	NAME(to_user) xchg

NAME(fault):
	W(pop)	R(ax)
	W(pop)	R(cx)
	movl	%eax, UT_PG_OP_VECTOR(R(bx))
	movl	%ecx, UT_PG_OP_ERROR(R(bx))
	mov	%cr2, R(ax)
	mov	R(ax), UT_PG_OP_CR2(R(bx))
	mov	R(bp), R(sp)
	W(push)	$FLAGS
	W(popf)
	jmp	NAME(advance)

/* Entries of the IDT: 16 bytes each for vectors 0 to 31, then the way back from CPL 3. */
	.balign 16
NAME(vectors):
	vector = 0
	.rept	32
	.balign 16
	.if	(vector != 8) && (vector != 17) && (vector != 21) && \
		(vector != 29) && (vector != 30) && ((vector < 10) || (vector > 14))
	W(push)	$0
	.endif
	W(push)	$vector
	jmp	NAME(fault)
	vector = vector + 1
	.endr
	.balign 16
NAME(returned):
	mov	R(bp), R(sp)
	jmp	NAME(read_done)
NAME(end):

	.balign 64
NAME(user):
NAME(user_read):
	movl	(R(si)), %eax
	int	$0x80
NAME(user_write):
	movl	%eax, (R(si))
	int	$0x80
NAME(user_xchg):
	lock xchgl %eax, (R(si))
	int	$0x80
NAME(user_fetch):
	jmp	*R(si)
NAME(user_back):
	int	$0x80
NAME(user_end):
#endif
