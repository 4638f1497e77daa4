/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counters of a VM or a vCPU by name, read through KVM_GET_STATS_FD. Whether
 * the file is as it should be is stats_fd_test.c's question.
 */
#ifndef SELFTESTS_STATS_H
#define SELFTESTS_STATS_H

#include "umbra_util.h"

/* The file of @fd, a VM's or a vCPU's descriptor. */
int ut_stats_fd(int fd);
/* The value of @name in @stats_fd; ends the test when there is none. */
u64 ut_stat(int stats_fd, const char *name);
/* Is there a counter @name? */
bool ut_has_stat(int stats_fd, const char *name);

#endif
