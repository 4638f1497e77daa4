// SPDX-License-Identifier: GPL-2.0
/*
 * Hypervisors inside guests, as far as it is no vendor's: the module parameter "nested",
 * and writes to the memory that such a hypervisor shares with its processor.
 */
#include <linux/moduleparam.h>
#include "guest_mem.h"
#include "inner.h"
#include "mmu/mmu.h"
#include "vcpu.h"
#include "vendor.h"

static bool nested;
module_param(nested, bool, 0644);
MODULE_PARM_DESC(nested, "let guests of new VMs run guests of their own: experimental, AMD only (default: no)");

bool umbra_inner_offered(void)
{
	return umbra_caps.inner && READ_ONCE(nested);
}

int umbra_inner_store(struct umbra_vcpu *vcpu, gpa_t gpa, const void *data, unsigned int len)
{
	int r;

	umbra_mmu_guest_write(vcpu, gpa, data, len, false);
	r = umbra_gpa_write(vcpu->vm, gpa, data, len);
	umbra_mmu_guest_write(vcpu, gpa, data, len, true);
	return r;
}
