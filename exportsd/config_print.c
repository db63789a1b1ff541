/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * config_print.c - the configuration in force, as a file that config_load() reads.
 */

#include <stdio.h>

#include "exportsd/config_private.h"

/*
 * A string as libconfuse's scanner reads it back. Within single quotes only the quote and the
 * backslash need one before them; within double ones ${NAME} would be looked up.
 */
static void print_string(const char *text, FILE *to)
{
	char quote = strpbrk(text, "\"\\$") ? '\'' : '"';

	fputc(quote, to);
	for (; *text; text++) {
		if (*text == '\\' || *text == quote)
			fputc('\\', to);
		fputc(*text, to);
	}
	fputc(quote, to);
}

static void print_strings(char *const *strings, FILE *to)
{
	fputc('{', to);
	for (size_t i = 0; strings[i]; i++) {
		fputs(i ? ", " : "", to);
		print_string(strings[i], to);
	}
	fputc('}', to);
}

/* @values: what the key's offset counts from */
static void print_value(const struct key *key, const void *values, FILE *to)
{
	const void *field = (const char *)values + key->offset;

	switch (key->kind) {
	case KIND_BOOLEAN: fputs(*(const bool *)field ? "true" : "false", to); break;
	case KIND_NUMBER: fprintf(to, "%u", *(const uint32_t *)field); break;
	case KIND_PORT: fprintf(to, "%u", *(const uint16_t *)field); break;
	case KIND_PATH:
	case KIND_OPTIONAL_PATH:
	case KIND_USER: print_string(*(char *const *)field ?: "", to); break;
	case KIND_PATHS: print_strings(*(char **const *)field, to); break;
	case KIND_AFTER_DEADLINE:
	case KIND_IDENTITY: fputs(config_words(key->kind)[*(const unsigned int *)field], to); break;
	}
}

static void print_comment(const char *lines, FILE *to)
{
	while (*lines) {
		int length = (int)strcspn(lines, "\n");

		fprintf(to, "# %.*s\n", length, lines);
		lines += length + (lines[length] == '\n');
	}
}

static void print_rule(const struct config_section *section, FILE *to)
{
	fputs("\nrule ", to);
	print_string(section->pattern, to);
	fputs(" {\n", to);
	for (size_t i = 0; i < config_rule_keys.n_items; i++) {
		fprintf(to, "\t%s = ", config_rule_keys.items[i].name);
		print_value(&config_rule_keys.items[i], &section->values, to);
		fputc('\n', to);
	}
	fputs("}\n", to);
}

void config_print(const struct config *config, FILE *to)
{
	fputs("# exportsd.conf(5)\n", to);
	for (size_t i = 0; i < config_keys.n_items; i++) {
		fputc('\n', to);
		print_comment(config_keys.items[i].help, to);
		fprintf(to, "%s = ", config_keys.items[i].name);
		print_value(&config_keys.items[i], config, to);
		fputc('\n', to);
	}
	if (config->n_sections == 0)
		fputs("\n# What is otherwise for the media of one rule: rule \"/mnt/cdrom/*\" { idle = 60 }\n",
		      to);
	for (size_t i = 0; i < config->n_sections; i++)
		print_rule(&config->sections[i], to);
}
