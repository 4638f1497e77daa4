// SPDX-License-Identifier: GPL-2.0
/*
 * Writes on behalf of a guest: the pages that paravirtual clocks and the task priority are
 * in. Brings together guest_mem.c, which knows of no translations, and the MMU, which has
 * to know what may be a table of the guest's. Emulated instructions have their own, with
 * devices: emulate_mem.c.
 */
#include <linux/minmax.h>
#include <linux/mm.h>
#include "guest_mem.h"
#include "guest_write.h"
#include "mmu/mmu.h"
#include "vcpu.h"

int umbra_guest_write(struct umbra_vcpu *vcpu, gpa_t gpa, const void *data, unsigned int len)
{
	unsigned int n;
	int r;

	for (; len; gpa += n, data += n, len -= n) {
		n = min_t(unsigned int, len, PAGE_SIZE - offset_in_page(gpa));
		umbra_mmu_guest_write(vcpu, gpa, data, n, false);
		r = umbra_gpa_write(vcpu->vm, gpa, data, n);
		umbra_mmu_guest_write(vcpu, gpa, data, n, true);
		if (r)
			return r;
	}
	return 0;
}
