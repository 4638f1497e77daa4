// SPDX-License-Identifier: GPL-2.0
/*
 * The model test's actions but for plain accesses and edits: control registers
 * and flushes, the host, slots and logs, traces, reclaim, user space.
 */
#include "mmu_lib_model.h"

#define TRACES	4

static struct umbra_trace traces[TRACES];

/* Control registers. */

static void act_cr3(struct umbra_vcpu *vcpu)
{
	unsigned int root = model_once_in(4) ? model_pick(MODEL_TABLES) : model_pick(2);
	u64 old = vcpu->cr3;

	vcpu->cr3 = gfn_to_gpa(model_table(root));
	if ((vcpu->cr0 & X86_CR0_PG) && guest_entry_bytes(vcpu) == 8 &&
	    !(vcpu->efer & EFER_LMA) && umbra_mmu_load_pdptes(vcpu)) {
		vcpu->cr3 = old;
		return;
	}
	model_note("vcpu %d: CR3 = table %u", vcpu->index, root);
	umbra_mmu_new_cr3(vcpu);
	guest_tlb_flush(vcpu, true);
}

static void act_invlpg(struct umbra_vcpu *vcpu)
{
	u64 page = model_any_page(vcpu);

	if (model.nested)
		return;
	model_note("vcpu %d: INVLPG %#llx", vcpu->index, page);
	umbra_mmu_invlpg(vcpu, guest_canonical(vcpu, page));
	guest_tlb_invlpg(vcpu, page);
}

static void act_invpcid(struct umbra_vcpu *vcpu)
{
	model_note("vcpu %d: INVPCID", vcpu->index);
	umbra_mmu_invpcid(vcpu);
	guest_tlb_flush(vcpu, false);
}

static void act_mode(struct umbra_vcpu *vcpu)
{
	int mode = model_pick(MODEL_MODES);

	if (!model_set_mode(vcpu, mode))
		return;
	model_note("vcpu %d: paging mode %d", vcpu->index, mode);
	umbra_mmu_context_changed(vcpu);
	guest_tlb_flush(vcpu, false);
}

/* A bit that decides about rights; some of them leave the TLB as it is. */
static void act_bit(struct umbra_vcpu *vcpu)
{
	bool flush = true;

	switch (model_pick(8)) {
	case 0:
	case 1:
	case 2:
		vcpu->cr0 ^= X86_CR0_WP;
		flush = false;
		break;
	case 3:
		vcpu->cr4 ^= X86_CR4_SMEP;
		break;
	case 4:
		vcpu->cr4 ^= X86_CR4_SMAP;
		flush = false;
		break;
	case 5:
		if (vcpu->efer & EFER_LMA)
			vcpu->cr4 ^= X86_CR4_PKE;
		break;
	case 6:
		vcpu->cr4 ^= X86_CR4_PGE;
		break;
	default:
		vcpu->efer ^= EFER_NX;
	}
	model_note("vcpu %d: CR0 %#llx CR4 %#llx EFER %#llx", vcpu->index, vcpu->cr0, vcpu->cr4,
		   vcpu->efer);
	umbra_mmu_context_changed(vcpu);
	if (flush)
		guest_tlb_flush(vcpu, false);
}

/* What no hypervisor hears of. */
static void act_quiet(struct umbra_vcpu *vcpu)
{
	vcpu->rflags ^= X86_EFLAGS_AC;
	unit.pkru = guest_pkru[model_pick(GUEST_PKRUS)];
}

/* User space writes tables behind everybody's back, and then sets registers. */
static void act_user(struct umbra_vcpu *vcpu)
{
	int size = guest_entry_bytes(vcpu), n = 1 + model_pick(3);

	while (n--) {
		unsigned int table = 2 + model_pick(MODEL_TABLES - 2);
		gpa_t gpa = gfn_to_gpa(model_table(table)) + model_any_entry(vcpu);
		u64 val = model_any_value(vcpu, table);

		if (!guest_ptr(gpa))
			continue;
		model_note("user space: table %u + %#llx = %#llx", table, gpa & 4095, val);
		model_raw_write(gpa, val, size);
	}
	umbra_mmu_registers_set(vcpu);
	guest_tlb_flush(vcpu, false);
	unit_serve(vcpu);
}

/* The host. */

static unsigned int any_host_page(void)
{
	static const u16 pages[] = { 0x10, 0x12, 0x15, 0x16, 0x200, 0x201, 0x400, 0x401, 0x410,
				     0x600, 0x604 };

	return pages[model_pick(ARRAY_SIZE(pages))];
}

static void act_host(struct umbra_vcpu *unused)
{
	unsigned int page = any_host_page(), what = model_pick(12);

	model_note("host: event %u at page %#x", what, page);
	switch (what) {
	case 0:
	case 1:
		host_unmap(page, 1);
		break;
	case 2:
		host_unmap(page, 1 + model_byte());
		break;
	case 3:
	case 10:
	case 11:
		host_share(page);
		break;
	case 4:
		host_collapse(page);
		break;
	case 6:
		host_age(page, 1 + model_byte(), model_once_in(2));
		break;
	case 7:
		host_race(model_once_in(2));
		break;
	default:
		host_begin(page);
	}
}

/* Slots and logs. */

static void act_slot(struct umbra_vcpu *unused)
{
	struct umbra_memslot *slot = unit_slot_id(1);
	unsigned int what = model_pick(4);

	model_note("slot 1: %u", what);
	if (!slot)
		unit_slot(1, 0x600, MODEL_SLOT1, host_hva(MODEL_SLOT0),
			  what & 1 ? KVM_MEM_READONLY : 0);
	else if (what < 2)
		unit_slot_delete(slot);
	else
		unit_slot_move(slot, slot->base_gfn == 0x600 ? 0x800 : 0x600);
}

static void act_log(struct umbra_vcpu *unused)
{
	struct umbra_memslot *slot = unit_slot_id(model_pick(3));

	if (!slot)
		return;
	if (slot->dirty && !model_once_in(3)) {
		model_note("slot %u: read the log", slot->id);
		model.in_log = unit.vm.mmu->root;
		unit_slot_get_log(slot);
		model.in_log = false;
		return;
	}
	model_note("slot %u: log %s", slot->id, slot->dirty ? "off" : "on");
	unit_slot_log(slot, !slot->dirty);
}

/* Traces of the model's own, next to those of tables. */

static void tell(struct umbra_trace *trace, const struct umbra_traced *a, struct umbra_tlb *tlb)
{
	model.told++;
}

static const struct umbra_tracer tracer = {
	.before = tell,
	.after = tell,
	.access = tell,
};

u8 model_traced(gfn_t gfn)
{
	u8 kinds = 0;
	int i;

	for (i = 0; i < TRACES; i++)
		if (!hlist_unhashed(&traces[i].node) && traces[i].gfn == gfn)
			kinds |= traces[i].kinds;
	return kinds;
}

static void change_trace(struct umbra_trace *trace, gfn_t gfn, u8 kinds)
{
	struct umbra_tlb tlb;

	umbra_tlb_begin(&tlb, &unit.vm);
	pagefault_disable();
	spin_lock(&unit.vm.mmu->lock);
	if (hlist_unhashed(&trace->node)) {
		trace->gfn = gfn;
		trace->kinds = kinds;
		trace->owner = &tracer;
		umbra_trace_add(&unit.vm, trace, &tlb);
	} else if (kinds == UMBRA_TRACE_WRITE) {
		umbra_trace_change(&unit.vm, trace, trace->kinds ^ UMBRA_TRACE_ACCESS, &tlb);
	} else {
		umbra_trace_remove(&unit.vm, trace, &tlb);
	}
	umbra_tlb_flush(&tlb);
	spin_unlock(&unit.vm.mmu->lock);
	pagefault_enable();
	umbra_tlb_end(&tlb);
}

static void act_trace(struct umbra_vcpu *unused)
{
	static const u16 gfns[] = { 0x10, 0x15, 0x200, 0x201, 0x601, 0x1005, 0x202 };
	gfn_t gfn = gfns[model_pick(ARRAY_SIZE(gfns))];
	u8 kinds = 1 + model_pick(3);
	int i = model_pick(TRACES);

	model_note("trace %d: gfn %#llx kinds %u", i, gfn, kinds);
	change_trace(&traces[i], gfn, kinds);
}

void model_drop_traces(void)
{
	int i;

	for (i = 0; i < TRACES; i++)
		if (!hlist_unhashed(&traces[i].node))
			change_trace(&traces[i], 0, 0);
}

/* Memory. */

static void act_pressure(struct umbra_vcpu *vcpu)
{
	struct shrink_control sc = { .nr_to_scan = 1 + model_pick(16) };

	switch (model_pick(4)) {
	case 0:
		model_note("reclaim of %lu", sc.nr_to_scan);
		unit.shrinker->count_objects(unit.shrinker, &sc);
		unit.shrinker->scan_objects(unit.shrinker, &sc);
		break;
	case 1:
		model_note("few tables");
		unit.vm.mmu->spages.max = 8 + model_pick(16);
		break;
	default:
		unit.alloc_left = model_pick(8);
		model_note("%d allocations left", unit.alloc_left);
		model_act_access(vcpu);
	}
}

static void act_style(struct umbra_vcpu *unused)
{
	model.unprotect = model_once_in(3);
	model.unshadow = model_once_in(3);
	model.first_atomic = !model_once_in(3);
}

/* The host has other work in the middle of a long walk. */
static void act_busy(struct umbra_vcpu *vcpu)
{
	unit.resched = true;
	act_log(vcpu);
	unit.resched = false;
}

void model_act(void)
{
	static void (*const acts[])(struct umbra_vcpu *vcpu) = {
		act_cr3, act_cr3, act_invlpg, act_invlpg, act_invlpg, act_invpcid, act_mode,
		act_bit, act_bit, act_quiet, act_user, act_host, act_host, act_slot, act_log,
		act_trace, act_pressure, act_style, act_busy,
	};
	struct umbra_vcpu *vcpu = &unit.vcpu[model_pick(unit.vm.nr_vcpus)];
	unsigned int what = model_byte();

	if (what < 90)
		model_act_access(vcpu);
	else if (what < 125)
		model_act_edit(vcpu);
	else if (what < 165)
		model_act_remap(vcpu);
	else
		acts[what % ARRAY_SIZE(acts)](vcpu);
}
