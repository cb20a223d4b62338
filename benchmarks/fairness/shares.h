/* SPDX-License-Identifier: MIT */
/* Shares of clients that were backlogged over one window, against their weights. Pure arithmetic. */
#ifndef BENCHMARKS_FAIRNESS_SHARES_H
#define BENCHMARKS_FAIRNESS_SHARES_H

#include "benchmarks/fairness/progress.h"

#define SHARES_CLIENTS_MAX 64

struct shares {
	double min_max;		/* least over greatest work per weight; 1 is fair. NAN: nobody did any */
	double resolution;	/* what one unit is of the work of the client that did least: nothing finer can be told */
	double deviation_ns;	/* of the worst window and client from the fluid ideal, as time of the whole device */
	double total;		/* kernels of all clients */
	double share[SHARES_CLIENTS_MAX];	/* of the total; sums up to 1 */
};

/* Least over greatest of amount/weight; NAN where all are 0. */
double shares_min_max(const double *amounts, const double *weights, unsigned count);

/*
 * Clients counted in the same units over the same window. Deviation: over each span of window_bins bins at any bin, how far a
 * client's part of the work done in it is from its weight's part, times the span. -EINVAL: windows or units differ, no clients or too
 * many, a weight is not positive.
 */
int shares_compute(const struct progress *clients, const double *weights, unsigned count, uint32_t window_bins,
	struct shares *ret_shares);

#endif
