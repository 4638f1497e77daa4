// SPDX-License-Identifier: GPL-2.0
/*
 * The world around module/mmu/ in unit tests; see mmu_lib.h: memory of tables
 * and objects, requests, guest memory and the host's answers.
 */
#include "mmu_lib.h"
#include "mmu/mmu_internal.h"

static u64 seed;

struct unit_world unit;
struct umbra_host_caps unit_caps;
bool unit_five_levels;
int unit_atomic;
int unit_in_user;

const struct umbra_host_caps unit_npt = {
	.nested = true, .nested_1g = true, .nested_ad = true, .fmt = UMBRA_FMT_NPT,
};

const struct umbra_host_caps unit_ept = {
	.nested = true, .nested_1g = true, .nested_ad = true, .fmt = UMBRA_FMT_EPT,
};

const struct umbra_host_caps unit_ept_no_ad = {
	.nested = true, .nested_1g = true, .fmt = UMBRA_FMT_EPT,
};

const struct umbra_host_caps unit_ept_unpaged = {
	.nested = true, .nested_1g = true, .nested_ad = true, .fmt = UMBRA_FMT_EPT,
	.unpaged_nested = true,
};

/* No such processor exists, but nothing of the rule depends on the format. */
const struct umbra_host_caps unit_npt_unpaged = {
	.nested = true, .nested_1g = true, .nested_ad = true, .fmt = UMBRA_FMT_NPT,
	.unpaged_nested = true,
};

static void unit_flush_tlb(struct umbra_vcpu *vcpu)
{
	unit.tlb_flushes++;
	if (!unit.forget_flush)
		unit_cpu_flush(vcpu->index);
}

static int unit_cpl(struct umbra_vcpu *vcpu)
{
	return unit.cpl;
}

static const struct umbra_vendor_ops unit_vendor = {
	.name = "unit",
	.set_root = unit_cpu_set_root,
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

void unit_seed(u64 s)
{
	seed = s ? s : 1;
}

static int create_vcpus(int nr)
{
	struct umbra_vcpu *vcpu;
	int i;

	for (i = 0; i < nr; i++) {
		vcpu = &unit.vcpu[i];
		vcpu->vm = &unit.vm;
		vcpu->index = i;
		vcpu->cpuid.phys_bits = 40;
		unit.vm.vcpu[i] = vcpu;
		if (umbra_mmu_vcpu_create(vcpu))
			return -1;
		unit.vm.nr_vcpus++;
		if (umbra_mmu_load(vcpu))
			return -1;
	}
	return 0;
}

int unit_setup_mode(enum umbra_mmu_mode mode, int nr_vcpus)
{
	memset(&unit, 0, sizeof(unit));
	unit.host_level = 1;
	unit.alloc_left = -1;
	unit.slots = calloc(1, sizeof(*unit.slots));
	unit.vm.mmu_mode = mode;
	if (!unit_caps.nested)
		unit_caps = unit_npt;
	umbra_caps = unit_caps;
	unit_seed(0x9e3779b97f4a7c15ULL);
	unit_cpus_reset();
	unit_atomic = 0;
	if (umbra_mmu_init() || umbra_mmu_vm_create(&unit.vm))
		return -1;
	return create_vcpus(nr_vcpus);
}

int unit_setup(void **state)
{
	return unit_setup_mode(UMBRA_MMU_NESTED, 1);
}

int unit_teardown(void **state)
{
	int i;

	unit_cpus_reset();
	for (i = 0; i < unit.vm.nr_vcpus; i++)
		umbra_mmu_vcpu_destroy(&unit.vcpu[i]);
	umbra_mmu_vm_destroy(&unit.vm);
	unit_slots_free();
	umbra_mmu_exit();
	return unit.tables || unit.objects || unit.vm.srcu.readers ? -1 : 0;
}

int unit_serve(struct umbra_vcpu *vcpu)
{
	int r = 0;

	if (vcpu->requests & BIT(UMBRA_REQ_NEW_ROOT)) {
		vcpu->requests &= ~BIT(UMBRA_REQ_NEW_ROOT);
		r = umbra_mmu_load(vcpu);
		if (r)
			umbra_request(vcpu, UMBRA_REQ_NEW_ROOT);
	}
	vcpu->requests &= BIT(UMBRA_REQ_NEW_ROOT);
	return r;
}

bool unit_can_run(const struct umbra_vcpu *vcpu)
{
	return !(vcpu->requests & BIT(UMBRA_REQ_NEW_ROOT));
}

bool unit_on_nested(const struct umbra_vcpu *vcpu)
{
	if (vcpu->vm->mmu_mode == UMBRA_MMU_NESTED)
		return true;
	return umbra_caps.unpaged_nested && !(vcpu->cr0 & X86_CR0_PG);
}

/* Table pages. */

static bool alloc_fails(void)
{
	if (!unit.alloc_left)
		return true;
	if (unit.alloc_left > 0)
		unit.alloc_left--;
	return false;
}

unsigned long unit_get_free_page(void)
{
	void *page;

	if (alloc_fails())
		return 0;
	page = aligned_alloc(4096, 8192);
	memset(page, 0, 8192);
	unit.tables++;
	return (unsigned long)page;
}

void free_page(unsigned long addr)
{
	if (!addr)
		return;
	assert(!unit_cpus_keep_table(virt_to_page(addr)));
	unit.tables--;
	free((void *)addr);
}

void *unit_zalloc(size_t n)
{
	if (alloc_fails())
		return NULL;
	unit.objects++;
	return calloc(1, n);
}

void unit_free(void *p)
{
	if (p)
		unit.objects--;
	free(p);
}

struct kmem_cache *kmem_cache_create(const char *name, unsigned int size, unsigned int align,
				     unsigned int flags, void (*ctor)(void *))
{
	struct kmem_cache *cache = calloc(1, sizeof(*cache));

	cache->size = size;
	return cache;
}

void kmem_cache_destroy(struct kmem_cache *cache)
{
	assert(!cache || !cache->objects);
	free(cache);
}

void *kmem_cache_zalloc(struct kmem_cache *cache, int gfp)
{
	void *p = unit_zalloc(cache->size);

	cache->objects += !!p;
	return p;
}

void kmem_cache_free(struct kmem_cache *cache, void *p)
{
	cache->objects--;
	unit_free(p);
}

int register_shrinker(struct shrinker *shrinker, const char *name, ...)
{
	unit.shrinker = shrinker;
	return 0;
}

void unregister_shrinker(struct shrinker *shrinker)
{
	unit.shrinker = NULL;
}

u64 unit_cmpxchg(u64 *p, u64 old, u64 new, bool nested)
{
	/* A processor may set accessed and dirty at any time: do so now and then. */
	if (unit_random() % 4 == 0)
		*p = unit_touched_entry(*p, nested);
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

/* Requests. */

void unit_unlocked(struct unit_lock *lock)
{
	if (unit.unlock_hook && unit.vm.mmu && lock == &unit.vm.mmu->lock)
		unit.unlock_hook();
}

void umbra_request(struct umbra_vcpu *vcpu, enum umbra_request req)
{
	if (unit.request_hook)
		unit.request_hook(vcpu, req);
	vcpu->requests |= BIT(req);
}

void umbra_request_all(struct umbra_vm *vm, enum umbra_request req)
{
	int i;

	for (i = 0; i < vm->nr_vcpus; i++)
		umbra_request(vm->vcpu[i], req);
}

void umbra_flush_remote_tlbs(struct umbra_vm *vm)
{
	int i;

	unit.flushes++;
	for (i = 0; !unit.forget_flush && i < UNIT_VCPUS; i++)
		unit_cpu_flush(i);
}

/* Guest memory and the host. */

bool unit_user_fails(const void *user)
{
	return unit.absent == user || (unit.user_fails && unit.user_fails(user));
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

	if (!p || unit_user_fails(p))
		return -EFAULT;
	if (unit.cmpxchg_hook)
		unit.cmpxchg_hook(gpa);
	if (memcmp(p, old, bytes)) {
		memcpy(old, p, bytes);
		return -EAGAIN;
	}
	memcpy(p, new, bytes);
	umbra_slot_mark_dirty(umbra_gfn_to_slot(vm, gpa_to_gfn(gpa)), gpa_to_gfn(gpa));
	return 0;
}

int umbra_host_level(struct umbra_vm *vm, hva_t hva)
{
	return unit.level_at ? unit.level_at(hva) : unit.host_level;
}

int umbra_frame_get(struct umbra_vm *vm, struct umbra_memslot *slot, gfn_t gfn, bool write,
		    bool atomic, struct umbra_frame *frame)
{
	if (unit.frame_hook)
		unit.frame_hook();
	if (unit.frame)
		return unit.frame(slot, gfn, write, atomic, frame);
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

bool umbra_client_thread(const struct umbra_vm *vm)
{
	return !unit.foreign;
}

bool umbra_frame_peek(struct umbra_vm *vm, hva_t hva, bool write, struct umbra_frame *frame)
{
	return unit.peek && unit.peek(hva, write, frame);
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
