/* SPDX-License-Identifier: MIT */
/* OpenCL 3.0 §4.4, §5.1: contexts and command queues. */
#include "tests/conformance/conformance.h"

static void CL_CALLBACK context_ended(cl_context context, void *data)
{
	(void)context;
	(void)data;
}

static void contexts(void)
{
	const cl_context_properties unknown[] = {0x7777, 1, 0};
	const cl_context_properties twice[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)s.platform, CL_CONTEXT_PLATFORM,
					       (cl_context_properties)s.platform, 0};
	const cl_context_properties no_platform[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)s.queue, 0};
	cl_device_id other = (cl_device_id)s.queue, null = NULL;

	CHECK_MADE(clCreateContext, "an unknown property", clCreateContext(unknown, 1, &s.device, NULL, NULL, &err), CL_INVALID_PROPERTY);
	CHECK_MADE(clCreateContext, "a property twice", clCreateContext(twice, 1, &s.device, NULL, NULL, &err), CL_INVALID_PROPERTY);
	if (wrong_kinds) {
		CHECK_MADE(clCreateContext, "a platform that is another object", clCreateContext(no_platform, 1, &s.device, NULL, NULL, &err),
			   CL_INVALID_PLATFORM);
		CHECK_MADE(clCreateContext, "a device that is another object", clCreateContext(NULL, 1, &other, NULL, NULL, &err), CL_INVALID_DEVICE);
	}
	CHECK_MADE(clCreateContext, "a device NULL", clCreateContext(NULL, 1, &null, NULL, NULL, &err), CL_INVALID_DEVICE);
	CHECK_MADE(clCreateContext, "no devices", clCreateContext(NULL, 0, &s.device, NULL, NULL, &err), CL_INVALID_VALUE);
	CHECK_MADE(clCreateContext, "no list of devices", clCreateContext(NULL, 1, NULL, NULL, NULL, &err), CL_INVALID_VALUE);
	CHECK_MADE(clCreateContext, "data without a callback", clCreateContext(NULL, 1, &s.device, NULL, &err, &err), CL_INVALID_VALUE);
	CHECK_MADE(clCreateContextFromType, "an unknown property", clCreateContextFromType(unknown, CL_DEVICE_TYPE_ALL, NULL, NULL, &err),
		   CL_INVALID_PROPERTY, CL_INVALID_PLATFORM);
	CHECK_MADE(clCreateContextFromType, "type 0", clCreateContextFromType(NULL, 0, NULL, NULL, &err), CL_INVALID_DEVICE_TYPE);
	CHECK_MADE(clCreateContextFromType, "a type that is not there", clCreateContextFromType(NULL, CL_DEVICE_TYPE_CUSTOM, NULL, NULL, &err),
		   CL_DEVICE_NOT_FOUND);
	CHECK_MADE(clCreateContextFromType, "data without a callback", clCreateContextFromType(NULL, CL_DEVICE_TYPE_ALL, NULL, &err, &err),
		   CL_INVALID_VALUE);
	CHECK_HANDLE(clRetainContext, cl_context, CL_INVALID_CONTEXT, clRetainContext(bad));
	CHECK_HANDLE(clReleaseContext, cl_context, CL_INVALID_CONTEXT, clReleaseContext(bad));
	CHECK_HANDLE(clGetContextInfo, cl_context, CL_INVALID_CONTEXT, clGetContextInfo(bad, CL_CONTEXT_DEVICES, 0, NULL, NULL));
	CHECK_QUERY(clGetContextInfo, CL_CONTEXT_DEVICES, clGetContextInfo(s.context, param, size, value, NULL));
	CHECK_HANDLE(clSetContextDestructorCallback, cl_context, CL_INVALID_CONTEXT, clSetContextDestructorCallback(bad, context_ended, NULL));
	CHECK(clSetContextDestructorCallback, "no callback", clSetContextDestructorCallback(s.context, NULL, NULL), CL_INVALID_VALUE);
}

void errors_context(void)
{
	const cl_queue_properties unknown[] = {0x7777, 1, 0}, unknown_bit[] = {CL_QUEUE_PROPERTIES, 1 << 20, 0};
	const cl_queue_properties on_device[] = {CL_QUEUE_PROPERTIES, CL_QUEUE_ON_DEVICE | CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, 0};
	const cl_queue_properties default_in_order[] = {CL_QUEUE_PROPERTIES, CL_QUEUE_ON_DEVICE_DEFAULT, 0};
	cl_command_queue_properties before;

	contexts();
	CHECK_HANDLE(clCreateCommandQueueWithProperties, cl_context, CL_INVALID_CONTEXT,
		     MADE(clCreateCommandQueueWithProperties(bad, s.device, NULL, &err)));
	CHECK_HANDLE(clCreateCommandQueueWithProperties, cl_device_id, CL_INVALID_DEVICE,
		     MADE(clCreateCommandQueueWithProperties(s.context, bad, NULL, &err)));
	CHECK_MADE(clCreateCommandQueueWithProperties, "an unknown property", clCreateCommandQueueWithProperties(s.context, s.device, unknown, &err),
		   CL_INVALID_VALUE);
	CHECK_MADE(clCreateCommandQueueWithProperties, "an unknown bit",
		   clCreateCommandQueueWithProperties(s.context, s.device, unknown_bit, &err), CL_INVALID_VALUE);
	if (!s.has_device_queues)
		CHECK_MADE(clCreateCommandQueueWithProperties, "a queue on the device where there are none",
			   clCreateCommandQueueWithProperties(s.context, s.device, on_device, &err), CL_INVALID_QUEUE_PROPERTIES);
	CHECK_MADE(clCreateCommandQueueWithProperties, "a default queue that is not on the device",
		   clCreateCommandQueueWithProperties(s.context, s.device, default_in_order, &err), CL_INVALID_VALUE, CL_INVALID_QUEUE_PROPERTIES);
	CHECK_HANDLE(clCreateCommandQueue, cl_context, CL_INVALID_CONTEXT, MADE(clCreateCommandQueue(bad, s.device, 0, &err)));
	CHECK_HANDLE(clCreateCommandQueue, cl_device_id, CL_INVALID_DEVICE, MADE(clCreateCommandQueue(s.context, bad, 0, &err)));
	CHECK_MADE(clCreateCommandQueue, "an unknown bit", clCreateCommandQueue(s.context, s.device, 1 << 20, &err), CL_INVALID_VALUE);
	CHECK_HANDLE(clRetainCommandQueue, cl_command_queue, CL_INVALID_COMMAND_QUEUE, clRetainCommandQueue(bad));
	CHECK_HANDLE(clReleaseCommandQueue, cl_command_queue, CL_INVALID_COMMAND_QUEUE, clReleaseCommandQueue(bad));
	CHECK_HANDLE(clGetCommandQueueInfo, cl_command_queue, CL_INVALID_COMMAND_QUEUE, clGetCommandQueueInfo(bad, CL_QUEUE_CONTEXT, 0, NULL, NULL));
	CHECK_QUERY(clGetCommandQueueInfo, CL_QUEUE_CONTEXT, clGetCommandQueueInfo(s.queue, param, size, value, NULL));
	CHECK(clGetCommandQueueInfo, "the size of a queue on the host", clGetCommandQueueInfo(s.queue, CL_QUEUE_SIZE, 0, NULL, NULL),
	      CL_INVALID_COMMAND_QUEUE);
	CHECK_HANDLE(clSetCommandQueueProperty, cl_command_queue, CL_INVALID_COMMAND_QUEUE, clSetCommandQueueProperty(bad, 0, CL_TRUE, &before));
	CHECK_HANDLE(clFlush, cl_command_queue, CL_INVALID_COMMAND_QUEUE, clFlush(bad));
	CHECK_HANDLE(clFinish, cl_command_queue, CL_INVALID_COMMAND_QUEUE, clFinish(bad));
}
