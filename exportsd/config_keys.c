/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * config_keys.c - the keys of exportsd.conf(5), with their defaults and limits.
 */

#include <stddef.h>
#include <sys/un.h>

#include "exportsd/config_private.h"

static const char *const after_deadline_words[] = { "stale", "delay", NULL };
static const char *const identity_words[] = { "auto", "strict", "path", NULL };

#define FIELD(field) offsetof(struct config, field)
/* "/control" and its NUL must fit behind the directory in a socket's address. */
#define RUNTIME_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - sizeof("/control"))

static const struct key keys[] = {
	{ "exports-files", KIND_PATHS, FIELD(exports_files), "{\"/etc/exports\"}", 0, 0,
	  "Exports files, read in this order." },
	{ "exports-directories", KIND_PATHS, FIELD(exports_directories),
	  "{\"/etc/exports.d\", \"/etc/exportsd.d\"}", 0, 0,
	  "Directories whose *.exports files are read after them. Stock tools never open\n"
	  "/etc/exportsd.d: wildcard rules are best kept there." },
	{ "state-directory", KIND_PATH, FIELD(state_directory), "/var/lib/exportsd", 0, 0,
	  "Where the numbers of the media are kept. Back it up: old file handles need it." },
	{ "runtime-directory", KIND_PATH, FIELD(runtime_directory), "/run/exportsd", 0, RUNTIME_MAX,
	  "Where exportsctl's socket is." },
	{ "nfs-conf", KIND_OPTIONAL_PATH, FIELD(nfs_conf), "/etc/nfs.conf", 0, 0,
	  "nfs.conf(5), which says what this file does not. Empty: it is not read." },
	{ "nfs-state-directory", KIND_PATH, FIELD(nfs_state_directory), "/var/lib/nfs", 0, 0,
	  "Where etab and rmtab are, as other programs expect them." },
	{ "rootdir", KIND_OPTIONAL_PATH, FIELD(rootdir), "", 0, 0,
	  "Exported paths lie beneath this directory; clients do not see it. Empty: /." },
	{ "manage-gids", KIND_BOOLEAN, FIELD(manage_gids), "true", 0, 0,
	  "A user's groups are those this host knows, not the up to 16 that the client sends." },
	{ "ttl-seconds", KIND_NUMBER, FIELD(ttl_seconds), "1800", 10, 86400,
	  "How long the kernel may believe an answer that only a reload changes." },
	{ "medium-ttl-seconds", KIND_NUMBER, FIELD(medium_ttl_seconds), "60", 5, 86400,
	  "The same for answers about media." },
	{ "name-age-seconds", KIND_NUMBER, FIELD(name_age_seconds), "600", 1, 86400,
	  "How long an answer of the name service (DNS, netgroups) is believed." },
	{ "name-timeout-seconds", KIND_NUMBER, FIELD(name_timeout_seconds), "10", 1, 600,
	  "How long an answer of the name service is waited for." },
	{ "deadline-seconds", KIND_NUMBER, FIELD(deadline_seconds), "120", 1, 86400,
	  "How long a medium may take to load before callers of the MOUNT service get an error." },
	{ "retry-seconds", KIND_NUMBER, FIELD(retry_seconds), "15", 1, 3600,
	  "The longest pause before a busy or failed handler is asked again; the first is 1 s." },
	{ "idle-seconds", KIND_NUMBER, FIELD(idle_seconds), "300", 0, 864000,
	  "How long nobody must use a medium before it is unmounted. 0: it stays mounted." },
	{ "min-hold-seconds", KIND_NUMBER, FIELD(min_hold_seconds), "10", 0, 86400,
	  "How long a medium stays mounted at least, however idle it is." },
	{ "after-deadline", KIND_AFTER_DEADLINE, FIELD(after_deadline), "stale", 0, 0,
	  "What clients of a broken medium get once its deadline is over: stale (an error), or\n"
	  "delay (they wait on)." },
	{ "identity", KIND_IDENTITY, FIELD(identity), "auto", 0, 0,
	  "Another medium at the same path. strict: it gets a number of its own, and handles of the\n"
	  "one before it are stale until that is back. path: it is taken for the same. auto: strict\n"
	  "if the handler calls its media removable." },
	{ "handler-user", KIND_USER, FIELD(handler_user), "", 0, 0,
	  "Whose processes may be handlers, besides root's. Empty: nobody's." },
	{ "mount-service", KIND_BOOLEAN, FIELD(mount_service), "true", 0, 0,
	  "Serve the MOUNT protocol. NFSv3 clients need it, NFSv4 clients do not." },
	{ "mount-port", KIND_PORT, FIELD(mount_port), "20048", 0, UINT16_MAX,
	  "Its port. 0: any free one." },
	{ "mount-tcp", KIND_BOOLEAN, FIELD(mount_tcp), "true", 0, 0, "Serve it over TCP." },
	{ "mount-udp", KIND_BOOLEAN, FIELD(mount_udp), "true", 0, 0, "Serve it over UDP." },
	{ "mount-v2", KIND_BOOLEAN, FIELD(mount_v2), "true", 0, 0,
	  "Serve its versions 1 and 2, those of NFSv2 clients." },
	{ "mount-v3", KIND_BOOLEAN, FIELD(mount_v3), "true", 0, 0,
	  "Serve its version 3, that of NFSv3 clients." },
	{ "rpcbind", KIND_BOOLEAN, FIELD(rpcbind), "true", 0, 0, "Register it with rpcbind(8)." },
	{ "trust-reverse-names", KIND_BOOLEAN, FIELD(trust_reverse_names), "false", 0, 0,
	  "Match wildcard and netgroup clients by reverse look-up alone, as rpc.mountd does: then\n"
	  "whoever answers for a client's address in DNS decides what it may mount." },
	{ "cache-use-ipaddr", KIND_BOOLEAN, FIELD(cache_use_ipaddr), "false", 0, 0,
	  "Name clients to the kernel by their addresses, not by all that matches them." },
	{ "reverse-lookup", KIND_BOOLEAN, FIELD(reverse_lookup), "false", 0, 0,
	  "showmount -a lists clients by name, which takes a look-up for each." },
	{ "apply-root-cred", KIND_BOOLEAN, FIELD(apply_root_cred), "false", 0, 0,
	  "Look at the paths of MOUNT calls as root, as rpc.mountd did before 2.8.6, not as the\n"
	  "caller: then callers learn of directories that they may not enter." },
	{ "ha-callout", KIND_OPTIONAL_PATH, FIELD(ha_callout), "", 0, 0,
	  "Program run when a client mounts or unmounts. Empty: none." },
	{ "debug", KIND_BOOLEAN, FIELD(debug), "false", 0, 0, "Log more." },
};

#define RULE_FIELD(field) offsetof(struct config_rule, field)

static const struct key rule_keys[] = {
	{ "idle", KIND_NUMBER, RULE_FIELD(idle_seconds), NULL, 0, 864000, "idle-seconds" },
	{ "min-hold", KIND_NUMBER, RULE_FIELD(min_hold_seconds), NULL, 0, 86400,
	  "min-hold-seconds" },
	{ "deadline", KIND_NUMBER, RULE_FIELD(deadline_seconds), NULL, 1, 86400,
	  "deadline-seconds" },
	{ "retry", KIND_NUMBER, RULE_FIELD(retry_seconds), NULL, 1, 3600, "retry-seconds" },
	{ "after-deadline", KIND_AFTER_DEADLINE, RULE_FIELD(after_deadline), NULL, 0, 0,
	  "after-deadline" },
	{ "identity", KIND_IDENTITY, RULE_FIELD(identity), NULL, 0, 0, "identity" },
};

const struct keys config_keys = { keys, N_ELEMENTS(keys) };
const struct keys config_rule_keys = { rule_keys, N_ELEMENTS(rule_keys) };

const char *const *config_words(enum kind kind)
{
	return kind == KIND_IDENTITY ? identity_words : after_deadline_words;
}
