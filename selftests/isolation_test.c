// SPDX-License-Identifier: GPL-2.0
/*
 * A guest that tries to reach what it was not given: every address outside its
 * slots, every I/O port, the processor's virtualization. Each attempt must end
 * in an exit or in the guest's own fault, and nothing around the slots' memory
 * may ever change. "Hiding the monitor", tested from inside.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <kselftest_harness.h>
#include "worker.h"

#define NPAGES		16
#define SIZE		(NPAGES * UT_PAGE_SIZE)
#define CANARY		0xc5
#define SECRET		0x5ec2e75ec2e75ec2ull
#define ANSWER		0xa5a5a5a5a5a5a5a5ull
#define PROBE_GVA	0x600000000000ull
#define MAX_PROBES	128
#define EFER_MSR	0xc0000080
#define VM_HSAVE_MSR	0xc0010117
#define VMX_BASIC_MSR	0x480

/* In the guest. */
static uint64_t probes[MAX_PROBES], nr_probes;

FIXTURE(isolation)
{
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
	char *hva;	/* canary page, slot, canary page */
};

FIXTURE_SETUP(isolation)
{
	self->vm = ut_vm_long();
	self->vcpu = ut_worker(self->vm, 0);
	self->hva = ut_mmap(SIZE + 2 * UT_PAGE_SIZE, UT_HUGE_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE, -1);
	memset(self->hva, CANARY, SIZE + 2 * UT_PAGE_SIZE);
	ut_map_identity(self->vm, UT_TEST_GPA, SIZE);
	ut_add_slot_hva(self->vm, 1, UT_TEST_GPA, SIZE, self->hva + UT_PAGE_SIZE, 0);
}

static bool canaries_alive(struct _test_data_isolation *self)
{
	size_t i, bad = 0;

	for (i = 0; i < UT_PAGE_SIZE; i++) {
		bad += (uint8_t)self->hva[i] != CANARY;
		bad += (uint8_t)self->hva[UT_PAGE_SIZE + SIZE + i] != CANARY;
	}
	return !bad;
}

FIXTURE_TEARDOWN(isolation)
{
	EXPECT_TRUE(canaries_alive(self));
	ut_vm_free(self->vm);
}

/* ---- guest-physical space ---- */

/* Reads and writes each place that the test has mapped at PROBE_GVA. */
static void guest_probe(void)
{
	uint64_t i, gva;

	for (i = 0; i < nr_probes; i++) {
		gva = PROBE_GVA + i * UT_PAGE_SIZE + (probes[i] & (UT_PAGE_SIZE - 1));
		GUEST_ASSERT_EQ(guest_read64(gva), ANSWER);
		guest_write64(gva, SECRET);
		GUEST_ASSERT_EQ(guest_read64(gva), ANSWER);
	}
	guest_done();
}

static void add_probe(struct ut_vm *vm, uint64_t gpa)
{
	uint64_t i = *ut_guest_var(vm, nr_probes);

	if (i == MAX_PROBES)
		ut_die("too many probes");
	ut_guest_var(vm, probes)[0][i] = gpa;
	ut_map(vm, PROBE_GVA + i * UT_PAGE_SIZE, gpa & ~(UT_PAGE_SIZE - 1), 1, UT_PTE_W);
	*ut_guest_var(vm, nr_probes) = i + 1;
}

/* Widest address that the guest's CPUID promises. */
static int guest_address_bits(struct ut_vm *vm)
{
	struct kvm_cpuid2 *cpuid = ut_supported_cpuid(vm->dev_fd);
	struct kvm_cpuid_entry2 *e = ut_cpuid_entry(cpuid, 0x80000008, 0);
	int bits = e ? e->eax & 0xff : 36;

	free(cpuid);
	return bits;
}

/* Around each slot, at each power of two, and where the host has its own memory. */
static void add_all_probes(struct ut_vm *vm)
{
	int bits = guest_address_bits(vm), i;

	add_probe(vm, UT_SLOT0_SIZE);
	add_probe(vm, UT_SLOT0_SIZE + 8);
	add_probe(vm, UT_TEST_GPA - 8);
	add_probe(vm, UT_TEST_GPA + SIZE);
	add_probe(vm, UT_TEST_GPA + SIZE + UT_PAGE_SIZE - 8);
	add_probe(vm, UT_TEST_GPA + UT_HUGE_SIZE - 8);
	for (i = 25; i < bits; i++) {
		if (1ull << i != UT_TEST_GPA)
			add_probe(vm, 1ull << i | 0x100);
		add_probe(vm, (1ull << i) - 8);
	}
	add_probe(vm, (1ull << bits) - 8);
	/* The APIC has no page of its own without an in-kernel one. */
	add_probe(vm, 0xfee00020ull);
}

TEST_F(isolation, addresses_outside_the_slots)
{
	struct kvm_run *run = self->vcpu->run;
	const uint64_t answer = ANSWER;
	uint64_t i = 0, step = 0, data;

	add_all_probes(self->vm);
	ut_restart(self->vcpu, guest_probe);
	/* Each probe: read, write, read; nothing may be answered from memory. */
	while (ut_next(self->vcpu, NULL) == UT_EXIT) {
		ASSERT_EQ(KVM_EXIT_MMIO, run->exit_reason);
		ASSERT_EQ(ut_guest_var(self->vm, probes)[0][i], run->mmio.phys_addr);
		ASSERT_EQ(8, run->mmio.len);
		ASSERT_EQ(step == 1, run->mmio.is_write);
		memcpy(&data, run->mmio.data, sizeof(data));
		ASSERT_TRUE(step != 1 || data == SECRET);
		memcpy(run->mmio.data, &answer, sizeof(answer));
		if (++step == 3) {
			step = 0;
			i++;
		}
	}
	ASSERT_EQ(*ut_guest_var(self->vm, nr_probes), i);
}

/* A read that crosses from the slot into nothing: only the slot's part is memory. */
TEST_F(isolation, across_the_end_of_a_slot)
{
	struct kvm_run *run = self->vcpu->run;
	uint64_t end = UT_TEST_GPA + SIZE, exits = 0;

	ut_restart(self->vcpu, guest_write64);
	ut_set_args(self->vcpu, end - 3, SECRET);
	for (;;) {
		ASSERT_EQ(0, ut_run(self->vcpu));
		if (run->exit_reason != KVM_EXIT_MMIO)
			break;
		ASSERT_LE(end, run->mmio.phys_addr);
		ASSERT_GE(end + 5, run->mmio.phys_addr + run->mmio.len);
		exits++;
	}
	ASSERT_LT(0, exits);
	ASSERT_EQ(0, memcmp(self->hva + UT_PAGE_SIZE + SIZE - 3, "\xc2\x5e\xe7", 3));
}

static void guest_fault_read(uint64_t gva)
{
	uint64_t vec;

	guest_catch(UT_PF_VECTOR);
	asm volatile("lea 1f(%%rip), %%r11\n\t"
		     "xor %%r10d, %%r10d\n\t"
		     "movq (%1), %%rax\n"
		     "1:\tmov %%r10, %0"
		     : "=r"(vec) : "r"(gva) : "rax", "r10", "r11", "memory");
	guest_sync_args(vec, guest_caught_error(), 0, 0);
}

/* Physical address bits that the guest's processor does not have: its own #PF. */
TEST_F(isolation, reserved_address_bits)
{
	int bits = guest_address_bits(self->vm), i;
	struct ut_ucall uc;

	for (i = bits; i < 52; i++) {
		*ut_pte(self->vm, PROBE_GVA, 1) = UT_FREE_GPA | 1ull << i | UT_PTE_P | UT_PTE_W;
		ut_restart(self->vcpu, guest_fault_read);
		ut_set_args(self->vcpu, PROBE_GVA, 0);
		ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &uc));
		ASSERT_EQ(UT_PF_VECTOR, uc.arg[0]) {
			TH_LOG("bit %d", i);
		}
		/* Reserved bit; emulated processors forget to say that it is present. */
		ASSERT_EQ(8, uc.arg[1] & ~1);
	}
	if (bits >= 52)
		SKIP(return, "this processor has no reserved address bits");
}

/* Page tables where no memory is: an exit of some kind, never the host's memory. */
TEST_F(isolation, page_tables_outside_the_slots)
{
	uint64_t *top = (uint64_t *)ut_hva(self->vm, self->vm->cr3) + (PROBE_GVA >> 39 & 511);
	struct kvm_run *run = self->vcpu->run;
	uint64_t where[] = { UT_SLOT0_SIZE, UT_TEST_GPA + SIZE, 1ull << 32, 0xfee00000ull };
	struct ut_ucall uc;
	size_t i;

	for (i = 0; i < sizeof(where) / sizeof(where[0]); i++) {
		*top = where[i] | UT_PTE_P | UT_PTE_W;
		ut_restart(self->vcpu, guest_fault_read);
		ut_set_args(self->vcpu, PROBE_GVA, 0);
		ASSERT_EQ(0, ut_run(self->vcpu));
		if (run->exit_reason == KVM_EXIT_IO) {
			/* The guest's fault is an answer too; a value is not. */
			ASSERT_TRUE(ut_get_ucall(self->vcpu, &uc));
			ASSERT_EQ(UT_SYNC, uc.cmd);
			ASSERT_EQ(UT_PF_VECTOR, uc.arg[0]);
			continue;
		}
		ASSERT_TRUE(run->exit_reason == KVM_EXIT_MMIO ||
			    run->exit_reason == KVM_EXIT_INTERNAL_ERROR ||
			    run->exit_reason == KVM_EXIT_SHUTDOWN) {
			TH_LOG("exit %s", ut_exit_name(run->exit_reason));
		}
		/* The rest of that instruction, before the next attempt. */
		run->immediate_exit = 1;
		ASSERT_EQ(-EINTR, ut_run(self->vcpu));
		run->immediate_exit = 0;
	}
}

/* ---- I/O ports ---- */

static void guest_ports(void)
{
	uint64_t port;

	for (port = 0; port < 0x10000; port += port < 0x500 ? 1 : 0x1f) {
		if (port >= UT_UCALL_PORT - 3 && port <= UT_UCALL_PORT + 3)
			continue;
		guest_outb(port, port);
		GUEST_ASSERT_EQ(guest_inb(port), (port ^ 0x5a) & 0xff);
	}
	GUEST_ASSERT_EQ(guest_inl(0xfffc), 0x12345678);
	/* The last port and beyond. */
	GUEST_ASSERT_EQ(guest_inl(0xffff), 0x12345678);
	guest_done();
}

TEST_F(isolation, every_port_exits)
{
	struct kvm_run *run = self->vcpu->run;
	uint32_t port = 0, n = 0, answer = 0x12345678;
	bool out = true;

	ut_restart(self->vcpu, guest_ports);
	while (ut_next(self->vcpu, NULL) == UT_EXIT) {
		ASSERT_EQ(KVM_EXIT_IO, run->exit_reason);
		n++;
		if (run->io.size == 4) {
			memcpy(ut_io_data(self->vcpu), &answer, 4);
			continue;
		}
		if (out)
			port = run->io.port;
		ASSERT_EQ(port, run->io.port);
		ASSERT_EQ(out ? KVM_EXIT_IO_OUT : KVM_EXIT_IO_IN, run->io.direction);
		ASSERT_TRUE(!out || *(uint8_t *)ut_io_data(self->vcpu) == (port & 0xff));
		if (!out)
			*(uint8_t *)ut_io_data(self->vcpu) = port ^ 0x5a;
		out = !out;
	}
	ASSERT_LT(2 * 0x500, n);
}

/* ---- the processor's virtualization ---- */

static void guest_virtualization(uint64_t strict)
{
	guest_catch(UT_UD_VECTOR);
	guest_catch(UT_GP_VECTOR);
	GUEST_ASSERT_EQ(guest_try("xor %%eax, %%eax; .byte 0x0f, 0x01, 0xd8"), UT_UD_VECTOR);
	GUEST_ASSERT_EQ(guest_try("xor %%eax, %%eax; .byte 0x0f, 0x01, 0xda"), UT_UD_VECTOR);
	GUEST_ASSERT_EQ(guest_try("xor %%eax, %%eax; .byte 0x0f, 0x01, 0xdb"), UT_UD_VECTOR);
	if (strict) {
		GUEST_ASSERT_EQ(guest_try(".byte 0x0f, 0x01, 0xdc"), UT_UD_VECTOR);
		GUEST_ASSERT_EQ(guest_try(".byte 0x0f, 0x01, 0xdd"), UT_UD_VECTOR);
	}
	GUEST_ASSERT_EQ(guest_try("xor %%eax, %%eax; .byte 0x0f, 0x01, 0xde"), UT_UD_VECTOR);
	GUEST_ASSERT_EQ(guest_try("xor %%eax, %%eax; .byte 0x0f, 0x01, 0xdf"), UT_UD_VECTOR);
	/* VMXON, VMXOFF */
	GUEST_ASSERT_EQ(guest_try("xor %%eax, %%eax; .byte 0xf3, 0x0f, 0xc7, 0x30"), UT_UD_VECTOR);
	GUEST_ASSERT_EQ(guest_try(".byte 0x0f, 0x01, 0xc4"), UT_UD_VECTOR);
	guest_done();
}

/*
 * VMRUN, VMLOAD, VMSAVE, STGI, CLGI, SKINIT, INVLPGA and VT-x: no such instructions.
 * KVM leaves STGI and CLGI to a processor with a virtual GIF, which executes them.
 */
TEST_F(isolation, virtualization_instructions)
{
	ut_restart(self->vcpu, guest_virtualization);
	ut_set_args(self->vcpu, ut_on_umbra(), 0);
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
}

/* VMMCALL and VMCALL reach nobody: an error value or #UD, never an effect. */
static void guest_hypercall(void)
{
	uint64_t rax = 0x4711, vec;

	guest_catch(UT_UD_VECTOR);
	asm volatile("lea 1f(%%rip), %%r11\n\t"
		     "xor %%r10d, %%r10d\n\t"
		     "vmmcall\n"
		     "1:\tmov %%r10, %0"
		     : "=r"(vec), "+a"(rax) : : "r10", "r11", "memory");
	guest_sync_args(vec, rax, 0, 0);
}

TEST_F(isolation, unknown_hypercall)
{
	struct ut_ucall uc;

	ut_restart(self->vcpu, guest_hypercall);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &uc));
	ASSERT_TRUE(uc.arg[0] == UT_UD_VECTOR || (!uc.arg[0] && uc.arg[1] == -1000ull));
}

static uint64_t try_wrmsr(uint32_t msr, uint64_t value)
{
	uint64_t vec;

	asm volatile("lea 1f(%%rip), %%r11\n\t"
		     "xor %%r10d, %%r10d\n\t"
		     "wrmsr\n"
		     "1:\tmov %%r10, %0"
		     : "=r"(vec) : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
		     : "r10", "r11", "memory");
	return vec;
}

static uint64_t try_rdmsr(uint32_t msr, uint64_t *value)
{
	uint64_t vec;
	uint32_t lo, hi;

	asm volatile("lea 1f(%%rip), %%r11\n\t"
		     "xor %%r10d, %%r10d\n\t"
		     "rdmsr\n"
		     "1:\tmov %%r10, %0"
		     : "=r"(vec), "=a"(lo), "=d"(hi) : "c"(msr), "1"(0), "2"(0)
		     : "r10", "r11", "memory");
	*value = lo | (uint64_t)hi << 32;
	return vec;
}

static void guest_msrs(uint64_t strict)
{
	uint64_t efer, v;

	guest_catch(UT_GP_VECTOR);
	GUEST_ASSERT_EQ(try_rdmsr(EFER_MSR, &efer), 0);
	GUEST_ASSERT_EQ(efer & 1 << 12, 0);
	GUEST_ASSERT_EQ(try_wrmsr(EFER_MSR, efer | 1 << 12), UT_GP_VECTOR);
	GUEST_ASSERT_EQ(try_rdmsr(EFER_MSR, &v), 0);
	GUEST_ASSERT_EQ(v, efer);
	/* KVM stores it, for nested guests, whatever the CPUID says. */
	if (strict)
		GUEST_ASSERT_EQ(try_wrmsr(VM_HSAVE_MSR, 0x1000), UT_GP_VECTOR);
	GUEST_ASSERT_EQ(try_wrmsr(VMX_BASIC_MSR, 1), UT_GP_VECTOR);
	GUEST_ASSERT_EQ(try_rdmsr(VMX_BASIC_MSR, &v), UT_GP_VECTOR);
	/* Where the host's own registers can be read, they must not be the host's. */
	if (!try_rdmsr(VM_HSAVE_MSR, &v))
		GUEST_ASSERT_EQ(v, 0);
	/* Ranges that no processor uses. */
	GUEST_ASSERT_EQ(try_rdmsr(0x12345678, &v), UT_GP_VECTOR);
	GUEST_ASSERT_EQ(try_rdmsr(0xc0002fff, &v), UT_GP_VECTOR);
	GUEST_ASSERT_EQ(try_wrmsr(0xc0012fff, 0), UT_GP_VECTOR);
	GUEST_ASSERT_EQ(try_wrmsr(0x40000000, 0x1000), UT_GP_VECTOR);
	guest_done();
}

TEST_F(isolation, virtualization_msrs)
{
	/* Without what the test knows to be hidden: the CPUID decides on KVM. */
	struct kvm_cpuid2 *cpuid = ut_supported_cpuid(self->vm->dev_fd);

	ut_cpuid_entry(cpuid, 0x80000001, 0)->ecx &= ~(1u << 2);
	ut_must_ioctl(self->vcpu->fd, KVM_SET_CPUID2, cpuid);
	free(cpuid);
	ut_restart(self->vcpu, guest_msrs);
	ut_set_args(self->vcpu, ut_on_umbra(), 0);
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
}

/* What is not offered is not in the CPUID. */
TEST_F(isolation, cpuid_offers_no_nesting)
{
	struct kvm_cpuid2 *cpuid = ut_supported_cpuid(self->vm->dev_fd);
	struct kvm_cpuid_entry2 *e;

	ASSERT_NE(NULL, e = ut_cpuid_entry(cpuid, 1, 0));
	EXPECT_EQ(0, e->ecx & 1u << 5);		/* VMX */
	EXPECT_EQ(0, e->ecx & 1u << 6);		/* SMX */
	if (ut_on_umbra()) {
		ASSERT_NE(NULL, e = ut_cpuid_entry(cpuid, 0x80000001, 0));
		EXPECT_EQ(0, e->ecx & 1u << 2);		/* SVM */
		EXPECT_EQ(0, e->ecx & 1u << 12);	/* SKINIT */
		e = ut_cpuid_entry(cpuid, 0x8000000a, 0);
		EXPECT_TRUE(!e || !(e->eax | e->ebx | e->edx));
		e = ut_cpuid_entry(cpuid, 0x8000001f, 0);
		EXPECT_TRUE(!e || !(e->eax & 0x1f));	/* SEV */
		EXPECT_EQ(0, ut_cap(self->vm->dev_fd, KVM_CAP_NESTED_STATE));
		EXPECT_EQ(0, ut_cap(self->vm->dev_fd, KVM_CAP_X86_SMM));
		EXPECT_EQ(0, ut_cap(self->vm->dev_fd, KVM_CAP_XEN_HVM));
		EXPECT_EQ(0, ut_cap(self->vm->dev_fd, KVM_CAP_HYPERV_CPUID));
	}
	free(cpuid);
}

TEST_HARNESS_MAIN
