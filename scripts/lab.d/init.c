// SPDX-License-Identifier: GPL-2.0
/*
 * PID 1 of the emulated host: mounts, loads the hypervisor, runs the command that
 * scripts/lab packed, and gives the verdict over a serial port of its own.
 *
 * Ports: ttyS0 kernel console, ttyS1 the command's output (or the shell), ttyS2 its
 * error output, ttyS3 the verdict.  Verdict lines start with the nonce of the run, so
 * nothing that the console or the command writes can be taken for one.  This file must
 * never call a run good that ended in any other way than by the command's own exit.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "lab.h"

#define NOT_FOUND 127
#define NOT_EXECUTABLE 126
#define BY_SIGNAL 128
/* As in the /etc/group that scripts/lab.d/base writes. */
#define KVM_GID 104

static char *nonce = "-";
static char *hypervisor = "none";
/* In the environment of the command: tests know the defects of each emulator. */
static char emulator[32] = "UMBRA_EMULATOR=";
static bool want_shell;
static int verdict_fd = -1;

static __attribute__((format(printf, 1, 2))) void say(const char *format, ...)
{
	char text[1024];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (len >= (int)sizeof(text))
		len = sizeof(text) - 1;
	dprintf(verdict_fd, "%s %.*s\n", nonce, len, text);
}

static _Noreturn void end_host(void)
{
	/* Whoever waits for the last byte of output has to get it. */
	for (int i = 0; i <= 3; i++) {
		char port[] = "/dev/ttyS0";
		int fd;

		port[sizeof(port) - 2] += i;
		fd = open(port, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0)
			tcdrain(fd);
	}
	sync();
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

static _Noreturn __attribute__((format(printf, 1, 2))) void
give_up(const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	say("failed %s", text);
	end_host();
}

static void mount_one(const char *type, const char *where, const char *options)
{
	mkdir(where, 0755);
	/* A kernel of someone's own may lack some of these; the command will tell. */
	mount(type, where, type, 0, options);
}

static void mount_all(void)
{
	mount_one("devtmpfs", "/dev", NULL);
	mount_one("proc", "/proc", NULL);
	mount_one("sysfs", "/sys", NULL);
	mount_one("tmpfs", "/tmp", "mode=1777");
	mount_one("tmpfs", "/run", "mode=755");
	mount_one("tmpfs", "/dev/shm", "mode=1777");
	mount_one("devpts", "/dev/pts", "mode=620,ptmxmode=666");
	mount_one("hugetlbfs", "/dev/hugepages", NULL);
	mount_one("debugfs", "/sys/kernel/debug", NULL);
	mount_one("tracefs", "/sys/kernel/tracing", NULL);
	mount_one("cgroup2", "/sys/fs/cgroup", NULL);
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
}

/* Bytes must pass a port unchanged, and no port may become someone's terminal. */
static int open_port(int number, bool raw)
{
	char path[] = "/dev/ttyS0";
	struct termios term;
	int fd;

	path[sizeof(path) - 2] += number;
	fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || tcgetattr(fd, &term))
		return -1;
	if (raw)
		cfmakeraw(&term);
	term.c_cflag |= CLOCAL;
	cfsetspeed(&term, B115200);
	tcsetattr(fd, TCSANOW, &term);
	return fd;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
	close(fd);
}

/* A file of the run, with a final zero byte that is not counted in @len. */
static char *read_file(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *data;

	if (fd < 0 || fstat(fd, &st))
		return NULL;
	data = calloc(1, st.st_size + 1);
	*len = 0;
	while (data && *len < (size_t)st.st_size) {
		ssize_t got = read(fd, data + *len, st.st_size - *len);

		if (got <= 0)
			break;
		*len += got;
	}
	close(fd);
	return data;
}

static void read_config(void)
{
	FILE *file = fopen("/lab/config", "re");
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = 0;
		if (!strncmp(line, "nonce=", 6))
			nonce = strdup(line + 6);
		else if (!strncmp(line, "hypervisor=", 11))
			hypervisor = strdup(line + 11);
		else if (!strncmp(line, "emulator=", 9))
			snprintf(emulator, sizeof(emulator), "UMBRA_EMULATOR=%.16s", line + 9);
		else if (!strcmp(line, "shell=1"))
			want_shell = true;
	}
	if (file)
		fclose(file);
}

/* "/lab/load" holds pairs of zero-ended strings: a module's path, its parameters. */
static void load_modules(void)
{
	size_t len = 0;
	char *list = read_file("/lab/load", &len);
	char *end = list + len;

	while (list && list < end) {
		char *path = list;
		char *params = path + strlen(path) + 1;
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			give_up("%s: %s", path, strerror(errno));
		if (syscall(SYS_finit_module, fd, params, 0) && errno != EEXIST)
			give_up("cannot load %s (%s): %s", path, params,
				strerror(errno));
		close(fd);
		list = params + strlen(params) + 1;
	}
}

/* What the udev rule does on a real machine. */
static void check_device(void)
{
	char path[64];

	if (!strcmp(hypervisor, "none"))
		return;
	snprintf(path, sizeof(path), "/dev/%s", hypervisor);
	if (access(path, F_OK))
		give_up("%s is loaded but there is no %s", hypervisor, path);
	if (chown(path, 0, KVM_GID) || chmod(path, 0660))
		give_up("%s: %s", path, strerror(errno));
}

static _Noreturn void run_child(char **argv, int out, int err)
{
	static const char * const environment[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/sh",
		"TERM=dumb", "LANG=C.UTF-8", "UMBRA_LAB=1", emulator, NULL
	};
	sigset_t none;
	int in;

	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (want_shell)
		ioctl(out, TIOCSCTTY, 0);
	in = want_shell ? out : open("/dev/null", O_RDONLY);
	dup2(in, 0);
	dup2(out, 1);
	dup2(err, 2);
	execvpe(argv[0], argv, (char **)environment);
	fprintf(stderr, "lab: %s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? NOT_FOUND : NOT_EXECUTABLE);
}

/* "/lab/argv" holds the command's words, each ended by a zero byte. */
static char **read_command(void)
{
	size_t len = 0, nr = 0;
	char *words, **argv;

	words = read_file("/lab/argv", &len);
	if (!words || !len)
		give_up("no command was packed");
	argv = calloc(len + 1, sizeof(*argv));
	for (char *word = words; word < words + len; word += strlen(word) + 1)
		argv[nr++] = word;
	return argv;
}

/* Reap everything; true when @pid was among it, its status in @status. */
static bool reap(pid_t pid, int *status)
{
	bool found = false;
	int one;

	for (;;) {
		pid_t got = waitpid(-1, &one, WNOHANG);

		if (got <= 0)
			return found;
		if (got == pid) {
			*status = one;
			found = true;
		}
	}
}

static int run_command(int kmsg)
{
	int out = open_port(1, !want_shell);
	int err = want_shell ? out : open_port(2, true);
	char **argv = read_command();
	int status = 0, signals;
	struct pollfd fds[2];
	sigset_t mask;
	pid_t pid;

	if (out < 0 || err < 0)
		give_up("the kernel does not show all serial ports");
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	say("start");
	pid = fork();
	if (pid < 0)
		give_up("fork: %s", strerror(errno));
	if (!pid)
		run_child(argv, out, err);

	fds[0] = (struct pollfd){ .fd = signals, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = kmsg, .events = POLLIN };
	while (!reap(pid, &status)) {
		struct signalfd_siginfo info;

		poll(fds, 2, 1000);
		while (read(signals, &info, sizeof(info)) > 0)
			;
		kmsg_drain();
	}
	if (WIFSIGNALED(status))
		return BY_SIGNAL + WTERMSIG(status);
	return WEXITSTATUS(status);
}

/* Nothing of the command may outlive it: what it left open would hide leaks. */
static void kill_rest(void)
{
	kill(-1, SIGKILL);
	for (int i = 0; i < 200; i++) {
		if (waitpid(-1, NULL, WNOHANG) < 0)
			return;
		usleep(10000);
	}
	give_up("processes of the command cannot be killed");
}

static void unload_hypervisor(void)
{
	if (strcmp(hypervisor, "umbra"))
		return;
	/* File descriptors may still be on their way out through a work queue. */
	for (int i = 0; i < 100; i++) {
		if (!syscall(SYS_delete_module, "umbra", O_NONBLOCK) || errno == ENOENT)
			return;
		usleep(20000);
	}
	give_up("umbra cannot be unloaded after the last process: %s", strerror(errno));
}

static void find_leaks(void)
{
	if (access("/sys/kernel/debug/kmemleak", W_OK))
		return;
	/* The first scan only ages new objects; the second one reports them. */
	write_file("/sys/kernel/debug/kmemleak", "scan");
	sleep(6);
	write_file("/sys/kernel/debug/kmemleak", "scan");
}

int main(void)
{
	int status, kmsg;
	pid_t console;

	umask(022);
	mount_all();
	read_config();
	verdict_fd = open_port(3, true);
	kmsg = kmsg_open();
	if (kmsg < 0)
		give_up("cannot watch the kernel log");
	console = kmsg_complete_console(open_port(0, false));
	write_file("/proc/sys/kernel/printk", "8");
	sethostname("lab", 3);
	say("boot");
	load_modules();
	check_device();

	status = run_command(kmsg);

	if (console)
		waitpid(console, NULL, 0);
	kill_rest();
	unload_hypervisor();
	find_leaks();
	kmsg_drain();
	if (kmsg_report())
		say("report %s", kmsg_report());
	else
		say("exit %d", status);
	end_host();
}
