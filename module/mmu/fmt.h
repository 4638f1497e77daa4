/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One entry of a second-level table, whatever the processor's format.
 *
 * Every format file defines the same functions in the same order, under its
 * own prefix; here each becomes umbra_fmt_*() by a look at the format, which
 * a processor predicts and which costs no indirect call. Formats know bits and
 * level counts; they never follow an entry.
 */
#ifndef UMBRA_MMU_FMT_H
#define UMBRA_MMU_FMT_H

#include "mmu_env.h"
#include "fmt_ept.h"
#include "fmt_npt.h"

#define UMBRA_FMT_MAX_LEVELS	5
#define UMBRA_FMT_INDEX_BITS	9
#define UMBRA_FMT_ENTRIES	512u

#define UMBRA_FMT_CALL(fmt, fn, ...)				\
	((fmt) == UMBRA_FMT_EPT ? ept_##fn(__VA_ARGS__) : npt_##fn(__VA_ARGS__))

/* Levels of a whole table; the root is the highest. */
static inline int umbra_fmt_levels(enum umbra_fmt_id fmt)
{
	return UMBRA_FMT_CALL(fmt, levels);
}

static inline bool umbra_fmt_present(enum umbra_fmt_id fmt, u64 e)
{
	return UMBRA_FMT_CALL(fmt, present, e);
}

/* Of a present entry: it maps memory instead of a lower table. */
static inline bool umbra_fmt_leaf(enum umbra_fmt_id fmt, u64 e, int level)
{
	return UMBRA_FMT_CALL(fmt, leaf, e, level);
}

static inline bool umbra_fmt_writable(enum umbra_fmt_id fmt, u64 e)
{
	return UMBRA_FMT_CALL(fmt, writable, e);
}

static inline bool umbra_fmt_executable(enum umbra_fmt_id fmt, u64 e)
{
	return UMBRA_FMT_CALL(fmt, executable, e);
}

static inline bool umbra_fmt_accessed(enum umbra_fmt_id fmt, u64 e)
{
	return UMBRA_FMT_CALL(fmt, accessed, e);
}

static inline bool umbra_fmt_dirty(enum umbra_fmt_id fmt, u64 e)
{
	return UMBRA_FMT_CALL(fmt, dirty, e);
}

/* Where a present entry leads: a frame, aligned to its size, or a table. */
static inline hpa_t umbra_fmt_addr(enum umbra_fmt_id fmt, u64 e, int level)
{
	return UMBRA_FMT_CALL(fmt, addr, e, level);
}

/*
 * An executable leaf, accessed already; a writable one dirty already. Memory of a
 * device is not cached.
 */
static inline u64 umbra_fmt_make_leaf(enum umbra_fmt_id fmt, hpa_t pa, int level, bool writable,
				      bool device)
{
	return UMBRA_FMT_CALL(fmt, make_leaf, pa, level, writable, device);
}

/* A link to a lower table, with all rights. */
static inline u64 umbra_fmt_make_table(enum umbra_fmt_id fmt, hpa_t pa)
{
	return UMBRA_FMT_CALL(fmt, make_table, pa);
}

static inline u64 umbra_fmt_wrprotect(enum umbra_fmt_id fmt, u64 e)
{
	return UMBRA_FMT_CALL(fmt, wrprotect, e);
}

/*
 * The leaf with the accessed bit reset; where the processor keeps no such bits the
 * result is not present, and whoever puts it in place owes a flush.
 */
static inline u64 umbra_fmt_mkold(enum umbra_fmt_id fmt, u64 e)
{
	return UMBRA_FMT_CALL(fmt, mkold, e);
}

/* Does a present leaf allow @access (UMBRA_ACC_*)? */
static inline bool umbra_fmt_allows(enum umbra_fmt_id fmt, u64 e, u32 access)
{
	return (!(access & UMBRA_ACC_WRITE) || umbra_fmt_writable(fmt, e)) &&
	       (!(access & UMBRA_ACC_EXEC) || umbra_fmt_executable(fmt, e));
}

/* Frames that one entry of @level covers. */
static inline gfn_t umbra_level_pages(int level)
{
	return (gfn_t)1 << ((level - 1) * UMBRA_FMT_INDEX_BITS);
}

/* Index of @gfn in a table of @level. */
static inline unsigned int umbra_level_index(gfn_t gfn, int level)
{
	return (gfn >> ((level - 1) * UMBRA_FMT_INDEX_BITS)) & (UMBRA_FMT_ENTRIES - 1);
}

#endif
