/* SPDX-License-Identifier: MIT */
/*
 * The guest protocol: what the shim in a guest process and the host say to each other.
 *
 * Three layers, all little-endian, fixed width, no padding that is not named:
 *
 *  1. The capset (virtio-gpu GET_CAPSET, id WIRE_CAPSET_ID): what this vGPU is. Read once.
 *  2. Submissions (virtio-gpu SUBMIT_3D payloads, `struct wire_submit`): the slow way through
 *     vgpu-device. Sets the ring up, rings the doorbell of a sleeping engine, leaves a fence to be
 *     woken by. Never carries a command.
 *  3. The ring: one blob per guest context, shared by the shim and that context's engine. Commands
 *     are records in it; completions are slots in it. No exit, no system call.
 *
 * Ring blob, offsets from its start (all sizes fixed by the version):
 *
 *   0x00000  struct wire_shim_page      written by the shim, read by the engine
 *   0x01000  struct wire_engine_page    written by the engine (and LOST by vgpu-device), read by the shim
 *   0x02000  struct wire_slot [WIRE_SLOT_COUNT]      completions, written by the engine
 *   0x82000  reserved, zero
 *   0x84000  uint8_t [WIRE_RING_BYTES]  records, written by the shim
 *   0xC4000  end (WIRE_RING_BLOB_BYTES, a multiple of 4096)
 *
 * The guest can write every byte of this blob at any time, also the engine's part. The engine keeps
 * its own head, its own counters, copies a record before it parses it, and never reads back what it
 * has published. What a guest breaks here is its own context.
 *
 * Ordering. tail: the shim stores records, then tail with release; the engine loads tail with
 * acquire. head: the engine stores with release after it has copied a record; the shim loads with
 * acquire before it reuses the bytes. Slots and queue counters: the engine stores the payload, then
 * `sequence` / `queue_done` with release; the shim loads these with acquire.
 * Sleep of the engine: it stores engine_state = SLEEPING (seq_cst), then loads tail once more; the
 * shim stores tail, then a seq_cst fence, then loads engine_state, and if SLEEPING submits
 * WIRE_SUBMIT_DOORBELL. Sleep of the shim: it stores wake_wanted = 1 (seq_cst), submits
 * WIRE_SUBMIT_WAKE with a fence on ring index WIRE_FENCE_RING_WAKE, re-checks what it waits for, then waits for the
 * fence; the engine publishes, then a seq_cst fence, then exchanges wake_wanted with 0 and, if it
 * was 1, signals its completion eventfd, upon which vgpu-device answers that context's WAKE fences.
 * A WAKE fence means "look again" and nothing else; a newer one of the same context releases the
 * older one.
 * On one host (transport `direct`) there is a shorter way, past vgpu-device: with WIRE_FEATURE_FUTEX in the engine's page
 * the shim may store WIRE_WAKE_FUTEX instead, submit nothing, and sleep in FUTEX_WAIT (not private) on wake_wanted while it
 * keeps that value; the engine, finding it in its exchange, does FUTEX_WAKE there. Nobody wakes this sleeper when the
 * engine or the connection is lost, so it sleeps for a bounded time and then by fence.
 * Likewise the doorbell: a shim that stored WIRE_BELL_FUTEX before SETUP and finds WIRE_FEATURE_BELL adds one to `bell`
 * and does FUTEX_WAKE there, where it would submit WIRE_SUBMIT_DOORBELL.
 */
#ifndef VGPU_SHIM_WIRE_WIRE_H
#define VGPU_SHIM_WIRE_WIRE_H

#include <assert.h>
#include <stdint.h>

/* ---- versions and limits ------------------------------------------------------------------ */

#define WIRE_VERSION 2u			/* what this header describes */
#define WIRE_VERSION_MIN 1u		/* the oldest a build of this header still speaks */
#define WIRE_CAPSET_ID 20u		/* unallocated in virtio 1.3 §5.7; ids <= 30 reach Linux guests whole */
#define WIRE_CAPSET_MAX_BYTES 16384u

#define WIRE_SLOT_COUNT 8192u
#define WIRE_QUEUE_COUNT 256u		/* queues of one guest context at a time */
#define WIRE_RING_BYTES 0x40000u	/* power of two */
#define WIRE_RECORD_MAX_BYTES 0x8000u	/* one record, header included */
#define WIRE_RING_BLOB_BYTES 0xC4000u
#define WIRE_OFFSET_SHIM_PAGE 0x0u
#define WIRE_OFFSET_ENGINE_PAGE 0x1000u
#define WIRE_OFFSET_SLOTS 0x2000u
#define WIRE_OFFSET_RING 0x84000u
#define WIRE_OBJECT_MAX 65536u		/* ids of one kind are 1..WIRE_OBJECT_MAX-1, chosen by the shim, 0 = none */
#define WIRE_WAIT_MAX 256u		/* events in one wait list; the shim folds longer ones with markers */
#define WIRE_ARG_MAX 128u
#define WIRE_SUB_DEVICE_COUNT 256u	/* sub-devices of one guest context at a time; ids are 1..WIRE_SUB_DEVICE_COUNT-1 */
#define WIRE_HEADER_MAX 1024u		/* headers of one compilation */
#define WIRE_CONSTANT_MAX 1024u		/* specialization constants of one */
#define WIRE_INPUT_MAX 4096u		/* programs of one link */

/* Fence timelines (virtio-gpu ring_idx) of a context. CONTEXT_INIT asks for WIRE_FENCE_RING_COUNT. */
#define WIRE_FENCE_RING_SETUP 0u
#define WIRE_FENCE_RING_WAKE 1u
#define WIRE_FENCE_RING_COUNT 2u

/* blob_id of RESOURCE_CREATE_BLOB: the kind above, an id unique in the context below. */
#define WIRE_BLOB_KIND_RING 1u		/* exactly one per context, WIRE_RING_BLOB_BYTES; not charged to VRAM */
#define WIRE_BLOB_KIND_MEMORY 2u	/* buffers, slabs, staging; charged to VRAM */
#define WIRE_BLOB_ID(kind, id) (((uint64_t)(kind) << 32) | (uint32_t)(id))
#define WIRE_BLOB_KIND(blob_id) ((uint32_t)((blob_id) >> 32))

/* ---- 1. capset ------------------------------------------------------------------------------ */

#define WIRE_CAPSET_MAGIC 0x55504756u	/* "VGPU" */
#define WIRE_CAPS_UNIFIED (1u << 0)	/* buffers live in the aperture (USE_HOST_PTR); else staging */
#define WIRE_CAPS_COMPUTE (1u << 1)
#define WIRE_CAPS_IMAGES (1u << 2)	/* version 2: IMAGE_* and SAMPLER_* records, if the device's CL_DEVICE_IMAGE_SUPPORT says so */
/* With version 2. */
#define WIRE_CAPS_PROGRAMS (1u << 3)	/* PROGRAM_COMPILE, PROGRAM_LINK, KERNEL_SUB_GROUPS */
#define WIRE_CAPS_IL (1u << 4)		/* PROGRAM_COMPILE takes WIRE_LANGUAGE_IL */
/* Version 2 */
#define WIRE_CAPS_SVM (1u << 5)		/* kernels take addresses: blobs may be mapped where the shim has them (SVM_MAP) */
#define WIRE_CAPS_PRINTF (1u << 6)	/* from version 2 on: what kernels print is kept for WIRE_OUTPUT_READ */

/* Followed by info_bytes of OpenCL device information, a sequence of `struct wire_info` + value,
 * each padded to 8 bytes, in which the shim looks answers for clGetDeviceInfo up. */
struct wire_capset {
	uint32_t magic;
	uint16_t version_min;		/* the host speaks version_min..version_max */
	uint16_t version_max;
	uint32_t bytes;			/* of all, this header and the information included */
	uint32_t flags;			/* WIRE_CAPS_* */
	uint64_t vram_bytes;		/* the vGPU's limit = CL_DEVICE_GLOBAL_MEM_SIZE */
	uint64_t max_alloc_bytes;	/* CL_DEVICE_MAX_MEM_ALLOC_SIZE */
	uint32_t mem_align_bytes;	/* CL_DEVICE_MEM_BASE_ADDR_ALIGN / 8; slabs are cut in this */
	uint32_t info_bytes;
	char vgpu_name[64];		/* profile's name, NUL-terminated; CL_DEVICE_NAME is "vGPU <name>" */
	char vgpu_uuid[40];		/* NUL-terminated */
	char host_version[24];		/* of vgpud, for messages */
};
static_assert(sizeof(struct wire_capset) == 168, "guest ABI");

#define WIRE_INFO_PLATFORM (1u << 31)	/* param is a cl_platform_info of the host's platform */
struct wire_info {
	uint32_t param;			/* cl_device_info, or cl_platform_info | WIRE_INFO_PLATFORM */
	uint32_t bytes;			/* of the value, without padding; size_t values are 8 bytes */
};
static_assert(sizeof(struct wire_info) == 8, "guest ABI");

/* ---- 2. submissions (SUBMIT_3D) -------------------------------------------------------------- */

enum wire_submit_op {
	WIRE_SUBMIT_SETUP = 1,		/* arg = blob_id of the ring, version = what the shim chose; starts the engine */
	WIRE_SUBMIT_DOORBELL = 2,	/* the engine looks at its ring */
	WIRE_SUBMIT_WAKE = 3,		/* nothing; the fence of this submission is the wake-up */
};
struct wire_submit {
	uint32_t op;
	uint32_t version;
	uint64_t arg;
};
static_assert(sizeof(struct wire_submit) == 16, "guest ABI");

/* ---- 3. the ring ------------------------------------------------------------------------------ */

#define WIRE_WAKE_NONE 0u
#define WIRE_WAKE_FENCE 1u
#define WIRE_WAKE_FUTEX 2u		/* only with WIRE_FEATURE_FUTEX */

#define WIRE_BELL_SUBMIT 0u		/* the shim rings by WIRE_SUBMIT_DOORBELL */
#define WIRE_BELL_FUTEX 1u		/* by the engine page's `bell`, if the engine shows WIRE_FEATURE_BELL; else by submission */

struct wire_shim_page {
	uint32_t tail;			/* free-running byte count, masked by WIRE_RING_BYTES - 1 */
	uint32_t wake_wanted;		/* WIRE_WAKE_*; any other value reads as WIRE_WAKE_FENCE */
	uint32_t bell_by;		/* WIRE_BELL_*, stored before SETUP and never changed */
	uint8_t reserved[4084];
};
static_assert(sizeof(struct wire_shim_page) == 4096, "guest ABI");

enum wire_engine_state {
	WIRE_ENGINE_ABSENT = 0,		/* not started; a doorbell starts nothing, SETUP does */
	WIRE_ENGINE_AWAKE = 1,
	WIRE_ENGINE_SLEEPING = 2,
	WIRE_ENGINE_LOST = 3,		/* died or was killed: the context is lost for good */
};
/* What an engine can beyond version 1, set before it first goes AWAKE. */
#define WIRE_FEATURE_FUTEX (1u << 0)	/* it obeys WIRE_WAKE_FUTEX */
#define WIRE_FEATURE_BELL (1u << 1)	/* it sleeps on `bell`, as bell_by asked; WIRE_SUBMIT_DOORBELL does not wake it */

struct wire_engine_page {
	uint32_t head;			/* free-running */
	uint32_t engine_state;		/* enum wire_engine_state */
	uint32_t lost_reason;		/* enum wire_lost, with LOST */
	uint32_t version;		/* what the engine speaks, set when it first goes AWAKE */
	uint64_t processed;		/* sequence of the last record taken and acted on or enqueued */
	uint64_t failed;		/* sequence of the last record refused with no slot to say so; 0 none */
	int32_t failed_status;		/* an OpenCL error code */
	uint32_t features;		/* WIRE_FEATURE_* */
	uint64_t host_now_ns;		/* device time base at the last publication */
	uint32_t bell;			/* the shim's, with WIRE_FEATURE_BELL: one more, then FUTEX_WAKE (not private) */
	uint32_t reserved0;
	/* Version 2: bytes that kernels of this context have printed so far, lost ones included, stored before the records that
	 * printed them are shown complete. Where it differs from what the shim has seen there is something to fetch. */
	uint64_t output_bytes;
	uint64_t queue_done[WIRE_QUEUE_COUNT];	/* by queue id: sequence of the last record completed, in order */
	/* By queue id: what came of its records without a slot. 0: none was refused; else minus the OpenCL error code of the
	 * last refused one in the low 16 bits, in the high ones how many there were, modulo 65536: WIRE_REFUSED. Stored before
	 * the record's queue_done. One that failed with its wait list is not counted: its list told. */
	uint32_t queue_refused[WIRE_QUEUE_COUNT];
	uint8_t reserved2[4096 - 64 - 12 * WIRE_QUEUE_COUNT];
};
static_assert(sizeof(struct wire_engine_page) == 4096, "guest ABI");

#define WIRE_REFUSED(count, error) ((uint32_t)(count) << 16 | ((uint32_t) - (error) & 0xffffu))
#define WIRE_REFUSED_ERROR(word) (-(int32_t)((word) & 0xffffu))

enum wire_lost {
	WIRE_LOST_NONE = 0,
	WIRE_LOST_CRASH = 1,		/* the engine died (bad kernel, driver crash) */
	WIRE_LOST_PROTOCOL = 2,		/* the ring was damaged: a record of impossible length */
	WIRE_LOST_HANG = 3,
	WIRE_LOST_START = 4,		/* the engine could not be started */
};

/* A completion. Chosen by the shim per record; it may be used again once `sequence` shows the record's. */
struct wire_slot {
	uint64_t sequence;		/* of the completed record, stored last */
	int32_t status;			/* CL_COMPLETE (0) or a negative OpenCL error code */
	uint32_t value;			/* opcode's own: bytes needed or written in a reply */
	uint64_t queued_ns;		/* device time base: record taken, enqueued, started, ended */
	uint64_t submit_ns;
	uint64_t start_ns;
	uint64_t end_ns;
	uint64_t reserved[2];
};
static_assert(sizeof(struct wire_slot) == 64, "guest ABI");
static_assert(WIRE_OFFSET_SLOTS + 64 * WIRE_SLOT_COUNT <= WIRE_OFFSET_RING, "layout");
static_assert(WIRE_OFFSET_RING + WIRE_RING_BYTES == WIRE_RING_BLOB_BYTES, "layout");

#define WIRE_NO_SLOT 0xffffffffu

/* Every record starts with this and is a multiple of 8 bytes. A record never wraps: where it would,
 * the shim writes a WIRE_NOP up to the end of the ring; where only 8 bytes are left, which hold no header, both sides pass
 * over them. A sequence that is not the one due costs the context (WIRE_LOST_PROTOCOL). */
struct wire_header {
	uint16_t opcode;		/* enum wire_opcode */
	uint16_t flags;			/* 0 in version 1; an unknown bit fails the record */
	uint32_t bytes;			/* header included; 16..WIRE_RECORD_MAX_BYTES */
	uint64_t sequence;		/* previous + 1, from 1; NOPs carry the previous one's again */
};
static_assert(sizeof(struct wire_header) == 16, "guest ABI");

/* A range inside one of this context's blobs. */
struct wire_range {
	uint64_t blob_id;
	uint64_t offset;
	uint64_t bytes;
};
/* An earlier record of this context to wait for. A slot since reused counts as done. */
struct wire_wait {
	uint64_t sequence;
	uint32_t slot;
	uint32_t reserved;
};

enum wire_opcode {
	WIRE_NOP = 0,
	WIRE_QUEUE_CREATE = 1,
	WIRE_QUEUE_DESTROY = 2,
	WIRE_BUFFER_CREATE = 3,
	WIRE_BUFFER_DESTROY = 4,
	WIRE_PROGRAM_BUILD = 5,
	WIRE_PROGRAM_DESTROY = 6,
	WIRE_KERNEL_CREATE = 7,
	WIRE_KERNEL_DESTROY = 8,
	WIRE_NDRANGE = 9,
	WIRE_BUFFER_FILL = 10,
	WIRE_BUFFER_COPY = 11,
	WIRE_BUFFER_WRITE = 12,		/* aperture range -> buffer */
	WIRE_BUFFER_READ = 13,		/* buffer -> aperture range */
	WIRE_MARKER = 14,
	WIRE_BLOB_RELEASE = 15,
	/* Version 2: images and samplers, in shim/wire/image.h. */
	WIRE_IMAGE_CREATE = 16,
	WIRE_IMAGE_FORMATS = 17,
	WIRE_SAMPLER_CREATE = 18,
	WIRE_SAMPLER_DESTROY = 19,
	WIRE_IMAGE_WRITE = 20,		/* aperture range -> image */
	WIRE_IMAGE_READ = 21,		/* image -> aperture range */
	WIRE_IMAGE_COPY = 22,
	WIRE_IMAGE_TO_BUFFER = 23,
	WIRE_IMAGE_FROM_BUFFER = 24,
	WIRE_IMAGE_FILL = 25,
	WIRE_PROGRAM_COMPILE = 32,
	WIRE_PROGRAM_LINK = 33,
	WIRE_KERNEL_SUB_GROUPS = 34,
	WIRE_SVM_MAP = 40,
	WIRE_OUTPUT_READ = 48,
	WIRE_PARTITION = 49,
	WIRE_SUB_DEVICE_DESTROY = 50,
	WIRE_QUEUE_CREATE_ON = 51,	/* a sub-device */
	WIRE_SUB_BUFFER_CREATE = 52,	/* of the device's own memory; of aperture memory it is BUFFER_CREATE */
	WIRE_OPCODE_COUNT = 64		/* what has no name above fails its record */
};

/* Object records act when taken, in ring order, before any later record; `slot` answers then. */
struct wire_queue_create {
	struct wire_header h;
	uint32_t slot;
	uint32_t queue;			/* 1..WIRE_QUEUE_COUNT-1; its queue_done is set to this record's sequence */
	uint64_t properties;		/* cl_command_queue_properties; an out-of-order queue is run in order */
};
/* Version 2. Divides the device: sub-devices first..first+count-1. Refused with CL_DEVICE_PARTITION_FAILED if the host's
 * device does not give exactly so many. WIRE_SUB_DEVICE_DESTROY (struct wire_destroy) ends one; its queues stay. */
#define WIRE_PARTITION_EQUALLY 1u
#define WIRE_PARTITION_BY_COUNTS 2u
struct wire_partition {
	struct wire_header h;
	uint32_t slot;
	uint32_t first;
	uint32_t count;
	uint32_t kind;			/* WIRE_PARTITION_*; count x uint32_t compute units follow, padded to 8; EQUALLY: all the same */
};
/* Version 2. QUEUE_CREATE on a sub-device. */
struct wire_queue_create_on {
	struct wire_queue_create q;
	uint32_t sub_device;
	uint32_t reserved;
};
/* QUEUE/BUFFER/PROGRAM/KERNEL_DESTROY. The id may be used again at once. What commands still use
 * lives on until they are done. slot, if any, answers when the object's last use is over, and for a
 * buffer: when its range of the aperture is no longer touched. */
struct wire_destroy {
	struct wire_header h;
	uint32_t slot;
	uint32_t id;
};
struct wire_buffer_create {
	struct wire_header h;
	uint32_t slot;
	uint32_t buffer;
	uint64_t flags;			/* cl_mem_flags, only the READ/WRITE and HOST_* access bits */
	uint64_t bytes;
	struct wire_range backing;	/* unified: where it lies (bytes equal, offset aligned); all zero: device memory */
};
/* Version 2. A part of a living buffer of the device's own memory, which is no part itself. It keeps that memory, and its
 * charge, alive: the parent's id may be destroyed before it. */
struct wire_sub_buffer_create {
	struct wire_header h;
	uint32_t slot;
	uint32_t buffer;
	uint64_t flags;			/* as BUFFER_CREATE */
	uint64_t origin;		/* in bytes, a multiple of mem_align_bytes */
	uint64_t bytes;
	uint32_t parent;
	uint32_t reserved;
};
/* Creates and builds at once. The reply (struct wire_build_reply) is written to `reply`; if it is
 * too small, status is CL_OUT_OF_HOST_MEMORY, slot.value the bytes needed, and the program stands:
 * the same record with source.bytes = 0 asks for the reply again. */
struct wire_program_build {
	struct wire_header h;
	uint32_t slot;
	uint32_t program;
	struct wire_range source;	/* OpenCL C, no NUL */
	struct wire_range options;	/* no NUL; bytes 0 = none */
	struct wire_range reply;
};
/* Reply: header, log (log_bytes, padded to 8), then kernel_count x { struct wire_kernel_info, name
 * (padded to 8), attributes (padded), arg_count x { struct wire_arg_info, type name, name, each padded to 8 } }. */
struct wire_build_reply {
	int32_t build_status;		/* cl_build_status */
	int32_t error;			/* what clBuildProgram returned */
	uint32_t log_bytes;
	uint32_t kernel_count;
	uint64_t global_variable_bytes;
	uint64_t reserved;
};
struct wire_kernel_info {
	uint32_t name_bytes;
	uint32_t attributes_bytes;
	uint32_t arg_count;
	uint32_t reserved;
	uint64_t work_group_size;	/* CL_KERNEL_WORK_GROUP_SIZE */
	uint64_t compile_work_group_size[3];
	uint64_t local_mem_bytes;
	uint64_t private_mem_bytes;
	uint64_t preferred_multiple;
};
struct wire_arg_info {
	uint32_t address_qualifier;	/* cl_kernel_arg_address_qualifier, or 0 if the host does not tell */
	uint32_t access_qualifier;
	uint64_t type_qualifier;
	uint32_t type_name_bytes;
	uint32_t name_bytes;
	uint32_t kind;			/* enum wire_arg_kind */
	uint32_t value_bytes;		/* for VALUE: its size if known, else 0 */
};
/* ---- version 2: compiling and linking ---- */

enum wire_program_makes {
	WIRE_PROGRAM_OBJECT = 1,	/* to be linked; values of cl_program_binary_type */
	WIRE_PROGRAM_EXECUTABLE = 4,
};
enum wire_language {
	WIRE_LANGUAGE_C = 0,		/* OpenCL C */
	WIRE_LANGUAGE_IL = 1,		/* the host's intermediate language; needs WIRE_CAPS_IL */
};
/* One of `headers`; its name, which is not empty, not absolute and has no component "..", and its text follow, each padded to 8. */
struct wire_program_header {
	uint32_t name_bytes;		/* no NUL; at most 1023 */
	uint32_t reserved;
	uint64_t text_bytes;
};
/* A specialization constant of IL. */
struct wire_constant {
	uint32_t id;
	uint32_t bytes;			/* 1, 2, 4 or 8 */
	uint8_t value[8];		/* the first `bytes` of it */
};
/* Creates a program and compiles it. Reply and what it means if that is too small are those of wire_program_build, whose
 * record with source.bytes = 0 asks for it again. */
struct wire_program_compile {
	struct wire_header h;
	uint32_t slot;
	uint32_t program;
	uint32_t makes;			/* enum wire_program_makes; EXECUTABLE only of IL, or as wire_program_build does */
	uint32_t language;		/* enum wire_language */
	struct wire_range source;	/* not empty */
	struct wire_range options;	/* bytes 0 = none */
	struct wire_range headers;	/* header_count of them, filling it; OBJECT from C only; bytes 0 = none */
	struct wire_range reply;
	uint32_t header_count;
	uint32_t constant_count;	/* x struct wire_constant follow; IL only */
};
/* Creates a program by linking others, which stay as they are. What comes out, library or executable, the options say. */
struct wire_program_link {
	struct wire_header h;
	uint32_t slot;
	uint32_t program;
	struct wire_range options;	/* bytes 0 = none */
	struct wire_range reply;
	uint32_t input_count;		/* 1..WIRE_INPUT_MAX; that many uint32_t ids follow, padded to 8 */
	uint32_t reserved;
};
/* Asks clGetKernelSubGroupInfo. slot.value: bytes of the answer in `reply`, size_t being 8. */
struct wire_kernel_sub_groups {
	struct wire_header h;
	uint32_t slot;
	uint32_t kernel;
	uint32_t param;			/* cl_kernel_sub_group_info */
	uint32_t input_count;		/* of `input`, 0..3 */
	uint64_t input[3];
	struct wire_range reply;	/* 8 to 24 bytes */
};
static_assert(sizeof(struct wire_program_compile) == 136 && sizeof(struct wire_program_link) == 80 &&
	      sizeof(struct wire_kernel_sub_groups) == 80, "guest ABI");

struct wire_kernel_create {
	struct wire_header h;
	uint32_t slot;
	uint32_t kernel;
	uint32_t program;
	uint32_t name_bytes;		/* name follows, no NUL, padded to 8 */
};

enum wire_arg_kind {
	WIRE_ARG_VALUE = 1,		/* bytes follow, padded to 8 */
	WIRE_ARG_BUFFER = 2,		/* `object` = buffer id, 0 = NULL */
	WIRE_ARG_LOCAL = 3,		/* `bytes` of local memory */
	WIRE_ARG_IMAGE = 4,		/* `object` = image id */
	WIRE_ARG_SAMPLER = 5,		/* `object` = sampler id */
	WIRE_ARG_SVM = 6,		/* an address, 0 = NULL, for an argument that takes a buffer: low half in `object`, high in `high` */
};
struct wire_arg {
	uint32_t kind;
	uint32_t bytes;
	uint32_t object;
	uint32_t high;			/* SVM only; else reserved */
};
/* Queue records run in order on their queue and complete into slot (if any) and queue_done. Each is
 * followed by wait_count x struct wire_wait. */
struct wire_queued {
	struct wire_header h;
	uint32_t slot;
	uint32_t queue;
	uint32_t wait_count;
	uint32_t reserved;
};
struct wire_ndrange {
	struct wire_queued q;
	uint32_t kernel;
	uint32_t dimensions;		/* 1..3 */
	uint32_t arg_count;		/* the kernel's; args follow the wait list, each struct wire_arg + value */
	uint32_t has_local;		/* 0: the host chooses the local size */
	uint64_t offset[3];
	uint64_t global[3];
	uint64_t local[3];
};
struct wire_buffer_fill {
	struct wire_queued q;
	uint32_t buffer;
	uint32_t pattern_bytes;		/* 1,2,4..128 */
	uint64_t offset;
	uint64_t bytes;
	uint8_t pattern[128];
};
struct wire_buffer_copy {
	struct wire_queued q;
	uint32_t source;
	uint32_t destination;
	uint64_t source_offset;
	uint64_t destination_offset;
	uint64_t bytes;
};
/* BUFFER_WRITE and BUFFER_READ. */
struct wire_buffer_transfer {
	struct wire_queued q;
	uint32_t buffer;
	uint32_t reserved;
	uint64_t offset;
	struct wire_range range;	/* range.bytes = length */
};
/* WIRE_MARKER is struct wire_queued: completes after everything before it on its queue and its waits. */

/* The shim is about to drop a blob: when slot answers, no object or command of the engine touches it. */
struct wire_blob_release {
	struct wire_header h;
	uint32_t slot;
	uint32_t reserved;
	uint64_t blob_id;
};

/* Version 2, WIRE_CAPS_SVM. Where SVM blobs may lie in both processes: below what executables, heaps, stacks and libraries get
 * on 47 bits of address and more, and clear of what sanitizers take. */
#define WIRE_SVM_WINDOW_FIRST 0x200000000000ull
#define WIRE_SVM_WINDOW_END 0x400000000000ull
/* The engine maps the whole blob at `address` as well, a page's inside the window, for as long as the blob lives; buffers in it lie
 * there from then on. slot: 0; CL_INVALID_VALUE for an address outside the window; CL_INVALID_HOST_PTR if it is taken:
 * the shim tries another; CL_INVALID_MEM_OBJECT for a blob that is not mapped or has an address already. */
struct wire_svm_map {
	struct wire_header h;
	uint32_t slot;
	uint32_t reserved;
	uint64_t blob_id;
	uint64_t address;
};
/* Version 2. What kernels have printed, oldest first, as much as fits: struct wire_output and the text go to `range`, and
 * are the engine's no more. An object record; slot.value is the bytes of text. */
struct wire_output_read {
	struct wire_header h;
	uint32_t slot;
	uint32_t reserved;
	struct wire_range range;	/* at least sizeof(struct wire_output) + 1, offset a multiple of 8 */
};
#define WIRE_OUTPUT_KEPT_BYTES 0x1000000u	/* what an engine keeps of text that is not fetched; more is lost */
struct wire_output {
	uint64_t text_bytes;		/* that follow */
	uint64_t left_bytes;		/* still at the engine */
	uint64_t lost_bytes;		/* since the last answer that said so: there was no room for them */
};
#endif
