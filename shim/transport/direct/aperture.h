/* SPDX-License-Identifier: MIT */
/*
 * Which offsets of the host-visible shared memory are taken: the driver chooses where a blob is mapped (virtio 1.3
 * §5.7.6.8, RESOURCE_MAP_BLOB). First fit over a sorted list of free ranges, in pages. Any thread.
 */
#ifndef VGPU_SHIM_TRANSPORT_DIRECT_APERTURE_H
#define VGPU_SHIM_TRANSPORT_DIRECT_APERTURE_H

#include <pthread.h>
#include <stdint.h>

struct aperture_range;

struct aperture {
	pthread_mutex_t lock;
	struct aperture_range *free;	/* sorted by offset, never adjacent */
};

/* bytes: a multiple of 4096. 0 or -ENOMEM. */
int aperture_init(struct aperture *aperture, uint64_t bytes);
void aperture_finish(struct aperture *aperture);
/* bytes: a multiple of 4096, not 0. 0, or -ENOMEM: no free range is long enough. */
int aperture_take(struct aperture *aperture, uint64_t bytes, uint64_t *ret_offset);
/* Exactly what was taken. Cannot fail: without memory to note it down the range stays taken. */
void aperture_give(struct aperture *aperture, uint64_t offset, uint64_t bytes);
uint64_t aperture_free_bytes(struct aperture *aperture);

#endif
