// SPDX-License-Identifier: GPL-2.0
/*
 * Processors in unit tests: they walk the tables that Umbra points them at as
 * the manual draws them, and keep all they ever found, translations and
 * pointers to tables, until they are told to flush. What they keep of second-level
 * tables and of others is kept apart, and a flush drops that of the kind which is in
 * use alone. Shares no line with the code under test.
 */
#include "mmu_lib.h"
#include "mmu/mmu_internal.h"

#define MAX_KEPT	(1 << 15)
#define KEPT_HASH	(1 << 16)

/* What of an entry a processor goes by. */
#define E_RIGHTS	(E_W | E_U | E_NX | E_PKEY)

/**
 * struct cpu - one processor, with one kind of tables
 * @nested: they are second-level tables
 * @root: table it was pointed at
 * @levels: of that table; 3: four page directory pointers
 * @gen: counts flushes
 * @nr: translations kept
 * @kept: these
 * @hash: index in @kept by page, valid when its gen is ours
 */
struct cpu {
	bool nested;
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

/* By processor and kind; and the kind that each is in. */
static struct cpu cpus[UNIT_VCPUS][2];
static bool on_nested[UNIT_VCPUS];

static struct cpu *cpu_at(int i)
{
	return &cpus[i][on_nested[i]];
}

void unit_cpu_set_root(struct umbra_vcpu *vcpu, hpa_t root, bool nested)
{
	struct cpu *cpu;

	assert(nested == unit_on_nested(vcpu));
	unit.root = root;
	unit.root_nested = nested;
	on_nested[vcpu->index] = nested;
	cpu = cpu_at(vcpu->index);
	if (cpu->root != root)
		unit_cpu_flush(vcpu->index);
	cpu->root = root;
	if (nested)
		cpu->levels = unit_five_levels && umbra_caps.fmt == UMBRA_FMT_NPT ? 5 : 4;
	else if (vcpu->efer & EFER_LMA && vcpu->cr0 & X86_CR0_PG)
		cpu->levels = vcpu->cr4 & X86_CR4_LA57 ? 5 : 4;
	else
		cpu->levels = 3;
}

static void flush(struct cpu *cpu)
{
	static u64 gen;

	cpu->gen = ++gen;
	cpu->nr = 0;
}

void unit_cpu_flush(int i)
{
	flush(cpu_at(i));
}

void unit_cpus_reset(void)
{
	int i, kind;

	for (i = 0; i < UNIT_VCPUS; i++)
		for (kind = 0; kind < 2; kind++) {
			cpus[i][kind].nested = kind;
			cpus[i][kind].root = 0;
			flush(&cpus[i][kind]);
		}
}

bool unit_cpus_keep_table(const struct page *page)
{
	int i;

	for (i = 0; i < UNIT_VCPUS; i++)
		if (page->kept[i] == cpu_at(i)->gen)
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

/* A present entry of extended page tables that is misconfigured ends the test. */
static u64 ept_entry(u64 e, int level)
{
	u64 low = BIT_ULL(12 + 9 * (level - 1)) - 1, type = e >> 3 & 7;
	bool leaf = level == 1 || (e & 0x80);

	if (!(e & 7))
		return 0;
	assert(e & 1);
	if (leaf) {
		assert(level <= 3);
		assert(type == 0 || type == 1 || type == 4 || type == 5 || type == 6);
		assert(!(e & E_ADDR & low));
	} else {
		assert(!(e & 0xf8));
	}
	return (e & E_ADDR) | E_P | E_U | (e & 2 ? E_W : 0) | (e & 4 ? 0 : E_NX) |
	       (e & 0x100 ? E_A : 0) | (e & 0x200 ? E_D : 0) | (leaf && level > 1 ? E_PS : 0);
}

u64 unit_nested_entry(u64 e, int level)
{
	return umbra_caps.fmt == UMBRA_FMT_EPT ? ept_entry(e, level) : e;
}

u64 unit_touched_entry(u64 e, bool nested)
{
	if (!nested || umbra_caps.fmt == UMBRA_FMT_NPT)
		return e & E_P ? e | E_A | (e & E_W ? E_D : 0) : e;
	return (e & 7) && umbra_caps.nested_ad ? e | 0x100 | (e & 2 ? 0x200 : 0) : e;
}

static u64 read_entry(const struct cpu *cpu, u64 e, int level)
{
	return cpu->nested ? unit_nested_entry(e, level) : e;
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

static int number_of(const struct cpu *cpu)
{
	return (cpu - &cpus[0][0]) / 2;
}

static void touch_table(struct cpu *cpu, const u64 *table, int level, u64 page, u64 rights)
{
	int i;

	virt_to_page(table)->kept[number_of(cpu)] = cpu->gen;
	for (i = 0; i < 512; i++) {
		u64 e = read_entry(cpu, table[i], level), at = page + ((u64)i << (9 * (level - 1)));

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
	virt_to_page(root)->kept[number_of(cpu)] = cpu->gen;
	for (i = 0; i < 4; i++)
		if (root[i] & E_P)
			touch_table(cpu, table_of(root[i]), 2, (u64)i << 18, E_W | E_U);
}

void unit_cpus_touch(void)
{
	int i;

	for (i = 0; i < unit.vm.nr_vcpus; i++)
		if (cpu_at(i)->root && unit_can_run(unit.vm.vcpu[i]))
			touch(cpu_at(i));
}

u64 unit_cpu_walk(int i, u64 page, int *level)
{
	const struct cpu *cpu = cpu_at(i);
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
		e = read_entry(cpu, table[page >> (9 * (l - 1)) & 511], l);
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
	struct cpu *cpu = cpu_at(i);
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
	return n < cpu_at(i)->nr ? &cpu_at(i)->kept[n] : NULL;
}

/* Level 0 covers nothing; the place in the hash stays taken, by what nobody looks for. */
void unit_cpu_forget(int i, u64 page)
{
	struct cpu *cpu = cpu_at(i);
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
		for (n = 0; n < cpu_at(i)->nr; n++)
			if (cpu_at(i)->kept[n].level && !agrees(i, &cpu_at(i)->kept[n]))
				return false;
	return true;
}
