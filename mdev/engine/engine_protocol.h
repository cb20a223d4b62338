/* SPDX-License-Identifier: MIT */
/*
 * The channel between vgpu-device and an engine: which ranges of the aperture the engine may touch.
 *
 * SOCK_SEQPACKET, one struct engine_message each, no descriptors but LISTENER's. The commands themselves never come
 * this way (they are in the ring, shim/wire/wire.h). The engine is untrusted: the device believes
 * RELEASED only in so far as it concerns this engine's own guest process; whoever needs certainty kills
 * the engine and waits for the keeper's DIED.
 *
 * An engine is started with these descriptors and no others:
 *   0 /dev/null, 1 and 2 the log, 3 the channel, 4 doorbell eventfd, 5 completion eventfd,
 *   6 grant page (read-only), 7 status page, 8 want eventfd, 9 aperture memfd (for mapping what MAP names),
 *   10 the compile helper's stream (compile_protocol.h); without it an engine builds by itself
 * The aperture memfd is the whole slot's, other contexts' blobs included; so before any foreign code runs the engine
 * gives up all it could do with it but one thing: ask for a mapping, which the device grants if that is one whole blob
 * of this context that MAP named (mdev/engine/compute/jail_seccomp.c, vgpu-qemu/virtio_gpu/map_guard.c). An engine's
 * mmap waits for that answer, through a takeover too; the device waits for nothing.
 * The three eventfds are open files shared with the other side, flags included. They are non-blocking, and the engine's jail
 * refuses to change that (jail_seccomp.c); where the host has no seccomp, an engine that clears the flag and fills the
 * doorbell's counter makes the device process of its own guest wait. vgpud does not rely on the flag (leases.c).
 * And these arguments: vgpu-compute --dir DIR --slot N --context N. What it runs on is in DIR/config.json.
 * The end of the channel means that device and keeper are gone: the engine exits.
 *
 * Both sides repeat what may have been lost with a killed device process: after a takeover the device
 * sends RESYNC, then MAP, RING and UNMAP again for all that stand; all are idempotent. The engine answers UNMAP also for ranges it
 * does not know, and repeats READY and CHARGE after RESYNC. So a RELEASED may come twice, the second time when the same range
 * has been mapped and is being let go anew: UNMAP's value, which RELEASED repeats, tells the two apart.
 */
#ifndef VGPU_MDEV_ENGINE_ENGINE_PROTOCOL_H
#define VGPU_MDEV_ENGINE_ENGINE_PROTOCOL_H

#include <assert.h>
#include <stdint.h>

#define ENGINE_PROTOCOL_VERSION 2u

#define ENGINE_FD_CHANNEL 3
#define ENGINE_FD_DOORBELL 4
#define ENGINE_FD_COMPLETION 5
#define ENGINE_FD_GRANT 6
#define ENGINE_FD_STATUS 7
#define ENGINE_FD_WANT 8
#define ENGINE_FD_APERTURE 9
#define ENGINE_FD_COMPILER 10

enum engine_op {
	/* device -> engine */
	ENGINE_RESYNC = 1,	/* value = ENGINE_PROTOCOL_VERSION; first message of every device process */
	ENGINE_MAP = 2,		/* blob_id lies at offset, bytes long, in the aperture file */
	ENGINE_UNMAP = 3,	/* let go of blob_id: no new use; answer RELEASED when no command touches it and it is unmapped.
				 * value: which unmapping this is; repetitions of it carry the same, later ones another */
	ENGINE_RING = 4,	/* blob_id is the ring; value = wire version chosen by the shim */
	ENGINE_CHARGED = 5,	/* value = the total now granted (discrete devices) */

	/* engine -> device */
	ENGINE_READY = 16,	/* value = ENGINE_PROTOCOL_VERSION: the ring is being served */
	ENGINE_RELEASED = 17,	/* blob_id, offset, value as in the UNMAP it answers */
	ENGINE_CHARGE = 18,	/* value = the total of device memory wanted, absolute; answered by CHARGED with the total granted,
				 * which is the old one if the limit would be passed */
	ENGINE_LISTENER = 20,	/* the one message with a descriptor: the seccomp listener that its mappings ask; first of
				 * all, or never where the host has none */
	ENGINE_FAULT = 19,	/* value = enum wire_lost: the context cannot go on; the engine exits after this */
};

struct engine_message {
	uint32_t op;
	uint32_t reserved;
	uint64_t blob_id;
	uint64_t offset;
	uint64_t bytes;
	uint64_t value;
};
static_assert(sizeof(struct engine_message) == 40, "spoken between builds");

#endif
