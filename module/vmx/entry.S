/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Enter and leave the guest on VT-x. The only assembly of this folder.
 *
 * Interrupts are off throughout: with external-interrupt exiting a pending one
 * ends the guest all the same, and is taken once the host turns them on. An NMI
 * may come until the entry and again after the exit; it finds the host's state,
 * but for registers that its handler saves.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/alternative.h>
#include <asm/cpufeatures.h>
#include <asm/frame.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/segment.h>
#include <asm/unwind_hints.h>
#include "../compat.h"

/* Offsets in vcpu->gpr: the encoding's order, 8 bytes each. RSP is in the VMCS. */
#define GPR_RAX 0
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

/* Offsets in struct vmx_vcpu; vmx.h asserts them. */
#define VMX_SPEC_GUEST 0
#define VMX_SPEC_HOST 8
#define VMX_SPEC_SWAP 16
#define VMX_SPEC_REWRITE 17
#define VMX_HW_HOST_RSP 24

/* The field's encoding; <asm/vmx.h> is for C. */
#define FIELD_HOST_RSP 0x6c14

.section .noinstr.text, "ax"

/*
 * int vmx_enter_guest(struct vmx_vcpu *vmx, u64 *gpr, bool launched)
 *
 * rdi: the vCPU: its SPEC_CTRL values, and the host RSP that its VMCS has
 * rsi: general registers, read and written back
 * dl: resume, not launch
 *
 * Returns 0 after an exit, 1 when there was no entry.
 */
SYM_FUNC_START(vmx_enter_guest)
	push %rbp
	push %r15
	push %r14
	push %r13
	push %r12
	push %rbx
	push %rdi
	push %rsi

	cmp %rsp, VMX_HW_HOST_RSP(%rdi)
	je .Lsame_stack
	mov %rsp, VMX_HW_HOST_RSP(%rdi)
	mov $FIELD_HOST_RSP, %eax
1:	vmwrite %rsp, %rax
.Lsame_stack:

	/* Carry: resume. What follows until the entry leaves it alone. */
	shr $1, %dl
	mov %rsi, %rax
	mov GPR_RCX(%rax), %rcx
	mov GPR_RDX(%rax), %rdx
	mov GPR_RBX(%rax), %rbx
	mov GPR_RBP(%rax), %rbp
	mov GPR_RSI(%rax), %rsi
	mov GPR_RDI(%rax), %rdi
	mov GPR_R8(%rax), %r8
	mov GPR_R9(%rax), %r9
	mov GPR_R10(%rax), %r10
	mov GPR_R11(%rax), %r11
	mov GPR_R12(%rax), %r12
	mov GPR_R13(%rax), %r13
	mov GPR_R14(%rax), %r14
	mov GPR_R15(%rax), %r15
	mov GPR_RAX(%rax), %rax

#ifdef X86_FEATURE_CLEAR_CPU_BUF
	/* Leave nothing of the host in the processor's buffers. Changes ZF alone. */
	ALTERNATIVE "jmp .Lno_verw", "", X86_FEATURE_CLEAR_CPU_BUF
	verw vmx_verw_selector(%rip)
.Lno_verw:
#endif
	jc 3f
2:	vmlaunch
	jmp 4f
3:	vmresume
	/* Refused: carry or zero is set, always. An exit goes on at the label below. */
4:	jbe .Lrefused

SYM_INNER_LABEL(vmx_exit_point, SYM_L_GLOBAL)
	ANNOTATE_NOENDBR
	/* The stack is the host's; every other register is the guest's. */
	push %rax
	mov 8(%rsp), %rax
	pop GPR_RAX(%rax)
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

	/* Return predictions and SPEC_CTRL are the guest's: change both before the first RET. */
	FILL_RETURN_BUFFER %rcx, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT, \
			   X86_FEATURE_RSB_VMEXIT_LITE
	xor %ebx, %ebx
.Lhost:
	mov 8(%rsp), %rdi
	cmpb $0, VMX_SPEC_SWAP(%rdi)
	je .Lno_swap
	mov $MSR_IA32_SPEC_CTRL, %ecx
	rdmsr
	mov %eax, VMX_SPEC_GUEST(%rdi)
	mov %edx, VMX_SPEC_GUEST + 4(%rdi)
	jmp .Lrewrite
.Lno_swap:
	cmpb $0, VMX_SPEC_REWRITE(%rdi)
	je .Lspec_done
.Lrewrite:
	mov $MSR_IA32_SPEC_CTRL, %ecx
	mov VMX_SPEC_HOST(%rdi), %eax
	mov VMX_SPEC_HOST + 4(%rdi), %edx
	wrmsr
.Lspec_done:
	/* The two branches above may have been mispredicted. */
	lfence
	UMBRA_CLEAR_BRANCH_HISTORY
	mov %ebx, %eax

	/* Leave no guest value where speculation could use it. */
	xor %ecx, %ecx
	xor %edx, %edx
	xor %esi, %esi
	xor %edi, %edi
	xor %r8d, %r8d
	xor %r9d, %r9d
	xor %r10d, %r10d
	xor %r11d, %r11d

	pop %rbx
	pop %rbx
	pop %rbx
	pop %r12
	pop %r13
	pop %r14
	pop %r15
	pop %rbp
	RET

.Lrefused:
	mov $1, %ebx
	jmp .Lhost

	_ASM_EXTABLE(1b, .Lrefused)
	_ASM_EXTABLE(2b, .Lrefused)
	_ASM_EXTABLE(3b, .Lrefused)
SYM_FUNC_END(vmx_enter_guest)

.section .rodata, "a"

/* VERW clears buffers only when its operand is in memory and valid. */
SYM_DATA_LOCAL(vmx_verw_selector, .word __KERNEL_DS)
