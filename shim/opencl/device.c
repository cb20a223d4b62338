/* SPDX-License-Identifier: MIT */
/*
 * The platform and its devices: one per vGPU that the transports find.
 *
 * A device's answers are the host device's, as the capset's table has them, but for those in device_override: what the
 * vGPU itself decides (name, memory), and what cannot be carried to a guest and is therefore reported as absent.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/opencl/device_programs.h"
#include "shim/opencl/svm.h"

#define VENDOR "vgpud"

cl_int info_answer(const void *value, size_t bytes, size_t room, void *ret_value, size_t *ret_bytes)
{
	if (ret_value && room < bytes)
		return CL_INVALID_VALUE;
	if (ret_value && bytes)
		memcpy(ret_value, value, bytes);
	if (ret_bytes)
		*ret_bytes = bytes;
	return CL_SUCCESS;
}

/* ---- enumeration -------------------------------------------------------------------------------- */

/* Made once per process: the ICD interface wants the same handles at each call. */
static struct {
	pthread_once_t once;
	struct _cl_platform_id platform;
	struct _cl_device_id **devices;
	cl_uint count;
} inventory = { .once = PTHREAD_ONCE_INIT };

/* Extensions that need nothing but the kernel language, so that building on the host carries them. */
static const char *const carried_extensions[] = {
	"cl_khr_byte_addressable_store", "cl_khr_global_int32_base_atomics", "cl_khr_global_int32_extended_atomics",
	"cl_khr_local_int32_base_atomics", "cl_khr_local_int32_extended_atomics", "cl_khr_int64_base_atomics",
	"cl_khr_int64_extended_atomics", "cl_khr_fp64", "cl_khr_fp16", "cles_khr_int64", "cl_khr_extended_bit_ops",
	"cl_khr_expect_assume", "cl_khr_select_fprounding_mode", "cl_clang_storage_class_specifiers",
};

/* Those that need images. */
static const char *const image_extensions[] = { "cl_khr_3d_image_writes", "cl_khr_image2d_from_buffer", "cl_khr_depth_images" };

/* Optional features of OpenCL C 3.0 that need an API that is not there. */
static const char *const dropped_features[] = {
	"__opencl_c_pipes", "__opencl_c_device_enqueue", "__opencl_c_subgroups",
};
static const char *const image_features[] = {
	"__opencl_c_images", "__opencl_c_3d_image_writes", "__opencl_c_read_write_images",
};

static bool listed(const char *name, size_t length, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(list[i]) == length && memcmp(list[i], name, length) == 0)
			return true;
	return false;
}
#define LISTED(name, length, list) listed(name, length, list, sizeof(list) / sizeof(*(list)))

const void *device_info_find(const struct _cl_device_id *device, uint32_t param, size_t *ret_bytes)
{
	const uint8_t *at = (const uint8_t *)(device->capset + 1);
	size_t left = device->capset->info_bytes;

	while (left >= sizeof(struct wire_info)) {
		struct wire_info info;
		size_t padded;

		memcpy(&info, at, sizeof(info));
		padded = ((size_t)info.bytes + 7) & ~(size_t)7;
		if (padded > left - sizeof(info))
			break;
		if (info.param == param) {
			*ret_bytes = info.bytes;
			return at + sizeof(info);
		}
		at += sizeof(info) + padded;
		left -= sizeof(info) + padded;
	}
	return NULL;
}

uint64_t device_number(const struct _cl_device_id *device, uint32_t param, uint64_t otherwise)
{
	size_t bytes;
	const void *value = device_info_find(device, param, &bytes);
	uint64_t number = 0;

	if (!value || bytes > sizeof(number))
		return otherwise;
	memcpy(&number, value, bytes);
	return number;
}

static const char *device_string(const struct _cl_device_id *device, uint32_t param)
{
	size_t bytes;
	const char *value = device_info_find(device, param, &bytes);

	return value && bytes > 0 && value[bytes - 1] == '\0' ? value : "";
}

/* 3.0 hosts are 3.0; 2.x would promise what is not there (SVM), so it is 1.2. */
static bool device_is_3(const struct _cl_device_id *device)
{
	return strncmp(device_string(device, CL_DEVICE_VERSION), "OpenCL 3", 8) == 0;
}

static bool word_in(const char *word, const char *list)
{
	while (*list) {
		size_t length = strcspn(list, " ");

		if (length == strlen(word) && memcmp(list, word, length) == 0)
			return true;
		list += length;
		list += strspn(list, " ");
	}
	return false;
}

/* The host's, else 1.0.0, the first of any extension. */
static cl_version extension_version(const struct _cl_device_id *device, const char *name)
{
	size_t bytes = 0;
	const uint8_t *all = device_info_find(device, CL_DEVICE_EXTENSIONS_WITH_VERSION, &bytes);
	cl_name_version version;

	for (size_t at = 0; all && at + sizeof(version) <= bytes; at += sizeof(version)) {
		memcpy(&version, all + at, sizeof(version));
		if (strncmp(version.name, name, sizeof(version.name)) == 0 && version.version)
			return version.version;
	}
	return CL_MAKE_VERSION(1, 0, 0);
}

static int extensions_filter(struct _cl_device_id *device)
{
	const char *all = device_string(device, CL_DEVICE_EXTENSIONS);
	size_t words = strlen(all) / 2 + 1;

	device->extensions = calloc(1, strlen(all) + 1);
	device->extension_versions = calloc(words, sizeof(*device->extension_versions));
	if (!device->extensions || !device->extension_versions)
		return -1;
	while (*all) {
		size_t length = strcspn(all, " ");

		if ((LISTED(all, length, carried_extensions) || device_programs_carry_extension(device, all, length) ||
		     (device->images && LISTED(all, length, image_extensions))) && device->extension_count < words) {
			cl_name_version *version = &device->extension_versions[device->extension_count++];

			if (device->extensions[0])
				strcat(device->extensions, " ");
			strncat(device->extensions, all, length);
			snprintf(version->name, sizeof(version->name), "%.*s", (int)length, all);
			version->version = extension_version(device, version->name);
		}
		all += length;
		all += strspn(all, " ");
	}
	return 0;
}

static struct _cl_device_id *device_create(unsigned index, struct wire_capset *capset)
{
	struct _cl_device_id *device = calloc(1, sizeof(*device));
	const size_t *sizes;
	size_t bytes;

	if (!device)
		return NULL;
	object_init(&device->object, OBJECT_DEVICE);
	device->index = index;
	device->capset = capset;
	snprintf(device->name, sizeof(device->name), "vGPU %.*s", (int)sizeof(capset->vgpu_name) - 1, capset->vgpu_name);
	snprintf(device->driver_version, sizeof(device->driver_version), "%s (host %.*s)", VGPU_VERSION,
		 (int)sizeof(capset->host_version) - 1, capset->host_version);
	device->images = capset->version_max >= 2 && (capset->flags & WIRE_CAPS_IMAGES) &&
			 device_number(device, CL_DEVICE_IMAGE_SUPPORT, 0);
	device->image2d_from_buffer = device->images && word_in("cl_khr_image2d_from_buffer", device_string(device, CL_DEVICE_EXTENSIONS));
	if (extensions_filter(device) < 0) {
		free(device->extensions);
		free(device->extension_versions);
		free(device);
		return NULL;
	}
	sizes = device_info_find(device, CL_DEVICE_MAX_WORK_ITEM_SIZES, &bytes);
	for (size_t i = 0; i < 3; i++)
		device->max_work_item_sizes[i] = sizes && bytes >= (i + 1) * 8 ? sizes[i] : 1;
	device->local_mem_bytes = device_number(device, CL_DEVICE_LOCAL_MEM_SIZE, 32768);
	device->max_work_group_size = device_number(device, CL_DEVICE_MAX_WORK_GROUP_SIZE, 1);
	device->max_parameter_bytes = device_number(device, CL_DEVICE_MAX_PARAMETER_SIZE, 1024);
	device->out_of_order = device_number(device, CL_DEVICE_QUEUE_ON_HOST_PROPERTIES, 0) &
			       CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE;
	device->non_uniform = device_number(device, CL_DEVICE_NON_UNIFORM_WORK_GROUP_SUPPORT, 0);
	device->svm = svm_capabilities(capset, device_number(device, CL_DEVICE_SVM_CAPABILITIES, 0));
	pthread_mutex_init(&device->lock, NULL);
	pthread_mutex_init(&device->format_lock, NULL);
	return device;
}

/* The child has no engine: its sessions are lost, the locks of threads that are gone are made anew. */
static void after_fork(void)
{
	for (cl_uint i = 0; i < inventory.count; i++) {
		struct _cl_device_id *device = inventory.devices[i];

		pthread_mutex_init(&device->lock, NULL);
		pthread_mutex_init(&device->format_lock, NULL);
		if (device->session)
			session_after_fork(device->session);
	}
}

static void inventory_make(void)
{
	struct wire_capset **capsets = NULL;
	int count = transport_enumerate(&capsets);

	object_init(&inventory.platform.object, OBJECT_PLATFORM);
	if (count <= 0)
		return;
	inventory.devices = calloc((size_t)count, sizeof(*inventory.devices));
	for (int i = 0; i < count; i++) {
		struct _cl_device_id *device = inventory.devices && (capsets[i]->flags & WIRE_CAPS_COMPUTE) ?
					       device_create((unsigned)i, capsets[i]) : NULL;

		if (device)
			inventory.devices[inventory.count++] = device;
		else
			free(capsets[i]);
	}
	free(capsets);
	pthread_atfork(NULL, NULL, after_fork);
}

struct _cl_platform_id *platform_get(void)
{
	pthread_once(&inventory.once, inventory_make);
	return &inventory.platform;
}

cl_uint devices_get(struct _cl_device_id ***ret_devices)
{
	pthread_once(&inventory.once, inventory_make);
	*ret_devices = inventory.devices;
	return inventory.count;
}

/* ---- platform ------------------------------------------------------------------------------------ */

cl_int vgpu_clIcdGetPlatformIDsKHR(cl_uint num_entries, cl_platform_id *platforms, cl_uint *num_platforms)
{
	struct _cl_platform_id *platform = platform_get();

	if ((num_entries == 0 && platforms) || (!platforms && !num_platforms))
		return CL_INVALID_VALUE;
	if (inventory.count == 0) {	/* no vGPU here: as if not installed */
		if (num_platforms)
			*num_platforms = 0;
		return CL_PLATFORM_NOT_FOUND_KHR;
	}
	if (platforms)
		platforms[0] = platform;
	if (num_platforms)
		*num_platforms = 1;
	return CL_SUCCESS;
}

cl_int vgpu_clGetPlatformIDs(cl_uint num_entries, cl_platform_id *platforms, cl_uint *num_platforms)
{
	return vgpu_clIcdGetPlatformIDsKHR(num_entries, platforms, num_platforms);
}

cl_int vgpu_clGetPlatformInfo(cl_platform_id platform, cl_platform_info param_name, size_t param_value_size,
			      void *param_value, size_t *param_value_size_ret)
{
	static const cl_name_version extensions[] = { { CL_MAKE_VERSION(1, 0, 0), "cl_khr_icd" } };

	if (!object_is(platform, OBJECT_PLATFORM))
		return CL_INVALID_PLATFORM;
	switch (param_name) {
	case CL_PLATFORM_PROFILE:
		INFO_ANSWER_STRING("FULL_PROFILE");
	case CL_PLATFORM_VERSION:
		INFO_ANSWER_STRING("OpenCL 3.0 vgpud " VGPU_VERSION);
	case CL_PLATFORM_NUMERIC_VERSION:
		INFO_ANSWER(cl_version, CL_MAKE_VERSION(3, 0, 0));
	case CL_PLATFORM_NAME:
		INFO_ANSWER_STRING("vGPU");
	case CL_PLATFORM_VENDOR:
		INFO_ANSWER_STRING(VENDOR);
	case CL_PLATFORM_EXTENSIONS:
		INFO_ANSWER_STRING("cl_khr_icd");
	case CL_PLATFORM_EXTENSIONS_WITH_VERSION:
		return info_answer(extensions, sizeof(extensions), param_value_size, param_value, param_value_size_ret);
	case CL_PLATFORM_ICD_SUFFIX_KHR:
		INFO_ANSWER_STRING("VGPU");
	case CL_PLATFORM_HOST_TIMER_RESOLUTION:
		INFO_ANSWER(cl_ulong, 1);
	default:
		return CL_INVALID_VALUE;
	}
}

/* ---- devices ------------------------------------------------------------------------------------- */

cl_int vgpu_clGetDeviceIDs(cl_platform_id platform, cl_device_type device_type, cl_uint num_entries,
			   cl_device_id *devices, cl_uint *num_devices)
{
	const cl_device_type known = CL_DEVICE_TYPE_DEFAULT | CL_DEVICE_TYPE_CPU | CL_DEVICE_TYPE_GPU |
				     CL_DEVICE_TYPE_ACCELERATOR | CL_DEVICE_TYPE_CUSTOM;
	cl_uint found = 0;

	if (platform && !object_is(platform, OBJECT_PLATFORM))
		return CL_INVALID_PLATFORM;
	if (device_type != CL_DEVICE_TYPE_ALL && (device_type == 0 || (device_type & ~known)))
		return CL_INVALID_DEVICE_TYPE;
	if ((num_entries == 0 && devices) || (!devices && !num_devices))
		return CL_INVALID_VALUE;
	platform_get();
	for (cl_uint i = 0; i < inventory.count; i++) {
		cl_device_type type = device_number(inventory.devices[i], CL_DEVICE_TYPE, CL_DEVICE_TYPE_GPU);
		bool match = device_type == CL_DEVICE_TYPE_ALL || (device_type & type) ||
			     ((device_type & CL_DEVICE_TYPE_DEFAULT) && i == 0);

		if (!match)
			continue;
		if (devices && found < num_entries)
			devices[found] = inventory.devices[i];
		found++;
	}
	if (found == 0)
		return CL_DEVICE_NOT_FOUND;
	if (num_devices)
		*num_devices = found;
	return CL_SUCCESS;
}

/* Parameters whose answer is always zero: `bytes` of it. */
struct device_zero {
	cl_device_info param;
	size_t bytes;
};
static const struct device_zero device_zeros[] = {
	{ CL_DEVICE_IL_VERSION, 1 },			/* "" */
	{ CL_DEVICE_ILS_WITH_VERSION, 0 },
	{ CL_DEVICE_BUILT_IN_KERNELS, 1 },
	{ CL_DEVICE_BUILT_IN_KERNELS_WITH_VERSION, 0 },
	{ CL_DEVICE_LINKER_AVAILABLE, sizeof(cl_bool) },
	{ CL_DEVICE_QUEUE_ON_DEVICE_PROPERTIES, sizeof(cl_command_queue_properties) },
	{ CL_DEVICE_QUEUE_ON_DEVICE_PREFERRED_SIZE, sizeof(cl_uint) },
	{ CL_DEVICE_QUEUE_ON_DEVICE_MAX_SIZE, sizeof(cl_uint) },
	{ CL_DEVICE_MAX_ON_DEVICE_QUEUES, sizeof(cl_uint) },
	{ CL_DEVICE_MAX_ON_DEVICE_EVENTS, sizeof(cl_uint) },
	{ CL_DEVICE_DEVICE_ENQUEUE_CAPABILITIES, sizeof(cl_device_device_enqueue_capabilities) },
	{ CL_DEVICE_PIPE_SUPPORT, sizeof(cl_bool) },
	{ CL_DEVICE_MAX_PIPE_ARGS, sizeof(cl_uint) },
	{ CL_DEVICE_PIPE_MAX_ACTIVE_RESERVATIONS, sizeof(cl_uint) },
	{ CL_DEVICE_PIPE_MAX_PACKET_SIZE, sizeof(cl_uint) },
	{ CL_DEVICE_MAX_NUM_SUB_GROUPS, sizeof(cl_uint) },
	{ CL_DEVICE_SUB_GROUP_INDEPENDENT_FORWARD_PROGRESS, sizeof(cl_bool) },
};

/* Where there are no images. */
static const struct device_zero image_zeros[] = {
	{ CL_DEVICE_IMAGE_SUPPORT, sizeof(cl_bool) },
	{ CL_DEVICE_MAX_READ_IMAGE_ARGS, sizeof(cl_uint) },
	{ CL_DEVICE_MAX_WRITE_IMAGE_ARGS, sizeof(cl_uint) },
	{ CL_DEVICE_MAX_READ_WRITE_IMAGE_ARGS, sizeof(cl_uint) },
	{ CL_DEVICE_IMAGE2D_MAX_WIDTH, sizeof(size_t) },
	{ CL_DEVICE_IMAGE2D_MAX_HEIGHT, sizeof(size_t) },
	{ CL_DEVICE_IMAGE3D_MAX_WIDTH, sizeof(size_t) },
	{ CL_DEVICE_IMAGE3D_MAX_HEIGHT, sizeof(size_t) },
	{ CL_DEVICE_IMAGE3D_MAX_DEPTH, sizeof(size_t) },
	{ CL_DEVICE_IMAGE_MAX_BUFFER_SIZE, sizeof(size_t) },
	{ CL_DEVICE_IMAGE_MAX_ARRAY_SIZE, sizeof(size_t) },
	{ CL_DEVICE_IMAGE_PITCH_ALIGNMENT, sizeof(cl_uint) },
	{ CL_DEVICE_IMAGE_BASE_ADDRESS_ALIGNMENT, sizeof(cl_uint) },
	{ CL_DEVICE_MAX_SAMPLERS, sizeof(cl_uint) },
};

static cl_int features_answer(const struct _cl_device_id *device, size_t room, void *ret_value, size_t *ret_bytes)
{
	size_t bytes = 0, count = 0;
	const void *table = device_info_find(device, CL_DEVICE_OPENCL_C_FEATURES, &bytes);
	cl_name_version *kept, feature;
	cl_int error;

	if (!table)
		return CL_INVALID_VALUE;
	kept = malloc(bytes + 1);
	if (!kept)
		return CL_OUT_OF_HOST_MEMORY;
	for (size_t i = 0; i < bytes / sizeof(feature); i++) {
		memcpy(&feature, (const uint8_t *)table + i * sizeof(feature), sizeof(feature));
		feature.name[sizeof(feature.name) - 1] = '\0';
		if ((!LISTED(feature.name, strlen(feature.name), dropped_features) ||
		     (!strcmp(feature.name, "__opencl_c_subgroups") && device_has_sub_groups(device))) &&
		    (device->images || !LISTED(feature.name, strlen(feature.name), image_features)))
			kept[count++] = feature;
	}
	error = info_answer(kept, count * sizeof(feature), room, ret_value, ret_bytes);
	free(kept);
	return error;
}

static size_t printf_buffer_bytes(const struct _cl_device_id *device)
{
	size_t bytes = device_number(device, CL_DEVICE_PRINTF_BUFFER_SIZE, 0);

	return bytes < WIRE_OUTPUT_KEPT_BYTES ? bytes : WIRE_OUTPUT_KEPT_BYTES;
}

/* CL_SUCCESS or an error: answered here. 1: as the host's table says. */
static cl_int device_override(const struct _cl_device_id *device, cl_device_info param_name, size_t param_value_size,
			      void *param_value, size_t *param_value_size_ret)
{
	static const uint64_t zero[2];
	char text[128];

	for (size_t i = 0; i < sizeof(device_zeros) / sizeof(*device_zeros); i++)
		if (device_zeros[i].param == param_name && !device_programs_carry_info(device, param_name))
			return info_answer(zero, device_zeros[i].bytes, param_value_size, param_value, param_value_size_ret);
	for (size_t i = 0; !device->images && i < sizeof(image_zeros) / sizeof(*image_zeros); i++)
		if (image_zeros[i].param == param_name)
			return info_answer(zero, image_zeros[i].bytes, param_value_size, param_value, param_value_size_ret);
	switch (param_name) {
	case CL_DEVICE_NAME:
		INFO_ANSWER_STRING(device->name);
	case CL_DEVICE_VENDOR:
		INFO_ANSWER_STRING(VENDOR);
	case CL_DRIVER_VERSION:
		INFO_ANSWER_STRING(device->driver_version);
	case CL_DEVICE_VERSION:
		snprintf(text, sizeof(text), "OpenCL %s vgpud %s", device_is_3(device) ? "3.0" : "1.2", VGPU_VERSION);
		INFO_ANSWER_STRING(text);
	case CL_DEVICE_NUMERIC_VERSION:
		INFO_ANSWER(cl_version, device_is_3(device) ? CL_MAKE_VERSION(3, 0, 0) : CL_MAKE_VERSION(1, 2, 0));
	case CL_DEVICE_PLATFORM:
		INFO_ANSWER(cl_platform_id, platform_get());
	case CL_DEVICE_GLOBAL_MEM_SIZE:
		INFO_ANSWER(cl_ulong, device->capset->vram_bytes);
	case CL_DEVICE_MAX_MEM_ALLOC_SIZE:
		INFO_ANSWER(cl_ulong, device->capset->max_alloc_bytes);
	case CL_DEVICE_MEM_BASE_ADDR_ALIGN:
		INFO_ANSWER(cl_uint, device->capset->mem_align_bytes * 8);
	case CL_DEVICE_AVAILABLE:
	case CL_DEVICE_COMPILER_AVAILABLE:
	case CL_DEVICE_PREFERRED_INTEROP_USER_SYNC:
		INFO_ANSWER(cl_bool, CL_TRUE);
	case CL_DEVICE_EXECUTION_CAPABILITIES:
		INFO_ANSWER(cl_device_exec_capabilities, CL_EXEC_KERNEL);
	case CL_DEVICE_QUEUE_ON_HOST_PROPERTIES:
		INFO_ANSWER(cl_command_queue_properties, CL_QUEUE_PROFILING_ENABLE |
			    (device->out_of_order ? CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE : 0));
	case CL_DEVICE_PRINTF_BUFFER_SIZE:	/* what the engine keeps, if the host's device does not keep less */
		INFO_ANSWER(size_t, printf_buffer_bytes(device));
	case CL_DEVICE_EXTENSIONS:
		INFO_ANSWER_STRING(device->extensions);
	case CL_DEVICE_EXTENSIONS_WITH_VERSION:
		return info_answer(device->extension_versions,
				   device->extension_count * sizeof(*device->extension_versions),
				   param_value_size, param_value, param_value_size_ret);
	case CL_DEVICE_OPENCL_C_FEATURES:
		return features_answer(device, param_value_size, param_value, param_value_size_ret);
	case CL_DEVICE_SVM_CAPABILITIES:
		INFO_ANSWER(cl_device_svm_capabilities, device->svm);
	case CL_DEVICE_PREFERRED_PLATFORM_ATOMIC_ALIGNMENT:
		INFO_ANSWER(cl_uint, device->svm ? (cl_uint)device_number(device, param_name, 0) : 0);
	case CL_DEVICE_LATEST_CONFORMANCE_VERSION_PASSED:
		INFO_ANSWER_STRING("v0000-00-00-00");
	default:
		return 1;
	}
}

cl_int vgpu_clGetDeviceInfo(cl_device_id device, cl_device_info param_name, size_t param_value_size, void *param_value,
			    size_t *param_value_size_ret)
{
	const void *value;
	size_t bytes;
	cl_int error;

	if (!object_is(device, OBJECT_DEVICE))
		return CL_INVALID_DEVICE;
	error = sub_device_info(device, param_name, param_value_size, param_value, param_value_size_ret);
	if (error == 1)
		error = device_override(device, param_name, param_value_size, param_value, param_value_size_ret);
	if (error != 1)
		return error;
	value = (param_name & WIRE_INFO_PLATFORM) ? NULL : device_info_find(device, param_name, &bytes);
	return value ? info_answer(value, bytes, param_value_size, param_value, param_value_size_ret) : CL_INVALID_VALUE;
}

cl_int vgpu_clGetDeviceAndHostTimer(cl_device_id device, cl_ulong *device_timestamp, cl_ulong *host_timestamp)
{
	struct session *session;
	cl_int error;

	if (!object_is(device, OBJECT_DEVICE))
		return CL_INVALID_DEVICE;
	if (!device_timestamp || !host_timestamp)
		return CL_INVALID_VALUE;
	error = session_get(device, &session);
	if (error)
		return error;
	*device_timestamp = ring_device_now_ns(session->ring);
	*host_timestamp = ring_now_ns();
	session_release(session);
	return CL_SUCCESS;
}

cl_int vgpu_clGetHostTimer(cl_device_id device, cl_ulong *host_timestamp)
{
	if (!object_is(device, OBJECT_DEVICE))
		return CL_INVALID_DEVICE;
	if (!host_timestamp)
		return CL_INVALID_VALUE;
	*host_timestamp = ring_now_ns();
	return CL_SUCCESS;
}
