/* SPDX-License-Identifier: MIT */
/*
 * Contexts. Each is on one vGPU or on sub-devices of one, and has a reference to that vGPU's session of the moment.
 */
#include <stdlib.h>
#include <string.h>

#include "shim/opencl/object.h"
#include "shim/opencl/svm.h"

static cl_int properties_check(const cl_context_properties *properties, size_t *ret_count)
{
	size_t count = 0;

	for (; properties && properties[count]; count += 2) {
		for (size_t i = 0; i < count; i += 2)
			if (properties[i] == properties[count])
				return CL_INVALID_PROPERTY;
		if (properties[count] == CL_CONTEXT_PLATFORM) {
			if (!object_is((const void *)properties[count + 1], OBJECT_PLATFORM))
				return CL_INVALID_PLATFORM;
		} else if (properties[count] != CL_CONTEXT_INTEROP_USER_SYNC) {
			return CL_INVALID_PROPERTY;
		}
	}
	*ret_count = properties ? count + 1 : 0;
	return CL_SUCCESS;
}

bool context_has(const struct _cl_context *context, const struct _cl_device_id *device)
{
	for (cl_uint i = 0; i < context->device_count; i++)
		if (context->devices[i] == device)
			return true;
	return false;
}

cl_context vgpu_clCreateContext(const cl_context_properties *properties, cl_uint num_devices,
				const cl_device_id *devices,
				void(CL_CALLBACK *pfn_notify)(const char *, const void *, size_t, void *),
				void *user_data, cl_int *errcode_ret)
{
	struct _cl_context *context;
	size_t property_count;
	cl_int error = properties_check(properties, &property_count);

	if (error)
		return refuse(errcode_ret, error);
	if (!devices || num_devices == 0 || (!pfn_notify && user_data))
		return refuse(errcode_ret, CL_INVALID_VALUE);
	for (cl_uint i = 0; i < num_devices; i++) {
		if (!object_is(devices[i], OBJECT_DEVICE))
			return refuse(errcode_ret, CL_INVALID_DEVICE);
		/* Two vGPUs share no memory, so a context over both cannot be had. */
		if (device_root(devices[i]) != device_root(devices[0]))
			return refuse(errcode_ret, CL_INVALID_DEVICE);
	}
	context = calloc(1, sizeof(*context));
	if (context && property_count)
		context->properties = malloc(property_count * sizeof(*properties));
	if (context)
		context->devices = calloc(num_devices, sizeof(*devices));
	if (!context || !context->devices || (property_count && !context->properties)) {
		if (context) {
			free(context->properties);
			free(context->devices);
		}
		free(context);
		return refuse(errcode_ret, CL_OUT_OF_HOST_MEMORY);
	}
	error = session_get(device_root(devices[0]), &context->session);
	if (error) {
		free(context->properties);
		free(context->devices);
		free(context);
		return refuse(errcode_ret, error);
	}
	if (property_count)
		memcpy(context->properties, properties, property_count * sizeof(*properties));
	context->property_count = property_count;
	context->device = device_root(devices[0]);
	for (cl_uint i = 0; i < num_devices; i++) {
		if (context_has(context, devices[i]))	/* OpenCL 3.0 §4.4: duplicates are ignored */
			continue;
		device_retain(devices[i]);
		context->devices[context->device_count++] = devices[i];
	}
	context->notify = pfn_notify;
	context->notify_data = user_data;
	pthread_mutex_init(&context->lock, NULL);
	object_init(&context->object, OBJECT_CONTEXT);
	refuse(errcode_ret, CL_SUCCESS);
	return context;
}

cl_context vgpu_clCreateContextFromType(const cl_context_properties *properties, cl_device_type device_type,
					void(CL_CALLBACK *pfn_notify)(const char *, const void *, size_t, void *),
					void *user_data, cl_int *errcode_ret)
{
	size_t property_count;
	cl_device_id device;
	cl_int error = properties_check(properties, &property_count);

	if (!error)
		error = vgpu_clGetDeviceIDs(platform_get(), device_type, 1, &device, NULL);
	if (error)
		return refuse(errcode_ret, error);
	return vgpu_clCreateContext(properties, 1, &device, pfn_notify, user_data, errcode_ret);
}

void end_callbacks_run(struct end_callback *callbacks, void *object)
{
	struct end_callback *callback;

	while ((callback = callbacks)) {
		callbacks = callback->next;
		callback->function(object, callback->user_data);
		free(callback);
	}
}

cl_int end_callback_add(struct _cl_context *context, struct end_callback **list, void (*function)(void *, void *),
			void *user_data)
{
	struct end_callback *callback;

	if (!function)
		return CL_INVALID_VALUE;
	callback = calloc(1, sizeof(*callback));
	if (!callback)
		return CL_OUT_OF_HOST_MEMORY;
	callback->function = function;
	callback->user_data = user_data;
	pthread_mutex_lock(&context->lock);
	callback->next = *list;
	*list = callback;
	pthread_mutex_unlock(&context->lock);
	return CL_SUCCESS;
}

void context_release(struct _cl_context *context)
{
	if (!object_release(context))
		return;
	end_callbacks_run(context->end_callbacks, context);
	svm_finish(context->svm);
	session_release(context->session);
	pthread_mutex_destroy(&context->lock);
	context->object.kind = OBJECT_DEAD;
	for (cl_uint i = 0; i < context->device_count; i++)
		device_release(context->devices[i]);
	free(context->devices);
	free(context->properties);
	free(context);
}

OBJECT_REFERENCE_CALLS(Context, cl_context, OBJECT_CONTEXT, CL_INVALID_CONTEXT, context_release)

cl_int vgpu_clGetContextInfo(cl_context context, cl_context_info param_name, size_t param_value_size,
			     void *param_value, size_t *param_value_size_ret)
{
	if (!object_is(context, OBJECT_CONTEXT))
		return CL_INVALID_CONTEXT;
	switch (param_name) {
	case CL_CONTEXT_REFERENCE_COUNT:
		INFO_ANSWER(cl_uint, object_references(context));
	case CL_CONTEXT_NUM_DEVICES:
		INFO_ANSWER(cl_uint, context->device_count);
	case CL_CONTEXT_DEVICES:
		return info_answer(context->devices, context->device_count * sizeof(*context->devices), param_value_size,
				   param_value, param_value_size_ret);
	case CL_CONTEXT_PROPERTIES:
		return info_answer(context->properties, context->property_count * sizeof(*context->properties),
				   param_value_size, param_value, param_value_size_ret);
	default:
		return CL_INVALID_VALUE;
	}
}

cl_int vgpu_clSetContextDestructorCallback(cl_context context,
					   void(CL_CALLBACK *pfn_notify)(cl_context context, void *user_data),
					   void *user_data)
{
	if (!object_is(context, OBJECT_CONTEXT))
		return CL_INVALID_CONTEXT;
	return end_callback_add(context, &context->end_callbacks, (void (*)(void *, void *))(void *)pfn_notify, user_data);
}
