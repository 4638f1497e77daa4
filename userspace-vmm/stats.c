// SPDX-License-Identifier: GPL-2.0
/*
 * Reads the hypervisor's counters through KVM_GET_STATS_FD, adds them up, prints
 * them side by side.
 *
 * Takes any counter the descriptors name, on Umbra and KVM alike. Histograms are
 * left out: they have no single value. Nothing is believed about sizes.
 */
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "machine.h"
#include "stats.h"

/* Far more than any hypervisor has. */
#define MAX_COUNTERS	4096
#define MAX_NAME	256

static bool read_at(int fd, void *data, size_t size, u64 offset)
{
	return pread(fd, data, size, offset) == (ssize_t)size;
}

/* One descriptor and its value; false when the file has not got it. */
static bool read_counter(int fd, const struct kvm_stats_header *header, unsigned int i,
			 struct counters *counters)
{
	size_t size = sizeof(struct kvm_stats_desc) + header->name_size;
	struct {
		struct kvm_stats_desc desc;
		char name[MAX_NAME];
	} entry;
	struct counter *c = &counters->list[counters->n];

	if (!read_at(fd, &entry, size, header->desc_offset + i * size))
		return false;
	if (entry.desc.size != 1)
		return true;
	snprintf(c->name, sizeof(c->name), "%.*s", (int)header->name_size, entry.name);
	if (!read_at(fd, &c->value, sizeof(c->value),
		     (u64)header->data_offset + entry.desc.offset))
		return false;
	counters->n++;
	return true;
}

/**
 * stats_parse() - Read counters from a file in KVM's binary format.
 * @fd: the file
 * @counters: filled in; stats_free() frees
 *
 * Return: 0, or -1 when it is no such file, and @counters is empty then.
 */
int stats_parse(int fd, struct counters *counters)
{
	struct kvm_stats_header header;
	unsigned int i;

	memset(counters, 0, sizeof(*counters));
	if (!read_at(fd, &header, sizeof(header), 0) || header.num_desc > MAX_COUNTERS ||
	    header.name_size > MAX_NAME)
		return -1;
	counters->list = calloc(header.num_desc + 1, sizeof(*counters->list));
	if (!counters->list)
		return -1;
	for (i = 0; i < header.num_desc; i++) {
		if (!read_counter(fd, &header, i, counters)) {
			stats_free(counters);
			return -1;
		}
	}
	return 0;
}

/**
 * stats_read() - Read the counters of a VM or a vCPU.
 * @fd: its file
 * @counters: filled in; stats_free() frees
 *
 * Return: 0, or -1 when the hypervisor keeps none, and @counters is empty then.
 */
int stats_read(int fd, struct counters *counters)
{
	int stats = ioctl(fd, KVM_GET_STATS_FD, NULL);
	int err;

	memset(counters, 0, sizeof(*counters));
	if (stats < 0)
		return -1;
	err = stats_parse(stats, counters);
	close(stats);
	return err;
}

static struct counter *find(const struct counters *counters, const char *name)
{
	unsigned int i;

	for (i = 0; i < counters->n; i++)
		if (!strcmp(counters->list[i].name, name))
			return &counters->list[i];
	return NULL;
}

/**
 * stats_sum() - Add counters to others, by name.
 * @total: grows by the names it has not got
 * @more: stays as it is
 */
void stats_sum(struct counters *total, const struct counters *more)
{
	struct counter *grown, *c;
	unsigned int i;

	grown = realloc(total->list, (total->n + more->n + 1) * sizeof(*grown));
	if (!grown)
		return;
	total->list = grown;
	for (i = 0; i < more->n; i++) {
		c = find(total, more->list[i].name);
		if (c)
			c->value += more->list[i].value;
		else
			total->list[total->n++] = more->list[i];
	}
}

/**
 * stats_of_machine() - The counters of a VM, and those of its vCPUs added up.
 * @m: machine whose threads have ended
 * @total: filled in; stats_free() frees
 *
 * Return: 0, or -1 when the hypervisor keeps none.
 */
int stats_of_machine(const struct machine *m, struct counters *total)
{
	struct counters one;
	unsigned int i;

	if (stats_read(m->vm, total))
		return -1;
	for (i = 0; i < m->nr_vcpus; i++) {
		if (!stats_read(m->vcpus[i].fd, &one))
			stats_sum(total, &one);
		stats_free(&one);
	}
	return 0;
}

/**
 * stats_free() - Forget counters.
 * @counters: empty afterwards
 */
void stats_free(struct counters *counters)
{
	free(counters->list);
	counters->list = NULL;
	counters->n = 0;
}

static void print_row(const char *name, const struct counters *columns, unsigned int n)
{
	const struct counter *c;
	unsigned int i;

	fprintf(stderr, "%-28s", name);
	for (i = 0; i < n; i++) {
		c = find(&columns[i], name);
		fprintf(stderr, " %12llu", c ? c->value : 0);
	}
	fputc('\n', stderr);
}

/**
 * stats_table() - Print sets of counters side by side, without what is 0 in all.
 * @titles: of the columns
 * @columns: the sets
 * @n: how many
 */
void stats_table(const char *const *titles, const struct counters *columns, unsigned int n)
{
	struct counters all = { 0 };
	unsigned int i;

	for (i = 0; i < n; i++)
		stats_sum(&all, &columns[i]);
	fprintf(stderr, "%-28s", "counter");
	for (i = 0; i < n; i++)
		fprintf(stderr, " %12s", titles[i]);
	fputc('\n', stderr);
	for (i = 0; i < all.n; i++)
		if (all.list[i].value)
			print_row(all.list[i].name, columns, n);
	stats_free(&all);
}
