/* SPDX-License-Identifier: MIT */
/*
 * Samplers.
 */
#include <stdlib.h>
#include <string.h>

#include "shim/opencl/object.h"
#include "shim/wire/image.h"

/* OpenCL 3.0 §5.7.1, table 37. */
static cl_int properties_read(const cl_sampler_properties *list, struct _cl_sampler *sampler)
{
	size_t count = 0;

	for (; list && list[count]; count += 2) {
		const cl_sampler_properties value = list[count + 1];

		for (size_t i = 0; i < count; i += 2)
			if (list[i] == list[count])
				return CL_INVALID_VALUE;
		switch (list[count]) {
		case CL_SAMPLER_NORMALIZED_COORDS:
			if (value != CL_TRUE && value != CL_FALSE)
				return CL_INVALID_VALUE;
			sampler->normalized = (cl_bool)value;
			break;
		case CL_SAMPLER_ADDRESSING_MODE:
			if (value < CL_ADDRESS_NONE || value > CL_ADDRESS_MIRRORED_REPEAT)
				return CL_INVALID_VALUE;
			sampler->addressing = (cl_addressing_mode)value;
			break;
		case CL_SAMPLER_FILTER_MODE:
			if (value != CL_FILTER_NEAREST && value != CL_FILTER_LINEAR)
				return CL_INVALID_VALUE;
			sampler->filter = (cl_filter_mode)value;
			break;
		default:	/* of mipmaps, which are not there */
			return CL_INVALID_VALUE;
		}
	}
	sampler->property_count = list ? count + 1 : 0;
	return CL_SUCCESS;
}

static cl_int sampler_record(const struct _cl_sampler *sampler)
{
	struct ring *ring = sampler->context->session->ring;
	struct wire_sampler_create *record = ring_begin(ring, WIRE_SAMPLER_CREATE, sizeof(*record), NULL);

	if (!record)
		return CL_DEVICE_NOT_AVAILABLE;
	record->sampler = sampler->id;
	record->normalized = sampler->normalized;
	record->addressing = sampler->addressing;
	record->filter = sampler->filter;
	record->reserved = 0;
	ring_commit(ring);
	return CL_SUCCESS;
}

/* `made` has its modes; a heap copy of it becomes the object. */
static cl_sampler sampler_make(cl_context context, struct _cl_sampler made, const cl_sampler_properties *list, cl_int *errcode_ret)
{
	struct session *session = context->session;
	struct _cl_sampler *sampler = malloc(sizeof(*sampler));
	cl_int error = CL_OUT_OF_HOST_MEMORY;

	if (!sampler)
		return refuse(errcode_ret, error);
	*sampler = made;
	sampler->context = context;
	if (made.property_count) {
		sampler->properties = malloc(made.property_count * sizeof(*list));
		if (!sampler->properties)
			goto free_sampler;
		memcpy(sampler->properties, list, made.property_count * sizeof(*list));
	}
	sampler->id = session_id_take(session, ID_SAMPLER);
	error = CL_OUT_OF_RESOURCES;
	if (!sampler->id)
		goto free_sampler;
	error = sampler_record(sampler);
	if (error)
		goto return_id;
	object_init(&sampler->object, OBJECT_SAMPLER);
	object_retain(context);
	refuse(errcode_ret, CL_SUCCESS);
	return sampler;

return_id:
	session_id_return(session, ID_SAMPLER, sampler->id);
free_sampler:
	free(sampler->properties);
	free(sampler);
	return refuse(errcode_ret, error);
}

cl_sampler vgpu_clCreateSamplerWithProperties(cl_context context, const cl_sampler_properties *sampler_properties, cl_int *errcode_ret)
{
	struct _cl_sampler made = { .normalized = CL_TRUE, .addressing = CL_ADDRESS_CLAMP, .filter = CL_FILTER_NEAREST };
	cl_int error;

	if (!object_is(context, OBJECT_CONTEXT))
		return refuse(errcode_ret, CL_INVALID_CONTEXT);
	if (!context->device->images)
		return refuse(errcode_ret, CL_INVALID_OPERATION);
	error = properties_read(sampler_properties, &made);
	return error ? refuse(errcode_ret, error) : sampler_make(context, made, sampler_properties, errcode_ret);
}

cl_sampler vgpu_clCreateSampler(cl_context context, cl_bool normalized_coords, cl_addressing_mode addressing_mode,
				cl_filter_mode filter_mode, cl_int *errcode_ret)
{
	const cl_sampler_properties list[] = { CL_SAMPLER_NORMALIZED_COORDS, normalized_coords, CL_SAMPLER_ADDRESSING_MODE, addressing_mode,
					       CL_SAMPLER_FILTER_MODE, filter_mode, 0 };
	struct _cl_sampler made = { 0 };
	cl_int error;

	if (!object_is(context, OBJECT_CONTEXT))
		return refuse(errcode_ret, CL_INVALID_CONTEXT);
	if (!context->device->images)
		return refuse(errcode_ret, CL_INVALID_OPERATION);
	error = properties_read(list, &made);
	made.property_count = 0;
	return error ? refuse(errcode_ret, error) : sampler_make(context, made, NULL, errcode_ret);
}

void sampler_release(struct _cl_sampler *sampler)
{
	struct _cl_context *context = sampler->context;

	if (!object_release(sampler))
		return;
	session_object_destroy(context->session, WIRE_SAMPLER_DESTROY, ID_SAMPLER, sampler->id);
	sampler->object.kind = OBJECT_DEAD;
	free(sampler->properties);
	free(sampler);
	context_release(context);
}

OBJECT_REFERENCE_CALLS(Sampler, cl_sampler, OBJECT_SAMPLER, CL_INVALID_SAMPLER, sampler_release)

cl_int vgpu_clGetSamplerInfo(cl_sampler sampler, cl_sampler_info param_name, size_t param_value_size, void *param_value,
			     size_t *param_value_size_ret)
{
	if (!object_is(sampler, OBJECT_SAMPLER))
		return CL_INVALID_SAMPLER;
	switch (param_name) {
	case CL_SAMPLER_REFERENCE_COUNT:
		INFO_ANSWER(cl_uint, object_references(sampler));
	case CL_SAMPLER_CONTEXT:
		INFO_ANSWER(cl_context, sampler->context);
	case CL_SAMPLER_NORMALIZED_COORDS:
		INFO_ANSWER(cl_bool, sampler->normalized);
	case CL_SAMPLER_ADDRESSING_MODE:
		INFO_ANSWER(cl_addressing_mode, sampler->addressing);
	case CL_SAMPLER_FILTER_MODE:
		INFO_ANSWER(cl_filter_mode, sampler->filter);
	case CL_SAMPLER_PROPERTIES:
		return info_answer(sampler->properties, sampler->property_count * sizeof(*sampler->properties), param_value_size,
				   param_value, param_value_size_ret);
	default:
		return CL_INVALID_VALUE;
	}
}
