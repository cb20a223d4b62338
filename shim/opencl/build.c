/* SPDX-License-Identifier: MIT */
#include "shim/opencl/build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/opencl/buffer.h"
#include "shim/opencl/build_reply.h"

#define REPLY_BYTES 0x10000u

struct build_request {
	struct build *build;
	struct ring_wait wait;		/* with notify */
	struct ring_completion completion;
	struct memory_range texts;	/* slab NULL: none */
	struct memory_range reply;
	void (*done)(struct build *build, void *data);
	void *data;
};

static size_t padded(size_t bytes)
{
	return (bytes + 7) & ~(size_t)7;
}

cl_int build_create(struct session *session, struct recipe *recipe, const char *options, struct build **ret_build)
{
	struct build *build = calloc(1, sizeof(*build));

	if (!build)
		return CL_OUT_OF_HOST_MEMORY;
	build->references = 1;
	build->session = session;
	build->refused = true;
	build->recipe = recipe_hold(recipe);
	build->status = CL_BUILD_ERROR;
	build->options = strdup(options ? options : "");
	build->log = calloc(1, 1);
	build->id = session_id_take(session, ID_PROGRAM);
	if (!build->options || !build->log || !build->id) {
		cl_int error = build->id ? CL_OUT_OF_HOST_MEMORY : CL_OUT_OF_RESOURCES;

		build_release(build);
		return error;
	}
	*ret_build = build;
	return CL_SUCCESS;
}

void build_release(struct build *build)
{
	if (!build || __atomic_fetch_sub(&build->references, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	if (build->id && build->refused)
		session_id_return(build->session, ID_PROGRAM, build->id);
	else if (build->id)
		session_object_destroy(build->session, WIRE_PROGRAM_DESTROY, ID_PROGRAM, build->id);
	build_reply_forget(build);
	recipe_release(build->recipe);
	free(build->options);
	free(build);
}

/* ---- what is written into the ring ------------------------------------------------------------- */

/* One recipe that is to be made, with its place in the texts. */
struct part {
	uint32_t id;			/* WIRE program; 0: it is not needed */
	bool made;			/* the engine has it */
};

/* Text that is never empty: an empty range would ask for a reply again. */
static size_t source_bytes(const struct recipe *recipe)
{
	return recipe->text->bytes ? recipe->text->bytes : 1;
}

static size_t headers_bytes(const struct recipe *recipe)
{
	size_t bytes = 0;

	for (uint32_t i = 0; i < recipe->header_count; i++)
		bytes += sizeof(struct wire_program_header) + padded(strlen(recipe->headers[i].name)) +
			 padded(recipe->headers[i].text->bytes);
	return bytes;
}

/* Source, options, headers, and a reply that nobody reads. */
static size_t texts_bytes(const struct recipe *recipe)
{
	return (recipe->text ? padded(source_bytes(recipe)) : 0) + padded(strlen(recipe->options)) + headers_bytes(recipe) +
	       sizeof(struct wire_build_reply);
}

/* Where the next text goes. */
struct place {
	const struct memory_range *range;
	size_t used;
};

/* Room for `bytes`, of which the caller writes all. */
static uint8_t *place_take(struct place *place, size_t bytes, struct wire_range *ret_wire)
{
	uint8_t *at = (uint8_t *)place->range->address + place->used;

	*ret_wire = (struct wire_range){ 0 };
	if (bytes)
		*ret_wire = (struct wire_range){ place->range->blob_id, place->range->offset + place->used, bytes };
	place->used += padded(bytes);
	return at;
}

static void place_text(struct place *place, const void *text, size_t bytes, struct wire_range *ret_wire)
{
	uint8_t *at = place_take(place, bytes, ret_wire);

	if (bytes)
		memcpy(at, text, bytes);
}

static void place_source(struct place *place, const struct recipe *recipe, struct wire_range *ret_wire)
{
	place_text(place, recipe->text->bytes ? recipe->text->data : "\n", source_bytes(recipe), ret_wire);
}

static void place_headers(struct place *place, const struct recipe *recipe, struct wire_range *ret_wire)
{
	size_t bytes = headers_bytes(recipe);
	uint8_t *at = place_take(place, bytes, ret_wire);

	memset(at, 0, bytes);
	for (uint32_t i = 0; i < recipe->header_count; i++) {
		const struct recipe_header *header = &recipe->headers[i];
		const struct wire_program_header head = { .name_bytes = (uint32_t)strlen(header->name), .text_bytes = header->text->bytes };

		memcpy(at, &head, sizeof(head));
		at += sizeof(head);
		memcpy(at, header->name, head.name_bytes);
		at += padded(head.name_bytes);
		memcpy(at, header->text->data, header->text->bytes);
		at += padded(header->text->bytes);
	}
}

static bool write_build(struct ring *ring, const struct recipe *recipe, uint32_t id, struct place *place,
			const struct wire_range *reply, struct ring_completion *completion)
{
	struct wire_program_build *record;
	struct wire_range source, options;

	place_source(place, recipe, &source);
	place_text(place, recipe->options, strlen(recipe->options), &options);
	record = ring_begin(ring, WIRE_PROGRAM_BUILD, sizeof(*record), completion);
	if (!record)
		return false;
	record->program = id;
	record->source = source;
	record->options = options;
	record->reply = *reply;
	ring_commit(ring);
	return true;
}

static bool write_compile(struct ring *ring, const struct recipe *recipe, uint32_t id, struct place *place,
			  const struct wire_range *reply, struct ring_completion *completion)
{
	size_t constants_bytes = recipe->constant_count * sizeof(struct wire_constant);
	struct wire_program_compile *record;
	struct wire_range source, options, headers;

	static_assert(sizeof(struct wire_constant) == sizeof(struct recipe_constant), "copied as they are");
	place_source(place, recipe, &source);
	place_text(place, recipe->options, strlen(recipe->options), &options);
	place_headers(place, recipe, &headers);
	record = ring_begin(ring, WIRE_PROGRAM_COMPILE, sizeof(*record) + constants_bytes, completion);
	if (!record)
		return false;
	record->program = id;
	record->makes = recipe->makes == CL_PROGRAM_BINARY_TYPE_EXECUTABLE ? WIRE_PROGRAM_EXECUTABLE : WIRE_PROGRAM_OBJECT;
	record->language = recipe->form == RECIPE_IL ? WIRE_LANGUAGE_IL : WIRE_LANGUAGE_C;
	record->source = source;
	record->options = options;
	record->headers = headers;
	record->reply = *reply;
	record->header_count = recipe->header_count;
	record->constant_count = recipe->constant_count;
	memcpy(record + 1, recipe->constants, constants_bytes);
	ring_commit(ring);
	return true;
}

static bool write_link(struct ring *ring, const struct recipe *recipe, uint32_t id, const uint32_t *inputs, struct place *place,
		       const struct wire_range *reply, struct ring_completion *completion)
{
	size_t inputs_bytes = padded(recipe->input_count * sizeof(*inputs));
	struct wire_program_link *record;
	struct wire_range options;

	place_text(place, recipe->options, strlen(recipe->options), &options);
	record = ring_begin(ring, WIRE_PROGRAM_LINK, sizeof(*record) + inputs_bytes, completion);
	if (!record)
		return false;
	record->program = id;
	record->options = options;
	record->reply = *reply;
	record->input_count = recipe->input_count;
	record->reserved = 0;
	memset(record + 1, 0, inputs_bytes);
	memcpy(record + 1, inputs, recipe->input_count * sizeof(*inputs));
	ring_commit(ring);
	return true;
}

static bool write_recipe(struct ring *ring, const struct recipe *recipe, uint32_t id, const uint32_t *inputs, struct place *place,
			 const struct wire_range *reply, struct ring_completion *completion)
{
	if (recipe->form == RECIPE_LINK)
		return write_link(ring, recipe, id, inputs, place, reply, completion);
	/* The one that a host of version 1 knows. */
	if (recipe->form == RECIPE_SOURCE && recipe->makes == CL_PROGRAM_BINARY_TYPE_EXECUTABLE)
		return write_build(ring, recipe, id, place, reply, completion);
	return write_compile(ring, recipe, id, place, reply, completion);
}

/* ---- beginning --------------------------------------------------------------------------------- */

/* Which recipes are to be made, with an id each: those that the root needs and the engine has not. -errno: -EAGAIN, no id left. */
static int parts_choose(struct build *build, struct build *const *inputs, const struct recipe_order *order, struct part *parts)
{
	const struct recipe *root = build->recipe;

	parts[order->count - 1].id = build->id;
	for (uint32_t i = 0; inputs && i < root->input_count; i++)
		if (inputs[i]) {
			struct part *part = &parts[recipe_order_find(order, root->inputs[i])];

			part->id = inputs[i]->id;
			part->made = true;
		}
	for (uint32_t i = order->count; i-- > 0;) {
		const struct recipe *recipe = order->recipes[i];

		if (!parts[i].id || parts[i].made)
			continue;
		for (uint32_t j = 0; j < recipe->input_count; j++) {
			struct part *part = &parts[recipe_order_find(order, recipe->inputs[j])];

			if (!part->id)
				part->id = session_id_take(build->session, ID_PROGRAM);
			if (!part->id)
				return -EAGAIN;
		}
	}
	return 0;
}

static int parts_write(struct build *build, const struct recipe_order *order, const struct part *parts)
{
	struct build_request *request = build->request;
	struct ring *ring = build->session->ring;
	struct place place = { .range = &request->texts };
	uint32_t *inputs = calloc(WIRE_INPUT_MAX, sizeof(*inputs));
	bool written = inputs;

	for (uint32_t i = 0; written && i < order->count; i++) {
		const struct recipe *recipe = order->recipes[i];
		struct ring_completion ignored = { .slot = WIRE_NO_SLOT };
		bool root = i + 1 == order->count;
		struct wire_range reply;

		if (!parts[i].id || parts[i].made)
			continue;
		for (uint32_t j = 0; j < recipe->input_count; j++)
			inputs[j] = parts[recipe_order_find(order, recipe->inputs[j])].id;
		place_take(&place, sizeof(struct wire_build_reply), &reply);
		if (root)
			reply = memory_wire_range(&request->reply);
		written = write_recipe(ring, recipe, parts[i].id, inputs, &place, &reply, root ? &request->completion : &ignored);
		if (!root)	/* its failure is the root's; that its reply does not fit is none */
			ring_forget(ring, &ignored);
	}
	free(inputs);
	return written ? 0 : -EIO;
}

/* The engine is told to forget what was made on the way only. */
static void parts_drop(struct build *build, const struct recipe_order *order, struct part *parts)
{
	for (uint32_t i = 0; i + 1 < order->count; i++)
		if (parts[i].id && !parts[i].made)
			session_object_destroy(build->session, WIRE_PROGRAM_DESTROY, ID_PROGRAM, parts[i].id);
}

static int request_write(struct build *build, struct build *const *inputs)
{
	struct build_request *request = build->request;
	struct recipe_order order;
	struct part *parts;
	size_t bytes = 0;
	int r = recipe_order_make(build->recipe, &order);

	if (r < 0)
		return r;
	parts = calloc(order.count, sizeof(*parts));
	r = parts ? parts_choose(build, inputs, &order, parts) : -ENOMEM;
	for (uint32_t i = 0; r == 0 && i < order.count; i++)
		if (parts[i].id && !parts[i].made)
			bytes += texts_bytes(order.recipes[i]);
	if (r == 0)
		r = staging_alloc(build->session, bytes, &request->texts);
	if (r == 0)
		r = staging_alloc(build->session, REPLY_BYTES, &request->reply);
	if (r == 0)
		r = parts_write(build, &order, parts);
	if (r == 0)
		build->refused = false;
	if (parts)
		parts_drop(build, &order, parts);
	free(parts);
	recipe_order_finish(&order);
	return r;
}

static void request_free(struct build *build)
{
	memory_release(build->session->memory, &build->request->texts);
	memory_release(build->session->memory, &build->request->reply);
	free(build->request);
	build->request = NULL;
}

static void build_end(struct build *build, cl_int error)
{
	if (error) {
		build->status = CL_BUILD_ERROR;
		build->error = error;
	}
	__atomic_store_n(&build->over, 1, __ATOMIC_RELEASE);
}

cl_int build_begin(struct build *build, struct build *const *inputs)
{
	int r = -ENOMEM;

	build->request = calloc(1, sizeof(*build->request));
	if (build->request) {
		build->request->build = build;
		build->request->completion.slot = WIRE_NO_SLOT;
		r = request_write(build, inputs);
		if (r == 0)
			return CL_SUCCESS;
		request_free(build);
	}
	build_end(build, r == -EIO ? CL_DEVICE_NOT_AVAILABLE : CL_OUT_OF_RESOURCES);
	return build->error;
}

/* ---- the end ----------------------------------------------------------------------------------- */

/* The reply did not fit: asks for it again. -errno: it is not under way. */
static int reply_again(struct build *build, size_t bytes)
{
	struct build_request *request = build->request;
	struct wire_program_build *record;
	int r;

	memory_release(build->session->memory, &request->reply);
	r = staging_alloc(build->session, bytes, &request->reply);
	if (r < 0)
		return r;
	memset(&request->completion, 0, sizeof(request->completion));
	record = ring_begin(build->session->ring, WIRE_PROGRAM_BUILD, sizeof(*record), &request->completion);
	if (!record)
		return -EIO;
	record->program = build->id;
	record->source = record->options = (struct wire_range){ 0 };
	record->reply = memory_wire_range(&request->reply);
	ring_commit(build->session->ring);
	return 0;
}

/* What a host that calls something successful that is not is taken to mean. */
static cl_int failure_of(const struct recipe *recipe)
{
	if (recipe->form == RECIPE_LINK)
		return CL_LINK_PROGRAM_FAILURE;
	return recipe->makes == CL_PROGRAM_BINARY_TYPE_EXECUTABLE ? CL_BUILD_PROGRAM_FAILURE : CL_COMPILE_PROGRAM_FAILURE;
}

/* The completion is there. False: another one is to be waited for. */
static bool build_step(struct build *build)
{
	struct build_request *request = build->request;
	cl_int status = request->completion.status;
	cl_int error = CL_SUCCESS;

	if (status == CL_OUT_OF_HOST_MEMORY && request->completion.value > request->reply.bytes) {
		int r = reply_again(build, request->completion.value);

		if (r == 0)
			return false;
		error = r == -ENOMEM ? CL_OUT_OF_RESOURCES : CL_DEVICE_NOT_AVAILABLE;
	} else if (status == RING_STATUS_LOST) {
		error = CL_DEVICE_NOT_AVAILABLE;
	} else if (status != CL_SUCCESS) {
		build->refused = status != CL_OUT_OF_HOST_MEMORY;
		error = status;
	} else {
		free(build->log);
		build_reply_read(build, request->reply.address, request->reply.bytes);
		if (build->status != CL_BUILD_SUCCESS && build->error == CL_BUILD_PROGRAM_FAILURE)
			build->error = failure_of(build->recipe);
		if (!build->log) {	/* no memory for it */
			build->log = calloc(1, 1);
			error = CL_OUT_OF_HOST_MEMORY;
		}
	}
	request_free(build);
	build_end(build, error);
	return true;
}

cl_int build_wait(struct build *build)
{
	do
		ring_wait_completion(build->session->ring, &build->request->completion, 0);
	while (!build_step(build));
	return build->error;
}

static bool request_due(struct ring *ring, struct ring_wait *wait)
{
	return ring_poll(ring, wait->completion);
}

static void notify_or_wait(struct build *build);

static void request_notified(struct ring *ring, struct ring_wait *wait)
{
	struct build_request *request = (void *)((char *)wait - offsetof(struct build_request, wait));
	struct build *build = request->build;
	void (*done)(struct build *, void *) = request->done;
	void *data = request->data;

	ring_poll(ring, &request->completion);	/* lost: it has not been asked */
	if (!build_step(build)) {
		notify_or_wait(build);
		return;
	}
	done(build, data);
	build_release(build);
}

static void notify_or_wait(struct build *build)
{
	struct build_request *request = build->request;
	void (*done)(struct build *, void *) = request->done;
	void *data = request->data;

	request->wait = (struct ring_wait){ .done = request_due, .notify = request_notified, .completion = &request->completion };
	if (ring_wait_async(build->session->ring, &request->wait) == 0)
		return;
	build_wait(build);
	done(build, data);
	build_release(build);
}

void build_notify(struct build *build, void (*done)(struct build *build, void *data), void *data)
{
	__atomic_fetch_add(&build->references, 1, __ATOMIC_RELAXED);
	build->request->done = done;
	build->request->data = data;
	notify_or_wait(build);
}
