/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The state a guest starts in: CPU registers, descriptor table, page tables,
 * boot information. umbra.1 promises it to guests.
 */
#ifndef UMBRA_VMM_BOOT_H
#define UMBRA_VMM_BOOT_H

#include "machine.h"

/* Guest-physical layout of what the VMM puts below the guest. */
#define BOOT_GDT		0x1000
#define BOOT_INFO		0x2000
#define BOOT_INFO_END		0x3000
#define BOOT_PAGE_TABLES	0x3000
#define BOOT_PAGE_TABLES_END	0x9000

#define BOOT_REAL_STACK		0x7c00
#define BOOT_STACK		0x80000
#define BOOT_STACK_SIZE		0x1000

#define BOOT_CMDLINE_MAX	1024

struct kvm_sregs;

int boot_prepare(struct machine *m);
int boot_vcpu(struct vcpu *v, u64 address);
bool boot_address_valid(const struct machine *m, u64 address);
bool boot_area_overlaps(enum cpu_mode mode, u64 gpa, u64 size);
void boot_identity_map(struct machine *m);
void boot_long_mode(struct kvm_sregs *s);
const char *boot_mode_name(enum cpu_mode mode);

#endif
