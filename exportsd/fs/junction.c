/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Of <junction><fileset><location>s the first host's name and the components of the first path are
 * taken; what else is in them tells clients nothing that nfsd could pass on. Hosts of one path are
 * joined.
 */

#include "exportsd/fs/junction.h"

#include <errno.h>
#include <expat.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>

/* Where in the document: each names what is above it. */
enum level { AT_TOP, IN_JUNCTION, IN_FILESET, IN_LOCATION, IN_PATH, IN_COMPONENT };

static const char *const names[] = {
	[IN_JUNCTION] = "junction", [IN_FILESET] = "fileset",	  [IN_LOCATION] = "location",
	[IN_PATH] = "path",	    [IN_COMPONENT] = "component",
};

enum { TEXT_MAX = 4096 };

struct reading {
	XML_Parser parser;
	enum level level;
	unsigned int n_ignored; /* elements that are open and none of these */
	bool failed;
	/* Of the location. */
	char host[TEXT_MAX], path[TEXT_MAX];
	bool had_path;
	/* Of all. */
	char last_path[TEXT_MAX];
	char locations[JUNCTION_LOCATIONS_MAX];
};

static void append(struct reading *reading, char *text, size_t size, const char *more,
		   size_t n_more)
{
	size_t length = strlen(text);

	if (length + n_more + 1 > size) {
		reading->failed = true;
		return;
	}
	memcpy(text + length, more, n_more);
	text[length + n_more] = '\0';
}

static void take_host(struct reading *reading, const char **attributes)
{
	for (; attributes[0]; attributes += 2) {
		/* The list's own separators: an IPv6 address is written in brackets. */
		bool brackets = strchr(attributes[1], ':') && attributes[1][0] != '[';

		if (!str_equal(attributes[0], "name") || reading->host[0])
			continue;
		if (!attributes[1][0] || strpbrk(attributes[1], "+@"))
			reading->failed = true;
		if (snprintf(reading->host, sizeof(reading->host), brackets ? "[%s]" : "%s",
			     attributes[1]) >= (int)sizeof(reading->host))
			reading->failed = true;
	}
}

static void XMLCALL on_start(void *userdata, const char *name, const char **attributes)
{
	struct reading *reading = userdata;

	if (reading->n_ignored || reading->level == IN_COMPONENT ||
	    !str_equal(name, names[reading->level + 1])) {
		if (!reading->n_ignored && reading->level == IN_LOCATION && str_equal(name, "host"))
			take_host(reading, attributes);
		reading->n_ignored++;
		return;
	}
	if (reading->level + 1 == IN_PATH && reading->had_path) {
		reading->n_ignored++;
		return;
	}
	reading->level++;
	if (reading->level == IN_LOCATION) {
		reading->host[0] = reading->path[0] = '\0';
		reading->had_path = false;
	} else if (reading->level == IN_PATH) {
		reading->had_path = true;
	} else if (reading->level == IN_COMPONENT) {
		append(reading, reading->path, sizeof(reading->path), "/", 1);
	}
}

static void end_location(struct reading *reading)
{
	const char *path = reading->path[0] ? reading->path : "/";
	char *to = reading->locations;
	const size_t size = sizeof(reading->locations);

	if (!reading->host[0] || !reading->had_path || strpbrk(path, "@:")) {
		reading->failed = true;
		return;
	}
	if (*to && str_equal(path, reading->last_path)) {
		append(reading, to, size, "+", 1);
	} else {
		if (*to)
			append(reading, to, size, ":", 1);
		append(reading, to, size, path, strlen(path));
		append(reading, to, size, "@", 1);
		strcpy(reading->last_path, path);
	}
	append(reading, to, size, reading->host, strlen(reading->host));
}

static void XMLCALL on_end(void *userdata, const char *name)
{
	struct reading *reading = userdata;

	if (reading->n_ignored) {
		reading->n_ignored--;
		return;
	}
	if (reading->level == IN_LOCATION)
		end_location(reading);
	else if (reading->level == IN_COMPONENT && reading->path[strlen(reading->path) - 1] == '/')
		reading->failed = true; /* an empty name */
	reading->level--;
}

static void XMLCALL on_text(void *userdata, const char *text, int length)
{
	struct reading *reading = userdata;

	if (reading->level != IN_COMPONENT || reading->n_ignored)
		return;
	if (memchr(text, '/', (size_t)length))
		reading->failed = true;
	append(reading, reading->path, sizeof(reading->path), text, (size_t)length);
}

/* A document type could define entities that grow without end. */
static void XMLCALL on_doctype(void *userdata, const char *name, const char *system_id,
			       const char *public_id, int has_internal)
{
	struct reading *reading = userdata;

	reading->failed = true;
	XML_StopParser(reading->parser, XML_FALSE);
}

int junction_parse(const char *xml, size_t length, char **ret_locations)
{
	struct reading *reading = calloc(1, sizeof(*reading));
	int r = 0;

	if (!reading)
		return -ENOMEM;
	reading->parser = XML_ParserCreate(NULL);
	if (!reading->parser) {
		free(reading);
		return -ENOMEM;
	}
	XML_SetUserData(reading->parser, reading);
	XML_SetElementHandler(reading->parser, on_start, on_end);
	XML_SetCharacterDataHandler(reading->parser, on_text);
	XML_SetStartDoctypeDeclHandler(reading->parser, on_doctype);
	if (XML_Parse(reading->parser, xml, (int)length, 1) != XML_STATUS_OK || reading->failed ||
	    !reading->locations[0])
		r = -EBADMSG;
	XML_ParserFree(reading->parser);
	if (r == 0)
		*ret_locations = strdup(reading->locations);
	if (r == 0 && !*ret_locations)
		r = -ENOMEM;
	free(reading);
	return r;
}

int junction_read(int fd, char **ret_locations)
{
	CLEANUP(freep) char *xml = NULL;
	char path[32];
	struct stat st;
	ssize_t length;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode) || !(st.st_mode & S_ISVTX) || st.st_mode & 0111)
		return JUNCTION_NONE;
	xml = malloc(JUNCTION_XML_MAX);
	if (!xml)
		return -ENOMEM;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = getxattr(path, "trusted.junction.nfs", xml, JUNCTION_XML_MAX);
	if (length < 0)
		return errno == ENODATA || errno == EOPNOTSUPP ? JUNCTION_NONE : -errno;
	return junction_parse(xml, (size_t)length, ret_locations);
}
