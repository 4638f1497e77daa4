/* SPDX-License-Identifier: GPL-2.0 */
/*
 * VMX bits that <asm/vmx.h> and <asm/msr-index.h> lack, and groups of those
 * that they have. Definitions only: no state, no functions with effects.
 */
#ifndef UMBRA_VMX_DEFS_H
#define UMBRA_VMX_DEFS_H

#include <linux/bits.h>
#include <asm/vmx.h>

/* Exits by which Umbra sees what the guest does to its own translations; also INVPCID. */
#define VMX_EXEC_SHADOW		(CPU_BASED_CR3_LOAD_EXITING | CPU_BASED_CR3_STORE_EXITING | \
				 CPU_BASED_INVLPG_EXITING)
/* A second level of tables, and with it guests without paging or protection. */
#define VMX_EXEC2_NESTED	(SECONDARY_EXEC_ENABLE_EPT | SECONDARY_EXEC_UNRESTRICTED_GUEST)

/* IA32_VMX_EPT_VPID_CAP, the upper half. */
#define VMX_CAP_INVVPID		BIT_ULL(32)
#define VMX_CAP_INVVPID_SINGLE	BIT_ULL(41)
#define VMX_CAP_INVVPID_ALL	BIT_ULL(42)

/* Halves of the MSR bitmap, 1 KiB each: 0x0-0x1fff and 0xc0000000-0xc0001fff. */
#define VMX_BITMAP_READ_LOW	0
#define VMX_BITMAP_READ_HIGH	0x400
#define VMX_BITMAP_WRITE_LOW	0x800
#define VMX_BITMAP_WRITE_HIGH	0xc00

/* Exit reasons without a name in <asm/vmx.h>. */
#define VMX_EXIT_IO_SMI		5
#define VMX_EXIT_OTHER_SMI	6
#define VMX_EXIT_GETSEC		11
#define VMX_EXIT_RSM		17

/* Exit qualification of I/O instructions. */
#define VMX_IO_SIZE		7u		/* minus one */
#define VMX_IO_IN		BIT(3)
#define VMX_IO_STRING		BIT(4)
#define VMX_IO_REP		BIT(5)
#define VMX_IO_PORT_SHIFT	16

/* Exit qualification of CR accesses. */
#define VMX_CR_NUMBER		0xfu
#define VMX_CR_MOV_TO		0x00
#define VMX_CR_MOV_FROM		0x10
#define VMX_CR_GPR_SHIFT	8

/* Interruption information: the types are umbra_event_type's, shifted. */
#define VMX_INTR_TYPE_SHIFT	8

/* Access rights: one that <asm/vmx.h> does not name, and the segments after INIT. */
#define VMX_AR_AVL_MASK		BIT(12)
#define VMX_AR_RESET_DATA	0x93u
#define VMX_AR_RESET_CODE	0x9bu
#define VMX_AR_RESET_TR		0x8bu
#define VMX_AR_RESET_LDTR	0x82u

#endif
