/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reverse maps: a head of one word from which all entries that lead to
 * something are found: leaves to a guest frame, or links to a table. Most have
 * one entry or none, kept in the head itself; more hang in a chain of chunks.
 * Knows addresses of entries, never what is in them. MMU lock held throughout.
 */
#ifndef UMBRA_MMU_RMAP_H
#define UMBRA_MMU_RMAP_H

#include "mmu_env.h"

struct umbra_stock;

#define UMBRA_RMAP_CHUNK	6u

/**
 * struct umbra_rmap_chunk - some entries of one reverse map
 * @next: the next chunk, full; NULL at the end
 * @nr: entries in use; a chunk in a chain holds at least one
 * @behind: entries in all chunks behind this one
 * @spte: the entries
 */
struct umbra_rmap_chunk {
	struct umbra_rmap_chunk *next;
	u32 nr;
	u32 behind;
	u64 *spte[UMBRA_RMAP_CHUNK];
};

/* The bit in a head that tells a chain from a single entry. */
#define UMBRA_RMAP_CHAIN	1ul

static inline struct umbra_rmap_chunk *umbra_rmap_chain(unsigned long head)
{
	return (struct umbra_rmap_chunk *)(head & ~UMBRA_RMAP_CHAIN);
}

/* The frequent case of umbra_rmap_add(), where nothing is taken; false: it is another. */
static inline bool umbra_rmap_add_quick(unsigned long *head, u64 *spte)
{
	struct umbra_rmap_chunk *chunk = umbra_rmap_chain(*head);

	if (!*head) {
		*head = (unsigned long)spte;
		return true;
	}
	if (!(*head & UMBRA_RMAP_CHAIN) || chunk->nr == UMBRA_RMAP_CHUNK || chunk->next)
		return false;
	chunk->spte[chunk->nr++] = spte;
	return true;
}

/* The frequent case of umbra_rmap_del(), where nothing is freed; false: it is another. */
static inline bool umbra_rmap_del_quick(unsigned long *head, u64 *spte)
{
	struct umbra_rmap_chunk *chunk = umbra_rmap_chain(*head);
	u32 i;

	if (*head == (unsigned long)spte) {
		*head = 0;
		return true;
	}
	if (!(*head & UMBRA_RMAP_CHAIN) || chunk->nr < 2)
		return false;
	for (i = 0; i < chunk->nr; i++)
		if (chunk->spte[i] == spte) {
			chunk->spte[i] = chunk->spte[--chunk->nr];
			return true;
		}
	return false;
}

/* Add @spte; the stock has a chunk left. Returns the number of chunks taken. */
int umbra_rmap_add(unsigned long *head, u64 *spte, struct umbra_stock *stock);
/* Remove @spte, which is in the map. Returns the number of chunks freed. */
int umbra_rmap_del(unsigned long *head, u64 *spte);

/**
 * struct umbra_rmap_iter - where a walk over a reverse map stands
 * @chunk: current chunk, NULL for a single entry
 * @pos: next index in it
 * @single: the entry of a head without chain, NULL once it was handed out
 */
struct umbra_rmap_iter {
	struct umbra_rmap_chunk *chunk;
	unsigned long pos;
	u64 *single;
};

void umbra_rmap_begin(struct umbra_rmap_iter *it, unsigned long head);
/* The next entry or NULL. The map must not change between two calls. */
u64 *umbra_rmap_next(struct umbra_rmap_iter *it);

/* How many entries there are. */
static inline unsigned long umbra_rmap_count(unsigned long head)
{
	if (!(head & UMBRA_RMAP_CHAIN))
		return !!head;
	return umbra_rmap_chain(head)->nr + umbra_rmap_chain(head)->behind;
}

/* Some entry of the map or NULL: for those who delete as they go. */
static inline u64 *umbra_rmap_first(unsigned long head)
{
	if (!(head & UMBRA_RMAP_CHAIN))
		return (u64 *)head;
	return umbra_rmap_chain(head)->spte[0];
}

#endif
