/* SPDX-License-Identifier: MIT */
/*
 * Shared virtual memory of a context: blocks that the application has from clSVMAlloc, cut from arenas.
 *
 * An arena is a blob of its own, mapped at one address here and in the engine (wire.h, SVM_MAP), with a buffer over all of it, through
 * which copies, fills and transfers go. Fine-grained and coarse-grained blocks are the same memory. A block holds its context.
 * Any thread may call anything; nothing is called out of here with the lock held, and no record written.
 */
#ifndef VGPU_SHIM_OPENCL_SVM_H
#define VGPU_SHIM_OPENCL_SVM_H

#include "shim/opencl/buffer.h"

struct svm;

/* Where a pointer of the application's leads. The buffer lives as long as the block, which is the application's to keep. */
struct svm_place {
	struct _cl_mem *mem;		/* the arena's buffer */
	size_t offset;			/* in it */
	size_t room;			/* bytes from there to the block's end */
};

/* What a device with this capset can be said to have: CL_DEVICE_SVM_CAPABILITIES. 0 where blobs cannot be mapped as it takes. */
cl_device_svm_capabilities svm_capabilities(const struct wire_capset *capset, uint64_t host_capabilities);

/* alignment: a power of two up to a page. NULL: the vGPU's limit, or the device is lost. */
void *svm_alloc(struct _cl_context *context, size_t bytes, size_t alignment);
/* A block's first byte; anything else, NULL too, is passed over. */
void svm_free(struct _cl_context *context, void *pointer);
/* False if it leads into no block; its end belongs to it, with no room. */
bool svm_find(struct _cl_context *context, const void *pointer, struct svm_place *ret_place);
/* The context ends, so no block is left. Accepts NULL. */
void svm_finish(struct svm *svm);
#endif
