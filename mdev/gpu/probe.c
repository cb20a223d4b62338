/* SPDX-License-Identifier: MIT */
#include "mdev/gpu/probe.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "mdev/child.h"
#include "mdev/json/json_reader.h"
#include "shim/wire/wire.h"

#define PROBE_OUTPUT_MAX_BYTES (4u << 20)
#define PROFILE_VRAM_FLOOR_BYTES (16ull << 20)	/* less than the smallest profile is no GPU of use */

struct probe {
	char icd[256];
	uint64_t timeout_ms;
	int pidfd;
	int output_fd;
	sd_event_source *output_source;
	sd_event_source *timer_source;
	char *text;
	size_t bytes;
	size_t capacity;
	void (*done)(const json_t *devices, const char *why, void *data);
	void *data;
};

static void probe_destroy(struct probe *probe)
{
	sd_event_source_unref(probe->output_source);
	sd_event_source_unref(probe->timer_source);
	if (probe->pidfd >= 0) {
		child_kill(probe->pidfd, SIGKILL);	/* reaped with all others (child.h) */
		close(probe->pidfd);
	}
	if (probe->output_fd >= 0)
		close(probe->output_fd);
	free(probe->text);
	free(probe);
}

static void finish(struct probe *probe, const json_t *devices, const char *why)
{
	void (*done)(const json_t *, const char *, void *) = probe->done;
	void *data = probe->data;

	probe_destroy(probe);
	done(devices, why, data);
}

static void judge_output(struct probe *probe)
{
	char why[600], reason[256];
	json_t *root = json_parse_strictly(probe->text ? probe->text : "", probe->bytes, reason);
	const json_t *devices = json_object_get(root, "devices");

	if (json_is_array(devices)) {
		finish(probe, devices, NULL);
	} else {
		if (!probe->bytes)
			snprintf(reason, sizeof(reason), "the probe printed nothing; its own words are above in the log");
		else if (root)
			snprintf(reason, sizeof(reason), "the probe's answer has no array 'devices'");
		snprintf(why, sizeof(why), "%s cannot be used: %s", probe->icd, reason);
		finish(probe, NULL, why);
	}
	json_decref(root);
}

static int on_output(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct probe *probe = data;

	(void)source;
	(void)events;
	if (probe->capacity - probe->bytes < 4096) {
		size_t capacity = probe->capacity ? probe->capacity * 2 : 65536;
		char *grown = capacity > PROBE_OUTPUT_MAX_BYTES ? NULL : realloc(probe->text, capacity);
		if (!grown) {
			finish(probe, NULL, "a probe printed more than 4 MiB; that driver is not used");
			return 0;
		}
		probe->text = grown;
		probe->capacity = capacity;
	}
	ssize_t got = read(fd, probe->text + probe->bytes, probe->capacity - probe->bytes);
	if (got > 0)
		probe->bytes += (size_t)got;
	else if (got == 0 || (errno != EAGAIN && errno != EINTR))
		judge_output(probe);
	return 0;
}

static int on_timeout(sd_event_source *source, uint64_t now_us, void *data)
{
	struct probe *probe = data;
	char why[512];

	(void)source;
	(void)now_us;
	snprintf(why, sizeof(why), "%s cannot be used: its driver did not answer the probe within %llu ms", probe->icd,
		 (unsigned long long)probe->timeout_ms);
	finish(probe, NULL, why);
	return 0;
}

static int spawn(struct probe *probe, const char *program, const char *icd, const char *const *environment, char ret_why[256])
{
	static char path[] = "PATH=/usr/bin:/bin", home[] = "HOME=/";
	char *clean[] = {path, home, NULL};
	unsigned count = 0, n = 0;
	int error, ends[2];
	pid_t pid;

	while (environment[count])
		count++;
	char **argv = calloc(5 + 2 * (size_t)count, sizeof(*argv));
	if (!argv)
		return -ENOMEM;
	argv[n++] = (char *)program;
	argv[n++] = (char *)"--probe";
	argv[n++] = (char *)"--icd";
	argv[n++] = (char *)icd;
	for (unsigned i = 0; i < count; i++) {
		argv[n++] = (char *)"--environment";
		argv[n++] = (char *)environment[i];
	}
	if (pipe2(ends, O_CLOEXEC)) {
		error = -errno;
		goto free_argv;
	}
	error = child_start(program, argv, clean, ends[1], &pid, &probe->pidfd);
	close(ends[1]);
	if (error) {
		close(ends[0]);
		snprintf(ret_why, 256, "cannot start %.160s: %s", program, strerror(-error));
	} else {
		fcntl(ends[0], F_SETFL, O_NONBLOCK);
		probe->output_fd = ends[0];
	}
free_argv:
	free(argv);
	return error;
}

int probe_start(sd_event *loop, const char *program, const char *icd, const char *const *environment, uint64_t timeout_ms,
		void (*done)(const json_t *devices, const char *why, void *data), void *data, char ret_why[256])
{
	struct probe *probe = calloc(1, sizeof(*probe));
	int r;

	if (!probe)
		return -ENOMEM;
	probe->pidfd = probe->output_fd = -1;
	probe->timeout_ms = timeout_ms;
	probe->done = done;
	probe->data = data;
	snprintf(probe->icd, sizeof(probe->icd), "%s", icd);
	r = spawn(probe, program, icd, environment, ret_why);
	if (r)
		goto fail;
	r = sd_event_add_io(loop, &probe->output_source, probe->output_fd, EPOLLIN, on_output, probe);
	if (r >= 0)
		r = sd_event_add_time_relative(loop, &probe->timer_source, CLOCK_MONOTONIC, timeout_ms * 1000, 0, on_timeout, probe);
	if (r >= 0)
		return 0;
	snprintf(ret_why, 256, "cannot watch a probe: %s", strerror(-r));
fail:
	probe_destroy(probe);
	return r;
}

/* ---- what it printed ------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Records of shim/wire/wire.h, one after the other, each padded to 8 bytes, nothing left over. */
static bool info_is_sound(const uint8_t *info, size_t bytes)
{
	size_t at = 0;

	while (at < bytes) {
		struct wire_info record;
		if (bytes - at < sizeof(record))
			return false;
		memcpy(&record, info + at, sizeof(record));
		at += sizeof(record);
		size_t padded = ((size_t)record.bytes + 7) & ~(size_t)7;
		if (padded > bytes - at)
			return false;
		at += padded;
	}
	return true;
}

static int parse_info(const json_t *entry, struct probe_device *device, char ret_why[256])
{
	const json_t *value = json_object_get(entry, "info");
	const char *hex = json_string_value(value);
	size_t digits = json_string_length(value);
	const size_t most = WIRE_CAPSET_MAX_BYTES - sizeof(struct wire_capset);

	if (!hex || digits % 2 || digits / 2 > most) {
		snprintf(ret_why, 256, "'info' must be a string of at most %zu hexadecimal bytes", most);
		return -EINVAL;
	}
	uint8_t *info = malloc(digits / 2 + 1);
	if (!info)
		return -ENOMEM;
	for (size_t i = 0; i < digits / 2; i++) {
		int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);
		if (high < 0 || low < 0) {
			snprintf(ret_why, 256, "'info' has no hexadecimal digit at %zu", 2 * i);
			free(info);
			return -EINVAL;
		}
		info[i] = (uint8_t)(high << 4 | low);
	}
	if (!info_is_sound(info, digits / 2)) {
		snprintf(ret_why, 256, "'info' is not a sequence of whole information records");
		free(info);
		return -EINVAL;
	}
	device->info = info;
	device->info_bytes = digits / 2;
	return 0;
}

int probe_parse_device(const json_t *entry, struct probe_device *ret_device, char ret_why[256])
{
	struct probe_device device = {0};
	struct json_reader reader;

	json_reader_init(&reader, entry);
	json_reader_text(&reader, "platform", NULL, device.platform, sizeof(device.platform));
	json_reader_count(&reader, "platform_index", false, 0, 255, &device.platform_index);
	json_reader_text(&reader, "device", NULL, device.device, sizeof(device.device));
	json_reader_count(&reader, "device_index", false, 0, 255, &device.device_index);
	json_reader_text(&reader, "type", NULL, device.type, sizeof(device.type));
	json_reader_text(&reader, "vendor", "unknown", device.vendor, sizeof(device.vendor));
	json_reader_text(&reader, "driver_version", "unknown", device.driver_version, sizeof(device.driver_version));
	json_reader_text(&reader, "version", "unknown", device.version, sizeof(device.version));
	json_reader_count(&reader, "global_mem_bytes", false, PROFILE_VRAM_FLOOR_BYTES, 1ull << 50, &device.global_mem_bytes);
	json_reader_count(&reader, "max_alloc_bytes", false, 1, 1ull << 50, &device.max_alloc_bytes);
	json_reader_count(&reader, "compute_units", false, 1, 1u << 20, &device.compute_units);
	json_reader_count(&reader, "mem_align_bytes", false, 1, 1u << 20, &device.mem_align_bytes);
	json_reader_bool(&reader, "unified", &device.unified);
	json_reader_bool(&reader, "native_kernel", &device.native_kernel);
	json_reader_bool(&reader, "svm", &device.svm);
	/* Fields of a newer probe are not refused: nobody here reads them. */
	if (reader.error) {
		memcpy(ret_why, reader.why, 256);
		return reader.error;
	}
	if (device.mem_align_bytes & (device.mem_align_bytes - 1)) {
		snprintf(ret_why, 256, "'mem_align_bytes' is %llu, which is no power of two", (unsigned long long)device.mem_align_bytes);
		return -EINVAL;
	}
	int error = parse_info(entry, &device, ret_why);
	if (error)
		return error;
	*ret_device = device;
	return 0;
}
