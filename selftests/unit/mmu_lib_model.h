/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A model of guests, processors and a host around module/mmu/, driven by a byte
 * string. mmu_lib_model.c begins and ends, mmu_lib_act.c has the actions,
 * mmu_lib_edit.c and mmu_lib_access.c those of guests, mmu_lib_host.c the host's
 * memory, mmu_lib_check.c what must hold after every step. Any violation ends the
 * program with the last actions on stderr.
 */
#ifndef UMBRA_UNIT_MMU_LIB_MODEL_H
#define UMBRA_UNIT_MMU_LIB_MODEL_H

#include "mmu_lib_guest.h"
#include "mmu/mmu_internal.h"

/* Run a guest on @data; @steps at most. Ends with everything destroyed. */
void model_run(const u8 *data, size_t size, int steps);

/* Print and abort(). */
void model_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/* Remember an action for that. */
void model_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define MODEL_CHECK(cond, ...) do {						\
	if (!(cond))								\
		model_fail(__VA_ARGS__);					\
} while (0)

/* The next byte; a number below @n; true about once in @n times. */
u8 model_byte(void);
unsigned int model_pick(unsigned int n);
bool model_once_in(unsigned int n);

/*
 * Guest-physical memory: three slots, and pages that serve as tables, most of
 * them in the first slot, two in the second.
 */
#define MODEL_SLOT0	0x400u	/* pages */
#define MODEL_SLOT1	0x200u
#define MODEL_SLOT2	0x180u
#define MODEL_TABLES	14u
#define MODEL_FAR	12u
#define TABLE_GFN	0x10u
#define FAR_GFN		0x610u
gfn_t model_table(unsigned int i);

/* Hosts, each with a mode of the MMU, by number. */
enum {
	HOST_SHADOW, HOST_VTLB, HOST_SHADOW_EPT, HOST_NESTED, HOST_NESTED_EPT, HOST_NESTED_NO_AD,
	HOST_VTLB_EPT, HOST_SHADOW_NPT, MODEL_HOSTS
};

/* Paging modes, by number. */
enum { MODE_OFF, MODE_2, MODE_2_PSE, MODE_PAE, MODE_4, MODE_5, MODEL_MODES };

/* Registers for one; false when the PDPTEs do not allow it, and nothing changed. */
bool model_set_mode(struct umbra_vcpu *vcpu, int mode);

/* mmu_lib_act.c: one action. */
void model_act(void);
void model_drop_traces(void);

/* mmu_lib_edit.c */
void model_act_access(struct umbra_vcpu *vcpu);
void model_act_edit(struct umbra_vcpu *vcpu);
void model_act_remap(struct umbra_vcpu *vcpu);
u64 model_any_page(const struct umbra_vcpu *vcpu);
u64 model_any_value(const struct umbra_vcpu *vcpu, unsigned int table);
unsigned int model_any_entry(const struct umbra_vcpu *vcpu);

/* mmu_lib_host.c: the VMM's memory, from which slots are cut. */
#define HOST_PAGES	0x800u

void host_reset(void);
hva_t host_hva(unsigned int page);
/* The host takes a page away, or makes 2 MiB around it one large page. */
void host_unmap(unsigned int page, unsigned int pages);
void host_share(unsigned int page);
void host_collapse(unsigned int page);
void host_age(unsigned int page, unsigned int pages, bool clear);
/* Take the page away just after the next fault found its frame. */
void host_race(bool leave_open);
/* End an invalidation that was left open. */
void host_settle(void);
bool host_busy(void);
/* Begin to take a page away; host_settle() does it. */
void host_begin(unsigned int page);
/* Does @pfn hold @gfn's memory now, and may it be written? */
bool host_owns(gfn_t gfn, u64 pfn);
bool host_writable(gfn_t gfn);
gfn_t host_gfn(u64 pfn);
/* The host's answers, for struct unit_world. */
int host_frame(struct umbra_memslot *slot, gfn_t gfn, bool write, bool atomic,
	       struct umbra_frame *frame);
int host_level_at(hva_t hva);
bool host_peek(hva_t hva, bool write, struct umbra_frame *frame);
bool host_user_fails(const void *user);

/* mmu_lib_check.c */
/* Learn what processors and TLBs may know now, then look at all of it. */
void model_settle(void);
void model_check_tables(void);
/* What other processors see when the MMU lock is dropped. */
void model_unlocked(void);

/* Kinds that the model itself wants of @gfn. */
u8 model_traced(gfn_t gfn);

/* mmu_lib_access.c: a guest's access; @val is what a write of @bytes stores. */
void model_access(struct umbra_vcpu *vcpu, u64 page, unsigned int offset, u32 access, u64 val,
		  int bytes);
/* A write by the emulator. */
void model_emulate_write(struct umbra_vcpu *vcpu, gpa_t gpa, u64 val, int bytes);
/* Somebody else's write, which nobody is told of. */
void model_raw_write(gpa_t gpa, u64 val, int bytes);

/**
 * struct model - what its files share
 * @nested: Umbra has nested tables: accesses are by guest-physical address
 * @in_log: the log is being read: lost rights wait for the caller's flush
 * @unprotect: let the guest write for itself rather than emulate
 * @unshadow: writes come from instructions that fill memory
 * @first_atomic: faults are served without sleeping first
 * @told: calls of the model's own tracer
 * @step: number of the current one
 */
struct model {
	bool nested;
	bool in_log;
	bool unprotect;
	bool unshadow;
	bool first_atomic;
	int told;
	int step;
};

extern struct model model;

#endif
