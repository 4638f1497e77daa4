// SPDX-License-Identifier: GPL-2.0
/*
 * Classes of bugs that hypervisors with shadow page tables are known for, one test each: those
 * that one vCPU can show. The others are in shadow_bugs_smp_test.c.
 */
#include <sys/mman.h>
#include <kselftest_harness.h>
#include "shootdown.h"
#include "worker.h"

#define SLOW		120	/* seconds: emulated hosts may have little of a processor */
#define ROUNDS		60
#define FRAMES_GPA	UT_FREE_GPA
#define NFRAMES		128
#define FRAME(i)	(FRAMES_GPA + (u64)(i) * UT_PAGE_SIZE)
#define VALUE(i)	(0xf000000000000000ull | (u64)(i))
#define CPUID_7_EBX_SMEP	BIT_ULL(7)
#define CPUID_7_EBX_SMAP	BIT_ULL(20)

FIXTURE(bug)
{
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
};

FIXTURE_SETUP(bug)
{
	SD_START();
}

FIXTURE_TEARDOWN(bug)
{
	ut_vm_free(self->vm);
}

/* ---- one table below entries with different rights ---- */

#define PATH(k, level)	(SD_WINDOW + ((u64)(k) << (12 + 9 * ((level) - 1))))

/* What the entry of path @k lets through: bit 0 writes, bit 1 the user, not bit 2 fetches. */
static void guest_try_path(u64 k, u64 gva, u64 kind)
{
	bool w = k & 1, u = k & 2, x = !(k & 4);

	switch (kind) {
	case 0:
		GUEST_ASSERT_EQ(sd_write(gva + 8, k), w ? 0 : SD_PF(SD_ERR_P | SD_ERR_W));
		break;
	case 1:
		GUEST_ASSERT_EQ(sd_exec(gva), x ? 0 : SD_PF(SD_ERR_P | SD_ERR_I));
		break;
	case 2:
		GUEST_ASSERT_EQ(sd_user_read(gva, NULL), u ? 0 : SD_PF(SD_ERR_P | SD_ERR_U));
		break;
	case 3:
		GUEST_ASSERT_EQ(sd_user_write(gva + 8, k),
				u && w ? 0 : SD_PF(SD_ERR_P | SD_ERR_U | SD_ERR_W));
		break;
	case 4:
		GUEST_ASSERT_EQ(sd_user_exec(gva),
				u && x ? 0 : SD_PF(SD_ERR_P | SD_ERR_U | SD_ERR_I));
		break;
	default:
		GUEST_ASSERT_EQ(guest_read64(gva), VALUE(0));
	}
}

static void guest_paths(u64 level)
{
	u64 i, k, state = level;

	for (i = 0; i < 400; i++) {
		k = sd_random(&state) % 8;
		guest_try_path(k, PATH(k, level), sd_random(&state) % 6);
	}
	guest_done();
}

/* A shadow made for one path must not serve another one that allows less. */
static void paths(struct _test_data_bug *self, int level)
{
	struct ut_vm *vm = self->vm;
	u64 k, below;

	sd_map(vm, vm->cr3, SD_WINDOW, FRAME(0), 1, UT_PTE_W | UT_PTE_U);
	below = *sd_pte(vm, vm->cr3, SD_WINDOW, level) & UT_PTE_ADDR;
	for (k = 0; k < 8; k++)
		*sd_pte(vm, vm->cr3, PATH(k, level), level) =
			below | UT_PTE_P | (k & 1 ? UT_PTE_W : 0) | (k & 2 ? UT_PTE_U : 0) |
			(k & 4 ? UT_PTE_NX : 0);
	sd_run(self->vcpu, guest_paths, level, 0);
}

TEST_F_TIMEOUT(bug, rights_of_level_2, SLOW)
{
	paths(self, 2);
}

TEST_F_TIMEOUT(bug, rights_of_level_3, SLOW)
{
	paths(self, 3);
}

TEST_F_TIMEOUT(bug, rights_of_level_4, SLOW)
{
	paths(self, 4);
}

/* ---- linked again after changes that needed no flush ---- */

#define FIFTH	(5 * UT_PAGE_SIZE)
#define SECOND	(SD_WINDOW + UT_HUGE_SIZE)

/*
 * The window's leaf table is changed where it is linked, which nobody has to flush for as
 * long as the old address is not used, and then linked a second time, where all is new.
 */
static void guest_link(void)
{
	u64 pte = sd_entry[1] + 5 * 8, second = sd_entry[2] + 8, i;
	u64 link = guest_read64(sd_entry[2]) | UT_PTE_U;

	for (i = 0; i < ROUNDS; i++) {
		guest_write64(pte, FRAME(i) | SD_PTE_RW);
		guest_invlpg(SD_WINDOW + FIFTH);
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW + FIFTH), VALUE(i));
		guest_write64(pte, FRAME(i + 1) | SD_PTE_RW);
		guest_write64(pte + 8, FRAME(i + 2) | SD_PTE_RW);
		/* With all rights, and without the right to write. */
		guest_write64(second, i & 1 ? link & ~UT_PTE_W : link);
		GUEST_ASSERT_EQ(guest_read64(SECOND + FIFTH), VALUE(i + 1));
		GUEST_ASSERT_EQ(guest_read64(SECOND + FIFTH + UT_PAGE_SIZE), VALUE(i + 2));
		GUEST_ASSERT_EQ(sd_write(SECOND + FIFTH + 8, i),
				i & 1 ? SD_PF(SD_ERR_P | SD_ERR_W) : 0);
		guest_write64(second, 0);
		guest_invlpg(SECOND + FIFTH);
		guest_invlpg(SECOND + FIFTH + UT_PAGE_SIZE);
		GUEST_ASSERT_EQ(sd_read(SECOND + FIFTH, NULL), SD_PF(0));
	}
	guest_done();
}

TEST_F_TIMEOUT(bug, sync_before_link, SLOW)
{
	sd_map_window(self->vm, FRAME(0), 1, UT_PTE_W);
	sd_run(self->vcpu, guest_link, 0, 0);
}

/* Changed while it is linked nowhere. */
static void guest_relink(u64 level)
{
	u64 parent = sd_entry[level + 1], link = guest_read64(parent), i;

	for (i = 0; i < ROUNDS; i++) {
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(i));
		/* Out of step first, so that the old shadow is not up to date either. */
		guest_write64(sd_entry[1], FRAME(i + 2) | SD_PTE_RW);
		guest_write64(parent, 0);
		guest_invlpg(SD_WINDOW);
		guest_write64(sd_entry[1], FRAME(i + 1) | SD_PTE_RW);
		guest_write64(parent, link);
	}
	guest_done();
}

TEST_F_TIMEOUT(bug, relinked_leaf, SLOW)
{
	sd_map_window(self->vm, FRAME(0), 1, UT_PTE_W);
	sd_run(self->vcpu, guest_relink, 1, 0);
}

TEST_F_TIMEOUT(bug, relinked_subtree, SLOW)
{
	sd_map_window(self->vm, FRAME(0), 1, UT_PTE_W);
	sd_run(self->vcpu, guest_relink, 3, 0);
}

/* ---- tables written behind the hypervisor's back ---- */

static void guest_host_writes(u64 flush)
{
	for (;;) {
		if (flush)
			guest_invlpg(SD_WINDOW);
		guest_sync_args(0, guest_read64(SD_WINDOW), 0, 0);
	}
}

/* User space changes an entry of @level, as a device of its own could by DMA. */
static void host_writes(struct _test_data_bug *self, int level, bool flush)
{
	struct ut_vm *vm = self->vm;
	u64 *entry = sd_pte(vm, vm->cr3, SD_WINDOW, level), i, now, other;
	struct kvm_sregs sregs;
	struct ut_ucall uc;

	/* A second subtree for the entry, with another frame in the same place. */
	sd_map(vm, vm->cr3, SD_WINDOW, FRAME(0), 1, UT_PTE_W);
	other = *entry;
	*entry = 0;
	sd_map(vm, vm->cr3, SD_WINDOW, FRAME(1), 1, UT_PTE_W);
	ut_get_sregs(self->vcpu, &sregs);
	ut_set_sregs(self->vcpu, &sregs);
	ut_restart(self->vcpu, guest_host_writes);
	ut_set_args(self->vcpu, flush, 0);
	for (i = 0; i < 10; i++) {
		if (ut_next(self->vcpu, &uc) != UT_SYNC || uc.arg[1] != VALUE(~i & 1))
			ut_die("round %lu: found %#lx", i, uc.arg[1]);
		now = *entry;
		*entry = other;
		other = now;
		if (flush)
			continue;
		ut_get_sregs(self->vcpu, &sregs);
		ut_set_sregs(self->vcpu, &sregs);
	}
}

/* KVM keeps what it once translated until the guest itself writes. */
static bool host_writes_unseen(void)
{
	return !ut_on_umbra() && ut_shadowed();
}

TEST_F_TIMEOUT(bug, host_writes_leaf_and_guest_flushes, SLOW)
{
	if (host_writes_unseen())
		SKIP(return, "KVM's shadows do not notice what user space writes");
	host_writes(self, 1, true);
}

TEST_F_TIMEOUT(bug, host_writes_upper_and_guest_flushes, SLOW)
{
	if (host_writes_unseen())
		SKIP(return, "KVM's shadows do not notice what user space writes");
	host_writes(self, 2, true);
}

TEST_F_TIMEOUT(bug, host_writes_and_sets_sregs, SLOW)
{
	if (host_writes_unseen())
		SKIP(return, "KVM's shadows do not notice what user space writes");
	host_writes(self, 1, false);
	host_writes(self, 3, false);
	host_writes(self, 4, false);
}

/* ---- entries that are not present and yet full of address bits ---- */

/* Swap entries, with the address inverted or plain, and everything set that may be. */
static const u64 not_present[] = {
	0x000ffffffffff000ull, 0xfffffffffffffffeull, 0x7ffffffffff00ffeull, 0x8000000000000000ull,
	0x0000000000000080ull, 0x0007fffffffff182ull, 0xfffffffff7fff01eull, 0x0000000000800002ull,
};

static void guest_l1tf(void)
{
	u64 i, level, e, err, bits;

	for (i = 0; i < 2 * ARRAY_SIZE(not_present) * 4; i++) {
		level = i % 4 + 1;
		e = guest_read64(sd_entry[level]);
		bits = not_present[i / 4 % ARRAY_SIZE(not_present)];
		guest_write64(sd_entry[level], bits);
		guest_invlpg(SD_WINDOW);
		/* Present and reserved bits of the error code must not be set. */
		err = sd_read(SD_WINDOW, NULL);
		GUEST_ASSERT_EQ(err, SD_PF(0));
		GUEST_ASSERT_EQ(sd_write(SD_WINDOW + 8, 1), SD_PF(SD_ERR_W));
		GUEST_ASSERT_EQ(sd_user_exec(SD_WINDOW), SD_PF(SD_ERR_U | SD_ERR_I));
		GUEST_ASSERT_EQ(guest_read64(sd_entry[level]), bits);
		guest_write64(sd_entry[level], e);
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(0));
	}
	/* A whole table of them, next to one that is present. */
	for (i = 1; i < 512; i++)
		guest_write64(sd_entry[1] + i * 8, (~FRAME(i) << 1) & ~UT_PTE_P);
	for (i = 1; i < 512; i += 7)
		GUEST_ASSERT_EQ(sd_read(SD_WINDOW + i * UT_PAGE_SIZE, NULL), SD_PF(0));
	GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(0));
	guest_done();
}

TEST_F_TIMEOUT(bug, address_bits_in_absent_entries, SLOW)
{
	sd_map_window(self->vm, FRAME(0), 1, UT_PTE_W | UT_PTE_U);
	sd_run(self->vcpu, guest_l1tf, 0, 0);
}

/* ---- huge mappings over frames that must stay protected ---- */

#define TABLE_GPA	(UT_TEST_GPA + 77 * UT_PAGE_SIZE)

/* The window's leaf table is page 77 of a huge page that is written all over. */
static void guest_huge_frame(void)
{
	u64 i, k, gva;

	for (i = 0; i < 40; i++) {
		/* Its neighbours first: a huge mapping is what they ask for. */
		for (k = 70; k < 85; k++)
			if (k != 77)
				guest_write64(UT_TEST_GPA + k * UT_PAGE_SIZE, i * k);
		guest_write64(TABLE_GPA, FRAME(i) | SD_PTE_RW);
		guest_invlpg(SD_WINDOW);
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(i));
		guest_write64(SD_WINDOW + 8, i);
		/* By the second address of the same huge frame. */
		guest_write64(TABLE_GPA + UT_HUGE_SIZE, FRAME(i + 1) | SD_PTE_RW);
		guest_write_cr3(guest_read_cr(3));
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(i + 1));
		GUEST_ASSERT_EQ(guest_read64(TABLE_GPA) & UT_PTE_ADDR, FRAME(i + 1));
		for (k = 70; k < 85; k++) {
			gva = UT_TEST_GPA + k * UT_PAGE_SIZE;
			GUEST_ASSERT(gva == TABLE_GPA || guest_read64(gva) == i * k);
		}
		/* Out of use, then plain memory like the rest, then back. */
		if (i % 8)
			continue;
		guest_write64(sd_entry[2], 0);
		guest_write_cr3(guest_read_cr(3));
		for (k = 0; k < 512; k++)
			guest_write64(UT_TEST_GPA + k * UT_PAGE_SIZE, 0);
		guest_write64(sd_entry[2], TABLE_GPA | SD_PTE_RW);
	}
	guest_done();
}

TEST_F_TIMEOUT(bug, huge_mapping_over_tables, SLOW)
{
	void *hva = sd_huge_slot(self->vm, UT_TEST_GPA, UT_HUGE_SIZE, MADV_HUGEPAGE);
	struct ut_vm *vm = self->vm;

	ut_map_level(vm, UT_TEST_GPA, UT_TEST_GPA, 2, UT_PTE_W);
	ut_map_level(vm, UT_TEST_GPA + UT_HUGE_SIZE, UT_TEST_GPA, 2, UT_PTE_W);
	sd_map_window(vm, FRAME(0), 1, UT_PTE_W);
	*sd_pte(vm, vm->cr3, SD_WINDOW, 2) = TABLE_GPA | SD_PTE_RW;
	sd_run(self->vcpu, guest_huge_frame, 0, 0);
	munmap(hva, 2 * UT_HUGE_SIZE);
}

/* ---- CR0.WP clear, with SMEP, SMAP and EFER.NXE in all states ---- */

static void guest_set_wp(bool on)
{
	u64 cr0 = guest_read_cr(0);

	guest_write_cr0(on ? cr0 | SD_CR0_WP : cr0 & ~SD_CR0_WP);
}

/*
 * A read-only page of the user that the kernel writes with CR0.WP clear: a shadow that lets
 * the kernel write must neither let the user write nor, with SMEP, let the kernel execute.
 */
static void guest_wp_round(u64 i, bool smep, bool smap, bool nxe)
{
	u64 fetch = nxe || smep ? SD_ERR_I : 0, v = 0;
	u64 smap_fault = SD_PF(SD_ERR_P | SD_ERR_W);

	guest_set_wp(false);
	GUEST_ASSERT_EQ(sd_write(SD_WINDOW + 8, i), smap ? smap_fault : 0);
	if (smap) {
		asm volatile("stac" : : : "cc");
		GUEST_ASSERT_EQ(sd_write(SD_WINDOW + 8, i), 0);
		asm volatile("clac" : : : "cc");
		GUEST_ASSERT_EQ(sd_read(SD_WINDOW, NULL), SD_PF(SD_ERR_P));
	}
	GUEST_ASSERT_EQ(sd_exec(SD_WINDOW), smep ? SD_PF(SD_ERR_P | SD_ERR_I) : 0);
	GUEST_ASSERT_EQ(sd_user_read(SD_WINDOW + 8, &v), 0);
	GUEST_ASSERT_EQ(v, i);
	GUEST_ASSERT_EQ(sd_user_exec(SD_WINDOW), 0);
	GUEST_ASSERT_EQ(sd_user_write(SD_WINDOW + 8, ~i), SD_PF(SD_ERR_P | SD_ERR_U | SD_ERR_W));
	/* Once more, now that the user's form was the last one. */
	if (!smap)
		GUEST_ASSERT_EQ(sd_write(SD_WINDOW + 8, ~i), 0);
	guest_set_wp(true);
	GUEST_ASSERT_EQ(sd_write(SD_WINDOW + 8, i), SD_PF(SD_ERR_P | SD_ERR_W));
	GUEST_ASSERT_EQ(sd_user_exec(SD_WINDOW), 0);
	GUEST_ASSERT_EQ(sd_user_exec(SD_WINDOW + UT_PAGE_SIZE), SD_PF(SD_ERR_U | fetch));
}

static void guest_wp(u64 smep, u64 smap)
{
	u64 i, cr4 = guest_read_cr(4), efer = guest_rdmsr(SD_EFER), with;
	bool nxe;

	for (i = 0; i < 32; i++) {
		with = cr4 | (i & 1 ? smep : 0) | (i & 2 ? smap : 0);
		nxe = i & 4;
		guest_write_cr4(with);
		guest_wrmsr(SD_EFER, nxe ? efer : efer & ~SD_EFER_NX);
		guest_wp_round(i, with & SD_CR4_SMEP, with & SD_CR4_SMAP, nxe);
	}
	guest_done();
}

TEST_F_TIMEOUT(bug, write_protect_off, SLOW)
{
	size_t ebx = offsetof(struct kvm_cpuid_entry2, ebx);
	struct ut_vm *vm = self->vm;

	bool smep = sd_cpuid(vm, 7, ebx, CPUID_7_EBX_SMEP);
	bool smap = sd_cpuid(vm, 7, ebx, CPUID_7_EBX_SMAP);

	sd_map_window(vm, FRAME(0), 1, UT_PTE_U);
	/* KVM's shadow of a page that the kernel wrote is the kernel's: SMAP lets it pass. */
	if (!ut_on_umbra() && ut_shadowed())
		smap = false;
	/* What is not there is simply not turned on. */
	sd_run(self->vcpu, guest_wp, smep ? SD_CR4_SMEP : 0, smap ? SD_CR4_SMAP : 0);
}

TEST_HARNESS_MAIN
