/* SPDX-License-Identifier: MIT */
/*
 * How the ring thread sleeps, and what wakes it: the guest's doorbell or the engine itself.
 *
 * Two ways. By descriptor: vgpu-device writes an eventfd for each WIRE_SUBMIT_DOORBELL. By futex (wire.h,
 * WIRE_BELL_FUTEX): a shim on this host adds one to the engine page's `bell` and wakes it; that word is the guest's to
 * write, so the engine's own rings have a word of their own, and one sleep waits for both (futex_waitv(2), Linux 5.16).
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_BELL_H
#define VGPU_MDEV_ENGINE_COMPUTE_BELL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct bell {
	int fd;			/* borrowed; any blocking mode */
	uint32_t *shared;	/* in the guest's page, borrowed; NULL: by descriptor */
	_Atomic uint32_t own;	/* counts bell_ring */
};

/* What had been rung when somebody looked. */
struct bell_look {
	uint32_t shared, own;
};

/* Whether this host lets a thread sleep on two words at once. */
bool bell_can_futex(void);
/* shared NULL: by descriptor. */
void bell_init(struct bell *bell, int fd, uint32_t *shared);

/* The ring thread's: first look, then see whether there is work, then sleep. Returns at once if it was rung since the look;
 * may also return for nothing. until_ns: CLOCK_MONOTONIC, 0: for ever. False: that time has come. */
struct bell_look bell_look(const struct bell *bell);
bool bell_sleep(struct bell *bell, const struct bell_look *look, uint64_t until_ns);

/* From any thread of the engine. */
void bell_ring(struct bell *bell);

#endif
