// SPDX-License-Identifier: GPL-2.0
/*
 * The callbacks of struct mach. Bounds are checked by the sanitizers; a range
 * across a page is noted, not asserted, so that fuzzing can use this too.
 */
#include <stdlib.h>

#include "emul_lib.h"

static u64 random_state = 1;

void mach_seed(u64 seed)
{
	random_state = seed ? seed : 1;
}

u64 mach_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1dULL;
}

static struct mach *mach_of(struct umbra_emul *em)
{
	return em->ctx;
}

static bool in_page(u64 page, u64 linear)
{
	return page != ~0ULL && (linear & ~4095ULL) == page;
}

static void note(struct mach *m, u64 addr, unsigned int bytes, bool write, u64 val)
{
	if (m->nr_log < MACH_LOG)
		m->log[m->nr_log++] = (struct mach_io){ addr, bytes, write, val };
}

static int page_fault(struct umbra_emul *em, u64 linear, unsigned int acc)
{
	em->fault = (struct umbra_emul_fault){
		.vector = X86_TRAP_PF, .has_error = true, .cr2 = linear,
		.error = (acc & UMBRA_EMUL_ACC_WRITE ? 2 : 0) |
			 (acc & UMBRA_EMUL_ACC_FETCH ? 16 : 0),
	};
	return UMBRA_EMUL_FAULT;
}

static int check(struct umbra_emul *em, u64 linear, unsigned int bytes, unsigned int acc)
{
	struct mach *m = mach_of(em);

	if (!bytes || bytes > UMBRA_EMUL_IO_BYTES)
		abort();
	if ((linear & 4095) + bytes > 4096)
		m->crossing = true;
	if (in_page(m->absent, linear))
		return page_fault(em, linear, acc);
	if ((acc & UMBRA_EMUL_ACC_WRITE) && in_page(m->readonly, linear))
		return page_fault(em, linear, acc);
	if (in_page(m->mmio, linear))
		return UMBRA_EMUL_OK;
	if (linear - m->ram_base >= MACH_RAM || linear - m->ram_base + bytes > MACH_RAM)
		return page_fault(em, linear, acc);
	return UMBRA_EMUL_OK;
}

/* Ask "user space" once; on the re-run give its answer. */
static int ask(struct mach *m, u64 addr, void *buf, unsigned int bytes)
{
	unsigned int i;

	if (m->mmio_exits && !m->answered)
		return UMBRA_EMUL_IO;
	m->answered = false;
	note(m, addr, bytes, false, m->mmio_val);
	for (i = 0; i < bytes; i++)
		((u8 *)buf)[i] = m->mmio_val >> (8 * (i & 7));
	return UMBRA_EMUL_OK;
}

static int mach_read(struct umbra_emul *em, u64 linear, void *buf, unsigned int bytes,
		     unsigned int acc)
{
	struct mach *m = mach_of(em);
	int r = check(em, linear, bytes, acc);

	if (r != UMBRA_EMUL_OK || (acc & UMBRA_EMUL_ACC_PROBE))
		return r;
	if (in_page(m->mmio, linear))
		return ask(m, linear, buf, bytes);
	memcpy(buf, m->ram + (linear - m->ram_base), bytes);
	return UMBRA_EMUL_OK;
}

static int mach_write(struct umbra_emul *em, u64 linear, const void *buf, unsigned int bytes,
		      unsigned int acc)
{
	struct mach *m = mach_of(em);
	int r = check(em, linear, bytes, acc | UMBRA_EMUL_ACC_WRITE);
	u64 val = 0;

	if (r != UMBRA_EMUL_OK)
		return r;
	if (in_page(m->mmio, linear)) {
		memcpy(&val, buf, min(bytes, 8u));
		note(m, linear, bytes, true, val);
		return UMBRA_EMUL_OK;
	}
	memcpy(m->ram + (linear - m->ram_base), buf, bytes);
	return UMBRA_EMUL_OK;
}

static int mach_cmpxchg(struct umbra_emul *em, u64 linear, const void *old, const void *new,
			unsigned int bytes)
{
	struct mach *m = mach_of(em);
	int r = check(em, linear, bytes, UMBRA_EMUL_ACC_WRITE);

	if (r != UMBRA_EMUL_OK)
		return r;
	if (!in_page(m->mmio, linear) && memcmp(m->ram + (linear - m->ram_base), old, bytes))
		return UMBRA_EMUL_RETRY;
	m->cmpxchgs++;
	return mach_write(em, linear, new, bytes, 0);
}

static int mach_pio_in(struct umbra_emul *em, u16 port, unsigned int size, void *buf,
		       unsigned int *count)
{
	struct mach *m = mach_of(em);

	if (m->pio_limit)
		*count = min(*count, m->pio_limit);
	return ask(m, port, buf, size * *count);
}

static int mach_pio_out(struct umbra_emul *em, u16 port, unsigned int size, const void *buf,
			unsigned int *count)
{
	struct mach *m = mach_of(em);
	u64 val = 0;

	if (m->pio_limit)
		*count = min(*count, m->pio_limit);
	memcpy(&val, buf, min(size * *count, 8u));
	note(m, port, size * *count, true, val);
	return UMBRA_EMUL_OK;
}

static int mach_get_cr(struct umbra_emul *em, unsigned int nr, u64 *val)
{
	*val = mach_of(em)->cr[nr];
	return UMBRA_EMUL_OK;
}

static int mach_set_cr(struct umbra_emul *em, unsigned int nr, u64 val)
{
	mach_of(em)->cr[nr] = val;
	return UMBRA_EMUL_OK;
}

static int mach_get_dr(struct umbra_emul *em, unsigned int nr, u64 *val)
{
	*val = mach_of(em)->dr[nr];
	return UMBRA_EMUL_OK;
}

static int mach_set_dr(struct umbra_emul *em, unsigned int nr, u64 val)
{
	mach_of(em)->dr[nr] = val;
	return UMBRA_EMUL_OK;
}

static int mach_get_msr(struct umbra_emul *em, u32 index, u64 *val)
{
	struct mach *m = mach_of(em);

	*val = index == MSR_EFER ? m->efer : m->msr_last;
	m->msr_index = index;
	return UMBRA_EMUL_OK;
}

static int mach_set_msr(struct umbra_emul *em, u32 index, u64 val)
{
	struct mach *m = mach_of(em);

	m->msr_index = index;
	m->msr_last = val;
	return UMBRA_EMUL_OK;
}

static int mach_get_segment(struct umbra_emul *em, unsigned int nr, struct umbra_emul_seg *seg)
{
	struct mach *m = mach_of(em);

	*seg = nr == UMBRA_EMUL_LDTR ? m->ldtr : m->tr;
	return UMBRA_EMUL_OK;
}

static int mach_set_segment(struct umbra_emul *em, unsigned int nr,
			    const struct umbra_emul_seg *seg)
{
	struct mach *m = mach_of(em);

	if (nr == UMBRA_EMUL_LDTR)
		m->ldtr = *seg;
	else if (nr == UMBRA_EMUL_TR)
		m->tr = *seg;
	return UMBRA_EMUL_OK;
}

static int mach_get_dt(struct umbra_emul *em, bool idt, struct umbra_emul_dt *dt)
{
	*dt = idt ? mach_of(em)->idt : mach_of(em)->gdt;
	return UMBRA_EMUL_OK;
}

static int mach_set_dt(struct umbra_emul *em, bool idt, const struct umbra_emul_dt *dt)
{
	*(idt ? &mach_of(em)->idt : &mach_of(em)->gdt) = *dt;
	return UMBRA_EMUL_OK;
}

static int mach_cpuid(struct umbra_emul *em, u32 regs[4])
{
	regs[1] = regs[0] + 1;
	regs[3] = regs[2] + 2;
	regs[0] = 0x11;
	regs[2] = 0x33;
	return UMBRA_EMUL_OK;
}

static int mach_get_xcr(struct umbra_emul *em, u32 index, u64 *val)
{
	*val = mach_of(em)->xcr0;
	return UMBRA_EMUL_OK;
}

static int mach_set_xcr(struct umbra_emul *em, u32 index, u64 val)
{
	mach_of(em)->xcr0 = val;
	return UMBRA_EMUL_OK;
}

static int mach_rdtsc(struct umbra_emul *em, u64 *tsc, u32 *aux)
{
	*tsc = 0x1122334455667788ULL;
	*aux = 7;
	return UMBRA_EMUL_OK;
}

static int mach_rdpmc(struct umbra_emul *em, u32 index, u64 *val)
{
	*val = index;
	return UMBRA_EMUL_OK;
}

static int mach_get_vec(struct umbra_emul *em, unsigned int nr, void *buf, unsigned int bytes)
{
	memcpy(buf, mach_of(em)->vec[nr], bytes);
	return UMBRA_EMUL_OK;
}

static int mach_set_vec(struct umbra_emul *em, unsigned int nr, const void *buf,
			unsigned int bytes, bool zero_upper)
{
	u8 *v = mach_of(em)->vec[nr];

	memcpy(v, buf, bytes);
	if (zero_upper)
		memset(v + bytes, 0, UMBRA_EMUL_VEC_BYTES - bytes);
	return UMBRA_EMUL_OK;
}

static int mach_invpcid(struct umbra_emul *em, unsigned int type, u64 pcid, u64 linear)
{
	struct mach *m = mach_of(em);

	m->invpcids++;
	m->invpcid[0] = type;
	m->invpcid[1] = pcid;
	m->invpcid[2] = linear;
	return UMBRA_EMUL_OK;
}

static int mach_hook(struct umbra_emul *em, enum umbra_emul_hook what, u64 arg)
{
	mach_of(em)->hooked = what;
	mach_of(em)->hook_arg = arg;
	return UMBRA_EMUL_OK;
}

static void mach_rep_commit(struct umbra_emul *em)
{
	mach_of(em)->iterations++;
}

const struct umbra_emul_ops mach_ops = {
	.read = mach_read,
	.write = mach_write,
	.update = mach_cmpxchg,
	.pio_in = mach_pio_in,
	.pio_out = mach_pio_out,
	.get_cr = mach_get_cr,
	.set_cr = mach_set_cr,
	.get_dr = mach_get_dr,
	.set_dr = mach_set_dr,
	.get_msr = mach_get_msr,
	.set_msr = mach_set_msr,
	.get_segment = mach_get_segment,
	.set_segment = mach_set_segment,
	.get_dt = mach_get_dt,
	.set_dt = mach_set_dt,
	.cpuid = mach_cpuid,
	.get_xcr = mach_get_xcr,
	.set_xcr = mach_set_xcr,
	.rdtsc = mach_rdtsc,
	.rdpmc = mach_rdpmc,
	.get_vec = mach_get_vec,
	.set_vec = mach_set_vec,
	.invpcid = mach_invpcid,
	.hook = mach_hook,
	.rep_commit = mach_rep_commit,
};

static void init_segments(struct mach *m, enum umbra_emul_mode mode)
{
	bool realish = mode == UMBRA_EMUL_REAL || mode == UMBRA_EMUL_VM86;
	unsigned int i;

	for (i = 0; i < UMBRA_EMUL_NR_SEGS; i++) {
		m->em.seg[i] = (struct umbra_emul_seg){
			.limit = realish ? 0xffff : 0xffffffff,
			.selector = realish ? 0 : 0x10, .type = 3, .s = 1, .p = 1,
			.db = mode == UMBRA_EMUL_PROT32, .g = !realish,
			.dpl = mode == UMBRA_EMUL_VM86 ? 3 : 0,
		};
	}
	m->em.seg[UMBRA_EMUL_CS].type = realish ? 3 : 0xb;
	m->em.seg[UMBRA_EMUL_CS].selector = realish ? 0 : 8;
	m->em.seg[UMBRA_EMUL_CS].l = mode == UMBRA_EMUL_LONG64;
}

void mach_init(struct mach *m, enum umbra_emul_mode mode)
{
	memset(m, 0, sizeof(*m));
	m->absent = ~0ULL;
	m->readonly = ~0ULL;
	m->mmio = ~0ULL;
	m->hooked = -1;
	m->em.ops = &mach_ops;
	m->em.ctx = m;
	m->em.mode = mode;
	m->em.cpl = mode == UMBRA_EMUL_VM86 ? 3 : 0;
	m->em.rflags = 2;
	m->em.rep_limit = 1000;
	m->em.rip = 0x1000;
	m->em.gpr[UMBRA_EMUL_RSP] = 0x8000;
	m->cr[0] = mode == UMBRA_EMUL_REAL ? 0 : X86_CR0_PE;
	m->cr[4] = X86_CR4_OSFXSR | X86_CR4_OSXSAVE;
	m->efer = mode == UMBRA_EMUL_LONG64 ? EFER_LMA : 0;
	m->xcr0 = 7;
	m->idt.limit = 0x3ff;
	init_segments(m, mode);
}

void mach_code(struct mach *m, const void *code, unsigned int len)
{
	u64 linear = m->em.rip;

	if (m->em.mode != UMBRA_EMUL_LONG64)
		linear += m->em.seg[UMBRA_EMUL_CS].base;
	memcpy(m->ram + (linear - m->ram_base), code, len);
	m->em.nr_bytes = 0;
}

int mach_step(struct mach *m)
{
	int r = umbra_emul_decode(&m->em);

	return r ? r : umbra_emul_exec(&m->em);
}

int mach_step_answering(struct mach *m, u64 val, unsigned int max)
{
	int r;

	while ((r = mach_step(m)) == UMBRA_EMUL_IO && max--) {
		m->mmio_val = val;
		m->answered = true;
	}
	return r;
}

u64 mach_get(const struct mach *m, u64 linear, unsigned int bytes)
{
	u64 val = 0;

	memcpy(&val, m->ram + (linear - m->ram_base), bytes);
	return val;
}

void mach_put(struct mach *m, u64 linear, u64 val, unsigned int bytes)
{
	memcpy(m->ram + (linear - m->ram_base), &val, bytes);
}
