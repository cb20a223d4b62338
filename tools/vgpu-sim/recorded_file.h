/* SPDX-License-Identifier: MIT */
/*
 * Recorded work: lists of kernels by vGPU, from within a scenario or from a CSV file with a line per kernel, as in
 *
 *   at_us,vgpu,kernel,length_us
 *   1200.5,desk-1,17,350
 *
 * by rising at_us within each vGPU. kernel is any whole number that names the kernel, 0 if not known.
 */
#ifndef VGPU_TOOLS_VGPU_SIM_RECORDED_FILE_H
#define VGPU_TOOLS_VGPU_SIM_RECORDED_FILE_H

#include <stddef.h>

#include "scheduler/sim/scenario.h"
#include "tools/vgpu-sim/scenario_file.h"

struct recorded_file;

int recorded_read(const char *folder, const char *name, struct recorded_file **ret_file, char ret_why[SCENARIO_WHY_BYTES]);
/* Adds work of a vGPU, by rising at_ns, which the caller has checked; *file NULL = a new one. What recorded_of gave for this vGPU before
 * is no longer valid. 0 or -ENOMEM. */
int recorded_add(struct recorded_file **file, const char *vgpu, const struct recorded *records, size_t count);
void recorded_destroy(struct recorded_file *file);	/* accepts NULL */
/* The work of one vGPU, valid as long as the file. Returns how many; file may be NULL. */
size_t recorded_of(const struct recorded_file *file, const char *vgpu, const struct recorded **ret_records);

#endif
