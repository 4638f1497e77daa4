// SPDX-License-Identifier: GPL-2.0
/*
 * MMIO at the edges: over page borders, half in memory, writes to read-only
 * memory, instructions that no emulator does, instructions fetched from there.
 */
#include <kselftest_harness.h>
#include "umbra_util.h"

#define DEV	UT_MMIO_GPA
#define EDGE	(DEV + UT_PAGE_SIZE)

FIXTURE(edge) {
	struct ut_vcpu *vcpu;
	struct kvm_run *run;
};

FIXTURE_SETUP(edge)
{
	self->vcpu = ut_long_guest(guest_done);
	self->run = self->vcpu->run;
}

FIXTURE_TEARDOWN(edge)
{
	ut_vm_free(self->vcpu->vm);
}

static int next_mmio(struct ut_vcpu *vcpu, u64 gpa, u32 len, bool write)
{
	struct kvm_run *run = vcpu->run;

	if (ut_next(vcpu, NULL) != UT_EXIT || run->exit_reason != KVM_EXIT_MMIO)
		return 0;
	return run->mmio.phys_addr == gpa && run->mmio.len == len && run->mmio.is_write == write;
}

static void guest_cross(void)
{
	u64 v;

	asm volatile("movq (%1), %0" : "=r"(v) : "r"(EDGE - 3) : "memory");
	guest_sync_args(1, v, 0, 0);
	asm volatile("movl %k0, (%1)" : : "r"(0x11223344ul), "r"(EDGE - 1) : "memory");
	guest_sync(2);
	asm volatile("addw $0x0101, (%0)" : : "r"(EDGE - 1) : "memory", "cc");
	guest_done();
}

TEST_F(edge, page_crossing)
{
	struct ut_ucall uc;

	ut_restart(self->vcpu, guest_cross);
	ASSERT_TRUE(next_mmio(self->vcpu, EDGE - 3, 3, false));
	memcpy(self->run->mmio.data, "\x01\x02\x03", 3);
	ASSERT_TRUE(next_mmio(self->vcpu, EDGE, 5, false));
	memcpy(self->run->mmio.data, "\x04\x05\x06\x07\x08", 5);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &uc));
	ASSERT_EQ(0x0807060504030201ull, uc.arg[1]);
	ASSERT_TRUE(next_mmio(self->vcpu, EDGE - 1, 1, true));
	ASSERT_EQ(0x44, self->run->mmio.data[0]);
	ASSERT_TRUE(next_mmio(self->vcpu, EDGE, 3, true));
	ASSERT_EQ(0, memcmp(self->run->mmio.data, "\x33\x22\x11", 3));
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &uc));
	/* Read both halves, write both halves. */
	ASSERT_TRUE(next_mmio(self->vcpu, EDGE - 1, 1, false));
	self->run->mmio.data[0] = 0xff;
	ASSERT_TRUE(next_mmio(self->vcpu, EDGE, 1, false));
	self->run->mmio.data[0] = 0x10;
	ASSERT_TRUE(next_mmio(self->vcpu, EDGE - 1, 1, true));
	ASSERT_EQ(0x00, self->run->mmio.data[0]);
	ASSERT_TRUE(next_mmio(self->vcpu, EDGE, 1, true));
	ASSERT_EQ(0x12, self->run->mmio.data[0]);
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
}

#define HALF	0x7f0000001000ull	/* memory below, device above */

static void guest_half(void)
{
	u64 v;

	asm volatile("movl (%1), %k0" : "=r"(v) : "r"(HALF - 2) : "memory");
	guest_sync_args(1, (u32)v, 0, 0);
	asm volatile("movl %k0, (%1)" : : "r"(0xa1b2c3d4ul), "r"(HALF - 2) : "memory");
	guest_done();
}

TEST_F(edge, half_in_memory)
{
	struct ut_ucall uc;
	u16 *last;

	ut_map(self->vcpu->vm, HALF - UT_PAGE_SIZE, UT_FREE_GPA, 1, UT_PTE_W);
	ut_map(self->vcpu->vm, HALF, DEV, 1, UT_PTE_W);
	last = ut_hva(self->vcpu->vm, UT_FREE_GPA + UT_PAGE_SIZE - 2);
	*last = 0x5566;
	ut_restart(self->vcpu, guest_half);
	ASSERT_TRUE(next_mmio(self->vcpu, DEV, 2, false));
	memcpy(self->run->mmio.data, "\x33\x44", 2);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &uc));
	ASSERT_EQ(0x44335566, uc.arg[1]);
	ASSERT_TRUE(next_mmio(self->vcpu, DEV, 2, true));
	ASSERT_EQ(0, memcmp(self->run->mmio.data, "\xb2\xa1", 2));
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
	ASSERT_EQ(0xc3d4, *last);
}

static void guest_fault_behind(void)
{
	guest_catch(UT_PF_VECTOR);
	/* First byte on the device, the rest on no page: a fault, and no device access. */
	GUEST_ASSERT_EQ(guest_try("movabs $0x7f0000001fff, %%rax; movl $-1, (%%rax)"),
			UT_PF_VECTOR);
	GUEST_ASSERT_EQ(guest_read_cr(2), HALF + UT_PAGE_SIZE);
	GUEST_ASSERT_EQ(guest_caught_error(), 2);
	guest_done();
}

TEST_F(edge, second_page_faults)
{
	ut_map(self->vcpu->vm, HALF, DEV, 1, UT_PTE_W);
	ut_restart(self->vcpu, guest_fault_behind);
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
}

static void guest_read_only(void)
{
	guest_catch(UT_PF_VECTOR);
	GUEST_ASSERT_EQ(guest_try("movabs $0x7f0000001000, %%rax; movl $-1, (%%rax)"),
			UT_PF_VECTOR);
	GUEST_ASSERT_EQ(guest_caught_error(), 3);
	guest_done();
}

/* The guest's own tables come first: no write reaches a device they protect. */
TEST_F(edge, guest_tables_decide)
{
	ut_map(self->vcpu->vm, HALF, DEV, 1, 0);
	ut_restart(self->vcpu, guest_read_only);
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
}

static void guest_odd_instruction(void)
{
	/* AESENC: no device is ever read so. */
	asm volatile("aesenc (%0), %%xmm1" : : "r"(DEV) : "xmm1", "memory");
	guest_sync(1);
	guest_done();
}

TEST_F(edge, not_emulated)
{
	struct kvm_regs regs;
	u32 size;

	ut_restart(self->vcpu, guest_odd_instruction);
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_INTERNAL_ERROR, self->run->exit_reason);
	ASSERT_EQ(KVM_INTERNAL_ERROR_EMULATION, self->run->internal.suberror);
	ASSERT_LE(1, self->run->emulation_failure.ndata);
	ASSERT_EQ(KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES,
		  self->run->emulation_failure.flags);
	size = self->run->emulation_failure.insn_size;
	ASSERT_LE(5, size);
	ASSERT_GE(15, size);
	/* The bytes at RIP, which has not moved. */
	ut_get_regs(self->vcpu, &regs);
	ASSERT_EQ(0, memcmp(self->run->emulation_failure.insn_bytes,
			    ut_hva(self->vcpu->vm, regs.rip), size));
	ASSERT_EQ(0, memcmp(self->run->emulation_failure.insn_bytes, "\x66\x0f\x38\xdc", 4));
	/* The vCPU can be used on. */
	ut_set_events(self->vcpu, &(struct kvm_vcpu_events){ 0 });
	regs.rip += 5;
	ut_set_regs(self->vcpu, &regs);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
}

static void guest_jump_to_device(void)
{
	asm volatile("call *%0" : : "r"(DEV + 0x10) : "memory");
}

TEST_F(edge, fetch_from_device)
{
	struct kvm_regs regs;

	ut_restart(self->vcpu, guest_jump_to_device);
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_INTERNAL_ERROR, self->run->exit_reason);
	ASSERT_EQ(KVM_INTERNAL_ERROR_EMULATION, self->run->internal.suberror);
	ut_get_regs(self->vcpu, &regs);
	ASSERT_EQ(DEV + 0x10, regs.rip);
	/* Again and again: no progress, no harm. */
	ut_set_events(self->vcpu, &(struct kvm_vcpu_events){ 0 });
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_INTERNAL_ERROR, self->run->exit_reason);
}

static void guest_insn_over_pages(void)
{
	u64 v;

	asm volatile("call *%1" : "=a"(v) : "r"(HALF - 1), "D"(DEV) : "memory");
	GUEST_ASSERT_EQ((u32)v, 0x12345678);
	guest_done();
}

/* mov (%rdi), %eax; ret: one byte on each of two pages. */
TEST_F(edge, instruction_over_pages)
{
	u8 *code = ut_hva(self->vcpu->vm, UT_FREE_GPA + UT_PAGE_SIZE - 1);

	memcpy(code, "\x8b", 1);
	memcpy(ut_hva(self->vcpu->vm, UT_FREE_GPA + 5 * UT_PAGE_SIZE), "\x07\xc3", 2);
	ut_map(self->vcpu->vm, HALF - UT_PAGE_SIZE, UT_FREE_GPA, 1, UT_PTE_W);
	ut_map(self->vcpu->vm, HALF, UT_FREE_GPA + 5 * UT_PAGE_SIZE, 1, UT_PTE_W);
	ut_restart(self->vcpu, guest_insn_over_pages);
	ASSERT_TRUE(next_mmio(self->vcpu, DEV, 4, false));
	memcpy(self->run->mmio.data, "\x78\x56\x34\x12", 4);
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
}

UT_BLOB(mmio16, ".code16\n\tmov $0x9000, %ax\n\tmov %ax, %ds\n\tmov %al, 0x10\n\t"
	"mov 0x12, %bx\n\tmov %bx, %ax\n\tout %ax, $0x80\n\thlt");
UT_BLOB(mmio32, ".code32\n\tmov $0xd0000000, %esi\n\tmovl $0xcafe, 4(%esi)\n\t"
	"mov 8(%esi), %eax\n\tout %eax, $0x80\n\thlt");

/* Real mode: memory ends at 512 KiB here, segment 0x9000 is beyond. */
TEST(real_mode)
{
	struct ut_vcpu *vcpu = ut_blob_guest(UT_REAL, mmio16, UT_BLOB_LEN(mmio16));

	ut_del_slot(vcpu->vm, 0);
	ut_add_slot(vcpu->vm, 0, 0, 0x80000, 0);
	memcpy(ut_hva(vcpu->vm, UT_BLOB_GPA), mmio16, UT_BLOB_LEN(mmio16));
	ASSERT_TRUE(next_mmio(vcpu, 0x90010, 1, true));
	ASSERT_EQ(0, vcpu->run->mmio.data[0]);
	ASSERT_TRUE(next_mmio(vcpu, 0x90012, 2, false));
	memcpy(vcpu->run->mmio.data, "\xcd\xab", 2);
	ASSERT_EQ(UT_EXIT, ut_next(vcpu, NULL));
	ASSERT_EQ(0xabcd, *(u16 *)ut_io_data(vcpu));
	ut_vm_free(vcpu->vm);
}

TEST(protected_mode)
{
	struct ut_vcpu *vcpu = ut_blob_guest(UT_PROT32, mmio32, UT_BLOB_LEN(mmio32));

	ASSERT_TRUE(next_mmio(vcpu, DEV + 4, 4, true));
	ASSERT_EQ(0, memcmp(vcpu->run->mmio.data, "\xfe\xca\0\0", 4));
	ASSERT_TRUE(next_mmio(vcpu, DEV + 8, 4, false));
	memcpy(vcpu->run->mmio.data, "\x78\x56\x34\x12", 4);
	ASSERT_EQ(UT_EXIT, ut_next(vcpu, NULL));
	ASSERT_EQ(0x12345678, *(u32 *)ut_io_data(vcpu));
	ut_vm_free(vcpu->vm);
}

TEST_HARNESS_MAIN
