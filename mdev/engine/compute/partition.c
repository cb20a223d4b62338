/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compute/partition.h"

#include <stdlib.h>
#include <string.h>

struct way {
	bool equally;
	uint32_t count;
	uint32_t *units;
	cl_device_id *devices;
};

struct partitions {
	uint32_t count;
	struct way ways[PARTITIONS_MAX];
};

static const struct way *way_find(const struct partitions *partitions, const struct parsed_partition *asked)
{
	for (uint32_t i = 0; i < partitions->count; i++) {
		const struct way *way = &partitions->ways[i];

		if (way->equally == asked->equally && way->count == asked->count &&
		    !memcmp(way->units, asked->units, asked->count * sizeof(asked->units[0])))
			return way;
	}
	return NULL;
}

/* CL_DEVICE_PARTITION_FAILED unless the device gives exactly as many. */
static int divide(cl_device_id device, const struct parsed_partition *asked, cl_device_id *ret_devices)
{
	cl_device_partition_property properties[WIRE_SUB_DEVICE_COUNT + 3];
	cl_uint count = 0;
	unsigned used = 0;

	properties[used++] = asked->equally ? CL_DEVICE_PARTITION_EQUALLY : CL_DEVICE_PARTITION_BY_COUNTS;
	for (uint32_t i = 0; i < (asked->equally ? 1 : asked->count); i++)
		properties[used++] = asked->units[i];
	if (!asked->equally)
		properties[used++] = CL_DEVICE_PARTITION_BY_COUNTS_LIST_END;
	properties[used] = 0;
	/* Asked first: a device may give more than there is room for. */
	if (clCreateSubDevices(device, properties, 0, NULL, &count) || count != asked->count ||
	    clCreateSubDevices(device, properties, count, ret_devices, NULL))
		return CL_DEVICE_PARTITION_FAILED;
	return 0;
}

int partition_take(struct partitions **partitions, cl_device_id device, const struct parsed_partition *asked,
		   const cl_device_id **ret_devices)
{
	if (!*partitions)
		*partitions = calloc(1, sizeof(**partitions));
	if (!*partitions)
		return CL_OUT_OF_HOST_MEMORY;
	const struct way *known = way_find(*partitions, asked);
	if (known) {
		*ret_devices = known->devices;
		return 0;
	}
	if ((*partitions)->count == PARTITIONS_MAX)
		return CL_OUT_OF_RESOURCES;
	struct way way = {
		.equally = asked->equally,
		.count = asked->count,
		.units = malloc(asked->count * sizeof(*way.units)),
		.devices = calloc(asked->count, sizeof(*way.devices)),
	};
	int error = way.units && way.devices ? divide(device, asked, way.devices) : CL_OUT_OF_HOST_MEMORY;
	if (error) {
		free(way.units);
		free(way.devices);
		return error;
	}
	memcpy(way.units, asked->units, asked->count * sizeof(*way.units));
	(*partitions)->ways[(*partitions)->count++] = way;
	*ret_devices = way.devices;
	return 0;
}

void partitions_forget(struct partitions *partitions)
{
	for (uint32_t i = 0; partitions && i < partitions->count; i++) {
		free(partitions->ways[i].units);
		free(partitions->ways[i].devices);
	}
	free(partitions);
}
