/* SPDX-License-Identifier: MIT */
/*
 * Programs from source. A build is an object of its own (build.c), so that kernels keep theirs while it is built again.
 */
#include <stdlib.h>
#include <string.h>

#include "shim/opencl/object.h"

cl_program vgpu_clCreateProgramWithSource(cl_context context, cl_uint count, const char **strings,
					  const size_t *lengths, cl_int *errcode_ret)
{
	struct _cl_program *program;
	size_t bytes = 0;

	if (!object_is(context, OBJECT_CONTEXT))
		return refuse(errcode_ret, CL_INVALID_CONTEXT);
	if (count == 0 || !strings)
		return refuse(errcode_ret, CL_INVALID_VALUE);
	for (cl_uint i = 0; i < count; i++) {
		if (!strings[i])
			return refuse(errcode_ret, CL_INVALID_VALUE);
		bytes += lengths && lengths[i] ? lengths[i] : strlen(strings[i]);
	}
	program = calloc(1, sizeof(*program));
	if (program)
		program->source = malloc(bytes + 1);
	if (!program || !program->source) {
		free(program);
		return refuse(errcode_ret, CL_OUT_OF_HOST_MEMORY);
	}
	for (cl_uint i = 0; i < count; i++) {
		size_t length = lengths && lengths[i] ? lengths[i] : strlen(strings[i]);

		memcpy(program->source + program->source_bytes, strings[i], length);
		program->source_bytes += length;
	}
	program->source[bytes] = '\0';
	program->context = context;
	pthread_mutex_init(&program->lock, NULL);
	object_init(&program->object, OBJECT_PROGRAM);
	object_retain(context);
	refuse(errcode_ret, CL_SUCCESS);
	return program;
}

void program_release(struct _cl_program *program)
{
	struct _cl_context *context = program->context;

	if (!object_release(program))
		return;
	build_release(program->build);
	pthread_mutex_destroy(&program->lock);
	program->object.kind = OBJECT_DEAD;
	free(program->source);
	free(program);
	context_release(context);
}

OBJECT_REFERENCE_CALLS(Program, cl_program, OBJECT_PROGRAM, CL_INVALID_PROGRAM, program_release)

static cl_int device_list_check(const struct _cl_context *context, cl_uint count, const cl_device_id *list)
{
	if ((count == 0) != (list == NULL))
		return CL_INVALID_VALUE;
	for (cl_uint i = 0; i < count; i++)
		if (!context_has(context, list[i]))
			return CL_INVALID_DEVICE;
	return CL_SUCCESS;
}

/* With a callback the specification lets the build run later; here it has run when the callback is called. */
cl_int vgpu_clBuildProgram(cl_program program, cl_uint num_devices, const cl_device_id *device_list,
			   const char *options, void(CL_CALLBACK *pfn_notify)(cl_program program, void *user_data),
			   void *user_data)
{
	struct build *build = NULL, *before;
	cl_int error;

	if (!object_is(program, OBJECT_PROGRAM))
		return CL_INVALID_PROGRAM;
	error = device_list_check(program->context, num_devices, device_list);
	if (error)
		return error;
	if (!pfn_notify && user_data)
		return CL_INVALID_VALUE;
	pthread_mutex_lock(&program->lock);
	if (program->building || program->kernel_count) {
		pthread_mutex_unlock(&program->lock);
		return CL_INVALID_OPERATION;
	}
	program->building = true;
	pthread_mutex_unlock(&program->lock);

	error = build_create(program, options, &build);
	pthread_mutex_lock(&program->lock);
	before = program->build;
	program->build = build;
	program->building = false;
	pthread_mutex_unlock(&program->lock);
	build_release(before);
	if (!error)
		error = build->error;
	if (pfn_notify) {
		pfn_notify(program, user_data);
		return CL_SUCCESS;	/* the outcome is asked for in the callback */
	}
	return error;
}

/* The build's kernel names, separated by semicolons. */
static cl_int kernel_names_answer(const struct build *build, size_t room, void *ret_value, size_t *ret_bytes)
{
	size_t bytes = 1;
	char *names;
	cl_int error;

	for (cl_uint i = 0; i < build->kernel_count; i++)
		bytes += strlen(build->kernels[i].name) + 1;
	names = calloc(1, bytes);
	if (!names)
		return CL_OUT_OF_HOST_MEMORY;
	for (cl_uint i = 0; i < build->kernel_count; i++) {
		if (i)
			strcat(names, ";");
		strcat(names, build->kernels[i].name);
	}
	error = info_answer(names, strlen(names) + 1, room, ret_value, ret_bytes);
	free(names);
	return error;
}

static cl_int program_info_locked(cl_program program, cl_program_info param_name, size_t param_value_size,
				  void *param_value, size_t *param_value_size_ret)
{
	const struct build *build = program->build;
	bool built = build && build->status == CL_BUILD_SUCCESS;

	switch (param_name) {
	case CL_PROGRAM_REFERENCE_COUNT:
		INFO_ANSWER(cl_uint, object_references(program));
	case CL_PROGRAM_CONTEXT:
		INFO_ANSWER(cl_context, program->context);
	case CL_PROGRAM_NUM_DEVICES:
		INFO_ANSWER(cl_uint, program->context->device_count);
	case CL_PROGRAM_DEVICES:
		return info_answer(program->context->devices, program->context->device_count * sizeof(cl_device_id),
				   param_value_size, param_value, param_value_size_ret);
	case CL_PROGRAM_SOURCE:
		INFO_ANSWER_STRING(program->source);
	case CL_PROGRAM_BINARY_SIZES:
		INFO_ANSWER(size_t, 0);		/* no binary for this device (OpenCL 3.0 §5.8.8) */
	case CL_PROGRAM_BINARIES:
		if (param_value && param_value_size < sizeof(void *))
			return CL_INVALID_VALUE;
		if (param_value_size_ret)
			*param_value_size_ret = sizeof(void *);
		return CL_SUCCESS;
	case CL_PROGRAM_NUM_KERNELS:
		if (!built)
			return CL_INVALID_PROGRAM_EXECUTABLE;
		INFO_ANSWER(size_t, build->kernel_count);
	case CL_PROGRAM_KERNEL_NAMES:
		if (!built)
			return CL_INVALID_PROGRAM_EXECUTABLE;
		return kernel_names_answer(build, param_value_size, param_value, param_value_size_ret);
	case CL_PROGRAM_IL:
		return info_answer(NULL, 0, param_value_size, param_value, param_value_size_ret);
	case CL_PROGRAM_SCOPE_GLOBAL_CTORS_PRESENT:
	case CL_PROGRAM_SCOPE_GLOBAL_DTORS_PRESENT:
		INFO_ANSWER(cl_bool, CL_FALSE);
	default:
		return CL_INVALID_VALUE;
	}
}

cl_int vgpu_clGetProgramInfo(cl_program program, cl_program_info param_name, size_t param_value_size,
			     void *param_value, size_t *param_value_size_ret)
{
	cl_int error;

	if (!object_is(program, OBJECT_PROGRAM))
		return CL_INVALID_PROGRAM;
	pthread_mutex_lock(&program->lock);
	error = program_info_locked(program, param_name, param_value_size, param_value, param_value_size_ret);
	pthread_mutex_unlock(&program->lock);
	return error;
}

static cl_int build_info_locked(cl_program program, cl_program_build_info param_name, size_t param_value_size,
				void *param_value, size_t *param_value_size_ret)
{
	const struct build *build = program->build;

	switch (param_name) {
	case CL_PROGRAM_BUILD_STATUS:
		INFO_ANSWER(cl_build_status, program->building ? CL_BUILD_IN_PROGRESS : build ? build->status : CL_BUILD_NONE);
	case CL_PROGRAM_BUILD_OPTIONS:
		INFO_ANSWER_STRING(build ? build->options : "");
	case CL_PROGRAM_BUILD_LOG:
		INFO_ANSWER_STRING(build ? build->log : "");
	case CL_PROGRAM_BINARY_TYPE:
		INFO_ANSWER(cl_program_binary_type, build && build->status == CL_BUILD_SUCCESS ?
			    CL_PROGRAM_BINARY_TYPE_EXECUTABLE : CL_PROGRAM_BINARY_TYPE_NONE);
	case CL_PROGRAM_BUILD_GLOBAL_VARIABLE_TOTAL_SIZE:
		INFO_ANSWER(size_t, build ? build->global_variable_bytes : 0);
	default:
		return CL_INVALID_VALUE;
	}
}

cl_int vgpu_clGetProgramBuildInfo(cl_program program, cl_device_id device, cl_program_build_info param_name,
				  size_t param_value_size, void *param_value, size_t *param_value_size_ret)
{
	cl_int error;

	if (!object_is(program, OBJECT_PROGRAM))
		return CL_INVALID_PROGRAM;
	if (!context_has(program->context, device))
		return CL_INVALID_DEVICE;
	pthread_mutex_lock(&program->lock);
	error = build_info_locked(program, param_name, param_value_size, param_value, param_value_size_ret);
	pthread_mutex_unlock(&program->lock);
	return error;
}

/* Hints, which may be ignored. */
cl_int vgpu_clUnloadCompiler(void)
{
	return CL_SUCCESS;
}

cl_int vgpu_clUnloadPlatformCompiler(cl_platform_id platform)
{
	return object_is(platform, OBJECT_PLATFORM) ? CL_SUCCESS : CL_INVALID_PLATFORM;
}
