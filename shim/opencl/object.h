/* SPDX-License-Identifier: MIT */
/*
 * The OpenCL objects of the shim and how they hold each other.
 *
 * Every object starts with the dispatch table (cl_khr_icd), then a magic that names its kind, then its references.
 * A handle from the application is looked at through object_is before anything else.
 * Children hold their parents: event -> queue, context; kernel -> program -> context -> session. Commands under way hold
 * nothing here: the engine keeps what they use until they are done.
 */
#ifndef VGPU_SHIM_OPENCL_OBJECT_H
#define VGPU_SHIM_OPENCL_OBJECT_H

#include "shim/memory.h"
#include "shim/opencl/entry_points.h"
#include "shim/opencl/recipe.h"
#include "shim/opencl/session.h"
#include "shim/ring.h"

enum object_kind {
	OBJECT_PLATFORM = 0x76474c01,
	OBJECT_DEVICE,
	OBJECT_CONTEXT,
	OBJECT_QUEUE,
	OBJECT_MEM,
	OBJECT_PROGRAM,
	OBJECT_KERNEL,
	OBJECT_EVENT,
	OBJECT_SAMPLER,
	OBJECT_DEAD = 0x76474cff,	/* what a freed object says as long as its memory is not used again */
};

struct object {
	const cl_icd_dispatch *dispatch;
	uint32_t kind;
	uint32_t references;	/* atomic */
};

extern const cl_icd_dispatch icd_dispatch;

static inline bool object_is(const void *handle, enum object_kind kind)
{
	return handle && ((const struct object *)handle)->kind == (uint32_t)kind;
}
static inline void object_init(struct object *object, enum object_kind kind)
{
	object->dispatch = &icd_dispatch;
	object->kind = kind;
	object->references = 1;
}
static inline void object_retain(void *handle)
{
	__atomic_fetch_add(&((struct object *)handle)->references, 1, __ATOMIC_RELAXED);
}
/* True when the last reference went: the caller destroys it. */
static inline bool object_release(void *handle)
{
	return __atomic_fetch_sub(&((struct object *)handle)->references, 1, __ATOMIC_ACQ_REL) == 1;
}
static inline cl_uint object_references(const void *handle)
{
	return __atomic_load_n(&((const struct object *)handle)->references, __ATOMIC_RELAXED);
}

/* clRetain and clRelease of one kind of handle. release_function lets go of one reference. */
#define OBJECT_REFERENCE_CALLS(name, handle_type, kind, invalid, release_function) \
	cl_int vgpu_clRetain##name(handle_type handle) \
	{ \
		if (!object_is(handle, kind)) \
			return invalid; \
		object_retain(handle); \
		return CL_SUCCESS; \
	} \
	cl_int vgpu_clRelease##name(handle_type handle) \
	{ \
		if (!object_is(handle, kind)) \
			return invalid; \
		release_function(handle); \
		return CL_SUCCESS; \
	}

struct _cl_platform_id {
	struct object object;
};

/* What one clCreateSubDevices made of a vGPU (sub_device.c). Held by its sub-devices. */
struct partition {
	uint32_t references;		/* atomic */
	struct _cl_device_id *root;
	cl_device_partition_property *properties;	/* as asked for, with the closing 0 */
	size_t property_count;
	bool equally;
	uint32_t count;
	uint32_t units[];		/* compute units of each */
};

struct _cl_device_id {
	struct object object;
	struct partition *partition;	/* of a sub-device; NULL: a vGPU. What follows is then the vGPU's, but for lock and session */
	uint32_t part;			/* in the partition */
	unsigned index;			/* of transport_enumerate */
	struct wire_capset *capset;
	char name[96];
	char driver_version[64];
	char *extensions;		/* filtered */
	cl_name_version *extension_versions;
	size_t extension_count;
	/* Answers of the capset that are asked for often. */
	size_t max_work_item_sizes[3];
	cl_ulong local_mem_bytes;
	size_t max_work_group_size;
	size_t max_parameter_bytes;
	bool out_of_order;		/* accepted; run in order */
	bool non_uniform;
	bool images;			/* the host carries them, and the device has them */
	bool image2d_from_buffer;
	pthread_mutex_t format_lock;	/* guards formats */
	struct image_formats *formats;	/* NULL: nobody has asked */
	cl_device_svm_capabilities svm;
	pthread_mutex_t lock;		/* guards session */
	struct session *session;	/* held, until lost */
};

/* Callbacks to be run when an object ends, newest first. */
struct end_callback {
	struct end_callback *next;
	void (*function)(void *object, void *user_data);
	void *user_data;
};

/* Both in context.c. Runs them, newest first, and frees them; nobody else may reach the object any more. */
void end_callbacks_run(struct end_callback *callbacks, void *object);
/* CL_SUCCESS, CL_INVALID_VALUE without a function, CL_OUT_OF_HOST_MEMORY. */
cl_int end_callback_add(struct _cl_context *context, struct end_callback **list, void (*function)(void *, void *),
			void *user_data);

struct _cl_context {
	struct object object;
	struct _cl_device_id *device;	/* the vGPU that all of it is on: its limits are those of its sub-devices */
	struct _cl_device_id **devices;	/* as given, each once; sub-devices are held */
	cl_uint device_count;
	struct session *session;
	cl_context_properties *properties;
	size_t property_count;		/* with the closing 0 */
	void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *);
	void *notify_data;
	pthread_mutex_t lock;		/* guards end_callbacks of the context and of its memory objects, and maps */
	struct end_callback *end_callbacks;
	struct svm *svm;		/* svm.h; NULL until it is used; made under lock */
};

struct svm;
struct command_held;
struct _cl_command_queue {
	struct object object;
	struct _cl_context *context;
	struct _cl_device_id *device;	/* one of the context's, which holds it */
	cl_command_queue_properties properties;
	cl_queue_properties *property_list;
	size_t property_count;
	uint32_t id;
	uint64_t last_sequence;		/* atomic; of its last record */
	uint64_t expected_ns;		/* atomic; predicted length of what was enqueued since the last finish */
	uint32_t probe_count;		/* atomic; waits that were predicted long */
	uint32_t expected_count;	/* atomic; NDRanges among it */
	uint32_t last_kernel_id;	/* atomic */
	uint32_t refused_seen;		/* atomic; what a finish has told of: the engine page's queue_refused then */
	/* Commands that wait for a user event (command.c), guarded by session->held_lock. */
	struct command_held *held, **held_end;
	struct _cl_command_queue *held_next;
};

struct mapping {
	struct mapping *next;
	void *pointer;
	size_t offset, bytes;		/* of a buffer */
	size_t origin[3], region[3];	/* of an image */
	cl_map_flags flags;
	bool over;			/* it was when its call returned: the region is the application's, and of no command's */
	struct memory_range staging;	/* slab NULL: none */
	struct _cl_command_queue *queue;	/* with staging: of the map, held; the engine may still be filling it */
};

struct _cl_mem {
	struct object object;
	struct _cl_context *context;
	const struct buffer_ops *ops;
	struct image *image;		/* owned; NULL: a buffer */
	cl_mem_flags flags;
	size_t bytes;
	void *host_ptr;			/* as given with USE_HOST_PTR */
	bool uses_svm;			/* which is shared virtual memory */
	struct _cl_mem *parent;		/* of a sub-buffer or an image in a buffer, held */
	size_t origin;
	uint32_t id;			/* images' are of the same kind */
	struct memory_range range;	/* unified: where it lies (one in a parent has no slab); else zero */
	cl_mem_properties *properties;
	size_t property_count;
	struct mapping *mappings;	/* guarded by context->lock, as map_count */
	cl_uint map_count;
	struct end_callback *end_callbacks;
};

static inline bool mem_is_buffer(const struct _cl_mem *mem)
{
	return object_is(mem, OBJECT_MEM) && !mem->image;
}
static inline bool mem_is_image(const struct _cl_mem *mem)
{
	return object_is(mem, OBJECT_MEM) && mem->image;
}

struct _cl_sampler {
	struct object object;
	struct _cl_context *context;
	uint32_t id;
	cl_bool normalized;
	cl_addressing_mode addressing;
	cl_filter_mode filter;
	cl_sampler_properties *properties;
	size_t property_count;		/* with the closing 0 */
};

struct argument_info {
	struct wire_arg_info wire;
	const char *type_name, *name;
};
struct kernel_info {
	struct wire_kernel_info wire;
	const char *name, *attributes;
	struct argument_info *arguments;
};
/* One build, compilation or link, and its outcome; kernels hold it. */
struct build {
	uint32_t references;		/* atomic */
	uint32_t id;			/* WIRE program; destroyed with the last reference */
	struct session *session;	/* borrowed from the program */
	struct recipe *recipe;		/* what it is made from, and what it makes */
	struct build_request *request;	/* build.c's, while it is under way */
	bool refused;			/* there is nothing at the engine to destroy */
	uint32_t over;			/* atomic; what follows is valid (acquire) */
	cl_build_status status;
	cl_int error;
	char *options;
	char *log;
	cl_ulong global_variable_bytes;
	cl_uint kernel_count;
	struct kernel_info *kernels;
};

struct _cl_program {
	struct object object;
	struct _cl_context *context;
	/* What it was created from; a linked program has none of them. */
	struct text *source;
	struct text *il;
	struct recipe *binary;
	pthread_mutex_t lock;		/* guards what follows */
	struct build *build;		/* the last one, perhaps under way, or NULL */
	cl_uint kernel_count;		/* attached */
	cl_uint constant_count;		/* of IL, as set so far */
	struct recipe_constant *constants;
};

struct _cl_kernel {
	struct object object;
	struct _cl_program *program;
	struct build *build;
	const struct kernel_info *info;
	uint32_t id;
	uint32_t missing;		/* arguments not set yet */
	cl_ulong local_mem_bytes;	/* of __local arguments */
	/* What the record of an NDRange carries, kept ready by clSetKernelArg. */
	uint8_t *snapshot;
	size_t snapshot_bytes;
	uint32_t *argument_offset;	/* in the snapshot */
	uint32_t *argument_room;	/* bytes kept for its value */
	bool *argument_set;
	struct _cl_mem **argument_mem;	/* as set, not held: the application keeps them until it has enqueued */
	struct _cl_sampler **argument_sampler;	/* likewise */
};

/* What the shim itself does when a record is over: a read's copy out of staging. */
struct hook {
	struct hook *next;
	struct _cl_event *event;	/* held */
	void (*run)(struct hook *hook, bool ok);
	void *destination;
	struct _cl_mem *mem;		/* held, or NULL: whose host_ptr the destination is */
	size_t bytes;
	struct memory_range staging;
	bool claimed;
	/* Of an image: rows without gaps in staging, at these pitches in the destination. */
	size_t row_bytes, rows, slices, row_pitch, slice_pitch;
};

struct event_callback {
	struct event_callback *next;
	struct _cl_event *event;	/* held */
	cl_int type;
	void(CL_CALLBACK *function)(cl_event, cl_int, void *);
	void *user_data;
	struct ring_wait wait;
};

struct _cl_event {
	struct object object;
	struct _cl_context *context;
	struct _cl_command_queue *queue;	/* NULL: user event */
	cl_command_type type;
	uint32_t written;		/* atomic; 0 while held back or a user event: completion is not the engine's yet */
	uint32_t over;			/* atomic; the command and its hook are done: status is valid (acquire) */
	cl_int status;
	struct ring_completion completion;
	struct _cl_event *pool_next;
};

/* Copies an answer of a Get*Info out. */
cl_int info_answer(const void *value, size_t bytes, size_t room, void *ret_value, size_t *ret_bytes);
#define INFO_ANSWER(type, expression) do { \
		const type answer_ = (expression); \
		return info_answer(&answer_, sizeof(answer_), param_value_size, param_value, param_value_size_ret); \
	} while (0)
#define INFO_ANSWER_STRING(string) do { \
		const char *string_ = (string); \
		return info_answer(string_, strlen(string_) + 1, param_value_size, param_value, param_value_size_ret); \
	} while (0)

/* Sets *errcode_ret if wanted, and evaluates to NULL. */
static inline void *refuse(cl_int *errcode_ret, cl_int error)
{
	if (errcode_ret)
		*errcode_ret = error;
	return NULL;
}

/* device.c */
struct _cl_platform_id *platform_get(void);
cl_uint devices_get(struct _cl_device_id ***ret_devices);
/* The capset's value, or NULL. */
const void *device_info_find(const struct _cl_device_id *device, uint32_t param, size_t *ret_bytes);
/* As a number, which has up to 8 bytes. */
uint64_t device_number(const struct _cl_device_id *device, uint32_t param, uint64_t otherwise);

/* kernel.c */
/* The argument is what the record of an NDRange carries from now on; mem: whose it is, or NULL. */
void kernel_argument_set(struct _cl_kernel *kernel, cl_uint index, const struct wire_arg *arg, struct _cl_mem *mem);
void kernel_release(struct _cl_kernel *kernel);
/* sampler.c */
void sampler_release(struct _cl_sampler *sampler);
/* program.c */
void program_release(struct _cl_program *program);
/* sub_device.c */
void device_retain(struct _cl_device_id *device);
void device_release(struct _cl_device_id *device);
static inline struct _cl_device_id *device_root(struct _cl_device_id *device)
{
	return device->partition ? device->partition->root : device;
}
/* The engine's id of a sub-device in this session, made there if need be. 0: the session is lost, or has too many. */
uint32_t sub_device_id(struct session *session, const struct _cl_device_id *device);
/* What a sub-device, or the vGPU, says of dividing. 1: nothing. */
cl_int sub_device_info(const struct _cl_device_id *device, cl_device_info param_name, size_t param_value_size, void *param_value,
		       size_t *param_value_size_ret);

/* context.c, queue.c */
bool context_has(const struct _cl_context *context, const struct _cl_device_id *device);
void context_release(struct _cl_context *context);
void queue_release(struct _cl_command_queue *queue);
/* CL_SUCCESS, or the error of a command of the queue's without an event that was refused since this was last asked; tells
 * the context's callback as well. */
cl_int queue_refusal(struct _cl_command_queue *queue);
/* Gives back staging memory that commands written to the queue so far may still use. */
void queue_staging_return(struct _cl_command_queue *queue, struct memory_range *staging);
/* Every record and hook of it so far is done. */
bool queue_idle(struct _cl_command_queue *queue);
/* How long a wait for it may spin. Predicted from how long waits took, which is longer where both sides slept; so that two
 * sleepers do not keep each other asleep, one wait in RING_PROBE_EVERY spins regardless. */
uint32_t queue_spin_ns(struct _cl_command_queue *queue);
/* Tells how long somebody waited for the queue, so that the next wait knows whether to spin. */
void queue_learn(struct _cl_command_queue *queue, uint64_t waited_ns);
/* Waits for that. CL_SUCCESS or the lost device's error. */
cl_int queue_drain(struct _cl_command_queue *queue);
#endif
