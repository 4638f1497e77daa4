/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Real-mode guest: segments, the interrupt vector table, string and arithmetic
 * instructions, 32-bit operands and addresses, a far call. 16-bit code only.
 *
 * Every check that fails prints its letter and exits with 1.
 */
#define SERIAL		0x3f8
#define DEBUG_EXIT	0x501

	.macro	check condition, letter
	movb	$\letter, letter
	j\condition 9f
	jmp	fail
9:
	.endm

	.code16
	.text
	.globl _start
_start:
	cli
	cld
	mov	%eax, %ebp		/* boot magic */
	xor	%ax, %ax
	mov	%ax, %ds
	mov	%ax, %ss
	mov	$0x7c00, %sp
	mov	$hello, %si
	call	puts

	cmp	$0x2badb002, %ebp
	check	e, 'a'
	mov	%cr0, %eax
	test	$1, %al
	check	z, 'b'

	/* One byte, three names: 0x12345 as 1234:0005, 1000:2345 and 0fff:2355. */
	mov	$0x1234, %ax
	mov	%ax, %es
	movb	$0x5a, %es:5
	mov	$0x1000, %ax
	mov	%ax, %fs
	cmpb	$0x5a, %fs:0x2345
	check	e, 'c'
	mov	$0x0fff, %ax
	mov	%ax, %gs
	mov	$0x2355, %bx
	cmpb	$0x5a, %gs:(%bx)
	check	e, 'd'

	/* Vector 0x21 through the table; the handler sees and changes the flags. */
	movw	$handler, 0x21 * 4
	movw	$0, 0x21 * 4 + 2
	mov	$0x1111, %ax
	clc
	int	$0x21
	check	c, 'e'
	cmp	$0x2222, %ax
	check	e, 'f'

	/* Divide error, vector 0: the saved IP is the instruction's own. */
	movw	$divide, 0
	movw	$0, 2
	xor	%dx, %dx
	xor	%cx, %cx
divides:
	div	%cx
	cmp	$0x0d1e, %cx
	check	e, 'g'

	/* 16-bit wrap of the index, 32-bit arithmetic, REP with the right counts. */
	mov	$0x2000, %ax
	mov	%ax, %es
	mov	$0xabcd, %ax
	mov	$0xfffe, %di
	mov	$3, %cx
	rep stosw
	cmp	$4, %di
	check	e, 'h'
	cmpw	$0xabcd, %es:2
	check	e, 'i'
	mov	$0x89abcdef, %eax
	mov	$0x12345678, %ecx
	mul	%ecx
	cmp	$0x09ca39e0, %edx
	check	e, 'j'
	lea	0x10(%eax, %ecx, 2), %edx
	sub	%eax, %edx
	cmp	$0x2468ad00, %edx
	check	e, 'k'

	lcall	$0, $far_routine
	cmp	$0x600d, %bx
	check	e, 'l'

	mov	$good, %si
	call	puts
	xor	%eax, %eax
	mov	$DEBUG_EXIT, %dx
	out	%eax, %dx

handler:
	push	%bp
	mov	%sp, %bp
	orw	$1, 6(%bp)		/* carry in the saved flags */
	pop	%bp
	add	%ax, %ax
	iret

divide:
	mov	$0x0d1e, %cx
	push	%bp
	mov	%sp, %bp
	cmpw	$divides, 2(%bp)
	check	e, 'm'
	addw	$2, 2(%bp)		/* over the instruction */
	pop	%bp
	iret

far_routine:
	mov	$0x600d, %bx
	lret

fail:
	mov	$bad, %si
	call	puts
	mov	$1, %eax
	mov	$DEBUG_EXIT, %dx
	out	%eax, %dx

puts:
	push	%ds
	xor	%ax, %ax
	mov	%ax, %ds
1:	mov	$SERIAL + 5, %dx
	in	%dx, %al
	test	$0x20, %al
	jz	1b
	lodsb
	test	%al, %al
	jz	2f
	mov	$SERIAL, %dx
	out	%al, %dx
	jmp	1b
2:	pop	%ds
	ret

hello:	.asciz	"real: segments, vector table, strings, 32-bit operands in 16-bit code\n"
good:	.asciz	"real: all right\n"
bad:	.ascii	"real: FAILED check "
letter:	.asciz	"?\n"

	.section .note.GNU-stack, "", @progbits
