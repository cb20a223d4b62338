/* SPDX-License-Identifier: MIT */
/*
 * The blobs of the aperture that this engine may touch: which are mapped, where, and who still needs them.
 *
 * Filled by the channel thread from vgpu-device's MAP messages (trusted), looked up by the ring thread
 * for what the guest names (untrusted). A user of a blob's bytes holds a pin. UNMAP makes a blob
 * `dying`: no new pin is given, and with the last pin the mapping goes and `released` is called, once,
 * on the thread that let go, with no lock held.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_BLOBS_H
#define VGPU_MDEV_ENGINE_COMPUTE_BLOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "shim/wire/wire.h"

struct blobs;
typedef void blobs_released_fn(void *data, uint64_t blob_id, uint64_t offset, uint64_t unmap_number);

/* Borrows aperture_fd. 0 or -errno. */
int blobs_create(int aperture_fd, blobs_released_fn *released, void *data, struct blobs **ret_blobs);

/* Unmaps everything, pinned or not: no command may be running. Accepts NULL. */
void blobs_destroy(struct blobs *blobs);

/* Maps a blob; doing it again with the same numbers is nothing. 0, -ERANGE outside the file, -EBUSY while it is
 * dying, -EEXIST for a living one elsewhere, -EPERM if the device does not grant it (any more), or -errno of mmap. Waits
 * for the device's answer. Channel thread only. */
int blobs_map(struct blobs *blobs, uint64_t blob_id, uint64_t offset, uint64_t bytes);

/* Maps a living blob at `address` too, which is page-aligned and inside the window (wire.h), for its life; pins given from then on are
 * there. 0, -ENOENT without such a blob or if it has an address, -EINVAL beyond the window's end, -EEXIST if something is mapped there,
 * or -errno of mmap. Waits for the device's answer. Ring thread only. */
int blobs_svm_map(struct blobs *blobs, uint64_t blob_id, uint64_t address);
/* Whether the byte is one of a living blob's that is mapped so. */
bool blobs_svm_holds(struct blobs *blobs, uint64_t address);

/* Lets go: true if pins keep it for now (`released` comes later), false if it is gone, or never was there:
 * then the caller answers. unmap_number is handed to `released`: the latest, where it is asked for again. */
bool blobs_unmap(struct blobs *blobs, uint64_t blob_id, uint64_t unmap_number);

/* How long the blob is, 0 if it is not mapped or dying. */
uint64_t blobs_bytes(struct blobs *blobs, uint64_t blob_id);

/* The bytes of a range, pinned; NULL if it is not wholly inside a living blob. */
void *blobs_pin(struct blobs *blobs, const struct wire_range *range);
void blobs_unpin(struct blobs *blobs, uint64_t blob_id);

/* True while a dying blob is pinned. For the ring thread, which then drops the buffers that lie in it. */
bool blobs_any_dying(struct blobs *blobs);
bool blobs_is_dying(struct blobs *blobs, uint64_t blob_id);
#endif
