/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Post-mortem of a vCPU: registers, segments, instruction.
 */
#ifndef UMBRA_VMM_DUMP_H
#define UMBRA_VMM_DUMP_H

#include <linux/kvm.h>
#include <stdio.h>

#include "disasm.h"
#include "machine.h"

/**
 * struct vcpu_snapshot - state of a stopped vCPU
 * @valid: the hypervisor gave it
 * @regs: general registers
 * @sregs: special registers
 * @debugregs: debug registers, zero when not offered
 * @bytes: instruction bytes at CS:RIP
 * @nr_bytes: of @bytes
 * @insn: first instruction disassembled, empty when unknown
 */
struct vcpu_snapshot {
	bool valid;
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_debugregs debugregs;
	u8 bytes[4 * INSN_MAX];
	size_t nr_bytes;
	char insn[128];
};

void dump_snapshot(struct vcpu *v, struct vcpu_snapshot *snap);
void dump_print(FILE *f, const struct vcpu *v, const struct vcpu_snapshot *snap);
void dump_where(FILE *f, const struct vcpu *v, const struct vcpu_snapshot *snap);

#endif
