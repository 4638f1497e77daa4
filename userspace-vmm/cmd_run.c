// SPDX-License-Identifier: GPL-2.0
/*
 * "umbra run": options, and the order of things from image to exit status.
 *
 * The main thread waits for the end, the time limit and signals; guests run on
 * the vCPU threads.
 */
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "boot.h"
#include "loader.h"
#include "machine.h"
#include "report.h"
#include "umbra.h"

#define DEFAULT_RAM	MIB(64)
#define MAX_TIMEOUT	1000000

enum {
	OPT_DEVICE = 'd',
	OPT_MEM = 'm',
	OPT_CPUS = 'c',
	OPT_TIMEOUT = 't',
	OPT_JSON = 'j',
	OPT_MODE = 0x100,
	OPT_LOAD,
};

struct run_options {
	const char *device;
	const char *guest;
	u64 ram_size;
	unsigned int cpus;
	double timeout;
	bool json;
	struct load_options load;
	char cmdline[2 * BOOT_CMDLINE_MAX];
};

static const struct argp_option options[] = {
	{ "device", OPT_DEVICE, "PATH", 0, "Hypervisor's device (" UMBRA_DEVICE ")", 0 },
	{ "mem", OPT_MEM, "SIZE", 0, "Guest memory, in MiB or with suffix K, M or G (64M)", 0 },
	{ "cpus", OPT_CPUS, "N", 0, "Number of vCPUs (1)", 0 },
	{ "timeout", OPT_TIMEOUT, "S", 0, "Give up after S seconds (never)", 0 },
	{ "json", OPT_JSON, NULL, 0, "Report as JSON on stdout, console on stderr", 0 },
	{ "mode", OPT_MODE, "MODE", 0, "Flat image: start in real, protected or long mode (real)",
	  0 },
	{ "load", OPT_LOAD, "ADDR", 0, "Flat image: load address (0x7c00; 1M unless real)", 0 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

static u64 parse_number(struct argp_state *state, const char *what, const char *arg, u64 unit)
{
	char *end;
	u64 n;

	errno = 0;
	n = strtoull(arg, &end, 0);
	switch (*end) {
	case 'k': case 'K':
		unit = KIB(1);
		end++;
		break;
	case 'm': case 'M':
		unit = MIB(1);
		end++;
		break;
	case 'g': case 'G':
		unit = GIB(1);
		end++;
		break;
	}
	if (errno || end == arg || *end || *arg == '-' || n > ~0ULL / unit)
		argp_error(state, "%s: '%s' is not a number", what, arg);
	return n * unit;
}

static void parse_mem(struct argp_state *state, struct run_options *o, const char *arg)
{
	o->ram_size = parse_number(state, "--mem", arg, MIB(1));
	if (o->ram_size < MACHINE_MIN_RAM || o->ram_size > MACHINE_MAX_RAM || o->ram_size & 0xfff)
		argp_error(state, "--mem: 1M to %lluM in steps of 4K", MACHINE_MAX_RAM >> 20);
}

static void parse_cpus(struct argp_state *state, struct run_options *o, const char *arg)
{
	u64 n = parse_number(state, "--cpus", arg, 1);

	if (n < 1 || n > MACHINE_MAX_CPUS)
		argp_error(state, "--cpus: 1 to %d", MACHINE_MAX_CPUS);
	o->cpus = n;
}

static void parse_timeout(struct argp_state *state, struct run_options *o, const char *arg)
{
	char *end;

	o->timeout = strtod(arg, &end);
	if (end == arg || *end || !(o->timeout > 0) || o->timeout > MAX_TIMEOUT)
		argp_error(state, "--timeout: more than 0, up to %d seconds", MAX_TIMEOUT);
}

static void parse_mode(struct argp_state *state, struct run_options *o, const char *arg)
{
	int mode;

	for (mode = MODE_REAL; mode <= MODE_LONG; mode++) {
		if (strcmp(boot_mode_name(mode), arg))
			continue;
		o->load.mode = mode;
		o->load.mode_given = true;
		return;
	}
	argp_error(state, "--mode: real, protected or long");
}

static void take_guest(struct argp_state *state, struct run_options *o, const char *arg)
{
	size_t length = 0;

	o->guest = arg;
	/* All that follows is the guest's, options included. */
	for (; state->next < state->argc; state->next++) {
		length += snprintf(o->cmdline + length, sizeof(o->cmdline) - length, "%s%s",
				   length ? " " : "", state->argv[state->next]);
		if (length >= BOOT_CMDLINE_MAX)
			argp_error(state, "more than %d bytes of arguments for the guest",
				   BOOT_CMDLINE_MAX - 1);
	}
}

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct run_options *o = state->input;

	switch (key) {
	case OPT_DEVICE:
		o->device = arg;
		return 0;
	case OPT_MEM:
		parse_mem(state, o, arg);
		return 0;
	case OPT_CPUS:
		parse_cpus(state, o, arg);
		return 0;
	case OPT_TIMEOUT:
		parse_timeout(state, o, arg);
		return 0;
	case OPT_JSON:
		o->json = true;
		return 0;
	case OPT_MODE:
		parse_mode(state, o, arg);
		return 0;
	case OPT_LOAD:
		o->load.address = parse_number(state, "--load", arg, 1);
		return 0;
	case ARGP_KEY_ARG:
		take_guest(state, o, arg);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "a guest image is wanted");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse_opt,
	.args_doc = "GUEST [ARG...]",
	.doc = "Run GUEST: a flat binary, an ELF executable or a multiboot image.\n"
	       "ARGs are its command line.\n"
	       "\vExit status: 0 to 99 what the guest wrote to port 0x501 (99 for all above),\n"
	       "100 usage, 101 host, 102 image refused, 103 timeout, 104 shutdown,\n"
	       "105 failed entry, 106 internal error, 107 all vCPUs halted, 108 signal,\n"
	       "109 other.",
};

static void ignore_signal(int signal)
{
	(void)signal;
}

/* SIGUSR1 only interrupts KVM_RUN; the others are waited for by the main thread. */
static void set_signals(sigset_t *waited)
{
	struct sigaction action = { .sa_handler = ignore_signal };

	sigemptyset(&action.sa_mask);
	sigaction(SIGUSR1, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(waited);
	sigaddset(waited, SIGINT);
	sigaddset(waited, SIGTERM);
	sigaddset(waited, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, waited, NULL);
}

static bool time_left(const struct timespec *deadline, struct timespec *left)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	left->tv_sec = deadline->tv_sec - now.tv_sec;
	left->tv_nsec = deadline->tv_nsec - now.tv_nsec;
	if (left->tv_nsec < 0) {
		left->tv_nsec += 1000000000;
		left->tv_sec--;
	}
	return left->tv_sec >= 0;
}

static void wait_for_end(struct machine *m, double timeout, const sigset_t *waited)
{
	struct timespec deadline, left;
	int sig;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += (time_t)timeout;
	deadline.tv_nsec += (timeout - (time_t)timeout) * 1e9;
	if (deadline.tv_nsec >= 1000000000) {
		deadline.tv_nsec -= 1000000000;
		deadline.tv_sec++;
	}
	while (!m->ended) {
		if (!(timeout > 0)) {
			sig = sigwaitinfo(waited, NULL);
		} else if (time_left(&deadline, &left)) {
			sig = sigtimedwait(waited, NULL, &left);
		} else {
			machine_end(m, NULL, STATUS_TIMEOUT, "no end after %g seconds", timeout);
			return;
		}
		if (sig == SIGINT || sig == SIGTERM)
			machine_end(m, NULL, STATUS_SIGNAL, "ended by %s", strsignal(sig));
	}
}

/* A guest that reads the terminal wants keys as they come; Ctrl-C stays the user's. */
static bool raw_terminal(struct termios *saved)
{
	struct termios raw;

	if (!isatty(STDIN_FILENO) || tcgetpgrp(STDIN_FILENO) != getpgrp() ||
	    tcgetattr(STDIN_FILENO, saved))
		return false;
	raw = *saved;
	raw.c_lflag &= ~(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	return !tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

static int run_machine(struct machine *m, const struct run_options *o)
{
	struct termios saved;
	sigset_t waited;
	bool raw;

	set_signals(&waited);
	raw = raw_terminal(&saved);
	if (!machine_start(m)) {
		wait_for_end(m, o->timeout, &waited);
		machine_join(m);
	}
	serial_flush(&m->serial);
	if (raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &saved);
	report_failure(m);
	if (o->json && report_json(m))
		return STATUS_HOST;
	return m->status;
}

static int run_image(const struct run_options *o, const struct image *image)
{
	struct machine m = { 0 };
	int status = STATUS_HOST;

	if (!machine_create(&m, o->device, o->ram_size, o->cpus)) {
		m.boot = (struct boot_state){ image->mode, image->entry, image->multiboot,
					      image->path, o->cmdline };
		serial_init(&m.serial, STDIN_FILENO, o->json ? STDERR_FILENO : STDOUT_FILENO,
			    o->json);
		image_place(image, m.ram);
		if (!boot_prepare(&m))
			status = run_machine(&m, o);
		else if (o->json)
			report_json_refusal(status, "the guest could not be started");
		serial_destroy(&m.serial);
	} else if (o->json) {
		report_json_refusal(status, "the host cannot run guests");
	}
	machine_destroy(&m);
	return status;
}

/**
 * cmd_run() - The subcommand.
 * @argc: number of @argv
 * @argv: name and arguments
 *
 * Return: exit status, enum run_status.
 */
int cmd_run(int argc, char **argv)
{
	struct run_options o = {
		.device = UMBRA_DEVICE,
		.ram_size = DEFAULT_RAM,
		.cpus = 1,
		.load = { .mode = MODE_REAL, .address = LOAD_DEFAULT },
	};
	struct image image;
	int status = STATUS_IMAGE;

	argp_err_exit_status = STATUS_USAGE;
	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &o))
		return STATUS_USAGE;
	if (!image_read(&image, o.guest, o.ram_size, &o.load))
		status = run_image(&o, &image);
	else if (o.json)
		report_json_refusal(status, "the guest image was refused");
	image_free(&image);
	return status;
}
