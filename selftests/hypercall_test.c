// SPDX-License-Identifier: GPL-2.0
/*
 * Hypercalls: who may call, what is there, and what each of them does. And the CPUID leaf that
 * offers what guests may know of the hypervisor: without it, and when user space wants that
 * obeyed, nothing of it is there.
 */
#include <errno.h>
#include <time.h>
#include <linux/kvm_para.h>
#include <kselftest_harness.h>
#include "irq.h"

#define NCPUS		4
#define VECTOR		0x70
#define SECOND		1000000000ll
#define PAIR_GPA	(UT_FREE_GPA + 0x1000)
#define SLOT_GPA	0x40000000ull
#define UNKNOWN		4711
#define NMI_MODE	UT_DM_NMI

#define FEATURES	(1u << KVM_FEATURE_CLOCKSOURCE | 1u << KVM_FEATURE_NOP_IO_DELAY | \
			 1u << KVM_FEATURE_CLOCKSOURCE2 | 1u << KVM_FEATURE_PV_EOI |	 \
			 1u << KVM_FEATURE_PV_UNHALT | 1u << KVM_FEATURE_PV_SEND_IPI |	 \
			 1u << KVM_FEATURE_CLOCKSOURCE_STABLE_BIT)

/* ---- guest ---- */

/* Set before the guest is made. */
static bool intel;
static u64 number, args[4], ready, nmis[NCPUS], asleep, awake;

static u64 hypercall(u64 nr, u64 a, u64 b, u64 c, u64 d)
{
	if (intel)
		asm volatile("vmcall" : "+a"(nr) : "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
	else
		asm volatile("vmmcall" : "+a"(nr) : "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
	return nr;
}

static void guest_call(void)
{
	for (;;)
		guest_sync(hypercall(number, args[0], args[1], args[2], args[3]));
}

static void count_nmi(struct ut_ex_regs *regs)
{
	(void)regs;
	__atomic_fetch_add(&nmis[guest_cpu()], 1, __ATOMIC_SEQ_CST);
}

static void guest_receiver(void)
{
	guest_apic_on();
	__atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
	for (;;) {
		guest_sti_hlt();
		guest_cli();
	}
}

static u64 total(int vector)
{
	u64 sum = 0;
	int cpu;

	for (cpu = 0; cpu < NCPUS; cpu++)
		sum += vector == UT_NMI_VECTOR ? ut_read_once(nmis[cpu]) :
						 guest_hits_of(cpu, vector);
	return sum;
}

static u64 got(int cpu, int vector)
{
	return vector == UT_NMI_VECTOR ? ut_read_once(nmis[cpu]) : guest_hits_of(cpu, vector);
}

/* An IPI to the vCPUs of @set, counted from @min, by a bitmap. */
static void send(int line, u64 set, u64 min, u64 icr)
{
	int vector = icr == NMI_MODE ? UT_NMI_VECTOR : icr & 0xff, cpu;
	u64 before[NCPUS], sum = total(vector), mask = min < 64 ? set << min : 0, sent;

	mask &= (1u << NCPUS) - 1;
	for (cpu = 0; cpu < NCPUS; cpu++)
		before[cpu] = got(cpu, vector);
	sent = hypercall(KVM_HC_SEND_IPI, set, 0, min, icr);
	if (sent != __builtin_popcountll(mask))
		guest_abort("wrong number of vCPUs", __FILE__, line, sent, mask);
	guest_sti();
	while (total(vector) < sum + sent)
		guest_pause();
	guest_cli();
	for (cpu = 0; cpu < NCPUS; cpu++)
		if (got(cpu, vector) != before[cpu] + (mask >> cpu & 1))
			guest_abort("not once where it was meant", __FILE__, line, cpu, mask);
}

static void guest_sender(void)
{
	u64 i;

	guest_apic_on();
	while (ut_read_once(ready) < NCPUS - 1)
		guest_pause();
	for (i = 0; i < 1 << NCPUS; i++)
		send(__LINE__, i, 0, VECTOR + i);
	send(__LINE__, 1, 2, VECTOR);
	send(__LINE__, 5, 1, VECTOR);
	send(__LINE__, ~0ull, 2, VECTOR);
	send(__LINE__, ~0ull, 1000, VECTOR);
	send(__LINE__, ~0ull, ~0ull, VECTOR);
	for (i = 0; i < 300; i++)
		send(__LINE__, 0xe, 0, VECTOR);
	send(__LINE__, 6, 0, NMI_MODE);
	/* Whom it is for is in the bitmap. */
	GUEST_ASSERT_EQ(-EINVAL, hypercall(KVM_HC_SEND_IPI, 2, 0, 0, VECTOR | UT_DEST_LOGICAL));
	GUEST_ASSERT_EQ(-EINVAL, hypercall(KVM_HC_SEND_IPI, 2, 0, 0, VECTOR | UT_ICR_SELF));
	GUEST_ASSERT_EQ(-EINVAL, hypercall(KVM_HC_SEND_IPI, 2, 0, 0, VECTOR | UT_ICR_ALL));
	guest_done();
}

/* HLT with interrupts off: nothing else could end it. */
static void guest_sleeper(void)
{
	u64 n;

	guest_apic_on();
	for (n = 1;; n++) {
		ut_write_once(asleep, n);
		guest_hlt();
		ut_write_once(awake, n);
	}
}

static void guest_kicker(void)
{
	u64 n;

	for (n = 1; n <= 300; n++) {
		while (ut_read_once(asleep) < n)
			guest_pause();
		/* Sometimes it sleeps already, sometimes not yet. */
		GUEST_ASSERT_EQ(0, hypercall(KVM_HC_KICK_CPU, 0, 1, 0, 0));
		while (ut_read_once(awake) < n)
			guest_pause();
	}
	GUEST_ASSERT_EQ(0, hypercall(KVM_HC_KICK_CPU, 0, 77, 0, 0));
	guest_done();
}

static u64 try_wrmsr(u32 msr)
{
	u64 vec;

	asm volatile("lea 1f(%%rip), %%r11\n\t"
		     "xor %%r10d, %%r10d\n\t"
		     "wrmsr\n"
		     "1:\tmov %%r10, %0"
		     : "=r"(vec) : "c"(msr), "a"(0), "d"(0) : "r10", "r11", "memory");
	return vec;
}

static u64 try_rdmsr(u32 msr)
{
	u64 vec;

	asm volatile("lea 1f(%%rip), %%r11\n\t"
		     "xor %%r10d, %%r10d\n\t"
		     "rdmsr\n"
		     "1:\tmov %%r10, %0"
		     : "=r"(vec) : "c"(msr) : "rax", "rdx", "r10", "r11", "memory");
	return vec;
}

static const u32 pv_msrs[] = {
	MSR_KVM_WALL_CLOCK, MSR_KVM_SYSTEM_TIME, MSR_KVM_WALL_CLOCK_NEW, MSR_KVM_SYSTEM_TIME_NEW,
	MSR_KVM_PV_EOI_EN,
};

static void guest_features(u64 vector, u64 answer)
{
	u64 i;

	guest_catch(UT_GP_VECTOR);
	for (i = 0; i < ARRAY_SIZE(pv_msrs); i++) {
		GUEST_ASSERT_EQ(vector, try_wrmsr(pv_msrs[i]));
		GUEST_ASSERT_EQ(vector, try_rdmsr(pv_msrs[i]));
	}
	GUEST_ASSERT_EQ(answer, hypercall(KVM_HC_KICK_CPU, 0, 5, 0, 0));
	GUEST_ASSERT_EQ(answer, hypercall(KVM_HC_SEND_IPI, 0, 0, 0, VECTOR));
	guest_done();
}

/* ---- test ---- */

FIXTURE(hypercall)
{
	struct ut_vm *vm;
	struct ut_vcpu *vcpu[NCPUS];
};

FIXTURE_SETUP(hypercall)
{
	intel = ut_on_vmx();
	self->vm = ut_irq_vm();
	self->vcpu[0] = ut_vcpu_long(self->vm, 0, guest_call);
}

FIXTURE_TEARDOWN(hypercall)
{
	ut_vm_free(self->vm);
}

static u64 call(struct ut_vcpu *vcpu, u64 nr, u64 a, u64 b, u64 c, u64 d)
{
	const u64 values[4] = { a, b, c, d };
	struct ut_ucall uc;

	*ut_guest_var(vcpu->vm, number) = nr;
	memcpy(*ut_guest_var(vcpu->vm, args), values, sizeof(values));
	if (ut_next(vcpu, &uc) != UT_SYNC)
		ut_die("exit %s", ut_exit_name(vcpu->run->exit_reason));
	return uc.arg[0];
}

TEST_F(hypercall, unknown)
{
	EXPECT_EQ(-KVM_ENOSYS, call(self->vcpu[0], UNKNOWN, 0, 0, 0, 0));
	EXPECT_EQ(-KVM_ENOSYS, call(self->vcpu[0], 0, 0, 0, 0, 0));
	EXPECT_EQ(-KVM_ENOSYS, call(self->vcpu[0], ~0ull, 0, 0, 0, 0));
	EXPECT_EQ(-KVM_ENOSYS,
		  call(self->vcpu[0], 1ull << 32 | KVM_HC_VAPIC_POLL_IRQ, 0, 0, 0, 0));
	EXPECT_EQ(0, call(self->vcpu[0], KVM_HC_VAPIC_POLL_IRQ, 0, 0, 0, 0));
}

/* A call of the guest's user mode, at CPL 3. */
TEST_F(hypercall, not_from_user_mode)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	ut_get_sregs(self->vcpu[0], &sregs);
	ut_get_regs(self->vcpu[0], &regs);
	ut_map(self->vm, UT_IMAGE_GPA, UT_IMAGE_GPA, 256, UT_PTE_W | UT_PTE_U);
	ut_map(self->vm, UT_STACKS_GPA, UT_STACKS_GPA, 64, UT_PTE_W | UT_PTE_U);
	sregs.cs.selector = UT_SEL_USER_CODE;
	sregs.cs.dpl = 3;
	sregs.ss.selector = UT_SEL_USER_DATA;
	sregs.ss.dpl = 3;
	ut_set_sregs(self->vcpu[0], &sregs);
	/* OUT, by which the guest talks to the test, is a privilege as well. */
	regs.rflags |= 3 << 12;
	ut_set_regs(self->vcpu[0], &regs);
	EXPECT_EQ(-KVM_EPERM, call(self->vcpu[0], KVM_HC_VAPIC_POLL_IRQ, 0, 0, 0, 0));
	EXPECT_EQ(-KVM_EPERM, call(self->vcpu[0], KVM_HC_KICK_CPU, 0, 0, 0, 0));
	EXPECT_EQ(-KVM_EPERM, call(self->vcpu[0], UNKNOWN, 0, 0, 0, 0));
}

/* Of 32-bit code, only half of the registers counts. */
UT_BLOB(vmcall32, ".code32\n\tmovl $1, %eax\n\tvmcall\n\tmovl %eax, %edi\n\t"
		  "movl $4711, %eax\n\tvmcall\n\thlt");
UT_BLOB(vmmcall32, ".code32\n\tmovl $1, %eax\n\tvmmcall\n\tmovl %eax, %edi\n\t"
		   "movl $4711, %eax\n\tvmmcall\n\thlt");

TEST(from_32_bit_code)
{
	struct ut_vcpu *vcpu;
	struct kvm_regs regs;

	if (ut_on_vmx())
		vcpu = ut_blob_guest(UT_PROT32, vmcall32, UT_BLOB_LEN(vmcall32));
	else
		vcpu = ut_blob_guest(UT_PROT32, vmmcall32, UT_BLOB_LEN(vmmcall32));
	ASSERT_EQ(0, ut_run(vcpu));
	ASSERT_EQ(KVM_EXIT_HLT, vcpu->run->exit_reason);
	ut_get_regs(vcpu, &regs);
	EXPECT_EQ(0, regs.rdi);
	EXPECT_EQ((u32)-KVM_ENOSYS, regs.rax);
	ut_vm_free(vcpu->vm);
}

TEST_F_TIMEOUT(hypercall, send_ipi, UT_IRQ_TIMEOUT)
{
	struct ut_runner *runner[NCPUS];
	int i;

	ut_set_handler(self->vm, UT_NMI_VECTOR, count_nmi);
	ut_restart(self->vcpu[0], guest_sender);
	for (i = 1; i < NCPUS; i++) {
		self->vcpu[i] = ut_vcpu_long(self->vm, i, guest_receiver);
		ut_set_mp(self->vcpu[i], KVM_MP_STATE_RUNNABLE);
	}
	for (i = 0; i < NCPUS; i++)
		runner[i] = ut_runner_start(self->vcpu[i]);
	EXPECT_EQ(UT_DONE, ut_runner_join(runner[0]));
	for (i = 1; i < NCPUS; i++)
		ut_runner_stop(runner[i]);
}

TEST_F_TIMEOUT(hypercall, kick, UT_IRQ_TIMEOUT)
{
	struct ut_runner *runner[2];

	ut_restart(self->vcpu[0], guest_kicker);
	self->vcpu[1] = ut_vcpu_long(self->vm, 1, guest_sleeper);
	ut_set_mp(self->vcpu[1], KVM_MP_STATE_RUNNABLE);
	runner[0] = ut_runner_start(self->vcpu[0]);
	runner[1] = ut_runner_start(self->vcpu[1]);
	EXPECT_EQ(UT_DONE, ut_runner_join(runner[0]));
	ut_runner_stop(runner[1]);
}

static void guest_kick_once(void)
{
	GUEST_ASSERT_EQ(0, hypercall(KVM_HC_KICK_CPU, 0, 1, 0, 0));
	guest_done();
}

/* Kicked while nobody runs it: who saves the halted one has to know. */
TEST_F_TIMEOUT(hypercall, kick_is_saved, UT_IRQ_TIMEOUT)
{
	struct ut_runner *runner;

	self->vcpu[1] = ut_vcpu_long(self->vm, 1, guest_sleeper);
	ut_set_mp(self->vcpu[1], KVM_MP_STATE_RUNNABLE);
	runner = ut_runner_start(self->vcpu[1]);
	ut_wait(*ut_guest_var(self->vm, asleep) == 1);
	ut_runner_stop(runner);
	/* It may have been stopped just before its HLT. */
	while (ut_mp_state(self->vcpu[1]) != KVM_MP_STATE_HALTED) {
		runner = ut_runner_start(self->vcpu[1]);
		ut_msleep(10);
		ut_runner_stop(runner);
	}
	ut_restart(self->vcpu[0], guest_kick_once);
	ut_until(self->vcpu[0], UT_UNTIL_DONE);
	ASSERT_EQ(KVM_MP_STATE_RUNNABLE, ut_mp_state(self->vcpu[1]));
	/* As on another host, where only the state has arrived. */
	ut_set_mp(self->vcpu[1], KVM_MP_STATE_RUNNABLE);
	runner = ut_runner_start(self->vcpu[1]);
	ut_wait(*ut_guest_var(self->vm, awake) >= 1);
	ut_msleep(50);
	ut_runner_stop(runner);
	/* Once: but KVM keeps it for the next HLT, too. */
	if (ut_on_umbra())
		EXPECT_EQ(1, *ut_guest_var(self->vm, awake));
}

TEST(no_chip)
{
	struct ut_vcpu *vcpu;

	intel = ut_on_vmx();
	vcpu = ut_long_guest(guest_call);
	EXPECT_EQ(-KVM_EOPNOTSUPP, call(vcpu, KVM_HC_SEND_IPI, 1, 0, 0, VECTOR));
	ut_vm_free(vcpu->vm);
}

TEST_F(hypercall, clock_pairing)
{
	struct kvm_clock_pairing *pair = ut_hva(self->vm, PAIR_GPA);
	struct kvm_clock_data data;
	struct timespec now;
	long long ns;
	u64 tsc;

	EXPECT_EQ(-KVM_EOPNOTSUPP,
		  call(self->vcpu[0], KVM_HC_CLOCK_PAIRING, PAIR_GPA, 1, 0, 0));
	ut_must_ioctl(self->vm->fd, KVM_GET_CLOCK, &data);
	if (!(data.flags & KVM_CLOCK_TSC_STABLE)) {
		EXPECT_EQ(-KVM_EOPNOTSUPP,
			  call(self->vcpu[0], KVM_HC_CLOCK_PAIRING, PAIR_GPA, 0, 0, 0));
		SKIP(return, "the host does not run by its TSC: there is no pair");
	}
	memset(pair, 0xff, sizeof(*pair));
	ASSERT_EQ(0, call(self->vcpu[0], KVM_HC_CLOCK_PAIRING, PAIR_GPA, 0, 0, 0));
	clock_gettime(CLOCK_REALTIME, &now);
	ASSERT_EQ(1, ut_read_msr(self->vcpu[0], 0x10, &tsc));
	ns = (pair->sec - now.tv_sec) * SECOND + pair->nsec - now.tv_nsec;
	EXPECT_GE(0, ns);
	EXPECT_LT(-10 * SECOND, ns);
	EXPECT_GT(SECOND, pair->nsec);
	EXPECT_EQ(0, pair->flags);
	EXPECT_LT(pair->tsc, tsc);
	EXPECT_GT(pair->tsc + (10ull << 32), tsc);
	EXPECT_EQ(-KVM_EFAULT, call(self->vcpu[0], KVM_HC_CLOCK_PAIRING, SLOT_GPA, 0, 0, 0));
	EXPECT_EQ(-KVM_EFAULT, call(self->vcpu[0], KVM_HC_CLOCK_PAIRING, ~0ull, 0, 0, 0));
}

/* ---- what is offered, and to whom ---- */

TEST_F(hypercall, leaf)
{
	struct kvm_cpuid2 *cpuid = ut_supported_cpuid(self->vm->dev_fd);
	struct kvm_cpuid_entry2 *e = ut_cpuid_entry(cpuid, KVM_CPUID_SIGNATURE, 0);
	const u32 sig[3] = { 0x4b4d564b, 0x564b4d56, 0x4d };

	ASSERT_NE(NULL, e);
	EXPECT_EQ(KVM_CPUID_FEATURES, e->eax);
	EXPECT_EQ(sig[0], e->ebx);
	EXPECT_EQ(sig[1], e->ecx);
	EXPECT_EQ(sig[2], e->edx);
	e = ut_cpuid_entry(cpuid, KVM_CPUID_FEATURES, 0);
	ASSERT_NE(NULL, e);
	if (ut_on_umbra())
		EXPECT_EQ(FEATURES, e->eax);
	EXPECT_EQ(FEATURES, e->eax & FEATURES);
	EXPECT_EQ(0, e->ebx | e->ecx | e->edx);
	free(cpuid);
}

static void set_features(struct ut_vcpu *vcpu, u32 at, u32 features)
{
	struct kvm_cpuid2 *cpuid = ut_supported_cpuid(vcpu->vm->dev_fd);
	struct kvm_cpuid_entry2 *e;

	e = ut_cpuid_entry(cpuid, KVM_CPUID_FEATURES, 0);
	e->eax = features;
	e->function = at + 1;
	ut_cpuid_entry(cpuid, KVM_CPUID_SIGNATURE, 0)->function = at;
	ut_must_ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid);
	free(cpuid);
}

static void enforce(struct ut_vcpu *vcpu, u64 on)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID, .args = { on } };

	ut_must_ioctl(vcpu->fd, KVM_ENABLE_CAP, &cap);
}

static void expect_features(struct ut_vcpu *vcpu, u64 vector, u64 answer)
{
	struct ut_ucall uc;

	ut_restart(vcpu, guest_features);
	ut_set_args(vcpu, vector, answer);
	if (ut_next(vcpu, &uc) != UT_DONE)
		ut_die("exit %s", ut_exit_name(vcpu->run->exit_reason));
}

TEST_F(hypercall, enforced)
{
	set_features(self->vcpu[0], KVM_CPUID_SIGNATURE, 0);
	/* KVM's guests have always had all of it. */
	expect_features(self->vcpu[0], 0, 0);
	enforce(self->vcpu[0], 1);
	expect_features(self->vcpu[0], UT_GP_VECTOR, -KVM_ENOSYS);
	enforce(self->vcpu[0], 0);
	expect_features(self->vcpu[0], 0, 0);
}

TEST_F(hypercall, enforced_with_features)
{
	set_features(self->vcpu[0], KVM_CPUID_SIGNATURE, FEATURES);
	enforce(self->vcpu[0], 1);
	expect_features(self->vcpu[0], 0, 0);
}

/* Another hypervisor's leaf may come first: KVM's is at the next hundred then. */
TEST_F(hypercall, enforced_behind_another)
{
	set_features(self->vcpu[0], KVM_CPUID_SIGNATURE + 0x100, FEATURES);
	enforce(self->vcpu[0], 1);
	expect_features(self->vcpu[0], 0, 0);
}

TEST_F(hypercall, bad_capability)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID, .flags = 1 };

	EXPECT_EQ(1, ut_cap(self->vm->dev_fd, KVM_CAP_ENFORCE_PV_FEATURE_CPUID));
	EXPECT_EQ(1, ut_cap(self->vm->dev_fd, KVM_CAP_KVMCLOCK_CTRL));
	EXPECT_EQ(-EINVAL, ut_ioctl(self->vcpu[0]->fd, KVM_ENABLE_CAP, &cap));
	cap.flags = 0;
	cap.cap = 0xffff;
	EXPECT_EQ(-EINVAL, ut_ioctl(self->vcpu[0]->fd, KVM_ENABLE_CAP, &cap));
	EXPECT_EQ(-EFAULT, ut_ioctl(self->vcpu[0]->fd, KVM_ENABLE_CAP, 8));
}

TEST_HARNESS_MAIN
