/* SPDX-License-Identifier: MIT */
/*
 * What kernels print: from the engine to the application's standard output, before their completion is seen.
 *
 * The text is written as it comes, with write(2), as drivers on the host do: what the application has in a buffer of its
 * stdio comes out when that is flushed. Bytes of an engine that a guest's kernel has taken over are bytes.
 */
#ifndef VGPU_SHIM_OPENCL_OUTPUT_H
#define VGPU_SHIM_OPENCL_OUTPUT_H

#include "shim/opencl/session.h"

/* Writes what there is. May block for as long as the engine takes to come to the end of its ring. Holds no lock of others. */
void output_show(struct session *session);

/* Before anything is told to be complete: one look at the engine's page where no kernel prints. */
static inline void output_check(struct session *session)
{
	if (!__atomic_load_n(&session->ring->lost, __ATOMIC_ACQUIRE) &&
	    __atomic_load_n(&session->ring->engine->output_bytes, __ATOMIC_RELAXED) !=
		    __atomic_load_n(&session->output_seen, __ATOMIC_ACQUIRE))
		output_show(session);
}
#endif
