/* SPDX-License-Identifier: MIT */
/* Seeded random numbers and the distributions that scenarios draw lengths and gaps from. The same seed gives the same numbers on every
 * machine with IEEE doubles. */
#ifndef VGPU_SCHEDULER_SIM_DRAW_H
#define VGPU_SCHEDULER_SIM_DRAW_H

#include <stdint.h>

struct draw {
	uint64_t state;
};

enum spread {
	SPREAD_FIXED = 0,	/* a_ns */
	SPREAD_UNIFORM = 1,	/* a_ns..b_ns */
	SPREAD_LOG_UNIFORM = 2,	/* a_ns..b_ns, each decade as likely as the next */
	SPREAD_EXPONENTIAL = 3,	/* mean a_ns, at most b_ns */
};

struct spread_ns {
	enum spread kind;
	uint64_t a_ns;
	uint64_t b_ns;
};

static inline struct draw draw_from(uint64_t seed, uint64_t stream)
{
	return (struct draw){.state = seed * 0x9e3779b97f4a7c15u + stream * 0xd1342543de82ef95u + 1};
}

uint64_t draw_word(struct draw *draw);
uint64_t draw_below(struct draw *draw, uint64_t bound);	/* 0..bound-1; bound > 0 */
uint64_t draw_ns(struct draw *draw, const struct spread_ns *spread);	/* at least 1 */
double spread_mean_ns(const struct spread_ns *spread);

#endif
