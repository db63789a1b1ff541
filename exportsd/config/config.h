/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * config.h - exportsd.conf(5), read by libconfuse into one plain struct; what it does not say is as
 * nfs.conf(5) says.
 */

#include <stdint.h>
#include <stdio.h>

#include "parser/diag.h"

/* A broken medium's clients, once its deadline is over. */
enum config_after_deadline { CONFIG_STALE, CONFIG_DELAY };

/* Another medium at the same path. CONFIG_AUTO: strict if the handler calls its media removable. */
enum config_identity { CONFIG_AUTO, CONFIG_STRICT, CONFIG_PATH };

/* What may differ from rule to rule. */
struct config_rule {
	uint32_t idle_seconds; /* without use, before it is unmounted; 0: never: 300 */
	uint32_t min_hold_seconds; /* mounted at least: 10 */
	uint32_t deadline_seconds; /* as in struct config */
	uint32_t retry_seconds; /* as in struct config */
	enum config_after_deadline after_deadline; /* stale */
	enum config_identity identity; /* auto */
};

struct config_section;

/*
 * All strings are owned by the struct. Every field has a default; config_load() of no file gives
 * them.
 */
struct config {
	char **exports_files; /* NULL-terminated: { "/etc/exports" } */
	char **exports_directories; /* NULL-terminated: { "/etc/exports.d", "/etc/exportsd.d" } */
	char *state_directory; /* /var/lib/exportsd */
	char **number_copies; /* NULL-terminated, besides state_directory/numbers.sqlite: { "/etc/exportsd.numbers" } */
	char *runtime_directory; /* /run/exportsd */
	char *nfs_conf; /* /etc/nfs.conf; NULL: none is read */
	char *nfs_state_directory; /* of etab and rmtab: /var/lib/nfs */
	char *rootdir; /* exported paths lie beneath it; NULL: / */
	bool manage_gids; /* true: group lists come from this host */
	uint32_t ttl_seconds; /* life of kernel entries that only a reload changes: 1800 */
	uint32_t medium_ttl_seconds; /* life of kernel entries of mounted media: 60 */
	uint32_t name_age_seconds; /* how long a name service's answer is believed: 600 */
	uint32_t name_timeout_seconds; /* how long one is waited for: 10 */
	uint32_t
		deadline_seconds; /* how long a medium may take before MOUNT callers get an error: 120 */
	uint32_t
		retry_seconds; /* pause before a busy or failed handler is asked again, at first 1 s, at most this: 15 */
	uint32_t idle_seconds; /* this and the next three: see struct config_rule */
	uint32_t min_hold_seconds;
	enum config_after_deadline after_deadline;
	enum config_identity identity;
	struct config_section *sections; /* see config_rule() */
	size_t n_sections;
	char *fsidd_socket; /* where fsidd's protocol is served; NULL: nowhere */
	char *handler_user; /* whose processes may be handlers, besides root; NULL: none */
	bool mount_service; /* serve the MOUNT protocol: true */
	uint16_t mount_port; /* 20048; 0: any */
	bool mount_tcp, mount_udp; /* true, true */
	bool mount_v2, mount_v3; /* versions 1 and 2; version 3: true, true */
	bool rpcbind; /* register with rpcbind: true */
	bool trust_reverse_names; /* match names that are not confirmed forward, as rpc.mountd does: false */
	bool cache_use_ipaddr; /* domains are "$ADDRESS": false */
	bool reverse_lookup; /* DUMP says names: false */
	bool apply_root_cred; /* MOUNT looks at paths as root: false */
	char *ha_callout; /* program run when a client mounts or unmounts; NULL: none */
	bool log_stale_handles; /* name what clients' stale file handles were of: true */
	bool debug; /* log more: false */
	char **origins; /* who said each value, by key; NULL: nobody */
};

/*
 * config_load - read a file, and nfs.conf.
 *
 * @file:  NULL: defaults only. A missing file is an error unless @optional.
 * @diags: gets every fault with file and line; nfs.conf's are warnings
 *
 * Returns 0, CONFIG_INVALID (see diags), -ENOMEM.
 */
enum { CONFIG_INVALID = 1 };
int config_load(const char *file, bool optional, struct diags *diags, struct config **ret_config);

/*
 * config_load_with - the same, but for what the command line says.
 *
 * @settings: "KEY=VALUE", NULL-terminated; they go before what the file says, as that goes before
 *            nfs.conf
 */
int config_load_with(const char *file, bool optional, const char *const *settings,
		     struct diags *diags, struct config **ret_config);
struct config *config_free(struct config *config);

/*
 * config_rule - what is in force for the media of one rule.
 *
 * @text: as in messages (struct snapshot_rule's text): "/mnt/cdrom/<star>"; NULL: any that has no
 *        section
 */
struct config_rule config_rule(const struct config *config, const char *text);

/* config_print - the configuration in force, as a file that config_load() reads. */
void config_print(const struct config *config, FILE *to);
/* config_print_origins - the values that somebody set, and who. */
void config_print_origins(const struct config *config, FILE *to);

/* The names of the keys, each an option of exportsd, too. NULL behind the last. */
const char *config_key_name(size_t index);
/* config_print_help - the keys as a program's options. */
void config_print_help(FILE *to);
/* config_print_manual - the list of the keys in exportsd.conf(5)'s source. */
void config_print_manual(FILE *to);
