/* SPDX-License-Identifier: MIT */
/*
 * The mix that rules are compared on: of each eight vGPUs of equal weight,
 *
 *   victim     always one more kernel of 50 us
 *   display    60 frames a second that jitter by 0.2 ms, each 60-80 % of what its share allows; realtime
 *   aggressor  kernels of 50 ms, each submitted 20 us after the last is done
 *   mixed (2)  kernels of 50 us to 50 ms, each decade as likely as the next: one vGPU submits as the aggressor, one always has more
 *   steady     always one more kernel of 2 ms
 *   sleeper    four kernels of 0.2-2 ms, then a rest: 0.9 of its share
 *   burst      thirty kernels of 1-5 ms at once, from time to time: 0.9 of its share
 *
 * One GPU, time slicing, 15 us per switch, 5 us per chunk, 75 us to freeze.
 */
#ifndef VGPU_SCHEDULER_SIM_MIX_H
#define VGPU_SCHEDULER_SIM_MIX_H

#include "scheduler/sim/scenario.h"

#define MIX_OF 8u
#define MIX_VICTIM 0u
#define MIX_DISPLAY 1u

/* count vGPUs, a multiple of MIX_OF. 0 or -ENOMEM. */
int mix_create(uint32_t count, struct scenario **ret_scenario);
void mix_destroy(struct scenario *scenario);

#endif
