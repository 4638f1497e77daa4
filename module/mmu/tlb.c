// SPDX-License-Identifier: GPL-2.0
/*
 * Batches of TLB flushes and of the table pages that wait for them. Decides
 * when to flush, never what an entry means.
 */
#include "mmu_env.h"
#include "mmu_internal.h"
#include "pt_page.h"
#include "tlb.h"

void umbra_tlb_table(struct umbra_tlb *tlb, u64 *table)
{
	umbra_tlb_note(tlb);
	umbra_pt_defer(table, &tlb->tables);
}

void umbra_tlb_flush(struct umbra_tlb *tlb)
{
	lockdep_assert_held(&tlb->vm->mmu->lock);
	if (!tlb->pending)
		return;
	umbra_flush_remote_tlbs(tlb->vm);
	tlb->pending = false;
}

bool umbra_tlb_breathe(struct umbra_tlb *tlb)
{
	struct umbra_mmu *mmu = tlb->vm->mmu;

	if (!need_resched() && !spin_needbreak(&mmu->lock))
		return false;
	umbra_tlb_flush(tlb);
	cond_resched_lock(&mmu->lock);
	return true;
}

bool umbra_tlb_end(struct umbra_tlb *tlb)
{
	WARN_ON_ONCE(tlb->pending);
	/* There can only be tables where there was something to flush. */
	if (tlb->any) {
		umbra_pt_free_list(&tlb->tables);
		umbra_sp_free_list(&tlb->sps);
	}
	return tlb->any;
}

bool umbra_tlb_finish(struct umbra_tlb *tlb)
	__releases(&tlb->vm->mmu->lock)
{
	umbra_tlb_flush(tlb);
	umbra_sp_keep(tlb->vm, &tlb->sps);
	spin_unlock(&tlb->vm->mmu->lock);
	pagefault_enable();
	return umbra_tlb_end(tlb);
}
