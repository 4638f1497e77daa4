/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's page constants, for module headers that unit tests include as they are. */
#ifndef UMBRA_UNIT_ASM_PAGE_H
#define UMBRA_UNIT_ASM_PAGE_H

#define PAGE_SHIFT	12
#define PAGE_SIZE	4096UL

#endif
