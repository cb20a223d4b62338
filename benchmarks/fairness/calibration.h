/* SPDX-License-Identifier: MIT */
/* How many loops make a kernel of a wanted length on a device. */
#ifndef BENCHMARKS_FAIRNESS_CALIBRATION_H
#define BENCHMARKS_FAIRNESS_CALIBRATION_H

#include <stdint.h>

struct spin;

/* One launch in a row of many: what it costs with one loop, and what it costs with `loops`. */
struct calibration {
	double launch_ns;
	double loops, loops_ns;
};

/* On the straight line through both points; at least 1, at most UINT32_MAX. 0: the points give no line. */
uint32_t calibration_loops(const struct calibration *calibration, double target_ns);

/* Launches kernels for about a second; after a failure of the device the calibration gives no line. */
void calibration_measure(struct spin *spin, struct calibration *ret_calibration);
/* Loops for target_ns. *ret_actual_ns: what the fastest of several tries took. 0 after a failure. */
uint32_t calibration_find(struct spin *spin, const struct calibration *calibration, double target_ns, double *ret_actual_ns);

#endif
