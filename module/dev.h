/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The /dev/umbra node.
 */
#ifndef UMBRA_DEV_H
#define UMBRA_DEV_H

int umbra_dev_register(void);
void umbra_dev_unregister(void);

#endif
