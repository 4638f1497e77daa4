// SPDX-License-Identifier: GPL-2.0
/*
 * Roots beside the library's own, accesses that tell how they ended, and vCPUs that run
 * at the same time. Asserts nothing.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "shootdown.h"
#include "worker.h"

#define RFLAGS_AT_CPL3	"2"
/* Where the frames of sd_fill_frame() hold code. */
#define KERNEL_CODE	16
#define USER_CODE	32
/* Parts of the page at SD_USER_GVA. */
#define USER_READ	0
#define USER_WRITE	16

u64 sd_entry[5], sd_other_root;

static const u8 user_code[] = {
	[USER_READ] = 0x48, 0x8b, 0x07,		/* mov (%rdi), %rax */
	0xf4,					/* hlt: #GP, and so the way back */
	[USER_WRITE] = 0x48, 0x89, 0x37,	/* mov %rsi, (%rdi) */
	0xf4,
};

u64 sd_gva(struct ut_vm *vm, const void *hva)
{
	return (const char *)hva - (const char *)ut_hva(vm, 0);
}

u64 sd_root(struct ut_vm *vm)
{
	u64 root = ut_alloc_table(vm);

	memcpy(ut_hva(vm, root), ut_hva(vm, vm->cr3), UT_PAGE_SIZE);
	return root;
}

u64 *sd_pte(struct ut_vm *vm, u64 root, u64 gva, int level)
{
	u64 own = vm->cr3;
	u64 *pte;

	vm->cr3 = root;
	pte = ut_pte(vm, gva, level);
	vm->cr3 = own;
	return pte;
}

void sd_map(struct ut_vm *vm, u64 root, u64 gva, u64 gpa, int level, u64 flags)
{
	*sd_pte(vm, root, gva, level) = gpa | flags | UT_PTE_P | (level > 1 ? UT_PTE_PS : 0);
}

void sd_fill_frame(struct ut_vm *vm, u64 gpa, u64 value)
{
	static const u8 kernel_code[] = { 0x41, 0xff, 0xe3 };	/* jmp *%r11 */
	char *hva = ut_hva(vm, gpa);

	memcpy(hva, &value, sizeof(value));
	memcpy(hva + KERNEL_CODE, kernel_code, sizeof(kernel_code));
	hva[USER_CODE] = 0xf4;					/* hlt */
}

/* The other end of the accesses: R10 is their result, R11 where they go on. */
static void ended(struct ut_ex_regs *regs)
{
	regs->r10 = SD_FAULT(regs->vector, regs->error_code);
	regs->rip = regs->r11;
	if (regs->cs & 3) {
		regs->cs = UT_SEL_CODE64;
		regs->ss = UT_SEL_DATA;
		regs->rsp = regs->r9;
	}
}

void sd_setup(struct ut_vm *vm)
{
	u64 page = ut_alloc_table(vm);

	memcpy(ut_hva(vm, page), user_code, sizeof(user_code));
	ut_map(vm, SD_USER_GVA, page, 1, UT_PTE_U);
	ut_set_handler(vm, UT_PF_VECTOR, ended);
	ut_set_handler(vm, UT_GP_VECTOR, ended);
}

u64 sd_read(u64 gva, u64 *value)
{
	u64 fault, v = 0;

	asm volatile("lea 1f(%%rip), %%r11\n\t"
		     "xor %%r10d, %%r10d\n\t"
		     "mov (%[gva]), %[v]\n"
		     "1:\tmov %%r10, %[fault]"
		     : [fault] "=&r"(fault), [v] "+r"(v)
		     : [gva] "r"(gva) : "r10", "r11", "memory");
	if (value)
		*value = v;
	return fault;
}

u64 sd_write(u64 gva, u64 value)
{
	u64 fault;

	asm volatile("lea 1f(%%rip), %%r11\n\t"
		     "xor %%r10d, %%r10d\n\t"
		     "mov %[v], (%[gva])\n"
		     "1:\tmov %%r10, %[fault]"
		     : [fault] "=&r"(fault)
		     : [gva] "r"(gva), [v] "r"(value) : "r10", "r11", "memory");
	return fault;
}

u64 sd_exec(u64 gva)
{
	u64 fault;

	asm volatile("lea 1f(%%rip), %%r11\n\t"
		     "xor %%r10d, %%r10d\n\t"
		     "jmp *%[to]\n"
		     "1:\tmov %%r10, %[fault]"
		     : [fault] "=&r"(fault)
		     : [to] "r"(gva + KERNEL_CODE) : "r10", "r11", "memory");
	return fault;
}

/* Go to @rip at CPL 3 and come back by the first fault; HLT's means success. */
static u64 at_cpl3(u64 rip, u64 rdi, u64 rsi, u64 *rax)
{
	u64 fault, v = 0;

	asm volatile("lea 1f(%%rip), %%r11\n\t"
		     "mov %%rsp, %%r9\n\t"
		     "pushq %[ss]\n\t"
		     "pushq %%r9\n\t"
		     "pushq $" RFLAGS_AT_CPL3 "\n\t"
		     "pushq %[cs]\n\t"
		     "pushq %[rip]\n\t"
		     "iretq\n"
		     "1:\tmov %%r10, %[fault]"
		     : [fault] "=&r"(fault), "+a"(v)
		     : [rip] "r"(rip), "D"(rdi), "S"(rsi), [cs] "i"(UT_SEL_USER_CODE),
		       [ss] "i"(UT_SEL_USER_DATA)
		     : "r9", "r10", "r11", "memory", "cc");
	if (rax)
		*rax = v;
	return fault == SD_FAULT(UT_GP_VECTOR, 0) ? 0 : fault;
}

u64 sd_user_read(u64 gva, u64 *value)
{
	return at_cpl3(SD_USER_GVA + USER_READ, gva, 0, value);
}

u64 sd_user_write(u64 gva, u64 value)
{
	return at_cpl3(SD_USER_GVA + USER_WRITE, gva, value, NULL);
}

u64 sd_user_exec(u64 gva)
{
	return at_cpl3(gva + USER_CODE, 0, 0, NULL);
}

void sd_meet(u64 *counter, u64 n)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_SEQ_CST);
	while (ut_read_once(*counter) < n)
		guest_pause();
}

void sd_map_window(struct ut_vm *vm, u64 gpa, int level, u64 flags)
{
	int l;

	sd_map(vm, vm->cr3, SD_WINDOW, gpa, level, flags);
	for (l = level; l <= 4; l++)
		ut_guest_var(vm, sd_entry)[0][l] =
			sd_gva(vm, sd_pte(vm, vm->cr3, SD_WINDOW, l));
	*ut_guest_var(vm, sd_other_root) = sd_root(vm);
}

bool sd_cpuid(struct ut_vm *vm, u32 function, size_t offset, u32 bit)
{
	struct kvm_cpuid2 *cpuid = ut_supported_cpuid(vm->dev_fd);
	struct kvm_cpuid_entry2 *e = ut_cpuid_entry(cpuid, function, 0);
	bool has = e && (*(u32 *)((char *)e + offset) & bit);

	free(cpuid);
	return has;
}

void *sd_huge_slot(struct ut_vm *vm, u64 gpa, u64 size, int advice)
{
	u64 h, i, step = size == UT_HUGE_SIZE ? UT_PAGE_SIZE : UT_HUGE_SIZE;
	char *hva = ut_mmap(2 * size, UT_HUGE_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_NORESERVE, -1);

	madvise(hva, 2 * size, advice);
	for (h = 0; h < 2; h++)
		for (i = 0; i < size / step; i++)
			*(u64 *)(hva + h * size + i * step) = SD_HUGE_VALUE(h, i);
	ut_add_slot_hva(vm, 1, gpa, 2 * size, hva, 0);
	return hva;
}

void sd_flush(enum sd_flush how, u64 gva)
{
	u64 cr3 = guest_read_cr(3);

	switch (how) {
	case SD_BY_INVLPG:
		guest_invlpg(gva);
		break;
	case SD_BY_CR3:
		guest_write_cr3(cr3);
		break;
	case SD_BY_PGE:
		guest_write_cr4(guest_read_cr(4) ^ SD_CR4_PGE);
		guest_write_cr4(guest_read_cr(4) ^ SD_CR4_PGE);
		break;
	case SD_BY_WP:
		/* Flushes nothing, so that CR3 must. */
		guest_write_cr0(guest_read_cr(0) ^ SD_CR0_WP);
		guest_write_cr3(cr3);
		guest_write_cr0(guest_read_cr(0) ^ SD_CR0_WP);
		break;
	default:
		guest_write_cr3(sd_other_root);
		guest_write_cr3(cr3);
	}
}

void sd_run(struct ut_vcpu *vcpu, void *fn, u64 a, u64 b)
{
	ut_restart(vcpu, fn);
	ut_set_args(vcpu, a, b);
	if (ut_next(vcpu, NULL) != UT_DONE)
		ut_die("vCPU %d: exit %s", vcpu->id, ut_exit_name(vcpu->run->exit_reason));
}

static void *run_to_the_end(void *arg)
{
	struct ut_vcpu *vcpu = arg;

	if (ut_next(vcpu, NULL) != UT_DONE)
		ut_die("vCPU %d: exit %s", vcpu->id, ut_exit_name(vcpu->run->exit_reason));
	return NULL;
}

void sd_run_all(struct ut_vm *vm)
{
	pthread_t thread[UT_MAX_VCPUS];
	int i;

	for (i = 0; i < vm->nr_vcpus; i++)
		if (pthread_create(&thread[i], NULL, run_to_the_end, vm->vcpu[i]))
			ut_die("no thread");
	for (i = 0; i < vm->nr_vcpus; i++)
		pthread_join(thread[i], NULL);
}
