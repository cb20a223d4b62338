/* SPDX-License-Identifier: MIT */
/* Asks vgpu-admin how a vGPU is plugged into QEMU. */
#ifndef VGPU_LAUNCHER_VGPU_QUERY_H
#define VGPU_LAUNCHER_VGPU_QUERY_H

#include "vgpu-qemu/launcher/args.h"

#include <stddef.h>

/*
 * Runs `ADMIN [--socket SOCKET] vgpu show VGPU --qemu-args` and appends its lines, one QEMU argument each.
 * Its stderr is ours, so its message reaches the user. @socket may be NULL. Ends within @timeout_ms. Returns 0
 * or -errno with a sentence in @error: -EREMOTEIO when vgpu-admin failed, -EPROTO when it said something else.
 */
int vgpu_query(const char *admin, const char *socket, const char *vgpu, int timeout_ms, struct args *args, char *error,
	       size_t error_size);

/* One argument per line into @args. Returns 0, or -EPROTO unless it is pairs of an option and its value. */
int vgpu_query_parse(char *text, struct args *args);

#endif
