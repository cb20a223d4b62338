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

#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

struct parent;
struct vgpu_spec;	/* mdev/vgpu_spec.h: what a vGPU is to be (profile resolved) */

/* Where things lie and what engines are started with; strings borrowed for the life of the parents. */
struct parent_settings {
	const char *libexec_dir;	/* absolute */
	const char *cache_dir;
	const char *const *icds;	/* NULL-terminated; an empty list = all of /etc/OpenCL/vendors but our own */
	const char *const *environment;	/* NULL-terminated K=V, for engines and probes */
	uint64_t probe_timeout_ms;
	uint64_t engine_idle_ms;	/* an engine without work for so long is retired; 0: never */
};

struct parent_facts {
	char key[512];			/* what makes it this GPU and no other: the service keeps key -> "gpu0" over restarts */
	char name[128];			/* as its driver names it */
	char vendor[64];
	char driver[128];		/* "PoCL 3.1 pthread" */
	char type[16];			/* "cpu", "gpu", "accelerator" */
	char icd[256];
	uint64_t memory_bytes;		/* what it has */
	uint64_t vram_bytes;		/* what may be given to vGPUs */
	uint32_t compute_units;
	uint32_t unified;		/* 1: kernels use aperture memory in place */
};

struct parent_ops {
	const char *kind;		/* "mediated" */
	/*
	 * Begins to look for all parents of this kind. Later, from the loop: found for each (it takes the parent), trouble for each
	 * source that could not be looked at (a sentence), and at last done, once. 0, or -errno with a sentence in ret_why: then
	 * nothing is called.
	 */
	int (*discover)(sd_event *loop, const struct parent_settings *settings,
			void (*found)(struct parent *parent, void *data), void (*trouble)(const char *text, void *data),
			void (*done)(void *data), void *data, char ret_why[256]);
	const struct parent_facts *(*facts)(const struct parent *parent);
	/* Writes config.json and capset for a vGPU on this parent into its runtime folder. 0 or -errno, ret_why. */
	int (*prepare)(struct parent *parent, const struct vgpu_spec *spec, int dir_fd, char ret_why[256]);
	/* Starts what serves the vGPU (for ours: its keeper). The pidfd is the caller's to close. 0 or -errno, ret_why. */
	int (*start)(struct parent *parent, const struct vgpu_spec *spec, const char *dir, pid_t *ret_pid, int *ret_pidfd,
		     char ret_why[256]);
	void (*destroy)(struct parent *parent);	/* accepts NULL */
};

struct parent {
	const struct parent_ops *ops;
};
#endif
