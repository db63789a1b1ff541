/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * background.c - a thread for each piece of work; an eventfd says when it is over.
 */

#include "exportsd/base/background.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "parser/base.h"

struct background {
	struct pending pending;
	pthread_t thread;
	int over; /* eventfd */
	sd_event_source *source;
	background_fn work, done;
	void *userdata;
};

static void *run(void *userdata)
{
	struct background *background = userdata;

	background->work(background->userdata);
	(void)eventfd_write(background->over, 1);
	return NULL;
}

static void abandon(struct pending *pending)
{
	struct background *background = (struct background *)pending;

	(void)pthread_join(background->thread, NULL);
	sd_event_source_disable_unref(background->source);
	closep(&background->over);
	free(background);
}

static int on_over(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct background *background = userdata;
	background_fn done = background->done;
	void *whose = background->userdata;

	abandon(&background->pending);
	done(whose);
	return 0;
}

/* The loop's signals are the loop's: none may be delivered to the thread. */
static int start_thread(struct background *background)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&background->thread, NULL, run, background);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

int background_start(struct pending **ret_pending, sd_event *event, background_fn work,
		     background_fn done, void *userdata)
{
	struct background *background = calloc(1, sizeof(*background));
	int r;

	if (!background)
		return -ENOMEM;
	background->pending.cancel = abandon;
	background->work = work;
	background->done = done;
	background->userdata = userdata;
	background->over = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = background->over < 0 ? -errno
				 : sd_event_add_io(event, &background->source, background->over,
						   EPOLLIN, on_over, background);
	if (r >= 0)
		r = start_thread(background);
	if (r < 0) {
		sd_event_source_disable_unref(background->source);
		closep(&background->over);
		free(background);
		return r;
	}
	*ret_pending = &background->pending;
	return 0;
}
