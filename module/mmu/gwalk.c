// SPDX-License-Identifier: GPL-2.0
/*
 * Walk the guest's own page tables, gva to gpa, with the processor's rules of
 * rights, reserved bits, error codes, and accessed and dirty bits.
 *
 * Reads one entry per level straight from the VMM's memory. Nothing here maps,
 * caches or injects; the verdict goes to the caller.
 */
#include "mmu_env.h"
#include "gwalk.h"
#include "mmu_internal.h"

void umbra_guest_mode(struct umbra_vcpu *vcpu, struct x86_mode *mode)
{
	bool nx = vcpu->efer & EFER_NX;
	u8 phys_bits = vcpu->cpuid.phys_bits;

	*mode = (struct x86_mode){};
	if (!(vcpu->cr0 & X86_CR0_PG))
		return;
	if (!(vcpu->cr4 & X86_CR4_PAE)) {
		mode->levels = 2;
		mode->pse = vcpu->cr4 & X86_CR4_PSE;
		mode->rsvd_4m = x86_reserved_4m(phys_bits);
		return;
	}
	mode->wide = true;
	if (!(vcpu->efer & EFER_LMA))
		mode->levels = 3;
	else
		mode->levels = (vcpu->cr4 & X86_CR4_LA57) ? 5 : 4;
	mode->rsvd = x86_reserved_high(mode->levels, phys_bits, nx);
}

/*
 * Where PDPTEs are found: with nested paging on SVM the processor reads them
 * from memory in every walk and CR3 writes are not seen; elsewhere they were
 * loaded with CR3.
 */
static bool pdptes_in_memory(const struct umbra_vcpu *vcpu)
{
	return vcpu->vm->mmu_mode == UMBRA_MMU_NESTED && umbra_caps.fmt == UMBRA_FMT_NPT;
}

/*
 * A processor that reads PDPTEs in every walk may treat them as entries like any
 * others and set their accessed bit, which is reserved where they are loaded.
 */
static u64 pdpte_as_written(const struct umbra_vcpu *vcpu, u64 e)
{
	return pdptes_in_memory(vcpu) ? e & ~(u64)X86_ACCESSED : e;
}

static __always_inline int slot_gpte(const struct umbra_memslot *slot, gpa_t gpa, bool wide,
				     u64 *e)
{
	unsigned long hva = umbra_slot_hva(slot, gpa_to_gfn(gpa)) + offset_in_page(gpa);
	u32 narrow = 0;
	int err;

	if (wide)
		return __get_user(*e, (u64 __user *)hva);
	err = __get_user(narrow, (u32 __user *)hva);
	*e = narrow;
	return err;
}

int umbra_slot_gpte(const struct umbra_memslot *slot, gpa_t gpa, bool wide, u64 *e)
{
	return slot_gpte(slot, gpa, wide, e);
}

int umbra_gpte_read(struct umbra_vm *vm, gpa_t gpa, bool wide, u64 *e)
{
	const struct umbra_memslot *slot = umbra_gfn_to_slot(vm, gpa_to_gfn(gpa));

	return slot ? umbra_slot_gpte(slot, gpa, wide, e) : -EFAULT;
}

/* Read one entry; -EFAULT when there is no memory or it is not there now. */
static int read_entry(struct umbra_gwalk *walk, int level, gpa_t gpa)
{
	const struct umbra_memslot *slot = walk->slot;
	gfn_t gfn = gpa_to_gfn(gpa);

	if (!slot || !umbra_slot_has(slot, gfn)) {
		slot = umbra_gfn_to_slot(walk->vcpu->vm, gfn);
		if (!slot)
			return -EFAULT;
		walk->slot = slot;
	}
	walk->gpa[level] = gpa;
	if (slot->flags & KVM_MEM_READONLY)
		walk->rom |= BIT(level);
	walk->host_fault = slot_gpte(slot, gpa, walk->mode.wide, &walk->entry[level]);
	return walk->host_fault ? -EFAULT : 0;
}

/* Only where it matters: the search through the vCPU's CPUID is not free. */
static void check_gbpages(struct umbra_gwalk *walk, u64 e, int level)
{
	if (level == 3 && walk->mode.levels > 3 && (e & X86_LARGE))
		walk->mode.gbpages = umbra_cpuid_has(walk->vcpu, X86_FEATURE_GBPAGES);
}

u32 umbra_access_error(const struct umbra_vcpu *vcpu, u32 access)
{
	bool nx = (vcpu->cr4 & X86_CR4_PAE) && (vcpu->efer & EFER_NX);
	u32 error = 0;

	if (access & UMBRA_ACC_WRITE)
		error |= PFERR_WRITE;
	if (access & UMBRA_ACC_USER)
		error |= PFERR_USER;
	if ((access & UMBRA_ACC_EXEC) && (nx || (vcpu->cr4 & X86_CR4_SMEP)))
		error |= PFERR_FETCH;
	return error;
}

/* Take over the entry just read: 0, or the error code's cause bits. */
static u32 check_entry(struct umbra_gwalk *walk, int level, bool *fault)
{
	u64 e = walk->entry[level];

	*fault = true;
	if (!x86_present(e))
		return 0;
	check_gbpages(walk, e, level);
	if (x86_reserved(&walk->mode, e, level))
		return PFERR_PRESENT | PFERR_RSVD;
	*fault = false;
	if (walk->mode.levels == 3 && level == 3)
		return 0;
	walk->rights &= e | X86_NX;
	walk->rights |= e & X86_NX;
	return 0;
}

/* Protection keys: does the key of a user page forbid this data access? */
static bool pkey_forbids(const struct umbra_gwalk *walk, u64 leaf)
{
	const struct umbra_vcpu *vcpu = walk->vcpu;
	u32 pkru;

	if (!(vcpu->cr4 & X86_CR4_PKE) || walk->mode.levels < 4 ||
	    (walk->access & UMBRA_ACC_EXEC) || !x86_user(walk->rights))
		return false;
	pkru = umbra_guest_pkru(vcpu) >> (x86_pkey(leaf) * 2);
	if (pkru & 1)
		return true;
	return (pkru & 2) && (walk->access & UMBRA_ACC_WRITE) &&
	       ((walk->access & UMBRA_ACC_USER) || (vcpu->cr0 & X86_CR0_WP));
}

/* A supervisor's access to a page that users may reach. */
static bool user_page_forbids(const struct umbra_gwalk *walk)
{
	const struct umbra_vcpu *vcpu = walk->vcpu;

	if (walk->access & UMBRA_ACC_EXEC)
		return vcpu->cr4 & X86_CR4_SMEP;
	if (!(vcpu->cr4 & X86_CR4_SMAP))
		return false;
	return (walk->access & UMBRA_ACC_IMPLICIT) || !(vcpu->rflags & X86_EFLAGS_AC);
}

static bool rights_forbid(const struct umbra_gwalk *walk)
{
	bool user = walk->access & UMBRA_ACC_USER;

	if (user && !x86_user(walk->rights))
		return true;
	if (!user && x86_user(walk->rights) && user_page_forbids(walk))
		return true;
	if ((walk->access & UMBRA_ACC_EXEC) && !x86_executable(walk->rights))
		return true;
	return (walk->access & UMBRA_ACC_WRITE) && !x86_writable(walk->rights) &&
	       (user || (walk->vcpu->cr0 & X86_CR0_WP));
}

/* Cause bits of a refusal, 0 when the access is allowed; the key counts apart. */
static u32 check_rights(const struct umbra_gwalk *walk)
{
	u32 error = rights_forbid(walk) ? PFERR_PRESENT : 0;

	if (pkey_forbids(walk, walk->entry[walk->level]))
		error |= PFERR_PRESENT | PFERR_PKEY;
	return error;
}

/* Set @bits in the entry of @level. -EAGAIN: it changed, walk again. */
static int write_bits(struct umbra_gwalk *walk, int level, u64 bits)
{
	u64 old = walk->entry[level], new = old | bits;
	int ret;

	ret = umbra_gpa_cmpxchg(walk->vcpu->vm, walk->gpa[level], &old, &new,
				walk->mode.wide ? 8 : 4);
	if (!ret)
		walk->entry[level] = new;
	walk->host_fault = ret == -EFAULT;
	return ret;
}

static int set_bits(struct umbra_gwalk *walk, int level, u64 bits)
{
	/* A processor's write to ROM is lost; so is this one. */
	if (likely(!(~walk->entry[level] & bits)) || (walk->rom & BIT(level)))
		return 0;
	return write_bits(walk, level, bits);
}

static int set_accessed_dirty(struct umbra_gwalk *walk)
{
	/* PDPTEs of PAE paging have no such bits. */
	int level = walk->mode.levels == 3 ? 2 : walk->mode.levels;
	u64 leaf = X86_ACCESSED;
	int ret;

	if (walk->access & UMBRA_ACC_WRITE)
		leaf |= X86_DIRTY;
	for (; level > walk->level; level--) {
		ret = set_bits(walk, level, X86_ACCESSED);
		if (ret)
			return ret;
	}
	return set_bits(walk, level, leaf);
}

/* Read the entry of @level for the walk; @table is where its table lies. */
static int load_entry(struct umbra_gwalk *walk, int level, gpa_t table)
{
	unsigned int index = x86_index(&walk->mode, walk->gva, level);

	if (walk->mode.levels == 3 && level == 3 && !pdptes_in_memory(walk->vcpu)) {
		walk->entry[level] = walk->vcpu->pdpte[index];
		return 0;
	}
	if (read_entry(walk, level, table + index * (walk->mode.wide ? 8 : 4)))
		return -EFAULT;
	if (walk->mode.levels == 3 && level == 3)
		walk->entry[level] = pdpte_as_written(walk->vcpu, walk->entry[level]);
	return 0;
}

/* Down to the leaf. 0; -EFAULT with w->error or w->bad_gpa. */
static int descend(struct umbra_gwalk *walk, struct umbra_walk *w)
{
	gpa_t table = x86_root(&walk->mode, walk->vcpu->cr3);
	int level = walk->mode.levels;
	bool fault;

	for (;; level--) {
		u64 e;

		walk->level = level;
		if (load_entry(walk, level, table)) {
			w->bad_gpa = true;
			return -EFAULT;
		}
		w->error = check_entry(walk, level, &fault);
		if (fault)
			return -EFAULT;
		e = walk->entry[level];
		if (x86_leaf(&walk->mode, e, level))
			break;
		table = e & X86_ADDR;
	}
	w->gpa = x86_addr(&walk->mode, walk->entry[level], level) |
		 (walk->gva & x86_offset_mask(&walk->mode, level));
	w->level = level;
	w->error = check_rights(walk);
	return w->error ? -EFAULT : 0;
}

/* One attempt; -EAGAIN when the tables changed under it. */
static int walk_once(struct umbra_gwalk *walk, bool set_ad, struct umbra_walk *w)
{
	int ret;

	*w = (struct umbra_walk){ .gpa = UMBRA_INVALID_GPA };
	walk->rights = X86_USER | X86_WRITE;
	walk->slot = NULL;
	walk->rom = 0;
	walk->host_fault = false;
	ret = descend(walk, w);
	if (ret) {
		w->gpa = UMBRA_INVALID_GPA;
		w->error |= umbra_access_error(walk->vcpu, walk->access);
		return ret;
	}
	ret = set_ad ? set_accessed_dirty(walk) : 0;
	if (ret == -EFAULT)
		w->bad_gpa = true;
	return ret;
}

int umbra_gwalk(struct umbra_gwalk *walk, bool set_ad, struct umbra_walk *w)
{
	int ret;

	umbra_guest_mode(walk->vcpu, &walk->mode);
	while ((ret = walk_once(walk, set_ad, w)) == -EAGAIN) {
		if (faulthandler_disabled()) {
			w->bad_gpa = true;
			return -EFAULT;
		}
		/* A guest can keep its tables changing as long as it likes. */
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return ret;
}

/**
 * umbra_mmu_walk() - translate a linear address by the guest's tables
 * @vcpu: whose registers select mode and rights; SRCU read section held
 * @gva: linear address, canonical as the mode demands (the caller checks)
 * @access: UMBRA_ACC_*
 * @set_ad: set accessed and dirty bits as the processor does
 * @w: result
 *
 * Sleeps unless page faults are disabled; then tables that the host would have
 * to fault in count as w->bad_gpa, and @set_ad must be false.
 * Return: 0, or -EFAULT with w->error, or with w->bad_gpa when a table lies where
 * no memory is; -EINTR, only with @set_ad, when a fatal signal is pending.
 */
int umbra_mmu_walk(struct umbra_vcpu *vcpu, gva_t gva, u32 access, bool set_ad,
		   struct umbra_walk *w)
{
	struct umbra_gwalk walk;

	if (!(vcpu->cr0 & X86_CR0_PG)) {
		*w = (struct umbra_walk){ .gpa = gva };
		return 0;
	}
	walk.vcpu = vcpu;
	walk.gva = gva;
	walk.access = access;
	return umbra_gwalk(&walk, set_ad, w);
}

static int fetch(struct umbra_vcpu *vcpu, gva_t rip, void *buf, unsigned int len)
{
	u32 access = UMBRA_ACC_EXEC;
	struct umbra_walk w;
	int ret;

	if (umbra_vendor->cpl(vcpu) == 3)
		access |= UMBRA_ACC_USER;
	ret = umbra_mmu_walk(vcpu, rip, access, false, &w);
	if (ret)
		return w.bad_gpa ? -EAGAIN : ret;
	return umbra_gpa_read(vcpu->vm, w.gpa, buf, len) ? -EAGAIN : 0;
}

/**
 * umbra_mmu_fetch() - read instruction bytes without consequences for the guest
 * @vcpu: the vCPU; SRCU read section held
 * @rip: linear address
 * @buf: destination
 * @len: bytes, all in the page of @rip
 * @atomic: do not sleep
 *
 * Return: 0; -EFAULT the guest's tables or memory do not allow it; -EAGAIN only
 * when @atomic: a sleeping call may succeed.
 */
int umbra_mmu_fetch(struct umbra_vcpu *vcpu, gva_t rip, void *buf, unsigned int len, bool atomic)
{
	int ret;

	if (atomic)
		pagefault_disable();
	ret = fetch(vcpu, rip, buf, len);
	if (atomic)
		pagefault_enable();
	return ret == -EAGAIN && !atomic ? -EFAULT : ret;
}

/**
 * struct code_walk - a walk of 64-bit tables for code that runs already
 * @rip: linear address
 * @gpa: of the next eight bytes to read, a table entry's or the code's
 * @shift: number of address bits below that entry's index; 0: it is the code
 * @bytes: the code
 */
struct code_walk {
	gva_t rip;
	gpa_t gpa;
	int shift;
	u64 bytes;
};

/* One step down by entry @e; no rights are checked. False where it leads nowhere. */
static __always_inline bool code_step(struct code_walk *walk, u64 e)
{
	u64 below = BIT_ULL(walk->shift) - 1;

	if (!x86_present(e))
		return false;
	if (walk->shift == 12 || (e & X86_LARGE)) {
		walk->gpa = (e & X86_ADDR & ~below) | (walk->rip & below);
		walk->shift = 0;
	} else {
		walk->shift -= 9;
		walk->gpa = (e & X86_ADDR) + ((walk->rip >> walk->shift) & 0x1ff) * 8;
	}
	return true;
}

/*
 * Go on with the walk as long as it stays in @slot. The VMM's memory is opened once
 * for all of it: what keeps the processor from guesses outside is the index.
 * 1: the code was read; 0: @walk is at another slot; -EFAULT.
 */
static int code_descend(struct code_walk *walk, const struct umbra_memslot *slot)
{
	const char __user *base = (const char __user *)slot->hva;
	unsigned long size = slot->npages << PAGE_SHIFT, at;
	u64 val;

	if (!user_read_access_begin(base, size))
		return -EFAULT;
	for (;;) {
		at = walk->gpa - gfn_to_gpa(slot->base_gfn);
		if (at >= size)
			break;
		at = array_index_nospec(at, size);
		unsafe_get_user(val, (const u64 __user *)(base + at), fault);
		if (!walk->shift) {
			walk->bytes = val;
			user_read_access_end();
			return 1;
		}
		if (!code_step(walk, val))
			goto fault;
	}
	user_read_access_end();
	return 0;

fault:
	user_read_access_end();
	return -EFAULT;
}

static int read_code(struct umbra_vcpu *vcpu, struct code_walk *walk)
{
	const struct umbra_memslot *slot;
	int ret;

	do {
		slot = umbra_gfn_to_slot(vcpu->vm, gpa_to_gfn(walk->gpa));
		ret = slot ? code_descend(walk, slot) : -EFAULT;
	} while (!ret);
	return ret;
}

/**
 * umbra_mmu_refetch() - look again at the instruction that has just left the guest
 * @vcpu: the vCPU; SRCU read section held
 * @rip: linear address of that instruction
 * @bytes: its first eight bytes
 *
 * The processor walked the same tables a moment ago and found the access
 * allowed, so this is umbra_mmu_fetch() without the questions whose answers are
 * known. Does not sleep.
 * Return: 0, or -EAGAIN: use umbra_mmu_fetch().
 */
int umbra_mmu_refetch(struct umbra_vcpu *vcpu, gva_t rip, u64 *bytes)
{
	int shift = vcpu->cr4 & X86_CR4_LA57 ? 48 : 39, ret;
	struct code_walk walk = {
		.rip = rip,
		.gpa = (vcpu->cr3 & X86_ADDR) + ((rip >> shift) & 0x1ff) * 8,
		.shift = shift,
	};

	if (!(vcpu->efer & EFER_LMA) || offset_in_page(rip) > PAGE_SIZE - sizeof(*bytes))
		return -EAGAIN;
	pagefault_disable();
	ret = read_code(vcpu, &walk);
	pagefault_enable();
	*bytes = walk.bytes;
	return ret < 0 ? -EAGAIN : 0;
}

/**
 * umbra_mmu_load_pdptes() - load the PDPTEs of PAE paging
 * @vcpu: its CR3 and mode are the new ones; SRCU read section held. Sleeps.
 *
 * Return: 0 and vcpu->pdpte is set; -EINVAL when a present one has reserved bits
 * set or there is no memory, and vcpu->pdpte is unchanged.
 */
int umbra_mmu_load_pdptes(struct umbra_vcpu *vcpu)
{
	struct x86_mode mode;
	u64 pdpte[4];
	int i;

	umbra_guest_mode(vcpu, &mode);
	if (umbra_gpa_read(vcpu->vm, vcpu->cr3 & GENMASK_ULL(31, 5), pdpte, sizeof(pdpte)))
		return -EINVAL;
	for (i = 0; i < 4; i++) {
		pdpte[i] = pdpte_as_written(vcpu, pdpte[i]);
		if (x86_present(pdpte[i]) && x86_reserved(&mode, pdpte[i], 3))
			return -EINVAL;
	}
	memcpy(vcpu->pdpte, pdpte, sizeof(pdpte));
	return 0;
}
