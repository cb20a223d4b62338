// SPDX-License-Identifier: MIT
/* The fastest of several runs is taken: what slows a run down is always somebody else. */
#include "benchmarks/fairness/calibration.h"

#include "benchmarks/fairness/spin.h"

#include <math.h>

#define TRIES 8
#define RUN_NS 20e6		/* of one try; long beside a timer's error, short beside a neighbour's */
#define LONG_ENOUGH_NS 2e6	/* of the kernel of the second point */
#define COUNT_MAX 2000

uint32_t calibration_loops(const struct calibration *calibration, double target_ns)
{
	double per_loop_ns = (calibration->loops_ns - calibration->launch_ns) / (calibration->loops - 1), loops;

	if (!(per_loop_ns > 0) || !isfinite(per_loop_ns))
		return 0;
	loops = 1 + (target_ns - calibration->launch_ns) / per_loop_ns;
	if (loops < 1)
		return 1;
	return loops > (double)UINT32_MAX ? UINT32_MAX : (uint32_t)llround(loops);
}

/* Of one of `count` launches in a row. */
static double fastest_ns(struct spin *spin, uint32_t loops, unsigned count)
{
	double fastest = INFINITY;

	spin_set_loops(spin, loops);
	for (unsigned i = 0; i < TRIES; i++) {
		double each_ns = (double)spin_time_ns(spin, count) / count;

		if (each_ns < fastest)
			fastest = each_ns;
	}
	return spin->cl.failed ? NAN : fastest;
}

static unsigned count_for(double each_ns)
{
	double count = RUN_NS / each_ns;

	return count < 1 ? 1 : count > COUNT_MAX ? COUNT_MAX : (unsigned)count;
}

void calibration_measure(struct spin *spin, struct calibration *ret_calibration)
{
	uint32_t loops = 1024;

	spin_time_ns(spin, 100);
	ret_calibration->launch_ns = fastest_ns(spin, 1, 500);
	do {
		loops *= 2;
		ret_calibration->loops = loops;
		ret_calibration->loops_ns = fastest_ns(spin, loops, 4);
	} while (ret_calibration->loops_ns < LONG_ENOUGH_NS && loops < UINT32_MAX / 2);
}

uint32_t calibration_find(struct spin *spin, const struct calibration *calibration, double target_ns, double *ret_actual_ns)
{
	uint32_t loops = calibration_loops(calibration, target_ns);

	if (loops == 0)
		return 0;
	*ret_actual_ns = fastest_ns(spin, loops, count_for(target_ns));
	return spin->cl.failed ? 0 : loops;
}
