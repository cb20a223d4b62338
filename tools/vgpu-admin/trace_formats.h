/* SPDX-License-Identifier: MIT */
/* A collected trace as a file: for eyes, and for vgpu-sim. */
#ifndef VGPU_TOOLS_VGPU_ADMIN_TRACE_FORMATS_H
#define VGPU_TOOLS_VGPU_ADMIN_TRACE_FORMATS_H

#include <stdio.h>

#include "tools/vgpu-admin/trace_events.h"

/*
 * Trace Event Format (Google, "Trace Event Format"), which ui.perfetto.dev and chrome://tracing open: one process, the GPU; of each vGPU a
 * track of leases, and if there are any of waits, of kernels and of each engine. Times are CLOCK_MONOTONIC. 0 or -ENOMEM; whether file could
 * be written is the caller's to look at.
 */
int trace_write_perfetto(FILE *file, const struct trace_events *events);

/*
 * A scenario for vgpu-sim, vgpu-sim(1): each vGPU with its settings and the work it brought. Its work are the kernels that vgpud noted, or,
 * where it noted none, its leases: each came when the vGPU began to wait for it, and is as long as it was held. In an open lease, which is kept
 * also while there is nothing to do, it is what the engines say that they were busy. Without vGPUs that brought nothing. One that was removed keeps its weight and loses reservation and budget, which may be others' since.
 * 0, -ENOMEM, or -ENODATA: nobody brought any work.
 */
int trace_write_recorded(FILE *file, const struct trace_events *events);

#endif
