// SPDX-License-Identifier: GPL-2.0
/*
 * Arbitrary bytes against the emulator. The first bytes choose mode, privilege
 * and registers, the rest is code; promises of emul.h are checked on the way.
 */
#include <stdio.h>
#include <stdlib.h>

#include "emul_lib_chaos.h"

#define HEAD	(4 + 16 * 4)
#define STEPS	8

static void broken(const struct mach *m, const char *what)
{
	unsigned int i;

	fprintf(stderr, "emulator broke a promise: %s:", what);
	for (i = 0; i < m->em.nr_bytes; i++)
		fprintf(stderr, " %02x", m->em.bytes[i]);
	fprintf(stderr, "\n");
	abort();
}

static void set_state(struct mach *m, const u8 *data)
{
	unsigned int i;
	s32 v;

	mach_init(m, data[0] % 5);
	m->em.cpl = m->em.mode == UMBRA_EMUL_VM86 ? 3 : m->em.mode ? data[1] & 3 : 0;
	m->em.rflags |= data[2] << 4;
	m->em.rep_limit = data[3];
	m->mmio = 0x10000;
	m->mmio_exits = data[3] & 1;
	m->readonly = 0x14000;
	m->absent = 0x15000;
	m->tr = (struct umbra_emul_seg){ .base = 0x9000, .limit = 0x2fff, .type = 11, .p = 1 };
	m->gdt = (struct umbra_emul_dt){ .base = 0x1000, .limit = 0xfff };
	for (i = 0; i < 16; i++) {
		memcpy(&v, data + 4 + 4 * i, 4);
		/* Mostly inside RAM, so that accesses reach the callbacks. */
		m->em.gpr[i] = v & 1 ? (u64)(s64)v : v & 0x1fffe;
	}
}

static bool may_change(const struct mach *m)
{
	return m->em.insn.rep;
}

static void check(const struct mach *m, const struct umbra_emul *old, int r)
{
	if (r < 0 || r > UMBRA_EMUL_RETRY)
		broken(m, "unknown result");
	if (m->crossing)
		broken(m, "access across a page");
	if (m->em.insn.len > UMBRA_EMUL_MAX_INSN || m->em.nr_bytes > UMBRA_EMUL_MAX_INSN)
		broken(m, "length");
	if (r == UMBRA_EMUL_OK)
		return;
	if (m->em.rip != old->rip)
		broken(m, "rip moved without DONE");
	if (!may_change(m) && memcmp(m->em.gpr, old->gpr, sizeof(old->gpr)))
		broken(m, "registers changed without DONE");
	if (!may_change(m) && m->em.rflags != old->rflags)
		broken(m, "flags changed without DONE");
}

void chaos_run(struct mach *m, const u8 *data, size_t size)
{
	struct umbra_emul old;
	unsigned int i;
	int r;

	if (size < HEAD + 1)
		return;
	set_state(m, data);
	mach_code(m, data + HEAD, min_t(size_t, size - HEAD, 4096));
	for (i = 0; i < STEPS; i++) {
		old = m->em;
		r = mach_step(m);
		check(m, &old, r);
		if (r == UMBRA_EMUL_IO)
			m->answered = true;
		else if (r != UMBRA_EMUL_OK)
			break;
		m->em.nr_bytes = 0;
	}
}
