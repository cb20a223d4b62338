// SPDX-License-Identifier: MIT
/*
 * The fluid ideal of a span is what was really done in it, divided by weight: a slow machine, or a neighbour's
 * burst that takes CPU from all, is no client's deviation.
 */
#include "benchmarks/fairness/shares.h"

#include <errno.h>
#include <math.h>

double shares_min_max(const double *amounts, const double *weights, unsigned count)
{
	double min = INFINITY, max = 0;

	for (unsigned i = 0; i < count; i++) {
		double each = amounts[i] / weights[i];

		if (each < min)
			min = each;
		if (each > max)
			max = each;
	}
	return max > 0 ? min / max : NAN;
}

static int check(const struct progress *clients, const double *weights, unsigned count, uint32_t window_bins)
{
	if (count == 0 || count > SHARES_CLIENTS_MAX || window_bins == 0)
		return -EINVAL;
	for (unsigned i = 0; i < count; i++)
		if (clients[i].begin_ns != clients[0].begin_ns || clients[i].bins != clients[0].bins || clients[i].per_kernel != clients[0].per_kernel ||
		    !(weights[i] > 0))
			return -EINVAL;
	return 0;
}

static double worst_of_span(const double *done, const double *weights, double weight_sum, unsigned count)
{
	double sum = 0, worst = 0;

	for (unsigned i = 0; i < count; i++)
		sum += done[i];
	for (unsigned i = 0; sum > 0 && i < count; i++)
		worst = fmax(worst, fabs(done[i] / sum - weights[i] / weight_sum));
	return worst;
}

int shares_compute(const struct progress *clients, const double *weights, unsigned count, uint32_t window_bins,
	struct shares *ret_shares)
{
	double done[SHARES_CLIENTS_MAX], span[SHARES_CLIENTS_MAX] = { 0 }, weight_sum = 0, least = INFINITY, worst = 0;
	int err = check(clients, weights, count, window_bins);
	struct shares shares = { .total = 0 };

	if (err)
		return err;
	for (unsigned i = 0; i < count; i++) {
		done[i] = (double)progress_total(&clients[i]) / clients[i].per_kernel;
		shares.total += done[i];
		weight_sum += weights[i];
		least = fmin(least, done[i]);
	}
	for (uint32_t bin = 0; bin < clients[0].bins; bin++) {
		for (unsigned i = 0; i < count; i++) {
			span[i] += clients[i].bin[bin];
			if (bin >= window_bins)
				span[i] -= clients[i].bin[bin - window_bins];
		}
		if (bin + 1 >= window_bins)
			worst = fmax(worst, worst_of_span(span, weights, weight_sum, count));
	}
	for (unsigned i = 0; i < count; i++)
		shares.share[i] = shares.total > 0 ? done[i] / shares.total : NAN;
	shares.min_max = shares_min_max(done, weights, count);
	shares.resolution = least > 0 ? 1 / (least * clients[0].per_kernel) : INFINITY;
	shares.deviation_ns = worst * window_bins * (double)PROGRESS_BIN_NS;
	*ret_shares = shares;
	return 0;
}
