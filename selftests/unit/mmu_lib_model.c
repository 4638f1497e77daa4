// SPDX-License-Identifier: GPL-2.0
/*
 * The model test's actions: what guests do to their tables and registers, what
 * the host and user space do, all chosen by a byte string, and a check of
 * everything after each.
 */
#include "mmu_lib_model.h"

#define NOTES		48

struct model model;

/* The byte string. */
static const u8 *bytes;
static size_t nr_bytes, at_byte;

u8 model_byte(void)
{
	return at_byte < nr_bytes ? bytes[at_byte++] : 0;
}

unsigned int model_pick(unsigned int n)
{
	return model_byte() % n;
}

bool model_once_in(unsigned int n)
{
	return !model_pick(n);
}

/* What was done last, for the report of a failure. */
static char notes[NOTES][160];
static unsigned int nr_notes;

void model_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(notes[nr_notes++ % NOTES], sizeof(notes[0]), fmt, ap);
	va_end(ap);
}

void model_fail(const char *fmt, ...)
{
	unsigned int i = nr_notes > NOTES ? nr_notes - NOTES : 0;
	va_list ap;

	for (; i < nr_notes; i++)
		fprintf(stderr, "# %s\n", notes[i % NOTES]);
	fprintf(stderr, "# step %d: ", model.step);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

gfn_t model_table(unsigned int i)
{
	return i < MODEL_FAR ? TABLE_GFN + i : FAR_GFN + i - MODEL_FAR;
}

static int levels_of(int mode)
{
	static const int levels[] = { 0, 2, 2, 3, 4, 5 };

	return levels[mode];
}

static void write_entry(int mode, gfn_t table, unsigned int index8, u64 e)
{
	u8 *p = guest_ptr(gfn_to_gpa(table));

	memcpy(p + index8 * 8, &e, levels_of(mode) == 2 ? 4 : 8);
}

static u64 link_to(unsigned int table)
{
	return gfn_to_gpa(model_table(table)) | E_P | E_W | E_U | E_A;
}

static u64 leaf_to(gfn_t gfn, u64 flags)
{
	return gfn_to_gpa(gfn) | E_P | E_A | flags;
}

/*
 * Tables that make sense, to begin with: page 0 is the root, page 1 another
 * that shares what is below; pages 2 to 4 lie between, 5 to 7 hold leaves.
 */
static void build_tables(int mode)
{
	int levels = levels_of(mode), level;
	unsigned int next_table = 2, table = 0;
	bool large = mode != MODE_2;

	if (!levels)
		return;
	for (level = levels; level > 2; level--) {
		u64 e = link_to(next_table);

		if (levels == 3)
			e = gfn_to_gpa(model_table(next_table)) | E_P;
		write_entry(mode, model_table(table), 0, e);
		if (level == levels)
			write_entry(mode, model_table(1), 0, e);
		table = next_table++;
	}
	write_entry(mode, model_table(table), 0, link_to(5));
	write_entry(mode, model_table(table), 1, link_to(6));
	write_entry(mode, model_table(table), 128,
		    large ? leaf_to(0, E_PS | E_W | E_D) : link_to(7));
	write_entry(mode, model_table(table), 511, link_to(5));
	if (levels == 2)
		write_entry(mode, model_table(1), 0, link_to(6));
	write_entry(mode, model_table(5), 0, leaf_to(0x200, E_W | E_U | E_D));
	write_entry(mode, model_table(5), 1, leaf_to(0x201, E_U | E_G | E_D));
	write_entry(mode, model_table(5), 128, leaf_to(model_table(5), E_W | E_D));
	write_entry(mode, model_table(5), 511, leaf_to(0x601, E_W | E_U));
	write_entry(mode, model_table(6), 0, leaf_to(model_table(0), E_W | E_D | E_G));
	write_entry(mode, model_table(6), 1, leaf_to(model_table(2), E_W | E_U));
	write_entry(mode, model_table(6), 128, leaf_to(0x1005, E_W | E_U | E_D));
	write_entry(mode, model_table(7), 0, leaf_to(model_table(5), E_W | E_D));
	write_entry(mode, model_table(7), 1, leaf_to(model_table(6), E_W | E_D));
}

/* Registers of @mode; false when the PDPTEs do not allow it, and nothing changed. */
bool model_set_mode(struct umbra_vcpu *vcpu, int mode)
{
	struct umbra_vcpu old = *vcpu;
	int levels = levels_of(mode);

	vcpu->cr0 = X86_CR0_PE | (levels ? X86_CR0_PG : 0) | (old.cr0 & X86_CR0_WP);
	vcpu->cr4 &= ~(u64)(X86_CR4_PAE | X86_CR4_PSE | X86_CR4_LA57 | X86_CR4_PKE);
	if (mode == MODE_2_PSE)
		vcpu->cr4 |= X86_CR4_PSE;
	if (levels > 2)
		vcpu->cr4 |= X86_CR4_PAE;
	if (levels == 5)
		vcpu->cr4 |= X86_CR4_LA57;
	if (levels > 3 && model_once_in(2))
		vcpu->cr4 |= X86_CR4_PKE;
	vcpu->efer &= ~(u64)(EFER_LMA | EFER_LME);
	if (levels > 3)
		vcpu->efer |= EFER_LMA | EFER_LME;
	else
		vcpu->cr3 &= U32_MAX;
	if (levels == 3 && umbra_mmu_load_pdptes(vcpu)) {
		vcpu->cr0 = old.cr0;
		vcpu->cr3 = old.cr3;
		vcpu->cr4 = old.cr4;
		vcpu->efer = old.efer;
		return false;
	}
	return true;
}

static void setup(u8 *mode)
{
	static const struct {
		enum umbra_mmu_mode mode;
		const struct umbra_host_caps *caps;
	} hosts[MODEL_HOSTS] = {
		{ UMBRA_MMU_SHADOW, &unit_npt }, { UMBRA_MMU_VTLB, &unit_npt },
		{ UMBRA_MMU_SHADOW, &unit_ept_unpaged }, { UMBRA_MMU_NESTED, &unit_npt },
		{ UMBRA_MMU_NESTED, &unit_ept }, { UMBRA_MMU_NESTED, &unit_ept_no_ad },
		{ UMBRA_MMU_VTLB, &unit_ept_unpaged }, { UMBRA_MMU_SHADOW, &unit_npt_unpaged },
	};
	unsigned int host = model_pick(MODEL_HOSTS);
	enum umbra_mmu_mode mmu = hosts[host].mode;

	*mode = model_pick(MODEL_MODES);
	guest_tlb_reset();
	model = (struct model){ .nested = mmu == UMBRA_MMU_NESTED };
	unit_caps = *hosts[host].caps;
	if (unit_setup_mode(mmu, 1 + model_pick(UNIT_VCPUS)))
		model_fail("setup");
	host_reset();
	unit.gbpages = model_once_in(2);
	unit.frame = host_frame;
	unit.peek = host_peek;
	unit.level_at = host_level_at;
	unit.user_fails = host_user_fails;
	unit_slot(0, 0, MODEL_SLOT0, host_hva(0), 0);
	unit_slot(1, 0x600, MODEL_SLOT1, host_hva(MODEL_SLOT0), 0);
	unit_slot(2, 0x1001, MODEL_SLOT2, host_hva(MODEL_SLOT0 + MODEL_SLOT1), 0);
	build_tables(*mode);
}

static void boot(struct umbra_vcpu *vcpu, int mode)
{
	vcpu->cr0 = X86_CR0_WP;
	vcpu->cr3 = gfn_to_gpa(model_table(0));
	vcpu->efer = model_once_in(4) ? 0 : EFER_NX;
	vcpu->cr4 = model_once_in(3) ? 0 : X86_CR4_PGE;
	vcpu->cr4 |= model_once_in(4) ? X86_CR4_SMEP : 0;
	vcpu->cr4 |= model_once_in(4) ? X86_CR4_SMAP : 0;
	if (!model_set_mode(vcpu, mode))
		model_fail("PDPTEs");
	umbra_mmu_context_changed(vcpu);
	if (unit_serve(vcpu))
		model_fail("no root");
}

static void free_logs(void)
{
	int i;

	for (i = 0; i < unit.slots->count; i++) {
		free(unit.slots->slot[i]->dirty);
		unit.slots->slot[i]->dirty = NULL;
	}
}

static void teardown(void)
{
	host_settle();
	unit.unlock_hook = NULL;
	model_drop_traces();
	model_check_tables();
	free_logs();
	if (unit_teardown(NULL))
		model_fail("%d table pages, %d objects and %d read sections are left",
			   unit.tables, unit.objects, unit.vm.srcu.readers);
	if (atomic64_read(&unit.vm.stats.shadow_pages))
		model_fail("the gauge of tables is not 0");
}

void model_run(const u8 *data, size_t size, int steps)
{
	u8 mode;
	int i;

	bytes = data;
	nr_bytes = size;
	at_byte = 0;
	nr_notes = 0;
	setup(&mode);
	for (i = 0; i < unit.vm.nr_vcpus; i++)
		boot(&unit.vcpu[i], mode);
	model_note("MMU mode %d%s, format %d, paging mode %d, %d vCPUs", unit.vm.mmu_mode,
		   umbra_caps.unpaged_nested ? " for paged guests" : "", umbra_caps.fmt, mode,
		   unit.vm.nr_vcpus);
	unit.unlock_hook = model_unlocked;
	for (i = 0; i < steps && at_byte < nr_bytes; i++) {
		model.step = i;
		model_act();
		if (host_busy() && model_once_in(3))
			host_settle();
		unit.alloc_left = -1;
		model_settle();
		if (i % 16 == 0)
			model_check_tables();
	}
	teardown();
}
