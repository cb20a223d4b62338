/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compute/compile.h"

#include <stdlib.h>
#include <string.h>

#include "mdev/engine/compute/build.h"
#include "mdev/engine/compute/output.h"

/* The options with a NUL, and what we add to them. NULL: no memory. */
static char *options_copy(const struct build_request *request, const char *added)
{
	char *copy = malloc(request->options_bytes + strlen(added) + 1);

	if (!copy)
		return NULL;
	if (request->options_bytes)
		memcpy(copy, request->options, request->options_bytes);
	strcpy(copy + request->options_bytes, added);
	return copy;
}

static void headers_release(cl_program *headers, uint32_t count)
{
	for (uint32_t i = 0; headers && i < count; i++)
		if (headers[i])
			clReleaseProgram(headers[i]);
	free(headers);
}

/* A program for each header, and their names. */
static cl_int headers_make(const struct device *device, const struct build_request *request, cl_program **ret_headers,
			   const char ***ret_names)
{
	cl_program *headers = calloc(request->header_count + 1, sizeof(*headers));
	const char **names = calloc(request->header_count + 1, sizeof(*names));
	cl_int error = headers && names ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY;

	for (uint32_t i = 0; !error && i < request->header_count; i++) {
		const struct parsed_header *header = &request->headers[i];
		/* Some drivers take a length of 0 for a string with a NUL. */
		const char *text = header->text_bytes ? header->text : "\n";
		size_t bytes = header->text_bytes ? header->text_bytes : 1;

		names[i] = header->name;
		headers[i] = clCreateProgramWithSource(device->context, 1, &text, &bytes, &error);
	}
	if (error) {
		headers_release(headers, request->header_count);
		free(names);
		return error;
	}
	*ret_headers = headers;
	*ret_names = names;
	return CL_SUCCESS;
}

static cl_program source_take(const struct device *device, const struct build_request *request, cl_int *ret_error)
{
	const char *text = request->source;
	cl_program cl;

	if (!request->il)
		return clCreateProgramWithSource(device->context, 1, &text, &request->source_bytes, ret_error);
	if (!device->takes_il) {	/* a driver without need not have the functions */
		*ret_error = CL_INVALID_OPERATION;
		return NULL;
	}
	cl = clCreateProgramWithIL(device->context, request->source, request->source_bytes, ret_error);
	for (uint32_t i = 0; cl && i < request->constant_count && !*ret_error; i++) {
		const struct wire_constant *constant = &request->constants[i];

		*ret_error = clSetProgramSpecializationConstant(cl, constant->id, constant->bytes, constant->value);
	}
	if (cl && *ret_error) {
		clReleaseProgram(cl);
		cl = NULL;
	}
	return cl;
}

static cl_int compile(const struct device *device, const struct build_request *request, struct program *program,
		      cl_int *ret_built)
{
	cl_program *headers = NULL;
	const char **names = NULL;
	cl_int error = CL_SUCCESS;
	char *options = options_copy(request, request->il ? "" : BUILD_ARG_INFO_OPTION);

	if (!options)
		return CL_OUT_OF_HOST_MEMORY;
	if (request->il)	/* its printf is an instruction, not a name */
		output_expect_any(request->output);
	else
		output_expect(request->output, request->source, request->source_bytes, options, request->options_bytes);
	for (uint32_t i = 0; i < request->header_count; i++)
		output_expect(request->output, request->headers[i].text, request->headers[i].text_bytes, NULL, 0);
	program->cl = source_take(device, request, &error);
	if (program->cl && request->header_count)
		error = headers_make(device, request, &headers, &names);
	if (!error && request->form == BUILD_OBJECT)
		*ret_built = clCompileProgram(program->cl, 1, &device->id, options, request->header_count, headers, names, NULL, NULL);
	else if (!error)
		*ret_built = clBuildProgram(program->cl, 1, &device->id, options, NULL, NULL);
	headers_release(headers, request->header_count);
	free(names);
	free(options);
	return error;
}

/* Only what was compiled goes to the driver: some abort on anything else. */
static cl_int link_programs(const struct device *device, const struct build_request *request, struct program *program,
			    cl_int *ret_built)
{
	cl_program *inputs = calloc(request->input_count, sizeof(*inputs));
	char *options = options_copy(request, BUILD_ARG_INFO_OPTION);
	cl_int error = inputs && options ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY;

	for (uint32_t i = 0; !error && i < request->input_count; i++) {
		const struct program *input = request->inputs[i];

		if (input->type != CL_PROGRAM_BINARY_TYPE_COMPILED_OBJECT && input->type != CL_PROGRAM_BINARY_TYPE_LIBRARY)
			error = CL_INVALID_OPERATION;
		inputs[i] = input->cl;
		program->source_hash = hash_bytes(program->source_hash, &input->source_hash, sizeof(input->source_hash));
	}
	/* NULL with an error: it failed, and its log is lost. Some drivers tell arguments only if the link is asked to, some
	 * take no such option there. */
	if (!error)
		program->cl = clLinkProgram(device->context, 1, &device->id, options, request->input_count, inputs, NULL, NULL, ret_built);
	if (!error && *ret_built == CL_INVALID_LINKER_OPTIONS) {
		if (program->cl)
			clReleaseProgram(program->cl);
		options[request->options_bytes] = '\0';
		program->cl = clLinkProgram(device->context, 1, &device->id, options, request->input_count, inputs, NULL, NULL, ret_built);
	}
	if (!error && !*ret_built && !program->cl)
		*ret_built = CL_LINK_PROGRAM_FAILURE;
	free(inputs);
	free(options);
	return error;
}

static void type_learn(const struct device *device, struct program *program)
{
	cl_program_binary_type type = CL_PROGRAM_BINARY_TYPE_NONE;

	clGetProgramBuildInfo(program->cl, device->id, CL_PROGRAM_BINARY_TYPE, sizeof(type), &type, NULL);
	program->type = type;
}

/* What build_program does for executables from C. */
static int make(const struct device *device, const struct build_request *request, struct program **ret_program)
{
	struct program *program = calloc(1, sizeof(*program));
	cl_int built = CL_SUCCESS, error;

	if (!program)
		return CL_OUT_OF_HOST_MEMORY;
	program->source_hash = hash_bytes(0, request->source, request->source_bytes);
	error = request->form == BUILD_LINK ? link_programs(device, request, program, &built) :
					      compile(device, request, program, &built);
	if (!error && !built)
		type_learn(device, program);
	if (!error)
		error = build_encode_reply(device, program, built, program->type == CL_PROGRAM_BINARY_TYPE_EXECUTABLE);
	if (error) {
		program_destroy(program);
		return error;
	}
	*ret_program = program;
	return 0;
}

int build_make(const struct device *device, const struct build_request *request, struct program **ret_program)
{
	if (request->form != BUILD_EXECUTABLE || request->il)
		return make(device, request, ret_program);
	return build_program(device, request->source, request->source_bytes, request->options, request->options_bytes,
			     request->output, ret_program);
}
