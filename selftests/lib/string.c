// SPDX-License-Identifier: GPL-2.0
/*
 * The string functions that the compiler calls on its own. They replace the C
 * library's in the whole program: those pick AVX code by the host's CPUID,
 * which a guest without XCR0 set up cannot run.
 */
#include <stddef.h>
#include <string.h>

void *memcpy(void *dest, const void *src, size_t n)
{
	void *ret = dest;

	asm volatile("rep movsb" : "+D"(dest), "+S"(src), "+c"(n) : : "memory");
	return ret;
}

void *memmove(void *dest, const void *src, size_t n)
{
	char *d = dest;
	const char *s = src;

	if (d <= s || d >= s + n)
		return memcpy(dest, src, n);
	while (n--)
		d[n] = s[n];
	return dest;
}

void *memset(void *dest, int c, size_t n)
{
	void *ret = dest;

	asm volatile("rep stosb" : "+D"(dest), "+c"(n) : "a"(c) : "memory");
	return ret;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}
