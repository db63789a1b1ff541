/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * device.h - one block device, in the place of exportsd/fs/device.c and of the processes that read: what happens to it, the
 * test says. Every file system is on it. Included once, by the test.
 */

#include <systemd/sd-event.h>

#include "exportsd/fs/device.h"

static struct {
	struct device_facts facts;
	int error; /* of a try to read; 0: it can be read */
	bool hangs;
	unsigned int n_looks, n_tries, n_cancelled;
} fake_device;

struct worker {
	sd_event *event;
};

struct worker_question {
	struct pending pending;
	sd_event_source *source;
	worker_done_fn done;
	void *userdata;
};

int worker_new(struct worker **ret_worker, sd_event *event, enum worker_kind kind,
	       unsigned int n_processes, const char *argument)
{
	struct worker *worker = calloc(1, sizeof(*worker));

	worker->event = event;
	*ret_worker = worker;
	return 0;
}

struct worker *worker_free(struct worker *worker)
{
	free(worker);
	return NULL;
}

static void cancel_question(struct pending *pending)
{
	struct worker_question *question = (struct worker_question *)pending;

	fake_device.n_cancelled++;
	sd_event_source_disable_unref(question->source);
	free(question);
}

struct device_facts device_look(int sysfs, dev_t device)
{
	fake_device.n_looks++;
	return fake_device.facts;
}

static int fake_device_tried(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct worker_question *question = userdata;

	question->done(question->userdata, fake_device.hangs ? -ETIMEDOUT : 0, NULL);
	sd_event_source_disable_unref(question->source);
	free(question);
	return 0;
}

int device_ask(struct worker *worker, dev_t device, uint64_t timeout_usec, worker_done_fn done,
	       void *userdata, struct pending **ret_question)
{
	struct worker_question *question = calloc(1, sizeof(*question));

	fake_device.n_tries++;
	fake_device.facts.signs++; /* it reads */
	question->pending.cancel = cancel_question;
	question->done = done;
	question->userdata = userdata;
	*ret_question = &question->pending;
	return sd_event_add_time_relative(worker->event, &question->source, CLOCK_MONOTONIC, 50000,
					  1000, fake_device_tried, question);
}

int device_answer(int error, const struct proto_message *answer)
{
	return error ? -EAGAIN : fake_device.error;
}
