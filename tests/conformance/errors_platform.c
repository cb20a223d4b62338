/* SPDX-License-Identifier: MIT */
/* OpenCL 3.0 §4.1 to §4.3, §5.1.5: platforms, devices, sub-devices, timers. */
#include "tests/conformance/conformance.h"

static void sub_devices(void)
{
	const cl_device_partition_property more[] = {CL_DEVICE_PARTITION_EQUALLY, (cl_device_partition_property)s.units + 1, 0};
	const cl_device_partition_property ones[] = {CL_DEVICE_PARTITION_EQUALLY, 1, 0};
	const cl_device_partition_property counts[] = {CL_DEVICE_PARTITION_BY_COUNTS, (cl_device_partition_property)s.units, 1, 0, 0};
	const cl_device_partition_property domain[] = {CL_DEVICE_PARTITION_BY_AFFINITY_DOMAIN, 1 << 20, 0};
	const cl_device_partition_property unknown[] = {0x7777, 1, 0}, none[] = {0};
	cl_device_id parts[256];

	CHECK_HANDLE(clCreateSubDevices, cl_device_id, CL_INVALID_DEVICE, clCreateSubDevices(bad, ones, 256, parts, NULL));
	CHECK(clCreateSubDevices, "no properties", clCreateSubDevices(s.device, NULL, 256, parts, NULL), CL_INVALID_VALUE);
	CHECK(clCreateSubDevices, "an empty list of properties", clCreateSubDevices(s.device, none, 256, parts, NULL), CL_INVALID_VALUE);
	CHECK(clCreateSubDevices, "an unknown property", clCreateSubDevices(s.device, unknown, 256, parts, NULL), CL_INVALID_VALUE);
	CHECK(clCreateSubDevices, "an unknown affinity domain", clCreateSubDevices(s.device, domain, 256, parts, NULL), CL_INVALID_VALUE);
	if (!s.divides)
		return;
	CHECK(clCreateSubDevices, "more units each than there are", clCreateSubDevices(s.device, more, 256, parts, NULL),
	      CL_DEVICE_PARTITION_FAILED, CL_INVALID_VALUE);
	CHECK(clCreateSubDevices, "counts that are too many", clCreateSubDevices(s.device, counts, 256, parts, NULL),
	      CL_INVALID_DEVICE_PARTITION_COUNT, CL_DEVICE_PARTITION_FAILED);
	CHECK(clCreateSubDevices, "too little room", clCreateSubDevices(s.device, ones, 1, parts, NULL), CL_INVALID_VALUE);
}

void errors_platform(void)
{
	cl_platform_id platform;
	cl_device_id device;
	cl_uint count;
	cl_ulong time;

	CHECK(clGetPlatformIDs, "no entries but room", clGetPlatformIDs(0, &platform, NULL), CL_INVALID_VALUE);
	CHECK(clGetPlatformIDs, "nowhere to answer", clGetPlatformIDs(0, NULL, NULL), CL_INVALID_VALUE);
	if (wrong_kinds)
		CHECK(clGetPlatformInfo, "cl_platform_id that is another object",
		      clGetPlatformInfo((cl_platform_id)s.queue, CL_PLATFORM_NAME, 0, NULL, NULL), CL_INVALID_PLATFORM);
	CHECK_QUERY(clGetPlatformInfo, CL_PLATFORM_NAME, clGetPlatformInfo(s.platform, param, size, value, NULL));
	if (wrong_kinds)
		CHECK(clGetDeviceIDs, "cl_platform_id that is another object",
		      clGetDeviceIDs((cl_platform_id)s.queue, CL_DEVICE_TYPE_ALL, 1, &device, NULL), CL_INVALID_PLATFORM);
	CHECK(clGetDeviceIDs, "type 0", clGetDeviceIDs(s.platform, 0, 1, &device, NULL), CL_INVALID_DEVICE_TYPE);
	CHECK(clGetDeviceIDs, "an unknown type", clGetDeviceIDs(s.platform, 1 << 20, 1, &device, NULL), CL_INVALID_DEVICE_TYPE);
	CHECK(clGetDeviceIDs, "no entries but room", clGetDeviceIDs(s.platform, CL_DEVICE_TYPE_ALL, 0, &device, &count), CL_INVALID_VALUE);
	CHECK(clGetDeviceIDs, "nowhere to answer", clGetDeviceIDs(s.platform, CL_DEVICE_TYPE_ALL, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK(clGetDeviceIDs, "a type that is not there", clGetDeviceIDs(s.platform, CL_DEVICE_TYPE_CUSTOM, 1, &device, NULL), CL_DEVICE_NOT_FOUND);
	CHECK_HANDLE(clGetDeviceInfo, cl_device_id, CL_INVALID_DEVICE, clGetDeviceInfo(bad, CL_DEVICE_NAME, 0, NULL, NULL));
	CHECK_QUERY(clGetDeviceInfo, CL_DEVICE_NAME, clGetDeviceInfo(s.device, param, size, value, NULL));
	CHECK_HANDLE(clRetainDevice, cl_device_id, CL_INVALID_DEVICE, clRetainDevice(bad));
	CHECK_HANDLE(clReleaseDevice, cl_device_id, CL_INVALID_DEVICE, clReleaseDevice(bad));
	CHECK(clRetainDevice, "of a root device", clRetainDevice(s.device), CL_SUCCESS);
	CHECK(clReleaseDevice, "of a root device", clReleaseDevice(s.device), CL_SUCCESS);
	sub_devices();
	CHECK_HANDLE(clGetDeviceAndHostTimer, cl_device_id, CL_INVALID_DEVICE, clGetDeviceAndHostTimer(bad, &time, &time));
	CHECK(clGetDeviceAndHostTimer, "no room for the device's", clGetDeviceAndHostTimer(s.device, NULL, &time), CL_INVALID_VALUE, CL_INVALID_OPERATION);
	CHECK(clGetDeviceAndHostTimer, "no room for the host's", clGetDeviceAndHostTimer(s.device, &time, NULL), CL_INVALID_VALUE, CL_INVALID_OPERATION);
	CHECK_HANDLE(clGetHostTimer, cl_device_id, CL_INVALID_DEVICE, clGetHostTimer(bad, &time));
	CHECK(clGetHostTimer, "no room", clGetHostTimer(s.device, NULL), CL_INVALID_VALUE, CL_INVALID_OPERATION);
	if (wrong_kinds)
		CHECK(clUnloadPlatformCompiler, "cl_platform_id that is another object", clUnloadPlatformCompiler((cl_platform_id)s.queue),
		      CL_INVALID_PLATFORM);
	CHECK(clUnloadPlatformCompiler, "a right one", clUnloadPlatformCompiler(s.platform), CL_SUCCESS);
	CHECK(clGetExtensionFunctionAddressForPlatform, "a name of nothing",
	      clGetExtensionFunctionAddressForPlatform(s.platform, "clNoSuchFunctionVGPU") ? 1 : 0, 0);
	CHECK_HANDLE(clSetDefaultDeviceCommandQueue, cl_context, CL_INVALID_CONTEXT, clSetDefaultDeviceCommandQueue(bad, s.device, s.queue));
	CHECK_HANDLE(clSetDefaultDeviceCommandQueue, cl_device_id, CL_INVALID_DEVICE, clSetDefaultDeviceCommandQueue(s.context, bad, s.queue));
	CHECK_HANDLE(clSetDefaultDeviceCommandQueue, cl_command_queue, CL_INVALID_COMMAND_QUEUE, clSetDefaultDeviceCommandQueue(s.context, s.device, bad));
	if (!s.has_device_queues)
		CHECK(clSetDefaultDeviceCommandQueue, "a device without queues of its own",
		      clSetDefaultDeviceCommandQueue(s.context, s.device, s.queue), CL_INVALID_OPERATION);
}
