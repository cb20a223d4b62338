/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compute/svm.h"

#include <errno.h>

int svm_map(struct blobs *blobs, const struct parsed_svm_map *map)
{
	switch (blobs_svm_map(blobs, map->blob_id, map->address)) {
	case 0:
		return 0;
	case -ENOENT:
		return CL_INVALID_MEM_OBJECT;
	case -EINVAL:
		return CL_INVALID_VALUE;
	case -ENOMEM:
		return CL_OUT_OF_HOST_MEMORY;
	default:
		return CL_INVALID_HOST_PTR;
	}
}

int svm_argument_set(struct blobs *blobs, struct kernel *kernel, uint32_t index, uint64_t address)
{
	struct kernel_arg *last = &kernel->args[index];

	if (last->set && last->is_address && last->serial == address)
		return 0;
	if (address && !blobs_svm_holds(blobs, address))
		return CL_INVALID_ARG_VALUE;
	last->is_address = true;
	last->serial = address;
	int error = clSetKernelArgSVMPointer(kernel->cl, index, (void *)(uintptr_t)address);
	last->set = !error;
	return error;
}
