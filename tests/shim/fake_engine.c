/* SPDX-License-Identifier: MIT */
/*
 * The fake engine: takes records and does them, in order, in one thread.
 */
#include "tests/shim/fake_engine.h"

#include <CL/cl.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "shim/transport/transport.h"
#include "tests/shim/fake_images.h"

#define DEVICE_EPOCH_NS 1000000000000ull	/* so that a test sees which clock it was given */
#define SPIN_NS 30000

static struct fake_engine_control control = { .vram_bytes = 64u << 20 };

__attribute__((visibility("default"))) struct fake_engine_control *fake_engine_control(void)
{
	return &control;
}

#define LOAD(field) __atomic_load_n(&control.field, __ATOMIC_SEQ_CST)
#define COUNT(field) __atomic_fetch_add(&control.field, 1, __ATOMIC_SEQ_CST)
#define UNCOUNT(field) __atomic_fetch_sub(&control.field, 1, __ATOMIC_SEQ_CST)

static void violation(const char *what, uint64_t value)
{
	fprintf(stderr, "fake engine: %s (%llu)\n", what, (unsigned long long)value);
	COUNT(violations);
}

struct blob {
	uint64_t id;
	uint8_t *address;
	size_t bytes;
	bool living, released;
	bool placed;			/* by SVM_MAP */
};
struct buffer {
	bool living, parting;
	uint8_t *address;
	uint64_t bytes;
	bool own;
	struct fake_image image;
	uint32_t slot;			/* parting: to be answered */
	uint64_t sequence;
};
enum { KERNEL_SCALE = 1, KERNEL_ADD, KERNEL_SUM, KERNEL_GROUP8, KERNEL_CRASH, KERNEL_WIDE, KERNEL_INVERT, KERNEL_PRINT };
struct fake {
	struct transport transport;
	pthread_mutex_t lock;		/* blobs, fence */
	struct blob blobs[4096];
	size_t blob_count;
	int fence;			/* our end of the WAKE fence, -1 none */
	int doorbell;
	bool stop, running;
	pthread_t thread;
	uint8_t *ring;
	/* The engine's own. */
	uint32_t head;
	uint64_t sequence;
	struct buffer buffers[WIRE_OBJECT_MAX];
	bool queues[WIRE_QUEUE_COUNT];
	bool sub_devices[WIRE_SUB_DEVICE_COUNT];
	char *programs[WIRE_OBJECT_MAX];
	uint8_t makes[WIRE_OBJECT_MAX];	/* cl_program_binary_type; 0: it failed */
	uint8_t kernels[WIRE_OBJECT_MAX];
	bool samplers[WIRE_OBJECT_MAX];
	bool slot_parting[WIRE_SLOT_COUNT];
	char text[0x10000];		/* printed and not fetched */
	size_t text_bytes;
	uint64_t text_lost;
	uint64_t queued_ns;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct wire_shim_page *shim_page(struct fake *fake) { return (void *)(fake->ring + WIRE_OFFSET_SHIM_PAGE); }
static struct wire_engine_page *engine_page(struct fake *fake) { return (void *)(fake->ring + WIRE_OFFSET_ENGINE_PAGE); }
static struct wire_slot *slot_at(struct fake *fake, uint32_t i)
{
	return (struct wire_slot *)(void *)(fake->ring + WIRE_OFFSET_SLOTS) + i;
}

/* ---- publishing ------------------------------------------------------------------------------- */

static void fence_signal(struct fake *fake)
{
	pthread_mutex_lock(&fake->lock);
	if (fake->fence >= 0) {
		eventfd_write(fake->fence, 1);
		close(fake->fence);
		fake->fence = -1;
	}
	pthread_mutex_unlock(&fake->lock);
}

static void publish(struct fake *fake)
{
	__atomic_store_n(&engine_page(fake)->host_now_ns, now_ns() + DEVICE_EPOCH_NS, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	uint32_t *wanted = &shim_page(fake)->wake_wanted;
	switch (__atomic_exchange_n(wanted, WIRE_WAKE_NONE, __ATOMIC_SEQ_CST)) {
	case WIRE_WAKE_NONE:
		return;
	case WIRE_WAKE_FUTEX:
		if (!fake->transport.same_host)
			violation("a futex where none reaches the engine", 0);
		COUNT(futex_wakes);
		syscall(SYS_futex, wanted, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
		return;
	default:
		fence_signal(fake);
	}
}

static void answer(struct fake *fake, uint32_t slot, uint64_t sequence, int32_t status, uint32_t value, uint64_t start_ns)
{
	struct wire_slot *out;

	if (slot != WIRE_NO_SLOT) {
		out = slot_at(fake, slot);
		out->status = status;
		out->value = value;
		out->queued_ns = out->submit_ns = fake->queued_ns;
		out->start_ns = start_ns;
		out->end_ns = now_ns() + DEVICE_EPOCH_NS;
		__atomic_store_n(&out->sequence, sequence, __ATOMIC_RELEASE);
	} else if (status < 0) {
		engine_page(fake)->failed_status = status;
		__atomic_store_n(&engine_page(fake)->failed, sequence, __ATOMIC_RELEASE);
	}
}

/* ---- memory ------------------------------------------------------------------------------------- */

static struct blob *blob_find(struct fake *fake, uint64_t id)
{
	for (size_t i = 0; i < fake->blob_count; i++)
		if (fake->blobs[i].living && fake->blobs[i].id == id)
			return &fake->blobs[i];
	return NULL;
}

static uint8_t *range_find(struct fake *fake, const struct wire_range *range)
{
	struct blob *blob;
	uint8_t *address = NULL;

	pthread_mutex_lock(&fake->lock);
	blob = blob_find(fake, range->blob_id);
	if (blob && range->offset <= blob->bytes && range->bytes <= blob->bytes - range->offset)
		address = blob->address + range->offset;
	pthread_mutex_unlock(&fake->lock);
	if (!address)
		violation("a range outside every blob", range->blob_id);
	return address;
}

static struct buffer *buffer_find(struct fake *fake, uint32_t id, uint64_t offset, uint64_t bytes)
{
	struct buffer *buffer = id < WIRE_OBJECT_MAX ? &fake->buffers[id] : NULL;

	if (!buffer || !buffer->living || offset > buffer->bytes || bytes > buffer->bytes - offset) {
		violation("a buffer that is not there, or too small", id);
		return NULL;
	}
	return buffer;
}

/* A new buffer's memory may lie in nothing but (for a part) one living buffer, and never in one that is parting. */
static void overlap_check(struct fake *fake, const uint8_t *address, uint64_t bytes)
{
	for (uint32_t i = 1; i < WIRE_OBJECT_MAX; i++) {
		const struct buffer *other = &fake->buffers[i];
		bool inside;

		if ((!other->living && !other->parting) || other->own)
			continue;
		if (address >= other->address + other->bytes || other->address >= address + bytes)
			continue;
		inside = address >= other->address && address + bytes <= other->address + other->bytes;
		if (other->parting || !inside)
			violation("memory used again while a buffer still has it", i);
	}
}

static int32_t buffer_create(struct fake *fake, const struct wire_buffer_create *record)
{
	struct buffer *buffer = &fake->buffers[record->buffer % WIRE_OBJECT_MAX];

	if (buffer->living)
		violation("a buffer id in use", record->buffer);
	memset(buffer, 0, sizeof(*buffer));
	buffer->bytes = record->bytes;
	if (record->backing.bytes) {
		buffer->address = range_find(fake, &record->backing);
		if (buffer->address)
			overlap_check(fake, buffer->address, record->bytes);
		__atomic_store_n(&control.last_backing, record->backing.blob_id ^ record->backing.offset, __ATOMIC_SEQ_CST);
	} else {
		buffer->own = true;
		buffer->address = record->bytes <= LOAD(vram_bytes) ? malloc(record->bytes) : NULL;
	}
	if (!buffer->address)
		return CL_MEM_OBJECT_ALLOCATION_FAILURE;
	buffer->living = true;
	COUNT(buffers);
	return CL_SUCCESS;
}

static int32_t sub_buffer_create(struct fake *fake, const struct wire_sub_buffer_create *record)
{
	struct buffer *buffer = &fake->buffers[record->buffer % WIRE_OBJECT_MAX];
	struct buffer *parent = buffer_find(fake, record->parent, record->origin, record->bytes);

	if (buffer->living || !parent || !parent->own)
		violation("a part that cannot be", record->buffer);
	if (!parent)
		return CL_INVALID_MEM_OBJECT;
	*buffer = (struct buffer){ .living = true, .address = parent->address + record->origin, .bytes = record->bytes };
	COUNT(buffers);
	return CL_SUCCESS;
}

static void buffer_part(struct fake *fake, struct buffer *buffer)
{
	if (buffer->parting) {
		buffer->parting = false;
		fake->slot_parting[buffer->slot] = false;
		answer(fake, buffer->slot, buffer->sequence, CL_SUCCESS, 0, 0);
	}
}

static bool buffer_destroy(struct fake *fake, const struct wire_destroy *record)
{
	struct buffer *buffer = buffer_find(fake, record->id, 0, 0);

	if (!buffer)
		return true;
	buffer->living = false;
	UNCOUNT(buffers);
	if (buffer->own)
		free(buffer->address);
	if (record->slot != WIRE_NO_SLOT && LOAD(hold_destroys)) {
		/* Kept aside under an id of its own from the end, as this one may be used again. */
		for (uint32_t i = WIRE_OBJECT_MAX - 1; i > 0; i--)
			if (!fake->buffers[i].living && !fake->buffers[i].parting) {
				fake->buffers[i] = *buffer;
				fake->buffers[i].parting = true;
				fake->buffers[i].slot = record->slot;
				fake->buffers[i].sequence = record->h.sequence;
				fake->slot_parting[record->slot] = true;
				break;
			}
		return false;
	}
	return true;
}

/* ---- programs ----------------------------------------------------------------------------------- */

struct reply {
	uint8_t bytes[0x20000];
	size_t length;
};

static void put(struct reply *reply, const void *bytes, size_t length)
{
	memcpy(reply->bytes + reply->length, bytes, length);
	reply->length += length;
	while (reply->length % 8)
		reply->bytes[reply->length++] = 0;
}

static void put_argument(struct reply *reply, uint32_t kind, const char *type, const char *name, uint32_t value_bytes)
{
	struct wire_arg_info info = {
		.address_qualifier = kind == WIRE_ARG_BUFFER || kind == WIRE_ARG_IMAGE ? CL_KERNEL_ARG_ADDRESS_GLOBAL :
				     kind == WIRE_ARG_LOCAL ? CL_KERNEL_ARG_ADDRESS_LOCAL : CL_KERNEL_ARG_ADDRESS_PRIVATE,
		.access_qualifier = kind != WIRE_ARG_IMAGE ? CL_KERNEL_ARG_ACCESS_NONE :
				    name[0] == 'i' ? CL_KERNEL_ARG_ACCESS_READ_ONLY : CL_KERNEL_ARG_ACCESS_WRITE_ONLY,
		.type_name_bytes = (uint32_t)strlen(type),
		.name_bytes = (uint32_t)strlen(name),
		.kind = kind,
		.value_bytes = value_bytes,
	};

	put(reply, &info, sizeof(info));
	put(reply, type, strlen(type));
	put(reply, name, strlen(name));
}

static void put_kernel(struct reply *reply, const char *name, uint32_t arguments, uint64_t required)
{
	struct wire_kernel_info info = {
		.name_bytes = (uint32_t)strlen(name),
		.arg_count = arguments,
		.work_group_size = 256,
		.compile_work_group_size = { required, required ? 1 : 0, required ? 1 : 0 },
		.preferred_multiple = 8,
	};

	put(reply, &info, sizeof(info));
	put(reply, name, strlen(name));
}

static uint32_t put_kernels(struct reply *reply, const char *source)
{
	uint32_t count = 0;

	if (strstr(source, "scale") && ++count) {
		put_kernel(reply, "scale", 2, 0);
		put_argument(reply, WIRE_ARG_BUFFER, "int*", "data", 0);
		put_argument(reply, WIRE_ARG_VALUE, "int", "factor", 4);
	}
	if (strstr(source, "add") && ++count) {
		put_kernel(reply, "add", 3, 0);
		put_argument(reply, WIRE_ARG_BUFFER, "int*", "a", 0);
		put_argument(reply, WIRE_ARG_BUFFER, "int*", "b", 0);
		put_argument(reply, WIRE_ARG_BUFFER, "int*", "out", 0);
	}
	if (strstr(source, "sum") && ++count) {
		put_kernel(reply, "sum", 2, 0);
		put_argument(reply, WIRE_ARG_BUFFER, "int*", "data", 0);
		put_argument(reply, WIRE_ARG_LOCAL, "int*", "scratch", 0);
	}
	if (strstr(source, "group8") && ++count) {
		put_kernel(reply, "group8", 1, 8);
		put_argument(reply, WIRE_ARG_BUFFER, "int*", "data", 0);
	}
	if (strstr(source, "crash") && ++count)
		put_kernel(reply, "crash", 0, 0);
	if (strstr(source, "wide") && ++count) {
		put_kernel(reply, "wide", 1, 0);
		put_argument(reply, WIRE_ARG_VALUE, "double16", "value", 0);
	}
	if (strstr(source, "print") && ++count) {
		put_kernel(reply, "print", 1, 0);
		put_argument(reply, WIRE_ARG_VALUE, "int", "value", 4);
	}
	if (strstr(source, "invert") && ++count) {
		put_kernel(reply, "invert", 3, 0);
		put_argument(reply, WIRE_ARG_IMAGE, "image2d_t", "in", 0);
		put_argument(reply, WIRE_ARG_IMAGE, "image2d_t", "out", 0);
		put_argument(reply, WIRE_ARG_SAMPLER, "sampler_t", "s", 0);
	}
	return count;
}

/* Writes the reply that describes the program. */
static int32_t program_reply(struct fake *fake, uint32_t id, uint32_t makes, const struct wire_range *range, uint64_t options_bytes,
			     uint32_t *ret_value)
{
	struct reply *reply = calloc(1, sizeof(*reply));
	struct wire_build_reply head = { .build_status = CL_BUILD_SUCCESS };
	const char *source = fake->programs[id];
	uint8_t *out = range_find(fake, range);
	int32_t status = CL_SUCCESS;
	char log[128] = "";

	reply->length = sizeof(head);
	if (strstr(source, "#error")) {
		head.build_status = CL_BUILD_ERROR;
		head.error = makes == CL_PROGRAM_BINARY_TYPE_EXECUTABLE ? CL_BUILD_PROGRAM_FAILURE : CL_COMPILE_PROGRAM_FAILURE;
		snprintf(log, sizeof(log), "fake: error in %zu bytes, options %llu", strlen(source),
			 (unsigned long long)options_bytes);
		makes = CL_PROGRAM_BINARY_TYPE_NONE;
	}
	fake->makes[id] = (uint8_t)makes;
	head.log_bytes = (uint32_t)strlen(log);
	put(reply, log, strlen(log));
	if (strstr(source, "#long"))	/* a reply larger than the shim's first guess: names nobody asks for */
		for (int i = 0; i < 1000; i++, head.kernel_count++)
			put_kernel(reply, "a_kernel_with_a_long_name", 0, 0);
	if (makes == CL_PROGRAM_BINARY_TYPE_EXECUTABLE)
		head.kernel_count += put_kernels(reply, source);
	memcpy(reply->bytes, &head, sizeof(head));
	*ret_value = (uint32_t)reply->length;
	if (reply->length > range->bytes)
		status = CL_OUT_OF_HOST_MEMORY;
	else if (out)
		memcpy(out, reply->bytes, reply->length);
	free(reply);
	return status;
}

/* A new program with that text, which is taken. */
static void program_new(struct fake *fake, uint32_t id, char *text)
{
	if (fake->programs[id])
		violation("a program id in use", id);
	free(fake->programs[id]);
	fake->programs[id] = text;
	COUNT(programs);
}

static void program_destroy(struct fake *fake, uint32_t id)
{
	if (!fake->programs[id])
		violation("no such program", id);
	else
		UNCOUNT(programs);
	free(fake->programs[id]);
	fake->programs[id] = NULL;
}

/* The text of a range after `before`, which is taken or NULL. */
static char *text_join(struct fake *fake, char *before, const struct wire_range *range)
{
	const uint8_t *text = range->bytes ? range_find(fake, range) : NULL;
	size_t length = before ? strlen(before) : 0;
	char *joined = realloc(before, length + range->bytes + 1);

	memset(joined + length, 0, range->bytes + 1);
	if (text)
		memcpy(joined + length, text, range->bytes);
	return joined;
}

static int32_t program_build(struct fake *fake, const struct wire_program_build *record, uint32_t *ret_value)
{
	uint32_t id = record->program % WIRE_OBJECT_MAX;
	uint32_t makes = fake->makes[id];

	if (record->source.bytes) {
		program_new(fake, id, text_join(fake, NULL, &record->source));
		makes = CL_PROGRAM_BINARY_TYPE_EXECUTABLE;
	} else if (!fake->programs[id]) {
		violation("the reply of no program", id);
		return CL_INVALID_PROGRAM;
	}
	return program_reply(fake, id, makes, &record->reply, record->options.bytes, ret_value);
}

static int32_t program_compile(struct fake *fake, const struct wire_program_compile *record, uint32_t *ret_value)
{
	const struct wire_constant *constants = (const void *)(record + 1);
	uint32_t id = record->program % WIRE_OBJECT_MAX;
	bool il = record->language == WIRE_LANGUAGE_IL;
	struct wire_range rest = record->headers;
	const uint8_t *headers = rest.bytes ? range_find(fake, &rest) : NULL;
	char *text = il ? strdup("scale") : text_join(fake, NULL, &record->source);

	if (record->h.bytes != sizeof(*record) + record->constant_count * sizeof(*constants))
		violation("a record of a wrong size", record->h.opcode);
	if (!record->source.bytes || record->language > WIRE_LANGUAGE_IL || (!il && record->constant_count) ||
	    (record->makes != WIRE_PROGRAM_OBJECT && record->makes != WIRE_PROGRAM_EXECUTABLE) || (il && record->header_count))
		violation("a compilation that cannot be", id);
	for (uint32_t i = 0; headers && i < record->header_count; i++) {
		struct wire_program_header head;
		struct wire_range header_text = rest;

		memcpy(&head, headers, sizeof(head));
		header_text.offset += sizeof(head) + ((head.name_bytes + 7) & ~7u);
		header_text.bytes = head.text_bytes;
		text = text_join(fake, text, &header_text);
		rest.offset = header_text.offset + ((head.text_bytes + 7) & ~7ull);
		headers += rest.offset - header_text.offset + sizeof(head) + ((head.name_bytes + 7) & ~7u);
	}
	if (headers && rest.offset != record->headers.offset + record->headers.bytes)
		violation("headers that do not fill their range", record->header_count);
	COUNT(compiles);
	__atomic_store_n(&control.constants, record->constant_count, __ATOMIC_SEQ_CST);
	if (record->constant_count) {
		uint64_t value;

		memcpy(&value, constants[record->constant_count - 1].value, sizeof(value));
		__atomic_store_n(&control.last_constant, value, __ATOMIC_SEQ_CST);
	}
	program_new(fake, id, text);
	return program_reply(fake, id, record->makes, &record->reply, record->options.bytes, ret_value);
}

static int32_t program_link(struct fake *fake, const struct wire_program_link *record, uint32_t *ret_value)
{
	const uint32_t *inputs = (const void *)(record + 1);
	uint32_t id = record->program % WIRE_OBJECT_MAX;
	char *text = calloc(1, 1), *options = text_join(fake, NULL, &record->options);
	bool library = strstr(options, "-create-library");
	int32_t status = CL_SUCCESS;

	if (record->h.bytes != sizeof(*record) + ((record->input_count * sizeof(*inputs) + 7) & ~7ull))
		violation("a record of a wrong size", record->h.opcode);
	free(options);
	COUNT(links);
	for (uint32_t i = 0; i < record->input_count; i++) {
		uint32_t input = inputs[i] % WIRE_OBJECT_MAX;

		if (!fake->programs[input]) {
			violation("a link of no program", input);
			continue;
		}
		if (fake->makes[input] != CL_PROGRAM_BINARY_TYPE_COMPILED_OBJECT && fake->makes[input] != CL_PROGRAM_BINARY_TYPE_LIBRARY)
			status = CL_INVALID_OPERATION;
		text = realloc(text, strlen(text) + strlen(fake->programs[input]) + 1);
		strcat(text, fake->programs[input]);
	}
	if (status) {
		free(text);
		return status;
	}
	program_new(fake, id, text);
	return program_reply(fake, id, library ? CL_PROGRAM_BINARY_TYPE_LIBRARY : CL_PROGRAM_BINARY_TYPE_EXECUTABLE, &record->reply,
			     record->options.bytes, ret_value);
}

/* Sub-groups of four. */
static int32_t sub_groups(struct fake *fake, const struct wire_kernel_sub_groups *record, uint32_t *ret_value)
{
	uint8_t *out = range_find(fake, &record->reply);
	uint64_t items = 1, answer[3] = { 1, 1, 1 };

	for (uint32_t i = 0; i < record->input_count && i < 3; i++)
		items *= record->input[i];
	if (!fake->kernels[record->kernel % WIRE_OBJECT_MAX])
		return CL_INVALID_KERNEL;
	switch (record->param) {
	case CL_KERNEL_MAX_SUB_GROUP_SIZE_FOR_NDRANGE:
		answer[0] = 4;
		break;
	case CL_KERNEL_SUB_GROUP_COUNT_FOR_NDRANGE:
		answer[0] = (items + 3) / 4;
		break;
	case CL_KERNEL_LOCAL_SIZE_FOR_SUB_GROUP_COUNT:
		answer[0] = record->input[0] * 4;
		break;
	case CL_KERNEL_MAX_NUM_SUB_GROUPS:
		answer[0] = 64;
		break;
	default:
		answer[0] = 0;
	}
	if (out && record->reply.bytes <= sizeof(answer))
		memcpy(out, answer, record->reply.bytes);
	*ret_value = (uint32_t)record->reply.bytes;
	return CL_SUCCESS;
}

static void kernel_create(struct fake *fake, const struct wire_kernel_create *record)
{
	static const char *const names[] = { NULL, "scale", "add", "sum", "group8", "crash", "wide", "invert", "print" };
	const char *name = (const char *)(record + 1);

	if (fake->kernels[record->kernel % WIRE_OBJECT_MAX])
		violation("a kernel id in use", record->kernel);
	if (!fake->programs[record->program % WIRE_OBJECT_MAX])
		violation("a kernel of no program", record->program);
	else if (fake->makes[record->program % WIRE_OBJECT_MAX] != CL_PROGRAM_BINARY_TYPE_EXECUTABLE)
		violation("a kernel of no executable", record->program);
	for (uint8_t i = 1; i < sizeof(names) / sizeof(*names); i++)
		if (strlen(names[i]) == record->name_bytes && memcmp(names[i], name, record->name_bytes) == 0)
			fake->kernels[record->kernel % WIRE_OBJECT_MAX] = i;
}

/* The whole blob is where the shim has it: in this process there is one mapping. */
static int32_t svm_map(struct fake *fake, const struct wire_svm_map *record)
{
	struct blob *blob;

	if (LOAD(refuse_addresses)) {
		UNCOUNT(refuse_addresses);
		return CL_INVALID_HOST_PTR;
	}
	pthread_mutex_lock(&fake->lock);
	blob = blob_find(fake, record->blob_id);
	if (!blob || (uintptr_t)blob->address != record->address || blob->placed)
		violation("a blob that is not where it is said to be, or is there already", record->address);
	else if (record->address < WIRE_SVM_WINDOW_FIRST || record->address + blob->bytes > WIRE_SVM_WINDOW_END)
		violation("an address in no window", record->address);
	if (blob)
		blob->placed = true;
	pthread_mutex_unlock(&fake->lock);
	return CL_SUCCESS;
}

static uint8_t *address_find(struct fake *fake, uint64_t address)
{
	bool found = false;

	pthread_mutex_lock(&fake->lock);
	for (size_t i = 0; i < fake->blob_count && !found; i++)
		found = fake->blobs[i].living && fake->blobs[i].placed &&
			address - (uintptr_t)fake->blobs[i].address < fake->blobs[i].bytes;
	pthread_mutex_unlock(&fake->lock);
	if (!found)
		violation("an address in no blob", address);
	return found ? (uint8_t *)(uintptr_t)address : NULL;
}

struct argument {
	uint32_t kind, bytes;
	uint8_t *at;
	struct buffer *buffer;
	uint64_t value[16];
};

/* One line per work item; what does not fit is lost. */
static void text_print(struct fake *fake, uint64_t items, int value)
{
	char line[32];

	for (uint64_t i = 0; i < items; i++) {
		size_t bytes = (size_t)snprintf(line, sizeof(line), "print %d\n", value);

		if (fake->text_lost || fake->text_bytes + bytes > sizeof(fake->text)) {
			fake->text_lost += bytes;
		} else {
			memcpy(fake->text + fake->text_bytes, line, bytes);
			fake->text_bytes += bytes;
		}
		engine_page(fake)->output_bytes += bytes;
	}
}

static void output_read(struct fake *fake, const struct wire_output_read *record, uint32_t *ret_value)
{
	uint8_t *to = range_find(fake, &record->range);
	struct wire_output head = { .text_bytes = record->range.bytes - sizeof(struct wire_output) };

	COUNT(output_reads);
	if (head.text_bytes > fake->text_bytes)
		head.text_bytes = fake->text_bytes;
	fake->text_bytes -= head.text_bytes;
	head.left_bytes = fake->text_bytes;
	if (!fake->text_bytes) {
		head.lost_bytes = fake->text_lost;
		fake->text_lost = 0;
	}
	*ret_value = (uint32_t)head.text_bytes;
	if (!to)
		return;
	memcpy(to + sizeof(head), fake->text, head.text_bytes);
	memmove(fake->text, fake->text + head.text_bytes, fake->text_bytes);
	if (LOAD(lie_about_output))
		head.text_bytes = UINT64_MAX;
	memcpy(to, &head, sizeof(head));
}

static void invert(const struct buffer *in, struct buffer *out)
{
	for (uint64_t y = 0; y < in->image.shape.extent[1]; y++)
		for (uint64_t i = 0; i < in->image.shape.extent[0] * in->image.shape.pixel_bytes; i++)
			out->address[y * out->image.row_pitch + i] = (uint8_t)~in->address[y * in->image.row_pitch + i];
}

static int32_t ndrange(struct fake *fake, const struct wire_ndrange *record, bool *ret_crash)
{
	const uint8_t *at = (const uint8_t *)(record + 1) + record->q.wait_count * sizeof(struct wire_wait);
	const uint8_t *end = (const uint8_t *)record + record->q.h.bytes;
	struct argument arguments[4];
	uint64_t items = record->global[0] * record->global[1] * record->global[2];
	uint32_t which = fake->kernels[record->kernel % WIRE_OBJECT_MAX];

	memset(arguments, 0, sizeof(arguments));
	for (uint32_t i = 0; i < record->arg_count && i < 4; i++) {
		struct wire_arg wire;

		if (at + sizeof(wire) > end) {
			violation("arguments cut off", i);
			return CL_INVALID_KERNEL_ARGS;
		}
		memcpy(&wire, at, sizeof(wire));
		at += sizeof(wire);
		arguments[i].kind = wire.kind;
		arguments[i].bytes = wire.bytes;
		if (wire.kind == WIRE_ARG_VALUE) {
			memcpy(arguments[i].value, at, wire.bytes < sizeof(arguments[i].value) ? wire.bytes : 128);
			at += (wire.bytes + 7) & ~7u;
		} else if (wire.kind == WIRE_ARG_BUFFER && wire.object) {
			arguments[i].buffer = buffer_find(fake, wire.object, 0, 0);
			arguments[i].at = arguments[i].buffer ? arguments[i].buffer->address : NULL;
		} else if (wire.kind == WIRE_ARG_IMAGE) {
			arguments[i].buffer = buffer_find(fake, wire.object, 0, 0);
			if (!arguments[i].buffer || !arguments[i].buffer->image.bytes)
				return CL_INVALID_MEM_OBJECT;
		} else if (wire.kind == WIRE_ARG_SAMPLER && !fake->samplers[wire.object % WIRE_OBJECT_MAX]) {
			violation("a sampler that is not there", wire.object);
		} else if (wire.kind == WIRE_ARG_SVM && (wire.object || wire.high)) {
			arguments[i].at = address_find(fake, (uint64_t)wire.high << 32 | wire.object);
		}
	}
	if (at != end)
		violation("arguments that do not fill the record", (uint64_t)(end - at));
	if (LOAD(kernel_us))
		usleep(LOAD(kernel_us));
	if (LOAD(fail_kernels))
		return CL_OUT_OF_RESOURCES;
	if (which == KERNEL_CRASH)
		*ret_crash = true;
	for (uint64_t i = record->offset[0]; i < record->offset[0] + items; i++) {
		if (which == KERNEL_SCALE && arguments[0].at)
			((int *)(void *)arguments[0].at)[i] *= *(int *)(void *)arguments[1].value;
		if (which == KERNEL_ADD)
			((int *)(void *)arguments[2].buffer->address)[i] = ((int *)(void *)arguments[0].buffer->address)[i] +
									   ((int *)(void *)arguments[1].buffer->address)[i];
	}
	if (which == KERNEL_PRINT)
		text_print(fake, items, *(int *)(void *)arguments[0].value);
	if (which == KERNEL_INVERT)
		invert(arguments[0].buffer, arguments[1].buffer);
	if (which == KERNEL_SUM && arguments[1].kind != WIRE_ARG_LOCAL)
		violation("no local memory", arguments[1].kind);
	return which ? CL_SUCCESS : CL_INVALID_KERNEL;
}

/* ---- records ------------------------------------------------------------------------------------- */

static int32_t fill(struct fake *fake, const struct wire_buffer_fill *record)
{
	struct buffer *buffer = buffer_find(fake, record->buffer, record->offset, record->bytes);

	for (uint64_t i = 0; buffer && i < record->bytes; i++)
		buffer->address[record->offset + i] = record->pattern[i % record->pattern_bytes];
	return buffer ? CL_SUCCESS : CL_INVALID_MEM_OBJECT;
}

static int32_t copy(struct fake *fake, const struct wire_buffer_copy *record)
{
	struct buffer *from = buffer_find(fake, record->source, record->source_offset, record->bytes);
	struct buffer *to = buffer_find(fake, record->destination, record->destination_offset, record->bytes);

	if (!from || !to)
		return CL_INVALID_MEM_OBJECT;
	memmove(to->address + record->destination_offset, from->address + record->source_offset, record->bytes);
	return CL_SUCCESS;
}

static int32_t transfer(struct fake *fake, const struct wire_buffer_transfer *record)
{
	struct buffer *buffer = buffer_find(fake, record->buffer, record->offset, record->range.bytes);
	uint8_t *range = range_find(fake, &record->range);

	if (!buffer || !range)
		return CL_INVALID_MEM_OBJECT;
	if (record->q.h.opcode == WIRE_BUFFER_WRITE)
		memcpy(buffer->address + record->offset, range, record->range.bytes);
	else
		memcpy(range, buffer->address + record->offset, record->range.bytes);
	return CL_SUCCESS;
}

static void sub_device_move(struct fake *fake, uint32_t id, bool lives)
{
	if (id < 1 || id >= WIRE_SUB_DEVICE_COUNT || fake->sub_devices[id] == lives) {
		violation("a sub-device that is not there, or twice", id);
		return;
	}
	fake->sub_devices[id] = lives;
	if (lives)
		COUNT(sub_devices);
	else
		UNCOUNT(sub_devices);
}

static void partition(struct fake *fake, const struct wire_partition *record)
{
	const uint32_t *units = (const void *)(record + 1);
	uint32_t total = 0;

	if (record->h.bytes != sizeof(*record) + ((record->count * 4 + 7) & ~7u) || record->kind < 1 || record->kind > 2)
		violation("a partition that cannot be", record->count);
	for (uint32_t i = 0; i < record->count; i++) {
		total += units[i];
		sub_device_move(fake, record->first + i, true);
	}
	if (total > 4)
		violation("more compute units than there are", total);
}

static int32_t image_create(struct fake *fake, const struct wire_image_create *record)
{
	struct buffer *buffer = &fake->buffers[record->image % WIRE_OBJECT_MAX];
	struct buffer *parent = record->buffer ? buffer_find(fake, record->buffer, 0, 0) : NULL;
	struct fake_image image = { 0 };

	if (buffer->living)
		violation("a buffer id in use", record->image);
	if (!fake_image_make(record, &image) || (parent && image.bytes > parent->bytes))
		violation("an image that cannot be", record->type);
	memset(buffer, 0, sizeof(*buffer));
	buffer->image = image;
	buffer->bytes = image.bytes;
	if (parent) {
		buffer->address = parent->address;
	} else if (record->backing.bytes) {
		buffer->address = range_find(fake, &record->backing);
		if (buffer->address)
			overlap_check(fake, buffer->address, image.bytes);
	} else {
		buffer->own = true;
		buffer->address = image.bytes <= LOAD(vram_bytes) ? malloc(image.bytes) : NULL;
	}
	if (!buffer->address)
		return CL_MEM_OBJECT_ALLOCATION_FAILURE;
	buffer->living = true;
	COUNT(buffers);
	return CL_SUCCESS;
}

static int32_t image_formats(struct fake *fake, const struct wire_image_formats *record, uint32_t *ret_value)
{
	/* The last but one is none that a shim could carry; there are more than fit into 4 KiB. */
	static const struct wire_image_format formats[] = { { CL_RGBA, CL_UNSIGNED_INT8 }, { CL_R, CL_FLOAT }, { CL_RGBA, 0x7777 },
							    { CL_RGBA, CL_FLOAT } };
	uint8_t *reply = range_find(fake, &record->reply);

	COUNT(format_questions);
	for (size_t i = 0; reply && i < 600 && (i + 1) * sizeof(*formats) <= record->reply.bytes; i++)
		memcpy(reply + i * sizeof(*formats), &formats[i < 3 ? i : 3], sizeof(*formats));
	*ret_value = 600;
	return CL_SUCCESS;
}

static struct buffer *image_find(struct fake *fake, uint32_t id, const uint64_t origin[3], const uint64_t region[3])
{
	struct buffer *buffer = buffer_find(fake, id, 0, 0);

	if (buffer && fake_image_has(&buffer->image, origin, region))
		return buffer;
	violation("an image that is not there, or too small", id);
	return NULL;
}

static int32_t image_transfer(struct fake *fake, const struct wire_image_transfer *record)
{
	struct buffer *buffer = image_find(fake, record->image, record->origin, record->region);
	uint8_t *range = range_find(fake, &record->range);
	uint64_t row_pitch, slice_pitch;

	if (!buffer || !range)
		return CL_INVALID_MEM_OBJECT;
	if (fake_image_tight_bytes(&buffer->image, record->region, &row_pitch, &slice_pitch) != record->range.bytes ||
	    record->row_pitch != row_pitch)
		violation("staging of an image with gaps", record->range.bytes);
	fake_image_move(&buffer->image, buffer->address, record->origin, record->region, range, row_pitch, slice_pitch,
			record->q.h.opcode == WIRE_IMAGE_WRITE);
	return CL_SUCCESS;
}

static int32_t image_copy(struct fake *fake, const struct wire_image_copy *record)
{
	struct buffer *from = image_find(fake, record->source, record->source_origin, record->region);
	struct buffer *to = image_find(fake, record->destination, record->destination_origin, record->region);
	uint64_t row_pitch, slice_pitch;
	uint8_t *between;

	if (!from || !to)
		return CL_INVALID_MEM_OBJECT;
	between = malloc(fake_image_tight_bytes(&from->image, record->region, &row_pitch, &slice_pitch));
	fake_image_move(&from->image, from->address, record->source_origin, record->region, between, row_pitch, slice_pitch, false);
	fake_image_move(&to->image, to->address, record->destination_origin, record->region, between, row_pitch, slice_pitch, true);
	free(between);
	return CL_SUCCESS;
}

static int32_t image_buffer_copy(struct fake *fake, const struct wire_image_buffer_copy *record)
{
	struct buffer *image = image_find(fake, record->image, record->origin, record->region);
	uint64_t row_pitch, slice_pitch;
	uint64_t bytes = image ? fake_image_tight_bytes(&image->image, record->region, &row_pitch, &slice_pitch) : 0;
	struct buffer *buffer = buffer_find(fake, record->buffer, record->offset, bytes);

	if (!image || !buffer)
		return CL_INVALID_MEM_OBJECT;
	fake_image_move(&image->image, image->address, record->origin, record->region, buffer->address + record->offset, row_pitch,
			slice_pitch, record->q.h.opcode == WIRE_IMAGE_FROM_BUFFER);
	return CL_SUCCESS;
}

static int32_t image_fill(struct fake *fake, const struct wire_image_fill *record)
{
	struct buffer *image = image_find(fake, record->image, record->origin, record->region);
	uint8_t pixel[16];

	/* Four integers of 8 bits; anything else as it came. */
	for (int i = 0; image && i < 16; i++)
		pixel[i] = image->image.shape.pixel_bytes == 4 ? record->color[i % 4 * 4] : record->color[i];
	if (image)
		fake_image_fill(&image->image, image->address, record->origin, record->region, pixel);
	return image ? CL_SUCCESS : CL_INVALID_MEM_OBJECT;
}

static void sampler_set(struct fake *fake, uint32_t id, bool living)
{
	if (id == 0 || id >= WIRE_OBJECT_MAX || fake->samplers[id % WIRE_OBJECT_MAX] == living)
		violation("a sampler id that is in use, or not", id);
	fake->samplers[id % WIRE_OBJECT_MAX] = living;
	if (living)
		COUNT(samplers);
	else
		UNCOUNT(samplers);
}

/* Every earlier record is over here. CL_SUCCESS, or what a record answers that waits for a failed one. */
static int32_t waits_check(struct fake *fake, const struct wire_queued *record, size_t fixed_bytes)
{
	const struct wire_wait *waits = (const void *)((const uint8_t *)record + fixed_bytes);
	int32_t status = CL_SUCCESS;

	if (record->wait_count > WIRE_WAIT_MAX || fixed_bytes + record->wait_count * sizeof(*waits) > record->h.bytes) {
		violation("a wait list that is too long", record->wait_count);
		return CL_INVALID_EVENT_WAIT_LIST;
	}
	for (uint32_t i = 0; i < record->wait_count; i++) {
		const struct wire_slot *slot = slot_at(fake, waits[i].slot % WIRE_SLOT_COUNT);

		if (waits[i].sequence >= record->h.sequence || waits[i].sequence == 0 || waits[i].slot >= WIRE_SLOT_COUNT)
			violation("a wait for no earlier record", waits[i].sequence);
		else if (slot->sequence == waits[i].sequence && slot->status < 0)
			status = CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST;
	}
	return status;
}

static void refusal_tell(struct fake *fake, uint32_t queue, int32_t status)
{
	uint32_t *word = &engine_page(fake)->queue_refused[queue];

	if (status < 0 && status != CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST)
		__atomic_store_n(word, WIRE_REFUSED((*word >> 16) + 1, status), __ATOMIC_RELEASE);
}

/* Does one record. False: the engine dies of it. */
static bool record_do(struct fake *fake, const struct wire_header *header)
{
	static const uint32_t exact[WIRE_OPCODE_COUNT] = {
		[WIRE_QUEUE_CREATE] = sizeof(struct wire_queue_create), [WIRE_QUEUE_DESTROY] = sizeof(struct wire_destroy),
		[WIRE_BUFFER_CREATE] = sizeof(struct wire_buffer_create), [WIRE_BUFFER_DESTROY] = sizeof(struct wire_destroy),
		[WIRE_PROGRAM_BUILD] = sizeof(struct wire_program_build), [WIRE_PROGRAM_DESTROY] = sizeof(struct wire_destroy),
		[WIRE_KERNEL_DESTROY] = sizeof(struct wire_destroy), [WIRE_BLOB_RELEASE] = sizeof(struct wire_blob_release),
		[WIRE_OUTPUT_READ] = sizeof(struct wire_output_read), [WIRE_SUB_DEVICE_DESTROY] = sizeof(struct wire_destroy),
		[WIRE_SUB_BUFFER_CREATE] = sizeof(struct wire_sub_buffer_create),
		[WIRE_QUEUE_CREATE_ON] = sizeof(struct wire_queue_create_on),
		[WIRE_IMAGE_CREATE] = sizeof(struct wire_image_create), [WIRE_IMAGE_FORMATS] = sizeof(struct wire_image_formats),
		[WIRE_SAMPLER_CREATE] = sizeof(struct wire_sampler_create), [WIRE_SAMPLER_DESTROY] = sizeof(struct wire_destroy),
		[WIRE_KERNEL_SUB_GROUPS] = sizeof(struct wire_kernel_sub_groups),
		[WIRE_SVM_MAP] = sizeof(struct wire_svm_map),
	};
	static const uint32_t queued[WIRE_OPCODE_COUNT] = {
		[WIRE_NDRANGE] = sizeof(struct wire_ndrange), [WIRE_BUFFER_FILL] = sizeof(struct wire_buffer_fill),
		[WIRE_BUFFER_COPY] = sizeof(struct wire_buffer_copy), [WIRE_BUFFER_WRITE] = sizeof(struct wire_buffer_transfer),
		[WIRE_BUFFER_READ] = sizeof(struct wire_buffer_transfer), [WIRE_MARKER] = sizeof(struct wire_queued),
		[WIRE_IMAGE_WRITE] = sizeof(struct wire_image_transfer), [WIRE_IMAGE_READ] = sizeof(struct wire_image_transfer),
		[WIRE_IMAGE_COPY] = sizeof(struct wire_image_copy), [WIRE_IMAGE_FILL] = sizeof(struct wire_image_fill),
		[WIRE_IMAGE_TO_BUFFER] = sizeof(struct wire_image_buffer_copy),
		[WIRE_IMAGE_FROM_BUFFER] = sizeof(struct wire_image_buffer_copy),
	};
	uint32_t slot, value = 0, id = ((const struct wire_destroy *)header)->id;
	const struct wire_queued *q = (const void *)header;
	uint64_t start_ns = now_ns() + DEVICE_EPOCH_NS;
	int32_t status = CL_SUCCESS;
	bool crash = false, answered = true;

	memcpy(&slot, header + 1, sizeof(slot));
	if (header->opcode >= 16 && LOAD(version_1))
		violation("an opcode that version 1 has not", header->opcode);
	if (header->sequence != ++fake->sequence)
		violation("a sequence that is not the next", header->sequence);
	if (header->flags)
		violation("flags", header->flags);
	if (header->opcode < WIRE_OPCODE_COUNT && exact[header->opcode] && header->bytes != exact[header->opcode])
		violation("a record of a wrong size", header->opcode);
	if (slot != WIRE_NO_SLOT && (slot >= WIRE_SLOT_COUNT || fake->slot_parting[slot]))
		violation("a slot that is taken or not there", slot);
	if (header->opcode < WIRE_OPCODE_COUNT && queued[header->opcode]) {
		status = waits_check(fake, q, queued[header->opcode]);
		if (q->queue >= WIRE_QUEUE_COUNT || !fake->queues[q->queue])
			violation("no such queue", q->queue);
	}
	switch (status < 0 ? WIRE_MARKER : header->opcode) {	/* one that is not to run does nothing */
	case WIRE_SUB_BUFFER_CREATE:
		status = sub_buffer_create(fake, (const void *)header);
		break;
	case WIRE_PARTITION:
		partition(fake, (const void *)header);
		break;
	case WIRE_SUB_DEVICE_DESTROY:
		sub_device_move(fake, id, false);
		break;
	case WIRE_QUEUE_CREATE_ON:
		if (!fake->sub_devices[((const struct wire_queue_create_on *)header)->sub_device % WIRE_SUB_DEVICE_COUNT])
			violation("a queue on no sub-device", id);
		COUNT(queues_on_sub_devices);
		/* fall through */
	case WIRE_QUEUE_CREATE:
		if (fake->queues[id % WIRE_QUEUE_COUNT])
			violation("a queue id in use", id);
		fake->queues[id % WIRE_QUEUE_COUNT] = true;
		__atomic_store_n(&engine_page(fake)->queue_done[id % WIRE_QUEUE_COUNT], header->sequence, __ATOMIC_RELEASE);
		break;
	case WIRE_QUEUE_DESTROY:
		fake->queues[id % WIRE_QUEUE_COUNT] = false;
		break;
	case WIRE_BUFFER_CREATE:
		status = buffer_create(fake, (const void *)header);
		break;
	case WIRE_BUFFER_DESTROY:
		answered = buffer_destroy(fake, (const void *)header);
		break;
	case WIRE_PROGRAM_BUILD:
		status = program_build(fake, (const void *)header, &value);
		break;
	case WIRE_PROGRAM_COMPILE:
		status = program_compile(fake, (const void *)header, &value);
		break;
	case WIRE_PROGRAM_LINK:
		status = program_link(fake, (const void *)header, &value);
		break;
	case WIRE_KERNEL_SUB_GROUPS:
		status = sub_groups(fake, (const void *)header, &value);
		break;
	case WIRE_PROGRAM_DESTROY:
		program_destroy(fake, id % WIRE_OBJECT_MAX);
		break;
	case WIRE_KERNEL_CREATE:
		kernel_create(fake, (const void *)header);
		break;
	case WIRE_KERNEL_DESTROY:
		if (!fake->kernels[id % WIRE_OBJECT_MAX])
			violation("no such kernel", id);
		fake->kernels[id % WIRE_OBJECT_MAX] = 0;
		break;
	case WIRE_NDRANGE:
		status = ndrange(fake, (const void *)header, &crash);
		break;
	case WIRE_BUFFER_FILL:
		status = fill(fake, (const void *)header);
		break;
	case WIRE_BUFFER_COPY:
		status = copy(fake, (const void *)header);
		break;
	case WIRE_BUFFER_WRITE:
	case WIRE_BUFFER_READ:
		status = transfer(fake, (const void *)header);
		break;
	case WIRE_MARKER:
		break;
	case WIRE_OUTPUT_READ:
		output_read(fake, (const void *)header, &value);
		break;
	case WIRE_IMAGE_CREATE:
		status = image_create(fake, (const void *)header);
		break;
	case WIRE_IMAGE_FORMATS:
		status = image_formats(fake, (const void *)header, &value);
		break;
	case WIRE_SAMPLER_CREATE:
	case WIRE_SAMPLER_DESTROY:	/* both have the id behind the slot */
		sampler_set(fake, id, header->opcode == WIRE_SAMPLER_CREATE);
		break;
	case WIRE_IMAGE_WRITE:
	case WIRE_IMAGE_READ:
		status = image_transfer(fake, (const void *)header);
		break;
	case WIRE_IMAGE_COPY:
		status = image_copy(fake, (const void *)header);
		break;
	case WIRE_IMAGE_TO_BUFFER:
	case WIRE_IMAGE_FROM_BUFFER:
		status = image_buffer_copy(fake, (const void *)header);
		break;
	case WIRE_IMAGE_FILL:
		status = image_fill(fake, (const void *)header);
		break;
	case WIRE_SVM_MAP:
		status = svm_map(fake, (const void *)header);
		break;
	case WIRE_BLOB_RELEASE: {
		struct blob *blob;

		pthread_mutex_lock(&fake->lock);
		blob = blob_find(fake, ((const struct wire_blob_release *)header)->blob_id);
		if (blob)
			blob->released = true;
		pthread_mutex_unlock(&fake->lock);
		COUNT(releases);
		break;
	}
	default:
		violation("an unknown opcode", header->opcode);
	}
	if (crash)
		return false;
	COUNT(records);			/* before anybody can know */
	if (answered)
		answer(fake, slot, header->sequence, status, value, start_ns);
	if (header->opcode < WIRE_OPCODE_COUNT && queued[header->opcode] && slot == WIRE_NO_SLOT)
		refusal_tell(fake, q->queue % WIRE_QUEUE_COUNT, status);
	if (header->opcode < WIRE_OPCODE_COUNT && queued[header->opcode])
		__atomic_store_n(&engine_page(fake)->queue_done[q->queue % WIRE_QUEUE_COUNT], header->sequence, __ATOMIC_RELEASE);
	__atomic_store_n(&engine_page(fake)->processed, header->sequence, __ATOMIC_RELEASE);
	publish(fake);
	return true;
}

static void lost(struct fake *fake, uint32_t reason)
{
	engine_page(fake)->lost_reason = reason;
	__atomic_store_n(&engine_page(fake)->engine_state, WIRE_ENGINE_LOST, __ATOMIC_SEQ_CST);
	__atomic_store_n(&shim_page(fake)->wake_wanted, 0, __ATOMIC_SEQ_CST);
	fence_signal(fake);
}

static void partings_answer(struct fake *fake)
{
	for (uint32_t i = 1; i < WIRE_OBJECT_MAX; i++)
		buffer_part(fake, &fake->buffers[i]);
	publish(fake);
}

/* The next record, copied, or NULL with nothing there. */
static const struct wire_header *record_take(struct fake *fake, uint8_t *copy_to)
{
	uint32_t tail = __atomic_load_n(&shim_page(fake)->tail, __ATOMIC_ACQUIRE), at = fake->head & (WIRE_RING_BYTES - 1);
	struct wire_header *header = (void *)copy_to;

	if (tail == fake->head)
		return NULL;
	memcpy(header, fake->ring + WIRE_OFFSET_RING + at, sizeof(*header));
	if (header->bytes < 16 || header->bytes % 8 || header->bytes > tail - fake->head || header->bytes > WIRE_RING_BYTES - at ||
	    (header->opcode != WIRE_NOP && header->bytes > WIRE_RECORD_MAX_BYTES)) {
		violation("a record of impossible length", header->bytes);
		lost(fake, WIRE_LOST_PROTOCOL);
		return NULL;
	}
	if (header->opcode != WIRE_NOP)
		memcpy(copy_to, fake->ring + WIRE_OFFSET_RING + at, header->bytes);
	else if (header->sequence != fake->sequence)
		violation("a NOP with a sequence of its own", header->sequence);
	fake->head += header->bytes;
	__atomic_store_n(&engine_page(fake)->head, fake->head, __ATOMIC_RELEASE);
	return header;
}

static void sleep_until_belled(struct fake *fake)
{
	struct pollfd pollfd = { .fd = fake->doorbell, .events = POLLIN };
	const struct timespec look_again = { .tv_nsec = 5000000 };
	uint32_t bell = __atomic_load_n(&engine_page(fake)->bell, __ATOMIC_SEQ_CST);
	eventfd_t value;

	__atomic_store_n(&engine_page(fake)->engine_state, WIRE_ENGINE_SLEEPING, __ATOMIC_SEQ_CST);
	if (fake->transport.same_host) {
		if (__atomic_load_n(&shim_page(fake)->tail, __ATOMIC_SEQ_CST) == fake->head) {
			COUNT(sleeps);
			while (!__atomic_load_n(&fake->stop, __ATOMIC_SEQ_CST) && !LOAD(die) &&
			       syscall(SYS_futex, &engine_page(fake)->bell, FUTEX_WAIT, bell, &look_again, NULL, 0) &&
			       errno == ETIMEDOUT)
				if (!LOAD(hold_destroys))
					partings_answer(fake);
			if (__atomic_load_n(&engine_page(fake)->bell, __ATOMIC_SEQ_CST) != bell)
				COUNT(futex_bells);
		}
	} else if (__atomic_load_n(&shim_page(fake)->tail, __ATOMIC_SEQ_CST) == fake->head) {
		COUNT(sleeps);
		while (!__atomic_load_n(&fake->stop, __ATOMIC_SEQ_CST) && !LOAD(die) && poll(&pollfd, 1, 5) == 0)
			if (!LOAD(hold_destroys))
				partings_answer(fake);
		if (pollfd.revents)
			eventfd_read(fake->doorbell, &value);
	}
	__atomic_store_n(&engine_page(fake)->engine_state, WIRE_ENGINE_AWAKE, __ATOMIC_SEQ_CST);
}

static void *engine_main(void *argument)
{
	struct fake *fake = argument;
	uint8_t *record = malloc(WIRE_RING_BYTES);
	uint64_t idle_since_ns = now_ns();

	engine_page(fake)->version = WIRE_VERSION;
	engine_page(fake)->features = WIRE_FEATURE_FUTEX;
	if (shim_page(fake)->bell_by == WIRE_BELL_FUTEX)
		engine_page(fake)->features |= WIRE_FEATURE_BELL;
	if ((shim_page(fake)->bell_by == WIRE_BELL_FUTEX) != fake->transport.same_host)
		violation("a bell by other means than reach the engine", shim_page(fake)->bell_by);
	__atomic_store_n(&engine_page(fake)->engine_state, WIRE_ENGINE_AWAKE, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&fake->stop, __ATOMIC_SEQ_CST)) {
		const struct wire_header *header;

		if (__atomic_exchange_n(&control.die, 0, __ATOMIC_SEQ_CST)) {
			lost(fake, WIRE_LOST_CRASH);
			break;
		}
		if (LOAD(hold)) {
			usleep(100);
			continue;
		}
		if (!LOAD(hold_destroys))
			for (uint32_t i = WIRE_OBJECT_MAX - 1; i > WIRE_OBJECT_MAX - 64; i--)
				buffer_part(fake, &fake->buffers[i]);
		header = record_take(fake, record);
		if (engine_page(fake)->engine_state == WIRE_ENGINE_LOST)
			break;
		if (header) {
			fake->queued_ns = now_ns() + DEVICE_EPOCH_NS;
			if (header->opcode != WIRE_NOP && !record_do(fake, header)) {
				lost(fake, WIRE_LOST_CRASH);
				break;
			}
			idle_since_ns = now_ns();
		} else if (now_ns() - idle_since_ns > SPIN_NS) {
			sleep_until_belled(fake);
			idle_since_ns = now_ns();
		}
	}
	free(record);
	return NULL;
}

/* ---- the transport --------------------------------------------------------------------------------- */

static int fake_blob_create(struct transport *transport, uint64_t blob_id, size_t bytes, struct transport_blob *ret_blob)
{
	struct fake *fake = (struct fake *)transport;
	bool charged = WIRE_BLOB_KIND(blob_id) == WIRE_BLOB_KIND_MEMORY;
	size_t index = 0;
	void *address;

	COUNT(blobs_made);
	if (bytes % 4096)
		violation("a blob of no whole pages", bytes);
	if (charged && __atomic_add_fetch(&control.blob_bytes, bytes, __ATOMIC_SEQ_CST) > LOAD(vram_bytes)) {
		__atomic_sub_fetch(&control.blob_bytes, bytes, __ATOMIC_SEQ_CST);
		return -ENOMEM;
	}
	address = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	madvise(address, bytes, MADV_DONTFORK);
	pthread_mutex_lock(&fake->lock);
	if (blob_find(fake, blob_id))
		violation("a blob id in use", blob_id);
	while (index < fake->blob_count && fake->blobs[index].living)
		index++;
	if (index == fake->blob_count)
		fake->blob_count++;
	fake->blobs[index] = (struct blob){ .id = blob_id, .address = address, .bytes = bytes, .living = true };
	pthread_mutex_unlock(&fake->lock);
	if (WIRE_BLOB_KIND(blob_id) == WIRE_BLOB_KIND_RING)
		fake->ring = address;
	else
		COUNT(blobs);
	*ret_blob = (struct transport_blob){ .blob_id = blob_id, .address = address, .bytes = bytes };
	return 0;
}

static void fake_blob_destroy(struct transport *transport, struct transport_blob *ret_blob)
{
	struct fake *fake = (struct fake *)transport;
	struct blob *blob;

	pthread_mutex_lock(&fake->lock);
	blob = blob_find(fake, ret_blob->blob_id);
	if (!blob) {
		violation("no such blob", ret_blob->blob_id);
	} else {
		bool memory = WIRE_BLOB_KIND(blob->id) == WIRE_BLOB_KIND_MEMORY;

		if (memory && !blob->released && fake->ring && engine_page(fake)->engine_state != WIRE_ENGINE_LOST)
			violation("a blob dropped without a release", blob->id);
		blob->living = false;
		if (memory) {
			__atomic_sub_fetch(&control.blob_bytes, blob->bytes, __ATOMIC_SEQ_CST);
			UNCOUNT(blobs);
		} else {	/* the engine cannot outlive its ring */
			pthread_mutex_unlock(&fake->lock);
			__atomic_store_n(&fake->stop, true, __ATOMIC_SEQ_CST);
			if (fake->running)
				pthread_join(fake->thread, NULL);
			fake->running = false;
			pthread_mutex_lock(&fake->lock);
			fake->ring = NULL;
		}
		munmap(blob->address, blob->bytes);
	}
	pthread_mutex_unlock(&fake->lock);
}

static int fake_blob_move(struct transport *transport, struct transport_blob *moved, void *address)
{
	struct fake *fake = (struct fake *)transport;
	struct blob *blob;
	int r = -ENOENT;

	pthread_mutex_lock(&fake->lock);
	blob = blob_find(fake, moved->blob_id);
	if (blob && blob->placed)
		violation("a blob moved from under the engine", blob->id);
	if (blob) {
		r = mremap(blob->address, blob->bytes, blob->bytes, MREMAP_MAYMOVE | MREMAP_FIXED, address) == MAP_FAILED ? -errno : 0;
		if (!r)
			blob->address = moved->address = address;
	}
	pthread_mutex_unlock(&fake->lock);
	return r;
}

static int fake_submit(struct transport *transport, const struct wire_submit *submit)
{
	struct fake *fake = (struct fake *)transport;

	switch (submit->op) {
	case WIRE_SUBMIT_SETUP:
		if (fake->running || !fake->ring || submit->arg != WIRE_BLOB_ID(WIRE_BLOB_KIND_RING, 1) || submit->version != transport->capset->version_max)
			violation("a SETUP that cannot be", submit->arg);
		fake->running = true;
		pthread_create(&fake->thread, NULL, engine_main, fake);
		return 0;
	case WIRE_SUBMIT_DOORBELL:
		COUNT(doorbells);
		eventfd_write(fake->doorbell, 1);
		return 0;
	default:
		violation("an unknown submission", submit->op);
		return -EINVAL;
	}
}

static int fake_submit_wake(struct transport *transport, int *ret_fence)
{
	struct fake *fake = (struct fake *)transport;
	int fence = eventfd(0, EFD_CLOEXEC), ours;

	if (fence < 0)
		return -errno;
	COUNT(wakes);
	if (LOAD(late_wake))
		usleep(300);
	ours = dup(fence);
	pthread_mutex_lock(&fake->lock);
	if (fake->fence >= 0) {		/* a newer one releases the older */
		eventfd_write(fake->fence, 1);
		close(fake->fence);
	}
	fake->fence = ours;
	pthread_mutex_unlock(&fake->lock);
	/* What the device must do: a flag that was used up before the submission was seen is answered at once. */
	if (!__atomic_load_n(&shim_page(fake)->wake_wanted, __ATOMIC_SEQ_CST))
		fence_signal(fake);
	*ret_fence = fence;
	return 0;
}

static void fake_close(struct transport *transport)
{
	struct fake *fake = (struct fake *)transport;

	__atomic_store_n(&fake->stop, true, __ATOMIC_SEQ_CST);
	if (fake->running)
		pthread_join(fake->thread, NULL);
	for (size_t i = 0; i < fake->blob_count; i++)
		if (fake->blobs[i].living)
			violation("a blob left at close", fake->blobs[i].id);
	for (uint32_t i = 0; i < WIRE_OBJECT_MAX; i++) {
		if (fake->programs[i])
			program_destroy(fake, i);
		if (fake->buffers[i].living) {
			UNCOUNT(buffers);
			if (fake->buffers[i].own)
				free(fake->buffers[i].address);
		}
	}
	if (fake->fence >= 0)
		close(fake->fence);
	close(fake->doorbell);
	pthread_mutex_destroy(&fake->lock);
	free(fake->transport.capset);
	free(fake);
	UNCOUNT(contexts);
}

static const struct transport_ops fake_ops = {
	.name = "fake",
	.blob_create = fake_blob_create,
	.blob_destroy = fake_blob_destroy,
	.blob_move = fake_blob_move,
	.submit = fake_submit,
	.submit_wake = fake_submit_wake,
	.close = fake_close,
};

/* ---- the capset ------------------------------------------------------------------------------------- */

static void info(struct reply *out, uint32_t param, const void *value, uint32_t bytes)
{
	const struct wire_info head = { .param = param, .bytes = bytes };

	put(out, &head, sizeof(head));
	put(out, value, bytes);
}

static void info_number(struct reply *out, uint32_t param, uint64_t value, uint32_t bytes)
{
	info(out, param, &value, bytes);
}

static void info_text(struct reply *out, uint32_t param, const char *text)
{
	info(out, param, text, (uint32_t)strlen(text) + 1);
}

static struct wire_capset *capset_make(void)
{
	static const uint64_t sizes[3] = { 256, 256, 64 };
	static const uint64_t kinds[3] = { CL_DEVICE_PARTITION_BY_AFFINITY_DOMAIN, CL_DEVICE_PARTITION_EQUALLY, CL_DEVICE_PARTITION_BY_COUNTS };
	struct reply *out = calloc(1, sizeof(*out));
	struct wire_capset *capset;

	info_number(out, CL_DEVICE_TYPE, CL_DEVICE_TYPE_CPU, 8);
	info_text(out, CL_DEVICE_NAME, "host device");
	info_text(out, CL_DEVICE_VERSION, "OpenCL 3.0 FAKE");
	info_text(out, CL_DEVICE_OPENCL_C_VERSION, "OpenCL C 1.2 FAKE");
	info_text(out, CL_DEVICE_PROFILE, "FULL_PROFILE");
	info_text(out, CL_DEVICE_IL_VERSION, "SPIR-V_1.2");
	info_text(out, CL_DRIVER_VERSION, "7");
	info_number(out, CL_DEVICE_LINKER_AVAILABLE, 1, 4);
	info_number(out, CL_DEVICE_MAX_NUM_SUB_GROUPS, 64, 4);
	info_text(out, CL_DEVICE_EXTENSIONS, "cl_khr_byte_addressable_store cl_khr_fp64 cl_khr_gl_sharing cl_khr_il_program cl_khr_image2d_from_buffer");
	info_number(out, CL_DEVICE_MAX_COMPUTE_UNITS, 4, 4);
	info_number(out, CL_DEVICE_PARTITION_MAX_SUB_DEVICES, 4, 4);
	info(out, CL_DEVICE_PARTITION_PROPERTIES, kinds, sizeof(kinds));
	info_number(out, CL_DEVICE_MAX_WORK_ITEM_DIMENSIONS, 3, 4);
	info(out, CL_DEVICE_MAX_WORK_ITEM_SIZES, sizes, sizeof(sizes));
	info_number(out, CL_DEVICE_MAX_WORK_GROUP_SIZE, 256, 8);
	info_number(out, CL_DEVICE_LOCAL_MEM_SIZE, 32768, 8);
	info_number(out, CL_DEVICE_MAX_PARAMETER_SIZE, 1024, 8);
	info_number(out, CL_DEVICE_QUEUE_ON_HOST_PROPERTIES, 3, 8);
	info_number(out, CL_DEVICE_IMAGE_SUPPORT, 1, 4);
	info_number(out, CL_DEVICE_IMAGE2D_MAX_WIDTH, 4096, 8);
	info_number(out, CL_DEVICE_IMAGE2D_MAX_HEIGHT, 4096, 8);
	info_number(out, CL_DEVICE_IMAGE3D_MAX_WIDTH, 256, 8);
	info_number(out, CL_DEVICE_IMAGE3D_MAX_HEIGHT, 256, 8);
	info_number(out, CL_DEVICE_IMAGE3D_MAX_DEPTH, 256, 8);
	info_number(out, CL_DEVICE_IMAGE_MAX_BUFFER_SIZE, 65536, 8);
	info_number(out, CL_DEVICE_IMAGE_MAX_ARRAY_SIZE, 64, 8);
	info_number(out, CL_DEVICE_IMAGE_PITCH_ALIGNMENT, 16, 4);
	info_number(out, CL_DEVICE_SVM_CAPABILITIES, 0xf, 8);
	info_number(out, CL_DEVICE_GLOBAL_MEM_SIZE, 1ull << 40, 8);
	info_number(out, CL_DEVICE_ADDRESS_BITS, 64, 4);
	info_number(out, CL_DEVICE_PROFILING_TIMER_RESOLUTION, 1, 8);
	info_number(out, CL_DEVICE_PRINTF_BUFFER_SIZE, 1 << 20, 8);
	capset = calloc(1, sizeof(*capset) + out->length);
	*capset = (struct wire_capset){
		.magic = WIRE_CAPSET_MAGIC,
		.version_min = 1,
		.version_max = LOAD(version_1) ? 1 : WIRE_VERSION,
		.bytes = (uint32_t)(sizeof(*capset) + out->length),
		.flags = WIRE_CAPS_COMPUTE | (LOAD(staged) ? 0 : WIRE_CAPS_UNIFIED) | (LOAD(images) ? WIRE_CAPS_IMAGES : 0) | WIRE_CAPS_PROGRAMS | WIRE_CAPS_IL |
			 (LOAD(version_1) ? 0 : WIRE_CAPS_SVM),
		.vram_bytes = LOAD(vram_bytes),
		.max_alloc_bytes = LOAD(vram_bytes),
		.mem_align_bytes = 128,
		.info_bytes = (uint32_t)out->length,
		.vgpu_name = "fake-1g",
		.host_version = "0.0-test",
	};
	memcpy(capset + 1, out->bytes, out->length);
	free(out);
	return capset;
}

int transport_enumerate(struct wire_capset ***ret_capsets)
{
	*ret_capsets = malloc(sizeof(**ret_capsets));
	(*ret_capsets)[0] = capset_make();
	return 1;
}

int transport_open(unsigned index, struct transport **ret_transport, char ret_why[256])
{
	struct fake *fake = index == 0 ? calloc(1, sizeof(*fake)) : NULL;

	if (!fake) {
		snprintf(ret_why, 256, "the fake has one vGPU, number 0");
		return -ENODEV;
	}
	fake->transport.ops = &fake_ops;
	fake->transport.capset = capset_make();
	fake->transport.same_host = LOAD(same_host);
	pthread_mutex_init(&fake->lock, NULL);
	fake->fence = -1;
	fake->doorbell = eventfd(0, EFD_CLOEXEC);
	COUNT(contexts);
	*ret_transport = &fake->transport;
	return 0;
}
