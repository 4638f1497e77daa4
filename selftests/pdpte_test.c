// SPDX-License-Identifier: GPL-2.0
/*
 * When the four PDPTEs of PAE paging are loaded: by which register writes, with which checks.
 * A processor that walks with nested tables may read them in every walk. On AMD-V it does, on
 * VT-x it does not; a hypervisor that translates guest tables itself owes the guest loaded ones.
 */
#include <string.h>
#include <kselftest_harness.h>
#include "shootdown.h"

/* Map of the 2 MiB of the guest; address 1 GiB is under test, by PDPTE 1. */
#define PDPT		0x1000
#define PD_LOW		0x2000	/* the first 2 MiB, at their own address */
#define PD_A		0x3000
#define PD_B		0x4000
#define PT_A		0x5000
#define PT_B		0x6000
#define IDT		0x7000
#define GDT		0x7800
#define CODE		0x8000	/* UT_BLOB_GPA, for the assembler */
#define FRAME_A		0x10000
#define FRAME_B		0x11000
#define OTHER_PDPT	0x12fe0	/* the last one in its page */
#define VALUE_A		0xaaaa0001u
#define VALUE_B		0xbbbb0002u
#define TEXT(x)		#x
#define NUMBER(x)	TEXT(x)
#define PDPTE1_IS(pd)	"movl $" NUMBER(pd) " + 1, " NUMBER(PDPT) " + 8\n\t"
#define LOAD_CR3	"movl $" NUMBER(PDPT) ", %eax\n\tmovl %eax, %cr3\n\t"
#define TELL		"outl %eax, $0x10\n\t"
#define LOOK		"movl 0x40000000, %eax\n\t" TELL
#define ENABLE								\
	"movl %cr4, %eax\n\t orl $0x20, %eax\n\t movl %eax, %cr4\n\t"	\
	LOAD_CR3							\
	"movl %cr0, %eax\n\t orl $0x80010000, %eax\n\t movl %eax, %cr0\n\t"
#define FLIP_CR0(bits)							\
	"movl %cr0, %eax\n\t xorl $" bits ", %eax\n\t movl %eax, %cr0\n\t"
#define FLIP_CR4(bits)							\
	"movl %cr4, %eax\n\t xorl $" bits ", %eax\n\t movl %eax, %cr4\n\t"

UT_BLOB(pae_loads, ".code32\n\t"
	ENABLE LOOK
	/* In memory only, then loaded by CR3. */
	PDPTE1_IS(PD_B) LOOK
	LOAD_CR3 LOOK
	/* Paging off and on, CR4.PGE, CR0.CD. */
	PDPTE1_IS(PD_A) FLIP_CR0("0x80000000") FLIP_CR0("0x80000000") LOOK
	PDPTE1_IS(PD_B) FLIP_CR4("0x80") LOOK
	/* CD flushes nothing: look where nobody has been. */
	PDPTE1_IS(PD_A) FLIP_CR0("0x40000000")
	"movl 0x40200000, %eax\n\t" TELL
	FLIP_CR0("0x40000000")
	LOAD_CR3 LOOK
	/* Bits that do not load: MP, TSD. */
	PDPTE1_IS(PD_B) FLIP_CR0("0x2") FLIP_CR4("0x4") LOOK
	LOAD_CR3 LOOK
	"hlt");

/* ESI: where a fault goes on. What was tried says 0 or the fault. */
#define ON_FAULT(label)	\
	"movl $" label " - pae_faults + " NUMBER(CODE) ", %esi\n\t"

UT_BLOB(pae_faults, ".code32\n\t"
	ENABLE
	/* ECX:EBX: what the test puts into PDPTE 1. */
	"1:\t" LOOK
	"movl %ebx, " NUMBER(PDPT) " + 8\n\t"
	"movl %ecx, " NUMBER(PDPT) " + 12\n\t"
	ON_FAULT("pae_faults_load") LOAD_CR3 "xorl %eax, %eax\n"
	"pae_faults_load:\n\t" TELL
	ON_FAULT("pae_faults_read") "movl 0x40000000, %edx\n\t xorl %eax, %eax\n"
	"pae_faults_read:\n\t" TELL
	PDPTE1_IS(PD_A)
	"movl $0, " NUMBER(PDPT) " + 12\n\t"
	LOAD_CR3
	"jmp 1b\n\t"
	/* Handlers: vector and error code to EAX. */
	".balign 64\n\t"
	"popl %eax\n\t shll $8, %eax\n\t orl $13, %eax\n\t jmp 2f\n\t"
	".balign 64\n\t"
	"popl %eax\n\t shll $8, %eax\n\t orl $14, %eax\n"
	"2:\tmovl %esi, (%esp)\n\t iretl\n\t"
	".balign 64");

/* The handlers are the last two pieces of 64 bytes. */
#define GP_HANDLER	(CODE + UT_BLOB_LEN(pae_faults) - 128)
#define PF_HANDLER	(CODE + UT_BLOB_LEN(pae_faults) - 64)

UT_BLOB(pae_switch, ".code32\n\t"
	ENABLE
	"1:\tmovl $" NUMBER(OTHER_PDPT) ", %eax\n\tmovl %eax, %cr3\n\t" LOOK
	LOAD_CR3 LOOK
	"jmp 1b");

UT_BLOB(pae_look, ".code32\n\t" ENABLE "1:\t" LOOK "jmp 1b");

FIXTURE(pdpte)
{
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
	u64 *mem;
};

static void put(struct _test_data_pdpte *self, u64 gpa, u64 value)
{
	self->mem[gpa / 8] = value;
}

static void gate(struct _test_data_pdpte *self, int vector, u64 to)
{
	put(self, IDT + vector * 8, (to & 0xffff) | UT_SEL_CODE64 << 16 | 0x8e00ull << 32);
}

static void start(struct _test_data_pdpte *self, const void *code, size_t len)
{
	struct kvm_sregs sregs;

	self->vcpu = ut_blob_guest(UT_PROT32, code, len);
	self->vm = self->vcpu->vm;
	self->mem = ut_hva(self->vm, 0);
	put(self, PDPT, PD_LOW | UT_PTE_P);
	put(self, PDPT + 8, PD_A | UT_PTE_P);
	put(self, OTHER_PDPT, PD_LOW | UT_PTE_P);
	put(self, OTHER_PDPT + 8, PD_B | UT_PTE_P);
	put(self, PD_LOW, SD_PTE_RW | UT_PTE_PS);
	put(self, PD_A, PT_A | SD_PTE_RW);
	put(self, PD_A + 8, PT_A | SD_PTE_RW);
	put(self, PD_B, PT_B | SD_PTE_RW);
	put(self, PD_B + 8, PT_B | SD_PTE_RW);
	put(self, PT_A, FRAME_A | SD_PTE_RW);
	put(self, PT_B, FRAME_B | SD_PTE_RW);
	put(self, FRAME_A, VALUE_A);
	put(self, FRAME_B, VALUE_B);
	put(self, GDT + UT_SEL_CODE64, 0x00cf9b000000ffffull);
	put(self, GDT + UT_SEL_DATA, 0x00cf93000000ffffull);
	ut_get_sregs(self->vcpu, &sregs);
	sregs.gdt.base = GDT;
	sregs.gdt.limit = 0x17;
	sregs.idt.base = IDT;
	sregs.idt.limit = 0xff;
	ut_set_sregs(self->vcpu, &sregs);
}

FIXTURE_SETUP(pdpte)
{
}

FIXTURE_TEARDOWN(pdpte)
{
	ut_vm_free(self->vm);
}

/* Run to the guest's next word. */
static u32 next(struct _test_data_pdpte *self)
{
	struct kvm_run *run = self->vcpu->run;

	if (ut_run(self->vcpu) || run->exit_reason != KVM_EXIT_IO)
		ut_die("exit %s, word %#llx", ut_exit_name(run->exit_reason),
		       (unsigned long long)run->internal.suberror);
	return *(u32 *)ut_io_data(self->vcpu);
}

/* PDPTEs count as they were when CR3 was last written, and are checked then. */
static bool loads_pdptes(void)
{
	return ut_shadowed() || ut_on_vmx();
}

TEST_F(pdpte, loaded_by)
{
	bool loaded = loads_pdptes();
	u32 v;

	if (!loaded && !ut_on_umbra())
		SKIP(return, "KVM refuses the accessed bit that QEMU's processor sets in PDPTEs");
	start(self, pae_loads, UT_BLOB_LEN(pae_loads));
	ASSERT_EQ(VALUE_A, next(self));
	v = next(self);
	ASSERT_TRUE(v == VALUE_A || (!loaded && v == VALUE_B)) {
		TH_LOG("%#x after a change in memory", v);
	}
	ASSERT_EQ(VALUE_B, next(self));
	ASSERT_EQ(VALUE_A, next(self));
	ASSERT_EQ(VALUE_B, next(self));
	ASSERT_EQ(VALUE_A, next(self));
	ASSERT_EQ(VALUE_A, next(self));
	v = next(self);
	ASSERT_TRUE(v == VALUE_A || (!loaded && v == VALUE_B)) {
		TH_LOG("%#x after writes that load nothing", v);
	}
	ASSERT_EQ(VALUE_B, next(self));
	ASSERT_EQ(0, ut_run(self->vcpu));
	ASSERT_EQ(KVM_EXIT_HLT, self->vcpu->run->exit_reason);
}

#define GP	13u
#define PF(err)	(14u | (err) << 8)

/* What a CR3 write with @pdpte as PDPTE 1 and the access by it come to. */
static void load(struct _test_data_pdpte *self, u64 pdpte, u32 *write, u32 *access)
{
	struct kvm_regs regs;

	if (next(self) != VALUE_A)
		ut_die("the guest is out of step");
	ut_get_regs(self->vcpu, &regs);
	regs.rbx = (u32)pdpte;
	regs.rcx = pdpte >> 32;
	ut_set_regs(self->vcpu, &regs);
	*write = next(self);
	*access = next(self);
}

TEST_F(pdpte, reserved_bits)
{
	static const u64 reserved[] = {
		UT_PTE_W, UT_PTE_U, BIT_ULL(6), UT_PTE_PS, BIT_ULL(8), BIT_ULL(51), BIT_ULL(62),
		UT_PTE_NX,
	};
	u32 write, access;
	size_t i;

	start(self, pae_faults, UT_BLOB_LEN(pae_faults));
	gate(self, UT_GP_VECTOR, GP_HANDLER);
	gate(self, UT_PF_VECTOR, PF_HANDLER);
	load(self, PD_B | UT_PTE_P, &write, &access);
	ASSERT_EQ(0, write);
	ASSERT_EQ(0, access);
	for (i = 0; i < ARRAY_SIZE(reserved); i++) {
		load(self, PD_B | UT_PTE_P | reserved[i], &write, &access);
		/* Refused, and what was loaded before still counts. */
		ASSERT_TRUE(write == GP || (!write && !loads_pdptes()));
		/* Or nobody looks before the access does, if then; QEMU leaves out bit P. */
		ASSERT_TRUE(!access || (!write && (access | PF(1)) == PF(9))) {
			TH_LOG("bits %#lx: write %#x, access %#x", reserved[i], write, access);
		}
		/* Not present: the rest is ignored, and an access is a plain fault. */
		load(self, PD_B | reserved[i], &write, &access);
		ASSERT_EQ(0, write);
		ASSERT_EQ(PF(0), access);
	}
}

/* Tables of 32 bytes, anywhere in a page. */
TEST_F(pdpte, many_switches)
{
	int i;

	start(self, pae_switch, UT_BLOB_LEN(pae_switch));
	for (i = 0; i < 200; i++) {
		/* Frame A and B in turn; their contents change from outside. */
		ASSERT_EQ(VALUE_B + i, next(self));
		ASSERT_EQ(VALUE_A + i, next(self));
		put(self, FRAME_A, VALUE_A + i + 1);
		put(self, FRAME_B, VALUE_B + i + 1);
	}
}

/* What user space sets counts as well, the same value after a change in memory too. */
TEST_F(pdpte, set_by_user_space)
{
	struct kvm_sregs sregs;
	int i;

	start(self, pae_look, UT_BLOB_LEN(pae_look));
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(VALUE_A, next(self));
		ut_get_sregs(self->vcpu, &sregs);
		sregs.cr3 = OTHER_PDPT;
		ut_set_sregs(self->vcpu, &sregs);
		ASSERT_EQ(VALUE_B, next(self));
		put(self, OTHER_PDPT + 8, PD_A | UT_PTE_P);
		ut_set_sregs(self->vcpu, &sregs);
		ASSERT_EQ(VALUE_A, next(self));
		put(self, OTHER_PDPT + 8, PD_B | UT_PTE_P);
		sregs.cr3 = PDPT;
		ut_set_sregs(self->vcpu, &sregs);
	}
}

TEST_HARNESS_MAIN
