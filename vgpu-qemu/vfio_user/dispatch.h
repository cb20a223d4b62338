/* SPDX-License-Identifier: MIT */
/*
 * What each vfio-user command does: a table of commands with the sizes and descriptor counts they may have.
 *
 * Handlers get a framed, copied request, check every field, act on the device and fill the reply. They are idempotent:
 * a request may be executed again by a fresh process. Device thread only. Distrusts the client.
 */
#ifndef VGPU_QEMU_VFIO_USER_DISPATCH_H
#define VGPU_QEMU_VFIO_USER_DISPATCH_H

#include "vgpu-qemu/vfio_user/request_log.h"

/* Descriptors the command may carry. */
unsigned dispatch_fds_allowed(uint16_t command);

/* struct request_log_wiring.execute; data is the struct device. */
int dispatch_execute(void *data, const struct request *request, struct reply *reply);

#endif
