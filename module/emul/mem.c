// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory as the executors see it: segment checks, linear addresses and
 * the splitting of accesses at page boundaries. Must not know operands or
 * instructions, and must not translate: that is the callbacks' part.
 */
#include "emul_internal.h"

#define PAGE_BYTES 4096u

static int seg_fault(struct umbra_emul *em, unsigned int seg)
{
	return emul_fault_err(em, seg == UMBRA_EMUL_SS ? X86_TRAP_SS : X86_TRAP_GP, 0);
}

/**
 * emul_canonical() - whether an address is canonical in the current mode
 * @em: context
 * @linear: address
 *
 * Asks for CR4.LA57 only when the answer depends on it.
 */
bool emul_canonical(struct umbra_emul *em, u64 linear)
{
	u64 cr4 = 0;

	if (((s64)(linear << 16) >> 16) == (s64)linear)
		return true;
	if (((s64)(linear << 7) >> 7) != (s64)linear)
		return false;
	if (em->ops->get_cr(em, 4, &cr4) != UMBRA_EMUL_OK)
		return false;
	return cr4 & X86_CR4_LA57;
}

static bool within_limit(const struct umbra_emul_seg *s, u64 first, u64 last, bool typed)
{
	u64 top;

	/* Expand-down data: valid above the limit, up to 64 KiB or 4 GiB. */
	if (typed && s->s && (s->type & 0xc) == 0x4) {
		top = s->db ? 0xffffffffu : 0xffffu;
		return first > s->limit && last <= top;
	}
	return last <= s->limit;
}

static bool type_allows(const struct umbra_emul_seg *s, unsigned int acc)
{
	bool code = s->type & 0x8;
	bool rw = s->type & 0x2;

	if (s->unusable)
		return false;
	if (acc & UMBRA_EMUL_ACC_WRITE)
		return !code && rw;
	return !code || rw;
}

static int linearize_long(struct umbra_emul *em, unsigned int seg, u64 ea, unsigned int bytes,
			  u64 *linear)
{
	u64 lin = ea;

	if (seg == UMBRA_EMUL_FS || seg == UMBRA_EMUL_GS)
		lin += em->seg[seg].base;
	if (!emul_canonical(em, lin) || !emul_canonical(em, lin + bytes - 1))
		return seg_fault(em, seg);
	*linear = lin;
	return UMBRA_EMUL_OK;
}

/**
 * emul_linearize() - segment checks and linear address of an access
 * @em: context
 * @seg: segment number
 * @ea: offset, already wrapped to the address size
 * @bytes: width of the access, at least 1
 * @acc: UMBRA_EMUL_ACC_WRITE for a write or an update
 * @linear: receives the linear address
 *
 * Return: OK or FAULT (#GP or #SS).
 */
int emul_linearize(struct umbra_emul *em, unsigned int seg, u64 ea, unsigned int bytes,
		   unsigned int acc, u64 *linear)
{
	const struct umbra_emul_seg *s = &em->seg[seg];
	bool typed = !emul_realish(em);

	if (emul_long64(em))
		return linearize_long(em, seg, ea, bytes, linear);
	if (typed && !type_allows(s, acc))
		return seg_fault(em, seg);
	if (!within_limit(s, ea, ea + bytes - 1, typed))
		return seg_fault(em, seg);
	*linear = (u32)(s->base + ea);
	return UMBRA_EMUL_OK;
}

/* Bytes of an access that lie in the page of its first byte. */
static unsigned int page_part(u64 linear, unsigned int bytes)
{
	return min(bytes, PAGE_BYTES - (unsigned int)(linear & (PAGE_BYTES - 1)));
}

/* Descriptor tables and the TSS have 64-bit bases in compatibility mode too. */
static u64 linear_add(const struct umbra_emul *em, u64 linear, unsigned int bytes,
		      unsigned int acc)
{
	linear += bytes;
	return emul_long64(em) || (acc & UMBRA_EMUL_ACC_SYSTEM) ? linear : (u32)linear;
}

/**
 * emul_linear_read() - read or probe, split at page boundaries
 * @em: context
 * @linear: linear address
 * @buf: destination, NULL with UMBRA_EMUL_ACC_PROBE
 * @bytes: size
 * @acc: access flags
 *
 * Return: what the read callback answered.
 */
int emul_linear_read(struct umbra_emul *em, u64 linear, void *buf, unsigned int bytes,
		     unsigned int acc)
{
	unsigned int part;
	u8 *p = buf;
	int r;

	for (; bytes; bytes -= part) {
		part = page_part(linear, bytes);
		r = em->ops->read(em, linear, p, part, acc);
		if (r != UMBRA_EMUL_OK)
			return r;
		linear = linear_add(em, linear, part, acc);
		if (p)
			p += part;
	}
	return UMBRA_EMUL_OK;
}

/**
 * emul_linear_write() - write, split at page boundaries after a probe
 * @em: context
 * @linear: linear address
 * @buf: source
 * @bytes: size
 * @acc: access flags
 *
 * Return: what the callbacks answered.
 */
int emul_linear_write(struct umbra_emul *em, u64 linear, const void *buf, unsigned int bytes,
		      unsigned int acc)
{
	unsigned int part = page_part(linear, bytes);
	const u8 *p = buf;
	int r;

	if (part == bytes)
		return em->ops->write(em, linear, buf, bytes, acc);
	r = emul_linear_read(em, linear, NULL, bytes,
			     acc | UMBRA_EMUL_ACC_PROBE | UMBRA_EMUL_ACC_WRITE);
	while (r == UMBRA_EMUL_OK && bytes) {
		part = page_part(linear, bytes);
		r = em->ops->write(em, linear, p, part, acc);
		linear = linear_add(em, linear, part, acc);
		p += part;
		bytes -= part;
	}
	return r;
}

/**
 * emul_mem_read() - read at a logical address
 * @em: context
 * @seg: segment number
 * @ea: offset
 * @buf: destination
 * @bytes: size
 * @acc: UMBRA_EMUL_ACC_WRITE when the same operand is written afterwards
 */
int emul_mem_read(struct umbra_emul *em, unsigned int seg, u64 ea, void *buf,
		  unsigned int bytes, unsigned int acc)
{
	u64 linear;
	int r = emul_linearize(em, seg, ea, bytes, acc, &linear);

	return r ? r : emul_linear_read(em, linear, buf, bytes, acc);
}

/**
 * emul_mem_write() - write at a logical address
 * @em: context
 * @seg: segment number
 * @ea: offset
 * @buf: source
 * @bytes: size
 */
int emul_mem_write(struct umbra_emul *em, unsigned int seg, u64 ea, const void *buf,
		   unsigned int bytes)
{
	u64 linear;
	int r = emul_linearize(em, seg, ea, bytes, UMBRA_EMUL_ACC_WRITE, &linear);

	return r ? r : emul_linear_write(em, linear, buf, bytes, 0);
}

/**
 * emul_mem_cmpxchg() - LOCKed update at a logical address
 * @em: context
 * @seg: segment number
 * @ea: offset
 * @old: value read before
 * @new: value to store
 * @bytes: 1, 2, 4, 8 or 16
 *
 * An operand across two pages cannot be updated atomically through two
 * mappings; it degrades to a plain write.
 */
int emul_mem_cmpxchg(struct umbra_emul *em, unsigned int seg, u64 ea, const void *old,
		     const void *new, unsigned int bytes)
{
	u64 linear;
	int r = emul_linearize(em, seg, ea, bytes, UMBRA_EMUL_ACC_WRITE, &linear);

	if (r)
		return r;
	if (page_part(linear, bytes) != bytes)
		return emul_linear_write(em, linear, new, bytes, 0);
	return em->ops->update(em, linear, old, new, bytes);
}

/**
 * emul_read_val() - read a little-endian integer at a logical address
 * @em: context
 * @seg: segment number
 * @ea: offset
 * @bytes: 1, 2, 4 or 8
 * @acc: as for emul_mem_read()
 * @val: receives the value, zero extended
 */
int emul_read_val(struct umbra_emul *em, unsigned int seg, u64 ea, unsigned int bytes,
		  unsigned int acc, u64 *val)
{
	u64 v = 0;
	int r = emul_mem_read(em, seg, ea, &v, bytes, acc);

	if (r == UMBRA_EMUL_OK)
		*val = v;
	return r;
}
