/* SPDX-License-Identifier: MIT */
/* Why something asked of the service was not done: a stable code for programs, one sentence for people, what would work. */
#ifndef VGPU_MDEV_REFUSAL_H
#define VGPU_MDEV_REFUSAL_H

enum refusal_code {
	REFUSAL_NONE = 0,
	REFUSAL_BAD_REQUEST,	/* 400 bad_request: what was sent cannot be meant */
	REFUSAL_NOT_FOUND,	/* 404 not_found */
	REFUSAL_BAD_METHOD,	/* 405 bad_method */
	REFUSAL_CONFLICT,	/* 409 conflict: the name is taken, or the state does not allow it */
	REFUSAL_IN_USE,		/* 409 in_use */
	REFUSAL_TOO_LARGE,	/* 413 too_large */
	REFUSAL_FAILED,		/* 500 failed: the service tried and could not */
	REFUSAL_UNAVAILABLE,	/* 503 unavailable: now; later perhaps */
	REFUSAL_TIMEOUT,	/* 504 timeout */
	REFUSAL_NO_CAPACITY,	/* 507 no_capacity */
};

struct refusal {
	enum refusal_code code;
	char message[320];
	char hint[320];		/* "" = none */
};

/* Fills refusal and returns false, so that callers can `return refuse(...)`. hint may be NULL. */
_Bool refuse(struct refusal *refusal, enum refusal_code code, const char *hint, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* What would help where a file could not be written: for -errno of that. A literal. */
const char *refusal_disk_hint(int error);
int refusal_http_status(enum refusal_code code);
const char *refusal_code_name(enum refusal_code code);

#endif
