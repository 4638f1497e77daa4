// SPDX-License-Identifier: GPL-2.0
/*
 * paging.h: lists of operations, their runs, and results as text. Knows nothing of tables.
 */
#include <errno.h>
#include <stdio.h>
#include "paging_internal.h"

#define CODE(name)							\
	{ name##_start, name##_vectors, name##_returned, name##_end, name##_user, name##_user_end }

static const struct ut_pg_code code16 = CODE(pg16);
static const struct ut_pg_code code32 = CODE(pg32);
static const struct ut_pg_code code64 = CODE(pg64);

const struct ut_pg_code *ut_pg_code(enum ut_paging mode)
{
	if (mode == UT_PG_REAL)
		return &code16;
	return mode >= UT_PG_4LEVEL ? &code64 : &code32;
}

static u64 list(const struct ut_pg *g, int n)
{
	return UT_PG_OPS + n * g->max_ops * sizeof(struct ut_pg_op);
}

struct ut_pg_op *ut_pg_ops(struct ut_pg *g, int n)
{
	return ut_hva(g->vm, list(g, n));
}

/* What paging_engine.S finds at RBP: the current operation, the list's end. */
static u64 *control(struct ut_pg *g, int n)
{
	return ut_hva(g->vm, UT_PG_AREAS + n * UT_PG_AREA_SIZE + UT_PG_CTL);
}

void ut_pg_start(struct ut_pg *g, int n, u32 count)
{
	u64 *ctl = control(g, n);

	if (count > g->max_ops)
		ut_die("%u operations, there is room for %u", count, g->max_ops);
	ctl[0] = list(g, n);
	ctl[1] = list(g, n) + count * sizeof(struct ut_pg_op);
}

u32 ut_pg_resume(struct ut_pg *g, int n)
{
	struct ut_vcpu *vcpu = g->vm->vcpu[n];
	const struct kvm_run *run = vcpu->run;
	int ret;

	do
		ret = ut_run(vcpu);
	while (ret == -EINTR);
	if (ret)
		ut_die("KVM_RUN on vCPU %d: %s", n, strerror(-ret));
	if (run->exit_reason == KVM_EXIT_IO && run->io.port == UT_PG_PORT)
		return 0;
	return run->exit_reason;
}

struct ut_pg_op *ut_pg_current(struct ut_pg *g, int n)
{
	return ut_hva(g->vm, *control(g, n));
}

void ut_pg_run(struct ut_pg *g, int n, u32 count)
{
	const struct ut_pg_op *op;
	char text[160];
	u32 reason;

	ut_pg_start(g, n, count);
	reason = ut_pg_resume(g, n);
	if (!reason)
		return;
	op = ut_pg_current(g, n);
	ut_die("%s: exit %s at operation %ld: %s", ut_pg_name(g->mode), ut_exit_name(reason),
	       (long)(op - ut_pg_ops(g, n)), ut_pg_describe(op, text, sizeof(text)));
}

static const char * const op_names[UT_PG_NR_OPS] = {
	"read", "write", "fetch", "set8", "load8", "CR0", "CR3", "CR4", "WRMSR", "INVLPG",
	"INVPCID", "WRPKRU", "XCHG", "get CR0", "get CR2", "get CR3", "get CR4", "RDMSR", "CR2",
};

const char *ut_pg_describe(const struct ut_pg_op *op, char *buf, size_t size)
{
	const char *name = op->op < UT_PG_NR_OPS ? op_names[op->op] : "?";
	int n;

	n = snprintf(buf, size, "%s%s%s, address %#lx, value %#lx: ", name,
		     op->flags & UT_PG_USER ? " at CPL 3" : "",
		     op->flags & UT_PG_AC ? " with AC" : "", op->addr, op->value);
	if (n < 0 || (size_t)n >= size)
		return buf;
	if (op->vector == UT_PG_NO_FAULT)
		snprintf(buf + n, size - n, "done, got %#lx", op->got);
	else if (op->vector == UT_PG_NOT_RUN)
		snprintf(buf + n, size - n, "not run");
	else
		snprintf(buf + n, size - n, "vector %u, error %#x, CR2 %#lx", op->vector, op->error,
			 op->cr2);
	return buf;
}
