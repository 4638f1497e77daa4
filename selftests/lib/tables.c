// SPDX-License-Identifier: GPL-2.0
/*
 * What ut_vm_long() puts into guest memory: 4-level page tables, the IDT and
 * a copy of the program's own image. Touches no vCPU.
 */
#include <link.h>
#include <string.h>
#include "guest_internal.h"
#include "umbra_util.h"

#define INDEX_MASK	0x1ff
#define TOP_LEVEL	4

u64 ut_alloc_table(struct ut_vm *vm)
{
	u64 gpa = vm->next_table;

	if (gpa >= UT_STACKS_GPA)
		ut_die("no room for more page tables");
	vm->next_table += UT_PAGE_SIZE;
	memset(ut_hva(vm, gpa), 0, UT_PAGE_SIZE);
	return gpa;
}

static int level_shift(int level)
{
	return 12 + 9 * (level - 1);
}

u64 *ut_pte(struct ut_vm *vm, u64 gva, int level)
{
	u64 table = vm->cr3;
	u64 *pte;
	int l;

	for (l = TOP_LEVEL; ; l--) {
		pte = (u64 *)ut_hva(vm, table) + (gva >> level_shift(l) & INDEX_MASK);
		if (l == level)
			return pte;
		if (!(*pte & UT_PTE_P))
			*pte = ut_alloc_table(vm) | UT_PTE_P | UT_PTE_W | UT_PTE_U;
		else if (*pte & UT_PTE_PS)
			ut_die("gva %#lx is inside a huge page", gva);
		table = *pte & UT_PTE_ADDR;
	}
}

void ut_map_level(struct ut_vm *vm, u64 gva, u64 gpa, int level, u64 flags)
{
	*ut_pte(vm, gva, level) = gpa | flags | UT_PTE_P | (level > 1 ? UT_PTE_PS : 0);
}

void ut_map(struct ut_vm *vm, u64 gva, u64 gpa, u64 npages, u64 flags)
{
	u64 i;

	for (i = 0; i < npages; i++)
		ut_map_level(vm, gva + i * UT_PAGE_SIZE, gpa + i * UT_PAGE_SIZE, 1, flags);
}

static void fill_idt(struct ut_vm *vm)
{
	u64 *gate, addr;
	int i;

	vm->idt = ut_alloc_table(vm);
	gate = ut_hva(vm, vm->idt);
	for (i = 0; i < 256; i++, gate += 2) {
		addr = (u64)ut_exception_stubs + i * 16;
		gate[0] = (addr & 0xffff) | UT_SEL_CODE64 << 16 |
			  0x8e00ull << 32 | (addr >> 16 & 0xffff) << 48;
		gate[1] = addr >> 32;
		if (i == UT_DF_VECTOR)
			gate[0] |= 1ull << 32;	/* first stack of the IST */
	}
}

static int copy_segments(struct dl_phdr_info *info, size_t size, void *vm)
{
	__typeof__(info->dlpi_phdr) ph = info->dlpi_phdr;
	int i;

	(void)size;
	if (info->dlpi_addr)
		ut_die("the selftests must be linked without PIE");
	for (i = 0; i < info->dlpi_phnum; i++, ph++) {
		if (ph->p_type != PT_LOAD)
			continue;
		if (ph->p_vaddr < UT_IMAGE_GPA || ph->p_vaddr + ph->p_memsz > UT_FREE_GPA)
			ut_die("the program's image does not fit below UT_FREE_GPA");
		memcpy(ut_hva(vm, ph->p_vaddr), (void *)ph->p_vaddr, ph->p_memsz);
	}
	return 1;	/* the first object is the program: stop */
}

struct ut_vm *ut_vm_long(void)
{
	struct ut_vm *vm = ut_vm_new();

	ut_add_slot(vm, 0, 0, UT_SLOT0_SIZE, 0);
	vm->next_table = UT_TABLES_GPA;
	vm->cr3 = ut_alloc_table(vm);
	fill_idt(vm);
	ut_map(vm, UT_PAGE_SIZE, UT_PAGE_SIZE, UT_SLOT0_SIZE / UT_PAGE_SIZE - 1, UT_PTE_W);
	ut_map(vm, UT_MMIO_GPA, UT_MMIO_GPA, UT_MMIO_PAGES, UT_PTE_W);
	dl_iterate_phdr(copy_segments, vm);
	return vm;
}

void ut_set_handler(struct ut_vm *vm, int vector, ut_handler_t fn)
{
	ut_handler_t *table = ut_hva(vm, (u64)ut_handlers);

	table[vector] = fn;
}

void ut_push(struct ut_vm *vm, const void *var, size_t size)
{
	memcpy(ut_hva(vm, (u64)var), var, size);
}
