// SPDX-License-Identifier: MIT
// One step of gravity between n bodies. bodies[0..n) are positions with the mass in w, bodies[n..2n)
// velocities; `moved` is laid out alike. Bodies pass through local memory, a group's worth at a time.
__kernel void nbody(__global const float4 *bodies, __global float4 *moved, uint n, float step_s,
	__local float4 *tile)
{
	uint i = get_global_id(0), local_id = get_local_id(0), local_size = get_local_size(0);
	float4 own = i < n ? bodies[i] : (float4)(0.0f);
	float3 acceleration = (float3)(0.0f);

	for (uint start = 0; start < n; start += local_size) {
		tile[local_id] = start + local_id < n ? bodies[start + local_id] : (float4)(0.0f);
		barrier(CLK_LOCAL_MEM_FENCE);
		for (uint k = 0; k < local_size; k++) {
			float3 to = tile[k].xyz - own.xyz;
			float inverse = rsqrt(dot(to, to) + SOFTENING);

			acceleration += to * (tile[k].w * inverse * inverse * inverse);
		}
		barrier(CLK_LOCAL_MEM_FENCE);
	}
	if (i < n) {
		float3 velocity = bodies[n + i].xyz + acceleration * step_s;

		moved[i] = (float4)(own.xyz + velocity * step_s, own.w);
		moved[n + i] = (float4)(velocity, 0.0f);
	}
}
