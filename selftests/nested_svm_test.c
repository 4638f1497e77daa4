// SPDX-License-Identifier: GPL-2.0
/*
 * AMD-V inside guests, with the module's parameter nested: its instructions and the state
 * that VMRUN refuses, which exits of the inner guest its hypervisor sees and what it is told
 * of them, what they have in common and what not.
 */
#include <kselftest_harness.h>
#include "irq.h"
#include "nested_svm.h"
#include "svm.h"

#define CPUID_SVM		BIT_ULL(2)
#define SVM_FEATURE_NRIPS	BIT_ULL(3)
#define PORT			0x2000
#define NO_MEMORY		0xe0000000ull
#define MAGIC			0x5eed0000ull

FIXTURE(nested_svm) {
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
	struct ut_ucall uc;
};

FIXTURE_SETUP(nested_svm)
{
	if (!ut_svm_offered())
		SKIP(_exit(UT_SKIPPED), "no SVM for guests: parameter nested, or not on AMD-V");
	self->vm = ut_irq_vm();
	self->vcpu = ut_vcpu_long(self->vm, 0, guest_done);
}

FIXTURE_TEARDOWN(nested_svm)
{
	ut_vm_free(self->vm);
}

/* Run the guest's @fn, with an argument, up to guest_done(). */
static void run(struct ut_vcpu *vcpu, void *fn, u64 arg)
{
	ut_restart(vcpu, fn);
	ut_set_args(vcpu, arg, 0);
	ut_until(vcpu, UT_UNTIL_DONE);
}

static void inner_nothing(void)
{
	for (;;)
		guest_vmmcall();
}

TEST_F(nested_svm, offered)
{
	struct kvm_cpuid2 *cpuid = ut_supported_cpuid(self->vm->dev_fd);
	struct kvm_cpuid_entry2 *e = ut_cpuid_entry(cpuid, 0x8000000a, 0);

	ASSERT_NE(NULL, e);
	ASSERT_EQ(1, e->eax & 0xff);
	ASSERT_GE(e->ebx, 2);
	ASSERT_EQ(0, e->ecx);
	/* Of what is not there, nothing is announced: nested paging least of all. */
	if (ut_on_umbra())
		ASSERT_EQ(0, e->edx & ~SVM_FEATURE_NRIPS);
	free(cpuid);
}

static void guest_undefined(u64 strict)
{
	guest_catch(UT_UD_VECTOR);
	GUEST_ASSERT_EQ(guest_try("vmrun %%rax"), UT_UD_VECTOR);
	GUEST_ASSERT_EQ(guest_try("vmload %%rax"), UT_UD_VECTOR);
	GUEST_ASSERT_EQ(guest_try("vmsave %%rax"), UT_UD_VECTOR);
	if (strict) {
		GUEST_ASSERT_EQ(guest_try("stgi"), UT_UD_VECTOR);
		GUEST_ASSERT_EQ(guest_try("clgi"), UT_UD_VECTOR);
	}
	GUEST_ASSERT_EQ(guest_try("invlpga %%rax, %%ecx"), UT_UD_VECTOR);
	GUEST_ASSERT_EQ(guest_try("skinit %%eax"), UT_UD_VECTOR);
	guest_svm_on();
	GUEST_ASSERT_EQ(guest_try("skinit %%eax"), UT_UD_VECTOR);
	GUEST_ASSERT_EQ(guest_try("stgi"), 0);
	GUEST_ASSERT_EQ(guest_try("xor %%eax, %%eax\n\txor %%ecx, %%ecx\n\tinvlpga %%rax, %%ecx"),
			0);
	guest_done();
}

TEST_F(nested_svm, undefined_without_svme)
{
	/* KVM has QEMU's processor do these two, which looks at the host's SVME. */
	run(self->vcpu, guest_undefined, ut_on_umbra());
}

static void guest_bad_address(u64 strict)
{
	guest_svm_on();
	guest_catch(UT_GP_VECTOR);
	GUEST_ASSERT_EQ(guest_try("mov $0xe0000000, %%eax\n\tvmrun %%rax"), UT_GP_VECTOR);
	GUEST_ASSERT_EQ(guest_try("mov $0xe0000000, %%eax\n\tvmload %%rax"), UT_GP_VECTOR);
	GUEST_ASSERT_EQ(guest_try("mov $0xe0000000, %%eax\n\tvmsave %%rax"), UT_GP_VECTOR);
	if (strict) {
		GUEST_ASSERT_EQ(guest_try("mov $0xe00800, %%eax\n\tvmrun %%rax"), UT_GP_VECTOR);
		GUEST_ASSERT_EQ(guest_try("mov $0xe00008, %%eax\n\tvmload %%rax"), UT_GP_VECTOR);
		GUEST_ASSERT_EQ(guest_try("mov $0xe00001, %%eax\n\tvmsave %%rax"), UT_GP_VECTOR);
		GUEST_ASSERT_EQ(guest_try("mov $-0x1000, %%rax\n\tvmsave %%rax"), UT_GP_VECTOR);
	}
	guest_done();
}

TEST_F(nested_svm, bad_address)
{
	/* KVM leaves alignment to the processor, and QEMU's has other things to do. */
	run(self->vcpu, guest_bad_address, ut_on_umbra());
}

static void guest_msrs(void)
{
	guest_catch(UT_GP_VECTOR);
	GUEST_ASSERT_EQ(guest_rdmsr(UT_MSR_VM_CR), 0);
	guest_svm_on();
	GUEST_ASSERT(guest_rdmsr(UT_MSR_EFER) & UT_EFER_SVME);
	GUEST_ASSERT_EQ(guest_rdmsr(UT_MSR_VM_HSAVE_PA), UT_SVM_HSAVE);
	GUEST_ASSERT_EQ(guest_try("mov $0xc0010117, %%ecx\n\tmov $0x801, %%eax\n\t"
				  "xor %%edx, %%edx\n\twrmsr"), UT_GP_VECTOR);
	/* Disabled by firmware while it is on? */
	GUEST_ASSERT_EQ(guest_try("mov $0xc0010114, %%ecx\n\tmov $0x10, %%eax\n\t"
				  "xor %%edx, %%edx\n\twrmsr"), UT_GP_VECTOR);
	guest_done();
}

TEST_F(nested_svm, msrs)
{
	struct kvm_sregs sregs;
	u64 value;

	run(self->vcpu, guest_msrs, 0);
	ASSERT_EQ(1, ut_read_msr(self->vcpu, UT_MSR_VM_HSAVE_PA, &value));
	ASSERT_EQ(UT_SVM_HSAVE, value);
	ut_get_sregs(self->vcpu, &sregs);
	ASSERT_NE(0, sregs.efer & UT_EFER_SVME);
	ut_set_sregs(self->vcpu, &sregs);
}

/* One defect each; @strict: KVM leaves these to the processor, and QEMU's looks at none. */
static void spoil(u64 n)
{
	volatile struct ut_svm_vmcb *vmcb = guest_vmcb();

	switch (n) {
	case 0:
		guest_svm_unintercept(UT_SVM_VMRUN);
		break;
	case 1:
		vmcb->asid = 0;
		break;
	case 2:
		vmcb->efer &= ~UT_EFER_SVME;
		break;
	case 3:
		vmcb->cr0 = (vmcb->cr0 & ~BIT_ULL(30)) | BIT_ULL(29);
		break;
	case 4:
		vmcb->cr0 |= BIT_ULL(32);
		break;
	case 5:
		vmcb->cr4 |= BIT_ULL(40);
		break;
	case 6:
		vmcb->dr6 |= BIT_ULL(32);
		break;
	case 7:
		vmcb->dr7 |= BIT_ULL(63);
		break;
	case 8:
		vmcb->efer |= BIT_ULL(40);
		break;
	case 9:
		vmcb->cr4 &= ~BIT_ULL(5);
		break;
	case 10:
		vmcb->cs.attrib |= 0x400;
		break;
	case 11:
		vmcb->cr3 |= BIT_ULL(55);
		break;
	case 12:
		vmcb->event = UT_SVM_EV(1u, 0x40);
		break;
	case 13:
		vmcb->event = UT_SVM_EV(UT_SVM_EV_EXCP, UT_NMI_VECTOR);
		break;
	case 14:
		vmcb->event = UT_SVM_EV(UT_SVM_EV_EXCP, 32);
		break;
	case 15:
		vmcb->nested_ctl = UT_SVM_NP_ENABLE;
		break;
	case 16:
		vmcb->iopm = BIT_ULL(62);
		break;
	}
}

#define SPOILT		12
#define SPOILT_STRICT	17

static void guest_invalid(u64 strict)
{
	volatile struct ut_svm_vmcb *vmcb = guest_vmcb();
	u64 i;

	guest_svm_on();
	for (i = 0; i < (strict ? SPOILT_STRICT : SPOILT); i++) {
		guest_svm_setup(inner_nothing);
		spoil(i);
		if (guest_svm_run() != UT_SVM_INVALID)
			guest_abort("invalid", __FILE__, i, vmcb->exit_code, vmcb->rip);
		GUEST_ASSERT_EQ(vmcb->rip, (u64)inner_nothing);
	}
	guest_svm_setup(inner_nothing);
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_VMMCALL);
	guest_done();
}

TEST_F(nested_svm, invalid_state)
{
	run(self->vcpu, guest_invalid, ut_on_umbra());
}

static u64 seen;

static void inner_state(void)
{
	u64 rflags;

	asm volatile("pushf\n\tpop %0" : "=r"(rflags));
	ut_write_once(seen, rflags);
	asm volatile("std\n\tmov $0x1234, %%eax\n\tmov %%rax, %%dr6\n\tmov %0, %%dr7\n\tvmmcall"
		     : : "r"(0x455ull) : "rax");
}

static void guest_state(void)
{
	volatile struct ut_svm_vmcb *vmcb = guest_vmcb();
	u64 rflags, dr7;

	guest_svm_on();
	guest_svm_setup(inner_state);
	vmcb->rflags |= UT_RFLAGS_CF;
	vmcb->cr2 = MAGIC;
	guest_sti();
	GUEST_ASSERT_EQ(guest_svm_enter(), UT_SVM_VMMCALL);
	asm volatile("pushf\n\tpop %0\n\tmov %%dr7, %1" : "=r"(rflags), "=r"(dr7));
	guest_cli();
	guest_stgi();
	GUEST_ASSERT(ut_read_once(seen) & UT_RFLAGS_CF);
	GUEST_ASSERT(!(ut_read_once(seen) & UT_RFLAGS_IF));
	GUEST_ASSERT_EQ(rflags & (UT_RFLAGS_IF | UT_RFLAGS_DF), UT_RFLAGS_IF);
	GUEST_ASSERT_EQ(dr7, 0x400);
	GUEST_ASSERT_EQ(vmcb->dr7, 0x455);
	GUEST_ASSERT(vmcb->rflags & UT_RFLAGS_DF);
	GUEST_ASSERT_EQ(vmcb->rax, 0x1234);
	GUEST_ASSERT_EQ(vmcb->cr2, MAGIC);
	GUEST_ASSERT_EQ(vmcb->cpl, 0);
	GUEST_ASSERT_EQ(vmcb->exit_int_info, 0);
	/* A guest of its own has nothing to say about its hypervisor's registers. */
	GUEST_ASSERT_EQ(guest_rdmsr(UT_MSR_EFER), vmcb->efer);
	guest_done();
}

TEST_F(nested_svm, state)
{
	run(self->vcpu, guest_state, 0);
}

static void inner_cpuid(void)
{
	u32 eax = 0, ebx, ecx = 0, edx;

	asm volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	ut_write_once(seen, ebx);
	guest_vmmcall();
	guest_hlt();
	guest_vmmcall();
}

static void guest_intercepts(void)
{
	volatile struct ut_svm_vmcb *vmcb = guest_vmcb();
	u64 rip;

	guest_svm_on();
	guest_svm_setup(inner_cpuid);
	guest_svm_intercept(UT_SVM_CPUID);
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_CPUID);
	rip = vmcb->rip;
	GUEST_ASSERT_EQ(*(volatile u16 *)rip, 0xa20f);
	/* Not moved on, it exits again; not intercepted, it is carried out. */
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_CPUID);
	GUEST_ASSERT_EQ(vmcb->rip, rip);
	guest_svm_unintercept(UT_SVM_CPUID);
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_VMMCALL);
	GUEST_ASSERT_EQ(ut_read_once(seen), 0x68747541);	/* "Auth" */
	guest_svm_intercept(UT_SVM_HLT);
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_HLT);
	GUEST_ASSERT_EQ(*(volatile u8 *)vmcb->rip, 0xf4);
	vmcb->rip++;
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_VMMCALL);
	guest_done();
}

TEST_F(nested_svm, intercepts)
{
	run(self->vcpu, guest_intercepts, 0);
}

static void inner_cr0(void)
{
	u64 cr0 = guest_read_cr(0);

	asm volatile("mov %0, %%cr0" : : "r"(cr0 | BIT_ULL(3)));
	asm volatile("clts");
	/* Alignment checks: neither TS nor MP. */
	asm volatile("mov %0, %%cr0" : : "r"(cr0 ^ BIT_ULL(18)));
	guest_vmmcall();
}

static void guest_cr_intercepts(void)
{
	volatile struct ut_svm_vmcb *vmcb = guest_vmcb();
	u64 cr0 = guest_read_cr(0);

	guest_svm_on();
	guest_svm_setup(inner_cr0);
	guest_svm_intercept(UT_SVM_CR0_SEL);
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_CR0_SEL);
	GUEST_ASSERT_EQ(vmcb->cr0, cr0);
	guest_svm_unintercept(UT_SVM_CR0_SEL);
	guest_svm_intercept(UT_SVM_CR_WRITE(0));
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_CR_WRITE(0));
	guest_svm_unintercept(UT_SVM_CR_WRITE(0));
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_VMMCALL);
	GUEST_ASSERT_EQ(vmcb->cr0, cr0 ^ BIT_ULL(18));
	GUEST_ASSERT_EQ(guest_read_cr(0), cr0);
	guest_done();
}

TEST_F(nested_svm, cr_intercepts)
{
	run(self->vcpu, guest_cr_intercepts, 0);
}

static void inner_ports(void)
{
	guest_outb(PORT, 0x11);
	guest_outb(PORT + 8, 0x22);
	guest_outl(PORT - 3, 0x33);
	guest_inw(PORT);
	guest_vmmcall();
}

static void guest_ports(void)
{
	volatile struct ut_svm_vmcb *vmcb = guest_vmcb();

	guest_svm_on();
	guest_svm_setup(inner_ports);
	guest_svm_intercept(UT_SVM_IOIO);
	guest_write8(UT_SVM_IOPM + PORT / 8, 1);
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_IOIO);
	GUEST_ASSERT_EQ(vmcb->info1 & ~0xe80ull, PORT << 16 | 0x10);
	GUEST_ASSERT_EQ(vmcb->rax & 0xff, 0x11);
	vmcb->rip = vmcb->info2;
	/* The next one is user space's, and then one that touches the port with its last byte. */
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_IOIO);
	GUEST_ASSERT_EQ(vmcb->info1 & ~0xe80ull, (PORT - 3) << 16 | 0x40);
	vmcb->rip = vmcb->info2;
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_IOIO);
	GUEST_ASSERT_EQ(vmcb->info1 & ~0xe80ull, PORT << 16 | 0x21);
	vmcb->rip = vmcb->info2;
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_VMMCALL);
	guest_done();
}

TEST_F(nested_svm, port_map)
{
	ut_restart(self->vcpu, guest_ports);
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, &self->uc));
	ASSERT_EQ(KVM_EXIT_IO, self->vcpu->run->exit_reason);
	ASSERT_EQ(PORT + 8, self->vcpu->run->io.port);
	ASSERT_EQ(0x22, *(u8 *)ut_io_data(self->vcpu));
	ut_until(self->vcpu, UT_UNTIL_DONE);
}

#define MSR_STAR	0xc0000081u
#define MSR_LSTAR	0xc0000082u

static void inner_msrs(void)
{
	ut_write_once(seen, guest_rdmsr(MSR_STAR));
	guest_wrmsr(MSR_STAR, MAGIC);
	guest_wrmsr(MSR_LSTAR, MAGIC);
	guest_rdmsr(0x40000000);
	guest_vmmcall();
}

static void guest_msr_map(void)
{
	volatile struct ut_svm_vmcb *vmcb = guest_vmcb();

	guest_svm_on();
	guest_wrmsr(MSR_STAR, 0x77);
	guest_svm_setup(inner_msrs);
	guest_svm_intercept(UT_SVM_MSR);
	/* Writes of STAR, reads of LSTAR. */
	guest_write8(UT_SVM_MSRPM + 0x800 + 0x81 / 4, 2 << 0x81 % 4 * 2);
	guest_write8(UT_SVM_MSRPM + 0x800 + 0x82 / 4,
		     guest_read8(UT_SVM_MSRPM + 0x800 + 0x82 / 4) | 1 << 0x82 % 4 * 2);
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_MSR);
	GUEST_ASSERT_EQ(vmcb->info1, 1);
	GUEST_ASSERT_EQ(ut_read_once(seen), 0x77);
	GUEST_ASSERT_EQ(guest_rdmsr(MSR_STAR), 0x77);
	vmcb->rip += 2;
	/* What no map has exits always. */
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_MSR);
	GUEST_ASSERT_EQ(vmcb->info1, 0);
	GUEST_ASSERT_EQ(guest_rdmsr(MSR_LSTAR), MAGIC);
	vmcb->rip += 2;
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_VMMCALL);
	guest_done();
}

TEST_F(nested_svm, msr_map)
{
	run(self->vcpu, guest_msr_map, 0);
}

static void guest_load_save(void)
{
	volatile struct ut_svm_vmcb *vmcb = guest_vmcb();
	volatile struct ut_svm_vmcb *copy = (void *)(UT_SVM_VMCB + 0x80000);

	guest_svm_on();
	guest_svm_setup(inner_nothing);
	GUEST_ASSERT_EQ(vmcb->tr.selector, UT_SEL_TSS);
	vmcb->star = 0x1111;
	vmcb->lstar = 0x2222;
	vmcb->cstar = 0x3333;
	vmcb->sfmask = 0x4444;
	vmcb->kernel_gs_base = 0x5555;
	vmcb->sysenter_cs = 0x66;
	vmcb->sysenter_esp = 0x7777;
	vmcb->sysenter_eip = 0x8888;
	vmcb->fs.base = 0x9999;
	vmcb->gs.base = 0xaaaa;
	guest_vmload(UT_SVM_VMCB);
	GUEST_ASSERT_EQ(guest_rdmsr(MSR_STAR), 0x1111);
	GUEST_ASSERT_EQ(guest_rdmsr(MSR_LSTAR), 0x2222);
	GUEST_ASSERT_EQ(guest_rdmsr(0xc0000100), 0x9999);
	GUEST_ASSERT_EQ(guest_rdmsr(0xc0000102), 0x5555);
	GUEST_ASSERT_EQ(guest_rdmsr(0x175), 0x7777);
	copy->es.base = MAGIC;
	copy->rax = MAGIC;
	copy->cr2 = MAGIC;
	guest_vmsave(UT_SVM_VMCB + 0x80000);
	GUEST_ASSERT_EQ(copy->star, 0x1111);
	GUEST_ASSERT_EQ(copy->cstar, 0x3333);
	GUEST_ASSERT_EQ(copy->sfmask, 0x4444);
	GUEST_ASSERT_EQ(copy->kernel_gs_base, 0x5555);
	GUEST_ASSERT_EQ(copy->sysenter_cs, 0x66);
	GUEST_ASSERT_EQ(copy->sysenter_eip, 0x8888);
	GUEST_ASSERT_EQ(copy->gs.base, 0xaaaa);
	GUEST_ASSERT_EQ(copy->tr.selector, UT_SEL_TSS);
	GUEST_ASSERT_EQ(copy->tr.base, vmcb->tr.base);
	/* Nothing else is touched. */
	GUEST_ASSERT_EQ(copy->es.base, MAGIC);
	GUEST_ASSERT_EQ(copy->rax, MAGIC);
	GUEST_ASSERT_EQ(copy->cr2, MAGIC);
	guest_done();
}

TEST_F(nested_svm, vmload_vmsave)
{
	run(self->vcpu, guest_load_save, 0);
}

static void inner_tsc(void)
{
	u64 a = guest_rdtsc(), b = guest_rdmsr(0x10);

	ut_write_once(seen, b - a);
	asm volatile("vmmcall" : : "a"(a));
}

static void guest_tsc_offset(void)
{
	volatile struct ut_svm_vmcb *vmcb = guest_vmcb();
	u64 before;

	guest_svm_on();
	guest_svm_setup(inner_tsc);
	vmcb->tsc_offset = BIT_ULL(50);
	before = guest_rdtsc();
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_VMMCALL);
	GUEST_ASSERT(vmcb->rax - before >= BIT_ULL(50));
	GUEST_ASSERT(vmcb->rax - before < BIT_ULL(50) + BIT_ULL(40));
	GUEST_ASSERT(ut_read_once(seen) < BIT_ULL(40));
	GUEST_ASSERT(guest_rdtsc() - before < BIT_ULL(40));
	guest_done();
}

TEST_F(nested_svm, tsc_offset)
{
	run(self->vcpu, guest_tsc_offset, 0);
}

UT_BLOB(unpaged, ".code32\n\tmov $0x1234, %eax\n\tmov %eax, 0xf11000\n\tvmmcall\n\t"
	"mov 0xf11000, %eax\n\tvmmcall");
UT_BLOB(real, ".code16\n\tmov $0x4321, %ax\n\tmov %ax, (0x100)\n\tvmmcall");

#define BLOB		0xf10000ull
#define REAL		0x8000ull

/* Without paging the inner guest's addresses are the outer guest's physical ones. */
static void guest_unpaged(void)
{
	volatile struct ut_svm_vmcb *vmcb = guest_vmcb();

	guest_svm_on();
	guest_svm_setup((void *)BLOB);
	vmcb->efer &= ~(UT_EFER_LME | UT_EFER_LMA);
	vmcb->cr0 &= ~BIT_ULL(31);
	vmcb->cr4 = 0;
	vmcb->cr3 = 0;
	vmcb->cs.attrib = 0xc9b;
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_VMMCALL);
	GUEST_ASSERT_EQ(vmcb->rax, 0x1234);
	GUEST_ASSERT_EQ(guest_read32(BLOB + 0x1000), 0x1234);
	guest_write32(BLOB + 0x1000, 0x77);
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_VMMCALL);
	GUEST_ASSERT_EQ(vmcb->rax, 0x77);

	vmcb->cr0 &= ~BIT_ULL(0);
	vmcb->cs = (struct ut_svm_seg) { .attrib = 0x9b, .limit = 0xffff, .base = REAL };
	vmcb->ds = (struct ut_svm_seg) { .attrib = 0x93, .limit = 0xffff, .base = REAL };
	vmcb->es = vmcb->ds;
	vmcb->ss = vmcb->ds;
	vmcb->rip = 0;
	GUEST_ASSERT_EQ(guest_svm_run(), UT_SVM_VMMCALL);
	GUEST_ASSERT_EQ(vmcb->rax & 0xffff, 0x4321);
	GUEST_ASSERT_EQ(guest_read32(REAL + 0x100) & 0xffff, 0x4321);
	guest_done();
}

TEST_F(nested_svm, unpaged)
{
	memcpy(ut_hva(self->vm, BLOB), unpaged, UT_BLOB_LEN(unpaged));
	memcpy(ut_hva(self->vm, REAL), real, UT_BLOB_LEN(real));
	run(self->vcpu, guest_unpaged, 0);
}

TEST(not_offered)
{
	struct kvm_cpuid2 *cpuid;
	struct ut_vcpu *vcpu;
	struct kvm_sregs sregs;

	if (!ut_on_umbra() || !ut_svm_offered())
		SKIP(return, "no parameter nested, or not on AMD-V");
	ut_svm_offer(false);
	vcpu = ut_long_guest(guest_done);
	cpuid = ut_supported_cpuid(vcpu->vm->dev_fd);
	ut_svm_offer(true);
	EXPECT_EQ(0, ut_cpuid_entry(cpuid, 0x80000001, 0)->ecx & CPUID_SVM);
	EXPECT_EQ(0, ut_cpuid_entry(cpuid, 0x8000000a, 0)->ebx);
	ut_get_sregs(vcpu, &sregs);
	sregs.efer |= UT_EFER_SVME;
	EXPECT_EQ(-EINVAL, ut_ioctl(vcpu->fd, KVM_SET_SREGS, &sregs));
	EXPECT_EQ(0, ut_write_msr(vcpu, UT_MSR_VM_HSAVE_PA, 0x1000));
	free(cpuid);
	ut_vm_free(vcpu->vm);
}

TEST_HARNESS_MAIN
