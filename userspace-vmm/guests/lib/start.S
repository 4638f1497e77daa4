/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Entry of the tiny guests, 32 and 64 bit: own stack, guest_main(), exit status.
 *
 * On entry EAX holds the boot magic, EBX the boot information, EDI the number of
 * the vCPU. secondary_start is where guests start their other vCPUs.
 */
#define STACK_SIZE	8192
#define MAX_VCPUS	64

	.section .text.start, "ax"
	.globl _start
_start:
	cld
#ifdef __x86_64__
	mov	$first_stack_end, %esp
	mov	%ebx, %edi
	mov	%eax, %esi
	xor	%ebp, %ebp
	call	guest_main
	mov	%eax, %edi
	call	guest_exit
#else
	mov	$first_stack_end - 8, %esp
	xor	%ebp, %ebp
	push	%eax
	push	%ebx
	call	guest_main
	add	$4, %esp
	push	%eax
	call	guest_exit
#endif
	.size	_start, . - _start

	.text
	.globl secondary_start
secondary_start:
	cld
	mov	%edi, %eax
	imul	$STACK_SIZE, %eax, %eax
	lea	secondary_stacks(%eax), %eax
#ifdef __x86_64__
	mov	%eax, %esp
	xor	%ebp, %ebp
	call	secondary_main
#else
	lea	-12(%eax), %esp
	xor	%ebp, %ebp
	push	%edi
	call	secondary_main
#endif
1:	cli
	hlt
	jmp	1b

	/* For guests with one vCPU. */
	.weak	secondary_main
secondary_main:
	ret

	.bss
	.balign 16
	.skip	STACK_SIZE
first_stack_end:
	/* vCPU 0 needs none, so number n ends n stacks up. */
secondary_stacks:
	.skip	STACK_SIZE * MAX_VCPUS

	.section .note.GNU-stack, "", @progbits
