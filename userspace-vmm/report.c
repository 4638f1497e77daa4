// SPDX-License-Identifier: GPL-2.0
/*
 * How a run ended. Failures go to stderr with the state of the vCPUs; --json
 * gives one document on stdout with the same, the exit counts and the counters.
 *
 * Field names of the document are interface; umbra.1 lists them.
 */
#include <json-c/json.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>

#include "boot.h"
#include "dump.h"
#include "mmu.h"
#include "reasons.h"
#include "report.h"
#include "stats.h"
#include "umbra.h"

static bool wants_dump(int status)
{
	return status == STATUS_SHUTDOWN || status == STATUS_FAIL_ENTRY ||
	       status == STATUS_INTERNAL || status == STATUS_UNKNOWN_EXIT;
}

/**
 * report_failure() - Tell people why the guest ended, unless it ended by itself.
 * @m: ended machine, threads joined
 */
void report_failure(struct machine *m)
{
	struct vcpu_snapshot snap;
	unsigned int i;

	if (m->status <= STATUS_GUEST_MAX)
		return;
	complain("%s: %s", m->boot.name, m->detail);
	if (m->status == STATUS_REBOOT)
		return;
	for (i = 0; i < m->nr_vcpus; i++) {
		struct vcpu *v = &m->vcpus[i];

		if (v->state == VCPU_OFF && v != m->culprit)
			continue;
		dump_snapshot(v, &snap);
		if (v == m->culprit && wants_dump(m->status))
			dump_print(stderr, v, &snap);
		else
			dump_where(stderr, v, &snap);
	}
}

static void add_int(struct json_object *o, const char *key, u64 value)
{
	json_object_object_add(o, key, json_object_new_int64(value));
}

static void add_text(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

static void add_hex(struct json_object *o, const char *key, u64 value)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%llx", value);
	add_text(o, key, text);
}

/* One character per byte, U+0000 to U+00FF: any guest output survives the trip. */
static struct json_object *console_text(const struct serial *s)
{
	struct json_object *text;
	char *utf8 = malloc(2 * s->console_len + 1);
	size_t i, n = 0;

	if (!utf8)
		return NULL;
	for (i = 0; i < s->console_len; i++) {
		u8 byte = s->console[i];

		if (byte < 0x80) {
			utf8[n++] = byte;
		} else {
			utf8[n++] = 0xc0 | byte >> 6;
			utf8[n++] = 0x80 | (byte & 0x3f);
		}
	}
	text = json_object_new_string_len(utf8, n);
	free(utf8);
	return text;
}

static struct json_object *registers(const struct vcpu_snapshot *snap)
{
	struct json_object *o = json_object_new_object();

	add_hex(o, "rip", snap->regs.rip);
	add_hex(o, "rsp", snap->regs.rsp);
	add_hex(o, "rflags", snap->regs.rflags);
	add_hex(o, "rax", snap->regs.rax);
	add_hex(o, "rbx", snap->regs.rbx);
	add_hex(o, "rcx", snap->regs.rcx);
	add_hex(o, "rdx", snap->regs.rdx);
	add_hex(o, "cs", snap->sregs.cs.selector);
	add_hex(o, "cs_base", snap->sregs.cs.base);
	add_hex(o, "cr0", snap->sregs.cr0);
	add_hex(o, "cr2", snap->sregs.cr2);
	add_hex(o, "cr3", snap->sregs.cr3);
	add_hex(o, "cr4", snap->sregs.cr4);
	add_hex(o, "efer", snap->sregs.efer);
	return o;
}

static struct json_object *exit_counts(const struct vcpu *v)
{
	struct json_object *o = json_object_new_object(), *old;
	const char *name;
	u32 i;

	for (i = 0; i < NR_EXIT_REASONS; i++) {
		if (!v->exits[i])
			continue;
		name = exit_reason_name(i);
		/* Several reasons may share the name "other". */
		if (json_object_object_get_ex(o, name, &old))
			add_int(o, name, v->exits[i] + json_object_get_int64(old));
		else
			add_int(o, name, v->exits[i]);
	}
	if (v->interrupted)
		add_int(o, "interrupted", v->interrupted);
	return o;
}

/* Nothing where the hypervisor keeps none. */
static void add_counters(struct json_object *o, int fd)
{
	struct counters counters;
	struct json_object *list;
	unsigned int i;

	if (stats_read(fd, &counters))
		return;
	list = json_object_new_object();
	for (i = 0; i < counters.n; i++)
		add_int(list, counters.list[i].name, counters.list[i].value);
	json_object_object_add(o, "stats", list);
	stats_free(&counters);
}

static struct json_object *vcpu_object(struct machine *m, struct vcpu *v, bool stats)
{
	static const char * const states[] = { "off", "running", "waiting" };
	struct json_object *o = json_object_new_object();
	struct vcpu_snapshot snap;

	add_int(o, "index", v->index);
	add_text(o, "state", states[v->state]);
	json_object_object_add(o, "exits", exit_counts(v));
	if (stats)
		add_counters(o, v->fd);
	dump_snapshot(v, &snap);
	if (snap.valid) {
		json_object_object_add(o, "registers", registers(&snap));
		if (m->status > STATUS_GUEST_MAX)
			add_text(o, "instruction", snap.insn);
	}
	if (v->run->exit_reason == KVM_EXIT_FAIL_ENTRY)
		add_hex(o, "hardware_reason", v->run->fail_entry.hardware_entry_failure_reason);
	if (v->run->exit_reason == KVM_EXIT_INTERNAL_ERROR)
		add_int(o, "suberror", v->run->internal.suberror);
	return o;
}

/**
 * report_run() - The JSON document of a run.
 * @m: ended machine, threads joined
 * @stats: with the hypervisor's counters
 *
 * Return: a new object.
 */
struct json_object *report_run(struct machine *m, bool stats)
{
	struct json_object *o = json_object_new_object();
	struct json_object *vcpus = json_object_new_array();
	unsigned int i;

	add_text(o, "guest", m->boot.name);
	add_text(o, "device", m->hv.path);
	if (m->mmu_mode)
		add_text(o, "mmu", mmu_name(m->mmu_mode));
	add_text(o, "mode", boot_mode_name(m->boot.mode));
	add_int(o, "memory", m->ram_size);
	add_int(o, "cpus", m->nr_vcpus);
	add_int(o, "status", m->status);
	add_text(o, "ended_by", status_name(m->status));
	add_text(o, "detail", m->detail);
	if (m->guest_value >= 0)
		add_int(o, "guest_value", m->guest_value);
	if (m->pc)
		add_int(o, "reboots", m->reboots);
	add_int(o, "unclaimed_accesses", m->unclaimed);
	json_object_object_add(o, "console", console_text(&m->serial));
	json_object_object_add(o, "console_truncated",
			       json_object_new_boolean(m->serial.truncated));
	if (stats)
		add_counters(o, m->vm);
	for (i = 0; i < m->nr_vcpus; i++)
		json_object_array_add(vcpus, vcpu_object(m, &m->vcpus[i], stats));
	json_object_object_add(o, "vcpus", vcpus);
	return o;
}

/**
 * report_refusal() - The JSON document of a run that never began.
 * @status: enum run_status
 * @detail: one sentence
 *
 * Return: a new object.
 */
struct json_object *report_refusal(int status, const char *detail)
{
	struct json_object *o = json_object_new_object();

	add_int(o, "status", status);
	add_text(o, "ended_by", status_name(status));
	add_text(o, "detail", detail);
	return o;
}

/**
 * report_runs() - One JSON document of several runs.
 * @status: of all of them, enum run_status
 * @runs: their documents, which become part of the new one
 * @n: how many
 *
 * Return: a new object.
 */
struct json_object *report_runs(int status, struct json_object *const *runs, unsigned int n)
{
	struct json_object *o = json_object_new_object();
	struct json_object *list = json_object_new_array();
	unsigned int i;

	for (i = 0; i < n; i++)
		json_object_array_add(list, runs[i]);
	add_int(o, "status", status);
	json_object_object_add(o, "runs", list);
	return o;
}

/**
 * report_print() - Print a JSON document on standard output.
 * @o: freed
 *
 * Return: 0, or -1 when standard output does not take it.
 */
int report_print(struct json_object *o)
{
	int err = puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
						   JSON_C_TO_STRING_NOSLASHESCAPE)) < 0;

	json_object_put(o);
	return err || fflush(stdout) ? -1 : 0;
}
