// SPDX-License-Identifier: GPL-2.0
/*
 * Page faults of guests in every paging mode, against a model written from the manuals: present,
 * writable, user, no-execute and reserved bits in the leaf and above it, page sizes, privilege
 * levels, kinds of access, CR0.WP, SMEP, SMAP with RFLAGS.AC, NXE, protection keys. In modes
 * without nested tables the point is that no fault of the hypervisor's own is ever seen, and no
 * right outlives a change of the tables: one VM runs all cases of a test, at few addresses.
 */
#include <stdio.h>
#include <time.h>
#include <kselftest_harness.h>
#include "page_fault_run.h"

#define SLOW		180	/* seconds: emulated hosts may have little of a processor */
/* Kinds of an entry: the eight combinations of rights, and four that end the walk. */
#define NR_KINDS	12
#define KIND_ALL	3	/* all rights */
#define KIND_ZERO	8
#define KIND_ABSENT	9	/* all bits but P */
#define KIND_RSVD	10	/* a reserved bit, all rights */
#define KIND_RSVD_NO	11	/* a reserved bit, no right */
#define MAX_CASES	(9 * NR_KINDS * NR_KINDS)
#define SCATTER		7919	/* prime: spreads an order */

FIXTURE(page_fault)
{
	struct pf_guest *pg;
	double start;
};

FIXTURE_VARIANT(page_fault)
{
	enum ut_paging mode;
};

FIXTURE_VARIANT_ADD(page_fault, two_level) { .mode = UT_PG_2LEVEL };
FIXTURE_VARIANT_ADD(page_fault, pse) { .mode = UT_PG_PSE };
FIXTURE_VARIANT_ADD(page_fault, pae) { .mode = UT_PG_PAE };
FIXTURE_VARIANT_ADD(page_fault, four_level) { .mode = UT_PG_4LEVEL };
FIXTURE_VARIANT_ADD(page_fault, five_level) { .mode = UT_PG_5LEVEL };

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

FIXTURE_SETUP(page_fault)
{
	if (!ut_pg_supported(variant->mode))
		SKIP(_exit(UT_SKIPPED), "no %s paging in this CPUID", ut_pg_name(variant->mode));
	self->pg = pf_guest_new(variant->mode);
	self->start = now();
}

FIXTURE_TEARDOWN(page_fault)
{
	if (self->pg->done)
		TH_LOG("%s: %lu accesses, %lu wrong, %.1f s", ut_pg_name(variant->mode),
		       self->pg->done, self->pg->wrong, now() - self->start);
	pf_guest_free(self->pg);
}

/* ---- entries ---- */

static bool has_nx(const struct pf_guest *pg)
{
	return pg->g->entry_size == 8;
}

/*
 * One reserved bit of the entry, a different one for each @nth; 0 if there is none. With NXE
 * clear, NX is reserved too: the kinds with NX are about that.
 */
static u64 reserved_bit(const struct pf_guest *pg, int level, bool leaf, u32 nth)
{
	struct pf_cpu cpu = pf_cpu_of(pg, PF_NXE, 0);
	u64 all = pf_reserved(&cpu, level, leaf), bit;

	if (!all)
		return 0;
	nth %= __builtin_popcountll(all);
	while (nth--)
		all &= all - 1;
	bit = all & -all;
	return bit;
}

/*
 * Bits that say nothing about rights, those that mean nothing in this mode among them. What is
 * accessed and dirty already may be in a TLB or a shadow with the rights of an earlier case.
 */
static u64 other_bits(const struct pf_guest *pg, int level, bool leaf, u32 nth)
{
	u64 bits = (u64)(nth & 7) << 9;

	if (nth & 8)
		bits |= UT_PTE_A;
	if (leaf && (nth & 0x18) == 0x18)
		bits |= UT_PTE_D;
	if (pg->g->mode >= UT_PG_4LEVEL)
		bits |= (u64)(nth & 0x7f) << 52;
	/* Without CR4.PSE a directory's entry has no page size. */
	if (pg->g->mode == UT_PG_2LEVEL && level == 2 && nth & 1)
		bits |= UT_PTE_PS;
	/* D of an entry that maps no page. */
	if (!leaf && nth & 2)
		bits |= UT_PTE_D;
	return bits;
}

static bool kind_exists(const struct pf_guest *pg, int level, bool leaf, int kind)
{
	if (kind < KIND_ZERO)
		return has_nx(pg) || !(kind & 4);
	if (kind == KIND_RSVD || kind == KIND_RSVD_NO)
		return reserved_bit(pg, level, leaf, 0);
	return true;
}

/* An entry of @kind; @nth varies all else. */
static u64 make_entry(const struct pf_guest *pg, const struct pf_case *c, int level, int kind,
		      u32 nth)
{
	const struct pf_place *place = c->place;
	bool leaf = level == place->leaf;
	u64 e = leaf ? place->frame[c->frame] : place->table[level];

	if (leaf && level > 1)
		e |= UT_PTE_PS;
	e |= other_bits(pg, level, leaf, nth);
	switch (kind) {
	case KIND_ZERO:
		return 0;
	case KIND_ABSENT:
		return pg->g->entry_size == 4 ? 0xfffffffe : ~1ull;
	case KIND_RSVD:
		return e | UT_PTE_P | UT_PTE_W | UT_PTE_U | reserved_bit(pg, level, leaf, nth);
	case KIND_RSVD_NO:
		return e | UT_PTE_P | reserved_bit(pg, level, leaf, nth);
	default:
		return e | UT_PTE_P | (kind & 1 ? UT_PTE_W : 0) | (kind & 2 ? UT_PTE_U : 0) |
		       (kind & 4 ? UT_PTE_NX : 0);
	}
}

/* ---- the cross product ---- */

struct combination {
	struct pf_place *place;
	int upper;		/* level of the other entry that varies, or 0 */
	int upper_kind, leaf_kind;
};

/* All kinds of leaf with all kinds of one entry above it, whichever level that has. */
static int combine(struct pf_guest *pg, struct combination *out)
{
	struct pf_place *place;
	int n = 0, upper, ku, kl;

	for (place = pg->place; place <= pg->place + PF_MAX_LEAF; place++) {
		if (!place->leaf)
			continue;
		/* Where the leaf is the highest there is one round, with no upper entry. */
		for (upper = place->leaf + 1; upper <= pg->top || upper == place->leaf + 1; upper++)
			for (ku = 0; ku < NR_KINDS; ku++)
				for (kl = 0; kl < NR_KINDS; kl++) {
					if (upper > pg->top ? ku :
					    !kind_exists(pg, upper, false, ku))
						continue;
					if (!kind_exists(pg, place->leaf, true, kl))
						continue;
					out[n++] = (struct combination) {
						place, upper > pg->top ? 0 : upper, ku, kl
					};
				}
	}
	return n;
}

static void add_combination(struct pf_guest *pg, const struct combination *co, u32 cpu, u32 nth)
{
	struct pf_case c = {
		.place = co->place,
		/* The same frame for some cases in turn: only rights tell them apart. */
		.frame = nth / 4 % 2,
		.cpu = cpu,
		.flush = nth % 3 ? PF_FLUSH_CR3 : PF_FLUSH_INVLPG,
		.first = nth % PF_ACCESSES,
		.step = nth / PF_ACCESSES % 4,
		.accesses = nth % 6 ? PF_ACCESSES : 2 * PF_ACCESSES,
	};
	int level, kind;

	for (level = c.place->leaf; level <= pg->top; level++) {
		kind = level == c.place->leaf ? co->leaf_kind :
		       level == co->upper ? co->upper_kind : KIND_ALL;
		c.entry[level] = make_entry(pg, &c, level, kind, nth / 2);
	}
	pf_add(pg, &c);
}

/* The reference without nested tables, which has limits of its own. */
static bool kvm_shadows(const struct pf_guest *pg)
{
	return !ut_on_umbra() && !pg->nested;
}

static bool cpu_possible(const struct pf_guest *pg, u32 cpu)
{
	/*
	 * KVM reads PDPTEs again when SMEP changes, and refuses the A bit that QEMU's processor
	 * (TCG) has set in them.
	 */
	if (!ut_on_umbra() && pg->emulated && pg->g->mode == UT_PG_PAE && cpu & PF_SMEP)
		return false;
	/*
	 * KVM without nested tables makes pages that CPL 0 writes with WP clear into pages of
	 * CPL 0, and SMAP then does not hold for them.
	 */
	if (kvm_shadows(pg) && (cpu & (PF_SMAP | PF_WP)) == PF_SMAP)
		return false;
	return !(cpu & ~pg->cpu);
}

TEST_F_TIMEOUT(page_fault, cross_product, SLOW)
{
	static struct combination all[MAX_CASES];
	struct pf_guest *pg = self->pg;
	int n = combine(pg, all), i;
	u32 cpu, nth = 0;

	ASSERT_NE(0, n % SCATTER);
	for (cpu = 0; cpu <= PF_ALL_BITS; cpu++) {
		if (!cpu_possible(pg, cpu))
			continue;
		for (i = 0; i < n; i++) {
			/* A fifth level is one more of the same: every other case will do. */
			if (variant->mode == UT_PG_5LEVEL && (i ^ __builtin_popcount(cpu)) & 1)
				continue;
			add_combination(pg, &all[(u64)i * SCATTER % n], cpu, nth++);
		}
	}
	pf_finish(pg);
	ASSERT_EQ(0, pg->wrong);
	/* A guest that ran nothing has no wrong accesses either. */
	ASSERT_LE(PF_ACCESSES * (u64)nth, pg->done);
}

/* ---- all levels at once, and the processor's state with every case ---- */

static u32 dice(u32 sides)
{
	static u64 state = 0x9e3779b97f4a7c15ull;

	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (state >> 33) % sides;
}

static int random_kind(const struct pf_guest *pg, int level, bool leaf)
{
	int kind = dice(3) ? KIND_ALL : (int)dice(NR_KINDS);

	return kind_exists(pg, level, leaf, kind) ? kind : KIND_ALL;
}

#define RANDOM_CASES	600

TEST_F_TIMEOUT(page_fault, random_entries, SLOW)
{
	struct pf_guest *pg = self->pg;
	int i, level, leaf;

	for (i = 0; i < RANDOM_CASES; i++) {
		struct pf_case c = {
			.frame = dice(2),
			.cpu = dice(PF_ALL_BITS + 1),
			.flush = dice(2) ? PF_FLUSH_CR3 : PF_FLUSH_INVLPG,
			.first = dice(PF_ACCESSES),
			.step = dice(4),
			.accesses = 1 + dice(2 * PF_ACCESSES),
		};

		do
			leaf = 1 + dice(PF_MAX_LEAF);
		while (!pg->place[leaf].leaf);
		c.place = &pg->place[leaf];
		if (!cpu_possible(pg, c.cpu))
			continue;
		for (level = leaf; level <= pg->top; level++)
			c.entry[level] = make_entry(pg, &c, level,
						    random_kind(pg, level, level == leaf),
						    dice(256));
		pf_add(pg, &c);
	}
	pf_finish(pg);
	ASSERT_EQ(0, pg->wrong);
	ASSERT_LT(0, pg->done);
}

/* ---- the processor's state changes, the tables stay ---- */

#define NR_RIGHTS	8	/* kinds without reserved bits, see KIND_ZERO */

/* A page of each size and kind of rights, A set above as others below have it set. */
static int make_pages(struct pf_guest *pg, struct pf_place *place, struct pf_case *c)
{
	int n = 0, leaf, kind, level;

	for (leaf = 1; leaf <= PF_MAX_LEAF; leaf++)
		for (kind = 0; pg->place[leaf].leaf && kind < NR_RIGHTS; kind++) {
			if (!kind_exists(pg, leaf, true, kind))
				continue;
			place[n] = pf_neighbour(pg, &pg->place[leaf],
						(u64)kind << ut_pg_shift(pg->g, leaf));
			c[n] = (struct pf_case) {
				.place = &place[n],
				.frame = kind % 2,
				.cpu = PF_WP | (has_nx(pg) ? PF_NXE : 0),
				.accesses = PF_ACCESSES,
			};
			for (level = leaf; level <= pg->top; level++)
				c[n].entry[level] = make_entry(pg, &c[n], level, level == leaf ?
							       kind : KIND_ALL, 0) |
						    (level > leaf ? UT_PTE_A : 0);
			n++;
		}
	return n;
}

/*
 * Rights that the tables give must count anew with every change of WP, SMEP and SMAP, and
 * nobody flushes. A change of NXE makes entries invalid: it is followed by a write of CR3.
 */
TEST_F_TIMEOUT(page_fault, control_registers, SLOW)
{
	struct pf_place place[PF_MAX_LEAF * NR_RIGHTS];
	struct pf_case c[PF_MAX_LEAF * NR_RIGHTS];
	struct pf_guest *pg = self->pg;
	int n = make_pages(pg, place, c), i, k;
	u32 cpu, old;

	for (i = 0; i < n; i++)
		pf_add(pg, &c[i]);
	/* First one bit at a time, then several. */
	for (k = 0; k < 4 * (int)(PF_ALL_BITS + 1); k++) {
		old = c[0].cpu;
		cpu = k <= (int)PF_ALL_BITS ? (u32)(k ^ k >> 1) : dice(PF_ALL_BITS + 1);
		/* KVM's shadow pages are the same for both states of NXE, so it misses changes. */
		if (!cpu_possible(pg, cpu) ||
		    (kvm_shadows(pg) && has_nx(pg) && !(cpu & PF_NXE)))
			continue;
		for (i = 0; i < n; i++) {
			c[i].cpu = cpu;
			c[i].keep = true;
			c[i].flush = !i && (cpu ^ old) & PF_NXE ? PF_FLUSH_CR3 : PF_FLUSH_NONE;
			c[i].first = (i + k) % PF_ACCESSES;
			c[i].step = k % 4;
			pf_add(pg, &c[i]);
		}
	}
	pf_finish(pg);
	ASSERT_EQ(0, pg->wrong);
	ASSERT_LT(0, pg->done);
}

/* ---- protection keys ---- */

#define KEY_SHIFT	59

TEST_F_TIMEOUT(page_fault, protection_keys, SLOW)
{
	struct pf_guest *pg = self->pg;
	u32 cpu, nth = 0, key, deny;
	int leaf, kind, level;

	if (variant->mode < UT_PG_4LEVEL)
		SKIP(return, "no protection keys with %s paging", ut_pg_name(variant->mode));
	if (!(pg->cpu & PF_PKE))
		SKIP(return, "no PKU in this CPUID");
	for (cpu = 0; cpu <= PF_ALL_BITS; cpu++) {
		if (!cpu_possible(pg, cpu) || !(cpu & PF_NXE))
			continue;
		for (leaf = 1; leaf <= PF_MAX_LEAF; leaf++)
			for (kind = 0; kind < NR_RIGHTS * 4; kind++, nth++) {
				struct pf_case c = {
					.place = &pg->place[leaf],
					.frame = nth % 2,
					.cpu = cpu | PF_PKE,
					.first = nth % PF_ACCESSES,
					.step = nth / PF_ACCESSES % 4,
					.accesses = PF_ACCESSES,
				};

				/* The key's two bits, and others' that must not matter. */
				key = nth * 5 % 16;
				deny = kind / NR_RIGHTS;
				c.pkru = deny << 2 * key | (nth & 1 ? ~(3u << 2 * key) : 0);
				for (level = leaf; level <= pg->top; level++)
					c.entry[level] = make_entry(pg, &c, level, level == leaf ?
								    kind % NR_RIGHTS : KIND_ALL, 0);
				c.entry[leaf] |= (u64)key << KEY_SHIFT;
				/* Keys above the leaf are ignored. */
				if (leaf < pg->top)
					c.entry[pg->top] |= (u64)(key ^ 15) << KEY_SHIFT;
				pf_add(pg, &c);
			}
	}
	pf_finish(pg);
	ASSERT_EQ(0, pg->wrong);
	ASSERT_LT(0, pg->done);
}

/* ---- accesses across two pages ---- */

/* One operation; its result. */
static struct ut_pg_op one(struct pf_guest *pg, struct ut_pg_op op)
{
	*ut_pg_ops(pg->g, 0) = op;
	ut_pg_run(pg->g, 0, 1);
	return *ut_pg_ops(pg->g, 0);
}

static void write_entry(struct pf_guest *pg, u64 gpa, u64 entry, u64 gva)
{
	if (pg->g->entry_size == 4)
		one(pg, UT_PG_OP(WRITE, .addr = gpa, .value = entry));
	else
		one(pg, UT_PG_OP(SET8, .addr = gpa, .value = entry));
	one(pg, UT_PG_OP(INVLPG, .addr = gva));
}

/* The first page allows all, the second what @entry says: CR2 is the second page's address. */
static bool cross(struct pf_guest *pg, struct pf_place *second, u64 entry,
		  const struct pf_access *a, u32 value)
{
	struct pf_cpu cpu = pf_cpu_of(pg, pg->now_cpu, 0);
	u64 entries[PF_MAX_LEVEL + 1], edge = second->gva;
	u16 *low = ut_hva(pg->g->vm, second->data[0]->gpa + UT_PAGE_SIZE - 2);
	u16 *high = ut_hva(pg->g->vm, second->data[1]->gpa), before_low, before_high;
	struct pf_answer want;
	struct ut_pg_op op;
	int level;

	for (level = second->leaf; level <= pg->top; level++)
		entries[level] = UT_PTE_P | UT_PTE_W | UT_PTE_U;
	entries[second->leaf] = entry;
	want = pf_model(&cpu, entries, second->leaf, a);
	/* "jmp *%rdi" where code is wanted. */
	*low = a->fetch ? 0xff00 : value;
	*high = a->fetch ? 0x00e7 : value >> 8;
	before_low = *low;
	before_high = *high;
	op = one(pg, (struct ut_pg_op) {
		.op = a->fetch ? UT_PG_FETCH : a->write ? UT_PG_WRITE : UT_PG_READ,
		.flags = a->user ? UT_PG_USER : 0,
		.addr = a->fetch ? edge - 1 : edge - 2,
		.value = ~value,
		.vector = UT_PG_NOT_RUN,
	});
	pg->done++;
	if (want.fault)
		return op.vector == UT_PF_VECTOR && op.error == want.error && op.cr2 == edge &&
		       *low == before_low && *high == before_high;
	if (op.vector != UT_PG_NO_FAULT)
		return false;
	if (a->write)
		return *low == (u16)~value && *high == (u16)(~value >> 16);
	return a->fetch || op.got == (before_low | (u32)before_high << 16);
}

TEST_F_TIMEOUT(page_fault, page_crossing, SLOW)
{
	static const struct pf_access all[] = {
		{ }, { .write = true }, { .fetch = true },
		{ .user = true }, { .user = true, .write = true }, { .user = true, .fetch = true },
	};
	struct pf_guest *pg = self->pg;
	struct pf_place *first = &pg->place[1];
	struct pf_place second = pf_neighbour(pg, first, UT_PAGE_SIZE);
	struct pf_case c = { .place = &second, .frame = 1 };
	int kind, i;
	u64 entry;

	write_entry(pg, first->at[1], first->frame[0] | UT_PTE_P | UT_PTE_W | UT_PTE_U,
		    first->gva);
	for (kind = 0; kind <= KIND_ABSENT; kind++) {
		if (!kind_exists(pg, 1, true, kind))
			continue;
		entry = make_entry(pg, &c, 1, kind, 0);
		for (i = 0; i < (int)ARRAY_SIZE(all); i++) {
			write_entry(pg, second.at[1], entry, second.gva);
			EXPECT_TRUE(cross(pg, &second, entry, &all[i], 0x12345678 + kind * 16 + i))
				TH_LOG("entry %#lx, access %d", entry, i);
		}
	}
}

/* ---- paging off and on again ---- */

#define CR0_PG		BIT_ULL(31)

TEST_F(page_fault, off_and_on)
{
	struct pf_guest *pg = self->pg;
	struct pf_place *place = &pg->place[1];
	u64 gva = place->gva, entry;
	struct ut_pg_op op;
	int i;

	if (variant->mode >= UT_PG_4LEVEL)
		SKIP(return, "64-bit code does not run without paging");
	if (variant->mode == UT_PG_PAE && !ut_on_umbra() && pg->emulated)
		SKIP(return, "KVM refuses the A bit that QEMU's processor (TCG) sets in PDPTEs");
	for (i = 0; i < 8; i++) {
		one(pg, UT_PG_OP(CR0, .value = pg->cr0 & ~CR0_PG));
		/* Without paging nothing is read-only, and tables may change unseen. */
		entry = place->frame[i & 1] | UT_PTE_P | (i & 2 ? UT_PTE_W : 0);
		one(pg, UT_PG_OP(WRITE, .addr = place->at[1], .value = entry));
		op = one(pg, UT_PG_OP(WRITE, .addr = place->frame[i & 1], .value = 0xabc0 + i));
		ASSERT_EQ(UT_PG_NO_FAULT, op.vector);
		op = one(pg, UT_PG_OP(READ, .addr = place->frame[i & 1], .flags = UT_PG_USER));
		ASSERT_EQ(UT_PG_NO_FAULT, op.vector);
		ASSERT_EQ(0xabc0 + i, op.got);
		op = one(pg, UT_PG_OP(CR0, .value = pg->cr0));
		ASSERT_EQ(UT_PG_NO_FAULT, op.vector);
		op = one(pg, UT_PG_OP(READ, .addr = gva));
		ASSERT_EQ(UT_PG_NO_FAULT, op.vector);
		ASSERT_EQ(0xabc0 + i, op.got);
		op = one(pg, UT_PG_OP(READ, .addr = gva, .flags = UT_PG_USER));
		ASSERT_EQ(UT_PF_VECTOR, op.vector);
		ASSERT_EQ(PF_P | PF_U, op.error);
		op = one(pg, UT_PG_OP(WRITE, .addr = gva, .value = 0));
		ASSERT_EQ(i & 2 ? UT_PG_NO_FAULT : UT_PF_VECTOR, op.vector);
		pg->done++;
	}
}

TEST_HARNESS_MAIN
