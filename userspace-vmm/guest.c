// SPDX-License-Identifier: GPL-2.0
/*
 * From what the user named to a machine that is ready to start: files are read and checked
 * once, machines are loaded with them as often as there are runs.
 */
#include <string.h>
#include <unistd.h>

#include "guest.h"
#include "pc.h"
#include "umbra.h"

/**
 * guest_read() - Read and check all files, before any device is opened.
 * @g: filled in; guest_free() it in any case
 * @o: what the user wants; must outlive @g
 *
 * Return: 0, or -1 after a message.
 */
int guest_read(struct guest *g, const struct run_options *o)
{
	memset(g, 0, sizeof(*g));
	g->o = o;
	if (!o->kernel)
		return image_read(&g->image, o->guest, o->ram_size, &o->load);
	if (linux_read(&g->kernel, o->kernel, o->initrd, o->append, o->ram_size))
		return -1;
	for (; g->nr_disks < o->nr_disks; g->nr_disks++)
		if (disk_open(&g->disks[g->nr_disks], o->disks[g->nr_disks].path,
			      o->disks[g->nr_disks].readonly))
			return -1;
	return 0;
}

/**
 * guest_free() - Close and forget all files.
 * @g: given to guest_read()
 */
void guest_free(struct guest *g)
{
	while (g->nr_disks)
		disk_close(&g->disks[--g->nr_disks]);
	linux_free(&g->kernel);
	image_free(&g->image);
}

static int load_image(const struct guest *g, struct machine *m)
{
	m->boot = (struct boot_state){ g->image.mode, g->image.entry, g->image.multiboot,
				       g->image.path, g->o->cmdline };
	serial_init(&m->serial, STDIN_FILENO, &m->output, g->o->json);
	image_place(&g->image, m->ram);
	return boot_prepare(m);
}

static int load_kernel(const struct guest *g, struct machine *m, struct virtio **console)
{
	struct virtio *d;
	unsigned int i;

	m->boot = (struct boot_state){ .mode = MODE_LONG, .entry = g->kernel.load,
				       .name = g->kernel.path, .cmdline = g->o->append };
	serial_init(&m->serial, -1, &m->output, g->o->json);
	pc_init(m);
	for (i = 0; i < g->nr_disks; i++)
		if (virtio_blk_add(m, &g->disks[i]))
			return -1;
	d = virtio_console_add(m);
	if (!d || virtio_rng_add(m))
		return -1;
	*console = g->o->virtio_console ? d : NULL;
	return linux_boot(m, &g->kernel);
}

/**
 * guest_load() - Make a machine ready to start.
 * @g: guest
 * @m: created, a PC if @g is a kernel
 * @out_fd: where its output goes
 * @console: set to the virtio console, if that gets the input, else NULL
 *
 * Return: 0, or -1 after a message.
 */
int guest_load(const struct guest *g, struct machine *m, int out_fd, struct virtio **console)
{
	*console = NULL;
	if (output_open(&m->output, out_fd, &m->ended))
		return -1;
	if (!g->o->kernel)
		return load_image(g, m);
	return load_kernel(g, m, console);
}
