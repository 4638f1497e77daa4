/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a host needs to run guests, one finding per requirement.
 */
#ifndef UMBRA_VMM_CHECK_HOST_H
#define UMBRA_VMM_CHECK_HOST_H

#include "types.h"

enum verdict {
	CHECK_NO,
	CHECK_YES,
	CHECK_UNKNOWN,
};

/**
 * struct finding - answer to one requirement
 * @name: stable short name
 * @required: guests cannot run without it
 * @verdict: met, not met, or cannot be told
 * @text: what was found
 * @remedy: what to do, empty when nothing needs doing
 */
struct finding {
	const char *name;
	bool required;
	enum verdict verdict;
	char text[160];
	char remedy[200];
};

#define MAX_FINDINGS	24

unsigned int check_host(const char *device, struct finding findings[MAX_FINDINGS]);
void found(struct finding *f, const char *name, enum verdict verdict, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
unsigned int check_cpu(struct finding *f);

#endif
