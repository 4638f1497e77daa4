// SPDX-License-Identifier: GPL-2.0
/*
 * MMIO exits in every width through many instructions. A device of the test
 * answers reads with a pattern of the address and records writes; guest code
 * checks what the instructions made of it.
 */
#include <kselftest_harness.h>
#include "umbra_util.h"

#define DEV	UT_MMIO_GPA
#define MAX_LOG	64

struct access {
	u64 gpa;
	u64 data;
	u8 len;
	u8 is_write;
};

/* Registers of the device: plain memory, so that read-modify-write can be checked. */
static u8 regs_of_device[256];
static struct access access_log[MAX_LOG];
static u32 logged;

static void serve(struct kvm_run *run)
{
	u64 offset = run->mmio.phys_addr - DEV;
	struct access *a = &access_log[logged++ % MAX_LOG];

	if (offset + run->mmio.len > sizeof(regs_of_device) || !run->mmio.len ||
	    run->mmio.len > 8)
		ut_die("MMIO of %u bytes at %#llx", run->mmio.len, run->mmio.phys_addr);
	a->gpa = run->mmio.phys_addr;
	a->len = run->mmio.len;
	a->is_write = run->mmio.is_write;
	a->data = 0;
	if (run->mmio.is_write)
		memcpy(regs_of_device + offset, run->mmio.data, run->mmio.len);
	else
		memcpy(run->mmio.data, regs_of_device + offset, run->mmio.len);
	memcpy(&a->data, run->mmio.data, run->mmio.len);
}

/* Run @fn to its end, being its device. */
static void run_guest(struct ut_vcpu *vcpu, void *fn)
{
	unsigned int i;

	for (i = 0; i < sizeof(regs_of_device); i++)
		regs_of_device[i] = 0x80 + i;
	logged = 0;
	ut_restart(vcpu, fn);
	while (ut_next(vcpu, NULL) == UT_EXIT) {
		if (vcpu->run->exit_reason != KVM_EXIT_MMIO)
			ut_die("unexpected exit %s", ut_exit_name(vcpu->run->exit_reason));
		serve(vcpu->run);
	}
}

FIXTURE(mmio) {
	struct ut_vcpu *vcpu;
};

FIXTURE_SETUP(mmio)
{
	self->vcpu = ut_long_guest(guest_done);
}

FIXTURE_TEARDOWN(mmio)
{
	ut_vm_free(self->vcpu->vm);
}

#define READ(insn, reg, off, want) do {						\
	u64 __v = ~0ull;							\
										\
	asm volatile(insn " (%1), %" reg "0" : "+r"(__v) : "r"(DEV + (off)) : "memory"); \
	GUEST_ASSERT_EQ(__v, want);						\
} while (0)

static void guest_reads(void)
{
	READ("movb", "b", 1, 0xffffffffffffff81ull);
	READ("movw", "w", 2, 0xffffffffffff8382ull);
	READ("movl", "k", 4, 0x87868584);
	READ("movq", "q", 8, 0x8f8e8d8c8b8a8988ull);
	READ("movzbw", "w", 1, 0xffffffffffff0081ull);
	READ("movzbl", "k", 1, 0x81);
	READ("movzbq", "q", 1, 0x81);
	READ("movzwl", "k", 2, 0x8382);
	READ("movzwq", "q", 2, 0x8382);
	READ("movsbw", "w", 1, 0xffffffffffffff81ull);
	READ("movsbl", "k", 1, 0xffffff81);
	READ("movsbq", "q", 1, 0xffffffffffffff81ull);
	READ("movswl", "k", 2, 0xffff8382);
	READ("movswq", "q", 2, 0xffffffffffff8382ull);
	READ("movslq", "q", 4, 0xffffffff87868584ull);
	guest_done();
}

TEST_F(mmio, reads)
{
	static const u8 len[] = { 1, 2, 4, 8, 1, 1, 1, 2, 2, 1, 1, 1, 2, 2, 4 };
	u32 i;

	run_guest(self->vcpu, guest_reads);
	ASSERT_EQ(ARRAY_SIZE(len), logged);
	for (i = 0; i < logged; i++) {
		EXPECT_EQ(len[i], access_log[i].len);
		EXPECT_EQ(0, access_log[i].is_write);
	}
}

static void guest_writes(void)
{
	asm volatile("movb %b0, (%1)" : : "r"(0x11ul), "r"(DEV + 1) : "memory");
	asm volatile("movw %w0, (%1)" : : "r"(0x2233ul), "r"(DEV + 2) : "memory");
	asm volatile("movl %k0, (%1)" : : "r"(0x44556677ul), "r"(DEV + 4) : "memory");
	asm volatile("movq %q0, (%1)" : : "r"(0x8899aabbccddeefful), "r"(DEV + 8) : "memory");
	asm volatile("movb $0x12, (%0)" : : "r"(DEV + 16) : "memory");
	asm volatile("movw $0x1234, (%0)" : : "r"(DEV + 18) : "memory");
	asm volatile("movl $0x12345678, (%0)" : : "r"(DEV + 20) : "memory");
	asm volatile("movq $-2, (%0)" : : "r"(DEV + 24) : "memory");
	/* Displacement, scaled index, high byte register. */
	asm volatile("movb %%ah, 8(%0,%1,4)" : : "r"(DEV), "r"(6ul), "a"(0x7700) : "memory");
	guest_done();
}

TEST_F(mmio, writes)
{
	static const struct access want[] = {
		{ DEV + 1, 0x11, 1 }, { DEV + 2, 0x2233, 2 }, { DEV + 4, 0x44556677, 4 },
		{ DEV + 8, 0x8899aabbccddeeffull, 8 }, { DEV + 16, 0x12, 1 },
		{ DEV + 18, 0x1234, 2 }, { DEV + 20, 0x12345678, 4 },
		{ DEV + 24, 0xfffffffffffffffeull, 8 }, { DEV + 32, 0x77, 1 },
	};
	u32 i;

	run_guest(self->vcpu, guest_writes);
	ASSERT_EQ(ARRAY_SIZE(want), logged);
	for (i = 0; i < logged; i++) {
		EXPECT_EQ(want[i].gpa, access_log[i].gpa);
		EXPECT_EQ(want[i].len, access_log[i].len);
		EXPECT_EQ(want[i].data, access_log[i].data);
		EXPECT_EQ(1, access_log[i].is_write);
	}
}

/* One read-modify-write: new memory value and CF, as on memory. */
#define RMW(insn, off, src, want, cf) do {					\
	u64 __f, __v;								\
										\
	asm volatile("stc\n\t" insn " %k2, (%3)\n\tpushfq\n\tpopq %0\n\tmovl (%3), %k1" \
		     : "=&r"(__f), "=&r"(__v) : "r"((u64)(src)), "r"(DEV + (off)) \
		     : "memory", "cc");						\
	GUEST_ASSERT_EQ((u32)__v, want);					\
	GUEST_ASSERT_EQ(__f & UT_RFLAGS_CF, cf);				\
} while (0)

static void guest_rmw(void)
{
	RMW("addl", 0, 0x01010101, 0x84838281, 0);
	RMW("adcl", 0, 0x80000000, 0x04838282, 1);
	RMW("subl", 0, 0x00000002, 0x04838280, 0);
	RMW("sbbl", 0, 0x04838280, 0xffffffff, 1);
	RMW("andl", 0, 0x0f0f0f0f, 0x0f0f0f0f, 0);
	RMW("orl", 0, 0xf0000000, 0xff0f0f0f, 0);
	RMW("xorl", 0, 0xffffffff, 0x00f0f0f0, 0);
	RMW("lock addl", 0, 0x10, 0x00f0f100, 0);
	RMW("cmpl", 0, 0x00f0f101, 0x00f0f100, 1);
	RMW("testl", 0, 0x1, 0x00f0f100, 0);
	RMW("btsl", 0, 0, 0x00f0f101, 0);
	RMW("btrl", 0, 0, 0x00f0f100, 1);
	RMW("btcl", 0, 8, 0x00f0f000, 1);
	guest_done();
}

TEST_F(mmio, read_modify_write)
{
	run_guest(self->vcpu, guest_rmw);
	ASSERT_EQ(0x00f0f000, *(u32 *)regs_of_device);
}

static void guest_unary(void)
{
	u32 v;

	asm volatile("incl (%0)" : : "r"(DEV) : "memory", "cc");
	GUEST_ASSERT_EQ(guest_read32(DEV), 0x83828181);
	asm volatile("decb (%0)" : : "r"(DEV) : "memory", "cc");
	GUEST_ASSERT_EQ(guest_read32(DEV), 0x83828180);
	asm volatile("notl (%0)" : : "r"(DEV) : "memory");
	GUEST_ASSERT_EQ(guest_read32(DEV), 0x7c7d7e7f);
	asm volatile("negl (%0)" : : "r"(DEV) : "memory", "cc");
	GUEST_ASSERT_EQ(guest_read32(DEV), 0x83828181);
	asm volatile("shll $4, (%0)" : : "r"(DEV) : "memory", "cc");
	GUEST_ASSERT_EQ(guest_read32(DEV), 0x38281810);
	asm volatile("sarb $1, (%0)" : : "r"(DEV) : "memory", "cc");
	GUEST_ASSERT_EQ(guest_read32(DEV), 0x38281808);
	asm volatile("addl (%1), %0" : "=r"(v) : "r"(DEV), "0"(1) : "memory", "cc");
	GUEST_ASSERT_EQ(v, 0x38281809);
	asm volatile("cmpb $8, (%1)\n\tsete %b0\n\tmovzbl %b0, %0" : "=q"(v) : "r"(DEV) :
		     "memory", "cc");
	GUEST_ASSERT_EQ(v, 1);
	guest_done();
}

TEST_F(mmio, unary_and_immediate)
{
	run_guest(self->vcpu, guest_unary);
}

static void guest_exchange(void)
{
	u64 v = 0x11223344, zf;

	asm volatile("xchgl %k0, (%1)" : "+r"(v) : "r"(DEV) : "memory");
	GUEST_ASSERT_EQ(v, 0x83828180);
	GUEST_ASSERT_EQ(guest_read32(DEV), 0x11223344);
	/* Equal: stored. Different: loaded. */
	asm volatile("lock cmpxchgl %k2, (%3)\n\tsetz %b1\n\tmovzbl %b1, %k1"
		     : "=a"(v), "=&q"(zf) : "r"(0x55667788ul), "r"(DEV), "0"(0x11223344ul)
		     : "memory", "cc");
	GUEST_ASSERT_EQ(zf, 1);
	GUEST_ASSERT_EQ(guest_read32(DEV), 0x55667788);
	asm volatile("lock cmpxchgl %k2, (%3)\n\tsetz %b1\n\tmovzbl %b1, %k1"
		     : "=a"(v), "=&q"(zf) : "r"(0ul), "r"(DEV), "0"(0x11223344ul)
		     : "memory", "cc");
	GUEST_ASSERT_EQ(zf, 0);
	GUEST_ASSERT_EQ(v, 0x55667788);
	GUEST_ASSERT_EQ(guest_read32(DEV), 0x55667788);
	v = 0x10;
	asm volatile("lock xaddl %k0, (%1)" : "+r"(v) : "r"(DEV) : "memory", "cc");
	GUEST_ASSERT_EQ(v, 0x55667788);
	GUEST_ASSERT_EQ(guest_read32(DEV), 0x55667798);
	guest_done();
}

TEST_F(mmio, exchange)
{
	run_guest(self->vcpu, guest_exchange);
}

static void guest_strings(void)
{
	u64 ram = UT_FREE_GPA, si, di, cx, ax;

	/* Device to memory, memory to device, device to device. */
	si = DEV, di = ram, cx = 4;
	asm volatile("rep movsl" : "+S"(si), "+D"(di), "+c"(cx) : : "memory");
	GUEST_ASSERT_EQ(guest_read64(ram), 0x8786858483828180ull);
	GUEST_ASSERT_EQ(si, DEV + 16);
	si = ram, di = DEV + 32, cx = 5;
	asm volatile("rep movsb" : "+S"(si), "+D"(di), "+c"(cx) : : "memory");
	GUEST_ASSERT_EQ(guest_read64(DEV + 32), 0xa7a6a58483828180ull);
	si = DEV + 8, di = DEV + 40, cx = 1;
	asm volatile("rep movsq" : "+S"(si), "+D"(di), "+c"(cx) : : "memory");
	GUEST_ASSERT_EQ(guest_read64(DEV + 40), 0x8f8e8d8c8b8a8988ull);
	di = DEV + 48, cx = 3;
	asm volatile("rep stosw" : "+D"(di), "+c"(cx) : "a"(0x1234) : "memory");
	GUEST_ASSERT_EQ(guest_read64(DEV + 48), 0xb7b6123412341234ull);
	si = DEV + 4;
	asm volatile("lodsl" : "+S"(si), "=a"(ax) : : "memory");
	GUEST_ASSERT_EQ((u32)ax, 0x87868584);
	/* Downwards. */
	di = DEV + 71, cx = 4;
	asm volatile("std\n\trep stosb\n\tcld" : "+D"(di), "+c"(cx) : "a"(0x5a) : "memory");
	GUEST_ASSERT_EQ(guest_read64(DEV + 64), 0x5a5a5a5ac3c2c1c0ull);
	guest_done();
}

TEST_F(mmio, strings)
{
	run_guest(self->vcpu, guest_strings);
}

static void guest_sse(void)
{
	u64 lo, hi;

	asm volatile("movdqa (%2), %%xmm1\n\tmovq %%xmm1, %0\n\t"
		     "psrldq $8, %%xmm1\n\tmovq %%xmm1, %1"
		     : "=r"(lo), "=r"(hi) : "r"(DEV) : "xmm1", "memory");
	GUEST_ASSERT_EQ(lo, 0x8786858483828180ull);
	GUEST_ASSERT_EQ(hi, 0x8f8e8d8c8b8a8988ull);
	asm volatile("movups (%2), %%xmm1\n\tmovq %%xmm1, %0\n\t"
		     "psrldq $8, %%xmm1\n\tmovq %%xmm1, %1"
		     : "=r"(lo), "=r"(hi) : "r"(DEV + 3) : "xmm1", "memory");
	GUEST_ASSERT_EQ(lo, 0x8a89888786858483ull);
	asm volatile("movq %0, %%xmm2\n\tpunpcklqdq %%xmm2, %%xmm2\n\tmovdqu %%xmm2, (%1)"
		     : : "r"(0x1122334455667788ul), "r"(DEV + 64) : "xmm2", "memory");
	GUEST_ASSERT_EQ(guest_read64(DEV + 64), 0x1122334455667788ull);
	GUEST_ASSERT_EQ(guest_read64(DEV + 72), 0x1122334455667788ull);
	guest_done();
}

TEST_F(mmio, sse)
{
	u32 i;

	run_guest(self->vcpu, guest_sse);
	/* Sixteen bytes come as two times eight. */
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(8, access_log[i].len);
		ASSERT_EQ(DEV + 8 * i, access_log[i].gpa);
	}
}

static void guest_wide_exchange(void)
{
	u64 lo = 0x8786858483828180ull, hi = 0x8f8e8d8c8b8a8988ull;
	u8 zf;

	asm volatile("lock cmpxchg8b (%3)\n\tsetz %0"
		     : "=q"(zf), "+a"(lo), "+d"(hi) : "r"(DEV), "b"(0), "c"(0) : "memory", "cc");
	/* Compared with EDX:EAX, which is not what is there. */
	GUEST_ASSERT_EQ(zf, 0);
	GUEST_ASSERT_EQ((u32)lo, 0x83828180);
	GUEST_ASSERT_EQ((u32)hi, 0x87868584);
	asm volatile("lock cmpxchg8b (%3)\n\tsetz %0"
		     : "=q"(zf), "+a"(lo), "+d"(hi)
		     : "r"(DEV), "b"(0x11111111), "c"(0x22222222) : "memory", "cc");
	GUEST_ASSERT_EQ(zf, 1);
	GUEST_ASSERT_EQ(guest_read64(DEV), 0x2222222211111111ull);
	guest_done();
}

TEST_F(mmio, wide_exchange)
{
	run_guest(self->vcpu, guest_wide_exchange);
}

static void guest_avx(void)
{
	u64 v[4];

	guest_write_cr4(guest_read_cr(4) | BIT_ULL(18));
	asm volatile("vmovdqu (%1), %%ymm1\n\tvmovdqu %%ymm1, %0"
		     : "=m"(v) : "r"(DEV) : "xmm1", "memory");
	GUEST_ASSERT_EQ(v[0], 0x8786858483828180ull);
	GUEST_ASSERT_EQ(v[3], 0x9f9e9d9c9b9a9998ull);
	asm volatile("vmovdqu %%ymm1, (%0)" : : "r"(DEV + 64) : "memory");
	GUEST_ASSERT_EQ(guest_read64(DEV + 64), 0x8786858483828180ull);
	GUEST_ASSERT_EQ(guest_read64(DEV + 88), 0x9f9e9d9c9b9a9998ull);
	guest_done();
}

TEST_F(mmio, avx)
{
	struct kvm_cpuid2 *cpuid = ut_supported_cpuid(self->vcpu->vm->dev_fd);
	struct kvm_cpuid_entry2 *entry = ut_cpuid_entry(cpuid, 1, 0);
	struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs[0].value = 7 };

	if (!ut_on_umbra())
		SKIP(return, "KVM does not emulate AVX");
	if (!entry || !(entry->ecx & 1 << 28))
		SKIP(return, "no AVX in the supported CPUID");
	/* Not by the guest's XSETBV: the emulated host's processor ignores its intercept. */
	ut_set_xcrs(self->vcpu, &xcrs);
	run_guest(self->vcpu, guest_avx);
	free(cpuid);
}

static void guest_bt_far(void)
{
	u64 cf;

	/* The bit offset reaches beyond the operand: bit 65 is in the dword at +8. */
	asm volatile("btl %k1, (%2)\n\tsbbl %k0, %k0" : "=r"(cf) : "r"(67ul), "r"(DEV) :
		     "memory", "cc");
	GUEST_ASSERT_EQ((u32)cf, ~0u);
	asm volatile("btl %k1, (%2)\n\tsbbl %k0, %k0" : "=r"(cf) : "r"(65ul), "r"(DEV) :
		     "memory", "cc");
	GUEST_ASSERT_EQ((u32)cf, 0);
	guest_done();
}

TEST_F(mmio, bit_offset_beyond)
{
	run_guest(self->vcpu, guest_bt_far);
	ASSERT_EQ(DEV + 8, access_log[0].gpa);
}

static void guest_stack(void)
{
	u64 v;

	asm volatile("pushq (%1)\n\tpopq %0" : "=r"(v) : "r"(DEV) : "memory");
	GUEST_ASSERT_EQ(v, 0x8786858483828180ull);
	asm volatile("pushq %0\n\tpopq (%1)" : : "r"(0x1020304050607080ul), "r"(DEV) : "memory");
	GUEST_ASSERT_EQ(guest_read64(DEV), 0x1020304050607080ull);
	guest_done();
}

TEST_F(mmio, push_and_pop)
{
	run_guest(self->vcpu, guest_stack);
}

TEST_HARNESS_MAIN
