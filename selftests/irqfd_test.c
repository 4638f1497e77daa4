// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_IRQFD: a write to an eventfd is an interrupt. Assigning and taking away, resample, what
 * is refused, and storms in which no signal may be lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <kselftest_harness.h>
#include "irq.h"

#define VECTOR		0x60
#define PIN		17
#define PORT		0x440
#define STORM		1000
#define MANY		100
#define EDGES		3

FIXTURE(irqfd) {
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
	int fd;
	int resample;
};

FIXTURE_SETUP(irqfd)
{
	self->vm = ut_irq_vm();
	self->vcpu = ut_vcpu_long(self->vm, 0, guest_done);
	self->fd = eventfd(0, EFD_NONBLOCK);
	self->resample = eventfd(0, EFD_NONBLOCK);
	ASSERT_LE(0, self->fd);
	ASSERT_LE(0, self->resample);
}

FIXTURE_TEARDOWN(irqfd)
{
	close(self->fd);
	close(self->resample);
	ut_vm_free(self->vm);
}

static int irqfd(struct ut_vm *vm, int fd, u32 gsi, u32 flags, int resample)
{
	struct kvm_irqfd arg = {
		.fd = fd, .gsi = gsi, .flags = flags, .resamplefd = resample,
	};

	return ut_ioctl(vm->fd, KVM_IRQFD, &arg);
}

static u64 stop;

static void guest_listens(void)
{
	guest_apic_on();
	guest_sync(1);
	while (!ut_read_once(stop)) {
		guest_sti_hlt();
		guest_cli();
	}
	guest_done();
}

static struct ut_runner *listener(struct ut_vcpu *vcpu)
{
	ut_restart(vcpu, guest_listens);
	ut_until(vcpu, 1);
	return ut_runner_start(vcpu);
}

static void finish(struct ut_vm *vm, struct ut_runner *runner)
{
	ut_write_once(*ut_guest_var(vm, stop), 1);
	ut_msi(vm, UT_APIC_GPA, 0x31);
	if (ut_runner_join(runner) != UT_DONE)
		ut_die("the guest has not come to its end");
}

/* QEMU's processor has them, a real one must not. */
static void no_phantoms(struct ut_vm *vm)
{
	if (ut_phantoms(vm, 0) && !getenv("UMBRA_LAB"))
		ut_die("%lu interrupts of which the local APIC does not know", ut_phantoms(vm, 0));
}

TEST_F_TIMEOUT(irqfd, each_write, UT_IRQ_TIMEOUT)
{
	struct ut_runner *runner;
	u64 i;

	ut_route_msi(self->vm, 5, UT_APIC_GPA, VECTOR);
	ASSERT_EQ(0, irqfd(self->vm, self->fd, 5, 0, 0));
	runner = listener(self->vcpu);
	for (i = 1; i <= 200; i++) {
		ut_signal(self->fd);
		ut_wait(ut_hits(self->vm, 0, VECTOR) >= i);
	}
	/* The counter has been taken. */
	EXPECT_EQ(0, ut_signals(self->fd));
	ASSERT_EQ(0, irqfd(self->vm, self->fd, 5, KVM_IRQFD_FLAG_DEASSIGN, 0));
	ut_signal(self->fd);
	ut_msleep(20);
	EXPECT_TRUE(ut_counted(ut_hits(self->vm, 0, VECTOR), 200));
	EXPECT_EQ(1, ut_signals(self->fd));
	finish(self->vm, runner);
}

/* Signalled before it was assigned: that counts. */
TEST_F_TIMEOUT(irqfd, signalled_before, UT_IRQ_TIMEOUT)
{
	struct ut_runner *runner;

	ut_route_msi(self->vm, 5, UT_APIC_GPA, VECTOR);
	ut_signal(self->fd);
	runner = listener(self->vcpu);
	ASSERT_EQ(0, irqfd(self->vm, self->fd, 5, 0, 0));
	ut_wait(ut_hits(self->vm, 0, VECTOR) >= 1);
	finish(self->vm, runner);
}

/* The route that counts is the one at the time of the signal. */
TEST_F_TIMEOUT(irqfd, route_changes, UT_IRQ_TIMEOUT)
{
	struct ut_runner *runner;
	int i;

	ut_route_msi(self->vm, 5, UT_APIC_GPA, VECTOR);
	ASSERT_EQ(0, irqfd(self->vm, self->fd, 5, 0, 0));
	runner = listener(self->vcpu);
	for (i = 0; i < 10; i++) {
		ut_route_msi(self->vm, 5, UT_APIC_GPA, VECTOR + i);
		ut_signal(self->fd);
		ut_wait(ut_hits(self->vm, 0, VECTOR + i) >= 1);
	}
	finish(self->vm, runner);
}

TEST_F(irqfd, refused)
{
	int other = eventfd(0, 0), file = open("/dev/null", O_RDWR), dead;
	struct ut_vm *bare;

	EXPECT_EQ(-EINVAL, irqfd(self->vm, self->fd, 5, 4, 0));
	EXPECT_EQ(-EBADF, irqfd(self->vm, -1, 5, 0, 0));
	EXPECT_EQ(-EINVAL, irqfd(self->vm, file, 5, 0, 0));
	dead = dup(file);
	close(dead);
	EXPECT_EQ(-EBADF, irqfd(self->vm, dead, 5, 0, 0));
	EXPECT_EQ(-EBADF, irqfd(self->vm, self->fd, 5, KVM_IRQFD_FLAG_RESAMPLE, -1));
	EXPECT_EQ(-EINVAL, irqfd(self->vm, self->fd, 5, KVM_IRQFD_FLAG_RESAMPLE, file));
	/* One eventfd is one interrupt. */
	EXPECT_EQ(0, irqfd(self->vm, self->fd, 5, 0, 0));
	EXPECT_EQ(-EBUSY, irqfd(self->vm, self->fd, 5, 0, 0));
	EXPECT_EQ(-EBUSY, irqfd(self->vm, self->fd, 6, 0, 0));
	EXPECT_EQ(0, irqfd(self->vm, other, 5, 0, 0));
	/* Nothing to take away is no error, a bad descriptor is one. */
	EXPECT_EQ(0, irqfd(self->vm, self->resample, 5, KVM_IRQFD_FLAG_DEASSIGN, 0));
	EXPECT_EQ(0, irqfd(self->vm, self->fd, 9, KVM_IRQFD_FLAG_DEASSIGN, 0));
	EXPECT_EQ(-EBADF, irqfd(self->vm, -1, 5, KVM_IRQFD_FLAG_DEASSIGN, 0));
	EXPECT_EQ(0, irqfd(self->vm, self->fd, 5, KVM_IRQFD_FLAG_DEASSIGN, 0));
	EXPECT_EQ(0, irqfd(self->vm, self->fd, 6, 0, 0));
	/* No chip, no interrupts. */
	bare = ut_irq_vm_bare();
	EXPECT_EQ(-EINVAL, irqfd(bare, self->resample, 5, KVM_IRQFD_FLAG_RESAMPLE, other));
	ut_vm_free(bare);
	close(other);
	close(file);
}

/* Closed by user space: the irqfd goes with it, and so may the VM before the eventfd. */
TEST_F(irqfd, closed_first)
{
	struct ut_vm *vm;
	int i, fd;

	ut_route_msi(self->vm, 5, UT_APIC_GPA, VECTOR);
	for (i = 0; i < 20; i++) {
		fd = eventfd(0, 0);
		ASSERT_EQ(0, irqfd(self->vm, fd, 5, 0, 0));
		close(fd);
		vm = ut_irq_vm();
		ASSERT_EQ(0, irqfd(vm, self->fd, 5, 0, 0));
		ut_vm_free(vm);
		ut_signal(self->fd);
		ASSERT_EQ(1, ut_signals(self->fd));
	}
}

/* Level: held until the guest's EOI, which says so, and the device may raise it again. */
static void guest_level(u64 entry)
{
	guest_apic_on();
	guest_set_handler(VECTOR, guest_irq_count);
	guest_ioapic_redir(PIN, entry);
	guest_sync(1);
	GUEST_ASSERT_TAKEN(VECTOR, 1);
	GUEST_ASSERT_TAKEN(VECTOR, 1);
	guest_sync(2);
	guest_eoi();
	GUEST_ASSERT_TAKEN(VECTOR, 1);
	guest_sync(3);
	GUEST_ASSERT_TAKEN(VECTOR, 2);
	guest_eoi();
	guest_done();
}

static u32 ioapic_irr(struct ut_vm *vm)
{
	struct kvm_irqchip chip;

	ut_get_chip(vm, KVM_IRQCHIP_IOAPIC, &chip);
	return chip.chip.ioapic.irr;
}

TEST_F_TIMEOUT(irqfd, resample, UT_IRQ_TIMEOUT)
{
	ASSERT_EQ(0, irqfd(self->vm, self->fd, PIN, KVM_IRQFD_FLAG_RESAMPLE, self->resample));
	ut_restart(self->vcpu, guest_level);
	ut_set_args(self->vcpu, VECTOR | UT_REDIR_LEVEL, 0);
	ut_until(self->vcpu, 1);
	ut_signal(self->fd);
	ut_wait(ioapic_irr(self->vm) & 1u << PIN);
	ut_until(self->vcpu, 2);
	EXPECT_EQ(0, ut_signals(self->resample));
	EXPECT_EQ(1u << PIN, ioapic_irr(self->vm));
	ut_until(self->vcpu, 3);
	EXPECT_EQ(1, ut_signals(self->resample));
	EXPECT_EQ(0, ioapic_irr(self->vm));
	ut_signal(self->fd);
	ut_wait(ioapic_irr(self->vm) & 1u << PIN);
	ut_until(self->vcpu, UT_UNTIL_DONE);
	EXPECT_EQ(1, ut_signals(self->resample));
}

/* Edge: an EOI says so just the same, and only then can the line rise again. */
static void guest_edge(void)
{
	u64 n;

	guest_apic_on();
	guest_set_handler(VECTOR, guest_irq_count);
	guest_ioapic_redir(PIN, VECTOR);
	for (n = 1; n <= EDGES; n++) {
		guest_sync(n);
		while (guest_hits(VECTOR) < n) {
			guest_sti_hlt();
			guest_cli();
		}
		guest_eoi();
	}
	guest_done();
}

TEST_F_TIMEOUT(irqfd, resample_edge, UT_IRQ_TIMEOUT)
{
	int i;

	ASSERT_EQ(0, irqfd(self->vm, self->fd, PIN, KVM_IRQFD_FLAG_RESAMPLE, self->resample));
	ut_restart(self->vcpu, guest_edge);
	for (i = 1; i <= EDGES; i++) {
		ut_until(self->vcpu, i);
		/* The one before has been ended, or no other would ever come. */
		ASSERT_EQ(i > 1, ut_signals(self->resample));
		ut_signal(self->fd);
	}
	ut_until(self->vcpu, UT_UNTIL_DONE);
	EXPECT_EQ(1, ut_signals(self->resample));
}

/* Two devices on one line: EOI tells both, and the line falls with the last. */
TEST_F_TIMEOUT(irqfd, resample_shared, UT_IRQ_TIMEOUT)
{
	int fd = eventfd(0, EFD_NONBLOCK), resample = eventfd(0, EFD_NONBLOCK);

	ASSERT_EQ(0, irqfd(self->vm, self->fd, PIN, KVM_IRQFD_FLAG_RESAMPLE, self->resample));
	ASSERT_EQ(0, irqfd(self->vm, fd, PIN, KVM_IRQFD_FLAG_RESAMPLE, resample));
	ut_restart(self->vcpu, guest_level);
	ut_set_args(self->vcpu, VECTOR | UT_REDIR_LEVEL, 0);
	ut_until(self->vcpu, 1);
	ut_signal(self->fd);
	ut_signal(fd);
	ut_wait(ioapic_irr(self->vm) & 1u << PIN);
	ut_until(self->vcpu, 2);
	ut_until(self->vcpu, 3);
	EXPECT_EQ(1, ut_signals(self->resample));
	EXPECT_EQ(1, ut_signals(resample));
	/* One of them leaves while its signal is held: the line falls. */
	ut_signal(fd);
	ut_wait(ioapic_irr(self->vm) & 1u << PIN);
	ASSERT_EQ(0, irqfd(self->vm, fd, PIN, KVM_IRQFD_FLAG_DEASSIGN, 0));
	ut_signal(self->fd);
	ut_until(self->vcpu, UT_UNTIL_DONE);
	EXPECT_EQ(1, ut_signals(self->resample));
	EXPECT_EQ(0, ut_signals(resample));
	close(fd);
	close(resample);
}

/* KVM_IRQ_LINE and an irqfd with resample are two sources of one line. */
TEST_F_TIMEOUT(irqfd, resample_beside_a_line, UT_IRQ_TIMEOUT)
{
	ASSERT_EQ(0, irqfd(self->vm, self->fd, PIN, KVM_IRQFD_FLAG_RESAMPLE, self->resample));
	ut_signal(self->fd);
	ut_wait(ioapic_irr(self->vm) & 1u << PIN);
	ut_line(self->vm, PIN, 1);
	ut_line(self->vm, PIN, 0);
	EXPECT_EQ(1u << PIN, ioapic_irr(self->vm));
	ASSERT_EQ(0, irqfd(self->vm, self->fd, PIN, KVM_IRQFD_FLAG_DEASSIGN, 0));
	ut_wait(!(ioapic_irr(self->vm) & 1u << PIN));
}

/*
 * A storm: signals merge, but each batch is followed by an interrupt. The guest answers each
 * interrupt through an ioeventfd, and the sender goes on when all it has sent was seen.
 */
static void answers(struct ut_ex_regs *regs)
{
	u64 n = guest_hits(VECTOR);

	guest_irq_eoi(regs);
	if (guest_hits(VECTOR) != n)
		guest_outw(PORT, 1);
}

TEST_F_TIMEOUT(irqfd, storm, UT_IRQ_TIMEOUT)
{
	struct kvm_ioeventfd answer = {
		.addr = PORT, .len = 2, .fd = self->resample, .flags = KVM_IOEVENTFD_FLAG_PIO,
	};
	struct pollfd poll_fd = { .fd = self->resample, .events = POLLIN };
	struct ut_runner *runner;
	u64 i, seen = 0;

	ut_route_msi(self->vm, 5, UT_APIC_GPA, VECTOR);
	ut_set_handler(self->vm, VECTOR, answers);
	ASSERT_EQ(0, irqfd(self->vm, self->fd, 5, 0, 0));
	ut_must_ioctl(self->vm->fd, KVM_IOEVENTFD, &answer);
	runner = listener(self->vcpu);
	for (i = 1; i <= STORM; i++) {
		ut_signal(self->fd);
		ASSERT_EQ(1, poll(&poll_fd, 1, UT_HANG_MS));
		seen += ut_signals(self->resample);
		ASSERT_LE(i, seen);
	}
	finish(self->vm, runner);
	seen += ut_signals(self->resample);
	EXPECT_EQ(seen, ut_hits(self->vm, 0, VECTOR));
	EXPECT_TRUE(ut_counted(seen, STORM));
	no_phantoms(self->vm);
}

/* Many at once from several threads, while one of them is assigned and taken away. */
#define SENDERS	4

struct sender {
	struct ut_vm *vm;
	int fd;
	int gsi;
};

static void *send_many(void *arg)
{
	struct sender *sender = arg;
	u64 before, i;

	for (i = 0; i < MANY; i++) {
		before = ut_hits(sender->vm, 0, VECTOR + sender->gsi);
		ut_signal(sender->fd);
		while (ut_hits(sender->vm, 0, VECTOR + sender->gsi) == before)
			ut_msleep(0);
	}
	return NULL;
}

TEST_F_TIMEOUT(irqfd, storm_of_many, UT_IRQ_TIMEOUT)
{
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry entry[SENDERS + 1];
	} table = { .head.nr = SENDERS + 1 };
	struct sender sender[SENDERS];
	struct ut_runner *runner;
	pthread_t thread[SENDERS];
	int i;

	for (i = 0; i <= SENDERS; i++) {
		table.entry[i].gsi = i;
		table.entry[i].type = KVM_IRQ_ROUTING_MSI;
		table.entry[i].u.msi.address_lo = UT_APIC_GPA;
		table.entry[i].u.msi.data = VECTOR + i;
	}
	ut_must_ioctl(self->vm->fd, KVM_SET_GSI_ROUTING, &table);
	runner = listener(self->vcpu);
	for (i = 0; i < SENDERS; i++) {
		sender[i].vm = self->vm;
		sender[i].gsi = i;
		sender[i].fd = eventfd(0, 0);
		ASSERT_EQ(0, irqfd(self->vm, sender[i].fd, i, 0, 0));
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, send_many, &sender[i]));
	}
	for (i = 0; i < MANY / 2; i++) {
		ASSERT_EQ(0, irqfd(self->vm, self->fd, SENDERS, 0, 0));
		ut_signal(self->fd);
		ASSERT_EQ(0, irqfd(self->vm, self->fd, SENDERS, KVM_IRQFD_FLAG_DEASSIGN, 0));
		ut_must_ioctl(self->vm->fd, KVM_SET_GSI_ROUTING, &table);
	}
	for (i = 0; i < SENDERS; i++) {
		pthread_join(thread[i], NULL);
		EXPECT_TRUE(ut_counted(ut_hits(self->vm, 0, VECTOR + i), MANY));
		close(sender[i].fd);
	}
	finish(self->vm, runner);
	no_phantoms(self->vm);
}

TEST_HARNESS_MAIN
