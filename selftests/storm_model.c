// SPDX-License-Identifier: GPL-2.0
/*
 * What the processors may have cached of the storm's tables: every change of an entry and
 * every flush goes through here, so that the engine knows which linear pages have one
 * outcome. Errs on the side of "not determined". Guest code and test code.
 */
#include "storm.h"

#define CR0_WP		BIT_ULL(16)
#define CR4_PGE		BIT_ULL(7)
#define CR4_SMEP	BIT_ULL(20)
#define CR4_SMAP	BIT_ULL(21)
#define HASH_PRIME	0x100000001b3ull

u64 storm_random(struct storm_cpu *cpu)
{
	u64 x = cpu->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	cpu->random = x;
	return x * 0x2545f4914f6cdd1dull;
}

u32 storm_below(struct storm_cpu *cpu, u32 n)
{
	return (storm_random(cpu) >> 33) % n;
}

bool storm_chance(struct storm_cpu *cpu, u32 percent)
{
	return storm_below(cpu, 100) < percent;
}

void storm_record(struct storm_cpu *cpu, const struct storm_rec *rec)
{
	struct storm_rec *r = &cpu->log[cpu->records++ % STORM_RECORDS];
	const u64 word[] = { (u64)rec->op << 32 | rec->detail, rec->gva, rec->value, rec->fault,
			     rec->cr2 };
	u32 i;

	*r = *rec;
	r->step = cpu->step;
	for (i = 0; i < ARRAY_SIZE(word); i++) {
		cpu->hash = (cpu->hash ^ word[i]) * HASH_PRIME;
		cpu->hash ^= cpu->hash >> 29;
	}
}

void storm_wrong(struct storm_cpu *cpu, const char *what)
{
	if (!cpu->wrong)
		cpu->wrong = what;
	ut_write_once(cpu->world->stop, 1);
}

/* What can be cached from now on, beyond what was before. */
static u8 cacheable(const struct storm_cpu *cpu, const struct storm_path *path)
{
	u64 leaf = path->value[path->n - 1];
	u8 flag = 0;

	if (path->odd)
		return STORM_GLOBAL | STORM_SMALL;
	if (path->present && (leaf & PTE_G))
		flag |= STORM_GLOBAL;
	/* It got below level 2: there was a table. */
	if (path->level == 1)
		flag |= STORM_SMALL;
	return flag;
}

static u8 staleness(u64 old, u64 new, int style)
{
	const u64 rights = PTE_W | PTE_U | PTE_NX;
	u64 change = (old ^ new) & ~PTE_AD;
	u8 flag = 0;

	if (!(old & PTE_P))
		return 0;
	if (style != STORM_LOCK_AND_OR && (new & PTE_AD) != PTE_AD)
		flag |= STORM_STALE_AD;
	if (!change)
		return flag;
	if (!(change & ~rights) && !(change & (PTE_W | PTE_U) & old) && !(change & PTE_NX & new))
		return flag | STORM_LOOSE;
	return flag | STORM_HARD;
}

/* Add @flag to the pages of @cpu that the entry at @at takes part in translating. */
static void mark(struct storm_cpu *cpu, u64 at, u8 flag)
{
	struct storm_path path;
	u32 n;

	for (n = 0; n < cpu->nr_gvas; n++) {
		storm_walk(cpu, cpu->root, cpu->gva[n], &path);
		if (storm_uses(&path, at))
			cpu->flag[n] |= flag ? flag : cacheable(cpu, &path);
	}
}

/* Pages that the table at @gpa takes part in translating may be cached by what it held before. */
void storm_doubt_table(struct storm_cpu *cpu, u64 gpa)
{
	struct storm_path path;
	u32 n, i;

	for (n = 0; n < cpu->nr_gvas; n++) {
		storm_walk(cpu, cpu->root, cpu->gva[n], &path);
		for (i = 0; i < path.n; i++)
			if ((path.at[i] & ~(UT_PAGE_SIZE - 1)) == gpa)
				cpu->flag[n] |= STORM_HARD | STORM_STALE_AD;
	}
}

/* A change of everybody's entry happens while all others wait: it is marked for them too. */
static void mark_all(struct storm_cpu *cpu, u64 at, u8 flag)
{
	struct storm_world *world = cpu->world;
	u32 i;

	if (storm_owner(world, at) != STORM_COMMON) {
		mark(cpu, at, flag);
		return;
	}
	for (i = 0; i < world->nr_cpus; i++)
		mark(&world->cpu[i], at, flag);
}

/* Store @new into the entry at guest-physical @at through the linear address @gva. */
void storm_set_entry(struct storm_cpu *cpu, u64 at, u64 gva, u64 new, int style)
{
	struct storm_rec rec = {
		.op = STORM_OP_STORE,
		.detail = style,
		.gva = gva,
		.value = new & ~PTE_AD,
		.cr2 = at,
		.expect = new,
	};
	u64 old = storm_entry(cpu, at);
	u8 flag = staleness(old, new, style);

	if (flag)
		mark_all(cpu, at, flag);
	cpu->world->ops->store(cpu, gva, old, new, style);
	storm_record(cpu, &rec);
	if ((storm_entry(cpu, at) ^ new) & ~PTE_AD)
		storm_wrong(cpu, "an entry is not what was stored");
	mark_all(cpu, at, 0);
}

static u8 cacheable_now(struct storm_cpu *cpu, u32 n)
{
	struct storm_path path;

	storm_walk(cpu, cpu->root, cpu->gva[n], &path);
	return cacheable(cpu, &path);
}

/*
 * INVLPG of page @n. It flushes the whole of a big page, so that the pages beside @n are
 * clean as well, if nothing smaller can be cached of them.
 */
void storm_flush_page(struct storm_cpu *cpu, u32 n)
{
	u64 gva = cpu->gva[n] + (storm_random(cpu) & (UT_PAGE_SIZE - 1));
	struct storm_rec rec = { .op = STORM_OP_INVLPG, .gva = gva };
	u32 i, shift = cpu->world->fmt->big_shift;

	cpu->world->ops->invlpg(cpu, gva);
	storm_record(cpu, &rec);
	if (!(cpu->flag[n] & STORM_SMALL))
		for (i = 0; i < cpu->nr_gvas; i++)
			if (cpu->gva[i] >> shift == gva >> shift && !(cpu->flag[i] & STORM_SMALL))
				cpu->flag[i] = cacheable_now(cpu, i);
	cpu->flag[n] = cacheable_now(cpu, n);
}

static void write_cr(struct storm_cpu *cpu, int nr, u64 value)
{
	struct storm_rec rec = { .op = STORM_OP_CR3, .detail = nr, .value = value };

	if (nr != 3)
		rec.op = nr ? STORM_OP_CR4 : STORM_OP_CR0;
	cpu->world->ops->write_cr(cpu, nr, value);
	storm_record(cpu, &rec);
}

/* Do both translate in the same way, by the same entries but for the top one's place? */
static bool same_path(const struct storm_path *a, const struct storm_path *b)
{
	u32 i;

	if (a->n != b->n)
		return false;
	for (i = 0; i < a->n; i++)
		if ((i && a->at[i] != b->at[i]) || ((a->value[i] ^ b->value[i]) & ~PTE_AD))
			return false;
	return true;
}

/* Load a root, maybe the same again. What may be cached as global stays cached. */
void storm_load_root(struct storm_cpu *cpu, u32 root)
{
	struct storm_path old, new;
	u32 n;
	u8 flag;

	for (n = 0; n < cpu->nr_gvas; n++) {
		storm_walk(cpu, root, cpu->gva[n], &new);
		flag = cpu->flag[n];
		if (!(flag & STORM_GLOBAL)) {
			cpu->flag[n] = cacheable(cpu, &new);
			continue;
		}
		storm_walk(cpu, cpu->root, cpu->gva[n], &old);
		if (!same_path(&old, &new))
			flag |= STORM_HARD | STORM_STALE_AD;
		cpu->flag[n] = flag | cacheable(cpu, &new);
	}
	cpu->root = root;
	write_cr(cpu, 3, storm_root_gpa(cpu->world, root));
}

static u64 cr4(const struct storm_cpu *cpu)
{
	return cpu->world->cr4 | (cpu->pge ? CR4_PGE : 0) | (cpu->smep ? CR4_SMEP : 0) |
	       (cpu->smap ? CR4_SMAP : 0);
}

/*
 * Any change of CR4.PGE flushes everything. On PAE tables it loads PDPTEs too, with checks:
 * QEMU sets accessed bits there, which are reserved, so the storm flushes by INVLPG instead.
 */
void storm_flip_pge(struct storm_cpu *cpu)
{
	u32 n;

	if (cpu->world->fmt == &storm_pae) {
		for (n = 0; n < cpu->nr_gvas; n++)
			if (cpu->flag[n] & STORM_STALE)
				storm_flush_page(cpu, n);
		return;
	}
	cpu->pge ^= 1;
	write_cr(cpu, 4, cr4(cpu));
	for (n = 0; n < cpu->nr_gvas; n++)
		cpu->flag[n] = cacheable_now(cpu, n);
}

/* These bits take effect without a flush. */
void storm_flip_rights(struct storm_cpu *cpu)
{
	switch (storm_below(cpu, 4)) {
	case 0:
		if (cpu->world->has_smep && cpu->world->fmt != &storm_pae) {
			cpu->smep ^= 1;
			write_cr(cpu, 4, cr4(cpu));
			return;
		}
		break;
	case 1:
		if (cpu->world->has_smap) {
			cpu->smap ^= 1;
			write_cr(cpu, 4, cr4(cpu));
			return;
		}
		break;
	}
	cpu->wp ^= 1;
	write_cr(cpu, 0, cpu->world->cr0 | (cpu->wp ? CR0_WP : 0));
}

/* Make page @n clean in one of the ways there are. */
void storm_flush_somehow(struct storm_cpu *cpu, u32 n)
{
	u32 way = storm_below(cpu, 100);

	cpu->count[STORM_N_FLUSH]++;
	if (way < 12)
		storm_flip_pge(cpu);
	else if (way < 32)
		storm_load_root(cpu, cpu->root);
	else if (way < 52)
		storm_load_root(cpu, storm_below(cpu, STORM_ROOTS));
	if (way >= 52 || (cpu->flag[n] & STORM_STALE))
		storm_flush_page(cpu, n);
}
