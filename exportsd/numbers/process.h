/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * process.h - the process that writes one copy of the number store (WORKER_STORE).
 *
 * A copy is an SQLite file (file.h) with every row (row.h). Any one suffices. Rows are added, and
 * said more of, never deleted; a commit is synced before it is answered.
 */

/*
 * store_main - answer questions until the socket closes.
 *
 * 	open   have the file open, checked as a whole. make=1: made if missing, to be filled. anew=1
 * (the first of
 *	       those that wait): what is there is put aside, too
 * 	rows   row=NUMBER SEQUENCE RETIRED CREATED, path=P, maybe identity=I, again and again: join
 * these. more=1: what
 * 	       belongs to it follows at once, sync all together. complete=1: with these it has all
 * rows
 *	check  read every row, and compare
 *
 * A question is done as a whole or not at all. "ok" means synced; n= and sum= are the totals.
 * -EEXIST: a row contradicts one that is there (message= tells both).
 */
int store_main(int fd, const char *file);
