/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Public interface of the x86 instruction emulator.
 *
 * Owns decoding of guest instructions and their effects on a context that the
 * caller fills from, and writes back to, a vCPU. Knows no vCPU, VMCB, VMCS or
 * memory slot: guest memory, ports and system registers are reached only
 * through struct umbra_emul_ops. Must not be used from atomic context unless
 * every callback may be.
 */
#ifndef UMBRA_EMUL_H
#define UMBRA_EMUL_H

#include "emul_env.h"

/**
 * enum umbra_emul_result - answer of every entry point and callback
 * @UMBRA_EMUL_OK: callback: done; entry point: instruction (or the allowed
 *	number of REP iterations) completed, context updated
 * @UMBRA_EMUL_FAULT: &umbra_emul.fault describes the exception to inject
 * @UMBRA_EMUL_IO: user space must answer first; nothing is committed. Run the
 *	same instruction again afterwards and give the recorded answers
 * @UMBRA_EMUL_UNHANDLED: outside the emulator; bytes are in &umbra_emul.bytes
 * @UMBRA_EMUL_RETRY: state moved underneath; enter the guest again
 */
enum umbra_emul_result {
	UMBRA_EMUL_OK,
	UMBRA_EMUL_FAULT,
	UMBRA_EMUL_IO,
	UMBRA_EMUL_UNHANDLED,
	UMBRA_EMUL_RETRY,
};

#define UMBRA_EMUL_DONE UMBRA_EMUL_OK

enum umbra_emul_mode {
	UMBRA_EMUL_REAL,
	UMBRA_EMUL_VM86,
	UMBRA_EMUL_PROT16,	/* protected or compatibility mode, CS.D = 0 */
	UMBRA_EMUL_PROT32,	/* protected or compatibility mode, CS.D = 1 */
	UMBRA_EMUL_LONG64,
};

/* Segment numbers are the processor's own encoding. */
enum umbra_emul_seg_nr {
	UMBRA_EMUL_ES,
	UMBRA_EMUL_CS,
	UMBRA_EMUL_SS,
	UMBRA_EMUL_DS,
	UMBRA_EMUL_FS,
	UMBRA_EMUL_GS,
	UMBRA_EMUL_NR_SEGS,
	UMBRA_EMUL_LDTR = UMBRA_EMUL_NR_SEGS,
	UMBRA_EMUL_TR,
};

enum umbra_emul_gpr {
	UMBRA_EMUL_RAX,
	UMBRA_EMUL_RCX,
	UMBRA_EMUL_RDX,
	UMBRA_EMUL_RBX,
	UMBRA_EMUL_RSP,
	UMBRA_EMUL_RBP,
	UMBRA_EMUL_RSI,
	UMBRA_EMUL_RDI,
	UMBRA_EMUL_NR_GPRS = 16,
};

/* Access flags of the memory callbacks. */
#define UMBRA_EMUL_ACC_FETCH	BIT(0)	/* instruction fetch */
#define UMBRA_EMUL_ACC_WRITE	BIT(1)	/* read that a write follows: fault as a write */
#define UMBRA_EMUL_ACC_SYSTEM	BIT(2)	/* implicit supervisor access, whatever the CPL */
#define UMBRA_EMUL_ACC_PROBE	BIT(3)	/* translate and check only, buf is NULL */
#define UMBRA_EMUL_ACC_LOCK	BIT(4)	/* read half of a LOCKed update */

#define UMBRA_EMUL_MAX_INSN	15
#define UMBRA_EMUL_IO_BYTES	1024	/* largest INS/OUTS batch */
#define UMBRA_EMUL_VEC_BYTES	32	/* widest vector operand */

/**
 * struct umbra_emul_seg - one segment register with its cached descriptor
 * @base: linear base
 * @limit: last valid offset in bytes (granularity already applied)
 * @selector: visible part
 * @type: descriptor type
 * @s: 1 for code or data
 * @dpl: descriptor privilege level
 * @p: present
 * @avl: available to software
 * @l: 64-bit code
 * @db: default size 32 bits
 * @g: granularity as found in the descriptor
 * @unusable: loaded with a null selector
 */
struct umbra_emul_seg {
	u64 base;
	u32 limit;
	u16 selector;
	u8 type;
	u8 s;
	u8 dpl;
	u8 p;
	u8 avl;
	u8 l;
	u8 db;
	u8 g;
	u8 unusable;
};

/* GDTR or IDTR. */
struct umbra_emul_dt {
	u64 base;
	u16 limit;
};

/**
 * struct umbra_emul_fault - exception to inject
 * @vector: exception vector
 * @has_error: an error code is pushed
 * @error: that code
 * @cr2: faulting linear address, page faults only
 */
struct umbra_emul_fault {
	u8 vector;
	bool has_error;
	u32 error;
	u64 cr2;
};

/* Instructions whose effect is wholly the caller's; see umbra_emul_ops.hook. */
enum umbra_emul_hook {
	UMBRA_EMUL_HOOK_HLT,
	UMBRA_EMUL_HOOK_WBINVD,
	UMBRA_EMUL_HOOK_INVD,
	UMBRA_EMUL_HOOK_INVLPG,		/* arg = linear address */
	UMBRA_EMUL_HOOK_PAUSE,
	UMBRA_EMUL_HOOK_MONITOR,	/* arg = linear address */
	UMBRA_EMUL_HOOK_MWAIT,
};

enum umbra_emul_operand_kind {
	UMBRA_EMUL_OPND_NONE,
	UMBRA_EMUL_OPND_REG,
	UMBRA_EMUL_OPND_REG_HIGH,	/* AH, CH, DH, BH: reg is 0..3 */
	UMBRA_EMUL_OPND_MEM,
	UMBRA_EMUL_OPND_IMM,
	UMBRA_EMUL_OPND_VEC,
	UMBRA_EMUL_OPND_SREG,
	UMBRA_EMUL_OPND_CR,
	UMBRA_EMUL_OPND_DR,
};

/**
 * struct umbra_emul_operand - one decoded operand
 * @kind: enum umbra_emul_operand_kind
 * @reg: register number for register kinds
 * @bytes: width
 * @val: immediate value; while executing, the value read or to be written
 */
struct umbra_emul_operand {
	u8 kind;
	u8 reg;
	u8 bytes;
	u64 val;
};

struct umbra_emul_opcode;

/**
 * struct umbra_emul_insn - decoded instruction
 * @desc: opcode table entry, NULL when not decoded
 * @len: length in bytes
 * @map: opcode map: 0 one byte, 1 0F, 2 0F38, 3 0F3A
 * @opcode: last opcode byte
 * @modrm: ModRM byte, valid with @has_modrm
 * @has_modrm: a ModRM byte is part of the instruction
 * @rex: REX bits W R X B in bits 3..0 (of VEX too)
 * @has_rex: a REX prefix counts (selects SPL, BPL, SIL, DIL)
 * @vex: VEX encoded
 * @vex_l: VEX.L
 * @pp: mandatory prefix: 0 none, 1 66, 2 F3, 3 F2
 * @vex_v: VEX.vvvv as a register number
 * @rep: 0, 0xf2 or 0xf3
 * @opsize: 66 prefix seen
 * @lock: LOCK prefix seen
 * @seg: segment of the memory operand after overrides
 * @seg_override: -1 or the segment of the override prefix
 * @op_bytes: operand size 2, 4 or 8
 * @addr_bytes: address size 2, 4 or 8
 * @rsp_based: the memory operand's base register is RSP (POP adjusts it)
 * @has_mem: the instruction has a ModRM or moffs memory operand
 * @ea: its offset in @seg, wrapped to the address size
 * @linear: its linear address (segment checks not yet made)
 * @mem_bytes: its width, 0 where the instruction only takes the address
 * @imm: immediate, sign extended where the instruction extends it
 * @imm2: second immediate (ENTER level, far selector)
 * @dst: first operand
 * @src: second operand
 * @src2: third operand
 */
struct umbra_emul_insn {
	const struct umbra_emul_opcode *desc;
	u8 len;
	u8 map;
	u8 opcode;
	u8 modrm;
	bool has_modrm;
	u8 rex;
	bool has_rex;
	bool vex;
	u8 vex_l;
	u8 pp;
	u8 vex_v;
	u8 rep;
	bool opsize;
	bool lock;
	u8 seg;
	s8 seg_override;
	u8 op_bytes;
	u8 addr_bytes;
	bool rsp_based;
	bool has_mem;
	u64 ea;
	u64 linear;
	u8 mem_bytes;
	u64 imm;
	u64 imm2;
	struct umbra_emul_operand dst;
	struct umbra_emul_operand src;
	struct umbra_emul_operand src2;
};

struct umbra_emul;

/**
 * struct umbra_emul_ops - the emulator's only way to the outside
 *
 * Every callback returns enum umbra_emul_result and may answer FAULT after
 * filling &umbra_emul.fault. No memory callback is handed a range that
 * crosses a 4 KiB page: the emulator splits, and probes all parts before it
 * writes the first. Linear addresses are already canonical and truncated to
 * 32 bits outside 64-bit mode. All callbacks run in the caller's context; any
 * but @rep_commit may sleep if the caller may. Callbacks marked optional may
 * be NULL; the instructions needing them are then UNHANDLED.
 *
 * @read: read @bytes (at most UMBRA_EMUL_IO_BYTES) at @linear; with
 *	UMBRA_EMUL_ACC_PROBE only check that the access would not fault
 * @write: write likewise. A write to MMIO is posted: queue it and answer OK;
 *	it is called at most once per operand part and is the last thing
 *	an instruction does that can fail. May set &umbra_emul.rep_stop
 * @update: LOCKed: replace @old by @new atomically; RETRY when memory no longer
 *	holds @old. @bytes is 1, 2, 4, 8 or 16. On MMIO: as @write. Not named
 *	cmpxchg, which is a macro in kernels that instrument it
 * @pio_in: input *@count elements of @size bytes to @buf. May lower *@count
 *	to a smaller number (at least 1) of elements actually delivered
 * @pio_out: output likewise. Either post and answer OK, or answer IO and on
 *	the re-run answer OK without a second output
 * @get_cr: CR0, 2, 3, 4, 8
 * @set_cr: same; checks legality, answers FAULT (#GP) itself
 * @get_dr: debug register (4 and 5 already mapped to 6 and 7)
 * @set_dr: same; checks legality
 * @get_msr: RDMSR; #GP by answering FAULT. Also used for EFER
 * @set_msr: WRMSR
 * @get_segment: LDTR and TR only; the other six are in the context
 * @set_segment: any segment; @nr is enum umbra_emul_seg_nr
 * @get_dt: GDTR, or IDTR when @idt
 * @set_dt: same
 * @cpuid: regs[0..3] = eax ebx ecx edx, inputs in regs[0] and regs[2]
 * @get_xcr: XGETBV (optional)
 * @set_xcr: XSETBV, checks legality (optional)
 * @rdtsc: *@tsc, and *@aux for RDTSCP
 * @rdpmc: performance counter (optional)
 * @get_vec: low @bytes (16 or 32) of vector register @nr (optional)
 * @set_vec: set low @bytes (16 or 32) of vector register @nr; clear the rest
 *	of the register when @zero_upper (optional)
 * @invpcid: INVPCID of @type 0 to 3 was found legal: drop what it names (optional)
 * @hook: see enum umbra_emul_hook; called last, so OK commits
 * @rep_commit: one REP iteration was committed to the context; forget answers
 *	recorded for it (optional)
 */
struct umbra_emul_ops {
	int (*read)(struct umbra_emul *em, u64 linear, void *buf, unsigned int bytes,
		    unsigned int acc);
	int (*write)(struct umbra_emul *em, u64 linear, const void *buf, unsigned int bytes,
		     unsigned int acc);
	int (*update)(struct umbra_emul *em, u64 linear, const void *old, const void *new,
		      unsigned int bytes);
	int (*pio_in)(struct umbra_emul *em, u16 port, unsigned int size, void *buf,
		      unsigned int *count);
	int (*pio_out)(struct umbra_emul *em, u16 port, unsigned int size, const void *buf,
		       unsigned int *count);
	int (*get_cr)(struct umbra_emul *em, unsigned int nr, u64 *val);
	int (*set_cr)(struct umbra_emul *em, unsigned int nr, u64 val);
	int (*get_dr)(struct umbra_emul *em, unsigned int nr, u64 *val);
	int (*set_dr)(struct umbra_emul *em, unsigned int nr, u64 val);
	int (*get_msr)(struct umbra_emul *em, u32 index, u64 *val);
	int (*set_msr)(struct umbra_emul *em, u32 index, u64 val);
	int (*get_segment)(struct umbra_emul *em, unsigned int nr, struct umbra_emul_seg *seg);
	int (*set_segment)(struct umbra_emul *em, unsigned int nr,
			   const struct umbra_emul_seg *seg);
	int (*get_dt)(struct umbra_emul *em, bool idt, struct umbra_emul_dt *dt);
	int (*set_dt)(struct umbra_emul *em, bool idt, const struct umbra_emul_dt *dt);
	int (*cpuid)(struct umbra_emul *em, u32 regs[4]);
	int (*get_xcr)(struct umbra_emul *em, u32 index, u64 *val);
	int (*set_xcr)(struct umbra_emul *em, u32 index, u64 val);
	int (*rdtsc)(struct umbra_emul *em, u64 *tsc, u32 *aux);
	int (*rdpmc)(struct umbra_emul *em, u32 index, u64 *val);
	int (*get_vec)(struct umbra_emul *em, unsigned int nr, void *buf, unsigned int bytes);
	int (*set_vec)(struct umbra_emul *em, unsigned int nr, const void *buf,
		       unsigned int bytes, bool zero_upper);
	int (*invpcid)(struct umbra_emul *em, unsigned int type, u64 pcid, u64 linear);
	int (*hook)(struct umbra_emul *em, enum umbra_emul_hook what, u64 arg);
	void (*rep_commit)(struct umbra_emul *em);
};

/* Values of umbra_emul.out, valid after DONE. */
#define UMBRA_EMUL_OUT_STI_SHADOW	BIT(0)	/* interrupts blocked for one instruction */
#define UMBRA_EMUL_OUT_MOVSS_SHADOW	BIT(1)	/* and debug traps too */
#define UMBRA_EMUL_OUT_TRAP		BIT(2)	/* RFLAGS.TF: single-step #DB is due */
#define UMBRA_EMUL_OUT_REP_MORE		BIT(3)	/* rip still at the REP instruction */
#define UMBRA_EMUL_OUT_IRET		BIT(4)	/* IRET completed: NMIs are unblocked */

/**
 * struct umbra_emul - emulation context of one vCPU
 * @ops: callbacks (i)
 * @ctx: the caller's own pointer (i)
 * @gpr: general registers, by number (i, o)
 * @rip: instruction pointer, offset in CS (i, o)
 * @rflags: flags (i, o)
 * @mode: see umbra_emul_mode_of() (i)
 * @cpl: current privilege level (i, o)
 * @seg: segment registers; changed ones were also handed to set_segment (i, o)
 * @rep_limit: iterations of a REP instruction per call, 0 means 1 (i)
 * @rep_stop: set by a callback to end a REP after the current iteration (io)
 * @bytes: instruction bytes, prefetched or fetched (i, o)
 * @nr_bytes: how many of @bytes are valid; 0 lets the decoder fetch (i, o)
 * @insn: record of the last decode (o)
 * @fault: exception to inject after FAULT (o)
 * @out: UMBRA_EMUL_OUT_* after DONE (o)
 * @work: staged registers while executing (private)
 * @buf: bounce buffer for string I/O and vectors (private)
 *
 * Legend: i = the caller fills it before umbra_emul_decode(); o = valid after
 * an entry point returned; io = cleared on entry, written by callbacks.
 */
struct umbra_emul {
	const struct umbra_emul_ops *ops;
	void *ctx;

	u64 gpr[UMBRA_EMUL_NR_GPRS];
	u64 rip;
	u64 rflags;
	u8 mode;
	u8 cpl;
	struct umbra_emul_seg seg[UMBRA_EMUL_NR_SEGS];

	unsigned int rep_limit;
	bool rep_stop;

	u8 bytes[UMBRA_EMUL_MAX_INSN];
	u8 nr_bytes;

	struct umbra_emul_insn insn;
	struct umbra_emul_fault fault;
	u32 out;

	struct {
		u64 gpr[UMBRA_EMUL_NR_GPRS];
		u64 rip;
		u64 rflags;
		u64 orig;	/* low half of the destination as it was read */
		u64 orig_hi;
		u64 dst_hi;	/* high half for 16-byte operands */
	} work;
	u8 buf[UMBRA_EMUL_IO_BYTES] __aligned(16);
};

/**
 * umbra_emul_mode_of() - execution mode from control registers
 * @cr0: CR0
 * @efer: EFER
 * @rflags: RFLAGS
 * @cs: code segment
 *
 * Return: enum umbra_emul_mode.
 */
u8 umbra_emul_mode_of(u64 cr0, u64 efer, u64 rflags, const struct umbra_emul_seg *cs);

/**
 * umbra_emul_decode() - fetch and decode the instruction at CS:RIP
 * @em: context, inputs filled
 *
 * Fetches through the read callback what &umbra_emul.bytes does not hold.
 * Return: DONE with &umbra_emul.insn filled; FAULT (#UD, #GP, #PF on fetch),
 * UNHANDLED for a valid or unknown instruction the emulator does not know,
 * or what the read callback answered.
 */
int umbra_emul_decode(struct umbra_emul *em);

/**
 * umbra_emul_exec() - execute the decoded instruction
 * @em: context after a successful umbra_emul_decode()
 *
 * Registers are staged and committed only on DONE; memory is written last.
 * REP string instructions commit per iteration: on FAULT, IO or RETRY in a
 * later iteration, the iterations before it stay in the context.
 * Return: enum umbra_emul_result.
 */
int umbra_emul_exec(struct umbra_emul *em);

/**
 * umbra_emul_insn_len() - length of the instruction at CS:RIP
 * @em: context, inputs filled
 *
 * For skipping an intercepted instruction on processors without next-RIP save.
 * Return: length in bytes, or 0 when it cannot be told (fault, not known).
 */
unsigned int umbra_emul_insn_len(struct umbra_emul *em);

#endif /* UMBRA_EMUL_H */
