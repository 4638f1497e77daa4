// SPDX-License-Identifier: GPL-2.0
/*
 * The storm on PAE and 2-level tables: the engine runs in the test and sends each thing it
 * does to the 32-bit guest of paging.h. Test code; one vCPU.
 */
#include "storm_run.h"

#define CR4_PGE		BIT_ULL(7)

static void run_ops(struct storm_cpu *cpu, u32 count)
{
	struct ut_pg *guest = cpu->world->job;
	const struct ut_pg_op *op = ut_pg_ops(guest, 0);
	char text[160];
	u32 i;

	ut_pg_run(guest, 0, count);
	for (i = 0; i < count; i++)
		if (op[i].vector != UT_PG_NO_FAULT)
			ut_die("the storm itself: %s", ut_pg_describe(&op[i], text, sizeof(text)));
}

static void *legacy_phys(struct storm_cpu *cpu, u64 gpa)
{
	return (char *)cpu->world->mem + (gpa - STORM_BASE);
}

static void legacy_access(struct storm_cpu *cpu, struct storm_access *access)
{
	static const u32 code[] = {
		[STORM_READ] = UT_PG_READ, [STORM_WRITE] = UT_PG_WRITE,
		[STORM_SWAP] = UT_PG_XCHG, [STORM_EXEC] = UT_PG_FETCH,
	};
	struct ut_pg *guest = cpu->world->job;
	struct ut_pg_op *op = ut_pg_ops(guest, 0);

	*op = (struct ut_pg_op){
		.op = code[access->kind],
		.flags = access->user ? UT_PG_USER : 0,
		.addr = access->gva,
		.value = access->value,
	};
	ut_pg_run(guest, 0, 1);
	access->value = (u32)op->got;
	if (op->vector == UT_PG_NO_FAULT)
		return;
	access->vector = op->vector;
	access->error = op->error;
	access->cr2 = op->cr2;
}

static struct ut_pg_op *add(struct ut_pg_op *op, u32 code, u64 gva, u64 value)
{
	*op = (struct ut_pg_op){ .op = code, .addr = gva, .value = value };
	return op + 1;
}

/* Entries of 8 bytes are written in halves here, whatever @style says: not present first. */
static void legacy_store(struct storm_cpu *cpu, u64 gva, u64 old, u64 new, int style)
{
	struct ut_pg_op *first = ut_pg_ops(cpu->world->job, 0), *op = first;
	u32 low = style & 1 ? UT_PG_XCHG : UT_PG_WRITE;

	if (cpu->world->fmt->entry == 4 || !((old ^ new) >> 32)) {
		op = add(op, low, gva, (u32)new);
	} else if (style < STORM_CMPXCHG8B) {
		op = add(op, UT_PG_SET8, gva, new);
	} else {
		op = add(op, UT_PG_WRITE, gva, 0);
		op = add(op, low, gva + 4, new >> 32);
		op = add(op, low, gva, (u32)new);
	}
	run_ops(cpu, op - first);
}

static void legacy_fill(struct storm_cpu *cpu, u64 gva, u64 value)
{
	struct ut_pg_op *first = ut_pg_ops(cpu->world->job, 0), *op = first;
	u32 i;

	for (i = 0; i < UT_PAGE_SIZE; i += 8)
		op = add(op, UT_PG_SET8, gva + i, value);
	if (value)
		op = add(op, UT_PG_SET8, gva + STORM_CODE, STORM_CODE_WORD(value));
	run_ops(cpu, op - first);
}

static void legacy_copy(struct storm_cpu *cpu, u64 to, u64 from)
{
	struct ut_pg_op *first = ut_pg_ops(cpu->world->job, 0), *op = first;
	const u64 *word = legacy_phys(cpu, from);
	u32 i;

	for (i = 0; i < UT_PAGE_SIZE; i += 8)
		op = add(op, UT_PG_SET8, to + i, *word++);
	run_ops(cpu, op - first);
}

static void legacy_invlpg(struct storm_cpu *cpu, u64 gva)
{
	add(ut_pg_ops(cpu->world->job, 0), UT_PG_INVLPG, gva, 0);
	run_ops(cpu, 1);
}

static void legacy_write_cr(struct storm_cpu *cpu, int nr, u64 value)
{
	u32 code = nr == 0 ? UT_PG_CR0 : nr == 3 ? UT_PG_CR3 : UT_PG_CR4;

	add(ut_pg_ops(cpu->world->job, 0), code, 0, value);
	run_ops(cpu, 1);
}

static const struct storm_ops legacy_ops = {
	.phys = legacy_phys,
	.access = legacy_access,
	.store = legacy_store,
	.fill = legacy_fill,
	.copy = legacy_copy,
	.invlpg = legacy_invlpg,
	.write_cr = legacy_write_cr,
};

/* The storm cannot set CR4.PGE with PAE tables, see storm_flip_pge(). */
static void set_pge(struct ut_vcpu *vcpu, struct storm_world *world)
{
	struct kvm_sregs sregs;

	ut_get_sregs(vcpu, &sregs);
	sregs.cr4 |= CR4_PGE;
	ut_set_sregs(vcpu, &sregs);
	world->cr4 |= CR4_PGE;
}

/* Roots that have what the guest itself needs, and the storm's memory at its own address. */
void storm_legacy_setup(struct ut_pg *guest, struct storm_world *world)
{
	u64 gpa, size = 1ull << world->fmt->big_shift;
	u32 root, bytes = world->fmt == &storm_pae ? 8 : UT_PAGE_SIZE;

	world->ops = &legacy_ops;
	world->job = guest;
	if (world->fmt == &storm_pae)
		set_pge(guest->vm->vcpu[0], world);
	for (gpa = STORM_BASE; gpa < STORM_BASE + STORM_SIZE; gpa += size)
		ut_pg_map(guest, guest->root, gpa, gpa, 2, UT_PTE_W);
	/* Of PAE roots the first entry is enough: the storm has the others. */
	for (root = 0; root < STORM_ROOTS; root++)
		memcpy(ut_hva(guest->vm, storm_root_gpa(world, root)),
		       ut_hva(guest->vm, guest->root), bytes);
}

void storm_legacy_run(struct storm_world *world)
{
	struct storm_cpu *cpu = &world->cpu[0];

	storm_load_root(cpu, 0);
	storm_build(cpu);
	while (cpu->step < world->steps && !world->stop)
		storm_step(cpu);
}
