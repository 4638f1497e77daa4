// SPDX-License-Identifier: GPL-2.0
/*
 * A guest that is a hypervisor on AMD-V: its VMCB, and the way in and out of its own guest.
 */
#include "svm.h"

/* Segment attributes as a VMCB has them. */
#define ATTR_CODE64	0xa9b
#define ATTR_DATA	0xc93

static void clear(u64 from, u64 bytes)
{
	u64 i;

	for (i = 0; i < bytes; i += 8)
		guest_write64(from + i, 0);
}

void guest_svm_on(void)
{
	guest_wrmsr(UT_MSR_EFER, guest_rdmsr(UT_MSR_EFER) | UT_EFER_SVME);
	guest_wrmsr(UT_MSR_VM_HSAVE_PA, UT_SVM_HSAVE);
}

static u64 read_dr(int nr)
{
	u64 v;

	if (nr == 6)
		asm volatile("mov %%dr6, %0" : "=r"(v));
	else
		asm volatile("mov %%dr7, %0" : "=r"(v));
	return v;
}

static void set_segments(volatile struct ut_svm_vmcb *vmcb)
{
	const struct ut_svm_seg data = {
		.selector = UT_SEL_DATA, .attrib = ATTR_DATA, .limit = ~0u,
	};
	struct {
		u16 limit;
		u64 base;
	} __attribute__((packed)) table;

	vmcb->cs = (struct ut_svm_seg) {
		.selector = UT_SEL_CODE64, .attrib = ATTR_CODE64, .limit = ~0u,
	};
	vmcb->ss = data;
	vmcb->ds = data;
	vmcb->es = data;
	asm volatile("sgdt %0" : "=m"(table));
	vmcb->gdtr.base = table.base;
	vmcb->gdtr.limit = table.limit;
	asm volatile("sidt %0" : "=m"(table));
	vmcb->idtr.base = table.base;
	vmcb->idtr.limit = table.limit;
}

void guest_svm_setup(void (*fn)(void))
{
	volatile struct ut_svm_vmcb *vmcb = guest_vmcb();

	clear(UT_SVM_VMCB, UT_PAGE_SIZE);
	clear(UT_SVM_IOPM, 5 * UT_PAGE_SIZE);
	guest_vmsave(UT_SVM_VMCB);
	set_segments(vmcb);
	vmcb->iopm = UT_SVM_IOPM;
	vmcb->msrpm = UT_SVM_MSRPM;
	vmcb->asid = 1;
	vmcb->efer = guest_rdmsr(UT_MSR_EFER);
	vmcb->cr0 = guest_read_cr(0);
	vmcb->cr2 = guest_read_cr(2);
	vmcb->cr3 = guest_read_cr(3);
	vmcb->cr4 = guest_read_cr(4);
	vmcb->dr6 = read_dr(6);
	vmcb->dr7 = read_dr(7);
	vmcb->rflags = UT_RFLAGS_FIXED;
	vmcb->rip = (u64)fn;
	/* As behind a CALL. */
	vmcb->rsp = UT_SVM_STACK - 8;
	guest_svm_intercept(UT_SVM_VMRUN);
	guest_svm_intercept(UT_SVM_VMMCALL);
}

/* All registers but RAX and RSP, which are the processor's business, change places. */
static u64 inner_gpr[14];

#define EXCHANGE						\
	"xchg %%rbx, 0(%%rax)\n\txchg %%rcx, 8(%%rax)\n\t"	\
	"xchg %%rdx, 16(%%rax)\n\txchg %%rbp, 24(%%rax)\n\t"	\
	"xchg %%rsi, 32(%%rax)\n\txchg %%rdi, 40(%%rax)\n\t"	\
	"xchg %%r8, 48(%%rax)\n\txchg %%r9, 56(%%rax)\n\t"	\
	"xchg %%r10, 64(%%rax)\n\txchg %%r11, 72(%%rax)\n\t"	\
	"xchg %%r12, 80(%%rax)\n\txchg %%r13, 88(%%rax)\n\t"	\
	"xchg %%r14, 96(%%rax)\n\txchg %%r15, 104(%%rax)\n\t"

u64 guest_svm_enter(void)
{
	asm volatile("push %%rax\n\tmov $%c[at], %%eax\n\t"
		     EXCHANGE "pop %%rax\n\t"
		     "vmrun %%rax\n\t"
		     "push %%rax\n\tmov $%c[at], %%eax\n\t"
		     EXCHANGE "pop %%rax"
		     : : "a"(UT_SVM_VMCB), [at] "i"(inner_gpr)
		     : "memory", "cc");
	return guest_vmcb()->exit_code;
}

u64 guest_svm_run(void)
{
	u64 code = guest_svm_enter();

	guest_stgi();
	if (code == UT_SVM_VMMCALL)
		guest_vmcb()->rip += 3;
	return code;
}
