/* SPDX-License-Identifier: MIT */
/*
 * vgpu-compute --probe: what one ICD offers, as JSON on stdout, for vgpud.
 *
 * Vendor code runs here, in the same jail as an engine's; if it crashes, this process dies and vgpud learns that.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_PROBE_H
#define VGPU_MDEV_ENGINE_COMPUTE_PROBE_H

#include "mdev/engine/compute/engine_config.h"

/* Only icd and variables of config are used. Returns the exit status. */
int probe_run(const struct engine_config *config, char *const *argv);
#endif
