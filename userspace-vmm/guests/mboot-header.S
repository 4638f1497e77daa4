/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Multiboot 1 header of mboot, with addresses (for a flat image) or without.
 */
#define MAGIC		0x1badb002
#define MEMORY_INFO	0x00000002
#ifdef ADDRESSES
#define FLAGS		(MEMORY_INFO | 0x00010000)
#else
#define FLAGS		MEMORY_INFO
#endif

	.section .multiboot, "ax"
	.balign 4
header:
	.long	MAGIC
	.long	FLAGS
	.long	-(MAGIC + FLAGS)
#ifdef ADDRESSES
	.long	header
	.long	image_start
	.long	image_data_end
	.long	image_end
	.long	_start
#endif

	.section .note.GNU-stack, "", @progbits
