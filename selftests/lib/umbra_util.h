/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Library of the selftests, test side: devices, VMs, vCPUs, guest memory, runs.
 *
 * A function that sets something up does not return on failure: it says what
 * failed and aborts the test's process, which the harness reports as a failed
 * test. Calls under test go through ut_ioctl(), which returns -errno.
 * Nothing here includes the harness: assertions belong to the tests.
 */
#ifndef SELFTESTS_UMBRA_UTIL_H
#define SELFTESTS_UMBRA_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <linux/kvm.h>
#include "guest.h"

/*
 * Guest-physical map of ut_vm_long(). Slot 0 is mapped at gva = gpa with 4 KiB
 * pages, except page 0, which is left out so that a null pointer faults. The
 * page at UT_MMIO_GPA is mapped and has no memory behind it.
 */
#define UT_SLOT0_SIZE		0x1000000ull
#define UT_TABLES_GPA		0x10000ull	/* IDT, GDTs, page tables */
#define UT_STACKS_GPA		0x200000ull	/* 64 KiB for each vCPU */
#define UT_STACK_SIZE		0x10000ull
#define UT_IMAGE_GPA		0x400000ull	/* the program's own image */
#define UT_FREE_GPA		0x800000ull	/* up to UT_SLOT0_SIZE: the test's */
#define UT_MMIO_GPA		0xd0000000ull
#define UT_MMIO_PAGES		16
#define UT_MAX_VCPUS		16
#define UT_MAX_SLOTS		32

#define UT_PTE_P		BIT_ULL(0)
#define UT_PTE_W		BIT_ULL(1)
#define UT_PTE_U		BIT_ULL(2)
#define UT_PTE_A		BIT_ULL(5)
#define UT_PTE_D		BIT_ULL(6)
#define UT_PTE_PS		BIT_ULL(7)
#define UT_PTE_NX		BIT_ULL(63)
#define UT_PTE_ADDR		0x000ffffffffff000ull

struct ut_vm;

struct ut_slot {
	u64 gpa;
	u64 size;
	void *hva;
	bool own;		/* mapped by the library */
};

/**
 * struct ut_vcpu - one vCPU
 * @vm: its VM
 * @fd: descriptor
 * @id: number given to KVM_CREATE_VCPU
 * @run: the shared page
 * @run_size: bytes mapped at @run
 */
struct ut_vcpu {
	struct ut_vm *vm;
	int fd;
	int id;
	struct kvm_run *run;
	size_t run_size;
};

/**
 * struct ut_vm - one VM
 * @dev_fd: descriptor of the device
 * @fd: descriptor of the VM
 * @slot: what is mapped, by slot number; size 0 = none
 * @vcpu: vCPUs in order of creation
 * @nr_vcpus: their number
 * @cr3: gpa of the top page table, 0 until ut_vm_long()
 * @idt: gpa of the IDT
 * @next_table: gpa of the next free page for tables
 */
struct ut_vm {
	int dev_fd;
	int fd;
	struct ut_slot slot[UT_MAX_SLOTS];
	struct ut_vcpu *vcpu[UT_MAX_VCPUS];
	int nr_vcpus;
	u64 cr3;
	u64 idt;
	u64 next_table;
};

/* Print a message and abort the process (the harness: a failed test). */
[[gnu::noreturn, gnu::format(printf, 1, 2)]] void ut_die(const char *fmt, ...);

/* ---- device ---- */

/*
 * Exit status that the harness counts as skipped. A fixture's setup must end with
 * SKIP(_exit(UT_SKIPPED), "why"): after a plain SKIP(return, ...) the test would run.
 */
#define UT_SKIPPED		255

/* $UMBRA_DEVICE, or /dev/umbra. */
const char *ut_device_path(void);
/* False when $UMBRA_DEVICE is /dev/kvm: the reference the tests are proved on. */
bool ut_on_umbra(void);
/* Milliseconds of sleep. */
void ut_msleep(unsigned int ms);
/* Are guests run by VT-x, as opposed to AMD-V? */
bool ut_on_vmx(void);
/* Is the host's processor one of "qemu" or of "bochs"? As scripts/lab says. */
bool ut_emulated_by(const char *emulator);
/* Do page faults of tables that the guest does not see end the blocking by STI? */
bool ut_faults_end_shadow(void);
/* Would a guest's triple fault end the emulated host, intercepted or not? */
bool ut_no_triple_faults(void);
/* Are guest tables translated by the hypervisor, not by the processor? */
bool ut_shadowed(void);
/*
 * Open the device read-write. Where $UMBRA_DEVICE is not set and there is no
 * device, the test counts as skipped.
 */
int ut_open_device(void);
/* KVM_CHECK_EXTENSION on a device or VM descriptor. */
int ut_cap(int fd, long cap);

/*
 * ioctl() that returns -errno instead of -1. The argument may be a pointer or
 * a number.
 */
#define ut_ioctl(fd, cmd, arg)	ut_do_ioctl(fd, cmd, (unsigned long)(arg))
int ut_do_ioctl(int fd, unsigned long cmd, unsigned long arg);
/* The same, aborting the test on failure; returns the (not negative) result. */
#define ut_must_ioctl(fd, cmd, arg) \
	ut_do_must_ioctl(fd, cmd, (unsigned long)(arg), #cmd, __FILE__, __LINE__)
int ut_do_must_ioctl(int fd, unsigned long cmd, unsigned long arg, const char *name,
		     const char *file, int line);

/* Signal an eventfd. */
void ut_signal(int fd);
/* Signals since the last call, of one with EFD_NONBLOCK. */
u64 ut_signals(int fd);

/* ---- VM and memory ---- */

/* UMBRA_MMU_MODE_* that new VMs are to have; 0: whatever KVM_CREATE_VM gives them. */
extern u32 ut_mmu_mode;
/* A VM without memory and vCPUs. */
struct ut_vm *ut_vm_new(void);
/*
 * A VM with slot 0 (see the map above), tables and the program's image. Add
 * vCPUs with ut_vcpu_long(). The image is copied here: variables set later by
 * the test are not seen by the guest.
 */
struct ut_vm *ut_vm_long(void);
/* Close everything and free; vCPU threads must have ended. */
void ut_vm_free(struct ut_vm *vm);

/* KVM_SET_USER_MEMORY_REGION; 0 or -errno. Not recorded for ut_hva(). */
int ut_set_region(struct ut_vm *vm, u32 slot, u64 gpa, u64 size, void *hva,
		  u32 flags);
/* Add a slot backed by new anonymous memory; returns its address. */
void *ut_add_slot(struct ut_vm *vm, u32 slot, u64 gpa, u64 size, u32 flags);
/* Add (or move) a slot backed by the caller's memory. */
void ut_add_slot_hva(struct ut_vm *vm, u32 slot, u64 gpa, u64 size, void *hva,
		     u32 flags);
void ut_del_slot(struct ut_vm *vm, u32 slot);
/* The test's address of @gpa, which must lie in a recorded slot. */
void *ut_hva(struct ut_vm *vm, u64 gpa);

/* ---- guest page tables (4 levels); gva of the guest, not flushed ---- */

/* Map @npages 4 KiB pages; @flags: UT_PTE_*, UT_PTE_P is implied. */
void ut_map(struct ut_vm *vm, u64 gva, u64 gpa, u64 npages, u64 flags);
/* Map one page of level 1 (4 KiB), 2 (2 MiB) or 3 (1 GiB). */
void ut_map_level(struct ut_vm *vm, u64 gva, u64 gpa, int level, u64 flags);
/* The entry that maps @gva at @level, tables above are made if missing. */
u64 *ut_pte(struct ut_vm *vm, u64 gva, int level);
/* A zeroed page of slot 0 for whatever table the test builds; returns its gpa. */
u64 ut_alloc_table(struct ut_vm *vm);

/* The guest's copy of a global variable: *ut_guest_var(vm, counter). */
#define ut_guest_var(vm, var)	ut_guest_copy(vm, &(var))
#define ut_guest_copy(vm, ptr)	((__typeof__(ptr))ut_hva(vm, (u64)(ptr)))
/* Copy the test's value of a variable into the guest. */
#define ut_push_var(vm, var)	ut_push(vm, &(var), sizeof(var))
void ut_push(struct ut_vm *vm, const void *var, size_t size);
/* Let @fn handle @vector in every vCPU of the VM. */
void ut_set_handler(struct ut_vm *vm, int vector, ut_handler_t fn);

/* ---- vCPUs ---- */

/* A vCPU in its reset state, with the supported CPUID set. */
struct ut_vcpu *ut_vcpu_new(struct ut_vm *vm, int id);
/*
 * A vCPU of a ut_vm_long() VM that starts in @fn, 64-bit, CPL 0, interrupts
 * off, on its own stack. @fn may take arguments (see ut_set_args()) and must
 * not return.
 */
struct ut_vcpu *ut_vcpu_long(struct ut_vm *vm, int id, void *fn);
/* The shortest way: ut_vm_long() with one vCPU, id 0. */
struct ut_vcpu *ut_long_guest(void *fn);
/* The first two arguments of a function given to ut_vcpu_long(). */
void ut_set_args(struct ut_vcpu *vcpu, u64 a, u64 b);
/* Start (again) in @fn on an empty stack; segments and control registers stay. */
void ut_restart(struct ut_vcpu *vcpu, void *fn);

enum ut_mode {
	UT_REAL,	/* real mode, all bases 0 */
	UT_PROT16,	/* protected mode, 16-bit segments of 64 KiB */
	UT_PROT32,	/* protected mode, flat 4 GiB segments, paging off */
};

/*
 * A VM of UT_BLOB_MEM bytes in slot 0 at gpa 0 with one vCPU, whose code is
 * @code, copied to UT_BLOB_GPA; SP at UT_BLOB_GPA.
 */
#define UT_BLOB_GPA		0x8000ull
#define UT_BLOB_MEM		0x200000ull
struct ut_vcpu *ut_blob_guest(enum ut_mode mode, const void *code, size_t len);
/* Put an existing vCPU into @mode at @rip; general registers are cleared. */
void ut_set_mode(struct ut_vcpu *vcpu, enum ut_mode mode, u64 rip);

/*
 * Assembler text as bytes @name .. @name_end: UT_BLOB(hello, ".code16\n\thlt").
 * Alignment inside the text, up to 64, holds in the guest as well.
 */
#define UT_BLOB(name, text)						\
	extern const char name[], name##_end[];				\
	asm(".pushsection .rodata\n\t.balign 64\n"			\
	    ".global " #name ", " #name "_end\n"			\
	    #name ":\n\t" text "\n"					\
	    #name "_end:\n\t.byte 0\n\t.code64\n"			\
	    ".popsection")
#define UT_BLOB_LEN(name)	((size_t)(name##_end - (name)))

/* ---- runs ---- */

/* One KVM_RUN: 0 or -errno. */
int ut_run(struct ut_vcpu *vcpu);
/*
 * Run until the guest says something for the test: UT_SYNC or UT_DONE (@uc, if
 * not NULL, gets the whole of it), or until any other exit: UT_EXIT, see
 * vcpu->run->exit_reason. Prints the guest's guest_printf()s. A failed guest
 * assertion, an unexpected exception and a failed KVM_RUN end the test.
 * EINTR and EAGAIN are tried again.
 */
int ut_next(struct ut_vcpu *vcpu, struct ut_ucall *uc);
/* The same, but a signal returns -EINTR, and a SIPI that started the vCPU -EAGAIN. */
int ut_next_or_signal(struct ut_vcpu *vcpu, struct ut_ucall *uc);
/* Is the exit that just happened a ucall? If so, @uc is filled. */
bool ut_get_ucall(struct ut_vcpu *vcpu, struct ut_ucall *uc);
/* The data of a KVM_EXIT_IO. */
void *ut_io_data(struct ut_vcpu *vcpu);
const char *ut_exit_name(u32 reason);

/* ---- state; all of them end the test on failure ---- */

void ut_get_regs(struct ut_vcpu *vcpu, struct kvm_regs *out);
void ut_set_regs(struct ut_vcpu *vcpu, const struct kvm_regs *in);
void ut_get_sregs(struct ut_vcpu *vcpu, struct kvm_sregs *out);
void ut_set_sregs(struct ut_vcpu *vcpu, const struct kvm_sregs *in);
void ut_get_events(struct ut_vcpu *vcpu, struct kvm_vcpu_events *out);
void ut_set_events(struct ut_vcpu *vcpu, const struct kvm_vcpu_events *in);
void ut_get_debugregs(struct ut_vcpu *vcpu, struct kvm_debugregs *out);
void ut_set_debugregs(struct ut_vcpu *vcpu, const struct kvm_debugregs *in);
void ut_get_mp_state(struct ut_vcpu *vcpu, struct kvm_mp_state *out);
void ut_set_mp_state(struct ut_vcpu *vcpu, const struct kvm_mp_state *in);
void ut_get_xcrs(struct ut_vcpu *vcpu, struct kvm_xcrs *out);
void ut_set_xcrs(struct ut_vcpu *vcpu, const struct kvm_xcrs *in);

/* One MSR: number of MSRs done (1 or 0), or -errno. */
int ut_read_msr(struct ut_vcpu *vcpu, u32 index, u64 *value);
int ut_write_msr(struct ut_vcpu *vcpu, u32 index, u64 value);

/* KVM_GET_SUPPORTED_CPUID into new memory; the caller frees it. */
struct kvm_cpuid2 *ut_supported_cpuid(int dev_fd);
/* The entry of @function, @index in @cpuid, or NULL. */
struct kvm_cpuid_entry2 *ut_cpuid_entry(struct kvm_cpuid2 *cpuid, u32 function,
					u32 index);

#endif
