// SPDX-License-Identifier: GPL-2.0
/*
 * Instruction bytes: fetching them through the read callback, prefixes, REX
 * and VEX, up to and including the opcode byte. Must not look at ModRM or
 * operands.
 */
#include "emul_internal.h"

/* Fetch what the rest of the page holds; never touch the next one early. */
static int fetch_more(struct umbra_emul *em)
{
	const struct umbra_emul_seg *cs = &em->seg[UMBRA_EMUL_CS];
	unsigned int room = UMBRA_EMUL_MAX_INSN - em->nr_bytes;
	u64 off = em->rip + em->nr_bytes;
	u64 linear = off;
	int r;

	if (emul_long64(em)) {
		if (!emul_canonical(em, linear))
			return emul_gp0(em);
	} else {
		off = (u32)off;
		if (off > cs->limit)
			return emul_gp0(em);
		room = min_t(u64, room, cs->limit - off + 1);
		linear = (u32)(cs->base + off);
	}
	room = min_t(unsigned int, room, 4096 - (linear & 4095));
	r = em->ops->read(em, linear, em->bytes + em->nr_bytes, room, UMBRA_EMUL_ACC_FETCH);
	if (r == UMBRA_EMUL_OK)
		em->nr_bytes += room;
	return r;
}

/**
 * emul_fetch() - take the next bytes of the instruction
 * @em: context
 * @bytes: 1, 2, 4 or 8
 * @val: receives them, zero extended
 *
 * Return: OK, FAULT (#GP past 15 bytes or the segment limit), or what the
 * read callback answered.
 */
int emul_fetch(struct umbra_emul *em, unsigned int bytes, u64 *val)
{
	unsigned int i;
	int r;

	*val = 0;
	for (i = 0; i < bytes; i++) {
		if (em->insn.len >= UMBRA_EMUL_MAX_INSN)
			return emul_gp0(em);
		while (em->insn.len >= em->nr_bytes) {
			r = fetch_more(em);
			if (r != UMBRA_EMUL_OK)
				return r;
		}
		*val |= (u64)em->bytes[em->insn.len++] << (8 * i);
	}
	return UMBRA_EMUL_OK;
}

/* Look at the next byte without taking it. */
static int peek(struct umbra_emul *em, u8 *val)
{
	u64 v;
	int r = emul_fetch(em, 1, &v);

	if (r == UMBRA_EMUL_OK) {
		em->insn.len--;
		*val = v;
	}
	return r;
}

static int segment_prefix(u8 byte)
{
	switch (byte) {
	case 0x26:
		return UMBRA_EMUL_ES;
	case 0x2e:
		return UMBRA_EMUL_CS;
	case 0x36:
		return UMBRA_EMUL_SS;
	case 0x3e:
		return UMBRA_EMUL_DS;
	case 0x64:
		return UMBRA_EMUL_FS;
	case 0x65:
		return UMBRA_EMUL_GS;
	default:
		return -1;
	}
}

/* Note a legacy prefix. Return: whether @byte is one. */
static bool legacy_prefix(struct umbra_emul *em, u8 byte)
{
	struct umbra_emul_insn *in = &em->insn;
	int seg = segment_prefix(byte);

	if (seg >= 0) {
		/* 64-bit mode ignores all but FS and GS. */
		if (!emul_long64(em) || seg >= UMBRA_EMUL_FS)
			in->seg_override = seg;
		return true;
	}
	switch (byte) {
	case 0x66:
		in->opsize = true;
		return true;
	case 0x67:
		in->addr_bytes = 0;
		return true;
	case 0xf0:
		in->lock = true;
		return true;
	case 0xf2:
	case 0xf3:
		in->rep = byte;
		return true;
	default:
		return false;
	}
}

static void set_addr_bytes(struct umbra_emul *em)
{
	bool toggled = !em->insn.addr_bytes;
	u8 *bytes = &em->insn.addr_bytes;

	if (emul_long64(em))
		*bytes = toggled ? 4 : 8;
	else if (em->mode == UMBRA_EMUL_PROT32)
		*bytes = toggled ? 2 : 4;
	else
		*bytes = toggled ? 4 : 2;
}

static void set_pp(struct umbra_emul_insn *in)
{
	if (in->rep)
		in->pp = in->rep == 0xf3 ? 2 : 3;
	else
		in->pp = in->opsize;
}

/**
 * emul_fetch_prefixes() - take all legacy prefixes and REX
 * @em: context with a cleared record
 *
 * A REX prefix counts only directly before the opcode.
 */
int emul_fetch_prefixes(struct umbra_emul *em)
{
	struct umbra_emul_insn *in = &em->insn;
	u8 byte;
	int r;

	in->seg_override = -1;
	in->addr_bytes = 1;
	while ((r = peek(em, &byte)) == UMBRA_EMUL_OK) {
		if (legacy_prefix(em, byte)) {
			in->has_rex = false;
			in->rex = 0;
		} else if (emul_long64(em) && (byte & 0xf0) == 0x40) {
			in->has_rex = true;
			in->rex = byte & 0xf;
		} else {
			break;
		}
		in->len++;
	}
	set_addr_bytes(em);
	set_pp(in);
	return r;
}

static void vex_last(struct umbra_emul_insn *in, u8 byte)
{
	in->vex_v = (~byte >> 3) & 0xf;
	in->vex_l = (byte >> 2) & 1;
	in->pp = byte & 3;
	in->vex = true;
}

/* The bytes after C4 or C5, once known not to be LES or LDS. */
static int fetch_vex(struct umbra_emul *em, bool three)
{
	struct umbra_emul_insn *in = &em->insn;
	u64 b1, b2 = 0;
	int r;

	if (in->opsize || in->rep || in->lock || in->has_rex)
		return emul_ud(em);
	r = emul_fetch(em, 1, &b1);
	if (r == UMBRA_EMUL_OK && three)
		r = emul_fetch(em, 1, &b2);
	if (r != UMBRA_EMUL_OK)
		return r;
	in->map = 1;
	in->rex = (~b1 >> 5) & 4;
	vex_last(in, three ? b2 : b1);
	if (three) {
		in->map = b1 & 0x1f;
		in->rex = ((~b1 >> 5) & 7) | ((b2 >> 4) & 8);
	}
	if (!emul_long64(em))
		in->rex = 0;
	if (!in->map || in->map > 3)
		return UMBRA_EMUL_UNHANDLED;
	r = emul_fetch(em, 1, &b1);
	in->opcode = b1;
	return r;
}

/* C4 and C5 are VEX in 64-bit mode, and elsewhere where LES/LDS would not be legal. */
static int maybe_vex(struct umbra_emul *em, bool *vex)
{
	u8 next;
	int r;

	*vex = false;
	if (em->insn.opcode != 0xc4 && em->insn.opcode != 0xc5)
		return UMBRA_EMUL_OK;
	if (emul_realish(em))
		return UMBRA_EMUL_OK;
	r = peek(em, &next);
	*vex = emul_long64(em) || (next & 0xc0) == 0xc0;
	return r;
}

/**
 * emul_fetch_opcode() - take opcode bytes, with VEX where it is one
 * @em: context after emul_fetch_prefixes()
 */
int emul_fetch_opcode(struct umbra_emul *em)
{
	struct umbra_emul_insn *in = &em->insn;
	u64 byte;
	bool vex;
	int r;

	r = emul_fetch(em, 1, &byte);
	if (r != UMBRA_EMUL_OK)
		return r;
	in->opcode = byte;
	r = maybe_vex(em, &vex);
	if (r != UMBRA_EMUL_OK)
		return r;
	if (vex)
		return fetch_vex(em, in->opcode == 0xc4);
	while (in->opcode == 0x0f || (in->map == 1 && (in->opcode & 0xfd) == 0x38)) {
		if (in->map && in->opcode == 0x0f)
			break;	/* 0F 0F is 3DNow!, an opcode of its own */
		in->map = in->map ? (in->opcode == 0x38 ? 2 : 3) : 1;
		r = emul_fetch(em, 1, &byte);
		if (r != UMBRA_EMUL_OK)
			return r;
		in->opcode = byte;
	}
	return UMBRA_EMUL_OK;
}
