// SPDX-License-Identifier: GPL-2.0
/*
 * Read-only slots: reading and executing work without exits, each write leaves
 * as MMIO with the right address, size and data, and never reaches memory.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <kselftest_harness.h>
#include "worker.h"

#define SIZE		UT_HUGE_SIZE
#define NPAGES		UT_HUGE_PAGES
#define PATTERN		0x4242000000000000ull
#define SLOT		1

FIXTURE(rom)
{
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
	char *hva;
};

FIXTURE_SETUP(rom)
{
	uint64_t i;

	self->vm = ut_vm_long();
	if (!ut_cap(self->vm->fd, KVM_CAP_READONLY_MEM))
		SKIP(_exit(UT_SKIPPED), "no read-only slots");
	self->vcpu = ut_worker(self->vm, 0);
	self->hva = ut_mmap(SIZE, UT_HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);
	for (i = 0; i < NPAGES; i++)
		*(uint64_t *)(self->hva + i * UT_PAGE_SIZE) = PATTERN + i;
	ut_map_identity(self->vm, UT_TEST_GPA, SIZE);
	ut_add_slot_hva(self->vm, SLOT, UT_TEST_GPA, SIZE, self->hva, KVM_MEM_READONLY);
}

FIXTURE_TEARDOWN(rom)
{
	ut_vm_free(self->vm);
}

/* The slot still holds what the setup wrote? */
static bool unchanged(struct _test_data_rom *self)
{
	uint64_t i, bad = 0;

	for (i = 0; i < NPAGES; i++)
		bad += *(uint64_t *)(self->hva + i * UT_PAGE_SIZE) != PATTERN + i;
	return !bad;
}

TEST_F(rom, reads)
{
	ASSERT_EQ(0, ut_check(self->vcpu, UT_TEST_GPA, NPAGES, PATTERN));
	*(uint64_t *)self->hva = 77;
	ASSERT_EQ(1, ut_check(self->vcpu, UT_TEST_GPA, NPAGES, PATTERN));
	ASSERT_EQ(0, madvise(self->hva, SIZE, MADV_DONTNEED));
	ASSERT_EQ(0, ut_check_zero(self->vcpu, UT_TEST_GPA, NPAGES));
}

/* Memory that the caller itself may only read, as a mapped firmware file is. */
TEST_F(rom, of_read_only_memory)
{
	struct kvm_run *run = self->vcpu->run;

	ASSERT_EQ(0, mprotect(self->hva, SIZE, PROT_READ));
	ASSERT_EQ(0, ut_check(self->vcpu, UT_TEST_GPA, NPAGES, PATTERN));
	ut_restart(self->vcpu, guest_write64);
	ut_set_args(self->vcpu, UT_TEST_GPA + 8, 0x1122334455667788ull);
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_MMIO, run->exit_reason);
	ASSERT_TRUE(unchanged(self));
}

static void guest_writes(uint64_t gva)
{
	guest_write8(gva + 1, 0x11);
	asm volatile("movw %w0, (%1)" : : "r"(0x2222), "r"(gva + 2) : "memory");
	guest_write32(gva + 4, 0x44444444);
	guest_write64(gva + 8, 0x8877665544332211ull);
	/* Read and write in one; the read is of memory. */
	asm volatile("addl $1, (%0)" : : "r"(gva) : "memory", "cc");
	asm volatile("lock orb $0x80, (%0)" : : "r"(gva) : "memory", "cc");
	guest_write64(gva + SIZE - 8, 5);
	GUEST_ASSERT_EQ(guest_read64(gva), PATTERN);
	guest_done();
}

static const struct {
	uint64_t offset;
	uint32_t len;
	uint64_t data;
} expected_writes[] = {
	{ 1, 1, 0x11 },
	{ 2, 2, 0x2222 },
	{ 4, 4, 0x44444444 },
	{ 8, 8, 0x8877665544332211ull },
	{ 0, 4, (uint32_t)PATTERN + 1 },
	{ 0, 1, 0x80 | (uint8_t)PATTERN },
	{ SIZE - 8, 8, 5 },
};

TEST_F(rom, writes_leave_as_mmio)
{
	struct kvm_run *run = self->vcpu->run;
	size_t i, n = sizeof(expected_writes) / sizeof(expected_writes[0]);
	uint64_t data;

	/* Reading gives a mapping, which writing must not be able to use. */
	ASSERT_EQ(0, ut_check(self->vcpu, UT_TEST_GPA, NPAGES, PATTERN));
	ut_restart(self->vcpu, guest_writes);
	ut_set_args(self->vcpu, UT_TEST_GPA, 0);
	for (i = 0; i < n; i++) {
		ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL)) {
			TH_LOG("write %zu", i);
		}
		ASSERT_EQ(KVM_EXIT_MMIO, run->exit_reason);
		ASSERT_EQ(1, run->mmio.is_write);
		ASSERT_EQ(UT_TEST_GPA + expected_writes[i].offset, run->mmio.phys_addr);
		ASSERT_EQ(expected_writes[i].len, run->mmio.len);
		data = 0;
		memcpy(&data, run->mmio.data, run->mmio.len);
		ASSERT_EQ(expected_writes[i].data, data);
		ASSERT_TRUE(unchanged(self));
	}
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
	ASSERT_TRUE(unchanged(self));
}

static void guest_string(uint64_t to, uint64_t from)
{
	uint64_t count = 24;

	asm volatile("cld; rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
	guest_sync_args(1, to, from, count);
}

/* A string instruction into the slot: every byte leaves, once, in order. */
TEST_F(rom, string_write)
{
	struct kvm_run *run = self->vcpu->run;
	uint8_t *from = ut_hva(self->vm, UT_FREE_GPA), seen[24] = "";
	struct ut_ucall uc;
	uint64_t i, off, pos = 0;

	for (i = 0; i < 24; i++)
		from[i] = i + 100;
	ASSERT_EQ(0, ut_check(self->vcpu, UT_TEST_GPA, NPAGES, PATTERN));
	ut_restart(self->vcpu, guest_string);
	ut_set_args(self->vcpu, UT_TEST_GPA + UT_PAGE_SIZE - 12, UT_FREE_GPA);
	while (ut_next(self->vcpu, &uc) == UT_EXIT) {
		ASSERT_EQ(KVM_EXIT_MMIO, run->exit_reason);
		ASSERT_EQ(1, run->mmio.is_write);
		off = run->mmio.phys_addr - (UT_TEST_GPA + UT_PAGE_SIZE - 12);
		ASSERT_EQ(pos, off);
		ASSERT_GE(sizeof(seen), off + run->mmio.len);
		memcpy(seen + off, run->mmio.data, run->mmio.len);
		pos += run->mmio.len;
	}
	ASSERT_EQ(24, pos);
	ASSERT_EQ(0, memcmp(seen, from, sizeof(seen)));
	ASSERT_EQ(UT_TEST_GPA + UT_PAGE_SIZE + 12, uc.arg[1]);
	ASSERT_EQ(UT_FREE_GPA + 24, uc.arg[2]);
	ASSERT_EQ(0, uc.arg[3]);
	ASSERT_TRUE(unchanged(self));
}

static void guest_call(uint64_t fn)
{
	uint64_t v;

	asm volatile("call *%1" : "=a"(v) : "r"(fn) : "memory", "rcx");
	guest_sync_args(1, v, 0, 0);
}

/* mov $0x1234567, %eax; mov 1(%rip), %cl; ret; data: code that reads itself */
static const uint8_t rom_code[] = {
	0xb8, 0x67, 0x45, 0x23, 0x01, 0x8a, 0x0d, 0x01, 0, 0, 0, 0xc3, 0x99,
};

TEST_F(rom, execution)
{
	uint64_t at = 5 * UT_PAGE_SIZE - 6;
	struct ut_ucall uc;

	/* Across two pages of the slot. */
	memcpy(self->hva + at, rom_code, sizeof(rom_code));
	ut_restart(self->vcpu, guest_call);
	ut_set_args(self->vcpu, UT_TEST_GPA + at, 0);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &uc));
	ASSERT_EQ(0x1234567, uc.arg[1]);
}

/* A second slot on the same memory may be writable. */
TEST_F(rom, writable_alias)
{
	uint64_t alias = UT_TEST_GPA + 0x10000000ull;

	ut_map_identity(self->vm, alias, SIZE);
	ut_add_slot_hva(self->vm, SLOT + 1, alias, SIZE, self->hva, 0);
	ASSERT_EQ(0, ut_fill(self->vcpu, alias, NPAGES, ~PATTERN));
	ASSERT_EQ(0, ut_check(self->vcpu, UT_TEST_GPA, NPAGES, ~PATTERN));
	ut_restart(self->vcpu, guest_write64);
	ut_set_args(self->vcpu, UT_TEST_GPA, 1);
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_MMIO, self->vcpu->run->exit_reason);
	ASSERT_EQ(~PATTERN, *(uint64_t *)self->hva);
}

/* A slot is made anew to change the flag; a plain change is refused, as KVM does. */
TEST_F(rom, made_writable)
{
	ASSERT_EQ(0, ut_check(self->vcpu, UT_TEST_GPA, NPAGES, PATTERN));
	ASSERT_EQ(-EINVAL, ut_set_region(self->vm, SLOT, UT_TEST_GPA, SIZE, self->hva, 0));
	ASSERT_EQ(0, ut_set_region(self->vm, SLOT, UT_TEST_GPA, 0, self->hva, 0));
	ASSERT_EQ(0, ut_set_region(self->vm, SLOT, UT_TEST_GPA, SIZE, self->hva, 0));
	ASSERT_EQ(0, ut_fill(self->vcpu, UT_TEST_GPA, NPAGES, ~PATTERN));
	ASSERT_EQ(~PATTERN, *(uint64_t *)self->hva);
	ASSERT_EQ(0, ut_set_region(self->vm, SLOT, UT_TEST_GPA, 0, self->hva, 0));
	ASSERT_EQ(0, ut_set_region(self->vm, SLOT, UT_TEST_GPA, SIZE, self->hva,
				   KVM_MEM_READONLY));
	ASSERT_EQ(0, ut_check(self->vcpu, UT_TEST_GPA, NPAGES, ~PATTERN));
	ut_restart(self->vcpu, guest_write64);
	ut_set_args(self->vcpu, UT_TEST_GPA, 1);
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_MMIO, self->vcpu->run->exit_reason);
	ASSERT_EQ(~PATTERN, *(uint64_t *)self->hva);
}

/* Read-only and logged: writes change nothing, so nothing is dirty. */
TEST_F(rom, with_a_dirty_log)
{
	uint64_t bitmap[NPAGES / 64], i;
	struct kvm_dirty_log log = { .slot = SLOT, .dirty_bitmap = bitmap };

	ASSERT_EQ(0, ut_set_region(self->vm, SLOT, UT_TEST_GPA, SIZE, self->hva,
				   KVM_MEM_READONLY | KVM_MEM_LOG_DIRTY_PAGES));
	ASSERT_EQ(0, ut_check(self->vcpu, UT_TEST_GPA, NPAGES, PATTERN));
	ut_restart(self->vcpu, guest_write64);
	ut_set_args(self->vcpu, UT_TEST_GPA, 1);
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_MMIO, self->vcpu->run->exit_reason);
	memset(bitmap, 0xff, sizeof(bitmap));
	ASSERT_EQ(0, ut_ioctl(self->vm->fd, KVM_GET_DIRTY_LOG, &log));
	for (i = 0; i < NPAGES / 64; i++)
		ASSERT_EQ(0, bitmap[i]);
}

TEST_HARNESS_MAIN
