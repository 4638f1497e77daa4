// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupt lines: levels by KVM_IRQ_LINE, edges by an eventfd that KVM_IRQFD binds.
 *
 * Which interrupt a line becomes is the hypervisor's routing and the guest's doing.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "irq.h"
#include "machine.h"
#include "umbra.h"

/**
 * irq_init() - Name a line.
 * @line: line
 * @m: machine; may have no VM yet
 * @gsi: number of the line
 */
void irq_init(struct irq_line *line, struct machine *m, u32 gsi)
{
	line->m = m;
	line->gsi = gsi;
	line->fd = -1;
}

/**
 * irq_bind() - Let irq_pulse() work without a call into the VM, where that is offered.
 * @line: line of a machine with a VM
 *
 * Return: 0, or -1 after a message.
 */
int irq_bind(struct irq_line *line)
{
	struct kvm_irqfd bind = { .gsi = line->gsi };

	if (!hv_capability(&line->m->hv, KVM_CAP_IRQFD))
		return 0;
	line->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	bind.fd = line->fd;
	if (line->fd >= 0 && !ioctl(line->m->vm, KVM_IRQFD, &bind))
		return 0;
	complain("%s: cannot bind interrupt %u: %s", line->m->hv.path, line->gsi,
		 strerror(errno));
	irq_release(line);
	return -1;
}

/**
 * irq_release() - Undo irq_bind().
 * @line: line, bound or not
 */
void irq_release(struct irq_line *line)
{
	if (line->fd >= 0)
		close(line->fd);
	line->fd = -1;
}

/**
 * irq_set() - Set the level of a line.
 * @line: line
 * @level: whether it asks for service
 *
 * Context: any thread; callers serialize the calls for one line.
 */
void irq_set(struct irq_line *line, bool level)
{
	struct kvm_irq_level args = { .irq = line->gsi, .level = level };

	if (ioctl(line->m->vm, KVM_IRQ_LINE, &args))
		machine_end(line->m, NULL, STATUS_HOST, "%s does not set interrupt %u: %s",
			    line->m->hv.path, line->gsi, strerror(errno));
}

/**
 * irq_pulse() - Raise a line and lower it at once: an edge.
 * @line: line
 *
 * Context: any thread; callers serialize the calls for one line.
 */
void irq_pulse(struct irq_line *line)
{
	u64 one = 1;

	if (line->fd >= 0) {
		/* Full is as good as written: nobody has looked at it yet. */
		if (write(line->fd, &one, sizeof(one)) == sizeof(one) || errno == EAGAIN)
			return;
	}
	irq_set(line, true);
	irq_set(line, false);
}
