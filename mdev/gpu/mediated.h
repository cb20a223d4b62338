/* SPDX-License-Identifier: MIT */
/* The mediated parent: an OpenCL device that vGPUs share by time slices, served by vgpu-keeper and its processes. */
#ifndef VGPU_MDEV_GPU_MEDIATED_H
#define VGPU_MDEV_GPU_MEDIATED_H

#include "mdev/gpu/parent.h"

extern const struct parent_ops mediated_parent_ops;

#endif
