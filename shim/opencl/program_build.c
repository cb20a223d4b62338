/* SPDX-License-Identifier: MIT */
/*
 * Building, compiling, linking.
 *
 * With a callback the call returns once the work is in the ring, and the callback comes from the library's thread; without,
 * when it is done. Until then the program's build is the one under way, so that its state can be asked for.
 */
#include <stdlib.h>
#include <string.h>

#include "shim/opencl/program.h"

typedef void(CL_CALLBACK *notify_function)(cl_program program, void *user_data);

cl_int device_list_check(const struct _cl_context *context, cl_uint count, const cl_device_id *list)
{
	if ((count == 0) != (list == NULL))
		return CL_INVALID_VALUE;
	for (cl_uint i = 0; i < count; i++)
		if (!context_has(context, list[i]))
			return CL_INVALID_DEVICE;
	return CL_SUCCESS;
}

/* Who is told when a build is over; holds the program. */
struct told {
	struct _cl_program *program;
	notify_function function;
	void *user_data;
};

static void tell(struct build *build, void *data)
{
	struct told *told = data;

	(void)build;
	told->function(told->program, told->user_data);
	program_release(told->program);
	free(told);
}

/* Does it, or sees that it is done. The build is held for the call. */
static cl_int build_do(struct _cl_program *program, struct build *build, struct build *const *inputs, notify_function function,
		       void *user_data)
{
	struct told *told = function ? malloc(sizeof(*told)) : NULL;
	cl_int error = build_begin(build, inputs);

	if (error) {		/* it cannot begin: nobody is told */
		free(told);
		return error;
	}
	if (!told) {
		error = build_wait(build);
		if (!function)
			return error;
		function(program, user_data);	/* no memory to remember it by */
		return CL_SUCCESS;
	}
	*told = (struct told){ program, function, user_data };
	object_retain(program);
	build_notify(build, tell, told);
	return CL_SUCCESS;
}

static bool under_way(const struct build *build)
{
	return build && !build_is_over(build);
}

/* Makes a build of the recipe, which is taken, the program's own, unless that may not be now. *ret_build is held. */
static cl_int build_install(struct _cl_program *program, struct recipe *recipe, const char *options, struct build **ret_build)
{
	struct build *build = NULL, *before;
	cl_int error = recipe ? build_create(program->context->session, recipe, options, &build) : CL_OUT_OF_HOST_MEMORY;

	recipe_release(recipe);
	if (error)
		return error;
	pthread_mutex_lock(&program->lock);
	if (under_way(program->build) || program->kernel_count) {
		pthread_mutex_unlock(&program->lock);
		build_release(build);
		return CL_INVALID_OPERATION;
	}
	before = program->build;
	program->build = build;
	__atomic_fetch_add(&build->references, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&program->lock);
	build_release(before);
	*ret_build = build;
	return CL_SUCCESS;
}

static struct recipe *il_recipe(struct _cl_program *program, uint32_t makes, const char *options)
{
	struct recipe *recipe;

	pthread_mutex_lock(&program->lock);
	recipe = recipe_create(RECIPE_IL, makes, options, program->il, 0, program->constant_count, 0);
	if (recipe && program->constant_count)
		memcpy(recipe->constants, program->constants, program->constant_count * sizeof(*program->constants));
	pthread_mutex_unlock(&program->lock);
	return recipe;
}

static cl_int call_check(const struct _cl_program *program, cl_uint num_devices, const cl_device_id *device_list,
			 notify_function pfn_notify, const void *user_data)
{
	cl_int error;

	if (!object_is(program, OBJECT_PROGRAM))
		return CL_INVALID_PROGRAM;
	error = device_list_check(program->context, num_devices, device_list);
	if (!error && !pfn_notify && user_data)
		error = CL_INVALID_VALUE;
	return error;
}

cl_int vgpu_clBuildProgram(cl_program program, cl_uint num_devices, const cl_device_id *device_list,
			   const char *options, void(CL_CALLBACK *pfn_notify)(cl_program program, void *user_data),
			   void *user_data)
{
	struct recipe *recipe;
	struct build *build;
	cl_int error = call_check(program, num_devices, device_list, pfn_notify, user_data);

	if (error)
		return error;
	if (program->source)
		recipe = recipe_create(RECIPE_SOURCE, CL_PROGRAM_BINARY_TYPE_EXECUTABLE, options, program->source, 0, 0, 0);
	else if (program->il)
		recipe = il_recipe(program, CL_PROGRAM_BINARY_TYPE_EXECUTABLE, options);
	else if (program->binary && program->binary->makes == CL_PROGRAM_BINARY_TYPE_EXECUTABLE)
		recipe = recipe_hold(program->binary);
	else	/* of a binary that is a part, or linked */
		return program->binary ? CL_INVALID_BINARY : CL_INVALID_OPERATION;
	error = build_install(program, recipe, options, &build);
	if (error)
		return error;
	error = build_do(program, build, NULL, pfn_notify, user_data);
	build_release(build);
	/* Of a binary's parts. */
	return error == CL_COMPILE_PROGRAM_FAILURE || error == CL_LINK_PROGRAM_FAILURE ? CL_BUILD_PROGRAM_FAILURE : error;
}

/* ---- compiling --------------------------------------------------------------------------------- */

static cl_int headers_check(cl_uint count, const cl_program *headers, const char **names)
{
	if ((count == 0) != (headers == NULL) || (count == 0) != (names == NULL))
		return CL_INVALID_VALUE;
	for (cl_uint i = 0; i < count; i++) {
		if (!object_is(headers[i], OBJECT_PROGRAM) || !headers[i]->source)
			return CL_INVALID_PROGRAM;
		if (!names[i] || !recipe_header_name_fits(names[i]))
			return CL_INVALID_VALUE;
	}
	return count > WIRE_HEADER_MAX ? CL_OUT_OF_RESOURCES : CL_SUCCESS;
}

static struct recipe *source_recipe(const struct _cl_program *program, const char *options, cl_uint header_count,
				    const cl_program *headers, const char **names)
{
	struct recipe *recipe = recipe_create(RECIPE_SOURCE, CL_PROGRAM_BINARY_TYPE_COMPILED_OBJECT, options, program->source,
					      header_count, 0, 0);

	for (cl_uint i = 0; recipe && i < header_count; i++) {
		recipe->headers[i].text = text_hold(headers[i]->source);
		recipe->headers[i].name = strdup(names[i]);
		if (!recipe->headers[i].name) {
			recipe_release(recipe);
			recipe = NULL;
		}
	}
	return recipe;
}

cl_int vgpu_clCompileProgram(cl_program program, cl_uint num_devices, const cl_device_id *device_list,
			     const char *options, cl_uint num_input_headers, const cl_program *input_headers,
			     const char **header_include_names,
			     void(CL_CALLBACK *pfn_notify)(cl_program program, void *user_data), void *user_data)
{
	struct recipe *recipe;
	struct build *build;
	cl_int error = call_check(program, num_devices, device_list, pfn_notify, user_data);

	if (!error)
		error = headers_check(num_input_headers, input_headers, header_include_names);
	if (error)
		return error;
	if ((!program->source && !program->il) || !session_has(program->context->session, WIRE_CAPS_PROGRAMS))
		return CL_INVALID_OPERATION;
	/* Headers mean nothing to intermediate language. */
	recipe = program->source ? source_recipe(program, options, num_input_headers, input_headers, header_include_names) :
				   il_recipe(program, CL_PROGRAM_BINARY_TYPE_COMPILED_OBJECT, options);
	error = build_install(program, recipe, options, &build);
	if (error)
		return error;
	error = build_do(program, build, NULL, pfn_notify, user_data);
	build_release(build);
	return error;
}

/* ---- linking ----------------------------------------------------------------------------------- */

static bool makes_library(const char *options)
{
	static const char word[] = "-create-library";
	const char *at = options;

	while (at && (at = strstr(at, word))) {
		char after = at[sizeof(word) - 1];

		if ((at == options || strchr(" \t\n", at[-1])) && (after == '\0' || strchr(" \t\n", after)))
			return true;
		at++;
	}
	return false;
}

/* What there is to link of a program: its recipe, held, and its build where the engine has it, held. */
static cl_int input_take(struct _cl_program *input, struct recipe **ret_recipe, struct build **ret_build)
{
	cl_int error = CL_INVALID_OPERATION;
	struct recipe *recipe;

	pthread_mutex_lock(&input->lock);
	recipe = under_way(input->build) ? NULL : program_recipe_locked(input);
	if (recipe && recipe->makes != CL_PROGRAM_BINARY_TYPE_EXECUTABLE) {
		if (build_succeeded(input->build)) {
			*ret_build = input->build;
			__atomic_fetch_add(&input->build->references, 1, __ATOMIC_RELAXED);
		}
		*ret_recipe = recipe;
		recipe = NULL;
		error = CL_SUCCESS;
	}
	pthread_mutex_unlock(&input->lock);
	recipe_release(recipe);
	return error;
}

static cl_int link_check(cl_context context, cl_uint num_devices, const cl_device_id *device_list, cl_uint count,
			 const cl_program *inputs, notify_function pfn_notify, const void *user_data)
{
	cl_int error;

	if (!object_is(context, OBJECT_CONTEXT))
		return CL_INVALID_CONTEXT;
	error = device_list_check(context, num_devices, device_list);
	if (error)
		return error;
	if (count == 0 || !inputs || (!pfn_notify && user_data))
		return CL_INVALID_VALUE;
	for (cl_uint i = 0; i < count; i++)
		if (!object_is(inputs[i], OBJECT_PROGRAM) || inputs[i]->context != context)
			return CL_INVALID_PROGRAM;
	if (!session_has(context->session, WIRE_CAPS_PROGRAMS))
		return CL_LINKER_NOT_AVAILABLE;
	return count > WIRE_INPUT_MAX ? CL_OUT_OF_RESOURCES : CL_SUCCESS;
}

/* builds: room for as many as there are inputs. */
static struct _cl_program *link_begin(cl_context context, const char *options, cl_uint count, const cl_program *inputs,
				      struct build **builds, struct build **ret_build, cl_int *ret_error)
{
	struct recipe *recipe = recipe_create(RECIPE_LINK, makes_library(options) ? CL_PROGRAM_BINARY_TYPE_LIBRARY :
					      CL_PROGRAM_BINARY_TYPE_EXECUTABLE, options, NULL, 0, 0, count);
	struct _cl_program *program = NULL;
	cl_int error = recipe ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY;

	for (cl_uint i = 0; !error && i < count; i++)
		error = input_take(inputs[i], &recipe->inputs[i], &builds[i]);
	if (!error) {
		program = program_new(context);
		error = program ? build_install(program, recipe_hold(recipe), options, ret_build) : CL_OUT_OF_HOST_MEMORY;
	}
	recipe_release(recipe);
	if (error && program) {
		program_release(program);
		program = NULL;
	}
	*ret_error = error;
	return program;
}

/* A link that began and failed is a program too: its log can be asked for. */
cl_program vgpu_clLinkProgram(cl_context context, cl_uint num_devices, const cl_device_id *device_list,
			      const char *options, cl_uint num_input_programs, const cl_program *input_programs,
			      void(CL_CALLBACK *pfn_notify)(cl_program program, void *user_data), void *user_data,
			      cl_int *errcode_ret)
{
	struct _cl_program *program = NULL;
	struct build *build = NULL, **builds;
	cl_int error = link_check(context, num_devices, device_list, num_input_programs, input_programs, pfn_notify, user_data);

	if (error)
		return refuse(errcode_ret, error);
	builds = calloc(num_input_programs, sizeof(*builds));
	if (!builds)
		return refuse(errcode_ret, CL_OUT_OF_HOST_MEMORY);
	program = link_begin(context, options, num_input_programs, input_programs, builds, &build, &error);
	if (program) {
		error = build_do(program, build, builds, pfn_notify, user_data);
		if (error && error != CL_LINK_PROGRAM_FAILURE) {	/* it could not begin, with such options or at all */
			program_release(program);
			program = NULL;
		}
		build_release(build);
	}
	for (cl_uint i = 0; i < num_input_programs; i++)
		build_release(builds[i]);
	free(builds);
	refuse(errcode_ret, error);
	return program;
}

/* ---- hints, which may be ignored ----------------------------------------------------------------- */

cl_int vgpu_clUnloadCompiler(void)
{
	return CL_SUCCESS;
}

cl_int vgpu_clUnloadPlatformCompiler(cl_platform_id platform)
{
	return object_is(platform, OBJECT_PLATFORM) ? CL_SUCCESS : CL_INVALID_PLATFORM;
}
