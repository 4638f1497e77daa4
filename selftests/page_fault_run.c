// SPDX-License-Identifier: GPL-2.0
/*
 * page_fault_run.h: cases become operations of paging.h; results are compared with the model.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "page_fault_run.h"

#define CR0_WP		BIT_ULL(16)
#define CR4_SMEP	BIT_ULL(20)
#define CR4_SMAP	BIT_ULL(21)
#define CR4_PKE		BIT_ULL(22)
#define MSR_EFER	0xc0000080
#define EFER_NX		BIT_ULL(11)

#define MAX_QUEUE	4096
/* Places of data and code in a page; odd enough to show that CR2 has all bits. */
#define DATA		0x9a4
#define CODE		0x58c
#define MAX_REPORTS	10
/* Entries of one case, a flush, and the processor's state. */
#define SETUP_OPS	(PF_MAX_LEVEL + 1 + 4)

static const struct pf_access accesses[PF_ACCESSES] = {
	{ .user = true },
	{ },
	{ .user = true, .fetch = true },
	{ .ac = true },
	{ .user = true, .write = true },
	{ .fetch = true },
	{ .write = true, .ac = true },
	{ .write = true },
};

struct pf_cpu pf_cpu_of(const struct pf_guest *pg, u32 cpu, u32 pkru)
{
	return (struct pf_cpu) {
		.mode = pg->g->mode,
		.wp = cpu & PF_WP,
		.smep = cpu & PF_SMEP,
		.smap = cpu & PF_SMAP,
		.nxe = cpu & PF_NXE,
		.pke = cpu & PF_PKE,
		.pkru = pkru,
		.phys_bits = pg->phys_bits,
	};
}

/* ---- cases to operations ---- */

static void put(struct pf_guest *pg, struct ut_pg_op op)
{
	ut_pg_ops(pg->g, 0)[pg->nr_ops++] = op;
}

static void put_cpu(struct pf_guest *pg, u32 cpu, u32 pkru)
{
	u64 cr0 = pg->cr0 & ~CR0_WP, efer = pg->efer & ~EFER_NX;
	u64 cr4 = pg->cr4 & ~(CR4_SMEP | CR4_SMAP | CR4_PKE);
	u32 changed = cpu ^ pg->now_cpu;

	cr4 |= (cpu & PF_SMEP ? CR4_SMEP : 0) | (cpu & PF_SMAP ? CR4_SMAP : 0) |
	       (cpu & PF_PKE ? CR4_PKE : 0);
	if (changed & PF_WP)
		put(pg, UT_PG_OP(CR0, .value = cr0 | (cpu & PF_WP ? CR0_WP : 0)));
	if (changed & (PF_SMEP | PF_SMAP | PF_PKE))
		put(pg, UT_PG_OP(CR4, .value = cr4));
	if (changed & PF_NXE)
		put(pg, UT_PG_OP(WRMSR, .addr = MSR_EFER,
				 .value = efer | (cpu & PF_NXE ? EFER_NX : 0)));
	if (cpu & PF_PKE && (changed & PF_PKE || pkru != pg->now_pkru))
		put(pg, UT_PG_OP(WRPKRU, .value = pkru));
	pg->now_cpu = cpu;
	pg->now_pkru = pkru;
}

static void put_entries(struct pf_guest *pg, const struct pf_case *c)
{
	const struct pf_place *place = c->place;
	int level;

	for (level = pg->top; level >= place->leaf && !c->keep; level--)
		if (pg->g->entry_size == 4)
			put(pg, UT_PG_OP(WRITE, .addr = place->at[level],
					 .value = c->entry[level]));
		else
			put(pg, UT_PG_OP(SET8, .addr = place->at[level],
					 .value = c->entry[level]));
	if (c->flush == PF_FLUSH_CR3)
		put(pg, UT_PG_OP(CR3, .value = pg->g->root));
	else if (c->flush == PF_FLUSH_INVLPG)
		put(pg, UT_PG_OP(INVLPG, .addr = place->gva));
}

static const struct pf_access *access_of(const struct pf_case *c, int i)
{
	return &accesses[(c->first + i * (2 * c->step + 1)) % PF_ACCESSES];
}

static u64 address(const struct pf_place *place, const struct pf_access *a)
{
	return place->gva + (a->fetch ? CODE : DATA);
}

static void put_access(struct pf_guest *pg, const struct pf_case *c, const struct pf_access *a)
{
	const struct pf_place *place = c->place;
	int level;

	put(pg, (struct ut_pg_op) {
		.op = a->fetch ? UT_PG_FETCH : a->write ? UT_PG_WRITE : UT_PG_READ,
		.flags = (a->user ? UT_PG_USER : 0) | (a->ac ? UT_PG_AC : 0),
		.addr = address(place, a),
		.value = a->write ? ++pg->value : 0,
		.vector = UT_PG_NOT_RUN,
	});
	for (level = pg->top; level >= place->leaf; level--)
		if (pg->g->entry_size == 4)
			put(pg, UT_PG_OP(READ, .addr = place->at[level]));
		else
			put(pg, UT_PG_OP(LOAD8, .addr = place->at[level]));
}

void pf_add(struct pf_guest *pg, const struct pf_case *c)
{
	u32 need = SETUP_OPS + c->accesses * (1 + PF_MAX_LEVEL);
	struct pf_case *queued;
	int i;

	if (pg->queued == MAX_QUEUE || pg->nr_ops + need > pg->g->max_ops)
		pf_finish(pg);
	queued = &pg->queue[pg->queued++];
	*queued = *c;
	put_cpu(pg, c->cpu, c->pkru);
	put_entries(pg, c);
	queued->op = pg->nr_ops;
	for (i = 0; i < c->accesses; i++)
		put_access(pg, c, access_of(c, i));
}

/* ---- results ---- */

static void report(const struct pf_guest *pg, const struct pf_case *c, int nth,
		   const struct ut_pg_op *op, const struct pf_answer *want, const char *what)
{
	char text[160];
	int level;

	if (pg->wrong > MAX_REPORTS)
		return;
	fprintf(stderr, "# %s, entries", ut_pg_name(pg->g->mode));
	for (level = pg->top; level >= c->place->leaf; level--)
		fprintf(stderr, " %#lx", c->entry[level]);
	fprintf(stderr, " by %s, %s %s %s %s", c->flush == PF_FLUSH_CR3 ? "CR3" :
		c->flush == PF_FLUSH_INVLPG ? "INVLPG" : "none", c->cpu & PF_WP ? "WP" : "wp",
		c->cpu & PF_SMEP ? "SMEP" : "smep", c->cpu & PF_SMAP ? "SMAP" : "smap",
		c->cpu & PF_NXE ? "NXE" : "nxe");
	if (c->cpu & PF_PKE)
		fprintf(stderr, " PKRU %#x", c->pkru);
	fprintf(stderr, "\n#   access %d of %d (from %d step %d): %s\n", nth + 1, c->accesses,
		c->first, c->step, ut_pg_describe(op, text, sizeof(text)));
	if (want->fault)
		fprintf(stderr, "#   expected: vector 14, error %#x", want->error);
	else
		fprintf(stderr, "#   expected: done");
	fprintf(stderr, "; wrong: %s\n", what);
}

/* Error code bits in which what runs here is known to depart from the manuals. */
static u32 unreliable_bits(const struct pf_guest *pg, const struct pf_case *c,
			   const struct pf_answer *want)
{
	/* QEMU's processor (TCG) leaves P out when a reserved bit is set. */
	if (pg->emulated && want->error & PF_RSVD)
		return PF_P;
	/* KVM's own walker sets I with NXE in formats that have no NX. */
	if (!ut_on_umbra() && !pg->nested && pg->g->entry_size == 4 && c->cpu & PF_NXE)
		return PF_I;
	return 0;
}

static bool same_outcome(const struct pf_guest *pg, const struct pf_case *c,
			 const struct ut_pg_op *op, const struct pf_answer *want)
{
	if (!want->fault)
		return op->vector == UT_PG_NO_FAULT;
	return op->vector == UT_PF_VECTOR && op->cr2 == op->addr &&
	       !((op->error ^ want->error) & ~unreliable_bits(pg, c, want));
}

/* The entries after the access, @loaded, against what they were before it. */
static const char *compare_bits(const struct pf_guest *pg, const struct pf_case *c,
				const struct ut_pg_op *loaded, const struct pf_answer *want)
{
	static char text[80];
	u64 *state = c->place->state;
	u32 maybe = want->maybe;
	const char *bad = NULL;
	int level;

	/* QEMU's processor (TCG) sets A of a 1 GiB page before it looks at the rights. */
	if (pg->emulated && want->fault && c->place->leaf == 3)
		maybe |= 1u << 3;
	for (level = pg->top; level >= c->place->leaf; level--, loaded++) {
		u64 expect = state[level];

		if (want->accessed & 1u << level)
			expect |= UT_PTE_A;
		if (want->dirty && level == c->place->leaf)
			expect |= UT_PTE_D;
		if (loaded->got != expect &&
		    !(maybe & 1u << level && loaded->got == (expect | UT_PTE_A))) {
			snprintf(text, sizeof(text), "entry of level %d: %#lx, expected %#lx",
				 level, loaded->got, expect);
			bad = text;
		}
		state[level] = loaded->got;
	}
	return bad;
}

static const char *check_access(struct pf_guest *pg, const struct pf_case *c,
				const struct ut_pg_op *op, const struct pf_answer *want)
{
	u32 *word = &c->place->data[c->frame]->word;

	if (!same_outcome(pg, c, op, want))
		return "fault, error code or CR2";
	if (!want->fault && op->op == UT_PG_WRITE)
		*word = op->value;
	if (!want->fault && op->op == UT_PG_READ && op->got != *word)
		return "data";
	return compare_bits(pg, c, op + 1, want);
}

/* Returns the number of the operation after its last. */
static u32 check_case(struct pf_guest *pg, const struct pf_case *c)
{
	const struct ut_pg_op *op = ut_pg_ops(pg->g, 0) + c->op;
	struct pf_cpu cpu = pf_cpu_of(pg, c->cpu, c->pkru);
	struct pf_answer want;
	const char *what;
	int i;

	if (!c->keep)
		memcpy(c->place->state, c->entry, sizeof(c->entry));
	for (i = 0; i < c->accesses; i++) {
		want = pf_model(&cpu, c->entry, c->place->leaf, access_of(c, i));
		what = check_access(pg, c, op, &want);
		pg->done++;
		if (what) {
			pg->wrong++;
			report(pg, c, i, op, &want, what);
		}
		op += 1 + pg->top - c->place->leaf + 1;
	}
	return op - ut_pg_ops(pg->g, 0);
}

/* Writes of entries, flushes, control registers before @end: none of them may fault. */
static void check_setup(struct pf_guest *pg, u32 from, u32 end)
{
	const struct ut_pg_op *op = ut_pg_ops(pg->g, 0) + from;
	char text[160];

	for (; from < end; from++, op++) {
		if (op->vector == UT_PG_NO_FAULT)
			continue;
		if (++pg->wrong <= MAX_REPORTS)
			fprintf(stderr, "# %s: wrong: %s\n", ut_pg_name(pg->g->mode),
				ut_pg_describe(op, text, sizeof(text)));
	}
}

/* Nothing that was refused may have reached memory. */
static void check_data(struct pf_guest *pg)
{
	const struct pf_data *data;
	u32 found;

	for (data = pg->data; data < pg->data + PF_NR_DATA; data++) {
		found = *(u32 *)ut_hva(pg->g->vm, data->gpa + DATA);
		if (found == data->word)
			continue;
		fprintf(stderr, "# %s: memory at %#lx is %#x, expected %#x\n",
			ut_pg_name(pg->g->mode), data->gpa + DATA, found, data->word);
		pg->wrong++;
	}
}

void pf_finish(struct pf_guest *pg)
{
	const struct pf_case *c;
	u32 next = 0;

	ut_pg_run(pg->g, 0, pg->nr_ops);
	for (c = pg->queue; c < pg->queue + pg->queued; c++) {
		check_setup(pg, next, c->op);
		next = check_case(pg, c);
	}
	check_data(pg);
	pg->queued = 0;
	pg->nr_ops = 0;
}

/* ---- guests ---- */

static void read_cpuid(struct pf_guest *pg)
{
	struct kvm_cpuid2 *cpuid = ut_supported_cpuid(pg->g->vm->dev_fd);
	struct kvm_cpuid_entry2 *e = ut_cpuid_entry(cpuid, 7, 0);

	pg->cpu = PF_WP | PF_NXE;
	if (e && e->ebx & 1u << 7)
		pg->cpu |= PF_SMEP;
	if (e && e->ebx & 1u << 20)
		pg->cpu |= PF_SMAP;
	if (e && e->ecx & 1u << 3)
		pg->cpu |= PF_PKE;
	e = ut_cpuid_entry(cpuid, 0x80000008, 0);
	pg->phys_bits = e ? e->eax & 0xff : 36;
	free(cpuid);
}

/*
 * Addresses whose indexes differ at all levels, some in the upper half. In large pages the page
 * that accesses go to is the one whose lower address bits are those of data_gpas[].
 */
static const u64 gvas[UT_PG_MODES][PF_MAX_LEAF + 1] = {
	[UT_PG_2LEVEL] = { 0, 0x9a345000 },
	[UT_PG_PSE] = { 0, 0x9a345000, 0xe0812000 },
	[UT_PG_PAE] = { 0, 0x9a345000, 0xe0a12000 },
	[UT_PG_4LEVEL] = { 0, 0x7654321ab000, 0xffffc0dec0c12000, 0xffff8a8140812000 },
	[UT_PG_5LEVEL] = { 0, 0x65432100abc000, 0xff12345678a12000, 0x12345640812000 },
};

/* The first is in the first frame of all sizes, the others in another of 2 MiB, 4 MiB, 1 GiB. */
static const u64 data_gpas[PF_NR_DATA] = { 0x812000, 0xa12000, 0xc12000, 0x40812000 };

static void make_data(struct pf_guest *pg)
{
	struct ut_pg *g = pg->g;
	struct pf_data *data;
	int i;

	ut_add_slot(g->vm, 1, data_gpas[3], UT_PAGE_SIZE, 0);
	for (i = 0; i < PF_NR_DATA; i++) {
		data = &pg->data[i];
		data->gpa = data_gpas[i];
		data->word = 0x11111111u * (i + 1);
		ut_pg_fill_code(g, data->gpa);
		*(u32 *)ut_hva(g->vm, data->gpa + DATA) = data->word;
	}
}

static struct pf_place make_place(struct pf_guest *pg, int leaf, u64 gva)
{
	int other = leaf == 3 ? 3 : leaf == 2 && pg->g->entry_size == 4 ? 2 : 1;
	u64 mask = ~(BIT_ULL(ut_pg_shift(pg->g, leaf)) - 1);
	struct pf_place place = { .leaf = leaf, .gva = gva };
	int level;

	for (level = leaf; level <= pg->top; level++) {
		place.at[level] = ut_pg_entry(pg->g, pg->g->root, gva, level);
		if (level > leaf)
			place.table[level] = ut_pg_get(pg->g, place.at[level]) & UT_PTE_ADDR;
	}
	place.data[0] = &pg->data[0];
	place.data[1] = &pg->data[other];
	place.frame[0] = place.data[0]->gpa & mask;
	place.frame[1] = place.data[1]->gpa & mask;
	return place;
}

struct pf_place pf_neighbour(struct pf_guest *pg, const struct pf_place *place, u64 offset)
{
	return make_place(pg, place->leaf, place->gva + offset);
}

struct pf_guest *pf_guest_new(enum ut_paging mode)
{
	struct pf_guest *pg = calloc(1, sizeof(*pg));
	struct kvm_sregs sregs;
	int leaf;

	if (pg)
		pg->queue = calloc(MAX_QUEUE, sizeof(*pg->queue));
	if (!pg || !pg->queue)
		ut_die("out of memory");
	pg->g = ut_pg_new(mode, 1);
	pg->top = mode == UT_PG_PAE ? 2 : pg->g->levels;
	pg->nested = !ut_shadowed();
	pg->emulated = pg->nested && ut_emulated_by("qemu");
	read_cpuid(pg);
	make_data(pg);
	for (leaf = 1; leaf <= PF_MAX_LEAF; leaf++)
		if (gvas[mode][leaf])
			pg->place[leaf] = make_place(pg, leaf, gvas[mode][leaf]);
	ut_get_sregs(pg->g->vm->vcpu[0], &sregs);
	pg->cr0 = sregs.cr0;
	pg->cr4 = sregs.cr4;
	pg->efer = sregs.efer;
	pg->now_cpu = PF_WP | (pg->g->entry_size == 8 ? PF_NXE : 0);
	return pg;
}

void pf_guest_free(struct pf_guest *pg)
{
	ut_pg_free(pg->g);
	free(pg->queue);
	free(pg);
}
