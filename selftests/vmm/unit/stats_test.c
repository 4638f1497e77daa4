// SPDX-License-Identifier: GPL-2.0
/*
 * The reader of the hypervisor's counters, under ASan and UBSan: what a good file
 * says, and that damaged ones do no harm.
 *
 * Damage is random with a fixed seed.
 */
#include <linux/kvm.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "stats.h"

#define NAME_SIZE	16
#define ROUNDS		20000

struct entry {
	struct kvm_stats_desc desc;
	char name[NAME_SIZE];
};

/* Blocks in an order that Umbra's own file does not have, with a gap. */
struct file {
	struct kvm_stats_header header;
	u64 data[5];
	struct entry entry[3];
	u64 gap;
	char id[NAME_SIZE];
};

static u64 seed = 0x9e3779b97f4a7c15ULL;

static u64 random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static struct file good_file(void)
{
	struct file f = {
		.header = {
			.name_size = NAME_SIZE,
			.num_desc = 3,
			.id_offset = offsetof(struct file, id),
			.desc_offset = offsetof(struct file, entry),
			.data_offset = offsetof(struct file, data),
		},
		.data = { 11, 1, 2, 3, ~0ULL },
		.entry = {
			{ .desc = { .size = 1, .offset = 32 }, .name = "last" },
			{ .desc = { .flags = KVM_STATS_TYPE_LOG_HIST, .size = 3, .offset = 8 },
			  .name = "histogram" },
			{ .desc = { .size = 1 }, .name = "first" },
		},
		.id = "kvm-1",
	};

	return f;
}

static int parse(const struct file *f, size_t size, struct counters *counters)
{
	int fd = memfd_create("stats", 0);
	int err;

	assert_int_equal(pwrite(fd, f, size, 0), (ssize_t)size);
	err = stats_parse(fd, counters);
	close(fd);
	return err;
}

static void good(void **state)
{
	struct file f = good_file();
	struct counters counters;

	(void)state;
	assert_int_equal(parse(&f, sizeof(f), &counters), 0);
	assert_int_equal(counters.n, 2);
	assert_string_equal(counters.list[0].name, "last");
	assert_true(counters.list[0].value == ~0ULL);
	assert_string_equal(counters.list[1].name, "first");
	assert_true(counters.list[1].value == 11);
	stats_free(&counters);
	assert_int_equal(counters.n, 0);
}

static void no_descriptors(void **state)
{
	struct file f = good_file();
	struct counters counters;

	(void)state;
	f.header.num_desc = 0;
	assert_int_equal(parse(&f, sizeof(f), &counters), 0);
	assert_int_equal(counters.n, 0);
	stats_free(&counters);
}

static void name_without_end(void **state)
{
	struct file f = good_file();
	struct counters counters;

	(void)state;
	memset(f.entry[0].name, 'x', NAME_SIZE);
	assert_int_equal(parse(&f, sizeof(f), &counters), 0);
	assert_string_equal(counters.list[0].name, "xxxxxxxxxxxxxxxx");
	stats_free(&counters);
}

static void too_short(void **state)
{
	struct file f = good_file();
	struct counters counters;
	size_t size;

	(void)state;
	for (size = 0; size < offsetof(struct file, gap); size++) {
		assert_int_equal(parse(&f, size, &counters), -1);
		assert_null(counters.list);
	}
}

static void too_large(void **state)
{
	static union {
		struct file file;
		char bytes[0x40000];
	} large;
	struct file f = good_file();
	struct counters counters;

	(void)state;
	f.header.num_desc = ~0u;
	assert_int_equal(parse(&f, sizeof(f), &counters), -1);
	/* Names that the file really has. */
	large.file = good_file();
	large.file.header.name_size = 0x10000;
	assert_int_equal(parse(&large.file, sizeof(large), &counters), -1);
	f = good_file();
	f.entry[2].desc.offset = ~7u;
	assert_int_equal(parse(&f, sizeof(f), &counters), -1);
}

static void damaged(void **state)
{
	struct counters counters;
	struct file f;
	int i, j;

	(void)state;
	for (i = 0; i < ROUNDS; i++) {
		f = good_file();
		for (j = random64() % 4; j >= 0; j--)
			((u8 *)&f)[random64() % sizeof(f)] = random64();
		parse(&f, sizeof(f), &counters);
		stats_free(&counters);
	}
}

static void sums(void **state)
{
	struct file f = good_file();
	struct counters total, more;

	(void)state;
	assert_int_equal(parse(&f, sizeof(f), &total), 0);
	strcpy(f.entry[0].name, "other");
	f.data[0] = 100;
	assert_int_equal(parse(&f, sizeof(f), &more), 0);
	stats_sum(&total, &more);
	assert_int_equal(total.n, 3);
	assert_string_equal(total.list[1].name, "first");
	assert_true(total.list[1].value == 111);
	assert_string_equal(total.list[2].name, "other");
	stats_free(&total);
	stats_free(&more);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),
		cmocka_unit_test(no_descriptors),
		cmocka_unit_test(name_without_end),
		cmocka_unit_test(too_short),
		cmocka_unit_test(too_large),
		cmocka_unit_test(damaged),
		cmocka_unit_test(sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
