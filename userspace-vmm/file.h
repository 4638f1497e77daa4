/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whole files in memory.
 */
#ifndef UMBRA_VMM_FILE_H
#define UMBRA_VMM_FILE_H

#include "types.h"

u8 *file_read(const char *path, size_t *size);

#endif
