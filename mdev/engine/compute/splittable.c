/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compute/splittable.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mdev/engine/compute/builtins.h"
#include "mdev/engine/compute/source_tokens.h"

#define BUCKETS 1024u
#define ALIAS_DEPTH 16u
#define PATIENCE 1000000u
#define NONE UINT32_MAX

enum definition_kind {
	FUNCTION,
	MACRO,
	TYPE,		/* or a constant of the program's: names lead into it, no more */
	VARIABLE,	/* of the program's */
};

struct definition {
	enum definition_kind kind;
	bool takes_arguments;		/* a macro like a function */
	bool reached;
	bool has_braces;		/* a macro */
	const struct source_token *tokens;
	uint32_t from, to;		/* all that a use of it leads to */
	uint32_t body;			/* FUNCTION: its { */
	uint32_t parameters, parameters_end;	/* MACRO */
};

/* A name of a definition, in a bucket's list. */
struct binding {
	uint32_t next, definition;
	uint32_t at, length;
};

struct splittable {
	struct source_tokens text;
	struct source_token *code;	/* those outside directives */
	uint32_t code_count;
	struct definition *definitions;
	uint32_t definition_count, definition_capacity;
	struct binding *bindings;
	uint32_t binding_count, binding_capacity;
	uint32_t buckets[BUCKETS];
	uint32_t *pending;		/* definitions reached, not looked into yet */
	uint32_t pending_count;
	uint32_t patience;		/* steps left through macros that lead to macros */
	bool loops, shares;
};

/* ---- names ---------------------------------------------------------------------------------------- */

static bool is(const struct splittable *s, const struct source_token *token, const char *text)
{
	return source_token_is(&s->text, token, text);
}

static unsigned builtin(const struct splittable *s, const struct source_token *token)
{
	return builtin_of(s->text.text + token->at, token->length);
}

static bool same(const struct splittable *s, const struct source_token *a, const struct source_token *b)
{
	return a->length == b->length && !memcmp(s->text.text + a->at, s->text.text + b->at, a->length);
}

static uint32_t bucket_of(const char *name, size_t length)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (uint8_t)name[i]) * 16777619u;
	return hash % BUCKETS;
}

/* The first binding of a name from `binding` on, NONE at the end. */
static uint32_t binding_from(const struct splittable *s, uint32_t binding, const char *name, size_t length)
{
	while (binding != NONE && (s->bindings[binding].length != length ||
				   memcmp(s->text.text + s->bindings[binding].at, name, length)))
		binding = s->bindings[binding].next;
	return binding;
}

static uint32_t first_binding(const struct splittable *s, const struct source_token *token)
{
	const char *name = s->text.text + token->at;

	return binding_from(s, s->buckets[bucket_of(name, token->length)], name, token->length);
}

static uint32_t next_binding(const struct splittable *s, uint32_t binding, const struct source_token *token)
{
	return binding_from(s, s->bindings[binding].next, s->text.text + token->at, token->length);
}

/* A use of a macro of this name may open or close blocks. */
static bool has_braces(const struct splittable *s, const struct source_token *token)
{
	for (uint32_t b = first_binding(s, token); b != NONE; b = next_binding(s, b, token))
		if (s->definitions[s->bindings[b].definition].has_braces)
			return true;
	return false;
}

/* A macro of this name, NULL if there is none. */
static const struct definition *macro_of(const struct splittable *s, const struct source_token *token)
{
	for (uint32_t b = first_binding(s, token); b != NONE; b = next_binding(s, b, token))
		if (s->definitions[s->bindings[b].definition].kind == MACRO)
			return &s->definitions[s->bindings[b].definition];
	return NULL;
}

/* Room for one more element; false without memory. */
static bool grow(void **array, uint32_t count, uint32_t *capacity, size_t bytes)
{
	if (count < *capacity)
		return true;
	void *grown = realloc(*array, (*capacity * 2 + 64) * bytes);
	if (!grown)
		return false;
	*array = grown;
	*capacity = *capacity * 2 + 64;
	return true;
}

static bool define(struct splittable *s, const struct definition *definition)
{
	if (!grow((void **)&s->definitions, s->definition_count, &s->definition_capacity, sizeof(*s->definitions)))
		return false;
	s->definitions[s->definition_count++] = *definition;
	return true;
}

/* The name leads to the newest definition. */
static bool bind(struct splittable *s, const struct source_token *name)
{
	uint32_t *bucket = &s->buckets[bucket_of(s->text.text + name->at, name->length)];

	if (!grow((void **)&s->bindings, s->binding_count, &s->binding_capacity, sizeof(*s->bindings)))
		return false;
	s->bindings[s->binding_count] = (struct binding){*bucket, s->definition_count - 1, name->at, name->length};
	*bucket = s->binding_count++;
	return true;
}

/* ---- directives ------------------------------------------------------------------------------------ */

static bool is_punctuation(const struct splittable *s, const struct source_token *token, char c)
{
	return token->kind == TOKEN_PUNCTUATION && s->text.text[token->at] == c;
}

/* Brackets of each kind pair up. */
static bool is_balanced(const struct splittable *s, const struct source_token *tokens, uint32_t from, uint32_t to, bool *ret_braces)
{
	int round = 0, curly = 0;

	for (uint32_t i = from; i < to; i++) {
		if (tokens[i].kind != TOKEN_PUNCTUATION)
			continue;
		switch (s->text.text[tokens[i].at]) {
		case '(':
			round++;
			break;
		case ')':
			round--;
			break;
		case '{':
			*ret_braces = true;
			curly++;
			break;
		case '}':
			curly--;
		}
		if (round < 0 || curly < 0)
			return false;
	}
	return !round && !curly;
}

static bool read_macro(struct splittable *s, uint32_t at, uint32_t end)
{
	const struct source_token *t = s->text.tokens;
	struct definition d = {.kind = MACRO, .tokens = t, .from = at + 1, .to = end};

	if (at == end || t[at].kind != TOKEN_NAME)
		return false;
	if (d.from < end && is_punctuation(s, &t[d.from], '(') && !t[d.from].spaced) {
		d.takes_arguments = true;
		d.parameters = ++d.from;
		while (d.from < end && !is_punctuation(s, &t[d.from], ')'))
			d.from++;
		if (d.from == end)
			return false;
		d.parameters_end = d.from++;
	}
	for (uint32_t i = d.from; i + 1 < end; i++)
		if (is_punctuation(s, &t[i], '#') && is_punctuation(s, &t[i + 1], '#'))
			return false;
	for (uint32_t i = d.from; i < d.to; i++)	/* defined before it is used, as a rule; braces make whole programs unsure */
		d.has_braces |= t[i].kind == TOKEN_NAME && has_braces(s, &t[i]);
	return is_balanced(s, t, d.from, d.to, &d.has_braces) && define(s, &d) && bind(s, &t[at]);
}

static bool read_pragma(const struct splittable *s, uint32_t at, uint32_t end)
{
	static const char *const known[] = {"OPENCL", "unroll"};

	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (at < end && is(s, &s->text.tokens[at], known[i]))
			return true;
	return false;
}

/* Between the # at `at` - 1 and its end. All branches of conditionals count, so their conditions do not matter. */
static bool read_directive(struct splittable *s, uint32_t at, uint32_t end)
{
	static const char *const passed_over[] = {"if", "ifdef", "ifndef", "elif", "else", "endif", "undef", "line", "error", "warning"};
	const struct source_token *t = s->text.tokens;

	if (at == end)
		return true;
	if (is(s, &t[at], "define"))
		return read_macro(s, at + 1, end);
	if (is(s, &t[at], "pragma"))
		return read_pragma(s, at + 1, end);
	for (unsigned i = 0; i < sizeof(passed_over) / sizeof(passed_over[0]); i++)
		if (is(s, &t[at], passed_over[i]))
			return true;
	return false;
}

static bool read_directives(struct splittable *s)
{
	const struct source_token *t = s->text.tokens;

	for (uint32_t i = 0; i < s->text.count; i++) {
		if (t[i].kind != TOKEN_DIRECTIVE) {
			s->code[s->code_count++] = t[i];
			continue;
		}
		uint32_t at = ++i;
		while (t[i].kind != TOKEN_DIRECTIVE_END)
			i++;
		if (!read_directive(s, at, i))
			return false;
	}
	return true;
}

/* ---- what is defined outside functions -------------------------------------------------------------- */

/* Behind the bracket that pairs with the one at `at`; 0 if there is none. Only that kind of bracket counts. */
static uint32_t behind_pair(const struct splittable *s, const struct source_token *tokens, uint32_t at, uint32_t end)
{
	char open = s->text.text[tokens[at].at], close = open == '(' ? ')' : '}';
	uint32_t depth = 0;

	for (; at < end; at++) {
		if (is_punctuation(s, &tokens[at], open))
			depth++;
		else if (is_punctuation(s, &tokens[at], close) && !--depth)
			return at + 1;
	}
	return 0;
}

static bool is_attribute(const struct splittable *s, const struct source_token *token)
{
	return is(s, token, "__attribute__") || is(s, token, "__attribute");
}

/* What may stand between a function's parameters and its {. Behind it. */
static uint32_t behind_attributes(const struct splittable *s, uint32_t at)
{
	while (at < s->code_count && s->code[at].kind == TOKEN_NAME) {
		bool has_arguments = at + 1 < s->code_count && is_punctuation(s, &s->code[at + 1], '(');
		if (has_arguments && !is_attribute(s, &s->code[at]) && !macro_of(s, &s->code[at]))
			break;
		at = has_arguments ? behind_pair(s, s->code, at + 1, s->code_count) : at + 1;
		if (!at)
			return s->code_count;
	}
	return at;
}

/* The name at `at` is of a function with a body: behind that, or 0. */
static uint32_t behind_function(const struct splittable *s, uint32_t at, uint32_t *ret_body)
{
	if (at + 1 >= s->code_count || !is_punctuation(s, &s->code[at + 1], '(') || is_attribute(s, &s->code[at]) ||
	    macro_of(s, &s->code[at]))
		return 0;
	uint32_t body = behind_pair(s, s->code, at + 1, s->code_count);
	if (!body)
		return 0;
	body = behind_attributes(s, body);
	if (body >= s->code_count || !is_punctuation(s, &s->code[body], '{'))
		return 0;
	*ret_body = body;
	return behind_pair(s, s->code, body, s->code_count);
}

static bool has(const struct splittable *s, uint32_t from, uint32_t to, const char *name)
{
	for (uint32_t i = from; i < to; i++)
		if (is(s, &s->code[i], name))
			return true;
	return false;
}

/* Declares functions only. */
static bool is_prototype(const struct splittable *s, uint32_t from, uint32_t to)
{
	bool calls = false;

	for (uint32_t i = from; i + 1 < to; i++) {
		if (is_punctuation(s, &s->code[i], '=') || is_punctuation(s, &s->code[i], '{'))
			return false;
		calls |= s->code[i].kind == TOKEN_NAME && is_punctuation(s, &s->code[i + 1], '(') && !is_attribute(s, &s->code[i]);
	}
	return calls;
}

static bool is_type(const struct splittable *s, uint32_t from, uint32_t to)
{
	if (has(s, from, to, "typedef"))
		return true;
	if (!has(s, from, to, "struct") && !has(s, from, to, "union") && !has(s, from, to, "enum"))
		return false;
	/* "struct s;" or "struct s { ... };" declare no variable; with an attribute behind, we do not look. */
	return to - from <= 2 || is_punctuation(s, &s->code[to - 1], '}');
}

static bool is_constant(const struct splittable *s, uint32_t from, uint32_t to)
{
	if (has(s, from, to, "constant") || has(s, from, to, "__constant") || has(s, from, to, "sampler_t"))
		return true;
	return has(s, from, to, "const") && !has(s, from, to, "*") && !has(s, from, to, "volatile");
}

/* A declaration outside functions, without its ;. */
static bool read_declaration(struct splittable *s, uint32_t from, uint32_t to)
{
	struct definition d = {.tokens = s->code, .from = from, .to = to};

	if (from == to || is_prototype(s, from, to))
		return true;
	d.kind = is_type(s, from, to) || is_constant(s, from, to) ? TYPE : VARIABLE;
	if (!define(s, &d))
		return false;
	for (uint32_t i = from; i < to; i++)
		if (s->code[i].kind == TOKEN_NAME && !builtin(s, &s->code[i]) && !bind(s, &s->code[i]))
			return false;
	return true;
}

static bool read_code(struct splittable *s)
{
	uint32_t begin = 0;

	/* It gives a function the name of another. */
	if (has(s, 0, s->code_count, "asm") || has(s, 0, s->code_count, "__asm") || has(s, 0, s->code_count, "__asm__"))
		return false;
	for (uint32_t i = 0; i < s->code_count;) {
		const struct source_token *token = &s->code[i];
		uint32_t body = 0, behind;
		if (is_punctuation(s, token, ';')) {
			if (!read_declaration(s, begin, i))
				return false;
			begin = ++i;
		} else if (token->kind == TOKEN_NAME && (behind = behind_function(s, i, &body))) {
			struct definition d = {.kind = FUNCTION, .tokens = s->code, .from = begin, .to = behind, .body = body};
			if (!define(s, &d) || !bind(s, token))
				return false;
			begin = i = behind;
		} else if (is_punctuation(s, token, '{')) {
			i = behind_pair(s, s->code, i, s->code_count);
			if (!i)
				return false;
		} else {
			if ((token->kind == TOKEN_NAME && has_braces(s, token)) || is_punctuation(s, token, '}'))
				return false;	/* it may define anything */
			i++;
		}
	}
	return true;
}

/* ---- options ----------------------------------------------------------------------------------------- */

/* An option that cannot change what names mean. */
static bool is_harmless(const char *option, size_t length)
{
	static const char *const exact[] = {"-w", "-Werror", "-g", "-O", "-O0", "-O1", "-O2", "-O3"};

	for (size_t i = 0; i < sizeof(exact) / sizeof(exact[0]); i++)
		if (strlen(exact[i]) == length && !memcmp(exact[i], option, length))
			return true;
	if (length >= 11 && !memcmp(option, "-cl-std=CLC", 11))
		return false;	/* C++ for OpenCL: another language */
	/* -I: what is included is refused where that is written. */
	return (length > 4 && !memcmp(option, "-cl-", 4)) || (length > 2 && !memcmp(option, "-I", 2));
}

/* -D options become directives in front of the text, from which lines are not counted here. NULL: there are others. Allocated. */
static char *with_options(const char *source, size_t source_bytes, const char *options, size_t *ret_bytes)
{
	size_t options_bytes = strlen(options), used = 0;
	char *text = malloc(source_bytes + 16 * options_bytes + 16);

	if (!text || strpbrk(options, "\"'\\#\n\r"))
		goto refuse;
	for (const char *at = options + strspn(options, " \t"); *at; at += strspn(at, " \t")) {
		size_t length = strcspn(at, " \t");
		if (length >= 2 && !memcmp(at, "-D", 2)) {
			at += 2;
			at += strspn(at, " \t");
			length = strcspn(at, " \t");
			const char *equals = memchr(at, '=', length);
			size_t name = equals ? (size_t)(equals - at) : length;
			used += (size_t)sprintf(text + used, "#define %.*s %.*s\n", (int)name, at, equals ? (int)(length - name - 1) : 1,
						equals ? equals + 1 : "1");
		} else if (length == 2 && !memcmp(at, "-I", 2)) {
			at += 2;
			at += strspn(at, " \t");
			length = strcspn(at, " \t");
		} else if (!is_harmless(at, length)) {
			goto refuse;
		}
		at += length;
	}
	memcpy(text + used, source, source_bytes);
	*ret_bytes = used + source_bytes;
	return text;

refuse:
	free(text);
	return NULL;
}

/* ---- life --------------------------------------------------------------------------------------------- */

struct splittable *splittable_read(const char *source, size_t source_bytes, const char *options)
{
	size_t bytes = 0;
	struct splittable *s = NULL;
	char *text = NULL;

	if (source_bytes > SOURCE_TOKENS_BYTES_MAX || (options && strlen(options) > SOURCE_TOKENS_BYTES_MAX / 16))
		return NULL;
	text = with_options(source, source_bytes, options ? options : "", &bytes);
	s = calloc(1, sizeof(*s));
	if (!text || !s)
		goto refuse;
	memset(s->buckets, 0xff, sizeof(s->buckets));
	if (source_tokens_read(text, bytes, &s->text))
		goto refuse;
	s->code = calloc(s->text.count + 1, sizeof(*s->code));
	if (!s->code || !read_directives(s) || !read_code(s))
		goto refuse;
	s->pending = calloc(s->definition_count + 1, sizeof(*s->pending));
	if (!s->pending)
		goto refuse;
	free(text);
	return s;

refuse:
	free(text);
	splittable_destroy(s);
	return NULL;
}

void splittable_destroy(struct splittable *s)
{
	if (!s)
		return;
	source_tokens_finish(&s->text);
	free(s->pending);
	free(s->bindings);
	free(s->definitions);
	free(s->code);
	free(s);
}

/* ---- what a kernel reaches ------------------------------------------------------------------------------ */

static void reach(struct splittable *s, uint32_t definition)
{
	if (s->definitions[definition].reached)
		return;
	s->definitions[definition].reached = true;
	s->pending[s->pending_count++] = definition;
}

static bool is_parameter(const struct splittable *s, const struct definition *d, const struct source_token *token)
{
	if (is(s, token, "__VA_ARGS__"))
		return true;
	for (uint32_t i = d->parameters; i < d->parameters_end; i++)
		if (same(s, &d->tokens[i], token))
			return true;
	return false;
}

enum begins {
	BEGINS_NOTHING,		/* it stands for nothing: what follows decides */
	BEGINS_CALL,		/* with a ( */
	BEGINS_OTHER,
};

/* What [at, to) begins with, when macros are seen through. */
static enum begins begins_with(struct splittable *s, const struct source_token *tokens, uint32_t at, uint32_t to, unsigned depth)
{
	for (; at < to; at++) {
		bool may_be_nothing = false;
		if (is_punctuation(s, &tokens[at], '('))
			return BEGINS_CALL;
		if (tokens[at].kind != TOKEN_NAME)
			return BEGINS_OTHER;
		for (uint32_t b = first_binding(s, &tokens[at]); b != NONE; b = next_binding(s, b, &tokens[at])) {
			const struct definition *d = &s->definitions[s->bindings[b].definition];
			if (d->kind != MACRO)
				continue;
			if (!depth || !s->patience)
				return BEGINS_CALL;
			s->patience--;
			enum begins begins = begins_with(s, d->tokens, d->from, d->to, depth - 1);
			if (begins == BEGINS_CALL)
				return begins;
			if (begins == BEGINS_NOTHING && d->takes_arguments)
				return BEGINS_CALL;	/* what follows its arguments we do not look for */
			may_be_nothing |= begins == BEGINS_NOTHING;
		}
		if (!may_be_nothing)
			return BEGINS_OTHER;
	}
	return BEGINS_NOTHING;
}

/* The name at `at` is called, or may be. */
static bool is_called(struct splittable *s, const struct definition *d, uint32_t at)
{
	/* A keyword or a type is not; a ( right behind it is looked at, as a pointer to a function may be declared there. */
	if (builtin(s, &d->tokens[at]) & BUILTIN_WORD && (at + 1 == d->to || d->tokens[at + 1].kind == TOKEN_NAME))
		return false;
	return begins_with(s, d->tokens, at + 1, d->to, ALIAS_DEPTH) == BEGINS_CALL;
}

/* A ( may follow this name: all that it can mean is a function known to be blind. */
static bool may_be_called(struct splittable *s, const struct source_token *name, unsigned depth)
{
	bool is_known = builtin(s, name) & BUILTIN_CALL;

	for (uint32_t b = first_binding(s, name); b != NONE; b = next_binding(s, b, name)) {
		const struct definition *d = &s->definitions[s->bindings[b].definition];
		const struct source_token *last = d->to > d->from ? &d->tokens[d->to - 1] : NULL;
		if (d->kind != FUNCTION && d->kind != MACRO)
			continue;
		is_known = true;
		/* The last name of what a macro stands for is what is called. */
		if (d->kind == MACRO && !d->takes_arguments && last && last->kind == TOKEN_NAME &&
		    (!depth || !s->patience || (s->patience--, !may_be_called(s, last, depth - 1))))
			return false;
	}
	return is_known;
}

/* What a macro's call stands for is called itself: we do not know what that is. */
static bool is_call_of_a_call(struct splittable *s, const struct definition *d, uint32_t at)
{
	if (!macro_of(s, &d->tokens[at]))
		return false;
	if (!is_punctuation(s, &d->tokens[at + 1], '('))
		return true;	/* a ( out of a macro: we do not look for its pair */
	uint32_t behind = behind_pair(s, d->tokens, at + 1, d->to);
	return !behind || is_called(s, d, behind - 1);
}

/* Within __attribute__ at `at`: behind it, or 0 if something there may do more than we know. */
static uint32_t behind_attribute(struct splittable *s, const struct definition *d, uint32_t at)
{
	uint32_t end = at + 1 < d->to && is_punctuation(s, &d->tokens[at + 1], '(') ? behind_pair(s, d->tokens, at + 1, d->to) : 0;

	for (uint32_t i = at + 1; i < end; i++) {
		const struct source_token *token = &d->tokens[i];
		if (token->kind != TOKEN_NAME || builtin(s, token) & (BUILTIN_ATTRIBUTE | BUILTIN_WORD) ||
		    (d->kind == MACRO && is_parameter(s, d, token)))
			continue;
		uint32_t b = first_binding(s, token);
		if (b == NONE)
			return 0;
		for (; b != NONE; b = next_binding(s, b, token))
			reach(s, s->bindings[b].definition);
	}
	return end;
}

/* The name at `at` of what a kernel reaches. False: it may see the split. */
static bool look_at(struct splittable *s, const struct definition *d, uint32_t at)
{
	const struct source_token *name = &d->tokens[at];
	bool called = is_called(s, d, at);
	unsigned means = builtin(s, name);
	bool is_defined = false;

	if (d->kind == MACRO && is_parameter(s, d, name))
		return !called;
	for (uint32_t b = first_binding(s, name); b != NONE; b = next_binding(s, b, name)) {
		enum definition_kind kind = s->definitions[s->bindings[b].definition].kind;
		if (kind == VARIABLE)
			return false;
		is_defined |= kind == FUNCTION || kind == MACRO;
		reach(s, s->bindings[b].definition);
	}
	if (means & BUILTIN_NEVER)
		return false;
	if (d->kind == FUNCTION && at > d->body && (is(s, name, "static") || is(s, name, "extern")))
		return false;
	s->loops |= (means & BUILTIN_LOOP) != 0;
	s->shares |= (means & BUILTIN_SHARED) != 0;
	if (!called || (d->kind == FUNCTION && at < d->body && is_defined))
		return true;
	return may_be_called(s, name, ALIAS_DEPTH) && !is_call_of_a_call(s, d, at);
}

static bool look_into(struct splittable *s, const struct definition *d)
{
	for (uint32_t i = d->from; i < d->to; i++) {
		if (d->tokens[i].kind != TOKEN_NAME)
			continue;
		if (is_attribute(s, &d->tokens[i])) {
			i = behind_attribute(s, d, i);
			if (!i--)
				return false;
		} else if (!look_at(s, d, i)) {
			return false;
		}
	}
	return true;
}

bool splittable_kernel(struct splittable *s, const char *name)
{
	size_t length = strlen(name);
	bool is_function = false;

	if (!s)
		return false;
	s->loops = s->shares = false;
	s->patience = PATIENCE;
	s->pending_count = 0;
	for (uint32_t i = 0; i < s->definition_count; i++)
		s->definitions[i].reached = false;
	for (uint32_t b = binding_from(s, s->buckets[bucket_of(name, length)], name, length); b != NONE;
	     b = binding_from(s, s->bindings[b].next, name, length)) {
		is_function |= s->definitions[s->bindings[b].definition].kind == FUNCTION;
		reach(s, s->bindings[b].definition);
	}
	if (!is_function)
		return false;
	while (s->pending_count)
		if (!look_into(s, &s->definitions[s->pending[--s->pending_count]]))
			return false;
	return !(s->loops && s->shares);
}
