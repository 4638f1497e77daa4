/* SPDX-License-Identifier: GPL-2.0 */
/*
 * SVM bits that <asm/svm.h> and <asm/msr-index.h> lack, and size checks.
 * Definitions only: no state, no functions with effects.
 */
#ifndef UMBRA_SVM_DEFS_H
#define UMBRA_SVM_DEFS_H

#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <asm/svm.h>

/* Nested page fault error code, EXITINFO1 of SVM_EXIT_NPF. */
#define SVM_NPF_PRESENT		BIT_ULL(0)
#define SVM_NPF_WRITE		BIT_ULL(1)
#define SVM_NPF_USER		BIT_ULL(2)
#define SVM_NPF_EXEC		BIT_ULL(4)
#define SVM_NPF_FINAL		BIT_ULL(32)	/* the guest's own final address */
#define SVM_NPF_WALK		BIT_ULL(33)	/* while walking the guest's tables */

/* EXITINFO1 of SVM_EXIT_IOIO. */
#define SVM_IOIO_PORT_SHIFT	16

/* EXITINFO1 of CR accesses with decode assists. */
#define SVM_CR_MOV		BIT_ULL(63)
#define SVM_CR_GPR		0xfu

/* Permission maps: sizes and layout from the chapter on intercepts. */
#define SVM_IOPM_ORDER		2		/* 12 KiB, rounded up */
#define SVM_MSRPM_ORDER		1		/* 8 KiB */

/* Segment attributes as the VMCB packs them. */
#define SVM_ATTR_TYPE_CODE	0x08u

static_assert(sizeof(struct vmcb_control_area) == 0x400);
static_assert(sizeof(struct vmcb) <= 4096);
static_assert(offsetof(struct vmcb_control_area, exit_code) == 0x70);
static_assert(offsetof(struct vmcb_control_area, event_inj) == 0xa8);
static_assert(offsetof(struct vmcb_control_area, nested_cr3) == 0xb0);
static_assert(offsetof(struct vmcb_control_area, insn_len) == 0xd0);
static_assert(offsetof(struct vmcb_save_area, efer) == 0xd0);
static_assert(offsetof(struct vmcb_save_area, rip) == 0x178);
static_assert(offsetof(struct vmcb_save_area, cr2) == 0x240);

#endif
