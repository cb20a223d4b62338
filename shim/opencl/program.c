/* SPDX-License-Identifier: MIT */
/*
 * Programs and what they are created from: source, intermediate language, a binary (container.h).
 *
 * A build is an object of its own (build.h), so that kernels keep theirs while the program is built again.
 */
#include "shim/opencl/program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/opencl/container.h"
#include "shim/opencl/spirv.h"

struct _cl_program *program_new(struct _cl_context *context)
{
	struct _cl_program *program = calloc(1, sizeof(*program));

	if (!program)
		return NULL;
	program->context = context;
	pthread_mutex_init(&program->lock, NULL);
	object_init(&program->object, OBJECT_PROGRAM);
	object_retain(context);
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
	text_release(program->source);
	text_release(program->il);
	recipe_release(program->binary);
	free(program->constants);
	free(program);
	context_release(context);
}

OBJECT_REFERENCE_CALLS(Program, cl_program, OBJECT_PROGRAM, CL_INVALID_PROGRAM, program_release)

/* ---- source ------------------------------------------------------------------------------------ */

cl_program vgpu_clCreateProgramWithSource(cl_context context, cl_uint count, const char **strings,
					  const size_t *lengths, cl_int *errcode_ret)
{
	struct _cl_program *program;
	size_t bytes = 0, used = 0;
	char *whole;

	if (!object_is(context, OBJECT_CONTEXT))
		return refuse(errcode_ret, CL_INVALID_CONTEXT);
	if (count == 0 || !strings)
		return refuse(errcode_ret, CL_INVALID_VALUE);
	for (cl_uint i = 0; i < count; i++) {
		if (!strings[i])
			return refuse(errcode_ret, CL_INVALID_VALUE);
		bytes += lengths && lengths[i] ? lengths[i] : strlen(strings[i]);
	}
	whole = malloc(bytes + 1);
	if (!whole)
		return refuse(errcode_ret, CL_OUT_OF_HOST_MEMORY);
	for (cl_uint i = 0; i < count; i++) {
		size_t length = lengths && lengths[i] ? lengths[i] : strlen(strings[i]);

		memcpy(whole + used, strings[i], length);
		used += length;
	}
	program = program_new(context);
	if (program)
		program->source = text_create(whole, bytes);
	free(whole);
	if (program && !program->source) {
		program_release(program);
		program = NULL;
	}
	refuse(errcode_ret, program ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY);
	return program;
}

/* ---- intermediate language --------------------------------------------------------------------- */

cl_program vgpu_clCreateProgramWithIL(cl_context context, const void *il, size_t length, cl_int *errcode_ret)
{
	struct _cl_program *program;

	if (!object_is(context, OBJECT_CONTEXT))
		return refuse(errcode_ret, CL_INVALID_CONTEXT);
	if (!session_has(context->session, WIRE_CAPS_IL))
		return refuse(errcode_ret, CL_INVALID_OPERATION);
	if (!il || length == 0 || !spirv_is_module(il, length))
		return refuse(errcode_ret, CL_INVALID_VALUE);
	program = program_new(context);
	if (program)
		program->il = text_create(il, length);
	if (program && !program->il) {
		program_release(program);
		program = NULL;
	}
	refuse(errcode_ret, program ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY);
	return program;
}

/* A device without any answers CL_INVALID_OPERATION (OpenCL 3.0, appendix on intermediate language programs). */
cl_int vgpu_clSetProgramSpecializationConstant(cl_program program, cl_uint spec_id, size_t spec_size, const void *spec_value)
{
	struct recipe_constant *constants;
	uint32_t bytes;
	cl_uint i = 0;

	if (!object_is(program, OBJECT_PROGRAM))
		return CL_INVALID_PROGRAM;
	if (!session_has(program->context->session, WIRE_CAPS_IL))
		return CL_INVALID_OPERATION;
	if (!program->il)
		return CL_INVALID_PROGRAM;
	bytes = spirv_constant_bytes(program->il->data, program->il->bytes, spec_id);
	if (!bytes)
		return CL_INVALID_SPEC_ID;
	if (spec_size != bytes || !spec_value)
		return CL_INVALID_VALUE;
	pthread_mutex_lock(&program->lock);
	while (i < program->constant_count && program->constants[i].id != spec_id)
		i++;
	if (i == WIRE_CONSTANT_MAX) {
		pthread_mutex_unlock(&program->lock);
		return CL_OUT_OF_RESOURCES;
	}
	if (i == program->constant_count) {
		constants = realloc(program->constants, (i + 1) * sizeof(*constants));
		if (!constants) {
			pthread_mutex_unlock(&program->lock);
			return CL_OUT_OF_HOST_MEMORY;
		}
		program->constants = constants;
		program->constant_count++;
	}
	program->constants[i] = (struct recipe_constant){ .id = spec_id, .bytes = bytes };
	memcpy(program->constants[i].value, spec_value, bytes);
	pthread_mutex_unlock(&program->lock);
	return CL_SUCCESS;
}

/* ---- binaries ---------------------------------------------------------------------------------- */

static uint64_t identity_add(uint64_t sum, const struct _cl_device_id *device, uint32_t param)
{
	size_t bytes = 0;
	const void *value = device_info_find(device, param, &bytes);

	return container_checksum(container_checksum(sum, &bytes, sizeof(bytes)), value, value ? bytes : 0);
}

uint64_t device_identity(const struct _cl_device_id *device)
{
	uint64_t sum = container_checksum(0, device->name, strlen(device->name) + 1);

	sum = identity_add(sum, device, CL_DEVICE_NAME);
	sum = identity_add(sum, device, CL_DEVICE_VERSION);
	sum = identity_add(sum, device, CL_DRIVER_VERSION);
	return identity_add(sum, device, CL_DEVICE_IL_VERSION);
}

/* Whether the host can make it. */
static bool recipe_can_be_made(const struct session *session, struct recipe *recipe)
{
	struct recipe_order order;
	bool can = true;

	if (recipe_order_make(recipe, &order) < 0)
		return false;
	for (uint32_t i = 0; i < order.count; i++) {
		const struct recipe *one = order.recipes[i];

		can = can && (one->form != RECIPE_IL || session_has(session, WIRE_CAPS_IL)) &&
		      ((one->form == RECIPE_SOURCE && one->makes == CL_PROGRAM_BINARY_TYPE_EXECUTABLE) ||
		       session_has(session, WIRE_CAPS_PROGRAMS));
	}
	recipe_order_finish(&order);
	return can;
}

static cl_int binary_take(const struct _cl_context *context, const unsigned char *binary, size_t length, struct recipe **ret_recipe)
{
	struct recipe *recipe = NULL;
	int r;

	if (!binary || length == 0)
		return CL_INVALID_VALUE;
	r = container_read(binary, length, device_identity(context->device), &recipe);
	if (r == 0 && !recipe_can_be_made(context->session, recipe)) {
		recipe_release(recipe);
		r = -EINVAL;
	}
	if (r < 0)
		return r == -ENOMEM ? CL_OUT_OF_HOST_MEMORY : CL_INVALID_BINARY;
	recipe_release(*ret_recipe);	/* the list names the one device twice */
	*ret_recipe = recipe;
	return CL_SUCCESS;
}

cl_program vgpu_clCreateProgramWithBinary(cl_context context, cl_uint num_devices, const cl_device_id *device_list,
					  const size_t *lengths, const unsigned char **binaries, cl_int *binary_status,
					  cl_int *errcode_ret)
{
	struct _cl_program *program;
	struct recipe *recipe = NULL;
	cl_int error = CL_SUCCESS;

	if (!object_is(context, OBJECT_CONTEXT))
		return refuse(errcode_ret, CL_INVALID_CONTEXT);
	if (num_devices == 0 || !device_list || !lengths || !binaries)
		return refuse(errcode_ret, CL_INVALID_VALUE);
	error = device_list_check(context, num_devices, device_list);
	if (error)
		return refuse(errcode_ret, error);
	for (cl_uint i = 0; i < num_devices; i++) {
		cl_int status = binary_take(context, binaries[i], lengths[i], &recipe);

		if (binary_status)
			binary_status[i] = status;
		if (!error)
			error = status;
	}
	program = error ? NULL : program_new(context);
	if (!program) {
		recipe_release(recipe);
		return refuse(errcode_ret, error ? error : CL_OUT_OF_HOST_MEMORY);
	}
	program->binary = recipe;
	refuse(errcode_ret, CL_SUCCESS);
	return program;
}

/* The device lists none. */
cl_program vgpu_clCreateProgramWithBuiltInKernels(cl_context context, cl_uint num_devices, const cl_device_id *device_list,
						  const char *kernel_names, cl_int *errcode_ret)
{
	cl_int error;

	if (!object_is(context, OBJECT_CONTEXT))
		return refuse(errcode_ret, CL_INVALID_CONTEXT);
	if (num_devices == 0 || !device_list)
		return refuse(errcode_ret, CL_INVALID_VALUE);
	error = device_list_check(context, num_devices, device_list);
	(void)kernel_names;
	return refuse(errcode_ret, error ? error : CL_INVALID_VALUE);
}

/* No device runs destructors of program-scope variables, so there is nothing to call back after (OpenCL 3.0, appendix on
 * program initialization and clean-up kernels). */
cl_int vgpu_clSetProgramReleaseCallback(cl_program program, void(CL_CALLBACK *pfn_notify)(cl_program program, void *user_data),
					void *user_data)
{
	(void)user_data;
	if (!object_is(program, OBJECT_PROGRAM))
		return CL_INVALID_PROGRAM;
	return pfn_notify ? CL_INVALID_OPERATION : CL_INVALID_VALUE;
}
