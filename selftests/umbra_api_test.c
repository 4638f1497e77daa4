// SPDX-License-Identifier: GPL-2.0
/*
 * The calls that Umbra has and KVM has not: <linux/umbra.h>, and the parameter
 * "mmu" of its module. Nothing here can run on /dev/kvm, where each test says so
 * and counts as skipped.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/umbra.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <kselftest_harness.h>
#include "stats.h"
#include "worker.h"

#define PARAMETER	"/sys/module/umbra/parameters/mmu"

static const struct {
	u32 bit;
	const char *name;
} modes[] = {
	{ UMBRA_MMU_MODE_NESTED, "nested" },
	{ UMBRA_MMU_MODE_SHADOW, "shadow" },
	{ UMBRA_MMU_MODE_VTLB, "vtlb" },
};

/* Without paging a guest may run on second-level tables in any mode: turn it on first. */
UT_BLOB(toucher,
	".code32\n\t"
	"movl $0x83, 0x2000\n\t"	/* 4 MiB, present, writable */
	"movl $0x2000, %eax\n\t"
	"movl %eax, %cr3\n\t"
	"movl %cr4, %eax\n\t"
	"orl $0x10, %eax\n\t"		/* PSE */
	"movl %eax, %cr4\n\t"
	"movl %cr0, %eax\n\t"
	"orl $0x80000000, %eax\n\t"
	"movl %eax, %cr0\n\t"
	"movl %eax, 0x9000\n\t"
	"movl %eax, 0xa000\n\t"
	"hlt");

FIXTURE(umbra)
{
	int fd;
	struct umbra_info info;
};

FIXTURE_SETUP(umbra)
{
	if (!ut_on_umbra())
		SKIP(_exit(UT_SKIPPED), "this is /dev/kvm: it has none of Umbra's own calls");
	self->fd = ut_open_device();
	memset(&self->info, 0xee, sizeof(self->info));
	ASSERT_EQ(0, ut_ioctl(self->fd, UMBRA_GET_INFO, &self->info));
}

FIXTURE_TEARDOWN(umbra)
{
	close(self->fd);
}

TEST_F(umbra, info)
{
	struct umbra_info *info = &self->info;
	size_t i;

	EXPECT_EQ(UMBRA_API_VERSION, info->api_version);
	EXPECT_TRUE(info->vendor == UMBRA_VENDOR_SVM || info->vendor == UMBRA_VENDOR_VMX);
	/* One mode, and one that can be chosen. */
	EXPECT_EQ(1, __builtin_popcount(info->mmu_mode));
	EXPECT_EQ(info->mmu_mode, info->mmu_mode & info->mmu_modes);
	EXPECT_EQ(!(info->features & UMBRA_FEATURE_NESTED),
		  !(info->mmu_modes & UMBRA_MMU_MODE_NESTED));
	EXPECT_LT(1, info->asids);
	for (i = 0; i < sizeof(info->reserved) / sizeof(info->reserved[0]); i++)
		EXPECT_EQ(0, info->reserved[i]);
	/* Nothing is written behind the structure, nothing of it left unwritten. */
	EXPECT_NE(0xeeeeeeee, info->features);
}

/* Umbra's numbers and KVM's must tell the same. */
TEST_F(umbra, same_as_the_capabilities)
{
	EXPECT_EQ(self->info.max_vcpus, ut_cap(self->fd, KVM_CAP_MAX_VCPUS));
	EXPECT_EQ(self->info.max_memslots, ut_cap(self->fd, KVM_CAP_NR_MEMSLOTS));
}

TEST_F(umbra, same_answer_again)
{
	struct umbra_info again;

	memset(&again, 0x11, sizeof(again));
	ASSERT_EQ(0, ut_ioctl(self->fd, UMBRA_GET_INFO, &again));
	ASSERT_EQ(0, memcmp(&again, &self->info, sizeof(again)));
}

TEST_F(umbra, bad_calls)
{
	struct ut_vm *vm = ut_vm_new();

	EXPECT_EQ(-EFAULT, ut_ioctl(self->fd, UMBRA_GET_INFO, 0));
	EXPECT_EQ(-EFAULT, ut_ioctl(self->fd, UMBRA_GET_INFO, ~0ul << 12));
	EXPECT_EQ(-EFAULT, ut_ioctl(self->fd, UMBRA_CREATE_VM, 0));
	EXPECT_EQ(-EFAULT, ut_ioctl(self->fd, UMBRA_CREATE_VM, ~0ul << 12));
	/* Not calls of a VM; and no other numbers of Umbra's type. */
	EXPECT_EQ(-ENOTTY, ut_ioctl(vm->fd, UMBRA_CREATE_VM, &self->info));
	EXPECT_GT(0, ut_ioctl(vm->fd, UMBRA_GET_INFO, &self->info));
	EXPECT_GT(0, ut_ioctl(self->fd, _IOR(UMBRAIO, 0xff, struct umbra_info), &self->info));
	EXPECT_GT(0, ut_ioctl(self->fd, _IOR(UMBRAIO, 0, char), &self->info));
	ut_vm_free(vm);
}

TEST_F(umbra, shadow_modes_are_always_there)
{
	EXPECT_EQ(UMBRA_MMU_MODE_SHADOW | UMBRA_MMU_MODE_VTLB,
		  self->info.mmu_modes & ~UMBRA_MMU_MODE_NESTED);
}

/* A VM like ut_vm_new()'s behind descriptor @fd, which it takes over. */
static struct ut_vm *vm_of(int fd)
{
	struct ut_vm *vm = ut_vm_new();

	if (fd < 0)
		ut_die("no VM: %s", strerror(-fd));
	close(vm->fd);
	vm->fd = fd;
	return vm;
}

/* The mode of the VM behind @fd, which is closed: how it counts tells. */
static u32 mode_of(int fd)
{
	struct ut_vm *vm = vm_of(fd);
	struct ut_vcpu *vcpu;
	int vm_stats, vcpu_stats;
	u32 mode;

	ut_add_slot(vm, 0, 0, UT_BLOB_MEM, 0);
	memcpy(ut_hva(vm, UT_BLOB_GPA), toucher, UT_BLOB_LEN(toucher));
	vcpu = ut_vcpu_new(vm, 0);
	ut_set_mode(vcpu, UT_PROT32, UT_BLOB_GPA);
	if (ut_run(vcpu) || vcpu->run->exit_reason != KVM_EXIT_HLT)
		ut_die("the guest ended with %s", ut_exit_name(vcpu->run->exit_reason));
	vm_stats = ut_stats_fd(vm->fd);
	vcpu_stats = ut_stats_fd(vcpu->fd);
	if (!ut_stat(vcpu_stats, "mmu_faults_hidden"))
		mode = UMBRA_MMU_MODE_NESTED;
	else if (ut_stat(vm_stats, "mmu_vtlb_fills"))
		mode = UMBRA_MMU_MODE_VTLB;
	else
		mode = UMBRA_MMU_MODE_SHADOW;
	close(vm_stats);
	close(vcpu_stats);
	ut_vm_free(vm);
	return mode;
}

static int create(int fd, u32 mode)
{
	struct umbra_create_vm args = { .mmu_mode = mode };

	return ut_ioctl(fd, UMBRA_CREATE_VM, &args);
}

TEST_F(umbra, create_by_mode)
{
	u32 known = 0;
	int bit, fd;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		known |= modes[i].bit;
		fd = create(self->fd, modes[i].bit);
		if (!(self->info.mmu_modes & modes[i].bit)) {
			EXPECT_EQ(-EOPNOTSUPP, fd);
			continue;
		}
		EXPECT_EQ(modes[i].bit, mode_of(fd));
	}
	for (bit = 0; bit < 32; bit++)
		if (!(known & 1u << bit))
			EXPECT_EQ(-EINVAL, create(self->fd, 1u << bit));
	EXPECT_EQ(self->info.mmu_mode, mode_of(create(self->fd, 0)));
}

TEST_F(umbra, create_with_bad_fields)
{
	struct umbra_create_vm args;
	size_t i;

	EXPECT_EQ(-EINVAL, create(self->fd, UMBRA_MMU_MODE_SHADOW | UMBRA_MMU_MODE_VTLB));
	EXPECT_EQ(-EINVAL, create(self->fd, ~0u));
	for (i = 0; i < 32; i++) {
		args = (struct umbra_create_vm){ .flags = 1u << i };
		EXPECT_EQ(-EINVAL, ut_ioctl(self->fd, UMBRA_CREATE_VM, &args));
	}
	for (i = 0; i < ARRAY_SIZE(args.reserved); i++) {
		args = (struct umbra_create_vm){};
		args.reserved[i] = 1ull << (8 * i);
		EXPECT_EQ(-EINVAL, ut_ioctl(self->fd, UMBRA_CREATE_VM, &args));
	}
	/* The caller's structure is only read, and every field of it counts. */
	memset(&args, 0, sizeof(args));
	EXPECT_LT(0, ut_ioctl(self->fd, UMBRA_CREATE_VM, &args));
	EXPECT_EQ(0, memcmp(&args, &(struct umbra_create_vm){}, sizeof(args)));
}

/* What KVM_CREATE_VM's descriptor is, this call's is too. */
TEST_F(umbra, created_vm_is_a_vm)
{
	int fd = create(self->fd, UMBRA_MMU_MODE_SHADOW);

	ASSERT_LT(0, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(1, ut_ioctl(fd, KVM_CHECK_EXTENSION, KVM_CAP_USER_MEMORY));
	EXPECT_EQ(-EINVAL, ut_ioctl(self->fd, KVM_CREATE_VM, 1));
	close(fd);
}

/* The parameter is put back however a test ends: others count on theirs. */
FIXTURE(parameter)
{
	int fd;
	struct umbra_info info;
};

static char saved[16];

static void restore(int signal)
{
	int fd = open(PARAMETER, O_WRONLY);

	if (write(fd, saved, strlen(saved)) < 0)
		_exit(1);
	close(fd);
}

/* The parameter's text without its newline. */
static const char *parameter(void)
{
	static char text[16];
	int fd = open(PARAMETER, O_RDONLY | O_CLOEXEC);
	ssize_t got = read(fd, text, sizeof(text) - 1);

	if (got < 2 || text[got - 1] != '\n')
		ut_die("%s reads as %zd bytes", PARAMETER, got);
	text[got - 1] = 0;
	close(fd);
	return text;
}

FIXTURE_SETUP(parameter)
{
	if (!ut_on_umbra())
		SKIP(_exit(UT_SKIPPED), "this is /dev/kvm: its module has no such parameter");
	if (access(PARAMETER, W_OK))
		SKIP(_exit(UT_SKIPPED), "only root may set the parameter");
	strcpy(saved, parameter());
	signal(SIGABRT, restore);
	self->fd = ut_open_device();
	ASSERT_EQ(0, ut_ioctl(self->fd, UMBRA_GET_INFO, &self->info));
}

FIXTURE_TEARDOWN(parameter)
{
	close(self->fd);
	restore(0);
}

TEST_F(parameter, is_what_new_vms_get)
{
	struct umbra_info info;
	struct stat st;
	size_t i;

	ASSERT_EQ(0, stat(PARAMETER, &st));
	EXPECT_EQ(0644, st.st_mode & 07777);
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		if (self->info.mmu_mode == modes[i].bit)
			EXPECT_STREQ(modes[i].name, parameter());
	}
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		if (!(self->info.mmu_modes & modes[i].bit)) {
			EXPECT_EQ(-EOPNOTSUPP, ut_write_file(PARAMETER, modes[i].name));
			EXPECT_STRNE(modes[i].name, parameter());
			continue;
		}
		ASSERT_EQ(0, ut_write_file(PARAMETER, modes[i].name));
		EXPECT_STREQ(modes[i].name, parameter());
		ASSERT_EQ(0, ut_ioctl(self->fd, UMBRA_GET_INFO, &info));
		EXPECT_EQ(modes[i].bit, info.mmu_mode);
		EXPECT_EQ(self->info.mmu_modes, info.mmu_modes);
		EXPECT_EQ(modes[i].bit, mode_of(ut_ioctl(self->fd, KVM_CREATE_VM, 0)));
		EXPECT_EQ(modes[i].bit, mode_of(create(self->fd, 0)));
	}
}

TEST_F(parameter, bad_values)
{
	static const char * const bad[] = {
		"x", "0", "1", "\n", " ", "Shadow", "shadow ", " shadow", "shado", "shadows",
		"shadow\n\n", "shadow,vtlb", "shadow vtlb", "npt", "(null)",
	};
	size_t i;

	ASSERT_EQ(0, ut_write_file(PARAMETER, "vtlb"));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, ut_write_file(PARAMETER, bad[i])) {
			TH_LOG("value '%s'", bad[i]);
		}
		EXPECT_STREQ("vtlb", parameter());
	}
	/* As echo writes it. */
	EXPECT_EQ(0, ut_write_file(PARAMETER, "shadow\n"));
	EXPECT_STREQ("shadow", parameter());
}

/* Its first vCPU comes, and runs, when others would get another mode. */
TEST_F(parameter, vms_keep_their_mode)
{
	size_t i, j;
	int fd;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		for (j = 0; j < ARRAY_SIZE(modes); j++) {
			if (~self->info.mmu_modes & (modes[i].bit | modes[j].bit))
				continue;
			ASSERT_EQ(0, ut_write_file(PARAMETER, modes[i].name));
			fd = ut_ioctl(self->fd, KVM_CREATE_VM, 0);
			ASSERT_EQ(0, ut_write_file(PARAMETER, modes[j].name));
			EXPECT_EQ(modes[i].bit, mode_of(fd));
			/* Nor does it matter to one that names its mode. */
			EXPECT_EQ(modes[i].bit, mode_of(create(self->fd, modes[i].bit)));
		}
	}
}

TEST_HARNESS_MAIN
