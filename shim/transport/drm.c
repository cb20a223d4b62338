/* SPDX-License-Identifier: MIT */
/*
 * virtgpu ioctls through libdrm. One DRM file per transport, because the kernel gives a file one context.
 *
 * What the guest kernel hides: a refused CREATE_BLOB or SUBMIT_3D succeeds here. A blob that the host refused shows when it is
 * mapped; a refused submission shows on the ring, or not at all. A blob's host memory and address space come free only
 * after the host's engines have let go, some time after GEM_CLOSE; so an allocation refused shortly after one was
 * dropped is tried again a few times. What alone would exceed the VRAM is not even tried: the kernel would complain in its log.
 */
#include "shim/transport/drm.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "shim/transport/capset.h"
#include "shim/transport/fork_guard.h"
#include "shim/transport/virtgpu_abi.h"

#define RETRY_MAX 5		/* pauses of 2, 8, 32, 128, 512 ms */
#define RETRY_FIRST_NS 2000000ll
#define RELEASE_WINDOW_NS 2000000000ll

struct drm {
	struct transport base;
	int fd;
	struct fork_guard guard;
	_Atomic int64_t last_drop_ns;	/* CLOCK_MONOTONIC, 0 never */
	_Atomic uint64_t memory_bytes;	/* of its blobs that count against VRAM */
};

static struct drm *drm_of(struct transport *transport)
{
	return (struct drm *)((char *)transport - offsetof(struct drm, base));
}

static int ioctl_errno(int fd, unsigned long request, void *argument)
{
	return drmIoctl(fd, request, argument) ? -errno : 0;
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- finding and probing --------------------------------------------------------------------------- */

static bool is_virtio_gpu(const char *node)
{
	int fd = open(node, O_RDWR | O_CLOEXEC);
	drmVersionPtr version;
	bool is = false;

	if (fd < 0)
		return false;
	version = drmGetVersion(fd);
	if (version) {
		is = version->name && !strcmp(version->name, "virtio_gpu");
		drmFreeVersion(version);
	}
	close(fd);
	return is;
}

int drm_find_nodes(char **ret_paths, unsigned max)
{
	drmDevicePtr devices[64];
	int count = drmGetDevices2(0, devices, 64);
	unsigned found = 0;
	int err = 0;

	if (count < 0)
		return count == -ENOENT ? 0 : count;	/* no /dev/dri: no nodes */
	for (int i = 0; i < count && found < max && !err; i++) {
		const char *node = devices[i]->nodes[DRM_NODE_RENDER];

		if (!(devices[i]->available_nodes & (1 << DRM_NODE_RENDER)) || !is_virtio_gpu(node))
			continue;
		ret_paths[found] = strdup(node);
		if (ret_paths[found])
			found++;
		else
			err = -ENOMEM;
	}
	drmFreeDevices(devices, count);
	if (!err)
		return (int)found;
	while (found)
		free(ret_paths[--found]);
	return err;
}

/* What the kernel says about itself and the device; 0 for what it does not know. */
static unsigned param(int fd, enum virtgpu_param which)
{
	int value = 0;
	struct virtgpu_getparam get = {.param = which, .value = (uintptr_t)&value};

	return ioctl_errno(fd, VIRTGPU_IOCTL_GETPARAM, &get) ? 0 : (unsigned)value;
}

static int probe(const char *node, int fd, char ret_why[256])
{
	static const struct {
		enum virtgpu_param param;
		const char *name;
	} needed[] = {
		{VIRTGPU_HAS_3D_FEATURES, "3D contexts"},
		{VIRTGPU_HAS_RESOURCE_BLOB, "blob resources"},
		{VIRTGPU_HAS_HOST_VISIBLE, "host-visible memory"},
		{VIRTGPU_HAS_CONTEXT_INIT, "typed contexts"},
	};

	for (unsigned i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!param(fd, needed[i].param)) {
			snprintf(ret_why, 256, "%s has no %s: either its device is not a vGPU of this service, or the kernel is older than 5.16",
				 node, needed[i].name);
			return -ENODEV;
		}
	if (!(param(fd, VIRTGPU_CAPSET_IDS) & 1u << WIRE_CAPSET_ID)) {
		snprintf(ret_why, 256, "%s is a virtio-gpu without capset %u: not a vGPU of this service", node, WIRE_CAPSET_ID);
		return -ENODEV;
	}
	return 0;
}

static int read_capset(const char *node, int fd, struct wire_capset **ret_capset, char ret_why[256])
{
	/* The kernel copies min(asked, what the device has) and does not tell how much: the rest stays zero. */
	uint8_t *data = calloc(1, WIRE_CAPSET_MAX_BYTES);
	struct virtgpu_get_caps get = {
		.capset_id = WIRE_CAPSET_ID,
		.address = (uintptr_t)data,
		.bytes = WIRE_CAPSET_MAX_BYTES,
	};
	int err;

	if (!data) {
		snprintf(ret_why, 256, "out of memory");
		return -ENOMEM;
	}
	err = ioctl_errno(fd, VIRTGPU_IOCTL_GET_CAPS, &get);
	if (err)
		snprintf(ret_why, 256, "%s does not tell its capset %u: %s", node, WIRE_CAPSET_ID, strerror(-err));
	else
		err = capset_check(data, WIRE_CAPSET_MAX_BYTES, ret_capset, ret_why);
	free(data);
	return err;
}

static int open_node(const char *node, int *ret_fd, struct wire_capset **ret_capset, char ret_why[256])
{
	int fd = open(node, O_RDWR | O_CLOEXEC);
	int err;

	if (fd < 0) {
		err = -errno;
		snprintf(ret_why, 256, "cannot open %s: %s%s", node, strerror(-err),
			 err == -EACCES ? "; add the user to the group 'render'" : "");
		return err;
	}
	err = probe(node, fd, ret_why);
	if (!err)
		err = read_capset(node, fd, ret_capset, ret_why);
	if (err) {
		close(fd);
		return err;
	}
	*ret_fd = fd;
	return 0;
}

int drm_capset(const char *node, struct wire_capset **ret_capset, char ret_why[256])
{
	int fd;
	int err = open_node(node, &fd, ret_capset, ret_why);

	if (!err)
		close(fd);
	return err;
}

/* ---- blobs --------------------------------------------------------------------------------------- */

static void gem_close(struct drm *drm, uint32_t handle)
{
	struct drm_gem_close gem = {.handle = handle};

	(void)ioctl_errno(drm->fd, DRM_IOCTL_GEM_CLOSE, &gem);
}

static int blob_create_once(struct drm *drm, uint64_t blob_id, size_t bytes, struct transport_blob *ret_blob)
{
	struct virtgpu_create_blob create = {
		.blob_mem = VIRTGPU_BLOB_MEM_HOST3D,
		.blob_flags = VIRTGPU_BLOB_MAPPABLE,
		.bytes = bytes,
		.blob_id = blob_id,
	};
	struct virtgpu_map map = {0};
	void *address;
	int err = ioctl_errno(drm->fd, VIRTGPU_IOCTL_CREATE_BLOB, &create);

	if (err == -ENOSPC)
		err = -ENOMEM;	/* no room in the device's address space */
	if (err)
		return err;
	map.handle = create.handle;
	err = ioctl_errno(drm->fd, VIRTGPU_IOCTL_MAP, &map);
	if (err)
		goto close_gem;
	address = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, drm->fd, (off_t)map.offset);
	if (address == MAP_FAILED) {
		/* The kernel waits here for the host's answer to the mapping and fails with what it finds: refused. */
		err = errno == EINTR ? -EINTR : -ENOMEM;
		goto close_gem;
	}
	madvise(address, bytes, MADV_DONTFORK);
	*ret_blob = (struct transport_blob){
		.blob_id = blob_id,
		.address = address,
		.bytes = bytes,
		.handle = create.handle,
	};
	return 0;

close_gem:
	gem_close(drm, create.handle);
	return err;
}

static bool memory_reserve(struct drm *drm, uint64_t blob_id, size_t bytes)
{
	if (WIRE_BLOB_KIND(blob_id) != WIRE_BLOB_KIND_MEMORY)
		return true;
	if (bytes <= drm->base.capset->vram_bytes &&
	    atomic_fetch_add(&drm->memory_bytes, bytes) <= drm->base.capset->vram_bytes - bytes)
		return true;
	if (bytes <= drm->base.capset->vram_bytes)
		atomic_fetch_sub(&drm->memory_bytes, bytes);
	return false;
}

static void memory_give(struct drm *drm, uint64_t blob_id, size_t bytes)
{
	if (WIRE_BLOB_KIND(blob_id) == WIRE_BLOB_KIND_MEMORY)
		atomic_fetch_sub(&drm->memory_bytes, bytes);
}

static int drm_blob_create(struct transport *transport, uint64_t blob_id, size_t bytes, struct transport_blob *ret_blob)
{
	struct drm *drm = drm_of(transport);
	int64_t pause_ns = RETRY_FIRST_NS;
	int err;

	if (!bytes || bytes > SIZE_MAX - 4095)
		return -EINVAL;
	bytes = (bytes + 4095) & ~(size_t)4095;
	if (!memory_reserve(drm, blob_id, bytes))
		return -ENOMEM;
	for (int tries = 0;; tries++) {
		if (fork_guard_in_child(&drm->guard)) {
			memory_give(drm, blob_id, bytes);
			return -ENODEV;
		}
		err = blob_create_once(drm, blob_id, bytes, ret_blob);
		if (err == -EINTR)
			continue;
		int64_t dropped_ns = atomic_load_explicit(&drm->last_drop_ns, memory_order_relaxed);
		if (err != -ENOMEM || tries >= RETRY_MAX || !dropped_ns || now_ns() - dropped_ns > RELEASE_WINDOW_NS) {
			if (err)
				memory_give(drm, blob_id, bytes);
			return err;
		}
		struct timespec pause = {.tv_nsec = pause_ns};
		nanosleep(&pause, NULL);
		pause_ns *= 4;
	}
}

static void drm_blob_destroy(struct transport *transport, struct transport_blob *blob)
{
	struct drm *drm = drm_of(transport);

	if (fork_guard_in_child(&drm->guard))
		return;		/* neither mapped nor ours here */
	munmap(blob->address, blob->bytes);
	gem_close(drm, blob->handle);
	memory_give(drm, blob->blob_id, blob->bytes);
	atomic_store_explicit(&drm->last_drop_ns, now_ns(), memory_order_relaxed);
	blob->address = NULL;
}

static int drm_blob_move(struct transport *transport, struct transport_blob *blob, void *address)
{
	if (fork_guard_in_child(&drm_of(transport)->guard))
		return -ENODEV;
	if (mremap(blob->address, blob->bytes, blob->bytes, MREMAP_MAYMOVE | MREMAP_FIXED, address) == MAP_FAILED)
		return -errno;
	blob->address = address;
	return 0;
}

/* ---- submissions --------------------------------------------------------------------------------- */

static int execbuffer(struct drm *drm, const struct wire_submit *submit, uint32_t ring, uint32_t flags, int *ret_fence)
{
	struct wire_submit copy = *submit;
	struct virtgpu_execbuffer exec = {
		.flags = flags | VIRTGPU_EXECBUFFER_RING_IDX,	/* else all contexts share one timeline */
		.bytes = sizeof(copy),
		.command = (uintptr_t)&copy,
		.fence_fd = -1,
		.ring_idx = ring,
	};
	int err;

	if (fork_guard_in_child(&drm->guard))
		return -ENODEV;
	err = ioctl_errno(drm->fd, VIRTGPU_IOCTL_EXECBUFFER, &exec);
	if (!err && ret_fence)
		*ret_fence = exec.fence_fd;
	return err;
}

static int drm_submit(struct transport *transport, const struct wire_submit *submit)
{
	return execbuffer(drm_of(transport), submit, WIRE_FENCE_RING_SETUP, 0, NULL);
}

static int drm_submit_wake(struct transport *transport, int *ret_fence)
{
	const struct wire_submit submit = {.op = WIRE_SUBMIT_WAKE, .version = WIRE_VERSION};

	return execbuffer(drm_of(transport), &submit, WIRE_FENCE_RING_WAKE, VIRTGPU_EXECBUFFER_FENCE_FD_OUT, ret_fence);
}

/* ---- the transport --------------------------------------------------------------------------------- */

static void drm_close(struct transport *transport)
{
	struct drm *drm = drm_of(transport);

	fork_guard_leave(&drm->guard);
	if (drm->fd >= 0)
		close(drm->fd);		/* the kernel destroys the context; a mapping keeps its own blob alive */
	free(drm->base.capset);
	free(drm);
}

static const struct transport_ops drm_ops = {
	.name = "drm",
	.blob_create = drm_blob_create,
	.blob_destroy = drm_blob_destroy,
	.blob_move = drm_blob_move,
	.submit = drm_submit,
	.submit_wake = drm_submit_wake,
	.close = drm_close,
};

static int context_init(int fd)
{
	struct virtgpu_context_param_value params[] = {
		{VIRTGPU_CONTEXT_CAPSET_ID, WIRE_CAPSET_ID},
		{VIRTGPU_CONTEXT_NUM_RINGS, WIRE_FENCE_RING_COUNT},
		{VIRTGPU_CONTEXT_POLL_RINGS_MASK, 0},
	};
	struct virtgpu_context_init init = {
		.param_count = sizeof(params) / sizeof(params[0]),
		.params = (uintptr_t)params,
	};

	return ioctl_errno(fd, VIRTGPU_IOCTL_CONTEXT_INIT, &init);
}

int drm_open(const char *node, struct transport **ret_transport, char ret_why[256])
{
	struct drm *drm = calloc(1, sizeof(*drm));
	int err;

	if (!drm) {
		snprintf(ret_why, 256, "out of memory");
		return -ENOMEM;
	}
	drm->base.ops = &drm_ops;
	err = open_node(node, &drm->fd, &drm->base.capset, ret_why);
	if (err)
		goto free_drm;
	err = context_init(drm->fd);
	if (err) {
		snprintf(ret_why, 256, "%s gives no context of type %u: %s", node, WIRE_CAPSET_ID, strerror(-err));
		goto close_node;
	}
	drm->guard = (struct fork_guard){.fd = {&drm->fd}, .fd_count = 1};
	fork_guard_enter(&drm->guard);
	*ret_transport = &drm->base;
	return 0;

close_node:
	close(drm->fd);
	free(drm->base.capset);
free_drm:
	free(drm);
	return err;
}
