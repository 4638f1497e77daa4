// SPDX-License-Identifier: GPL-2.0
/*
 * virtio disk: a file or block device of the host's behind one queue.
 *
 * Owns what requests mean and that none reaches beyond the disk; the file is the caller's.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "umbra.h"
#include "virtio_dev.h"

/* A request is made of a header, buffers, and a byte for its status. */
#define MAX_SEGMENTS	(VIRTQUEUE_MAX - 2)

static int find_size(struct disk *disk)
{
	struct stat st;
	u64 size;

	if (fstat(disk->fd, &st))
		return -1;
	size = st.st_size;
	if (S_ISBLK(st.st_mode)) {
		if (ioctl(disk->fd, BLKGETSIZE64, &size))
			return -1;
	} else if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	disk->sectors = size / SECTOR_SIZE;
	return 0;
}

/**
 * disk_open() - Open a disk image.
 * @disk: filled in
 * @path: file or block device; must outlive @disk
 * @readonly: open it for reading only
 *
 * Return: 0, or -1 after a message.
 */
int disk_open(struct disk *disk, const char *path, bool readonly)
{
	disk->path = path;
	disk->readonly = readonly;
	disk->sectors = 0;
	disk->fd = open(path, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (disk->fd >= 0 && !find_size(disk) && disk->sectors)
		return 0;
	complain("disk %s: %s", path, disk->fd >= 0 && !disk->sectors ?
		 "not a file or block device of 512 bytes or more" : strerror(errno));
	disk_close(disk);
	return -1;
}

/**
 * disk_close() - Close a disk image.
 * @disk: given to disk_open()
 */
void disk_close(struct disk *disk)
{
	if (disk->fd >= 0)
		close(disk->fd);
	disk->fd = -1;
}

/* Whether @size bytes from @sector are whole sectors of the disk. */
static bool on_disk(const struct disk *disk, u64 sector, u64 size)
{
	return !(size % SECTOR_SIZE) && sector <= disk->sectors &&
	       size / SECTOR_SIZE <= disk->sectors - sector;
}

/* All of it, or nothing that counts: files may be read and written in pieces. */
static bool transfer(const struct disk *disk, struct iovec *iov, unsigned int n, u64 offset,
		     u64 size, bool write)
{
	ssize_t got;

	while (size) {
		got = write ? pwritev(disk->fd, iov, n, offset) : preadv(disk->fd, iov, n, offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		offset += got;
		size -= got;
		while (n && (size_t)got >= iov->iov_len) {
			got -= iov->iov_len;
			iov++;
			n--;
		}
		if (got) {
			iov->iov_base = (u8 *)iov->iov_base + got;
			iov->iov_len -= got;
		}
	}
	return true;
}

static u8 read_sectors(const struct disk *disk, u64 sector, struct vq_chain *chain, u32 *written)
{
	u64 size = chain->in_size - 1;
	struct iovec data[VIRTQUEUE_MAX];
	unsigned int n;

	memcpy(data, chain->in, chain->nr_in * sizeof(*data));
	n = iov_cut(data, chain->nr_in, size);
	if (!on_disk(disk, sector, size) ||
	    !transfer(disk, data, n, sector * SECTOR_SIZE, size, false))
		return VIRTIO_BLK_S_IOERR;
	*written += size;
	return VIRTIO_BLK_S_OK;
}

static u8 write_sectors(const struct disk *disk, u64 sector, struct iovec *data, unsigned int n,
			u64 size)
{
	if (disk->readonly || !on_disk(disk, sector, size) ||
	    !transfer(disk, data, n, sector * SECTOR_SIZE, size, true))
		return VIRTIO_BLK_S_IOERR;
	return VIRTIO_BLK_S_OK;
}

static u8 identify(const struct virtio *d, const struct vq_chain *chain, u32 *written)
{
	char id[VIRTIO_BLK_ID_BYTES] = { 0 };

	if (chain->in_size - 1 < sizeof(id))
		return VIRTIO_BLK_S_IOERR;
	snprintf(id, sizeof(id), "umbra-disk-%u", d->index);
	*written += iov_put(chain->in, chain->nr_in, 0, id, sizeof(id));
	return VIRTIO_BLK_S_OK;
}

static u8 perform(struct virtio *d, struct vq_chain *chain, u32 *written)
{
	const struct disk *disk = d->state;
	struct virtio_blk_outhdr header;
	struct iovec *out = chain->out;
	unsigned int n = chain->nr_out;

	if (iov_take(&out, &n, &header, sizeof(header)) != sizeof(header))
		return VIRTIO_BLK_S_IOERR;
	switch (header.type) {
	case VIRTIO_BLK_T_IN:
		return read_sectors(disk, header.sector, chain, written);
	case VIRTIO_BLK_T_OUT:
		return write_sectors(disk, header.sector, out, n,
				     chain->out_size - sizeof(header));
	case VIRTIO_BLK_T_FLUSH:
		return fdatasync(disk->fd) ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
	case VIRTIO_BLK_T_GET_ID:
		return identify(d, chain, written);
	default:
		return VIRTIO_BLK_S_UNSUPP;
	}
}

static void service(struct virtio *d)
{
	struct virtqueue *q = &d->queues[0];
	struct vq_chain chain;
	u32 written;
	u8 status;

	while (vq_pop(d->m, q, &chain)) {
		/* Without room for a status there is no way to answer. */
		if (!chain.in_size) {
			q->broken = true;
			break;
		}
		written = 0;
		status = perform(d, &chain, &written);
		written += iov_put(chain.in, chain.nr_in, chain.in_size - 1, &status, 1);
		virtio_done(d, q, &chain, written);
	}
	virtio_check(d, q);
}

static void destroy(struct virtio *d)
{
	free(d->state);
}

static const struct virtio_kind kind = {
	.name = "disk",
	.id = VIRTIO_ID_BLOCK,
	.nr_queues = 1,
	.service = service,
	.destroy = destroy,
};

/**
 * virtio_blk_add() - Give the machine a disk.
 * @m: machine whose vCPUs do not run
 * @disk: open disk; copied, the file stays the caller's and must outlive the machine
 *
 * Return: 0, or -1 after a message.
 */
int virtio_blk_add(struct machine *m, const struct disk *disk)
{
	struct virtio_blk_config config = {
		.capacity = disk->sectors,
		.seg_max = MAX_SEGMENTS,
	};
	struct disk *copy = malloc(sizeof(*copy));
	struct virtio *d;

	if (!copy) {
		complain("no memory for a disk");
		return -1;
	}
	*copy = *disk;
	d = virtio_add(m, &kind, copy);
	if (!d)
		return -1;
	d->features |= BIT_ULL(VIRTIO_BLK_F_SEG_MAX) | BIT_ULL(VIRTIO_BLK_F_FLUSH);
	if (disk->readonly)
		d->features |= BIT_ULL(VIRTIO_BLK_F_RO);
	d->config_size = offsetof(struct virtio_blk_config, geometry);
	memcpy(d->config, &config, d->config_size);
	return 0;
}
