// SPDX-License-Identifier: GPL-2.0
/*
 * Guest linear addresses to memory: KVM_TRANSLATE where the hypervisor has it,
 * else a walk of the guest's tables here.
 *
 * For diagnostics: reads only, ignores permissions, trusts nothing it reads.
 */
#include <string.h>
#include <sys/ioctl.h>

#include "gwalk.h"

#define CR0_PG		BIT_ULL(31)
#define CR4_PSE		BIT_ULL(4)
#define CR4_PAE		BIT_ULL(5)
#define CR4_LA57	BIT_ULL(12)
#define EFER_LMA	BIT_ULL(10)
#define PTE_PRESENT	BIT_ULL(0)
#define PTE_LARGE	BIT_ULL(7)
#define PTE_ADDRESS	0x000ffffffffff000ULL

static bool read_entry(const struct machine *m, u64 gpa, u32 size, u64 *entry)
{
	const void *p = machine_ram(m, gpa, size);

	*entry = 0;
	if (!p)
		return false;
	memcpy(entry, p, size);
	return *entry & PTE_PRESENT;
}

static bool walk_legacy(const struct machine *m, const struct kvm_sregs *s, u64 gva, u64 *gpa)
{
	u64 entry;

	gva &= 0xffffffff;
	if (!read_entry(m, (s->cr3 & 0xfffff000) + (gva >> 22) * 4, 4, &entry))
		return false;
	if (entry & PTE_LARGE && s->cr4 & CR4_PSE) {
		*gpa = (entry & 0xffc00000) | (entry & 0x1fe000) << 19 | (gva & 0x3fffff);
		return true;
	}
	if (!read_entry(m, (entry & 0xfffff000) + (gva >> 12 & 0x3ff) * 4, 4, &entry))
		return false;
	*gpa = (entry & 0xfffff000) | (gva & 0xfff);
	return true;
}

static bool walk_wide(const struct machine *m, const struct kvm_sregs *s, u64 gva, u64 *gpa)
{
	bool long_mode = s->efer & EFER_LMA;
	int level = !long_mode ? 3 : s->cr4 & CR4_LA57 ? 5 : 4;
	u64 table = s->cr3 & (long_mode ? PTE_ADDRESS : 0xffffffe0);
	u64 entry, offset;

	if (!long_mode)
		gva &= 0xffffffff;
	for (; level >= 1; level--) {
		int shift = 12 + 9 * (level - 1);

		if (!read_entry(m, table + (gva >> shift & 0x1ff) * 8, 8, &entry))
			return false;
		offset = BIT_ULL(shift) - 1;
		if (level == 1 || (entry & PTE_LARGE && level <= (long_mode ? 3 : 2))) {
			*gpa = (entry & PTE_ADDRESS & ~offset) | (gva & offset);
			return true;
		}
		table = entry & PTE_ADDRESS;
	}
	return false;
}

/**
 * gwalk_translate() - Guest-physical address of a linear one.
 * @v: vCPU that does not run
 * @s: its state
 * @gva: linear address
 * @gpa: filled in
 *
 * Return: false when nothing is mapped there.
 */
bool gwalk_translate(const struct vcpu *v, const struct kvm_sregs *s, u64 gva, u64 *gpa)
{
	struct kvm_translation t = { .linear_address = gva };

	if (!ioctl(v->fd, KVM_TRANSLATE, &t)) {
		*gpa = t.physical_address;
		return t.valid;
	}
	if (!(s->cr0 & CR0_PG)) {
		*gpa = gva & 0xffffffff;
		return true;
	}
	if (s->cr4 & CR4_PAE)
		return walk_wide(v->m, s, gva, gpa);
	return walk_legacy(v->m, s, gva, gpa);
}

/**
 * gwalk_read() - Read guest memory by linear address.
 * @v: vCPU that does not run
 * @s: its state
 * @gva: linear address
 * @data: destination
 * @size: bytes wanted
 *
 * Return: bytes read; fewer when a page is missing.
 */
size_t gwalk_read(const struct vcpu *v, const struct kvm_sregs *s, u64 gva, u8 *data, size_t size)
{
	size_t done = 0, part;
	const void *p;
	u64 gpa;

	while (done < size) {
		part = 4096 - ((gva + done) & 0xfff);
		if (part > size - done)
			part = size - done;
		if (!gwalk_translate(v, s, gva + done, &gpa))
			break;
		p = machine_ram(v->m, gpa, part);
		if (!p)
			break;
		memcpy(data + done, p, part);
		done += part;
	}
	return done;
}
