/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What paging.c and paging_run.c share. Private to the library.
 */
#ifndef SELFTESTS_PAGING_INTERNAL_H
#define SELFTESTS_PAGING_INTERNAL_H

#include "paging.h"

/* The guest's code, see paging_engine.S. */
#define UT_PG_CODE_OF(name)						\
	extern const char name##_start[], name##_vectors[], name##_returned[], name##_end[],	\
			  name##_user[], name##_user_end[]
UT_PG_CODE_OF(pg16);
UT_PG_CODE_OF(pg32);
UT_PG_CODE_OF(pg64);

/* That of one width. */
struct ut_pg_code {
	const char *start, *vectors, *returned, *end;
	const char *user, *user_end;
};

const struct ut_pg_code *ut_pg_code(enum ut_paging mode);

#endif
