/* SPDX-License-Identifier: MIT */
/* The table that rules are compared by: the mix of scheduler/sim/mix.h under each of them. */
#ifndef VGPU_TOOLS_VGPU_SIM_COMPARE_H
#define VGPU_TOOLS_VGPU_SIM_COMPARE_H

#include <stdio.h>

#include "tools/vgpu-sim/summary.h"

/* For each of counts (multiples of MIX_OF, ended by 0). json may be NULL. 0 or -errno with a sentence in ret_why. */
int compare(FILE *table, FILE *json, const uint32_t *counts, uint32_t seconds, uint32_t seeds, char ret_why[ADMISSION_WHY_BYTES]);

#endif
