/* SPDX-License-Identifier: GPL-2.0 */
/* Empty: irq_shim.h has what module headers need of this one. */
#ifndef UMBRA_UNIT_LINUX_LIST_H
#define UMBRA_UNIT_LINUX_LIST_H
#endif
