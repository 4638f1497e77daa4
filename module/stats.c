// SPDX-License-Identifier: GPL-2.0
/*
 * Counters for user space: KVM_GET_STATS_FD in KVM's binary format, on a VM's
 * and on a vCPU's descriptor. Counts nothing itself.
 *
 * The file is header, id, descriptors, data, in that order. Only the data ever
 * changes. It is small, so every read makes all of it.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/kvm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/stddef.h>
#include "stats.h"
#include "vcpu.h"
#include "vm.h"

#define NAME_SIZE	48

/* One counter: what struct kvm_stats_desc says of it. */
struct counter {
	u32 flags;
	u32 offset;
	char name[NAME_SIZE];
};

#define COUNT	(KVM_STATS_TYPE_CUMULATIVE | KVM_STATS_UNIT_NONE | KVM_STATS_BASE_POW10)
#define GAUGE	(KVM_STATS_TYPE_INSTANT | KVM_STATS_UNIT_NONE | KVM_STATS_BASE_POW10)
#define BYTES	(KVM_STATS_TYPE_INSTANT | KVM_STATS_UNIT_BYTES | KVM_STATS_BASE_POW2)
#define PEAK	(KVM_STATS_TYPE_PEAK | KVM_STATS_UNIT_BYTES | KVM_STATS_BASE_POW2)

#define VCPU_COUNTER(_field, _name) \
	{ COUNT, offsetof(struct umbra_vcpu_stats, _field), _name }
#define VM_COUNTER(_flags, _field, _name) \
	{ _flags, offsetof(struct umbra_vm_stats, _field), _name }

static const struct counter vcpu_counters[] = {
	VCPU_COUNTER(exits, "exits"),
	VCPU_COUNTER(flushes_local, "tlb_flushes_local"),
	VCPU_COUNTER(flushes_remote, "tlb_flushes_remote"),
	VCPU_COUNTER(faults_hidden, "mmu_faults_hidden"),
	VCPU_COUNTER(faults_true, "mmu_faults_true"),
	VCPU_COUNTER(faults_mmio, "mmu_faults_mmio"),
	VCPU_COUNTER(writes_traced, "mmu_writes_traced"),
	VCPU_COUNTER(writes_emulated, "mmu_writes_emulated"),
	VCPU_COUNTER(cr3_hit, "mmu_cr3_hit"),
	VCPU_COUNTER(cr3_miss, "mmu_cr3_miss"),
	VCPU_COUNTER(invlpg, "invlpg"),
};

static const struct counter vm_counters[] = {
	VM_COUNTER(COUNT, flushes_remote, "remote_tlb_flush_requests"),
	VM_COUNTER(GAUGE, shadow_pages, "mmu_shadow_pages"),
	VM_COUNTER(COUNT, pages_made, "mmu_pages_made"),
	VM_COUNTER(COUNT, pages_reused, "mmu_pages_reused"),
	VM_COUNTER(COUNT, pages_zapped, "mmu_pages_zapped"),
	VM_COUNTER(COUNT, pages_unsync, "mmu_pages_unsync"),
	VM_COUNTER(COUNT, pages_synced, "mmu_pages_synced"),
	VM_COUNTER(COUNT, floods, "mmu_floods"),
	VM_COUNTER(COUNT, vtlb_fills, "mmu_vtlb_fills"),
	VM_COUNTER(COUNT, vtlb_drops, "mmu_vtlb_drops"),
	VM_COUNTER(BYTES, monitor_bytes, "mmu_monitor_bytes"),
	VM_COUNTER(PEAK, monitor_bytes_peak, "mmu_monitor_bytes_peak"),
};

/* Each field is one item of data, and in the table. */
static_assert(ARRAY_SIZE(vcpu_counters) * sizeof(u64) == sizeof(struct umbra_vcpu_stats));
static_assert(ARRAY_SIZE(vm_counters) * sizeof(u64) == sizeof(struct umbra_vm_stats));

/**
 * struct stats_file - what a descriptor shows
 * @vm: kept as long as the file is open, and all its vCPUs with it
 * @counters: what there is
 * @nr: how many
 * @data: the counters themselves, of @vm or of one of its vCPUs
 * @id: KVM's, which clients expect: the process that asked, and the vCPU
 */
struct stats_file {
	struct umbra_vm *vm;
	const struct counter *counters;
	unsigned int nr;
	const void *data;
	char id[NAME_SIZE];
};

#define DESC_SIZE	(sizeof(struct kvm_stats_desc) + NAME_SIZE)
#define ID_OFFSET	sizeof(struct kvm_stats_header)
#define DESC_OFFSET	(ID_OFFSET + NAME_SIZE)

static size_t data_offset(const struct stats_file *stats)
{
	return DESC_OFFSET + stats->nr * DESC_SIZE;
}

static size_t image_size(const struct stats_file *stats)
{
	return data_offset(stats) + stats->nr * sizeof(u64);
}

static void fill_desc(struct kvm_stats_desc *desc, const struct counter *counter)
{
	desc->flags = counter->flags;
	desc->size = 1;
	desc->offset = counter->offset;
	memcpy(desc->name, counter->name, NAME_SIZE);
}

static void fill_image(const struct stats_file *stats, void *image)
{
	struct kvm_stats_header *header = image;
	u64 *to = image + data_offset(stats);
	const u64 *from = stats->data;
	unsigned int i;

	header->name_size = NAME_SIZE;
	header->num_desc = stats->nr;
	header->id_offset = ID_OFFSET;
	header->desc_offset = DESC_OFFSET;
	header->data_offset = data_offset(stats);
	memcpy(image + ID_OFFSET, stats->id, NAME_SIZE);
	for (i = 0; i < stats->nr; i++) {
		fill_desc(image + DESC_OFFSET + i * DESC_SIZE, &stats->counters[i]);
		to[i] = READ_ONCE(from[i]);
	}
}

static ssize_t stats_read(struct file *file, char __user *user, size_t size, loff_t *pos)
{
	const struct stats_file *stats = file->private_data;
	size_t bytes = image_size(stats);
	void *image = kzalloc(bytes, GFP_KERNEL_ACCOUNT);
	ssize_t r;

	if (!image)
		return -ENOMEM;
	fill_image(stats, image);
	r = simple_read_from_buffer(user, size, pos, image, bytes);
	kfree(image);
	return r;
}

static loff_t stats_llseek(struct file *file, loff_t offset, int whence)
{
	return fixed_size_llseek(file, offset, whence, image_size(file->private_data));
}

static int stats_release(struct inode *inode, struct file *file)
{
	struct stats_file *stats = file->private_data;

	umbra_vm_put(stats->vm);
	kfree(stats);
	return 0;
}

static const struct file_operations stats_fops = {
	.owner = THIS_MODULE,
	.read = stats_read,
	.release = stats_release,
	.llseek = stats_llseek,
};

static int stats_open(const char *name, struct stats_file *stats)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);
	struct file *file;

	if (fd < 0)
		return fd;
	file = anon_inode_getfile(name, &stats_fops, stats, O_RDONLY);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	/* Files that were never opened by name come without. */
	file->f_mode |= FMODE_LSEEK | FMODE_PREAD;
	umbra_vm_get(stats->vm);
	fd_install(fd, file);
	return fd;
}

/**
 * umbra_vm_stats_fd() - KVM_GET_STATS_FD on a VM
 * @vm: the VM; lives on while the descriptor is open
 *
 * Return: a descriptor; -EMFILE, -ENFILE or -ENOMEM.
 */
int umbra_vm_stats_fd(struct umbra_vm *vm)
{
	struct stats_file *stats = kzalloc(sizeof(*stats), GFP_KERNEL_ACCOUNT);
	int fd;

	if (!stats)
		return -ENOMEM;
	stats->vm = vm;
	stats->counters = vm_counters;
	stats->nr = ARRAY_SIZE(vm_counters);
	stats->data = &vm->stats;
	snprintf(stats->id, sizeof(stats->id), "kvm-%d", task_pid_nr(current));
	fd = stats_open("umbra-vm-stats", stats);
	if (fd < 0)
		kfree(stats);
	return fd;
}

/**
 * umbra_vcpu_stats_fd() - KVM_GET_STATS_FD on a vCPU
 * @vcpu: the vCPU; its VM lives on while the descriptor is open
 *
 * Return: a descriptor; -EMFILE, -ENFILE or -ENOMEM.
 */
int umbra_vcpu_stats_fd(struct umbra_vcpu *vcpu)
{
	struct stats_file *stats = kzalloc(sizeof(*stats), GFP_KERNEL_ACCOUNT);
	int fd;

	if (!stats)
		return -ENOMEM;
	stats->vm = vcpu->vm;
	stats->counters = vcpu_counters;
	stats->nr = ARRAY_SIZE(vcpu_counters);
	stats->data = &vcpu->stats;
	snprintf(stats->id, sizeof(stats->id), "kvm-%d/vcpu-%d", task_pid_nr(current), vcpu->id);
	fd = stats_open("umbra-vcpu-stats", stats);
	if (fd < 0)
		kfree(stats);
	return fd;
}
