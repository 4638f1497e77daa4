/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Library of the selftests, guest side: a guest on AMD-V that is a hypervisor itself. Its own
 * guest (the inner one) is a function of the test's, in the same image and page tables, on a
 * stack of its own, that ends with VMMCALL. Knows nothing of what a test expects.
 */
#ifndef SELFTESTS_SVM_H
#define SELFTESTS_SVM_H

#include "guest.h"

/* Physical pages, mapped where they are. */
#define UT_SVM_VMCB		0xe00000ull
#define UT_SVM_HSAVE		0xe01000ull
#define UT_SVM_IOPM		0xe02000ull	/* three pages */
#define UT_SVM_MSRPM		0xe05000ull	/* two pages */
/* End of its stack: low in that of the first vCPU, by which guest_cpu() knows who it is. */
#define UT_SVM_STACK		0x204000ull

#define UT_MSR_EFER		0xc0000080u
#define UT_EFER_LME		BIT_ULL(8)
#define UT_EFER_LMA		BIT_ULL(10)
#define UT_EFER_SVME		BIT_ULL(12)
#define UT_MSR_VM_CR		0xc0010114u
#define UT_MSR_VM_HSAVE_PA	0xc0010117u

/* Exit codes, which are numbers of intercept bits as well. */
#define UT_SVM_CR(n)		(0x00 + (n))
#define UT_SVM_CR_WRITE(n)	(0x10 + (n))
#define UT_SVM_EXCP(n)		(0x40 + (n))
#define UT_SVM_INTR		0x60
#define UT_SVM_NMI		0x61
#define UT_SVM_VINTR		0x64
#define UT_SVM_CR0_SEL		0x65
#define UT_SVM_CPUID		0x72
#define UT_SVM_HLT		0x78
#define UT_SVM_IOIO		0x7b
#define UT_SVM_MSR		0x7c
#define UT_SVM_SHUTDOWN		0x7f
#define UT_SVM_VMRUN		0x80
#define UT_SVM_VMMCALL		0x81
#define UT_SVM_INVALID		(~0ull)

#define UT_SVM_V_IRQ		BIT_ULL(8)
#define UT_SVM_V_PRIO(n)	((u32)(n) << 16)
#define UT_SVM_V_MASKING	BIT_ULL(24)
#define UT_SVM_SHADOW		BIT_ULL(0)
#define UT_SVM_NP_ENABLE	BIT_ULL(0)

/* EVENTINJ and EXITINTINFO. */
#define UT_SVM_EV(type, vector)	(BIT_ULL(31) | (type) << 8 | (vector))
#define UT_SVM_EV_ERROR		BIT_ULL(11)
#define UT_SVM_EV_INTR		0u
#define UT_SVM_EV_NMI		2u
#define UT_SVM_EV_EXCP		3u
#define UT_SVM_EV_SOFT		4u

struct ut_svm_seg {
	u16 selector, attrib;
	u32 limit;
	u64 base;
};

/* The fields that tests use, at the places of the manual's appendix. */
struct ut_svm_vmcb {
	u32 intercepts[6];
	u8 pad1[0x40 - 0x18];
	u64 iopm, msrpm, tsc_offset;
	u32 asid, tlb;
	u32 int_ctl, int_vector;
	u64 int_state, exit_code, info1, info2;
	u32 exit_int_info, exit_int_error;
	u64 nested_ctl;
	u8 pad2[0xa8 - 0x98];
	u32 event, event_error;
	u8 pad3[0xc8 - 0xb0];
	u64 next_rip;
	u8 pad4[0x400 - 0xd0];
	struct ut_svm_seg es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	u8 pad5[0xcb - 0xa0];
	u8 cpl;
	u32 pad6;
	u64 efer;
	u8 pad7[0x148 - 0xd8];
	u64 cr4, cr3, cr0, dr7, dr6, rflags, rip;
	u8 pad8[0x1d8 - 0x180];
	u64 rsp;
	u8 pad9[0x1f8 - 0x1e0];
	u64 rax, star, lstar, cstar, sfmask, kernel_gs_base;
	u64 sysenter_cs, sysenter_esp, sysenter_eip, cr2;
} __attribute__((packed));

_Static_assert(offsetof(struct ut_svm_vmcb, asid) == 0x58, "VMCB");
_Static_assert(offsetof(struct ut_svm_vmcb, exit_code) == 0x70, "VMCB");
_Static_assert(offsetof(struct ut_svm_vmcb, event) == 0xa8, "VMCB");
_Static_assert(offsetof(struct ut_svm_vmcb, efer) == 0x4d0, "VMCB");
_Static_assert(offsetof(struct ut_svm_vmcb, cr4) == 0x548, "VMCB");
_Static_assert(offsetof(struct ut_svm_vmcb, cr2) == 0x640, "VMCB");

static inline volatile struct ut_svm_vmcb *guest_vmcb(void)
{
	return (volatile struct ut_svm_vmcb *)UT_SVM_VMCB;
}

static inline void guest_svm_intercept(unsigned int bit)
{
	guest_vmcb()->intercepts[bit / 32] |= 1u << bit % 32;
}

static inline void guest_svm_unintercept(unsigned int bit)
{
	guest_vmcb()->intercepts[bit / 32] &= ~(1u << bit % 32);
}

static inline void guest_stgi(void)
{
	asm volatile("stgi" : : : "memory");
}

static inline void guest_clgi(void)
{
	asm volatile("clgi" : : : "memory");
}

static inline void guest_vmload(u64 gpa)
{
	asm volatile("vmload %%rax" : : "a"(gpa) : "memory");
}

static inline void guest_vmsave(u64 gpa)
{
	asm volatile("vmsave %%rax" : : "a"(gpa) : "memory");
}

/* Ends the inner guest; it goes on behind it when it is run again. */
static inline void guest_vmmcall(void)
{
	asm volatile("vmmcall" : : : "memory");
}

/* Set EFER.SVME and the page for the processor's state. */
void guest_svm_on(void);
/* An inner guest at @fn: what runs now, with maps that let all through, and VMMCALL. */
void guest_svm_setup(void (*fn)(void));
/* VMRUN; the exit code. GIF is clear on return. */
u64 guest_svm_enter(void);
/* The same, and STGI. Behind VMMCALL, RIP is moved on. */
u64 guest_svm_run(void);

#endif
