// SPDX-License-Identifier: MIT
// Sum of uints modulo 2^32. `sum_groups` leaves one partial sum per group, `sum_final` adds those up
// in a single group. Both end in a tree over local memory; the local size must be a power of two.
static void tree(__local uint *scratch, __global uint *to)
{
	uint local_id = get_local_id(0);

	for (uint half_size = get_local_size(0) / 2; half_size > 0; half_size /= 2) {
		barrier(CLK_LOCAL_MEM_FENCE);
		if (local_id < half_size)
			scratch[local_id] += scratch[local_id + half_size];
	}
	barrier(CLK_LOCAL_MEM_FENCE);
	if (local_id == 0)
		*to = scratch[0];
}

// output[0] is left for sum_final.
__kernel void sum_groups(__global const uint *input, uint n, __global uint *output, __local uint *scratch)
{
	uint sum = 0;

	for (size_t i = get_global_id(0); i < n; i += get_global_size(0))
		sum += input[i];
	scratch[get_local_id(0)] = sum;
	tree(scratch, &output[1 + get_group_id(0)]);
}

__kernel void sum_final(uint groups, __global uint *output, __local uint *scratch)
{
	uint sum = 0;

	for (size_t i = get_local_id(0); i < groups; i += get_local_size(0))
		sum += output[1 + i];
	scratch[get_local_id(0)] = sum;
	tree(scratch, output);
}
