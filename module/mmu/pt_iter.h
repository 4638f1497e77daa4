/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The one walk over second-level tables: pre-order, present entries only, and
 * a descent to one gfn for those who map. Knows levels and indexes, never bits.
 *
 *	umbra_pt_begin(&it, fmt, root, first, end);
 *	while (umbra_pt_next(&it))
 *		... it.level, it.gfn, it.entry; umbra_pt_replace(&it, new) ...
 *
 * A table is entered after its own entry was visited, by the value the entry
 * has then: an entry that the visitor cleared is not followed.
 */
#ifndef UMBRA_MMU_PT_ITER_H
#define UMBRA_MMU_PT_ITER_H

#include "fmt.h"

/**
 * struct umbra_pt_iter - where a walk stands; the MMU lock is held throughout
 * @fmt: format of the tables
 * @levels: level of the root
 * @level: level of the current entry
 * @gfn: first frame that the current entry covers
 * @first: the walk begins at this frame
 * @end: the walk ends before this frame
 * @entry: the current entry's value as last read or written here
 * @started: the current entry was visited
 * @table: the tables on the way down, by level
 */
struct umbra_pt_iter {
	enum umbra_fmt_id fmt;
	int levels;
	int level;
	gfn_t gfn;
	gfn_t first;
	gfn_t end;
	u64 entry;
	bool started;
	u64 *table[UMBRA_FMT_MAX_LEVELS + 1];
};

/* Walk the entries that cover any frame of [@first, @end). */
void umbra_pt_begin(struct umbra_pt_iter *it, enum umbra_fmt_id fmt, u64 *root, gfn_t first,
		    gfn_t end);
/* Go to the next present entry; false when there is none. */
bool umbra_pt_next(struct umbra_pt_iter *it);
/*
 * Go on after the current entry, but from the root: tables may have changed. An
 * entry that links a table is visited again, and those above it.
 */
void umbra_pt_restart(struct umbra_pt_iter *it);

/* Stand on the root's entry for @gfn, present or not. */
void umbra_pt_seek(struct umbra_pt_iter *it, enum umbra_fmt_id fmt, u64 *root, gfn_t gfn);
/* From an entry that links a table, one level down towards @gfn. */
void umbra_pt_down(struct umbra_pt_iter *it, gfn_t gfn);

static inline u64 *umbra_pt_entry(const struct umbra_pt_iter *it)
{
	return &it->table[it->level][umbra_level_index(it->gfn, it->level)];
}

static inline bool umbra_pt_present(const struct umbra_pt_iter *it)
{
	return umbra_fmt_present(it->fmt, it->entry);
}

static inline bool umbra_pt_leaf(const struct umbra_pt_iter *it)
{
	return umbra_fmt_leaf(it->fmt, it->entry, it->level);
}

/* Swap in @new; returns what was there, with the bits the processor set meanwhile. */
static inline u64 umbra_pt_replace(struct umbra_pt_iter *it, u64 new)
{
	it->entry = new;
	return xchg(umbra_pt_entry(it), new);
}

/* Swap in @new unless the processor changed the entry; then reread and return false. */
static inline bool umbra_pt_try_replace(struct umbra_pt_iter *it, u64 new)
{
	u64 old = cmpxchg(umbra_pt_entry(it), it->entry, new);
	bool same = old == it->entry;

	it->entry = same ? new : old;
	return same;
}

#endif
