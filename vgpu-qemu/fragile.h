/* SPDX-License-Identifier: MIT */
/*
 * Requests that kill the process, in one build that is for tests only (vgpu-device-fragile, never installed): a guest's
 * request and a client's, as if each had met an error of ours. Nothing in other builds.
 */
#ifndef VGPU_QEMU_FRAGILE_H
#define VGPU_QEMU_FRAGILE_H

#define FRAGILE_SUBMIT_OP 0x7ffffff1u		/* of a SUBMIT_3D; no shim sends it */
#define FRAGILE_BAR0_OFFSET 0x1f00u		/* in the part of the ISR status, where nothing is */

#ifdef VGPU_FRAGILE
#include <stdlib.h>
#define FRAGILE(condition) do { \
	if (condition) \
		abort(); \
} while (0)
#else
#define FRAGILE(condition) ((void)0)
#endif

#endif
