// SPDX-License-Identifier: GPL-2.0
/*
 * Entries of a guest's page tables that change bit by bit: present, the rights, accessed and
 * dirty, with a flush and without. What appears, or allows more, needs no flush. What allows
 * less without one gives either answer, and nothing but these two.
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
#define WRITE_REFUSED	SD_PF(SD_ERR_P | SD_ERR_W)
#define EXEC_REFUSED	SD_PF(SD_ERR_P | SD_ERR_I)
#define CPUID_1G_EDX		BIT_ULL(26)

FIXTURE(bits)
{
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
};

FIXTURE_SETUP(bits)
{
	SD_START();
}

FIXTURE_TEARDOWN(bits)
{
	ut_vm_free(self->vm);
}

/* An entry that was not present is in no TLB: nothing to flush at any level. */
static void guest_appear(void)
{
	u64 i, e, level;

	for (i = 0; i < ROUNDS; i++) {
		level = i % 4 + 1;
		e = level == 1 ? FRAME(i) | SD_PTE_RW : guest_read64(sd_entry[level]);
		guest_write64(sd_entry[level], 0);
		guest_invlpg(SD_WINDOW);
		GUEST_ASSERT_EQ(sd_read(SD_WINDOW, NULL), SD_PF(0));
		GUEST_ASSERT_EQ(sd_write(SD_WINDOW + 8, i), SD_PF(SD_ERR_W));
		guest_write64(sd_entry[level], e);
		if (i & 4)
			GUEST_ASSERT_EQ(sd_write(SD_WINDOW + 8, i), 0);
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(i & ~3ull));
	}
	guest_done();
}

TEST_F_TIMEOUT(bits, appears_without_flush, SLOW)
{
	sd_map_window(self->vm, FRAME(0), 1, UT_PTE_W);
	sd_run(self->vcpu, guest_appear, 0, 0);
}

/* A whole table filled up page by page, as by a guest's fault handler. */
static void guest_fill_up(void)
{
	u64 i, gva;

	for (i = 1; i < NFRAMES; i++) {
		gva = SD_WINDOW + i * UT_PAGE_SIZE;
		if (i & 1)
			GUEST_ASSERT_EQ(sd_read(gva, NULL), SD_PF(0));
		guest_write64(sd_entry[1] + i * 8, FRAME(i) | UT_PTE_P);
		GUEST_ASSERT_EQ(guest_read64(gva), VALUE(i));
		GUEST_ASSERT_EQ(guest_read64(gva - UT_PAGE_SIZE), VALUE(i - 1));
		/* More rights are found by the walk that precedes a fault. */
		guest_write64(sd_entry[1] + i * 8, FRAME(i) | SD_PTE_RW);
		GUEST_ASSERT_EQ(sd_write(gva + 8, i), 0);
	}
	guest_done();
}

TEST_F_TIMEOUT(bits, filled_up_without_flush, SLOW)
{
	sd_map_window(self->vm, FRAME(0), 1, UT_PTE_W);
	sd_run(self->vcpu, guest_fill_up, 0, 0);
}

#define ALL_RIGHTS	(SD_PTE_RWU | UT_PTE_A | UT_PTE_D)

/* Add and remove one right in the entry of @level. */
static void guest_right(u64 level, u64 e, u64 lacking, u64 (*access)(u64), u64 fault)
{
	u64 got;

	guest_write64(sd_entry[level], lacking);
	sd_flush(SD_BY_INVLPG, SD_WINDOW);
	GUEST_ASSERT_EQ(access(SD_WINDOW), fault);
	guest_write64(sd_entry[level], e);
	GUEST_ASSERT_EQ(access(SD_WINDOW), 0);
	guest_write64(sd_entry[level], lacking);
	got = access(SD_WINDOW);
	GUEST_ASSERT(!got || got == fault);
	GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(0));
	sd_flush(SD_BY_CR3, SD_WINDOW);
	GUEST_ASSERT_EQ(access(SD_WINDOW), fault);
	guest_write64(sd_entry[level], e);
	GUEST_ASSERT_EQ(access(SD_WINDOW), 0);
}

static u64 guest_writes(u64 gva)
{
	return sd_write(gva + 8, 1);
}

static u64 guest_user_reads(u64 gva)
{
	return sd_user_read(gva, NULL);
}

static u64 guest_user_writes(u64 gva)
{
	return sd_user_write(gva + 8, 1);
}

static void guest_rights(void)
{
	u64 i, e, level;

	for (i = 0; i < 12; i++) {
		level = i % 4 + 1;
		e = guest_read64(sd_entry[level]);
		guest_right(level, e, e & ~UT_PTE_W, guest_writes, WRITE_REFUSED);
		guest_right(level, e, e & ~UT_PTE_W, guest_user_writes,
			    WRITE_REFUSED | SD_PF(SD_ERR_U));
		guest_right(level, e, e & ~UT_PTE_U, guest_user_reads,
			    SD_PF(SD_ERR_P | SD_ERR_U));
		guest_right(level, e, e | UT_PTE_NX, sd_exec, EXEC_REFUSED);
		guest_right(level, e, e | UT_PTE_NX, sd_user_exec, EXEC_REFUSED | SD_PF(SD_ERR_U));
	}
	guest_done();
}

TEST_F_TIMEOUT(bits, rights_added_and_removed, SLOW)
{
	sd_map_window(self->vm, FRAME(0), 1, UT_PTE_W | UT_PTE_U);
	sd_run(self->vcpu, guest_rights, 0, 0);
}

#define A_AND_D	(UT_PTE_A | UT_PTE_D)

static void guest_clear(u64 e, u64 bits, enum sd_flush how)
{
	guest_write64(e, guest_read64(e) & ~bits);
	sd_flush(how, SD_WINDOW);
}

/* Bits A and D of the leaf at @leaf and the A bits above it, cleared and flushed. */
static void guest_accessed_dirty(u64 leaf)
{
	u64 i, level;

	for (i = 0; i < 4 * SD_NFLUSHES; i++) {
		level = leaf + i % (5 - leaf);
		guest_clear(sd_entry[level], UT_PTE_A, i % SD_NFLUSHES);
		GUEST_ASSERT_EQ(guest_read64(sd_entry[level]) & UT_PTE_A, 0);
		guest_read64(SD_WINDOW);
		GUEST_ASSERT_EQ(guest_read64(sd_entry[level]) & UT_PTE_A, UT_PTE_A);

		guest_clear(sd_entry[leaf], A_AND_D, i % SD_NFLUSHES);
		guest_read64(SD_WINDOW);
		GUEST_ASSERT_EQ(guest_read64(sd_entry[leaf]) & A_AND_D, UT_PTE_A);
		guest_write64(SD_WINDOW + 8, i);
		GUEST_ASSERT_EQ(guest_read64(sd_entry[leaf]) & A_AND_D, A_AND_D);

		guest_clear(sd_entry[leaf], UT_PTE_D, i % SD_NFLUSHES);
		guest_write64(SD_WINDOW + 8, i);
		GUEST_ASSERT_EQ(guest_read64(sd_entry[leaf]) & A_AND_D, A_AND_D);

		/* Without a flush: set or not. A refused write sets nothing. */
		guest_write64(sd_entry[leaf], guest_read64(sd_entry[leaf]) & ~(A_AND_D | UT_PTE_W));
		sd_flush(i % SD_NFLUSHES, SD_WINDOW);
		GUEST_ASSERT_EQ(sd_write(SD_WINDOW + 8, i), WRITE_REFUSED);
		GUEST_ASSERT_EQ(guest_read64(sd_entry[leaf]) & UT_PTE_D, 0);
		guest_write64(sd_entry[leaf], guest_read64(sd_entry[leaf]) | UT_PTE_W);
	}
	guest_done();
}

static void accessed_dirty(struct _test_data_bits *self, u64 gpa, int level)
{
	sd_map_window(self->vm, gpa, level, UT_PTE_W);
	sd_run(self->vcpu, guest_accessed_dirty, level, 0);
}

TEST_F_TIMEOUT(bits, accessed_and_dirty, SLOW)
{
	accessed_dirty(self, FRAME(0), 1);
}

TEST_F_TIMEOUT(bits, accessed_and_dirty_huge, SLOW)
{
	sd_huge_slot(self->vm, UT_TEST_GPA, UT_HUGE_SIZE, MADV_HUGEPAGE);
	accessed_dirty(self, UT_TEST_GPA, 2);
}

TEST_F_TIMEOUT(bits, accessed_and_dirty_gigantic, SLOW)
{
	if (!sd_cpuid(self->vm, 0x80000001, offsetof(struct kvm_cpuid_entry2, edx), CPUID_1G_EDX))
		SKIP(return, "the guest has no pages of 1 GiB");
	sd_huge_slot(self->vm, UT_TEST_GPA, SD_GIGABYTE, MADV_NOHUGEPAGE);
	accessed_dirty(self, UT_TEST_GPA, 3);
}

TEST_HARNESS_MAIN
