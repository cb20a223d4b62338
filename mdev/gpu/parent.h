/* SPDX-License-Identifier: MIT */
/*
 * A parent: a GPU that vGPUs are cut from, behind one table of operations.
 *
 * The mediated parent of ours (an OpenCL device shared by time slices, mdev/gpu/mediated.c) is the
 * first; kernel mdev types, SR-IOV functions and whole-device pass-through are others to come, so nothing above
 * this header may assume ours. All calls from vgpud's event loop; none blocks on a GPU or loads vendor code
 * into vgpud: devices are looked at by a child (`vgpu-compute --probe`).
 */
#ifndef VGPU_MDEV_GPU_PARENT_H
#define VGPU_MDEV_GPU_PARENT_H

#include <jansson.h>
#include <stdint.h>

struct parent;
struct vgpu_spec;	/* mdev/vgpu.h: what a vGPU is to be (profile resolved) */

struct parent_facts {
	char id[32];			/* "gpu0": stable over restarts while the machine does not change */
	char name[128];			/* as its driver names it */
	char vendor[64];
	char driver[128];		/* "PoCL 3.1 pthread" */
	uint64_t vram_bytes;		/* what may be given to vGPUs */
	uint32_t compute_units;
	uint32_t unified;		/* 1: kernels use aperture memory in place */
};

struct parent_ops {
	const char *kind;		/* "mediated" */
	/* Finds all parents of this kind; calls found for each, which takes it. 0 or -errno with a sentence in ret_why. */
	int (*discover)(const json_t *settings, void (*found)(struct parent *parent, void *data), void *data,
			char ret_why[256]);
	const struct parent_facts *(*facts)(const struct parent *parent);
	/* Writes config.json and capset for a vGPU on this parent into its runtime folder. 0 or -errno, ret_why. */
	int (*prepare)(struct parent *parent, const struct vgpu_spec *spec, int dir_fd, char ret_why[256]);
	/* Starts what serves the vGPU (for ours: its keeper). 0 or -errno, ret_why. */
	int (*start)(struct parent *parent, const struct vgpu_spec *spec, const char *dir, char ret_why[256]);
	void (*destroy)(struct parent *parent);	/* accepts NULL */
};

struct parent {
	const struct parent_ops *ops;
};
#endif
