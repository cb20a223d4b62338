/* SPDX-License-Identifier: MIT */
/* What the service reads and writes, by itself: sizes, JSON, profiles, routes, probes, capset, store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <CL/cl.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mdev/api/route.h"
#include "mdev/folder.h"
#include "mdev/gpu/capset.h"
#include "mdev/gpu/probe.h"
#include "mdev/json/json_reader.h"
#include "mdev/keeper/keeper_protocol.h"
#include "mdev/profile.h"
#include "mdev/quantity.h"
#include "mdev/store/store.h"
#include "mdev/vgpu_spec.h"
#include "shim/wire/wire.h"

/* ---- sizes -------------------------------------------------------------------------------------- */

static void sizes_are_read_as_people_write_them(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{"0", 0}, {"4096", 4096}, {"1K", 1024}, {"512M", 512ull << 20}, {"512MB", 512ull << 20}, {"1G", 1ull << 30}, {"1g", 1ull << 30},
		{"1.5GiB", 3ull << 29}, {"2 TiB", 2ull << 40}, {"0.125K", 128}, {"7B", 7}, {"8388607T", 8388607ull << 40},
	};
	static const char *const bad[] = {"", "G", "-1", "+1", " 1", "1 ", "1X", "2GB!", "1GiBs", "1.", "1.5", "1.5B", "1.2345G", "0x10", "1e3",
					  "8388608T", "99999999999999999999", "1  G", "1GG"};
	char why[256];

	(void)state;
	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		uint64_t bytes = 1;
		assert_int_equal(quantity_parse_bytes(good[i].text, &bytes, why), 0);
		assert_int_equal(bytes, good[i].bytes);
	}
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t bytes = 77;
		why[0] = '\0';
		assert_int_equal(quantity_parse_bytes(bad[i], &bytes, why), -EINVAL);
		assert_int_equal(bytes, 77);
		assert_true(strlen(why) > 20);
	}
}

static void sizes_are_written_with_the_largest_unit(void **state)
{
	char text[32];

	(void)state;
	assert_string_equal(quantity_format_bytes(0, text, sizeof(text)), "0 B");
	assert_string_equal(quantity_format_bytes(1023, text, sizeof(text)), "1023 B");
	assert_string_equal(quantity_format_bytes(1536ull << 20, text, sizeof(text)), "1.5 GiB");
	assert_string_equal(quantity_format_bytes(6ull << 30, text, sizeof(text)), "6 GiB");
	assert_string_equal(quantity_format_bytes(12345, text, sizeof(text)), "12.05 KiB");
	assert_string_equal(quantity_format_bytes(UINT64_MAX, text, sizeof(text)), "16777215.99 TiB");
}

static void times_are_read_exactly_and_need_a_unit(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
		{"0", 0}, {"0s", 0}, {"1ns", 1}, {"500us", 500000}, {"2ms", 2000000}, {"16.667ms", 16667000}, {"0.000001ms", 1}, {"10s", 10000000000ull},
		{"1.5 s", 1500000000}, {"9223372036s", 9223372036000000000ull},
	};
	static const char *const bad[] = {"", "ms", "5", "00", "-1ms", "+1ms", " 1ms", "1ms ", "1m", "1min", "1MS", "1.ms", ".5ms", "1.5ns", "0.0000001ms",
					  "1e3ms", "0x1s", "1 ", "1  ms", "9223372037s", "18446744073709551616ns", "99999999999999999999s"};
	char why[256];

	(void)state;
	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		uint64_t ns = 1;
		if (quantity_parse_time(good[i].text, &ns, why))
			fail_msg("'%s': %s", good[i].text, why);
		assert_int_equal(ns, good[i].ns);
	}
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t ns = 77;
		why[0] = '\0';
		assert_int_equal(quantity_parse_time(bad[i], &ns, why), -EINVAL);
		assert_int_equal(ns, 77);
		assert_true(strlen(why) > 20);
	}
}

static void shares_are_percent_up_to_the_whole(void **state)
{
	static const struct {
		const char *text;
		uint64_t ppm;
	} good[] = {
		{"0", 0}, {"25", 250000}, {"25%", 250000}, {"12.5 %", 125000}, {"0.0001", 1}, {"99.9999%", 999999}, {"100", 1000000}, {"100.0%", 1000000},
	};
	static const char *const bad[] = {"", "%", "-1", "101", "100.0001", "0.00001", "1.", ".5", "25%%", "25 ", " 25", "25percent", "1/2", "0x10", "1e1",
					  "18446744073709551616", "99999999999999999999%"};
	char why[256];

	(void)state;
	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		uint64_t ppm = 1;
		if (quantity_parse_percent(good[i].text, &ppm, why))
			fail_msg("'%s': %s", good[i].text, why);
		assert_int_equal(ppm, good[i].ppm);
	}
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t ppm = 77;
		why[0] = '\0';
		assert_int_equal(quantity_parse_percent(bad[i], &ppm, why), -EINVAL);
		assert_int_equal(ppm, 77);
		assert_true(strlen(why) > 20);
	}
}

static void times_and_shares_are_written_as_they_are_read(void **state)
{
	static const uint64_t times[] = {1, 999, 1000, 1001, 500000, 16667000, 999999999, 1000000000, 1500000000, INT64_MAX};
	char text[48], why[256];
	uint64_t again;

	(void)state;
	assert_string_equal(quantity_format_time(0, text, sizeof(text)), "0");
	assert_string_equal(quantity_format_time(16667000, text, sizeof(text)), "16.667ms");
	assert_string_equal(quantity_format_time(10000000000ull, text, sizeof(text)), "10s");
	assert_string_equal(quantity_format_time(100500, text, sizeof(text)), "100.5us");
	assert_string_equal(quantity_format_percent(0, text, sizeof(text)), "0%");
	assert_string_equal(quantity_format_percent(125000, text, sizeof(text)), "12.5%");
	assert_string_equal(quantity_format_percent(1000, text, sizeof(text)), "0.1%");
	for (unsigned i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		assert_int_equal(quantity_parse_time(quantity_format_time(times[i], text, sizeof(text)), &again, why), 0);
		assert_int_equal(again, times[i]);
	}
	for (uint64_t ppm = 0; ppm <= 1000000; ppm += 7) {
		assert_int_equal(quantity_parse_percent(quantity_format_percent(ppm, text, sizeof(text)), &again, why), 0);
		assert_int_equal(again, ppm);
	}
}

/* ---- JSON ------------------------------------------------------------------------------------------ */

static void json_must_be_what_was_asked_for(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{"[]", "the body is an array"},
		{"{}", "'name' is missing"},
		{"{\"name\":7,\"count\":1}", "'name' is a whole number"},
		{"{\"name\":\"\",\"count\":1}", "'name' has 0 bytes"},
		{"{\"name\":\"12345678\",\"count\":1}", "it must have 1 to 7"},
		{"{\"name\":\"a\\u001b\",\"count\":1}", "control character"},
		{"{\"name\":\"a\"}", "'count' is missing"},
		{"{\"name\":\"a\",\"count\":\"2GB!\"}", "'count' is a string"},
		{"{\"name\":\"a\",\"count\":1.0}", "with a fraction"},
		{"{\"name\":\"a\",\"count\":-1}", "'count' is -1"},
		{"{\"name\":\"a\",\"count\":11}", "it must be from 1 to 10"},
		{"{\"name\":\"a\",\"count\":1,\"flag\":0}", "true or false"},
		{"{\"name\":\"a\",\"count\":1,\"cuont\":2}", "did you mean 'count'"},
		{"{\"name\":\"a\",\"count\":1,\"other\":2}", "there is no field 'other'"},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char why[256], name[8];
		uint64_t count = 0;
		bool flag = false;
		struct json_reader reader;
		json_t *value = json_parse_strictly(bad[i].text, strlen(bad[i].text), why);
		assert_non_null(value);
		json_reader_init(&reader, value);
		json_reader_text(&reader, "name", NULL, name, sizeof(name));
		json_reader_count(&reader, "count", false, 1, 10, &count);
		json_reader_bool(&reader, "flag", &flag);
		assert_int_equal(json_reader_finish(&reader), -EINVAL);
		if (!strstr(reader.why, bad[i].why))
			fail_msg("'%s' says: %s", bad[i].text, reader.why);
		json_decref(value);
	}
}

static void json_with_a_key_twice_is_refused(void **state)
{
	const char text[] = "{\"a\":1,\"a\":1}";
	char why[256];

	(void)state;
	assert_null(json_parse_strictly(text, strlen(text), why));
	assert_non_null(strstr(why, "duplicate"));
}

static void near_words_are_found_and_far_ones_are_not(void **state)
{
	static const char *const words[] = {"create", "delete", "list", NULL};

	(void)state;
	assert_string_equal(nearest_word("lsit", words), "list");
	assert_string_equal(nearest_word("creat", words), "create");
	assert_null(nearest_word("xyz", words));
	assert_null(nearest_word("an-extremely-long-word-that-is-near-to-none-of-them", words));
}

/* ---- profiles --------------------------------------------------------------------------------------- */

static bool has(struct profile *list, const char *name)
{
	return profile_find(list, name);
}

static void builtin_profiles_follow_from_the_size(void **state)
{
	struct profile *list = NULL;

	(void)state;
	assert_int_equal(profile_add_builtin(&list, 12ull << 30), 0);
	assert_true(has(list, "c512m") && has(list, "c1g") && has(list, "c4g"));
	assert_int_equal(profile_add_builtin(&list, 2ull << 30), 0);	/* a second GPU: nothing twice */
	unsigned count = 0;
	for (struct profile *p = list; p; p = p->next)
		count++;
	assert_int_equal(count, 3);
	profile_list_destroy(list);
	list = NULL;
	assert_int_equal(profile_add_builtin(&list, 600ull << 20), 0);
	assert_true(has(list, "c512m") && has(list, "c256m") && !has(list, "c1g"));
	profile_list_destroy(list);
	list = NULL;
	assert_int_equal(profile_add_builtin(&list, 8ull << 20), 0);	/* too small for any */
	assert_null(list);
}

static void the_largest_profile_fits_the_bar(void **state)
{
	(void)state;
	for (uint32_t contexts = 1; contexts <= KEEPER_CONTEXT_MAX; contexts++) {
		uint64_t bytes = profile_vram_most(contexts) + (uint64_t)contexts * WIRE_RING_BLOB_BYTES + VGPU_SLACK_BYTES;
		bytes = (bytes + (2u << 20) - 1) & ~((2ull << 20) - 1);	/* docs/CONFIG_JSON.md: whole 2 MiB */
		assert_true(bytes <= VGPU_BAR_BYTES);
	}
}

/* ---- routes -------------------------------------------------------------------------------------------- */

static void routes_are_found_whole_or_not_at_all(void **state)
{
	struct api_request request;
	struct refusal refusal;
	char allow[64];

	(void)state;
	assert_true(api_route_find("GET", "/v1/vgpus/abc", &request, allow, &refusal));
	assert_string_equal(request.id, "abc");
	assert_true(api_route_find("POST", "/v1/vgpus/abc/replace-device", &request, allow, &refusal));
	assert_string_equal(request.id, "abc");
	static const char *const none[] = {"", "/", "/v1", "/v1/vgpus/", "/v1/vgpus/a/", "/v1/vgpus/a/b", "/v1/vgpusx", "/v1/vgpus/a/replace-devic",
					   "/v1/vgpus//replace-device"};
	for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		assert_false(api_route_find("GET", none[i], &request, allow, &refusal));
		assert_int_equal(refusal.code, REFUSAL_NOT_FOUND);
	}
	assert_false(api_route_find("PUT", "/v1/vgpus", &request, allow, &refusal));
	assert_int_equal(refusal.code, REFUSAL_BAD_METHOD);
	assert_string_equal(allow, "GET, POST");
	char longest[1000];
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "/v1/vgpus/", 10);
	longest[500] = '\0';
	assert_false(api_route_find("GET", longest, &request, allow, &refusal));
}

/* Run from the top of the tree, as `make test` does. */
static void every_route_is_in_the_api_document(void **state)
{
	char text[65536], line[256];
	FILE *file = fopen("docs/api.openapi.yaml", "re");

	(void)state;
	assert_non_null(file);
	size_t bytes = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[bytes] = '\0';
	for (const struct api_route *route = api_routes; route->method; route++) {
		snprintf(line, sizeof(line), "\n  %s:\n", route->pattern);
		char *at = strstr(text, line);
		if (!at) {
			fail_msg("%s is not in the document", route->pattern);
			return;
		}
		const char *end = strstr(at + 3, "\n  /");
		snprintf(line, sizeof(line), "\n    %s:\n", route->method);
		for (char *c = line; *c; c++)
			*c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
		const char *method = strstr(at, line);
		if (!method || (end && method > end))
			fail_msg("%s %s is not in the document", route->method, route->pattern);
	}
}

/* ---- probe and capset ------------------------------------------------------------------------------------ */

static const char good_device[] =
	"{\"platform\":\"P\",\"platform_index\":0,\"device\":\"D\",\"device_index\":0,\"type\":\"cpu\",\"global_mem_bytes\":8589934592,"
	"\"max_alloc_bytes\":2147483648,\"compute_units\":2,\"mem_align_bytes\":128,\"unified\":true,\"native_kernel\":true,"
	"\"info\":\"2b100000040000000100000000000000\"}";

static int parse_device(const char *text, struct probe_device *device, char why[256])
{
	json_t *value = json_parse_strictly(text, strlen(text), why);

	assert_non_null(value);
	int error = probe_parse_device(value, device, why);
	json_decref(value);
	return error;
}

static void a_probed_device_becomes_a_capset(void **state)
{
	struct vgpu_spec spec = {.uuid = "01234567-89ab-4def-8123-456789abcdef", .profile = "c1g", .vram_bytes = 1ull << 30};
	uint8_t buffer[WIRE_CAPSET_MAX_BYTES];
	struct probe_device device;
	struct wire_capset capset;
	char why[256];

	(void)state;
	assert_int_equal(parse_device(good_device, &device, why), 0);
	assert_int_equal(capset_compose(&device, &spec, buffer), sizeof(capset) + 16);
	memcpy(&capset, buffer, sizeof(capset));
	assert_int_equal(capset.magic, WIRE_CAPSET_MAGIC);
	assert_int_equal(capset.bytes, sizeof(capset) + 16);
	assert_int_equal(capset.flags, WIRE_CAPS_UNIFIED | WIRE_CAPS_COMPUTE | WIRE_CAPS_IMAGES | WIRE_CAPS_PRINTF);
	assert_int_equal(capset.vram_bytes, 1ull << 30);
	assert_int_equal(capset.max_alloc_bytes, 768ull << 20);	/* of 1 GiB; the device has 2 */
	assert_int_equal(capset.mem_align_bytes, 128);
	assert_int_equal(capset.info_bytes, 16);
	assert_string_equal(capset.vgpu_name, "c1g");
	free(device.info);
}

/* What the host's device has is what the shim is told to offer. */
static void a_capset_says_what_the_host_compiles(void **state)
{
	static const struct {
		uint32_t linker;
		char il[8];
		uint32_t flags;
	} hosts[] = {
		{0, "", 0},
		{1, "", WIRE_CAPS_PROGRAMS},
		{1, "SPIR-V", WIRE_CAPS_PROGRAMS | WIRE_CAPS_IL},
		{0, "SPIR-V", 0},
	};
	const struct vgpu_spec spec = {.uuid = "01234567-89ab-4def-8123-456789abcdef", .profile = "c1g", .vram_bytes = 1ull << 30};
	uint8_t buffer[WIRE_CAPSET_MAX_BYTES];
	struct wire_capset capset;

	(void)state;
	for (unsigned i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		struct {
			struct wire_info linker_info;
			uint64_t linker;
			struct wire_info il_info;
			char il[8];
		} info = {{CL_DEVICE_LINKER_AVAILABLE, 4}, hosts[i].linker, {CL_DEVICE_IL_VERSION, (uint32_t)strlen(hosts[i].il) + 1}, ""};
		const struct probe_device device = {.mem_align_bytes = 128, .info = (uint8_t *)&info, .info_bytes = sizeof(info)};

		memcpy(info.il, hosts[i].il, sizeof(info.il));
		capset_compose(&device, &spec, buffer);
		memcpy(&capset, buffer, sizeof(capset));
		assert_int_equal(capset.flags & (WIRE_CAPS_PROGRAMS | WIRE_CAPS_IL), hosts[i].flags);
		assert_true(capset.version_max >= 2);
	}
}

static void a_probe_that_lies_is_refused(void **state)
{
	static const struct {
		const char *from, *to;
	} lies[] = {
		{"\"unified\":true", "\"unified\":1"},
		{"\"mem_align_bytes\":128", "\"mem_align_bytes\":129"},
		{"\"mem_align_bytes\":128", "\"mem_align_bytes\":0"},
		{"\"global_mem_bytes\":8589934592", "\"global_mem_bytes\":0"},
		{"\"info\":\"2b", "\"info\":\"xb"},
		{"\"info\":\"2b", "\"info\":\"2b0"},
		{"\"info\":\"2b1000000400", "\"info\":\"2b10000004ff"},	/* a record longer than all */
		{"\"device\":\"D\",", ""},
	};
	char text[1024], why[256];
	struct probe_device device;

	(void)state;
	for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		const char *at = strstr(good_device, lies[i].from);
		assert_non_null(at);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good_device), good_device, lies[i].to, at + strlen(lies[i].from));
		assert_int_equal(parse_device(text, &device, why), -EINVAL);
	}
}

/* ---- store --------------------------------------------------------------------------------------------------- */

static const char *const kinds[] = {"things", NULL};

struct seen {
	unsigned count, asides;
	json_int_t value;
	int refuse_with;
};

static int on_found(const char *name, const json_t *object, void *data, char ret_why[256])
{
	struct seen *seen = data;

	(void)name;
	if (seen->refuse_with) {
		snprintf(ret_why, 256, "not wanted");
		return seen->refuse_with;
	}
	seen->count++;
	seen->value = json_integer_value(json_object_get(object, "value"));
	return 0;
}

static void on_aside(const char *file, const char *why, void *data)
{
	struct seen *seen = data;

	assert_true(strlen(file) && strlen(why));
	seen->asides++;
}

static void make_dir(char path[64])
{
	strcpy(path, "/tmp/vgpu-store-XXXXXX");
	assert_non_null(mkdtemp(path));
}

static struct seen load(const char *dir, int refuse_with)
{
	struct seen seen = {.refuse_with = refuse_with};
	struct store *store;
	char why[256];

	assert_int_equal(store_open(dir, kinds, &store, why), 0);
	assert_int_equal(store_load(store, "things", on_found, on_aside, &seen, why), 0);
	store_close(store);
	return seen;
}

static void what_was_written_is_read_again_and_removal_is_final(void **state)
{
	char dir[64], why[256];
	struct store *store;
	json_t *object = json_pack("{si}", "value", 5);

	(void)state;
	make_dir(dir);
	assert_int_equal(store_open(dir, kinds, &store, why), 0);
	assert_int_equal(store_write(store, "things", "a", object, why), 0);
	json_object_set_new(object, "value", json_integer(6));
	assert_int_equal(store_write(store, "things", "a", object, why), 0);
	struct seen seen = load(dir, 0);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.value, 6);
	assert_int_equal(store_remove(store, "things", "a", why), 0);
	assert_int_equal(store_remove(store, "things", "a", why), 0);
	assert_int_equal(load(dir, 0).count, 0);
	store_close(store);
	json_decref(object);
	folder_remove(dir);
}

static void a_write_that_fails_leaves_the_former_object(void **state)
{
	char dir[64], path[128], why[256] = "";
	struct store *store;
	json_t *object = json_pack("{si}", "value", 5);

	(void)state;
	make_dir(dir);
	assert_int_equal(store_open(dir, kinds, &store, why), 0);
	assert_int_equal(store_write(store, "things", "a", object, why), 0);
	json_object_set_new(object, "value", json_integer(6));
	snprintf(path, sizeof(path), "%s/things/.a.new", dir);
	assert_int_equal(mkdir(path, 0700), 0);		/* what would be the temporary file cannot be opened */
	assert_true(store_write(store, "things", "a", object, why) < 0);
	assert_non_null(strstr(why, "things/a.json"));
	assert_int_equal(load(dir, 0).value, 5);
	store_close(store);
	json_decref(object);
	folder_remove(dir);
}

static void what_cannot_be_read_is_set_aside_once(void **state)
{
	char dir[64], path[128], why[256];
	struct store *store;

	(void)state;
	make_dir(dir);
	assert_int_equal(store_open(dir, kinds, &store, why), 0);
	store_close(store);
	for (int round = 0; round < 2; round++) {
		snprintf(path, sizeof(path), "%s/things/torn.json", dir);
		FILE *file = fopen(path, "we");
		assert_non_null(file);
		fputs("{\"value\":", file);
		fclose(file);
		assert_int_equal(load(dir, 0).asides, 1);
		assert_int_equal(load(dir, 0).asides, 0);
		snprintf(path, sizeof(path), "%s/things/torn.json.corrupt-%d", dir, round);
		assert_int_equal(access(path, F_OK), 0);
	}
	folder_remove(dir);
}

static void an_object_that_is_refused_is_set_aside(void **state)
{
	char dir[64], why[256];
	struct store *store;
	json_t *object = json_object();

	(void)state;
	make_dir(dir);
	assert_int_equal(store_open(dir, kinds, &store, why), 0);
	assert_int_equal(store_write(store, "things", "a", object, why), 0);
	assert_int_equal(load(dir, -EINVAL).asides, 1);
	assert_int_equal(load(dir, 0).count, 0);
	store_close(store);
	json_decref(object);
	folder_remove(dir);
}

/* A writer is killed at random moments; a reader finds a whole object of one of its two values, always. */
static void a_killed_writer_never_leaves_a_torn_object(void **state)
{
	char dir[64], why[256];
	struct store *store;

	(void)state;
	make_dir(dir);
	assert_int_equal(store_open(dir, kinds, &store, why), 0);
	json_t *object = json_pack("{si}", "value", 1);
	assert_int_equal(store_write(store, "things", "a", object, why), 0);
	for (int kill_number = 0; kill_number < 20; kill_number++) {
		pid_t writer = fork();
		if (!writer) {
			for (int i = 0;; i++) {
				json_object_set_new(object, "value", json_integer(1 + i % 2));
				store_write(store, "things", "a", object, why);
			}
		}
		usleep(500 + 777 * (useconds_t)kill_number);
		kill(writer, SIGKILL);
		waitpid(writer, NULL, 0);
		struct seen seen = load(dir, 0);
		assert_int_equal(seen.count, 1);
		assert_int_equal(seen.asides, 0);
		assert_true(seen.value == 1 || seen.value == 2);
	}
	json_decref(object);
	store_close(store);
	folder_remove(dir);
}

static void a_stored_definition_is_read_as_it_was(void **state)
{
	struct vgpu_spec spec = {.name = "vm1", .profile = "c1g", .gpu = "gpu0", .vram_bytes = 1ull << 30, .max_contexts = 16,
				 .sched = sched_settings_defaults(), .created_s = 1700000000, .deleting = true}, again;
	char why[256];

	(void)state;
	vgpu_uuid_make(spec.uuid);
	assert_true(vgpu_uuid_is_valid(spec.uuid));
	json_t *object = vgpu_spec_store_json(&spec);
	assert_int_equal(vgpu_spec_parse(object, &again, why), 0);
	assert_string_equal(again.uuid, spec.uuid);
	assert_string_equal(again.name, "vm1");
	assert_int_equal(again.vram_bytes, spec.vram_bytes);
	assert_int_equal(again.created_s, spec.created_s);
	assert_true(again.deleting);
	json_object_set_new(object, "schema", json_integer(VGPU_SPEC_SCHEMA + 1));
	assert_int_equal(vgpu_spec_parse(object, &again, why), -EINVAL);
	json_decref(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_read_as_people_write_them),
		cmocka_unit_test(sizes_are_written_with_the_largest_unit),
		cmocka_unit_test(times_are_read_exactly_and_need_a_unit),
		cmocka_unit_test(shares_are_percent_up_to_the_whole),
		cmocka_unit_test(times_and_shares_are_written_as_they_are_read),
		cmocka_unit_test(json_must_be_what_was_asked_for),
		cmocka_unit_test(json_with_a_key_twice_is_refused),
		cmocka_unit_test(near_words_are_found_and_far_ones_are_not),
		cmocka_unit_test(builtin_profiles_follow_from_the_size),
		cmocka_unit_test(the_largest_profile_fits_the_bar),
		cmocka_unit_test(routes_are_found_whole_or_not_at_all),
		cmocka_unit_test(every_route_is_in_the_api_document),
		cmocka_unit_test(a_probed_device_becomes_a_capset),
		cmocka_unit_test(a_capset_says_what_the_host_compiles),
		cmocka_unit_test(a_probe_that_lies_is_refused),
		cmocka_unit_test(what_was_written_is_read_again_and_removal_is_final),
		cmocka_unit_test(a_write_that_fails_leaves_the_former_object),
		cmocka_unit_test(what_cannot_be_read_is_set_aside_once),
		cmocka_unit_test(an_object_that_is_refused_is_set_aside),
		cmocka_unit_test(a_killed_writer_never_leaves_a_torn_object),
		cmocka_unit_test(a_stored_definition_is_read_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
