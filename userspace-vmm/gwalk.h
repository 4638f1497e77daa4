/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading a stopped guest's memory by linear address, for diagnostics.
 */
#ifndef UMBRA_VMM_GWALK_H
#define UMBRA_VMM_GWALK_H

#include <linux/kvm.h>

#include "machine.h"

bool gwalk_translate(const struct vcpu *v, const struct kvm_sregs *s, u64 gva, u64 *gpa);
size_t gwalk_read(const struct vcpu *v, const struct kvm_sregs *s, u64 gva, u8 *data, size_t size);

#endif
