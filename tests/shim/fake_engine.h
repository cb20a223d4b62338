/* SPDX-License-Identifier: MIT */
/*
 * An engine and a transport in the test's own process, for the shim to be tested against.
 *
 * It does what wire.h says of both, truly but with canned kernels, and checks what the shim does: a break of the
 * protocol is counted in `violations` and told on stderr. Its knobs may be turned at any time.
 *
 * Programs offer those of these kernels whose names their source contains; "#error" fails the build:
 *   scale(global int *data, int factor)   add(global const int *a, global const int *b, global int *out)
 *   sum(global int *data, local int *scratch)   group8(global int *data), of required size 8
 *   crash()   wide(double16-sized value)   invert(read_only image2d_t in, write_only image2d_t out, sampler_t s)
 *   print(int value), a line per work item
 * Compiled with headers the source contains theirs, linked it contains the inputs'; any intermediate language is "scale".
 */
#ifndef VGPU_TESTS_SHIM_FAKE_ENGINE_H
#define VGPU_TESTS_SHIM_FAKE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

struct fake_engine_control {
	/* Knobs, atomic. */
	uint32_t hold;			/* take no record */
	uint32_t hold_destroys;		/* answer no BUFFER_DESTROY with a slot */
	uint32_t die;			/* be lost at the next look; cleared then */
	uint32_t kernel_us;		/* each NDRange takes this long */
	uint32_t staged;		/* enumerate without WIRE_CAPS_UNIFIED */
	uint32_t version_1;		/* enumerate as a host of version 1 */
	uint32_t fail_kernels;		/* NDRanges complete with CL_OUT_OF_RESOURCES */
	uint64_t vram_bytes;		/* limit of blobs and of unbacked buffers */
	uint32_t late_wake;		/* take a WAKE submission only after the engine may have used its flag up */
	uint32_t images;		/* enumerate with WIRE_CAPS_IMAGES */
	uint32_t refuse_addresses;	/* so many SVM_MAPs from now on find the address taken */
	uint32_t same_host;		/* contexts opened from now on share a host with the shim: futexes reach it */
	uint32_t lie_about_output;	/* OUTPUT_READ answers with impossible sizes */
	/* Counts, atomic. */
	uint32_t output_reads, queues_on_sub_devices;
	uint32_t sub_devices;		/* living */
	uint32_t violations;
	uint32_t futex_bells, futex_wakes;
	uint32_t doorbells, wakes, contexts, blobs, records, releases;
	uint32_t sleeps;
	uint32_t blobs_made;		/* ever, rings included: each costs the transport system calls */
	uint32_t buffers;		/* living objects of the engine */
	uint32_t samplers;		/* likewise */
	uint32_t format_questions;
	uint32_t programs;		/* as are buffers */
	uint32_t compiles, links;	/* records of them */
	uint32_t constants;		/* of the last compilation */
	uint64_t last_constant;		/* the value of the last of them */
	uint64_t blob_bytes;
	uint64_t last_backing;		/* blob_id ^ offset of the last BUFFER_CREATE */
};
struct fake_engine_control *fake_engine_control(void);
#endif
