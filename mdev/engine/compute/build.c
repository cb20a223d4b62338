/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compute/build.h"

#include <stdlib.h>
#include <string.h>

#include "mdev/engine/compute/parse.h"

#define LOG_MAX_BYTES (256u << 10)
#define KERNELS_MAX 1024u

/* A growing buffer whose error sticks. */
struct writer {
	uint8_t *bytes;
	size_t used;
	size_t capacity;
	bool bad;
};

/* Appends `count` bytes, padded with zeros to 8. */
static void writer_put(struct writer *writer, const void *bytes, size_t count)
{
	size_t padded = (count + 7) & ~(size_t)7;

	if (writer->bad || !padded)
		return;
	if (writer->used + padded > writer->capacity) {
		size_t capacity = (writer->used + padded) * 2;
		uint8_t *grown = realloc(writer->bytes, capacity);
		if (!grown) {
			writer->bad = true;
			return;
		}
		writer->bytes = grown;
		writer->capacity = capacity;
	}
	memset(writer->bytes + writer->used, 0, padded);
	memcpy(writer->bytes + writer->used, bytes, count);
	writer->used += padded;
}

/* The string that a query with a size answers, without its NUL; "" where there is none. Allocated. */
static char *arg_string(cl_kernel kernel, cl_uint index, cl_kernel_arg_info what, uint32_t *ret_bytes)
{
	size_t bytes = 0;
	char *text = NULL;

	*ret_bytes = 0;
	if (clGetKernelArgInfo(kernel, index, what, 0, NULL, &bytes) || !bytes || bytes > 4096 || !(text = calloc(1, bytes + 1)))
		return NULL;
	if (clGetKernelArgInfo(kernel, index, what, bytes, text, NULL)) {
		free(text);
		return NULL;
	}
	*ret_bytes = (uint32_t)strlen(text);
	return text;
}

static char *kernel_string(cl_kernel kernel, cl_kernel_info what, uint32_t *ret_bytes)
{
	size_t bytes = 0;
	char *text = NULL;

	*ret_bytes = 0;
	if (clGetKernelInfo(kernel, what, 0, NULL, &bytes) || !bytes || bytes > 65536 || !(text = calloc(1, bytes + 1)))
		return NULL;
	if (clGetKernelInfo(kernel, what, bytes, text, NULL)) {
		free(text);
		return NULL;
	}
	*ret_bytes = (uint32_t)strlen(text);
	return text;
}

/* Sizes of OpenCL C's scalar and vector types; 0 for what only the program knows (structs). OpenCL 3.0 C, 6.3. */
static uint32_t type_bytes(const char *type)
{
	static const struct {
		const char *name;
		uint32_t bytes;
	} scalars[] = {
		{"bool", 1}, {"char", 1},  {"uchar", 1},  {"short", 2}, {"ushort", 2}, {"half", 2},   {"int", 4},
		{"uint", 4}, {"float", 4}, {"double", 8}, {"long", 8},	{"ulong", 8},  {"size_t", 8}, {"ptrdiff_t", 8},
		{"unsigned char", 1}, {"unsigned short", 2}, {"unsigned int", 4}, {"unsigned long", 8},
	};
	size_t stem = strcspn(type, "0123456789");
	uint32_t lanes = type[stem] ? (uint32_t)strtoul(type + stem, NULL, 10) : 1;

	if (strchr(type, '*') || lanes < 1 || lanes > 16)
		return 0;
	if (lanes == 3)
		lanes = 4;
	for (unsigned i = 0; i < sizeof(scalars) / sizeof(scalars[0]); i++)
		if (strlen(scalars[i].name) == stem && !strncmp(scalars[i].name, type, stem))
			return scalars[i].bytes * lanes;
	return 0;
}

static void put_arg(struct writer *writer, cl_kernel kernel, cl_uint index)
{
	struct wire_arg_info info = {.kind = kernel_arg_kind(kernel, index)};
	cl_kernel_arg_address_qualifier address = 0;
	cl_kernel_arg_access_qualifier access = 0;
	cl_kernel_arg_type_qualifier qualifier = 0;

	char *type = arg_string(kernel, index, CL_KERNEL_ARG_TYPE_NAME, &info.type_name_bytes);
	char *name = arg_string(kernel, index, CL_KERNEL_ARG_NAME, &info.name_bytes);
	if (!clGetKernelArgInfo(kernel, index, CL_KERNEL_ARG_ADDRESS_QUALIFIER, sizeof(address), &address, NULL))
		info.address_qualifier = address;
	if (!clGetKernelArgInfo(kernel, index, CL_KERNEL_ARG_ACCESS_QUALIFIER, sizeof(access), &access, NULL))
		info.access_qualifier = access;
	if (!clGetKernelArgInfo(kernel, index, CL_KERNEL_ARG_TYPE_QUALIFIER, sizeof(qualifier), &qualifier, NULL))
		info.type_qualifier = qualifier;
	if (info.kind == WIRE_ARG_VALUE && type)
		info.value_bytes = type_bytes(type);
	writer_put(writer, &info, sizeof(info));
	writer_put(writer, type, info.type_name_bytes);
	writer_put(writer, name, info.name_bytes);
	free(type);
	free(name);
}

static void put_kernel(struct writer *writer, const struct device *device, cl_kernel kernel)
{
	struct wire_kernel_info info = {0};
	size_t size = 0, compile[3] = {0}, multiple = 0;
	cl_ulong local = 0, private_bytes = 0;
	cl_uint args = 0;

	char *name = kernel_string(kernel, CL_KERNEL_FUNCTION_NAME, &info.name_bytes);
	char *attributes = kernel_string(kernel, CL_KERNEL_ATTRIBUTES, &info.attributes_bytes);
	clGetKernelInfo(kernel, CL_KERNEL_NUM_ARGS, sizeof(args), &args, NULL);
	clGetKernelWorkGroupInfo(kernel, device->id, CL_KERNEL_WORK_GROUP_SIZE, sizeof(size), &size, NULL);
	clGetKernelWorkGroupInfo(kernel, device->id, CL_KERNEL_COMPILE_WORK_GROUP_SIZE, sizeof(compile), compile, NULL);
	clGetKernelWorkGroupInfo(kernel, device->id, CL_KERNEL_LOCAL_MEM_SIZE, sizeof(local), &local, NULL);
	clGetKernelWorkGroupInfo(kernel, device->id, CL_KERNEL_PRIVATE_MEM_SIZE, sizeof(private_bytes), &private_bytes, NULL);
	clGetKernelWorkGroupInfo(kernel, device->id, CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE, sizeof(multiple),
				 &multiple, NULL);
	info.arg_count = args;
	info.work_group_size = size;
	for (unsigned i = 0; i < 3; i++)
		info.compile_work_group_size[i] = compile[i];
	info.local_mem_bytes = local;
	info.private_mem_bytes = private_bytes;
	info.preferred_multiple = multiple;
	writer_put(writer, &info, sizeof(info));
	writer_put(writer, name, info.name_bytes);
	writer_put(writer, attributes, info.attributes_bytes);
	for (cl_uint i = 0; i < args; i++)
		put_arg(writer, kernel, i);
	free(name);
	free(attributes);
}

static void put_kernels(struct writer *writer, const struct device *device, cl_program program, uint32_t *ret_count)
{
	cl_kernel kernels[KERNELS_MAX];
	cl_uint count = 0;

	if (clCreateKernelsInProgram(program, KERNELS_MAX, kernels, &count) || count > KERNELS_MAX)
		return;
	for (cl_uint i = 0; i < count; i++) {
		put_kernel(writer, device, kernels[i]);
		clReleaseKernel(kernels[i]);
	}
	*ret_count = count;
}

int build_encode_reply(const struct device *device, struct program *program, cl_int error, bool with_kernels)
{
	struct wire_build_reply reply = {.error = error};
	struct writer writer = {0};
	cl_build_status status = CL_BUILD_ERROR;
	size_t log_bytes = 0, variables = 0;
	char *log = NULL;

	clGetProgramBuildInfo(program->cl, device->id, CL_PROGRAM_BUILD_STATUS, sizeof(status), &status, NULL);
	if (!clGetProgramBuildInfo(program->cl, device->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &log_bytes) && log_bytes &&
	    (log = calloc(1, log_bytes + 1)) &&
	    !clGetProgramBuildInfo(program->cl, device->id, CL_PROGRAM_BUILD_LOG, log_bytes, log, NULL))
		reply.log_bytes = (uint32_t)strnlen(log, log_bytes < LOG_MAX_BYTES ? log_bytes : LOG_MAX_BYTES);
	clGetProgramBuildInfo(program->cl, device->id, CL_PROGRAM_BUILD_GLOBAL_VARIABLE_TOTAL_SIZE, sizeof(variables),
			      &variables, NULL);
	reply.build_status = status;
	reply.global_variable_bytes = variables;
	writer_put(&writer, &reply, sizeof(reply));
	writer_put(&writer, log, reply.log_bytes);
	if (!error && with_kernels)
		put_kernels(&writer, device, program->cl, &reply.kernel_count);
	free(log);
	if (writer.bad || writer.used > UINT32_MAX) {
		free(writer.bytes);
		return CL_OUT_OF_HOST_MEMORY;
	}
	memcpy(writer.bytes, &reply, sizeof(reply));	/* kernel_count is known by now */
	free(program->reply);
	program->reply = writer.bytes;
	program->reply_bytes = (uint32_t)writer.used;
	return 0;
}

int build_program(const struct device *device, const void *source, size_t source_bytes, const void *options,
		  size_t options_bytes, struct output *output, struct program **ret_program)
{
	struct program *program = calloc(1, sizeof(*program));
	char *text = malloc(source_bytes), *flags = malloc(options_bytes + sizeof(BUILD_ARG_INFO_OPTION));
	cl_int error = CL_OUT_OF_HOST_MEMORY;

	if (!program || !text || !flags)
		goto free_all;
	memcpy(text, source, source_bytes);
	if (options_bytes)
		memcpy(flags, options, options_bytes);
	memcpy(flags + options_bytes, BUILD_ARG_INFO_OPTION, sizeof(BUILD_ARG_INFO_OPTION));
	program->source_hash = hash_bytes(0, text, source_bytes);
	output_expect(output, text, source_bytes, options_bytes ? flags : NULL, options_bytes);
	const char *strings[1] = {text};
	program->cl = clCreateProgramWithSource(device->context, 1, strings, &source_bytes, &error);
	if (!program->cl)
		goto free_all;
	error = clBuildProgram(program->cl, 1, &device->id, flags, NULL, NULL);
	program->type = error ? CL_PROGRAM_BINARY_TYPE_NONE : CL_PROGRAM_BINARY_TYPE_EXECUTABLE;
	error = build_encode_reply(device, program, error, !error);
	if (error)
		goto release_program;
	program->splittable = splittable_read(text, source_bytes, flags);
	free(flags);
	free(text);
	*ret_program = program;
	return 0;

release_program:
	clReleaseProgram(program->cl);
free_all:
	free(flags);
	free(text);
	free(program);
	return error;
}
