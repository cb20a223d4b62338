// SPDX-License-Identifier: MIT
/* Reads /proc/cpuinfo, uname, the affinity mask and sysconf. */
#include "benchmarks/path/machine.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static void read_cpu_model(char *model, size_t size)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[512];

	while (file && fgets(line, sizeof(line), file)) {
		char *colon = strchr(line, ':');

		if (strncmp(line, "model name", 10) || !colon)
			continue;
		colon += 1 + strspn(colon + 1, " \t");
		colon[strcspn(colon, "\n")] = '\0';
		snprintf(model, size, "%s", colon);
		break;
	}
	if (file)
		fclose(file);
}

void machine_describe(struct machine *ret_machine)
{
	long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
	struct machine machine = { .kernel = "?", .architecture = "?" };
	struct utsname name;
	cpu_set_t cpus;

	if (uname(&name) == 0) {
		snprintf(machine.kernel, sizeof(machine.kernel), "%s", name.release);
		snprintf(machine.architecture, sizeof(machine.architecture), "%s", name.machine);
	}
	snprintf(machine.cpu_model, sizeof(machine.cpu_model), "%s", machine.architecture);
	read_cpu_model(machine.cpu_model, sizeof(machine.cpu_model));
	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		machine.cores = (unsigned)CPU_COUNT(&cpus);
	if (pages > 0 && page_bytes > 0)
		machine.memory_bytes = (uint64_t)pages * (uint64_t)page_bytes;
	*ret_machine = machine;
}
