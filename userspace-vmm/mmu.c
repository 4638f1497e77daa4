// SPDX-License-Identifier: GPL-2.0
/*
 * The MMU modes of Umbra by name and by bit, and what a device says of them.
 *
 * Makes no VM: machine.c does, with the mode that cmd_run.c was told.
 */
#include <linux/umbra.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "mmu.h"

static const struct {
	u32 mode;
	const char *name;
} modes[MMU_MAX_MODES] = {
	{ UMBRA_MMU_MODE_NESTED, "nested" },
	{ UMBRA_MMU_MODE_SHADOW, "shadow" },
	{ UMBRA_MMU_MODE_VTLB, "vtlb" },
};

/**
 * mmu_name() - Name of a mode, as options spell it.
 * @mode: one bit UMBRA_MMU_MODE_*
 *
 * Return: a constant string, or NULL for another value.
 */
const char *mmu_name(u32 mode)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++)
		if (modes[i].mode == mode)
			return modes[i].name;
	return NULL;
}

/**
 * mmu_find() - A mode by its name.
 * @name: as mmu_name() gives it
 *
 * Return: one bit UMBRA_MMU_MODE_*, or 0 when there is no such mode.
 */
u32 mmu_find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++)
		if (!strcmp(modes[i].name, name))
			return modes[i].mode;
	return 0;
}

/**
 * mmu_choice() - Ask a device for the modes it offers.
 * @fd: open device
 * @choice: filled in
 *
 * Return: 0, or -1 when the device knows no modes: it is not Umbra's, or older.
 */
int mmu_choice(int fd, struct mmu_choice *choice)
{
	struct umbra_info info;
	size_t i;

	memset(choice, 0, sizeof(*choice));
	if (ioctl(fd, UMBRA_GET_INFO, &info) || info.api_version < 2)
		return -1;
	choice->preset = info.mmu_mode;
	for (i = 0; i < ARRAY_SIZE(modes); i++)
		if (info.mmu_modes & modes[i].mode)
			choice->modes[choice->n++] = modes[i].mode;
	return 0;
}

/**
 * mmu_offers() - Whether a device offers a mode.
 * @choice: filled in by mmu_choice()
 * @mode: one bit UMBRA_MMU_MODE_*
 *
 * Return: true when VMs can be made with it.
 */
bool mmu_offers(const struct mmu_choice *choice, u32 mode)
{
	unsigned int i;

	for (i = 0; i < choice->n; i++)
		if (choice->modes[i] == mode)
			return true;
	return false;
}

/**
 * mmu_list() - The names of what a device offers, for a message.
 * @choice: filled in by mmu_choice()
 * @text: where to put them
 * @size: of @text
 */
void mmu_list(const struct mmu_choice *choice, char *text, size_t size)
{
	size_t length = 0;
	unsigned int i;

	for (i = 0; i < choice->n && length < size; i++)
		length += snprintf(text + length, size - length, "%s%s%s", i ? ", " : "",
				   mmu_name(choice->modes[i]),
				   choice->modes[i] == choice->preset ? " (default)" : "");
}
