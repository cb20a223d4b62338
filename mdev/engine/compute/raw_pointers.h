/* SPDX-License-Identifier: MIT */
/* Whether a device's kernels go by addresses of memory that its driver has not allocated: what shared virtual memory stands on. */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_RAW_POINTERS_H
#define VGPU_MDEV_ENGINE_COMPUTE_RAW_POINTERS_H

#include <CL/cl.h>
#include <stdbool.h>

/*
 * Runs a kernel that follows pointers through memory mapped in the window (wire.h), and writes there. False also for what the driver
 * does not report: a device without host-unified memory or without SVM is not tried. Takes as long as a build does.
 */
bool raw_pointers_work(cl_device_id device);
#endif
