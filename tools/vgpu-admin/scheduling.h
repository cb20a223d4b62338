/* SPDX-License-Identifier: MIT */
/* The options of scheduling, of vGPUs and GPUs: one table says what each takes and which key of a request's body it becomes. */
#ifndef VGPU_TOOLS_VGPU_ADMIN_SCHEDULING_H
#define VGPU_TOOLS_VGPU_ADMIN_SCHEDULING_H

#include "tools/vgpu-admin/command.h"

/* Takes value for the option with that bit into arguments, if it is one of these. 0 (also if it is not), or -EINVAL with a sentence. */
int scheduling_take(uint64_t option, const char *value, struct arguments *arguments, char ret_why[256]);
/* Adds those that were given to a request's body. False: a word is not UTF-8. */
bool scheduling_add(const struct arguments *arguments, json_t *body);

#endif
