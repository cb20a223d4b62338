/* SPDX-License-Identifier: MIT */
/*
 * Refuses settings that cannot be kept: out of range, or promising more of a run queue than there is.
 *
 * Promised are reservations and realtime budgets; their sum over a run queue stays within ADMISSION_LIMIT_PPM of each
 * lease, so that what must be rounded up (a kernel that cannot be stopped, a switch) and vGPUs without promises have room.
 */
#ifndef VGPU_SCHEDULER_ADMISSION_H
#define VGPU_SCHEDULER_ADMISSION_H

#include <stdint.h>

#include "scheduler/entity.h"

#define ADMISSION_LIMIT_PPM 900000u
#define ADMISSION_WHY_BYTES 256

/* What the settings promise, in millionths of one lease. A realtime budget above the reservation counts instead of it. */
uint64_t admission_promised_ppm(const struct entity_settings *settings);

/* Each number by itself. 0, or -EINVAL with one sentence in ret_why: what is wrong and what would do. */
int admission_check_range(const struct entity_settings *settings, char ret_why[ADMISSION_WHY_BYTES]);

/* Beside others_ppm promised to the others, in a queue of `leases` leases. 0, or -ENOSPC with one sentence that says how much
 * would fit. */
int admission_check_sum(const struct entity_settings *settings, uint64_t others_ppm, uint32_t leases,
			char ret_why[ADMISSION_WHY_BYTES]);

#endif
