/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Interrupt controllers and timers inside the kernel: local APICs, the I/O APIC,
 * the pair of 8259A, the 8254, the routes between them, and irqfds. The only
 * header of irq/ that others include.
 *
 * A VM has none of them, local APICs alone ("split"), or all. What it has is
 * settled before its first vCPU exists and never changes.
 *
 * Who may call: "vCPU" means the thread that holds vcpu->mutex; "any" means any
 * context but NMI, hard interrupts included. Nothing here injects an event: the
 * vCPU asks umbra_irq_has() and umbra_irq_take(), in event.c. What comes from
 * elsewhere sets bits, then UMBRA_REQ_EVENT, then wakes and kicks.
 */
#ifndef UMBRA_IRQ_H
#define UMBRA_IRQ_H

#include <linux/types.h>
#include "../iobus.h"
#include "../types.h"

struct kvm_irq_level;
struct kvm_irqchip;
struct kvm_irqfd;
struct kvm_lapic_state;
struct kvm_msi;
struct kvm_pit_config;
struct kvm_pit_state2;
struct kvm_reinject_control;
struct kvm_tpr_access_ctl;
struct umbra_ioapic;
struct umbra_irq_routes;
struct umbra_irqfds;
struct umbra_lapic;
struct umbra_pic;
struct umbra_pit;
struct umbra_vcpu;
struct umbra_vm;

enum umbra_irqchip {
	UMBRA_IRQCHIP_NONE,	/* user space has them all */
	UMBRA_IRQCHIP_SPLIT,	/* local APICs are here, the rest is in user space */
	UMBRA_IRQCHIP_KERNEL,	/* all are here */
};

/* Interrupt sources of one line: they are OR-ed. */
#define UMBRA_IRQ_SOURCE_USER		0	/* KVM_IRQ_LINE */
#define UMBRA_IRQ_SOURCE_PIT		1
#define UMBRA_IRQ_SOURCE_RESAMPLE	2	/* irqfds with a resampler */
#define UMBRA_IRQ_SOURCES		3

#define UMBRA_MAX_ROUTES	4096		/* KVM_CAP_IRQ_ROUTING */
#define UMBRA_IOAPIC_PINS	24		/* KVM_IOAPIC_NUM_PINS */

/**
 * struct umbra_irq - what a VM has; member "irq" of struct umbra_vm
 * @chip: constant once the first vCPU exists; read with READ_ONCE before
 * @user_pins: split: pins of user space's I/O APIC, for EOI exits
 * @pic: owned by pic.c; NULL unless UMBRA_IRQCHIP_KERNEL
 * @ioapic: owned by ioapic.c; likewise
 * @pit: owned by pit.c; NULL until KVM_CREATE_PIT2
 * @routes: vm->slots_lock to write, vm->srcu to read
 * @irqfds: owned by irqfd.c
 * @boot_cpu: KVM_SET_BOOT_CPU_ID; constant once the first vCPU exists
 * @x2apic_ids: KVM_X2APIC_API_USE_32BIT_IDS: GET/SET_LAPIC and MSI with 32 bit ids
 * @no_broadcast_quirk: KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK
 */
struct umbra_irq {
	enum umbra_irqchip chip;
	u32 user_pins;
	struct umbra_pic *pic;
	struct umbra_ioapic *ioapic;
	struct umbra_pit *pit;
	struct umbra_irq_routes __rcu *routes;
	struct umbra_irqfds *irqfds;
	u32 boot_cpu;
	bool x2apic_ids;
	bool no_broadcast_quirk;
};

/* chip.c: the VM's part. Process context; take vm->lock themselves. */
int umbra_irq_vm_create(struct umbra_vm *vm);	/* at VM creation: nothing but irqfds' state */
/* irqfds and timers stop first (before vCPUs go), then memory goes (after they went). */
void umbra_irq_vm_retire(struct umbra_vm *vm);
void umbra_irq_vm_destroy(struct umbra_vm *vm);
int umbra_irqchip_create(struct umbra_vm *vm);			/* KVM_CREATE_IRQCHIP */
int umbra_irqchip_split(struct umbra_vm *vm, u64 pins);		/* KVM_CAP_SPLIT_IRQCHIP */
/* Every call of irq/ on the VM's descriptor: -ENOTTY when it is none of them. */
long umbra_irq_vm_ioctl(struct umbra_vm *vm, unsigned int cmd, unsigned long arg);

/* pit.c */
int umbra_pit_create(struct umbra_vm *vm, const struct kvm_pit_config *config);

/*
 * Ports and MMIO of the chips: the VM's I/O APIC, PICs and PIT, the vCPU's own local
 * APIC. vCPU; atomic; SRCU read section. 0, or -EOPNOTSUPP: not at this address.
 */
int umbra_irq_io_read(struct umbra_vcpu *vcpu, enum umbra_bus_kind bus, gpa_t addr,
		      unsigned int len, void *data);
int umbra_irq_io_write(struct umbra_vcpu *vcpu, enum umbra_bus_kind bus, gpa_t addr,
		       unsigned int len, const void *data);
bool umbra_irq_io_listens(struct umbra_vcpu *vcpu, enum umbra_bus_kind bus, gpa_t addr,
			  unsigned int len);

/* lapic.c: life of a vCPU's local APIC. vcpu->lapic is NULL where the VM has none. */
int umbra_lapic_create(struct umbra_vcpu *vcpu);	/* sleeps; 0 or -ENOMEM */
void umbra_lapic_destroy(struct umbra_vcpu *vcpu);	/* stops its timer */
/* Power-up, or INIT (@init), which keeps APIC_BASE. vCPU. */
void umbra_lapic_reset(struct umbra_vcpu *vcpu, bool init);
static inline bool umbra_is_boot_cpu(const struct umbra_irq *irq, u32 vcpu_id)
{
	return vcpu_id == irq->boot_cpu;
}

/*
 * What event.c asks; vCPU, atomic. An interrupt counts when the local APIC's priorities let
 * it through (or when an ExtINT of the 8259A, or of user space in split mode, is let
 * through); RFLAGS.IF and shadows are event.c's matter.
 */
bool umbra_irq_has(struct umbra_vcpu *vcpu);
/* Acknowledge it (IRR to ISR, or INTA cycle) and give its vector, -1 when it is gone. */
int umbra_irq_take(struct umbra_vcpu *vcpu);
/* Split: KVM_INTERRUPT's vector, as an ExtINT. 0 or -EEXIST. vCPU. */
int umbra_irq_user_extint(struct umbra_vcpu *vcpu, u8 vector);
/* Split: would user space's ExtINT be let through? */
bool umbra_irq_extint_wanted(struct umbra_vcpu *vcpu);

/* INIT and SIPI that came for this vCPU, for halt.c. vCPU. */
#define UMBRA_APIC_INIT		BIT(0)
#define UMBRA_APIC_SIPI		BIT(1)
unsigned long umbra_lapic_signals(struct umbra_vcpu *vcpu);	/* those that wait */
/* The same, and none waits any more. With both, the SIPI came after the INIT. */
unsigned long umbra_lapic_take_signals(struct umbra_vcpu *vcpu);
u8 umbra_lapic_sipi_vector(struct umbra_vcpu *vcpu);
/* User space restores the last one's. vCPU. */
void umbra_lapic_set_sipi_vector(struct umbra_vcpu *vcpu, u8 vector);

/* TPR, bits 7:4, as CR8 has it; the others are 0 then. For each write of CR8. vCPU. */
void umbra_lapic_set_cr8(struct umbra_vcpu *vcpu, u64 cr8);
/* The whole TPR; vcpu->cr8 follows. vCPU. */
void umbra_lapic_set_tpr(struct umbra_vcpu *vcpu, u8 tpr);
/* TPR, class of the highest vector in service << 8, highest vector that waits << 24. vCPU. */
u32 umbra_lapic_vapic(struct umbra_vcpu *vcpu);

/*
 * MSRs: APIC_BASE, x2APIC registers (0x800 to 0x8ff), TSC_DEADLINE. vCPU, atomic. 0, or
 * -EINVAL where hardware answers #GP. @host: user space asks, not the guest.
 */
int umbra_lapic_get_msr(struct umbra_vcpu *vcpu, u32 index, u64 *data);
int umbra_lapic_set_msr(struct umbra_vcpu *vcpu, u32 index, u64 data);
int umbra_lapic_set_base(struct umbra_vcpu *vcpu, u64 base, bool host);
/* @host: user space saves it; one whose interrupt still waits counts then. */
u64 umbra_lapic_get_deadline(struct umbra_vcpu *vcpu, bool host);
void umbra_lapic_set_deadline(struct umbra_vcpu *vcpu, u64 deadline);
/* The guest's TSC moved: a deadline that is armed has another moment now. */
void umbra_lapic_tsc_changed(struct umbra_vcpu *vcpu);

/* KVM_GET_LAPIC and KVM_SET_LAPIC. vCPU. 0 or -EINVAL, nothing changed then. */
int umbra_lapic_get_state(struct umbra_vcpu *vcpu, struct kvm_lapic_state *state);
int umbra_lapic_set_state(struct umbra_vcpu *vcpu, const struct kvm_lapic_state *state);

/* PV: hypercall KVM_HC_SEND_IPI. Number of vCPUs that took it, or -KVM_EINVAL. vCPU, atomic. */
int umbra_lapic_pv_ipi(struct umbra_vcpu *vcpu, u64 low, u64 high, u32 min, u64 icr, bool mode64);

/**
 * struct umbra_pv_eoi - PV EOI; member "pv_eoi" of struct umbra_vcpu, owned by pv_eoi.c
 * @msr: MSR_KVM_PV_EOI_EN
 * @armed: the guest runs, or just ran, with the bit in its memory set
 */
struct umbra_pv_eoi {
	u64 msr;
	bool armed;
};

int umbra_pv_eoi_set(struct umbra_vcpu *vcpu, u64 data);
/* Last of all before an entry, where umbra_pv_eoi_on(). vCPU; interrupts off. */
void umbra_pv_eoi_arm(struct umbra_vcpu *vcpu);
/*
 * First of all after an exit, where @armed: what the guest did takes effect now. vCPU. False
 * only when @atomic: guest memory has to be faulted in, do it again where one may sleep.
 */
bool umbra_pv_eoi_disarm(struct umbra_vcpu *vcpu, bool atomic);
static inline bool umbra_pv_eoi_on(const struct umbra_pv_eoi *p)
{
	return p->msr & 1;
}

#endif
