// SPDX-License-Identifier: GPL-2.0
/*
 * Cost of an exit: N CPUID instructions between two readings of the TSC.
 *
 * With scripts/lab --icount a TSC tick is one executed instruction of the host,
 * so that the number is exact. The argument is N, 1000 unless given.
 */
#include "guest.h"

static u64 measure(unsigned long n, bool exits)
{
	u64 start = read_tsc();
	u32 eax, ebx, ecx, edx;
	unsigned long i;

	for (i = 0; i < n; i++) {
		if (exits)
			cpuid(0, &eax, &ebx, &ecx, &edx);
		barrier();
	}
	return read_tsc() - start;
}

u32 guest_main(const struct boot_info *info, u32 magic)
{
	unsigned long n = guest_number(info, 0, 1000);
	u32 first, again, ebx, ecx, edx;
	u64 empty, ticks;

	CHECK(magic == BOOT_MAGIC && n > 0);
	cpuid(0, &first, &ebx, &ecx, &edx);
	measure(n < 100 ? n : 100, true);
	empty = measure(n, false);
	ticks = measure(n, true);
	cpuid(0, &again, &ebx, &ecx, &edx);
	CHECK(again == first && first >= 1);
	CHECK(ticks > empty);
	println("cpuid: exits ", n);
	println("cpuid: TSC ticks ", ticks);
	println("cpuid: TSC ticks without CPUID ", empty);
	println("cpuid: TSC ticks per exit ", (ticks - empty) / n);
	return 0;
}
