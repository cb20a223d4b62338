/* SPDX-License-Identifier: MIT */
/*
 * Every entry point of OpenCL 3.0's dispatch table, by name: what is implemented, and what answers an error.
 *
 * Each function is vgpu_<name>, with the type the dispatch table gives it, so that a wrong signature does not compile.
 */
#ifndef VGPU_SHIM_OPENCL_ENTRY_POINTS_H
#define VGPU_SHIM_OPENCL_ENTRY_POINTS_H

#define CL_USE_DEPRECATED_OPENCL_1_0_APIS
#define CL_USE_DEPRECATED_OPENCL_1_1_APIS
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#define CL_USE_DEPRECATED_OPENCL_2_0_APIS
#define CL_USE_DEPRECATED_OPENCL_2_1_APIS
#define CL_USE_DEPRECATED_OPENCL_2_2_APIS
#include <CL/cl.h>
#include <CL/cl_ext.h>
#include <CL/cl_icd.h>

#define ENTRY_POINTS_IMPLEMENTED(X) \
	X(clGetPlatformIDs) X(clGetPlatformInfo) X(clGetDeviceIDs) X(clGetDeviceInfo) X(clRetainDevice) \
	X(clReleaseDevice) X(clCreateContext) X(clCreateContextFromType) X(clRetainContext) X(clReleaseContext) \
	X(clGetContextInfo) X(clSetContextDestructorCallback) \
	X(clCreateCommandQueue) X(clCreateCommandQueueWithProperties) X(clRetainCommandQueue) X(clReleaseCommandQueue) \
	X(clGetCommandQueueInfo) X(clSetCommandQueueProperty) X(clFlush) X(clFinish) \
	X(clCreateBuffer) X(clCreateBufferWithProperties) X(clCreateSubBuffer) X(clRetainMemObject) \
	X(clReleaseMemObject) X(clGetMemObjectInfo) X(clSetMemObjectDestructorCallback) \
	X(clEnqueueReadBuffer) X(clEnqueueWriteBuffer) X(clEnqueueReadBufferRect) X(clEnqueueWriteBufferRect) \
	X(clEnqueueCopyBufferRect) X(clEnqueueCopyBuffer) X(clEnqueueFillBuffer) X(clEnqueueMapBuffer) \
	X(clEnqueueUnmapMemObject) X(clEnqueueMigrateMemObjects) \
	X(clCreateProgramWithSource) X(clRetainProgram) X(clReleaseProgram) X(clBuildProgram) X(clGetProgramInfo) \
	X(clGetProgramBuildInfo) X(clUnloadCompiler) X(clUnloadPlatformCompiler) \
	X(clCreateProgramWithBinary) X(clCreateProgramWithBuiltInKernels) X(clCreateProgramWithIL) X(clCompileProgram) \
	X(clLinkProgram) X(clSetProgramReleaseCallback) X(clSetProgramSpecializationConstant) \
	X(clGetKernelSubGroupInfo) X(clGetKernelSubGroupInfoKHR) \
	X(clCreateKernel) X(clCreateKernelsInProgram) X(clCloneKernel) X(clRetainKernel) X(clReleaseKernel) \
	X(clSetKernelArg) X(clGetKernelInfo) X(clGetKernelArgInfo) X(clGetKernelWorkGroupInfo) \
	X(clEnqueueNDRangeKernel) X(clEnqueueTask) \
	X(clEnqueueMarker) X(clEnqueueBarrier) X(clEnqueueWaitForEvents) X(clEnqueueMarkerWithWaitList) \
	X(clEnqueueBarrierWithWaitList) \
	X(clWaitForEvents) X(clGetEventInfo) X(clRetainEvent) X(clReleaseEvent) X(clGetEventProfilingInfo) \
	X(clSetEventCallback) X(clCreateUserEvent) X(clSetUserEventStatus) \
	X(clGetDeviceAndHostTimer) X(clGetHostTimer) \
	X(clGetExtensionFunctionAddress) X(clGetExtensionFunctionAddressForPlatform) \
	X(clSVMAlloc) X(clSVMFree) X(clEnqueueSVMFree) X(clEnqueueSVMMemcpy) X(clEnqueueSVMMemFill) X(clEnqueueSVMMap) \
	X(clEnqueueSVMUnmap) X(clEnqueueSVMMigrateMem) X(clSetKernelArgSVMPointer) X(clSetKernelExecInfo) \
	X(clGetSupportedImageFormats) \
	X(clCreateSubDevices) X(clCreateSubDevicesEXT) X(clRetainDeviceEXT) X(clReleaseDeviceEXT) \
	X(clCreateImage) X(clCreateImage2D) X(clCreateImage3D) X(clCreateImageWithProperties) X(clGetImageInfo) \
	X(clEnqueueReadImage) X(clEnqueueWriteImage) X(clEnqueueCopyImage) X(clEnqueueCopyImageToBuffer) \
	X(clEnqueueCopyBufferToImage) X(clEnqueueFillImage) X(clEnqueueMapImage) \
	X(clCreateSampler) X(clCreateSamplerWithProperties) X(clRetainSampler) X(clReleaseSampler) X(clGetSamplerInfo)

/* In unsupported.c. docs/OPENCL.md says which error each one answers. */
#define ENTRY_POINTS_UNSUPPORTED(X) \
	X(clCreatePipe) X(clGetPipeInfo) \
	X(clSetDefaultDeviceCommandQueue) X(clEnqueueNativeKernel) \
	X(clCreateFromGLBuffer) X(clCreateFromGLTexture) X(clCreateFromGLTexture2D) X(clCreateFromGLTexture3D) \
	X(clCreateFromGLRenderbuffer) X(clGetGLObjectInfo) X(clGetGLTextureInfo) X(clEnqueueAcquireGLObjects) \
	X(clEnqueueReleaseGLObjects) X(clGetGLContextInfoKHR) X(clCreateEventFromGLsyncKHR) \
	X(clCreateFromEGLImageKHR) X(clEnqueueAcquireEGLObjectsKHR) X(clEnqueueReleaseEGLObjectsKHR) \
	X(clCreateEventFromEGLSyncKHR)

/* Typed `void *` off Windows; every one of them is unsupported_windows. */
#define ENTRY_POINTS_WINDOWS(X) \
	X(clGetDeviceIDsFromD3D10KHR) X(clCreateFromD3D10BufferKHR) X(clCreateFromD3D10Texture2DKHR) \
	X(clCreateFromD3D10Texture3DKHR) X(clEnqueueAcquireD3D10ObjectsKHR) X(clEnqueueReleaseD3D10ObjectsKHR) \
	X(clGetDeviceIDsFromD3D11KHR) X(clCreateFromD3D11BufferKHR) X(clCreateFromD3D11Texture2DKHR) \
	X(clCreateFromD3D11Texture3DKHR) X(clEnqueueAcquireD3D11ObjectsKHR) X(clEnqueueReleaseD3D11ObjectsKHR) \
	X(clGetDeviceIDsFromDX9MediaAdapterKHR) X(clCreateFromDX9MediaSurfaceKHR) \
	X(clEnqueueAcquireDX9MediaSurfacesKHR) X(clEnqueueReleaseDX9MediaSurfacesKHR)

/* By the members, which all versions of the header have; the names of their types they do not share. */
#define ENTRY_POINT_DECLARE(name) extern __typeof__(*((cl_icd_dispatch *)0)->name) vgpu_##name;
ENTRY_POINTS_IMPLEMENTED(ENTRY_POINT_DECLARE)
ENTRY_POINTS_UNSUPPORTED(ENTRY_POINT_DECLARE)
#undef ENTRY_POINT_DECLARE

/* Declared by the loader's specification (cl_khr_icd). */
cl_int vgpu_clIcdGetPlatformIDsKHR(cl_uint num_entries, cl_platform_id *platforms, cl_uint *num_platforms);
cl_int unsupported_windows(void);
#endif
