/* SPDX-License-Identifier: MIT */
/*
 * A device process in place of one that died: at once, or, where the host has no descriptor, process or memory for it at this
 * moment, again and again for a while. A guest's device is not lost for a shortage that passes.
 *
 * Meanwhile the slot has no device process; all that it needs is in the store. The keeper's timer is shared with the wait
 * for devices that rejoin (peer.c): main.c sets it to whichever is first.
 */
#include <errno.h>
#include <string.h>

#include "mdev/keeper/keeper.h"
#include "mdev/log/log.h"

#define PAUSE_FIRST_NS 10000000ull
#define PAUSE_MOST_NS 1000000000ull
#define PATIENCE_NS 30000000000ull

static bool is_passing(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -EAGAIN;
}

void restart_failed(struct keeper *keeper, struct slot *slot, int error)
{
	uint64_t now_ns = keeper_now_ns();

	if (!slot->restart_since_ns) {
		slot->restart_since_ns = now_ns;
		slot->restart_pause_ns = PAUSE_FIRST_NS;
		if (is_passing(error))
			log_warning("slot %u: no device process can be started now: %s; trying again for %llu s", slot->index,
				    strerror(-error), PATIENCE_NS / 1000000000ull);
	}
	if (!is_passing(error) || now_ns - slot->restart_since_ns >= PATIENCE_NS) {
		log_error("slot %u: no device process can be started: %s: the connection is lost", slot->index, strerror(-error));
		slot_end(keeper, slot);
		return;
	}
	slot->restart_at_ns = now_ns + slot->restart_pause_ns;
	slot->restart_pause_ns *= 2;
	if (slot->restart_pause_ns > PAUSE_MOST_NS)
		slot->restart_pause_ns = PAUSE_MOST_NS;
	keeper_arm_timer(keeper);
}

void restart_device(struct keeper *keeper, struct slot *slot, const char *former)
{
	int error = slot_start_device(keeper, slot);

	if (!error) {
		log_warning("slot %u: %s; process %d takes over", slot->index, former, (int)slot->device_pid);
		return;
	}
	if (!slot->restart_since_ns)
		log_warning("slot %u: %s", slot->index, former);
	restart_failed(keeper, slot, error);
}

void restart_due(struct keeper *keeper)
{
	uint64_t now_ns = keeper_now_ns();

	for (uint32_t index = 0; index < KEEPER_SLOT_MAX; index++) {
		struct slot *slot = keeper->slot[index];

		if (!slot || !slot->restart_at_ns || slot->restart_at_ns > now_ns)
			continue;
		slot->restart_at_ns = 0;
		if (!slot->ending && slot->device_pidfd < 0)
			restart_device(keeper, slot, "there was no room for a device process");
	}
}
