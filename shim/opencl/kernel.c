/* SPDX-License-Identifier: MIT */
/*
 * Kernels and their arguments.
 *
 * An NDRange's record carries all arguments. clSetKernelArg writes each into `snapshot` in its wire form, so that
 * an enqueue is one copy of it. The build's reply says what each argument is, so the checks need no round trip.
 */
#include <stdlib.h>
#include <string.h>

#include "shim/opencl/build.h"

#define VALUE_ROOM_UNKNOWN 16u	/* for a value whose size the host did not tell */

static size_t padded(size_t bytes)
{
	return (bytes + 7) & ~(size_t)7;
}

static void argument_head(struct _cl_kernel *kernel, cl_uint index, struct wire_arg *ret_arg)
{
	memcpy(ret_arg, kernel->snapshot + kernel->argument_offset[index], sizeof(*ret_arg));
}

static int snapshot_make(struct _cl_kernel *kernel)
{
	uint32_t count = kernel->info->wire.arg_count;
	size_t bytes = 0;

	kernel->argument_offset = calloc(count + 1, sizeof(*kernel->argument_offset));
	kernel->argument_room = calloc(count + 1, sizeof(*kernel->argument_room));
	kernel->argument_set = calloc(count + 1, sizeof(*kernel->argument_set));
	kernel->argument_mem = calloc(count + 1, sizeof(struct _cl_mem *));
	kernel->argument_sampler = calloc(count + 1, sizeof(struct _cl_sampler *));
	if (!kernel->argument_sampler)
		return -1;
	if (!kernel->argument_offset || !kernel->argument_room || !kernel->argument_set || !kernel->argument_mem)
		return -1;
	for (uint32_t i = 0; i < count; i++) {
		const struct wire_arg_info *info = &kernel->info->arguments[i].wire;

		kernel->argument_offset[i] = (uint32_t)bytes;
		if (info->kind == WIRE_ARG_VALUE)
			kernel->argument_room[i] = (uint32_t)padded(info->value_bytes ? info->value_bytes : VALUE_ROOM_UNKNOWN);
		bytes += sizeof(struct wire_arg) + kernel->argument_room[i];
	}
	kernel->argument_offset[count] = (uint32_t)bytes;
	kernel->snapshot_bytes = bytes;
	kernel->snapshot = calloc(1, bytes + 1);
	kernel->missing = count;
	return kernel->snapshot ? 0 : -1;
}

static void kernel_free(struct _cl_kernel *kernel)
{
	free(kernel->snapshot);
	free(kernel->argument_offset);
	free(kernel->argument_room);
	free(kernel->argument_set);
	free(kernel->argument_mem);
	free(kernel->argument_sampler);
	free(kernel);
}

/* With the program's lock held; counts the kernel as attached. */
static struct _cl_kernel *kernel_new_locked(struct _cl_program *program, struct build *build,
					    const struct kernel_info *info, cl_int *ret_error)
{
	struct session *session = program->context->session;
	struct _cl_kernel *kernel = calloc(1, sizeof(*kernel));
	size_t name_bytes = strlen(info->name);
	struct wire_kernel_create *record;

	if (!kernel)
		return refuse(ret_error, CL_OUT_OF_HOST_MEMORY);
	kernel->info = info;
	if (padded(name_bytes) > WIRE_RECORD_MAX_BYTES - sizeof(*record)) {
		kernel_free(kernel);
		return refuse(ret_error, CL_OUT_OF_RESOURCES);
	}
	if (snapshot_make(kernel) < 0) {
		kernel_free(kernel);
		return refuse(ret_error, CL_OUT_OF_HOST_MEMORY);
	}
	kernel->id = session_id_take(session, ID_KERNEL);
	if (!kernel->id) {
		kernel_free(kernel);
		return refuse(ret_error, CL_OUT_OF_RESOURCES);
	}
	record = ring_begin(session->ring, WIRE_KERNEL_CREATE, sizeof(*record) + padded(name_bytes), NULL);
	if (!record) {
		session_id_return(session, ID_KERNEL, kernel->id);
		kernel_free(kernel);
		return refuse(ret_error, CL_DEVICE_NOT_AVAILABLE);
	}
	record->kernel = kernel->id;
	record->program = build->id;
	record->name_bytes = (uint32_t)name_bytes;
	memset(record + 1, 0, padded(name_bytes));
	memcpy(record + 1, info->name, name_bytes);
	ring_commit(session->ring);
	kernel->program = program;
	kernel->build = build;
	__atomic_fetch_add(&build->references, 1, __ATOMIC_RELAXED);
	program->kernel_count++;
	object_retain(program);
	object_init(&kernel->object, OBJECT_KERNEL);
	refuse(ret_error, CL_SUCCESS);
	return kernel;
}

void kernel_release(struct _cl_kernel *kernel)
{
	struct _cl_program *program = kernel->program;

	if (!object_release(kernel))
		return;
	session_object_destroy(program->context->session, WIRE_KERNEL_DESTROY, ID_KERNEL, kernel->id);
	build_release(kernel->build);
	pthread_mutex_lock(&program->lock);
	program->kernel_count--;
	pthread_mutex_unlock(&program->lock);
	kernel->object.kind = OBJECT_DEAD;
	kernel_free(kernel);
	program_release(program);
}

cl_kernel vgpu_clCreateKernel(cl_program program, const char *kernel_name, cl_int *errcode_ret)
{
	struct _cl_kernel *kernel = NULL;
	struct build *build;

	if (!object_is(program, OBJECT_PROGRAM))
		return refuse(errcode_ret, CL_INVALID_PROGRAM);
	if (!kernel_name)
		return refuse(errcode_ret, CL_INVALID_VALUE);
	pthread_mutex_lock(&program->lock);
	build = program->build;
	if (!build_is_executable(build)) {
		refuse(errcode_ret, CL_INVALID_PROGRAM_EXECUTABLE);
	} else {
		refuse(errcode_ret, CL_INVALID_KERNEL_NAME);
		for (cl_uint i = 0; i < build->kernel_count; i++)
			if (strcmp(build->kernels[i].name, kernel_name) == 0) {
				kernel = kernel_new_locked(program, build, &build->kernels[i], errcode_ret);
				break;
			}
	}
	pthread_mutex_unlock(&program->lock);
	return kernel;
}

cl_int vgpu_clCreateKernelsInProgram(cl_program program, cl_uint num_kernels, cl_kernel *kernels,
				     cl_uint *num_kernels_ret)
{
	cl_int error = CL_SUCCESS;
	cl_uint made = 0, count = 0;

	if (!object_is(program, OBJECT_PROGRAM))
		return CL_INVALID_PROGRAM;
	pthread_mutex_lock(&program->lock);
	if (!build_is_executable(program->build))
		error = CL_INVALID_PROGRAM_EXECUTABLE;
	else
		count = program->build->kernel_count;
	if (!error && kernels && num_kernels < count)
		error = CL_INVALID_VALUE;
	for (; !error && kernels && made < count; made++) {
		kernels[made] = kernel_new_locked(program, program->build, &program->build->kernels[made], &error);
		if (error)
			break;
	}
	pthread_mutex_unlock(&program->lock);
	if (error) {
		while (made > 0)
			kernel_release(kernels[--made]);
		return error;
	}
	if (num_kernels_ret)
		*num_kernels_ret = count;
	return CL_SUCCESS;
}

cl_kernel vgpu_clCloneKernel(cl_kernel source_kernel, cl_int *errcode_ret)
{
	struct _cl_kernel *kernel;
	struct _cl_program *program;
	uint32_t count;

	if (!object_is(source_kernel, OBJECT_KERNEL))
		return refuse(errcode_ret, CL_INVALID_KERNEL);
	program = source_kernel->program;
	pthread_mutex_lock(&program->lock);
	kernel = kernel_new_locked(program, source_kernel->build, source_kernel->info, errcode_ret);
	pthread_mutex_unlock(&program->lock);
	if (!kernel)
		return NULL;
	count = kernel->info->wire.arg_count;
	if (kernel->snapshot_bytes != source_kernel->snapshot_bytes) {
		uint8_t *larger = realloc(kernel->snapshot, source_kernel->snapshot_bytes + 1);

		if (!larger) {
			kernel_release(kernel);
			return refuse(errcode_ret, CL_OUT_OF_HOST_MEMORY);
		}
		kernel->snapshot = larger;
		kernel->snapshot_bytes = source_kernel->snapshot_bytes;
	}
	memcpy(kernel->snapshot, source_kernel->snapshot, kernel->snapshot_bytes);
	memcpy(kernel->argument_offset, source_kernel->argument_offset, (count + 1) * sizeof(*kernel->argument_offset));
	memcpy(kernel->argument_room, source_kernel->argument_room, count * sizeof(*kernel->argument_room));
	memcpy(kernel->argument_set, source_kernel->argument_set, count * sizeof(*kernel->argument_set));
	memcpy(kernel->argument_mem, source_kernel->argument_mem, count * sizeof(struct _cl_mem *));
	memcpy(kernel->argument_sampler, source_kernel->argument_sampler, count * sizeof(struct _cl_sampler *));
	kernel->missing = source_kernel->missing;
	kernel->local_mem_bytes = source_kernel->local_mem_bytes;
	return kernel;
}

OBJECT_REFERENCE_CALLS(Kernel, cl_kernel, OBJECT_KERNEL, CL_INVALID_KERNEL, kernel_release)

/* ---- arguments ------------------------------------------------------------------------------------ */

/* Makes room for a value that is larger than was reserved. */
static int argument_grow(struct _cl_kernel *kernel, cl_uint index, size_t room)
{
	uint32_t count = kernel->info->wire.arg_count;
	size_t more = room - kernel->argument_room[index];
	size_t end = kernel->argument_offset[index] + sizeof(struct wire_arg) + kernel->argument_room[index];
	uint8_t *larger = realloc(kernel->snapshot, kernel->snapshot_bytes + more + 1);

	if (!larger)
		return -1;
	memmove(larger + end + more, larger + end, kernel->snapshot_bytes - end);
	memset(larger + end, 0, more);
	kernel->snapshot = larger;
	kernel->snapshot_bytes += more;
	kernel->argument_room[index] = (uint32_t)room;
	for (uint32_t i = index + 1; i <= count; i++)
		kernel->argument_offset[i] += (uint32_t)more;
	return 0;
}

static cl_int set_value(struct _cl_kernel *kernel, cl_uint index, size_t bytes, const void *value, struct wire_arg *arg)
{
	const struct wire_arg_info *info = &kernel->info->arguments[index].wire;

	if (!value)
		return CL_INVALID_ARG_VALUE;
	if (bytes == 0 || (info->value_bytes && bytes != info->value_bytes) ||
	    bytes > kernel->program->context->device->max_parameter_bytes)
		return CL_INVALID_ARG_SIZE;
	if (padded(bytes) > kernel->argument_room[index] && argument_grow(kernel, index, padded(bytes)) < 0)
		return CL_OUT_OF_HOST_MEMORY;
	arg->bytes = (uint32_t)bytes;
	memcpy(kernel->snapshot + kernel->argument_offset[index] + sizeof(*arg), value, bytes);
	return CL_SUCCESS;
}

static cl_int set_buffer(struct _cl_kernel *kernel, cl_uint index, size_t bytes, const void *value, struct wire_arg *arg)
{
	struct _cl_mem *mem = NULL;

	if (bytes != sizeof(cl_mem))
		return CL_INVALID_ARG_SIZE;
	if (value)
		memcpy(&mem, value, sizeof(mem));
	if (mem && !object_is(mem, OBJECT_MEM))
		return CL_INVALID_MEM_OBJECT;
	if (mem && mem->context != kernel->program->context)
		return CL_INVALID_MEM_OBJECT;
	if (mem && mem->image)
		return CL_INVALID_ARG_VALUE;
	arg->object = mem ? mem->id : 0;
	kernel->argument_mem[index] = mem;
	return CL_SUCCESS;
}

/* OpenCL 3.0 §5.9.2: no NULL; what the kernel writes must not be made for reading only, and the other way. */
static cl_int set_image(struct _cl_kernel *kernel, cl_uint index, size_t bytes, const void *value, struct wire_arg *arg)
{
	const uint32_t access = kernel->info->arguments[index].wire.access_qualifier;
	struct _cl_mem *mem = NULL;

	if (bytes != sizeof(cl_mem))
		return CL_INVALID_ARG_SIZE;
	if (!value)
		return CL_INVALID_ARG_VALUE;
	memcpy(&mem, value, sizeof(mem));
	if (!object_is(mem, OBJECT_MEM) || mem->context != kernel->program->context)
		return CL_INVALID_MEM_OBJECT;
	if (!mem->image || (access == CL_KERNEL_ARG_ACCESS_READ_ONLY && (mem->flags & CL_MEM_WRITE_ONLY)) ||
	    (access == CL_KERNEL_ARG_ACCESS_WRITE_ONLY && (mem->flags & CL_MEM_READ_ONLY)))
		return CL_INVALID_ARG_VALUE;
	arg->object = mem->id;
	kernel->argument_mem[index] = mem;
	return CL_SUCCESS;
}

static cl_int set_sampler(struct _cl_kernel *kernel, cl_uint index, size_t bytes, const void *value, struct wire_arg *arg)
{
	struct _cl_sampler *sampler = NULL;

	if (bytes != sizeof(cl_sampler))
		return CL_INVALID_ARG_SIZE;
	if (!value)
		return CL_INVALID_ARG_VALUE;
	memcpy(&sampler, value, sizeof(sampler));
	if (!object_is(sampler, OBJECT_SAMPLER) || sampler->context != kernel->program->context)
		return CL_INVALID_SAMPLER;
	arg->object = sampler->id;
	kernel->argument_sampler[index] = sampler;
	return CL_SUCCESS;
}

static cl_int set_local(struct _cl_kernel *kernel, cl_uint index, size_t bytes, const void *value, struct wire_arg *arg)
{
	struct wire_arg before;

	if (value)
		return CL_INVALID_ARG_VALUE;
	if (bytes == 0)
		return CL_INVALID_ARG_SIZE;
	if (bytes > kernel->program->context->device->local_mem_bytes)
		return CL_OUT_OF_RESOURCES;
	argument_head(kernel, index, &before);
	kernel->local_mem_bytes += bytes - before.bytes;
	arg->bytes = (uint32_t)bytes;
	return CL_SUCCESS;
}

/* The value's bytes in a record are exactly padded(bytes), but `room` is what the snapshot holds: where the host did not
 * tell the size these may differ, so the room is trimmed to the first value that is set. */
static void argument_trim(struct _cl_kernel *kernel, cl_uint index, size_t room)
{
	uint32_t count = kernel->info->wire.arg_count;
	size_t less = kernel->argument_room[index] - room;
	size_t end = kernel->argument_offset[index] + sizeof(struct wire_arg) + kernel->argument_room[index];

	if (less == 0)
		return;
	memmove(kernel->snapshot + end - less, kernel->snapshot + end, kernel->snapshot_bytes - end);
	kernel->snapshot_bytes -= less;
	kernel->argument_room[index] = (uint32_t)room;
	for (uint32_t i = index + 1; i <= count; i++)
		kernel->argument_offset[i] -= (uint32_t)less;
}

void kernel_argument_set(struct _cl_kernel *kernel, cl_uint index, const struct wire_arg *arg, struct _cl_mem *mem)
{
	memcpy(kernel->snapshot + kernel->argument_offset[index], arg, sizeof(*arg));
	kernel->argument_mem[index] = mem;
	if (!kernel->argument_set[index]) {
		kernel->argument_set[index] = true;
		kernel->missing--;
	}
}

cl_int vgpu_clSetKernelArg(cl_kernel kernel, cl_uint arg_index, size_t arg_size, const void *arg_value)
{
	struct wire_arg arg = { 0 };
	cl_int error;

	if (!object_is(kernel, OBJECT_KERNEL))
		return CL_INVALID_KERNEL;
	if (arg_index >= kernel->info->wire.arg_count)
		return CL_INVALID_ARG_INDEX;
	arg.kind = kernel->info->arguments[arg_index].wire.kind;
	switch (arg.kind) {
	case WIRE_ARG_BUFFER:
		error = set_buffer(kernel, arg_index, arg_size, arg_value, &arg);
		break;
	case WIRE_ARG_IMAGE:
		error = set_image(kernel, arg_index, arg_size, arg_value, &arg);
		break;
	case WIRE_ARG_SAMPLER:
		error = set_sampler(kernel, arg_index, arg_size, arg_value, &arg);
		break;
	case WIRE_ARG_LOCAL:
		error = set_local(kernel, arg_index, arg_size, arg_value, &arg);
		break;
	case WIRE_ARG_VALUE:
		error = set_value(kernel, arg_index, arg_size, arg_value, &arg);
		if (!error)
			argument_trim(kernel, arg_index, padded(arg_size));
		break;
	default:
		error = CL_INVALID_ARG_VALUE;	/* of a kind that a newer host knows */
	}
	if (error)
		return error;
	kernel_argument_set(kernel, arg_index, &arg, kernel->argument_mem[arg_index]);
	return CL_SUCCESS;
}

/* ---- information ---------------------------------------------------------------------------------- */

cl_int vgpu_clGetKernelInfo(cl_kernel kernel, cl_kernel_info param_name, size_t param_value_size, void *param_value,
			    size_t *param_value_size_ret)
{
	if (!object_is(kernel, OBJECT_KERNEL))
		return CL_INVALID_KERNEL;
	switch (param_name) {
	case CL_KERNEL_FUNCTION_NAME:
		INFO_ANSWER_STRING(kernel->info->name);
	case CL_KERNEL_NUM_ARGS:
		INFO_ANSWER(cl_uint, kernel->info->wire.arg_count);
	case CL_KERNEL_REFERENCE_COUNT:
		INFO_ANSWER(cl_uint, object_references(kernel));
	case CL_KERNEL_CONTEXT:
		INFO_ANSWER(cl_context, kernel->program->context);
	case CL_KERNEL_PROGRAM:
		INFO_ANSWER(cl_program, kernel->program);
	case CL_KERNEL_ATTRIBUTES:
		INFO_ANSWER_STRING(kernel->info->attributes);
	default:
		return CL_INVALID_VALUE;
	}
}

cl_int vgpu_clGetKernelArgInfo(cl_kernel kernel, cl_uint arg_index, cl_kernel_arg_info param_name,
			       size_t param_value_size, void *param_value, size_t *param_value_size_ret)
{
	const struct argument_info *argument;

	if (!object_is(kernel, OBJECT_KERNEL))
		return CL_INVALID_KERNEL;
	if (arg_index >= kernel->info->wire.arg_count)
		return CL_INVALID_ARG_INDEX;
	argument = &kernel->info->arguments[arg_index];
	if (!argument->wire.address_qualifier)
		return CL_KERNEL_ARG_INFO_NOT_AVAILABLE;
	switch (param_name) {
	case CL_KERNEL_ARG_ADDRESS_QUALIFIER:
		INFO_ANSWER(cl_kernel_arg_address_qualifier, argument->wire.address_qualifier);
	case CL_KERNEL_ARG_ACCESS_QUALIFIER:
		INFO_ANSWER(cl_kernel_arg_access_qualifier, argument->wire.access_qualifier);
	case CL_KERNEL_ARG_TYPE_QUALIFIER:
		INFO_ANSWER(cl_kernel_arg_type_qualifier, argument->wire.type_qualifier);
	case CL_KERNEL_ARG_TYPE_NAME:
		INFO_ANSWER_STRING(argument->type_name);
	case CL_KERNEL_ARG_NAME:
		INFO_ANSWER_STRING(argument->name);
	default:
		return CL_INVALID_VALUE;
	}
}

cl_int vgpu_clGetKernelWorkGroupInfo(cl_kernel kernel, cl_device_id device, cl_kernel_work_group_info param_name,
				     size_t param_value_size, void *param_value, size_t *param_value_size_ret)
{
	const struct wire_kernel_info *info;
	size_t sizes[3];

	if (!object_is(kernel, OBJECT_KERNEL))
		return CL_INVALID_KERNEL;
	if (device ? !context_has(kernel->program->context, device) : kernel->program->context->device_count > 1)
		return CL_INVALID_DEVICE;
	info = &kernel->info->wire;
	switch (param_name) {
	case CL_KERNEL_WORK_GROUP_SIZE:
		INFO_ANSWER(size_t, info->work_group_size);
	case CL_KERNEL_COMPILE_WORK_GROUP_SIZE:
		for (int i = 0; i < 3; i++)
			sizes[i] = info->compile_work_group_size[i];
		return info_answer(sizes, sizeof(sizes), param_value_size, param_value, param_value_size_ret);
	case CL_KERNEL_LOCAL_MEM_SIZE:
		INFO_ANSWER(cl_ulong, info->local_mem_bytes + kernel->local_mem_bytes);
	case CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE:
		INFO_ANSWER(size_t, info->preferred_multiple);
	case CL_KERNEL_PRIVATE_MEM_SIZE:
		INFO_ANSWER(cl_ulong, info->private_mem_bytes);
	default:
		return CL_INVALID_VALUE;	/* CL_KERNEL_GLOBAL_WORK_SIZE: neither custom device nor built-in kernel */
	}
}
