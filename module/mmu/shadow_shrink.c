// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of shadow tables under pressure: the host's reclaim asks, and the
 * tables used least recently go, of one VM after the other; then the VM's
 * second-level tables, if it has such for guests without paging.
 */
#include "mmu_env.h"
#include "shadow.h"

/* VMs with shadow tables; the lock is taken before any MMU lock. */
static LIST_HEAD(shadow_vms);
static DEFINE_SPINLOCK(shadow_vms_lock);

void shadow_vm_add(struct umbra_vm *vm)
{
	spin_lock(&shadow_vms_lock);
	list_add(&vm->mmu->spages.on_vms, &shadow_vms);
	spin_unlock(&shadow_vms_lock);
}

void shadow_vm_remove(struct umbra_vm *vm)
{
	spin_lock(&shadow_vms_lock);
	list_del_init(&vm->mmu->spages.on_vms);
	spin_unlock(&shadow_vms_lock);
}

static struct umbra_vm *vm_of(struct list_head *on_vms)
{
	struct umbra_spages *spages = container_of(on_vms, struct umbra_spages, on_vms);

	return container_of(spages, struct umbra_mmu, spages)->vm;
}

/*
 * Reclaim may have come from anywhere but from under an MMU lock, below which
 * nothing is allocated: still, do not wait for one that is busy.
 */
static unsigned long shrink_vm(struct umbra_vm *vm, unsigned long nr)
{
	struct umbra_tlb tlb;
	unsigned long done;
	int idx;

	if (!spin_trylock(&vm->mmu->lock))
		return 0;
	idx = srcu_read_lock(&vm->srcu);
	umbra_tlb_begin(&tlb, vm);
	done = umbra_sp_unkeep(vm, &tlb);
	if (done < nr)
		done += shadow_zap_oldest(vm, nr - done, &tlb);
	if (done < nr && vm->mmu->unpaged)
		done += umbra_tdp_shrink(vm, nr - done, &tlb);
	umbra_tlb_flush(&tlb);
	spin_unlock(&vm->mmu->lock);
	umbra_tlb_end(&tlb);
	srcu_read_unlock(&vm->srcu, idx);
	return done;
}

static unsigned long shrink_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct umbra_spages *spages;
	unsigned long nr = 0;

	spin_lock(&shadow_vms_lock);
	list_for_each_entry(spages, &shadow_vms, on_vms)
		nr += READ_ONCE(spages->nr) + READ_ONCE(spages->nr_pool) +
		      READ_ONCE(vm_of(&spages->on_vms)->mmu->nr_tables);
	spin_unlock(&shadow_vms_lock);
	return nr ? nr : SHRINK_EMPTY;
}

/* The VM that was looked at goes to the end, so that all take their turn. */
static unsigned long shrink_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct list_head *first;
	unsigned long done = 0;

	spin_lock(&shadow_vms_lock);
	if (!list_empty(&shadow_vms)) {
		first = shadow_vms.next;
		list_move_tail(first, &shadow_vms);
		done = shrink_vm(vm_of(first), sc->nr_to_scan);
	}
	spin_unlock(&shadow_vms_lock);
	return done ? done : SHRINK_STOP;
}

static struct shrinker shadow_shrinker = {
	.count_objects = shrink_count,
	.scan_objects = shrink_scan,
	.seeks = DEFAULT_SEEKS,
};

int shadow_shrink_init(void)
{
	return register_shrinker(&shadow_shrinker, "umbra-shadow");
}

void shadow_shrink_exit(void)
{
	unregister_shrinker(&shadow_shrinker);
}
