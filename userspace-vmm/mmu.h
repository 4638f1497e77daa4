/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The MMU modes of Umbra: their names, and which of them a device offers.
 */
#ifndef UMBRA_VMM_MMU_H
#define UMBRA_VMM_MMU_H

#include "types.h"

#define MMU_MAX_MODES	3

/**
 * struct mmu_choice - what a device offers
 * @modes: UMBRA_MMU_MODE_*, one bit each, in the order of umbra.1
 * @n: how many
 * @preset: the one that VMs get which name none
 */
struct mmu_choice {
	u32 modes[MMU_MAX_MODES];
	unsigned int n;
	u32 preset;
};

const char *mmu_name(u32 mode);
u32 mmu_find(const char *name);
int mmu_choice(int fd, struct mmu_choice *choice);
bool mmu_offers(const struct mmu_choice *choice, u32 mode);
void mmu_list(const struct mmu_choice *choice, char *text, size_t size);

#endif
