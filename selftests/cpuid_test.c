// SPDX-License-Identifier: GPL-2.0
/*
 * CPUID: the table set is the table got and what the guest's instruction sees;
 * sizes, limits, and the bits that follow the guest's control registers.
 */
#include <kselftest_harness.h>
#include "umbra_util.h"

#define MAX_ENTRIES	256
#define CR4_OSXSAVE	BIT_ULL(18)

static void cpuid(u32 function, u32 index, u32 *r)
{
	asm volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) :
		     "0"(function), "2"(index));
}

static void guest_ask(u64 function, u64 index)
{
	u32 r[4];

	cpuid(function, index, r);
	guest_sync_args(1, r[0] | (u64)r[1] << 32, r[2] | (u64)r[3] << 32, 0);
	guest_done();
}

struct table {
	struct kvm_cpuid2 head;
	struct kvm_cpuid_entry2 entry[MAX_ENTRIES + 1];
};

FIXTURE(cpuid) {
	struct ut_vcpu *vcpu;
	struct table set, get;
};

FIXTURE_SETUP(cpuid)
{
	self->vcpu = ut_long_guest(guest_ask);
	memset(&self->set, 0, sizeof(self->set));
	memset(&self->get, 0, sizeof(self->get));
}

FIXTURE_TEARDOWN(cpuid)
{
	ut_vm_free(self->vcpu->vm);
}

static void ask(struct ut_vcpu *vcpu, u32 function, u32 index, u32 *r)
{
	struct ut_ucall uc;

	ut_restart(vcpu, guest_ask);
	ut_set_args(vcpu, function, index);
	if (ut_next(vcpu, &uc) != UT_SYNC)
		ut_die("no answer of the guest");
	r[0] = uc.arg[1];
	r[1] = uc.arg[1] >> 32;
	r[2] = uc.arg[2];
	r[3] = uc.arg[2] >> 32;
}

static void add(struct table *t, u32 function, u32 index, u32 flags, u32 value)
{
	struct kvm_cpuid_entry2 *e = &t->entry[t->head.nent++];

	e->function = function;
	e->index = index;
	e->flags = flags;
	e->eax = value;
	e->ebx = value + 1;
	e->ecx = value + 2;
	e->edx = value + 3;
}

TEST_F(cpuid, guest_sees_supported)
{
	struct kvm_cpuid2 *all = ut_supported_cpuid(self->vcpu->vm->dev_fd);
	struct kvm_cpuid_entry2 *e;
	u32 r[4], i;

	for (i = 0; i < all->nent; i++) {
		e = &all->entries[i];
		/* Leaves with bits that change with the guest's state. */
		if (e->function == 1 || e->function == 7 || e->function == 0xd)
			continue;
		ask(self->vcpu, e->function, e->index, r);
		EXPECT_EQ(e->eax, r[0]);
		EXPECT_EQ(e->ebx, r[1]);
		EXPECT_EQ(e->ecx, r[2]);
		EXPECT_EQ(e->edx, r[3])
			TH_LOG("leaf %#x.%u", e->function, e->index);
	}
	free(all);
}

TEST_F(cpuid, own_table)
{
	u32 r[4];

	add(&self->set, 0, 0, 0, 7);
	add(&self->set, 4, 0, KVM_CPUID_FLAG_SIGNIFCANT_INDEX, 0x100);
	add(&self->set, 4, 1, KVM_CPUID_FLAG_SIGNIFCANT_INDEX, 0x200);
	add(&self->set, 0x40000000, 0, 0, 0x300);
	ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_SET_CPUID2, &self->set));
	self->get.head.nent = MAX_ENTRIES;
	ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_GET_CPUID2, &self->get));
	/* All four, and not a byte behind them (KVM leaves the count as it was). */
	ASSERT_EQ(0, memcmp(self->set.entry, self->get.entry, sizeof(self->set.entry)));
	ask(self->vcpu, 4, 1, r);
	ASSERT_EQ(0x200, r[0]);
	ASSERT_EQ(0x203, r[3]);
	/* An index without an entry: zeroes. No index in the leaf: any will do. */
	ask(self->vcpu, 4, 2, r);
	ASSERT_EQ(0, r[0] | r[1] | r[2] | r[3]);
	ask(self->vcpu, 0x40000000, 99, r);
	ASSERT_EQ(0x301, r[1]);
}

TEST_F(cpuid, sizes)
{
	u32 i;

	for (i = 0; i < 3; i++)
		add(&self->set, i ? 0x40000000 + i : 0, 0, 0, 2);
	ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_SET_CPUID2, &self->set));
	self->get.head.nent = 2;
	ASSERT_EQ(-E2BIG, ut_ioctl(self->vcpu->fd, KVM_GET_CPUID2, &self->get));
	self->get.head.nent = 3;
	ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_GET_CPUID2, &self->get));
	self->set.head.nent = MAX_ENTRIES + 1;
	ASSERT_EQ(-E2BIG, ut_ioctl(self->vcpu->fd, KVM_SET_CPUID2, &self->set));
	self->set.head.nent = 0xffffffff;
	ASSERT_EQ(-E2BIG, ut_ioctl(self->vcpu->fd, KVM_SET_CPUID2, &self->set));
	ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_GET_CPUID2, &self->get));
	ASSERT_EQ(3, self->get.head.nent);
}

TEST_F(cpuid, bad_address_width)
{
	u32 r[4];

	/* Linear addresses have 48 or 57 bits, nothing between. */
	add(&self->set, 0x80000008, 0, 0, 0x3328);
	ASSERT_EQ(-EINVAL, ut_ioctl(self->vcpu->fd, KVM_SET_CPUID2, &self->set));
	ask(self->vcpu, 0x80000008, 0, r);
	ASSERT_NE(0x3328, r[0]);
	ASSERT_NE(0, r[0]);
}

TEST_F(cpuid, frozen_after_run)
{
	struct kvm_cpuid2 *all = ut_supported_cpuid(self->vcpu->vm->dev_fd);
	u32 r[4];

	ask(self->vcpu, 0, 0, r);
	/* The same again is no change. */
	ASSERT_EQ(0, ut_ioctl(self->vcpu->fd, KVM_SET_CPUID2, all));
	all->entries[0].eax ^= 1;
	if (ut_on_umbra())
		ut_ioctl(self->vcpu->fd, KVM_SET_CPUID2, all);
	else
		ASSERT_EQ(-EINVAL, ut_ioctl(self->vcpu->fd, KVM_SET_CPUID2, all));
	ask(self->vcpu, 0, 0, r);
	free(all);
}

static void guest_osxsave(void)
{
	u32 r[4];

	cpuid(1, 0, r);
	GUEST_ASSERT_EQ(r[2] >> 27 & 1, 0);
	guest_write_cr4(guest_read_cr(4) | CR4_OSXSAVE);
	cpuid(1, 0, r);
	GUEST_ASSERT_EQ(r[2] >> 27 & 1, 1);
	guest_write_cr4(guest_read_cr(4) & ~CR4_OSXSAVE);
	cpuid(1, 0, r);
	GUEST_ASSERT_EQ(r[2] >> 27 & 1, 0);
	guest_done();
}

TEST_F(cpuid, osxsave_follows_cr4)
{
	ut_restart(self->vcpu, guest_osxsave);
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
}

static void guest_cr4_faults(void)
{
	guest_catch(UT_GP_VECTOR);
	GUEST_ASSERT_EQ(guest_try("mov %%cr4, %%rax; bts $13, %%rax; mov %%rax, %%cr4"),
			UT_GP_VECTOR);
	GUEST_ASSERT_EQ(guest_try("mov %%cr4, %%rax; bts $31, %%rax; mov %%rax, %%cr4"),
			UT_GP_VECTOR);
	GUEST_ASSERT_EQ(guest_try("mov %%cr4, %%rax; btr $5, %%rax; mov %%rax, %%cr4"),
			UT_GP_VECTOR);
	GUEST_ASSERT_EQ(guest_try("mov %%cr0, %%rax; btr $0, %%rax; mov %%rax, %%cr0"),
			UT_GP_VECTOR);
	guest_done();
}

TEST_F(cpuid, illegal_control_registers)
{
	ut_restart(self->vcpu, guest_cr4_faults);
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
}

TEST_HARNESS_MAIN
