/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Writing ACPI Machine Language: the few terms that describe fixed devices.
 */
#ifndef UMBRA_VMM_AML_H
#define UMBRA_VMM_AML_H

#include "types.h"

#define AML_MAX_DEPTH	8

/**
 * struct aml - code being written
 * @data: where to
 * @size: room there
 * @n: bytes written
 * @open: where the packages that are not closed yet begin
 * @depth: number of @open
 * @failed: something did not fit
 */
struct aml {
	u8 *data;
	size_t size;
	size_t n;
	size_t open[AML_MAX_DEPTH];
	unsigned int depth;
	bool failed;
};

void aml_scope(struct aml *a, const char *name);
void aml_device(struct aml *a, const char *name);
void aml_resources(struct aml *a);
void aml_end_resources(struct aml *a);
void aml_end(struct aml *a);

void aml_name_int(struct aml *a, const char *name, u32 value);
void aml_name_text(struct aml *a, const char *name, const char *text);
void aml_name_eisa(struct aml *a, const char *name, const char *id);
void aml_name_package(struct aml *a, const char *name, const u8 *values, u8 n);

void aml_io(struct aml *a, u16 port, u8 length);
void aml_irq(struct aml *a, u8 irq);
void aml_memory(struct aml *a, u32 base, u32 length);
void aml_interrupt(struct aml *a, u32 gsi);

#endif
