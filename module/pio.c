// SPDX-License-Identifier: GPL-2.0
/*
 * Port accesses: the fast path for IN and OUT straight from the exit record,
 * and the emulator's port callbacks for everything else.
 *
 * Data travels in the second page of the vCPU's mmap, which user space can
 * write at any time: it is read once, and sizes are kept in Umbra's memory.
 */
#include <linux/kvm.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/string.h>
#include "debug.h"
#include "emulate_internal.h"
#include "exit.h"
#include "iobus.h"
#include "regs.h"
#include "vcpu.h"

static void fill_run(struct umbra_vcpu *vcpu, u8 direction, u16 port, u8 size, u32 count)
{
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = direction;
	run->io.size = size;
	run->io.port = port;
	run->io.count = count;
	run->io.data_offset = KVM_PIO_PAGE_OFFSET * PAGE_SIZE;
}

/* Batches of the emulator are at most UMBRA_EMUL_IO_BYTES: less than the page. */
static void *pio_data(struct umbra_vcpu *vcpu)
{
	BUILD_BUG_ON(UMBRA_EMUL_IO_BYTES > PAGE_SIZE);
	return page_address(vcpu->pio_page);
}

/* Show user space the input that the emulator waits for. */
void umbra_pio_ask(struct umbra_vcpu *vcpu)
{
	const struct umbra_emulation *emu = vcpu->emu;

	fill_run(vcpu, KVM_EXIT_IO_IN, emu->asked.port, emu->asked.size, emu->asked.count);
}

/* User space filled in what umbra_pio_ask() showed. */
void umbra_pio_answered(struct umbra_vcpu *vcpu)
{
	struct umbra_emulation *emu = vcpu->emu;
	struct umbra_pio_batch *in = &emu->in;

	in->port = emu->asked.port;
	in->size = emu->asked.size;
	in->count = emu->asked.count;
	memcpy(in->data, pio_data(vcpu), in->size * in->count);
}

/* Show user space the output that the emulator queued. */
void umbra_pio_post(struct umbra_vcpu *vcpu)
{
	struct umbra_pio_batch *out = &vcpu->emu->out;

	memcpy(pio_data(vcpu), out->data, out->size * out->count);
	fill_run(vcpu, KVM_EXIT_IO_OUT, out->port, out->size, out->count);
	out->count = 0;
}

int umbra_em_pio_in(struct umbra_emul *em, u16 port, unsigned int size, void *buf,
		    unsigned int *count)
{
	struct umbra_vcpu *vcpu = em_vcpu(em);
	struct umbra_emulation *emu = vcpu->emu;
	const struct umbra_pio_batch *in = &emu->in;
	unsigned int i;

	if (in->count && in->port == port && in->size == size && in->count <= *count) {
		*count = in->count;
		memcpy(buf, in->data, size * in->count);
		return UMBRA_EMUL_OK;
	}
	for (i = 0; i < *count; i++)
		if (umbra_iobus_read(vcpu, UMBRA_BUS_PIO, port, size, buf + i * size))
			break;
	if (i) {
		*count = i;
		return UMBRA_EMUL_OK;
	}
	emu->asked.port = port;
	emu->asked.size = size;
	emu->asked.count = min_t(unsigned int, *count, UMBRA_EMUL_IO_BYTES / size);
	emu->ask = UMBRA_ASK_PIO;
	return UMBRA_EMUL_IO;
}

int umbra_em_pio_out(struct umbra_emul *em, u16 port, unsigned int size, const void *buf,
		     unsigned int *count)
{
	struct umbra_vcpu *vcpu = em_vcpu(em);
	struct umbra_pio_batch *out = &vcpu->emu->out;
	unsigned int i;

	for (i = 0; i < *count; i++)
		if (umbra_iobus_write(vcpu, UMBRA_BUS_PIO, port, size, buf + i * size))
			break;
	if (i) {
		*count = i;
		return UMBRA_EMUL_OK;
	}
	/* Where somebody listens, each element must be offered to him in turn. */
	if (umbra_iobus_listens(vcpu, UMBRA_BUS_PIO, port, size))
		*count = 1;
	*count = min_t(unsigned int, *count, UMBRA_EMUL_IO_BYTES / size);
	out->port = port;
	out->size = size;
	out->count = *count;
	memcpy(out->data, buf, size * out->count);
	em->rep_stop = true;
	return UMBRA_EMUL_OK;
}

static void set_accumulator(struct umbra_vcpu *vcpu, u32 val, u8 size)
{
	u64 *rax = &vcpu->gpr[UMBRA_RAX];

	if (size == 1)
		*rax = (*rax & ~0xffULL) | (val & 0xff);
	else if (size == 2)
		*rax = (*rax & ~0xffffULL) | (val & 0xffff);
	else
		*rax = val;
}

/* User space answered an IN: its value reaches RAX, then RIP steps. */
static int in_done(struct umbra_vcpu *vcpu)
{
	const struct umbra_emulation *emu = vcpu->emu;
	u32 val;

	/* As for MMIO reads: user space moved the vCPU elsewhere. */
	if (umbra_emulate_linear_rip(vcpu) != emu->linear_rip)
		return UMBRA_CONTINUE;
	memcpy(&val, pio_data(vcpu), sizeof(val));
	set_accumulator(vcpu, val, emu->fast.size);
	return umbra_step_rip(vcpu, emu->next_rip);
}

static int fast_in(struct umbra_vcpu *vcpu, u64 next_rip)
{
	struct umbra_emulation *emu = vcpu->emu;
	u16 port = vcpu->exit.io.port;
	u8 size = vcpu->exit.io.size;
	u32 val = 0;

	if (!umbra_iobus_read(vcpu, UMBRA_BUS_PIO, port, size, &val)) {
		set_accumulator(vcpu, val, size);
		return umbra_step_rip(vcpu, next_rip);
	}
	emu->fast.port = port;
	emu->fast.size = size;
	emu->next_rip = next_rip;
	emu->linear_rip = umbra_emulate_linear_rip(vcpu);
	fill_run(vcpu, KVM_EXIT_IO_IN, port, size, 1);
	vcpu->complete = in_done;
	return UMBRA_TO_USER;
}

/* A single-step trap over OUT waits until user space has seen the output. */
static int out_done(struct umbra_vcpu *vcpu)
{
	return umbra_debug_insn_done(vcpu, vcpu->emu->rflags_before);
}

static int fast_out(struct umbra_vcpu *vcpu, u64 next_rip)
{
	u32 val = vcpu->gpr[UMBRA_RAX];
	u8 size = vcpu->exit.io.size;
	u16 port = vcpu->exit.io.port;
	u64 rflags = vcpu->rflags;

	if (!umbra_iobus_write(vcpu, UMBRA_BUS_PIO, port, size, &val))
		return umbra_step_rip(vcpu, next_rip);
	memcpy(pio_data(vcpu), &val, sizeof(val));
	fill_run(vcpu, KVM_EXIT_IO_OUT, port, size, 1);
	if (umbra_advance_rip(vcpu, next_rip)) {
		vcpu->emu->rflags_before = rflags;
		vcpu->complete = out_done;
	}
	return UMBRA_TO_USER;
}

/**
 * umbra_pio_exit() - act on an exit for IN, OUT, INS or OUTS
 * @vcpu: virtual processor; the access is described by vcpu->exit.io
 * @atomic: the caller cannot sleep
 *
 * Context: SRCU read section held.
 * Return: UMBRA_CONTINUE, UMBRA_TO_USER, UMBRA_SLOW when @atomic is in the way,
 * -errno.
 */
int umbra_pio_exit(struct umbra_vcpu *vcpu, bool atomic)
{
	int verdict;
	u64 next;

	if (vcpu->exit.io.string)
		return atomic ? UMBRA_SLOW : umbra_emulate(vcpu);
	if (vcpu->exit.io.next_rip)
		next = vcpu->exit.io.next_rip;
	else if (!umbra_next_rip(vcpu, atomic, &next, &verdict))
		return verdict;
	return vcpu->exit.io.in ? fast_in(vcpu, next) : fast_out(vcpu, next);
}
