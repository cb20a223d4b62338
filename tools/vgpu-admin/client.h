/* SPDX-License-Identifier: MIT */
/* One HTTP/1.1 request to vgpud over its UNIX socket, and its JSON answer. */
#ifndef VGPU_TOOLS_VGPU_ADMIN_CLIENT_H
#define VGPU_TOOLS_VGPU_ADMIN_CLIENT_H

#include "tools/vgpu-admin/command.h"

/*
 * Sends method and path (format and arguments; each %s of an id must have gone through client_escape) with body, which it takes and which
 * may be NULL. EXIT_OK with *ret_answer a new reference, NULL if the answer has no body; else what went wrong has been said.
 */
enum exit_code client_call(const struct arguments *arguments, const char *method, const char *path, json_t *body, json_t **ret_answer);

/* path with id percent-encoded behind it and suffix at its end, in buffer (1024 bytes). Returns buffer. */
const char *client_path(char buffer[1024], const char *path, const char *id, const char *suffix);

#endif
