// SPDX-License-Identifier: GPL-2.0
/*
 * The host in the model test: memory whose frames change under Umbra by the
 * protocol of MMU notifiers. Every change of a page gives it a new frame
 * number, so that whoever uses an old one is found out.
 */
#include "mmu_lib_model.h"

#define REGION		512u
#define PFN_BASE	(1u << 20)

/**
 * struct host_page - one page of the VMM's memory
 * @version: counts its frames
 * @present: it need not be faulted in
 * @shared: a write has to copy it first
 */
struct host_page {
	unsigned int version;
	bool present;
	bool shared;
};

static u8 memory[HOST_PAGES][4096] __attribute__((aligned(2 << 20)));
static struct host_page host[HOST_PAGES];
static bool large[HOST_PAGES / REGION];
static enum { NO_RACE, RACE, RACE_OPEN } race;

/* Invalidations under way: what they take away gets new frames before they end. */
#define MAX_OPEN	8

static struct {
	unsigned int page, pages;
	bool stays;
} under_way[MAX_OPEN];
static int open_invals;

void host_reset(void)
{
	int i;

	memset(memory, 0, sizeof(memory));
	memset(host, 0, sizeof(host));
	memset(large, 0, sizeof(large));
	for (i = 0; i < HOST_PAGES; i++)
		host[i].present = true;
	race = NO_RACE;
	open_invals = 0;
}

hva_t host_hva(unsigned int page)
{
	return (hva_t)memory[page];
}

static unsigned int page_at(hva_t hva)
{
	unsigned int page = (hva - (hva_t)memory) / 4096;

	assert(page < HOST_PAGES);
	return page;
}

static u64 pfn_of(unsigned int page)
{
	return PFN_BASE + (u64)host[page].version * HOST_PAGES + page;
}

/* All slots that show some of these pages, one after the other. */
static bool for_slots(unsigned int page, unsigned int pages,
		      bool (*fn)(struct umbra_memslot *slot, gfn_t first, gfn_t end, bool arg),
		      bool arg)
{
	bool any = false;
	int i;

	for (i = 0; i < unit.slots->count; i++) {
		struct umbra_memslot *slot = unit.slots->slot[i];
		unsigned int base = page_at(slot->hva);
		unsigned int first = max(page, base);
		unsigned int end = min(page + pages, base + (unsigned int)slot->npages);

		if (first < end)
			any |= fn(slot, slot->base_gfn + first - base, slot->base_gfn + end - base,
				  arg);
	}
	return any;
}

static bool zap(struct umbra_memslot *slot, gfn_t first, gfn_t end, bool may_block)
{
	return umbra_mmu_zap_range(&unit.vm, slot, first, end, may_block);
}

static bool age(struct umbra_memslot *slot, gfn_t first, gfn_t end, bool clear)
{
	return umbra_mmu_age_range(&unit.vm, slot, first, end, clear);
}

/* With @stays the frames stay, or get their new numbers from the caller. */
static void invalidate(unsigned int page, unsigned int pages, bool stays)
{
	umbra_mmu_invalidate_begin(&unit.vm, host_hva(page), host_hva(page) + pages * 4096);
	assert(open_invals < MAX_OPEN);
	under_way[open_invals].page = page;
	under_way[open_invals].pages = pages;
	under_way[open_invals++].stays = stays;
	for_slots(page, pages, zap, model.step & 1);
}

static void new_frames(unsigned int page, unsigned int pages)
{
	unsigned int i;

	for (i = page; i < page + pages; i++) {
		host[i].version++;
		large[i / REGION] = false;
	}
}

void host_settle(void)
{
	while (open_invals) {
		int i = --open_invals;

		if (!under_way[i].stays)
			new_frames(under_way[i].page, under_way[i].pages);
		umbra_mmu_invalidate_end(&unit.vm);
	}
}

bool host_busy(void)
{
	return open_invals;
}

void host_unmap(unsigned int page, unsigned int pages)
{
	unsigned int i;

	invalidate(page, pages, false);
	for (i = page; i < page + pages; i++)
		host[i].present = false;
	host_settle();
}

void host_begin(unsigned int page)
{
	if (open_invals < MAX_OPEN / 2)
		invalidate(page, 1, false);
}

/* As fork() does: the frame stays, but whoever writes gets another. */
void host_share(unsigned int page)
{
	invalidate(page, 1, true);
	host[page].shared = true;
	large[page / REGION] = false;
	host_settle();
}

void host_collapse(unsigned int page)
{
	unsigned int first = page & ~(REGION - 1), i, version = 0;

	invalidate(first, REGION, true);
	for (i = first; i < first + REGION; i++)
		version = max(version, host[i].version + 1);
	for (i = first; i < first + REGION; i++)
		host[i] = (struct host_page){ .version = version, .present = true };
	large[first / REGION] = true;
	host_settle();
}

void host_age(unsigned int page, unsigned int pages, bool clear)
{
	for_slots(page, pages, age, clear);
}

void host_race(bool leave_open)
{
	race = leave_open ? RACE_OPEN : RACE;
}

static void run_race(unsigned int page)
{
	int how = race;

	race = NO_RACE;
	if (how == NO_RACE)
		return;
	invalidate(page, 1, false);
	if (how == RACE)
		host_settle();
}

/* umbra_frame_get(): as the host's fault handler and get_user_pages(). */
int host_frame(struct umbra_memslot *slot, gfn_t gfn, bool write, bool atomic,
	       struct umbra_frame *frame)
{
	unsigned int page = page_at(umbra_slot_hva(slot, gfn));
	struct host_page *h = &host[page];

	if (atomic && (!h->present || (write && h->shared)))
		return -EAGAIN;
	h->present = true;
	if (write && h->shared) {
		invalidate(page, 1, false);
		h->shared = false;
		host_settle();
	}
	*frame = (struct umbra_frame){
		.pfn = pfn_of(page), .writable = !h->shared,
		.level = large[page / REGION] ? 2 : 1,
	};
	run_race(page);
	return 0;
}

/* Now and then the long way is taken, as it is when something is about to happen. */
bool host_peek(hva_t hva, bool write, struct umbra_frame *frame)
{
	unsigned int page = page_at(hva);
	const struct host_page *h = &host[page];

	assert(unit.vm.mmu->lock.held && !open_invals);
	if (!h->present || (write && h->shared) || race != NO_RACE || unit_random() % 4 == 0)
		return false;
	*frame = (struct umbra_frame){
		.pfn = pfn_of(page), .writable = !h->shared, .level = host_level_at(hva),
	};
	return true;
}

int host_level_at(hva_t hva)
{
	return large[page_at(hva) / REGION] ? 2 : 1;
}

/* A read of the VMM's memory faults pages in where it may sleep. */
bool host_user_fails(const void *user)
{
	struct host_page *h = &host[page_at((hva_t)user)];

	if (!h->present && unit_atomic)
		return true;
	h->present = true;
	return false;
}

bool host_owns(gfn_t gfn, u64 pfn)
{
	struct umbra_memslot *slot = umbra_gfn_to_slot(&unit.vm, gfn);

	return slot && pfn_of(page_at(umbra_slot_hva(slot, gfn))) == pfn;
}

bool host_writable(gfn_t gfn)
{
	struct umbra_memslot *slot = umbra_gfn_to_slot(&unit.vm, gfn);

	return slot && !host[page_at(umbra_slot_hva(slot, gfn))].shared;
}

gfn_t host_gfn(u64 pfn)
{
	unsigned int page = (pfn - PFN_BASE) % HOST_PAGES;
	int i;

	for (i = 0; i < unit.slots->count; i++) {
		struct umbra_memslot *slot = unit.slots->slot[i];
		unsigned int base = page_at(slot->hva);

		if (page - base < slot->npages)
			return slot->base_gfn + page - base;
	}
	return ~0ULL;
}
