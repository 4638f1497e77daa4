// SPDX-License-Identifier: GPL-2.0
/*
 * Running the cases of a program of scripts/bench: one line for each, name, ticks, exits,
 * description. Knows nothing of what is counted, and judges nothing.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "bench.h"
#include "stats.h"

#define TAKES	3

u64 bench_exits(const struct bench_case *c, struct ut_vcpu *vcpu, struct ut_ucall *uc)
{
	int stats;
	u64 exits;

	if (ut_next(vcpu, uc) != UT_SYNC)
		ut_die("%s: exit %s", c->name, ut_exit_name(vcpu->run->exit_reason));
	stats = ut_stats_fd(vcpu->fd);
	exits = ut_stat(stats, "exits");
	close(stats);
	return exits;
}

/* The cheapest of a few takes: what the host did besides only adds. */
static u64 best(const struct bench_case *c, bench_once_fn once, u64 n, u64 *exits)
{
	u64 ticks, min = ~0ull;
	int i;

	for (i = 0; i < TAKES; i++) {
		ticks = once(c, n, exits);
		if (ticks < min)
			min = ticks;
	}
	return min;
}

static void run_case(const struct bench_case *c, bench_once_fn once)
{
	u64 few, many, exits_few, exits_many;

	few = best(c, once, c->n, &exits_few);
	many = best(c, once, 2 * c->n, &exits_many);
	printf("%-16s %8.0f %6.2f  %s\n", c->name, ((double)many - (double)few) / (double)c->n,
	       ((double)exits_many - (double)exits_few) / (double)c->n, c->what);
	fflush(stdout);
}

int bench_main(int argc, char **argv, const struct bench_case *cases, unsigned int nr,
	       bench_once_fn once)
{
	const struct bench_case *c;
	int i, done = 0;

	for (c = cases; c < cases + nr; c++) {
		for (i = 1; i < argc && strcmp(argv[i], c->name); i++)
			;
		if (argc > 1 && i == argc)
			continue;
		run_case(c, once);
		done++;
	}
	return done ? 0 : 2;
}
