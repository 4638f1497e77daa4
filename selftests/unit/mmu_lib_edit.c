// SPDX-License-Identifier: GPL-2.0
/*
 * What guests do in the model test: accesses, and edits of their tables. Pages
 * and entries are picked so that tables, the addresses that they translate and
 * the frames that they lead to meet often.
 */
#include "mmu_lib_model.h"

static bool narrow(const struct umbra_vcpu *vcpu)
{
	return guest_entry_bytes(vcpu) == 4;
}

/* Offset of an entry that the guest uses in a table. */
unsigned int model_any_entry(const struct umbra_vcpu *vcpu)
{
	unsigned int offset = guest_index[model_pick(GUEST_INDEXES)] * 8;

	return narrow(vcpu) && model_once_in(2) ? offset + 4 : offset;
}

/* The guest's accesses. */

/* A linear page number out of those that the guest's tables speak of. */
u64 model_any_page(const struct umbra_vcpu *vcpu)
{
	static const u16 inside[] = { 0, 1, 0x10, 0x12, 0x15, 0x16, 0x80, 0x1ff };
	u64 page = 0;
	int i;

	if (!model.nested && !model_once_in(3) && guest_some(vcpu, model_byte(), &page))
		return page;
	if (model.nested || !(vcpu->cr0 & X86_CR0_PG)) {
		static const u16 gfns[] = { 0, 0x10, 0x15, 0x200, 0x3ff, 0x400, 0x600, 0x611,
					    0x800, 0x1001, 0x1005, 0x1180 };

		return gfns[model_pick(ARRAY_SIZE(gfns))] + model_pick(4);
	}
	if (narrow(vcpu)) {
		page = (guest_index[model_pick(GUEST_INDEXES)] * 2 + model_pick(2)) << 10;
		return page | (guest_index[model_pick(GUEST_INDEXES)] * 2 + model_pick(2));
	}
	if (!(vcpu->efer & EFER_LMA)) {
		page = (u64)model_pick(4) << 18;
		page |= (u64)guest_index[model_pick(GUEST_INDEXES)] << 9;
		return page | inside[model_pick(ARRAY_SIZE(inside))];
	}
	for (i = vcpu->cr4 & X86_CR4_LA57 ? 4 : 3; i > 1; i--)
		if (model_once_in(4))
			page |= (u64)guest_index[model_pick(GUEST_INDEXES)] << (9 * i);
	page |= (u64)guest_index[model_pick(GUEST_INDEXES)] << 9;
	return page | inside[model_pick(ARRAY_SIZE(inside))];
}

static u32 any_access(void)
{
	static const u32 kinds[] = { UMBRA_ACC_READ, UMBRA_ACC_WRITE, UMBRA_ACC_EXEC,
				     UMBRA_ACC_WRITE };

	return kinds[model_pick(4)] | (model_once_in(3) ? UMBRA_ACC_USER : 0);
}

void model_act_access(struct umbra_vcpu *vcpu)
{
	u64 page = model_any_page(vcpu);
	u32 access = any_access();

	model_note("vcpu %d: access %#x at page %#llx", vcpu->index, access, page);
	/* Data, where no entry in use lies, and should it be one it is not present. */
	model_access(vcpu, page, 0x800, access, model.step * 2, 8);
}

static u64 any_flags(void)
{
	u8 some = model_byte(), more = model_byte();
	u64 flags = E_P;

	flags |= some & 3 ? E_W : 0;
	flags |= some & 0xc ? E_U : 0;
	flags |= some & 0x30 ? E_A : 0;
	flags |= some & 0xc0 ? E_D : 0;
	flags |= (more & 3) == 3 ? E_G : 0;
	flags |= (more & 0xc) == 0xc ? E_NX : 0;
	flags |= (more & 0x30) == 0x30 ? 1ULL << 59 : 0;
	flags |= more == 0x41 ? 1ULL << 51 : 0;
	flags |= more == 0x42 ? 1ULL << 13 : 0;
	return flags;
}

/* Paging levels as the registers say, and for which of them a table is meant. */
static int levels_of(const struct umbra_vcpu *vcpu)
{
	if (narrow(vcpu) || !(vcpu->cr0 & X86_CR0_PG))
		return 2;
	if (!(vcpu->efer & EFER_LMA))
		return 3;
	return vcpu->cr4 & X86_CR4_LA57 ? 5 : 4;
}

static int level_of(const struct umbra_vcpu *vcpu, unsigned int table)
{
	int levels = levels_of(vcpu);

	if (table < 2)
		return levels;
	return levels + 1 - (int)table > 1 ? levels + 1 - (int)table : 1;
}

/* A table for the level below @level. */
static unsigned int table_below(const struct umbra_vcpu *vcpu, int level)
{
	int levels = levels_of(vcpu);

	if (level > 2)
		return levels + 2 - level;
	return levels + model_pick(MODEL_TABLES - levels);
}

u64 model_any_value(const struct umbra_vcpu *vcpu, unsigned int table)
{
	static const u16 targets[] = { 0x200, 0x201, 0x202, 0x3ff, 0x400, 0x600, 0x601, 0x610,
				       0x7ff, 0x1001, 0x1005, 0x800 };
	int level = level_of(vcpu, table);
	u64 flags = any_flags();

	switch (model_pick(10)) {
	case 0:
		return model_byte() << 1;
	case 1:
		return gfn_to_gpa(model_table(model_pick(MODEL_TABLES))) | flags;
	case 2:
	case 3:
		if (level <= 3)
			return gfn_to_gpa((u64)model_pick(5) << 9) | flags | E_PS;
		break;
	}
	if (level > 1)
		return gfn_to_gpa(model_table(table_below(vcpu, level))) | flags;
	if (model_once_in(3))
		return gfn_to_gpa(model_table(model_pick(MODEL_TABLES))) | flags;
	return gfn_to_gpa(targets[model_pick(ARRAY_SIZE(targets))]) | flags;
}

/* The guest writes @val to a table, by whatever way it has. */
static void guest_store(struct umbra_vcpu *vcpu, gpa_t gpa, u64 val, int size)
{
	u64 want = guest_access_bit(UMBRA_ACC_WRITE, true, 0), page;
	unsigned int offset = offset_in_page(gpa);

	vcpu->rflags |= X86_EFLAGS_AC;
	unit.pkru = 0;
	if (!model_once_in(4) && !model.nested && guest_find(vcpu, gpa_to_gfn(gpa), want, &page)) {
		model_note("  at page %#llx", page);
		model_access(vcpu, page, offset, UMBRA_ACC_WRITE, val, size);
	} else {
		model_note("  by the emulator");
		model_emulate_write(vcpu, gpa, val, size);
	}
}

/* A small change of an entry as it is, or a new one. */
static u64 edited(const struct umbra_vcpu *vcpu, unsigned int table, gpa_t gpa, int size)
{
	static const u64 bits[] = { E_P, E_W, E_U, E_A, E_D, E_G, E_NX, E_W | E_D, E_D,
				    1ULL << 59 };
	u64 e;

	if (!guest_ptr(gpa) || model_once_in(2))
		return model_any_value(vcpu, table);
	e = guest_read(gpa, size);
	return e ^ bits[model_pick(ARRAY_SIZE(bits))];
}

void model_act_edit(struct umbra_vcpu *vcpu)
{
	unsigned int table = model_pick(MODEL_TABLES), size = guest_entry_bytes(vcpu);
	gpa_t gpa = gfn_to_gpa(model_table(table)) + model_any_entry(vcpu);
	u64 val = edited(vcpu, table, gpa, size);

	if (!guest_ptr(gpa))
		return;
	/* Page directory pointers are never made illegal: nobody would load them. */
	if (vcpu->cr4 & X86_CR4_PAE && !(vcpu->efer & EFER_LMA) && table < 2)
		val &= E_P | (E_ADDR & (BIT_ULL(40) - 1));
	model_note("vcpu %d: table %u (gfn %#llx) + %#llx = %#llx", vcpu->index, table,
		   model_table(table), gpa & 4095, val);
	if (size == 8 && model_once_in(6)) {
		guest_store(vcpu, gpa, val, 4);
		model_settle();
		guest_store(vcpu, gpa + 4, val >> 32, 4);
	} else {
		guest_store(vcpu, gpa, val, size);
	}
}

/* The entry of @level, from the leaf up, on the way to @page; false without one. */
static bool entry_for(const struct umbra_vcpu *vcpu, u64 page, unsigned int level, gpa_t *gpa)
{
	struct guest_walk w;

	guest_walk(vcpu, guest_canonical(vcpu, page), UMBRA_ACC_READ, &w);
	if (!w.found || w.entries <= level)
		return false;
	*gpa = w.gpa[w.entries - 1 - level];
	return true;
}

static void flush_for(struct umbra_vcpu *vcpu, u64 page)
{
	switch (model_pick(5)) {
	case 0:
		model_note("vcpu %d: CR3 again", vcpu->index);
		umbra_mmu_new_cr3(vcpu);
		guest_tlb_flush(vcpu, true);
		break;
	case 1:
		break;
	default:
		model_note("vcpu %d: INVLPG %#llx", vcpu->index, page);
		umbra_mmu_invlpg(vcpu, guest_canonical(vcpu, page));
		guest_tlb_invlpg(vcpu, page);
	}
}

/*
 * What guests do all the time: use a page, change what leads to it, flush, on one
 * vCPU or another. Others' accesses come in between.
 */
void model_act_remap(struct umbra_vcpu *vcpu)
{
	struct umbra_vcpu *other = &unit.vcpu[model_pick(unit.vm.nr_vcpus)];
	unsigned int level = model_pick(4) / 2;
	u64 page, far;
	gpa_t gpa;

	if (model.nested || !guest_some(vcpu, model_byte(), &page))
		return;
	/* Far enough for another piece of a large page. */
	far = page ^ BIT_ULL(model_pick(12));
	model_note("vcpu %d: use and change page %#llx", vcpu->index, page);
	model_access(vcpu, page, 0x800, any_access(), model.step * 2, 8);
	model_access(vcpu, far, 0x800, any_access(), model.step * 2, 8);
	if (other != vcpu)
		model_access(other, page, 0x800, any_access(), model.step * 2, 8);
	model_settle();
	if (!entry_for(vcpu, page, level, &gpa))
		return;
	model_note("  entry %#llx", gpa);
	guest_store(other, gpa, edited(vcpu, 5, gpa, guest_entry_bytes(vcpu)),
		    guest_entry_bytes(vcpu));
	model_settle();
	flush_for(vcpu, page);
	model_settle();
	if (other != vcpu)
		flush_for(other, page);
}
