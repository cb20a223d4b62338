#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""pyopencl against numpy, on the first OpenCL device that the environment gives.

Prints `pyopencl WHAT: right` for each part and exits 0 if all were. Its programs are cached in $XDG_CACHE_HOME as
pyopencl does by default, so a second run with the same folder gives the device its own binaries back.
"""
import sys
import threading

import numpy as np
import pyopencl as cl
import pyopencl.array as cl_array
from pyopencl.elementwise import ElementwiseKernel
from pyopencl.reduction import ReductionKernel
from pyopencl.scan import GenericScanKernel

SOURCE = """
kernel void matmul(global const float *a, global const float *b, global float *c, int n, local float *tile)
{
    int row = get_global_id(1), column = get_global_id(0), width = get_local_size(0);
    int x = get_local_id(0), y = get_local_id(1);
    float sum = 0;
    for (int t = 0; t < n; t += width) {
        tile[y * width + x] = b[(t + y) * n + column];
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int k = 0; k < width; k++)
            sum += a[row * n + t + k] * tile[k * width + x];
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    c[row * n + column] = sum;
}
struct point { int id; float weight; double at[2]; };
kernel void move(global struct point *points, double by)
{
    global struct point *p = points + get_global_id(0);
    p->at[0] += by * p->weight;
    p->at[1] -= by;
    p->id = -p->id;
}
kernel void add(global int *out, int value) { out[get_global_id(0)] += value; }
"""

failed = 0


def right(what, is_right, detail=""):
    global failed
    print(f"pyopencl {what}: {'right' if is_right else 'WRONG'} {detail}".rstrip(), flush=True)
    failed += not is_right


def arrays(queue, random):
    a = random.standard_normal(100_003).astype(np.float32)
    b = random.standard_normal(100_003).astype(np.float32)
    on_a, on_b = cl_array.to_device(queue, a), cl_array.to_device(queue, b)
    right("array arithmetic", np.allclose((on_a * 2 + on_b).get(), a * 2 + b, rtol=1e-6))
    out = cl_array.empty_like(on_a)
    axpy = ElementwiseKernel(queue.context, "float *x, float *y, float k, float *z", "z[i] = k * x[i] + y[i]", "axpy")
    axpy(on_a, on_b, np.float32(3), out)
    right("elementwise", np.allclose(out.get(), 3 * a + b, atol=1e-5))
    dot = ReductionKernel(queue.context, np.float64, neutral="0", reduce_expr="a+b", map_expr="(double)x[i] * y[i]",
                          arguments="__global float *x, __global float *y")
    right("reduction", np.isclose(dot(on_a, on_b).get(), np.dot(a.astype(np.float64), b)))
    right("maximum", cl_array.max(on_a).get() == a.max())
    numbers = random.integers(0, 100, 65_537).astype(np.int32)
    on_numbers = cl_array.to_device(queue, numbers)
    scan = GenericScanKernel(queue.context, np.int32, arguments="__global int *x", input_expr="x[i]", scan_expr="a+b",
                             neutral="0", output_statement="x[i] = item")
    scan(on_numbers)
    right("scan", (on_numbers.get() == np.cumsum(numbers)).all())


def kernels(queue, program, random):
    n = 128
    a, b = (random.standard_normal((n, n)).astype(np.float32) for _ in range(2))
    flags = cl.mem_flags
    on_a = cl.Buffer(queue.context, flags.READ_ONLY | flags.COPY_HOST_PTR, hostbuf=a)
    on_b = cl.Buffer(queue.context, flags.READ_ONLY | flags.USE_HOST_PTR, hostbuf=b)
    on_c = cl.Buffer(queue.context, flags.WRITE_ONLY, a.nbytes)
    event = program.matmul(queue, (n, n), (16, 16), on_a, on_b, on_c, np.int32(n), cl.LocalMemory(16 * 16 * 4))
    c = np.empty_like(a)
    cl.enqueue_copy(queue, c, on_c, wait_for=[event])
    right("matrix product", np.allclose(c, a @ b, atol=1e-3))
    right("profiling", event.profile.queued <= event.profile.submit <= event.profile.start < event.profile.end)

    point = np.dtype([("id", np.int32), ("weight", np.float32), ("at", np.float64, 2)])
    points = np.zeros(1000, point)
    points["id"], points["weight"] = np.arange(1000), random.random(1000)
    expected = points.copy()
    expected["at"][:, 0], expected["at"][:, 1], expected["id"] = 2.5 * points["weight"].astype(float), -2.5, -points["id"]
    on_points = cl.Buffer(queue.context, flags.READ_WRITE | flags.COPY_HOST_PTR, hostbuf=points)
    program.move(queue, (1000,), None, on_points, np.float64(2.5))
    cl.enqueue_copy(queue, points, on_points)
    right("structures", (points == expected).all())

    block = cl.Buffer(queue.context, flags.READ_WRITE, 1 << 16)
    cl.enqueue_fill_buffer(queue, block, np.int32(7), 0, 1 << 16)
    view, _ = cl.enqueue_map_buffer(queue, block, cl.map_flags.READ | cl.map_flags.WRITE, 4096, (256,), np.int32)
    seen = (view == 7).all()
    view[:] = 8
    view.base.release(queue)
    program.add(queue, (1 << 14,), None, block, np.int32(1))
    result = np.empty(1 << 14, np.int32)
    cl.enqueue_copy(queue, result, block)
    wanted = np.full(1 << 14, 8, np.int32)
    wanted[1024:1280] = 9
    right("fill, map and unmap", seen and (result == wanted).all())

    source = random.integers(0, 1 << 30, (64, 64)).astype(np.int32)
    part = np.zeros((16, 16), np.int32)
    on_source = cl.Buffer(queue.context, flags.READ_ONLY | flags.COPY_HOST_PTR, hostbuf=source)
    cl.enqueue_copy(queue, part, on_source, buffer_origin=(8 * 4, 4), host_origin=(0, 0), region=(16 * 4, 16),
                    buffer_pitches=(64 * 4,), host_pitches=(16 * 4,))
    right("rectangle", (part == source[4:20, 8:24]).all())


def threads(context, program):
    """Eight threads with a queue and kernels each, chained over events of one another."""
    wrong = []

    def work(number):
        queue = cl.CommandQueue(context)
        kernel = cl.Kernel(program, "add")
        out = np.zeros(4096, np.int32)
        buffer = cl.Buffer(context, cl.mem_flags.READ_WRITE | cl.mem_flags.COPY_HOST_PTR, hostbuf=out)
        for turn in range(50):
            kernel(queue, (4096,), None, buffer, np.int32(number + turn))
        cl.enqueue_copy(queue, out, buffer)
        if not (out == 50 * number + 49 * 25).all():
            wrong.append(number)

    runners = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    right("threads", not wrong)


def main():
    context = cl.create_some_context(interactive=False)
    device = context.devices[0]
    print(f"pyopencl {cl.VERSION_TEXT} on {device.name} ({device.platform.name})")
    queue = cl.CommandQueue(context, properties=cl.command_queue_properties.PROFILING_ENABLE)
    random = np.random.default_rng(1)
    program = cl.Program(context, SOURCE).build()
    arrays(queue, random)
    kernels(queue, program, random)
    threads(context, program)
    try:
        cl.Program(context, "kernel void broken(global int *x) { x[0] = no_such_name; }").build()
        right("a program that does not build", False, "it did")
    except cl.RuntimeError as error:
        right("a program that does not build", "no_such_name" in str(error))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
