/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where a guest's consoles write to. A reader that does not read holds up the guest, but not
 * the end of the run.
 */
#ifndef UMBRA_VMM_OUTPUT_H
#define UMBRA_VMM_OUTPUT_H

#include <stdatomic.h>
#include <stddef.h>

#include "types.h"

/**
 * struct output - the output of one machine
 * @fd: where it goes, or -1: nowhere
 * @ended: the machine has ended, so that not much is to be waited for
 * @waited: how often it was waited for room after that
 */
struct output {
	int fd;
	const atomic_bool *ended;
	atomic_uint waited;
};

int output_open(struct output *o, int fd, const atomic_bool *ended);
void output_close(struct output *o);
void output_write(struct output *o, const void *bytes, size_t n);

#endif
