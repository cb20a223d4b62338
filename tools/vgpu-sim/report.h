/* SPDX-License-Identifier: MIT */
/* Prints a summary: for people, for programs, for the eye. */
#ifndef VGPU_TOOLS_VGPU_SIM_REPORT_H
#define VGPU_TOOLS_VGPU_SIM_REPORT_H

#include <stdio.h>

#include "tools/vgpu-sim/summary.h"

void report_table(FILE *file, const struct scenario *scenario, const char *rule, const struct summary *summary);
void report_json(FILE *file, const struct scenario *scenario, const char *rule, const struct summary *summary);
/* Each vGPU's share over time in the first run, and its share beside the ideal's over all. */
void report_svg(FILE *file, const struct scenario *scenario, const char *rule, const struct summary *summary);

#endif
