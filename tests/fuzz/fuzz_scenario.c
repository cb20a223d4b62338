/* SPDX-License-Identifier: MIT */
/* Scenario files of vgpu-sim: what is read whole is simulated for some milliseconds. */
#include <stdint.h>
#include <stdlib.h>

#include "scheduler/sim/sim.h"
#include "tools/vgpu-sim/scenario_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scenario *scenario;
	struct sim_result *result;
	char why[SCENARIO_WHY_BYTES];

	if (scenario_parse((const char *)data, size, "/nonexistent", NULL, &scenario, why))
		return 0;
	if (scenario->duration_ns > 5000000)
		scenario->duration_ns = 5000000;
	/* Enough to bring every field into a decision; a burst of 100000 kernels in each of 4096 vGPUs is only slow. */
	for (size_t i = 0; i < scenario->member_count; i++)
		if (scenario->members[i].load.burst > 16)
			scenario->members[i].load.burst = 16;
	if (scenario->member_count <= 32 && !sim_run(scenario, &rule_vgpud, scenario->seed, NULL, &result, why))
		sim_result_destroy(result);
	scenario_destroy(scenario);
	return 0;
}
