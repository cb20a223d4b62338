/* SPDX-License-Identifier: MIT */
/*
 * vgpu-admin: the administrator's command. Reads the command line against one table of commands and one of options; help comes from
 * the same tables. Talks to vgpud and to nothing else.
 */
#include <assert.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mdev/json/json_reader.h"
#include "mdev/quantity.h"
#include "tools/vgpu-admin/scheduling.h"

#define USAGE_COLUMNS 90	/* after which a usage goes on in the next line */
#define SOCKET_DEFAULT "/run/vgpud/vgpud.sock"

enum { LONG_SOCKET = 256, LONG_JSON, LONG_NO_HEADINGS, LONG_BYTES, LONG_HELP, LONG_VERSION, LONG_COMMANDS };

/* The options of single commands, in the order of their bits. */
static const struct {
	const char *name;
	const char *value;	/* NULL: a flag */
	const char *summary;
} command_options[] = {
	{"profile", "P", "the profile, as `profile list` names it"},
	{"name", "N", "a name beside the UUID"},
	{"gpu", "G", "the GPU to cut it from; the one with most free VRAM otherwise"},
	{"vram", "SIZE", "video memory, as 512M or 1G"},
	{"max-contexts", "N", "guest contexts at a time (16)"},
	{"yes", NULL, "do not ask"},
	{"force", NULL, "also if a VM is connected, which loses the device for good"},
	{"qemu-args", NULL, "print QEMU's arguments, one a line"},
	{"program", "PATH", "the vgpu-device to run"},
	{"follow", NULL, "go on as events happen; with --json a line each"},
	{"after", "N", "only events after number N"},
	{"vgpus", NULL, "stop the vGPUs as well"},
	{"seconds", "S", "what happens from now on, for so long; otherwise what there is"},
	{"format", "F", "perfetto (for ui.perfetto.dev), or recorded (for vgpu-sim run)"},
	{"file", "FILE", "write to FILE, not to standard output"},
	{"weight", "N", "share of GPU time against others, 1 to 65536 (1024)"},
	{"cap", "P", "the most of a lease it gets, in percent, or none"},
	{"burst", "T", "what it may use at once after a rest, with a cap (10ms)"},
	{"reservation", "P", "what of a lease it gets in any case, in percent"},
	{"class", "C", "normal, realtime or idle"},
	{"budget", "T", "time in each period that comes before all others'; with realtime"},
	{"period", "T", "of the budget: 16ms for 60 frames a second"},
	{"slice", "T", "how long a lease is while others wait; 0: as long as the rest of the settings makes it"},
	{"hang-timeout", "T", "how long one command may run before its engine is killed; 0: for ever"},
	{"policy", "W", "best-effort, equal-share, fixed-share or adaptive"},
	{"slots", "N", "of fixed-share: what a vGPU gets is 1/N"},
	{"averaging", "N", "of adaptive: leases over which an overrun is charged"},
	{"target-latency", "T", "a slice is this divided by the vGPUs that want service,"},
	{"slice-max", "T", "and no longer than this"},
	{"leases", "N", "vGPUs that run at a time"},
};
#define COMMAND_OPTIONS (sizeof(command_options) / sizeof(command_options[0]))
static_assert(COMMAND_OPTIONS == OPT_SCHEDULING_FIRST + OPT_SCHEDULING_COUNT && COMMAND_OPTIONS <= 64, "one bit each");

enum exit_code complain(enum exit_code code, const char *format, ...)
{
	va_list arguments;

	fflush(stdout);
	fputs("vgpu-admin: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return code;
}

static void print_usage(const struct command *command)
{
	int column = printf("  vgpu-admin %s%s%s%s%s", command->noun, command->verb ? " " : "", command->verb ? command->verb : "",
			    command->id_name ? " " : "", command->id_name ? command->id_name : "");

	for (unsigned i = 0; i < COMMAND_OPTIONS; i++) {
		if (!(command->options & 1ull << i))
			continue;
		bool is_required = command->required & 1ull << i;
		if (column > USAGE_COLUMNS)
			column = printf("\n             ");
		column += printf(" %s--%s%s%s%s", is_required ? "" : "[", command_options[i].name, command_options[i].value ? " " : "",
				 command_options[i].value ? command_options[i].value : "", is_required ? "" : "]");
	}
	printf("\n      %s\n", command->summary);
}

static void print_help(void)
{
	puts("usage: vgpu-admin [option]... command\n\ncommands:");
	for (const struct command *command = commands; command->noun; command++)
		print_usage(command);
	puts("\noptions of commands:");
	for (unsigned i = 0; i < COMMAND_OPTIONS; i++)
		printf("  --%-14s %-5s %s\n", command_options[i].name, command_options[i].value ? command_options[i].value : "",
		       command_options[i].summary);
	puts("\noptions:\n"
	     "  --socket PATH      of vgpud (the environment's VGPUD_SOCKET, else " SOCKET_DEFAULT ")\n"
	     "  -o FORMAT          table, wide, json or csv; --json is -o json\n"
	     "  --no-headings      tables and CSV without their first line\n"
	     "  --bytes            sizes and times as plain numbers\n"
	     "  -q                 ids only\n"
	     "  --help, --version\n"
	     "\n"
	     "An ID is a UUID, a name, or the beginning of one UUID (4 characters or more).\n"
	     "exit status: 0 done, 1 failed, 2 usage, 3 not found, 4 permission, 5 conflict or in use, 6 no capacity,\n"
	     "7 service unreachable, 8 timeout");
}

/* Nearest command to what was typed, for "did you mean". */
static enum exit_code no_such_command(const char *noun, const char *verb)
{
	const char *words[64];
	unsigned count = 0;
	bool noun_is_known = false;

	for (const struct command *command = commands; command->noun; command++)
		noun_is_known |= !strcmp(command->noun, noun);
	for (const struct command *command = commands; command->noun && count < 63; command++) {
		if (noun_is_known && strcmp(command->noun, noun))
			continue;
		if (!noun_is_known || command->verb)
			words[count++] = noun_is_known ? command->verb : command->noun;
	}
	words[count] = NULL;
	if (noun_is_known && !verb) {
		fprintf(stderr, "vgpu-admin: what about '%s'? One of:", noun);
		for (unsigned i = 0; i < count; i++)
			fprintf(stderr, " %s", words[i]);
		fputc('\n', stderr);
		return EXIT_USAGE;
	}
	const char *typed = noun_is_known ? verb : noun, *near = nearest_word(typed, words);
	if (near)
		return complain(EXIT_USAGE, "there is no command '%s%s%s'; did you mean '%s'?", noun_is_known ? noun : "", noun_is_known ? " " : "",
				typed, near);
	return complain(EXIT_USAGE, "there is no command '%s%s%s'; 'vgpu-admin --help' shows all", noun_is_known ? noun : "",
			noun_is_known ? " " : "", typed);
}

static enum exit_code take_output(const char *value, struct arguments *arguments)
{
	static const char *const names[] = {"table", "wide", "json", "csv", NULL};

	for (unsigned i = 0; names[i]; i++) {
		if (!strcmp(value, names[i])) {
			arguments->output = (enum output)i;
			return EXIT_OK;
		}
	}
	return complain(EXIT_USAGE, "-o is '%s', but must be table, wide, json or csv", value);
}

static enum exit_code take_option(unsigned index, const char *value, struct arguments *arguments)
{
	char why[256] = "";
	int error = 0;

	if (value && !value[0])
		return complain(EXIT_USAGE, "--%s needs a value", command_options[index].name);
	arguments->given |= 1ull << index;
	switch (1ull << index) {
	case OPT_PROFILE:
		arguments->profile = value;
		break;
	case OPT_NAME:
		arguments->name = value;
		break;
	case OPT_GPU:
		arguments->gpu = value;
		break;
	case OPT_PROGRAM:
		arguments->program = value;
		break;
	case OPT_VRAM:
		error = quantity_parse_bytes(value, &arguments->vram_bytes, why);
		break;
	case OPT_CONTEXTS:
		error = quantity_parse_count("--max-contexts", value, 1, 1000000, &arguments->max_contexts, why);
		break;
	case OPT_FORMAT:
		arguments->format = value;
		break;
	case OPT_FILE:
		arguments->file = value;
		break;
	case OPT_SECONDS:
		error = quantity_parse_count("--seconds", value, 1, 3600, &arguments->seconds, why);
		break;
	case OPT_AFTER:
		error = quantity_parse_count("--after", value, 0, INT64_MAX, &arguments->after, why);
		break;
	default:
		error = scheduling_take(1ull << index, value, arguments, why);
	}
	return error ? complain(EXIT_USAGE, "--%s: %s", command_options[index].name, why) : EXIT_OK;
}

/* Options anywhere on the line; the words between them go to the front of argv from optind on, as getopt_long does. */
static enum exit_code read_options(int argc, char **argv, struct arguments *arguments, bool *ret_is_said)
{
	struct option options[COMMAND_OPTIONS + 7] = {0};
	unsigned count = 0;
	int option;

	for (; count < COMMAND_OPTIONS; count++)
		options[count] = (struct option){command_options[count].name, command_options[count].value ? required_argument : no_argument, NULL,
						 LONG_COMMANDS + (int)count};
	options[count++] = (struct option){"socket", required_argument, NULL, LONG_SOCKET};
	options[count++] = (struct option){"json", no_argument, NULL, LONG_JSON};
	options[count++] = (struct option){"no-headings", no_argument, NULL, LONG_NO_HEADINGS};
	options[count++] = (struct option){"bytes", no_argument, NULL, LONG_BYTES};
	options[count++] = (struct option){"help", no_argument, NULL, LONG_HELP};
	options[count++] = (struct option){"version", no_argument, NULL, LONG_VERSION};
	while ((option = getopt_long(argc, argv, "o:qh", options, NULL)) != -1) {
		enum exit_code code = EXIT_OK;
		switch (option) {
		case LONG_SOCKET:
			arguments->socket = optarg;
			break;
		case LONG_JSON:
			arguments->output = OUTPUT_JSON;
			break;
		case LONG_NO_HEADINGS:
			arguments->no_headings = true;
			break;
		case LONG_BYTES:
			arguments->bytes = true;
			break;
		case 'q':
			arguments->quiet = true;
			break;
		case 'o':
			code = take_output(optarg, arguments);
			break;
		case 'h':
		case LONG_HELP:
			print_help();
			*ret_is_said = true;
			return EXIT_OK;
		case LONG_VERSION:
			puts("vgpu-admin " VGPU_VERSION);
			*ret_is_said = true;
			return EXIT_OK;
		case '?':
			return complain(EXIT_USAGE, "'vgpu-admin --help' shows all options");
		default:
			code = take_option((unsigned)(option - LONG_COMMANDS), optarg, arguments);
		}
		if (code)
			return code;
	}
	return EXIT_OK;
}

static enum exit_code check(const struct command *command, const struct arguments *arguments)
{
	for (unsigned i = 0; i < COMMAND_OPTIONS; i++) {
		if (arguments->given & ~command->options & 1ull << i)
			return complain(EXIT_USAGE, "'%s%s%s' takes no --%s", command->noun, command->verb ? " " : "",
					command->verb ? command->verb : "", command_options[i].name);
		if (command->required & ~arguments->given & 1ull << i)
			return complain(EXIT_USAGE, "'%s %s' needs --%s %s: %s", command->noun, command->verb, command_options[i].name,
					command_options[i].value, command_options[i].summary);
	}
	return EXIT_OK;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {.socket = getenv("VGPUD_SOCKET")};
	const struct command *command = commands;
	bool is_said = false;
	enum exit_code code;

	if (!arguments.socket || !arguments.socket[0])
		arguments.socket = SOCKET_DEFAULT;
	code = read_options(argc, argv, &arguments, &is_said);
	if (code || is_said)
		return code;
	argv += optind;
	argc -= optind;
	if (!argc) {
		print_help();
		return EXIT_USAGE;
	}
	while (command->noun && (strcmp(command->noun, argv[0]) || (command->verb && (argc < 2 || strcmp(command->verb, argv[1])))))
		command++;
	if (!command->noun)
		return no_such_command(argv[0], argc > 1 ? argv[1] : NULL);
	int words = command->verb ? 2 : 1;
	if (command->id_name) {
		if (argc <= words || !argv[words][0])
			return complain(EXIT_USAGE, "'%s%s%s' needs %s", command->noun, command->verb ? " " : "", command->verb ? command->verb : "",
					command->id_name);
		arguments.id = argv[words++];
	}
	if (argc > words)
		return complain(EXIT_USAGE, "there is nothing to do with '%s'", argv[words]);
	code = check(command, &arguments);
	return code ? code : command->run(&arguments);
}
