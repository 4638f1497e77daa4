// SPDX-License-Identifier: GPL-2.0
/*
 * The primes below 16,777,216 by the sieve of Eratosthenes, one byte a number:
 * 16 MiB of memory written many times over. Prints how many, and the last ones.
 *
 * The count is compared with the known value, the last primes with trial division.
 */
#include "guest.h"

#define LIMIT		(16u << 20)
#define PRIMES_BELOW	1077871u
#define SHOWN		5

static u8 composite[LIMIT] __attribute__((aligned(4096)));

static u32 sieve(void)
{
	u32 i, j, count = 0;

	for (i = 2; i < LIMIT; i++) {
		if (composite[i])
			continue;
		count++;
		if (i < 4096)
			for (j = i * i; j < LIMIT; j += i)
				composite[j] = 1;
	}
	return count;
}

static bool is_prime(u32 n)
{
	u32 d;

	for (d = 2; d * d <= n; d++)
		if (n % d == 0)
			return false;
	return n > 1;
}

u32 guest_main(const struct boot_info *info, u32 magic)
{
	u32 count, n, shown = 0;

	CHECK(magic == BOOT_MAGIC);
	CHECK((u64)info->mem_upper << 10 >= LIMIT + (1u << 20));
	println("sieve: primes below ", LIMIT);
	count = sieve();
	println("sieve: found ", count);
	CHECK(count == PRIMES_BELOW);
	print("sieve: the last ones:");
	for (n = LIMIT - 1; shown < SHOWN; n--) {
		CHECK(is_prime(n) == !composite[n]);
		if (composite[n])
			continue;
		print(" ");
		print_dec(n);
		shown++;
	}
	print("\n");
	return 0;
}
