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
#include "mmu.h"
#include "report.h"
#include "stats.h"
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
	OPT_MMU,
	OPT_STATS,
};

struct run_options {
	const char *device;
	const char *guest;
	u64 ram_size;
	unsigned int cpus;
	double timeout;
	bool json;
	bool stats;
	bool mmu_all;
	u32 mmu;
	struct load_options load;
	char cmdline[2 * BOOT_CMDLINE_MAX];
};

/* One run, after it. */
struct outcome {
	u32 mmu;
	int status;
	struct counters counters;
	struct json_object *json;
};

static const struct argp_option options[] = {
	{ "device", OPT_DEVICE, "PATH", 0, "Hypervisor's device (" UMBRA_DEVICE ")", 0 },
	{ "mem", OPT_MEM, "SIZE", 0, "Guest memory, in MiB or with suffix K, M or G (64M)", 0 },
	{ "cpus", OPT_CPUS, "N", 0, "Number of vCPUs (1)", 0 },
	{ "timeout", OPT_TIMEOUT, "S", 0, "Give up after S seconds (never)", 0 },
	{ "mmu", OPT_MMU, "MODE", 0, "MMU mode: nested, shadow or vtlb; all: one by one", 0 },
	{ "stats", OPT_STATS, NULL, 0, "Print the hypervisor's counters (--mmu: always)", 0 },
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

static void parse_mmu(struct argp_state *state, struct run_options *o, const char *arg)
{
	o->mmu_all = !strcmp(arg, "all");
	o->mmu = mmu_find(arg);
	if (!o->mmu_all && !o->mmu)
		argp_error(state, "--mmu: nested, shadow, vtlb or all");
	o->stats = true;
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
	case OPT_MMU:
		parse_mmu(state, o, arg);
		return 0;
	case OPT_STATS:
		o->stats = true;
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

static void run_machine(struct machine *m, const struct run_options *o)
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
}

static void conclude(struct machine *m, const struct run_options *o, struct outcome *out)
{
	out->status = m->status;
	out->mmu = m->mmu_mode;
	if (o->json)
		out->json = report_run(m, o->stats);
	else if (o->stats && stats_of_machine(m, &out->counters))
		complain("%s keeps no counters", m->hv.path);
}

static void run_image(const struct run_options *o, const struct image *image, struct outcome *out)
{
	struct machine m = { .mmu_mode = out->mmu };
	const char *refusal = NULL;

	out->status = STATUS_HOST;
	if (!machine_create(&m, o->device, o->ram_size, o->cpus)) {
		m.boot = (struct boot_state){ image->mode, image->entry, image->multiboot,
					      image->path, o->cmdline };
		serial_init(&m.serial, STDIN_FILENO, o->json ? STDERR_FILENO : STDOUT_FILENO,
			    o->json);
		image_place(image, m.ram);
		if (!boot_prepare(&m)) {
			run_machine(&m, o);
			conclude(&m, o, out);
		} else {
			refusal = "the guest could not be started";
		}
		serial_destroy(&m.serial);
	} else {
		refusal = "the host cannot run guests";
	}
	if (refusal && o->json)
		out->json = report_refusal(out->status, refusal);
	machine_destroy(&m);
}

/* The modes to run in, 0 for the default. Their number, or -1 after a message. */
static int choose_modes(const struct run_options *o, u32 modes[MMU_MAX_MODES])
{
	struct mmu_choice choice;
	struct hypervisor hv;
	char offered[64];
	int unknown;

	modes[0] = o->mmu;
	if (!o->mmu && !o->mmu_all)
		return 1;
	if (hv_open(&hv, o->device))
		return -1;
	unknown = mmu_choice(hv.fd, &choice);
	hv_close(&hv);
	if (unknown) {
		complain("--mmu: %s has no MMU modes to choose from: %s", o->device,
			 hv_is_kvm(o->device) ? "KVM has one for all VMs, set by its module" :
			 "it is not Umbra, or too old");
		return -1;
	}
	if (o->mmu_all) {
		memcpy(modes, choice.modes, sizeof(choice.modes));
		return choice.n;
	}
	if (mmu_offers(&choice, o->mmu))
		return 1;
	mmu_list(&choice, offered, sizeof(offered));
	complain("--mmu %s: %s does not offer that on this host, but %s", mmu_name(o->mmu),
		 o->device, offered);
	return -1;
}

static void print_counters(const struct run_options *o, const struct outcome *outcomes,
			   unsigned int n)
{
	struct counters columns[MMU_MAX_MODES];
	const char *titles[MMU_MAX_MODES];
	unsigned int i;

	for (i = 0; i < n; i++) {
		titles[i] = outcomes[i].mmu ? mmu_name(outcomes[i].mmu) : hv_module_name(o->device);
		columns[i] = outcomes[i].counters;
	}
	if (columns[0].n)
		stats_table(titles, columns, n);
}

/* The document of the runs; they are part of it then. */
static int print_json(const struct run_options *o, const struct outcome *outcomes, unsigned int n,
		      int status)
{
	struct json_object *runs[MMU_MAX_MODES];
	unsigned int i;

	if (!o->mmu_all)
		return report_print(outcomes[0].json);
	for (i = 0; i < n; i++)
		runs[i] = outcomes[i].json;
	return report_print(report_runs(status, runs, n));
}

/* Run in one mode after the other. The first status that is not 0 is that of all. */
static int run_modes(const struct run_options *o, const struct image *image, const u32 *modes,
		     unsigned int n)
{
	struct outcome outcomes[MMU_MAX_MODES] = { 0 };
	unsigned int i, done = 0;
	int status = 0;

	while (done < n) {
		struct outcome *out = &outcomes[done++];

		out->mmu = modes[done - 1];
		if (o->mmu_all)
			complain("MMU mode %s:", mmu_name(out->mmu));
		run_image(o, image, out);
		if (!status)
			status = out->status;
		if (out->status == STATUS_SIGNAL || out->status == STATUS_HOST)
			break;
	}
	for (i = 1; i < done; i++)
		if (outcomes[i].status != outcomes[0].status)
			complain("exit status %d in mode %s, %d in mode %s", outcomes[0].status,
				 mmu_name(outcomes[0].mmu), outcomes[i].status,
				 mmu_name(outcomes[i].mmu));
	if (o->json) {
		if (print_json(o, outcomes, done, status))
			status = STATUS_HOST;
	} else if (o->stats) {
		print_counters(o, outcomes, done);
	}
	for (i = 0; i < done; i++)
		stats_free(&outcomes[i].counters);
	return status;
}

/* Nothing was run; a message has said why. */
static int refuse(const struct run_options *o, int status, const char *detail)
{
	if (o->json)
		report_print(report_refusal(status, detail));
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
	u32 modes[MMU_MAX_MODES];
	struct image image;
	int status = STATUS_IMAGE;
	int n;

	argp_err_exit_status = STATUS_USAGE;
	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &o))
		return STATUS_USAGE;
	if (image_read(&image, o.guest, o.ram_size, &o.load)) {
		refuse(&o, status, "the guest image was refused");
	} else {
		n = choose_modes(&o, modes);
		if (n > 0)
			status = run_modes(&o, &image, modes, n);
		else
			status = refuse(&o, STATUS_HOST, "the host cannot run guests");
	}
	image_free(&image);
	return status;
}
