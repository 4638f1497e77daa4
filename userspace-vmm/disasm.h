/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Disassembly of the guest's current instruction and the ones after it.
 */
#ifndef UMBRA_VMM_DISASM_H
#define UMBRA_VMM_DISASM_H

#include <linux/kvm.h>
#include <stdio.h>

#include "machine.h"

#define INSN_MAX	15

size_t disasm_one(const struct kvm_sregs *s, u64 rip, const u8 *bytes, size_t size, char *text,
		  size_t text_size);
void disasm_print(FILE *f, const struct kvm_sregs *s, u64 rip, const u8 *bytes, size_t size,
		  unsigned int count);

#endif
