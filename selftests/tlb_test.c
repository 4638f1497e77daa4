// SPDX-License-Identifier: GPL-2.0
/*
 * What makes a change of a guest's page tables visible: each of the instructions that flush,
 * for each page size, and nothing at all where the processor needs nothing. After rights were
 * taken away without a flush either answer is allowed, and nothing but these two.
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
#define RSVD_REFUSED	SD_PF(SD_ERR_P | SD_ERR_RSVD)
#define CPUID_7_EBX_INVPCID	BIT_ULL(10)
#define CPUID_1_ECX_PCID	BIT_ULL(17)
#define CPUID_1G_EDX		BIT_ULL(26)

FIXTURE(tlb)
{
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
};

FIXTURE_SETUP(tlb)
{
	SD_START();
}

FIXTURE_TEARDOWN(tlb)
{
	ut_vm_free(self->vm);
}

static void guest_small(void)
{
	u64 i, offset;
	int how;

	for (how = 0; how < SD_NFLUSHES; how++) {
		for (i = 0; i < ROUNDS; i++) {
			/* INVLPG takes any address in the page. */
			offset = i * 61 % UT_PAGE_SIZE;
			guest_write64(sd_entry[1], FRAME(i) | SD_PTE_RW);
			sd_flush(how, SD_WINDOW + offset);
			GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(i));
			guest_write64(SD_WINDOW + 8, i + how);
			GUEST_ASSERT_EQ(guest_read64(FRAME(i) + 8), i + how);
		}
	}
	guest_done();
}

TEST_F_TIMEOUT(tlb, small_pages, SLOW)
{
	sd_map_window(self->vm, FRAME(0), 1, UT_PTE_W);
	sd_run(self->vcpu, guest_small, 0, 0);
}

/* Global pages survive CR3 writes or not; INVLPG and CR4.PGE remove them. */
static void guest_global(void)
{
	u64 i, v, cr4 = guest_read_cr(4) | SD_CR4_PGE;

	guest_write_cr4(cr4);
	for (i = 0; i < ROUNDS; i++) {
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(i));
		guest_write64(sd_entry[1], FRAME(i + 1) | SD_PTE_RW | SD_PTE_G);
		guest_write_cr3(guest_read_cr(3));
		v = guest_read64(SD_WINDOW);
		GUEST_ASSERT(v == VALUE(i) || v == VALUE(i + 1));
		if (i & 1)
			guest_invlpg(SD_WINDOW + i);
		else
			guest_write_cr4(cr4 ^ SD_CR4_PGE);
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(i + 1));
		guest_write_cr4(cr4);
	}
	guest_done();
}

TEST_F_TIMEOUT(tlb, global_pages, SLOW)
{
	sd_map_window(self->vm, FRAME(0), 1, UT_PTE_W | SD_PTE_G);
	sd_run(self->vcpu, guest_global, 0, 0);
}

/*
 * Two huge frames in turn. All of the page is in use before the flush, which names one
 * address of it; after it nothing may be left of the old frame.
 */
static void guest_look_huge(u64 h, u64 size)
{
	u64 i, step = size == UT_HUGE_SIZE ? UT_PAGE_SIZE : UT_HUGE_SIZE;

	for (i = 0; i < size / step; i += 3)
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW + i * step), SD_HUGE_VALUE(h, i));
}

static void guest_huge(u64 size, u64 level)
{
	u64 i, h, state = 3;

	for (i = 0; i < 2 * SD_NFLUSHES; i++) {
		h = i & 1;
		guest_write64(sd_entry[level], (UT_TEST_GPA + h * size) | SD_PTE_RW | UT_PTE_PS);
		sd_flush(i / 2, SD_WINDOW + sd_random(&state) % size);
		guest_look_huge(h, size);
		guest_write64(SD_WINDOW + 8, i);
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW + 8), i);
	}
	guest_done();
}

static void huge(struct _test_data_tlb *self, u64 size, int level, int advice)
{
	void *hva = sd_huge_slot(self->vm, UT_TEST_GPA, size, advice);

	sd_map_window(self->vm, UT_TEST_GPA, level, UT_PTE_W);
	sd_run(self->vcpu, guest_huge, size, level);
	munmap(hva, 2 * size);
}

TEST_F_TIMEOUT(tlb, huge_page_on_huge_memory, SLOW)
{
	huge(self, UT_HUGE_SIZE, 2, MADV_HUGEPAGE);
}

/* One entry of the guest, one small mapping for each of the host's pages. */
TEST_F_TIMEOUT(tlb, huge_page_on_small_memory, SLOW)
{
	huge(self, UT_HUGE_SIZE, 2, MADV_NOHUGEPAGE);
}

TEST_F_TIMEOUT(tlb, gigantic_page, SLOW)
{
	if (!sd_cpuid(self->vm, 0x80000001, offsetof(struct kvm_cpuid_entry2, edx), CPUID_1G_EDX))
		SKIP(return, "the guest has no pages of 1 GiB");
	huge(self, SD_GIGABYTE, 3, MADV_NOHUGEPAGE);
}

/* From a huge page to a table of small ones and back, with other frames. */
static void guest_split(void)
{
	u64 i, h, pde = guest_read64(sd_entry[2]), table = sd_entry[1] & UT_PTE_ADDR;

	for (i = 0; i < 4 * SD_NFLUSHES; i++) {
		h = i & 1;
		guest_write64(sd_entry[2],
			      (UT_TEST_GPA + h * UT_HUGE_SIZE) | SD_PTE_RW | UT_PTE_PS);
		sd_flush(i % SD_NFLUSHES, SD_WINDOW + 5 * UT_PAGE_SIZE);
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW + 5 * UT_PAGE_SIZE), SD_HUGE_VALUE(h, 5));
		/* INVLPG owes no more than that: the others were small pages. */
		sd_flush(SD_BY_CR3, 0);
		guest_look_huge(h, UT_HUGE_SIZE);
		guest_write64(table + 5 * 8, FRAME(i) | SD_PTE_RW);
		guest_write64(sd_entry[2], pde);
		sd_flush(i % SD_NFLUSHES, SD_WINDOW + 5 * UT_PAGE_SIZE);
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW + 5 * UT_PAGE_SIZE), VALUE(i));
		sd_flush(SD_BY_CR3, 0);
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(0));
		GUEST_ASSERT_EQ(sd_read(SD_WINDOW + UT_PAGE_SIZE, NULL), SD_PF(0));
	}
	guest_done();
}

TEST_F_TIMEOUT(tlb, huge_page_split_and_joined, SLOW)
{
	void *hva = sd_huge_slot(self->vm, UT_TEST_GPA, UT_HUGE_SIZE, MADV_HUGEPAGE);

	sd_map_window(self->vm, FRAME(0), 1, UT_PTE_W);
	sd_run(self->vcpu, guest_split, 0, 0);
	munmap(hva, 2 * UT_HUGE_SIZE);
}

static void guest_wp(void)
{
	u64 i, cr0 = guest_read_cr(0);

	for (i = 0; i < ROUNDS; i++) {
		GUEST_ASSERT_EQ(sd_write(SD_WINDOW + 8, i), WRITE_REFUSED);
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(0));
		guest_write_cr0(cr0 & ~SD_CR0_WP);
		GUEST_ASSERT_EQ(sd_write(SD_WINDOW + 8, i), 0);
		guest_write_cr0(cr0);
		GUEST_ASSERT_EQ(sd_write(SD_WINDOW + 8, ~i), WRITE_REFUSED);
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW + 8), i);
	}
	guest_done();
}

TEST_F_TIMEOUT(tlb, cr0_wp, SLOW)
{
	sd_map_window(self->vm, FRAME(0), 1, 0);
	sd_run(self->vcpu, guest_wp, 0, 0);
}

/* @lacking: what a fault for reserved bits may be without. */
static void guest_nxe(u64 lacking)
{
	u64 i, efer = guest_rdmsr(SD_EFER);

	for (i = 0; i < ROUNDS; i++) {
		GUEST_ASSERT_EQ(sd_exec(SD_WINDOW), EXEC_REFUSED);
		GUEST_ASSERT_EQ(sd_write(SD_WINDOW + 8, i), 0);
		/* Now the bit is reserved, and an instruction fetch nothing special. */
		guest_wrmsr(SD_EFER, efer & ~SD_EFER_NX);
		sd_flush(i & 1 ? SD_BY_CR3 : SD_BY_PGE, SD_WINDOW);
		GUEST_ASSERT_EQ(sd_read(SD_WINDOW, NULL) | lacking, RSVD_REFUSED);
		GUEST_ASSERT_EQ(sd_exec(SD_WINDOW) | lacking, RSVD_REFUSED);
		guest_write64(sd_entry[1], FRAME(0) | SD_PTE_RW);
		guest_invlpg(SD_WINDOW);
		GUEST_ASSERT_EQ(sd_exec(SD_WINDOW), 0);
		guest_wrmsr(SD_EFER, efer);
		guest_write64(sd_entry[1], FRAME(0) | SD_PTE_RW | UT_PTE_NX);
		sd_flush(i & 1 ? SD_BY_INVLPG : SD_BY_CR3, SD_WINDOW);
	}
	guest_done();
}

TEST_F_TIMEOUT(tlb, efer_nxe, SLOW)
{
	if (!ut_on_umbra() && ut_shadowed())
		SKIP(return, "KVM's shadows are the same for EFER.NXE 0 and 1");
	sd_map_window(self->vm, FRAME(0), 1, UT_PTE_W | UT_PTE_NX);
	/* QEMU's processor forgets that the page is present. */
	sd_run(self->vcpu, guest_nxe, ut_shadowed() ? 0 : SD_PF(SD_ERR_P), 0);
}

static void guest_invpcid(u64 type, u64 pcid, u64 gva)
{
	u64 desc[2] = { pcid, gva };

	asm volatile("invpcid %0, %1" : : "m"(desc), "r"(type) : "memory");
}

/* Types: one address, one PCID, all with globals, all without. */
static void guest_invpcids(void)
{
	u64 i;

	for (i = 0; i < ROUNDS; i++) {
		guest_write64(sd_entry[1], FRAME(i) | SD_PTE_RW);
		guest_invpcid(i % 4, 0, SD_WINDOW + i);
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(i));
	}
	guest_done();
}

TEST_F_TIMEOUT(tlb, invpcid, SLOW)
{
	if (!sd_cpuid(self->vm, 7, offsetof(struct kvm_cpuid_entry2, ebx), CPUID_7_EBX_INVPCID))
		SKIP(return, "the guest has no INVPCID");
	sd_map_window(self->vm, FRAME(0), 1, UT_PTE_W);
	sd_run(self->vcpu, guest_invpcids, 0, 0);
}

static void guest_pcids(void)
{
	u64 i, own = guest_read_cr(3);

	guest_write_cr4(guest_read_cr(4) | SD_CR4_PCIDE);
	for (i = 0; i < ROUNDS; i++) {
		/* Another PCID, with the promise not to flush: nothing of it is in use. */
		guest_write_cr3(own | (i % 7 + 1) | BIT_ULL(63));
		GUEST_ASSERT_EQ(guest_read_cr(3), own | (i % 7 + 1));
		guest_write64(sd_entry[1], FRAME(i) | SD_PTE_RW);
		guest_invlpg(SD_WINDOW);
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(i));
		/* Without the promise the PCID is clean. */
		guest_write64(sd_entry[1], FRAME(i + 1) | SD_PTE_RW);
		guest_write_cr3(own | (i % 5 + 1));
		GUEST_ASSERT_EQ(guest_read64(SD_WINDOW), VALUE(i + 1));
	}
	guest_done();
}

TEST_F_TIMEOUT(tlb, pcid, SLOW)
{
	if (!sd_cpuid(self->vm, 1, offsetof(struct kvm_cpuid_entry2, ecx), CPUID_1_ECX_PCID))
		SKIP(return, "the guest has no PCID");
	sd_map_window(self->vm, FRAME(0), 1, UT_PTE_W);
	sd_run(self->vcpu, guest_pcids, 0, 0);
}

/* Identity below 2 MiB with paging off and on; while it is off, page 0x10 moves on by one. */
UT_BLOB(paging_toggle, ".code32\n\t"
	"movl $0x1000, %eax\n\t movl %eax, %cr3\n\t"
	"movl $0x20003, %ebx\n"
	"1:\tmovl %ebx, 0x2040\n\t addl $0x1000, %ebx\n\t"
	"movl %cr0, %eax\n\t orl $0x80010000, %eax\n\t movl %eax, %cr0\n\t"
	"movl 0x10000, %eax\n\t outl %eax, $0x10\n\t"
	"movl %cr0, %eax\n\t andl $0x7fffffff, %eax\n\t movl %eax, %cr0\n\t"
	"movl 0x10000, %eax\n\t outl %eax, $0x11\n\t"
	"jmp 1b");

static u32 next_word(struct ut_vcpu *vcpu, u16 port)
{
	if (ut_run(vcpu) || vcpu->run->exit_reason != KVM_EXIT_IO || vcpu->run->io.port != port)
		ut_die("exit %s", ut_exit_name(vcpu->run->exit_reason));
	return *(u32 *)ut_io_data(vcpu);
}

/* CR0.PG in 32-bit code, two levels: paging on starts from a clean TLB. */
TEST(cr0_pg)
{
	struct ut_vcpu *vcpu = ut_blob_guest(UT_PROT32, paging_toggle, UT_BLOB_LEN(paging_toggle));
	u32 *mem = ut_hva(vcpu->vm, 0), i;

	mem[0x1000 / 4] = 0x2000 | SD_PTE_RW;
	for (i = 0; i < 512; i++)
		mem[0x2000 / 4 + i] = i << 12 | SD_PTE_RW;
	mem[0x10000 / 4] = 0x1234;
	for (i = 0; i < ROUNDS; i++)
		mem[(0x20000 + i * 0x1000) / 4] = 0x5000 + i;
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0x5000 + i, next_word(vcpu, 0x10));
		ASSERT_EQ(0x1234, next_word(vcpu, 0x11));
	}
	ut_vm_free(vcpu->vm);
}

TEST_HARNESS_MAIN
