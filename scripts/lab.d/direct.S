/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What stands where a bzImage has its decompressor, when scripts/lab.d/direct has
 * unpacked the kernel already: move the kernel, which lies right behind, to where it belongs,
 * and go from the boot protocol's 32-bit or 64-bit entry to the kernel's own 64-bit one.
 *
 * Linked at 1 MiB, where boot loaders put what cannot be moved.  It must not touch the
 * boot parameters, nor any memory but its own and the kernel's.
 *
 * LOADED and KERNEL are addresses of the kernel, SIZE is its length, a multiple of 8.
 */
#define CR0_PG		0x80000000
#define CR4_PAE		0x20
#define MSR_EFER	0xc0000080
#define EFER_LME	0x100
#define PRESENT_RW	0x3
#define LARGE		0x80

	.code32
	.globl _start
_start:
	cli
	lgdt	gdt_pointer
	movl	%cr4, %eax
	orl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	$pml4, %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_LME, %eax
	wrmsr
	movl	%cr0, %eax
	orl	$CR0_PG, %eax
	movl	%eax, %cr0
	ljmp	$0x10, $long_mode

	/* The 64-bit entry. The boot loader's page tables may lie where the kernel goes. */
	.org	_start + 0x200
	.code64
	cli
	movl	$pml4, %eax
	movq	%rax, %cr3
long_mode:
	movl	$0x18, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	/* The boot parameters' address came in 32 bits. */
	movl	%esi, %ebx
	/* From its end, as the two places may overlap. */
	movl	$LOADED + SIZE - 8, %esi
	movl	$KERNEL + SIZE - 8, %edi
	movl	$SIZE / 8, %ecx
	std
	rep movsq
	cld
	movl	%ebx, %esi
	movl	$KERNEL, %eax
	jmp	*%rax

	.balign	8
gdt:
	.quad	0
	.quad	0
	.quad	0x00af9b000000ffff	/* 0x10: 64-bit code */
	.quad	0x00cf93000000ffff	/* 0x18: data */
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt

	/* The first 4 GiB where they are. */
	.balign	4096
pml4:
	.quad	pdpt + PRESENT_RW
	.fill	511, 8, 0
pdpt:
	.set	i, 0
	.rept	4
	.quad	directories + i * 4096 + PRESENT_RW
	.set	i, i + 1
	.endr
	.fill	508, 8, 0
directories:
	.set	i, 0
	.rept	2048
	.quad	i * 0x200000 + PRESENT_RW + LARGE
	.set	i, i + 1
	.endr
