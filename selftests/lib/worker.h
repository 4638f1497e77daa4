/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest that does to memory what the test asks, job by job, and the host's
 * view of that memory: what tests of paging, dirty logs and slots have in
 * common. Must not know what any single test expects.
 */
#ifndef SELFTESTS_WORKER_H
#define SELFTESTS_WORKER_H

#include <stdint.h>
#include "umbra_util.h"

/* Where tests put the memory under test, gva = gpa; room for 1 GiB. */
#define UT_TEST_GPA		0x40000000ull
#define UT_HUGE_SIZE		0x200000ull
#define UT_HUGE_PAGES		(UT_HUGE_SIZE / UT_PAGE_SIZE)

enum ut_op {
	UT_OP_FILL,	/* write value + i * step */
	UT_OP_CHECK,	/* compare with value + i * step */
	UT_OP_TOUCH,	/* read, any value will do */
	UT_OP_HAMMER,	/* fill and check in turn, with changing values, until told to stop */
};

/**
 * struct ut_job - one order to a worker; place i is gva + i * stride
 * @op: enum ut_op
 * @gva: first address, multiple of 8
 * @count: number of places
 * @stride: distance of places in bytes
 * @value: value of place 0
 * @step: difference of the values of two places
 * @bad: result: places that compared wrong
 * @bad_index: result: the first of them
 * @bad_value: result: what was found there
 * @rounds: result: how often the range was gone through
 */
struct ut_job {
	uint64_t op;
	uint64_t gva;
	uint64_t count;
	uint64_t stride;
	uint64_t value;
	uint64_t step;
	uint64_t bad;
	uint64_t bad_index;
	uint64_t bad_value;
	uint64_t rounds;
};

/* A vCPU of a ut_vm_long() VM that executes jobs. */
struct ut_vcpu *ut_worker(struct ut_vm *vm, int id);
/* Execute @job, results are written to it. 0, or what KVM_RUN failed with. */
int ut_work(struct ut_vcpu *vcpu, struct ut_job *job);
/* Enter again after a failed ut_work(). */
int ut_work_resume(struct ut_vcpu *vcpu, struct ut_job *job);
/* Short forms with stride 4 KiB and step 1: 0 or -errno; wrong places or -errno. */
long ut_fill(struct ut_vcpu *vcpu, uint64_t gva, uint64_t count, uint64_t value);
long ut_check(struct ut_vcpu *vcpu, uint64_t gva, uint64_t count, uint64_t value);
/* All of @count places are 0? Returns the number of others, or -errno. */
long ut_check_zero(struct ut_vcpu *vcpu, uint64_t gva, uint64_t count);

/* The same in a thread of its own; ut_work_join() returns ut_work()'s result. */
struct ut_thread;
struct ut_thread *ut_work_start(struct ut_vcpu *vcpu, const struct ut_job *job);
int ut_work_join(struct ut_thread *thread, struct ut_job *job);
/* End UT_OP_HAMMER in all workers of @vm, or (false) let them start anew. */
void ut_work_stop(struct ut_vm *vm, bool stop);
/* Rounds the running job of @vcpu has done so far. */
uint64_t ut_work_rounds(struct ut_vcpu *vcpu);
/* Sleep until @vcpu has done @n more rounds. */
void ut_work_wait(struct ut_vcpu *vcpu, uint64_t n);

/*
 * After UT_OP_HAMMER: places that the host, where @hva is place 0, does not find
 * as the guest left them. A guest on a stale mapping is content with itself.
 */
uint64_t ut_hammered_wrong(const struct ut_job *job, const void *hva);

/* Map guest addresses [gpa, gpa + size) to themselves, by 2 MiB pages of the guest. */
void ut_map_identity(struct ut_vm *vm, uint64_t gpa, uint64_t size);

/* ---- the host's side of memory ---- */

/* Memory at a multiple of @align (a power of two); @fd -1: anonymous. */
void *ut_mmap(size_t size, size_t align, int prot, int flags, int fd);
/* Pages of [hva, hva + size) that this process has mapped, or that are in swap. */
size_t ut_present(const void *hva, size_t size);
size_t ut_swapped(const void *hva, size_t size);
/* Is there swap? In the emulated host, which has none, make some. */
bool ut_have_swap(void);
/* Swap [hva, hva + size) out, with this thread on one CPU after another; how many pages are. */
size_t ut_page_out(void *hva, size_t size);
/* A field of smaps in KiB, for the mapping at @hva, e.g. "AnonHugePages". */
uint64_t ut_smaps(const void *hva, const char *field);
/* Text to a file: 0 or -errno. A number from a file: -errno on failure. */
int ut_write_file(const char *path, const char *text);
long ut_read_number(const char *path);
/* Which CPU the calling thread runs on: this one; any. */
void ut_pin(int cpu);
void ut_unpin(void);

#endif
