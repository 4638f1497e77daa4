// SPDX-License-Identifier: GPL-2.0
/*
 * Work that notices when the machine was put together wrongly after it was saved or moved: a
 * thread on each processor rewrites its pages for ever, and before that checks that each still
 * holds what was last written there. Which generation of a page that is, is known in a table
 * elsewhere in memory, and how far the thread is, in a register: should one page of the guest be
 * older than the rest, they differ. Pages are rewritten in different rounds, so that some are
 * written once between two looks at the dirty log and others always.
 *
 * The serial port tells how far all have come, and takes commands: "tally" says what was checked;
 * "spoil" changes one bit, ends the guest when that was found, and so proves the check.
 */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "guest.h"

#define PAGE		4096
#define WORDS		(PAGE / sizeof(uint64_t))
#define PAGES		3072	/* of each thread */
/* Nothing in common with PAGES: neighbours are not written one after another. */
#define STRIDE		1201
#define REPORT_MS	100
#define MAX_SHOWN	5	/* errors that are described */

struct share {
	uint64_t *memory;
	uint32_t generation[PAGES];
	/* The round, on pages of their own that are written together. */
	_Atomic uint64_t *first, *second;
};

static struct share shares[MAX_CPUS];
static _Atomic uint64_t checked, latest_ns, errors;
static atomic_int spoil = -1;	/* the share to spoil */

static void complain(const char *what, uint64_t a, uint64_t b)
{
	if (atomic_fetch_add(&errors, 1) < MAX_SHOWN)
		say("guest: error: %s: %#llx, %#llx\n", what, (unsigned long long)a,
		    (unsigned long long)b);
}

/* The words of a page are this and so many times an odd number more. */
static uint64_t seed(uint64_t thread, uint64_t page, uint64_t generation)
{
	uint64_t x = (thread << 56 | page << 32 | generation) * 0x9e3779b97f4a7c15ull;

	return x ^ x >> 29;
}

static void check_page(const uint64_t *words, uint64_t value)
{
	size_t i;

	for (i = 0; i < WORDS; i++, value += 0x10001) {
		if (words[i] == value)
			continue;
		complain("a page is not what was written last", words[i], value);
		return;
	}
}

static void fill_page(uint64_t *words, uint64_t value)
{
	size_t i;

	for (i = 0; i < WORDS; i++, value += 0x10001)
		words[i] = value;
}

/* What one thread has read, another must not find in the future. */
static void check_time(void)
{
	uint64_t seen = atomic_load(&latest_ns), now = clock_ns();

	if (now < seen)
		complain("the clock went back", seen, now);
	while (seen < now && !atomic_compare_exchange_weak(&latest_ns, &seen, now))
		;
}

/* @round is in a register, or on the stack; the others are where the host keeps books. */
static void check_counters(struct share *s, uint64_t round, double also)
{
	uint64_t first = atomic_load(s->first), second = atomic_load(s->second);

	if (first != round || second != round || also != (double)round)
		complain("a counter differs", first << 32 | (uint32_t)second, round);
	atomic_store(s->first, round + 1);
	atomic_store(s->second, round + 1);
}

static void one_round(struct share *s, uint64_t thread, uint64_t round)
{
	size_t i, page = 0;

	for (i = 0; i < PAGES; i++, page = (page + STRIDE) % PAGES) {
		uint64_t *words = s->memory + page * WORDS;

		if (round % (1 + page % 7))
			continue;
		if (atomic_load(&spoil) == (int)thread) {
			atomic_store(&spoil, -1);
			words[page % WORDS] ^= 1ull << page % 64;
		}
		check_page(words, seed(thread, page, s->generation[page]));
		fill_page(words, seed(thread, page, ++s->generation[page]));
		atomic_fetch_add(&checked, 1);
		if (i % 128 == 0) {
			check_time();
			/* The host and the other guest want to come on as well. */
			usleep(500);
		}
	}
}

static void *worker(void *arg)
{
	uint64_t thread = (uint64_t)arg, round = 0;
	struct share *s = &shares[thread];
	double also = 0;
	size_t page;

	pin(thread);
	for (page = 0; page < PAGES; page++)
		fill_page(s->memory + page * WORDS, seed(thread, page, 0));
	for (;; round++, also++) {
		check_counters(s, round, also);
		one_round(s, thread, round);
	}
	return NULL;
}

static void *populate(size_t number)
{
	void *p = mmap(NULL, number * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED)
		end_guest("no memory for %zu pages", number);
	return p;
}

static void obey(void)
{
	char line[64] = "";

	if (read(STDIN_FILENO, line, sizeof(line) - 1) <= 0)
		end_guest("the serial port is gone");
	if (!strncmp(line, "tally", 5)) {
		say("guest: tally: %llu pages checked, %llu errors\n",
		    (unsigned long long)atomic_load(&checked),
		    (unsigned long long)atomic_load(&errors));
	} else if (!strncmp(line, "spoil", 5)) {
		if (atomic_load(&errors))
			end_guest("errors before one was made");
		atomic_store(&spoil, cpus - 1);
	}
}

void work_in_memory(void)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	pthread_t thread;
	long i;

	for (i = 0; i < cpus; i++) {
		shares[i].memory = populate(PAGES);
		shares[i].first = populate(1);
		shares[i].second = populate(1);
		if (pthread_create(&thread, NULL, worker, (void *)i))
			end_guest("no thread %ld", i);
	}
	for (;;) {
		if (poll(&input, 1, REPORT_MS) > 0)
			obey();
		if (atomic_load(&errors))
			end_guest("%llu errors", (unsigned long long)atomic_load(&errors));
		say("guest: at %llu, %llu ms\n", (unsigned long long)atomic_load(&checked),
		    (unsigned long long)clock_ns() / 1000000);
	}
}
