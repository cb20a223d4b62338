/* SPDX-License-Identifier: MIT */
/*
 * The entry points for what this device does not offer, each with the error that OpenCL 3.0 gives for it.
 *
 * The one place that lists them: a feature that is built moves from here to a file of its own, and from
 * ENTRY_POINTS_UNSUPPORTED to ENTRY_POINTS_IMPLEMENTED. docs/OPENCL.md is the same list for readers.
 */
#include "shim/opencl/object.h"

/* Parameters are what the specification names; the answers depend on few of them. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

/* Pipes: CL_DEVICE_PIPE_SUPPORT is CL_FALSE. */
cl_mem vgpu_clCreatePipe(cl_context context, cl_mem_flags flags, cl_uint pipe_packet_size,
	cl_uint pipe_max_packets, const cl_pipe_properties *properties, cl_int *errcode_ret)
{
	return refuse(errcode_ret, object_is(context, OBJECT_CONTEXT) ? CL_INVALID_OPERATION : CL_INVALID_CONTEXT);
}

cl_int vgpu_clGetPipeInfo(cl_mem pipe, cl_pipe_info param_name, size_t param_value_size, void *param_value,
	size_t *param_value_size_ret)
{
	return CL_INVALID_MEM_OBJECT;
}

/* Queues on the device, native kernels: reported as absent. */
cl_int vgpu_clSetDefaultDeviceCommandQueue(cl_context context, cl_device_id device,
	cl_command_queue command_queue)
{
	if (!object_is(context, OBJECT_CONTEXT))
		return CL_INVALID_CONTEXT;
	if (!context_has(context, device))
		return CL_INVALID_DEVICE;
	return object_is(command_queue, OBJECT_QUEUE) ? CL_INVALID_OPERATION : CL_INVALID_COMMAND_QUEUE;
}

cl_int vgpu_clEnqueueNativeKernel(cl_command_queue command_queue, void(CL_CALLBACK *user_func)(void *),
	void *args, size_t cb_args, cl_uint num_mem_objects, const cl_mem *mem_list, const void **args_mem_loc,
	cl_uint num_events_in_wait_list, const cl_event *event_wait_list, cl_event *event)
{
	return object_is(command_queue, OBJECT_QUEUE) ? CL_INVALID_OPERATION : CL_INVALID_COMMAND_QUEUE;
}

/* Sharing with OpenGL and EGL: the extensions are not reported. */
cl_mem vgpu_clCreateFromGLBuffer(cl_context context, cl_mem_flags flags, cl_GLuint bufobj, int *errcode_ret)
{
	return refuse(errcode_ret, CL_INVALID_OPERATION);
}

cl_mem vgpu_clCreateFromGLTexture(cl_context context, cl_mem_flags flags, cl_GLenum target, cl_GLint miplevel,
	cl_GLuint texture, cl_int *errcode_ret)
{
	return refuse(errcode_ret, CL_INVALID_OPERATION);
}

cl_mem vgpu_clCreateFromGLTexture2D(cl_context context, cl_mem_flags flags, cl_GLenum target,
	cl_GLint miplevel, cl_GLuint texture, cl_int *errcode_ret)
{
	return refuse(errcode_ret, CL_INVALID_OPERATION);
}

cl_mem vgpu_clCreateFromGLTexture3D(cl_context context, cl_mem_flags flags, cl_GLenum target,
	cl_GLint miplevel, cl_GLuint texture, cl_int *errcode_ret)
{
	return refuse(errcode_ret, CL_INVALID_OPERATION);
}

cl_mem vgpu_clCreateFromGLRenderbuffer(cl_context context, cl_mem_flags flags, cl_GLuint renderbuffer,
	cl_int *errcode_ret)
{
	return refuse(errcode_ret, CL_INVALID_OPERATION);
}

cl_int vgpu_clGetGLObjectInfo(cl_mem memobj, cl_gl_object_type *gl_object_type, cl_GLuint *gl_object_name)
{
	return CL_INVALID_GL_OBJECT;
}

cl_int vgpu_clGetGLTextureInfo(cl_mem memobj, cl_gl_texture_info param_name, size_t param_value_size,
	void *param_value, size_t *param_value_size_ret)
{
	return CL_INVALID_MEM_OBJECT;
}

cl_int vgpu_clEnqueueAcquireGLObjects(cl_command_queue command_queue, cl_uint num_objects,
	const cl_mem *mem_objects, cl_uint num_events_in_wait_list, const cl_event *event_wait_list,
	cl_event *event)
{
	return CL_INVALID_OPERATION;
}

cl_int vgpu_clEnqueueReleaseGLObjects(cl_command_queue command_queue, cl_uint num_objects,
	const cl_mem *mem_objects, cl_uint num_events_in_wait_list, const cl_event *event_wait_list,
	cl_event *event)
{
	return CL_INVALID_OPERATION;
}

cl_int vgpu_clGetGLContextInfoKHR(const cl_context_properties *properties, cl_gl_context_info param_name,
	size_t param_value_size, void *param_value, size_t *param_value_size_ret)
{
	return CL_INVALID_OPERATION;
}

cl_event vgpu_clCreateEventFromGLsyncKHR(cl_context context, cl_GLsync sync, cl_int *errcode_ret)
{
	return refuse(errcode_ret, CL_INVALID_OPERATION);
}

cl_mem vgpu_clCreateFromEGLImageKHR(cl_context context, CLeglDisplayKHR display, CLeglImageKHR image,
	cl_mem_flags flags, const cl_egl_image_properties_khr *properties, cl_int *errcode_ret)
{
	return refuse(errcode_ret, CL_INVALID_OPERATION);
}

cl_int vgpu_clEnqueueAcquireEGLObjectsKHR(cl_command_queue command_queue, cl_uint num_objects,
	const cl_mem *mem_objects, cl_uint num_events_in_wait_list, const cl_event *event_wait_list,
	cl_event *event)
{
	return CL_INVALID_OPERATION;
}

cl_int vgpu_clEnqueueReleaseEGLObjectsKHR(cl_command_queue command_queue, cl_uint num_objects,
	const cl_mem *mem_objects, cl_uint num_events_in_wait_list, const cl_event *event_wait_list,
	cl_event *event)
{
	return CL_INVALID_OPERATION;
}

cl_event vgpu_clCreateEventFromEGLSyncKHR(cl_context context, CLeglSyncKHR sync, CLeglDisplayKHR display,
	cl_int *errcode_ret)
{
	return refuse(errcode_ret, CL_INVALID_OPERATION);
}

/* Direct3D and DX9 media: not on this platform. */
cl_int unsupported_windows(void)
{
	return CL_INVALID_OPERATION;
}
