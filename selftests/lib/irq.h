/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Library of the selftests: guests with interrupt controllers in the kernel. The guest's side
 * of the local APIC in both of its forms, handlers that count, and on the test's side VMs with
 * the chips, threads that run vCPUs, and waiting for what another thread or the guest does.
 * Must not know what any single test expects.
 */
#ifndef SELFTESTS_IRQ_H
#define SELFTESTS_IRQ_H

#include <pthread.h>
#include "umbra_util.h"

#define UT_APIC_GPA		0xfee00000ull
#define UT_IOAPIC_GPA		0xfec00000ull
#define UT_IOAPIC_PINS		24
/* In a redirection entry, beside the delivery mode and UT_DEST_LOGICAL. */
#define UT_REDIR_PENDING	BIT_ULL(12)
#define UT_REDIR_LOW		BIT_ULL(13)
#define UT_REDIR_REMOTE		BIT_ULL(14)
#define UT_REDIR_LEVEL		BIT_ULL(15)
#define UT_REDIR_MASKED		BIT_ULL(16)

/* Registers of the local APIC: offsets in its page. */
#define UT_APIC_ID		0x20
#define UT_APIC_VERSION		0x30
#define UT_APIC_TPR		0x80
#define UT_APIC_PPR		0xa0
#define UT_APIC_EOI		0xb0
#define UT_APIC_LDR		0xd0
#define UT_APIC_DFR		0xe0
#define UT_APIC_SVR		0xf0
#define UT_APIC_ISR		0x100
#define UT_APIC_TMR		0x180
#define UT_APIC_IRR		0x200
#define UT_APIC_ESR		0x280
#define UT_APIC_ICR		0x300
#define UT_APIC_ICR2		0x310
#define UT_APIC_LVTT		0x320
#define UT_APIC_LVTTHMR		0x330
#define UT_APIC_LVTPC		0x340
#define UT_APIC_LVT0		0x350
#define UT_APIC_LVT1		0x360
#define UT_APIC_LVTERR		0x370
#define UT_APIC_TMICT		0x380
#define UT_APIC_TMCCT		0x390
#define UT_APIC_TDCR		0x3e0
#define UT_APIC_SELF_IPI	0x3f0

#define UT_SVR_ENABLE		BIT_ULL(8)
#define UT_SVR_NO_EOI_BROADCAST	BIT_ULL(12)
#define UT_SPURIOUS_VECTOR	0xff
#define UT_LVT_MASKED		BIT_ULL(16)
#define UT_LVT_LEVEL		BIT_ULL(15)
#define UT_LVTT_PERIODIC	(1u << 17)
#define UT_LVTT_DEADLINE	(2u << 17)

/* The delivery mode, in ICR, LVT entries, redirection entries and MSI data. */
#define UT_DM_FIXED		(0u << 8)
#define UT_DM_LOWEST		(1u << 8)
#define UT_DM_SMI		(2u << 8)
#define UT_DM_NMI		(4u << 8)
#define UT_DM_INIT		(5u << 8)
#define UT_DM_SIPI		(6u << 8)
#define UT_DM_EXTINT		(7u << 8)
#define UT_DEST_LOGICAL		BIT_ULL(11)
#define UT_ICR_BUSY		BIT_ULL(12)
#define UT_ICR_ASSERT		BIT_ULL(14)
#define UT_ICR_LEVEL		BIT_ULL(15)
#define UT_ICR_SELF		(1u << 18)
#define UT_ICR_ALL		(2u << 18)
#define UT_ICR_OTHERS		(3u << 18)

#define UT_MSR_APICBASE		0x1b
#define UT_APICBASE_BSP		BIT_ULL(8)
#define UT_APICBASE_X2		BIT_ULL(10)
#define UT_APICBASE_ENABLE	BIT_ULL(11)
#define UT_MSR_TSC_DEADLINE	0x6e0
#define UT_MSR_X2APIC		0x800

/* ---- guest ---- */

/* Which vCPU is this, in order of creation? By its stack, so that it costs no exit. */
static inline int guest_cpu(void)
{
	return ((u64)__builtin_frame_address(0) - UT_STACKS_GPA) / UT_STACK_SIZE;
}

static inline u64 guest_rdtsc(void)
{
	u32 lo, hi;

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return lo | (u64)hi << 32;
}

/* STI and HLT as one: an interrupt that is pending wakes it for sure. */
static inline void guest_sti_hlt(void)
{
	asm volatile("sti\n\thlt" : : : "memory");
}

static inline void guest_write_cr8(u64 v)
{
	asm volatile("mov %0, %%cr8" : : "r"(v) : "memory");
}

/* Interrupts on for a moment: everything that can be taken is. */
static inline void guest_take_all(void)
{
	asm volatile("sti\n\tnop\n\tnop\n\tcli" : : : "memory");
}

/* The page or the MSRs, whichever guest_x2apic_on() has chosen for this vCPU. */
u32 guest_apic_read(u32 reg);
void guest_apic_write(u32 reg, u32 value);
/* Write ICR, and wait until it is delivered. */
void guest_apic_icr(u32 dest, u32 low);
/* Software-enable with the spurious vector UT_SPURIOUS_VECTOR. */
void guest_apic_on(void);
void guest_x2apic_on(void);
void guest_eoi(void);

/* Is bit @vector set in the 256 bits that start at register @reg? */
bool guest_apic_bit(u32 reg, int vector);

u32 guest_ioapic_read(u32 reg);
void guest_ioapic_write(u32 reg, u32 value);
/* Both halves of a redirection entry, the one with the mask bit last. */
void guest_ioapic_redir(int pin, u64 entry);

/* All four initialization words of the 8259A at @port, for edges; they unmask its lines. */
#define UT_PIC1			0x20
#define UT_PIC2			0xa0
void guest_pic_init(u16 port, u8 base, u8 icw3, u8 icw4);

/* Have the test set an input, see ut_serve_lines(). */
void guest_line(u64 gsi, u64 level);

/*
 * Handlers: count, and log; the second says EOI to the local APIC, and counts what is not in
 * service there as a phantom.
 */
#define UT_IRQ_LOG		64
void guest_irq_count(struct ut_ex_regs *regs);
void guest_irq_eoi(struct ut_ex_regs *regs);
/* Interrupts of this vector that this vCPU, or another one, has counted. */
u64 guest_hits(int vector);
u64 guest_hits_of(int cpu, int vector);
/* Take all that can be taken: that makes @n of @vector. */
#define GUEST_ASSERT_TAKEN(vector, n) do {				\
	guest_take_all();						\
	GUEST_ASSERT_EQ(guest_hits(vector), n);				\
} while (0)
/* Spin with interrupts on until there are @n of them. */
void guest_wait_hits(int vector, u64 n);

/* ---- test ---- */

/* ut_vm_long() with KVM_CREATE_IRQCHIP, both APIC pages mapped; vector 32 up: guest_irq_eoi(). */
struct ut_vm *ut_irq_vm(void);
/* The same without chips: for those who make others. */
struct ut_vm *ut_irq_vm_bare(void);
/* The guest's counts. */
u64 ut_hits(struct ut_vm *vm, int cpu, int vector);
u64 ut_phantoms(struct ut_vm *vm, int cpu);
/* Are @hits what @n interrupts make? QEMU's processor delivers one twice now and then. */
bool ut_counted(u64 hits, u64 n);
void ut_clear_hits(struct ut_vm *vm);
/* The n-th interrupt of this vCPU since ut_clear_hits(); 0: none. */
int ut_logged(struct ut_vm *vm, int cpu, int n);

/* Supported CPUID and the TSC deadline timer, which that leaves out. */
void ut_cpuid_deadline(struct ut_vcpu *vcpu);
u32 ut_lapic_reg(struct ut_vcpu *vcpu, u32 reg);
void ut_lapic_set_reg(struct ut_vcpu *vcpu, u32 reg, u32 value);
bool ut_lapic_bit(struct ut_vcpu *vcpu, u32 reg, int vector);
u32 ut_mp_state(struct ut_vcpu *vcpu);
void ut_set_mp(struct ut_vcpu *vcpu, u32 state);
/* KVM_IRQ_LINE. */
void ut_line(struct ut_vm *vm, u32 gsi, int level);
/* KVM_SIGNAL_MSI: its result. */
int ut_msi(struct ut_vm *vm, u32 addr, u32 data);
/* KVM_SET_GSI_ROUTING: @gsi is this message, all others are nothing. */
void ut_route_msi(struct ut_vm *vm, u32 gsi, u32 addr, u32 data);

/* Run one vCPU up to the expected UT_SYNC or UT_DONE; anything else ends the test. */
void ut_until(struct ut_vcpu *vcpu, u64 stage);
#define UT_UNTIL_DONE		(~0ull)
/* ut_restart() in @fn, and up to UT_DONE. */
void ut_run_through(struct ut_vcpu *vcpu, void *fn);
/* Up to UT_DONE, setting lines as guest_line() asks. */
void ut_serve_lines(struct ut_vcpu *vcpu);
/* ut_restart() in @fn, and that. */
void ut_run_with_lines(struct ut_vcpu *vcpu, void *fn);
/* KVM_IRQ_LINE_STATUS: what became of it. */
int ut_line_status(struct ut_vm *vm, u32 gsi, int level);
/* KVM_GET_IRQCHIP and KVM_SET_IRQCHIP. */
void ut_get_chip(struct ut_vm *vm, u32 id, struct kvm_irqchip *chip);
void ut_set_chip(struct ut_vm *vm, const struct kvm_irqchip *chip);
/* An entry of the I/O APIC's table, written by user space. */
void ut_set_redir(struct ut_vm *vm, int pin, u64 entry);

/**
 * struct ut_runner - a thread that runs a vCPU
 * @vcpu: the vCPU
 * @thread: the thread
 * @tid: its number, 0 until it has started
 * @stage: what the guest's last UT_SYNC said, the thread went on
 * @result: how it ended: UT_DONE, UT_EXIT, or -EINTR when stopped; valid once @ended
 * @ended: is it over?
 * @stop: set by ut_runner_stop()
 */
struct ut_runner {
	struct ut_vcpu *vcpu;
	pthread_t thread;
	int tid;
	u64 stage;
	int result;
	bool ended;
	bool stop;
};

struct ut_runner *ut_runner_start(struct ut_vcpu *vcpu);
/* Wait until it has ended by itself; frees it and returns the result. */
int ut_runner_join(struct ut_runner *runner);
/* Make it leave KVM_RUN by a signal, wherever it is, and join. */
int ut_runner_stop(struct ut_runner *runner);
/* CPU time of the thread so far, in microseconds. */
u64 ut_runner_cpu_us(struct ut_runner *runner);

/* Give up on a test that waits in vain; emulated hosts are slow. */
#define UT_HANG_MS		100000
/* For the harness: longer than UT_HANG_MS, so that the reason is told. */
#define UT_IRQ_TIMEOUT		120
#define ut_wait(cond) do {						\
	u64 __end = ut_now_ms() + UT_HANG_MS;				\
									\
	while (!(cond)) {						\
		if (ut_now_ms() > __end)				\
			ut_die("%s:%d: in vain: %s", __FILE__, __LINE__, #cond); \
		ut_msleep(1);						\
	}								\
} while (0)
/* Milliseconds since some time. */
u64 ut_now_ms(void);

#endif
