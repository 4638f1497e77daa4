// SPDX-License-Identifier: GPL-2.0
/*
 * Changes that the storm makes to its tables: entries, pages that turn from data to tables
 * and back, copies of tables. Each entry is stored through storm_set_entry(), which keeps
 * book of what may be cached. Guest code and test code.
 */
#include "storm.h"

#define FEW_DATA	10	/* own frames that stay data */

static bool is_pdpte(const struct storm_cpu *cpu, int level)
{
	return cpu->world->fmt == &storm_pae && level == 3;
}

static u64 maybe(struct storm_cpu *cpu, u32 percent, u64 bit)
{
	return storm_chance(cpu, percent) ? bit : 0;
}

static u64 ignored_bits(struct storm_cpu *cpu)
{
	u64 bits = storm_random(cpu) & 7ull << 9;

	if (cpu->world->fmt == &storm_long)
		bits |= storm_random(cpu) & 0x7full << 52;
	return maybe(cpu, 20, bits);
}

static u32 count_data(const struct storm_cpu *cpu)
{
	u32 k, n = 0;

	for (k = 0; k < STORM_OWN; k++)
		n += cpu->role[k] == STORM_DATA;
	return n;
}

/* One of @cpu's frames with this role (and level, unless 0), or -1. */
static int pick_own(struct storm_cpu *cpu, int role, int level)
{
	u32 i, k = storm_below(cpu, STORM_OWN);

	for (i = 0; i < STORM_OWN; i++, k = (k + 1) % STORM_OWN)
		if (cpu->role[k] == role && (!level || cpu->level[k] == level))
			return k;
	return -1;
}

void storm_fill_data(struct storm_cpu *cpu, u64 gpa, u64 value)
{
	struct storm_rec rec = { .op = STORM_OP_TO_DATA, .gva = gpa, .value = value };

	cpu->world->ops->fill(cpu, gpa, value);
	storm_record(cpu, &rec);
}

static int new_table(struct storm_cpu *cpu, int level)
{
	struct storm_rec rec = { .op = STORM_OP_TO_TABLE, .detail = level };
	int k;

	if (count_data(cpu) <= FEW_DATA)
		return -1;
	k = pick_own(cpu, STORM_DATA, 0);
	rec.gva = storm_own_gpa(cpu, k);
	cpu->world->ops->fill(cpu, rec.gva, 0);
	storm_record(cpu, &rec);
	cpu->role[k] = STORM_TABLE;
	cpu->level[k] = level;
	storm_doubt_table(cpu, rec.gva);
	return k;
}

/* A table for an entry of @level to point to. */
static u64 pick_table(struct storm_cpu *cpu, int level)
{
	int k = -1;

	if (cpu->world->fmt == &storm_long && storm_chance(cpu, 8)) {
		if (level == 2)
			return STORM_FRAME(STORM_C1A + storm_below(cpu, 3));
		return STORM_FRAME(level == 3 ? STORM_C2 : STORM_C3);
	}
	if (storm_chance(cpu, 12))
		k = new_table(cpu, level - 1);
	/* Now and then of another level: a table that maps itself is one. */
	if (k < 0)
		k = pick_own(cpu, STORM_TABLE, storm_chance(cpu, 4) ? 0 : level - 1);
	if (k < 0)
		k = new_table(cpu, level - 1);
	return k < 0 ? 0 : storm_own_gpa(cpu, k);
}

/* A page for an entry of level 1 or 2 to map. */
static u64 pick_page(struct storm_cpu *cpu, int level, u32 owner)
{
	const struct storm_fmt *fmt = cpu->world->fmt;
	u32 what = storm_below(cpu, 100), k;
	u64 big = STORM_BIG(1);

	if (owner != STORM_COMMON && what < 75)
		big = STORM_BIG(2 + 2 * cpu->id + (what & 1));
	if (level == 2)
		return what < 88 ? big : STORM_BIG(0);
	if (what >= 85)
		return big + fmt->idx[1][storm_below(cpu, fmt->nidx[1])] * UT_PAGE_SIZE;
	if (what >= 80)
		return STORM_FRAME(storm_below(cpu, STORM_CDATA));
	if (owner == STORM_COMMON || what >= 70)
		return STORM_FRAME(STORM_CDATA + storm_below(cpu, STORM_OWN_FIRST - STORM_CDATA));
	k = storm_below(cpu, STORM_OWN);
	return storm_own_gpa(cpu, k);
}

static u64 make_pointer(struct storm_cpu *cpu, int level, u32 owner)
{
	u64 table;

	if (owner == STORM_COMMON)
		table = STORM_FRAME(level == 4 ? STORM_C3 : level == 3 ? STORM_C2 :
				    STORM_C1A + storm_below(cpu, 3));
	else
		table = pick_table(cpu, level);
	if (!table)
		return 0;
	if (is_pdpte(cpu, level))
		return table | PTE_P;
	return table | PTE_P | maybe(cpu, 88, PTE_W) | maybe(cpu, 85, PTE_U) |
	       maybe(cpu, 4, PTE_NX) | maybe(cpu, 50, PTE_A) | maybe(cpu, 1, PTE_RSVD) |
	       maybe(cpu, level == 4 ? 1 : 0, PTE_PS) | ignored_bits(cpu);
}

static u64 make_page(struct storm_cpu *cpu, int level, u32 owner)
{
	u64 entry = pick_page(cpu, level, owner) | PTE_P | maybe(cpu, 70, PTE_W) |
		    maybe(cpu, 60, PTE_U) | maybe(cpu, 12, PTE_NX) | maybe(cpu, 25, PTE_G) |
		    maybe(cpu, 50, PTE_A) | maybe(cpu, 50, PTE_D) | maybe(cpu, 1, PTE_RSVD) |
		    ignored_bits(cpu);

	/* In entries of 4 bytes that bit is one of the address. */
	if (level == 2)
		entry |= PTE_PS | maybe(cpu, cpu->world->fmt->entry == 8 ? 2 : 0, PTE_RSVD_BIG);
	return entry;
}

/* Change one right, or the accessed and dirty bits, of @old. */
static u64 tweak(struct storm_cpu *cpu, u64 old, int level, bool keep_ad)
{
	static const u64 bits[] = { PTE_W, PTE_W, PTE_U, PTE_NX, PTE_G, 0 };
	u64 bit = bits[storm_below(cpu, ARRAY_SIZE(bits))];

	if ((bit == PTE_NX && !cpu->world->fmt->nx) || (bit == PTE_G && level > 2))
		bit = PTE_U;
	if (keep_ad)
		return old ^ (bit ? bit : PTE_W);
	return ((old & ~PTE_AD) ^ bit) | maybe(cpu, 40, PTE_A) | maybe(cpu, 40, PTE_D);
}

static u64 make_entry(struct storm_cpu *cpu, u64 old, int level, u32 owner, int *style)
{
	u32 what = storm_below(cpu, 100);

	*style = storm_below(cpu, STORM_LOCK_AND_OR);
	if ((old & PTE_P) && what < 45 && !is_pdpte(cpu, level)) {
		if (storm_chance(cpu, 40))
			*style = STORM_LOCK_AND_OR;
		return tweak(cpu, old, level, *style == STORM_LOCK_AND_OR);
	}
	if (what >= 92)
		return storm_chance(cpu, 50) ? 0 : storm_random(cpu) & ~PTE_P;
	if (level > 2 || (level == 2 && storm_chance(cpu, 65)))
		return make_pointer(cpu, level, owner);
	return make_page(cpu, level, owner);
}

/* A linear address of the entry at @at: its identity, or where the storm itself maps it. */
static u64 address_of(struct storm_cpu *cpu, u64 at)
{
	struct storm_access write = { .kind = STORM_WRITE };
	u64 page = at & ~(UT_PAGE_SIZE - 1);
	struct storm_path path;
	u32 i, n;

	if (!storm_chance(cpu, 25))
		return at;
	n = storm_below(cpu, cpu->nr_gvas);
	for (i = 0; i < cpu->nr_gvas; i++, n = (n + 1) % cpu->nr_gvas) {
		if (cpu->flag[n] & (STORM_HARD | STORM_LOOSE))
			continue;
		storm_walk(cpu, cpu->root, cpu->gva[n], &path);
		/* Not on the way to itself: a store may take two instructions. */
		if (!path.present || path.odd || path.gpa != page || storm_uses(&path, at) ||
		    storm_fault(cpu, &path, &write))
			continue;
		cpu->count[STORM_N_ALIAS]++;
		return cpu->gva[n] | (at & (UT_PAGE_SIZE - 1));
	}
	return at;
}

static void store(struct storm_cpu *cpu, u64 at, u64 new, int style)
{
	u64 old = storm_entry(cpu, at);

	if (cpu->world->fmt->entry == 4)
		new = (u32)new;
	if (style < STORM_LOCK_AND_OR && storm_chance(cpu, 10))
		style = (old ^ new) >> 8 ? STORM_XOR : STORM_BYTE;
	storm_set_entry(cpu, at, address_of(cpu, at), new, style);
	cpu->count[STORM_N_EDIT]++;
}

static int pick_level(struct storm_cpu *cpu)
{
	u32 what = storm_below(cpu, 100);
	int level = what < 52 ? 1 : what < 82 ? 2 : what < 92 ? 3 : 4;
	int top = cpu->world->fmt->levels;

	return level > top ? top : level;
}

static bool may_edit(const struct storm_cpu *cpu, u32 owner)
{
	return owner == cpu->id || (owner == STORM_COMMON && cpu->leader);
}

/* Change one entry on the way to one of the storm's pages. */
void storm_edit(struct storm_cpu *cpu)
{
	u32 n = storm_below(cpu, cpu->nr_gvas), root = cpu->root, i, owner;
	int level = pick_level(cpu), top = cpu->world->fmt->levels, style;
	struct storm_path path;
	u64 new;

	if (cpu->leader && cpu->nr_gvas > cpu->first_common)
		n = cpu->first_common + storm_below(cpu, cpu->nr_gvas - cpu->first_common);
	if (storm_chance(cpu, 25))
		root = storm_below(cpu, STORM_ROOTS);
	storm_walk(cpu, root, cpu->gva[n], &path);
	i = path.n - 1;
	if (top - level < (int)i)
		i = top - level;
	owner = storm_owner(cpu->world, path.at[i]);
	if (!may_edit(cpu, owner)) {
		cpu->count[STORM_N_SKIP]++;
		return;
	}
	new = make_entry(cpu, path.value[i], top - i, owner, &style);
	store(cpu, path.at[i], new, style);
	/* A processor may load these entries with CR3 only. */
	if (is_pdpte(cpu, top - i) && root == cpu->root)
		storm_load_root(cpu, root);
	cpu->recent[storm_below(cpu, ARRAY_SIZE(cpu->recent))] = n;
}

/* Take the table at @gpa out of the entries from @first, @count of them, that point to it. */
static void unlink_from(struct storm_cpu *cpu, u64 first, u32 count, u64 gpa)
{
	u32 i, size = cpu->world->fmt->entry;
	u64 e;

	for (i = 0; i < count; i++, first += size) {
		e = storm_entry(cpu, first);
		if ((e & PTE_P) && !(e & PTE_PS) && (e & PTE_ADDR_MASK) == gpa &&
		    storm_owner(cpu->world, first) == cpu->id)
			store(cpu, first, 0, storm_below(cpu, STORM_LOCK_AND_OR));
	}
}

static void unlink_table(struct storm_cpu *cpu, u64 gpa)
{
	u32 k, per_page = UT_PAGE_SIZE / cpu->world->fmt->entry;

	for (k = 0; k < STORM_ROOTS; k++)
		unlink_from(cpu, STORM_FRAME(k), per_page, gpa);
	unlink_from(cpu, STORM_FRAME(STORM_C2), per_page, gpa);
	for (k = 0; k < STORM_OWN; k++)
		if (cpu->role[k] == STORM_TABLE && cpu->level[k] > 1)
			unlink_from(cpu, storm_own_gpa(cpu, k), per_page, gpa);
}

/*
 * A table becomes data: no entry points to it any more, and nothing of it may be cached when
 * its contents change. Or data becomes a table that nothing points to yet.
 */
void storm_change_role(struct storm_cpu *cpu)
{
	int n, k = pick_own(cpu, STORM_TABLE, 0);

	cpu->count[STORM_N_ROLE]++;
	if (k < 0 || storm_chance(cpu, 40)) {
		new_table(cpu, 1 + storm_below(cpu, cpu->world->fmt->levels - 1));
		return;
	}
	unlink_table(cpu, storm_own_gpa(cpu, k));
	if (cpu->world->fmt != &storm_pae && storm_chance(cpu, 30)) {
		storm_flip_pge(cpu);
	} else {
		storm_load_root(cpu, cpu->root);
		for (n = 0; n < (int)cpu->nr_gvas; n++)
			if (cpu->flag[n] & STORM_GLOBAL)
				cpu->flag[n] |= STORM_HARD;
	}
	cpu->role[k] = STORM_DATA;
	storm_fill_data(cpu, storm_own_gpa(cpu, k), storm_random(cpu) | 1);
}

/* Copy a table as fork() does: the original loses rights to write, one path gets the copy. */
void storm_fork(struct storm_cpu *cpu)
{
	u32 n = storm_below(cpu, cpu->nr_gvas), k, i, level;
	struct storm_rec rec = { .op = STORM_OP_COPY };
	struct storm_path path;
	int copy;

	storm_walk(cpu, cpu->root, cpu->gva[n], &path);
	if (path.n < 2 || path.odd)
		return;
	i = 1 + storm_below(cpu, path.n - 1);
	rec.gva = path.at[i] & ~(UT_PAGE_SIZE - 1);
	level = cpu->world->fmt->levels - i;
	if (!storm_own_frame(cpu, rec.gva, &k) || cpu->level[k] != level ||
	    storm_owner(cpu->world, path.at[i - 1]) != cpu->id)
		return;
	copy = new_table(cpu, level);
	if (copy < 0)
		return;
	rec.value = storm_own_gpa(cpu, copy);
	cpu->world->ops->copy(cpu, rec.value, rec.gva);
	storm_record(cpu, &rec);
	if (path.value[i] & PTE_W)
		store(cpu, path.at[i], path.value[i] & ~PTE_W, STORM_LOCK_AND_OR);
	store(cpu, path.at[i - 1], (path.value[i - 1] & ~(PTE_ADDR_MASK | PTE_AD)) | rec.value,
	      storm_below(cpu, STORM_LOCK_AND_OR));
	if (is_pdpte(cpu, level + 1))
		storm_load_root(cpu, cpu->root);
	cpu->count[STORM_N_ROLE]++;
}
