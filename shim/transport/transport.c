/* SPDX-License-Identifier: MIT */
/*
 * Which vGPUs a process can reach, and by which transport.
 *
 * VGPU_SOCKET names the direct.sock of one vGPU or, separated by ':', of several; then only these count. Else every DRM
 * render node driven by virtio_gpu that has our capset is one. Those that do not answer are left out, so an index means the same in
 * transport_enumerate and transport_open as long as the same ones answer.
 */
#include "shim/transport/transport.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/transport/direct/direct.h"
#include "shim/transport/drm.h"

#define CANDIDATE_MAX 64u

/* Where a vGPU may be. */
struct candidates {
	unsigned count;
	bool direct;
	char *path[CANDIDATE_MAX];
};

static void candidates_free(struct candidates *candidates)
{
	for (unsigned i = 0; i < candidates->count; i++)
		free(candidates->path[i]);
}

static int candidates_split(const char *sockets, struct candidates *candidates)
{
	while (*sockets && candidates->count < CANDIDATE_MAX) {
		size_t bytes = strcspn(sockets, ":");

		if (bytes) {
			char *path = strndup(sockets, bytes);
			if (!path)
				return -ENOMEM;
			candidates->path[candidates->count++] = path;
		}
		sockets += bytes;
		sockets += *sockets == ':';
	}
	return 0;
}

static int candidates_find(struct candidates *ret_candidates)
{
	/* secure_: a set-uid program does not talk to a socket its caller names. */
	const char *sockets = secure_getenv("VGPU_SOCKET");
	struct candidates candidates = {.direct = sockets && *sockets};
	int err;

	if (candidates.direct) {
		err = candidates_split(sockets, &candidates);
	} else {
		err = drm_find_nodes(candidates.path, CANDIDATE_MAX);
		if (err >= 0) {
			candidates.count = (unsigned)err;
			err = 0;
		}
	}
	if (err) {
		candidates_free(&candidates);
		return err;
	}
	*ret_candidates = candidates;
	return 0;
}

static int candidate_capset(const struct candidates *candidates, unsigned i, struct wire_capset **ret_capset, char ret_why[256])
{
	return candidates->direct ? direct_capset(candidates->path[i], ret_capset, ret_why)
				  : drm_capset(candidates->path[i], ret_capset, ret_why);
}

int transport_enumerate(struct wire_capset ***ret_capsets)
{
	struct candidates candidates;
	struct wire_capset **capsets;
	char why[256];
	int found = 0;
	int err = candidates_find(&candidates);

	if (err)
		return err;
	capsets = calloc(candidates.count + 1, sizeof(*capsets));
	if (!capsets) {
		candidates_free(&candidates);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < candidates.count; i++)
		if (!candidate_capset(&candidates, i, &capsets[found], why))
			found++;
	candidates_free(&candidates);
	*ret_capsets = capsets;
	return found;
}

/* Opens the candidate that is number `index` among those that answer. */
static int open_nth(const struct candidates *candidates, unsigned index, struct transport **ret_transport, char ret_why[256])
{
	unsigned answering = 0;
	int err = 0;

	for (unsigned i = 0; i < candidates->count; i++) {
		struct wire_capset *capset;

		err = candidate_capset(candidates, i, &capset, ret_why);
		if (err)
			continue;
		free(capset);
		if (answering++ < index)
			continue;
		return candidates->direct ? direct_open(candidates->path[i], 0, ret_transport, ret_why)
					  : drm_open(candidates->path[i], ret_transport, ret_why);
	}
	/* Where none answers, the last one's reason is the best there is. */
	if (err && !answering)
		return err;
	snprintf(ret_why, 256, "there is no vGPU number %u (counted from 0): %u of %u that could be one answered", index, answering,
		 candidates->count);
	return -ENODEV;
}

int transport_open(unsigned index, struct transport **ret_transport, char ret_why[256])
{
	struct candidates candidates;
	int err = candidates_find(&candidates);

	if (err) {
		snprintf(ret_why, 256, "cannot look for vGPUs: %s", strerror(-err));
		return err;
	}
	if (!candidates.count) {
		snprintf(ret_why, 256, candidates.direct ? "VGPU_SOCKET is set but names no socket; set it to a vGPU's direct.sock"
							 : "no DRM render node driven by virtio_gpu, and VGPU_SOCKET is not set: give this "
							   "VM a vGPU (vgpu-admin vgpu show --qemu-args), or set VGPU_SOCKET");
		return -ENODEV;
	}
	err = open_nth(&candidates, index, ret_transport, ret_why);
	candidates_free(&candidates);
	return err;
}
