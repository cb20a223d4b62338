/* SPDX-License-Identifier: MIT */
/*
 * When a device that has no keeper tries again to reach one.
 *
 * A keeper that is killed is back within milliseconds, so the first tries follow at once. A link that is lost again and
 * again soon after it was made (a keeper that dismisses its devices, or dies of what they give it) would be
 * made anew a thousand times a second, by every device of the vGPU: then the pause grows. Pure: the clock is an argument.
 */
#ifndef VGPU_QEMU_KEEPER_RETRY_H
#define VGPU_QEMU_KEEPER_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#define KEEPER_RETRY_FIRST_MS 1u
#define KEEPER_RETRY_MS 20u		/* nobody listens yet; and where the growing pause begins */
#define KEEPER_RETRY_MOST_MS 200u
#define KEEPER_RETRY_AT_ONCE 3u		/* losses in a row that are answered after FIRST_MS */
#define KEEPER_RETRY_SETTLED_MS 1000u	/* a link that lived so long was none of them */

/* Zeros: no link was ever lost. */
struct keeper_retry {
	bool joined;
	uint64_t joined_at_ms;
	unsigned losses;		/* in a row */
	unsigned refusals;		/* since the last loss */
};

/* The link stands. */
void keeper_retry_joined(struct keeper_retry *retry, uint64_t now_ms);
/* The link is lost, also one that did not come to stand. Returns the pause before the next try. */
unsigned keeper_retry_lost(struct keeper_retry *retry, uint64_t now_ms);
/* A try found nobody. Returns the pause before the next. */
unsigned keeper_retry_refused(struct keeper_retry *retry);

#endif
