/* SPDX-License-Identifier: MIT */
/*
 * vgpu-guest-test: small OpenCL programs that end-to-end tests run in a guest, over `direct` or natively.
 * They use the public API only. Each prints lines of `key=value` and exits 0 if what it saw was right.
 */
#ifndef VGPU_TESTS_E2E_GUEST_GUEST_H
#define VGPU_TESTS_E2E_GUEST_GUEST_H

#include <CL/cl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The first device of the first platform that has one, with a context and a queue. */
struct gpu {
	cl_device_id device;
	cl_context context;
	cl_command_queue queue;
};

/* Each ends the program with a sentence on stderr and status 1 if it fails. */
void gpu_open(struct gpu *gpu);
void gpu_close(struct gpu *gpu);
cl_kernel gpu_kernel(struct gpu *gpu, const char *source, const char *name);
cl_kernel gpu_kernel_of(struct gpu *gpu, const char *source, const char *options, const char *name);
cl_mem gpu_buffer(struct gpu *gpu, size_t bytes);
void gpu_check(cl_int error, const char *what);
uint64_t now_ns(void);
/* --name N, or fallback. */
uint64_t option(int argc, char **argv, const char *name, uint64_t fallback);

int soak_main(int argc, char **argv);
int zerocopy_main(int argc, char **argv);
int spin_main(int argc, char **argv);
int scan_main(int argc, char **argv);
int build_main(int argc, char **argv);
int wild_main(int argc, char **argv);
int churn_main(int argc, char **argv);
int stray_main(int argc, char **argv);
int images_main(int argc, char **argv);
int images_full_main(int argc, char **argv);
int pauses_main(int argc, char **argv);

#endif
