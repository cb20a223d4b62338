/* SPDX-License-Identifier: MIT */
/*
 * Sub-devices of a vGPU: some of the host device's compute units, for queues made on them.
 *
 * What a sub-device restricts is where the kernels of its queues run; memory, limits, share and engine are the vGPU's, so that a
 * context may be over any of one vGPU's. It cannot be divided further. A partition is known here only until a queue is made on
 * one of its parts: then the session's engine makes the host device's (WIRE_PARTITION), under ids of the session.
 */
#include <stdlib.h>
#include <string.h>

#include "shim/opencl/object.h"

/* A partition that the engine of one session has. */
struct partition_made {
	struct partition_made *next;
	const struct partition *partition;	/* it ends this when it ends itself */
	uint32_t first;
};

/* ---- what can be had ------------------------------------------------------------------------------ */

static cl_uint units_of(const struct _cl_device_id *device)
{
	return device->partition ? device->partition->units[device->part] :
				   (cl_uint)device_number(device, CL_DEVICE_MAX_COMPUTE_UNITS, 1);
}

static cl_uint max_sub_devices(const struct _cl_device_id *device)
{
	uint64_t most = device->partition || device->capset->version_max < 2 ? 0 :
			device_number(device, CL_DEVICE_PARTITION_MAX_SUB_DEVICES, 0);

	return most < WIRE_SUB_DEVICE_COUNT ? (cl_uint)most : WIRE_SUB_DEVICE_COUNT - 1;
}

/* Those of the host's ways to divide that are carried: `ret_kinds` has room for 3. How many, with the closing 0. */
static size_t partition_kinds(const struct _cl_device_id *device, cl_device_partition_property *ret_kinds)
{
	size_t bytes = 0, count = 0;
	const uint8_t *host = device_info_find(device, CL_DEVICE_PARTITION_PROPERTIES, &bytes);
	cl_device_partition_property kind;
	bool have[2] = { false, false };

	for (size_t i = 0; host && max_sub_devices(device) && (i + 1) * sizeof(kind) <= bytes; i++) {
		memcpy(&kind, host + i * sizeof(kind), sizeof(kind));
		have[0] |= kind == CL_DEVICE_PARTITION_EQUALLY;
		have[1] |= kind == CL_DEVICE_PARTITION_BY_COUNTS;
	}
	if (have[0])
		ret_kinds[count++] = CL_DEVICE_PARTITION_EQUALLY;
	if (have[1])
		ret_kinds[count++] = CL_DEVICE_PARTITION_BY_COUNTS;
	ret_kinds[count++] = 0;
	return count;
}

cl_int sub_device_info(const struct _cl_device_id *device, cl_device_info param_name, size_t param_value_size, void *param_value,
		       size_t *param_value_size_ret)
{
	const struct partition *partition = device->partition;
	cl_device_partition_property kinds[3];

	switch (param_name) {
	case CL_DEVICE_MAX_COMPUTE_UNITS:
		INFO_ANSWER(cl_uint, units_of(device));
	case CL_DEVICE_PARTITION_MAX_SUB_DEVICES:
		INFO_ANSWER(cl_uint, max_sub_devices(device));
	case CL_DEVICE_PARTITION_PROPERTIES:
		return info_answer(kinds, partition_kinds(device, kinds) * sizeof(*kinds), param_value_size, param_value,
				   param_value_size_ret);
	case CL_DEVICE_PARTITION_AFFINITY_DOMAIN:
		INFO_ANSWER(cl_device_affinity_domain, 0);
	case CL_DEVICE_PARTITION_TYPE:
		if (partition)
			return info_answer(partition->properties, partition->property_count * sizeof(*partition->properties),
					   param_value_size, param_value, param_value_size_ret);
		INFO_ANSWER(cl_device_partition_property, 0);
	case CL_DEVICE_PARENT_DEVICE:
		INFO_ANSWER(cl_device_id, partition ? partition->root : NULL);
	case CL_DEVICE_REFERENCE_COUNT:
		INFO_ANSWER(cl_uint, partition ? object_references(device) : 1);
	default:
		return 1;
	}
}

/* ---- creation ------------------------------------------------------------------------------------- */

/* What the properties ask for, of OpenCL 3.0 §4.3. `ret_counts` NULL: only how many. */
static cl_int properties_read(const struct _cl_device_id *device, const cl_device_partition_property *properties,
			      uint32_t *ret_units, uint32_t *ret_count, size_t *ret_property_count)
{
	const uint64_t units = units_of(device);
	cl_device_partition_property kinds[3];
	bool known = false;
	uint64_t total = 0;
	uint32_t count = 0;
	size_t i;

	if (!properties || !properties[0])
		return CL_INVALID_VALUE;
	for (i = 0; i < partition_kinds(device, kinds) - 1; i++)
		known |= properties[0] == kinds[i];
	if (!known)
		return device->partition ? CL_DEVICE_PARTITION_FAILED : CL_INVALID_VALUE;
	if (properties[0] == CL_DEVICE_PARTITION_EQUALLY) {
		if (properties[1] <= 0 || properties[2] != 0)
			return CL_INVALID_VALUE;
		if ((uint64_t)properties[1] > units)
			return CL_DEVICE_PARTITION_FAILED;
		count = (uint32_t)(units / (uint64_t)properties[1]);
		*ret_property_count = 3;
		if (count > max_sub_devices(device))
			return CL_DEVICE_PARTITION_FAILED;
		for (i = 0; ret_units && i < count; i++)
			ret_units[i] = (uint32_t)properties[1];
	} else {
		for (i = 1; properties[i] != CL_DEVICE_PARTITION_BY_COUNTS_LIST_END; i++) {
			if (properties[i] < 0 || (uint64_t)properties[i] > units || count == max_sub_devices(device))
				return CL_INVALID_DEVICE_PARTITION_COUNT;
			total += (uint64_t)properties[i];
			if (ret_units)
				ret_units[count] = (uint32_t)properties[i];
			count++;
		}
		if (!count || total > units)
			return CL_INVALID_DEVICE_PARTITION_COUNT;
		*ret_property_count = i + 2;	/* what follows the list's end is not looked at: some leave the second 0 out */
	}
	*ret_count = count;
	return CL_SUCCESS;
}

static void partition_release(struct partition *partition)
{
	struct _cl_device_id *root = partition->root;

	if (__atomic_fetch_sub(&partition->references, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	pthread_mutex_lock(&root->lock);
	if (root->session)
		session_partition_end(root->session, partition);
	pthread_mutex_unlock(&root->lock);
	free(partition->properties);
	free(partition);
}

static struct _cl_device_id *sub_device_create(struct partition *partition, uint32_t part)
{
	struct _cl_device_id *device = malloc(sizeof(*device));

	if (!device)
		return NULL;
	memcpy(device, partition->root, sizeof(*device));
	object_init(&device->object, OBJECT_DEVICE);
	device->partition = partition;
	device->part = part;
	device->session = NULL;
	pthread_mutex_init(&device->lock, NULL);
	__atomic_fetch_add(&partition->references, 1, __ATOMIC_RELAXED);
	return device;
}

void device_retain(struct _cl_device_id *device)
{
	if (device->partition)
		object_retain(device);
}

void device_release(struct _cl_device_id *device)
{
	if (!device->partition || !object_release(device))
		return;
	device->object.kind = OBJECT_DEAD;
	partition_release(device->partition);
	pthread_mutex_destroy(&device->lock);
	free(device);
}

static cl_int partition_make(struct _cl_device_id *device, const cl_device_partition_property *properties, uint32_t count,
			     size_t property_count, cl_device_id *ret_devices)
{
	struct partition *partition = calloc(1, sizeof(*partition) + count * sizeof(partition->units[0]));
	cl_int error = CL_OUT_OF_HOST_MEMORY;

	if (partition)
		partition->properties = malloc(property_count * sizeof(*properties));
	if (!partition || !partition->properties) {
		free(partition);
		return error;
	}
	partition->references = 1;
	partition->root = device;
	memcpy(partition->properties, properties, (property_count - 1) * sizeof(*properties));
	partition->properties[property_count - 1] = 0;
	partition->property_count = property_count;
	partition->equally = properties[0] == CL_DEVICE_PARTITION_EQUALLY;
	partition->count = count;
	error = properties_read(device, properties, partition->units, &count, &property_count);
	for (uint32_t i = 0; !error && i < count; i++) {
		ret_devices[i] = sub_device_create(partition, i);
		if (ret_devices[i])
			continue;
		error = CL_OUT_OF_HOST_MEMORY;
		while (i--)
			device_release(ret_devices[i]);
		break;
	}
	partition_release(partition);
	return error;
}

cl_int vgpu_clCreateSubDevices(cl_device_id in_device, const cl_device_partition_property *properties, cl_uint num_devices,
			       cl_device_id *out_devices, cl_uint *num_devices_ret)
{
	size_t property_count = 0;
	uint32_t count = 0;
	cl_int error;

	if (!object_is(in_device, OBJECT_DEVICE))
		return CL_INVALID_DEVICE;
	error = properties_read(in_device, properties, NULL, &count, &property_count);
	if (!error && out_devices && num_devices < count)
		error = CL_INVALID_VALUE;
	if (!error && out_devices)
		error = partition_make(in_device, properties, count, property_count, out_devices);
	if (!error && num_devices_ret)
		*num_devices_ret = count;
	return error;
}

cl_int vgpu_clRetainDevice(cl_device_id device)
{
	if (!object_is(device, OBJECT_DEVICE))
		return CL_INVALID_DEVICE;
	device_retain(device);
	return CL_SUCCESS;
}

cl_int vgpu_clReleaseDevice(cl_device_id device)
{
	if (!object_is(device, OBJECT_DEVICE))
		return CL_INVALID_DEVICE;
	device_release(device);
	return CL_SUCCESS;
}

/* cl_ext_device_fission, whose properties have other values: not reported, and no vGPU can be divided by them. */
cl_int vgpu_clCreateSubDevicesEXT(cl_device_id in_device, const cl_device_partition_property_ext *properties, cl_uint num_entries,
				  cl_device_id *out_devices, cl_uint *num_devices)
{
	(void)properties;
	(void)num_entries;
	(void)out_devices;
	(void)num_devices;
	return object_is(in_device, OBJECT_DEVICE) ? CL_INVALID_VALUE : CL_INVALID_DEVICE;
}

cl_int vgpu_clRetainDeviceEXT(cl_device_id device)
{
	return vgpu_clRetainDevice(device);
}

cl_int vgpu_clReleaseDeviceEXT(cl_device_id device)
{
	return vgpu_clReleaseDevice(device);
}

/* ---- at the engine --------------------------------------------------------------------------------- */

/* `count` ids in a row; 0: there are none. */
static uint32_t ids_take_locked(struct session *session, uint32_t count)
{
	for (uint32_t first = 1, run = 0; first + run < WIRE_SUB_DEVICE_COUNT;) {
		uint32_t id = first + run;

		if (session->sub_devices_taken[id / 64] & (1ull << (id % 64))) {
			first = id + 1;
			run = 0;
			continue;
		}
		if (++run < count)
			continue;
		for (uint32_t i = first; i < first + count; i++)
			session->sub_devices_taken[i / 64] |= 1ull << (i % 64);
		return first;
	}
	return 0;
}

static bool partition_write(struct session *session, const struct partition *partition, uint32_t first)
{
	size_t bytes = (partition->count * sizeof(uint32_t) + 7) & ~(size_t)7;
	struct wire_partition *record = ring_begin(session->ring, WIRE_PARTITION, sizeof(*record) + bytes, NULL);

	if (!record)
		return false;
	record->first = first;
	record->count = partition->count;
	record->kind = partition->equally ? WIRE_PARTITION_EQUALLY : WIRE_PARTITION_BY_COUNTS;
	memset(record + 1, 0, bytes);
	memcpy(record + 1, partition->units, partition->count * sizeof(uint32_t));
	ring_commit(session->ring);
	return true;
}

uint32_t sub_device_id(struct session *session, const struct _cl_device_id *device)
{
	const struct partition *partition = device->partition;
	struct partition_made *made;
	uint32_t first = 0;

	/* The record is written under the lock, so that no queue of another thread's is before it in the ring. */
	pthread_mutex_lock(&session->id_lock);
	for (made = session->partitions; made && made->partition != partition; made = made->next)
		;
	if (made) {
		first = made->first;
	} else if ((made = calloc(1, sizeof(*made)))) {
		first = ids_take_locked(session, partition->count);
		if (first && partition_write(session, partition, first)) {
			*made = (struct partition_made){ session->partitions, partition, first };
			session->partitions = made;
		} else {
			free(made);
			first = 0;
		}
	}
	pthread_mutex_unlock(&session->id_lock);
	return first ? first + device->part : 0;
}

void session_partition_end(struct session *session, const struct partition *partition)
{
	struct partition_made **link = &session->partitions, *made;

	pthread_mutex_lock(&session->id_lock);
	while (*link && (*link)->partition != partition)
		link = &(*link)->next;
	made = *link;
	if (made) {
		*link = made->next;
		for (uint32_t id = made->first; id < made->first + partition->count; id++) {
			struct wire_destroy *record = ring_begin(session->ring, WIRE_SUB_DEVICE_DESTROY, sizeof(*record), NULL);

			if (record) {
				record->id = id;
				ring_commit(session->ring);
			}
			session->sub_devices_taken[id / 64] &= ~(1ull << (id % 64));
		}
	}
	pthread_mutex_unlock(&session->id_lock);
	if (made)
		ring_flush(session->ring);
	free(made);
}

void session_partitions_free(struct session *session)
{
	struct partition_made *made;

	while ((made = session->partitions)) {
		session->partitions = made->next;
		free(made);
	}
}
