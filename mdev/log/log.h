/* SPDX-License-Identifier: MIT */
/*
 * One line per event on stderr, with the level journald understands and the part that speaks:
 * "<3>vgpu-device[web1]: ...". Any thread; a line is one write.
 */
#ifndef VGPU_MDEV_LOG_LOG_H
#define VGPU_MDEV_LOG_LOG_H

enum log_level {
	LOG_LEVEL_ERROR = 3,	/* sd-daemon(3) */
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

/* Names this process in its lines; borrows both strings for good. subject may be NULL. Reads VGPU_LOG
 * (error|warning|info|debug; default info). Call once, before the first line. */
void log_init(const char *program, const char *subject);

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
