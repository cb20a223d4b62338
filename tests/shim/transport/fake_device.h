/* SPDX-License-Identifier: MIT */
/*
 * A vfio-user virtio-gpu in threads of the test itself, to test the direct driver against.
 *
 * Written from the specifications, sharing no header with the driver: where both err, they do not err together. It is strict:
 * what a driver must not do (an overlapping MAP, an unknown id, a chain of the wrong shape) is counted in `complaints`.
 */
#ifndef VGPU_TESTS_SHIM_TRANSPORT_FAKE_DEVICE_H
#define VGPU_TESTS_SHIM_TRANSPORT_FAKE_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fake_device;

struct fake_config {
	const void *capset;		/* borrowed */
	size_t capset_bytes;
	uint64_t aperture_bytes;
	uint64_t vram_bytes;		/* blobs of kind 2 beyond this: OUT_OF_MEMORY */
	uint16_t queue_size;
	unsigned context_max;
	bool no_indirect;
	bool no_context_init;		/* feature bit missing */
	bool no_msix;
	bool reverse;			/* completes what it finds in the queue in reverse order */
	bool hold_unref;		/* UNREF is answered by fake_device_release */
};

struct fake_counts {
	unsigned connections;		/* open now */
	unsigned connections_ever;
	unsigned contexts;
	unsigned resources;
	unsigned held_wakes;
	uint64_t vram_charged;
	unsigned submissions[4];	/* by op */
	unsigned elements;
	unsigned notifies;
	unsigned complaints;
	char complaint[128];		/* the last one */
};

int fake_device_start(const struct fake_config *config, struct fake_device **ret_device);
void fake_device_stop(struct fake_device *device);
const char *fake_device_path(const struct fake_device *device);
struct fake_counts fake_device_counts(struct fake_device *device);

/* Signals every WAKE fence held. */
void fake_device_wake_all(struct fake_device *device);
/* Answers every UNREF held, and holds none from here on. */
void fake_device_release(struct fake_device *device);
/* Hangs up on everybody, as a dying service does. */
void fake_device_drop(struct fake_device *device);
/* Stays connected but answers nothing more. */
void fake_device_freeze(struct fake_device *device);
/* Every REGION_WRITE of the doorbell takes this long. */
void fake_device_slow_notify(struct fake_device *device, unsigned microseconds);
/* Publishes a used element for a head that is not under way. */
void fake_device_break_ring(struct fake_device *device);

#endif
