/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * fuzz-nfsconf.c - any bytes as nfs.conf: what is read has names and a value, is found again, and has its place in
 * the text; what is written anew is read as the same.
 */

#include <stdio.h>
#include <stdlib.h>

#include "exportsd/config/nfsconf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool good)
{
	if (!good)
		abort();
}

static struct nfsconf *read_text(const char *text, size_t size, size_t *ret_n_warnings)
{
	struct diags diags = { 0 };
	struct nfsconf *conf = NULL;

	require(nfsconf_read_text(NULL, text, size, &diags, &conf) == 0);
	require(diags.n_errors == 0);
	*ret_n_warnings = diags.n_warnings;
	diags_done(&diags);
	return conf;
}

/* The value in the text, but for a continued line, where blanks have taken the place of two bytes. */
static bool is_in_place(const struct nfsconf_setting *setting, const char *text, size_t size)
{
	size_t length = strlen(setting->value);

	return memmem(text, size, "\\\n", 2) || memmem(text, size, setting->value, length);
}

static void check_setting(const struct nfsconf *conf, const struct nfsconf_setting *setting,
			  const char *text, size_t size)
{
	const struct nfsconf_setting *found =
		nfsconf_find(conf, setting->section, setting->subsection, setting->tag);

	require(*setting->tag && *setting->value && setting->line && setting->column);
	require(found >= setting);
	require(is_in_place(setting, text, size));
	(void)nfsconf_value(conf, setting);
}

/* Values with both quotes cannot be written. Returns whether this one was. */
static bool write_setting(const struct nfsconf_setting *setting, FILE *to)
{
	char quote = strchr(setting->value, '"') ? '\'' : '"';

	if (strchr(setting->value, '\'') && quote == '\'')
		return false;
	fprintf(to, "[%s%s%s%s]\n%s = %c%s%c\n", setting->section, setting->subsection ? "\"" : "",
		setting->subsection ?: "", setting->subsection ? "\"" : "", setting->tag, quote,
		setting->value, quote);
	return true;
}

static void check_again(const struct nfsconf *conf)
{
	char *text = NULL;
	size_t size, n_warnings, n = 0;
	FILE *to = open_memstream(&text, &size);
	struct nfsconf *again;

	for (size_t i = 0; i < nfsconf_n_settings(conf); i++)
		n += write_setting(nfsconf_setting(conf, i), to);
	fclose(to);
	again = read_text(text, size, &n_warnings);
	require(nfsconf_n_settings(again) == n && n_warnings == 0);
	nfsconf_free(again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n_warnings;
	struct nfsconf *conf = read_text((const char *)data, size, &n_warnings);

	for (size_t i = 0; i < nfsconf_n_settings(conf); i++)
		check_setting(conf, nfsconf_setting(conf, i), (const char *)data, size);
	check_again(conf);
	nfsconf_free(conf);
	return 0;
}
