/* SPDX-License-Identifier: MIT */
#include "tests/shim/opencl/fixture.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fake_engine_control *fake;
cl_platform_id platform;
cl_device_id device;

static char vendors[] = "/tmp/vgpu-icd-XXXXXX";

static void vendors_remove(void)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/vgpu.icd", vendors);
	unlink(path);
	rmdir(vendors);
}

/* build/tests/NAME -> build/lib/libvgpu-opencl-fake.so */
static void library_path(char path[PATH_MAX])
{
	char self[PATH_MAX] = "", *slash;

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		abort();
	for (int i = 0; i < 2; i++) {
		slash = strrchr(self, '/');
		if (slash)
			*slash = '\0';
	}
	if (snprintf(path, PATH_MAX, "%s/lib/libvgpu-opencl-fake.so", self) >= PATH_MAX)
		abort();
}

int fixture_setup(void **state)
{
	struct fake_engine_control *(*control)(void);
	char library[PATH_MAX], path[PATH_MAX];
	cl_uint count = 0;
	void *handle;
	FILE *icd;

	(void)state;
	library_path(library);
	if (!mkdtemp(vendors))
		return -1;
	atexit(vendors_remove);
	snprintf(path, sizeof(path), "%s/vgpu.icd", vendors);
	icd = fopen(path, "w");
	if (!icd)
		return -1;
	fprintf(icd, "%s\n", library);
	fclose(icd);
	setenv("OCL_ICD_VENDORS", vendors, 1);
	handle = dlopen(library, RTLD_NOW);
	if (!handle) {
		fprintf(stderr, "%s\n", dlerror());
		return -1;
	}
	*(void **)&control = dlsym(handle, "fake_engine_control");
	fake = control();
	if (getenv("TEST_STAGED"))
		SET(staged, 1);
	if (getenv("TEST_IMAGES"))
		SET(images, 1);
	if (fixture_version_1()) {
		SET(version_1, 1);
		SET(images, 1);		/* of no meaning in that version */
	}
	if (getenv("TEST_SAME_HOST"))
		SET(same_host, 1);
	if (clGetPlatformIDs(1, &platform, &count) != CL_SUCCESS || count != 1)
		return -1;
	return clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, NULL) == CL_SUCCESS ? 0 : -1;
}

bool fixture_staged(void)
{
	return getenv("VGPU_FORCE_STAGING") || getenv("TEST_STAGED");
}

bool fixture_version_1(void)
{
	return getenv("TEST_VERSION_1");
}


int fixture_check(void **state)
{
	(void)state;
	SET(hold, 0);
	SET(hold_destroys, 0);
	SET(kernel_us, 0);
	SET(fail_kernels, 0);
	SET(late_wake, 0);
	SET(lie_about_output, 0);
	return GET(violations) == 0 ? 0 : -1;
}

void world_make(struct world *world)
{
	const char *source = "kernel scale add sum group8 wide";
	cl_int error;

	world->context = clCreateContext(NULL, 1, &device, NULL, NULL, &error);
	assert_cl(error);
	world->queue = clCreateCommandQueue(world->context, device, CL_QUEUE_PROFILING_ENABLE, &error);
	assert_cl(error);
	world->program = clCreateProgramWithSource(world->context, 1, &source, NULL, &error);
	assert_cl(error);
	assert_cl(clBuildProgram(world->program, 0, NULL, NULL, NULL, NULL));
	world->scale = clCreateKernel(world->program, "scale", &error);
	assert_cl(error);
	world->add = clCreateKernel(world->program, "add", &error);
	assert_cl(error);
}

void world_end(struct world *world)
{
	assert_cl(clReleaseKernel(world->scale));
	assert_cl(clReleaseKernel(world->add));
	assert_cl(clReleaseProgram(world->program));
	assert_cl(clReleaseCommandQueue(world->queue));
	assert_cl(clReleaseContext(world->context));
}

cl_mem world_buffer(struct world *world, size_t bytes, const void *initial)
{
	cl_int error;
	cl_mem mem = clCreateBuffer(world->context, initial ? CL_MEM_COPY_HOST_PTR : 0, bytes, (void *)(uintptr_t)initial,
				    &error);

	assert_cl(error);
	return mem;
}

cl_int world_scale(struct world *world, cl_mem mem, int factor, size_t count, cl_event *event)
{
	assert_cl(clSetKernelArg(world->scale, 0, sizeof(mem), &mem));
	assert_cl(clSetKernelArg(world->scale, 1, sizeof(factor), &factor));
	return clEnqueueNDRangeKernel(world->queue, world->scale, 1, NULL, &count, NULL, 0, NULL, event);
}
