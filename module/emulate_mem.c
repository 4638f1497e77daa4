// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory for the emulator: translation, RAM, and MMIO.
 *
 * MMIO reads are answered by listeners in the kernel or by user space, and
 * replayed from a log when the instruction runs again; MMIO writes are queued
 * here and handed to user space by emulate.c. The MMU hears of every access to
 * RAM, as it traces the guest's tables. Must not touch the run page.
 */
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/string.h>
#include "emulate_internal.h"
#include "guest_mem.h"
#include "iobus.h"
#include "memslot.h"
#include "mmu/mmu.h"
#include "vcpu.h"

static u32 walk_access(const struct umbra_emul *em, unsigned int acc, bool write)
{
	u32 access = UMBRA_ACC_READ;

	if (acc & UMBRA_EMUL_ACC_FETCH)
		access = UMBRA_ACC_EXEC;
	if (write || (acc & UMBRA_EMUL_ACC_WRITE))
		access = UMBRA_ACC_WRITE;
	if (acc & UMBRA_EMUL_ACC_SYSTEM)
		access |= UMBRA_ACC_IMPLICIT;
	else if (em->cpl == 3)
		access |= UMBRA_ACC_USER;
	return access;
}

/*
 * Within one instruction the last translation holds for the same page, as a
 * TLB entry would. One for writing serves for reading, not the reverse.
 */
static bool translated(const struct umbra_emulation *emu, u64 linear, u32 access, gpa_t *gpa)
{
	u32 as_write = access & UMBRA_ACC_READ ? access ^ (UMBRA_ACC_READ | UMBRA_ACC_WRITE) :
						 access;

	if (emu->xlat.page != (linear & PAGE_MASK))
		return false;
	if (access != emu->xlat.access && as_write != emu->xlat.access)
		return false;
	*gpa = emu->xlat.gpa | offset_in_page(linear);
	return true;
}

/* Guest tables that lie in no memory leave the access without an answer. */
static int translate(struct umbra_emul *em, u64 linear, u32 access, bool set_ad, gpa_t *gpa)
{
	struct umbra_emulation *emu = em_vcpu(em)->emu;
	struct umbra_walk w = {};
	int r;

	if (translated(emu, linear, access, gpa))
		return UMBRA_EMUL_OK;
	r = umbra_mmu_walk(em_vcpu(em), linear, access, set_ad, &w);
	*gpa = w.gpa;
	if (!r) {
		/* A probe leaves accessed and dirty bits to the access itself. */
		if (set_ad)
			umbra_emulate_translated(emu, linear, access, w.gpa);
		return UMBRA_EMUL_OK;
	}
	if (r != -EFAULT)
		return umbra_emulate_host_error(em, r);
	if (w.bad_gpa)
		return UMBRA_EMUL_UNHANDLED;
	em->fault = (struct umbra_emul_fault){
		.vector = X86_TRAP_PF, .has_error = true, .error = w.error, .cr2 = linear,
	};
	return UMBRA_EMUL_FAULT;
}

/* One read of up to 8 bytes: from the log, from the kernel, or from user space. */
static int mmio_read_part(struct umbra_vcpu *vcpu, gpa_t gpa, void *buf, u8 len)
{
	struct umbra_mmio_list *log = &vcpu->emu->reads;
	struct umbra_mmio_part *part = &log->part[log->pos];

	if (log->pos < log->nr && part->gpa == gpa && part->len == len)
		goto replay;
	/* What follows belongs to accesses that are not made any more. */
	log->nr = log->pos;
	if (log->nr == UMBRA_MMIO_PARTS)
		return UMBRA_EMUL_UNHANDLED;
	part->gpa = gpa;
	part->len = len;
	if (umbra_iobus_read(vcpu, UMBRA_BUS_MMIO, gpa, len, part->data)) {
		vcpu->emu->ask = UMBRA_ASK_MMIO;
		return UMBRA_EMUL_IO;
	}
	log->nr++;
replay:
	log->pos++;
	memcpy(buf, part->data, len);
	return UMBRA_EMUL_OK;
}

static int mmio_read(struct umbra_vcpu *vcpu, gpa_t gpa, void *buf, unsigned int bytes)
{
	unsigned int len;
	int r;

	if (vcpu->emu->atomic)
		return UMBRA_EMUL_UNHANDLED;
	for (; bytes; bytes -= len, gpa += len, buf += len) {
		len = min(bytes, 8u);
		r = mmio_read_part(vcpu, gpa, buf, len);
		if (r != UMBRA_EMUL_OK)
			return r;
	}
	return UMBRA_EMUL_OK;
}

static int mmio_write(struct umbra_emul *em, gpa_t gpa, const void *buf, unsigned int bytes)
{
	struct umbra_vcpu *vcpu = em_vcpu(em);
	struct umbra_mmio_list *queue = &vcpu->emu->writes;
	unsigned int len;

	if (vcpu->emu->atomic || queue->nr + DIV_ROUND_UP(bytes, 8) > UMBRA_MMIO_PARTS)
		return UMBRA_EMUL_UNHANDLED;
	for (; bytes; bytes -= len, gpa += len, buf += len) {
		struct umbra_mmio_part *part = &queue->part[queue->nr];

		len = min(bytes, 8u);
		/* Behind a write that waits, a later one must wait too. */
		if (!queue->nr && !umbra_iobus_write(vcpu, UMBRA_BUS_MMIO, gpa, len, buf))
			continue;
		part->gpa = gpa;
		part->len = len;
		memcpy(part->data, buf, len);
		queue->nr++;
		em->rep_stop = true;
	}
	return UMBRA_EMUL_OK;
}

int umbra_em_read(struct umbra_emul *em, u64 linear, void *buf, unsigned int bytes,
		  unsigned int acc)
{
	struct umbra_vcpu *vcpu = em_vcpu(em);
	bool probe = acc & UMBRA_EMUL_ACC_PROBE;
	gpa_t gpa;
	int r;

	r = translate(em, linear, walk_access(em, acc, false), !probe, &gpa);
	if (r != UMBRA_EMUL_OK || probe)
		return r;
	if (umbra_gfn_to_slot(vcpu->vm, gpa_to_gfn(gpa))) {
		umbra_mmu_guest_read(vcpu, gpa, bytes);
		r = umbra_gpa_read(vcpu->vm, gpa, buf, bytes);
		if (!r)
			return UMBRA_EMUL_OK;
		/* A slot that died between the two lookups is no error: a device answers. */
		if (umbra_gfn_to_slot(vcpu->vm, gpa_to_gfn(gpa)))
			return umbra_emulate_host_error(em, r);
	}
	/* Instructions are never asked from user space. */
	if (acc & UMBRA_EMUL_ACC_FETCH)
		return UMBRA_EMUL_UNHANDLED;
	return mmio_read(vcpu, gpa, buf, bytes);
}

/* Whether a write to @gpa goes to memory, not to a device. */
static bool writable_memory(struct umbra_vm *vm, gpa_t gpa)
{
	const struct umbra_memslot *slot = umbra_gfn_to_slot(vm, gpa_to_gfn(gpa));

	return slot && !(slot->flags & KVM_MEM_READONLY);
}

/* A write to memory ended with @error; the slot may have died before it. */
static int write_failed(struct umbra_emul *em, int error, gpa_t gpa, const void *buf,
			unsigned int bytes)
{
	if (writable_memory(em_vcpu(em)->vm, gpa))
		return umbra_emulate_host_error(em, error);
	return mmio_write(em, gpa, buf, bytes);
}

static int write_gpa(struct umbra_emul *em, gpa_t gpa, const void *buf, unsigned int bytes)
{
	struct umbra_vcpu *vcpu = em_vcpu(em);
	int r;

	if (!writable_memory(vcpu->vm, gpa))
		return mmio_write(em, gpa, buf, bytes);
	umbra_mmu_guest_write(vcpu, gpa, buf, bytes, false);
	r = umbra_gpa_write(vcpu->vm, gpa, buf, bytes);
	umbra_mmu_guest_write(vcpu, gpa, buf, bytes, true);
	return r ? write_failed(em, r, gpa, buf, bytes) : UMBRA_EMUL_OK;
}

int umbra_em_write(struct umbra_emul *em, u64 linear, const void *buf, unsigned int bytes,
		   unsigned int acc)
{
	gpa_t gpa;
	int r = translate(em, linear, walk_access(em, acc, true), true, &gpa);

	return r == UMBRA_EMUL_OK ? write_gpa(em, gpa, buf, bytes) : r;
}

/*
 * The host cannot update an unaligned operand atomically without a split
 * lock, which it may punish: compare and write.
 */
static int cmpxchg_unaligned(struct umbra_emul *em, gpa_t gpa, const void *old,
			     const void *new, unsigned int bytes)
{
	u8 now[16];
	int r;

	umbra_mmu_guest_read(em_vcpu(em), gpa, bytes);
	r = umbra_gpa_read(em_vcpu(em)->vm, gpa, now, bytes);
	if (r)
		return write_failed(em, r, gpa, new, bytes);
	if (memcmp(now, old, bytes))
		return UMBRA_EMUL_RETRY;
	return write_gpa(em, gpa, new, bytes);
}

int umbra_em_cmpxchg(struct umbra_emul *em, u64 linear, const void *old, const void *new,
		     unsigned int bytes)
{
	struct umbra_vcpu *vcpu = em_vcpu(em);
	u8 expect[16];
	gpa_t gpa;
	int r;

	if (bytes > sizeof(expect))
		return UMBRA_EMUL_UNHANDLED;
	r = translate(em, linear, walk_access(em, 0, true), true, &gpa);
	if (r != UMBRA_EMUL_OK)
		return r;
	if (!writable_memory(vcpu->vm, gpa))
		return mmio_write(em, gpa, new, bytes);
	if (gpa & (bytes - 1))
		return cmpxchg_unaligned(em, gpa, old, new, bytes);
	memcpy(expect, old, bytes);
	umbra_mmu_guest_write(vcpu, gpa, new, bytes, false);
	r = umbra_gpa_cmpxchg(vcpu->vm, gpa, expect, new, bytes);
	if (r == -EAGAIN)
		return UMBRA_EMUL_RETRY;
	umbra_mmu_guest_write(vcpu, gpa, new, bytes, true);
	return r ? write_failed(em, r, gpa, new, bytes) : UMBRA_EMUL_OK;
}
