// SPDX-License-Identifier: GPL-2.0
/*
 * The host's side of guest memory: mappings with an alignment, what of them is
 * in memory or in swap, and the small files of /proc and /sys that steer this;
 * and on which of its CPUs a thread runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "worker.h"

#define PAGEMAP_PRESENT	(1ull << 63)
#define PAGEMAP_SWAPPED	(1ull << 62)

void *ut_mmap(size_t size, size_t align, int prot, int flags, int fd)
{
	uintptr_t addr;
	void *hva;

	/* Reserve enough for an aligned start, then replace a part of it. */
	hva = mmap(NULL, size + align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		   -1, 0);
	if (hva == MAP_FAILED)
		ut_die("mmap of %zu bytes: %s", size + align, strerror(errno));
	addr = ((uintptr_t)hva + align - 1) & ~(align - 1);
	if (fd < 0)
		flags |= MAP_ANONYMOUS;
	hva = mmap((void *)addr, size, prot, flags | MAP_FIXED, fd, 0);
	if (hva == MAP_FAILED)
		ut_die("mmap of %zu bytes at %#lx: %s", size, addr, strerror(errno));
	return hva;
}

static bool try_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return !sched_setaffinity(0, sizeof(set), &set);
}

void ut_pin(int cpu)
{
	if (!try_pin(cpu))
		ut_die("cannot run on CPU %d: %s", cpu, strerror(errno));
}

void ut_unpin(void)
{
	cpu_set_t set;

	memset(&set, 0xff, sizeof(set));
	sched_setaffinity(0, sizeof(set), &set);
}

static size_t count_pages(const void *hva, size_t size, uint64_t bit)
{
	size_t i, n = size / UT_PAGE_SIZE, count = 0;
	uint64_t *map = calloc(n, sizeof(*map));
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0 || !map)
		ut_die("/proc/self/pagemap: %s", strerror(errno));
	got = pread(fd, map, n * sizeof(*map), (uintptr_t)hva / UT_PAGE_SIZE * sizeof(*map));
	if (got != (ssize_t)(n * sizeof(*map)))
		ut_die("/proc/self/pagemap: %zd bytes of %zu", got, n * sizeof(*map));
	for (i = 0; i < n; i++)
		count += !!(map[i] & bit);
	close(fd);
	free(map);
	return count;
}

size_t ut_present(const void *hva, size_t size)
{
	return count_pages(hva, size, PAGEMAP_PRESENT);
}

size_t ut_swapped(const void *hva, size_t size)
{
	return count_pages(hva, size, PAGEMAP_SWAPPED);
}

static bool swap_in_use(void)
{
	char text[4096] = "";
	int fd = open("/proc/swaps", O_RDONLY | O_CLOEXEC);
	bool read_any = fd >= 0 && read(fd, text, sizeof(text) - 1) > 0;

	close(fd);
	/* The first line is a heading without a path. */
	return read_any && strchr(text, '/');
}

bool ut_have_swap(void)
{
	if (swap_in_use())
		return true;
	return getenv("UMBRA_LAB") && !system("lab-swap 192 >/dev/null 2>&1") && swap_in_use();
}

/*
 * A page that some CPU is about to put on a list of the kernel's cannot be taken
 * before that CPU has done so, which asking for pages to be taken does for the
 * CPU where one asks. It may have been another one that touched the page.
 */
size_t ut_page_out(void *hva, size_t size)
{
	size_t swapped = 0;
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	cpu_set_t before;
	int tries, cpu;

	if (sched_getaffinity(0, sizeof(before), &before))
		ut_die("cannot tell where this thread may run: %s", strerror(errno));
	for (tries = 0; tries < 50 && swapped < size / UT_PAGE_SIZE; tries++) {
		if (tries)
			ut_msleep(10);
		for (cpu = 0; cpu < cpus; cpu++) {
			if (try_pin(cpu))
				madvise(hva, size, MADV_PAGEOUT);
		}
		swapped = ut_swapped(hva, size);
	}
	sched_setaffinity(0, sizeof(before), &before);
	return swapped;
}

uint64_t ut_smaps(const void *hva, const char *field)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	unsigned long start, end, value;
	size_t len = strlen(field);
	bool inside = false;
	char line[512];

	if (!f)
		ut_die("/proc/self/smaps: %s", strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = (uintptr_t)hva >= start && (uintptr_t)hva < end;
		else if (inside && !strncmp(line, field, len) && line[len] == ':' &&
			 sscanf(line + len + 1, " %lu", &value) == 1)
			break;
	}
	if (feof(f))
		ut_die("/proc/self/smaps: no %s for %p", field, hva);
	fclose(f);
	return value;
}

int ut_write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		ret = -errno;
	close(fd);
	return ret;
}

long ut_read_number(const char *path)
{
	char text[64] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return -errno;
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	return got > 0 ? strtol(text, NULL, 10) : -EIO;
}

void ut_msleep(unsigned int ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l };

	nanosleep(&ts, NULL);
}
