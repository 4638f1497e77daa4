// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory by gpa: copies and atomic updates through the memslots, and the
 * search for the host frame behind a gfn, with no pin left behind.
 *
 * Nothing here maps anything for the guest, and the host's page tables are
 * only read. Callers hold an SRCU read section of vm->srcu.
 */
#include <linux/align.h>
#include <linux/hugetlb.h>
#include <linux/kvm.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include "guest_mem.h"
#include "vm.h"

/* The host address of @gpa, NULL where the access is not possible. */
static void __user *gpa_user(struct umbra_vm *vm, gpa_t gpa, bool write,
			     struct umbra_memslot **slot)
{
	*slot = umbra_gfn_to_slot(vm, gpa_to_gfn(gpa));
	if (!*slot || (write && ((*slot)->flags & KVM_MEM_READONLY)))
		return NULL;
	return (void __user *)(umbra_slot_hva(*slot, gpa_to_gfn(gpa)) + offset_in_page(gpa));
}

static unsigned int page_chunk(gpa_t gpa, unsigned int len)
{
	return min_t(unsigned int, len, PAGE_SIZE - offset_in_page(gpa));
}

/*
 * A few aligned bytes are read and written at once: whoever uses them at the same
 * time, another processor's walk of the guest's tables for one, meets no mixture.
 */
static bool copy_in(void *data, const void __user *user, unsigned int n)
{
	if (IS_ALIGNED((unsigned long)user, 8) && n == 8)
		return !get_user(*(u64 *)data, (const u64 __user *)user);
	if (IS_ALIGNED((unsigned long)user, 4) && n == 4)
		return !get_user(*(u32 *)data, (const u32 __user *)user);
	return !copy_from_user(data, user, n);
}

/* Returns the number of bytes that were not written. */
static unsigned long copy_out(void __user *user, const void *data, unsigned int n)
{
	if (IS_ALIGNED((unsigned long)user, 8) && n == 8)
		return put_user(*(const u64 *)data, (u64 __user *)user) ? n : 0;
	if (IS_ALIGNED((unsigned long)user, 4) && n == 4)
		return put_user(*(const u32 *)data, (u32 __user *)user) ? n : 0;
	return copy_to_user(user, data, n);
}

/**
 * umbra_gpa_read() - copy from guest memory
 * @vm: the VM whose mm is current's; SRCU read section held
 * @gpa: first byte
 * @data: destination
 * @len: bytes; may cross pages and slots
 *
 * Sleeps, unless page faults are disabled; then absent host pages fail.
 * Return: 0, or -EFAULT when a byte has no memory; @data may be partly filled.
 */
int umbra_gpa_read(struct umbra_vm *vm, gpa_t gpa, void *data, unsigned int len)
{
	while (len) {
		unsigned int n = page_chunk(gpa, len);
		struct umbra_memslot *slot;
		void __user *user = gpa_user(vm, gpa, false, &slot);

		if (!user || !copy_in(data, user, n))
			return -EFAULT;
		gpa += n;
		data += n;
		len -= n;
	}
	return 0;
}

/**
 * umbra_gpa_write() - copy to guest memory and record it as dirty
 * @vm: the VM whose mm is current's; SRCU read section held
 * @gpa: first byte
 * @data: source
 * @len: bytes; may cross pages and slots
 *
 * Sleeps, unless page faults are disabled; then absent host pages fail.
 * Return: 0, or -EFAULT when a byte has no memory or lies in a read-only slot;
 * bytes before it are written.
 */
int umbra_gpa_write(struct umbra_vm *vm, gpa_t gpa, const void *data, unsigned int len)
{
	while (len) {
		unsigned int n = page_chunk(gpa, len), left;
		struct umbra_memslot *slot;
		void __user *user = gpa_user(vm, gpa, true, &slot);

		if (!user)
			return -EFAULT;
		left = copy_out(user, data, n);
		if (left < n)
			umbra_slot_mark_dirty(slot, gpa_to_gfn(gpa));
		if (left)
			return -EFAULT;
		gpa += n;
		data += n;
		len -= n;
	}
	return 0;
}

/* 0 exchanged, 1 different and *@old updated, -EFAULT. Each label is used once. */
static int user_cmpxchg(void __user *user, void *old, const void *new, unsigned int bytes)
{
	switch (bytes) {
	case 1:
		return __try_cmpxchg_user((u8 __user *)user, (u8 *)old, *(u8 *)new, fault1);
	case 2:
		return __try_cmpxchg_user((u16 __user *)user, (u16 *)old, *(u16 *)new, fault2);
	case 4:
		return __try_cmpxchg_user((u32 __user *)user, (u32 *)old, *(u32 *)new, fault4);
	case 8:
		return __try_cmpxchg_user((u64 __user *)user, (u64 *)old, *(u64 *)new, fault8);
	}
	return -EFAULT;
}

static bool cmpxchg16(u64 *ptr, u64 *old, const u64 *new)
{
	bool done;

	asm volatile("lock cmpxchg16b %1"
		     : "=@ccz" (done), "+m" (*(unsigned __int128 *)ptr),
		       "+a" (old[0]), "+d" (old[1])
		     : "b" (new[0]), "c" (new[1])
		     : "memory");
	return done;
}

/* The kernel has no 16-byte exchange on user addresses: go through the frame. */
static int page_cmpxchg16(struct umbra_vm *vm, struct umbra_memslot *slot, gpa_t gpa, u64 *old,
			  const u64 *new)
{
	struct umbra_frame frame;
	bool done;
	int ret;

	ret = umbra_frame_get(vm, slot, gpa_to_gfn(gpa), true, faulthandler_disabled(), &frame);
	if (ret)
		return -EFAULT;
	if (!frame.page)
		return -EFAULT;
	done = cmpxchg16(page_address(frame.page) + offset_in_page(gpa), old, new);
	umbra_frame_release(&frame, true, true);
	return done ? 0 : 1;
}

/**
 * umbra_gpa_cmpxchg() - atomic compare and exchange in guest memory
 * @vm: the VM whose mm is current's; SRCU read section held
 * @gpa: naturally aligned address
 * @old: expected value; on -EAGAIN the value found
 * @new: new value
 * @bytes: 1, 2, 4, 8 or 16 (16 only where the processor has CMPXCHG16B)
 *
 * Sleeps, unless page faults are disabled. Marks the page dirty.
 * Return: 0; -EAGAIN the value differs; -EFAULT no writable memory, or misaligned.
 */
int umbra_gpa_cmpxchg(struct umbra_vm *vm, gpa_t gpa, void *old, const void *new,
		      unsigned int bytes)
{
	struct umbra_memslot *slot;
	void __user *user;
	int ret;

	if (!is_power_of_2(bytes) || (gpa & (bytes - 1)))
		return -EFAULT;
	user = gpa_user(vm, gpa, true, &slot);
	if (!user)
		return -EFAULT;
	if (bytes != 16)
		ret = user_cmpxchg(user, old, new, bytes);
	else if (boot_cpu_has(X86_FEATURE_CX16))
		ret = page_cmpxchg16(vm, slot, gpa, old, new);
	else
		ret = -EFAULT;
	if (ret < 0)
		return ret;
	umbra_slot_mark_dirty(slot, gpa_to_gfn(gpa));
	return ret ? -EAGAIN : 0;
}

/* The leaf level of @mm's tables at @hva; interrupts off keep the tables alive. */
static int host_level_irqoff(struct mm_struct *mm, hva_t hva)
{
	pgd_t pgd = READ_ONCE(*pgd_offset(mm, hva));
	p4d_t p4d;
	pud_t pud;
	pmd_t pmd;

	if (pgd_none(pgd))
		return 1;
	p4d = READ_ONCE(*p4d_offset(&pgd, hva));
	if (p4d_none(p4d) || !p4d_present(p4d))
		return 1;
	pud = READ_ONCE(*pud_offset(&p4d, hva));
	if (pud_none(pud) || !pud_present(pud))
		return 1;
	if (pud_leaf(pud))
		return 3;
	pmd = READ_ONCE(*pmd_offset(&pud, hva));
	return pmd_present(pmd) && pmd_leaf(pmd) ? 2 : 1;
}

int umbra_host_level(struct umbra_vm *vm, hva_t hva)
{
	unsigned long flags;
	int level;

	local_irq_save(flags);
	level = host_level_irqoff(vm->mm, hva);
	local_irq_restore(flags);
	return level;
}

/* A huge page of transparent or hugetlbfs kind, mapped for any access. */
static bool peek_pmd(pmd_t pmd, hva_t hva, struct umbra_frame *frame)
{
	if (!(pmd_flags(pmd) & _PAGE_PRESENT) || pmd_devmap(pmd))
		return false;
	frame->pfn = pmd_pfn(pmd) + (hva % PMD_SIZE >> PAGE_SHIFT);
	frame->writable = pmd_write(pmd) && pmd_dirty(pmd);
	frame->level = 2;
	return true;
}

static bool peek_pte(pte_t pte, struct umbra_frame *frame)
{
	if (!(pte_flags(pte) & _PAGE_PRESENT) || pte_special(pte) || pte_devmap(pte))
		return false;
	frame->pfn = pte_pfn(pte);
	frame->writable = pte_write(pte) && pte_dirty(pte);
	frame->level = 1;
	return true;
}

/* Interrupts off keep the host's tables alive; its entries change under other locks. */
static bool peek_irqoff(struct mm_struct *mm, hva_t hva, struct umbra_frame *frame)
{
	pgd_t pgd = READ_ONCE(*pgd_offset(mm, hva));
	p4d_t p4d;
	pud_t pud;
	pmd_t pmd;

	if (pgd_none(pgd))
		return false;
	p4d = READ_ONCE(*p4d_offset(&pgd, hva));
	if (!p4d_present(p4d))
		return false;
	pud = READ_ONCE(*pud_offset(&p4d, hva));
	if (!pud_present(pud) || pud_leaf(pud))
		return false;
	pmd = READ_ONCE(*pmd_offset(&pud, hva));
	if (!pmd_present(pmd))
		return false;
	if (pmd_leaf(pmd))
		return peek_pmd(pmd, hva, frame);
	return peek_pte(READ_ONCE(*pte_offset_kernel(&pmd, hva)), frame);
}

bool umbra_frame_peek(struct umbra_vm *vm, hva_t hva, bool write, struct umbra_frame *frame)
{
	unsigned long flags;
	bool found;

	frame->page = NULL;
	frame->device = false;
	local_irq_save(flags);
	found = peek_irqoff(vm->mm, hva, frame);
	local_irq_restore(flags);
	return found && (frame->writable || !write);
}

bool umbra_client_thread(const struct umbra_vm *vm)
{
	return current->mm == vm->mm;
}

static void frame_from_page(struct umbra_vm *vm, hva_t hva, struct page *page, bool writable,
			    struct umbra_frame *frame)
{
	frame->page = page;
	frame->pfn = page_to_pfn(page);
	frame->writable = writable;
	frame->device = false;
	/* A mapping larger than a page is made of a compound page (or of device memory). */
	frame->level = PageCompound(page) || is_zone_device_page(page) ?
		       umbra_host_level(vm, hva) : 1;
}

/* Without sleeping; a writable frame is found even for a read, to save a fault. */
static bool frame_get_fast(struct umbra_vm *vm, struct umbra_memslot *slot, hva_t hva,
			   bool write, struct umbra_frame *frame)
{
	bool try_write = write || !(slot->flags & KVM_MEM_READONLY);
	struct page *page;

	if (try_write && get_user_page_fast_only(hva, FOLL_WRITE, &page)) {
		frame_from_page(vm, hva, page, true, frame);
		return true;
	}
	if (!write && get_user_page_fast_only(hva, 0, &page)) {
		frame_from_page(vm, hva, page, false, frame);
		return true;
	}
	return false;
}

/* One look at a VM_IO or VM_PFNMAP area's PTE; mmap_lock held. -ENOENT: fault it in. */
static int frame_from_pte(struct umbra_vm *vm, hva_t hva, bool write, struct umbra_frame *frame)
{
	spinlock_t *ptl;	/* of the page table */
	pte_t *ptep, pte;

	if (follow_pte(vm->mm, hva, &ptep, &ptl))
		return -ENOENT;
	__acquire(ptl);
	pte = *ptep;
	pte_unmap_unlock(ptep, ptl);
	if (write && !pte_write(pte))
		return -ENOENT;
	frame->page = NULL;
	frame->pfn = pte_pfn(pte);
	frame->writable = pte_write(pte);
	frame->device = !page_is_ram(frame->pfn);
	frame->level = 1;
	return 0;
}

/*
 * Frames without a struct page to take: the notifier alone keeps their
 * mappings right. -EAGAIN: the area has pages after all, or changed meanwhile.
 */
static int frame_get_pfnmap(struct umbra_vm *vm, hva_t hva, bool write,
			    struct umbra_frame *frame)
{
	struct vm_area_struct *vma;
	bool unlocked = false;
	int ret = -EFAULT;

	mmap_read_lock(vm->mm);
	vma = vma_lookup(vm->mm, hva);
	if (!vma || !(vma->vm_flags & (VM_IO | VM_PFNMAP)) ||
	    !(vma->vm_flags & (write ? VM_WRITE : VM_READ)))
		goto out;
	ret = frame_from_pte(vm, hva, write, frame);
	if (ret != -ENOENT)
		goto out;
	ret = fixup_user_fault(vm->mm, hva, write ? FAULT_FLAG_WRITE : 0, &unlocked);
	if (ret)
		goto out;
	/* After a dropped lock the area may be another one: look again from the start. */
	ret = unlocked ? -EAGAIN : frame_from_pte(vm, hva, write, frame);
	if (ret == -ENOENT)
		ret = -EFAULT;
out:
	mmap_read_unlock(vm->mm);
	return ret;
}

static int frame_get_slow(struct umbra_vm *vm, hva_t hva, bool write, struct umbra_frame *frame)
{
	struct page *page;
	long n;
	int ret;

	do {
		if (fatal_signal_pending(current))
			return -EINTR;
		n = get_user_pages_unlocked(hva, 1, &page,
					    FOLL_HWPOISON | (write ? FOLL_WRITE : 0));
		if (n == 1) {
			frame_from_page(vm, hva, page, write, frame);
			return 0;
		}
		if (n == -EHWPOISON || n == -EINTR)
			return n;
		ret = frame_get_pfnmap(vm, hva, write, frame);
	} while (ret == -EAGAIN);
	return ret == -EHWPOISON || ret == -EINTR || !ret ? ret : -EFAULT;
}

/**
 * umbra_frame_get() - find the host frame behind a guest frame
 * @vm: the VM whose mm is current's; SRCU read section held
 * @slot: the slot that holds @gfn
 * @gfn: guest frame number
 * @write: the frame must be writable; copies on write are broken
 * @atomic: do not sleep, take only what is mapped already
 * @frame: result, to be given back to umbra_frame_release()
 *
 * Return: 0; -EFAULT bad host address; -EHWPOISON; -EAGAIN only when @atomic;
 * -EINTR a fatal signal is pending.
 */
int umbra_frame_get(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn, bool write,
		    bool atomic, struct umbra_frame *frame)
{
	hva_t hva = umbra_slot_hva(slot, gfn);

	if (frame_get_fast(vm, slot, hva, write, frame))
		return 0;
	if (atomic)
		return -EAGAIN;
	might_sleep();
	return frame_get_slow(vm, hva, write, frame);
}

/**
 * umbra_frame_release() - drop the reference of umbra_frame_get()
 * @frame: the frame
 * @accessed: it was read, or mapped for the guest
 * @dirtied: it was written, or mapped writable: the guest may write at any time
 *	until a notifier takes the mapping away. Any context.
 */
void umbra_frame_release(struct umbra_frame *frame, bool accessed, bool dirtied)
{
	struct page *page = frame->page;

	if (!page)
		return;
	if (!PageReserved(page)) {
		if (dirtied)
			SetPageDirty(page);
		if (accessed)
			mark_page_accessed(page);
	}
	put_page(page);
	frame->page = NULL;
}
