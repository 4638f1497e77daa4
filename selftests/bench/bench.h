/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the programs of scripts/bench have in common: each case does one thing N times and 2N
 * times, each time in a new VM, and the difference by N is the price of the thing.
 */
#ifndef SELFTESTS_BENCH_H
#define SELFTESTS_BENCH_H

#include "umbra_util.h"

/**
 * struct bench_case - one thing to be counted
 * @name: for the command line and the table
 * @fn: guest code that does it @n times between two reports, see bench_exits()
 * @n: how often
 * @vcpus: vCPUs that run @fn, 0 counts as 1
 * @clear: bits that are not in the entries under test, where the program has such
 * @what: for the table
 */
struct bench_case {
	const char *name;
	void (*fn)(u64 n);
	u64 n;
	int vcpus;
	u64 clear;
	const char *what;
};

/* Ticks for @n times, in a VM of its own; exits of the first vCPU in @exits. */
typedef u64 (*bench_once_fn)(const struct bench_case *c, u64 n, u64 *exits);

/* Let the guest go on to its next report, in @uc; all exits of the vCPU up to then. */
u64 bench_exits(const struct bench_case *c, struct ut_vcpu *vcpu, struct ut_ucall *uc);
/* Run the cases that the command line names, all without; the program's exit code. */
int bench_main(int argc, char **argv, const struct bench_case *cases, unsigned int nr,
	       bench_once_fn once);

#endif
