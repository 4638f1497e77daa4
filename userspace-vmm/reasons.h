/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Exit reasons, entry failures and internal errors in words.
 */
#ifndef UMBRA_VMM_REASONS_H
#define UMBRA_VMM_REASONS_H

#include "types.h"

const char *exit_reason_name(u32 reason);
const char *fail_entry_text(u64 reason);
const char *internal_error_text(u32 suberror);

#endif
