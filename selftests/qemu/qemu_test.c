// SPDX-License-Identifier: GPL-2.0
/*
 * One test of an unmodified QEMU on /dev/kvm, whatever that is: its guest boots (boot), is saved
 * and loaded again (save), or moves from one QEMU to another (migrate), while it keeps rewriting
 * and checking its memory on all processors. Prints comments of TAP; exit status 0 when all was
 * as it should be, or else 1 after a line "# failed: ".
 *
 * usage: qemu_test boot|save|migrate CHIP CPU VCPUS TIMES
 * TIMES: so many saves, or moves. Environment: QEMU_FOLDER has what the guest boots from,
 * UMBRA_TEST_PATIENCE multiplies all limits of time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "machine.h"

#define PASSED		33	/* QEMU's status when the guest wrote 16 to port 0xf4 */
#define IMAGE		"/tmp/qemu-image"
#define STREAM		"/tmp/qemu-stream"
#define SLOW		(24 << 20)	/* bytes a second, far less than the guest rewrites */
#define FAST		(1 << 30)
#define COUNT		"\"dirty-sync-count\": "
#define SEND_MS		300000
#define PASSES		4	/* looks at the dirty log before the guest is stopped */
#define CLOCK_SLACK	2000	/* ms between what a guest read and when it is heard of */
#define IDLE_MS		1000
#define IDLE_BUSY_MS	200

/* The chips are where they should be: QEMU goes without those that it is not offered. */
static void check_chips(struct machine *m)
{
	const char *tree = machine_monitor(m, "info qom-tree");
	bool split = !strcmp(config.chip, "split");

	if (!strstr(tree, "(kvm-apic)"))
		give_up("the local APICs are not in the kernel");
	if (!strstr(tree, "(kvm-ioapic)") == !split)
		give_up("the I/O APIC is not where it should be");
	if (!strstr(tree, "(kvm-i8259)") == !split || !strstr(tree, "(kvm-pit)") == !split)
		give_up("the legacy chips are not where they should be");
}

static void start(struct machine *m, const char *name)
{
	uint64_t from = host_ms();

	machine_start(m, name, NULL);
	check_chips(m);
	machine_wait_up(m);
	note("%s: up after %llu ms", name, (unsigned long long)(host_ms() - from));
}

static int boot(int times)
{
	struct machine m;
	int status;

	config.work = "boot";
	for (; times > 0; times--) {
		start(&m, "boot");
		status = machine_wait_end(&m);
		if (status != PASSED || !m.passed)
			give_up("QEMU ended with %d", status);
		machine_quit(&m);
	}
	return 0;
}

/* The guest's own verdict, and then proof that it is able to give another one. */
static void finish(struct machine *m)
{
	machine_ask(m, "tally\n", "guest: tally:");
	if (!strstr(m->said, " 0 errors"))
		give_up("%s", m->said);
	expect_failure();
	machine_ask(m, "spoil\n", "guest: error: a page");
	machine_wait_end(m);
	machine_quit(m);
}

/*
 * The first report of a guest that goes on elsewhere, or once more: between what it said when it
 * was saved and what it can have come to since @then, when it was let go.
 */
static void check_resumed(const struct machine *m, const struct machine *saved, uint64_t then)
{
	uint64_t passed = host_ms() - then;

	if (m->at < saved->at || m->ms < saved->ms)
		give_up("the guest is at %llu, %llu ms; it was saved at %llu, %llu ms",
			(unsigned long long)m->at, (unsigned long long)m->ms,
			(unsigned long long)saved->at, (unsigned long long)saved->ms);
	if (m->ms > saved->ms + passed + CLOCK_SLACK * config.patience)
		give_up("the guest's clock jumped from %llu to %llu ms in %llu",
			(unsigned long long)saved->ms, (unsigned long long)m->ms,
			(unsigned long long)passed);
}

/* ---- savevm and loadvm ---- */

static void run_job(struct machine *m, const char *options)
{
	machine_execute(m, "blockdev-create", "'job-id':'job','options':{%s}", options);
	machine_poll(m, "query-jobs", "\"concluded\"", "\"error\"");
	machine_execute(m, "job-dismiss", "'id':'job'");
}

/* Snapshots need an image whose format has them; no device of the guest uses it. */
static void make_image(struct machine *m)
{
	unlink(IMAGE);
	run_job(m, "'driver':'file','filename':'" IMAGE "','size':0");
	machine_execute(m, "blockdev-add", "'driver':'file','filename':'%s','node-name':'file'",
			IMAGE);
	run_job(m, "'driver':'qcow2','file':'file','size':1048576");
	machine_execute(m, "blockdev-add", "'driver':'qcow2','file':'file','node-name':'image'");
}

/* savevm, loadvm: they say something only when they failed. */
static void snapshot(struct machine *m, const char *command, int number)
{
	char line[32];
	const char *answer;

	snprintf(line, sizeof(line), "%s s%d", command, number);
	answer = machine_monitor(m, line);
	if (!strstr(answer, "\"return\": \"\""))
		give_up("%s: %s", line, answer);
}

/* Stop the guest, and hear what it said before. */
static void hold(struct machine *m)
{
	machine_execute(m, "stop", NULL);
	machines_listen(300);
}

static uint64_t go_on(struct machine *m)
{
	machine_execute(m, "cont", NULL);
	return host_ms();
}

/* Save, go on, and go back. What the guest had said when it was saved is in @saved. */
static void save_and_load(struct machine *m, int number, struct machine *saved)
{
	uint64_t then;

	machine_wait_reports(m, 10);
	hold(m);
	*saved = *m;
	snapshot(m, "savevm", number);
	go_on(m);
	machine_wait_reports(m, 10);
	hold(m);
	if (m->at <= saved->at)
		give_up("the guest does not come on");
	note("saved at %llu, %llu ms; loaded at %llu, %llu ms", (unsigned long long)saved->at,
	     (unsigned long long)saved->ms, (unsigned long long)m->at, (unsigned long long)m->ms);
	snapshot(m, "loadvm", number);
	then = go_on(m);
	machine_wait_reports(m, 1);
	check_resumed(m, saved, then);
}

static int save(int times)
{
	struct machine m, again, saved;
	char name[16];
	uint64_t then;
	int i;

	start(&m, "saved");
	make_image(&m);
	for (i = 0; i < times; i++)
		save_and_load(&m, i, &saved);
	machine_quit(&m);
	/* What is in the kernel now has never seen this guest. */
	snprintf(name, sizeof(name), "s%d", times - 1);
	then = host_ms();
	machine_start(&again, "loaded", (const char *[]){
		"-drive", "if=none,format=qcow2,file=" IMAGE, "-loadvm", name, NULL });
	machine_wait_reports(&again, 1);
	check_resumed(&again, &saved, then);
	machine_wait_reports(&again, 10);
	finish(&again);
	return 0;
}

/* ---- migration ---- */

static void set_speed(struct machine *m, int bytes, int downtime_ms)
{
	machine_execute(m, "migrate-set-parameters", "'max-bandwidth':%d,'downtime-limit':%d",
			bytes, downtime_ms);
}

/* Wait until the dirty log was read so often; what is short may be over between two looks. */
static void wait_passes(struct machine *m, unsigned long number)
{
	uint64_t end = host_ms() + SEND_MS * config.patience;
	unsigned long done = 0;
	const char *answer, *at;

	while (done < number) {
		answer = machine_execute(m, "query-migrate", NULL);
		at = strstr(answer, COUNT);
		if (at)
			done = strtoul(at + strlen(COUNT), NULL, 10);
		if (host_ms() > end || strstr(answer, "\"completed\"") || m->ended)
			give_up("%s: no %lu passes: %s", m->name, number, answer);
		machines_listen(20);
	}
}

/* The guest works on until its memory was looked through so many times. */
static void send(struct machine *from, const char *uri)
{
	uint64_t reports = from->reports, then = host_ms();

	set_speed(from, SLOW, 1);
	machine_execute(from, "migrate", "'uri':'%s'", uri);
	wait_passes(from, PASSES);
	if (from->reports < reports + 5)
		give_up("%s hardly worked while it was sent", from->name);
	set_speed(from, FAST, 60000);
	machine_poll(from, "query-migrate", "\"completed\"", "\"failed\"");
	note("%s: sent in %llu ms", from->name, (unsigned long long)(host_ms() - then));
}

/* What has moved away must not run. */
static void check_stopped(struct machine *m)
{
	uint64_t busy, bytes;

	if (!strstr(machine_execute(m, "query-status", NULL), "\"running\": false"))
		give_up("%s still runs", m->name);
	machines_listen(200);
	busy = machine_busy_ms(m);
	bytes = m->bytes;
	machines_listen(IDLE_MS);
	if (m->bytes != bytes)
		give_up("%s says something after it has moved", m->name);
	busy = machine_busy_ms(m) - busy;
	if (busy > IDLE_BUSY_MS)
		give_up("%s has worked for %llu ms after it has moved", m->name,
			(unsigned long long)busy);
}

/* From one QEMU straight to the other, which waits; or to a file that the other reads later. */
static void move(struct machine *from, struct machine *to, const char *name, bool by_file)
{
	unlink(STREAM);
	if (!by_file)
		machine_start(to, name, (const char *[]){ "-incoming", "unix:" STREAM, NULL });
	send(from, by_file ? "exec:cat >" STREAM : "unix:" STREAM);
	if (by_file)
		machine_start(to, name,
			      (const char *[]){ "-incoming", "exec:cat " STREAM, NULL });
	machine_wait_reports(to, 1);
	check_resumed(to, from, from->host_ms);
	check_stopped(from);
	machine_quit(from);
	machine_wait_reports(to, 10);
}

static int migrate(int times)
{
	static const char * const names[] = { "there", "back" };
	struct machine m[2];
	int i;

	start(&m[0], "here");
	for (i = 0; i < times; i++)
		move(&m[i % 2], &m[(i + 1) % 2], names[i % 2], i % 2);
	finish(&m[i % 2]);
	return 0;
}

int main(int argc, char **argv)
{
	const char *patience = getenv("UMBRA_TEST_PATIENCE");
	int times;

	if (argc != 6) {
		fprintf(stderr, "usage: qemu_test boot|save|migrate CHIP CPU VCPUS TIMES\n");
		return 2;
	}
	config = (struct machine_config){
		.folder = getenv("QEMU_FOLDER") ?: ".",
		.chip = argv[2],
		.cpu = argv[3],
		.vcpus = atoi(argv[4]),
		.work = "memory",
		.patience = patience && atoi(patience) > 0 ? atoi(patience) : 1,
	};
	times = atoi(argv[5]);
	if (!strcmp(argv[1], "save"))
		return save(times);
	if (!strcmp(argv[1], "migrate"))
		return migrate(times);
	return boot(times);
}
