/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * print.c - the table, seen from outside: the configuration in force as a file that
 * config_load() reads, and what --help and exportsd.conf(5) say of the keys.
 */

#include <stdio.h>

#include "exportsd/config/private.h"

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
static void print_value(const struct config_key *key, const void *values, FILE *to)
{
	const void *field = (const char *)values + key->offset;

	switch (key->kind) {
	case KIND_BOOLEAN: fputs(*(const bool *)field ? "true" : "false", to); break;
	case KIND_NUMBER: fprintf(to, "%u", *(const uint32_t *)field); break;
	case KIND_PORT: fprintf(to, "%u", *(const uint16_t *)field); break;
	case KIND_PATH:
	case KIND_OPTIONAL_PATH:
	case KIND_SOCKET:
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

void config_print_origins(const struct config *config, FILE *to)
{
	for (size_t i = 0; i < config_keys.n_items; i++) {
		if (!config->origins || !config->origins[i])
			continue;
		fprintf(to, "%s = ", config_keys.items[i].name);
		print_value(&config_keys.items[i], config, to);
		fprintf(to, " # %s\n", config->origins[i]);
	}
}

/* ---- help and manual ---- */

const char *config_key_name(size_t index)
{
	return index < config_keys.n_items ? config_keys.items[index].name : NULL;
}

/* What stands for a value. */
static const char *placeholder_of(const struct config_key *key)
{
	switch (key->kind) {
	case KIND_BOOLEAN: return "BOOLEAN";
	case KIND_NUMBER: return "SECONDS";
	case KIND_PORT: return "PORT";
	case KIND_PATH:
	case KIND_OPTIONAL_PATH:
	case KIND_SOCKET: return "PATH";
	case KIND_PATHS: return "PATH,...";
	case KIND_USER: return "USER";
	case KIND_AFTER_DEADLINE:
	case KIND_IDENTITY: return "WORD";
	}
	return "";
}

void config_print_help(FILE *to)
{
	for (size_t i = 0; i < config_keys.n_items; i++) {
		const struct config_key *key = &config_keys.items[i];

		fprintf(to, "      --%s=%s\n", key->name, placeholder_of(key));
		for (const char *line = key->help; *line;) {
			int length = (int)strcspn(line, "\n");

			fprintf(to, "          %.*s\n", length, line);
			line += length + (line[length] == '\n');
		}
	}
}

/* What a value must be, before what it means. */
static void print_kind(const struct config_key *key, FILE *to)
{
	switch (key->kind) {
	case KIND_BOOLEAN: fputs("Truth value:\n", to); break;
	case KIND_NUMBER: fprintf(to, "Seconds, %u to %u:\n", key->min, key->max); break;
	case KIND_PORT: fprintf(to, "Port number, %u to %u:\n", key->min, key->max); break;
	case KIND_PATH:
		if (key->max)
			fprintf(to, "Absolute path, at most %u bytes:\n", key->max);
		else
			fputs("Absolute path:\n", to);
		break;
	case KIND_OPTIONAL_PATH: fputs("Absolute path, or empty:\n", to); break;
	case KIND_SOCKET: fputs("Absolute path, or one behind @, or empty:\n", to); break;
	case KIND_PATHS: fputs("List of absolute paths:\n", to); break;
	case KIND_USER: fputs("Name of a user:\n", to); break;
	case KIND_AFTER_DEADLINE:
	case KIND_IDENTITY: break;
	}
}

/* A line of the file, as mdoc(7) shows it. */
static void print_literal(const char *text, FILE *to)
{
	fputs(".Li ", to);
	for (; *text; text++)
		if (*text == '"')
			fputs("\\(dq", to);
		else if (*text == '\\')
			fputs("\\e", to);
		else
			fputc(*text, to);
	fputc('\n', to);
}

static void print_nfs_conf(const struct config_key *key, FILE *to)
{
	if (!key->nfs_conf[0])
		return;
	fputs(".br\nIn\n.Xr nfs.conf 5 :\n", to);
	for (size_t i = 0; i < N_ELEMENTS(key->nfs_conf) && key->nfs_conf[i]; i++) {
		const char *name = key->nfs_conf[i];
		int length = (int)strcspn(name, " ");

		fprintf(to, "%s.Li [%.*s] %s\n", i ? "or\n" : "", length, name, name + length + 1);
	}
}

void config_print_manual(FILE *to)
{
	for (size_t i = 0; i < config_keys.n_items; i++) {
		const struct config_key *key = &config_keys.items[i];
		bool is_quoted = key->kind == KIND_PATH || key->kind == KIND_OPTIONAL_PATH ||
				 key->kind == KIND_SOCKET || key->kind == KIND_USER;
		char fallback[256];

		fprintf(to, ".It Cm %s\n", key->name);
		print_kind(key, to);
		fprintf(to, "%s\n.br\nDefault:\n", key->manual);
		snprintf(fallback, sizeof(fallback), is_quoted ? "\"%s\"" : "%s", key->fallback);
		print_literal(fallback, to);
		print_nfs_conf(key, to);
		fputs(".br\nExample:\n", to);
		print_literal(key->example, to);
	}
}
