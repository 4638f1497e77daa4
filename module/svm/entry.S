/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Enter and leave the guest on AMD-V. The only assembly of this folder.
 *
 * The global interrupt flag is clear throughout, so that neither NMI nor SMI
 * nor machine check meets the guest's FS, GS, TR or system-call MSRs. EFLAGS.IF
 * is set around VMRUN: with V_INTR_MASKING the processor takes the host's IF at
 * VMRUN to decide whether a physical interrupt ends the guest.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/alternative.h>
#include <asm/frame.h>
#include <asm/nospec-branch.h>
#include <asm/cpufeatures.h>
#include <asm/segment.h>

/* Offsets in vcpu->gpr: the encoding's order, 8 bytes each. RAX, RSP: VMCB. */
#define GPR_RCX 8
#define GPR_RDX 16
#define GPR_RBX 24
#define GPR_RBP 40
#define GPR_RSI 48
#define GPR_RDI 56
#define GPR_R8 64
#define GPR_R9 72
#define GPR_R10 80
#define GPR_R11 88
#define GPR_R12 96
#define GPR_R13 104
#define GPR_R14 112
#define GPR_R15 120

/*
 * What the kernel's FILL_RETURN_BUFFER does, without its loop: every entry of the
 * return stack buffer becomes a call whose return address is a trap. Straight, as the
 * kernel's form for 32 bits, it takes 34 instructions instead of 82, and leaves no
 * branch to mispredict; LFENCE still keeps what follows from running ahead of it.
 * Where the kernel does not ask for it, it is jumped over.
 */
.macro SVM_FILL_RETURN_BUFFER
	ALTERNATIVE "jmp .Lno_fill", "", X86_FEATURE_RSB_VMEXIT
	.rept RSB_CLEAR_LOOPS
	ANNOTATE_INTRA_FUNCTION_CALL
	call 7f
	int3
7:
	.endr
	add $(8 * RSB_CLEAR_LOOPS), %rsp
	lfence
.Lno_fill:
.endm

.section .noinstr.text, "ax"

/*
 * void svm_enter_guest(u64 *gpr, u64 vmcb_pa, u64 host_vmcb_pa)
 *
 * rdi: general registers, read and written back
 * rsi: physical address of the VMCB
 * rdx: physical address of the VMSAVE image of the host
 */
SYM_FUNC_START(svm_enter_guest)
	push %rbp
	push %r15
	push %r14
	push %r13
	push %r12
	push %rbx
	push %rdx
	push %rdi

	mov %rsi, %rax
	mov GPR_RCX(%rdi), %rcx
	mov GPR_RDX(%rdi), %rdx
	mov GPR_RBX(%rdi), %rbx
	mov GPR_RBP(%rdi), %rbp
	mov GPR_RSI(%rdi), %rsi
	mov GPR_R8(%rdi), %r8
	mov GPR_R9(%rdi), %r9
	mov GPR_R10(%rdi), %r10
	mov GPR_R11(%rdi), %r11
	mov GPR_R12(%rdi), %r12
	mov GPR_R13(%rdi), %r13
	mov GPR_R14(%rdi), %r14
	mov GPR_R15(%rdi), %r15
	mov GPR_RDI(%rdi), %rdi

#ifdef X86_FEATURE_CLEAR_CPU_BUF_VM
	/* Leave nothing of the host in the processor's buffers. Changes ZF alone. */
	ALTERNATIVE "jmp .Lno_verw", "", X86_FEATURE_CLEAR_CPU_BUF_VM
	verw svm_verw_selector(%rip)
.Lno_verw:
#endif
	sti
1:	vmload %rax
2:	vmrun %rax
3:	vmsave %rax
4:	cli

	/* RAX is the VMCB's address again; every other register is the guest's. */
	SVM_FILL_RETURN_BUFFER
	pop %rax
	mov %rcx, GPR_RCX(%rax)
	mov %rdx, GPR_RDX(%rax)
	mov %rbx, GPR_RBX(%rax)
	mov %rbp, GPR_RBP(%rax)
	mov %rsi, GPR_RSI(%rax)
	mov %rdi, GPR_RDI(%rax)
	mov %r8, GPR_R8(%rax)
	mov %r9, GPR_R9(%rax)
	mov %r10, GPR_R10(%rax)
	mov %r11, GPR_R11(%rax)
	mov %r12, GPR_R12(%rax)
	mov %r13, GPR_R13(%rax)
	mov %r14, GPR_R14(%rax)
	mov %r15, GPR_R15(%rax)

	pop %rax
5:	vmload %rax
6:
	/* Untrain before the first RET: return predictions are the guest's. */
	UNTRAIN_RET

	/* Leave no guest value where speculation could use it. */
	xor %eax, %eax
	xor %ecx, %ecx
	xor %edx, %edx
	xor %esi, %esi
	xor %edi, %edi
	xor %r8d, %r8d
	xor %r9d, %r9d
	xor %r10d, %r10d
	xor %r11d, %r11d

	pop %rbx
	pop %r12
	pop %r13
	pop %r14
	pop %r15
	pop %rbp
	RET

	_ASM_EXTABLE(1b, 2b)
	_ASM_EXTABLE(2b, 3b)
	_ASM_EXTABLE(3b, 4b)
	_ASM_EXTABLE(5b, 6b)
SYM_FUNC_END(svm_enter_guest)

.section .rodata, "a"

/* VERW clears buffers only when its operand is in memory and valid. */
SYM_DATA_LOCAL(svm_verw_selector, .word __KERNEL_DS)
