/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keys.c - the keys of exportsd.conf(5), with their defaults and limits.
 */

#include <stddef.h>
#include <sys/un.h>

#include "exportsd/config/private.h"

static const char *const after_deadline_words[] = { "stale", "delay", NULL };
static const char *const identity_words[] = { "auto", "strict", "path", NULL };

#define FIELD(field) offsetof(struct config, field)
/* "/control" and its NUL must fit behind the directory in a socket's address. */
#define SOCKET_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)
#define RUNTIME_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - sizeof("/control"))

static const struct config_key keys[] = {
	{
		.name = "exports-files",
		.kind = KIND_PATHS,
		.offset = FIELD(exports_files),
		.fallback = "{\"/etc/exports\"}",
		.help = "Exports files, read in this order.",
		.manual = "exports files, read in this order.",
		.example = "exports-files = {/etc/exports, /etc/exports.local}",
	},
	{
		.name = "exports-directories",
		.kind = KIND_PATHS,
		.offset = FIELD(exports_directories),
		.fallback = "{\"/etc/exports.d\", \"/etc/exportsd.d\"}",
		.help = "Directories whose *.exports files are read after them. Stock tools never open\n"
			"/etc/exportsd.d: wildcard rules are best kept there.",
		.manual = "directories whose files\n"
			  ".Pa *.exports\n"
			  "are read after the exports files.\n"
			  "A missing one is no fault.\n"
			  "Stock tools never open\n"
			  ".Pa /etc/exportsd.d ,\n"
			  "so wildcard rules are best kept there: stock\n"
			  ".Xr exportfs 8\n"
			  "stops reading a file at the first one.",
		.example = "exports-directories += {/usr/local/etc/exports.d}",
	},
	{
		.name = "state-directory",
		.kind = KIND_PATH,
		.offset = FIELD(state_directory),
		.fallback = "/var/lib/exportsd",
		.help = "Where the numbers of the media are kept. Back it up: old file handles need it.",
		.manual = "where the numbers of the media are kept.\n"
			  "File handles depend on them: back it up.",
		.example = "state-directory = /srv/cluster/exportsd",
	},
	{
		.name = "number-copies",
		.kind = KIND_PATHS,
		.offset = FIELD(number_copies),
		.fallback = "{\"/etc/exportsd.numbers\"}",
		.help = "Further copies of the numbers, one file each, best on other disks: any one suffices.\n"
			"Each is synced before a number is used. The directories must exist.",
		.manual =
			"further copies of the numbers, one file each.\n"
			"Each is complete, and synced before a number is used; any one suffices to start.\n"
			"They are best kept on other disks than the state directory.\n"
			"Their directories must exist.\n"
			"See\n"
			".Sx FILES\n"
			"of\n"
			".Xr exportsd 8 .",
		.example = "number-copies = {/etc/exportsd.numbers, /srv/raid/exportsd.numbers}",
	},
	{
		.name = "runtime-directory",
		.kind = KIND_PATH,
		.offset = FIELD(runtime_directory),
		.fallback = "/run/exportsd",
		.max = RUNTIME_MAX,
		.help = "Where exportsctl's socket is.",
		.manual = "where the socket of\n"
			  ".Xr exportsctl 8\n"
			  "is.",
		.example = "runtime-directory = /run/nfs/exportsd",
	},
	{
		.name = "nfs-conf",
		.kind = KIND_OPTIONAL_PATH,
		.offset = FIELD(nfs_conf),
		.fallback = "/etc/nfs.conf",
		.help = "nfs.conf(5), which says what this file does not. Empty: it is not read.",
		.manual = ".Xr nfs.conf 5 ,\n"
			  "which says what this file does not; see\n"
			  ".Sx nfs.conf\n"
			  "below.\n"
			  "Empty: it is not read.",
		.example = "nfs-conf = /usr/local/etc/nfs.conf",
	},
	{
		.name = "nfs-state-directory",
		.kind = KIND_PATH,
		.offset = FIELD(nfs_state_directory),
		.fallback = "/var/lib/nfs",
		.nfs_conf = { "mountd state-directory-path", "exportd state-directory-path" },
		.help = "Where etab and rmtab are, for other programs to find.",
		.manual = "where\n"
			  ".Pa etab\n"
			  "and\n"
			  ".Pa rmtab\n"
			  "are, for other programs to find.",
		.example = "nfs-state-directory = /srv/cluster/nfs",
	},
	{
		.name = "rootdir",
		.kind = KIND_OPTIONAL_PATH,
		.offset = FIELD(rootdir),
		.fallback = "",
		.nfs_conf = { "exports rootdir" },
		.help = "Exported paths lie beneath this directory; clients do not see it. Empty: /.",
		.manual = "exported paths lie beneath this directory, which clients do not see.\n"
			  "Empty: the root.\n"
			  "With\n"
			  ".Li rootdir = /srv/nfs ,\n"
			  "what clients mount as\n"
			  ".Pa /data\n"
			  "is the server's\n"
			  ".Pa /srv/nfs/data .",
		.example = "rootdir = /srv/nfs",
	},
	{
		.name = "manage-gids",
		.kind = KIND_BOOLEAN,
		.offset = FIELD(manage_gids),
		.fallback = "true",
		.nfs_conf = { "mountd manage-gids", "exportd manage-gids" },
		.help = "A user's groups are those this host knows, not the up to 16 that the client sends.",
		.example = "manage-gids = false",
		.manual =
			"a user's groups are those that this host's name service knows.\n"
			"False: they are those that the client sends, of which the protocol allows 16.",
	},
	{
		.name = "ttl-seconds",
		.kind = KIND_NUMBER,
		.offset = FIELD(ttl_seconds),
		.fallback = "1800",
		.min = 1,
		.max = INT32_MAX,
		.nfs_conf = { "mountd ttl", "exportd ttl" },
		.help = "How long the kernel may believe an answer that only a reload changes.",
		.manual = "how long the kernel may believe an answer that only a reload changes.",
		.example = "ttl-seconds = 600",
	},
	{
		.name = "medium-ttl-seconds",
		.kind = KIND_NUMBER,
		.offset = FIELD(medium_ttl_seconds),
		.fallback = "60",
		.min = 5,
		.max = 86400,
		.help = "The same for answers about media.",
		.manual = "the same for answers about media.",
		.example = "medium-ttl-seconds = 300",
	},
	{
		.name = "name-age-seconds",
		.kind = KIND_NUMBER,
		.offset = FIELD(name_age_seconds),
		.fallback = "600",
		.min = 1,
		.max = 86400,
		.help = "How long an answer of the name service (DNS, netgroups) is believed.",
		.manual =
			"how long an answer of the name service (DNS, netgroups, groups) is believed.",
		.example = "name-age-seconds = 60",
	},
	{
		.name = "name-timeout-seconds",
		.kind = KIND_NUMBER,
		.offset = FIELD(name_timeout_seconds),
		.fallback = "10",
		.min = 1,
		.max = 600,
		.help = "How long an answer of the name service is waited for.",
		.manual = "how long an answer of the name service is waited for.\n"
			  "Nobody else waits meanwhile.",
		.example = "name-timeout-seconds = 3",
	},
	{
		.name = "deadline-seconds",
		.kind = KIND_NUMBER,
		.offset = FIELD(deadline_seconds),
		.fallback = "120",
		.min = 1,
		.max = 86400,
		.help = "How long a medium may take to load before callers of the MOUNT service get an error.",
		.manual =
			"how long a medium may take to load before callers of the MOUNT service get an error, and how long a broken\n"
			"one is tried again before NFS clients get one.",
		.example = "deadline-seconds = 900",
	},
	{
		.name = "retry-seconds",
		.kind = KIND_NUMBER,
		.offset = FIELD(retry_seconds),
		.fallback = "15",
		.min = 1,
		.max = 3600,
		.help = "The longest pause before a busy or failed handler is asked again; the first is 1 s.",
		.manual =
			"the longest pause before a busy or failed handler is asked again.\n"
			"The first pause is one second, and each is twice as long as the one before.",
		.example = "retry-seconds = 60",
	},
	{
		.name = "idle-seconds",
		.kind = KIND_NUMBER,
		.offset = FIELD(idle_seconds),
		.fallback = "300",
		.max = 864000,
		.help = "How long nobody must use a medium before it is unmounted. 0: it stays mounted.",
		.manual = "how long nobody must use a medium before it is unmounted.\n"
			  "0: it stays mounted.\n"
			  "An open file, a lock, or a process of this host keeps a medium in use.",
		.example = "idle-seconds = 3600",
	},
	{
		.name = "min-hold-seconds",
		.kind = KIND_NUMBER,
		.offset = FIELD(min_hold_seconds),
		.fallback = "10",
		.max = 86400,
		.help = "How long a medium stays mounted at least, however idle it is.",
		.manual =
			"how long a medium stays mounted at least, however idle it is, so that a changer does not swap discs all the time.",
		.example = "min-hold-seconds = 60",
	},
	{
		.name = "after-deadline",
		.kind = KIND_AFTER_DEADLINE,
		.offset = FIELD(after_deadline),
		.fallback = "stale",
		.help = "What clients of a broken medium get once its deadline is over: stale (an error), or\n"
			"delay (they wait on).",
		.manual =
			"What NFS clients of a broken medium get once its deadline is over:\n"
			".Li stale ,\n"
			"an error, renewed every five seconds while somebody asks and forgotten after the longest pause of\n"
			".Cm retry-seconds ,\n"
			"when the next client has the handler asked once more; or\n"
			".Li delay :\n"
			"they wait on, and the handler is asked again and again.",
		.example = "after-deadline = delay",
	},
	{
		.name = "identity",
		.kind = KIND_IDENTITY,
		.offset = FIELD(identity),
		.fallback = "auto",
		.help = "Another medium at the same path. strict: it gets a number of its own, and handles of the\n"
			"one before it are stale until that is back. path: it is taken for the same. auto: strict\n"
			"if the handler calls its media removable.",
		.manual =
			"What another medium at the same path is:\n"
			".Li strict ,\n"
			"a different one, with a number of its own; handles of the medium before it are stale until that is back;\n"
			".Li path ,\n"
			"the same; or\n"
			".Li auto :\n"
			"strict if the handler says that its media are removable.",
		.example = "identity = path",
	},
	{
		.name = "handler-user",
		.kind = KIND_USER,
		.offset = FIELD(handler_user),
		.fallback = "",
		.help = "Whose processes may be handlers, besides root's. Empty: nobody's.",
		.manual = "whose processes may be handlers, besides root's.\n"
			  "Empty: nobody's.",
		.example = "handler-user = discs",
	},
	{
		.name = "fsidd-socket",
		.kind = KIND_SOCKET,
		.offset = FIELD(fsidd_socket),
		.fallback = "",
		.max = SOCKET_MAX,
		.help = "Serve fsidd's protocol there, for stock tools with reexport=. Usually \"@/run/fsid.sock\".\n"
			"Empty: it is not served.",
		.manual = "serve the protocol of\n"
			  ".Xr fsidd 8\n"
			  "there, so that stock tools with\n"
			  ".Cm reexport=\n"
			  "find the same numbers; root only.\n"
			  "They look at\n"
			  ".Li @/run/fsid.sock ,\n"
			  "an abstract name, unless\n"
			  ".Xr nfs.conf 5\n"
			  "says otherwise.\n"
			  "Do not run fsidd beside it; take over its numbers with\n"
			  ".Ql exportsctl fsid import .\n"
			  "Empty: it is not served.",
		.example = "fsidd-socket = \"@/run/fsid.sock\"",
	},
	{
		.name = "mount-service",
		.kind = KIND_BOOLEAN,
		.offset = FIELD(mount_service),
		.fallback = "true",
		.help = "Serve the MOUNT protocol. NFSv3 clients need it, NFSv4 clients do not.",
		.manual = "serve the MOUNT protocol.\n"
			  "NFSv3 clients need it, NFSv4 clients do not.",
		.example = "mount-service = false",
	},
	{
		.name = "mount-port",
		.kind = KIND_PORT,
		.offset = FIELD(mount_port),
		.fallback = "20048",
		.max = UINT16_MAX,
		.nfs_conf = { "mountd port" },
		.help = "Its port. 0: any free one.",
		.manual = "where the MOUNT protocol is served.\n"
			  "0: any free one.",
		.example = "mount-port = 892",
	},
	{
		.name = "mount-tcp",
		.kind = KIND_BOOLEAN,
		.offset = FIELD(mount_tcp),
		.fallback = "true",
		.nfs_conf = { "nfsd tcp" },
		.help = "Serve it over TCP.",
		.manual = "serve it over TCP.",
		.example = "mount-tcp = false",
	},
	{
		.name = "mount-udp",
		.kind = KIND_BOOLEAN,
		.offset = FIELD(mount_udp),
		.fallback = "true",
		.nfs_conf = { "nfsd udp" },
		.help = "Serve it over UDP.",
		.manual = "serve it over UDP.",
		.example = "mount-udp = false",
	},
	{
		.name = "mount-v2",
		.kind = KIND_BOOLEAN,
		.offset = FIELD(mount_v2),
		.fallback = "true",
		.nfs_conf = { "nfsd vers2" },
		.help = "Serve its versions 1 and 2, those of NFSv2 clients.",
		.manual = "serve its versions 1 and 2, those of NFSv2 clients.\n"
			  "With\n"
			  ".Cm mount-v3\n"
			  "off, too, the MOUNT protocol is not served at all.",
		.example = "mount-v2 = false",
	},
	{
		.name = "mount-v3",
		.kind = KIND_BOOLEAN,
		.offset = FIELD(mount_v3),
		.fallback = "true",
		.nfs_conf = { "nfsd vers3" },
		.help = "Serve its version 3, that of NFSv3 clients.",
		.manual = "serve its version 3, that of NFSv3 clients.",
		.example = "mount-v3 = false",
	},
	{
		.name = "rpcbind",
		.kind = KIND_BOOLEAN,
		.offset = FIELD(rpcbind),
		.fallback = "true",
		.help = "Register it with rpcbind(8).",
		.manual = "register it with\n"
			  ".Xr rpcbind 8 ,\n"
			  "where NFSv3 clients ask for its port.",
		.example = "rpcbind = false",
	},
	{
		.name = "trust-reverse-names",
		.kind = KIND_BOOLEAN,
		.offset = FIELD(trust_reverse_names),
		.fallback = "false",
		.help = "Match wildcard and netgroup clients by reverse look-up alone, as rpc.mountd does: then\n"
			"whoever answers for a client's address in DNS decides what it may mount.",
		.example = "trust-reverse-names = true",
		.manual =
			"whether a reverse look-up alone counts, as for\n"
			".Xr rpc.mountd 8 :\n"
			"then whoever answers for a client's address in DNS decides what it may mount.\n"
			"False: a client that is named by a wildcard or a netgroup is recognised by its name only if the name's addresses include the client's.",
	},
	{
		.name = "cache-use-ipaddr",
		.kind = KIND_BOOLEAN,
		.offset = FIELD(cache_use_ipaddr),
		.fallback = "false",
		.nfs_conf = { "mountd cache-use-ipaddr", "exportd cache-use-ipaddr" },
		.help = "Name clients to the kernel by their addresses, not by all that matches them.",
		.example = "cache-use-ipaddr = true",
		.manual =
			"name clients to the kernel by their addresses, not by the list of all that matches them.\n"
			"The kernel then keeps an entry for each client and export.\n"
			"While the names of the netgroups in the exports files take more than 512 bytes, it is so in any case.",
	},
	{
		.name = "reverse-lookup",
		.kind = KIND_BOOLEAN,
		.offset = FIELD(reverse_lookup),
		.fallback = "false",
		.nfs_conf = { "mountd reverse-lookup" },
		.help = "showmount -a lists clients by name, which takes a look-up for each.",
		.manual =
			"the MOUNT protocol's list of who has mounted what\n"
			".Pq Li showmount -a\n"
			"names clients by host name, not by address.\n"
			"A name that does not come in time is left out, and the address stands there.",
		.example = "reverse-lookup = true",
	},
	{
		.name = "apply-root-cred",
		.kind = KIND_BOOLEAN,
		.offset = FIELD(apply_root_cred),
		.fallback = "false",
		.nfs_conf = { "mountd apply-root-cred" },
		.help = "Look at the paths of MOUNT calls as root, as rpc.mountd did before 2.8.6, not as the\n"
			"caller: then callers learn of directories that they may not enter.",
		.manual =
			"look at the paths of MOUNT calls as root.\n"
			"False: as the caller, whom the export may squash; so no client learns of what it may not enter (CVE-2025-12801).",
		.example = "apply-root-cred = true",
	},
	{
		.name = "ha-callout",
		.kind = KIND_OPTIONAL_PATH,
		.offset = FIELD(ha_callout),
		.fallback = "",
		.nfs_conf = { "mountd ha-callout" },
		.help = "Program run when an NFSv3 client mounts or unmounts. Empty: none.",
		.manual =
			"a program that is run when an NFSv3 client mounts or unmounts, with four arguments:\n"
			".Li mount\n"
			"or\n"
			".Li unmount ,\n"
			"the client's address, the path, and 1 or, for\n"
			".Li unmount ,\n"
			"0.\n"
			"Runs follow each other in the order of the calls, and no caller waits for them; one that takes longer than a minute is killed.\n"
			"Empty: none.",
		.example = "ha-callout = /usr/local/sbin/nfs-ha",
	},
	{
		.name = "log-stale-handles",
		.kind = KIND_BOOLEAN,
		.offset = FIELD(log_stale_handles),
		.fallback = "true",
		.help = "Name in the journal, now and then, what clients' stale file handles were of.",
		.manual =
			"name in the journal what a stale file handle of a client was of: its path, and why it is stale.\n"
			"Each is named at most once in ten minutes, and twenty a minute.\n"
			"See also the command\n"
			".Cm handle\n"
			"of\n"
			".Xr exportsctl 8 .",
		.example = "log-stale-handles = false",
	},
	{
		.name = "debug",
		.kind = KIND_BOOLEAN,
		.offset = FIELD(debug),
		.fallback = "false",
		.nfs_conf = { "mountd debug", "exportd debug" },
		.help = "Log what only somebody who looks for a fault wants to know.",
		.manual = "log what only somebody who looks for a fault wants to know.\n"
			  "The kinds of messages that\n"
			  ".Xr nfs.conf 5\n"
			  "names are not told apart: any of them turns all on.",
		.example = "debug = true",
	},
};

#define RULE_FIELD(field) offsetof(struct config_rule, field)

static const struct config_key rule_keys[] = {
	{ .name = "idle",
	  .kind = KIND_NUMBER,
	  .offset = RULE_FIELD(idle_seconds),
	  .max = 864000,
	  .help = "idle-seconds" },
	{ .name = "min-hold",
	  .kind = KIND_NUMBER,
	  .offset = RULE_FIELD(min_hold_seconds),
	  .max = 86400,
	  .help = "min-hold-seconds" },
	{ .name = "deadline",
	  .kind = KIND_NUMBER,
	  .offset = RULE_FIELD(deadline_seconds),
	  .min = 1,
	  .max = 86400,
	  .help = "deadline-seconds" },
	{ .name = "retry",
	  .kind = KIND_NUMBER,
	  .offset = RULE_FIELD(retry_seconds),
	  .min = 1,
	  .max = 3600,
	  .help = "retry-seconds" },
	{ .name = "after-deadline",
	  .kind = KIND_AFTER_DEADLINE,
	  .offset = RULE_FIELD(after_deadline),
	  .help = "after-deadline" },
	{ .name = "identity",
	  .kind = KIND_IDENTITY,
	  .offset = RULE_FIELD(identity),
	  .help = "identity" },
};

const struct config_keys config_keys = { keys, N_ELEMENTS(keys) };
const struct config_keys config_rule_keys = { rule_keys, N_ELEMENTS(rule_keys) };

const char *const *config_words(enum config_kind kind)
{
	return kind == KIND_IDENTITY ? identity_words : after_deadline_words;
}
