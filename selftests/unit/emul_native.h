/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Register file that emul_lib_native.S loads before, and stores after, running
 * instructions on this machine's own processor. Offsets are shared with the
 * assembly.
 */
#ifndef EMUL_NATIVE_H
#define EMUL_NATIVE_H

#define NS_GPR		0
#define NS_FLAGS	128
#define NS_HOST_RSP	136
#define NS_TAG		144
#define NS_EXIT		152
#define NS_CODE		160
#define NS_VEC		192
#define NS_BYTES	704

#ifndef __ASSEMBLER__

/**
 * struct native_state - see the file head
 * @gpr: general registers by number
 * @flags: RFLAGS
 * @host_rsp: the host's stack pointer while the instruction runs
 * @tag: which exit was taken
 * @exit: address of native_exit()
 * @code: where to start
 * @vec: YMM registers
 */
struct native_state {
	u64 gpr[16];
	u64 flags;
	u64 host_rsp;
	u64 tag;
	u64 exit;
	u64 code;
	u64 pad[3];
	u8 vec[16][32];
};

/* Run s->code with all registers but RDI loaded; the code loads RDI itself. */
void native_run(struct native_state *s);

/* Jumped to by the code with RAX = state and the old RAX stored. */
void native_exit(void);

#endif /* __ASSEMBLER__ */
#endif /* EMUL_NATIVE_H */
