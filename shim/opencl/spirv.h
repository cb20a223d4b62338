/* SPDX-License-Identifier: MIT */
/*
 * As much of SPIR-V as the API asks about before a host sees it: whether it is a module, and its specialization constants.
 *
 * SPIR-V 1.0 §2.3 (layout), §3.32 (instructions). Pure; any bytes may come in.
 */
#ifndef VGPU_SHIM_OPENCL_SPIRV_H
#define VGPU_SHIM_OPENCL_SPIRV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A header of either byte order, then whole instructions up to the end. */
bool spirv_is_module(const void *bytes, size_t count);
/* Size of the module's specialization constant with that SpecId, booleans 1 byte; 0: there is none. */
uint32_t spirv_constant_bytes(const void *bytes, size_t count, uint32_t spec_id);
#endif
