/* SPDX-License-Identifier: MIT */
/*
 * A transport: how the shim reaches a vGPU. `drm` inside a VM (virtgpu ioctls through libdrm), `direct` on
 * the host (a user-space virtio-gpu driver over vfio-user). One transport object = one guest context =
 * one DRM file = one engine.
 *
 * What is slow and rare goes through here; commands go through the ring (shim/ring.h) in a blob that is mapped
 * through here. All functions may be called from any thread at the same time, except transport_close.
 * Errors are -errno; where a person will read it, the sentence is in ret_why.
 */
#ifndef VGPU_SHIM_TRANSPORT_TRANSPORT_H
#define VGPU_SHIM_TRANSPORT_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/wire/wire.h"

struct transport;

/* A mapped host3d blob. */
struct transport_blob {
	uint64_t blob_id;	/* as in wire.h */
	void *address;		/* page-aligned; valid until transport_blob_destroy */
	size_t bytes;
	uint32_t handle;	/* the transport's own */
};

struct transport_ops {
	const char *name;	/* "drm", "direct" */
	/* Creates a blob and maps it. -ENOMEM: the vGPU's limit; nothing is left behind. */
	int (*blob_create)(struct transport *transport, uint64_t blob_id, size_t bytes, struct transport_blob *ret_blob);
	/* Unmaps and drops it. The caller has made sure that the engine lets go (WIRE_BLOB_RELEASE), else the
	 * context may be lost. */
	void (*blob_destroy)(struct transport *transport, struct transport_blob *blob);
	/* Moves the blob's mapping to `address`, a page's, where as much has been reserved by the caller: that goes. blob->address follows.
	 * 0, -ENODEV in the child of a fork, or -errno, and then the mapping is where it was; the reservation may be gone. */
	int (*blob_move)(struct transport *transport, struct transport_blob *blob, void *address);
	/* SUBMIT_3D without a fence (SETUP, DOORBELL). */
	int (*submit)(struct transport *transport, const struct wire_submit *submit);
	/* SUBMIT_3D of WIRE_SUBMIT_WAKE with a fence on ring WIRE_FENCE_RING_WAKE. *ret_fence is a pollable descriptor
	 * (readable when signalled) that the caller closes, also when the context is lost. */
	int (*submit_wake)(struct transport *transport, int *ret_fence);
	/* Ends the context: the host kills its engine and drops its blobs; mappings of living blobs stay valid as memory. */
	void (*close)(struct transport *transport);
};

struct transport {
	const struct transport_ops *ops;
	struct wire_capset *capset;	/* capset->bytes long, checked: magic, version, lengths; owned by the transport */
	bool same_host;			/* blobs are the engine's own pages under one kernel: a futex in them reaches it */
};

/* Reads only the capset of each vGPU that can be reached, without making a context: for enumeration. The caller frees
 * *ret_capsets and each in it. Returns their number (0: none), or -errno. */
int transport_enumerate(struct wire_capset ***ret_capsets);

/* Opens a context on the vGPU `index` of the enumeration. 0 or -errno with ret_why. In a VM this is `drm` on a render node
 * whose driver is virtio_gpu and whose capset WIRE_CAPSET_ID answers; with VGPU_SOCKET set (the vGPU's direct.sock), `direct`. */
int transport_open(unsigned index, struct transport **ret_transport, char ret_why[256]);

/* After fork() in the child: mappings are not inherited; every call then answers -ENODEV and close only frees memory. */
#endif
