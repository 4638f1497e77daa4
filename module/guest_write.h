/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What Umbra itself writes into the memory of a guest that asked for it.
 */
#ifndef UMBRA_GUEST_WRITE_H
#define UMBRA_GUEST_WRITE_H

#include "types.h"

struct umbra_vcpu;

/*
 * As the guest would write it itself: traces of each page are told, and it may be seen half
 * done. Any length and place. SRCU read section of vm->srcu held; sleeps. 0, or -EFAULT: not
 * memory, or read-only; what is before it is written.
 */
int umbra_guest_write(struct umbra_vcpu *vcpu, gpa_t gpa, const void *data, unsigned int len);

#endif
