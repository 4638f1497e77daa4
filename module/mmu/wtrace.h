/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Traces of guest-physical pages: who wants to know of writes, or of any
 * access, to a page. Several owners may trace one page; the union decides what
 * mappings of it may do, and no large mapping lies over it. Every access counts,
 * whatever address, mapping size or processor it comes through: what the
 * mapping does not allow is emulated, and the emulator tells the traces.
 *
 * Whole slots are traced by two owners of their own: the dirty log, which lets
 * go of a page at its first write and notes it, and read-only slots, which hand
 * writes to a device.
 *
 * Knows gfns and slots, no entry bits.
 */
#ifndef UMBRA_MMU_WTRACE_H
#define UMBRA_MMU_WTRACE_H

#include "mmu_env.h"

struct umbra_tlb;
struct umbra_trace;

/* What a trace wants to know. */
#define UMBRA_TRACE_WRITE	0x1u	/* writes */
#define UMBRA_TRACE_ACCESS	0x2u	/* reads and fetches too, before they happen */

#define UMBRA_TRACE_HASH_BITS	10

/**
 * struct umbra_traced - an access to a traced page
 * @vcpu: who
 * @gpa: first byte
 * @bytes: length, all in one page
 * @data: what a write stores, NULL for a read
 */
struct umbra_traced {
	struct umbra_vcpu *vcpu;
	gpa_t gpa;
	unsigned int bytes;
	const void *data;
};

/**
 * struct umbra_tracer - an owner of traces; callbacks may be NULL
 *
 * All run under the MMU lock, with page faults disabled and an SRCU read
 * section held, and must not sleep. A callback may remove the trace that it was
 * called for, and any other.
 *
 * @before: a write is about to happen; memory has the old value
 * @after: a write has happened; memory has the new value
 * @access: a read or a fetch is about to happen
 * @may_yield: would the owner let go of the page, for the guest to write freely?
 * @end: do without the page if possible: remove the trace
 * @yield: let go: remove the trace or want nothing. Without it no write of the
 *	guest's own is ever allowed
 */
struct umbra_tracer {
	void (*before)(struct umbra_trace *trace, const struct umbra_traced *a,
		       struct umbra_tlb *tlb);
	void (*after)(struct umbra_trace *trace, const struct umbra_traced *a,
		      struct umbra_tlb *tlb);
	void (*access)(struct umbra_trace *trace, const struct umbra_traced *a,
		       struct umbra_tlb *tlb);
	void (*end)(struct umbra_vm *vm, struct umbra_trace *trace, struct umbra_tlb *tlb);
	bool (*may_yield)(const struct umbra_trace *trace);
	void (*yield)(struct umbra_vm *vm, struct umbra_trace *trace, struct umbra_tlb *tlb);
};

/**
 * struct umbra_trace - one owner's trace of one page; embedded by the owner
 * @node: in the VM's table; unhashed while not active
 * @gfn: the page
 * @owner: whose
 * @kinds: UMBRA_TRACE_*
 */
struct umbra_trace {
	struct hlist_node node;
	gfn_t gfn;
	const struct umbra_tracer *owner;
	u8 kinds;
};

/**
 * struct umbra_traces - all traces of a VM
 * @bucket: (l) by gfn
 * @apart: (l) some are out of their bucket, for it is being looked over
 * @early: (l) how many have an owner that wants to know before an access happens;
 *	read without the lock, as umbra_trace_near()
 */
struct umbra_traces {
	struct hlist_head *bucket;
	bool apart;
	unsigned long early;
};

int umbra_traces_create(struct umbra_traces *traces);
void umbra_traces_destroy(struct umbra_traces *traces);

/*
 * All of these: MMU lock and an SRCU read section held.
 *
 * Begin: from the return on, and after the flush of @tlb, nothing passes by.
 */
void umbra_trace_add(struct umbra_vm *vm, struct umbra_trace *trace, struct umbra_tlb *tlb);
/*
 * Change what an active trace wants; 0: nothing for now. Such a trace keeps
 * large mappings away, and its owner is still told of what the emulator does.
 */
void umbra_trace_change(struct umbra_vm *vm, struct umbra_trace *trace, u8 kinds,
			struct umbra_tlb *tlb);
/* End. Large mappings may come back when this was the last one around. */
void umbra_trace_remove(struct umbra_vm *vm, struct umbra_trace *trace, struct umbra_tlb *tlb);
/* Union of all traces of @gfn, those of its whole slot included. */
u8 umbra_trace_kinds(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn);
/* Largest level, up to @level, whose mapping around @gfn covers no traced page. */
int umbra_trace_level(struct umbra_memslot *slot, gfn_t gfn, int level);
/* A write right to @gfn is wanted: true when every owner has let go of it. */
bool umbra_trace_yield(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn,
		       struct umbra_tlb *tlb);

/*
 * As umbra_trace_yield(), but owners must let go if they can at all. True also when
 * nobody traces the page (any more).
 */
bool umbra_trace_give_up(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn,
			 struct umbra_tlb *tlb);

/* Owners that can do without the page drop their traces of it; true when none is left. */
bool umbra_trace_end_all(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn,
			 struct umbra_tlb *tlb);

enum umbra_trace_when {
	UMBRA_TRACE_BEFORE,
	UMBRA_TRACE_AFTER,
	UMBRA_TRACE_READ,
};

/* Tell all owners of the page. */
void umbra_trace_tell(struct umbra_vm *vm, const struct umbra_traced *a,
		      enum umbra_trace_when when, struct umbra_tlb *tlb);

/* A slot appears: traces that exist at its frames count in it. */
void umbra_trace_slot(struct umbra_vm *vm, struct umbra_memslot *slot);
/* Whether any page in the 2 MiB around @gfn is traced: a hint without the lock. */
bool umbra_trace_near(const struct umbra_memslot *slot, gfn_t gfn);

/* Does any owner want to be told of accesses before they happen? The same kind of hint. */
static inline bool umbra_traces_early(const struct umbra_traces *traces)
{
	return READ_ONCE(traces->early);
}

#endif
