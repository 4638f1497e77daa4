// SPDX-License-Identifier: GPL-2.0
/*
 * irqfds: an eventfd that raises a GSI when it is signalled, and, with a resampler, another
 * that is signalled when the guest has acknowledged it.
 *
 * An irqfd is on the list while it may raise its GSI. It leaves it when the client removes it,
 * when the eventfd's last descriptor is closed, or with the VM; whoever takes it off the list
 * puts it on the list of dead ones, and it is freed by whoever empties that.
 */
#include "irq_env.h"
#include "irqfd.h"
#include "route.h"

/* Each holds an eventfd, of which a client can have as many as it may have descriptors. */
#define MAX_IRQFDS	UMBRA_MAX_ROUTES

/**
 * struct irqfd - one registration; constant while on the list
 * @list: in umbra_irqfds.live or .dead
 * @resampled: in umbra_irqfds.resampled, if @resample; for readers of vm->srcu
 * @vm: whose GSI
 * @ctx: the eventfd, one reference
 * @resample: the other one, likewise; or NULL
 * @gsi: what it raises
 * @live: on the list of live ones; irqfds->lock
 * @table: queues @wait
 * @wait: in the eventfd's wait queue
 * @queue: that wait queue
 */
struct irqfd {
	struct list_head list;
	struct list_head resampled;
	struct umbra_vm *vm;
	struct eventfd_ctx *ctx;
	struct eventfd_ctx *resample;
	u32 gsi;
	bool live;
	poll_table table;
	wait_queue_entry_t wait;
	wait_queue_head_t *queue;
};

/**
 * struct umbra_irqfds - all of a VM
 * @mutex: who adds and removes, except for eventfds that are closed
 * @lock: irq-safe, below wait queue locks: @live, @dead and irqfd.live
 * @live: those that may raise their GSI
 * @dead: those to be freed
 * @resampled: those with a resampler; @mutex to write, vm->srcu to read
 * @nr: length of @live; @lock
 * @reap: empties @dead, where the one who put something there must not sleep
 * @vm: for @reap
 */
struct umbra_irqfds {
	struct mutex mutex;	/* see above */
	spinlock_t lock;	/* see above */
	struct list_head live;
	struct list_head dead;
	struct list_head resampled;
	u32 nr;
	struct work_struct reap;
	struct umbra_vm *vm;
};

/* Wait queue lock held. */
static void raise_gsi(struct irqfd *e)
{
	u64 count;

	eventfd_ctx_do_read(e->ctx, &count);
	if (e->resample) {
		umbra_irq_set(e->vm, UMBRA_IRQ_SOURCE_RESAMPLE, e->gsi, true);
		return;
	}
	umbra_irq_pulse(e->vm, UMBRA_IRQ_SOURCE_USER, e->gsi);
}

/* Take @e off the list of live ones. False: somebody else did. irqfds->lock held. */
static bool retire_irqfd(struct umbra_irqfds *irqfds, struct irqfd *e)
{
	if (!e->live)
		return false;
	e->live = false;
	irqfds->nr--;
	list_move(&e->list, &irqfds->dead);
	return true;
}

/* The eventfd was signalled, or its last descriptor is closed. Wait queue lock held. */
static int wakeup(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct irqfd *e = container_of(wait, struct irqfd, wait);
	struct umbra_irqfds *irqfds = e->vm->irq.irqfds;
	__poll_t events = key_to_poll(key);
	unsigned long flags;

	if (events & EPOLLIN)
		raise_gsi(e);
	if (events & EPOLLHUP) {
		spin_lock_irqsave(&irqfds->lock, flags);
		/* It cannot leave the queue whose lock is held here: that takes a thread. */
		if (retire_irqfd(irqfds, e))
			schedule_work(&irqfds->reap);
		spin_unlock_irqrestore(&irqfds->lock, flags);
	}
	return 0;
}

static void enqueue(struct file *file, wait_queue_head_t *queue, poll_table *table)
{
	struct irqfd *e = container_of(table, struct irqfd, table);

	e->queue = queue;
	add_wait_queue(queue, &e->wait);
}

static void release(struct irqfd *e)
{
	if (e->resample)
		eventfd_ctx_put(e->resample);
	if (e->ctx)
		eventfd_ctx_put(e->ctx);
	kfree(e);
}

/* The last of @gsi that had a resampler is gone: nobody would lower the line. Mutex held. */
static void lower_orphan(struct umbra_irqfds *irqfds, u32 gsi)
{
	struct irqfd *e;

	list_for_each_entry(e, &irqfds->resampled, resampled)
		if (e->gsi == gsi)
			return;
	umbra_irq_set(irqfds->vm, UMBRA_IRQ_SOURCE_RESAMPLE, gsi, false);
}

/* Free those on the list of dead ones: after that they have raised their last. Mutex held. */
static void reap(struct umbra_irqfds *irqfds)
{
	bool resampled = false;
	struct irqfd *e, *next;
	LIST_HEAD(dead);
	u64 count;

	spin_lock_irq(&irqfds->lock);
	list_splice_init(&irqfds->dead, &dead);
	spin_unlock_irq(&irqfds->lock);
	list_for_each_entry(e, &dead, list) {
		eventfd_ctx_remove_wait_queue(e->ctx, &e->wait, &count);
		if (!e->resample)
			continue;
		list_del_rcu(&e->resampled);
		lower_orphan(irqfds, e->gsi);
		resampled = true;
	}
	if (resampled)
		synchronize_srcu_expedited(&irqfds->vm->srcu);
	list_for_each_entry_safe(e, next, &dead, list)
		release(e);
}

static void reap_work(struct work_struct *work)
{
	struct umbra_irqfds *irqfds = container_of(work, struct umbra_irqfds, reap);

	mutex_lock(&irqfds->mutex);
	reap(irqfds);
	mutex_unlock(&irqfds->mutex);
}

bool umbra_irqfd_wants_acks(struct umbra_vm *vm)
{
	return !list_empty(&vm->irq.irqfds->resampled);
}

/**
 * umbra_irqfd_ack() - the guest has finished an interrupt
 * @vm: VM
 * @chip: KVM_IRQCHIP_*
 * @pin: of it
 *
 * A device whose line was raised by a resampled irqfd is asked whether it still wants
 * something, after the line was lowered: it may raise it again before this returns.
 *
 * Context: any but NMI; no lock held, of irq/ or of a wait queue.
 */
void umbra_irqfd_ack(struct umbra_vm *vm, u32 chip, u32 pin)
{
	struct umbra_irqfds *irqfds = vm->irq.irqfds;
	bool lowered = false;
	struct irqfd *e;
	int idx, gsi;

	idx = srcu_read_lock(&vm->srcu);
	gsi = umbra_route_gsi(vm, chip, pin);
	list_for_each_entry_srcu(e, &irqfds->resampled, resampled,
				 srcu_read_lock_held(&vm->srcu)) {
		if (gsi < 0 || e->gsi != gsi)
			continue;
		if (!lowered)
			umbra_irq_set(vm, UMBRA_IRQ_SOURCE_RESAMPLE, gsi, false);
		lowered = true;
		umbra_eventfd_signal(e->resample);
	}
	srcu_read_unlock(&vm->srcu, idx);
}

/* irqfds->lock held; with the mutex as well, what is found goes only if it is closed. */
static struct irqfd *find(struct umbra_irqfds *irqfds, const struct eventfd_ctx *ctx)
{
	struct irqfd *e;

	lockdep_assert_held(&irqfds->lock);
	list_for_each_entry(e, &irqfds->live, list)
		if (e->ctx == ctx)
			return e;
	return NULL;
}

static int insert(struct umbra_irqfds *irqfds, struct irqfd *e)
{
	int r = 0;

	spin_lock_irq(&irqfds->lock);
	if (find(irqfds, e->ctx)) {
		r = -EBUSY;
	} else if (irqfds->nr >= MAX_IRQFDS) {
		r = -ENOSPC;
	} else {
		irqfds->nr++;
		e->live = true;
		list_add_tail(&e->list, &irqfds->live);
	}
	spin_unlock_irq(&irqfds->lock);
	return r;
}

/* @e is on the list: wait for its eventfd, and raise the GSI if it was signalled before. */
static void start_irqfd(struct umbra_irqfds *irqfds, struct irqfd *e, struct file *file)
{
	__poll_t events;

	if (e->resample)
		list_add_tail_rcu(&e->resampled, &irqfds->resampled);
	init_waitqueue_func_entry(&e->wait, wakeup);
	init_poll_funcptr(&e->table, enqueue);
	events = vfs_poll(file, &e->table);
	if (!(events & EPOLLIN))
		return;
	spin_lock_irq(&e->queue->lock);
	raise_gsi(e);
	spin_unlock_irq(&e->queue->lock);
}

static int assign(struct umbra_vm *vm, const struct kvm_irqfd *args, struct file *file)
{
	struct umbra_irqfds *irqfds = vm->irq.irqfds;
	struct eventfd_ctx *ctx;
	struct irqfd *e;
	int r;

	e = kzalloc(sizeof(*e), GFP_KERNEL_ACCOUNT);
	if (!e)
		return -ENOMEM;
	e->vm = vm;
	e->gsi = args->gsi;
	ctx = eventfd_ctx_fileget(file);
	r = PTR_ERR_OR_ZERO(ctx);
	if (r)
		goto free;
	e->ctx = ctx;
	if (args->flags & KVM_IRQFD_FLAG_RESAMPLE) {
		ctx = eventfd_ctx_fdget(args->resamplefd);
		r = PTR_ERR_OR_ZERO(ctx);
		if (r)
			goto free;
		e->resample = ctx;
	}
	mutex_lock(&irqfds->mutex);
	r = insert(irqfds, e);
	if (!r)
		start_irqfd(irqfds, e, file);
	mutex_unlock(&irqfds->mutex);
	if (!r)
		return 0;
free:
	release(e);
	return r;
}

/* It is no error if there is no such irqfd. When this returns it has raised its last. */
static int deassign(struct umbra_vm *vm, const struct kvm_irqfd *args)
{
	struct umbra_irqfds *irqfds = vm->irq.irqfds;
	struct eventfd_ctx *ctx = eventfd_ctx_fdget(args->fd);
	struct irqfd *e;

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	mutex_lock(&irqfds->mutex);
	spin_lock_irq(&irqfds->lock);
	e = find(irqfds, ctx);
	if (e && e->gsi == args->gsi)
		retire_irqfd(irqfds, e);
	spin_unlock_irq(&irqfds->lock);
	reap(irqfds);
	mutex_unlock(&irqfds->mutex);
	eventfd_ctx_put(ctx);
	return 0;
}

/**
 * umbra_irqfd() - KVM_IRQFD
 * @vm: VM
 * @args: copy of the caller's structure
 *
 * Return: 0; -EINVAL unknown flag, no local APIC in the kernel (no I/O APIC for a resampler),
 * or no eventfd; -EBADF; -EBUSY the eventfd has a GSI already; -ENOSPC; -ENOMEM.
 */
int umbra_irqfd(struct umbra_vm *vm, const struct kvm_irqfd *args)
{
	enum umbra_irqchip chip = umbra_irq_chip(vm);
	struct file *file;
	int r;

	if (args->flags & ~(KVM_IRQFD_FLAG_DEASSIGN | KVM_IRQFD_FLAG_RESAMPLE))
		return -EINVAL;
	if (args->flags & KVM_IRQFD_FLAG_DEASSIGN)
		return deassign(vm, args);
	if (chip == UMBRA_IRQCHIP_NONE)
		return -EINVAL;
	if (args->flags & KVM_IRQFD_FLAG_RESAMPLE && chip != UMBRA_IRQCHIP_KERNEL)
		return -EINVAL;
	file = fget(args->fd);
	if (!file)
		return -EBADF;
	r = assign(vm, args, file);
	fput(file);
	return r;
}

int umbra_irqfds_create(struct umbra_vm *vm)
{
	struct umbra_irqfds *irqfds = kzalloc(sizeof(*irqfds), GFP_KERNEL_ACCOUNT);

	if (!irqfds)
		return -ENOMEM;
	mutex_init(&irqfds->mutex);
	spin_lock_init(&irqfds->lock);
	INIT_LIST_HEAD(&irqfds->live);
	INIT_LIST_HEAD(&irqfds->dead);
	INIT_LIST_HEAD(&irqfds->resampled);
	INIT_WORK(&irqfds->reap, reap_work);
	irqfds->vm = vm;
	vm->irq.irqfds = irqfds;
	return 0;
}

void umbra_irqfds_retire(struct umbra_vm *vm)
{
	struct umbra_irqfds *irqfds = vm->irq.irqfds;
	struct irqfd *e, *next;

	spin_lock_irq(&irqfds->lock);
	list_for_each_entry_safe(e, next, &irqfds->live, list)
		retire_irqfd(irqfds, e);
	spin_unlock_irq(&irqfds->lock);
	/* Nobody finds a live one from here on, so the work is not scheduled again. */
	cancel_work_sync(&irqfds->reap);
	mutex_lock(&irqfds->mutex);
	reap(irqfds);
	mutex_unlock(&irqfds->mutex);
}

void umbra_irqfds_destroy(struct umbra_vm *vm)
{
	if (!vm->irq.irqfds)
		return;
	mutex_destroy(&vm->irq.irqfds->mutex);
	kfree(vm->irq.irqfds);
	vm->irq.irqfds = NULL;
}
