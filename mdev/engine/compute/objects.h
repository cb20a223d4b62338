/* SPDX-License-Identifier: MIT */
/*
 * The guest's objects in one context: queues, buffers, programs, kernels, by the ids the guest chose.
 *
 * Ring thread only. Destroying takes an object out of its table at once; what commands in flight still need
 * is kept alive by OpenCL's own reference counts.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_OBJECTS_H
#define VGPU_MDEV_ENGINE_COMPUTE_OBJECTS_H

#include <CL/cl.h>
#include <stdbool.h>
#include <stdint.h>

#include "mdev/engine/compute/chunk.h"
#include "mdev/engine/compute/complete.h"
#include "mdev/engine/compute/splittable.h"
#include "shim/wire/image.h"

#define OBJECTS_VALUE_MAX 64u	/* longer argument values are set at every launch */

struct image {
	struct wire_image_shape shape;
	cl_image_format format;
	cl_mem linear;		/* of a 1D_BUFFER: the buffer it is, retained; else NULL */
};

/* A memory object: a buffer, or an image. */
struct buffer {
	cl_mem cl;
	uint64_t bytes;
	uint64_t serial;	/* never reused, unlike id and cl */
	uint64_t blob_id;	/* pinned; 0: in the device's own memory */
	struct wire_range backing;	/* with blob_id: where */
	uint64_t charged_bytes;	/* of the device's own memory; given back with the last use */
	uint32_t uses;		/* the table's, and one for each image that lies in it */
	struct buffer *parent;	/* of such an image, or NULL */
	struct image *image;	/* NULL: a buffer */
};

struct sampler {
	cl_sampler cl;
	uint64_t serial;	/* of the same count as the buffers' */
};

struct program {
	cl_program cl;		/* NULL while `late` is not, of a failed build that the helper made, and of a link that failed */
	cl_program_binary_type type;	/* NONE: it failed */
	struct late_build *late; /* its build here goes on, or waits (build_client.h) */
	uint8_t *reply;		/* struct wire_build_reply and what follows */
	uint32_t reply_bytes;
	uint64_t source_hash;
	struct splittable *splittable;	/* NULL: no kernel of it is */
};

struct kernel_arg {
	uint32_t kind;		/* enum wire_arg_kind the kernel declares; 0 = the driver does not tell */
	bool set;
	bool is_address;	/* `serial` is an address (WIRE_ARG_SVM) */
	uint32_t bytes;
	uint64_t serial;	/* BUFFER, IMAGE, SAMPLER: of the object set, 0 for NULL */
	uint8_t value[OBJECTS_VALUE_MAX];
};

struct kernel {
	cl_kernel cl;
	uint64_t name_hash;	/* of program and name: kernel_id in the lease's status page */
	/* Pieces (pieces.h) */
	bool is_splittable;
	bool ran_at_zero, ran_at_offset;	/* the driver has compiled what that takes */
	bool may_be_uneven;	/* the driver has taken a launch whose local size does not divide it */
	size_t max_group_size;
	size_t required_local[3];	/* reqd_work_group_size; zeros: none */
	struct chunk_cost cost;
	uint32_t arg_count;
	struct kernel_arg args[];
};

struct objects {
	struct complete_queue *queues[WIRE_QUEUE_COUNT];
	cl_device_id sub_devices[WIRE_SUB_DEVICE_COUNT];	/* by id; of the partitions */
	struct partitions *partitions;
	struct buffer **buffers;	/* WIRE_OBJECT_MAX each */
	struct program **programs;
	struct kernel **kernels;
	struct sampler **samplers;
	uint32_t buffer_id_end;		/* no buffer has this id or a higher one */
	uint64_t next_serial;
	uint64_t charged_bytes;		/* of device buffers */
};

int objects_init(struct objects *objects);

/* Releases everything, kernels first. No command may be running. */
void objects_finish(struct objects *objects, struct blobs *blobs);

/* What clGetKernelArgInfo says of each argument, as wire kinds. Returns a kernel that owns cl, or NULL. */
struct kernel *kernel_create(cl_kernel cl, uint64_t name_hash);
void kernel_destroy(struct kernel *kernel);
/* enum wire_arg_kind of an argument, 0 of one that is none of them. May set the argument: before its first use. */
uint32_t kernel_arg_kind(cl_kernel cl, uint32_t index);
void program_destroy(struct program *program);
void sampler_destroy(struct sampler *sampler);

/* Of what is in no table any more. */
void buffer_free(struct buffer *buffer);

/* FNV-1a. */
uint64_t hash_bytes(uint64_t seed, const void *bytes, size_t count);
#endif
