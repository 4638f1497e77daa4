// SPDX-License-Identifier: GPL-2.0
/*
 * Reverse maps, see rmap.h. The chunk at the head of a chain is the only one
 * that may be partly filled, so adding looks at one chunk, and deleting moves
 * the newest entry into the hole.
 */
#include "mmu_env.h"
#include "mmu_internal.h"
#include "rmap.h"

static void push(unsigned long *head, struct umbra_rmap_chunk *next, u64 *spte,
		 struct umbra_stock *stock)
{
	struct umbra_rmap_chunk *chunk = umbra_stock_chunk(stock);

	chunk->next = next;
	chunk->nr = 1;
	chunk->behind = next ? next->nr + next->behind : 0;
	chunk->spte[0] = spte;
	*head = (unsigned long)chunk | UMBRA_RMAP_CHAIN;
}

int umbra_rmap_add(unsigned long *head, u64 *spte, struct umbra_stock *stock)
{
	struct umbra_rmap_chunk *chunk;

	if (!*head) {
		*head = (unsigned long)spte;
		return 0;
	}
	if (!(*head & UMBRA_RMAP_CHAIN)) {
		push(head, NULL, (u64 *)*head, stock);
		umbra_rmap_chain(*head)->spte[umbra_rmap_chain(*head)->nr++] = spte;
		return 1;
	}
	chunk = umbra_rmap_chain(*head);
	if (chunk->nr == UMBRA_RMAP_CHUNK) {
		push(head, chunk, spte, stock);
		return 1;
	}
	chunk->spte[chunk->nr++] = spte;
	return 0;
}

static u64 **find(unsigned long head, u64 *spte)
{
	struct umbra_rmap_chunk *chunk;
	unsigned long i;

	for (chunk = umbra_rmap_chain(head); chunk; chunk = chunk->next)
		for (i = 0; i < chunk->nr; i++)
			if (chunk->spte[i] == spte)
				return &chunk->spte[i];
	return NULL;
}

int umbra_rmap_del(unsigned long *head, u64 *spte)
{
	struct umbra_rmap_chunk *chunk;
	u64 **hole;

	if (!(*head & UMBRA_RMAP_CHAIN)) {
		WARN_ON_ONCE(*head != (unsigned long)spte);
		*head = 0;
		return 0;
	}
	hole = find(*head, spte);
	if (WARN_ON_ONCE(!hole))
		return 0;
	chunk = umbra_rmap_chain(*head);
	*hole = chunk->spte[--chunk->nr];
	if (chunk->nr)
		return 0;
	*head = chunk->next ? (unsigned long)chunk->next | UMBRA_RMAP_CHAIN : 0;
	umbra_chunk_free(chunk);
	return 1;
}

void umbra_rmap_begin(struct umbra_rmap_iter *it, unsigned long head)
{
	bool single = !(head & UMBRA_RMAP_CHAIN);

	it->single = single ? (u64 *)head : NULL;
	it->chunk = single ? NULL : umbra_rmap_chain(head);
	it->pos = 0;
}

u64 *umbra_rmap_next(struct umbra_rmap_iter *it)
{
	u64 *spte = it->single;

	it->single = NULL;
	if (spte || !it->chunk)
		return spte;
	spte = it->chunk->spte[it->pos++];
	if (it->pos == it->chunk->nr) {
		it->chunk = it->chunk->next;
		it->pos = 0;
	}
	return spte;
}
