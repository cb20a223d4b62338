/* SPDX-License-Identifier: MIT */
/*
 * The records about programs beyond PROGRAM_BUILD: compile, link, sub-groups of a kernel.
 *
 * Ring thread only. Each returns 0 or the OpenCL error that answers the record; *ret_value is the slot's.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_PROGRAM_RECORDS_H
#define VGPU_MDEV_ENGINE_COMPUTE_PROGRAM_RECORDS_H

#include "mdev/engine/compute/execute.h"

int record_program_compile(struct executor *executor, const struct parsed_program_compile *parsed, uint32_t *ret_value);
int record_program_link(struct executor *executor, const struct parsed_program_link *parsed, uint32_t *ret_value);
int record_kernel_sub_groups(struct executor *executor, const struct parsed_sub_groups *parsed, uint32_t *ret_value);

/* Writes a program's reply into the guest's memory; *ret_value its bytes. CL_OUT_OF_HOST_MEMORY: it does not fit. */
int program_reply(struct executor *executor, const struct program *program, const struct wire_range *reply, uint32_t *ret_value);
#endif
