// SPDX-License-Identifier: GPL-2.0
/*
 * The umbra tool's front door: global options, choice of subcommand, messages.
 *
 * A subcommand parses its own options in its own cmd_*.c; nothing here knows
 * about guests or hosts.
 */
#include <argp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "umbra.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "run", cmd_run },
	{ "check", cmd_check },
};

const char *argp_program_version = "umbra " UMBRA_VERSION;
const char *argp_program_bug_address;

static const char doc[] =
	"Run small guests on the Umbra hypervisor, or on KVM.\n"
	"\vCommands:\n"
	"  run     run a guest: Linux kernel, or flat binary, ELF or multiboot image\n"
	"  check   say what this host has and lacks to run guests\n"
	"\n"
	"'umbra COMMAND --help' tells more; so does umbra(1).";

/**
 * complain() - Print one message of the VMM to standard error.
 * @fmt: as for printf(), without the final newline
 */
void complain(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	flockfile(stderr);
	fputs("umbra: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	funlockfile(stderr);
	va_end(args);
}

/**
 * status_name() - Name of an exit status of "umbra run" as reports spell it.
 * @status: exit status
 *
 * Return: a constant string.
 */
const char *status_name(int status)
{
	switch (status) {
	case STATUS_USAGE:
		return "usage";
	case STATUS_HOST:
		return "host";
	case STATUS_IMAGE:
		return "image";
	case STATUS_TIMEOUT:
		return "timeout";
	case STATUS_SHUTDOWN:
		return "shutdown";
	case STATUS_FAIL_ENTRY:
		return "fail-entry";
	case STATUS_INTERNAL:
		return "internal-error";
	case STATUS_HALTED:
		return "halted";
	case STATUS_SIGNAL:
		return "signal";
	case STATUS_UNKNOWN_EXIT:
		return "unknown-exit";
	case STATUS_REBOOT:
		return "reboot";
	default:
		return "guest";
	}
}

static int run_command(struct argp_state *state, const char *name)
{
	int argc = state->argc - state->next + 1;
	char **argv = &state->argv[state->next - 1];
	char title[32];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, name))
			continue;
		/* Usage messages of argp print argv[0]. */
		snprintf(title, sizeof(title), "umbra %s", name);
		argv[0] = title;
		state->next = state->argc;
		return commands[i].run(argc, argv);
	}
	argp_error(state, "no command '%s'", name);
	return 0;
}

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	int *status = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		*status = run_command(state, arg);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "a command is wanted: run or check");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse_opt,
		.args_doc = "COMMAND [OPTION...]",
		.doc = doc,
	};
	int status = 2;

	argp_err_exit_status = 2;
	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &status))
		return 2;
	return status;
}
