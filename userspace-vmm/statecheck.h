/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which part of a vCPU's state no CPU would enter a guest with.
 */
#ifndef UMBRA_VMM_STATECHECK_H
#define UMBRA_VMM_STATECHECK_H

#include <linux/kvm.h>
#include <stddef.h>

/**
 * typedef statecheck_fn - told about one illegal piece of state
 * @context: as given to statecheck()
 * @text: what is wrong, naming the register
 */
typedef void (*statecheck_fn)(void *context, const char *text);

unsigned int statecheck(const struct kvm_regs *r, const struct kvm_sregs *s,
			const struct kvm_debugregs *d, statecheck_fn tell, void *context);

#endif
