/* SPDX-License-Identifier: MIT */
#include "mdev/gpu/capset.h"

#include <CL/cl.h>
#include <stdio.h>
#include <string.h>

#include "mdev/gpu/probe.h"
#include "mdev/vgpu_spec.h"
#include "shim/wire/wire.h"

/* What the device answered for a parameter of clGetDeviceInfo, NULL if it did not. The information was checked. */
static const uint8_t *info_find(const struct probe_device *device, uint32_t param, uint32_t *ret_bytes)
{
	struct wire_info info;

	for (size_t at = 0; at + sizeof(info) <= device->info_bytes;) {
		memcpy(&info, device->info + at, sizeof(info));
		at += sizeof(info);
		if (info.param == param) {
			*ret_bytes = info.bytes;
			return device->info + at;
		}
		at += ((size_t)info.bytes + 7) & ~(size_t)7;
	}
	return NULL;
}

static uint32_t program_flags(const struct probe_device *device)
{
	uint32_t bytes, flags = 0;
	const uint8_t *value = info_find(device, CL_DEVICE_LINKER_AVAILABLE, &bytes);

	if (value && bytes == sizeof(cl_bool) && value[0])
		flags |= WIRE_CAPS_PROGRAMS;
	value = info_find(device, CL_DEVICE_IL_VERSION, &bytes);
	if (value && bytes > 1 && flags)
		flags |= WIRE_CAPS_IL;
	return flags;
}

/*
 * OpenCL 3.0 table 5: at least a quarter of the global memory, and 32 MiB. Three quarters: programs and staging lie in VRAM as
 * well, and programs are written (clpeak) that take what this says in two buffers and expect both to fit.
 */
static uint64_t largest_alloc(const struct probe_device *device, const struct vgpu_spec *spec)
{
	const uint64_t least = 32ull << 20, most = spec->vram_bytes / 4 * 3;
	uint64_t bytes = most < least ? (spec->vram_bytes < least ? spec->vram_bytes : least) : most;

	return device->max_alloc_bytes < bytes ? device->max_alloc_bytes : bytes;
}

size_t capset_compose(const struct probe_device *device, const struct vgpu_spec *spec, uint8_t *buffer)
{
	struct wire_capset capset = {
		.magic = WIRE_CAPSET_MAGIC,
		.version_min = WIRE_VERSION_MIN,
		.version_max = WIRE_VERSION,
		.bytes = (uint32_t)(sizeof(capset) + device->info_bytes),
		.flags = WIRE_CAPS_COMPUTE | WIRE_CAPS_IMAGES | WIRE_CAPS_PRINTF | (device->unified ? WIRE_CAPS_UNIFIED : 0) |
			 program_flags(device) | (device->unified && device->svm ? WIRE_CAPS_SVM : 0),
		.vram_bytes = spec->vram_bytes,
		.max_alloc_bytes = largest_alloc(device, spec),
		.mem_align_bytes = (uint32_t)device->mem_align_bytes,
		.info_bytes = (uint32_t)device->info_bytes,
	};

	snprintf(capset.vgpu_name, sizeof(capset.vgpu_name), "%s", spec->profile);
	snprintf(capset.vgpu_uuid, sizeof(capset.vgpu_uuid), "%s", spec->uuid);
	snprintf(capset.host_version, sizeof(capset.host_version), "%s", VGPU_VERSION);
	memcpy(buffer, &capset, sizeof(capset));
	if (device->info_bytes)
		memcpy(buffer + sizeof(capset), device->info, device->info_bytes);
	return sizeof(capset) + device->info_bytes;
}
