// SPDX-License-Identifier: GPL-2.0
/*
 * Walks of guest tables against rules written from the manuals: rights and
 * error codes in their full cross product, reserved bits by mode, level and
 * size, accessed and dirty bits, protection keys, PDPTEs, odd tables.
 */
#include "mmu_lib.h"

#define P	BIT_ULL(0)
#define W	BIT_ULL(1)
#define U	BIT_ULL(2)
#define A	BIT_ULL(5)
#define D	BIT_ULL(6)
#define PS	BIT_ULL(7)
#define NX	BIT_ULL(63)

#define ERR_P		0x01
#define ERR_W		0x02
#define ERR_U		0x04
#define ERR_RSVD	0x08
#define ERR_I		0x10
#define ERR_PK		0x20

#define MEM_PAGES	16
#define GVA		0x40a03123UL		/* nonzero index on every level but the top */
#define LEAF_GPA	0x80000000ULL		/* aligned to any size */

/* Guest memory: page n is the table of level n. */
static u64 mem[MEM_PAGES][512] __attribute__((aligned(4096)));
static struct umbra_vcpu *vcpu = unit.vcpu;

static const struct {
	int levels;
	bool wide;
} modes[] = { { 2, false }, { 3, true }, { 4, true }, { 5, true } };

static int cur;		/* index of the mode in use */

static int setup(void **state)
{
	memset(mem, 0, sizeof(mem));
	if (unit_setup(state))
		return -1;
	unit_slot(0, 0, MEM_PAGES, (hva_t)mem, 0);
	unit.gbpages = true;
	return 0;
}

static void set_mode(int mode)
{
	int levels = modes[mode].levels;

	cur = mode;
	vcpu->cr0 = X86_CR0_PG | X86_CR0_PE | X86_CR0_WP;
	vcpu->cr4 = levels == 2 ? X86_CR4_PSE : X86_CR4_PAE;
	vcpu->efer = levels >= 4 ? EFER_LMA | EFER_LME | EFER_NX : 0;
	if (levels == 3)
		vcpu->efer = EFER_NX;
	if (levels == 5)
		vcpu->cr4 |= X86_CR4_LA57;
	vcpu->cr3 = (u64)levels << 12;
	vcpu->rflags = 0;
}

/* Shift of the index on @level, and the entry there. */
static int shift(int level)
{
	return 12 + (level - 1) * (modes[cur].wide ? 9 : 10);
}

static unsigned int slot_of(int level)
{
	return (GVA >> shift(level)) & (modes[cur].wide ? 511 : 1023);
}

static u64 get(int level)
{
	if (modes[cur].wide)
		return mem[level][slot_of(level)];
	return ((u32 *)mem[level])[slot_of(level)];
}

static void put(int level, u64 e)
{
	if (modes[cur].wide)
		mem[level][slot_of(level)] = e;
	else
		((u32 *)mem[level])[slot_of(level)] = e;
}

static bool is_pdpte(int level)
{
	return modes[cur].levels == 3 && level == 3;
}

/* Entries down to a leaf on @leaf, all with @flags. */
static void build(int leaf, u64 flags)
{
	int level;

	memset(mem, 0, sizeof(mem));
	for (level = modes[cur].levels; level > leaf; level--)
		put(level, (u64)(level - 1) << 12 | (is_pdpte(level) ? P : flags));
	put(leaf, LEAF_GPA | flags | (leaf > 1 ? PS : 0));
}

static int max_leaf(void)
{
	return modes[cur].levels > 3 ? 3 : 2;
}

static u64 leaf_gpa(int leaf)
{
	return LEAF_GPA | (GVA & (BIT_ULL(shift(leaf)) - 1));
}

/* The error code that the manual demands, 0 for none; all entries well formed. */
static u32 rights_model(u64 both, u64 either, u32 access)
{
	bool user = access & UMBRA_ACC_USER, write = access & UMBRA_ACC_WRITE;
	bool exec = access & UMBRA_ACC_EXEC;
	bool nxe = (vcpu->efer & EFER_NX) && (vcpu->cr4 & X86_CR4_PAE);
	bool smep = vcpu->cr4 & X86_CR4_SMEP, smap = vcpu->cr4 & X86_CR4_SMAP;
	bool ac = (vcpu->rflags & X86_EFLAGS_AC) && !(access & UMBRA_ACC_IMPLICIT);
	bool ok = true;

	if (user)
		ok = (both & U) && (!write || (both & W));
	else if (write)
		ok = (both & W) || !(vcpu->cr0 & X86_CR0_WP);
	if (!user && (both & U) && exec && smep)
		ok = false;
	if (!user && (both & U) && !exec && smap && !ac)
		ok = false;
	if (exec && nxe && (either & NX))
		ok = false;
	if (ok)
		return 0;
	return ERR_P | (write ? ERR_W : 0) | (user ? ERR_U : 0) |
	       (exec && (nxe || smep) ? ERR_I : 0);
}

static void check_walk(u32 access, u32 error, u64 gpa)
{
	struct umbra_walk w;
	int ret = umbra_mmu_walk(vcpu, GVA, access, false, &w);

	assert_false(w.bad_gpa);
	assert_int_equal(ret, error ? -EFAULT : 0);
	if (error)
		assert_int_equal(w.error, error);
	else
		assert_int_equal(w.gpa, gpa);
}

static const u32 accesses[] = {
	UMBRA_ACC_READ, UMBRA_ACC_WRITE, UMBRA_ACC_EXEC,
	UMBRA_ACC_READ | UMBRA_ACC_USER, UMBRA_ACC_WRITE | UMBRA_ACC_USER,
	UMBRA_ACC_EXEC | UMBRA_ACC_USER,
	UMBRA_ACC_READ | UMBRA_ACC_IMPLICIT, UMBRA_ACC_WRITE | UMBRA_ACC_IMPLICIT,
};

static void set_controls(int bits)
{
	vcpu->cr0 = (vcpu->cr0 & ~(u64)X86_CR0_WP) | (bits & 1 ? X86_CR0_WP : 0);
	vcpu->cr4 &= ~(u64)(X86_CR4_SMEP | X86_CR4_SMAP);
	vcpu->cr4 |= (bits & 2 ? X86_CR4_SMEP : 0) | (bits & 4 ? X86_CR4_SMAP : 0);
	vcpu->rflags = bits & 8 ? X86_EFLAGS_AC : 0;
}

static u64 rights_of(int bits)
{
	u64 e = P | (bits & 1 ? W : 0) | (bits & 2 ? U : 0);

	/* 4-byte entries have no NX; as reserved bit it has its own test. */
	return modes[cur].wide && (vcpu->efer & EFER_NX) && (bits & 4) ? e | NX : e;
}

/* One placement of the rights @hi on @level and @lo on the leaf. */
static void try_rights(int leaf, int level, u64 hi, u64 lo)
{
	u64 both = lo, either = lo;
	int c, a;

	build(leaf, P | W | U);
	if (level != leaf) {
		put(level, (get(level) & ~(W | U)) | hi);
		both = hi & lo;
		either = hi | lo;
	}
	put(leaf, (get(leaf) & ~(W | U)) | lo);
	for (c = 0; c < 16; c++) {
		set_controls(c);
		for (a = 0; a < ARRAY_SIZE(accesses); a++)
			check_walk(accesses[a], rights_model(both, either, accesses[a]),
				   leaf_gpa(leaf));
	}
}

static void rights_in_mode(int leaf)
{
	int level, hi, lo;

	for (level = leaf; level <= modes[cur].levels; level++) {
		if (is_pdpte(level))
			continue;
		for (hi = 0; hi < 8; hi++)
			for (lo = 0; lo < 8; lo++)
				try_rights(leaf, level, rights_of(hi), rights_of(lo));
	}
}

static void test_rights(void **state)
{
	int mode, leaf, nxe;

	for (mode = 0; mode < ARRAY_SIZE(modes); mode++)
		for (nxe = 0; nxe < 2; nxe++) {
			set_mode(mode);
			if (!nxe)
				vcpu->efer &= ~(u64)EFER_NX;
			for (leaf = 1; leaf <= max_leaf(); leaf++)
				rights_in_mode(leaf);
		}
}

static void test_not_present(void **state)
{
	int mode, leaf, level;
	struct umbra_walk w;

	for (mode = 0; mode < ARRAY_SIZE(modes); mode++) {
		set_mode(mode);
		for (leaf = 1; leaf <= max_leaf(); leaf++)
			for (level = leaf; level <= modes[mode].levels; level++) {
				build(leaf, P | W | U);
				/* All other bits may be anything. */
				put(level, ~P);
				assert_int_equal(umbra_mmu_walk(vcpu, GVA, UMBRA_ACC_WRITE, true,
								&w), -EFAULT);
				assert_int_equal(w.error, ERR_W);
				assert_false(w.bad_gpa);
			}
	}
}

/* Reserved bits with a physical address width of 40 bits, from the manuals. */
static u64 reserved_model(int level, bool leaf)
{
	const u64 high = GENMASK_ULL(51, 40);
	u64 rsvd;

	if (modes[cur].levels == 2)
		return level == 2 && leaf ? BIT_ULL(21) : 0;
	if (is_pdpte(level)) {
		rsvd = GENMASK_ULL(63, 40) | GENMASK_ULL(8, 5) | GENMASK_ULL(2, 1);
		/* Where each walk reads PDPTEs, a processor may set the accessed bit. */
		return umbra_caps.fmt == UMBRA_FMT_NPT ? rsvd & ~A : rsvd;
	}
	rsvd = modes[cur].levels == 3 ? GENMASK_ULL(62, 40) : high;
	if (!(vcpu->efer & EFER_NX))
		rsvd |= NX;
	if (leaf && level == 2)
		rsvd |= GENMASK_ULL(20, 13);
	if (leaf && level == 3)
		rsvd |= GENMASK_ULL(29, 13);
	if (level > 3 || (level == 3 && !unit.gbpages))
		rsvd |= PS;
	return rsvd;
}

static void try_reserved(int leaf, int level)
{
	int top = modes[cur].wide ? 63 : 31, bit;
	u64 rsvd = reserved_model(level, level == leaf && leaf > 1);
	struct umbra_walk w;
	u64 good;

	build(leaf, P | W | U);
	good = get(level);
	for (bit = 0; bit <= top; bit++) {
		/* Bits of the entry that mean something else: not a matter of this test. */
		if (bit == 0 || (good & BIT_ULL(bit)) || (bit == 7 && !(rsvd & PS)))
			continue;
		put(level, good | BIT_ULL(bit));
		umbra_mmu_walk(vcpu, GVA, UMBRA_ACC_READ, false, &w);
		if (rsvd & BIT_ULL(bit))
			assert_int_equal(w.error, ERR_P | ERR_RSVD);
		else
			assert_int_equal(w.error & ERR_RSVD, 0);
		put(level, good);
	}
}

static void test_reserved(void **state)
{
	int mode, leaf, level, nxe;

	for (mode = 0; mode < ARRAY_SIZE(modes); mode++)
		for (nxe = 0; nxe < 2; nxe++) {
			set_mode(mode);
			if (!nxe)
				vcpu->efer &= ~(u64)EFER_NX;
			for (leaf = 1; leaf <= max_leaf(); leaf++)
				for (level = leaf; level <= modes[mode].levels; level++)
					try_reserved(leaf, level);
		}
}

/* A reserved bit counts before rights, a missing entry below counts before both. */
static void test_order(void **state)
{
	struct umbra_walk w;

	set_mode(2);
	build(1, P);
	put(1, get(1) | BIT_ULL(45));
	check_walk(UMBRA_ACC_WRITE | UMBRA_ACC_USER, ERR_P | ERR_RSVD | ERR_W | ERR_U, 0);
	put(1, 0);
	umbra_mmu_walk(vcpu, GVA, UMBRA_ACC_WRITE | UMBRA_ACC_USER, false, &w);
	assert_int_equal(w.error, ERR_W | ERR_U);
	put(1, LEAF_GPA | P);
	put(3, get(3) | BIT_ULL(45));
	put(2, 0);
	umbra_mmu_walk(vcpu, GVA, UMBRA_ACC_EXEC, false, &w);
	assert_int_equal(w.error, ERR_P | ERR_RSVD | ERR_I);
}

static void test_large_page_bits(void **state)
{
	/* Without PSE the bit means nothing and the entry links a table. */
	set_mode(0);
	build(1, P | W | U);
	put(2, get(2) | PS);
	vcpu->cr4 = 0;
	check_walk(UMBRA_ACC_READ, 0, leaf_gpa(1));
	/* 4 MiB pages: address bits 39:32 sit in bits 20:13. */
	set_mode(0);
	build(2, P | W | U);
	put(2, get(2) | 0xa5ULL << 13);
	check_walk(UMBRA_ACC_READ, 0, 0xa500000000ULL | leaf_gpa(2));
	vcpu->cpuid.phys_bits = 36;
	check_walk(UMBRA_ACC_READ, ERR_P | ERR_RSVD, 0);
	put(2, LEAF_GPA | P | PS | 0x5ULL << 13);
	check_walk(UMBRA_ACC_READ, 0, 0x500000000ULL | leaf_gpa(2));
	vcpu->cpuid.phys_bits = 40;
	/* 1 GiB pages only where CPUID offers them. */
	set_mode(2);
	build(3, P | W | U);
	check_walk(UMBRA_ACC_READ, 0, leaf_gpa(3));
	unit.gbpages = false;
	check_walk(UMBRA_ACC_READ, ERR_P | ERR_RSVD, 0);
}

static void try_accessed_dirty(int leaf, u32 access)
{
	struct umbra_walk w;
	int level;

	build(leaf, P | W | U);
	assert_int_equal(umbra_mmu_walk(vcpu, GVA, access, false, &w), 0);
	for (level = leaf; level <= modes[cur].levels; level++)
		assert_int_equal(get(level) & (A | D), 0);
	assert_int_equal(umbra_mmu_walk(vcpu, GVA, access, true, &w), 0);
	assert_int_equal(w.level, leaf);
	for (level = leaf; level <= modes[cur].levels; level++) {
		u64 want = is_pdpte(level) ? 0 : A;

		if (level == leaf && (access & UMBRA_ACC_WRITE))
			want |= D;
		assert_int_equal(get(level) & (A | D), want);
	}
}

static void test_accessed_dirty(void **state)
{
	struct umbra_walk w;
	int mode, leaf;

	for (mode = 0; mode < ARRAY_SIZE(modes); mode++) {
		set_mode(mode);
		for (leaf = 1; leaf <= max_leaf(); leaf++) {
			try_accessed_dirty(leaf, UMBRA_ACC_READ);
			try_accessed_dirty(leaf, UMBRA_ACC_WRITE);
			try_accessed_dirty(leaf, UMBRA_ACC_EXEC | UMBRA_ACC_USER);
			/* A fault leaves no trace. */
			build(leaf, P | U);
			umbra_mmu_walk(vcpu, GVA, UMBRA_ACC_WRITE, true, &w);
			assert_int_equal(get(leaf) & (A | D), 0);
		}
	}
}

static void test_tables_in_rom(void **state)
{
	struct umbra_walk w;

	set_mode(2);
	build(1, P | W | U);
	unit_slot_id(0)->flags = KVM_MEM_READONLY;
	assert_int_equal(umbra_mmu_walk(vcpu, GVA, UMBRA_ACC_WRITE, true, &w), 0);
	assert_int_equal(w.gpa, leaf_gpa(1));
	assert_int_equal(get(1) & (A | D), 0);
}

static void revoke_write(gpa_t gpa)
{
	if (gpa >> 12 != 1)
		return;
	unit.cmpxchg_hook = NULL;
	put(1, get(1) & ~W);
}

/* The table changes between read and update: the walk sees the new entry. */
static void test_race(void **state)
{
	struct umbra_walk w;

	set_mode(2);
	build(1, P | W | U);
	unit.cmpxchg_hook = revoke_write;
	assert_int_equal(umbra_mmu_walk(vcpu, GVA, UMBRA_ACC_WRITE, true, &w), -EFAULT);
	assert_int_equal(w.error, ERR_P | ERR_W);
	assert_int_equal(get(1) & (A | D), 0);
	assert_null(unit.cmpxchg_hook);
}

static int turns;

static void change_always(gpa_t gpa)
{
	put(1, get(1) ^ BIT_ULL(9));
	if (++turns == 100)
		unit.killed = true;
	assert_true(turns <= 100);
}

/* A guest that never stops changing its tables cannot keep a thread from dying. */
static void test_endless_race(void **state)
{
	struct umbra_walk w;

	set_mode(2);
	build(1, P | W | U | A);
	turns = 0;
	unit.cmpxchg_hook = change_always;
	assert_int_equal(umbra_mmu_walk(vcpu, GVA, UMBRA_ACC_WRITE, true, &w), -EINTR);
	assert_int_equal(turns, 100);
	assert_int_equal(get(1) & D, 0);
}

static u32 pkey_model(u32 pkru, int key, u64 e, u32 access)
{
	u32 ad = (pkru >> (2 * key)) & 1, wd = (pkru >> (2 * key + 1)) & 1;
	bool write = access & UMBRA_ACC_WRITE;

	if (!(e & U) || (access & UMBRA_ACC_EXEC))
		return 0;
	if (ad)
		return ERR_P | ERR_PK;
	if (wd && write && ((access & UMBRA_ACC_USER) || (vcpu->cr0 & X86_CR0_WP)))
		return ERR_P | ERR_PK;
	return 0;
}

static void try_pkey(int key, u32 access, u64 e)
{
	u32 error = rights_model(e, 0, access);

	unit.pkru = 0x1e4b1b9cU * (key + 1);
	error |= pkey_model(unit.pkru, key, e, access);
	if (error)
		error |= ERR_P | (access & UMBRA_ACC_WRITE ? ERR_W : 0) |
			 (access & UMBRA_ACC_USER ? ERR_U : 0);
	put(1, LEAF_GPA | e | (u64)key << 59);
	check_walk(access, error, leaf_gpa(1));
}

static void test_pkeys(void **state)
{
	int key, a, rights, wp;

	set_mode(2);
	build(1, P | W | U);
	vcpu->cr4 |= X86_CR4_PKE;
	for (wp = 0; wp < 2; wp++) {
		vcpu->cr0 ^= X86_CR0_WP;
		for (rights = 0; rights < 4; rights++)
			for (key = 0; key < 16; key++)
				for (a = 0; a < 6; a++)
					try_pkey(key, accesses[a], rights_of(rights));
	}
	/* Not enabled: the bits mean nothing. */
	vcpu->cr4 &= ~(u64)X86_CR4_PKE;
	unit.pkru = ~0u;
	put(1, LEAF_GPA | P | W | U | 5ULL << 59);
	check_walk(UMBRA_ACC_WRITE | UMBRA_ACC_USER, 0, leaf_gpa(1));
}

static void test_bad_tables(void **state)
{
	struct umbra_walk w;

	set_mode(2);
	build(1, P | W | U);
	put(2, 0x100000ULL | P | W | U);
	assert_int_equal(umbra_mmu_walk(vcpu, GVA, UMBRA_ACC_READ, true, &w), -EFAULT);
	assert_true(w.bad_gpa);
	vcpu->cr3 = 0x100000;
	assert_int_equal(umbra_mmu_walk(vcpu, GVA, UMBRA_ACC_READ, true, &w), -EFAULT);
	assert_true(w.bad_gpa);
	/* A table that is its own ancestor is as good as any. */
	set_mode(2);
	memset(mem, 0, sizeof(mem));
	mem[4][0] = 4ULL << 12 | P | W | U;
	assert_int_equal(umbra_mmu_walk(vcpu, 0x123, UMBRA_ACC_READ, true, &w), 0);
	assert_int_equal(w.gpa, 4ULL << 12 | 0x123);
}

static void test_no_paging(void **state)
{
	struct umbra_walk w;

	vcpu->cr0 = X86_CR0_PE;
	assert_int_equal(umbra_mmu_walk(vcpu, 0x12345678, UMBRA_ACC_WRITE, true, &w), 0);
	assert_int_equal(w.gpa, 0x12345678);
	assert_int_equal(w.level, 0);
}

static void test_fetch(void **state)
{
	static const char code[] = "instruction";
	char buf[8] = "";

	set_mode(2);
	build(1, P | W | U);
	put(1, 8ULL << 12 | P | U);
	memcpy((char *)mem[8] + (GVA & 0xfff), code, sizeof(code));
	unit.cpl = 3;
	assert_int_equal(umbra_mmu_fetch(vcpu, GVA, buf, sizeof(buf), true), 0);
	assert_memory_equal(buf, code, sizeof(buf));
	assert_int_equal(get(1) & A, 0);

	/* The host has a table or the code away: only the sleeping call can say. */
	unit.absent = &mem[2][slot_of(2)];
	assert_int_equal(umbra_mmu_fetch(vcpu, GVA, buf, 4, true), -EAGAIN);
	unit.absent = (char *)mem[8] + (GVA & 0xfff);
	assert_int_equal(umbra_mmu_fetch(vcpu, GVA, buf, 4, true), -EAGAIN);
	assert_int_equal(umbra_mmu_fetch(vcpu, GVA, buf, 4, false), -EFAULT);
	unit.absent = NULL;
	put(1, 8ULL << 12 | P);
	assert_int_equal(umbra_mmu_fetch(vcpu, GVA, buf, 4, true), -EFAULT);
	unit.cpl = 0;
	assert_int_equal(umbra_mmu_fetch(vcpu, GVA, buf, 4, true), 0);
	assert_int_equal(unit_atomic, 0);
}

/* The short cut for code that ran just now: the same bytes, or no answer. */
static void test_refetch(void **state)
{
	u64 full, bytes = 0;
	int mode, leaf;

	for (mode = 2; mode < 4; mode++) {
		set_mode(mode);
		for (leaf = 1; leaf <= 3; leaf++) {
			unit_slot(1, leaf_gpa(leaf) >> 12, 1, (hva_t)mem[8], 0);
			build(leaf, P | U);
			memcpy((char *)mem[8] + (GVA & 0xfff), "12345678", 8);
			assert_int_equal(umbra_mmu_refetch(vcpu, GVA, &bytes), 0);
			assert_int_equal(umbra_mmu_fetch(vcpu, GVA, &full, 8, true), 0);
			assert_int_equal(bytes, full);
			unit.absent = (char *)mem[8] + (GVA & 0xfff);
			assert_int_equal(umbra_mmu_refetch(vcpu, GVA, &bytes), -EAGAIN);
			unit.absent = NULL;
			put(leaf, 0);
			assert_int_equal(umbra_mmu_refetch(vcpu, GVA, &bytes), -EAGAIN);
		}
	}
	assert_int_equal(umbra_mmu_refetch(vcpu, (GVA | 0xfff) - 6, &bytes), -EAGAIN);
	vcpu->efer = 0;
	assert_int_equal(umbra_mmu_refetch(vcpu, GVA, &bytes), -EAGAIN);
	assert_int_equal(unit_atomic, 0);
}

static void try_pdptes(enum umbra_fmt_id fmt)
{
	int bit;

	umbra_caps.fmt = fmt;
	for (bit = 1; bit < 64; bit++) {
		bool bad = reserved_model(3, false) & BIT_ULL(bit);

		mem[3][4] = BIT_ULL(bit) | P;
		assert_int_equal(umbra_mmu_load_pdptes(vcpu), bad ? -EINVAL : 0);
		mem[3][4] = BIT_ULL(bit);
		assert_int_equal(umbra_mmu_load_pdptes(vcpu), 0);
	}
}

static void test_pdptes(void **state)
{
	set_mode(1);
	build(1, P | W | U);
	vcpu->cr3 = 3 << 12 | 0x20;
	memcpy(&mem[3][4], &mem[3][0], 32);
	assert_int_equal(umbra_mmu_load_pdptes(vcpu), 0);
	assert_int_equal(vcpu->pdpte[1], 2 << 12 | P);
	try_pdptes(UMBRA_FMT_EPT);
	try_pdptes(UMBRA_FMT_NPT);
	vcpu->cr3 = 0x100000;
	assert_int_equal(umbra_mmu_load_pdptes(vcpu), -EINVAL);
	assert_int_equal(vcpu->pdpte[1], 2 << 12 | P);
}

/* Nested paging on SVM reads PDPTEs in each walk; elsewhere they were loaded. */
static void test_pdptes_in_use(void **state)
{
	set_mode(1);
	build(1, P | W | U);
	memset(vcpu->pdpte, 0, sizeof(vcpu->pdpte));
	check_walk(UMBRA_ACC_READ, 0, leaf_gpa(1));
	umbra_caps.fmt = UMBRA_FMT_EPT;
	vcpu->pdpte[1] = 2 << 12 | P;
	mem[3][1] = 0;
	check_walk(UMBRA_ACC_READ, 0, leaf_gpa(1));
	umbra_caps.fmt = UMBRA_FMT_NPT;
}

#define TEST(f)	cmocka_unit_test_setup_teardown(f, setup, unit_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rights), TEST(test_not_present), TEST(test_reserved), TEST(test_order),
		TEST(test_large_page_bits), TEST(test_accessed_dirty), TEST(test_tables_in_rom),
		TEST(test_race), TEST(test_endless_race), TEST(test_pkeys), TEST(test_bad_tables),
		TEST(test_no_paging), TEST(test_fetch), TEST(test_refetch), TEST(test_pdptes),
		TEST(test_pdptes_in_use),
	};

	return cmocka_run_group_tests_name("mmu_gwalk", tests, NULL, NULL);
}
