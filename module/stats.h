/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counters of a vCPU and of a VM, and the descriptors that user space reads
 * them through. Whoever does something counts it; nothing decides by a count.
 *
 * A new counter is a field here and a line in the table of stats.c.
 */
#ifndef UMBRA_STATS_H
#define UMBRA_STATS_H

#include <linux/atomic.h>
#include "types.h"

struct umbra_vcpu;
struct umbra_vm;

/**
 * struct umbra_vcpu_stats - what one vCPU did
 * @exits: times the guest was left
 * @flushes_local: this vCPU's translations dropped on its own behalf
 * @flushes_remote: dropped because somebody else asked
 * @faults_hidden: page faults that only the derived tables caused
 * @faults_true: page faults that the guest's own tables cause
 * @faults_mmio: page faults where no memory is
 * @writes_traced: page faults of writes to traced pages
 * @writes_emulated: writes to traced pages done by the emulator
 * @cr3_hit: writes of CR3 that found their root made
 * @cr3_miss: writes of CR3 that had to make one
 * @invlpg: INVLPG and INVPCID
 *
 * Page faults, writes of CR3 and INVLPG are seen, and counted, only where there
 * are no nested tables. Written by the holder of vcpu->mutex, read by anybody.
 */
struct umbra_vcpu_stats {
	u64 exits;
	u64 flushes_local;
	u64 flushes_remote;
	u64 faults_hidden;
	u64 faults_true;
	u64 faults_mmio;
	u64 writes_traced;
	u64 writes_emulated;
	u64 cr3_hit;
	u64 cr3_miss;
	u64 invlpg;
};

/**
 * struct umbra_vm_stats - what all vCPUs and the host did to a VM's tables
 * @flushes_remote: rounds in which all vCPUs had to drop their translations
 * @shadow_pages: table pages in use now
 * @pages_made: table pages filled anew
 * @pages_reused: table pages found again instead
 * @pages_zapped: table pages given up
 * @pages_unsync: table pages that were let go out of step with the guest's
 * @pages_synced: table pages brought back in step
 * @floods: guest tables given up because they were written too often
 * @vtlb_fills: translations filled into emulated TLBs
 * @vtlb_drops: emulated TLBs emptied
 * @monitor_bytes: host memory that the MMU holds for this VM now
 * @monitor_bytes_peak: the most it ever held
 *
 * Changed from anywhere.
 */
struct umbra_vm_stats {
	atomic64_t flushes_remote;
	atomic64_t shadow_pages;
	atomic64_t pages_made;
	atomic64_t pages_reused;
	atomic64_t pages_zapped;
	atomic64_t pages_unsync;
	atomic64_t pages_synced;
	atomic64_t floods;
	atomic64_t vtlb_fills;
	atomic64_t vtlb_drops;
	atomic64_t monitor_bytes;
	atomic64_t monitor_bytes_peak;
};

/* Count @field of struct umbra_vcpu_stats up; vcpu->mutex held. */
#define umbra_stat_inc(vcpu, field) do {					\
	u64 *_counter = &(vcpu)->stats.field;					\
										\
	WRITE_ONCE(*_counter, *_counter + 1);					\
} while (0)

/* Add @n, which may be negative, to @field of struct umbra_vm_stats. Any context. */
#define umbra_vm_stat_add(vm, field, n)	atomic64_add(n, &(vm)->stats.field)
#define umbra_vm_stat_inc(vm, field)	umbra_vm_stat_add(vm, field, 1)

/* Whoever changes @gauge excludes others. */
static inline void umbra_stat_follow(const atomic64_t *gauge, atomic64_t *peak)
{
	s64 now = atomic64_read(gauge);

	if (now > atomic64_read(peak))
		atomic64_set(peak, now);
}

/* @gauge of struct umbra_vm_stats went up: so may its peak. */
#define umbra_vm_stat_peak(vm, gauge) do {					\
	struct umbra_vm *_vm = vm;						\
										\
	umbra_stat_follow(&_vm->stats.gauge, &_vm->stats.gauge##_peak);		\
} while (0)

/* KVM_GET_STATS_FD: a descriptor, or -EMFILE, -ENFILE, -ENOMEM. It keeps the VM. */
int umbra_vm_stats_fd(struct umbra_vm *vm);
int umbra_vcpu_stats_fd(struct umbra_vcpu *vcpu);

#endif
