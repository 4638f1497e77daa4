// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest in QEMU costs from mark to mark: a line "bench: NAME WHAT..." that the guest writes
 * to its serial port ends the stretch of that name; then the guest waits for a line. Runs the
 * command, and prints for each stretch the instructions that the host executed and the vCPU's
 * exits, and what the hypervisor holds for its tables at that moment. Judges nothing: see
 * scripts/bench.
 *
 * usage: qemu_bench SOCKET COMMAND [ARG...]; SOCKET is that of the command's QMP
 * An idle host executes nothing, but its clock runs on. The time that tasks ran is the number
 * of executed instructions when a tick of the TSC is one (scripts/lab --icount, one processor).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "qmp.h"
#include "umbra_util.h"
#include "worker.h"

#define MARK		"bench: "
#define GUEST_PASSED	33	/* QEMU's status when the guest wrote 16 to port 0xf4 */

static pid_t child;
static int qmp;

struct moment {
	u64 tsc, ns, busy, exits;
};

/* Nanoseconds that tasks ran on processor 0, as far as the scheduler has added them up. */
static u64 busy_ns(void)
{
	FILE *f = fopen("/proc/schedstat", "re");
	unsigned long ns = 0;
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "cpu0 %*u %*u %*u %*u %*u %*u %lu", &ns) == 1)
			break;
	if (!f || !ns)
		ut_die("/proc/schedstat does not say how long tasks ran");
	fclose(f);
	return ns;
}

static u64 clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static struct moment now(void)
{
	struct moment m = { .tsc = __builtin_ia32_rdtsc(), .ns = clock_ns(), .busy = busy_ns() };

	if (qmp > 0)
		qmp_statistic(qmp, "vcpu", "exits", &m.exits);
	return m;
}

/* Bytes of the objects in use of a slab cache; 0 when there is none of that name. */
static u64 slab_bytes(const char *cache)
{
	FILE *f = fopen("/proc/slabinfo", "re");
	unsigned long active, number, size;
	char line[512], name[64];
	u64 bytes = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %lu %lu %lu", name, &active, &number, &size) == 4 &&
		    !strcmp(name, cache))
			bytes = (u64)active * size;
	if (f)
		fclose(f);
	return bytes;
}

/* KVM counts table pages for the whole host; its descriptions are in caches of their own. */
static u64 kvm_table_bytes(void)
{
	FILE *f;
	unsigned long kib = 0;
	char line[128];

	/* Each processor keeps some back. */
	ut_write_file("/proc/sys/vm/stat_refresh", "1");
	f = fopen("/proc/meminfo", "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "SecPageTables: %lu kB", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib * 1024ull + slab_bytes("kvm_mmu_page_header") + slab_bytes("pte_list_desc");
}

static void stretch(char *mark, const struct moment *from, const struct moment *to)
{
	double rate = (double)(to->tsc - from->tsc) / (double)(to->ns - from->ns);
	const char *name = strsep(&mark, " "), *what = mark ? mark : "";
	u64 bytes = 0, peak;

	printf("%-16s %.0f %lu  %s\n", name, (double)(to->busy - from->busy) * rate,
	       to->exits - from->exits, what);
	if (!ut_on_umbra())
		bytes = kvm_table_bytes();
	if (bytes || qmp_statistic(qmp, "vm", "mmu_monitor_bytes", &bytes))
		printf("%s-bytes %lu -  bytes of tables and their descriptions then\n", name,
		       bytes);
	if (qmp_statistic(qmp, "vm", "mmu_monitor_bytes_peak", &peak))
		printf("%s-peak %lu -  the most bytes that there were up to then\n", name, peak);
	fflush(stdout);
}

/* Start the command; *@to and *@from are its input and output. */
static void start(char **argv, FILE **to, FILE **from)
{
	int in[2], out[2];

	if (pipe(in) || pipe(out))
		ut_die("pipe: %s", strerror(errno));
	child = fork();
	if (child < 0)
		ut_die("fork: %s", strerror(errno));
	if (!child) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		close(in[1]);
		close(out[0]);
		execvp(argv[0], argv);
		ut_die("%s: %s", argv[0], strerror(errno));
	}
	close(in[0]);
	close(out[1]);
	*to = fdopen(in[1], "we");
	*from = fdopen(out[0], "re");
}

int main(int argc, char **argv)
{
	struct moment from, to;
	FILE *guest, *says;
	char line[1024];
	int status;

	if (argc < 3)
		ut_die("usage: qemu_bench SOCKET COMMAND [ARG...]");
	from = now();
	start(argv + 2, &guest, &says);
	while (fgets(line, sizeof(line), says)) {
		fputs(line, stderr);
		if (strncmp(line, MARK, strlen(MARK)))
			continue;
		line[strcspn(line, "\r\n")] = 0;
		if (!qmp)
			qmp = qmp_connect(argv[1]);
		to = now();
		stretch(line + strlen(MARK), &from, &to);
		from = now();
		fputs("\n", guest);
		fflush(guest);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == GUEST_PASSED ? 0 : 1;
}
