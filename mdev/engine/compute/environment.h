/* SPDX-License-Identifier: MIT */
/*
 * The engine's environment, built from nothing: what the starter had set is neither used nor left in memory.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_ENVIRONMENT_H
#define VGPU_MDEV_ENGINE_COMPUTE_ENVIRONMENT_H

#include "mdev/engine/compute/engine_config.h"

/*
 * Makes the environment exactly PATH, LC_ALL, OCL_ICD_VENDORS, VGPU_LOG (if it was set) and the configuration's
 * variables, by executing this program again with it, so that the old one is not in this process's memory
 * for a guest's kernel to read. Returns when it is so: 0, or -errno. Call before any thread and before OpenCL.
 */
int environment_establish(const struct engine_config *config, char *const *argv);

/* Points every cache and temporary file at `folder`. After the jail, before OpenCL. */
int environment_set_scratch(const char *folder);
#endif
