/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Clients named by address are matched at once; if the exports name any by netgroup or by a
 * wildcard of host names, the name service is asked first, for this address and all netgroups. Who
 * is in a hurry waits a moment for it. Then an address that is listed itself, or in a subnet,
 * counts as that: where one of these has an export, names change nothing (they come behind in
 * precedence).
 */

#include "exportsd/names/clients.h"

#include <errno.h>
#include <stdio.h>

#include "exportsd/base/address.h"
#include "parser/text.h"

struct clients_question {
	struct pending pending;
	struct names *names;
	const struct snapshot *snapshot;
	struct address address;
	clients_domain_fn done;
	void *userdata;
	struct pending *names_question;
	struct later moment;
};

/* Name services that are near and well answer in less. */
enum { MOMENT_USEC = 250 * 1000 };

static void cancel_clients(struct pending *pending)
{
	struct clients_question *question = (struct clients_question *)pending;

	pending_cancel(&question->names_question);
	later_cancel(&question->moment);
	free(question);
}

static void finish(struct clients_question *question, const struct snapshot_address_names *names,
		   bool complete)
{
	CLEANUP(freep) char *domain = NULL;
	clients_domain_fn done = question->done;
	void *userdata = question->userdata;

	if (snapshot_domain(question->snapshot, &question->address, names, &domain) < 0)
		complete = false;
	cancel_clients(&question->pending);
	done(userdata, domain, complete);
}

static void on_names(void *userdata, int error, const struct snapshot_address_names *names)
{
	struct clients_question *question = userdata;

	question->names_question = NULL;
	finish(question, names, error == 0); /* on an error they hold what is certain */
}

/* Is it named by an address or a subnet, so that there is something to go on with? */
static bool is_listed(const struct clients_question *question)
{
	CLEANUP(freep) char *domain = NULL;
	struct snapshot_client_set *clients;
	bool listed;

	if (snapshot_domain(question->snapshot, &question->address, NULL, &domain) < 0 || !domain)
		return false;
	clients = client_set_new(question->snapshot, domain);
	listed = clients && client_set_is_by_address(clients, question->snapshot);
	client_set_free(clients);
	return listed;
}

static void on_moment(void *userdata)
{
	struct clients_question *question = userdata;

	if (is_listed(question))
		finish(question, NULL, false);
}

static int ask_names(struct clients_question *question, sd_event *event, bool patient)
{
	const struct snapshot *snapshot = question->snapshot;
	size_t n = snapshot_n_netgroups(snapshot);
	CLEANUP(freep) const char **netgroups = calloc(n ? n : 1, sizeof(*netgroups));

	if (!netgroups)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		netgroups[i] = snapshot_netgroup(snapshot, i);
	if (!patient) {
		int r = later_call_in(&question->moment, event, MOMENT_USEC, on_moment, question);

		if (r < 0)
			return r;
	}
	return names_of_address(question->names, &question->address, netgroups, n, on_names,
				question, &question->names_question);
}

int clients_domain(struct names *names, sd_event *event, const struct snapshot *snapshot,
		   const struct address *address, bool patient, clients_domain_fn done,
		   void *userdata, char **ret_domain, struct pending **ret_question)
{
	struct clients_question *question;
	char *domain = NULL;
	int r;

	if (!snapshot_needs_names(snapshot)) {
		r = snapshot_domain(snapshot, address, NULL, &domain);
		if (r < 0)
			return r;
		*ret_domain = domain;
		return CLIENTS_NOW;
	}
	question = calloc(1, sizeof(*question));
	if (!question)
		return -ENOMEM;
	question->pending.cancel = cancel_clients;
	question->names = names;
	question->snapshot = snapshot;
	question->address = *address;
	question->done = done;
	question->userdata = userdata;
	r = ask_names(question, event, patient);
	if (r < 0) {
		cancel_clients(&question->pending);
		return r;
	}
	*ret_question = &question->pending;
	return 0;
}

char *clients_kernel_domain(const struct snapshot *snapshot, bool by_address,
			    const struct address *address, const char *domain)
{
	char text[ADDRESS_TEXT_MAX];

	if (!by_address && !snapshot_names_by_address(snapshot) &&
	    strlen(domain) <= CLIENTS_DOMAIN_MAX)
		return strdup(domain);
	address_format(address, text, sizeof(text));
	return text_format("$%s", text);
}

bool clients_is_by_address(const char *kernel_domain, struct address *ret_address)
{
	*ret_address = (struct address){ 0 };
	if (kernel_domain[0] != '$')
		return false;
	if (!address_parse(kernel_domain + 1, ret_address))
		*ret_address = (struct address){ 0 };
	return true;
}
