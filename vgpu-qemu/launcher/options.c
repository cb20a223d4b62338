/* SPDX-License-Identifier: MIT */
/* Parses the command line of vgpu-run; units are converted here and nowhere else. */
#include "vgpu-qemu/launcher/options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_MIN_BYTES (128ULL << 20)
#define MEMORY_MAX_BYTES (1ULL << 40)
#define CPUS_MAX 255

enum {
	OPT_VGPU = 256, OPT_VFIO_USER, OPT_INITRD, OPT_FILE, OPT_SOCKET, OPT_QEMU, OPT_KERNEL, OPT_QMP, OPT_NAME,
	OPT_LOG, OPT_MEMORY, OPT_CPUS, OPT_TIMEOUT, OPT_BOOT_TIMEOUT, OPT_ACCEL, OPT_PROBE, OPT_VERSION,
};

static const struct option long_options[] = {
	{ "vgpu", required_argument, NULL, OPT_VGPU },
	{ "vfio-user", required_argument, NULL, OPT_VFIO_USER },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "memory", required_argument, NULL, OPT_MEMORY },
	{ "cpus", required_argument, NULL, OPT_CPUS },
	{ "accel", required_argument, NULL, OPT_ACCEL },
	{ "qemu", required_argument, NULL, OPT_QEMU },
	{ "kernel", required_argument, NULL, OPT_KERNEL },
	{ "initrd", required_argument, NULL, OPT_INITRD },
	{ "file", required_argument, NULL, OPT_FILE },
	{ "qmp", required_argument, NULL, OPT_QMP },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "boot-timeout", required_argument, NULL, OPT_BOOT_TIMEOUT },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "probe", no_argument, NULL, OPT_PROBE },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ 0 },
};

void options_print_help(FILE *to)
{
	fputs("usage: vgpu-run [OPTION]... -- COMMAND [ARGUMENT]...\n"
	      "Boots a VM, with the vGPUs given, runs COMMAND in it and ends with COMMAND's exit status.\n"
	      "\n"
	      "  --vgpu ID|NAME        a vGPU of vgpud's; may be repeated\n"
	      "  --vfio-user PATH      a vfio-user socket; may be repeated\n"
	      "  --socket PATH         vgpud's socket (VGPUD_SOCKET)\n"
	      "  --memory SIZE         the VM's memory, like 512M or 2G (512M)\n"
	      "  --cpus N              the VM's processors (1)\n"
	      "  --accel auto|kvm|tcg  how the VM runs (auto: KVM where a kernel really boots under it)\n"
	      "  --qemu PATH           the QEMU to use (VGPU_QEMU, build/qemu/run, qemu-system-x86_64)\n"
	      "  --kernel F            the guest's kernel (build/guest)\n"
	      "  --initrd F            an initramfs archive; may be repeated (build/guest)\n"
	      "  --file SRC:DST        copies a file into the guest; may be repeated\n"
	      "  --qmp PATH            QEMU's control socket\n"
	      "  --name N              the VM's name (vgpu-run)\n"
	      "  --timeout SEC         stops the VM after this time\n"
	      "  --boot-timeout SEC    stops a VM that does not get to COMMAND in this time (120)\n"
	      "  --log FILE            the guest's console and QEMU's messages\n"
	      "  --probe               only says whether a kernel boots under KVM here\n"
	      "  -v, --verbose         says what is done\n"
	      "  -h, --help    --version\n"
	      "\n"
	      "Exit status: COMMAND's, or 123 the VM did not boot or died, 124 timeout, 125 vgpu-run itself\n"
	      "failed, 126 COMMAND cannot be executed, 127 COMMAND was not found, 128+N ended by signal N.\n", to);
}

int parse_memory(const char *text, uint64_t *ret_bytes)
{
	static const struct {
		char suffix;
		unsigned int shift;
	} units[] = { { 'K', 10 }, { 'M', 20 }, { 'G', 30 }, { 'T', 40 } };
	unsigned int shift = 0;
	unsigned long long value;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno)
		return -ERANGE;
	for (size_t i = 0; *end && i < sizeof(units) / sizeof(units[0]); i++)
		if (end[0] == units[i].suffix && end[1] == '\0')
			shift = units[i].shift;
	if (*end && !shift)
		return -EINVAL;
	if (shift && value >> (64 - shift))
		return -ERANGE;
	*ret_bytes = (uint64_t)value << shift;
	return 0;
}

static int parse_count(const char *text, unsigned int min, unsigned int max, unsigned int *ret_value)
{
	unsigned long value;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || value < min || value > max)
		return -EINVAL;
	*ret_value = (unsigned int)value;
	return 0;
}

static int list_init(struct string_list *list, int capacity)
{
	list->items = calloc((size_t)capacity, sizeof(*list->items));
	return list->items ? 0 : -ENOMEM;
}

static void list_add(struct string_list *list, const char *text)
{
	list->items[list->count++] = text; /* never more than argc */
}

static bool file_pair_valid(const char *text)
{
	const char *colon = strchr(text, ':');

	return colon && colon != text && colon[1] == '/' && colon[2] && text[strlen(text) - 1] != '/' &&
	       !strstr(colon, "/../") && !strstr(colon, "//");
}

/* One option. Returns 0, or -EINVAL with @error saying why. */
static int take_option(struct options *options, int option, const char *text, char *error, size_t error_size)
{
	switch (option) {
	case OPT_VGPU: list_add(&options->vgpus, text); return 0;
	case OPT_VFIO_USER: list_add(&options->vfio_users, text); return 0;
	case OPT_INITRD: list_add(&options->initrds, text); return 0;
	case OPT_SOCKET: options->socket = text; return 0;
	case OPT_QEMU: options->qemu = text; return 0;
	case OPT_KERNEL: options->kernel = text; return 0;
	case OPT_QMP: options->qmp = text; return 0;
	case OPT_NAME: options->name = text; return 0;
	case OPT_LOG: options->log = text; return 0;
	case OPT_PROBE: options->action = OPTIONS_PROBE; return 0;
	case OPT_VERSION: options->action = OPTIONS_VERSION; return 0;
	case 'h': options->action = OPTIONS_HELP; return 0;
	case 'v': options->verbose = true; return 0;
	case OPT_FILE:
		if (file_pair_valid(text)) {
			list_add(&options->files, text);
			return 0;
		}
		snprintf(error, error_size, "--file '%s' is not SRC:DST with DST the absolute path of a file", text);
		return -EINVAL;
	case OPT_MEMORY:
		if (parse_memory(text, &options->memory_bytes) == 0 && options->memory_bytes >= MEMORY_MIN_BYTES &&
		    options->memory_bytes <= MEMORY_MAX_BYTES && options->memory_bytes % (1 << 20) == 0)
			return 0;
		snprintf(error, error_size, "--memory '%s' is not a size of whole MiB from 128M to 1T, like 512M or 2G", text);
		return -EINVAL;
	case OPT_CPUS:
		if (parse_count(text, 1, CPUS_MAX, &options->cpus) == 0)
			return 0;
		snprintf(error, error_size, "--cpus '%s' is not a number from 1 to %d", text, CPUS_MAX);
		return -EINVAL;
	case OPT_TIMEOUT:
		if (parse_count(text, 1, INT_MAX / 1000, &options->timeout_s) == 0)
			return 0;
		snprintf(error, error_size, "--timeout '%s' is not a number of seconds from 1 to %d", text, INT_MAX / 1000);
		return -EINVAL;
	case OPT_BOOT_TIMEOUT:
		if (parse_count(text, 1, INT_MAX / 1000, &options->boot_timeout_s) == 0)
			return 0;
		snprintf(error, error_size, "--boot-timeout '%s' is not a number of seconds from 1 to %d", text, INT_MAX / 1000);
		return -EINVAL;
	case OPT_ACCEL:
		if (strcmp(text, "auto") == 0)
			options->accel = ACCEL_WISH_AUTO;
		else if (strcmp(text, "kvm") == 0)
			options->accel = ACCEL_WISH_KVM;
		else if (strcmp(text, "tcg") == 0)
			options->accel = ACCEL_WISH_TCG;
		else {
			snprintf(error, error_size, "--accel '%s' is none of auto, kvm, tcg", text);
			return -EINVAL;
		}
		return 0;
	}
	snprintf(error, error_size, "unknown option %d", option);
	return -EINVAL;
}

int options_parse(int argc, char **argv, struct options *ret_options, char *error, size_t error_size)
{
	struct options options = {
		.name = "vgpu-run", .memory_bytes = 512ULL << 20, .cpus = 1, .boot_timeout_s = 120,
	};
	struct string_list *lists[] = { &options.vgpus, &options.vfio_users, &options.initrds, &options.files };
	int option, r = 0;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]) && r == 0; i++)
		r = list_init(lists[i], argc);
	if (r < 0) {
		snprintf(error, error_size, "out of memory");
		goto fail;
	}
	/* '+': options end where the command begins. ':': the messages are ours. */
	optind = 0;
	while ((option = getopt_long(argc, argv, "+:vh", long_options, NULL)) != -1) {
		if (option == ':' || option == '?') {
			snprintf(error, error_size, option == ':' ? "option '%s' needs a value" : "unknown option '%s'; see vgpu-run --help",
				 argv[optind - 1]);
			r = -EINVAL;
			goto fail;
		}
		r = take_option(&options, option, optarg, error, error_size);
		if (r < 0)
			goto fail;
	}
	options.command = argv + optind;
	if (options.action == OPTIONS_RUN && !options.command[0]) {
		snprintf(error, error_size, "no command to run in the VM; for example: vgpu-run --vgpu NAME -- clinfo");
		r = -EINVAL;
		goto fail;
	}
	*ret_options = options;
	return 0;
fail:
	options_finish(&options);
	return r;
}

void options_finish(struct options *options)
{
	free(options->vgpus.items);
	free(options->vfio_users.items);
	free(options->initrds.items);
	free(options->files.items);
}
