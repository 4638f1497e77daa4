// SPDX-License-Identifier: GPL-2.0
/*
 * "umbra run": the order of things from files to exit status.
 *
 * The main thread waits for the end, the time limit and signals; guests run on
 * the vCPU threads. Options are run_options.c's.
 */
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "machine.h"
#include "mmu.h"
#include "report.h"
#include "run_options.h"
#include "stats.h"
#include "terminal.h"
#include "umbra.h"

/**
 * struct outcome - one run, after it
 * @mmu: mode it ran in
 * @reboots: how often the guest rebooted
 * @status: exit status
 * @counters: the hypervisor's
 * @json: report
 */
struct outcome {
	u32 mmu;
	unsigned int reboots;
	int status;
	struct counters counters;
	struct json_object *json;
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

static struct timespec time_after(double seconds)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += (time_t)seconds;
	t.tv_nsec += (seconds - (time_t)seconds) * 1e9;
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	return t;
}

static void wait_for_end(struct machine *m, double timeout, const struct timespec *deadline,
			 const sigset_t *waited)
{
	struct timespec left;
	int sig;

	while (!m->ended) {
		if (!(timeout > 0)) {
			sig = sigwaitinfo(waited, NULL);
		} else if (time_left(deadline, &left)) {
			sig = sigtimedwait(waited, NULL, &left);
		} else {
			machine_end(m, NULL, STATUS_TIMEOUT, "no end after %g seconds", timeout);
			return;
		}
		if (sig == SIGINT || sig == SIGTERM)
			machine_end(m, NULL, STATUS_SIGNAL, "ended by %s", strsignal(sig));
	}
}

/* Run it to its end; false when it could not be started. */
static bool run_threads(struct machine *m, const struct run_options *o,
			struct console_input *input, const struct timespec *deadline)
{
	bool typed = m->pc;
	sigset_t waited;

	set_signals(&waited);
	if (virtio_start_all(m) || (typed && console_input_start(input))) {
		virtio_stop_all(m);
		return false;
	}
	if (!machine_start(m)) {
		wait_for_end(m, o->timeout, deadline, &waited);
		machine_join(m);
	}
	if (typed)
		console_input_stop(input);
	virtio_stop_all(m);
	serial_flush(&m->serial);
	return true;
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

/* One machine from its making to its end; false when it did not get to run. */
static bool run_machine(struct machine *m, const struct guest *g, const struct timespec *deadline)
{
	const struct run_options *o = g->o;
	struct console_input input = { .m = m };
	struct terminal terminal;
	bool ran;

	if (guest_load(g, m, o->json ? STDERR_FILENO : STDOUT_FILENO, &input.virtio))
		return false;
	terminal_set(&terminal, m->pc ? TERMINAL_RAW : TERMINAL_KEYS);
	ran = run_threads(m, o, &input, deadline);
	terminal_restore(&terminal);
	return ran;
}

/* One boot; true when the guest wants another. */
static bool run_once(const struct guest *g, struct outcome *out, const struct timespec *deadline)
{
	struct machine m = { .mmu_mode = out->mmu, .pc = g->o->kernel, .reboots = out->reboots };
	const char *refusal = "the host cannot run guests";
	const struct run_options *o = g->o;
	bool again = false;

	out->status = STATUS_HOST;
	if (!machine_create(&m, o->device, o->ram_size, o->cpus)) {
		refusal = "the guest could not be started";
		if (run_machine(&m, g, deadline)) {
			refusal = NULL;
			again = m.status == STATUS_REBOOT && !o->no_reboot;
		}
		if (!refusal && !again) {
			report_failure(&m);
			conclude(&m, o, out);
		}
		serial_destroy(&m.serial);
	}
	if (refusal && o->json)
		out->json = report_refusal(out->status, refusal);
	machine_destroy(&m);
	return again;
}

/* A reboot is a new machine with the old disks. */
static void run_guest(const struct guest *g, struct outcome *out)
{
	struct timespec deadline = time_after(g->o->timeout);

	while (run_once(g, out, &deadline))
		out->reboots++;
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
static int run_modes(const struct guest *g, const u32 *modes, unsigned int n)
{
	const struct run_options *o = g->o;
	struct outcome outcomes[MMU_MAX_MODES] = { 0 };
	unsigned int i, done = 0;
	int status = 0;

	while (done < n) {
		struct outcome *out = &outcomes[done++];

		out->mmu = modes[done - 1];
		if (o->mmu_all)
			complain("MMU mode %s:", mmu_name(out->mmu));
		run_guest(g, out);
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
	struct run_options o;
	u32 modes[MMU_MAX_MODES];
	struct guest guest;
	int status = STATUS_IMAGE;
	int n;

	if (!run_options_parse(&o, argc, argv))
		return STATUS_USAGE;
	if (guest_read(&guest, &o)) {
		refuse(&o, status, "the guest image was refused");
	} else {
		n = choose_modes(&o, modes);
		if (n > 0)
			status = run_modes(&guest, modes, n);
		else
			status = refuse(&o, STATUS_HOST, "the host cannot run guests");
	}
	guest_free(&guest);
	return status;
}
