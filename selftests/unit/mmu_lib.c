// SPDX-License-Identifier: GPL-2.0
/*
 * The world around module/mmu/ in unit tests; see mmu_lib.h. The walk here is
 * written from the manual's picture of long-mode tables and shares no line
 * with the code under test.
 */
#include "mmu_lib.h"

#define E_P	1ULL
#define E_W	2ULL
#define E_PS	0x80ULL
#define E_ADDR	0x000ffffffffff000ULL

#define MAX_KEPT	(1 << 16)

/* One translation that some processor keeps. */
struct kept {
	gfn_t gfn;
	u64 entry;
	int level;
};

static struct kept kept[MAX_KEPT];
static int nr_kept;
static const void *kept_table[MAX_KEPT];
static int nr_kept_tables;
static u64 seed;

struct unit_world unit;
bool unit_five_levels;
int unit_atomic;

static void unit_set_root(struct umbra_vcpu *vcpu, hpa_t root)
{
	unit.root = root;
}

static void unit_flush_tlb(struct umbra_vcpu *vcpu)
{
	unit.tlb_flushes++;
}

static int unit_cpl(struct umbra_vcpu *vcpu)
{
	return unit.cpl;
}

static const struct umbra_vendor_ops unit_vendor = {
	.name = "unit",
	.set_root = unit_set_root,
	.flush_tlb = unit_flush_tlb,
	.cpl = unit_cpl,
};

const struct umbra_vendor_ops *umbra_vendor = &unit_vendor;
struct umbra_host_caps umbra_caps;

u64 unit_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

int unit_setup(void **state)
{
	memset(&unit, 0, sizeof(unit));
	unit.host_level = 1;
	unit.alloc_left = -1;
	unit.vcpu.vm = &unit.vm;
	unit.vcpu.cpuid.phys_bits = 40;
	umbra_caps = (struct umbra_host_caps){
		.nested = true, .nested_1g = true, .fmt = UMBRA_FMT_NPT,
	};
	seed = 0x9e3779b97f4a7c15ULL;
	nr_kept = 0;
	nr_kept_tables = 0;
	unit_atomic = 0;
	if (umbra_mmu_vm_create(&unit.vm) || umbra_mmu_vcpu_create(&unit.vcpu))
		return -1;
	return umbra_mmu_load(&unit.vcpu);
}

int unit_teardown(void **state)
{
	nr_kept_tables = 0;
	umbra_mmu_vcpu_destroy(&unit.vcpu);
	umbra_mmu_vm_destroy(&unit.vm);
	return unit.tables ? -1 : 0;
}

struct umbra_memslot *unit_slot(int id, gfn_t base, unsigned long npages, hva_t hva, u32 flags)
{
	unit.slot[id] = (struct umbra_memslot){
		.base_gfn = base, .npages = npages, .hva = hva, .flags = flags, .id = id,
	};
	return &unit.slot[id];
}

/* Table pages. */

unsigned long unit_get_free_page(void)
{
	void *page;

	if (!unit.alloc_left)
		return 0;
	if (unit.alloc_left > 0)
		unit.alloc_left--;
	page = aligned_alloc(4096, 8192);
	memset(page, 0, 8192);
	unit.tables++;
	return (unsigned long)page;
}

void free_page(unsigned long addr)
{
	int i;

	for (i = 0; i < nr_kept_tables; i++)
		assert(kept_table[i] != (void *)addr);
	unit.tables--;
	free((void *)addr);
}

u64 unit_cmpxchg(u64 *p, u64 old, u64 new)
{
	/* A processor may set accessed and dirty at any time: do so now and then. */
	if ((*p & E_P) && unit_random() % 4 == 0)
		*p |= 0x60;
	__atomic_compare_exchange_n(p, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return old;
}

bool unit_need_resched(void)
{
	return unit.resched;
}

bool unit_fatal_signal(void)
{
	return unit.killed;
}

void unit_cond_resched_lock(struct unit_lock *lock)
{
	spin_unlock(lock);
	if (unit.resched_hook)
		unit.resched_hook();
	spin_lock(lock);
}

/* Processors. */

static void touch_table(const u64 *table, int level, gfn_t gfn)
{
	int i;

	assert(nr_kept_tables < MAX_KEPT);
	kept_table[nr_kept_tables++] = table;
	for (i = 0; i < 512; i++) {
		gfn_t at = gfn + ((gfn_t)i << (9 * (level - 1)));

		if (!(table[i] & E_P))
			continue;
		if (level > 1 && !(table[i] & E_PS)) {
			touch_table((u64 *)(table[i] & E_ADDR), level - 1, at);
			continue;
		}
		assert(nr_kept < MAX_KEPT);
		kept[nr_kept++] = (struct kept){ .gfn = at, .entry = table[i], .level = level };
	}
}

void unit_cpus_touch(void)
{
	nr_kept = 0;
	nr_kept_tables = 0;
	touch_table((u64 *)unit.root, unit_five_levels ? 5 : 4, 0);
}

u64 unit_lookup(gfn_t gfn, int *level)
{
	const u64 *table = (u64 *)unit.root;
	int l;

	for (l = unit_five_levels ? 5 : 4; ; l--) {
		u64 e = table[(gfn >> (9 * (l - 1))) & 511];

		*level = l;
		if (!(e & E_P))
			return 0;
		if (l == 1 || (e & E_PS))
			return e;
		table = (u64 *)(e & E_ADDR);
	}
}

static u64 entry_pfn(u64 e, int level, gfn_t gfn)
{
	return ((e & E_ADDR) >> 12) + (gfn & ((1ULL << (9 * (level - 1))) - 1));
}

u64 unit_pfn_of(gfn_t gfn)
{
	int level;
	u64 e = unit_lookup(gfn, &level);

	return e ? entry_pfn(e, level, gfn) : 0;
}

bool unit_cpus_agree(void)
{
	int i, level;

	for (i = 0; i < nr_kept; i++) {
		u64 e = unit_lookup(kept[i].gfn, &level);

		if (!e || entry_pfn(e, level, kept[i].gfn) != (kept[i].entry & E_ADDR) >> 12)
			return false;
		if ((kept[i].entry & E_W) && !(e & E_W))
			return false;
	}
	return true;
}

void umbra_flush_remote_tlbs(struct umbra_vm *vm)
{
	unit.flushes++;
	if (unit.forget_flush)
		return;
	nr_kept = 0;
	nr_kept_tables = 0;
}

/* Slots, guest memory and the host. */

struct umbra_memslot *umbra_gfn_to_slot(struct umbra_vm *vm, gfn_t gfn)
{
	int i;

	for (i = 0; i < UNIT_SLOTS; i++)
		if (umbra_slot_has(&unit.slot[i], gfn))
			return &unit.slot[i];
	return NULL;
}

void umbra_slot_mark_dirty(struct umbra_memslot *slot, gfn_t gfn)
{
	gfn_t bit = gfn - slot->base_gfn;

	if (slot->dirty)
		slot->dirty[bit / 64] |= BIT(bit % 64);
}

bool unit_user_fails(const void *user)
{
	return unit.absent == user;
}

static void *gpa_ptr(gpa_t gpa, bool write)
{
	struct umbra_memslot *slot = umbra_gfn_to_slot(NULL, gpa_to_gfn(gpa));

	if (!slot || (write && (slot->flags & KVM_MEM_READONLY)))
		return NULL;
	return (char *)umbra_slot_hva(slot, gpa_to_gfn(gpa)) + offset_in_page(gpa);
}

int umbra_gpa_read(struct umbra_vm *vm, gpa_t gpa, void *data, unsigned int len)
{
	void *p = gpa_ptr(gpa, false);

	if (!p || unit_user_fails(p))
		return -EFAULT;
	memcpy(data, p, len);
	return 0;
}

int umbra_gpa_cmpxchg(struct umbra_vm *vm, gpa_t gpa, void *old, const void *new,
		      unsigned int bytes)
{
	void *p = gpa_ptr(gpa, true);

	if (!p)
		return -EFAULT;
	if (unit.cmpxchg_hook)
		unit.cmpxchg_hook(gpa);
	if (memcmp(p, old, bytes)) {
		memcpy(old, p, bytes);
		return -EAGAIN;
	}
	memcpy(p, new, bytes);
	return 0;
}

int umbra_host_level(struct umbra_vm *vm, hva_t hva)
{
	return unit.host_level;
}

int umbra_frame_get(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn, bool write,
		    bool atomic, struct umbra_frame *frame)
{
	if (unit.frame_hook)
		unit.frame_hook();
	if (unit.frame_error)
		return unit.frame_error;
	if (write && unit.host_readonly)
		return -EFAULT;
	*frame = (struct umbra_frame){
		.pfn = umbra_slot_hva(slot, gfn) >> PAGE_SHIFT,
		.writable = !unit.host_readonly,
		.level = unit.host_level,
	};
	return 0;
}

void umbra_frame_release(struct umbra_frame *frame, bool accessed, bool dirtied)
{
}

u32 umbra_guest_pkru(const struct umbra_vcpu *vcpu)
{
	return unit.pkru;
}

bool umbra_cpuid_has(const struct umbra_vcpu *vcpu, unsigned int x86_feature)
{
	return x86_feature == X86_FEATURE_GBPAGES && unit.gbpages;
}
