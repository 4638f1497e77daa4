/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What must be flushed, and which table pages wait for it, collected while the
 * MMU lock is held: one flush, before the lock is dropped.
 *
 * The flush comes before the unlock because others trust an absent entry: a
 * notifier that finds nothing to drop returns, and the host frees the frame.
 */
#ifndef UMBRA_MMU_TLB_H
#define UMBRA_MMU_TLB_H

#include "mmu_env.h"

/**
 * struct umbra_tlb - one batch of changes to tables
 * @vm: whose
 * @pending: translations that some processor may still use were changed
 * @any: anything was ever pending in this batch
 * @tables: unlinked table pages
 * @sps: unlinked table pages of the modes without nested tables
 */
struct umbra_tlb {
	struct umbra_vm *vm;
	bool pending;
	bool any;
	struct list_head tables;
	struct list_head sps;
};

static inline void umbra_tlb_begin(struct umbra_tlb *tlb, struct umbra_vm *vm)
{
	tlb->vm = vm;
	tlb->pending = false;
	tlb->any = false;
	INIT_LIST_HEAD(&tlb->tables);
	INIT_LIST_HEAD(&tlb->sps);
}

/* A translation was taken away or lost rights. */
static inline void umbra_tlb_note(struct umbra_tlb *tlb)
{
	tlb->pending = true;
	tlb->any = true;
}

/* @table was unlinked; it may be walked until the flush. */
void umbra_tlb_table(struct umbra_tlb *tlb, u64 *table);
/* MMU lock held: flush what is pending. */
void umbra_tlb_flush(struct umbra_tlb *tlb);
/*
 * MMU lock held, sleeping context: let others have the lock or the CPU if they want
 * it, after a flush of what is pending. True when tables may have changed.
 */
bool umbra_tlb_breathe(struct umbra_tlb *tlb);
/* After the last flush, without the lock: free the tables. True if there was anything. */
bool umbra_tlb_end(struct umbra_tlb *tlb);

#endif
