// SPDX-License-Identifier: GPL-2.0
/*
 * First state of a vCPU: 64-bit with the library's tables, or real mode and
 * protected mode without paging for small assembler guests.
 */
#include <string.h>
#include "umbra_util.h"

#define CR0_PE		BIT_ULL(0)
#define CR0_MP		BIT_ULL(1)
#define CR0_ET		BIT_ULL(4)
#define CR0_NE		BIT_ULL(5)
#define CR0_WP		BIT_ULL(16)
#define CR0_PG		BIT_ULL(31)
#define CR4_PAE		BIT_ULL(5)
#define CR4_OSFXSR	BIT_ULL(9)
#define CR4_OSXMMEXCPT	BIT_ULL(10)
#define EFER_SCE	BIT_ULL(0)
#define EFER_LME	BIT_ULL(8)
#define EFER_LMA	BIT_ULL(10)
#define EFER_NX		BIT_ULL(11)

#define SEG_CODE	0xb	/* execute, read, accessed */
#define SEG_DATA	0x3	/* read, write, accessed */
#define SEG_TSS		0xb	/* busy */

/* One page for each vCPU: its GDT, and its TSS at this offset. */
#define TSS_OFFSET	0x100
#define TSS_LIMIT	0x67

static u64 stack_base(const struct ut_vcpu *vcpu)
{
	int i;

	for (i = 0; i < vcpu->vm->nr_vcpus; i++)
		if (vcpu->vm->vcpu[i] == vcpu)
			break;
	return UT_STACKS_GPA + i * UT_STACK_SIZE;
}

static u64 fill_gdt(struct ut_vm *vm, u64 stack)
{
	u64 gpa = ut_alloc_table(vm), tss = gpa + TSS_OFFSET;
	u64 *gdt = ut_hva(vm, gpa);
	char *ts = ut_hva(vm, tss);
	u64 rsp0 = stack + UT_STACK_SIZE / 2, ist1 = stack + UT_STACK_SIZE / 4;

	gdt[UT_SEL_CODE64 >> 3] = 0x00af9b000000ffffull;
	gdt[UT_SEL_DATA >> 3] = 0x00cf93000000ffffull;
	gdt[UT_SEL_USER_DATA >> 3] = 0x00cff3000000ffffull;
	gdt[UT_SEL_USER_CODE >> 3] = 0x00affb000000ffffull;
	gdt[UT_SEL_TSS >> 3] = TSS_LIMIT | (tss & 0xffffff) << 16 | 0x8bull << 40 |
			       (tss >> 24 & 0xff) << 56;
	gdt[UT_SEL_CODE32 >> 3] = 0x00cf9b000000ffffull;
	gdt[UT_SEL_CODE16 >> 3] = 0x00009b000000ffffull;
	gdt[UT_SEL_DATA16 >> 3] = 0x000093000000ffffull;
	memcpy(ts + 4, &rsp0, sizeof(rsp0));
	memcpy(ts + 36, &ist1, sizeof(ist1));
	return gpa;
}

static void set_seg(struct kvm_segment *seg, u16 selector, u8 type)
{
	memset(seg, 0, sizeof(*seg));
	seg->selector = selector;
	seg->limit = 0xffffffff;
	seg->type = type;
	seg->present = 1;
	seg->dpl = selector & 3;
	seg->s = 1;
	seg->g = 1;
	seg->db = 1;
}

static void set_data_segs(struct kvm_sregs *sregs, const struct kvm_segment *data)
{
	sregs->ds = *data;
	sregs->es = *data;
	sregs->fs = *data;
	sregs->gs = *data;
	sregs->ss = *data;
}

static void set_long_segs(struct kvm_sregs *sregs, u64 gdt)
{
	struct kvm_segment data;

	set_seg(&data, UT_SEL_DATA, SEG_DATA);
	set_data_segs(sregs, &data);
	set_seg(&sregs->cs, UT_SEL_CODE64, SEG_CODE);
	sregs->cs.l = 1;
	sregs->cs.db = 0;
	set_seg(&sregs->tr, UT_SEL_TSS, SEG_TSS);
	sregs->tr.base = gdt + TSS_OFFSET;
	sregs->tr.limit = TSS_LIMIT;
	sregs->tr.s = 0;
	sregs->tr.g = 0;
	sregs->tr.db = 0;
	memset(&sregs->ldt, 0, sizeof(sregs->ldt));
	sregs->ldt.unusable = 1;
	sregs->gdt.base = gdt;
	sregs->gdt.limit = TSS_OFFSET - 1;
}

void ut_restart(struct ut_vcpu *vcpu, void *fn)
{
	struct kvm_regs regs = {
		.rip = (u64)fn,
		.rflags = UT_RFLAGS_FIXED,
		/* As after a call: 16-byte alignment plus a return address of 0. */
		.rsp = stack_base(vcpu) + UT_STACK_SIZE - 8,
	};

	memset(ut_hva(vcpu->vm, regs.rsp), 0, 8);
	ut_set_regs(vcpu, &regs);
}

void ut_set_args(struct ut_vcpu *vcpu, u64 a, u64 b)
{
	struct kvm_regs regs;

	ut_get_regs(vcpu, &regs);
	regs.rdi = a;
	regs.rsi = b;
	ut_set_regs(vcpu, &regs);
}

struct ut_vcpu *ut_vcpu_long(struct ut_vm *vm, int id, void *fn)
{
	struct ut_vcpu *vcpu = ut_vcpu_new(vm, id);
	struct kvm_mp_state runnable = { .mp_state = KVM_MP_STATE_RUNNABLE };
	struct kvm_sregs sregs;

	ut_get_sregs(vcpu, &sregs);
	set_long_segs(&sregs, fill_gdt(vm, stack_base(vcpu)));
	sregs.idt.base = vm->idt;
	sregs.idt.limit = UT_PAGE_SIZE - 1;
	sregs.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
	sregs.cr3 = vm->cr3;
	sregs.cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
	sregs.efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NX;
	ut_set_sregs(vcpu, &sregs);
	ut_restart(vcpu, fn);
	/* With a chip in the kernel all but number 0 wait for one another's IPIs. */
	if (vm->nr_vcpus > 1 || id)
		ut_set_mp_state(vcpu, &runnable);
	return vcpu;
}

struct ut_vcpu *ut_long_guest(void *fn)
{
	return ut_vcpu_long(ut_vm_long(), 0, fn);
}

void ut_set_mode(struct ut_vcpu *vcpu, enum ut_mode mode, u64 rip)
{
	struct kvm_regs regs = {
		.rip = rip,
		.rflags = UT_RFLAGS_FIXED,
		.rsp = UT_BLOB_GPA,
	};
	bool is32 = mode == UT_PROT32;
	struct kvm_segment data;
	struct kvm_sregs sregs;

	ut_get_sregs(vcpu, &sregs);
	set_seg(&data, mode == UT_REAL ? 0 : UT_SEL_DATA, SEG_DATA);
	data.limit = is32 ? 0xffffffff : 0xffff;
	data.g = is32;
	data.db = is32;
	set_data_segs(&sregs, &data);
	sregs.cs = data;
	sregs.cs.type = SEG_CODE;
	sregs.cs.selector = mode == UT_REAL ? 0 : UT_SEL_CODE64;
	sregs.cr0 = CR0_ET | (mode == UT_REAL ? 0 : CR0_PE);
	sregs.cr4 = 0;
	sregs.efer = 0;
	ut_set_sregs(vcpu, &sregs);
	ut_set_regs(vcpu, &regs);
}

struct ut_vcpu *ut_blob_guest(enum ut_mode mode, const void *code, size_t len)
{
	struct ut_vm *vm = ut_vm_new();
	struct ut_vcpu *vcpu;

	ut_add_slot(vm, 0, 0, UT_BLOB_MEM, 0);
	memcpy(ut_hva(vm, UT_BLOB_GPA), code, len);
	vcpu = ut_vcpu_new(vm, 0);
	ut_set_mode(vcpu, mode, UT_BLOB_GPA);
	return vcpu;
}
