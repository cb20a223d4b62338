/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "shim/opencl/container.h"
#include "shim/opencl/program.h"

struct recipe *program_recipe_locked(struct _cl_program *program)
{
	if (build_succeeded(program->build))
		return recipe_hold(program->build->recipe);
	return program->binary ? recipe_hold(program->binary) : NULL;
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

/* Sizes and bytes of the devices' binaries, which are all the same; the application's list may leave some out by NULL (OpenCL 3.0 §5.8.8). */
static cl_int binary_answer(cl_program program, cl_program_info param_name, size_t param_value_size, void *param_value,
			    size_t *param_value_size_ret)
{
	struct recipe *recipe = program_recipe_locked(program);
	size_t bytes = recipe ? container_bytes(recipe) : 0;
	const cl_uint count = program->context->device_count;
	unsigned char *into = NULL;
	cl_int error = CL_SUCCESS;

	if (recipe && !bytes) {
		error = CL_OUT_OF_HOST_MEMORY;
	} else if (param_name == CL_PROGRAM_BINARY_SIZES) {
		error = param_value && param_value_size < count * sizeof(bytes) ? CL_INVALID_VALUE : CL_SUCCESS;
		for (cl_uint i = 0; i < count && param_value && !error; i++)
			memcpy((size_t *)param_value + i, &bytes, sizeof(bytes));
		if (!error && param_value_size_ret)
			*param_value_size_ret = count * sizeof(bytes);
	} else if (param_value && param_value_size < count * sizeof(into)) {
		error = CL_INVALID_VALUE;
	} else {
		if (param_value_size_ret)
			*param_value_size_ret = count * sizeof(into);
		for (cl_uint i = 0; i < count && param_value && !error; i++) {
			memcpy(&into, (unsigned char **)param_value + i, sizeof(into));
			if (into && bytes && container_write(recipe, device_identity(program->context->device), into, bytes) < 0)
				error = CL_OUT_OF_HOST_MEMORY;
		}
	}
	recipe_release(recipe);
	return error;
}

static cl_int program_info_locked(cl_program program, cl_program_info param_name, size_t param_value_size,
				  void *param_value, size_t *param_value_size_ret)
{
	const struct build *build = program->build;

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
		INFO_ANSWER_STRING(program->source ? program->source->data : "");
	case CL_PROGRAM_BINARY_SIZES:
	case CL_PROGRAM_BINARIES:
		return binary_answer(program, param_name, param_value_size, param_value, param_value_size_ret);
	case CL_PROGRAM_NUM_KERNELS:
		if (!build_is_executable(build))
			return CL_INVALID_PROGRAM_EXECUTABLE;
		INFO_ANSWER(size_t, build->kernel_count);
	case CL_PROGRAM_KERNEL_NAMES:
		if (!build_is_executable(build))
			return CL_INVALID_PROGRAM_EXECUTABLE;
		return kernel_names_answer(build, param_value_size, param_value, param_value_size_ret);
	case CL_PROGRAM_IL:
		return info_answer(program->il ? program->il->data : NULL, program->il ? program->il->bytes : 0, param_value_size,
				   param_value, param_value_size_ret);
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

static cl_program_binary_type type_locked(const struct _cl_program *program)
{
	if (build_succeeded(program->build))
		return program->build->recipe->makes;
	return program->binary ? program->binary->makes : CL_PROGRAM_BINARY_TYPE_NONE;
}

static cl_int build_info_locked(cl_program program, cl_program_build_info param_name, size_t param_value_size,
				void *param_value, size_t *param_value_size_ret)
{
	const struct build *build = program->build;
	bool over = build && build_is_over(build);

	switch (param_name) {
	case CL_PROGRAM_BUILD_STATUS:
		INFO_ANSWER(cl_build_status, over ? build->status : build ? CL_BUILD_IN_PROGRESS : CL_BUILD_NONE);
	case CL_PROGRAM_BUILD_OPTIONS:
		INFO_ANSWER_STRING(build ? build->options : "");
	case CL_PROGRAM_BUILD_LOG:
		INFO_ANSWER_STRING(over ? build->log : "");
	case CL_PROGRAM_BINARY_TYPE:
		INFO_ANSWER(cl_program_binary_type, type_locked(program));
	case CL_PROGRAM_BUILD_GLOBAL_VARIABLE_TOTAL_SIZE:
		INFO_ANSWER(size_t, over ? build->global_variable_bytes : 0);
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
