/* SPDX-License-Identifier: MIT */
#include "tools/vgpu-admin/client.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MAX_BYTES (64u << 20)
#define PATIENCE_S 90		/* the longest wait the service has is 60 s, for events */

const char *client_path(char buffer[1024], const char *path, const char *id, const char *suffix)
{
	size_t used = (size_t)snprintf(buffer, 1024, "%s", path);

	for (; *id && used < 900; id++) {
		if (isalnum((unsigned char)*id) || strchr("._-", *id))
			buffer[used++] = *id;
		else
			used += (size_t)sprintf(buffer + used, "%%%02X", (unsigned char)*id);
	}
	snprintf(buffer + used, 1024 - used, "%s", suffix);
	return buffer;
}

static enum exit_code open_socket(const char *path, int *ret_socket)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = PATIENCE_S};

	if (strlen(path) >= sizeof(address.sun_path))
		return complain(EXIT_USAGE, "the socket's path '%s' has more than %zu bytes", path, sizeof(address.sun_path) - 1);
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return complain(EXIT_FAILED, "no socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (!connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		*ret_socket = fd;
		return EXIT_OK;
	}
	int error = errno;
	close(fd);
	if (error == EACCES || error == EPERM)
		return complain(EXIT_PERMISSION, "you may not use %s; try with sudo", path);
	return complain(EXIT_UNREACHABLE, "no service answers at %s: %s; start vgpud, or name its socket with --socket or VGPUD_SOCKET", path,
			strerror(error));
}

static enum exit_code send_all(int fd, const char *bytes, size_t count)
{
	while (count) {
		ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return complain(EXIT_UNREACHABLE, "the service hung up: %s", strerror(errno));
		bytes += sent;
		count -= (size_t)sent;
	}
	return EXIT_OK;
}

/* Everything until the service closes the connection, NUL-terminated on the heap. */
static enum exit_code receive_all(int fd, char **ret_text, size_t *ret_bytes)
{
	size_t bytes = 0, capacity = 65536;
	char *text = malloc(capacity);

	for (;;) {
		if (text && capacity - bytes < 2) {
			char *grown = capacity < ANSWER_MAX_BYTES ? realloc(text, capacity *= 2) : NULL;
			if (!grown)
				free(text);
			text = grown;
		}
		if (!text)
			return complain(EXIT_FAILED, "no memory for the answer");
		ssize_t got = recv(fd, text + bytes, capacity - bytes - 1, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			int error = errno;
			free(text);
			if (error == EAGAIN || error == EWOULDBLOCK)
				return complain(EXIT_TIMED_OUT, "the service has not answered for %d s", PATIENCE_S);
			return complain(EXIT_UNREACHABLE, "the service hung up: %s", strerror(error));
		}
		if (!got)
			break;
		bytes += (size_t)got;
	}
	text[bytes] = '\0';
	*ret_text = text;
	*ret_bytes = bytes;
	return EXIT_OK;
}

static enum exit_code exit_code_of(const char *code)
{
	static const struct {
		const char *code;
		enum exit_code exit_code;
	} table[] = {
		{"bad_request", EXIT_USAGE},	{"not_found", EXIT_NOT_FOUND},	   {"permission", EXIT_PERMISSION},
		{"conflict", EXIT_CONFLICT},	{"in_use", EXIT_CONFLICT},	   {"no_capacity", EXIT_NO_CAPACITY},
		{"timeout", EXIT_TIMED_OUT},	{"unavailable", EXIT_UNREACHABLE}, {"too_large", EXIT_USAGE},
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (!strcmp(table[i].code, code))
			return table[i].exit_code;
	return EXIT_FAILED;
}

/* Says what the service refused; with JSON wanted, its error goes to stdout as it came. */
static enum exit_code say_refusal(const struct arguments *arguments, int status, const json_t *answer)
{
	const json_t *error = json_object_get(answer, "error");
	const char *code = json_string_value(json_object_get(error, "code"));
	const char *message = json_string_value(json_object_get(error, "message"));
	const char *hint = json_string_value(json_object_get(error, "hint"));

	if (!code || !message)
		return complain(EXIT_FAILED, "the service answered with status %d and no reason", status);
	if (arguments->output == OUTPUT_JSON) {
		json_dumpf(answer, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
		putchar('\n');
	}
	return complain(exit_code_of(code), "%s%s%s", message, hint ? "; " : "", hint ? hint : "");
}

static enum exit_code judge(const struct arguments *arguments, const char *text, size_t bytes, json_t **ret_answer)
{
	const char *body = strstr(text, "\r\n\r\n");
	json_error_t error;
	int status;

	if (!bytes)
		return complain(EXIT_UNREACHABLE, "the service hung up without an answer; what was asked may be done or not: look before asking again");
	if (sscanf(text, "HTTP/1.%*1[01] %3d", &status) != 1 || !body)
		return complain(EXIT_FAILED, "what answers at %s does not speak HTTP", arguments->socket);
	body += 4;
	size_t body_bytes = bytes - (size_t)(body - text);
	json_t *answer = body_bytes ? json_loadb(body, body_bytes, JSON_REJECT_DUPLICATES, &error) : NULL;
	if (body_bytes && !answer)
		return complain(EXIT_FAILED, "the service's answer is not JSON: %s", error.text);
	if (status >= 200 && status < 300) {
		*ret_answer = answer;
		return EXIT_OK;
	}
	enum exit_code code = say_refusal(arguments, status, answer);
	json_decref(answer);
	return code;
}

enum exit_code client_call(const struct arguments *arguments, const char *method, const char *path, json_t *body, json_t **ret_answer)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL, *answer = NULL;
	size_t bytes = 0;
	char head[2048];
	int fd = -1;

	*ret_answer = NULL;
	json_decref(body);
	enum exit_code code = open_socket(arguments->socket, &fd);
	if (code)
		goto free_text;
	snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: vgpud\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n", method, path,
		 text ? strlen(text) : 0, text ? "Content-Type: application/json\r\n" : "");
	code = send_all(fd, head, strlen(head));
	if (!code && text)
		code = send_all(fd, text, strlen(text));
	if (!code)
		code = receive_all(fd, &answer, &bytes);
	if (!code)
		code = judge(arguments, answer, bytes, ret_answer);
	free(answer);
	close(fd);
free_text:
	free(text);
	return code;
}
