// SPDX-License-Identifier: GPL-2.0
/*
 * What the modes without nested tables share about a vCPU: the role of its
 * registers, the leaf that a fault deserves, pointing the processor at a root,
 * and the stock. Neither finds nor drops a table.
 */
#include "mmu_env.h"
#include "gwalk.h"
#include "mmu_internal.h"

union umbra_role umbra_root_role(const struct umbra_vcpu *vcpu)
{
	union umbra_role role = { .level = 3, .rights = UMBRA_RIGHTS };

	if (!(vcpu->cr0 & X86_CR0_PG)) {
		role.direct = 1;
		return role;
	}
	role.wp = !!(vcpu->cr0 & X86_CR0_WP);
	role.smep = !!(vcpu->cr4 & X86_CR4_SMEP);
	role.smap = !!(vcpu->cr4 & X86_CR4_SMAP);
	if (!(vcpu->cr4 & X86_CR4_PAE)) {
		role.levels = 2;
		role.pse = !!(vcpu->cr4 & X86_CR4_PSE);
		return role;
	}
	role.nx = !!(vcpu->efer & EFER_NX);
	role.levels = 3;
	if (vcpu->efer & EFER_LMA) {
		role.levels = (vcpu->cr4 & X86_CR4_LA57) ? 5 : 4;
		role.level = role.levels;
		role.pke = !!(vcpu->cr4 & X86_CR4_PKE);
	}
	return role;
}

/*
 * Without CR0.WP a supervisor may write what is read-only: as a supervisor's
 * page, until a user wants it. Checks that the processor makes for users' pages
 * alone are lost on it: SMEP is made up for; with SMAP or keys the write is
 * emulated.
 */
static bool lift_write(union umbra_role role, u8 *rights)
{
	if (*rights & UMBRA_RIGHT_U) {
		if (role.smap || role.pke)
			return false;
		*rights &= ~UMBRA_RIGHT_U;
		if (role.smep)
			*rights &= ~UMBRA_RIGHT_X;
	}
	*rights |= UMBRA_RIGHT_W;
	return true;
}

/* CR0.WP is always set in the processor, and with it a key binds supervisors too. */
static bool key_forbids(const struct umbra_fault *fault, union umbra_role role, u8 rights)
{
	u64 e;

	if (!role.pke || role.wp || !(rights & UMBRA_RIGHT_U) ||
	    (fault->access & UMBRA_ACC_USER))
		return false;
	e = fault->walk->entry[fault->walk->level];
	return umbra_guest_pkru(fault->vcpu) >> (2 * x86_pkey(e)) & 2;
}

/* The walk allowed a write: give the right to it; false when it must be emulated. */
static bool write_rights(const struct umbra_fault *fault, union umbra_role role, u8 *rights)
{
	if (*rights & UMBRA_RIGHT_W)
		return !key_forbids(fault, role, *rights);
	if (!role.wp && !(fault->access & UMBRA_ACC_USER))
		return lift_write(role, rights);
	/* All entries allow it: a dirty bit is missing, for its table lies in ROM. */
	if (role.direct)
		return false;
	*rights |= UMBRA_RIGHT_W;
	return true;
}

int umbra_fault_leaf(const struct umbra_fault *fault, union umbra_role role, u8 rights,
		     u64 *spte)
{
	gfn_t offset = fault->gfn & (umbra_level_pages(role.level) - 1);

	if (umbra_fault_writes(fault) && !write_rights(fault, role, &rights))
		return UMBRA_MMU_EMULATE;
	if (!fault->writable)
		rights &= ~UMBRA_RIGHT_W;
	*spte = spte_make_leaf(pfn_to_hpa(fault->frame.pfn - offset), role.level, rights);
	if (role.pke)
		*spte |= fault->walk->entry[fault->walk->level] & SPTE_PKEY;
	return UMBRA_MMU_RETRY;
}

void umbra_use_root(struct umbra_vcpu *vcpu, const u64 *table)
{
	hpa_t root = __pa(table);

	/* 32 bits of CR3 cannot tell that memory is encrypted. */
	umbra_vendor->set_root(vcpu, umbra_tables_long(vcpu) ? __sme_set(root) : root, false);
	umbra_vendor->flush_tlb(vcpu);
	umbra_stat_inc(vcpu, flushes_local);
	vcpu->mmu->loaded = true;
}

/* Page directory pointers are found by 32 bits of CR3. */
int umbra_tables_vcpu_create(struct umbra_vcpu *vcpu)
{
	vcpu->mmu->pdpt = (u64 *)__get_free_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO | GFP_DMA32);
	if (!vcpu->mmu->pdpt)
		return -ENOMEM;
	if (!set_memory_decrypted((unsigned long)vcpu->mmu->pdpt, 1))
		return 0;
	/* What state the page is in is not known: it is lost. */
	vcpu->mmu->pdpt = NULL;
	return -ENOMEM;
}

void umbra_tables_vcpu_destroy(struct umbra_vcpu *vcpu)
{
	if (!set_memory_encrypted((unsigned long)vcpu->mmu->pdpt, 1))
		free_page((unsigned long)vcpu->mmu->pdpt);
}

bool umbra_tables_stocked(const struct umbra_vcpu *vcpu)
{
	return umbra_pt_cache_ready(&vcpu->mmu->cache, UMBRA_STOCK_PAGES) &&
	       umbra_stock_ready(&vcpu->mmu->stock);
}

int umbra_tables_stock(struct umbra_vcpu *vcpu)
{
	if (umbra_pt_cache_fill(&vcpu->mmu->cache, UMBRA_STOCK_PAGES))
		return -ENOMEM;
	return umbra_stock_fill(&vcpu->mmu->stock);
}

void umbra_tables_locked(struct umbra_vcpu *vcpu, gva_t gva,
			 void (*work)(struct umbra_vcpu *vcpu, gva_t gva, struct umbra_tlb *tlb))
{
	struct umbra_vm *vm = vcpu->vm;
	struct umbra_tlb tlb;

	umbra_tlb_lock(&tlb, vm);
	work(vcpu, gva, &tlb);
	umbra_tlb_unlock(&tlb);
}
