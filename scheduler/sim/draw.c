/* SPDX-License-Identifier: MIT */
#include "scheduler/sim/draw.h"

#include <math.h>

/* splitmix64 (Steele, Lea, Flood, 2014). */
uint64_t draw_word(struct draw *draw)
{
	uint64_t z = draw->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint64_t draw_below(struct draw *draw, uint64_t bound)
{
	return (uint64_t)(((unsigned __int128)draw_word(draw) * bound) >> 64);
}

static double unit(struct draw *draw)	/* 0 < u < 1 */
{
	return ((double)(draw_word(draw) >> 12) + 0.5) / 4503599627370496.0;
}

uint64_t draw_ns(struct draw *draw, const struct spread_ns *spread)
{
	double ns = (double)spread->a_ns;

	switch (spread->kind) {
	case SPREAD_FIXED:
		return spread->a_ns ? spread->a_ns : 1;
	case SPREAD_UNIFORM:
		return spread->a_ns + draw_below(draw, spread->b_ns - spread->a_ns + 1);
	case SPREAD_LOG_UNIFORM:
		ns = ns * exp(unit(draw) * log((double)spread->b_ns / ns));
		break;
	case SPREAD_EXPONENTIAL:
		ns = -ns * log(unit(draw));
		if (spread->b_ns && ns > (double)spread->b_ns)
			ns = (double)spread->b_ns;
		break;
	}
	return ns < 1 ? 1 : (uint64_t)ns;
}

double spread_mean_ns(const struct spread_ns *spread)
{
	double a_ns = (double)spread->a_ns, b_ns = (double)spread->b_ns;

	switch (spread->kind) {
	case SPREAD_UNIFORM:
		return (a_ns + b_ns) / 2;
	case SPREAD_LOG_UNIFORM:
		return a_ns == b_ns ? a_ns : (b_ns - a_ns) / log(b_ns / a_ns);
	default:
		return a_ns;
	}
}
