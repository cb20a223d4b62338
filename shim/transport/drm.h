/* SPDX-License-Identifier: MIT */
/*
 * The transport inside a VM: a context on a vGPU reached through the guest kernel's virtio_gpu driver.
 */
#ifndef VGPU_SHIM_TRANSPORT_DRM_H
#define VGPU_SHIM_TRANSPORT_DRM_H

#include "shim/transport/transport.h"

/* Render nodes whose driver is virtio_gpu, at most `max`, in the order libdrm lists them; the caller frees each path.
 * Returns their number, or -errno. */
int drm_find_nodes(char **ret_paths, unsigned max);
/* The capset of the vGPU behind the node, which the caller frees. -ENODEV: a virtio-gpu, but not of this service. */
int drm_capset(const char *node, struct wire_capset **ret_capset, char ret_why[256]);
int drm_open(const char *node, struct transport **ret_transport, char ret_why[256]);

#endif
