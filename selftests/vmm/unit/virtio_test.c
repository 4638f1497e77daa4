// SPDX-License-Identifier: GPL-2.0
/*
 * Virtqueues and virtio devices in user space, under ASan and UBSan: a driver that keeps to
 * the rules, and one that breaks each of them.
 *
 * Guest memory is at the end of a mapping of its own, so that a step beyond it is seen.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include <cmocka.h>

#include "umbra.h"
#include "virtio_dev.h"

#define RAM_SIZE	0x10000
#define DESC		0x1000
#define AVAIL		0x2000
#define USED		0x3000
#define DATA		0x8000
#define SIZE		8
#define SECTORS		16

static struct machine machine;
static unsigned int pulses;

void complain(const char *fmt, ...)
{
	(void)fmt;
}

/* Interrupts are counted; no VM is there. */
void irq_init(struct irq_line *line, struct machine *m, u32 gsi)
{
	line->m = m;
	line->gsi = gsi;
	line->fd = -1;
}

int irq_bind(struct irq_line *line)
{
	(void)line;
	return 0;
}

void irq_release(struct irq_line *line)
{
	(void)line;
}

void irq_pulse(struct irq_line *line)
{
	(void)line;
	pulses++;
}

int hv_capability(const struct hypervisor *hv, int cap)
{
	(void)hv;
	(void)cap;
	return 0;
}

/*
 * The host's source of random numbers: a machine that has just booted has none. The kernel's
 * blocks then, which a test would not come back from.
 */
static bool pool_ready;
static unsigned int pool_waits;

ssize_t getrandom(void *buffer, size_t length, unsigned int flags)
{
	(void)flags;
	pool_waits += !pool_ready;
	pool_ready = true;
	memset(buffer, 0x5a, length);
	return length;
}

static int setup(void **state)
{
	(void)state;
	memset(&machine, 0, sizeof(machine));
	machine.ram = calloc(1, RAM_SIZE);
	machine.ram_size = RAM_SIZE;
	pulses = 0;
	return !machine.ram;
}

static int teardown(void **state)
{
	(void)state;
	virtio_destroy_all(&machine);
	free(machine.ram);
	return 0;
}

static void put_desc(u16 index, u64 addr, u32 len, u16 flags, u16 next)
{
	struct vring_desc d = { addr, len, flags, next };

	memcpy(machine.ram + DESC + index * sizeof(d), &d, sizeof(d));
}

/* Make descriptor @head the driver's next request. */
static void offer(u16 head)
{
	u16 *avail = (u16 *)(machine.ram + AVAIL);

	avail[2 + avail[1] % SIZE] = head;
	avail[1]++;
}

static u16 used_index(void)
{
	return ((u16 *)(machine.ram + USED))[1];
}

static struct vring_used_elem used_entry(unsigned int i)
{
	struct vring_used_elem e;

	memcpy(&e, machine.ram + USED + 4 + (i % SIZE) * sizeof(e), sizeof(e));
	return e;
}

static struct virtqueue good_queue(void)
{
	struct virtqueue q = { .size = SIZE, .desc = DESC, .avail = AVAIL, .used = USED };

	assert_true(vq_enable(&machine, &q));
	return q;
}

static void test_enable(void **state)
{
	static const struct {
		u32 size;
		u64 desc, avail, used;
	} bad[] = {
		{ 0, DESC, AVAIL, USED },
		{ 3, DESC, AVAIL, USED },
		{ 2 * VIRTQUEUE_MAX, DESC, AVAIL, USED },
		{ 0x80000000, DESC, AVAIL, USED },
		{ SIZE, DESC + 8, AVAIL, USED },
		{ SIZE, DESC, AVAIL + 1, USED },
		{ SIZE, DESC, AVAIL, USED + 2 },
		{ SIZE, RAM_SIZE, AVAIL, USED },
		{ SIZE, RAM_SIZE - 16, AVAIL, USED },
		{ SIZE, DESC, RAM_SIZE - 2, USED },
		{ SIZE, DESC, AVAIL, RAM_SIZE - 64 },
		{ SIZE, ~0xfULL, AVAIL, USED },
		{ SIZE, DESC, ~0x1ULL, USED },
		{ SIZE, DESC, AVAIL, ~0x3ULL },
	};
	struct vq_chain chain;
	size_t i;

	(void)state;
	good_queue();
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct virtqueue q = { .size = bad[i].size, .desc = bad[i].desc,
				       .avail = bad[i].avail, .used = bad[i].used };

		assert_false(vq_enable(&machine, &q));
		assert_true(q.broken);
		assert_false(vq_pop(&machine, &q, &chain));
		assert_false(vq_interrupt_wanted(&machine, &q));
	}
}

static void test_chain(void **state)
{
	struct virtqueue q = good_queue();
	struct vq_chain chain;
	unsigned int round;

	(void)state;
	assert_false(vq_pop(&machine, &q, &chain));
	assert_false(q.broken);
	put_desc(5, DATA, 16, VRING_DESC_F_NEXT, 2);
	put_desc(2, DATA + 100, 0, VRING_DESC_F_NEXT, 7);
	put_desc(7, DATA + 200, 50, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 0);
	put_desc(0, RAM_SIZE - 1, 1, VRING_DESC_F_WRITE, 9999);
	/* Often enough for the indexes to go round. */
	for (round = 0; round < 70000; round++) {
		offer(5);
		assert_true(vq_pop(&machine, &q, &chain));
		assert_int_equal(chain.head, 5);
		assert_int_equal(chain.nr_out, 2);
		assert_int_equal(chain.nr_in, 2);
		assert_int_equal(chain.out_size, 16);
		assert_int_equal(chain.in_size, 51);
		assert_ptr_equal(chain.in[1].iov_base, machine.ram + RAM_SIZE - 1);
		vq_push(&machine, &q, &chain, round);
		assert_int_equal(used_index(), (u16)(round + 1));
		assert_int_equal(used_entry(round).id, 5);
		assert_int_equal(used_entry(round).len, round);
		assert_false(vq_pop(&machine, &q, &chain));
	}
	assert_true(vq_interrupt_wanted(&machine, &q));
	*(u16 *)(machine.ram + AVAIL) = VRING_AVAIL_F_NO_INTERRUPT;
	assert_false(vq_interrupt_wanted(&machine, &q));
}

static void breaks(u16 head)
{
	struct virtqueue q = good_queue();
	struct vq_chain chain;

	memset(machine.ram + AVAIL, 0, 4);
	offer(head);
	assert_false(vq_pop(&machine, &q, &chain));
	assert_true(q.broken);
	/* And stays so: nothing is given back, nobody is told. */
	assert_false(vq_pop(&machine, &q, &chain));
	vq_push(&machine, &q, &chain, 0);
	assert_int_equal(used_index(), 0);
	assert_false(vq_interrupt_wanted(&machine, &q));
}

static void test_hostile_chains(void **state)
{
	u16 i;

	(void)state;
	put_desc(0, DATA, 16, VRING_DESC_F_NEXT, 0);
	breaks(0);					/* a loop of one */
	for (i = 0; i < SIZE; i++)
		put_desc(i, DATA, 16, VRING_DESC_F_NEXT, (i + 1) % SIZE);
	breaks(3);					/* a loop of all */
	put_desc(0, DATA, 16, VRING_DESC_F_NEXT, SIZE);
	breaks(0);					/* beyond the table */
	put_desc(0, DATA, 16, VRING_DESC_F_NEXT, 0xffff);
	breaks(0);
	breaks(SIZE);					/* a head beyond the table */
	breaks(0xffff);
	put_desc(0, RAM_SIZE - 15, 16, 0, 0);
	breaks(0);					/* over the end of memory */
	put_desc(0, RAM_SIZE + 1, 0, 0, 0);
	breaks(0);
	put_desc(0, DATA, 0xffffffff, 0, 0);
	breaks(0);					/* a huge length */
	put_desc(0, ~0ULL, 1, 0, 0);
	breaks(0);					/* an address that wraps */
	put_desc(0, ~0ULL - 0xfffffffe, 0xffffffff, 0, 0);
	breaks(0);
	put_desc(0, DATA, 16, VRING_DESC_F_INDIRECT, 0);
	breaks(0);					/* a table that was not offered */
	put_desc(0, DATA, 16, 0x8000, 0);
	breaks(0);					/* a flag that does not exist */
	put_desc(0, DATA, 16, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 1);
	put_desc(1, DATA, 16, 0, 0);
	breaks(0);					/* reading after writing */
}

static void test_hostile_index(void **state)
{
	struct virtqueue q = good_queue();
	struct vq_chain chain;
	u16 *avail = (u16 *)(machine.ram + AVAIL);

	(void)state;
	put_desc(0, DATA, 16, 0, 0);
	avail[1] = SIZE + 1;
	assert_false(vq_pop(&machine, &q, &chain));
	assert_true(q.broken);
	q = good_queue();
	avail[1] = 0xffff;		/* one step back is a very large one forward */
	assert_false(vq_pop(&machine, &q, &chain));
	assert_true(q.broken);
	q = good_queue();
	avail[1] = SIZE;
	assert_true(vq_pop(&machine, &q, &chain));
}

/* Any memory at all: nothing outside of it is touched, and there is an end. */
static void test_random_memory(void **state)
{
	struct vq_chain chain;
	unsigned int round, i;

	(void)state;
	srandom(1);
	for (round = 0; round < 3000; round++) {
		struct virtqueue q = good_queue();

		for (i = DESC; i < AVAIL + 64; i++)
			machine.ram[i] = random() % 4 ? 0 : random();
		for (i = 0; i < 100 && vq_pop(&machine, &q, &chain); i++) {
			u64 put = iov_put(chain.in, chain.nr_in, random() % 300, "abcdefgh", 8);

			vq_push(&machine, &q, &chain, put);
		}
		assert_true(i <= SIZE);
	}
}

static void test_iov(void **state)
{
	char a[4] = "abcd", b[3] = "efg", out[16] = { 0 };
	struct iovec iov[] = { { a, 4 }, { a, 0 }, { b, 3 } }, *at = iov;
	unsigned int n = 3;

	(void)state;
	assert_int_equal(iov_take(&at, &n, out, 2), 2);
	assert_int_equal(n, 3);
	assert_int_equal(iov_take(&at, &n, out + 2, 10), 5);
	assert_int_equal(n, 0);
	assert_string_equal(out, "abcdefg");
	iov[0] = (struct iovec){ a, 4 };
	iov[2] = (struct iovec){ b, 3 };
	assert_int_equal(iov_put(iov, 3, 3, "XYZ", 3), 3);
	assert_memory_equal(a, "abcX", 4);
	assert_memory_equal(b, "YZg", 3);
	assert_int_equal(iov_put(iov, 3, 6, "12", 2), 1);
	assert_int_equal(iov_put(iov, 3, 7, "12", 2), 0);
	assert_int_equal(iov_cut(iov, 3, 5), 3);
	assert_int_equal(iov[2].iov_len, 1);
	assert_int_equal(iov_cut(iov, 3, 0), 0);
}

static u32 reg(struct virtio *d, u32 offset)
{
	u32 value = ~0u;

	virtio_access(d, virtio_base(d->index) + offset, (u8 *)&value, 4, false);
	return value;
}

static void set_reg(struct virtio *d, u32 offset, u32 value)
{
	virtio_access(d, virtio_base(d->index) + offset, (u8 *)&value, 4, true);
}

#define ACKNOWLEDGED	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER)

static void negotiate(struct virtio *d)
{
	set_reg(d, VIRTIO_MMIO_STATUS, 0);
	set_reg(d, VIRTIO_MMIO_STATUS, ACKNOWLEDGED);
	set_reg(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	set_reg(d, VIRTIO_MMIO_DRIVER_FEATURES, 1);
	set_reg(d, VIRTIO_MMIO_STATUS, ACKNOWLEDGED | VIRTIO_CONFIG_S_FEATURES_OK);
	assert_true(reg(d, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK);
}

static void set_queue(struct virtio *d, u32 index, u32 size, u64 desc)
{
	set_reg(d, VIRTIO_MMIO_QUEUE_SEL, index);
	set_reg(d, VIRTIO_MMIO_QUEUE_NUM, size);
	set_reg(d, VIRTIO_MMIO_QUEUE_DESC_LOW, desc);
	set_reg(d, VIRTIO_MMIO_QUEUE_DESC_HIGH, desc >> 32);
	set_reg(d, VIRTIO_MMIO_QUEUE_AVAIL_LOW, AVAIL);
	set_reg(d, VIRTIO_MMIO_QUEUE_USED_LOW, USED);
	set_reg(d, VIRTIO_MMIO_QUEUE_READY, 1);
}

static void drive(struct virtio *d)
{
	negotiate(d);
	set_queue(d, 0, SIZE, DESC);
	assert_int_equal(reg(d, VIRTIO_MMIO_QUEUE_READY), 1);
	set_reg(d, VIRTIO_MMIO_STATUS,
		ACKNOWLEDGED | VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
}

static struct virtio *add_rng(void)
{
	assert_int_equal(virtio_rng_add(&machine), 0);
	return machine.virtio[machine.nr_virtio - 1];
}

static void test_registers(void **state)
{
	struct virtio *d = add_rng();
	u64 base = virtio_base(0);
	u8 bytes[8];
	u32 i, len;

	(void)state;
	assert_int_equal(reg(d, VIRTIO_MMIO_MAGIC_VALUE), 0x74726976);
	assert_int_equal(reg(d, VIRTIO_MMIO_VERSION), 2);
	assert_int_equal(reg(d, VIRTIO_MMIO_DEVICE_ID), 4);
	set_reg(d, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	assert_int_equal(reg(d, VIRTIO_MMIO_DEVICE_FEATURES), 1);
	set_reg(d, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 77);
	assert_int_equal(reg(d, VIRTIO_MMIO_DEVICE_FEATURES), 0);
	set_reg(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 77);
	set_reg(d, VIRTIO_MMIO_DRIVER_FEATURES, ~0u);
	assert_int_equal(d->driver, 0);
	set_reg(d, VIRTIO_MMIO_QUEUE_SEL, 1);
	assert_int_equal(reg(d, VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
	set_reg(d, VIRTIO_MMIO_QUEUE_READY, 1);
	set_reg(d, VIRTIO_MMIO_QUEUE_SEL, 0xffffffff);
	assert_int_equal(reg(d, VIRTIO_MMIO_QUEUE_READY), 0);
	/* Whatever its place, width and value, an access is harmless. */
	for (i = 0; i < VIRTIO_SIZE; i++) {
		for (len = 1; len <= 8; len++) {
			if (!virtio_at(&machine, base + i, len))
				continue;
			memset(bytes, 0xff, sizeof(bytes));
			virtio_access(d, base + i, bytes, len, true);
			virtio_access(d, base + i, bytes, len, false);
		}
	}
	assert_null(virtio_at(&machine, base - 1, 1));
	assert_null(virtio_at(&machine, base + VIRTIO_SIZE - 3, 4));
	assert_null(virtio_at(&machine, base + VIRTIO_SIZE, 4));
}

static void test_negotiation(void **state)
{
	struct virtio *d = add_rng();

	(void)state;
	/* Without version 1, or with what was not offered, there is no agreement. */
	set_reg(d, VIRTIO_MMIO_STATUS, ACKNOWLEDGED | VIRTIO_CONFIG_S_FEATURES_OK |
		VIRTIO_CONFIG_S_DRIVER_OK);
	assert_int_equal(reg(d, VIRTIO_MMIO_STATUS), ACKNOWLEDGED);
	set_reg(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	set_reg(d, VIRTIO_MMIO_DRIVER_FEATURES, 3);
	set_reg(d, VIRTIO_MMIO_STATUS, ACKNOWLEDGED | VIRTIO_CONFIG_S_FEATURES_OK);
	assert_int_equal(reg(d, VIRTIO_MMIO_STATUS), ACKNOWLEDGED);
	negotiate(d);
	set_reg(d, VIRTIO_MMIO_DRIVER_FEATURES, 3);	/* too late */
	assert_int_equal(d->driver, BIT_ULL(VIRTIO_F_VERSION_1));
	/* A queue that cannot be makes the device want a reset, and tells. */
	set_queue(d, 0, SIZE, RAM_SIZE);
	assert_int_equal(reg(d, VIRTIO_MMIO_QUEUE_READY), 0);
	assert_true(reg(d, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_int_equal(reg(d, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
	assert_int_equal(pulses, 1);
	set_reg(d, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_CONFIG);
	assert_int_equal(reg(d, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	drive(d);
	assert_false(reg(d, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
	/* A queue in use does not move. */
	set_reg(d, VIRTIO_MMIO_QUEUE_DESC_LOW, RAM_SIZE);
	assert_int_equal(d->queues[0].desc, DESC);
	set_reg(d, VIRTIO_MMIO_STATUS, 0);
	assert_int_equal(reg(d, VIRTIO_MMIO_QUEUE_READY), 0);
}

static void test_rng(void **state)
{
	struct virtio *d = add_rng();
	u8 zero[64] = { 0 };

	(void)state;
	drive(d);
	put_desc(0, DATA, 64, VRING_DESC_F_WRITE, 0);
	put_desc(1, DATA + 64, 64, 0, 0);		/* nothing to write to */
	offer(0);
	offer(1);
	d->kind->service(d);
	assert_int_equal(used_index(), 2);
	assert_int_equal(used_entry(0).len, 64);
	assert_int_equal(used_entry(1).len, 0);
	assert_memory_not_equal(machine.ram + DATA, zero, 64);
	assert_memory_equal(machine.ram + DATA + 64, zero, 64);
	assert_int_equal(reg(d, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_VRING);
	offer(SIZE);
	d->kind->service(d);
	assert_true(reg(d, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

/* It is waited for where no vCPU can be made to wait, too. */
static void test_rng_pool(void **state)
{
	struct virtio *d;

	(void)state;
	pool_ready = false;
	pool_waits = 0;
	d = add_rng();
	assert_int_equal(pool_waits, 1);
	drive(d);
	put_desc(0, DATA, 64, VRING_DESC_F_WRITE, 0);
	offer(0);
	d->kind->service(d);
	assert_int_equal(used_entry(0).len, 64);
	assert_int_equal(pool_waits, 1);
}

static struct virtio *add_disk(struct disk *disk, bool readonly)
{
	char path[] = "/tmp/umbra-disk-XXXXXX";
	int fd = mkstemp(path), i;
	char sector[SECTOR_SIZE];

	assert_true(fd >= 0);
	for (i = 0; i < SECTORS; i++) {
		memset(sector, 'a' + i, sizeof(sector));
		assert_int_equal(write(fd, sector, sizeof(sector)), sizeof(sector));
	}
	/* What is beyond the last whole sector is not part of the disk. */
	assert_int_equal(write(fd, sector, 100), 100);
	close(fd);
	assert_int_equal(disk_open(disk, path, readonly), 0);
	unlink(path);
	assert_int_equal(disk->sectors, SECTORS);
	assert_int_equal(virtio_blk_add(&machine, disk), 0);
	drive(machine.virtio[0]);
	return machine.virtio[0];
}

/* One request: header at DATA, @len bytes of data after it, status at DATA + 0x4000. */
static u8 request(struct virtio *d, u32 type, u64 sector, u32 len)
{
	struct virtio_blk_outhdr header = { .type = type, .sector = sector };
	bool reads = type != VIRTIO_BLK_T_OUT;
	u16 before = used_index();

	memcpy(machine.ram + DATA, &header, sizeof(header));
	machine.ram[DATA + 0x4000] = 0xee;
	put_desc(0, DATA, sizeof(header), VRING_DESC_F_NEXT, 1);
	put_desc(1, DATA + 0x100, len, VRING_DESC_F_NEXT | (reads ? VRING_DESC_F_WRITE : 0), 2);
	put_desc(2, DATA + 0x4000, 1, VRING_DESC_F_WRITE, 0);
	offer(0);
	d->kind->service(d);
	assert_int_equal((u16)(used_index() - before), 1);
	return machine.ram[DATA + 0x4000];
}

static void test_disk(void **state)
{
	struct disk disk;
	struct virtio *d = add_disk(&disk, false);
	u64 capacity = 0;
	u8 *data = machine.ram + DATA + 0x100;

	(void)state;
	virtio_access(d, virtio_base(0) + VIRTIO_MMIO_CONFIG, (u8 *)&capacity, 8, false);
	assert_int_equal(capacity, SECTORS);
	assert_int_equal(request(d, VIRTIO_BLK_T_IN, 3, 1024), VIRTIO_BLK_S_OK);
	assert_int_equal(data[0], 'd');
	assert_int_equal(data[1023], 'e');
	assert_int_equal(used_entry(0).len, 1025);
	memset(data, 'X', 512);
	assert_int_equal(request(d, VIRTIO_BLK_T_OUT, 15, 512), VIRTIO_BLK_S_OK);
	assert_int_equal(request(d, VIRTIO_BLK_T_FLUSH, 0, 0), VIRTIO_BLK_S_OK);
	memset(data, 0, 512);
	assert_int_equal(request(d, VIRTIO_BLK_T_IN, 15, 512), VIRTIO_BLK_S_OK);
	assert_int_equal(data[511], 'X');
	assert_int_equal(request(d, VIRTIO_BLK_T_GET_ID, 0, 20), VIRTIO_BLK_S_OK);
	assert_string_equal((char *)data, "umbra-disk-0");
	assert_int_equal(request(d, VIRTIO_BLK_T_GET_ID, 0, 19), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(d, 0x7777, 0, 512), VIRTIO_BLK_S_UNSUPP);
	/* Not whole sectors, or not on the disk. */
	assert_int_equal(request(d, VIRTIO_BLK_T_IN, 0, 511), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(d, VIRTIO_BLK_T_IN, 15, 1024), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(d, VIRTIO_BLK_T_IN, 16, 512), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(d, VIRTIO_BLK_T_OUT, ~0ULL, 512), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(d, VIRTIO_BLK_T_OUT, 1ULL << 55, 512), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(d, VIRTIO_BLK_T_IN, (1ULL << 55) + 1, 512), VIRTIO_BLK_S_IOERR);
	assert_false(reg(d, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
	disk_close(&disk);
}

static void test_disk_readonly(void **state)
{
	struct disk disk;
	struct virtio *d = add_disk(&disk, true);

	(void)state;
	assert_true(reg(d, VIRTIO_MMIO_DEVICE_FEATURES) & BIT_ULL(VIRTIO_BLK_F_RO));
	assert_int_equal(request(d, VIRTIO_BLK_T_OUT, 0, 512), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(d, VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_OK);
	disk_close(&disk);
}

static void test_disk_hostile(void **state)
{
	struct disk disk;
	struct virtio *d = add_disk(&disk, false);

	(void)state;
	/* A header cut off; it comes in two pieces; no room for a status. */
	put_desc(0, DATA, 15, VRING_DESC_F_NEXT, 1);
	put_desc(1, DATA + 0x4000, 1, VRING_DESC_F_WRITE, 0);
	offer(0);
	d->kind->service(d);
	assert_int_equal(machine.ram[DATA + 0x4000], VIRTIO_BLK_S_IOERR);
	memset(machine.ram + DATA, 0, 16);
	put_desc(0, DATA, 1, VRING_DESC_F_NEXT, 2);
	put_desc(2, DATA + 1, 15, VRING_DESC_F_NEXT, 3);
	put_desc(3, DATA + 0x100, 513, VRING_DESC_F_WRITE, 0);	/* the last byte is the status */
	offer(0);
	d->kind->service(d);
	assert_int_equal(machine.ram[DATA + 0x100], 'a');
	assert_int_equal(machine.ram[DATA + 0x100 + 512], VIRTIO_BLK_S_OK);
	put_desc(0, DATA, 16, 0, 0);
	offer(0);
	d->kind->service(d);
	assert_true(reg(d, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_int_equal(used_index(), 2);
	disk_close(&disk);
}

static void test_console(void **state)
{
	struct virtio *d;
	char text[16] = { 0 };
	u8 many[600];
	int pipes[2];

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(output_open(&machine.output, pipes[1], &machine.ended), 0);
	d = virtio_console_add(&machine);
	assert_non_null(d);
	negotiate(d);
	/* The only queue the test sets up is, in turn, that of each direction. */
	set_queue(d, 1, SIZE, DESC);
	strcpy((char *)machine.ram + DATA, "hello, you");
	put_desc(0, DATA, 5, VRING_DESC_F_NEXT, 1);
	put_desc(1, DATA + 5, 5, 0, 0);
	offer(0);
	d->kind->service(d);
	assert_int_equal(read(pipes[0], text, sizeof(text)), 10);
	assert_string_equal(text, "hello, you");
	memset(many, 'q', sizeof(many));
	assert_int_equal(virtio_console_receive(d, many, sizeof(many)), 256);
	assert_int_equal(virtio_console_receive(d, many, 1), 0);
	memset(machine.ram + AVAIL, 0, 4);
	memset(machine.ram + USED, 0, 4);
	negotiate(d);
	set_queue(d, 0, SIZE, DESC);
	put_desc(0, DATA, 200, VRING_DESC_F_WRITE, 0);
	put_desc(1, DATA + 0x1000, 200, VRING_DESC_F_WRITE, 0);
	offer(0);
	offer(1);
	d->kind->service(d);
	assert_int_equal(used_entry(0).len, 200);
	assert_int_equal(used_entry(1).len, 56);
	assert_int_equal(machine.ram[DATA + 0x1000 + 55], 'q');
	assert_int_equal(machine.ram[DATA + 0x1000 + 56], 0);
	output_close(&machine.output);
	close(pipes[0]);
	close(pipes[1]);
}

/* Nobody reads: that holds up the guest, and the end only for a moment. */
static void test_console_stuck(void **state)
{
	struct virtio *d;
	int pipes[2];
	u16 i;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(fcntl(pipes[1], F_SETPIPE_SZ, 0x10000), 0x10000);
	assert_int_equal(output_open(&machine.output, pipes[1], &machine.ended), 0);
	d = virtio_console_add(&machine);
	assert_non_null(d);
	assert_int_equal(virtio_start_all(&machine), 0);
	negotiate(d);
	set_queue(d, 1, SIZE, DESC);
	/* Two of three fill the pipe. */
	for (i = 0; i < 3; i++) {
		put_desc(i, DATA, 0x8000, 0, 0);
		offer(i);
	}
	alarm(30);
	set_reg(d, VIRTIO_MMIO_STATUS,
		ACKNOWLEDGED | VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
	while (used_index() < 2)
		usleep(1000);
	usleep(50000);
	assert_int_equal(used_index(), 2);
	machine.ended = true;
	virtio_stop_all(&machine);
	alarm(0);
	assert_int_equal(used_index(), 3);
	output_close(&machine.output);
	close(pipes[0]);
	close(pipes[1]);
}

#define MUCH	300000

static void *read_slowly(void *fd)
{
	static u8 bytes[0x10000];
	size_t sum = 0;
	ssize_t n;

	do {
		usleep(20000);
		n = read(*(int *)fd, bytes, sizeof(bytes));
		sum += n > 0 ? n : 0;
	} while (n > 0);
	return (void *)sum;
}

/* A reader that is slow gets the last that was written, after the end, too. */
static void test_output_slow(void **state)
{
	u8 *bytes = calloc(1, MUCH);
	struct output output;
	pthread_t reader;
	int pipes[2];
	void *sum;

	(void)state;
	assert_non_null(bytes);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(output_open(&output, pipes[1], &machine.ended), 0);
	close(pipes[1]);
	machine.ended = true;
	assert_int_equal(pthread_create(&reader, NULL, read_slowly, &pipes[0]), 0);
	output_write(&output, bytes, MUCH);
	output_close(&output);
	pthread_join(reader, &sum);
	assert_int_equal((size_t)sum, MUCH);
	close(pipes[0]);
	free(bytes);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_enable),
		TEST(test_chain),
		TEST(test_hostile_chains),
		TEST(test_hostile_index),
		TEST(test_random_memory),
		TEST(test_iov),
		TEST(test_registers),
		TEST(test_negotiation),
		TEST(test_rng),
		TEST(test_rng_pool),
		TEST(test_disk),
		TEST(test_disk_readonly),
		TEST(test_disk_hostile),
		TEST(test_console),
		TEST(test_console_stuck),
		TEST(test_output_slow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
