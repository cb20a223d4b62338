/* SPDX-License-Identifier: MIT */
/*
 * The entry points for what this device does not offer, each with the error that OpenCL 3.0 gives for it.
 *
 * The one place that lists them: a feature that is built moves from here to a file of its own, and from
 * ENTRY_POINTS_UNSUPPORTED to ENTRY_POINTS_IMPLEMENTED. docs/OPENCL.md is the same list for readers.
 */
#include "shim/opencl/object.h"

/* Parameters are what the specification names; the answers depend on none but errcode_ret. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

/* Images: CL_DEVICE_IMAGE_SUPPORT is CL_FALSE, so creation is CL_INVALID_OPERATION, and no handle can be an image. */
cl_mem vgpu_clCreateImage(cl_context context, cl_mem_flags flags, const cl_image_format *image_format,
	const cl_image_desc *image_desc, void *host_ptr, cl_int *errcode_ret)
{
	return refuse(errcode_ret, CL_INVALID_OPERATION);
}

cl_mem vgpu_clCreateImage2D(cl_context context, cl_mem_flags flags, const cl_image_format *image_format,
	size_t image_width, size_t image_height, size_t image_row_pitch, void *host_ptr, cl_int *errcode_ret)
{
	return refuse(errcode_ret, CL_INVALID_OPERATION);
}

cl_mem vgpu_clCreateImage3D(cl_context context, cl_mem_flags flags, const cl_image_format *image_format,
	size_t image_width, size_t image_height, size_t image_depth, size_t image_row_pitch,
	size_t image_slice_pitch, void *host_ptr, cl_int *errcode_ret)
{
	return refuse(errcode_ret, CL_INVALID_OPERATION);
}

cl_mem vgpu_clCreateImageWithProperties(cl_context context, const cl_mem_properties *properties,
	cl_mem_flags flags, const cl_image_format *image_format, const cl_image_desc *image_desc,
	void *host_ptr, cl_int *errcode_ret)
{
	return refuse(errcode_ret, CL_INVALID_OPERATION);
}

cl_int vgpu_clGetImageInfo(cl_mem image, cl_image_info param_name, size_t param_value_size, void *param_value,
	size_t *param_value_size_ret)
{
	return CL_INVALID_MEM_OBJECT;
}

cl_int vgpu_clEnqueueReadImage(cl_command_queue command_queue, cl_mem image, cl_bool blocking_read,
	const size_t *origin, const size_t *region, size_t row_pitch, size_t slice_pitch, void *ptr,
	cl_uint num_events_in_wait_list, const cl_event *event_wait_list, cl_event *event)
{
	return CL_INVALID_MEM_OBJECT;
}

cl_int vgpu_clEnqueueWriteImage(cl_command_queue command_queue, cl_mem image, cl_bool blocking_write,
	const size_t *origin, const size_t *region, size_t input_row_pitch, size_t input_slice_pitch,
	const void *ptr, cl_uint num_events_in_wait_list, const cl_event *event_wait_list, cl_event *event)
{
	return CL_INVALID_MEM_OBJECT;
}

cl_int vgpu_clEnqueueCopyImage(cl_command_queue command_queue, cl_mem src_image, cl_mem dst_image,
	const size_t *src_origin, const size_t *dst_origin, const size_t *region,
	cl_uint num_events_in_wait_list, const cl_event *event_wait_list, cl_event *event)
{
	return CL_INVALID_MEM_OBJECT;
}

cl_int vgpu_clEnqueueCopyImageToBuffer(cl_command_queue command_queue, cl_mem src_image, cl_mem dst_buffer,
	const size_t *src_origin, const size_t *region, size_t dst_offset, cl_uint num_events_in_wait_list,
	const cl_event *event_wait_list, cl_event *event)
{
	return CL_INVALID_MEM_OBJECT;
}

cl_int vgpu_clEnqueueCopyBufferToImage(cl_command_queue command_queue, cl_mem src_buffer, cl_mem dst_image,
	size_t src_offset, const size_t *dst_origin, const size_t *region, cl_uint num_events_in_wait_list,
	const cl_event *event_wait_list, cl_event *event)
{
	return CL_INVALID_MEM_OBJECT;
}

cl_int vgpu_clEnqueueFillImage(cl_command_queue command_queue, cl_mem image, const void *fill_color,
	const size_t origin[3], const size_t region[3], cl_uint num_events_in_wait_list,
	const cl_event *event_wait_list, cl_event *event)
{
	return CL_INVALID_MEM_OBJECT;
}

void *vgpu_clEnqueueMapImage(cl_command_queue command_queue, cl_mem image, cl_bool blocking_map,
	cl_map_flags map_flags, const size_t *origin, const size_t *region, size_t *image_row_pitch,
	size_t *image_slice_pitch, cl_uint num_events_in_wait_list, const cl_event *event_wait_list,
	cl_event *event, cl_int *errcode_ret)
{
	return refuse(errcode_ret, CL_INVALID_MEM_OBJECT);
}

/* Samplers: likewise. */
cl_sampler vgpu_clCreateSampler(cl_context context, cl_bool normalized_coords,
	cl_addressing_mode addressing_mode, cl_filter_mode filter_mode, cl_int *errcode_ret)
{
	return refuse(errcode_ret, CL_INVALID_OPERATION);
}

cl_sampler vgpu_clCreateSamplerWithProperties(cl_context context,
	const cl_sampler_properties *sampler_properties, cl_int *errcode_ret)
{
	return refuse(errcode_ret, CL_INVALID_OPERATION);
}

cl_int vgpu_clRetainSampler(cl_sampler sampler)
{
	return CL_INVALID_SAMPLER;
}

cl_int vgpu_clReleaseSampler(cl_sampler sampler)
{
	return CL_INVALID_SAMPLER;
}

cl_int vgpu_clGetSamplerInfo(cl_sampler sampler, cl_sampler_info param_name, size_t param_value_size,
	void *param_value, size_t *param_value_size_ret)
{
	return CL_INVALID_SAMPLER;
}

/* Pipes: CL_DEVICE_PIPE_SUPPORT is CL_FALSE. */
cl_mem vgpu_clCreatePipe(cl_context context, cl_mem_flags flags, cl_uint pipe_packet_size,
	cl_uint pipe_max_packets, const cl_pipe_properties *properties, cl_int *errcode_ret)
{
	return refuse(errcode_ret, CL_INVALID_OPERATION);
}

cl_int vgpu_clGetPipeInfo(cl_mem pipe, cl_pipe_info param_name, size_t param_value_size, void *param_value,
	size_t *param_value_size_ret)
{
	return CL_INVALID_MEM_OBJECT;
}

/* Shared virtual memory: CL_DEVICE_SVM_CAPABILITIES is 0 (OpenCL 3.0 §5.6: CL_INVALID_OPERATION). */
void *vgpu_clSVMAlloc(cl_context context, cl_svm_mem_flags flags, size_t size, unsigned int alignment)
{
	return NULL;
}

void vgpu_clSVMFree(cl_context context, void *svm_pointer)
{
	/* Only NULL can be given, which is ignored. */
}

cl_int vgpu_clEnqueueSVMFree(cl_command_queue command_queue, cl_uint num_svm_pointers, void **svm_pointers,
	void(CL_CALLBACK *pfn_free_func)(cl_command_queue queue, cl_uint num_svm_pointers, void ** svm_pointers, void *user_data),
	void *user_data, cl_uint num_events_in_wait_list, const cl_event *event_wait_list, cl_event *event)
{
	return CL_INVALID_OPERATION;
}

cl_int vgpu_clEnqueueSVMMemcpy(cl_command_queue command_queue, cl_bool blocking_copy, void *dst_ptr,
	const void *src_ptr, size_t size, cl_uint num_events_in_wait_list, const cl_event *event_wait_list,
	cl_event *event)
{
	return CL_INVALID_OPERATION;
}

cl_int vgpu_clEnqueueSVMMemFill(cl_command_queue command_queue, void *svm_ptr, const void *pattern,
	size_t pattern_size, size_t size, cl_uint num_events_in_wait_list, const cl_event *event_wait_list,
	cl_event *event)
{
	return CL_INVALID_OPERATION;
}

cl_int vgpu_clEnqueueSVMMap(cl_command_queue command_queue, cl_bool blocking_map, cl_map_flags map_flags,
	void *svm_ptr, size_t size, cl_uint num_events_in_wait_list, const cl_event *event_wait_list,
	cl_event *event)
{
	return CL_INVALID_OPERATION;
}

cl_int vgpu_clEnqueueSVMUnmap(cl_command_queue command_queue, void *svm_ptr, cl_uint num_events_in_wait_list,
	const cl_event *event_wait_list, cl_event *event)
{
	return CL_INVALID_OPERATION;
}

cl_int vgpu_clEnqueueSVMMigrateMem(cl_command_queue command_queue, cl_uint num_svm_pointers,
	const void **svm_pointers, const size_t *sizes, cl_mem_migration_flags flags,
	cl_uint num_events_in_wait_list, const cl_event *event_wait_list, cl_event *event)
{
	return CL_INVALID_OPERATION;
}

cl_int vgpu_clSetKernelArgSVMPointer(cl_kernel kernel, cl_uint arg_index, const void *arg_value)
{
	return CL_INVALID_OPERATION;
}

cl_int vgpu_clSetKernelExecInfo(cl_kernel kernel, cl_kernel_exec_info param_name, size_t param_value_size,
	const void *param_value)
{
	return CL_INVALID_OPERATION;
}

/* Programs from anything but source: no IL version, no binary format and no built-in kernels are reported. Compile and link. */
cl_program vgpu_clCreateProgramWithBinary(cl_context context, cl_uint num_devices,
	const cl_device_id *device_list, const size_t *lengths, const unsigned char **binaries,
	cl_int *binary_status, cl_int *errcode_ret)
{
	return refuse(errcode_ret, CL_INVALID_BINARY);
}

cl_program vgpu_clCreateProgramWithBuiltInKernels(cl_context context, cl_uint num_devices,
	const cl_device_id *device_list, const char *kernel_names, cl_int *errcode_ret)
{
	return refuse(errcode_ret, CL_INVALID_VALUE);
}

cl_program vgpu_clCreateProgramWithIL(cl_context context, const void *il, size_t length, cl_int *errcode_ret)
{
	return refuse(errcode_ret, CL_INVALID_OPERATION);
}

cl_int vgpu_clCompileProgram(cl_program program, cl_uint num_devices, const cl_device_id *device_list,
	const char *options, cl_uint num_input_headers, const cl_program *input_headers,
	const char **header_include_names, void(CL_CALLBACK *pfn_notify)(cl_program program, void *user_data),
	void *user_data)
{
	return CL_INVALID_OPERATION;
}

cl_program vgpu_clLinkProgram(cl_context context, cl_uint num_devices, const cl_device_id *device_list,
	const char *options, cl_uint num_input_programs, const cl_program *input_programs,
	void(CL_CALLBACK *pfn_notify)(cl_program program, void *user_data), void *user_data,
	cl_int *errcode_ret)
{
	return refuse(errcode_ret, CL_INVALID_OPERATION);
}

cl_int vgpu_clSetProgramReleaseCallback(cl_program program,
	void(CL_CALLBACK *pfn_notify)(cl_program program, void *user_data), void *user_data)
{
	return CL_INVALID_OPERATION;
}

cl_int vgpu_clSetProgramSpecializationConstant(cl_program program, cl_uint spec_id, size_t spec_size,
	const void *spec_value)
{
	return CL_INVALID_OPERATION;
}

/* Sub-groups, queues on the device, native kernels: reported as absent. */
cl_int vgpu_clGetKernelSubGroupInfo(cl_kernel kernel, cl_device_id device, cl_kernel_sub_group_info param_name,
	size_t input_value_size, const void *input_value, size_t param_value_size, void *param_value,
	size_t *param_value_size_ret)
{
	return CL_INVALID_OPERATION;
}

cl_int vgpu_clGetKernelSubGroupInfoKHR(cl_kernel in_kernel, cl_device_id in_device,
	cl_kernel_sub_group_info param_name, size_t input_value_size, const void *input_value,
	size_t param_value_size, void *param_value, size_t *param_value_size_ret)
{
	return CL_INVALID_OPERATION;
}

cl_int vgpu_clSetDefaultDeviceCommandQueue(cl_context context, cl_device_id device,
	cl_command_queue command_queue)
{
	return CL_INVALID_OPERATION;
}

cl_int vgpu_clEnqueueNativeKernel(cl_command_queue command_queue, void(CL_CALLBACK *user_func)(void *),
	void *args, size_t cb_args, cl_uint num_mem_objects, const cl_mem *mem_list, const void **args_mem_loc,
	cl_uint num_events_in_wait_list, const cl_event *event_wait_list, cl_event *event)
{
	return CL_INVALID_OPERATION;
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
