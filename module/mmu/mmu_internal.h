/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private structures of mmu/: the VM's MMU, a vCPU's part of it, one fault,
 * and the operations that each MMU mode fills in.
 *
 * Legend for fields: (c) constant after creation; (l) umbra_mmu.lock;
 * (r) the thread in KVM_RUN only.
 */
#ifndef UMBRA_MMU_INTERNAL_H
#define UMBRA_MMU_INTERNAL_H

#include "fmt.h"
#include "mmu.h"
#include "mmu_env.h"
#include "pt_page.h"
#include "tlb.h"

/**
 * struct umbra_fault - one second-level fault on its way to a mapping
 * @vcpu: who faulted
 * @gfn: where
 * @access: what was wanted, UMBRA_ACC_*
 * @slot: memory there
 * @frame: the host's frame
 * @level: largest level that host, slot and logging allow
 * @writable: the mapping may be made writable
 */
struct umbra_fault {
	struct umbra_vcpu *vcpu;
	gfn_t gfn;
	u32 access;
	struct umbra_memslot *slot;
	struct umbra_frame frame;
	int level;
	bool writable;
};

/**
 * struct umbra_mmu_ops - what a mode (nested, shadow) does to its tables
 * @map: install a translation; @vcpu's cache is stocked; lock held
 * @zap: drop all translations of frames [first, end); takes the lock
 * @age: test, and with @clear reset, accessed state; takes the lock
 * @log_start: drop write rights in [first, end); takes the lock
 * @log_protect: drop write rights of 64 frames by mask; takes the lock
 * @log_stop: let large mappings come back in a slot; takes the lock
 */
struct umbra_mmu_ops {
	void (*map)(struct umbra_fault *fault, struct umbra_tlb *tlb);
	bool (*zap)(struct umbra_vm *vm, gfn_t first, gfn_t end, bool may_block);
	bool (*age)(struct umbra_vm *vm, gfn_t first, gfn_t end, bool clear);
	void (*log_start)(struct umbra_vm *vm, gfn_t first, gfn_t end);
	void (*log_protect)(struct umbra_vm *vm, gfn_t first, u64 mask);
	void (*log_stop)(struct umbra_vm *vm, struct umbra_memslot *slot);
};

/**
 * struct umbra_mmu - a VM's MMU
 * @lock: all tables of the VM, and the fields marked (l); see locking.rst
 * @ops: (c) the mode's
 * @root: (c) top nested table, one for all vCPUs
 * @inval_seq: (l) counts finished invalidations by the host
 * @inval_count: (l) invalidations under way
 * @inval_start: (l) first host address of all of those under way
 * @inval_end: (l) end of them
 */
struct umbra_mmu {
	spinlock_t lock;	/* tables and (l) */
	const struct umbra_mmu_ops *ops;
	u64 *root;
	unsigned long inval_seq;
	unsigned long inval_count;
	hva_t inval_start;
	hva_t inval_end;
};

/**
 * struct umbra_mmu_vcpu - a vCPU's part
 * @cache: (r) table pages in stock
 */
struct umbra_mmu_vcpu {
	struct umbra_pt_cache cache;
};

extern const struct umbra_mmu_ops umbra_tdp_ops;

/* Free all tables; nobody uses them any more. */
void umbra_tdp_free_tables(struct umbra_vm *vm);

/* Largest level that @slot's alignment and flags allow around @gfn. */
int umbra_slot_level(const struct umbra_memslot *slot, gfn_t gfn);

#endif
