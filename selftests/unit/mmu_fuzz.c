// SPDX-License-Identifier: GPL-2.0
/*
 * libFuzzer target over model_run(): the bytes choose modes and actions. Built by
 * `make fuzz`; run for example build/unit/mmu_fuzz -max_len=4096 -max_total_time=600.
 */
#include "mmu_lib_model.h"

#define MAX_STEPS	400

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	model_run(data, size, MAX_STEPS);
	return 0;
}
