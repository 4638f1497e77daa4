/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The final account of a run: for people on stderr, for programs as JSON.
 */
#ifndef UMBRA_VMM_REPORT_H
#define UMBRA_VMM_REPORT_H

#include "machine.h"

void report_failure(struct machine *m);
int report_json(struct machine *m);
int report_json_refusal(int status, const char *detail);

#endif
