/* SPDX-License-Identifier: GPL-2.0 */
/* One emulated machine driven by arbitrary bytes: shared by test and fuzzer. */
#ifndef EMUL_LIB_CHAOS_H
#define EMUL_LIB_CHAOS_H

#include "emul_lib.h"

/**
 * chaos_run() - build a state from @data, run what follows as instructions
 * @m: machine, overwritten
 * @data: any bytes
 * @size: how many
 *
 * Aborts on a broken promise of the interface: an unknown result, an access
 * across a page, state changed by a fault outside REP, an endless REP.
 */
void chaos_run(struct mach *m, const u8 *data, size_t size);

#endif /* EMUL_LIB_CHAOS_H */
