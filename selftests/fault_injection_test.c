// SPDX-License-Identifier: GPL-2.0
/*
 * Allocations and copies that fail: each single one on the way of a call, one after the
 * other, and many at random. A call in which one failed either did without it or says
 * so, and the same call works afterwards. What leaks is also found by kmemleak, which
 * scripts/lab asks at the end. Needs a kernel with fault injection (scripts/debug-kernel).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <kselftest_harness.h>
#include "worker.h"

#define DEBUGFS		"/sys/kernel/debug/"
#define CGROUP		"/sys/fs/cgroup/"
#define OWN_GROUP	CGROUP "umbra_fault_injection"
#define SLOW		900	/* seconds: debug kernels on emulated hosts */
#define MAX_NTH		3000	/* no call here has so many places to fail */
#define STORM_LIVES	150
#define LEAK_PAGES	24	/* below a page for each of STORM_LIVES */
#define NPAGES		8
#define STRIDE		0x200000ull
#define LIFE_GPA	0x40000000ull
#define LIFE_SIZE	(NPAGES * STRIDE)
#define MSR_LSTAR	0xc0000082

/* Write to one page of each of NPAGES tables, then to a device, then stop. */
UT_BLOB(toucher, ".code32\n"
	"\tmov $0x40000000, %edi\n"
	"\tmov $8, %ecx\n"
	"1:\tmov %ecx, (%edi)\n"
	"\tadd $0x200000, %edi\n"
	"\tloop 1b\n"
	"\tmovl $0x11223344, 0xd0000000\n"
	"\thlt");

/* ---- faults ---- */

static int set_fault_file(const char *kind, const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), DEBUGFS "%s/%s", kind, name);
	return ut_write_file(path, value);
}

/* Only tasks that ask for it are hit; allocations that may sleep are hit too. */
static int setup_faults(void)
{
	static const char * const kinds[] = { "failslab", "fail_page_alloc", "fail_usercopy" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (set_fault_file(kinds[i], "task-filter", "Y") ||
		    set_fault_file(kinds[i], "probability", "0") ||
		    set_fault_file(kinds[i], "interval", "1") ||
		    set_fault_file(kinds[i], "times", "-1") ||
		    set_fault_file(kinds[i], "verbose", "0"))
			return -ENOENT;
	}
	if (set_fault_file("failslab", "ignore-gfp-wait", "N") ||
	    set_fault_file("fail_page_alloc", "ignore-gfp-wait", "N") ||
	    set_fault_file("fail_page_alloc", "ignore-gfp-highmem", "N") ||
	    set_fault_file("fail_page_alloc", "min-order", "0"))
		return -ENOENT;
	return access("/proc/thread-self/fail-nth", W_OK) ? -errno : 0;
}

static void set_probability(const char *percent)
{
	if (set_fault_file("failslab", "probability", percent) ||
	    set_fault_file("fail_page_alloc", "probability", percent) ||
	    set_fault_file("fail_usercopy", "probability", percent))
		ut_die("cannot set the probability of faults");
}

struct attempt {
	int fd;			/* of fail-nth */
	bool injected;
};

/* Call @call with the @nth place to fail failing, if it gets that far. */
static int attempt(struct attempt *a, unsigned int nth, int (*call)(void *arg), void *arg)
{
	char text[16], left[16] = "";
	int r, len = snprintf(text, sizeof(text), "%u", nth);

	if (pwrite(a->fd, text, len, 0) != len)
		ut_die("cannot arm fail-nth: %m");
	r = call(arg);
	/* The read itself copies to user space: one that is hit was not hit before. */
	a->injected = pread(a->fd, left, sizeof(left) - 1, 0) > 0 && !strcmp(left, "0\n");
	if (pwrite(a->fd, "0", 1, 0) != 1 && pwrite(a->fd, "0", 1, 0) != 1)
		ut_die("cannot disarm fail-nth: %m");
	return r;
}

/**
 * struct op - a call that is made to fail in all ways
 * @name: for messages
 * @prepare: before each attempt, without faults; may be NULL
 * @call: 0 or more, or -errno; after a failure it is called again
 * @finish: after it worked, undoes what was done, dies when the result is wrong
 */
struct op {
	const char *name;
	void (*prepare)(void *arg);
	int (*call)(void *arg);
	void (*finish)(void *arg);
};

static bool is_honest(int r)
{
	return r >= 0 || r == -ENOMEM || r == -EFAULT;
}

/* Returns the number of faults that were injected; dies on a wrong answer. */
static unsigned int exhaust(const struct op *op, void *arg)
{
	struct attempt a = {
		.fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC),
	};
	unsigned int nth, failed = 0;

	if (a.fd < 0)
		ut_die("fail-nth: %m");
	for (nth = 1; nth <= MAX_NTH; nth++) {
		int r;

		if (op->prepare)
			op->prepare(arg);
		r = attempt(&a, nth, op->call, arg);
		if (!is_honest(r) || (r < 0 && !a.injected))
			ut_die("%s: fault %u gave %d", op->name, nth, r);
		if (r < 0) {
			failed++;
			r = op->call(arg);
		}
		if (r < 0)
			ut_die("%s: after fault %u: %d", op->name, nth, r);
		if (op->finish)
			op->finish(arg);
		if (!a.injected)
			break;
	}
	close(a.fd);
	if (nth > MAX_NTH)
		ut_die("%s: no end of faults", op->name);
	dprintf(STDOUT_FILENO, "# %s: %u faults, %u failures\n", op->name, nth - 1, failed);
	return nth - 1;
}

/* ---- the calls ---- */

struct ctx {
	struct ut_vcpu *vcpu;
	struct ut_vm *vm;
	void *hva;
	int fd;			/* what was created last */
	int event;
	int next_id;
	bool slot;
};

static int create_vm(void *arg)
{
	struct ctx *c = arg;

	c->fd = ut_ioctl(c->vm->dev_fd, KVM_CREATE_VM, 0);
	return c->fd;
}

static int create_vcpu(void *arg)
{
	struct ctx *c = arg;

	c->fd = ut_ioctl(c->vm->fd, KVM_CREATE_VCPU, c->next_id);
	return c->fd;
}

static void close_last(void *arg)
{
	struct ctx *c = arg;

	close(c->fd);
	c->next_id++;
}

static int map_vcpu(void *arg)
{
	struct ctx *c = arg;
	void *p = mmap(NULL, c->vcpu->run_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		       c->vcpu->fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, c->vcpu->run_size);
	return 0;
}

static int add_slot(void *arg)
{
	struct ctx *c = arg;

	return ut_set_region(c->vm, 1, LIFE_GPA, LIFE_SIZE, c->hva, 0);
}

static int move_slot(void *arg)
{
	struct ctx *c = arg;

	return ut_set_region(c->vm, 1, LIFE_GPA + LIFE_SIZE, LIFE_SIZE, c->hva, 0);
}

static int log_slot(void *arg)
{
	struct ctx *c = arg;

	return ut_set_region(c->vm, 1, LIFE_GPA, LIFE_SIZE, c->hva, KVM_MEM_LOG_DIRTY_PAGES);
}

static int delete_slot(void *arg)
{
	struct ctx *c = arg;

	return ut_set_region(c->vm, 1, LIFE_GPA, 0, c->hva, 0);
}

static void must_add_slot(void *arg)
{
	if (add_slot(arg))
		ut_die("the slot cannot be added");
}

static void must_log_slot(void *arg)
{
	if (log_slot(arg))
		ut_die("the slot cannot be logged");
}

static void must_delete_slot(void *arg)
{
	if (delete_slot(arg))
		ut_die("the slot cannot be deleted");
}

static int get_dirty_log(void *arg)
{
	static unsigned long bits[LIFE_SIZE / UT_PAGE_SIZE / 64];
	struct kvm_dirty_log log = { .slot = 1, .dirty_bitmap = bits };
	struct ctx *c = arg;

	return ut_ioctl(c->vm->fd, KVM_GET_DIRTY_LOG, &log);
}

static int assign_event(void *arg)
{
	struct ctx *c = arg;
	struct kvm_ioeventfd e = { .addr = UT_MMIO_GPA, .len = 4, .fd = c->event };

	return ut_ioctl(c->vm->fd, KVM_IOEVENTFD, &e);
}

static void deassign_event(void *arg)
{
	struct ctx *c = arg;
	struct kvm_ioeventfd e = {
		.addr = UT_MMIO_GPA, .len = 4, .fd = c->event, .flags = KVM_IOEVENTFD_FLAG_DEASSIGN,
	};

	ut_must_ioctl(c->vm->fd, KVM_IOEVENTFD, &e);
}

static int add_zone(void *arg)
{
	struct kvm_coalesced_mmio_zone z = { .addr = UT_MMIO_GPA, .size = 0x1000 };
	struct ctx *c = arg;

	return ut_ioctl(c->vm->fd, KVM_REGISTER_COALESCED_MMIO, &z);
}

static void remove_zone(void *arg)
{
	struct kvm_coalesced_mmio_zone z = { .addr = UT_MMIO_GPA, .size = 0x1000 };
	struct ctx *c = arg;

	ut_must_ioctl(c->vm->fd, KVM_UNREGISTER_COALESCED_MMIO, &z);
}

static int filter_msr(void *arg)
{
	__u8 bitmap[1] = { 0xfe };
	struct kvm_msr_filter filter = {
		.ranges[0] = { .flags = KVM_MSR_FILTER_READ, .nmsrs = 8, .base = MSR_LSTAR,
			       .bitmap = bitmap },
		.ranges[1] = { .flags = KVM_MSR_FILTER_WRITE, .nmsrs = 8, .base = MSR_LSTAR,
			       .bitmap = bitmap },
	};
	struct ctx *c = arg;

	return ut_ioctl(c->vm->fd, KVM_X86_SET_MSR_FILTER, &filter);
}

static int set_cpuid(void *arg)
{
	static struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entry[256];
	} list;
	struct ctx *c = arg;
	int r;

	list.head.nent = ARRAY_SIZE(list.entry);
	r = ut_ioctl(c->vm->dev_fd, KVM_GET_SUPPORTED_CPUID, &list);
	return r < 0 ? r : ut_ioctl(c->vcpu->fd, KVM_SET_CPUID2, &list);
}

static int move_xsave(void *arg)
{
	struct ctx *c = arg;
	struct kvm_xsave x;
	int r = ut_ioctl(c->vcpu->fd, KVM_GET_XSAVE, &x);

	return r < 0 ? r : ut_ioctl(c->vcpu->fd, KVM_SET_XSAVE, &x);
}

static int move_msrs(void *arg)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry[1];
	} m = { .head.nmsrs = 1, .entry[0].index = MSR_LSTAR };
	struct ctx *c = arg;
	int r = ut_ioctl(c->vcpu->fd, KVM_GET_MSRS, &m);

	return r < 0 ? r : ut_ioctl(c->vcpu->fd, KVM_SET_MSRS, &m);
}

/* Until the guest halts; a run that failed is tried again by the next call. */
static int run_to_halt(void *arg)
{
	struct ctx *c = arg;
	int r;

	do {
		r = ut_run(c->vcpu);
		if (r)
			return r;
	} while (c->vcpu->run->exit_reason == KVM_EXIT_MMIO);
	if (c->vcpu->run->exit_reason != KVM_EXIT_HLT)
		ut_die("exit %s", ut_exit_name(c->vcpu->run->exit_reason));
	return 0;
}

static void make_guest(struct ctx *c)
{
	c->vcpu = ut_blob_guest(UT_PROT32, toucher, UT_BLOB_LEN(toucher));
	c->vm = c->vcpu->vm;
	c->hva = ut_add_slot(c->vm, 1, LIFE_GPA, LIFE_SIZE, KVM_MEM_LOG_DIRTY_PAGES);
}

static void prepare_guest(void *arg)
{
	make_guest(arg);
}

static void check_guest(void *arg)
{
	struct ctx *c = arg;
	int i;

	for (i = 0; i < NPAGES; i++)
		if (*(uint32_t *)(c->hva + i * STRIDE) != NPAGES - i)
			ut_die("the guest's value %d is missing", i);
	ut_vm_free(c->vm);
}

static const struct op ops[] = {
	{ "create a VM", NULL, create_vm, close_last },
	{ "create a vCPU", NULL, create_vcpu, close_last },
	{ "map a vCPU", NULL, map_vcpu, NULL },
	{ "add a slot", NULL, add_slot, must_delete_slot },
	{ "add a logged slot", NULL, log_slot, must_delete_slot },
	{ "start logging", must_add_slot, log_slot, must_delete_slot },
	{ "move a slot", must_add_slot, move_slot, must_delete_slot },
	{ "delete a slot", must_log_slot, delete_slot, NULL },
	{ "get a dirty log", must_log_slot, get_dirty_log, must_delete_slot },
	{ "ioeventfd", NULL, assign_event, deassign_event },
	{ "coalesced zone", NULL, add_zone, remove_zone },
	{ "MSR filter", NULL, filter_msr, NULL },
	{ "CPUID", NULL, set_cpuid, NULL },
	{ "XSAVE", NULL, move_xsave, NULL },
	{ "MSRs", NULL, move_msrs, NULL },
};

FIXTURE(faults)
{
	struct ctx c;
};

FIXTURE_SETUP(faults)
{
	int r = setup_faults();

	if (r)
		SKIP(_exit(UT_SKIPPED), "the kernel has no fault injection, or not for this user");
	make_guest(&self->c);
	must_delete_slot(&self->c);
	self->c.event = eventfd(0, EFD_NONBLOCK);
	ASSERT_LE(0, self->c.event);
	self->c.next_id = 1;
}

FIXTURE_TEARDOWN(faults)
{
	ut_vm_free(self->c.vm);
	close(self->c.event);
}

TEST_F_TIMEOUT(faults, each_ioctl, SLOW)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		EXPECT_LT(0, exhaust(&ops[i], &self->c));
}

TEST_F_TIMEOUT(faults, run, SLOW)
{
	static const struct op op = { "run", prepare_guest, run_to_halt, check_guest };
	struct ctx c = { 0 };

	/* At least a table and a page of the host's for each page that the guest writes. */
	ASSERT_LT(2 * NPAGES, exhaust(&op, &c));
}

/* ---- at random ---- */

/* One field of the group's memory.stat in pages. */
static long stat_pages(const char *name)
{
	FILE *f = fopen(OWN_GROUP "/memory.stat", "re");
	char line[128];
	long v = 0;

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ' ')
			v = strtol(line + strlen(name), NULL, 10);
	if (f)
		fclose(f);
	return v / (long)UT_PAGE_SIZE;
}

/* The kernel's pages on behalf of this process that are in no account of their own. */
static long charged_pages(void)
{
	static const char * const known[] = {
		"kernel_stack", "pagetables", "percpu", "vmalloc", "slab_reclaimable",
		"slab_unreclaimable",
	};
	long sum;
	size_t i;

	/* The kernel sums up every two seconds, and frees by RCU before. */
	ut_msleep(2500);
	sum = stat_pages("kernel");
	for (i = 0; i < ARRAY_SIZE(known); i++)
		sum -= stat_pages(known[i]);
	return sum;
}

/* 0, or why not. */
static const char *enter_group(void)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	if (ut_write_file(CGROUP "cgroup.subtree_control", "+memory"))
		return "no memory controller of cgroup2";
	if ((mkdir(OWN_GROUP, 0755) && errno != EEXIST) ||
	    ut_write_file(OWN_GROUP "/cgroup.procs", pid))
		return "cannot enter a cgroup";
	return NULL;
}

static void leave_group(void)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	ut_write_file(CGROUP "cgroup.procs", pid);
	rmdir(OWN_GROUP);
}

/* A short life that takes any failure; returns how many calls failed. */
static int careless_life(struct ctx *c, void *hva)
{
	struct kvm_regs regs = { .rip = UT_BLOB_GPA, .rflags = UT_RFLAGS_FIXED };
	struct ut_vm vm = { .dev_fd = c->vm->dev_fd };
	struct kvm_sregs sregs;
	int vcpu, bad = 0;

	vm.fd = ut_ioctl(vm.dev_fd, KVM_CREATE_VM, 0);
	if (vm.fd < 0)
		return 1;
	bad += ut_set_region(&vm, 0, 0, UT_BLOB_MEM, c->vm->slot[0].hva, 0) < 0;
	bad += ut_set_region(&vm, 1, LIFE_GPA, LIFE_SIZE, hva, KVM_MEM_LOG_DIRTY_PAGES) < 0;
	vcpu = ut_ioctl(vm.fd, KVM_CREATE_VCPU, 0);
	bad += vcpu < 0;
	bad += ut_ioctl(c->vcpu->fd, KVM_GET_SREGS, &sregs) < 0;
	if (!bad) {
		bad += ut_ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0;
		bad += ut_ioctl(vcpu, KVM_SET_REGS, &regs) < 0;
		bad += ut_ioctl(vcpu, KVM_RUN, 0) < 0;
		bad += ut_ioctl(vcpu, KVM_RUN, 0) < 0;
		bad += ut_set_region(&vm, 1, LIFE_GPA, 0, hva, 0) < 0;
	}
	if (vcpu >= 0)
		close(vcpu);
	close(vm.fd);
	return bad;
}

static int storm(struct ctx *c, void *hva, int lives)
{
	int i, bad = 0;

	for (i = 0; i < lives; i++) {
		madvise(hva, LIFE_SIZE, MADV_DONTNEED);
		bad += careless_life(c, hva) != 0;
	}
	return bad;
}

TEST_F_TIMEOUT(faults, storm, SLOW)
{
	const char *why = enter_group();
	long before, alive, after;
	struct ctx other;
	int bad;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, storm(&self->c, self->c.hva, 10));
	before = charged_pages();
	/* The measure does see what a VM takes. */
	make_guest(&other);
	ASSERT_EQ(0, run_to_halt(&other));
	alive = charged_pages();
	check_guest(&other);

	set_probability("2");
	ASSERT_EQ(0, ut_write_file("/proc/self/make-it-fail", "1"));
	bad = storm(&self->c, self->c.hva, STORM_LIVES);
	while (ut_write_file("/proc/self/make-it-fail", "0"))
		;
	set_probability("0");
	after = charged_pages();
	ASSERT_EQ(0, storm(&self->c, self->c.hva, 1));
	leave_group();
	dprintf(STDOUT_FILENO, "# %d of %d lives failed; pages: %ld, %ld with a VM, %ld after\n",
		bad, STORM_LIVES, before, alive, after);
	EXPECT_LT(STORM_LIVES / 10, bad);
	EXPECT_LT(before + NPAGES, alive);
	EXPECT_GT(before + LEAK_PAGES, after);
}

TEST_HARNESS_MAIN
