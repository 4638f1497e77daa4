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
#include "fmt_x86.h"
#include "mmu.h"
#include "mmu_env.h"
#include "pt_page.h"
#include "spage.h"
#include "tlb.h"
#include "wtrace.h"

struct umbra_gwalk;

/**
 * struct umbra_fault - one fault on its way to a mapping
 * @vcpu: who faulted
 * @gfn: where
 * @access: what was wanted, UMBRA_ACC_*
 * @slot: memory there
 * @frame: the host's frame
 * @level: largest level that host, slot, logging and traces allow
 * @writable: the host and the slot let the mapping be writable
 * @present: INJECT of umbra_mmu_ops.fast: the guest's entries are there but refuse it
 * @gva: linear address; modes without nested tables
 * @walk: the guest's entries on the way; NULL with nested tables
 */
struct umbra_fault {
	struct umbra_vcpu *vcpu;
	gfn_t gfn;
	u32 access;
	struct umbra_memslot *slot;
	struct umbra_frame frame;
	int level;
	bool writable;
	bool present;
	gva_t gva;
	const struct umbra_gwalk *walk;
};

/**
 * struct umbra_peeked - what the host mapped somewhere
 * @base: host address of 2 MiB that are one huge page
 * @seq: umbra_mmu.inval_seq then: right as long as that is the same
 * @pfn: its first frame
 * @writable: the host may write it without further ado
 */
struct umbra_peeked {
	hva_t base;
	unsigned long seq;
	umbra_pfn_t pfn;
	bool writable;
};

#define UMBRA_PEEKED_BITS	4

/**
 * struct umbra_mmu_ops - what a mode (nested, shadow, vtlb) does to its tables
 *
 * Of the VM:
 * @vm_create: allocate what the mode keeps per VM; sleeps; 0 or -ENOMEM
 * @vm_destroy: free it and all tables; nobody uses them any more; sleeps
 * @zap: drop all translations of frames [first, end) of @slot; takes the lock;
 *	flushes; true when there was any
 * @zap_slot: the same of all that depends on @slot: it goes away; takes the lock
 * @age: test, and with @clear reset, accessed state; takes the lock
 * @log_start: drop write rights in [first, end); takes the lock
 * @log_protect: drop write rights of 64 frames by mask; takes the lock
 * @log_stop: let large mappings come back in a slot; takes the lock
 * @protect: a trace of kinds @kinds came to @gfn: no mapping may pass it by;
 *	lock held
 * @unprotect: the last trace of @gfn went, which will be written soon: mappings may
 *	get their write right back; lock held; NULL where faults do it
 * @recover: the last trace in the 2 MiB around @gfn went; lock held
 *
 * Of a vCPU:
 * @vcpu_create: allocate what the mode keeps per vCPU; sleeps; 0 or -ENOMEM
 * @vcpu_destroy: free it; sleeps
 * @load: point the processor at a root for the vCPU's registers; sleeps; SRCU
 *	read section held; 0 or -ENOMEM
 * @unload: the vCPU goes on without paging, and the processor was pointed at
 *	second-level tables: let go of the vCPU's roots until the next @load;
 *	sleeps; SRCU read section held; NULL where those tables are the mode's own
 * @stocked: may @map be called without sleeping before?
 * @stock: make it so; sleeps; 0 or -ENOMEM
 * @fast: try to serve a page fault without a walk of the guest's tables, before
 *	@map; the cache is stocked; lock held, page faults disabled; a verdict, or
 *	-EAGAIN with nothing changed; NULL where there is no such way
 * @map: install a translation; the cache is stocked; lock held, page faults
 *	disabled; a verdict
 * @new_cr3: CR3 was written, with leave to keep translations or not; atomic
 * @invlpg: translations of one address go; atomic
 * @refused: the guest's entries refuse an access to one address, which the guest
 *	is told: its translation goes; atomic; NULL where the processor does it
 * @context_changed: registers that translation depends on changed; atomic
 */
struct umbra_mmu_ops {
	int (*vm_create)(struct umbra_vm *vm);
	void (*vm_destroy)(struct umbra_vm *vm);
	bool (*zap)(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t first, gfn_t end,
		    bool may_block);
	void (*zap_slot)(struct umbra_vm *vm, struct umbra_memslot *slot);
	bool (*age)(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t first, gfn_t end,
		    bool clear);
	void (*log_start)(struct umbra_vm *vm, struct umbra_memslot *slot);
	void (*log_protect)(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t first,
			    u64 mask);
	void (*log_stop)(struct umbra_vm *vm, struct umbra_memslot *slot);
	void (*protect)(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn, u8 kinds,
			struct umbra_tlb *tlb);
	void (*unprotect)(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn);
	void (*recover)(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn,
			struct umbra_tlb *tlb);

	int (*vcpu_create)(struct umbra_vcpu *vcpu);
	void (*vcpu_destroy)(struct umbra_vcpu *vcpu);
	int (*load)(struct umbra_vcpu *vcpu);
	void (*unload)(struct umbra_vcpu *vcpu);
	bool (*stocked)(const struct umbra_vcpu *vcpu);
	int (*stock)(struct umbra_vcpu *vcpu);
	int (*fast)(struct umbra_fault *fault, struct umbra_tlb *tlb);
	int (*map)(struct umbra_fault *fault, struct umbra_tlb *tlb);
	void (*new_cr3)(struct umbra_vcpu *vcpu);
	void (*invlpg)(struct umbra_vcpu *vcpu, gva_t gva);
	void (*refused)(struct umbra_vcpu *vcpu, gva_t gva);
	void (*context_changed)(struct umbra_vcpu *vcpu);
};

/**
 * struct umbra_mmu - a VM's MMU
 * @vm: (c) the VM
 * @lock: all tables of the VM, and the fields marked (l); see locking.rst
 * @ops: (c) the mode's
 * @unpaged: (c) those of second-level tables beside the mode's own, which vCPUs
 *	without paging run on; NULL where the mode's serve them too
 * @root: (c) top second-level table, one for all vCPUs; NULL without such
 * @nr_tables: (l) second-level tables below it
 * @inval_seq: (l) counts finished invalidations by the host, from 1
 * @inval_count: (l) invalidations under way
 * @inval_start: (l) first host address of all of those under way
 * @inval_end: (l) end of them
 * @peeked: (l) huge pages of the host, by address
 * @traces: (l) traces by gfn
 * @spages: (l) table pages of the modes without nested tables
 */
struct umbra_mmu {
	struct umbra_vm *vm;
	spinlock_t lock;	/* tables and (l) */
	const struct umbra_mmu_ops *ops;
	const struct umbra_mmu_ops *unpaged;
	u64 *root;
	unsigned long nr_tables;
	unsigned long inval_seq;
	unsigned long inval_count;
	hva_t inval_start;
	hva_t inval_end;
	struct umbra_peeked peeked[1 << UMBRA_PEEKED_BITS];
	struct umbra_traces traces;
	struct umbra_spages spages;
};

/* umbra_tlb_unlock() for a batch in which anything was noted. */
bool umbra_tlb_finish(struct umbra_tlb *tlb);

/*
 * Begin a batch with the MMU lock held and page faults disabled, as all work on
 * tables wants it; flush what is pending, give both back and end the batch.
 */
static inline void umbra_tlb_lock(struct umbra_tlb *tlb, struct umbra_vm *vm)
	__acquires(&vm->mmu->lock)
{
	umbra_tlb_begin(tlb, vm);
	pagefault_disable();
	spin_lock(&vm->mmu->lock);
}

/* True when anything was noted. */
static inline bool umbra_tlb_unlock(struct umbra_tlb *tlb)
	__releases(&tlb->vm->mmu->lock)
{
	if (tlb->any)
		return umbra_tlb_finish(tlb);
	spin_unlock(&tlb->vm->mmu->lock);
	pagefault_enable();
	return false;
}

/**
 * struct umbra_mmu_vcpu - a vCPU's part
 * @cache: (r) table pages in stock
 * @stock: (r) what else a fault may need; not with nested tables
 * @role: (r) role of the root for the registers as they are; its level tells
 *	what hangs in @root
 * @mode: (r) the guest's paging mode for the same registers
 * @root: (l) top tables: one in long mode, else one for each GiB, or NULL
 * @pdpt: (c) page directory pointers for guests outside long mode, below 4 GiB
 * @loaded: (r) @root belongs to the registers as they are
 * @flooded: (r) where the guest stood when umbra_mmu_unshadow() helped it last
 * @resync: (r) nothing is to be believed at the next load: user space set registers
 * @tables: (l) vtlb: tables of this vCPU
 * @nr_tables: (l) vtlb: how many
 * @pieces_1g: (l) vtlb: some leaf is part of a guest page of 1 GiB
 */
struct umbra_mmu_vcpu {
	struct umbra_pt_cache cache;
	struct umbra_stock stock;
	union umbra_role role;
	struct x86_mode mode;
	struct umbra_sp *root[4];
	u64 *pdpt;
	bool loaded;
	bool resync;
	u64 flooded;
	struct list_head tables;
	unsigned int nr_tables;
	bool pieces_1g;
};

/*
 * A trace came to @gfn, or the last in its 2 MiB went: as the operations of the same
 * name, in all tables of the VM.
 */
void umbra_mmu_protect(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn, u8 kinds,
		       struct umbra_tlb *tlb);
void umbra_mmu_recover(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn,
		       struct umbra_tlb *tlb);

extern const struct umbra_mmu_ops umbra_tdp_ops;
extern const struct umbra_mmu_ops umbra_shadow_ops;
extern const struct umbra_mmu_ops umbra_vtlb_ops;

/*
 * Give up at most @nr second-level tables that have leaves: how many. Faults bring
 * them back. Lock held.
 */
unsigned long umbra_tdp_shrink(struct umbra_vm *vm, unsigned long nr, struct umbra_tlb *tlb);

/* Largest level that @slot's alignment and flags allow around @gfn. */
int umbra_slot_level(const struct umbra_memslot *slot, gfn_t gfn);

/*
 * What traces say to @fault, and what they leave of its level and write right.
 * RETRY: go on; EMULATE. Lock held, before anything is installed.
 */
int umbra_fault_traces(struct umbra_fault *fault, struct umbra_tlb *tlb);
/*
 * Find slot and frame of @fault's gfn by what the host has mapped already. RETRY:
 * found; -EAGAIN. Lock held.
 */
int umbra_fault_find(struct umbra_fault *fault);
/* The same, and set level and write right. */
int umbra_fault_peek(struct umbra_fault *fault);
/* Where the huge page at @hva is remembered. */
static inline struct umbra_peeked *umbra_mmu_peeked(struct umbra_mmu *mmu, hva_t hva)
{
	return &mmu->peeked[(hva >> PMD_SHIFT) % ARRAY_SIZE(mmu->peeked)];
}

/* As umbra_frame_peek(), to remember huge pages; lock held, no invalidation under way. */
bool umbra_mmu_peek_host(struct umbra_mmu *mmu, hva_t hva, bool write, struct umbra_frame *frame);

/*
 * The same by what is remembered, if it is. The host changes no mapping of its own but
 * between begin and end of an invalidation: what was seen since the last end and
 * outside any is still so.
 */
static inline bool umbra_mmu_peek(struct umbra_mmu *mmu, hva_t hva, bool write,
				  struct umbra_frame *frame)
{
	const struct umbra_peeked *seen = umbra_mmu_peeked(mmu, hva);

	if (seen->base != (hva & PMD_MASK) || seen->seq != mmu->inval_seq ||
	    (write && !seen->writable))
		return umbra_mmu_peek_host(mmu, hva, write, frame);
	frame->pfn = seen->pfn + ((hva & ~PMD_MASK) >> PAGE_SHIFT);
	frame->writable = seen->writable;
	frame->level = 2;
	frame->page = NULL;
	frame->device = false;
	return true;
}

/*
 * tables.c: what the modes without nested tables share.
 *
 * Role of the top table for the vCPU's registers; see @role in umbra_mmu_vcpu.
 */
union umbra_role umbra_root_role(const struct umbra_vcpu *vcpu);
/*
 * The leaf for @fault where the guest's entries leave @rights. RETRY and *@spte;
 * or EMULATE when the write cannot be allowed to run. Traces were asked.
 */
int umbra_fault_leaf(const struct umbra_fault *fault, union umbra_role role, u8 rights,
		     u64 *spte);
/* Point the processor at @table; this vCPU's translations go. */
void umbra_use_root(struct umbra_vcpu *vcpu, const u64 *table);
/* Operations of both modes. */
int umbra_tables_vcpu_create(struct umbra_vcpu *vcpu);
void umbra_tables_vcpu_destroy(struct umbra_vcpu *vcpu);
bool umbra_tables_stocked(const struct umbra_vcpu *vcpu);
int umbra_tables_stock(struct umbra_vcpu *vcpu);
/* Run @work with the lock held, page faults disabled, and flush what it notes. */
void umbra_tables_locked(struct umbra_vcpu *vcpu, gva_t gva,
			 void (*work)(struct umbra_vcpu *vcpu, gva_t gva, struct umbra_tlb *tlb));

/* Outside long mode four directories hang in page directory pointers. */
static inline bool umbra_tables_long(const struct umbra_vcpu *vcpu)
{
	return vcpu->mmu->role.level > 3;
}

static inline bool umbra_fault_writes(const struct umbra_fault *fault)
{
	return fault->access & UMBRA_ACC_WRITE;
}

#endif
