/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * bench-mount-events - what mount-events needs beside the daemon:
 *
 *	bench-mount-events mounts DIRECTORY COUNT
 *		binds directories beneath DIRECTORY on themselves, until there are COUNT of them
 *	bench-mount-events events PID DIRECTORY COUNT PAUSE-MS
 *		mounts and unmounts something on DIRECTORY by turns, and prints for each time the microseconds of
 *		processor time that PID's first thread took meanwhile; DIRECTORY "": without doing anything
 *	bench-mount-events handler SOCKET SOURCE COUNT
 *		a handler of COUNT media, m00000 ..., that binds SOURCE where it is asked to mount
 *
 * Whatever fails ends it.
 */

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fake/peer.h"

static unsigned int number(const char *text)
{
	return (unsigned int)strtoul(text, NULL, 10);
}

static void bind_on(const char *source, const char *path)
{
	if (mount(source, path, NULL, MS_BIND, NULL) < 0)
		err(1, "cannot mount on %s", path);
}

static void make_mounts(const char *directory, unsigned int count)
{
	char path[4096];

	for (unsigned int i = 0; i < count; i++) {
		(void)snprintf(path, sizeof(path), "%s/%05u", directory, i);
		if (mkdir(path, 0755) == 0)
			bind_on(path, path);
		else if (errno != EEXIST)
			err(1, "%s", path);
	}
}

/* ---- events ---- */

/* linux Documentation/scheduler/sched-stats.rst: nanoseconds, first of all. */
static unsigned long long cpu_nsec(const char *pid)
{
	char path[64];
	unsigned long long nsec;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%s/task/%s/schedstat", pid, pid);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%llu", &nsec) != 1)
		err(1, "%s", path);
	(void)fclose(file);
	return nsec;
}

static void make_events(const char *pid, const char *directory, unsigned int count,
			unsigned int pause_ms)
{
	for (unsigned int i = 0; i < count; i++) {
		unsigned long long before = cpu_nsec(pid);

		if (*directory && i % 2 == 0)
			bind_on(directory, directory);
		else if (*directory && umount2(directory, 0) < 0)
			err(1, "cannot unmount %s", directory);
		(void)usleep(pause_ms * 1000);
		printf("%llu\n", (cpu_nsec(pid) - before) / 1000);
	}
}

/* ---- handler ---- */

static const char *source;
static unsigned int n_media;

static void hear(struct talk *talk, const struct proto_message *message)
{
	if (str_equal(message->word, "hello")) {
		talk_answer(talk, message, "ok", "requests=64\n");
	} else if (str_equal(message->word, "list")) {
		for (unsigned int i = 0; i < n_media; i++)
			talk_say(talk, "exportsd/1 medium\nid=%s\nkey=m%05u\n\n",
				 proto_get(message, "id"), i);
		talk_answer(talk, message, "ok", "");
	} else if (str_equal(message->word, "lookup")) {
		talk_answer(talk, message, "ok", "");
	} else if (str_equal(message->word, "mount")) {
		bind_on(source, proto_get(message, "path"));
		talk_answer(talk, message, "ok", "");
	} else {
		talk_answer(talk, message, "unsupported", "");
	}
}

static void handle(const char *socket_path)
{
	static struct peer peer;
	sd_event *event;

	if (sd_event_default(&event) < 0 || peer_open(&peer, event, socket_path, hear) < 0)
		errx(1, "cannot listen at %s", socket_path);
	(void)sd_event_loop(event);
}

int main(int argc, char **argv)
{
	if (argc == 4 && str_equal(argv[1], "mounts")) {
		make_mounts(argv[2], number(argv[3]));
	} else if (argc == 6 && str_equal(argv[1], "events")) {
		make_events(argv[2], argv[3], number(argv[4]), number(argv[5]));
	} else if (argc == 5 && str_equal(argv[1], "handler")) {
		source = argv[3];
		n_media = number(argv[4]);
		handle(argv[2]);
	} else {
		errx(2, "usage: bench-mount-events mounts|events|handler ...");
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
