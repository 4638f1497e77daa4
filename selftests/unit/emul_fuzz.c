// SPDX-License-Identifier: GPL-2.0
/*
 * libFuzzer target over chaos_run(). Built by `make fuzz`; run for example
 * build/unit/emul_fuzz -max_len=160 -max_total_time=600.
 */
#include "emul_lib_chaos.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct mach mach;

	chaos_run(&mach, data, size);
	return 0;
}
