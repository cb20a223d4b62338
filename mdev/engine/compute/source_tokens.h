/* SPDX-License-Identifier: MIT */
/*
 * OpenCL C source text as preprocessing tokens: translation phases 1 to 3 (C17 §5.1.1.2), line by line.
 *
 * Pure. Distrusts the text, which is a guest's: what it does not understand beyond doubt (trigraphs, digraphs, universal character
 * names, bytes outside ASCII, a string without an end) is an error, not a guess.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_SOURCE_TOKENS_H
#define VGPU_MDEV_ENGINE_COMPUTE_SOURCE_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOURCE_TOKENS_BYTES_MAX (4u << 20)	/* a longer text is not looked at */

enum source_token_kind {
	TOKEN_NAME,		/* identifiers and keywords */
	TOKEN_NUMBER,
	TOKEN_STRING,		/* and character constants */
	TOKEN_PUNCTUATION,	/* one character each */
	TOKEN_DIRECTIVE,	/* the # that begins a line */
	TOKEN_DIRECTIVE_END,
};

struct source_token {
	uint32_t at, length;	/* in text */
	uint8_t kind;		/* enum source_token_kind */
	bool spaced;		/* white space stands before it */
};

struct source_tokens {
	char *text;		/* without comments and continued lines */
	struct source_token *tokens;
	uint32_t count;
};

/* 0, -EINVAL for a text that cannot be understood beyond doubt, -ENOMEM. */
int source_tokens_read(const char *source, size_t bytes, struct source_tokens *ret_tokens);
void source_tokens_finish(struct source_tokens *tokens);

bool source_token_is(const struct source_tokens *tokens, const struct source_token *token, const char *text);
#endif
