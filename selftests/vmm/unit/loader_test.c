// SPDX-License-Identifier: GPL-2.0
/*
 * The image loaders against damaged files, under ASan and UBSan: what is taken must
 * lie inside memory and inside the file, what is refused must not hurt.
 *
 * Damage is random with a fixed seed. The arguments are good images.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "loader.h"
#include "umbra.h"

#define RAM_SIZE	MIB(2)
#define ROUNDS		4000
#define MAX_FILE	0x4000

static const struct load_options options = { .mode = MODE_REAL, .address = LOAD_DEFAULT };
static u64 seed = 0x9e3779b97f4a7c15ULL;
static char **images;
static int nr_images;

void complain(const char *fmt, ...)
{
	(void)fmt;
}

static u64 random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static size_t read_image(const char *path, u8 *data)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, data, MAX_FILE);

	close(fd);
	assert_true(n > 0);
	return n;
}

/* Most hits on headers, some interesting values, now and then a shorter file. */
static size_t damage(u8 *data, size_t size)
{
	static const u32 values[] = {
		0, 1, 0x1000, 0x7fffffff, 0x80000000, 0xfffff000, 0xffffffff,
	};
	unsigned int i, hits = 1 + random64() % 4;
	size_t at;

	for (i = 0; i < hits; i++) {
		at = random64() % (random64() % 8 ? 160 : size);
		if (at + 4 > size)
			continue;
		if (random64() & 1)
			data[at] = random64();
		else
			memcpy(data + at, &values[random64() % ARRAY_SIZE(values)], 4);
	}
	return random64() % 16 ? size : 1 + random64() % size;
}

static void try_image(const u8 *data, size_t size, unsigned int *taken)
{
	struct image *image = calloc(1, sizeof(*image));
	int fd = memfd_create("image", 0);
	char path[32];
	u8 *ram;

	assert_non_null(image);
	assert_int_equal(write(fd, data, size), size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (!image_read(image, path, RAM_SIZE, &options)) {
		ram = malloc(RAM_SIZE);
		assert_non_null(ram);
		image_place(image, ram);
		assert_true(image->entry < RAM_SIZE);
		free(ram);
		(*taken)++;
	}
	image_free(image);
	free(image);
	close(fd);
}

static void test_good(void **state)
{
	static u8 data[MAX_FILE];
	unsigned int taken = 0;
	int i;

	(void)state;
	for (i = 0; i < nr_images; i++)
		try_image(data, read_image(images[i], data), &taken);
	assert_int_equal(taken, nr_images);
}

static void test_damaged(void **state)
{
	static u8 good[MAX_FILE], bad[MAX_FILE];
	unsigned int taken = 0, round;
	size_t size;
	int i;

	(void)state;
	for (i = 0; i < nr_images; i++) {
		size = read_image(images[i], good);
		for (round = 0; round < ROUNDS; round++) {
			memcpy(bad, good, size);
			try_image(bad, damage(bad, size), &taken);
		}
	}
	/* Some damage is harmless, most is not: anything else is a broken test. */
	assert_in_range(taken, 1, ROUNDS * nr_images - 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_damaged),
	};

	images = argv + 1;
	nr_images = argc - 1;
	if (!nr_images) {
		fprintf(stderr, "usage: loader_test IMAGE...\n");
		return 2;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
