/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A little machine around the emulator for the unit tests: flat RAM, one page
 * that is not present, one read-only page, one MMIO window with exits and a
 * replay log, ports, control registers and a vector file.
 */
#ifndef EMUL_LIB_H
#define EMUL_LIB_H

#include "emul/emul.h"

#define MACH_RAM	0x20000		/* bytes of RAM, a multiple of a page */
#define MACH_LOG	64

struct mach_io {
	u64 addr;
	unsigned int bytes;
	bool write;
	u64 val;
};

/**
 * struct mach - the machine
 * @em: emulation context
 * @ram: memory at linear @ram_base
 * @ram_base: see @ram
 * @absent: linear address of a page that faults, or ~0
 * @readonly: linear address of a page that faults on writes, or ~0
 * @mmio: linear address of the MMIO page, or ~0
 * @mmio_exits: MMIO reads and port input answer IO the first time
 * @mmio_val: what the next MMIO read or port input gets
 * @answered: user space answered the exit (one pending answer)
 * @log: writes to MMIO, outputs, and answered reads, in order
 * @nr_log: entries in @log
 * @pio_limit: largest count that one port callback serves, 0 unlimited
 * @cmpxchgs: successful LOCKed updates
 * @iterations: rep_commit calls
 * @crossing: a memory callback was handed a range across two pages
 */
struct mach {
	struct umbra_emul em;
	u8 ram[MACH_RAM];
	u64 ram_base;
	u64 absent;
	u64 readonly;
	u64 mmio;
	bool mmio_exits;
	u64 mmio_val;
	bool answered;
	struct mach_io log[MACH_LOG];
	unsigned int nr_log;
	unsigned int pio_limit;
	unsigned int cmpxchgs;
	unsigned int iterations;
	bool crossing;

	u64 cr[9];
	u64 dr[8];
	u64 efer;
	u64 xcr0;
	u64 msr_last;
	u32 msr_index;
	struct umbra_emul_seg ldtr;
	struct umbra_emul_seg tr;
	struct umbra_emul_dt gdt;
	struct umbra_emul_dt idt;
	u8 vec[16][UMBRA_EMUL_VEC_BYTES];
	int hooked;
	u64 hook_arg;
	unsigned int invpcids;
	u64 invpcid[3];		/* type, PCID, linear address of the last one */
};

extern const struct umbra_emul_ops mach_ops;

/* Reset everything, then flat segments for @mode, RAM at linear 0. */
void mach_init(struct mach *m, enum umbra_emul_mode mode);

/* Put code at CS:RIP (in RAM), forget fetched bytes. */
void mach_code(struct mach *m, const void *code, unsigned int len);

/* Decode and execute one instruction; the result of the failing step. */
int mach_step(struct mach *m);

/* The same until it no longer answers IO, at most @max answers. */
int mach_step_answering(struct mach *m, u64 val, unsigned int max);

u64 mach_get(const struct mach *m, u64 linear, unsigned int bytes);
void mach_put(struct mach *m, u64 linear, u64 val, unsigned int bytes);

/* Small generator with a fixed seed: failures repeat. */
u64 mach_random(void);
void mach_seed(u64 seed);

#endif /* EMUL_LIB_H */
