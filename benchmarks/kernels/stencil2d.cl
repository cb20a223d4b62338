// SPDX-License-Identifier: MIT
// One step of heat diffusion on an n x n grid; the border keeps its temperature.
__kernel void stencil2d(__global const float *from, __global float *to, uint n)
{
	uint x = get_global_id(0), y = get_global_id(1);
	uint i = y * n + x;

	if (x >= n || y >= n)
		return;
	if (x == 0 || y == 0 || x == n - 1 || y == n - 1) {
		to[i] = from[i];
		return;
	}
	to[i] = from[i] + 0.2f * (from[i - n] + from[i + n] + from[i - 1] + from[i + 1] - 4.0f * from[i]);
}
