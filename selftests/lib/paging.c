// SPDX-License-Identifier: GPL-2.0
/*
 * paging.h: page tables of all formats, and the state in which vCPUs start on them. Runs of
 * lists of operations are in paging_run.c, the guest's code in paging_engine.S.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "paging.h"
#include "paging_internal.h"

#define CR0_PE		BIT_ULL(0)
#define CR0_ET		BIT_ULL(4)
#define CR0_NE		BIT_ULL(5)
#define CR0_WP		BIT_ULL(16)
#define CR0_PG		BIT_ULL(31)
#define CR4_PSE		BIT_ULL(4)
#define CR4_PAE		BIT_ULL(5)
#define CR4_LA57	BIT_ULL(12)
#define EFER_LME	BIT_ULL(8)
#define EFER_LMA	BIT_ULL(10)
#define EFER_NX		BIT_ULL(11)
#define LA57_ECX	BIT_ULL(16)	/* CPUID leaf 7 */

#define DESC_CODE32	0x00cf9b000000ffffull
#define DESC_CODE64	0x00af9b000000ffffull
#define DESC_DATA	0x00cf93000000ffffull
#define DESC_DPL3	0x0000600000000000ull
#define TSS_LIMIT	0x67
#define TYPE_TSS	0xb
#define GATE		0x8e00ull
#define GATE_DPL3	0xee00ull
#define RETURN_VECTOR	0x80
#define NR_FAULTS	32
#define TABLE_RIGHTS	(UT_PTE_P | UT_PTE_W | UT_PTE_U | UT_PTE_A)

static const struct format {
	const char *name;
	int levels;
	int entry_size;
	u64 cr4;
} formats[] = {
	[UT_PG_REAL] = { "real mode", 0, 4, 0 },
	[UT_PG_NONE] = { "no paging", 0, 4, 0 },
	[UT_PG_2LEVEL] = { "2-level", 2, 4, 0 },
	[UT_PG_PSE] = { "2-level with PSE", 2, 4, CR4_PSE },
	[UT_PG_PAE] = { "PAE", 3, 8, CR4_PAE },
	[UT_PG_4LEVEL] = { "4-level", 4, 8, CR4_PAE },
	[UT_PG_5LEVEL] = { "5-level", 5, 8, CR4_PAE | CR4_LA57 },
};

const char *ut_pg_name(enum ut_paging mode)
{
	return formats[mode].name;
}

bool ut_pg_supported(enum ut_paging mode)
{
	struct kvm_cpuid_entry2 *e;
	struct kvm_cpuid2 *cpuid;
	bool yes;
	int fd;

	if (mode != UT_PG_5LEVEL)
		return true;
	fd = ut_open_device();
	cpuid = ut_supported_cpuid(fd);
	e = ut_cpuid_entry(cpuid, 7, 0);
	yes = e && e->ecx & LA57_ECX;
	free(cpuid);
	close(fd);
	return yes;
}

static bool is_long(const struct ut_pg *g)
{
	return g->mode >= UT_PG_4LEVEL;
}

/* ---- tables ---- */

u64 ut_pg_alloc(struct ut_pg *g)
{
	u64 gpa = g->next;

	if (gpa >= UT_PG_OPS)
		ut_die("no room for more page tables");
	g->next += UT_PAGE_SIZE;
	memset(ut_hva(g->vm, gpa), 0, UT_PAGE_SIZE);
	return gpa;
}

int ut_pg_shift(const struct ut_pg *g, int level)
{
	return 12 + (g->entry_size == 4 ? 10 : 9) * (level - 1);
}

u64 ut_pg_get(struct ut_pg *g, u64 gpa)
{
	void *entry = ut_hva(g->vm, gpa);

	return g->entry_size == 4 ? *(volatile u32 *)entry : *(volatile u64 *)entry;
}

void ut_pg_put(struct ut_pg *g, u64 gpa, u64 entry)
{
	if (g->entry_size == 4)
		*(volatile u32 *)ut_hva(g->vm, gpa) = entry;
	else
		*(volatile u64 *)ut_hva(g->vm, gpa) = entry;
}

u64 ut_pg_entry(struct ut_pg *g, u64 root, u64 gva, int level)
{
	u64 table = root & UT_PTE_ADDR, index_mask = g->entry_size == 4 ? 0x3ff : 0x1ff;
	u64 gpa, entry;
	int l;

	if (g->mode == UT_PG_PAE)
		table = root & ~0x1full;
	for (l = g->levels; ; l--) {
		gpa = table + (gva >> ut_pg_shift(g, l) & index_mask) * g->entry_size;
		if (l == level)
			return gpa;
		entry = ut_pg_get(g, gpa);
		if (!entry) {
			/* A PDPTE of PAE has no rights: bits 1, 2 and 5 are reserved. */
			entry = ut_pg_alloc(g) |
				(g->mode == UT_PG_PAE && l == 3 ? UT_PTE_P : TABLE_RIGHTS);
			ut_pg_put(g, gpa, entry);
		}
		table = entry & UT_PTE_ADDR;
	}
}

u64 ut_pg_map(struct ut_pg *g, u64 root, u64 gva, u64 gpa, int level, u64 flags)
{
	u64 entry = ut_pg_entry(g, root, gva, level);

	ut_pg_put(g, entry, gpa | flags | UT_PTE_P | (level > 1 ? UT_PTE_PS : 0));
	return entry;
}

u64 ut_pg_new_root(struct ut_pg *g)
{
	u64 root, gpa;

	if (!g->levels)
		return 0;
	root = ut_pg_alloc(g);
	/* The processor may read PDPTEs when CR3 is written only: make all of them now. */
	for (gpa = 0; g->mode == UT_PG_PAE && gpa < 4; gpa++)
		ut_pg_entry(g, root, gpa << ut_pg_shift(g, 3), 2);
	for (gpa = 0; gpa < UT_PG_SYSTEM; gpa += UT_PAGE_SIZE)
		ut_pg_map(g, root, gpa, gpa, 1, UT_PTE_W | UT_PTE_A | UT_PTE_D |
			  (gpa == UT_PG_USER_CODE ? UT_PTE_U : 0));
	return root;
}

void ut_pg_fill_code(struct ut_pg *g, u64 gpa)
{
	u32 *code = ut_hva(g->vm, gpa);
	int i;

	for (i = 0; i < (int)(UT_PAGE_SIZE / sizeof(*code)); i++)
		code[i] = UT_PG_RETURN;
}

/* ---- descriptor tables and code ---- */

static void fill_gate(struct ut_pg *g, int vector, u64 addr, u64 type)
{
	u64 *idt = ut_hva(g->vm, UT_PG_IDT);
	u64 gate = (addr & 0xffff) | UT_SEL_CODE64 << 16 | type << 32 | (addr >> 16 & 0xffff) << 48;

	if (is_long(g)) {
		idt[2 * vector] = gate;
		idt[2 * vector + 1] = 0;
	} else {
		idt[vector] = gate;
	}
}

static void fill_code(struct ut_pg *g)
{
	const struct ut_pg_code *code = ut_pg_code(g->mode);
	int i;

	memcpy(ut_hva(g->vm, UT_PG_CODE), code->start, code->end - code->start);
	memcpy(ut_hva(g->vm, UT_PG_USER_CODE), code->user, code->user_end - code->user);
	if (g->mode == UT_PG_REAL)
		return;
	for (i = 0; i < NR_FAULTS; i++)
		fill_gate(g, i, UT_PG_CODE + (code->vectors - code->start) + 16 * i, GATE);
	fill_gate(g, RETURN_VECTOR, UT_PG_CODE + (code->returned - code->start), GATE_DPL3);
}

static void fill_gdt(struct ut_pg *g, u64 area)
{
	u64 code = is_long(g) ? DESC_CODE64 : DESC_CODE32, tss = area + UT_PG_TSS;
	u64 *gdt = ut_hva(g->vm, area + UT_PG_GDT);
	u32 *ts = ut_hva(g->vm, tss);

	gdt[UT_SEL_CODE64 >> 3] = code;
	gdt[UT_SEL_DATA >> 3] = DESC_DATA;
	gdt[UT_SEL_USER_DATA >> 3] = DESC_DATA | DESC_DPL3;
	gdt[UT_SEL_USER_CODE >> 3] = code | DESC_DPL3;
	gdt[UT_SEL_TSS >> 3] = TSS_LIMIT | tss << 16 | 0x89ull << 40;
	ts[1] = area + UT_PG_CTL;	/* RSP0, ESP0 */
	if (!is_long(g))
		ts[2] = UT_SEL_DATA;
}

/* ---- vCPUs ---- */

static struct kvm_segment segment(const struct ut_pg *g, u16 selector, u8 type)
{
	bool real = g->mode == UT_PG_REAL, code = type & 8;

	return (struct kvm_segment) {
		.selector = real ? 0 : selector,
		/* Real mode's code is 16-bit; its data segments reach all addresses. */
		.limit = real && code ? 0xffff : 0xffffffff,
		.g = !(real && code),
		.db = code ? !real && !is_long(g) : 1,
		.l = code && is_long(g),
		.type = type,
		.present = 1,
		.s = 1,
		.dpl = real ? 0 : selector & 3,
	};
}

static void set_segments(struct ut_pg *g, struct kvm_sregs *sregs, u64 area)
{
	/* Data segments of CPL 3 serve both levels. */
	struct kvm_segment data = segment(g, UT_SEL_USER_DATA, 3);

	sregs->ds = data;
	sregs->es = data;
	sregs->fs = data;
	sregs->gs = data;
	sregs->ss = segment(g, UT_SEL_DATA, 3);
	sregs->cs = segment(g, UT_SEL_CODE64, 0xb);
	memset(&sregs->ldt, 0, sizeof(sregs->ldt));
	sregs->ldt.unusable = 1;
	sregs->tr = (struct kvm_segment) {
		.base = area + UT_PG_TSS,
		.limit = TSS_LIMIT,
		.selector = UT_SEL_TSS,
		.type = TYPE_TSS,
		.present = 1,
	};
	sregs->gdt.base = area + UT_PG_GDT;
	sregs->gdt.limit = UT_PG_TSS - UT_PG_GDT - 1;
	sregs->idt.base = UT_PG_IDT;
	sregs->idt.limit = UT_PAGE_SIZE - 1;
}

static void add_vcpu(struct ut_pg *g, int n)
{
	struct ut_vcpu *vcpu = ut_vcpu_new(g->vm, n);
	struct kvm_mp_state runnable = { .mp_state = KVM_MP_STATE_RUNNABLE };
	u64 area = UT_PG_AREAS + n * UT_PG_AREA_SIZE;
	struct kvm_regs regs = {
		.rip = UT_PG_CODE,
		.rflags = UT_RFLAGS_FIXED,
		.rsp = area + UT_PG_CTL,
		.rbp = area + UT_PG_CTL,
	};
	struct kvm_sregs sregs;

	fill_gdt(g, area);
	ut_get_sregs(vcpu, &sregs);
	set_segments(g, &sregs, area);
	sregs.cr0 = CR0_ET | CR0_NE;
	if (g->mode != UT_PG_REAL)
		sregs.cr0 |= CR0_PE | CR0_WP;
	if (g->levels)
		sregs.cr0 |= CR0_PG;
	sregs.cr3 = g->root;
	sregs.cr4 = formats[g->mode].cr4;
	sregs.efer = is_long(g) ? EFER_LME | EFER_LMA : 0;
	if (g->levels && g->entry_size == 8)
		sregs.efer |= EFER_NX;
	ut_set_sregs(vcpu, &sregs);
	ut_set_regs(vcpu, &regs);
	if (n)
		ut_set_mp_state(vcpu, &runnable);
}

struct ut_pg *ut_pg_new(enum ut_paging mode, int nr_vcpus)
{
	struct ut_pg *g = calloc(1, sizeof(*g));
	int i;

	if (!g || nr_vcpus > UT_PG_MAX_VCPUS)
		ut_die("no room for a guest of %d vCPUs", nr_vcpus);
	g->mode = mode;
	g->levels = formats[mode].levels;
	g->entry_size = formats[mode].entry_size;
	g->next = UT_PG_TABLES;
	g->max_ops = (UT_PG_SYSTEM - UT_PG_OPS) / nr_vcpus / sizeof(struct ut_pg_op);
	g->vm = ut_vm_new();
	ut_add_slot(g->vm, 0, 0, UT_PG_MEM, 0);
	fill_code(g);
	g->root = ut_pg_new_root(g);
	for (i = 0; i < nr_vcpus; i++)
		add_vcpu(g, i);
	return g;
}

void ut_pg_free(struct ut_pg *g)
{
	if (g)
		ut_vm_free(g->vm);
	free(g);
}
