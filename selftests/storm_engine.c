// SPDX-License-Identifier: GPL-2.0
/*
 * What a vCPU of the storm does step by step: mostly accesses, each checked against the
 * storm's own walk, between changes and flushes. Decisions depend on the seed and on what
 * is determined only, never on accessed or dirty bits. Guest code and test code.
 */
#include <string.h>
#include "storm.h"

#define BURST		16	/* stores, or loads of roots */
#define RETRIES		4	/* a fault by a stale right, and as many again for luck */

/* Where accesses go, away from STORM_CODE. */
static const u16 offsets[] = { 0, 8, 0x3f8, 0x7f0, 0xc00, 0xff0, 0xff8 };

static bool is_table_page(const struct storm_cpu *cpu, u64 gpa)
{
	u32 k;

	if (storm_own_frame(cpu, gpa, &k))
		return cpu->role[k] == STORM_TABLE;
	return gpa < STORM_FRAME(STORM_CDATA);
}

static bool readable(const struct storm_cpu *cpu, u64 gpa)
{
	u32 owner = storm_owner(cpu->world, gpa);

	return owner == cpu->id || owner == STORM_COMMON;
}

static bool writable(const struct storm_cpu *cpu, u64 gpa)
{
	u32 owner = storm_owner(cpu->world, gpa);

	if (is_table_page(cpu, gpa))
		return false;
	return owner == cpu->id || (owner == STORM_COMMON && cpu->leader);
}

/* The byte at @gpa, without accessed and dirty bits of a table's entry. */
static u64 peek_byte(struct storm_cpu *cpu, u64 gpa)
{
	u8 v = ut_read_once(*(const u8 *)cpu->world->ops->phys(cpu, gpa));

	if (is_table_page(cpu, gpa) && gpa % cpu->world->fmt->entry == 0)
		v &= ~PTE_AD;
	return v;
}

/**
 * struct place - an access on its way through one page or two
 * @n: index of the first page
 * @pages: 1 or 2
 * @path: their walks
 * @fault: storm_fault() of the page that faults first, or 0
 * @fault_gva: the address of that fault
 * @flag: doubts about either page
 */
struct place {
	u32 n;
	u32 pages;
	struct storm_path path[2];
	u64 fault;
	u64 fault_gva;
	u8 flag;
};

static u64 byte_gpa(const struct place *p, u64 gva, u32 i)
{
	u32 page = ((gva & (UT_PAGE_SIZE - 1)) + i) >> 12;

	return (p->path[page].gpa & ~(UT_PAGE_SIZE - 1)) | ((gva + i) & (UT_PAGE_SIZE - 1));
}

/* What memory has, and the same without the bits that may differ. */
static u64 peek(struct storm_cpu *cpu, const struct place *p, u64 gva)
{
	u64 v = 0;
	u32 i;

	for (i = 0; i < cpu->world->fmt->width; i++)
		v |= peek_byte(cpu, byte_gpa(p, gva, i)) << 8 * i;
	return v;
}

static u64 determined_bits(struct storm_cpu *cpu, const struct place *p, u64 gva)
{
	u64 gpa, mask = 0;
	u32 i;

	for (i = 0; i < cpu->world->fmt->width; i++) {
		gpa = byte_gpa(p, gva, i);
		if (is_table_page(cpu, gpa) && gpa % cpu->world->fmt->entry == 0)
			mask |= PTE_AD << 8 * i;
	}
	return ~mask;
}

/* Walk the pages of @access. False when its outcome is none of the storm's business. */
static bool walk(struct storm_cpu *cpu, struct storm_access *access, struct place *p)
{
	u64 fault;
	u32 i;

	p->fault = 0;
	p->flag = 0;
	for (i = 0; i < p->pages; i++) {
		u32 n = i ? (u32)cpu->next[p->n] : p->n;

		storm_walk(cpu, cpu->root, cpu->gva[n], &p->path[i]);
		p->flag |= cpu->flag[n];
		if (p->path[i].odd)
			return false;
		fault = storm_fault(cpu, &p->path[i], access);
		/* Which of two faults comes first is the processor's choice. */
		if (fault && p->fault)
			return false;
		if (fault) {
			p->fault = fault;
			p->fault_gva = i ? cpu->gva[n] : access->gva;
		}
	}
	return true;
}

/* May @access write what it reaches before the fault that it is to have, if any? */
static bool may_write(const struct storm_cpu *cpu, const struct storm_access *access,
		      const struct place *p)
{
	u32 i, last = p->pages - 1;

	for (i = 0; i <= last; i++)
		if (p->path[i].present && !storm_fault(cpu, &p->path[i], access) &&
		    !writable(cpu, byte_gpa(p, access->gva, i ? cpu->world->fmt->width - 1 : 0)))
			return false;
	return true;
}

/* Make @access one that the memory behind it allows. False when there is none. */
static bool suit(struct storm_cpu *cpu, struct storm_access *access, const struct place *p)
{
	u64 first_gpa, last_gpa;

	if (access->kind != STORM_EXEC && access->kind != STORM_READ && !may_write(cpu, access, p))
		access->kind = STORM_READ;
	if (p->fault)
		return true;
	first_gpa = byte_gpa(p, access->gva, 0);
	last_gpa = byte_gpa(p, access->gva, cpu->world->fmt->width - 1);
	if (access->kind == STORM_EXEC) {
		if (is_table_page(cpu, first_gpa) || !readable(cpu, first_gpa))
			return false;
		return peek_byte(cpu, first_gpa) == 0xb8 &&
		       peek_byte(cpu, first_gpa + 5) == 0xff;
	}
	return readable(cpu, first_gpa) && readable(cpu, last_gpa);
}

/* A page, of those whose tables changed last or of all; more often than not a present one. */
static u32 pick_page(struct storm_cpu *cpu)
{
	struct storm_path path;
	u32 n, tries = storm_below(cpu, 8);

	for (;;) {
		n = storm_below(cpu, cpu->nr_gvas);
		if (storm_chance(cpu, 50))
			n = cpu->recent[storm_below(cpu, ARRAY_SIZE(cpu->recent))];
		if (!tries--)
			return n;
		storm_walk(cpu, cpu->root, cpu->gva[n], &path);
		if (path.present && !path.odd)
			return n;
	}
}

/* Any access to page @n. */
static void make_access(struct storm_cpu *cpu, u32 n, struct storm_access *access,
			struct place *p)
{
	static const u8 kinds[] = {
		STORM_READ, STORM_READ, STORM_READ, STORM_WRITE, STORM_WRITE, STORM_SWAP,
		STORM_EXEC,
	};
	u64 offset = offsets[storm_below(cpu, ARRAY_SIZE(offsets))];
	u32 width = cpu->world->fmt->width;

	p->n = n;
	p->pages = 1;
	access->kind = kinds[storm_below(cpu, ARRAY_SIZE(kinds))];
	access->user = storm_chance(cpu, 40);
	access->value = storm_random(cpu);
	if (width == 4)
		access->value = (u32)access->value;
	if (access->kind == STORM_EXEC) {
		offset = STORM_CODE;
	} else if (access->kind != STORM_SWAP && cpu->next[p->n] >= 0 && storm_chance(cpu, 20)) {
		offset = UT_PAGE_SIZE - width / 2;
		p->pages = 2;
	}
	access->gva = cpu->gva[p->n] | offset;
}

/* Accessed bits of all entries, the dirty bit of the last: right after an access. */
static void check_ad(struct storm_cpu *cpu, const struct storm_access *access,
		     const struct storm_path *path)
{
	bool write = access->kind == STORM_WRITE || access->kind == STORM_SWAP;
	u64 e = 0, was = path->value[path->n - 1];
	u32 i;

	for (i = 0; i < path->n; i++) {
		e = storm_entry(cpu, path->at[i]);
		if (cpu->world->fmt == &storm_pae && i == 0)
			continue;
		if (!(e & PTE_A))
			storm_wrong(cpu, "an entry was used without an accessed bit");
	}
	if (write && !(e & PTE_D))
		storm_wrong(cpu, "a page was written without a dirty bit");
	if (!write && ((e ^ was) & PTE_D) && storm_owner(cpu->world, path->at[path->n - 1]) ==
	    cpu->id)
		storm_wrong(cpu, "a dirty bit came or went by a read");
}

static void check_value(struct storm_cpu *cpu, struct storm_access *access, const struct place *p,
			u64 sent, struct storm_rec *rec)
{
	const u32 *frame;
	u64 now;

	if (access->kind == STORM_EXEC) {
		frame = cpu->world->ops->phys(cpu, byte_gpa(p, access->gva, 1));
		rec->expect = ut_read_once(*frame);
		if (access->value != rec->expect)
			storm_wrong(cpu, "executed in the wrong page");
		return;
	}
	now = peek(cpu, p, access->gva);
	if (access->kind != STORM_WRITE) {
		access->value &= determined_bits(cpu, p, access->gva);
		if (access->value != rec->expect)
			storm_wrong(cpu, "read what is not there");
	}
	if (access->kind == STORM_WRITE)
		rec->expect = sent;
	if (access->kind != STORM_READ && now != sent)
		storm_wrong(cpu, "a write did not arrive");
}

static void check(struct storm_cpu *cpu, struct storm_access *access, const struct place *p,
		  u64 sent, struct storm_rec *rec)
{
	u64 blur = 0;
	u32 i;

	/* A processor that is emulated by one thread reads before it writes. */
	if (access->kind == STORM_SWAP)
		blur = PF_W;
	/* QEMU 7.2 reports reserved bits without the present bit. */
	if (p->fault & PF_RSVD)
		blur |= PF_P;
	rec->fault = access->vector << 32 | (access->error & ~blur);
	rec->cr2 = access->cr2;
	if (p->fault || access->vector) {
		cpu->count[STORM_N_FAULT]++;
		access->value = 0;
		rec->expect = p->fault & ~blur;
		if (rec->fault != rec->expect)
			storm_wrong(cpu, p->fault ? "not the fault it must be" :
				    "a fault without a reason");
		else if (access->cr2 != p->fault_gva)
			storm_wrong(cpu, "not the address of the fault");
		return;
	}
	cpu->count[STORM_N_OK]++;
	check_value(cpu, access, p, sent, rec);
	if (p->flag & STORM_STALE)
		return;
	for (i = 0; i < p->pages; i++)
		check_ad(cpu, access, &p->path[i]);
}

/* Execute @access; rights that grew may need the fault that drops the stale ones. */
static void execute(struct storm_cpu *cpu, struct storm_access *access, const struct place *p)
{
	struct storm_access first = *access;
	int i;

	for (i = 0; i < RETRIES; i++) {
		*access = first;
		cpu->world->ops->access(cpu, access);
		if (!access->vector || p->fault || !(p->flag & STORM_LOOSE))
			break;
	}
}

/* Does page @n need a flush before @access, or would one do no harm? */
static bool wants_flush(struct storm_cpu *cpu, u32 n, const struct storm_access *access)
{
	if (cpu->flag[n] & STORM_HARD)
		return true;
	/* Here the right of users takes another away. */
	if ((cpu->flag[n] & STORM_LOOSE) && !access->user && (cpu->smep || cpu->smap))
		return true;
	return (cpu->flag[n] & STORM_STALE) && storm_chance(cpu, 50);
}

static bool find_place(struct storm_cpu *cpu, u32 n, struct storm_access *access,
		       struct place *p)
{
	make_access(cpu, n, access, p);
	if (wants_flush(cpu, p->n, access))
		storm_flush_somehow(cpu, p->n);
	if (p->pages == 2 && wants_flush(cpu, cpu->next[p->n], access)) {
		storm_flush_somehow(cpu, cpu->next[p->n]);
		/* It may have been by a root that puts the first in doubt. */
		if (cpu->flag[p->n] & STORM_HARD)
			storm_flush_page(cpu, p->n);
	}
	/* Twice: what was to be a write that faults may have become a read that does not. */
	return walk(cpu, access, p) && suit(cpu, access, p) && walk(cpu, access, p) &&
	       suit(cpu, access, p);
}

static void do_access(struct storm_cpu *cpu, u32 n)
{
	struct storm_access access = {};
	struct storm_rec rec = { .op = STORM_OP_ACCESS };
	struct place p;
	u64 sent;

	if (!find_place(cpu, n, &access, &p)) {
		cpu->count[STORM_N_SKIP]++;
		return;
	}
	if (p.flag & STORM_LOOSE)
		cpu->count[STORM_N_LOOSE]++;
	sent = access.value;
	if (!p.fault && access.kind != STORM_EXEC)
		rec.expect = peek(cpu, &p, access.gva);
	execute(cpu, &access, &p);
	check(cpu, &access, &p, sent, &rec);
	if (cpu->wrong)
		memcpy(cpu->path, p.path, p.pages * sizeof(p.path[0]));
	rec.detail = access.kind | access.user << 8;
	rec.gva = access.gva;
	rec.value = access.value;
	storm_record(cpu, &rec);
}

/* Something to begin with. */
void storm_build(struct storm_cpu *cpu)
{
	u32 i;

	for (i = 0; i < 2 * cpu->nr_gvas; i++)
		storm_edit(cpu);
}

void storm_step(struct storm_cpu *cpu)
{
	u32 what = storm_below(cpu, 100);

	cpu->step++;
	if (what < 52)
		do_access(cpu, pick_page(cpu));
	else if (what < 88)
		storm_edit(cpu);
	else if (what < 92)
		storm_flush_somehow(cpu, pick_page(cpu));
	else if (what < 95)
		storm_change_role(cpu);
	else if (what < 97)
		storm_fork(cpu);
	else
		storm_flip_rights(cpu);
}

/* A table of level 1 that translates some page, and that @cpu alone writes; 0: none found. */
static u64 lowest_table(struct storm_cpu *cpu)
{
	struct storm_path path;
	u32 i, k, n = storm_below(cpu, cpu->nr_gvas);

	for (i = 0; i < cpu->nr_gvas; i++, n = (n + 1) % cpu->nr_gvas) {
		storm_walk(cpu, cpu->root, cpu->gva[n], &path);
		if (path.level == 1 && !path.odd && storm_own_frame(cpu, path.at[path.n - 1], &k))
			return path.at[path.n - 1] & ~(UT_PAGE_SIZE - 1);
	}
	return 0;
}

static void touch_below(struct storm_cpu *cpu, u64 table)
{
	struct storm_path path;
	u32 n;

	for (n = 0; n < cpu->nr_gvas; n++) {
		storm_walk(cpu, cpu->root, cpu->gva[n], &path);
		if (path.level == 1 && (path.at[path.n - 1] & ~(UT_PAGE_SIZE - 1)) == table)
			do_access(cpu, n);
	}
}

/* Store without keeping book of each entry, which would take long: all pages are in doubt. */
static void store_burst(struct storm_cpu *cpu, u64 table)
{
	const struct storm_fmt *fmt = cpu->world->fmt;
	struct storm_rec rec = { .op = STORM_OP_STORE };
	u64 at, page;
	u32 i;

	storm_doubt_table(cpu, table);
	for (i = 0; i < BURST; i++) {
		at = table + fmt->idx[1][storm_below(cpu, fmt->nidx[1])] * fmt->entry;
		page = storm_own_gpa(cpu, storm_below(cpu, STORM_OWN));
		rec.gva = at;
		rec.value = page | PTE_P | PTE_W | PTE_U;
		cpu->world->ops->store(cpu, at, 0, rec.value | PTE_A, STORM_MOV);
		storm_record(cpu, &rec);
		/* Let the others go on, even where one thread emulates all processors. */
		guest_pause();
	}
}

/*
 * Some vCPUs write a table of their own without anything that could leave the guest, while
 * the others load roots that lead there too. A hypervisor that lets a table go out of step
 * brings it in step again at those loads, and must not miss the writer's next store: it
 * flushes by CR3 alone, and touches.
 */
void storm_burst(struct storm_cpu *cpu, bool writer)
{
	u64 table = writer ? lowest_table(cpu) : 0;
	u32 i;

	if (table)
		store_burst(cpu, table);
	for (i = 0; !table && i < BURST; i++)
		storm_load_root(cpu, storm_below(cpu, STORM_ROOTS));
	storm_load_root(cpu, cpu->root);
	touch_below(cpu, table);
}

/* Change what is everybody's, while nobody else does anything. */
void storm_lead(struct storm_cpu *cpu, u32 changes)
{
	struct storm_rec rec = { .op = STORM_OP_PHASE, .value = changes };
	u64 gpa;

	storm_record(cpu, &rec);
	cpu->leader = 1;
	for (; changes && !ut_read_once(cpu->world->stop); changes--) {
		cpu->step++;
		storm_edit(cpu);
		if (storm_chance(cpu, 40))
			do_access(cpu, pick_page(cpu));
	}
	gpa = STORM_FRAME(STORM_CDATA + storm_below(cpu, STORM_OWN_FIRST - STORM_CDATA));
	storm_fill_data(cpu, gpa, storm_random(cpu) | 1);
	cpu->leader = 0;
}
