// SPDX-License-Identifier: MIT
/*
 * The thread looks at each METER_NS of the window, and what was done since is spread over the bins in between. It is put before all others
 * where the system allows: late, it would lay the work of a neighbour's slice to the wrong moment.
 */
#include "benchmarks/fairness/meter.h"

#include "benchmarks/clock.h"

#include <string.h>
#include <sys/resource.h>

#define METER_BINS 2u
#define METER_NS (METER_BINS * PROGRESS_BIN_NS)

/* Loops of all work items since the last look. */
static uint64_t look(struct meter *meter)
{
	uint64_t loops = 0;

	for (size_t i = 0; i < meter->spin->global; i++) {
		uint32_t now = __atomic_load_n(&meter->spin->counter[i], __ATOMIC_RELAXED);

		loops += now - meter->seen[i];
		meter->seen[i] = now;
	}
	return loops;
}

static void *run_meter(void *arg)
{
	struct meter *meter = arg;
	struct progress *progress = meter->progress;
	uint64_t kernel_loops = (uint64_t)meter->spin->loops * meter->spin->global;

	setpriority(PRIO_PROCESS, 0, -20);	/* of this thread, on Linux; in vain without CAP_SYS_NICE */
	clock_sleep_until(progress->begin_ns);
	look(meter);
	for (uint64_t at_ns = progress->begin_ns; at_ns < progress->end_ns; at_ns += METER_NS) {
		uint64_t units;

		clock_sleep_until(at_ns + METER_NS);
		meter->rest += look(meter) * METER_PER_KERNEL;
		units = meter->rest / kernel_loops;
		meter->rest %= kernel_loops;
		for (unsigned bin = 0; bin < METER_BINS; bin++)
			progress_add(progress, at_ns + bin * PROGRESS_BIN_NS, (uint32_t)(units * (bin + 1) / METER_BINS - units * bin / METER_BINS));
	}
	return NULL;
}

bool meter_start(struct meter *meter, struct spin *spin, struct progress *progress)
{
	*meter = (struct meter){ .spin = spin, .progress = progress };
	if (!spin->counter)
		return false;
	meter->seen = session_host_memory(&spin->cl, spin->global, sizeof(*meter->seen));
	if (!meter->seen)
		return false;
	progress->per_kernel = METER_PER_KERNEL;
	meter->running = !pthread_create(&meter->thread, NULL, run_meter, meter);
	if (!meter->running)
		session_fail(&spin->cl, "no thread could be started");
	return meter->running;
}

void meter_stop(struct meter *meter)
{
	if (meter->running)
		pthread_join(meter->thread, NULL);
	meter->running = false;
}
