/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation. parse_record reads the envelope (slot, and queue for queue records) first, so that
 * a refusal can be answered; then the opcode's row gives the least size and the function for the rest.
 * Every function reads only inside [record, record + bytes): the fixed part by the row's size, the
 * variable part by a cursor whose error sticks.
 */
#include <string.h>

#include "mdev/engine/compute/parse_parts.h"

/* The next `bytes`, consumed together with their padding to 8; NULL (and bad) if they are not there. */
static const void *cursor_take(struct cursor *cursor, uint64_t bytes)
{
	uint64_t padded = (bytes + 7) & ~(uint64_t)7;

	if (cursor->bad || padded < bytes || padded > cursor->left) {
		cursor->bad = true;
		return NULL;
	}
	const void *taken = cursor->at;
	cursor->at += padded;
	cursor->left -= padded;
	return taken;
}

static bool in_window(uint64_t address)
{
	return address >= WIRE_SVM_WINDOW_FIRST && address < WIRE_SVM_WINDOW_END;
}

static int queue_create_parse(const void *record, struct cursor *rest, const struct parse_limits *limits,
			      struct parsed *parsed)
{
	const struct wire_queue_create *r = record;
	const uint64_t known = CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE | CL_QUEUE_PROFILING_ENABLE;

	(void)rest;
	(void)limits;
	if (r->queue < 1 || r->queue >= WIRE_QUEUE_COUNT)
		return CL_INVALID_COMMAND_QUEUE;
	parsed->queue_create.queue = r->queue;	/* whoever waits for a queue that is refused is told so by its counter */
	if (r->properties & ~known)
		return CL_INVALID_QUEUE_PROPERTIES;
	parsed->queue_create.profiling = r->properties & CL_QUEUE_PROFILING_ENABLE;
	parsed->queue_create.sub_device = 0;
	return 0;
}

static int queue_create_on_parse(const void *record, struct cursor *rest, const struct parse_limits *limits,
				 struct parsed *parsed)
{
	const struct wire_queue_create_on *r = record;

	parsed->opcode = WIRE_QUEUE_CREATE;
	int error = queue_create_parse(record, rest, limits, parsed);
	if (error)
		return error;
	parsed->queue_create.sub_device = r->sub_device;
	return r->sub_device >= 1 && r->sub_device < WIRE_SUB_DEVICE_COUNT ? 0 : CL_INVALID_DEVICE;
}

static int partition_parse(const void *record, struct cursor *rest, const struct parse_limits *limits, struct parsed *parsed)
{
	const struct wire_partition *r = record;

	(void)limits;
	if (r->first < 1 || r->first >= WIRE_SUB_DEVICE_COUNT || r->count < 1 || r->count > WIRE_SUB_DEVICE_COUNT - r->first)
		return CL_INVALID_DEVICE;
	if (r->kind != WIRE_PARTITION_EQUALLY && r->kind != WIRE_PARTITION_BY_COUNTS)
		return CL_INVALID_VALUE;
	const uint32_t *units = cursor_take(rest, (uint64_t)r->count * sizeof(*units));
	if (!units)
		return CL_INVALID_VALUE;
	for (uint32_t i = 0; i < r->count; i++)
		if (!units[i] || units[i] > INT32_MAX || (r->kind == WIRE_PARTITION_EQUALLY && units[i] != units[0]))
			return CL_INVALID_DEVICE_PARTITION_COUNT;
	parsed->partition.first = r->first;
	parsed->partition.count = r->count;
	parsed->partition.equally = r->kind == WIRE_PARTITION_EQUALLY;
	memcpy(parsed->partition.units, units, r->count * sizeof(*units));
	return 0;
}

static int destroy_parse(const void *record, struct cursor *rest, const struct parse_limits *limits, struct parsed *parsed)
{
	const struct wire_destroy *r = record;

	(void)rest;
	(void)limits;
	switch (r->h.opcode) {
	case WIRE_QUEUE_DESTROY:
		if (r->id < 1 || r->id >= WIRE_QUEUE_COUNT)
			return CL_INVALID_COMMAND_QUEUE;
		break;
	case WIRE_SUB_DEVICE_DESTROY:
		if (r->id < 1 || r->id >= WIRE_SUB_DEVICE_COUNT)
			return CL_INVALID_DEVICE;
		break;
	case WIRE_BUFFER_DESTROY:
		if (!object_id_fits(r->id))
			return CL_INVALID_MEM_OBJECT;
		break;
	case WIRE_PROGRAM_DESTROY:
		if (!object_id_fits(r->id))
			return CL_INVALID_PROGRAM;
		break;
	default:
		if (!object_id_fits(r->id))
			return CL_INVALID_KERNEL;
	}
	parsed->destroy_id = r->id;
	return 0;
}

static int buffer_create_parse(const void *record, struct cursor *rest, const struct parse_limits *limits,
			       struct parsed *parsed)
{
	const struct wire_buffer_create *r = record;

	(void)rest;
	if (!object_id_fits(r->buffer))
		return CL_INVALID_MEM_OBJECT;
	if (!mem_flags_fit(r->flags))
		return CL_INVALID_VALUE;
	if (!r->bytes || r->bytes > limits->max_alloc_bytes)
		return CL_INVALID_BUFFER_SIZE;
	/* Without a backing the device's own memory is taken, on a unified device as well. */
	if (r->backing.blob_id || r->backing.offset || r->backing.bytes) {
		if (!limits->unified || r->backing.bytes != r->bytes || !range_fits(&r->backing, limits))
			return CL_INVALID_HOST_PTR;
		if (r->backing.offset & (limits->mem_align_bytes - 1))
			return CL_MISALIGNED_SUB_BUFFER_OFFSET;
	}
	parsed->buffer_create.buffer = r->buffer;
	parsed->buffer_create.flags = r->flags;
	parsed->buffer_create.bytes = r->bytes;
	parsed->buffer_create.backing = r->backing;
	return 0;
}

static int sub_buffer_parse(const void *record, struct cursor *rest, const struct parse_limits *limits, struct parsed *parsed)
{
	const struct wire_sub_buffer_create *r = record;
	uint64_t end;

	(void)rest;
	if (!object_id_fits(r->buffer) || !object_id_fits(r->parent))
		return CL_INVALID_MEM_OBJECT;
	if (!mem_flags_fit(r->flags))
		return CL_INVALID_VALUE;
	if (!r->bytes || __builtin_add_overflow(r->origin, r->bytes, &end))
		return CL_INVALID_BUFFER_SIZE;
	if (r->origin & (limits->mem_align_bytes - 1))
		return CL_MISALIGNED_SUB_BUFFER_OFFSET;
	parsed->sub_buffer = (struct parsed_sub_buffer){r->buffer, r->parent, r->flags, r->origin, r->bytes};
	return 0;
}

static int program_build_parse(const void *record, struct cursor *rest, const struct parse_limits *limits,
			       struct parsed *parsed)
{
	const struct wire_program_build *r = record;

	(void)rest;
	if (!object_id_fits(r->program))
		return CL_INVALID_PROGRAM;
	if (r->source.bytes && !range_fits(&r->source, limits))
		return CL_INVALID_VALUE;
	if (r->options.bytes && !range_fits(&r->options, limits))
		return CL_INVALID_BUILD_OPTIONS;
	if (!range_fits(&r->reply, limits) || (r->reply.offset & 7) || r->reply.bytes < sizeof(struct wire_build_reply))
		return CL_INVALID_VALUE;
	parsed->program_build.program = r->program;
	parsed->program_build.source = r->source;
	parsed->program_build.options = r->options;
	parsed->program_build.reply = r->reply;
	return 0;
}

static bool reply_fits(const struct wire_range *reply, uint64_t at_least, const struct parse_limits *limits)
{
	return range_fits(reply, limits) && !(reply->offset & 7) && reply->bytes >= at_least;
}

static bool constants_fit(const struct wire_constant *constants, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (constants[i].bytes != 1 && constants[i].bytes != 2 && constants[i].bytes != 4 && constants[i].bytes != 8)
			return false;
	return true;
}

static int program_compile_parse(const void *record, struct cursor *rest, const struct parse_limits *limits,
				 struct parsed *parsed)
{
	const struct wire_program_compile *r = record;
	struct parsed_program_compile *c = &parsed->program_compile;

	if (!object_id_fits(r->program))
		return CL_INVALID_PROGRAM;
	if ((r->makes != WIRE_PROGRAM_OBJECT && r->makes != WIRE_PROGRAM_EXECUTABLE) || r->language > WIRE_LANGUAGE_IL)
		return CL_INVALID_VALUE;
	if (!range_fits(&r->source, limits) || !reply_fits(&r->reply, sizeof(struct wire_build_reply), limits))
		return CL_INVALID_VALUE;
	if (r->options.bytes && !range_fits(&r->options, limits))
		return CL_INVALID_COMPILER_OPTIONS;
	if (r->header_count > WIRE_HEADER_MAX || !r->header_count != !r->headers.bytes ||
	    (r->headers.bytes && !range_fits(&r->headers, limits)) ||
	    (r->header_count && (r->makes != WIRE_PROGRAM_OBJECT || r->language != WIRE_LANGUAGE_C)))
		return CL_INVALID_VALUE;
	if (r->constant_count > WIRE_CONSTANT_MAX || (r->constant_count && r->language != WIRE_LANGUAGE_IL))
		return CL_INVALID_VALUE;
	const struct wire_constant *constants = cursor_take(rest, (uint64_t)r->constant_count * sizeof(*constants));
	if (!constants || !constants_fit(constants, r->constant_count))
		return CL_INVALID_VALUE;
	*c = (struct parsed_program_compile){
		.program = r->program,
		.executable = r->makes == WIRE_PROGRAM_EXECUTABLE,
		.il = r->language == WIRE_LANGUAGE_IL,
		.source = r->source,
		.options = r->options,
		.headers = r->headers,
		.reply = r->reply,
		.header_count = r->header_count,
		.constant_count = r->constant_count,
		.constants = constants,
	};
	return 0;
}

static int program_link_parse(const void *record, struct cursor *rest, const struct parse_limits *limits, struct parsed *parsed)
{
	const struct wire_program_link *r = record;

	if (!object_id_fits(r->program))
		return CL_INVALID_PROGRAM;
	if (r->options.bytes && !range_fits(&r->options, limits))
		return CL_INVALID_LINKER_OPTIONS;
	if (!reply_fits(&r->reply, sizeof(struct wire_build_reply), limits) || !r->input_count || r->input_count > WIRE_INPUT_MAX)
		return CL_INVALID_VALUE;
	const uint32_t *inputs = cursor_take(rest, (uint64_t)r->input_count * sizeof(*inputs));
	if (!inputs)
		return CL_INVALID_VALUE;
	for (uint32_t i = 0; i < r->input_count; i++)
		if (!object_id_fits(inputs[i]))
			return CL_INVALID_PROGRAM;
	parsed->program_link = (struct parsed_program_link){r->program, r->options, r->reply, r->input_count, inputs};
	return 0;
}

static int sub_groups_parse(const void *record, struct cursor *rest, const struct parse_limits *limits, struct parsed *parsed)
{
	const struct wire_kernel_sub_groups *r = record;

	(void)rest;
	if (!object_id_fits(r->kernel))
		return CL_INVALID_KERNEL;
	if (r->input_count > 3 || !reply_fits(&r->reply, 8, limits) || r->reply.bytes > 24)
		return CL_INVALID_VALUE;
	parsed->sub_groups = (struct parsed_sub_groups){
		r->kernel, r->param, r->input_count, {r->input[0], r->input[1], r->input[2]}, r->reply};
	return 0;
}

/* A header's name becomes a path where a driver writes headers into a folder. */
static bool header_name_fits(const char *name, size_t bytes)
{
	if (!bytes || bytes >= sizeof(((struct parsed_header *)0)->name) || memchr(name, 0, bytes) || name[0] == '/')
		return false;
	for (size_t at = 0; at < bytes;) {
		const char *slash = memchr(name + at, '/', bytes - at);
		size_t length = slash ? (size_t)(slash - name) - at : bytes - at;
		if (length == 2 && name[at] == '.' && name[at + 1] == '.')
			return false;
		at += length + 1;
	}
	return true;
}

int headers_parse(const void *copy, size_t bytes, uint32_t count, struct parsed_header *ret_headers)
{
	struct cursor rest = {.at = copy, .left = bytes};

	for (uint32_t i = 0; i < count; i++) {
		const struct wire_program_header *head = cursor_take(&rest, sizeof(*head));
		const char *name = head ? cursor_take(&rest, head->name_bytes) : NULL;
		const void *text = name ? cursor_take(&rest, head->text_bytes) : NULL;
		if (!text || !header_name_fits(name, head->name_bytes))
			return CL_INVALID_VALUE;
		memcpy(ret_headers[i].name, name, head->name_bytes);
		ret_headers[i].name[head->name_bytes] = 0;
		ret_headers[i].text = text;
		ret_headers[i].text_bytes = head->text_bytes;
	}
	return rest.left ? CL_INVALID_VALUE : 0;
}

static int kernel_create_parse(const void *record, struct cursor *rest, const struct parse_limits *limits,
			       struct parsed *parsed)
{
	const struct wire_kernel_create *r = record;

	(void)limits;
	if (!object_id_fits(r->kernel))
		return CL_INVALID_KERNEL;
	if (!object_id_fits(r->program))
		return CL_INVALID_PROGRAM;
	if (!r->name_bytes || r->name_bytes >= sizeof(parsed->kernel_create.name))
		return CL_INVALID_KERNEL_NAME;
	const char *name = cursor_take(rest, r->name_bytes);
	if (!name || memchr(name, 0, r->name_bytes))
		return CL_INVALID_KERNEL_NAME;
	parsed->kernel_create.kernel = r->kernel;
	parsed->kernel_create.program = r->program;
	memcpy(parsed->kernel_create.name, name, r->name_bytes);
	parsed->kernel_create.name[r->name_bytes] = 0;
	return 0;
}

static int arg_parse(struct cursor *rest, const struct parse_limits *limits, struct parsed_arg *ret_arg)
{
	const struct wire_arg *arg = cursor_take(rest, sizeof(*arg));

	if (!arg)
		return CL_INVALID_KERNEL_ARGS;
	*ret_arg = (struct parsed_arg){.kind = arg->kind, .bytes = arg->bytes, .object = arg->object};
	switch (arg->kind) {
	case WIRE_ARG_VALUE:
		if (!arg->bytes)
			return CL_INVALID_ARG_SIZE;
		ret_arg->value = cursor_take(rest, arg->bytes);
		return ret_arg->value ? 0 : CL_INVALID_ARG_SIZE;
	case WIRE_ARG_BUFFER:
		return arg->object < WIRE_OBJECT_MAX ? 0 : CL_INVALID_MEM_OBJECT;
	case WIRE_ARG_LOCAL:
		return arg->bytes ? 0 : CL_INVALID_ARG_SIZE;
	case WIRE_ARG_IMAGE:
		return object_id_fits(arg->object) ? 0 : CL_INVALID_MEM_OBJECT;
	case WIRE_ARG_SAMPLER:
		return object_id_fits(arg->object) ? 0 : CL_INVALID_SAMPLER;
	case WIRE_ARG_SVM:
		ret_arg->address = (uint64_t)arg->high << 32 | arg->object;
		ret_arg->object = 0;
		return limits->svm && (!ret_arg->address || in_window(ret_arg->address)) ? 0 : CL_INVALID_ARG_VALUE;
	default:
		return CL_INVALID_ARG_VALUE;
	}
}

static int ndrange_parse(const void *record, struct cursor *rest, const struct parse_limits *limits, struct parsed *parsed)
{
	const struct wire_ndrange *r = record;
	struct parsed_ndrange *n = &parsed->ndrange;

	if (!object_id_fits(r->kernel))
		return CL_INVALID_KERNEL;
	if (r->dimensions < 1 || r->dimensions > 3)
		return CL_INVALID_WORK_DIMENSION;
	if (r->has_local > 1)
		return CL_INVALID_WORK_GROUP_SIZE;
	if (r->arg_count > WIRE_ARG_MAX)
		return CL_INVALID_KERNEL_ARGS;
	size_t items = 1, group = 1;
	for (uint32_t i = 0; i < r->dimensions; i++) {
		uint64_t end;
		if (__builtin_add_overflow(r->offset[i], r->global[i], &end))
			return CL_INVALID_GLOBAL_OFFSET;
		if (__builtin_mul_overflow(items, r->global[i] ? r->global[i] : 1, &items))
			return CL_INVALID_GLOBAL_WORK_SIZE;
		if (r->has_local && (!r->local[i] || __builtin_mul_overflow(group, r->local[i], &group)))
			return CL_INVALID_WORK_GROUP_SIZE;
		n->offset[i] = r->offset[i];
		n->global[i] = r->global[i];
		n->local[i] = r->has_local ? r->local[i] : 0;
	}
	n->kernel = r->kernel;
	n->dimensions = r->dimensions;
	n->arg_count = r->arg_count;
	n->has_local = r->has_local;
	for (uint32_t i = 0; i < r->arg_count; i++) {
		int error = arg_parse(rest, limits, &n->args[i]);
		if (error)
			return error;
	}
	return 0;
}

static int fill_parse(const void *record, struct cursor *rest, const struct parse_limits *limits, struct parsed *parsed)
{
	const struct wire_buffer_fill *r = record;
	uint64_t end;

	(void)rest;
	(void)limits;
	if (!object_id_fits(r->buffer))
		return CL_INVALID_MEM_OBJECT;
	if (!r->pattern_bytes || r->pattern_bytes > sizeof(r->pattern) || (r->pattern_bytes & (r->pattern_bytes - 1)))
		return CL_INVALID_VALUE;
	if (r->offset % r->pattern_bytes || r->bytes % r->pattern_bytes || __builtin_add_overflow(r->offset, r->bytes, &end))
		return CL_INVALID_VALUE;
	parsed->fill = (struct parsed_fill){r->buffer, r->pattern_bytes, r->offset, r->bytes, r->pattern};
	return 0;
}

static int copy_parse(const void *record, struct cursor *rest, const struct parse_limits *limits, struct parsed *parsed)
{
	const struct wire_buffer_copy *r = record;
	uint64_t end;

	(void)rest;
	(void)limits;
	if (!object_id_fits(r->source) || !object_id_fits(r->destination))
		return CL_INVALID_MEM_OBJECT;
	if (!r->bytes || __builtin_add_overflow(r->source_offset, r->bytes, &end) ||
	    __builtin_add_overflow(r->destination_offset, r->bytes, &end))
		return CL_INVALID_VALUE;
	parsed->copy = (struct parsed_copy){r->source, r->destination, r->source_offset, r->destination_offset, r->bytes};
	return 0;
}

static int transfer_parse(const void *record, struct cursor *rest, const struct parse_limits *limits,
			  struct parsed *parsed)
{
	const struct wire_buffer_transfer *r = record;
	uint64_t end;

	(void)rest;
	if (!object_id_fits(r->buffer))
		return CL_INVALID_MEM_OBJECT;
	if (!range_fits(&r->range, limits) || __builtin_add_overflow(r->offset, r->range.bytes, &end))
		return CL_INVALID_VALUE;
	parsed->transfer = (struct parsed_transfer){r->buffer, r->offset, r->range};
	return 0;
}

static int marker_parse(const void *record, struct cursor *rest, const struct parse_limits *limits, struct parsed *parsed)
{
	(void)record;
	(void)rest;
	(void)limits;
	(void)parsed;
	return 0;
}

static int blob_release_parse(const void *record, struct cursor *rest, const struct parse_limits *limits,
			      struct parsed *parsed)
{
	const struct wire_blob_release *r = record;

	(void)rest;
	(void)limits;
	if (WIRE_BLOB_KIND(r->blob_id) != WIRE_BLOB_KIND_MEMORY)
		return CL_INVALID_VALUE;
	parsed->release_blob_id = r->blob_id;
	return 0;
}

static int svm_map_parse(const void *record, struct cursor *rest, const struct parse_limits *limits, struct parsed *parsed)
{
	const struct wire_svm_map *r = record;

	(void)rest;
	if (!limits->svm)
		return CL_INVALID_OPERATION;
	if (WIRE_BLOB_KIND(r->blob_id) != WIRE_BLOB_KIND_MEMORY || !limits->blob_bytes(limits->data, r->blob_id))
		return CL_INVALID_MEM_OBJECT;
	if (r->address & 4095 || !in_window(r->address))
		return CL_INVALID_VALUE;
	parsed->svm_map = (struct parsed_svm_map){r->blob_id, r->address};
	return 0;
}

static int output_read_parse(const void *record, struct cursor *rest, const struct parse_limits *limits, struct parsed *parsed)
{
	const struct wire_output_read *r = record;

	(void)rest;
	if (!range_fits(&r->range, limits) || (r->range.offset & 7) || r->range.bytes <= sizeof(struct wire_output))
		return CL_INVALID_VALUE;
	parsed->output_range = r->range;
	return 0;
}

/* By opcode, empty where none is assigned. queued: starts with struct wire_queued, waits follow the fixed part. */
static const struct {
	uint32_t fixed_bytes;
	bool queued;
	int (*parse)(const void *record, struct cursor *rest, const struct parse_limits *limits, struct parsed *parsed);
} rows[WIRE_OPCODE_COUNT] = {
	[WIRE_QUEUE_CREATE] = {sizeof(struct wire_queue_create), false, queue_create_parse},
	[WIRE_QUEUE_DESTROY] = {sizeof(struct wire_destroy), false, destroy_parse},
	[WIRE_BUFFER_CREATE] = {sizeof(struct wire_buffer_create), false, buffer_create_parse},
	[WIRE_BUFFER_DESTROY] = {sizeof(struct wire_destroy), false, destroy_parse},
	[WIRE_PROGRAM_BUILD] = {sizeof(struct wire_program_build), false, program_build_parse},
	[WIRE_PROGRAM_DESTROY] = {sizeof(struct wire_destroy), false, destroy_parse},
	[WIRE_KERNEL_CREATE] = {sizeof(struct wire_kernel_create), false, kernel_create_parse},
	[WIRE_KERNEL_DESTROY] = {sizeof(struct wire_destroy), false, destroy_parse},
	[WIRE_NDRANGE] = {sizeof(struct wire_ndrange), true, ndrange_parse},
	[WIRE_BUFFER_FILL] = {sizeof(struct wire_buffer_fill), true, fill_parse},
	[WIRE_BUFFER_COPY] = {sizeof(struct wire_buffer_copy), true, copy_parse},
	[WIRE_BUFFER_WRITE] = {sizeof(struct wire_buffer_transfer), true, transfer_parse},
	[WIRE_BUFFER_READ] = {sizeof(struct wire_buffer_transfer), true, transfer_parse},
	[WIRE_MARKER] = {sizeof(struct wire_queued), true, marker_parse},
	[WIRE_BLOB_RELEASE] = {sizeof(struct wire_blob_release), false, blob_release_parse},
	[WIRE_SUB_BUFFER_CREATE] = {sizeof(struct wire_sub_buffer_create), false, sub_buffer_parse},
	[WIRE_PARTITION] = {sizeof(struct wire_partition), false, partition_parse},
	[WIRE_SUB_DEVICE_DESTROY] = {sizeof(struct wire_destroy), false, destroy_parse},
	[WIRE_QUEUE_CREATE_ON] = {sizeof(struct wire_queue_create_on), false, queue_create_on_parse},
	[WIRE_OUTPUT_READ] = {sizeof(struct wire_output_read), false, output_read_parse},
	[WIRE_IMAGE_CREATE] = {sizeof(struct wire_image_create), false, image_create_parse},
	[WIRE_IMAGE_FORMATS] = {sizeof(struct wire_image_formats), false, image_formats_parse},
	[WIRE_SAMPLER_CREATE] = {sizeof(struct wire_sampler_create), false, sampler_create_parse},
	[WIRE_SAMPLER_DESTROY] = {sizeof(struct wire_destroy), false, sampler_destroy_parse},
	[WIRE_IMAGE_WRITE] = {sizeof(struct wire_image_transfer), true, image_transfer_parse},
	[WIRE_IMAGE_READ] = {sizeof(struct wire_image_transfer), true, image_transfer_parse},
	[WIRE_IMAGE_COPY] = {sizeof(struct wire_image_copy), true, image_copy_parse},
	[WIRE_IMAGE_TO_BUFFER] = {sizeof(struct wire_image_buffer_copy), true, image_buffer_copy_parse},
	[WIRE_IMAGE_FROM_BUFFER] = {sizeof(struct wire_image_buffer_copy), true, image_buffer_copy_parse},
	[WIRE_IMAGE_FILL] = {sizeof(struct wire_image_fill), true, image_fill_parse},
	[WIRE_PROGRAM_COMPILE] = {sizeof(struct wire_program_compile), false, program_compile_parse},
	[WIRE_PROGRAM_LINK] = {sizeof(struct wire_program_link), false, program_link_parse},
	[WIRE_KERNEL_SUB_GROUPS] = {sizeof(struct wire_kernel_sub_groups), false, sub_groups_parse},
	[WIRE_SVM_MAP] = {sizeof(struct wire_svm_map), false, svm_map_parse},
};

static int waits_parse(const struct wire_queued *queued, struct cursor *rest, struct parsed *parsed)
{
	if (queued->wait_count > WIRE_WAIT_MAX)
		return CL_INVALID_EVENT_WAIT_LIST;
	const struct wire_wait *waits = cursor_take(rest, (uint64_t)queued->wait_count * sizeof(*waits));
	if (!waits)
		return CL_INVALID_EVENT_WAIT_LIST;
	for (uint32_t i = 0; i < queued->wait_count; i++)
		if (waits[i].slot >= WIRE_SLOT_COUNT || !waits[i].sequence || waits[i].sequence >= parsed->sequence)
			return CL_INVALID_EVENT_WAIT_LIST;
	parsed->waits = waits;
	parsed->wait_count = queued->wait_count;
	return 0;
}

int parse_record(const void *record, size_t bytes, const struct parse_limits *limits, struct parsed *ret_parsed)
{
	const struct wire_header *header = record;
	struct parsed *parsed = ret_parsed;

	parsed->opcode = header->opcode;
	parsed->sequence = header->sequence;
	parsed->slot = WIRE_NO_SLOT;
	parsed->queue = 0;
	parsed->wait_count = 0;
	parsed->waits = NULL;
	parsed->queue_create.queue = 0;
	if (header->opcode == WIRE_NOP)
		return 0;
	if (header->opcode >= WIRE_OPCODE_COUNT || !rows[header->opcode].parse)
		return CL_INVALID_OPERATION;
	if (bytes < rows[header->opcode].fixed_bytes)
		return CL_INVALID_VALUE;

	/* The envelope: slot is the first word after the header of every record. */
	const struct wire_queued *queued = record;
	if (queued->slot != WIRE_NO_SLOT && queued->slot >= WIRE_SLOT_COUNT)
		return CL_INVALID_EVENT;
	parsed->slot = queued->slot;
	if (rows[header->opcode].queued) {
		if (queued->queue < 1 || queued->queue >= WIRE_QUEUE_COUNT)
			return CL_INVALID_COMMAND_QUEUE;
		parsed->queue = queued->queue;
	}
	if (header->flags)
		return CL_INVALID_OPERATION;

	struct cursor rest = {.at = (const uint8_t *)record + rows[header->opcode].fixed_bytes,
			      .left = bytes - rows[header->opcode].fixed_bytes};
	if (rows[header->opcode].queued) {
		int error = waits_parse(queued, &rest, parsed);
		if (error)
			return error;
	}
	return rows[header->opcode].parse(record, &rest, limits, parsed);
}
