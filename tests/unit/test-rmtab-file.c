/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-rmtab-file.c - the list of mounts with its file, which real processes read and write.
 */

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>

#include "exportsd/base/log.h"
#include "exportsd/mountd/rmtab.h"
#include "exportsd/mountd/rmtab_file.h"
#include "tests/tap.h"
#include "tests/unit/loop.h"

static char directory[] = "/tmp/test-rmtab-file-XXXXXX";
static sd_event *event;
static struct rmtab_file *file;
static unsigned int n_read, n_logged;
static char logged[512];

void log_message(int level, const struct log_about *about, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(logged, sizeof(logged), format, ap);
	va_end(ap);
	n_logged++;
}

static void on_read(void *userdata)
{
	n_read++;
}

static char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static void begin(void)
{
	n_read = n_logged = 0;
	is_int(rmtab_file_new(&file, event, directory, on_read, NULL), 0, "a list with a file");
}

static void start(void)
{
	begin();
	ok(loop_until(event, &n_read, 1, 10000), "is read");
}

static void put_file(const char *content)
{
	FILE *to = fopen(path_of("rmtab"), "a");

	fputs(content, to);
	fclose(to);
}

static const char *content(void)
{
	static char text[4096];
	FILE *from = fopen(path_of("rmtab"), "r");
	size_t n = from ? fread(text, 1, sizeof(text) - 1, from) : 0;

	text[n] = '\0';
	if (from)
		fclose(from);
	return text;
}

static bool becomes(const char *wanted)
{
	for (int i = 0; i < 100 && !str_equal(content(), wanted); i++)
		loop_for(event, 100);
	return str_equal(content(), wanted);
}

static int print(void *userdata, const char *client, const char *path)
{
	char *text = userdata;

	(void)snprintf(text + strlen(text), 4096 - strlen(text), "%s %s;", client, path);
	return 0;
}

static const char *all(void)
{
	static char text[4096];

	text[0] = '\0';
	(void)rmtab_each(rmtab_file_list(file), print, text);
	return text;
}

static void test_write(void)
{
	begin();
	ok(!rmtab_file_is_read(file), "is not read at once");
	is_int((long long)n_read, 0, "nor said to be");
	ok(loop_until(event, &n_read, 1, 10000), "but soon");
	ok(rmtab_file_is_read(file), "then it is");
	is_int((long long)n_logged, 0, "that there is no file is no fault");
	rmtab_file_add(file, "192.0.2.1", "/a");
	rmtab_file_add(file, "2001:db8::1", "/b");
	ok(!rmtab_file_remove(file, "192.0.2.1", "/b"), "what is not there is not removed");
	is_str(content(), "", "a change is not written at once");
	ok(becomes("192.0.2.1:/a:0x00000001\n2001;db8;;1:/b:0x00000001\n"), "but in a while");
	/* As ocf:heartbeat:nfsserver does when a server takes over. */
	put_file("192.0.2.9:/theirs:0x00000001\n");
	rmtab_file_remove_client(file, "192.0.2.1");
	rmtab_file_add(file, "192.0.2.2", "/c");
	file = rmtab_file_free(file);
	is_str(content(),
	       "192.0.2.1:/a:0x00000001\n192.0.2.9:/theirs:0x00000001\n"
	       "2001;db8;;1:/b:0x00000001\n192.0.2.2:/c:0x00000001\n",
	       "at the end what is not written is, with what others added meanwhile");
	start();
	is_str(all(), "192.0.2.2 /c;2001:db8::1 /b;192.0.2.9 /theirs;192.0.2.1 /a;",
	       "and is known again");
	file = rmtab_file_free(file);
	ok(rmtab_file_free(NULL) == NULL, "freeing nothing is fine");
}

static void test_meanwhile(void)
{
	begin();
	rmtab_file_add(file, "192.0.2.3", "/d");
	ok(loop_until(event, &n_read, 1, 10000), "is read");
	is_str(all(), "192.0.2.3 /d;192.0.2.2 /c;2001:db8::1 /b;192.0.2.9 /theirs;192.0.2.1 /a;",
	       "what is added meanwhile is the newest");
	file = rmtab_file_free(file);
	begin();
	rmtab_file_add(file, "192.0.2.4", "/e");
	file = rmtab_file_free(file);
	start();
	is_str(all(),
	       "192.0.2.4 /e;192.0.2.3 /d;192.0.2.2 /c;2001:db8::1 /b;192.0.2.9 /theirs;192.0.2.1 /a;",
	       "an end while it is being read loses nothing");
	file = rmtab_file_free(file);
}

static void test_trouble(void)
{
	(void)unlink(path_of("rmtab"));
	(void)mkdir(path_of("rmtab"), 0700);
	start();
	is_int((long long)n_logged, 1, "what cannot be read is logged");
	rmtab_file_add(file, "192.0.2.1", "/a");
	ok(loop_until(event, &n_logged, 2, 10000), "and so what cannot be written");
	ok(strstr(logged, "showmount -a may forget who mounted what"), "with what it means");
	(void)rmdir(path_of("rmtab"));
	ok(becomes("192.0.2.1:/a:0x00000001\n"), "it is tried again");
	is_int((long long)n_logged, 2, "without another word");
	file = rmtab_file_free(file);
}

/* The process stops, as one does that waits for a dead disk. */
static void test_hang(void)
{
	uint64_t began;

	setenv("RMTAB_STOPS", "1", 1);
	begin();
	rmtab_file_add(file, "192.0.2.8", "/lost");
	loop_for(event, 200);
	is_int((long long)n_read, 0, "a file that cannot be reached is waited for by nobody");
	ok(loop_until(event, &n_read, 1, 60000), "and who waits to remove, not for ever");
	ok(strstr(logged, "cannot read"), "which is logged");
	began = loop_now_msec();
	file = rmtab_file_free(file);
	ok(loop_now_msec() - began < RMTAB_FAREWELL_SECONDS * 1000 + 1000,
	   "and does not hold up the end for long");
	unsetenv("RMTAB_STOPS");
	is_str(content(), "192.0.2.1:/a:0x00000001\n", "the old file stays");
}

int main(int argc, char **argv)
{
	sigset_t signals;

	if (argc > 4 && str_equal(argv[1], "--worker")) {
		if (getenv("RMTAB_STOPS"))
			(void)raise(SIGSTOP);
		return rmtab_file_serve(atoi(argv[3]), argv[4]) < 0;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	if (!mkdtemp(directory) || sd_event_new(&event) < 0)
		return 1;
	test_write();
	test_meanwhile();
	test_trouble();
	test_hang();
	sd_event_unref(event);
	(void)unlink(path_of("rmtab"));
	ok(rmdir(directory) == 0, "nothing is left behind");
	return tap_done();
}
