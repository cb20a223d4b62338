/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compute/source_tokens.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool begins_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}

/* Whether a backslash at `at` continues the line: compilers forgive white space behind it. */
static size_t continuation(const char *source, size_t bytes, size_t at)
{
	size_t end = at + 1;

	while (end < bytes && is_space(source[end]))
		end++;
	return end < bytes && source[end] == '\n' ? end + 1 : 0;
}

/* Joins continued lines. -EINVAL for trigraphs, which may be a backslash or a #, or nothing of the kind. */
static int join_lines(const char *source, size_t bytes, char *ret_text, size_t *ret_bytes)
{
	size_t used = 0;

	for (size_t i = 0; i < bytes; i++) {
		size_t next = source[i] == '\\' ? continuation(source, bytes, i) : 0;
		if (next) {
			i = next - 1;
			continue;
		}
		if (!source[i])
			return -EINVAL;
		if (source[i] == '?' && i + 2 < bytes && source[i + 1] == '?' && strchr("=/'()!<>-", source[i + 2]))
			return -EINVAL;
		ret_text[used++] = source[i];
	}
	ret_text[used] = 0;
	*ret_bytes = used;
	return 0;
}

/* A comment becomes one space; what is in strings stays. The text shrinks in place. */
static int drop_comments(char *text, size_t *bytes)
{
	size_t used = 0, i = 0, end = *bytes;

	while (i < end) {
		char c = text[i];
		if (c == '/' && text[i + 1] == '/') {
			while (i < end && text[i] != '\n')
				i++;
			text[used++] = ' ';
		} else if (c == '/' && text[i + 1] == '*') {
			char *close = strstr(text + i + 2, "*/");
			if (!close)
				return -EINVAL;
			i = (size_t)(close - text) + 2;
			text[used++] = ' ';
		} else if (c == '"' || c == '\'') {
			text[used++] = text[i++];
			while (i < end && text[i] != c && text[i] != '\n') {
				if (text[i] == '\\' && i + 1 < end)
					text[used++] = text[i++];
				text[used++] = text[i++];
			}
			if (i >= end || text[i] == '\n')
				return -EINVAL;
			text[used++] = text[i++];
		} else {
			text[used++] = text[i++];
		}
	}
	text[used] = 0;
	*bytes = used;
	return 0;
}

static size_t name_end(const char *text, size_t at)
{
	while (begins_name(text[at]) || is_digit(text[at]))
		at++;
	return at;
}

static size_t number_end(const char *text, size_t at)
{
	while (begins_name(text[at]) || is_digit(text[at]) || text[at] == '.') {
		if (strchr("eEpP", text[at]) && (text[at + 1] == '+' || text[at + 1] == '-'))
			at++;
		at++;
	}
	return at;
}

static size_t string_end(const char *text, size_t at)
{
	char quote = text[at++];

	while (text[at] != quote)
		at += text[at] == '\\' ? 2 : 1;
	return at + 1;
}

static bool is_digraph(const char *at)
{
	return (at[0] == '<' && (at[1] == ':' || at[1] == '%')) || (at[0] == '%' && (at[1] == '>' || at[1] == ':')) ||
	       (at[0] == ':' && at[1] == '>');
}

/* One token at `at`, which is no white space. Its end, or 0 for what is not understood. */
static size_t token_end(const char *text, size_t at, uint8_t *ret_kind)
{
	char c = text[at];

	if (begins_name(c)) {
		size_t end = name_end(text, at);
		*ret_kind = TOKEN_NAME;
		/* R"(...)": another grammar for what follows. L'x' and the like are not OpenCL C either. */
		return text[end] == '"' || text[end] == '\'' ? 0 : end;
	}
	if (is_digit(c) || (c == '.' && is_digit(text[at + 1]))) {
		*ret_kind = TOKEN_NUMBER;
		return number_end(text, at);
	}
	if (c == '"' || c == '\'') {
		*ret_kind = TOKEN_STRING;
		return string_end(text, at);
	}
	*ret_kind = TOKEN_PUNCTUATION;
	if (is_digraph(text + at) || !strchr("!#%&()*+,-./:;<=>?[]^{|}~", c))
		return 0;
	return at + 1;
}

static int split(struct source_tokens *t, size_t bytes)
{
	bool begins_line = true, in_directive = false, spaced = false;

	for (size_t i = 0; i <= bytes;) {
		struct source_token *token = &t->tokens[t->count];
		char c = t->text[i];
		if (c == '\n' || !c) {
			if (in_directive)
				t->tokens[t->count++] = (struct source_token){.at = (uint32_t)i, .kind = TOKEN_DIRECTIVE_END};
			begins_line = spaced = true;
			in_directive = false;
			i++;
			continue;
		}
		if (is_space(c)) {
			spaced = true;
			i++;
			continue;
		}
		*token = (struct source_token){.at = (uint32_t)i, .spaced = spaced};
		size_t end = token_end(t->text, i, &token->kind);
		if (!end)
			return -EINVAL;
		token->length = (uint32_t)(end - i);
		if (begins_line && c == '#') {
			token->kind = TOKEN_DIRECTIVE;
			in_directive = true;
		}
		t->count++;
		begins_line = spaced = false;
		i = end;
	}
	return 0;
}

int source_tokens_read(const char *source, size_t bytes, struct source_tokens *ret_tokens)
{
	struct source_tokens t = {0};
	int r = -ENOMEM;

	if (bytes > SOURCE_TOKENS_BYTES_MAX)
		return -EINVAL;
	t.text = malloc(bytes + 2);
	if (!t.text)
		return r;
	r = join_lines(source, bytes, t.text, &bytes);
	if (!r)
		r = drop_comments(t.text, &bytes);
	if (r)
		goto finish;
	/* At most one token for each byte and one for each end of a line, which is a byte or the end. */
	t.tokens = calloc(bytes + 2, sizeof(*t.tokens));
	r = t.tokens ? split(&t, bytes) : -ENOMEM;
	if (r)
		goto finish;
	*ret_tokens = t;
	return 0;

finish:
	source_tokens_finish(&t);
	return r;
}

void source_tokens_finish(struct source_tokens *tokens)
{
	free(tokens->tokens);
	free(tokens->text);
	*tokens = (struct source_tokens){0};
}

bool source_token_is(const struct source_tokens *tokens, const struct source_token *token, const char *text)
{
	return strlen(text) == token->length && !memcmp(tokens->text + token->at, text, token->length);
}
