// SPDX-License-Identifier: GPL-2.0
/*
 * Port I/O exits: every width and direction, string forms with REP, backwards,
 * over page borders, and faults in the middle of a string.
 */
#include <kselftest_harness.h>
#include "umbra_util.h"

#define PORT	0x1234
#define BUF	(UT_FREE_GPA)

FIXTURE(pio) {
	struct ut_vcpu *vcpu;
	struct kvm_run *run;
};

static void guest_nothing(void)
{
	guest_done();
}

FIXTURE_SETUP(pio)
{
	self->vcpu = ut_long_guest(guest_nothing);
	self->run = self->vcpu->run;
}

FIXTURE_TEARDOWN(pio)
{
	ut_vm_free(self->vcpu->vm);
}

static void guest_out(void)
{
	guest_outb(PORT, 0x11);
	guest_outw(PORT + 1, 0x2233);
	guest_outl(PORT + 2, 0x44556677);
	asm volatile("outb %%al, $0x42" : : "a"(0x88));
	asm volatile("outl %%eax, $0x42" : : "a"(0x99aabbcc));
	guest_done();
}

TEST_F(pio, out)
{
	static const struct {
		u16 port;
		u8 size;
		u32 value;
	} want[] = {
		{ PORT, 1, 0x11 }, { PORT + 1, 2, 0x2233 }, { PORT + 2, 4, 0x44556677 },
		{ 0x42, 1, 0x88 }, { 0x42, 4, 0x99aabbcc },
	};
	u32 i, value;

	ut_restart(self->vcpu, guest_out);
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
		ASSERT_EQ(KVM_EXIT_IO, self->run->exit_reason);
		ASSERT_EQ(KVM_EXIT_IO_OUT, self->run->io.direction);
		ASSERT_EQ(want[i].port, self->run->io.port);
		ASSERT_EQ(want[i].size, self->run->io.size);
		ASSERT_EQ(1, self->run->io.count);
		value = 0;
		memcpy(&value, ut_io_data(self->vcpu), want[i].size);
		ASSERT_EQ(want[i].value, value);
	}
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
}

/* What the instruction leaves in RAX, whose upper half was all ones. */
static void guest_in(void)
{
	u64 v = ~0ull;

	asm volatile("inb %w1, %b0" : "+a"(v) : "d"(PORT));
	guest_sync_args(1, v, 0, 0);
	v = ~0ull;
	asm volatile("inw %w1, %w0" : "+a"(v) : "d"(PORT));
	guest_sync_args(2, v, 0, 0);
	v = ~0ull;
	asm volatile("inl %w1, %k0" : "+a"(v) : "d"(PORT));
	guest_sync_args(3, v, 0, 0);
	guest_done();
}

TEST_F(pio, in)
{
	static const u64 want[] = { 0xffffffffffffff81ull, 0xffffffffffff8281ull, 0x84838281 };
	struct ut_ucall uc;
	int i;

	ut_restart(self->vcpu, guest_in);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(UT_EXIT, ut_next(self->vcpu, NULL));
		ASSERT_EQ(KVM_EXIT_IO, self->run->exit_reason);
		ASSERT_EQ(KVM_EXIT_IO_IN, self->run->io.direction);
		ASSERT_EQ(1 << i, self->run->io.size);
		memcpy(ut_io_data(self->vcpu), "\x81\x82\x83\x84", 1 << i);
		ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, &uc));
		ASSERT_EQ(want[i], uc.arg[1]);
	}
	ASSERT_EQ(UT_DONE, ut_next(self->vcpu, NULL));
}

/* Answer or collect a string until the guest is done; bytes moved. */
static u64 string_io(struct ut_vcpu *vcpu, u8 *data, u64 max, bool in)
{
	struct kvm_run *run = vcpu->run;
	u64 n = 0, len;

	while (ut_next(vcpu, NULL) == UT_EXIT) {
		if (run->exit_reason != KVM_EXIT_IO || run->io.port != PORT ||
		    run->io.direction != (in ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT))
			ut_die("unexpected exit %s", ut_exit_name(run->exit_reason));
		len = (u64)run->io.size * run->io.count;
		if (n + len > max || !len)
			ut_die("%lu bytes more than asked for", n + len - max);
		memcpy(in ? ut_io_data(vcpu) : data + n, in ? data + n : ut_io_data(vcpu), len);
		n += len;
	}
	return n;
}

enum string_op { OUTSB, OUTSW, OUTSL, INSB, INSW, INSL };

/* The operands are the caller's variables. */
#define REP_IO(insn) ({								\
	asm volatile("rep " insn : "+S"(si), "+D"(di), "+c"(cx)			\
		     : "d"(PORT) : "memory");					\
})

/* @down: 1 with the direction flag set. */
static void guest_string(u64 op, u64 addr, u64 count, u64 down)
{
	u64 si = addr, di = addr, cx = count;

	if (down)
		asm volatile("std");
	switch (op) {
	case OUTSB:
		REP_IO("outsb");
		break;
	case OUTSW:
		REP_IO("outsw");
		break;
	case OUTSL:
		REP_IO("outsl");
		break;
	case INSB:
		REP_IO("insb");
		break;
	case INSW:
		REP_IO("insw");
		break;
	case INSL:
		REP_IO("insl");
		break;
	}
	asm volatile("cld");
	GUEST_ASSERT_EQ(cx, 0);
	guest_sync_args(1, si - addr, di - addr, 0);
	guest_done();
}

static void start_string(struct ut_vcpu *vcpu, enum string_op op, u64 addr, u64 count, u64 down)
{
	struct kvm_regs regs;

	ut_restart(vcpu, guest_string);
	ut_get_regs(vcpu, &regs);
	regs.rdi = op;
	regs.rsi = addr;
	regs.rdx = count;
	regs.rcx = down;
	ut_set_regs(vcpu, &regs);
}

#define MAX_BYTES	0x3000
static u8 pattern[MAX_BYTES], got[MAX_BYTES];

static void check_string(struct __test_metadata *_metadata, struct ut_vcpu *vcpu,
			 enum string_op op, u64 offset, u64 count, bool down)
{
	u32 size = 1 << (op % 3);
	u64 bytes = count * size, n, i;
	bool in = op >= INSB;
	u64 first = BUF + offset, low = down ? first + size - bytes : first;
	u8 *mem = ut_hva(vcpu->vm, low);

	for (i = 0; i < bytes; i++)
		pattern[i] = i * 7 + op + (i >> 8);
	memset(mem - 16, 0xee, bytes + 32);
	if (!in)
		memcpy(mem, pattern, bytes);
	start_string(vcpu, op, first, count, down);
	memcpy(got, pattern, bytes);
	if (!in)
		memset(got, 0, bytes);
	n = string_io(vcpu, got, bytes, in);
	ASSERT_EQ(bytes, n);
	/* Element i of the port's stream is at first + i * size, or - i * size. */
	for (i = 0; i < count; i++)
		ASSERT_EQ(0, memcmp(got + i * size,
				    ut_hva(vcpu->vm, first + (down ? -i : i) * size), size))
			TH_LOG("op %d offset %#lx element %lu", op, offset, i);
	ASSERT_EQ(0xee, mem[-1]);
	ASSERT_EQ(0xee, mem[bytes]);
	ASSERT_EQ(UT_DONE, ut_next(vcpu, NULL));
}

TEST_F(pio, strings)
{
	int op;

	for (op = OUTSB; op <= INSL; op++) {
		check_string(_metadata, self->vcpu, op, 0x100, 1, false);
		check_string(_metadata, self->vcpu, op, 0x100, 17, false);
		check_string(_metadata, self->vcpu, op, 0x100, 5, true);
	}
}

TEST_F(pio, strings_over_pages)
{
	int op;

	for (op = OUTSB; op <= INSL; op++) {
		check_string(_metadata, self->vcpu, op, 0xff0, 40, false);
		check_string(_metadata, self->vcpu, op, 0x1010, 40, true);
	}
	/* Elements that are themselves on two pages. */
	check_string(_metadata, self->vcpu, OUTSL, 0xffe, 3, false);
	check_string(_metadata, self->vcpu, INSL, 0xffd, 3, false);
	check_string(_metadata, self->vcpu, INSW, 0xfff, 2, false);
}

TEST_F(pio, long_strings)
{
	check_string(_metadata, self->vcpu, OUTSB, 0, 0x2800, false);
	check_string(_metadata, self->vcpu, INSL, 0, 0xa00, false);
}

TEST_F(pio, no_repeats)
{
	start_string(self->vcpu, OUTSB, BUF, 0, 0);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
	start_string(self->vcpu, INSL, BUF, 0, 0);
	ASSERT_EQ(UT_SYNC, ut_next(self->vcpu, NULL));
}

#define HOLE	0x7f0000001000ull

static void guest_string_fault(u64 in)
{
	u64 si = HOLE - 4, di = HOLE - 4, cx = 8, left;

	guest_catch(UT_PF_VECTOR);
	asm volatile("lea 1f(%%rip), %%r11\n\t"
		     "xor %%r10d, %%r10d\n\t"
		     "test %4, %4\n\t"
		     "jnz 2f\n\t"
		     "rep outsb\n\t"
		     "jmp 1f\n"
		     "2:\trep insb\n"
		     "1:\tmov %%r10, %3"
		     : "+S"(si), "+D"(di), "+c"(cx), "=&r"(left) : "r"(in), "d"(PORT)
		     : "r10", "r11", "memory");
	GUEST_ASSERT_EQ(left, UT_PF_VECTOR);
	GUEST_ASSERT_EQ(guest_read_cr(2), HOLE);
	GUEST_ASSERT_EQ(guest_caught_error(), in ? 2 : 0);
	/* Four bytes were moved, four are to come. */
	GUEST_ASSERT_EQ(cx, 4);
	GUEST_ASSERT_EQ(in ? di : si, HOLE);
	guest_done();
}

TEST_F(pio, fault_in_the_middle)
{
	u8 data[8];
	int in;

	if (ut_emulated_by("bochs") && !ut_on_vmx())
		SKIP(return, "VMRUN in Bochs does not load CR2");
	ut_map(self->vcpu->vm, HOLE - UT_PAGE_SIZE, BUF, 1, UT_PTE_W);
	for (in = 0; in < 2; in++) {
		memcpy(data, "abcdefgh", sizeof(data));
		memset(ut_hva(self->vcpu->vm, BUF + 0xff0), 'x', 16);
		ut_restart(self->vcpu, guest_string_fault);
		ut_set_args(self->vcpu, in, 0);
		/* KVM may ask the port for more than it can store. */
		ASSERT_LE(4, string_io(self->vcpu, data, in ? 8 : 4, in));
		ASSERT_EQ(0, memcmp(ut_hva(self->vcpu->vm, BUF + 0xffc), in ? "abcd" : "xxxx", 4));
		ASSERT_EQ(0, memcmp(data, in ? "abcd" : "xxxx", 4));
	}
}

UT_BLOB(real_outs, ".code16\n\tmov $0x8100, %si\n\tmov $3, %cx\n\tmov $0x1234, %dx\n\t"
	"rep outsb\n\thlt");

TEST(real_mode_string)
{
	struct ut_vcpu *vcpu = ut_blob_guest(UT_REAL, real_outs, UT_BLOB_LEN(real_outs));
	u32 n = 0;

	memcpy(ut_hva(vcpu->vm, 0x8100), "abc", 3);
	while (n < 3) {
		ASSERT_EQ(0, ut_run(vcpu));
		ASSERT_EQ(KVM_EXIT_IO, vcpu->run->exit_reason);
		ASSERT_EQ(0, memcmp("abc" + n, ut_io_data(vcpu), vcpu->run->io.count));
		n += vcpu->run->io.count;
	}
	ASSERT_EQ(3, n);
	ASSERT_EQ(0, ut_run(vcpu));
	ASSERT_EQ(KVM_EXIT_HLT, vcpu->run->exit_reason);
	ut_vm_free(vcpu->vm);
}

TEST_HARNESS_MAIN
