/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Capabilities: what KVM_CHECK_EXTENSION answers and KVM_ENABLE_CAP turns on.
 */
#ifndef UMBRA_CAPS_H
#define UMBRA_CAPS_H

struct kvm_enable_cap;
struct umbra_vcpu;
struct umbra_vm;

/* 0 = not offered, otherwise 1 or the capability's own number. */
int umbra_check_extension(long cap);
/* Takes vm->lock or vm->slots_lock. 0, -EINVAL, and nothing changed then. */
int umbra_vm_enable_cap(struct umbra_vm *vm, const struct kvm_enable_cap *cap);
/* vcpu->mutex held. Likewise. */
int umbra_vcpu_enable_cap(struct umbra_vcpu *vcpu, const struct kvm_enable_cap *cap);

#endif
