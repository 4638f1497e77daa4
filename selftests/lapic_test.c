// SPDX-License-Identifier: GPL-2.0
/*
 * The local APIC of one vCPU through its page: registers, priorities, EOI, errors, the
 * spurious vector, its base address. Timers, IPIs and x2APIC have tests of their own.
 */
#include <errno.h>
#include <kselftest_harness.h>
#include "irq.h"

#define ICR_SELF(vector)	(UT_ICR_SELF | UT_ICR_ASSERT | (vector))
#define LVT_ENTRIES(version)	(((version) >> 16 & 0xff) + 1)
#define CPUID_APIC		BIT_ULL(9)
#define NEW_BASE		0xfed10000ull

FIXTURE(lapic) {
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
};

FIXTURE_SETUP(lapic)
{
	self->vm = ut_irq_vm();
	self->vcpu = ut_vcpu_long(self->vm, 0, guest_done);
}

FIXTURE_TEARDOWN(lapic)
{
	ut_vm_free(self->vm);
}

static void guest_reset_values(void)
{
	u32 version = guest_apic_read(UT_APIC_VERSION);
	int i;

	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_ID), 0);
	GUEST_ASSERT((version & 0xf0) == 0x10);
	GUEST_ASSERT(LVT_ENTRIES(version) >= 5 && LVT_ENTRIES(version) <= 7);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_TPR), 0);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_PPR), 0);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_LDR), 0);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_DFR), 0xffffffff);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_SVR), 0xff);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_ESR), 0);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_ICR), 0);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_ICR2), 0);
	for (i = 0; i < 8; i++) {
		GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_ISR + i * 0x10), 0);
		GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_TMR + i * 0x10), 0);
		GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_IRR + i * 0x10), 0);
	}
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_LVTT), UT_LVT_MASKED);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_LVTPC), UT_LVT_MASKED);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_LVT1), UT_LVT_MASKED);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_LVTERR), UT_LVT_MASKED);
	/* As a BIOS would leave the bootstrap processor: the 8259 gets through. */
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_LVT0), UT_DM_EXTINT);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_TMICT), 0);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_TMCCT), 0);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_TDCR), 0);
	GUEST_ASSERT_EQ(guest_rdmsr(UT_MSR_APICBASE),
			UT_APIC_GPA | UT_APICBASE_ENABLE | UT_APICBASE_BSP);
	guest_done();
}

TEST_F(lapic, reset_values)
{
	ut_run_through(self->vcpu, guest_reset_values);
}

static void guest_second_reset(void)
{
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_ID), 5u << 24);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_LVT0), UT_LVT_MASKED);
	GUEST_ASSERT_EQ(guest_rdmsr(UT_MSR_APICBASE), UT_APIC_GPA | UT_APICBASE_ENABLE);
	guest_done();
}

TEST_F(lapic, application_processor)
{
	ut_run_through(ut_vcpu_long(self->vm, 5, guest_done), guest_second_reset);
}

/* Reserved bits stay 0, read-only registers stay as they are. */
static void guest_writable_bits(void)
{
	u32 version = guest_apic_read(UT_APIC_VERSION);

	guest_apic_on();
	guest_apic_write(UT_APIC_VERSION, ~version);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_VERSION), version);
	/* CR8 has no lower half, so KVM may lose it. */
	guest_apic_write(UT_APIC_TPR, 0xffffff35);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_TPR) & ~0xfull, 0x30);
	guest_apic_write(UT_APIC_TPR, 0);
	guest_apic_write(UT_APIC_LDR, 0xffffffff);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_LDR), 0xff000000);
	guest_apic_write(UT_APIC_DFR, 0x0fffffff);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_DFR), 0x0fffffff);
	guest_apic_write(UT_APIC_DFR, 0xf0000000);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_DFR), 0xffffffff);
	guest_apic_write(UT_APIC_ICR2, 0xffffffff);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_ICR2), 0xff000000);
	guest_apic_write(UT_APIC_LVT0, 0xffffffff);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_LVT0) & 0xfffe0000, 0);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_LVT0) & 0x1a7ff, 0x1a7ff);
	guest_apic_write(UT_APIC_LVTERR, 0xffffffff);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_LVTERR) & ~0x1000ull, 0x100ff);
	guest_apic_write(UT_APIC_TMICT, 0);
	guest_apic_write(UT_APIC_TMCCT, 77);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_TMCCT), 0);
	guest_apic_write(UT_APIC_TDCR, 0xffffffff);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_TDCR) & 0xb, 0xb);
	guest_done();
}

TEST_F(lapic, writable_bits)
{
	ut_run_through(self->vcpu, guest_writable_bits);
}

/* The class of TPR is CR8 and the other way round. */
static void guest_tpr_cr8(void)
{
	u64 i;

	for (i = 0; i < 16; i++) {
		guest_apic_write(UT_APIC_TPR, i << 4 | 5);
		GUEST_ASSERT_EQ(guest_read_cr(8), i);
		GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_PPR) & ~0xfull, i << 4);
		guest_write_cr8(15 - i);
		GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_TPR), (15 - i) << 4);
		GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_PPR), (15 - i) << 4);
	}
	guest_write_cr8(9);
	guest_sync(1);
	/* Set by user space meanwhile. */
	GUEST_ASSERT_EQ(guest_read_cr(8), 4);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_TPR), 0x40);
	guest_done();
}

TEST_F(lapic, tpr_is_cr8)
{
	struct kvm_sregs sregs;

	ut_restart(self->vcpu, guest_tpr_cr8);
	ut_until(self->vcpu, 1);
	ASSERT_EQ(9, self->vcpu->run->cr8);
	ut_get_sregs(self->vcpu, &sregs);
	ASSERT_EQ(9, sregs.cr8);
	ASSERT_EQ(0x90, ut_lapic_reg(self->vcpu, UT_APIC_TPR));
	sregs.cr8 = 4;
	ut_set_sregs(self->vcpu, &sregs);
	ASSERT_EQ(0x40, ut_lapic_reg(self->vcpu, UT_APIC_TPR));
	ut_until(self->vcpu, UT_UNTIL_DONE);
}

/* Pending, taken, in service, done: as the registers say and as the processor does. */
static void guest_life_of_one(void)
{
	guest_apic_on();
	guest_set_handler(0x61, guest_irq_count);
	guest_apic_icr(0, ICR_SELF(0x61));
	GUEST_ASSERT(guest_apic_bit(UT_APIC_IRR, 0x61));
	GUEST_ASSERT(!guest_apic_bit(UT_APIC_ISR, 0x61));
	GUEST_ASSERT_EQ(guest_hits(0x61), 0);
	GUEST_ASSERT_TAKEN(0x61, 1);
	GUEST_ASSERT(!guest_apic_bit(UT_APIC_IRR, 0x61));
	GUEST_ASSERT(guest_apic_bit(UT_APIC_ISR, 0x61));
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_PPR), 0x60);
	/* The same once more: pending behind itself, two become one. */
	guest_apic_icr(0, ICR_SELF(0x61));
	guest_apic_icr(0, ICR_SELF(0x61));
	GUEST_ASSERT_TAKEN(0x61, 1);
	GUEST_ASSERT(guest_apic_bit(UT_APIC_IRR, 0x61));
	guest_eoi();
	GUEST_ASSERT(!guest_apic_bit(UT_APIC_ISR, 0x61));
	GUEST_ASSERT_TAKEN(0x61, 2);
	guest_eoi();
	GUEST_ASSERT_TAKEN(0x61, 2);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_PPR), 0);
	GUEST_ASSERT(!guest_apic_bit(UT_APIC_TMR, 0x61));
	/* Nothing in service: it means nothing. */
	guest_eoi();
	guest_done();
}

TEST_F(lapic, pending_in_service_eoi)
{
	ut_run_through(self->vcpu, guest_life_of_one);
}

/* The highest first; a lower class, or the same one, waits for EOI, a higher one nests. */
static void nest(struct ut_ex_regs *regs)
{
	guest_irq_count(regs);
	if (regs->vector == 0x51) {
		guest_apic_icr(0, ICR_SELF(0x41));
		guest_apic_icr(0, ICR_SELF(0x5f));
		guest_apic_icr(0, ICR_SELF(0x71));
		GUEST_ASSERT_TAKEN(0x71, 1);
		GUEST_ASSERT_EQ(guest_hits(0x5f), 0);
		GUEST_ASSERT_EQ(guest_hits(0x41), 0);
		GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_PPR), 0x50);
	}
	guest_eoi();
}

static void guest_priorities(void)
{
	static const u8 order[] = { 0x51, 0x71, 0x5f, 0x41, 0x31, 0x20 };
	int i;

	guest_apic_on();
	for (i = 0; i < (int)ARRAY_SIZE(order); i++)
		guest_set_handler(order[i], nest);
	guest_apic_icr(0, ICR_SELF(0x20));
	guest_apic_icr(0, ICR_SELF(0x51));
	guest_apic_icr(0, ICR_SELF(0x31));
	guest_take_all();
	guest_take_all();
	guest_done();
}

TEST_F(lapic, priorities)
{
	static const u8 order[] = { 0x51, 0x71, 0x5f, 0x41, 0x31, 0x20, 0 };
	int i;

	ut_run_through(self->vcpu, guest_priorities);
	for (i = 0; i < (int)ARRAY_SIZE(order); i++)
		EXPECT_EQ(order[i], ut_logged(self->vm, 0, i));
}

/* EOI ends the highest in service, whatever its handler meant. */
static void guest_eoi_of_highest(void)
{
	guest_apic_on();
	guest_set_handler(0x40, guest_irq_count);
	guest_set_handler(0x80, guest_irq_count);
	guest_apic_icr(0, ICR_SELF(0x40));
	guest_take_all();
	guest_apic_icr(0, ICR_SELF(0x80));
	guest_take_all();
	GUEST_ASSERT(guest_apic_bit(UT_APIC_ISR, 0x40) && guest_apic_bit(UT_APIC_ISR, 0x80));
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_PPR), 0x80);
	guest_apic_write(UT_APIC_TPR, 0x90);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_PPR), 0x90);
	guest_apic_write(UT_APIC_TPR, 0x50);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_PPR), 0x80);
	guest_eoi();
	GUEST_ASSERT(guest_apic_bit(UT_APIC_ISR, 0x40) && !guest_apic_bit(UT_APIC_ISR, 0x80));
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_PPR), 0x50);
	guest_eoi();
	GUEST_ASSERT(!guest_apic_bit(UT_APIC_ISR, 0x40));
	guest_done();
}

TEST_F(lapic, eoi_of_highest)
{
	ut_run_through(self->vcpu, guest_eoi_of_highest);
}

/* What TPR holds back comes when it is lowered, by its register or by CR8. */
static void guest_held_back(void)
{
	guest_apic_on();
	guest_apic_write(UT_APIC_TPR, 0x60);
	guest_apic_icr(0, ICR_SELF(0x6f));
	GUEST_ASSERT_TAKEN(0x6f, 0);
	guest_apic_icr(0, ICR_SELF(0x70));
	GUEST_ASSERT_TAKEN(0x70, 1);
	guest_sti();
	guest_apic_write(UT_APIC_TPR, 0x5f);
	asm volatile("nop");
	GUEST_ASSERT_EQ(guest_hits(0x6f), 1);
	guest_write_cr8(10);
	guest_apic_icr(0, ICR_SELF(0xa1));
	asm volatile("nop");
	GUEST_ASSERT_EQ(guest_hits(0xa1), 0);
	guest_write_cr8(9);
	asm volatile("nop");
	GUEST_ASSERT_EQ(guest_hits(0xa1), 1);
	guest_cli();
	guest_done();
}

TEST_F(lapic, held_back_by_tpr)
{
	ut_run_through(self->vcpu, guest_held_back);
}

/* Every vector that is legal arrives as itself. */
static void guest_every_vector(void)
{
	int v;

	guest_apic_on();
	for (v = 32; v < 256; v++) {
		guest_apic_icr(0, ICR_SELF(v));
		GUEST_ASSERT_TAKEN(v, 1);
	}
	guest_done();
}

TEST_F(lapic, every_vector)
{
	ut_run_through(self->vcpu, guest_every_vector);
}

/* Disabled by software: LVT entries are masked, and nothing fixed is accepted. */
static void guest_software_disable(void)
{
	guest_apic_on();
	guest_apic_write(UT_APIC_LVTT, 0x44);
	guest_apic_write(UT_APIC_LVT0, 0x45);
	guest_apic_write(UT_APIC_SVR, UT_SPURIOUS_VECTOR);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_LVTT), UT_LVT_MASKED | 0x44);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_LVT0), UT_LVT_MASKED | 0x45);
	/* The mask cannot be taken away. */
	guest_apic_write(UT_APIC_LVT0, 0x46);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_LVT0), UT_LVT_MASKED | 0x46);
	guest_apic_icr(0, ICR_SELF(0x47));
	GUEST_ASSERT_TAKEN(0x47, 0);
	guest_apic_on();
	GUEST_ASSERT_TAKEN(0x47, 0);
	GUEST_ASSERT(guest_apic_read(UT_APIC_LVT0) & UT_LVT_MASKED);
	guest_apic_icr(0, ICR_SELF(0x47));
	GUEST_ASSERT_TAKEN(0x47, 1);
	guest_done();
}

TEST_F(lapic, software_disable)
{
	ut_run_through(self->vcpu, guest_software_disable);
}

TEST_F(lapic, each_lvt_entry_by_itself)
{
	static const u32 entry[] = {
		UT_APIC_LVTT, UT_APIC_LVTTHMR, UT_APIC_LVTPC, UT_APIC_LVT0, UT_APIC_LVT1,
		UT_APIC_LVTERR,
	};
	int i, k;

	for (i = 0; i < (int)ARRAY_SIZE(entry); i++)
		ut_lapic_set_reg(self->vcpu, entry[i], UT_LVT_MASKED | (0x40 + i));
	for (k = 0; k < (int)ARRAY_SIZE(entry); k++)
		EXPECT_EQ(UT_LVT_MASKED | (0x40 + k), ut_lapic_reg(self->vcpu, entry[k]));
}

/* The mapped page moves with the base; the old place is nobody's. */
static void guest_new_base(void)
{
	guest_apic_write(UT_APIC_TPR, 0x30);
	guest_wrmsr(UT_MSR_APICBASE, NEW_BASE | UT_APICBASE_ENABLE | UT_APICBASE_BSP);
	GUEST_ASSERT_EQ(guest_read32(NEW_BASE + UT_APIC_TPR), 0x30);
	guest_write32(NEW_BASE + UT_APIC_TPR, 0x20);
	GUEST_ASSERT_EQ(guest_read_cr(8), 2);
	guest_sync(1);
	/* The test answers. */
	GUEST_ASSERT_EQ(guest_read32(UT_APIC_GPA + UT_APIC_TPR), 0x12345678);
	guest_wrmsr(UT_MSR_APICBASE, UT_APIC_GPA | UT_APICBASE_ENABLE | UT_APICBASE_BSP);
	GUEST_ASSERT_EQ(guest_read32(UT_APIC_GPA + UT_APIC_TPR), 0x20);
	guest_done();
}

TEST_F(lapic, base_moves)
{
	struct kvm_run *run = self->vcpu->run;

	ut_map(self->vm, NEW_BASE, NEW_BASE, 1, UT_PTE_W);
	ut_restart(self->vcpu, guest_new_base);
	ut_until(self->vcpu, 1);
	ASSERT_EQ(NEW_BASE | UT_APICBASE_ENABLE | UT_APICBASE_BSP, run->apic_base);
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_MMIO, run->exit_reason);
	ASSERT_EQ(UT_APIC_GPA + UT_APIC_TPR, run->mmio.phys_addr);
	ASSERT_EQ(0, run->mmio.is_write);
	*(u32 *)run->mmio.data = 0x12345678;
	ut_until(self->vcpu, UT_UNTIL_DONE);
}

static void guest_global_disable(u64 hole)
{
	u32 eax = 1, ebx, ecx = 0, edx;

	guest_apic_on();
	guest_wrmsr(UT_MSR_APICBASE, UT_APIC_GPA | UT_APICBASE_BSP);
	asm volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	GUEST_ASSERT(!(edx & CPUID_APIC));
	GUEST_ASSERT_EQ(guest_read32(UT_APIC_GPA + UT_APIC_VERSION), hole);
	guest_wrmsr(UT_MSR_APICBASE, UT_APIC_GPA | UT_APICBASE_ENABLE | UT_APICBASE_BSP);
	eax = 1;
	ecx = 0;
	asm volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	GUEST_ASSERT(edx & CPUID_APIC);
	guest_apic_on();
	guest_apic_icr(0, ICR_SELF(0x55));
	GUEST_ASSERT_TAKEN(0x55, 1);
	guest_done();
}

/* The page is a hole that reads as ones, one of KVM's quirks. */
TEST_F(lapic, disabled_by_its_base)
{
	ut_restart(self->vcpu, guest_global_disable);
	ut_set_args(self->vcpu, 0xffffffff, 0);
	ut_until(self->vcpu, UT_UNTIL_DONE);
}

/* Without the quirk it is not ours at all. */
TEST_F(lapic, disabled_without_quirk)
{
	struct kvm_enable_cap quirk = {
		.cap = KVM_CAP_DISABLE_QUIRKS,
		.args[0] = KVM_X86_QUIRK_LAPIC_MMIO_HOLE,
	};
	struct kvm_run *run = self->vcpu->run;

	ut_must_ioctl(self->vm->fd, KVM_ENABLE_CAP, &quirk);
	ut_restart(self->vcpu, guest_global_disable);
	ut_set_args(self->vcpu, 0x12345678, 0);
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_MMIO, run->exit_reason);
	ASSERT_EQ(UT_APIC_GPA + UT_APIC_VERSION, run->mmio.phys_addr);
	ASSERT_EQ(UT_APIC_GPA | UT_APICBASE_BSP, run->apic_base);
	*(u32 *)run->mmio.data = 0x12345678;
	ut_until(self->vcpu, UT_UNTIL_DONE);
}

/* All of what is pending and in service, into a second VM, where it goes on. */
static void guest_half_way(void)
{
	guest_apic_on();
	guest_set_handler(0x81, guest_irq_count);
	guest_apic_write(UT_APIC_LDR, 0x02000000);
	guest_apic_write(UT_APIC_LVTERR, UT_LVT_MASKED | 0x31);
	guest_apic_icr(0, ICR_SELF(0x81));
	guest_take_all();
	guest_apic_icr(0, ICR_SELF(0x51));
	guest_sync(1);
	guest_done();
}

static void guest_other_half(void)
{
	GUEST_ASSERT(guest_apic_bit(UT_APIC_ISR, 0x81));
	GUEST_ASSERT(guest_apic_bit(UT_APIC_IRR, 0x51));
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_LDR), 0x02000000);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_LVTERR), UT_LVT_MASKED | 0x31);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_PPR), 0x80);
	GUEST_ASSERT_TAKEN(0x51, 0);
	guest_eoi();
	GUEST_ASSERT_TAKEN(0x51, 1);
	guest_done();
}

TEST_F(lapic, state_moves_to_another)
{
	struct kvm_lapic_state state, again;
	struct ut_vcpu *other;
	struct ut_vm *vm;
	size_t i;

	ut_restart(self->vcpu, guest_half_way);
	ut_until(self->vcpu, 1);
	ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_GET_LAPIC, &state));
	vm = ut_irq_vm();
	other = ut_vcpu_long(vm, 0, guest_other_half);
	ASSERT_EQ(0, ut_ioctl(other->fd, KVM_SET_LAPIC, &state));
	ASSERT_EQ(0, ut_ioctl(other->fd, KVM_GET_LAPIC, &again));
	for (i = 0; i < sizeof(state.regs); i++) {
		/* Follows from the others, if not at once. */
		if (i == UT_APIC_PPR)
			continue;
		EXPECT_EQ(state.regs[i], again.regs[i]) {
			TH_LOG("at %#zx", i);
		}
	}
	ut_until(other, UT_UNTIL_DONE);
	ut_vm_free(vm);
}

/* The state after a reset, of which virtual wire is a part, goes in as it came out. */
TEST_F(lapic, reset_state_stays)
{
	struct kvm_lapic_state state, again;

	ASSERT_EQ(0xff, ut_lapic_reg(self->vcpu, UT_APIC_SVR));
	ASSERT_EQ(UT_DM_EXTINT, ut_lapic_reg(self->vcpu, UT_APIC_LVT0));
	ut_must_ioctl(self->vcpu->fd, KVM_GET_LAPIC, &state);
	ut_must_ioctl(self->vcpu->fd, KVM_SET_LAPIC, &state);
	ut_must_ioctl(self->vcpu->fd, KVM_GET_LAPIC, &again);
	EXPECT_EQ(UT_DM_EXTINT, ut_lapic_reg(self->vcpu, UT_APIC_LVT0));
	EXPECT_EQ(0, memcmp(&state, &again, sizeof(state)));
}

/* Bits 3:0 of TPR: CR8 does not have them, and a write of it clears them. */
static void guest_lower_bits(u64 kept)
{
	guest_apic_write(UT_APIC_TPR, 0x57);
	guest_write_cr8(5);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_TPR), 0x50);
	guest_apic_write(UT_APIC_TPR, 0x57);
	guest_write_cr8(6);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_TPR), 0x60);
	guest_apic_write(UT_APIC_TPR, 0x67);
	guest_sync(1);
	GUEST_ASSERT_EQ(guest_apic_read(UT_APIC_TPR), kept);
	guest_done();
}

TEST_F(lapic, lower_bits_and_cr8)
{
	struct kvm_sregs sregs;

	ut_restart(self->vcpu, guest_lower_bits);
	/* KVM takes the registers that user space sets for a write of CR8, too. */
	ut_set_args(self->vcpu, ut_on_umbra() ? 0x67 : 0x60, 0);
	ut_until(self->vcpu, 1);
	ut_get_sregs(self->vcpu, &sregs);
	ut_set_sregs(self->vcpu, &sregs);
	ut_until(self->vcpu, UT_UNTIL_DONE);
}

/* User space may set a pending interrupt by the state alone. */
static void guest_open(void)
{
	guest_apic_on();
	guest_sync(1);
	GUEST_ASSERT_TAKEN(0x99, 1);
	guest_done();
}

TEST_F(lapic, pending_by_state)
{
	ut_restart(self->vcpu, guest_open);
	ut_until(self->vcpu, 1);
	ut_lapic_set_reg(self->vcpu, UT_APIC_IRR + 0x99 / 32 * 0x10, 1u << 0x99 % 32);
	ut_until(self->vcpu, UT_UNTIL_DONE);
}

TEST_HARNESS_MAIN
