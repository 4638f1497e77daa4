// SPDX-License-Identifier: GPL-2.0
/*
 * Walk over second-level tables. Owns the arithmetic of levels and indexes; it
 * never looks at an entry's bits but through fmt.h, and never changes one.
 */
#include "mmu_env.h"
#include "pt_iter.h"

static gfn_t level_align(gfn_t gfn, int level)
{
	return gfn & ~(umbra_level_pages(level) - 1);
}

static void iter_read(struct umbra_pt_iter *it)
{
	it->entry = READ_ONCE(*umbra_pt_entry(it));
}

/* Stand on the entry for @gfn in the table of @level. */
static void iter_stand(struct umbra_pt_iter *it, gfn_t gfn, int level)
{
	it->level = level;
	it->gfn = level_align(gfn, level);
	iter_read(it);
}

void umbra_pt_seek(struct umbra_pt_iter *it, enum umbra_fmt_id fmt, u64 *root, gfn_t gfn)
{
	it->fmt = fmt;
	it->levels = umbra_fmt_levels(fmt);
	it->table[it->levels] = root;
	iter_stand(it, gfn, it->levels);
}

void umbra_pt_down(struct umbra_pt_iter *it, gfn_t gfn)
{
	hpa_t pa = umbra_fmt_addr(it->fmt, it->entry, it->level);

	it->table[it->level - 1] = __va(pa);
	iter_stand(it, gfn, it->level - 1);
}

void umbra_pt_begin(struct umbra_pt_iter *it, enum umbra_fmt_id fmt, u64 *root, gfn_t first,
		    gfn_t end)
{
	umbra_pt_seek(it, fmt, root, first);
	it->first = first;
	it->end = end;
	it->started = false;
}

static bool iter_can_descend(const struct umbra_pt_iter *it)
{
	return umbra_pt_present(it) && !umbra_pt_leaf(it);
}

void umbra_pt_restart(struct umbra_pt_iter *it)
{
	gfn_t next = it->gfn;

	if (!iter_can_descend(it))
		next += umbra_level_pages(it->level);
	umbra_pt_begin(it, it->fmt, it->table[it->levels], max(it->first, next), it->end);
}

/* To the entry after the current one, going up where a table ends. */
static bool iter_advance(struct umbra_pt_iter *it)
{
	gfn_t next = it->gfn + umbra_level_pages(it->level);
	int level = it->level;

	if (next >= it->end)
		return false;
	while (level < it->levels && !umbra_level_index(next, level))
		level++;
	/* Past the last entry of the root. */
	if (level == it->levels && !umbra_level_index(next, level))
		return false;
	iter_stand(it, next, level);
	return true;
}

static bool iter_step(struct umbra_pt_iter *it)
{
	if (!iter_can_descend(it))
		return iter_advance(it);
	umbra_pt_down(it, max(it->first, it->gfn));
	return true;
}

bool umbra_pt_next(struct umbra_pt_iter *it)
{
	if (!it->started) {
		it->started = true;
		if (it->first >= it->end)
			return false;
		if (umbra_pt_present(it))
			return true;
	}
	while (iter_step(it))
		if (umbra_pt_present(it))
			return true;
	return false;
}
