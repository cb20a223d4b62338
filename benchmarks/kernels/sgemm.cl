// SPDX-License-Identifier: MIT
// C = A B for square row-major matrices of any n, by TILE x TILE blocks held in local memory.
__kernel __attribute__((reqd_work_group_size(TILE, TILE, 1)))
void sgemm(__global const float *a, __global const float *b, __global float *c, uint n)
{
	__local float a_tile[TILE][TILE];
	__local float b_tile[TILE][TILE];
	uint x = get_local_id(0), y = get_local_id(1);
	uint column = get_global_id(0), row = get_global_id(1);
	float sum = 0.0f;

	for (uint start = 0; start < n; start += TILE) {
		a_tile[y][x] = row < n && start + x < n ? a[row * n + start + x] : 0.0f;
		b_tile[y][x] = start + y < n && column < n ? b[(start + y) * n + column] : 0.0f;
		barrier(CLK_LOCAL_MEM_FENCE);
		for (uint k = 0; k < TILE; k++)
			sum += a_tile[y][k] * b_tile[k][x];
		barrier(CLK_LOCAL_MEM_FENCE);
	}
	if (row < n && column < n)
		c[row * n + column] = sum;
}
