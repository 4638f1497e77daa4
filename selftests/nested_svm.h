/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For the tests of AMD-V inside guests, test side: the module's parameter that offers it.
 */
#ifndef SELFTESTS_NESTED_SVM_H
#define SELFTESTS_NESTED_SVM_H

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include "umbra_util.h"

#define UT_SVM_PARAMETER	"/sys/module/umbra/parameters/nested"

/* Does the device offer SVM to guests? */
static inline bool ut_svm_offered(void)
{
	int fd = ut_open_device();
	struct kvm_cpuid2 *cpuid = ut_supported_cpuid(fd);
	struct kvm_cpuid_entry2 *e = ut_cpuid_entry(cpuid, 0x80000001, 0);
	bool offered = e && e->ecx & BIT_ULL(2);

	free(cpuid);
	close(fd);
	return offered;
}

/* Turn it on or off for new VMs; where there is no such parameter, things stay as they are. */
static inline void ut_svm_offer(bool on)
{
	int fd = ut_on_umbra() ? open(UT_SVM_PARAMETER, O_WRONLY) : -1;

	if (fd < 0)
		return;
	if (write(fd, on ? "Y" : "N", 1) != 1)
		ut_die("cannot set the parameter nested");
	close(fd);
}

static inline void ut_svm_offer_no_more(void)
{
	ut_svm_offer(false);
}

/* As long as this program runs: tests are children, and may die without a word. */
__attribute__((constructor)) static inline void ut_svm_offer_all(void)
{
	ut_svm_offer(true);
	atexit(ut_svm_offer_no_more);
}

#endif
