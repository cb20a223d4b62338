/* SPDX-License-Identifier: MIT */
/* Composes the capset a guest reads (shim/wire/wire.h) from what the probe told and what the profile allows. */
#ifndef VGPU_MDEV_GPU_CAPSET_H
#define VGPU_MDEV_GPU_CAPSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct probe_device;
struct vgpu_spec;

/* retires: engines without work are retired. Writes the capset into buffer (WIRE_CAPSET_MAX_BYTES). Returns its length; it always fits, as the probe's information was
 * bounded when it was parsed. */
size_t capset_compose(const struct probe_device *device, const struct vgpu_spec *spec, bool retires, uint8_t *buffer);

#endif
