// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_GET_STATS_FD: the file's format, reading it in every way, how long it
 * lives, and that the counters of what happened move. Which counters there are
 * is no part of the interface; only Umbra's own are looked for by name.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <kselftest_harness.h>
#include "stats.h"
#include "worker.h"

#define MAX_FILE	0x100000
#define SYNCS		100
#define NPAGES		64

static void guest_syncs(void)
{
	u64 i;

	for (i = 0; i < SYNCS; i++)
		guest_sync(i);
	guest_done();
}

static void guest_spin(void)
{
	guest_sync(0);
	for (;;)
		guest_pause();
}

/* Open descriptors of statistics, one for the VM and one for each of two vCPUs. */
FIXTURE(stats)
{
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
	int fd[3];
	char *file;
	char *again;
};

FIXTURE_SETUP(stats)
{
	self->vm = ut_vm_long();
	self->vcpu = ut_vcpu_long(self->vm, 0, guest_syncs);
	self->fd[0] = ut_stats_fd(self->vm->fd);
	self->fd[1] = ut_stats_fd(self->vcpu->fd);
	self->fd[2] = ut_stats_fd(ut_vcpu_long(self->vm, 7, guest_syncs)->fd);
	self->file = malloc(MAX_FILE);
	self->again = malloc(MAX_FILE);
	ASSERT_NE(NULL, self->file);
	ASSERT_NE(NULL, self->again);
}

FIXTURE_TEARDOWN(stats)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(self->fd); i++)
		close(self->fd[i]);
	free(self->file);
	free(self->again);
	ut_vm_free(self->vm);
}

static const struct kvm_stats_desc *desc_at(const char *file, u32 i)
{
	const struct kvm_stats_header *header = (const void *)file;
	size_t size = sizeof(struct kvm_stats_desc) + header->name_size;

	return (const void *)(file + header->desc_offset + i * size);
}

static void run_syncs(struct ut_vcpu *vcpu)
{
	int i;

	for (i = 0; i < SYNCS; i++)
		if (ut_next(vcpu, NULL) != UT_SYNC)
			ut_die("the guest stopped early");
}

TEST_F(stats, capability)
{
	EXPECT_EQ(1, ut_cap(self->vm->dev_fd, KVM_CAP_BINARY_STATS_FD));
	EXPECT_EQ(1, ut_cap(self->vm->fd, KVM_CAP_BINARY_STATS_FD));
}

/* Bytes of the blocks, as (offset, size): each is aligned, inside, and alone there. */
static bool blocks_are_apart(const struct kvm_stats_header *h, u64 data_size, u64 file_size)
{
	u64 desc_size = h->num_desc * (sizeof(struct kvm_stats_desc) + h->name_size);
	u64 block[4][2] = {
		{ 0, sizeof(*h) },
		{ h->id_offset, h->name_size },
		{ h->desc_offset, desc_size },
		{ h->data_offset, data_size },
	};
	int i, j;

	for (i = 0; i < 4; i++) {
		if (block[i][0] % 8 || block[i][0] + block[i][1] > file_size)
			return false;
		for (j = 0; j < i; j++)
			if (block[i][0] < block[j][0] + block[j][1] &&
			    block[j][0] < block[i][0] + block[i][1])
				return false;
	}
	return true;
}

TEST_F(stats, blocks)
{
	const struct kvm_stats_header *h = (void *)self->file;
	u64 data_size;
	ssize_t size;
	size_t i;
	u32 d;

	for (i = 0; i < ARRAY_SIZE(self->fd); i++) {
		size = pread(self->fd[i], self->file, MAX_FILE, 0);
		ASSERT_LT((ssize_t)sizeof(*h), size);
		ASSERT_EQ(0, h->flags);
		ASSERT_LT(0, h->num_desc);
		ASSERT_GT(1000, h->num_desc);
		ASSERT_LE(16, h->name_size);
		ASSERT_EQ(0, h->name_size % 8);
		data_size = 0;
		for (d = 0; d < h->num_desc; d++)
			data_size += desc_at(self->file, d)->size * sizeof(u64);
		EXPECT_TRUE(blocks_are_apart(h, data_size, size));
	}
}

TEST_F(stats, descriptors)
{
	const struct kvm_stats_header *h = (void *)self->file;
	char *used = self->again;
	size_t i;
	u32 d, e;

	for (i = 0; i < ARRAY_SIZE(self->fd); i++) {
		memset(self->file, 0, MAX_FILE);
		memset(used, 0, MAX_FILE);
		ASSERT_LT(0, pread(self->fd[i], self->file, MAX_FILE, 0));
		for (d = 0; d < h->num_desc; d++) {
			const struct kvm_stats_desc *desc = desc_at(self->file, d);
			u32 type = desc->flags & KVM_STATS_TYPE_MASK;

			ASSERT_NE(NULL, memchr(desc->name, 0, h->name_size));
			ASSERT_NE(0, desc->name[0]);
			for (e = 0; e < d; e++)
				ASSERT_NE(0, strcmp(desc->name, desc_at(self->file, e)->name));
			ASSERT_GE(KVM_STATS_TYPE_MAX, type);
			ASSERT_GE(KVM_STATS_UNIT_MAX, desc->flags & KVM_STATS_UNIT_MASK);
			ASSERT_GE(KVM_STATS_BASE_MAX, desc->flags & KVM_STATS_BASE_MASK);
			ASSERT_LT(0, desc->size);
			if (type <= KVM_STATS_TYPE_PEAK)
				ASSERT_EQ(1, desc->size);
			if (type != KVM_STATS_TYPE_LINEAR_HIST)
				ASSERT_EQ(0, desc->bucket_size);
			/* No value has two names. */
			ASSERT_EQ(0, desc->offset % sizeof(u64));
			ASSERT_GT(MAX_FILE, h->data_offset + desc->offset + desc->size * 8);
			for (e = 0; e < desc->size; e++) {
				ASSERT_EQ(0, used[desc->offset + e * 8]);
				used[desc->offset + e * 8] = 1;
			}
		}
	}
}

TEST_F(stats, id)
{
	static const char * const tail[] = { "", "/vcpu-0", "/vcpu-7" };
	const struct kvm_stats_header *h = (void *)self->file;
	char wanted[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(self->fd); i++) {
		ASSERT_LT(0, pread(self->fd[i], self->file, MAX_FILE, 0));
		ASSERT_NE(NULL, memchr(self->file + h->id_offset, 0, h->name_size));
		snprintf(wanted, sizeof(wanted), "kvm-%d%s", getpid(), tail[i]);
		EXPECT_STREQ(wanted, self->file + h->id_offset);
	}
}

/* Every part of the file is what the whole file has there. */
TEST_F(stats, parts)
{
	ssize_t size = pread(self->fd[1], self->file, MAX_FILE, 0);
	ssize_t at, step;

	ASSERT_LT(0, size);
	for (step = 1; step < 200; step += 13) {
		memset(self->again, 0xee, MAX_FILE);
		for (at = 0; at < size; at += step)
			ASSERT_EQ(size - at < step ? size - at : step,
				  pread(self->fd[1], self->again + at, step, at));
		ASSERT_EQ(0, memcmp(self->file, self->again, size));
		ASSERT_EQ((char)0xee, self->again[size]);
	}
}

TEST_F(stats, ends)
{
	ssize_t size = pread(self->fd[0], self->file, MAX_FILE, 0);
	void *nowhere = ut_mmap(UT_PAGE_SIZE, UT_PAGE_SIZE, PROT_NONE, MAP_PRIVATE, -1);

	ASSERT_LT(0, size);
	EXPECT_EQ(1, pread(self->fd[0], self->file, 100, size - 1));
	EXPECT_EQ(0, pread(self->fd[0], self->file, 100, size));
	EXPECT_EQ(0, pread(self->fd[0], self->file, 100, size + 1));
	EXPECT_EQ(0, pread(self->fd[0], self->file, 100, 1ll << 40));
	EXPECT_EQ(0, pread(self->fd[0], self->file, 0, 0));
	ASSERT_EQ(-1, pread(self->fd[0], self->file, 100, -1));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(-1, pread(self->fd[0], nowhere, 100, 0));
	EXPECT_EQ(EFAULT, errno);
}

TEST_F(stats, reads_go_on)
{
	ssize_t size = pread(self->fd[1], self->file, MAX_FILE, 0);

	ASSERT_EQ(24, read(self->fd[1], self->again, 24));
	/* A read elsewhere does not move the place. */
	ASSERT_EQ(8, pread(self->fd[1], self->again + 24, 8, 0));
	ASSERT_EQ(size - 24, read(self->fd[1], self->again + 24, MAX_FILE));
	EXPECT_EQ(0, memcmp(self->file, self->again, size));
	EXPECT_EQ(0, read(self->fd[1], self->again, 8));
	/* Each descriptor has its own place. */
	EXPECT_EQ(24, read(self->fd[2], self->again, 24));
}

/* As the API's documents have it; KVM's file stays where it is. */
TEST_F(stats, seeks)
{
	ssize_t size = pread(self->fd[0], self->file, MAX_FILE, 0);

	if (!ut_on_umbra())
		SKIP(return, "KVM ignores lseek() on statistics");
	ASSERT_EQ(size, read(self->fd[0], self->again, MAX_FILE));
	ASSERT_EQ(size, lseek(self->fd[0], 0, SEEK_CUR));
	ASSERT_EQ(24, lseek(self->fd[0], 24, SEEK_SET));
	ASSERT_EQ(8, read(self->fd[0], self->again, 8));
	EXPECT_EQ(0, memcmp(self->file + 24, self->again, 8));
	ASSERT_EQ(size - 8, lseek(self->fd[0], -8, SEEK_END));
	ASSERT_EQ(8, read(self->fd[0], self->again, MAX_FILE));
	ASSERT_EQ(-1, lseek(self->fd[0], -1, SEEK_SET));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(-1, lseek(self->fd[0], size + 1, SEEK_SET));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(0, lseek(self->fd[0], 0, SEEK_SET));
	ASSERT_EQ(size, read(self->fd[0], self->again, MAX_FILE));
}

TEST_F(stats, only_for_reading)
{
	struct kvm_regs regs;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(self->fd); i++) {
		EXPECT_EQ(O_RDONLY, fcntl(self->fd[i], F_GETFL) & O_ACCMODE);
		EXPECT_EQ(FD_CLOEXEC, fcntl(self->fd[i], F_GETFD));
		ASSERT_EQ(-1, write(self->fd[i], "x", 1));
		EXPECT_EQ(EBADF, errno);
		ASSERT_EQ(-1, pwrite(self->fd[i], "x", 1, 0));
		ASSERT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_SHARED, self->fd[i], 0));
		EXPECT_EQ(-ENOTTY, ut_ioctl(self->fd[i], KVM_GET_REGS, &regs));
		EXPECT_EQ(-ENOTTY, ut_ioctl(self->fd[i], KVM_GET_STATS_FD, 0));
	}
}

TEST_F(stats, only_data_changes)
{
	const struct kvm_stats_header *h = (void *)self->file;
	ssize_t size = pread(self->fd[1], self->file, MAX_FILE, 0);

	run_syncs(self->vcpu);
	ASSERT_EQ(size, pread(self->fd[1], self->again, MAX_FILE, 0));
	EXPECT_NE(0, memcmp(self->file + h->data_offset, self->again + h->data_offset,
			    size - h->data_offset));
	EXPECT_EQ(0, memcmp(self->file, self->again, h->data_offset));
}

TEST_F(stats, exits_are_counted_where_they_happen)
{
	u64 before = ut_stat(self->fd[1], "exits");

	EXPECT_EQ(0, ut_stat(self->fd[2], "exits"));
	run_syncs(self->vcpu);
	EXPECT_LE(before + SYNCS, ut_stat(self->fd[1], "exits"));
	/* Faults and interrupts add some, not many. */
	EXPECT_GT(before + 100 * SYNCS, ut_stat(self->fd[1], "exits"));
	EXPECT_EQ(0, ut_stat(self->fd[2], "exits"));
	run_syncs(self->vm->vcpu[1]);
	EXPECT_LE(SYNCS, ut_stat(self->fd[2], "exits"));
}

TEST_F(stats, host_changes_flush)
{
	const char *name = "remote_tlb_flush_requests";
	u64 before;

	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
	before = ut_stat(self->fd[0], name);
	EXPECT_EQ(before, ut_stat(self->fd[0], name));
	/* The stack: mapped for the guest, and gone. */
	ASSERT_EQ(0, madvise(ut_hva(self->vm, UT_STACKS_GPA), UT_STACK_SIZE, MADV_DONTNEED));
	EXPECT_LT(before, ut_stat(self->fd[0], name));
}

static void *run_thread(void *vcpu)
{
	ut_run(vcpu);
	return NULL;
}

/* Not while the vCPU runs, and not for others to wait for. */
TEST(read_while_running)
{
	struct ut_vcpu *vcpu = ut_long_guest(guest_spin);
	int fd = ut_stats_fd(vcpu->fd);
	u64 before, now = 0;
	pthread_t thread;
	int i;

	ASSERT_EQ(UT_SYNC, ut_next(vcpu, NULL));
	before = ut_stat(fd, "exits");
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_thread, vcpu));
	/* The host's timer ends the guest often enough. */
	for (i = 0; i < 1000 && now < before + 10; i++) {
		ut_msleep(10);
		now = ut_stat(fd, "exits");
	}
	EXPECT_LE(before + 10, now);
	/* The end of this process ends the guest. */
}

TEST_F(stats, outlives_the_rest)
{
	u64 exits, flushes;

	run_syncs(self->vcpu);
	exits = ut_stat(self->fd[1], "exits");
	close(self->vcpu->fd);
	munmap(self->vcpu->run, self->vcpu->run_size);
	EXPECT_EQ(exits, ut_stat(self->fd[1], "exits"));
	flushes = ut_stat(self->fd[0], "remote_tlb_flush_requests");
	close(self->vm->vcpu[1]->fd);
	munmap(self->vm->vcpu[1]->run, self->vm->vcpu[1]->run_size);
	close(self->vm->fd);
	close(self->vm->dev_fd);
	EXPECT_EQ(exits, ut_stat(self->fd[1], "exits"));
	EXPECT_LE(flushes, ut_stat(self->fd[0], "remote_tlb_flush_requests"));
	/* Memory goes while only these files hold the VM. */
	munmap(self->vm->slot[0].hva, self->vm->slot[0].size);
	close(self->fd[0]);
	EXPECT_EQ(exits, ut_stat(self->fd[1], "exits"));
	close(self->fd[1]);
	EXPECT_EQ(0, ut_stat(self->fd[2], "exits"));
}

/* A file is not bound to a process; the calls that make one are. */
TEST_F(stats, other_process)
{
	int status;
	pid_t pid;

	run_syncs(self->vcpu);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		int bad = 0;

		bad |= ut_stat(self->fd[1], "exits") < SYNCS ? 1 : 0;
		bad |= ut_ioctl(self->vm->fd, KVM_GET_STATS_FD, 0) != -EIO ? 2 : 0;
		bad |= ut_ioctl(self->vcpu->fd, KVM_GET_STATS_FD, 0) != -EIO ? 4 : 0;
		_exit(bad);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
}

TEST_F(stats, no_descriptor_left)
{
	struct rlimit limit = { 64, 64 };
	int i, fd, first, count = 0;

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	first = ut_stats_fd(self->vm->fd);
	for (i = 0; i < 64; i++) {
		fd = ut_ioctl(i & 1 ? self->vm->fd : self->vcpu->fd, KVM_GET_STATS_FD, 0);
		if (fd < 0)
			break;
		count++;
	}
	EXPECT_EQ(-EMFILE, fd);
	EXPECT_LT(0, count);
	EXPECT_EQ(-EMFILE, ut_ioctl(self->vm->fd, KVM_GET_STATS_FD, 0));
	EXPECT_EQ(-EMFILE, ut_ioctl(self->vcpu->fd, KVM_GET_STATS_FD, 0));
	close(first);
	EXPECT_EQ(first, ut_stats_fd(self->vcpu->fd));
}

/* The module stays as long as a file is open, and not longer. */
TEST(holds_the_module)
{
	const char *refcnt = "/sys/module/umbra/refcnt";
	struct ut_vm *vm;
	long idle;
	int fd, i;

	if (!ut_on_umbra())
		SKIP(return, "for Umbra's module only");
	idle = ut_read_number(refcnt);
	ASSERT_LE(0, idle);
	for (i = 0; i < 2; i++) {
		vm = ut_vm_long();
		fd = ut_stats_fd(i ? ut_vcpu_long(vm, 0, guest_syncs)->fd : vm->fd);
		ut_vm_free(vm);
		EXPECT_LT(idle, ut_read_number(refcnt));
		EXPECT_LT(0, pread(fd, &vm, sizeof(vm), 0));
		close(fd);
		EXPECT_EQ(idle, ut_read_number(refcnt));
	}
}

/*
 * What Umbra's MMU counts, by mode. UMBRA_MMU says which one VMs get; a stage of
 * the guest does one thing, and names what it did.
 */
FIXTURE(mmu)
{
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
	int vm_fd;
	int vcpu_fd;
	bool shadow;
	bool vtlb;
};

enum stage {
	BEGUN = 1, TOUCHED, FAULTED, IO_DONE, TABLE_WRITTEN, INVALIDATED, SWITCHED,
	UPPER_WRITTEN,
};

#define VICTIM		(UT_FREE_GPA + 0x100000)

/* Set by the test: the entry that maps VICTIM, and the one above it, at gva = gpa. */
static u64 victim_pte, victim_pde;

static void guest_stages(void)
{
	u64 i;

	guest_catch(UT_PF_VECTOR);
	guest_sync(BEGUN);
	for (i = 0; i < NPAGES; i++)
		guest_write64(UT_FREE_GPA + i * UT_PAGE_SIZE, i);
	guest_sync(TOUCHED);
	/* Nothing is mapped there, at any level. */
	for (i = 0; i < 3; i++)
		GUEST_ASSERT_EQ(UT_PF_VECTOR, guest_try("mov $0x7f0000000000, %%rax\n\t"
							"mov (%%rax), %%rax\n\t"));
	guest_sync(FAULTED);
	guest_read64(UT_MMIO_GPA);
	guest_sync(IO_DONE);
	guest_write64(VICTIM, 1);
	guest_write64(victim_pte, guest_read64(victim_pte) & ~(UT_PTE_A | UT_PTE_D));
	guest_sync(TABLE_WRITTEN);
	guest_invlpg(VICTIM);
	GUEST_ASSERT_EQ(1, guest_read64(VICTIM));
	guest_sync(INVALIDATED);
	for (i = 0; i < 3; i++)
		guest_write_cr3(guest_read_cr(3));
	guest_sync(SWITCHED);
	guest_read64(victim_pde);
	for (i = 0; i < 3; i++)
		guest_write64(victim_pde, guest_read64(victim_pde) & ~UT_PTE_A);
	guest_sync(UPPER_WRITTEN);
	guest_done();
}

FIXTURE_SETUP(mmu)
{
	const char *mode = getenv("UMBRA_MMU");

	if (!ut_on_umbra())
		SKIP(_exit(UT_SKIPPED), "this is /dev/kvm: its counters have other names");
	self->vm = ut_vm_long();
	self->vcpu = ut_vcpu_long(self->vm, 0, guest_stages);
	victim_pte = (char *)ut_pte(self->vm, VICTIM, 1) - (char *)ut_hva(self->vm, 0);
	victim_pde = (char *)ut_pte(self->vm, VICTIM, 2) - (char *)ut_hva(self->vm, 0);
	ut_push_var(self->vm, victim_pte);
	ut_push_var(self->vm, victim_pde);
	self->vm_fd = ut_stats_fd(self->vm->fd);
	self->vcpu_fd = ut_stats_fd(self->vcpu->fd);
	self->shadow = mode && !strcmp(mode, "shadow");
	self->vtlb = mode && !strcmp(mode, "vtlb");
}

FIXTURE_TEARDOWN(mmu)
{
	close(self->vm_fd);
	close(self->vcpu_fd);
	ut_vm_free(self->vm);
}

/* Run to the end of the next stage; how much a counter grew meanwhile. */
static u64 grown(struct ut_vcpu *vcpu, int fd, const char *name, enum stage stage)
{
	u64 before = ut_stat(fd, name);
	struct ut_ucall uc;

	if (ut_next(vcpu, &uc) != UT_SYNC || uc.arg[0] != stage)
		ut_die("the guest is not at stage %d", stage);
	return ut_stat(fd, name) - before;
}

static void run_to(struct ut_vcpu *vcpu, enum stage last)
{
	struct ut_ucall uc = {};

	do {
		int what = ut_next(vcpu, &uc);

		if (what == UT_EXIT && vcpu->run->exit_reason == KVM_EXIT_MMIO)
			continue;
		if (what != UT_SYNC)
			ut_die("the guest ended before stage %d", last);
	} while (uc.arg[0] != last);
}

TEST_F(mmu, hidden_faults)
{
	u64 n;

	run_to(self->vcpu, BEGUN);
	n = grown(self->vcpu, self->vcpu_fd, "mmu_faults_hidden", TOUCHED);
	if (self->shadow || self->vtlb) {
		EXPECT_LE(NPAGES, n);
		EXPECT_GT(4 * NPAGES, n);
	} else {
		EXPECT_EQ(0, n);
	}
}

TEST_F(mmu, true_faults)
{
	run_to(self->vcpu, TOUCHED);
	/* In nested mode the processor gives the guest its faults itself. */
	EXPECT_EQ(self->shadow || self->vtlb ? 3 : 0,
		  grown(self->vcpu, self->vcpu_fd, "mmu_faults_true", FAULTED));
}

TEST_F(mmu, mmio)
{
	u64 before;

	run_to(self->vcpu, FAULTED);
	before = ut_stat(self->vcpu_fd, "mmu_faults_mmio");
	ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
	ASSERT_EQ(KVM_EXIT_MMIO, self->vcpu->run->exit_reason);
	/* One, however often it was looked at; second-level faults are not counted here. */
	EXPECT_EQ(self->shadow || self->vtlb ? 1 : 0,
		  ut_stat(self->vcpu_fd, "mmu_faults_mmio") - before);
}

TEST_F(mmu, traced_writes)
{
	u64 unsync, n;

	run_to(self->vcpu, IO_DONE);
	unsync = ut_stat(self->vm_fd, "mmu_pages_unsync");
	n = grown(self->vcpu, self->vcpu_fd, "mmu_writes_traced", TABLE_WRITTEN);
	/* One write to a leaf table that was in step. */
	EXPECT_EQ(self->shadow, n);
	EXPECT_EQ(self->shadow, ut_stat(self->vm_fd, "mmu_pages_unsync") - unsync);
}

/* Tables of upper levels stay in step: each write is emulated. */
TEST_F(mmu, emulated_writes)
{
	u64 before, n;

	run_to(self->vcpu, SWITCHED);
	before = ut_stat(self->vcpu_fd, "mmu_writes_traced");
	n = grown(self->vcpu, self->vcpu_fd, "mmu_writes_emulated", UPPER_WRITTEN);
	EXPECT_EQ(self->shadow ? 3 : 0, n);
	EXPECT_EQ(n, ut_stat(self->vcpu_fd, "mmu_writes_traced") - before);
}

TEST_F(mmu, invlpg)
{
	run_to(self->vcpu, TABLE_WRITTEN);
	EXPECT_EQ(self->shadow || self->vtlb ? 1 : 0,
		  grown(self->vcpu, self->vcpu_fd, "invlpg", INVALIDATED));
}

TEST_F(mmu, cr3_writes)
{
	u64 drops, hits;

	run_to(self->vcpu, INVALIDATED);
	drops = ut_stat(self->vm_fd, "mmu_vtlb_drops");
	hits = ut_stat(self->vcpu_fd, "mmu_cr3_hit");
	run_to(self->vcpu, SWITCHED);
	/* The same root, three times. */
	EXPECT_EQ(self->shadow ? 3 : 0, ut_stat(self->vcpu_fd, "mmu_cr3_hit") - hits);
	EXPECT_EQ(self->vtlb ? 3 : 0, ut_stat(self->vm_fd, "mmu_vtlb_drops") - drops);
}

TEST_F(mmu, tables)
{
	run_to(self->vcpu, TOUCHED);
	if (self->shadow || self->vtlb) {
		/* Four levels at least. */
		EXPECT_LE(4, ut_stat(self->vm_fd, "mmu_shadow_pages"));
		EXPECT_LE(ut_stat(self->vm_fd, "mmu_shadow_pages"),
			  ut_stat(self->vm_fd, "mmu_pages_made"));
		EXPECT_LE(4 * UT_PAGE_SIZE, ut_stat(self->vm_fd, "mmu_monitor_bytes"));
	} else {
		EXPECT_EQ(0, ut_stat(self->vm_fd, "mmu_shadow_pages"));
		EXPECT_EQ(0, ut_stat(self->vm_fd, "mmu_pages_made"));
	}
	EXPECT_LE(ut_stat(self->vm_fd, "mmu_monitor_bytes"),
		  ut_stat(self->vm_fd, "mmu_monitor_bytes_peak"));
	EXPECT_EQ(self->vtlb, ut_stat(self->vm_fd, "mmu_vtlb_fills") >= NPAGES);
}

TEST_HARNESS_MAIN
