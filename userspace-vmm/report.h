/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The final account of a run: for people on stderr, for programs as JSON.
 */
#ifndef UMBRA_VMM_REPORT_H
#define UMBRA_VMM_REPORT_H

#include "machine.h"

struct json_object;

void report_failure(struct machine *m);
struct json_object *report_run(struct machine *m, bool stats);
struct json_object *report_refusal(int status, const char *detail);
struct json_object *report_runs(int status, struct json_object *const *runs, unsigned int n);
int report_print(struct json_object *o);

#endif
