/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Interrupt lines into the hypervisor's interrupt controllers.
 */
#ifndef UMBRA_VMM_IRQ_H
#define UMBRA_VMM_IRQ_H

#include "types.h"

struct machine;

/**
 * struct irq_line - one line
 * @m: machine
 * @gsi: its number
 * @fd: eventfd bound to it for pulses, or -1
 */
struct irq_line {
	struct machine *m;
	u32 gsi;
	int fd;
};

void irq_init(struct irq_line *line, struct machine *m, u32 gsi);
int irq_bind(struct irq_line *line);
void irq_release(struct irq_line *line);
void irq_set(struct irq_line *line, bool level);
void irq_pulse(struct irq_line *line);

#endif
