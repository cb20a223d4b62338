/* SPDX-License-Identifier: MIT */
/*
 * The engine's end of its channel to vgpu-device (mdev/engine/engine_protocol.h).
 *
 * The main thread serves it until its end: that means device and keeper are gone, and the engine goes
 * too. It never waits for the GPU, so UNMAP of an idle blob and the end of the channel are obeyed while
 * a kernel that never ends runs on the ring thread.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_CHANNEL_H
#define VGPU_MDEV_ENGINE_COMPUTE_CHANNEL_H

#include "mdev/engine/compute/device.h"
#include "scheduler/lease.h"

/* All borrowed. */
struct channel_settings {
	const struct device *device;
	int aperture_fd;
	const struct lease_grant *grant;
	struct lease_status *status;
	bool unified;
	bool svm;
	uint64_t max_alloc_bytes;
	uint32_t spin_ns;
	const char *strategy;
	const char *preempt;
	int compiler_fd;	/* -1: the keeper has given none */
};

/* Serves the descriptors ENGINE_FD_*. Returns at the end of the channel or after a fault: the exit status. */
int channel_serve(const struct channel_settings *settings);

/* Hands the listener of this engine's mappings to vgpu-device, before anything else is said. Takes it. 0 or -errno. */
int channel_give_listener(int listener);

/* Says FAULT on the channel, for an engine that cannot start serving at all. */
void channel_fault(uint32_t reason);
#endif
