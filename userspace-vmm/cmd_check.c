// SPDX-License-Identifier: GPL-2.0
/*
 * "umbra check": print the findings about this host, and the verdict.
 *
 * Finding out is check_host.c's and check_cpu.c's.
 */
#include <argp.h>
#include <json-c/json.h>
#include <stdio.h>

#include "check_host.h"
#include "umbra.h"

enum {
	CHECK_STATUS_YES = 0,
	CHECK_STATUS_NO = 1,
	CHECK_STATUS_USAGE = 2,
};

struct check_options {
	const char *device;
	bool json;
};

static const struct argp_option options[] = {
	{ "device", 'd', "PATH", 0, "Hypervisor's device (" UMBRA_DEVICE ")", 0 },
	{ "json", 'j', NULL, 0, "Print JSON", 0 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct check_options *o = state->input;

	switch (key) {
	case 'd':
		o->device = arg;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse_opt,
	.doc = "Say what this host has and lacks to run guests, and what to do.\n"
	       "\vExit status: 0 guests can run, 1 they cannot, 2 usage.",
};

static const char *verdict_name(enum verdict verdict)
{
	static const char * const names[] = { "no", "yes", "unknown" };

	return names[verdict];
}

static bool can_run(const struct finding *f, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (f[i].required && f[i].verdict == CHECK_NO)
			return false;
	return true;
}

static void print_text(const struct finding *f, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		printf("%-7s  %-18s %s%s%s%s\n", verdict_name(f[i].verdict), f[i].name,
		       f[i].required ? "" : "(optional) ", f[i].text,
		       f[i].remedy[0] ? " -- " : "", f[i].remedy);
	printf("guests %s run here\n", can_run(f, n) ? "can" : "cannot");
}

static void print_json(const struct check_options *o, const struct finding *f, unsigned int n)
{
	struct json_object *root = json_object_new_object();
	struct json_object *list = json_object_new_array();
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct json_object *e = json_object_new_object();

		json_object_object_add(e, "name", json_object_new_string(f[i].name));
		json_object_object_add(e, "required", json_object_new_boolean(f[i].required));
		json_object_object_add(e, "verdict",
				       json_object_new_string(verdict_name(f[i].verdict)));
		json_object_object_add(e, "text", json_object_new_string(f[i].text));
		json_object_object_add(e, "remedy", json_object_new_string(f[i].remedy));
		json_object_array_add(list, e);
	}
	json_object_object_add(root, "device", json_object_new_string(o->device));
	json_object_object_add(root, "can_run", json_object_new_boolean(can_run(f, n)));
	json_object_object_add(root, "findings", list);
	puts(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
						   JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(root);
}

/**
 * cmd_check() - The subcommand.
 * @argc: number of @argv
 * @argv: name and arguments
 *
 * Return: exit status: 0 guests can run, 1 they cannot, 2 usage.
 */
int cmd_check(int argc, char **argv)
{
	struct check_options o = { .device = UMBRA_DEVICE };
	struct finding findings[MAX_FINDINGS];
	unsigned int n;

	argp_err_exit_status = CHECK_STATUS_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, &o))
		return CHECK_STATUS_USAGE;
	n = check_host(o.device, findings);
	if (o.json)
		print_json(&o, findings, n);
	else
		print_text(findings, n);
	if (fflush(stdout))
		return CHECK_STATUS_NO;
	return can_run(findings, n) ? CHECK_STATUS_YES : CHECK_STATUS_NO;
}
