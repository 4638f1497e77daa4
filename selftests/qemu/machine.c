// SPDX-License-Identifier: GPL-2.0
/*
 * QEMU processes and what comes out of them: owns the pipes to their serial ports, the sockets
 * that steer them, and the list of those that run. Must not know what any test expects.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "../bench/qmp.h"
#include "machine.h"

#define MAX_LOG		0x200000
#define MAX_MACHINES	2
#define MAX_MORE	8	/* words of a test's own for the command line */
#define LOG_SHOWN	6000	/* bytes of it, when the test fails */
#define SECONDS_UP	300
#define SECONDS_WAIT	60
/* QEMU takes ' for ". */
#define MONITOR		"human-monitor-command"
#define MONITOR_LINE	"'command-line':'%s'"
#define ARGUMENTS	"'arguments':{'command-line':'info registers -a'}"
#define REGISTERS	"{'execute':'" MONITOR "'," ARGUMENTS "}\n"
#define NAME_PREFIX	"/tmp/qemu-"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof(*(a)))

struct machine_config config;
static struct machine *machines[MAX_MACHINES];
static bool failure_expected;

uint64_t host_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}

void note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("# ");
	vprintf(format, args);
	printf("\n");
	va_end(args);
	fflush(stdout);
}

static void show_log(const struct machine *m)
{
	size_t from = m->bytes > LOG_SHOWN ? m->bytes - LOG_SHOWN : 0;
	char *line, *next = m->log + from;

	note("--- the end of what %s said ---", m->name);
	while ((line = strsep(&next, "\n")))
		note("%s", line);
	note("---");
}

/* Where its processors are. */
static void show_registers(const struct machine *m)
{
	struct timeval limit = { .tv_sec = 10 };
	char *answer, *next, *line;

	if (m->ended || m->qmp < 0)
		return;
	setsockopt(m->qmp, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	answer = qmp_execute(m->qmp, REGISTERS);
	next = answer;
	/* Line ends are two letters in JSON. */
	while ((line = strsep(&next, "\\")))
		if (strstr(line, "CPU#") || strstr(line, "RIP=") || strstr(line, "EIP="))
			note("%s: %s", m->name, line);
	free(answer);
}

void give_up(const char *format, ...)
{
	va_list args;
	int i;

	va_start(args, format);
	printf("# failed: ");
	vprintf(format, args);
	printf("\n");
	va_end(args);
	for (i = 0; i < MAX_MACHINES; i++)
		if (machines[i]) {
			show_log(machines[i]);
			show_registers(machines[i]);
		}
	/* QEMUs die with their parent. */
	exit(1);
}

void expect_failure(void)
{
	failure_expected = true;
}

/* ---- what the guest says ---- */

static void read_line(struct machine *m, const char *line)
{
	/* A kernel may begin what it says of its CPU with another word, and warn of that. */
	static const char * const wrong[] = {
		"guest: error", "guest: failed", "Kernel panic", "BUG:", "] WARNING:", "Oops",
	};
	unsigned long long at, ms;
	size_t i;

	if (!strncmp(line, "guest: user space is up", 23))
		m->up = true;
	if (!strncmp(line, "guest: passed", 13))
		m->passed = true;
	if (sscanf(line, "guest: at %llu, %llu ms", &at, &ms) == 2) {
		m->at = at;
		m->ms = ms;
		m->host_ms = host_ms();
		m->reports++;
	} else if (!strncmp(line, "guest: ", 7)) {
		note("%s: %s", m->name, line);
	}
	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		if (strstr(line, wrong[i]) && !failure_expected)
			give_up("%s: %s", m->name, line);
}

static void hear(struct machine *m)
{
	ssize_t got = read(m->out, m->log + m->bytes, MAX_LOG - 1 - m->bytes);
	char line[256], *end;
	size_t len;

	if (got <= 0) {
		if (m->bytes == MAX_LOG - 1)
			give_up("%s says too much", m->name);
		m->ended = true;
		return;
	}
	m->bytes += got;
	m->log[m->bytes] = 0;
	while ((end = strchr(m->log + m->line, '\n'))) {
		len = strcspn(m->log + m->line, "\r\n");
		snprintf(line, sizeof(line), "%.*s", (int)len, m->log + m->line);
		m->line = end + 1 - m->log;
		memcpy(m->said, line, sizeof(line));
		read_line(m, line);
	}
}

void machines_listen(unsigned int ms)
{
	uint64_t end = host_ms() + ms, now = end - ms;
	struct pollfd fds[MAX_MACHINES];
	int i;

	do {
		for (i = 0; i < MAX_MACHINES; i++) {
			bool there = machines[i] && !machines[i]->ended;

			fds[i] = (struct pollfd){ there ? machines[i]->out : -1, POLLIN, 0 };
		}
		if (poll(fds, MAX_MACHINES, end - now) > 0)
			for (i = 0; i < MAX_MACHINES; i++)
				if (fds[i].revents)
					hear(machines[i]);
		now = host_ms();
	} while (now < end);
}

static uint64_t deadline(unsigned int seconds)
{
	return host_ms() + seconds * 1000ull * config.patience;
}

static void listen_until(struct machine *m, uint64_t end, const char *what)
{
	if (m->ended)
		give_up("%s ended before %s", m->name, what);
	if (host_ms() > end)
		give_up("%s: no %s in time", m->name, what);
	machines_listen(20);
}

void machine_wait_up(struct machine *m)
{
	uint64_t end = deadline(SECONDS_UP);

	while (!m->up)
		listen_until(m, end, "user space");
}

void machine_wait_reports(struct machine *m, unsigned int number)
{
	uint64_t wanted = m->reports + number, end = deadline(SECONDS_WAIT);

	while (m->reports < wanted)
		listen_until(m, end, "report");
}

void machine_ask(struct machine *m, const char *line, const char *answer)
{
	uint64_t end = deadline(SECONDS_WAIT);
	size_t from = m->line;
	const char *at;

	if (write(m->in, line, strlen(line)) != (ssize_t)strlen(line))
		give_up("%s takes no input", m->name);
	/* All of the line. */
	while (!(at = strstr(m->log + from, answer)) || !strchr(at, '\n'))
		listen_until(m, end, answer);
	snprintf(m->said, sizeof(m->said), "%s", at);
	m->said[strcspn(m->said, "\r\n")] = 0;
}

int machine_wait_end(struct machine *m)
{
	uint64_t end = deadline(SECONDS_UP);

	while (!m->ended) {
		if (host_ms() > end)
			give_up("%s does not end", m->name);
		machines_listen(20);
	}
	if (m->pid)
		waitpid(m->pid, &m->status, 0);
	m->pid = 0;
	return WIFEXITED(m->status) ? WEXITSTATUS(m->status) : -1;
}

/* ---- QEMU ---- */

static void exec_qemu(const struct machine *m, const char * const *more)
{
	static char machine[64], smp[16], socket[64], kernel[128], initrd[128], firmware[128];
	static char words[160];
	const char * const common[] = {
		"qemu-system-x86_64", "-accel", "kvm", "-smp", smp, "-m", "160", "-L", firmware,
		"-nodefaults", "-display", "none", "-serial", "stdio", "-qmp", socket,
		"-no-reboot", "-device", "isa-debug-exit,iobase=0xf4,iosize=1", "-kernel", kernel,
		"-initrd", initrd, "-append", words,
	};
	const char *args[ARRAY_SIZE(common) + MAX_MORE + 5] = { NULL };
	int n = ARRAY_SIZE(common);

	snprintf(machine, sizeof(machine), "pc,kernel-irqchip=%s", config.chip);
	snprintf(smp, sizeof(smp), "%d", config.vcpus);
	snprintf(socket, sizeof(socket), "unix:" NAME_PREFIX "%s,server=on,wait=off", m->name);
	snprintf(kernel, sizeof(kernel), "%s/vmlinuz", config.folder);
	snprintf(initrd, sizeof(initrd), "%s/initramfs", config.folder);
	snprintf(firmware, sizeof(firmware), "%s/firmware", config.folder);
	/* A letter of the kernel's costs an exit, and only boots are about these. */
	snprintf(words, sizeof(words), "console=ttyS0 panic=-1 oops=panic work=%s vcpus=%d%s",
		 config.work, config.vcpus, strcmp(config.work, "boot") ? " quiet" : "");
	memcpy(args, common, sizeof(common));
	if (strcmp(config.chip, "default")) {
		args[n++] = "-machine";
		args[n++] = machine;
	}
	if (strcmp(config.cpu, "default")) {
		args[n++] = "-cpu";
		args[n++] = config.cpu;
	}
	for (; more && *more && n < (int)ARRAY_SIZE(args) - 1; more++)
		args[n++] = *more;
	execvp(args[0], (char **)args);
	perror(args[0]);
	_exit(127);
}

/* The socket is there a moment after QEMU is. */
static void connect_to(struct machine *m)
{
	uint64_t end = deadline(SECONDS_WAIT);
	char path[64];

	snprintf(path, sizeof(path), NAME_PREFIX "%s", m->name);
	for (;;) {
		m->qmp = access(path, F_OK) ? -1 : qmp_connect(path);
		if (m->qmp >= 0)
			return;
		listen_until(m, end, "control socket");
	}
}

void machine_start(struct machine *m, const char *name, const char * const *more)
{
	int in[2], out[2], i;
	char path[64];

	memset(m, 0, sizeof(*m));
	m->qmp = -1;
	m->name = name;
	m->log = calloc(1, MAX_LOG);
	snprintf(path, sizeof(path), NAME_PREFIX "%s", name);
	unlink(path);
	if (!m->log || pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		give_up("%s: %s", name, strerror(errno));
	m->pid = fork();
	if (m->pid < 0)
		give_up("fork: %s", strerror(errno));
	if (!m->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		dup2(out[1], STDERR_FILENO);
		exec_qemu(m, more);
	}
	close(in[0]);
	close(out[1]);
	m->in = in[1];
	m->out = out[0];
	for (i = 0; i < MAX_MACHINES && machines[i]; i++)
		;
	if (i == MAX_MACHINES)
		give_up("too many machines");
	machines[i] = m;
	connect_to(m);
}

const char *machine_execute(struct machine *m, const char *command, const char *arguments, ...)
{
	char given[400] = "", question[512];
	static char *answer;
	va_list args;

	if (arguments) {
		va_start(args, arguments);
		vsnprintf(given, sizeof(given), arguments, args);
		va_end(args);
	}
	snprintf(question, sizeof(question), "{'execute':'%s','arguments':{%s}}\n", command, given);
	free(answer);
	answer = qmp_execute(m->qmp, question);
	if (!answer)
		give_up("%s does not answer %s", m->name, question);
	if (strstr(answer, "\"error\": {"))
		give_up("%s: %s: %s", m->name, question, answer);
	return answer;
}

const char *machine_monitor(struct machine *m, const char *command)
{
	return machine_execute(m, MONITOR, MONITOR_LINE, command);
}

const char *machine_poll(struct machine *m, const char *command, const char *word,
			 const char *wrong)
{
	uint64_t end = deadline(SECONDS_UP);
	const char *answer;

	for (;;) {
		answer = machine_execute(m, command, NULL);
		if (strstr(answer, wrong))
			give_up("%s: %s: %s", m->name, command, answer);
		if (strstr(answer, word))
			return answer;
		listen_until(m, end, word);
	}
}

uint64_t machine_busy_ms(struct machine *m)
{
	unsigned long user = 0, kernel = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", m->pid);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
			 &user, &kernel) != 2)
		give_up("%s has no process", m->name);
	fclose(f);
	return (user + kernel) * 1000 / sysconf(_SC_CLK_TCK);
}

void machine_quit(struct machine *m)
{
	int i;

	if (!m->ended)
		machine_execute(m, "quit", NULL);
	machine_wait_end(m);
	for (i = 0; i < MAX_MACHINES; i++)
		if (machines[i] == m)
			machines[i] = NULL;
	close(m->in);
	close(m->out);
	close(m->qmp);
	free(m->log);
}
