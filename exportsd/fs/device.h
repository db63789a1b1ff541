/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * device.h - is the block device that a file system is on still there, and can it be read?
 *
 * device_look() reads sysfs: a few system calls, none of which waits for the device. It sees a
 * device that is gone or that its driver has given up, and whether anything has happened since that
 * may have been an error. device_ask() has a process of its own read from the device, which may
 * take as long as the device likes.
 *
 * Nothing is known of file systems that have no device of their own: network file systems, tmpfs,
 * and those that number their devices themselves, such as btrfs.
 */

#include <errno.h>
#include <sys/types.h>

#include "exportsd/base/later.h"
#include "exportsd/worker/worker.h"
#include "parser/base.h"

enum device_state {
	DEVICE_NONE, /* the file system has none; or it cannot be known here */
	DEVICE_THERE,
	DEVICE_GONE, /* taken away: whatever comes back is another device, also under the same number */
	DEVICE_OFFLINE, /* given up by its driver, as all of those are that it lies on */
};

struct device_facts {
	enum device_state state;
	bool has_signs;
	/*
	 * Changes whenever a read or write may have failed: how many did, where that is counted
	 * (SCSI, thus USB and SATA disks and drives); else how many there were. Without has_signs
	 * anything may have happened.
	 */
	uint64_t signs;
	char name[32]; /* "sdb"; "" if it is not there */
};

/*
 * device_look - look at a device. @sysfs: a descriptor on /sys, or on what a test has for it; -1:
 * DEVICE_NONE
 */
struct device_facts device_look(int sysfs, dev_t device);

/*
 * device_ask - try to read from a device.
 *
 * @worker: a pool of WORKER_DEVICES
 * @done:   as worker_ask() calls it; what it got goes to device_answer()
 */
int device_ask(struct worker *worker, dev_t device, uint64_t timeout_usec, worker_done_fn done,
	       void *userdata, struct pending **ret_question);

/*
 * device_answer - what came of it: 0, it can be read; -EAGAIN, that is not known; -ENODEV: it is
 * gone, or what it lies on is, for good; or another -errno: nowhere can it be read, and this is
 * why.
 */
int device_answer(int error, const struct proto_message *answer);

/* ---- the processes' side ---- */

/* Answer one question (WORKER_DEVICES). */
void device_serve(const struct proto_message *question, struct proto_writer *answer);

/*
 * device_read - read a little at the beginning, in the middle and at the end, past every cache if
 * that can be had.
 *
 * Returns 0 if any of it can be read: a scratch is not the end of a disc; -errno if nothing can.
 */
int device_read(int fd, uint64_t size);
