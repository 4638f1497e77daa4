// SPDX-License-Identifier: GPL-2.0
/*
 * Instruction bytes to text, with zydis, in the mode of the guest's code segment.
 */
#include <Zydis/Zydis.h>

#include "disasm.h"

#define CR0_PE		BIT_ULL(0)
#define EFER_LMA	BIT_ULL(10)

static ZydisMachineMode machine_mode(const struct kvm_sregs *s)
{
	if (!(s->cr0 & CR0_PE))
		return ZYDIS_MACHINE_MODE_REAL_16;
	if (s->efer & EFER_LMA && s->cs.l)
		return ZYDIS_MACHINE_MODE_LONG_64;
	return s->cs.db ? ZYDIS_MACHINE_MODE_LEGACY_32 : ZYDIS_MACHINE_MODE_LEGACY_16;
}

/**
 * disasm_one() - Disassemble one instruction.
 * @s: state that gives the mode
 * @rip: its offset in the code segment
 * @bytes: instruction bytes
 * @size: of @bytes
 * @text: filled in, empty when the bytes are no instruction
 * @text_size: of @text
 *
 * Return: length of the instruction, 0 when the bytes are none.
 */
size_t disasm_one(const struct kvm_sregs *s, u64 rip, const u8 *bytes, size_t size, char *text,
		  size_t text_size)
{
	ZydisDisassembledInstruction insn;

	text[0] = '\0';
	if (!ZYAN_SUCCESS(ZydisDisassembleIntel(machine_mode(s), rip, bytes, size, &insn)))
		return 0;
	snprintf(text, text_size, "%s", insn.text);
	return insn.info.length;
}

static void print_line(FILE *f, u64 rip, const u8 *bytes, size_t size, const char *text)
{
	size_t i;

	fprintf(f, "  %016llx ", rip);
	for (i = 0; i < size; i++)
		fprintf(f, " %02x", bytes[i]);
	fprintf(f, "%*s  %s\n", size < 10 ? (int)(10 - size) * 3 : 0, "", text);
}

/**
 * disasm_print() - Print a few instructions, one to a line.
 * @f: where to
 * @s: state that gives the mode
 * @rip: offset of the first in the code segment
 * @bytes: instruction bytes
 * @size: of @bytes
 * @count: print at most this many
 */
void disasm_print(FILE *f, const struct kvm_sregs *s, u64 rip, const u8 *bytes, size_t size,
		  unsigned int count)
{
	size_t done = 0, n;
	char text[128];

	while (count-- && done < size) {
		n = disasm_one(s, rip + done, bytes + done, size - done, text, sizeof(text));
		if (!n) {
			n = size - done < INSN_MAX ? size - done : INSN_MAX;
			print_line(f, rip + done, bytes + done, n, "(no instruction)");
			return;
		}
		print_line(f, rip + done, bytes + done, n, text);
		done += n;
	}
}
