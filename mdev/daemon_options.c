/* SPDX-License-Identifier: MIT */
#include "mdev/daemon_options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mdev/json/json_reader.h"
#include "mdev/quantity.h"

static const char usage[] =
	"usage: vgpud [option]...\n"
	"The service that shares GPUs among virtual machines. Runs in the foreground.\n"
	"\n"
	"  --state-dir DIR            definitions, kept (/var/lib/vgpud)\n"
	"  --runtime-dir DIR          sockets of what runs (/run/vgpud)\n"
	"  --cache-dir DIR            compiled kernels (/var/cache/vgpud; STATE-DIR/cache for another state folder)\n"
	"  --socket PATH              where vgpu-admin connects (RUNTIME-DIR/vgpud.sock)\n"
	"  --libexec-dir DIR          where vgpu-keeper, vgpu-device and vgpu-compute lie (this program's folder)\n"
	"  --icd PATH                 only this OpenCL driver; may be repeated (all of /etc/OpenCL/vendors)\n"
	"  --engine-environment K=V   for OpenCL drivers in engines and probes; may be repeated\n"
	"  --slice-us N               time slice of a contended GPU, 100 to 1000000 (by GPU)\n"
	"  --engine-idle-ms N         an engine without work for so long gives its memory back, up to 86400000; 0: never (30000)\n"
	"  --probe-timeout-ms N       how long a driver may take to show its devices, 100 to 600000 (30000)\n"
	"  --stop-vgpus-on-exit       end the vGPUs with the service; else they run on and are found again\n"
	"  --config FILE              the same words, one 'name = value' a line\n"
	"  --help, --version\n";

enum { OPTION_STATE, OPTION_RUNTIME, OPTION_CACHE, OPTION_SOCKET, OPTION_LIBEXEC, OPTION_ICD, OPTION_ENVIRONMENT, OPTION_SLICE, OPTION_IDLE, OPTION_PROBE, OPTION_STOP,
       OPTION_CONFIG, OPTION_HELP, OPTION_VERSION };

static const struct option long_options[] = {
	{"state-dir", required_argument, NULL, OPTION_STATE},
	{"runtime-dir", required_argument, NULL, OPTION_RUNTIME},
	{"cache-dir", required_argument, NULL, OPTION_CACHE},
	{"socket", required_argument, NULL, OPTION_SOCKET},
	{"libexec-dir", required_argument, NULL, OPTION_LIBEXEC},
	{"icd", required_argument, NULL, OPTION_ICD},
	{"engine-environment", required_argument, NULL, OPTION_ENVIRONMENT},
	{"slice-us", required_argument, NULL, OPTION_SLICE},
	{"engine-idle-ms", required_argument, NULL, OPTION_IDLE},
	{"probe-timeout-ms", required_argument, NULL, OPTION_PROBE},
	{"stop-vgpus-on-exit", no_argument, NULL, OPTION_STOP},
	{"config", required_argument, NULL, OPTION_CONFIG},
	{"help", no_argument, NULL, OPTION_HELP},
	{"version", no_argument, NULL, OPTION_VERSION},
	{0},
};

static __attribute__((format(printf, 1, 2))) int fail(const char *format, ...)
{
	va_list arguments;

	fputs("vgpud: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputs("\n", stderr);
	return -EINVAL;
}

static int set_path(char **at, const char *name, const char *value)
{
	char here[PATH_MAX] = "", path[2 * PATH_MAX];

	if (!value[0])
		return fail("--%s needs a path", name);
	/* The daemon's paths go to other processes: absolute from here on. */
	if (value[0] != '/' && !getcwd(here, sizeof(here)))
		return fail("--%s: the current folder has no name; give an absolute path", name);
	snprintf(path, sizeof(path), "%s%s%s", here, here[0] ? "/" : "", value);
	free(*at);
	*at = strdup(path);
	return *at ? 0 : -ENOMEM;
}

static int append(char **list, const char *name, const char *value)
{
	unsigned count = 0;

	while (list[count])
		count++;
	if (count == DAEMON_LIST_MOST)
		return fail("--%s is given more than 64 times", name);
	list[count] = strdup(value);
	return list[count] ? 0 : -ENOMEM;
}

static int append_environment(char **list, const char *name, const char *value)
{
	size_t length = strcspn(value, "=");
	bool is_good = value[length] == '=' && length && length < 200 && !isdigit((unsigned char)value[0]);

	for (size_t i = 0; is_good && i < length; i++)
		is_good = isalnum((unsigned char)value[i]) || value[i] == '_';
	if (!is_good)
		return fail("--%s is '%s', but must be NAME=VALUE", name, value);
	if (!strncmp(value, "LD_", 3))
		return fail("--%s '%s': variables of the dynamic loader are not passed to engines", name, value);
	return append(list, name, value);
}

static int read_file(struct daemon_options *options, const char *path);

static int take(struct daemon_options *options, int option, const char *value)
{
	const char *name = long_options[option].name;
	char why[256];
	int error;

	switch (option) {
	case OPTION_STATE:
		return set_path(&options->state_dir, name, value);
	case OPTION_RUNTIME:
		return set_path(&options->runtime_dir, name, value);
	case OPTION_CACHE:
		return set_path(&options->cache_dir, name, value);
	case OPTION_SOCKET:
		return set_path(&options->socket, name, value);
	case OPTION_LIBEXEC:
		return set_path(&options->libexec_dir, name, value);
	case OPTION_ICD: {
		char *path = NULL;
		error = set_path(&path, name, value);
		if (!error && strlen(path) > 200)
			error = fail("--%s: '%s' has more than 200 bytes", name, path);
		if (!error && access(path, R_OK))
			error = fail("--icd: %s cannot be read: %s", path, strerror(errno));
		if (!error)
			error = append(options->icds, name, path);
		free(path);
		return error;
	}
	case OPTION_ENVIRONMENT:
		return append_environment(options->environment, name, value);
	case OPTION_SLICE:
		error = quantity_parse_count("--slice-us", value, 100, 1000000, &options->slice_us, why);
		return error ? fail("%s", why) : 0;
	case OPTION_IDLE:
		error = quantity_parse_count("--engine-idle-ms", value, 0, 86400000, &options->engine_idle_ms, why);
		return error ? fail("%s", why) : 0;
	case OPTION_PROBE:
		error = quantity_parse_count("--probe-timeout-ms", value, 100, 600000, &options->probe_timeout_ms, why);
		return error ? fail("%s", why) : 0;
	case OPTION_STOP:
		options->stop_vgpus_on_exit = true;
		return 0;
	case OPTION_CONFIG:
		return read_file(options, value);
	}
	return -EINVAL;
}

static char *trim(char *text)
{
	size_t length;

	while (isspace((unsigned char)*text))
		text++;
	length = strlen(text);
	while (length && isspace((unsigned char)text[length - 1]))
		text[--length] = '\0';
	return text;
}

static int take_line(struct daemon_options *options, char *line)
{
	const char *names[16] = {NULL};
	char *equals = strchr(line, '='), *name, *value;
	const struct option *option = long_options;

	name = trim(line);
	if (!*name || *name == '#')
		return 0;
	if (!equals)
		return fail("'%s' is not of the form name = value", name);
	*equals = '\0';
	name = trim(line);
	value = trim(equals + 1);
	for (unsigned i = 0; i < OPTION_CONFIG; i++)
		names[i] = long_options[i].name;
	while (option->name && strcmp(option->name, name))
		option++;
	if (!option->name || option->val >= OPTION_CONFIG) {
		const char *near = nearest_word(name, names);
		return near ? fail("there is no setting '%s'; did you mean '%s'?", name, near) : fail("there is no setting '%s'", name);
	}
	if (option->has_arg == required_argument)
		return take(options, option->val, value);
	if (!strcmp(value, "no"))
		return 0;
	if (strcmp(value, "yes"))
		return fail("'%s' is '%s', but must be yes or no", name, value);
	return take(options, option->val, NULL);
}

static int read_file(struct daemon_options *options, const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t capacity = 0;
	unsigned number = 0;
	int error = 0;

	if (!file)
		return fail("cannot read %s: %s", path, strerror(errno));
	while (!error && getline(&line, &capacity, file) >= 0) {
		number++;
		error = take_line(options, line);
	}
	if (error)
		fprintf(stderr, "vgpud: that was line %u of %s\n", number, path);
	else if (ferror(file))
		error = fail("cannot read %s: %s", path, strerror(errno));
	free(line);
	fclose(file);
	return error;
}

static int set_defaults(struct daemon_options *options)
{
	char path[PATH_MAX + 32], self[PATH_MAX];
	bool is_usual_state = !options->state_dir;
	ssize_t length;
	int error = 0;

	if (!options->state_dir)
		error = set_path(&options->state_dir, "state-dir", "/var/lib/vgpud");
	if (!error && !options->runtime_dir)
		error = set_path(&options->runtime_dir, "runtime-dir", "/run/vgpud");
	if (!error && !options->cache_dir) {
		snprintf(path, sizeof(path), "%s/cache", options->state_dir);
		error = set_path(&options->cache_dir, "cache-dir", is_usual_state ? "/var/cache/vgpud" : path);
	}
	if (!error && !options->socket) {
		snprintf(path, sizeof(path), "%s/vgpud.sock", options->runtime_dir);
		error = set_path(&options->socket, "socket", path);
	}
	if (!error && !options->libexec_dir) {
		length = readlink("/proc/self/exe", self, sizeof(self) - 1);
		if (length <= 0)
			return fail("cannot find this program's folder: %s; give --libexec-dir", strerror(errno));
		self[length] = '\0';
		error = set_path(&options->libexec_dir, "libexec-dir", dirname(self));
	}
	return error;
}

/* Sockets' paths have 107 bytes (sockaddr_un); the longest of ours is RUNTIME/vgpu/UUID/vfio-user.sock. */
static int check_lengths(const struct daemon_options *options)
{
	if (strlen(options->runtime_dir) > 107 - strlen("/vgpu/01234567-0123-0123-0123-0123456789ab/vfio-user.sock"))
		return fail("--runtime-dir '%s' is too long: sockets under it may have 107 bytes, so it may have 50", options->runtime_dir);
	if (strlen(options->socket) > 107)
		return fail("--socket '%s' is too long: a socket's path may have 107 bytes", options->socket);
	return 0;
}

int daemon_options_parse(int argc, char **argv, struct daemon_options *ret_options)
{
	int option, error = 0;

	*ret_options = (struct daemon_options){.probe_timeout_ms = 30000, .engine_idle_ms = 30000};
	while (!error && (option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == OPTION_HELP) {
			fputs(usage, stdout);
			return 1;
		}
		if (option == OPTION_VERSION) {
			puts("vgpud " VGPU_VERSION);
			return 1;
		}
		error = option == '?' ? fail("'vgpud --help' shows all options") : take(ret_options, option, optarg);
	}
	if (!error && optind < argc)
		error = fail("there is nothing to do with '%s'; 'vgpud --help' shows all options", argv[optind]);
	if (!error)
		error = set_defaults(ret_options);
	return error ? error : check_lengths(ret_options);
}

void daemon_options_finish(struct daemon_options *options)
{
	free(options->state_dir);
	free(options->runtime_dir);
	free(options->socket);
	free(options->libexec_dir);
	free(options->cache_dir);
	for (unsigned i = 0; i < DAEMON_LIST_MOST; i++) {
		free(options->icds[i]);
		free(options->environment[i]);
	}
}
