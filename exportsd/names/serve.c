/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * serve.c - the name service, asked by a process that may block.
 *
 * glibc looks at resolv.conf(5) and nsswitch.conf(5) anew when they change, so a process need not
 * be replaced when they do.
 */

#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <strings.h>

#include "exportsd/base/address.h"
#include "exportsd/names/names.h"
#include "exportsd/worker/worker.h"

enum {
	GROUPS_MAX = 65536, /* NGROUPS_MAX of the kernel */
	USER_BYTES_MAX = 1024 * 1024, /* of a passwd entry */
	HOST_BYTES_MAX = 1024 * 1024, /* of a hosts entry */
};

/* ---- looking up ---- */

static int eai_errno(int eai)
{
	switch (eai) {
	case 0: return 0;
	case EAI_MEMORY: return -ENOMEM;
	case EAI_SYSTEM: return errno ? -errno : -EIO;
	case EAI_AGAIN: return -EAGAIN;
	default: return -EIO;
	}
}

static bool eai_is_unknown(int eai)
{
	return eai == EAI_NONAME || eai == EAI_NODATA || eai == EAI_ADDRFAMILY;
}

static socklen_t to_sockaddr(const struct address *address, struct sockaddr_storage *ret_socket)
{
	if (address->family == AF_INET) {
		struct sockaddr_in *v4 = (struct sockaddr_in *)ret_socket;

		*v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = address->v4 };
		return sizeof(*v4);
	}
	*(struct sockaddr_in6 *)ret_socket = (struct sockaddr_in6){
		.sin6_family = AF_INET6,
		.sin6_addr = address->v6,
		.sin6_scope_id = address->scope,
	};
	return sizeof(struct sockaddr_in6);
}

/* Does the name lead to the address? Returns 1, 0, or -errno when nobody can say now. */
static int leads_to(const char *name, const struct address *address)
{
	const struct addrinfo hints = { .ai_family = address->family, .ai_socktype = SOCK_STREAM };
	struct addrinfo *list, *each;
	int eai, found = 0;

	eai = getaddrinfo(name, NULL, &hints, &list);
	if (eai)
		return eai_is_unknown(eai) ? 0 : eai_errno(eai);
	for (each = list; each; each = each->ai_next) {
		struct address one;

		if (!address_of_socket(each->ai_addr, &one))
			continue;
		/*
		 * A link-local address's scope is the interface it came by, which no name can tell.
		 */
		one.scope = address->scope;
		found |= address_equal(&one, address);
	}
	freeaddrinfo(list);
	return found;
}

/* ---- the names of an address ---- */

struct found {
	const struct address *address;
	bool trust;
	char *names[NAMES_PER_ADDRESS_MAX];
	size_t n_names;
};

static bool is_numeric(const char *name)
{
	struct address address;

	return address_parse(name, &address);
}

/* Take a name if it is confirmed. Returns whether it was taken, or -errno. */
static int take_name(struct found *found, const char *name)
{
	int r;

	for (size_t i = 0; i < found->n_names; i++)
		if (strcasecmp(found->names[i], name) == 0)
			return 1;
	/* A PTR record may hold anything, also what looks like an address. */
	if (found->n_names == NAMES_PER_ADDRESS_MAX || is_numeric(name))
		return 0;
	r = found->trust ? 1 : leads_to(name, found->address);
	if (r <= 0)
		return r;
	found->names[found->n_names] = strdup(name);
	if (!found->names[found->n_names])
		return -ENOMEM;
	found->n_names++;
	return 1;
}

/*
 * The official name and the aliases of a name: gethostbyname() as in nfs-utils' check_wildcard().
 */
static int take_aliases(struct found *found, const char *name)
{
	struct hostent entry, *host = NULL;
	CLEANUP(freep) char *buffer = NULL;
	int h_error = 0, rc = ERANGE, r;

	for (size_t size = 4096; rc == ERANGE && size <= HOST_BYTES_MAX; size *= 2) {
		char *grown = realloc(buffer, size);

		if (!grown)
			return -ENOMEM;
		buffer = grown;
		rc = gethostbyname2_r(name, found->address->family, &entry, buffer, size, &host,
				      &h_error);
	}
	if (rc || !host)
		return h_error == TRY_AGAIN ? -EAGAIN : 0;
	r = take_name(found, host->h_name);
	for (char **alias = host->h_aliases; r >= 0 && *alias; alias++)
		r = take_name(found, *alias);
	return r < 0 ? r : 0;
}

static int find_names(struct found *found)
{
	struct sockaddr_storage socket;
	socklen_t length = to_sockaddr(found->address, &socket);
	char name[NI_MAXHOST];
	int eai, r;

	eai = getnameinfo((struct sockaddr *)&socket, length, name, sizeof(name), NULL, 0,
			  NI_NAMEREQD);
	if (eai)
		return eai_is_unknown(eai) ? 0 : eai_errno(eai);
	r = take_name(found, name);
	return r > 0 ? take_aliases(found, name) : r;
}

/*
 * nfs-utils check_netgroup(): the names, the address as text, the official name without its domain.
 */
static bool in_netgroup(const struct found *found, const char *netgroup)
{
	char text[NI_MAXHOST];
	struct sockaddr_storage socket;
	socklen_t length = to_sockaddr(found->address, &socket);

	for (size_t i = 0; i < found->n_names; i++)
		if (innetgr(netgroup, found->names[i], NULL, NULL))
			return true;
	if (getnameinfo((struct sockaddr *)&socket, length, text, sizeof(text), NULL, 0,
			NI_NUMERICHOST) == 0 &&
	    innetgr(netgroup, text, NULL, NULL))
		return true;
	if (!found->n_names || !strchr(found->names[0], '.') ||
	    strlen(found->names[0]) >= sizeof(text))
		return false;
	strcpy(text, found->names[0]);
	*strchr(text, '.') = '\0';
	return innetgr(netgroup, text, NULL, NULL);
}

static void serve_address(const struct proto_message *question, const char *text,
			  struct proto_writer *answer)
{
	struct address address;
	struct found found = { .address = &address, .trust = proto_get(question, "trust") };
	int r;

	if (!address_parse(text, &address)) {
		worker_fail(answer, -EINVAL, NULL);
		return;
	}
	/* Asked again because the names took too long: what can be said without them. */
	r = proto_get(question, "listed") ? -ETIMEDOUT : find_names(&found);
	proto_begin(answer, "ok");
	if (r < 0)
		proto_put_u64(answer, "incomplete", (uint64_t)-r);
	for (size_t i = 0; i < found.n_names; i++)
		proto_put(answer, "name", found.names[i]);
	for (size_t i = 0; i < question->n_fields; i++)
		if (str_equal(question->fields[i].key, "netgroup")) {
			const char *netgroup = question->fields[i].value;

			proto_put(answer, in_netgroup(&found, netgroup) ? "member" : "stranger",
				  netgroup);
		}
	for (size_t i = 0; i < found.n_names; i++)
		free(found.names[i]);
}

/* ---- the addresses of a name, the groups of a user ---- */

static void serve_host(const char *name, struct proto_writer *answer)
{
	const struct addrinfo hints = { .ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM };
	struct address known[NAMES_ADDRESSES_MAX];
	struct addrinfo *list;
	size_t n = 0;
	int eai;

	eai = getaddrinfo(name, NULL, &hints, &list);
	if (eai && !eai_is_unknown(eai)) {
		worker_fail(answer, eai_errno(eai), NULL);
		return;
	}
	proto_begin(answer, "ok");
	if (eai)
		return;
	if (list && list->ai_canonname)
		proto_put(answer, "canonical", list->ai_canonname);
	for (struct addrinfo *each = list; each && n < NAMES_ADDRESSES_MAX; each = each->ai_next) {
		char text[64];
		bool again = false;

		if (!address_of_socket(each->ai_addr, &known[n]))
			continue;
		for (size_t i = 0; i < n; i++)
			again |= address_equal(&known[i], &known[n]);
		if (again)
			continue;
		address_format(&known[n++], text, sizeof(text));
		proto_put(answer, "address", text);
	}
	freeaddrinfo(list);
}

/* getpwuid_r(3) names these for "no such user", besides 0. */
static bool is_unknown_user(int error)
{
	return error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM;
}

/* Returns 1; 0 for an unknown user; -errno. The name is to free(3). */
static int find_user(uid_t uid, char **ret_name, gid_t *ret_gid)
{
	CLEANUP(freep) char *buffer = NULL;
	struct passwd entry, *user = NULL;
	int rc = ERANGE;

	for (size_t size = 4096; rc == ERANGE && size <= USER_BYTES_MAX; size *= 2) {
		char *grown = realloc(buffer, size);

		if (!grown)
			return -ENOMEM;
		buffer = grown;
		rc = getpwuid_r(uid, &entry, buffer, size, &user);
	}
	if (!user)
		return is_unknown_user(rc) ? 0 : -rc;
	*ret_name = strdup(user->pw_name);
	*ret_gid = user->pw_gid;
	return *ret_name ? 1 : -ENOMEM;
}

static int find_groups(const char *name, gid_t primary, gid_t **ret_groups, int *ret_n_groups)
{
	CLEANUP(freep) gid_t *groups = NULL;
	int n = 64;

	for (;;) {
		int n_room = n;
		gid_t *grown = reallocarray(groups, (size_t)n, sizeof(*groups));

		if (!grown)
			return -ENOMEM;
		groups = grown;
		if (getgrouplist(name, primary, groups, &n) >= 0)
			break;
		if (n_room >= GROUPS_MAX)
			return -E2BIG;
		n = n > n_room ? n : n_room * 2;
		n = n < GROUPS_MAX ? n : GROUPS_MAX;
	}
	*ret_groups = TAKE_PTR(groups);
	*ret_n_groups = n;
	return 0;
}

static void serve_user(const char *uid, struct proto_writer *answer)
{
	CLEANUP(freep) char *name = NULL;
	CLEANUP(freep) gid_t *groups = NULL;
	int n_groups = 0, r;
	gid_t primary = 0;

	r = find_user((uid_t)strtoul(uid, NULL, 10), &name, &primary);
	if (r > 0)
		r = find_groups(name, primary, &groups, &n_groups);
	if (r < 0) {
		worker_fail(answer, r, NULL);
		return;
	}
	proto_begin(answer, "ok");
	worker_put_numbers(answer, "groups", groups, (size_t)n_groups);
}

void names_serve(const struct proto_message *question, struct proto_writer *answer)
{
	const char *text = proto_get(question, question->word);

	if (text && str_equal(question->word, "address"))
		serve_address(question, text, answer);
	else if (text && str_equal(question->word, "host"))
		serve_host(text, answer);
	else if (text && str_equal(question->word, "user"))
		serve_user(text, answer);
	else
		worker_fail(answer, -ENOSYS, NULL);
}
