/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * access.h - the way of whoever wants to be let at an export (nfsd.export, nfsd.fh, MOUNT):
 *
 *	access_ask_address(), access_ask_domain()   who is that?
 *	    who()      ── access_find(), or what else its user knows of it ──►  which export?
 *	access_look()                               is its mountpoint there, and the path?
 *	    seen()
 *
 * A struct access lies in its user's own. It waits for one thing at a time: access->pending, which
 * is also for what its user asks between the steps (a medium, a number, a real path). Pointers into
 * the snapshot stay in it: when other exports come into force, access_stop() and begin anew.
 */

#include "exportsd/base/later.h"
#include "exportsd/base/parts.h"
#include "exportsd/fs/paths.h"
#include "exportsd/names/clients.h"
#include "parser/snapshot/snapshot.h"

struct access;

enum access_seen {
	ACCESS_SEEN, /* it is there */
	ACCESS_GONE, /* nothing is there: error is -ENOENT, -ENOTDIR, ... (paths_is_gone()) */
	ACCESS_NOT_MOUNTED, /* option mountpoint, and nothing is mounted there */
	ACCESS_UNSEEN, /* nobody could look, now: error is -ETIMEDOUT, -EIO, -ENOMEM, ... */
};

struct access_steps {
	/*
	 * It is known who asks: access->domain, is_complete. May be called from within what was
	 * asked. @error: 0; -ENOMEM, -EAGAIN: it could not be asked.
	 */
	void (*who)(void *userdata, int error);
	/* @facts: of SEEN, if there was a path to look at, valid during the call; else NULL. */
	void (*seen)(void *userdata, enum access_seen seen, int error,
		     const struct paths_facts *facts);
};

struct access {
	const struct daemon *daemon;
	const struct access_steps *steps;
	void *userdata;
	struct pending *pending;

	/* Who. */
	struct address address; /* that was asked about; family 0: none was */
	char *composed; /* its domain */
	const char
		*domain; /* the names of all clients that it is, joined; NULL: no client is known */
	bool is_complete; /* else the name service was silent about it: more clients may match it */
	bool is_patient; /* the name service was given its time */

	/* Which: what access_find() found, or its user. */
	enum snapshot_found found;
	struct snapshot_match match;

	char *path; /* to be looked at when the mountpoint was */
};

/* access_init - everything borrowed. Nothing is asked yet. */
void access_init(struct access *access, const struct daemon *daemon,
		 const struct access_steps *steps, void *userdata);
/* access_stop - nothing will be called; what is known is forgotten. Then it may be asked anew. */
void access_stop(struct access *access);

/*
 * access_ask_address - whose address is it? @patient: as of clients_domain().
 *
 * access_ask_domain - the same of what the kernel calls a domain (clients_kernel_domain()): that is
 * known at once, but for "$ADDRESS". Returns 0; -EINVAL: it is nobody's, and who() is not called.
 */
void access_ask_address(struct access *access, const struct address *address, bool patient);
int access_ask_domain(struct access *access, const char *domain);

/*
 * access_asks_on - if not all clients are known and the name service was not given its time yet, it
 * is now: returns true, and who() will be called again.
 */
bool access_asks_on(struct access *access);

/* access_clients - as a set (snapshot_client_set()); NULL when memory is out. */
const struct snapshot_client_set *access_clients(const struct access *access);

/*
 * access_find - which export answers: access->found, match.
 *
 * @find: snapshot_find() or snapshot_find_mount()
 *
 * Returns 0; ACCESS_ASKS_ON: that depends on names, of which more are waited for now
 * (access_asks_on()); -ENOMEM.
 */
enum { ACCESS_ASKS_ON = 1 };
typedef enum snapshot_found (*access_find_fn)(const struct snapshot *snapshot,
					      const struct snapshot_client_set *clients,
					      const char *path, struct snapshot_match *ret_match);
int access_find(struct access *access, const char *path, access_find_fn find);

/* access_is_by_address - has the client its export by address or subnet, whatever its names are? */
bool access_is_by_address(const struct access *access);

/*
 * access_look - is what was found there, as far as its option mountpoint says, and then: what lies
 * at a path?
 *
 * Others look, in processes of their own: a dead disk or server holds up nobody else (P6), neither
 * here nor in the kernel, which walks the path while it is told.
 *
 * @path: NULL: the mountpoint is enough (without one seen() is called from within)
 */
void access_look(struct access *access, const char *path);
