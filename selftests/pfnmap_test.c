// SPDX-License-Identifier: GPL-2.0
/*
 * Slots over memory that has no reference counted pages: a mapping of /dev/mem
 * that is populated at once, and the kernel's vvar pages, which are populated
 * by the first fault.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <kselftest_harness.h>
#include "worker.h"

#define SLOT		1
#define ROM_ADDRESS	0xf0000
#define ROM_SIZE	0x10000
#define ROM_PAGES	(ROM_SIZE / UT_PAGE_SIZE)

FIXTURE(pfnmap)
{
	struct ut_vm *vm;
	struct ut_vcpu *vcpu;
};

FIXTURE_SETUP(pfnmap)
{
	self->vm = ut_vm_long();
	self->vcpu = ut_worker(self->vm, 0);
	ut_map_identity(self->vm, UT_TEST_GPA, UT_HUGE_SIZE);
}

FIXTURE_TEARDOWN(pfnmap)
{
	ut_vm_free(self->vm);
}

/* The host's firmware, read-only; NULL when this kernel does not let us. */
static char *map_rom(void)
{
	int fd = open("/dev/mem", O_RDONLY);
	char *rom;

	if (fd < 0)
		return NULL;
	rom = mmap(NULL, ROM_SIZE, PROT_READ, MAP_SHARED, fd, ROM_ADDRESS);
	close(fd);
	return rom == MAP_FAILED ? NULL : rom;
}

static uint64_t load(const char *p)
{
	return __atomic_load_n((const uint64_t *)p, __ATOMIC_RELAXED);
}

/*
 * A write where the host gives no right: the call fails, or the write leaves as
 * MMIO (as kvm has it), but it does not happen.
 */
static bool write_refused(struct ut_vcpu *vcpu)
{
	int ret;

	ut_restart(vcpu, guest_write64);
	ut_set_args(vcpu, UT_TEST_GPA, 1);
	do {
		ret = ut_run(vcpu);
	} while (ret == -EINTR);
	return ret == -EFAULT || (!ret && vcpu->run->exit_reason == KVM_EXIT_MMIO);
}

TEST_F(pfnmap, firmware)
{
	char *rom = map_rom();
	uint64_t i;

	if (!rom)
		SKIP(return, "/dev/mem cannot be mapped");
	ut_add_slot_hva(self->vm, SLOT, UT_TEST_GPA, ROM_SIZE, rom, 0);
	for (i = 0; i < ROM_SIZE; i += 1016)
		ASSERT_EQ(0, ut_check(self->vcpu, UT_TEST_GPA + i, 1,
				      load(rom + i)));
	ASSERT_TRUE(write_refused(self->vcpu));
}

/* When the mapping goes, so does the guest's access. */
TEST_F(pfnmap, replaced)
{
	char *rom = map_rom();
	long last;

	if (!rom)
		SKIP(return, "/dev/mem cannot be mapped");
	last = load(rom + ROM_SIZE - 16);
	ut_add_slot_hva(self->vm, SLOT, UT_TEST_GPA, ROM_SIZE, rom, 0);
	ASSERT_EQ(0, ut_check(self->vcpu, UT_TEST_GPA + ROM_SIZE - 16, 1, last));
	ASSERT_NE(0, last);
	ASSERT_EQ(rom, mmap(rom, ROM_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	ASSERT_EQ(0, ut_check_zero(self->vcpu, UT_TEST_GPA + ROM_SIZE - 16, 1));
	ASSERT_EQ(0, ut_fill(self->vcpu, UT_TEST_GPA, ROM_PAGES, 1000));
	ASSERT_EQ(1003, *(uint64_t *)(rom + 3 * UT_PAGE_SIZE));
}

/* Where the kernel's time page is mapped, NULL if it is not. */
static char *find_vvar(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start, vvar = 0;
	char line[256];

	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "[vvar]") && sscanf(line, "%lx-", &start) == 1)
			vvar = start;
	if (maps)
		fclose(maps);
	return (char *)vvar;
}

/* A word of @page that is neither zero nor changing. */
static uint64_t *steady_word(char *page)
{
	static uint64_t before[UT_PAGE_SIZE / 8];
	unsigned int i;

	for (i = 0; i < UT_PAGE_SIZE / 8; i++)
		before[i] = load(page + i * 8);
	usleep(100000);
	for (i = 0; i < UT_PAGE_SIZE / 8; i++)
		if (before[i] && before[i] == load(page + i * 8))
			return (uint64_t *)page + i;
	return NULL;
}

TEST_F(pfnmap, populated_by_a_fault)
{
	struct ut_job touch = { .op = UT_OP_TOUCH, .gva = UT_TEST_GPA, .count = 1 };
	char *vvar = find_vvar();
	uint64_t *word;

	if (!vvar)
		SKIP(return, "no vvar pages");
	ut_add_slot_hva(self->vm, SLOT, UT_TEST_GPA, UT_PAGE_SIZE, vvar, 0);
	/* The guest is the first to look at the page. */
	ASSERT_EQ(0, ut_work(self->vcpu, &touch));
	word = steady_word(vvar);
	ASSERT_NE(NULL, word);
	ASSERT_EQ(0, ut_check(self->vcpu, UT_TEST_GPA + ((char *)word - vvar), 1, *word));
	ASSERT_TRUE(write_refused(self->vcpu));
}

TEST_HARNESS_MAIN
