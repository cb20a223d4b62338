/* SPDX-License-Identifier: MIT */
#include "scheduler/admission.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static __attribute__((format(printf, 3, 4))) int refuse(char ret_why[ADMISSION_WHY_BYTES], int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(ret_why, ADMISSION_WHY_BYTES, format, arguments);
	va_end(arguments);
	return error;
}

static double percent(uint64_t ppm)
{
	return (double)ppm / 10000.0;
}

static double ms(uint64_t ns)
{
	return (double)ns / 1e6;
}

uint64_t admission_promised_ppm(const struct entity_settings *settings)
{
	uint64_t budget_ppm = 0;

	if (settings->class == ENTITY_REALTIME && settings->period_ns)
		budget_ppm = (settings->budget_ns * ENTITY_WHOLE_PPM + settings->period_ns - 1) / settings->period_ns;
	return budget_ppm > settings->reservation_ppm ? budget_ppm : settings->reservation_ppm;
}

static int check_realtime(const struct entity_settings *settings, char ret_why[ADMISSION_WHY_BYTES])
{
	if (settings->class != ENTITY_REALTIME) {
		if (!settings->budget_ns && !settings->period_ns)
			return 0;
		return refuse(ret_why, -EINVAL, "a budget of %g ms in %g ms needs the class realtime; set it, or leave the budget out",
			      ms(settings->budget_ns), ms(settings->period_ns));
	}
	if (settings->period_ns < ENTITY_PERIOD_NS_MIN || settings->period_ns > ENTITY_PERIOD_NS_MAX)
		return refuse(ret_why, -EINVAL, "a realtime period of %g ms; it must be from %g to %g ms (16.667 ms for 60 frames a second)",
			      ms(settings->period_ns), ms(ENTITY_PERIOD_NS_MIN), ms(ENTITY_PERIOD_NS_MAX));
	if (settings->budget_ns < ENTITY_BUDGET_NS_MIN || settings->budget_ns > settings->period_ns)
		return refuse(ret_why, -EINVAL, "a realtime budget of %g ms; it must be from %g ms to its period, %g ms", ms(settings->budget_ns),
			      ms(ENTITY_BUDGET_NS_MIN), ms(settings->period_ns));
	if (settings->cap_ppm < ENTITY_WHOLE_PPM && admission_promised_ppm(settings) > settings->cap_ppm)
		return refuse(ret_why, -EINVAL, "a budget of %g ms in %g ms is more than the cap of %g %%; raise the cap, or take at most %g ms",
			      ms(settings->budget_ns), ms(settings->period_ns), percent(settings->cap_ppm),
			      ms(settings->period_ns * settings->cap_ppm / ENTITY_WHOLE_PPM));
	return 0;
}

int admission_check_range(const struct entity_settings *settings, char ret_why[ADMISSION_WHY_BYTES])
{
	if (settings->weight < ENTITY_WEIGHT_MIN || settings->weight > ENTITY_WEIGHT_MAX)
		return refuse(ret_why, -EINVAL, "weight %u; it must be from %u to %u (%u is the usual one)", settings->weight,
			      ENTITY_WEIGHT_MIN, ENTITY_WEIGHT_MAX, ENTITY_WEIGHT);
	if (settings->class > ENTITY_IDLE)
		return refuse(ret_why, -EINVAL, "class %u; there are 0 (normal), 1 (realtime) and 2 (idle)", settings->class);
	if (settings->cap_ppm < ENTITY_CAP_PPM_MIN || settings->cap_ppm > ENTITY_WHOLE_PPM)
		return refuse(ret_why, -EINVAL, "a cap of %g %%; it must be from %g to 100 %% (100 is no cap)",
			      percent(settings->cap_ppm), percent(ENTITY_CAP_PPM_MIN));
	if (settings->burst_ns < ENTITY_BURST_NS_MIN || settings->burst_ns > ENTITY_BURST_NS_MAX)
		return refuse(ret_why, -EINVAL, "a burst of %g ms; it must be from %g to %g ms", ms(settings->burst_ns),
			      ms(ENTITY_BURST_NS_MIN), ms(ENTITY_BURST_NS_MAX));
	if (settings->slice_ns && (settings->slice_ns < ENTITY_SLICE_NS_MIN || settings->slice_ns > ENTITY_SLICE_NS_MAX))
		return refuse(ret_why, -EINVAL, "a slice of %g ms; it must be from %g to %g ms, or 0 for the run queue's",
			      ms(settings->slice_ns), ms(ENTITY_SLICE_NS_MIN), ms(ENTITY_SLICE_NS_MAX));
	if (settings->reservation_ppm > settings->cap_ppm)
		return refuse(ret_why, -EINVAL, "a reservation of %g %% under a cap of %g %%; raise the cap or reserve at most %g %%",
			      percent(settings->reservation_ppm), percent(settings->cap_ppm), percent(settings->cap_ppm));
	if (settings->class == ENTITY_IDLE && settings->reservation_ppm)
		return refuse(ret_why, -EINVAL, "a reservation of %g %% in the idle class, which is promised nothing; choose the class normal, or reserve 0",
			      percent(settings->reservation_ppm));
	return check_realtime(settings, ret_why);
}

int admission_check_sum(const struct entity_settings *settings, uint64_t others_ppm, uint32_t leases,
			char ret_why[ADMISSION_WHY_BYTES])
{
	uint64_t limit_ppm = (uint64_t)ADMISSION_LIMIT_PPM * leases, own_ppm = admission_promised_ppm(settings);

	if (!own_ppm)
		return 0;
	uint64_t free_ppm = limit_ppm > others_ppm ? limit_ppm - others_ppm : 0;
	uint64_t most_ppm = free_ppm < ADMISSION_LIMIT_PPM ? free_ppm : ADMISSION_LIMIT_PPM;
	if (own_ppm <= most_ppm)
		return 0;
	if (settings->class == ENTITY_REALTIME && own_ppm > settings->reservation_ppm)
		return refuse(ret_why, -ENOSPC,
			      "a budget of %g ms in %g ms is %g %%, and %g %% of at most %g %% are promised already: %g %% would fit, that is %g ms in %g ms",
			      ms(settings->budget_ns), ms(settings->period_ns), percent(own_ppm), percent(others_ppm), percent(limit_ppm),
			      percent(most_ppm), ms(settings->period_ns * most_ppm / ENTITY_WHOLE_PPM), ms(settings->period_ns));
	return refuse(ret_why, -ENOSPC, "a reservation of %g %% does not fit: %g %% of at most %g %% are promised already, %g %% would fit",
		      percent(own_ppm), percent(others_ppm), percent(limit_ppm), percent(most_ppm));
}
