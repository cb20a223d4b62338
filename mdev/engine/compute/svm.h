/* SPDX-License-Identifier: MIT */
/*
 * Shared virtual memory: blobs at the addresses where the guest process has them, and kernel arguments that are such addresses.
 *
 * The address is the guest's choice, in a window that nothing else of this process gets (wire.h), and never replaces a mapping.
 * A kernel may read any address it likes, as any native code; so an argument is checked to spare the guest a lost
 * context, not to protect anything. Ring thread only.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_SVM_H
#define VGPU_MDEV_ENGINE_COMPUTE_SVM_H

#include "mdev/engine/compute/blobs.h"
#include "mdev/engine/compute/objects.h"
#include "mdev/engine/compute/parse.h"

/* Both: 0, or the OpenCL error that is the record's answer. */
int svm_map(struct blobs *blobs, const struct parsed_svm_map *map);
/* For an argument that takes a buffer. Set at once, unless it is what the kernel has. */
int svm_argument_set(struct blobs *blobs, struct kernel *kernel, uint32_t index, uint64_t address);
#endif
