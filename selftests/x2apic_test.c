// SPDX-License-Identifier: GPL-2.0
/*
 * The local APIC as MSRs: which of them there are, what is refused, 64-bit ICR, SELF_IPI, ways
 * between the modes, and its state for user space.
 */
#include <kselftest_harness.h>
#include "irq.h"

#define MSR(reg)		(UT_MSR_X2APIC + ((reg) >> 4))
#define APICBASE(bits)		(UT_APIC_GPA | UT_APICBASE_BSP | (bits))
#define XAPIC			APICBASE(UT_APICBASE_ENABLE)
#define X2APIC			APICBASE(UT_APICBASE_ENABLE | UT_APICBASE_X2)
#define CPUID_X2APIC		BIT_ULL(21)
#define AP_ID			0x23	/* logical ID: cluster 2, bit 3 */

FIXTURE(x2apic) {
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
};

FIXTURE_SETUP(x2apic)
{
	self->vm = ut_irq_vm();
	self->vcpu = ut_vcpu_long(self->vm, 0, guest_done);
}

FIXTURE_TEARDOWN(x2apic)
{
	ut_vm_free(self->vm);
}

/* RDMSR and WRMSR that may fault: the vector, or 0. */
static u64 try_write(u32 msr, u64 value)
{
	u64 vector;

	asm volatile("lea 1f(%%rip), %%r11\n\txor %%r10d, %%r10d\n\twrmsr\n1:\tmov %%r10, %0"
		     : "=r"(vector) : "c"(msr), "a"((u32)value), "d"((u32)(value >> 32))
		     : "r10", "r11", "memory");
	return vector;
}

static u64 try_read(u32 msr)
{
	u64 vector;

	asm volatile("lea 1f(%%rip), %%r11\n\txor %%r10d, %%r10d\n\trdmsr\n1:\tmov %%r10, %0"
		     : "=r"(vector) : "c"(msr) : "rax", "rdx", "r10", "r11", "memory");
	return vector;
}

static void guest_identity(u64 id, u64 bsp)
{
	guest_x2apic_on();
	GUEST_ASSERT_EQ(guest_rdmsr(UT_MSR_APICBASE), bsp ? X2APIC : X2APIC & ~UT_APICBASE_BSP);
	GUEST_ASSERT_EQ(guest_rdmsr(MSR(UT_APIC_ID)), id);
	GUEST_ASSERT_EQ(guest_rdmsr(MSR(UT_APIC_LDR)), id >> 4 << 16 | 1 << (id & 15));
	GUEST_ASSERT_EQ(guest_rdmsr(MSR(UT_APIC_VERSION)) & 0xf0, 0x10);
	guest_done();
}

TEST_F(x2apic, identity)
{
	struct ut_vcpu *ap = ut_vcpu_long(self->vm, AP_ID, guest_identity);

	ut_set_args(ap, AP_ID, 0);
	ut_until(ap, UT_UNTIL_DONE);
	ut_restart(self->vcpu, guest_identity);
	ut_set_args(self->vcpu, 0, 1);
	ut_until(self->vcpu, UT_UNTIL_DONE);
}

TEST_F(x2apic, offered)
{
	struct kvm_cpuid2 *cpuid = ut_supported_cpuid(self->vm->dev_fd);
	struct kvm_cpuid_entry2 *leaf = ut_cpuid_entry(cpuid, 1, 0);

	ASSERT_NE(NULL, leaf);
	EXPECT_TRUE(leaf->ecx & CPUID_X2APIC);
	free(cpuid);
}

/* No page in this mode, no MSRs in the other one. */
static void guest_one_or_the_other(void)
{
	guest_catch(UT_GP_VECTOR);
	GUEST_ASSERT_EQ(try_read(MSR(UT_APIC_ID)), UT_GP_VECTOR);
	GUEST_ASSERT_EQ(try_write(MSR(UT_APIC_TPR), 0), UT_GP_VECTOR);
	guest_write32(UT_APIC_GPA + UT_APIC_TPR, 0x40);
	guest_x2apic_on();
	GUEST_ASSERT_EQ(guest_rdmsr(MSR(UT_APIC_TPR)) & ~0xfull, 0x40);
	guest_write32(UT_APIC_GPA + UT_APIC_TPR, 0x70);
	GUEST_ASSERT_EQ(guest_read32(UT_APIC_GPA + UT_APIC_TPR), 0xffffffff);
	GUEST_ASSERT_EQ(guest_rdmsr(MSR(UT_APIC_TPR)) & ~0xfull, 0x40);
	guest_done();
}

TEST_F(x2apic, one_or_the_other)
{
	ut_run_through(self->vcpu, guest_one_or_the_other);
}

static void guest_refused(void)
{
	static const u32 nothing[] = {
		0x00, 0x10, 0x40, 0x70, 0xc0, UT_APIC_DFR, 0x290, UT_APIC_ICR2, 0x3a0, 0x3b0,
	};
	static const u32 read_only[] = {
		UT_APIC_ID, UT_APIC_VERSION, UT_APIC_PPR, UT_APIC_LDR, UT_APIC_ISR, UT_APIC_TMR,
		UT_APIC_IRR + 0x70, UT_APIC_TMCCT,
	};
	int i;

	guest_x2apic_on();
	guest_catch(UT_GP_VECTOR);
	for (i = 0; i < (int)ARRAY_SIZE(nothing); i++) {
		GUEST_ASSERT_EQ(try_read(MSR(nothing[i])), UT_GP_VECTOR);
		GUEST_ASSERT_EQ(try_write(MSR(nothing[i]), 0), UT_GP_VECTOR);
	}
	for (i = 0; i < (int)ARRAY_SIZE(read_only); i++) {
		GUEST_ASSERT_EQ(try_read(MSR(read_only[i])), 0);
		GUEST_ASSERT_EQ(try_write(MSR(read_only[i]), 0), UT_GP_VECTOR);
	}
	GUEST_ASSERT_EQ(try_write(MSR(UT_APIC_EOI), 0), 0);
	GUEST_ASSERT_EQ(try_write(MSR(UT_APIC_ESR), 0), 0);
	GUEST_ASSERT_EQ(try_write(MSR(UT_APIC_ESR), 1), UT_GP_VECTOR);
	/* Written only. */
	GUEST_ASSERT_EQ(try_read(MSR(UT_APIC_EOI)), UT_GP_VECTOR);
	GUEST_ASSERT_EQ(try_read(MSR(UT_APIC_SELF_IPI)), UT_GP_VECTOR);
	/* Only ICR has an upper half. */
	GUEST_ASSERT_EQ(try_write(MSR(UT_APIC_TPR), BIT_ULL(32)), UT_GP_VECTOR);
	GUEST_ASSERT_EQ(try_write(MSR(UT_APIC_SVR), BIT_ULL(32) | 0x1ff), UT_GP_VECTOR);
	GUEST_ASSERT_EQ(try_write(MSR(UT_APIC_ICR), BIT_ULL(32) | UT_ICR_ASSERT | 0x30), 0);
	guest_done();
}

TEST_F(x2apic, refused)
{
	ut_run_through(self->vcpu, guest_refused);
}

static void guest_self_ipi(void)
{
	u64 v;

	guest_x2apic_on();
	guest_apic_on();
	for (v = 32; v < 256; v += 7) {
		guest_wrmsr(MSR(UT_APIC_SELF_IPI), v);
		GUEST_ASSERT(guest_apic_bit(UT_APIC_IRR, v));
		GUEST_ASSERT_TAKEN(v, 1);
		GUEST_ASSERT(!guest_apic_bit(UT_APIC_ISR, v));
	}
	/* By its number, and by the shorthand. */
	guest_apic_icr(0, UT_ICR_ASSERT | 0x8f);
	guest_apic_icr(0xffffffff, UT_ICR_SELF | UT_ICR_ASSERT | 0x91);
	/* Logical: cluster 0, bit 0. */
	guest_apic_icr(1, UT_DEST_LOGICAL | UT_ICR_ASSERT | 0x92);
	guest_apic_icr(2, UT_DEST_LOGICAL | UT_ICR_ASSERT | 0x93);
	guest_apic_icr(0x10001, UT_DEST_LOGICAL | UT_ICR_ASSERT | 0x94);
	GUEST_ASSERT_TAKEN(0x8f, 1);
	GUEST_ASSERT_EQ(guest_hits(0x91), 1);
	GUEST_ASSERT_EQ(guest_hits(0x92), 1);
	GUEST_ASSERT_EQ(guest_hits(0x93), 0);
	GUEST_ASSERT_EQ(guest_hits(0x94), 0);
	guest_done();
}

TEST_F(x2apic, to_itself)
{
	ut_run_through(self->vcpu, guest_self_ipi);
}

static void guest_ways(void)
{
	guest_catch(UT_GP_VECTOR);
	/* x2APIC without being enabled is no mode. */
	GUEST_ASSERT_EQ(try_write(UT_MSR_APICBASE, APICBASE(UT_APICBASE_X2)), UT_GP_VECTOR);
	GUEST_ASSERT_EQ(try_write(UT_MSR_APICBASE, XAPIC | 1), UT_GP_VECTOR);
	GUEST_ASSERT_EQ(try_write(UT_MSR_APICBASE, XAPIC | BIT_ULL(62)), UT_GP_VECTOR);
	GUEST_ASSERT_EQ(try_write(UT_MSR_APICBASE, APICBASE(0)), 0);
	/* Off: not to x2APIC in one step. */
	GUEST_ASSERT_EQ(try_write(UT_MSR_APICBASE, X2APIC), UT_GP_VECTOR);
	GUEST_ASSERT_EQ(try_write(UT_MSR_APICBASE, XAPIC), 0);
	GUEST_ASSERT_EQ(try_write(UT_MSR_APICBASE, X2APIC), 0);
	/* Back only by way of off. */
	GUEST_ASSERT_EQ(try_write(UT_MSR_APICBASE, XAPIC), UT_GP_VECTOR);
	GUEST_ASSERT_EQ(guest_rdmsr(UT_MSR_APICBASE), X2APIC);
	GUEST_ASSERT_EQ(try_write(UT_MSR_APICBASE, APICBASE(0)), 0);
	GUEST_ASSERT_EQ(try_read(MSR(UT_APIC_ID)), UT_GP_VECTOR);
	GUEST_ASSERT_EQ(try_write(UT_MSR_APICBASE, XAPIC), 0);
	GUEST_ASSERT_EQ(guest_read32(UT_APIC_GPA + UT_APIC_ID), 0);
	GUEST_ASSERT_EQ(guest_read32(UT_APIC_GPA + UT_APIC_SVR), 0xff);
	guest_done();
}

TEST_F(x2apic, ways_between_modes)
{
	ut_run_through(self->vcpu, guest_ways);
}

/* Without the CPUID bit there is no such mode. */
TEST_F(x2apic, not_without_cpuid)
{
	struct kvm_cpuid2 *cpuid = ut_supported_cpuid(self->vm->dev_fd);

	ut_cpuid_entry(cpuid, 1, 0)->ecx &= ~CPUID_X2APIC;
	ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_SET_CPUID2, cpuid));
	free(cpuid);
	EXPECT_EQ(0, ut_write_msr(self->vcpu, UT_MSR_APICBASE, X2APIC));
	EXPECT_EQ(1, ut_write_msr(self->vcpu, UT_MSR_APICBASE, XAPIC));
}

static void guest_some_state(void)
{
	guest_x2apic_on();
	guest_apic_on();
	guest_wrmsr(MSR(UT_APIC_ICR), 0x700000000ull | UT_ICR_ASSERT | 0x33);
	GUEST_ASSERT_EQ(guest_rdmsr(MSR(UT_APIC_ICR)), 0x700000000ull | UT_ICR_ASSERT | 0x33);
	guest_wrmsr(MSR(UT_APIC_LVTERR), UT_LVT_MASKED | 0x44);
	guest_sync(1);
	guest_done();
}

static void guest_its_heir(void)
{
	GUEST_ASSERT_EQ(guest_rdmsr(MSR(UT_APIC_ICR)), 0x700000000ull | UT_ICR_ASSERT | 0x33);
	GUEST_ASSERT_EQ(guest_rdmsr(MSR(UT_APIC_LVTERR)), UT_LVT_MASKED | 0x44);
	GUEST_ASSERT_EQ(guest_rdmsr(MSR(UT_APIC_ID)), AP_ID);
	GUEST_ASSERT_EQ(guest_rdmsr(MSR(UT_APIC_LDR)), 0x20008);
	guest_done();
}

/*
 * User space sees ICR in two halves and, unless it has asked for 32-bit IDs, the ID in the
 * place of xAPIC.
 */
TEST_F_TIMEOUT(x2apic, state, UT_IRQ_TIMEOUT)
{
	struct ut_vcpu *ap = ut_vcpu_long(self->vm, AP_ID, guest_some_state), *heir;
	struct kvm_lapic_state state;
	struct ut_vm *vm;

	ut_until(ap, 1);
	ut_must_ioctl(ap->fd, KVM_GET_LAPIC, &state);
	EXPECT_EQ(AP_ID << 24, *(u32 *)(state.regs + UT_APIC_ID));
	EXPECT_EQ(UT_ICR_ASSERT | 0x33, *(u32 *)(state.regs + UT_APIC_ICR));
	EXPECT_EQ(7, *(u32 *)(state.regs + UT_APIC_ICR2));
	vm = ut_irq_vm();
	heir = ut_vcpu_long(vm, AP_ID, guest_its_heir);
	ASSERT_EQ(1, ut_write_msr(heir, UT_MSR_APICBASE, X2APIC & ~UT_APICBASE_BSP));
	ASSERT_EQ(0, ut_ioctl(heir->fd, KVM_SET_LAPIC, &state));
	ut_until(heir, UT_UNTIL_DONE);
	ut_vm_free(vm);
}

/* KVM_CAP_X2APIC_API: IDs of 32 bits in the state. */
TEST_F(x2apic, wide_ids)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_X2APIC_API,
		.args[0] = KVM_X2APIC_API_USE_32BIT_IDS,
	};
	struct kvm_lapic_state state;
	struct ut_vcpu *ap;

	ASSERT_EQ(KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK,
		  ut_cap(self->vm->fd, KVM_CAP_X2APIC_API));
	ASSERT_EQ(0, ut_ioctl(self->vm->fd, KVM_ENABLE_CAP, &cap));
	ap = ut_vcpu_long(self->vm, AP_ID, guest_some_state);
	ut_until(ap, 1);
	ut_must_ioctl(ap->fd, KVM_GET_LAPIC, &state);
	EXPECT_EQ(AP_ID, *(u32 *)(state.regs + UT_APIC_ID));
	cap.args[0] = 8;
	EXPECT_EQ(-EINVAL, ut_ioctl(self->vm->fd, KVM_ENABLE_CAP, &cap));
}

TEST_HARNESS_MAIN
