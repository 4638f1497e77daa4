/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reach guest memory: by gpa for Umbra's own reads and writes, and gfn to pfn
 * for mappings. All calls run inside an SRCU read section of vm->srcu and,
 * where they touch bytes, in a thread whose mm is vm->mm. No page tables here.
 */
#ifndef UMBRA_GUEST_MEM_H
#define UMBRA_GUEST_MEM_H

#include "memslot.h"
#include "types.h"

struct umbra_vcpu;

/*
 * Copy @len bytes at @gpa; may cross pages. May sleep, unless page faults are
 * disabled: then absent host pages fail. 0, or -EFAULT when a page has no slot
 * or its host address is bad; umbra_gpa_write() also on read-only slots.
 * Writes mark pages dirty.
 */
int umbra_gpa_read(struct umbra_vm *vm, gpa_t gpa, void *data, unsigned int len);
int umbra_gpa_write(struct umbra_vm *vm, gpa_t gpa, const void *data, unsigned int len);

/*
 * Atomic compare and exchange of 1, 2, 4, 8 naturally aligned bytes, or 16, at @gpa in
 * the caller's memory. 0 done, -EAGAIN the value differs (then *@old is the
 * current value), -EFAULT.
 */
int umbra_gpa_cmpxchg(struct umbra_vm *vm, gpa_t gpa, void *old, const void *new,
		      unsigned int bytes);

/**
 * struct umbra_frame - a host frame found for a gfn
 * @pfn: the frame
 * @writable: the host lets us map it for writing now
 * @level: largest host mapping around it: 1 = 4 KiB, 2 = 2 MiB, 3 = 1 GiB
 * @device: no RAM: accesses must not be cached
 * @page: reference to drop with umbra_frame_release(), NULL for PFN maps
 */
struct umbra_frame {
	umbra_pfn_t pfn;
	bool writable;
	int level;
	bool device;
	struct page *page;
};

/*
 * Find the frame of @gfn in @slot through the host's page tables; faults it
 * in. Sleeps, unless @atomic. 0; -EFAULT bad address; -EHWPOISON; -EAGAIN when
 * @atomic and it would have to sleep; -EINTR when a fatal signal is pending.
 */
int umbra_frame_get(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn, bool write,
		    bool atomic, struct umbra_frame *frame);
/*
 * Level of the host's own mapping at @hva in vm->mm: 1, 2 or 3. Any context
 * where interrupts may be turned off. The answer may be stale at once: only a
 * check against the MMU notifier's sequence makes it usable.
 */
int umbra_host_level(struct umbra_vm *vm, hva_t hva);
/*
 * The frame at @hva as the host maps it at this moment, for someone who holds back
 * all invalidations by the MMU lock and knows of none under way: it needs no
 * reference. False when the host would have to do anything for the access:
 * fault it in, copy it, or note that it is written. Does not sleep.
 */
bool umbra_frame_peek(struct umbra_vm *vm, hva_t hva, bool write, struct umbra_frame *frame);
/* Does the client's own thread run this, in the address space that guest memory is part of? */
bool umbra_client_thread(const struct umbra_vm *vm);
/* Drop the reference; the mapping made from it lives by MMU notifiers. */
void umbra_frame_release(struct umbra_frame *frame, bool accessed, bool dirtied);

#endif
