// SPDX-License-Identifier: GPL-2.0
/*
 * Command line of "umbra run": what there is, what goes together, what is the default.
 *
 * Opens and runs nothing; files that were named may not exist.
 */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mmu.h"
#include "run_options.h"
#include "umbra.h"

#define DEFAULT_RAM		MIB(64)
#define DEFAULT_KERNEL_RAM	MIB(512)
#define MAX_TIMEOUT		1000000

enum {
	OPT_DEVICE = 'd',
	OPT_MEM = 'm',
	OPT_CPUS = 'c',
	OPT_TIMEOUT = 't',
	OPT_JSON = 'j',
	OPT_KERNEL = 'k',
	OPT_INITRD = 'i',
	OPT_APPEND = 'a',
	OPT_MODE = 0x100,
	OPT_LOAD,
	OPT_MMU,
	OPT_STATS,
	OPT_DISK,
	OPT_CONSOLE,
	OPT_NO_REBOOT,
};

static const struct argp_option options[] = {
	{ "device", OPT_DEVICE, "PATH", 0, "Hypervisor's device (" UMBRA_DEVICE ")", 0 },
	{ "mem", OPT_MEM, "SIZE", 0,
	  "Guest memory, in MiB or with suffix K, M or G (64M; 512M for a kernel)", 0 },
	{ "cpus", OPT_CPUS, "N", 0, "Number of vCPUs (1)", 0 },
	{ "timeout", OPT_TIMEOUT, "S", 0, "Give up after S seconds (never)", 0 },
	{ "mmu", OPT_MMU, "MODE", 0, "MMU mode: nested, shadow or vtlb; all: one by one", 0 },
	{ "stats", OPT_STATS, NULL, 0, "Print the hypervisor's counters (--mmu: always)", 0 },
	{ "json", OPT_JSON, NULL, 0, "Report as JSON on stdout, console on stderr", 0 },
	{ "mode", OPT_MODE, "MODE", 0, "Flat image: start in real, protected or long mode (real)",
	  0 },
	{ "load", OPT_LOAD, "ADDR", 0, "Flat image: load address (0x7c00; 1M unless real)", 0 },
	{ NULL, 0, NULL, 0, "A Linux kernel instead of GUEST:", 1 },
	{ "kernel", OPT_KERNEL, "FILE", 0, "Boot this bzImage in a PC", 1 },
	{ "initrd", OPT_INITRD, "FILE", 0, "Its initial file system", 1 },
	{ "append", OPT_APPEND, "STRING", 0, "Its command line (console=ttyS0)", 1 },
	{ "disk", OPT_DISK, "FILE[,ro]", 0, "A disk, up to 4 of them; with ,ro never written", 1 },
	{ "console", OPT_CONSOLE, "KIND", 0, "What input goes to: serial or virtio (serial)", 1 },
	{ "no-reboot", OPT_NO_REBOOT, NULL, 0, "Exit when the guest reboots", 1 },
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

static void parse_disk(struct argp_state *state, struct run_options *o, char *arg)
{
	char *comma = strrchr(arg, ',');
	bool readonly = comma && !strcmp(comma, ",ro");

	if (o->nr_disks == RUN_MAX_DISKS)
		argp_error(state, "--disk: more than %d", RUN_MAX_DISKS);
	if (readonly)
		*comma = 0;
	o->disks[o->nr_disks++] = (struct disk_option){ arg, readonly };
}

static void parse_console(struct argp_state *state, struct run_options *o, const char *arg)
{
	o->virtio_console = !strcmp(arg, "virtio");
	if (!o->virtio_console && strcmp(arg, "serial"))
		argp_error(state, "--console: serial or virtio");
	o->console_given = true;
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

/* Which options go together; and what was left open. */
static void check_options(struct argp_state *state, struct run_options *o)
{
	bool flat = o->load.mode_given || o->load.address != LOAD_DEFAULT;
	bool pc = o->initrd || o->append || o->nr_disks || o->console_given || o->no_reboot;

	if (!o->kernel && !o->guest)
		argp_error(state, "a guest image is wanted, or --kernel");
	if (o->kernel && o->guest)
		argp_error(state, "'%s' beside --kernel: words for the kernel go by --append",
			   o->guest);
	if (o->kernel && flat)
		argp_error(state, "--mode and --load are for flat images");
	if (!o->kernel && pc)
		argp_error(state,
			   "--initrd, --append, --disk, --console, --no-reboot want --kernel");
	if (!o->ram_size)
		o->ram_size = o->kernel ? DEFAULT_KERNEL_RAM : DEFAULT_RAM;
	if (!o->append)
		o->append = o->virtio_console ? "console=hvc0" : "console=ttyS0";
}

static error_t parse_kernel_opt(int key, char *arg, struct argp_state *state)
{
	struct run_options *o = state->input;

	switch (key) {
	case OPT_KERNEL:
		o->kernel = arg;
		return 0;
	case OPT_INITRD:
		o->initrd = arg;
		return 0;
	case OPT_APPEND:
		o->append = arg;
		return 0;
	case OPT_DISK:
		parse_disk(state, o, arg);
		return 0;
	case OPT_CONSOLE:
		parse_console(state, o, arg);
		return 0;
	case OPT_NO_REBOOT:
		o->no_reboot = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
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
	case ARGP_KEY_END:
		check_options(state, o);
		return 0;
	default:
		return parse_kernel_opt(key, arg, state);
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse_opt,
	.args_doc = "GUEST [ARG...]\n--kernel FILE",
	.doc = "Run GUEST: a flat binary, an ELF executable or a multiboot image.\n"
	       "ARGs are its command line. Or boot a Linux kernel in a small PC; on a\n"
	       "terminal Ctrl-A x leaves it, Ctrl-A a is Ctrl-A.\n"
	       "\vExit status: 0 to 99 what the guest wrote to port 0x501 (99 for all above),\n"
	       "0 a kernel powered off, 100 usage, 101 host, 102 image refused, 103 timeout,\n"
	       "104 shutdown, 105 failed entry, 106 internal error, 107 all vCPUs halted,\n"
	       "108 the user (signal or Ctrl-A x), 109 other, 110 reboot with --no-reboot.",
};

/**
 * run_options_parse() - Read the command line.
 * @o: filled in; points into @argv
 * @argc: number of @argv
 * @argv: name and arguments
 *
 * Return: false after a message that nothing could be made of it.
 */
bool run_options_parse(struct run_options *o, int argc, char **argv)
{
	memset(o, 0, sizeof(*o));
	o->device = UMBRA_DEVICE;
	o->cpus = 1;
	o->load.mode = MODE_REAL;
	o->load.address = LOAD_DEFAULT;
	argp_err_exit_status = STATUS_USAGE;
	return !argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, o);
}
