// SPDX-License-Identifier: GPL-2.0
/*
 * The run page belongs to user space, which may write anything there at any
 * time: between an exit and its completion, and while the guest runs. Nothing
 * but the caller's own answers may suffer.
 */
#include <pthread.h>
#include <kselftest_harness.h>
#include "umbra_util.h"

#define PORT	0x1234
#define BUF	UT_FREE_GPA

FIXTURE(page) {
	struct ut_vcpu *vcpu;
	struct kvm_run *run;
};

FIXTURE_SETUP(page)
{
	self->vcpu = ut_long_guest(guest_done);
	self->run = self->vcpu->run;
}

FIXTURE_TEARDOWN(page)
{
	ut_vm_free(self->vcpu->vm);
}

/* Everything but the fields that ask for something. */
static void scribble(struct kvm_run *run, u8 value)
{
	memset((char *)run + offsetof(struct kvm_run, exit_reason), value,
	       offsetof(struct kvm_run, kvm_valid_regs) - offsetof(struct kvm_run, exit_reason));
	memset(&run->s, value, sizeof(run->s));
	/* CR8 is an input of each run. */
	run->cr8 = 0;
}

static void guest_string_in(void)
{
	u64 di = BUF, cx = 8;

	asm volatile("rep insl" : "+D"(di), "+c"(cx) : "d"(PORT) : "memory");
	GUEST_ASSERT_EQ(cx, 0);
	GUEST_ASSERT_EQ(di, BUF + 32);
	guest_done();
}

TEST_F(page, string_input)
{
	u8 *mem = ut_hva(self->vcpu->vm, BUF);
	u32 n = 0, chunk, i;

	memset(mem, 0xee, UT_PAGE_SIZE);
	ut_restart(self->vcpu, guest_string_in);
	while (ut_next(self->vcpu, NULL) == UT_EXIT) {
		chunk = self->run->io.count * self->run->io.size;
		ASSERT_GE(32, n + chunk);
		for (i = 0; i < chunk; i++)
			((u8 *)ut_io_data(self->vcpu))[i] = n + i;
		n += chunk;
		scribble(self->run, 0xff);
	}
	ASSERT_EQ(32, n);
	for (i = 0; i < 32; i++)
		ASSERT_EQ(i, mem[i]);
	ASSERT_EQ(0xee, mem[32]);
}

static void guest_mmio(void)
{
	u64 v;

	asm volatile("movl (%1), %k0" : "=r"(v) : "r"(UT_MMIO_GPA) : "memory");
	guest_sync_args(1, v, 0, 0);
	asm volatile("movq %0, (%1)" : : "r"(v), "r"(UT_MMIO_GPA + 0xffc) : "memory");
	guest_done();
}

TEST_F(page, mmio)
{
	struct ut_ucall uc;

	ut_restart(self->vcpu, guest_mmio);
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	memcpy(self->run->mmio.data, "\x78\x56\x34\x12", 4);
	/* Not four bytes any more, and somewhere else, and written. */
	self->run->mmio.len = 0xffffffff;
	self->run->mmio.phys_addr = ~0ull;
	self->run->mmio.is_write = 1;
	self->run->exit_reason = KVM_EXIT_SHUTDOWN;
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &uc));
	ASSERT_EQ(0x12345678, uc.arg[1]);
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	ASSERT_EQ(4, self->run->mmio.len);
	self->run->mmio.len = 0;
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_MMIO, self->run->exit_reason);
	ASSERT_EQ(UT_MMIO_GPA + 0x1000, self->run->mmio.phys_addr);
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
}

TEST_F(page, read_only_mapping)
{
	void *ro = mmap(NULL, self->vcpu->run_size, PROT_READ, MAP_SHARED, self->vcpu->fd, 0);

	ASSERT_NE(MAP_FAILED, ro);
	ASSERT_EQ(UT_DONE, (ut_restart(self->vcpu, guest_done), ut_next(self->vcpu, NULL)));
	/* Both show the same page. */
	ASSERT_EQ(KVM_EXIT_IO, ((struct kvm_run *)ro)->exit_reason);
	munmap(ro, self->vcpu->run_size);
}

static void guest_busy(void)
{
	u64 i;

	for (i = 0; ; i++) {
		u64 si = BUF, cx = 64;

		asm volatile("rep outsb" : "+S"(si), "+c"(cx) : "d"(PORT) : "memory");
		guest_write32(UT_MMIO_GPA + (i & 0xffc), i);
		guest_read64(UT_MMIO_GPA + 0xffb);
		guest_inl(PORT);
	}
}

static int stop;

static void *scribbler(void *arg)
{
	struct ut_vcpu *vcpu = arg;
	u64 seed = 1, *word = (u64 *)vcpu->run;
	size_t n = vcpu->run_size / sizeof(u64);

	while (!ut_read_once(stop)) {
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		ut_write_once(word[(seed >> 33) % n], seed);
	}
	return NULL;
}

/* Whatever KVM_RUN then returns, the host lives and the vCPU obeys again later. */
TEST_F(page, scribbled_while_running)
{
	struct kvm_coalesced_mmio_zone zone = { .addr = UT_MMIO_GPA, .size = 0x800 };
	struct kvm_vcpu_events none = { .flags = KVM_VCPUEVENT_VALID_NMI_PENDING |
						 KVM_VCPUEVENT_VALID_SHADOW };
	struct kvm_sregs sregs;
	pthread_t thread;
	int i;

	ut_must_ioctl(self->vcpu->vm->fd, KVM_REGISTER_COALESCED_MMIO, &zone);
	ut_get_sregs(self->vcpu, &sregs);
	ut_restart(self->vcpu, guest_busy);
	ASSERT_EQ(0, pthread_create(&thread, NULL, scribbler, self->vcpu));
	for (i = 0; i < 3000; i++) {
		ut_run(self->vcpu);
		/* Registers may have come from the page: put them right now and then. */
		if (i % 16 == 0) {
			ut_set_events(self->vcpu, &none);
			ut_set_sregs(self->vcpu, &sregs);
			ut_restart(self->vcpu, guest_busy);
		}
	}
	ut_write_once(stop, 1);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	memset(self->run, 0, self->vcpu->run_size);
	ut_run(self->vcpu);
	ut_set_events(self->vcpu, &none);
	ut_set_sregs(self->vcpu, &sregs);
	ut_restart(self->vcpu, guest_done);
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
}

TEST_HARNESS_MAIN
