/* SPDX-License-Identifier: MIT */
#include "mdev/refusal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static const struct {
	int status;
	const char *name;
} codes[] = {
	[REFUSAL_NONE] = {200, "none"},
	[REFUSAL_BAD_REQUEST] = {400, "bad_request"},
	[REFUSAL_NOT_FOUND] = {404, "not_found"},
	[REFUSAL_BAD_METHOD] = {405, "bad_method"},
	[REFUSAL_CONFLICT] = {409, "conflict"},
	[REFUSAL_IN_USE] = {409, "in_use"},
	[REFUSAL_TOO_LARGE] = {413, "too_large"},
	[REFUSAL_FAILED] = {500, "failed"},
	[REFUSAL_UNAVAILABLE] = {503, "unavailable"},
	[REFUSAL_TIMEOUT] = {504, "timeout"},
	[REFUSAL_NO_CAPACITY] = {507, "no_capacity"},
};

_Bool refuse(struct refusal *refusal, enum refusal_code code, const char *hint, const char *format, ...)
{
	va_list arguments;

	refusal->code = code;
	va_start(arguments, format);
	vsnprintf(refusal->message, sizeof(refusal->message), format, arguments);
	va_end(arguments);
	snprintf(refusal->hint, sizeof(refusal->hint), "%s", hint ? hint : "");
	return 0;
}

const char *refusal_disk_hint(int error)
{
	switch (-error) {
	case ENOSPC:
	case EDQUOT:
		return "make room on that disk and try again";
	case EROFS:
		return "mount that disk for writing and try again";
	case EACCES:
	case EPERM:
		return "let the user that vgpud runs as write there";
	default:
		return "see the health of that disk in the kernel's log";
	}
}

int refusal_http_status(enum refusal_code code)
{
	return codes[code].status;
}

const char *refusal_code_name(enum refusal_code code)
{
	return codes[code].name;
}
