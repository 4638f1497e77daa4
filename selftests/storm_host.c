// SPDX-License-Identifier: GPL-2.0
/*
 * What a host does to a VM's memory without asking: swap it out, move it, split and merge
 * huge pages, change the protection of its mapping, log its writes. Nothing that changes the
 * contents. Test code; knows nothing of what the guest does.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "storm_run.h"
#include "worker.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif
#define SLOT		1

struct storm_disturber {
	pthread_t thread;
	struct ut_vm *vm;
	u64 random;
	u64 done;
	bool logging;
	bool stop;
};

static u32 below(struct storm_disturber *d, u32 n)
{
	d->random = d->random * 6364136223846793005ull + 1442695040888963407ull;
	return (d->random >> 33) % n;
}

static void set_logging(struct storm_disturber *d, bool on)
{
	const struct ut_slot *slot = &d->vm->slot[SLOT];
	int ret;

	ret = ut_set_region(d->vm, SLOT, slot->gpa, slot->size, slot->hva,
			    on ? KVM_MEM_LOG_DIRTY_PAGES : 0);
	if (ret)
		ut_die("dirty log %s: %s", on ? "on" : "off", strerror(-ret));
	d->logging = on;
}

static void read_log(struct storm_disturber *d)
{
	static char bitmap[STORM_SIZE / UT_PAGE_SIZE / 8 + 8];
	struct kvm_dirty_log log = { .slot = SLOT, .dirty_bitmap = bitmap };

	ut_must_ioctl(d->vm->fd, KVM_GET_DIRTY_LOG, &log);
}

/* What is not there (swap, huge pages, compaction) fails, and that is fine. */
static void disturb(struct storm_disturber *d)
{
	const struct ut_slot *slot = &d->vm->slot[below(d, 4) ? SLOT : 0];
	u64 pages = slot->size / UT_PAGE_SIZE, first = 0, count = 1ull << below(d, 10);
	char *at;

	/* The pool of tables most of all. */
	if (below(d, 4))
		pages = 160;
	first = below(d, pages);
	if (count > slot->size / UT_PAGE_SIZE - first)
		count = 1;
	at = (char *)slot->hva + first * UT_PAGE_SIZE;
	switch (below(d, 9)) {
	case 0:
		madvise(at, count * UT_PAGE_SIZE, MADV_PAGEOUT);
		break;
	case 1:
		madvise(at, count * UT_PAGE_SIZE, MADV_COLD);
		break;
	case 2:
		mprotect(at, count * UT_PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC);
		break;
	case 3:
		mprotect(slot->hva, slot->size, PROT_READ | PROT_WRITE);
		break;
	case 4:
		madvise(slot->hva, slot->size, MADV_HUGEPAGE);
		madvise(slot->hva, UT_HUGE_SIZE, MADV_COLLAPSE);
		break;
	case 5:
		madvise(at, count * UT_PAGE_SIZE, MADV_NOHUGEPAGE);
		break;
	case 6:
		/* Takes its time. */
		if (!below(d, 16))
			ut_write_file("/proc/sys/vm/compact_memory", "1");
		break;
	case 7:
		set_logging(d, !d->logging);
		break;
	case 8:
		if (d->logging)
			read_log(d);
		break;
	}
}

static void *run(void *arg)
{
	struct storm_disturber *d = arg;

	for (; !ut_read_once(d->stop); d->done++) {
		disturb(d);
		ut_msleep(below(d, 3));
	}
	return NULL;
}

/* Without swap nothing is ever taken out. */
static void need_swap(void)
{
	static const char command[] = "grep -q ^/ /proc/swaps || lab-swap 192 >/dev/null 2>&1";

	if (getenv("UMBRA_LAB") && system(command))
		fputs("# storm: no swap\n", stderr);
}

struct storm_disturber *storm_disturb_start(struct ut_vm *vm, u64 seed)
{
	struct storm_disturber *d = calloc(1, sizeof(*d));

	if (!d)
		ut_die("out of memory");
	need_swap();
	d->vm = vm;
	d->random = seed;
	if (pthread_create(&d->thread, NULL, run, d))
		ut_die("no thread");
	return d;
}

u64 storm_disturb_stop(struct storm_disturber *d)
{
	u64 done;

	ut_write_once(d->stop, true);
	pthread_join(d->thread, NULL);
	done = d->done;
	free(d);
	return done;
}
