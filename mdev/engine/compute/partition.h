/* SPDX-License-Identifier: MIT */
/*
 * Sub-devices of the host's device, for WIRE_PARTITION.
 *
 * Made once per way to divide and kept until the process ends: PoCL's workers look at a sub-device for a moment after the last
 * command on it has been told complete, so that letting go of it could crash them (seen with 3.1). Two ids of a guest's may
 * thus be one sub-device, which nobody can tell: it is some compute units and no more. Ring thread only.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_PARTITION_H
#define VGPU_MDEV_ENGINE_COMPUTE_PARTITION_H

#include <CL/cl.h>

#include "mdev/engine/compute/parse.h"

#define PARTITIONS_MAX 64u	/* ways of one engine */

struct partitions;

/* The sub-devices of that division, borrowed for as long as the process lives: 0 and *ret_devices, or an OpenCL error. */
int partition_take(struct partitions **partitions, cl_device_id device, const struct parsed_partition *asked,
		   const cl_device_id **ret_devices);
/* Frees the record of them, not the sub-devices. Accepts NULL. */
void partitions_forget(struct partitions *partitions);
#endif
