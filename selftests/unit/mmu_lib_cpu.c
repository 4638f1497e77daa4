// SPDX-License-Identifier: GPL-2.0
/*
 * Processors in unit tests: they walk the tables that Umbra points them at as
 * the manual draws them, and keep all they ever found, translations and
 * pointers to tables, until they are told to flush. Shares no line with the
 * code under test.
 */
#include "mmu_lib.h"
#include "mmu/mmu_internal.h"

#define MAX_KEPT	(1 << 15)
#define KEPT_HASH	(1 << 16)

/* What of an entry a processor goes by. */
#define E_RIGHTS	(E_W | E_U | E_NX | E_PKEY)

/**
 * struct cpu - one processor
 * @root: table it was pointed at
 * @levels: of that table; 3: four page directory pointers
 * @gen: counts flushes
 * @nr: translations kept
 * @kept: these
 * @hash: index in @kept by page, valid when its gen is ours
 */
struct cpu {
	hpa_t root;
	int levels;
	u64 gen;
	int nr;
	struct unit_kept kept[MAX_KEPT];
	struct {
		u64 gen;
		int at;
	} hash[KEPT_HASH];
};

static struct cpu cpus[UNIT_VCPUS];

void unit_cpu_set_root(struct umbra_vcpu *vcpu, hpa_t root)
{
	struct cpu *cpu = &cpus[vcpu->index];

	unit.root = root;
	if (cpu->root != root)
		unit_cpu_flush(vcpu->index);
	cpu->root = root;
	if (vcpu->vm->mmu_mode == UMBRA_MMU_NESTED)
		cpu->levels = unit_five_levels ? 5 : 4;
	else if (vcpu->efer & EFER_LMA && vcpu->cr0 & X86_CR0_PG)
		cpu->levels = vcpu->cr4 & X86_CR4_LA57 ? 5 : 4;
	else
		cpu->levels = 3;
}

void unit_cpu_flush(int i)
{
	cpus[i].gen++;
	cpus[i].nr = 0;
}

void unit_cpus_reset(void)
{
	int i;

	for (i = 0; i < UNIT_VCPUS; i++) {
		cpus[i].root = 0;
		unit_cpu_flush(i);
	}
}

bool unit_cpus_keep_table(const struct page *page)
{
	int i;

	for (i = 0; i < UNIT_VCPUS; i++)
		if (page->kept[i] && page->kept[i] == cpus[i].gen)
			return true;
	return false;
}

static unsigned int hash_of(u64 page, u64 entry, int level)
{
	return hash_64(page * 8 + level + entry * 31, 16);
}

/* Where in the hash this translation is or belongs. */
static unsigned int kept_place(const struct cpu *cpu, u64 page, u64 entry, int level)
{
	unsigned int h = hash_of(page, entry, level);

	for (;; h = (h + 1) % KEPT_HASH) {
		const struct unit_kept *k = &cpu->kept[cpu->hash[h].at];

		if (cpu->hash[h].gen != cpu->gen)
			return h;
		if (k->page == page && k->entry == entry && k->level == level)
			return h;
	}
}

static void keep(struct cpu *cpu, u64 page, u64 entry, int level)
{
	unsigned int h = kept_place(cpu, page, entry, level);

	if (cpu->hash[h].gen == cpu->gen)
		return;
	assert(cpu->nr < MAX_KEPT);
	cpu->hash[h].gen = cpu->gen;
	cpu->hash[h].at = cpu->nr;
	cpu->kept[cpu->nr++] = (struct unit_kept){
		.page = page, .entry = entry, .level = level,
	};
}

static const u64 *table_of(u64 e)
{
	return (const u64 *)(unsigned long)(e & E_ADDR);
}

static bool is_leaf(u64 e, int level)
{
	return level == 1 || (e & E_PS);
}

/* Rights of @e below a walk that has @above. */
static u64 rights_below(u64 above, u64 e)
{
	return (above & e & (E_W | E_U)) | ((above | e) & E_NX) | (e & E_PKEY);
}

static void touch_table(struct cpu *cpu, const u64 *table, int level, u64 page, u64 rights)
{
	int i;

	virt_to_page(table)->kept[cpu - cpus] = cpu->gen;
	for (i = 0; i < 512; i++) {
		u64 e = table[i], at = page + ((u64)i << (9 * (level - 1)));

		if (!(e & E_P))
			continue;
		if (is_leaf(e, level))
			keep(cpu, at, rights_below(rights, e) | (e & E_ADDR), level);
		else
			touch_table(cpu, table_of(e), level - 1, at, rights_below(rights, e));
	}
}

static void touch(struct cpu *cpu)
{
	const u64 *root = table_of(cpu->root);
	int i;

	if (cpu->levels > 3) {
		touch_table(cpu, root, cpu->levels, 0, E_W | E_U);
		return;
	}
	virt_to_page(root)->kept[cpu - cpus] = cpu->gen;
	for (i = 0; i < 4; i++)
		if (root[i] & E_P)
			touch_table(cpu, table_of(root[i]), 2, (u64)i << 18, E_W | E_U);
}

void unit_cpus_touch(void)
{
	int i;

	for (i = 0; i < unit.vm.nr_vcpus; i++)
		if (cpus[i].root && unit_can_run(unit.vm.vcpu[i]))
			touch(&cpus[i]);
}

u64 unit_cpu_walk(int i, u64 page, int *level)
{
	const struct cpu *cpu = &cpus[i];
	const u64 *table = table_of(cpu->root);
	u64 e, rights = E_W | E_U;
	int l = cpu->levels;

	if (l == 3) {
		*level = 3;
		e = table[page >> 18 & 3];
		if (!(e & E_P))
			return 0;
		table = table_of(e);
		l = 2;
	}
	for (; ; l--) {
		*level = l;
		e = table[page >> (9 * (l - 1)) & 511];
		if (!(e & E_P))
			return 0;
		rights = rights_below(rights, e);
		if (is_leaf(e, l))
			return (e & ~E_RIGHTS) | rights;
		table = table_of(e);
	}
}

static bool covers(const struct unit_kept *k, u64 page)
{
	return k->level && !((k->page ^ page) >> (9 * (k->level - 1)));
}

u64 unit_cpu_kept(int i, u64 page, int *level)
{
	struct cpu *cpu = &cpus[i];
	int n;

	for (n = 0; n < cpu->nr; n++)
		if (covers(&cpu->kept[n], page)) {
			*level = cpu->kept[n].level;
			return cpu->kept[n].entry | E_P;
		}
	return 0;
}

const struct unit_kept *unit_cpu_at(int i, int n)
{
	return n < cpus[i].nr ? &cpus[i].kept[n] : NULL;
}

/* Level 0 covers nothing; the place in the hash stays taken, by what nobody looks for. */
void unit_cpu_forget(int i, u64 page)
{
	struct cpu *cpu = &cpus[i];
	int n;

	for (n = 0; n < cpu->nr; n++)
		if (covers(&cpu->kept[n], page))
			cpu->kept[n].level = 0;
}

static u64 entry_pfn(u64 e, int level, u64 page)
{
	return ((e & E_ADDR) >> 12) + (page & ((1ULL << (9 * (level - 1))) - 1));
}

u64 unit_lookup(gfn_t gfn, int *level)
{
	return unit_cpu_walk(0, gfn, level);
}

u64 unit_pfn_of(gfn_t gfn)
{
	int level;
	u64 e = unit_lookup(gfn, &level);

	return e ? entry_pfn(e, level, gfn) : 0;
}

/* Tables may give more than what is kept, but nothing else and nothing less. */
static bool agrees(int i, const struct unit_kept *k)
{
	int level;
	u64 e = unit_cpu_walk(i, k->page, &level);

	if (!e)
		return false;
	if (entry_pfn(e, level, k->page) != (k->entry & E_ADDR) >> 12)
		return false;
	if ((k->entry & ~e & E_W) || (e & ~k->entry & E_NX))
		return false;
	return !((k->entry ^ e) & (E_U | E_PKEY));
}

bool unit_cpus_agree(void)
{
	int i, n;

	for (i = 0; i < unit.vm.nr_vcpus; i++)
		for (n = 0; n < cpus[i].nr; n++)
			if (cpus[i].kept[n].level && !agrees(i, &cpus[i].kept[n]))
				return false;
	return true;
}
