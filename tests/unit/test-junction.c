/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* test-junction.c - the XML of junctions: nfsref's, and what is none */

#include <errno.h>
#include <stdio.h>

#include "exportsd/fs/junction.h"
#include "tests/tap.h"

#define LOCATION(host, path)                                                                       \
	"<location><host name=\"" host "\"/><path>" path "</path><currency>-1</currency>"          \
	"<genflags writable=\"false\" going=\"false\" split=\"true\"/><validfor>0</validfor>"      \
	"</location>"
#define JUNCTION(locations)                                                                        \
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<junction>\n"                                 \
	"<savedmode bits=\"1777\"/>\n<fileset>\n" locations "\n</fileset></junction>\n"
#define PART(name) "\n <component>" name "</component>"

static void leads(const char *xml, const char *wanted, const char *what)
{
	CLEANUP(freep) char *locations = NULL;
	int r = junction_parse(xml, strlen(xml), &locations);

	is_int(r, wanted ? 0 : -EBADMSG, what);
	is_str(locations, wanted, "  leads there");
}

static void too_long(void)
{
	CLEANUP(freep) char *xml = NULL;
	size_t size;
	FILE *memory = open_memstream(&xml, &size);

	fputs("<junction><fileset>", memory);
	for (int i = 0; i < JUNCTION_LOCATIONS_MAX / 10; i++)
		fprintf(memory,
			"<location><host name='a-rather-long-host%d'/><path><component>a</component></path></location>",
			i);
	fputs("</fileset></junction>", memory);
	fclose(memory);
	leads(xml, NULL, "more than can be told");
}

int main(void)
{
	leads(JUNCTION(LOCATION("alpha", PART("export") PART("home"))), "/export/home@alpha",
	      "one location");
	leads(JUNCTION(LOCATION("alpha", PART("x")) LOCATION("2001:db8::5", PART("x"))
			       LOCATION("beta", PART("y"))),
	      "/x@alpha+[2001:db8::5]:/y@beta", "hosts of one path are joined");
	leads(JUNCTION(LOCATION("alpha", "")), "/@alpha", "a root");
	leads(JUNCTION(LOCATION("alpha", PART("R&amp;D &#x20;x"))), "/R&D  x@alpha",
	      "characters of XML");
	leads(JUNCTION(""), NULL, "no location");
	leads(JUNCTION("<location><path>" PART("x") "</path></location>"), NULL, "no host");
	leads(JUNCTION("<location><host name='a'/></location>"), NULL, "no path");
	leads(JUNCTION(LOCATION("", PART("x"))), NULL, "an empty host");
	leads(JUNCTION(LOCATION("alpha", PART(""))), NULL, "an empty name");
	leads(JUNCTION(LOCATION("alpha", PART("a/b"))), NULL, "a name with a slash");
	leads(JUNCTION(LOCATION("alpha+beta", PART("x"))), NULL, "a host that would be two");
	leads("<location><host name='a'/><path/></location>", NULL, "not where it should be");
	leads("<junction><fileset>", NULL, "half a document");
	leads("", NULL, "nothing");
	leads("<!DOCTYPE junction [<!ENTITY a \"aaaaaaaa\">]><junction/>", NULL, "a document type");
	leads("<junction><other><fileset>" LOCATION("alpha",
						    PART("x")) "</fileset></other></junction>",
	      NULL, "inside of something else");
	too_long();
	return tap_done();
}
