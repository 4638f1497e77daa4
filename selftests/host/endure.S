/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A flat 32-bit guest that works until it is told to stop, and notices when anything of
 * its state was lost meanwhile: general registers, an SSE register, memory. It says "on"
 * first; a byte on the serial port ends it, with 42 when all was right, else with 1.
 */
#define SERIAL		0x3f8
#define LINE_STATUS	0x3fd
#define DEBUG_EXIT	0x501
#define ROUND		200000
#define PATTERN		0x5eed1e55

	.code32
	.text
	.globl	_start
_start:
	mov	%cr4, %eax
	or	$0x600, %eax		/* SSE, and its exceptions */
	mov	%eax, %cr4
	mov	$PATTERN, %eax
	movd	%eax, %xmm5
	sti				/* or Bochs keeps interrupts from the host for KVM */
	mov	$SERIAL, %dx
	mov	$'o', %al
	out	%al, %dx
	mov	$'n', %al
	out	%al, %dx
	mov	$'\n', %al
	out	%al, %dx

	xor	%ebx, %ebx		/* counts up */
	xor	%esi, %esi		/* counts down */
	movl	$0, counter
round:
	mov	$ROUND, %ecx
1:	inc	%ebx
	dec	%esi
	incl	counter
	loop	1b

	mov	%ebx, %eax
	add	%esi, %eax
	jnz	wrong
	cmp	counter, %ebx
	jne	wrong
	movd	%xmm5, %eax
	cmp	$PATTERN, %eax
	jne	wrong
	mov	$LINE_STATUS, %dx
	in	%dx, %al
	test	$1, %al
	jz	round
	mov	$42, %al
	jmp	leave
wrong:
	mov	$1, %al
leave:
	mov	$DEBUG_EXIT, %dx
	out	%al, %dx
	hlt
	jmp	leave

	.balign	4
counter:
	.long	0
