/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which MMU modes this host offers, and which one new VMs get: the module
 * parameter "mmu".
 */
#ifndef UMBRA_MODE_H
#define UMBRA_MODE_H

#include "mmu/mmu.h"

/* After the vendor's probe: settle the default. 0, or -EOPNOTSUPP for a parameter. */
int umbra_mode_init(void);

bool umbra_mode_offered(enum umbra_mmu_mode mode);
/* The mode of VMs that do not name one. It can change at any time. */
enum umbra_mmu_mode umbra_mode_default(void);
/* As the parameter spells it. */
const char *umbra_mode_name(enum umbra_mmu_mode mode);

/* UMBRA_MMU_MODE_* of all that are offered. */
u32 umbra_mode_bits(void);
u32 umbra_mode_to_bit(enum umbra_mmu_mode mode);
/* False unless @bit is one bit of a mode that is known, offered or not. */
bool umbra_mode_from_bit(u32 bit, enum umbra_mmu_mode *mode);

#endif
