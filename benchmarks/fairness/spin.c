// SPDX-License-Identifier: MIT
/* Four work groups per compute unit: enough to keep all of them busy, few enough for a kernel of 50 us. */
#include "benchmarks/fairness/spin.h"

#include "benchmarks/clock.h"
#include "benchmarks/kernels/kernel.h"

#include <string.h>

BENCH_SOURCE(spin_cl, "benchmarks/fairness/spin.cl");

#define LOCAL_SIZE 64
#define GROUPS_PER_UNIT 4

/* They stay mapped for good: for devices that share the host's memory a map is an address, and what a kernel writes is seen there at once. Not by the
 * word of the specification, so the meter's numbers are compared with the kernels done (load.c). */
static void open_counters(struct spin *spin)
{
	size_t bytes = spin->global * sizeof(*spin->counter);
	uint32_t *zeros = session_host_memory(&spin->cl, spin->global, sizeof(*zeros));
	cl_mem counters = session_buffer(&spin->cl, CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR, bytes, NULL);
	cl_bool unified = CL_FALSE;

	session_write(&spin->cl, spin->cl.upload_queue, counters, CL_TRUE, 0, bytes, zeros, (struct wait_list){ 0 }, NULL);
	session_arg_buffer(&spin->cl, spin->kernel, 1, counters);
	if (!spin->cl.failed)
		session_check(&spin->cl, "clGetDeviceInfo", clGetDeviceInfo(spin->choice.device, CL_DEVICE_HOST_UNIFIED_MEMORY, sizeof(unified), &unified, NULL));
	if (unified)
		spin->counter = session_map(&spin->cl, counters, CL_MAP_READ, bytes);
}

void spin_open(struct spin *spin, const char *platform, bool endless)
{
	char reason[512];

	memset(spin, 0, sizeof(*spin));
	if (device_choose(platform, NULL, &spin->choice, reason, sizeof(reason))) {
		session_fail(&spin->cl, "%s", reason);
		return;
	}
	session_open(&spin->cl, &spin->choice);
	spin->kernel = session_kernel(&spin->cl, session_build(&spin->cl, spin_cl, ""), endless ? "endless" : "spin");
	spin->local = session_group_size_max(&spin->cl, spin->kernel);
	if (spin->local > LOCAL_SIZE)
		spin->local = LOCAL_SIZE;
	spin->global = spin->local * GROUPS_PER_UNIT * spin->choice.compute_units;
	open_counters(spin);
	spin_set_loops(spin, 1);
}

void spin_close(struct spin *spin)
{
	session_close(&spin->cl);
}

void spin_set_loops(struct spin *spin, uint32_t loops)
{
	spin->loops = loops;
	session_arg_u32(&spin->cl, spin->kernel, 0, loops);
}

void spin_enqueue(struct spin *spin, cl_command_queue queue, cl_event *ret_event)
{
	if (!spin->cl.failed)
		session_check(&spin->cl, "clEnqueueNDRangeKernel", clEnqueueNDRangeKernel(queue, spin->kernel, 1, NULL,
			&spin->global, &spin->local, 0, NULL, ret_event));
}

uint64_t spin_time_ns(struct spin *spin, unsigned count)
{
	uint64_t begin_ns = clock_now_ns();

	for (unsigned i = 0; i < count; i++)
		spin_enqueue(spin, spin->cl.upload_queue, NULL);
	if (!spin->cl.failed)
		session_check(&spin->cl, "clFinish", clFinish(spin->cl.upload_queue));
	return spin->cl.failed ? 0 : clock_now_ns() - begin_ns;
}
