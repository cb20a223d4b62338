/* SPDX-License-Identifier: MIT */
/*
 * The fluid ideal (generalized processor sharing, Parekh and Gallager 1993) that service is compared with: at every instant all who
 * have work are served at once, by weight, none above one lease or its cap, and what one cannot use is the others'. Realtime vGPUs
 * come first, at the rate of their budget. It costs nothing to switch.
 */
#ifndef VGPU_SCHEDULER_SIM_FLUID_H
#define VGPU_SCHEDULER_SIM_FLUID_H

#include "scheduler/sim/scenario.h"

struct fluid;

/* Borrows the scenario. NULL without memory. */
struct fluid *fluid_create(const struct scenario *scenario);
void fluid_destroy(struct fluid *fluid);
/* Advances to now_ns, which never goes back. */
void fluid_advance(struct fluid *fluid, uint64_t now_ns);
/* Work that arrives at the time advanced to. A backlogged vGPU needs none. */
void fluid_arrive(struct fluid *fluid, uint32_t member, uint64_t length_ns);
void fluid_edit(struct fluid *fluid, uint32_t member, const struct entity_settings *settings);
double fluid_served_ns(const struct fluid *fluid, uint32_t member);

#endif
