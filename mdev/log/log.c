/* SPDX-License-Identifier: MIT */
#include "mdev/log/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* The one mutable global of the logger: written once by log_init, before threads. */
static struct {
	const char *program;
	const char *subject;
	int level;
} log_state = {.program = "vgpu", .level = LOG_LEVEL_INFO};

void log_init(const char *program, const char *subject)
{
	const char *wanted = getenv("VGPU_LOG");

	log_state.program = program;
	log_state.subject = subject;
	if (!wanted)
		return;
	if (!strcmp(wanted, "error"))
		log_state.level = LOG_LEVEL_ERROR;
	else if (!strcmp(wanted, "warning"))
		log_state.level = LOG_LEVEL_WARNING;
	else if (!strcmp(wanted, "debug"))
		log_state.level = LOG_LEVEL_DEBUG;
}

void log_line(enum log_level level, const char *format, ...)
{
	char text[1024];
	va_list arguments;
	int used;

	if ((int)level > log_state.level)
		return;
	used = snprintf(text, sizeof(text), "<%d>%s%s%s%s[%d]: ", level, log_state.program,
			log_state.subject ? "(" : "", log_state.subject ? log_state.subject : "",
			log_state.subject ? ")" : "", (int)getpid());
	if (used < 0 || used >= (int)sizeof(text) - 2)
		return;
	va_start(arguments, format);
	int more = vsnprintf(text + used, sizeof(text) - 1 - used, format, arguments);
	va_end(arguments);
	if (more < 0)
		return;
	used += more;
	if (used > (int)sizeof(text) - 2)
		used = sizeof(text) - 2;
	/* A guest's words may be in the line: control characters would forge lines of their own. */
	for (int i = 0; i < used; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			text[i] = '?';
	text[used++] = '\n';
	ssize_t written = write(STDERR_FILENO, text, used);
	(void)written; /* nowhere left to say it */
}
