// SPDX-License-Identifier: GPL-2.0
/*
 * The storm's own idea of a guest page walk: which entries translate an address, whose they
 * are, and what fault an access must have. Guest code and test code; reads memory only.
 */
#include "storm.h"

/* Neighbours, so that accesses cross from page to page and from table to table. */
#define LEVEL1_512	{ 0, 1, 16, 17, 18, 19, 510, 511 }

const struct storm_fmt storm_long = {
	.name = "4-level", .levels = 4, .bits = 9, .entry = 8, .width = 8, .big_shift = 21,
	.nx = true,
	.idx = { [1] = LEVEL1_512, [2] = { 0, 1, 511 }, [3] = { 0, 511 },
		 [4] = { STORM_TOP_LOW, STORM_TOP_HIGH } },
	.nidx = { 0, 8, 3, 2, 2 },
};

const struct storm_fmt storm_pae = {
	.name = "PAE", .levels = 3, .bits = 9, .entry = 8, .width = 4, .big_shift = 21,
	.nx = true,
	.idx = { [1] = LEVEL1_512, [2] = { 0, 1, 511 }, [3] = { 1, 3 } },
	.nidx = { 0, 8, 3, 2, 0 },
};

const struct storm_fmt storm_32 = {
	.name = "2-level", .levels = 2, .bits = 10, .entry = 4, .width = 4, .big_shift = 22,
	.nx = false,
	.idx = { [1] = { 0, 1, 16, 17, 511, 512, 1022, 1023 },
		 [2] = { 256, 257, 511, 512, 1022, 1023 } },
	.nidx = { 0, 8, 6, 0, 0 },
};

/* PAE roots have 32 bytes: all of them are in one page. */
u64 storm_root_gpa(const struct storm_world *world, u32 root)
{
	return world->fmt == &storm_pae ? STORM_BASE + root * 32 : STORM_FRAME(root);
}

u64 storm_entry(struct storm_cpu *cpu, u64 gpa)
{
	const void *p = cpu->world->ops->phys(cpu, gpa);

	if (cpu->world->fmt->entry == 4)
		return ut_read_once(*(const u32 *)p);
	return ut_read_once(*(const u64 *)p);
}

u32 storm_index(const struct storm_fmt *fmt, u64 gva, int level)
{
	return gva >> (12 + fmt->bits * (level - 1)) & ((1u << fmt->bits) - 1);
}

static u32 root_owner(const struct storm_world *world, u64 gpa)
{
	const struct storm_fmt *fmt = world->fmt;
	u32 i, entry = (gpa & (UT_PAGE_SIZE - 1)) / fmt->entry;

	if (fmt == &storm_pae)
		entry &= 3;
	if (fmt == &storm_long) {
		if (entry == STORM_TOP_COMMON)
			return STORM_COMMON;
		if (entry >= STORM_TOP_LOW && entry < STORM_TOP_LOW + world->nr_cpus)
			return entry - STORM_TOP_LOW;
		if (entry >= STORM_TOP_HIGH && entry < STORM_TOP_HIGH + world->nr_cpus)
			return entry - STORM_TOP_HIGH;
		return STORM_NOBODY;
	}
	for (i = 0; i < fmt->nidx[fmt->levels]; i++)
		if (fmt->idx[fmt->levels][i] == entry)
			return 0;
	return STORM_NOBODY;
}

/* Whose the entry or the data at @gpa is. */
u32 storm_owner(const struct storm_world *world, u64 gpa)
{
	u32 region, frame, entry = (gpa & (UT_PAGE_SIZE - 1)) / 8;

	if (gpa < STORM_BASE || gpa >= STORM_BASE + STORM_SIZE)
		return STORM_NOBODY;
	region = (gpa - STORM_BASE) / STORM_STRIDE;
	if (region)
		return region == 1 ? STORM_COMMON : (region - 2) / 2;
	frame = (gpa - STORM_BASE) / UT_PAGE_SIZE;
	switch (frame) {
	case 0 ... STORM_ROOTS - 1:
		return root_owner(world, gpa);
	case STORM_C2:
		if (entry >= STORM_C2_OWN && entry < STORM_C2_OWN + world->nr_cpus)
			return entry - STORM_C2_OWN;
		return STORM_COMMON;
	case STORM_C1A:
	case STORM_C1B:
		return entry % world->nr_cpus;
	case STORM_C3:
	case STORM_CF ... STORM_OWN_FIRST - 1:
		return STORM_COMMON;
	}
	if (frame >= STORM_OWN_FIRST + STORM_OWN * world->nr_cpus)
		return STORM_NOBODY;
	return (frame - STORM_OWN_FIRST) % world->nr_cpus;
}

/* Is @gpa in a page frame of @cpu's own? Its number goes to @k. */
bool storm_own_frame(const struct storm_cpu *cpu, u64 gpa, u32 *k)
{
	u32 frame;

	if (gpa < STORM_FRAME(STORM_OWN_FIRST) || gpa >= STORM_BASE + STORM_POOL_SIZE ||
	    storm_owner(cpu->world, gpa) != cpu->id)
		return false;
	frame = (gpa - STORM_BASE) / UT_PAGE_SIZE - STORM_OWN_FIRST;
	*k = frame / cpu->world->nr_cpus;
	return true;
}

u64 storm_own_gpa(const struct storm_cpu *cpu, u32 k)
{
	return STORM_FRAME(STORM_OWN_FIRST + k * cpu->world->nr_cpus + cpu->id);
}

/* May @cpu's walks use the page at @table? */
static bool is_table(const struct storm_cpu *cpu, u64 table)
{
	u32 k;

	if (storm_own_frame(cpu, table, &k))
		return cpu->role[k] == STORM_TABLE;
	return table >= STORM_FRAME(STORM_C3) && table <= STORM_FRAME(STORM_CF);
}

static bool has_reserved(const struct storm_fmt *fmt, int level, u64 entry)
{
	u64 big = (1ull << fmt->big_shift) - 1;

	if (fmt->entry == 4)
		return false;
	if (entry & PTE_RSVD)
		return true;
	if (!(entry & PTE_PS))
		return false;
	return level == 4 || (level == 2 && (entry & big & PTE_ADDR_MASK & ~BIT_ULL(12)));
}

/* The walk of @gva from @root, as the tables are now. */
void storm_walk(struct storm_cpu *cpu, u32 root, u64 gva, struct storm_path *path)
{
	const struct storm_fmt *fmt = cpu->world->fmt;
	u64 at, e, size, table = storm_root_gpa(cpu->world, root);
	int level;
	u32 owner;

	*path = (struct storm_path){ .w = true, .u = true };
	for (level = fmt->levels; ; level--) {
		at = table + storm_index(fmt, gva, level) * fmt->entry;
		owner = storm_owner(cpu->world, at);
		path->at[path->n++] = at;
		path->level = level;
		/* Another vCPU may change it right now: not even the walk may depend on it. */
		if (owner != cpu->id && owner != STORM_COMMON) {
			path->odd = true;
			return;
		}
		e = storm_entry(cpu, at);
		path->value[path->n - 1] = e;
		if (!(e & PTE_P))
			return;
		if (has_reserved(fmt, level, e)) {
			path->rsvd = true;
			return;
		}
		if (fmt != &storm_pae || level < 3) {
			path->w &= !!(e & PTE_W);
			path->u &= !!(e & PTE_U);
			path->nx |= fmt->nx && (e & PTE_NX);
		}
		if (level == 1 || (level == 2 && (e & PTE_PS)))
			break;
		table = e & PTE_ADDR_MASK;
		/* AMD reserves the global bit there, QEMU does not. */
		if ((level == 3 && (e & PTE_PS)) || (level > 2 && (e & PTE_G)) ||
		    !is_table(cpu, table)) {
			path->odd = true;
			return;
		}
	}
	size = level == 1 ? UT_PAGE_SIZE : 1ull << fmt->big_shift;
	path->present = true;
	path->gpa = (e & PTE_ADDR_MASK & ~(size - 1)) | (gva & (size - 1));
}

bool storm_uses(const struct storm_path *path, u64 at)
{
	u32 i;

	for (i = 0; i < path->n; i++)
		if (path->at[i] == at)
			return true;
	return false;
}

static bool allowed(const struct storm_cpu *cpu, const struct storm_path *path,
		    const struct storm_access *access)
{
	bool exec = access->kind == STORM_EXEC;
	bool write = access->kind == STORM_WRITE || access->kind == STORM_SWAP;

	if (exec && path->nx)
		return false;
	if (access->user)
		return path->u && (!write || path->w);
	if (path->u && (exec ? cpu->smep : cpu->smap))
		return false;
	return !write || path->w || !cpu->wp;
}

/* STORM_FAULT | error code of the page fault that @access must have, or 0: none. */
u64 storm_fault(const struct storm_cpu *cpu, const struct storm_path *path,
		const struct storm_access *access)
{
	u64 error = STORM_FAULT;

	if (access->kind == STORM_WRITE || access->kind == STORM_SWAP)
		error |= PF_W;
	if (access->kind == STORM_EXEC && (cpu->world->fmt->nx || cpu->smep))
		error |= PF_I;
	if (access->user)
		error |= PF_U;
	if (path->rsvd)
		return error | PF_P | PF_RSVD;
	if (!path->present)
		return error;
	return allowed(cpu, path, access) ? 0 : error | PF_P;
}
