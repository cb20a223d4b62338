/* SPDX-License-Identifier: MIT */
#include "vgpu-qemu/keeper_retry.h"

#define REFUSALS_QUICK 50u	/* a second; then a keeper that is not there is not missed by a pause more */

/* The pause that follows so many losses in a row. */
static unsigned grown_ms(unsigned losses)
{
	unsigned pause_ms = KEEPER_RETRY_MS;

	if (losses <= KEEPER_RETRY_AT_ONCE)
		return KEEPER_RETRY_FIRST_MS;
	while (--losses > KEEPER_RETRY_AT_ONCE && pause_ms < KEEPER_RETRY_MOST_MS)
		pause_ms *= 2;
	return pause_ms < KEEPER_RETRY_MOST_MS ? pause_ms : KEEPER_RETRY_MOST_MS;
}

void keeper_retry_joined(struct keeper_retry *retry, uint64_t now_ms)
{
	retry->joined = true;
	retry->joined_at_ms = now_ms;
}

unsigned keeper_retry_lost(struct keeper_retry *retry, uint64_t now_ms)
{
	if (retry->joined && now_ms - retry->joined_at_ms >= KEEPER_RETRY_SETTLED_MS)
		retry->losses = 0;
	retry->joined = false;
	retry->refusals = 0;
	if (retry->losses < UINT32_MAX)
		retry->losses++;
	return grown_ms(retry->losses);
}

unsigned keeper_retry_refused(struct keeper_retry *retry)
{
	unsigned pause_ms = grown_ms(retry->losses);

	if (retry->refusals >= REFUSALS_QUICK)
		return KEEPER_RETRY_MOST_MS;
	retry->refusals++;
	return pause_ms < KEEPER_RETRY_MS ? KEEPER_RETRY_MS : pause_ms;
}
