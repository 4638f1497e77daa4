/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private to emulate*.c and pio.c: what a vCPU keeps while an instruction is
 * carried out outside the guest and user space still owes it an answer.
 * Must not be included by any other object file.
 */
#ifndef UMBRA_EMULATE_INTERNAL_H
#define UMBRA_EMULATE_INTERNAL_H

#include "emul/emul.h"
#include "emulate.h"
#include "types.h"

/* One batch of INS or OUTS on MMIO in 8-byte parts, and what else it reads. */
#define UMBRA_MMIO_PARTS	(UMBRA_EMUL_IO_BYTES / 8 + 16)

/**
 * struct umbra_mmio_part - one MMIO access as user space sees it
 * @gpa: first byte
 * @len: 1 to 8 bytes
 * @data: value read, or to be written
 */
struct umbra_mmio_part {
	gpa_t gpa;
	u8 len;
	u8 data[8];
};

/**
 * struct umbra_mmio_list - MMIO accesses of the current instruction, in order
 * @nr: valid entries
 * @pos: next one to replay (reads) or to hand to user space (writes)
 * @part: the accesses
 */
struct umbra_mmio_list {
	u16 nr;
	u16 pos;
	struct umbra_mmio_part part[UMBRA_MMIO_PARTS];
};

/**
 * struct umbra_pio_batch - port access of the current instruction
 * @port: port number
 * @size: 1, 2 or 4 bytes an element
 * @count: elements; 0 when there is none
 * @data: the elements
 */
struct umbra_pio_batch {
	u16 port;
	u8 size;
	u16 count;
	u8 data[UMBRA_EMUL_IO_BYTES];
};

enum umbra_ask {
	UMBRA_ASK_NOTHING,
	UMBRA_ASK_MMIO,		/* reads.part[reads.nr] waits for its value */
	UMBRA_ASK_PIO,		/* @asked waits for its elements */
	UMBRA_ASK_OTHER,	/* somebody else filled the run page and completes */
};

/**
 * struct umbra_xlat - the last translation made for the current instruction
 * @page: linear address of the page; odd when there is none
 * @access: UMBRA_ACC_* that it was made for
 * @gpa: where it leads
 */
struct umbra_xlat {
	u64 page;
	u32 access;
	gpa_t gpa;
};

/**
 * struct umbra_native - instructions that the guest was told to carry out itself
 * @rip: where the last one was
 * @sum: digest of the registers then
 * @tries: how often in exactly that state
 */
struct umbra_native {
	u64 rip;
	u64 sum;
	unsigned int tries;
};

/**
 * struct umbra_emulation - emulation state of one vCPU; vcpu->mutex
 * @em: the emulator's context, refilled for every run of it
 * @xlat: last translation, for this run of the emulator
 * @traced: the page whose trace led here, or UMBRA_INVALID_GPA
 * @native: kept to notice that the guest does not get ahead either
 * @error: host error met by a callback, 0 if none
 * @ask: what user space must answer before the instruction can go on
 * @atomic: the emulator runs where it must not sleep, and reaches memory only
 * @halt: the instruction was HLT
 * @tpr_lowered: CR8 went down: user space's interrupt controller may have work
 * @step: single-step traps of the instruction are due once user space is served
 * @rflags_before: RFLAGS when the instruction began
 * @linear_rip: where the instruction lies, to notice that user space moved on
 * @reads: values of MMIO reads, replayed when the instruction runs again
 * @writes: MMIO writes that user space has not seen yet
 * @asked: port input in flight (@data unused)
 * @in: port input that user space answered
 * @out: port output that user space has not seen yet
 * @fast: IN without emulator in flight
 * @next_rip: where @fast continues
 */
struct umbra_emulation {
	struct umbra_emul em;
	struct umbra_xlat xlat;
	gpa_t traced;
	struct umbra_native native;
	int error;
	enum umbra_ask ask;
	bool atomic;
	bool halt;
	bool tpr_lowered;
	bool step;
	u64 rflags_before;
	u64 linear_rip;
	struct umbra_mmio_list reads;
	struct umbra_mmio_list writes;
	struct {
		u16 port;
		u8 size;
		u16 count;
	} asked;
	struct umbra_pio_batch in;
	struct umbra_pio_batch out;
	struct {
		u16 port;
		u8 size;
	} fast;
	u64 next_rip;
};

static inline struct umbra_vcpu *em_vcpu(struct umbra_emul *em)
{
	return em->ctx;
}

/* emulate.c */
u64 umbra_emulate_linear_rip(struct umbra_vcpu *vcpu);
bool umbra_emulate_stepping(const struct umbra_vcpu *vcpu, u64 rflags);
void umbra_emulate_begin(struct umbra_vcpu *vcpu, bool all);
int umbra_emulate_done(struct umbra_vcpu *vcpu);
int umbra_emulate_host_error(struct umbra_emul *em, int error);
int umbra_emulate_inject(struct umbra_emul *em, u8 vector, bool has_error);

/* A walk of the guest's tables, which set accessed and dirty bits, led to @gpa. */
static inline void umbra_emulate_translated(struct umbra_emulation *emu, u64 linear, u32 access,
					    gpa_t gpa)
{
	emu->xlat.page = linear & PAGE_MASK;
	emu->xlat.access = access;
	emu->xlat.gpa = gpa & PAGE_MASK;
}

static inline int em_gp(struct umbra_emul *em)
{
	return umbra_emulate_inject(em, X86_TRAP_GP, true);
}

static inline int em_ud(struct umbra_emul *em)
{
	return umbra_emulate_inject(em, X86_TRAP_UD, false);
}

/* emulate_write.c: the instruction is not known; true when the guest may try it itself */
bool umbra_emulate_natively(struct umbra_vcpu *vcpu);

/* emulate_store.c: a frequent store in 64-bit code, UMBRA_CONTINUE or UMBRA_SLOW */
int umbra_emulate_store(struct umbra_vcpu *vcpu, u64 code, gva_t gva, u32 access, gpa_t gpa);

/* emulate_mem.c: memory callbacks */
int umbra_em_read(struct umbra_emul *em, u64 linear, void *buf, unsigned int bytes,
		  unsigned int acc);
int umbra_em_write(struct umbra_emul *em, u64 linear, const void *buf, unsigned int bytes,
		   unsigned int acc);
int umbra_em_cmpxchg(struct umbra_emul *em, u64 linear, const void *old, const void *new,
		     unsigned int bytes);

/* emulate_state.c: registers and everything else */
void umbra_em_load_segments(struct umbra_vcpu *vcpu, struct umbra_emul *em, bool all);
int umbra_em_get_cr(struct umbra_emul *em, unsigned int nr, u64 *val);
int umbra_em_set_cr(struct umbra_emul *em, unsigned int nr, u64 val);
int umbra_em_get_dr(struct umbra_emul *em, unsigned int nr, u64 *val);
int umbra_em_set_dr(struct umbra_emul *em, unsigned int nr, u64 val);
int umbra_em_get_msr(struct umbra_emul *em, u32 index, u64 *val);
int umbra_em_set_msr(struct umbra_emul *em, u32 index, u64 val);
int umbra_em_get_segment(struct umbra_emul *em, unsigned int nr, struct umbra_emul_seg *seg);
int umbra_em_set_segment(struct umbra_emul *em, unsigned int nr,
			 const struct umbra_emul_seg *seg);
int umbra_em_get_dt(struct umbra_emul *em, bool idt, struct umbra_emul_dt *dt);
int umbra_em_set_dt(struct umbra_emul *em, bool idt, const struct umbra_emul_dt *dt);
int umbra_em_cpuid(struct umbra_emul *em, u32 regs[4]);
int umbra_em_get_xcr(struct umbra_emul *em, u32 index, u64 *val);
int umbra_em_set_xcr(struct umbra_emul *em, u32 index, u64 val);
int umbra_em_rdtsc(struct umbra_emul *em, u64 *tsc, u32 *aux);
int umbra_em_rdpmc(struct umbra_emul *em, u32 index, u64 *val);
int umbra_em_get_vec(struct umbra_emul *em, unsigned int nr, void *buf, unsigned int bytes);
int umbra_em_set_vec(struct umbra_emul *em, unsigned int nr, const void *buf,
		     unsigned int bytes, bool zero_upper);
int umbra_em_invpcid(struct umbra_emul *em, unsigned int type, u64 pcid, u64 linear);
int umbra_em_hook(struct umbra_emul *em, enum umbra_emul_hook what, u64 arg);

/* pio.c: port callbacks, and the run page's part in them */
int umbra_em_pio_in(struct umbra_emul *em, u16 port, unsigned int size, void *buf,
		    unsigned int *count);
int umbra_em_pio_out(struct umbra_emul *em, u16 port, unsigned int size, const void *buf,
		     unsigned int *count);
void umbra_pio_ask(struct umbra_vcpu *vcpu);
void umbra_pio_answered(struct umbra_vcpu *vcpu);
void umbra_pio_post(struct umbra_vcpu *vcpu);

#endif
