/* SPDX-License-Identifier: MIT */
/*
 * The transport for programs on the host: a context on a vGPU reached through its direct.sock.
 */
#ifndef VGPU_SHIM_TRANSPORT_DIRECT_DIRECT_H
#define VGPU_SHIM_TRANSPORT_DIRECT_DIRECT_H

#include "shim/transport/transport.h"

/* A copy of the capset of the vGPU behind the socket, which the caller frees. 0 or -errno with the sentence. */
int direct_capset(const char *path, struct wire_capset **ret_capset, char ret_why[256]);

/* timeout_ms: of any one request, 0 for the defaults. */
int direct_open(const char *path, unsigned timeout_ms, struct transport **ret_transport, char ret_why[256]);

/* Doorbells of virtio sent over the transport's connection so far, for tests and benchmarks. */
uint64_t direct_notify_count(struct transport *transport);

#endif
