/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * mountd.c - the MOUNT service: which call asks what, who has mounted what, and the service's life.
 */

#include "exportsd/mountd/private.h"

#include <errno.h>

#include "exportsd/config/config.h"
#include "exportsd/mountd/callout.h"
#include "exportsd/mountd/rmtab.h"
#include "exportsd/mountd/rmtab_file.h"
#include "exportsd/mountd/rpcbind.h"

static void answer_void(struct rpc_call *call, const struct mountproto_call *request)
{
	struct mountproto_reply reply;
	int r = mountproto_reply_void(request->xid, &reply);

	mountd_send(call, r, &reply);
}

/* ---- rmtab ---- */

static void forget_mount(struct mountd *mountd, struct rpc_call *call,
			 const struct mountproto_call *request)
{
	CLEANUP(freep) char *path = mountd_path_normalise(request->path);
	struct mountd_caller caller;

	mountd_caller_of(call, &caller);
	if (path && rmtab_file_remove(mountd->rmtab, caller.text, path))
		callout_run(mountd->callout, "unmount", caller.text, path, 0);
}

static void forget_all_mounts(struct mountd *mountd, struct rpc_call *call)
{
	struct mountd_caller caller;

	mountd_caller_of(call, &caller);
	rmtab_file_remove_client(mountd->rmtab, caller.text);
}

/* ---- calls ---- */

struct version_range {
	uint32_t first, last;
};

static void refuse(struct rpc_call *call, const struct mountproto_call *request,
		   enum mountproto_fault fault)
{
	struct mountproto_reply reply;
	int r = mountproto_refuse(request->xid, fault, &reply);

	mountd_send(call, r, &reply);
}

static void serve(struct mountd *mountd, struct rpc_call *call,
		  const struct mountproto_call *request)
{
	switch ((enum mount_procedure)request->procedure) {
	case MOUNT_NULL: break;
	case MOUNT_UMNT: forget_mount(mountd, call, request); break;
	case MOUNT_UMNTALL: forget_all_mounts(mountd, call); break;
	case MOUNT_MNT:
	case MOUNT_PATHCONF: mountd_job_start(mountd, call, request); return;
	case MOUNT_DUMP: mountd_answer_dump(mountd, call, request); return;
	case MOUNT_EXPORT:
	case MOUNT_EXPORTALL: mountd_answer_exports(mountd, call, request); return;
	}
	answer_void(call, request);
}

static bool needs_rmtab(uint32_t procedure)
{
	return procedure == MOUNT_UMNT || procedure == MOUNT_UMNTALL || procedure == MOUNT_DUMP;
}

static void serve_in_time(struct mountd *mountd, struct rpc_call *call,
			  const struct mountproto_call *request)
{
	if (rmtab_file_is_read(mountd->rmtab) || !needs_rmtab(request->procedure) ||
	    !mountd_wait(&mountd->early, call, request))
		serve(mountd, call, request);
}

static void on_rmtab_read(void *userdata)
{
	struct mountd *mountd = userdata;

	mountd_serve_waiters(mountd, &mountd->early, serve);
}

static struct version_range versions_of(const struct mountd *mountd)
{
	const struct config *config = mountd->daemon->config;

	return (struct version_range){
		.first = config->mount_v2 ? MOUNT_VERSION_FIRST : MOUNT_VERSION_LAST,
		.last = config->mount_v3 ? MOUNT_VERSION_LAST : MOUNT_VERSION_LAST - 1,
	};
}

static void refuse_version(struct mountd *mountd, struct rpc_call *call, uint32_t xid)
{
	struct version_range versions = versions_of(mountd);
	struct mountproto_reply reply;
	int r = mountproto_refuse_version(xid, versions.first, versions.last, &reply);

	mountd_send(call, r, &reply);
}

static bool is_served(const struct mountd *mountd, uint32_t version)
{
	struct version_range versions = versions_of(mountd);

	return version >= versions.first && version <= versions.last;
}

static void on_call(void *userdata, struct rpc_call *call)
{
	struct mountproto_call request;
	size_t n_bytes;
	const uint8_t *bytes = rpc_call_bytes(call, &n_bytes);
	int fault = mountproto_decode(bytes, n_bytes, &request);

	if (fault == MOUNTPROTO_NOT_A_CALL)
		rpc_drop(call, true);
	else if (fault == MOUNTPROTO_NO_VERSION ||
		 (!fault && !is_served(userdata, request.version)))
		refuse_version(userdata, call, request.xid);
	else if (fault)
		refuse(call, &request, fault);
	else
		serve_in_time(userdata, call, &request);
}

/* ---- life ---- */

static int open_rpc(struct mountd *mountd)
{
	const struct config *config = mountd->daemon->config;
	struct rpc_settings settings = {
		.port = config->mount_port,
		.tcp = config->mount_tcp,
		.udp = config->mount_udp,
	};

	return rpc_new(&mountd->rpc, mountd->daemon->event, &settings, on_call, mountd);
}

static int open_rpcbind(struct mountd *mountd)
{
	struct rpcbind_service service = {
		.first_version = versions_of(mountd).first,
		.last_version = versions_of(mountd).last,
		.port = rpc_port(mountd->rpc),
	};

	if (!mountd->daemon->config->rpcbind)
		return 0;
	for (size_t i = 0; i < RPCBIND_NETIDS_MAX; i++)
		service.netids[i] = rpc_netid(mountd->rpc, i);
	return rpcbind_new(&mountd->rpcbind, mountd->daemon->event, &service);
}

int mountd_new(struct mountd **ret_mountd, struct daemon *daemon)
{
	struct mountd *mountd = calloc(1, sizeof(*mountd));
	int r;

	if (!mountd)
		return -ENOMEM;
	mountd->daemon = daemon;
	r = mountd_lists_new(mountd);
	if (r >= 0 && daemon->config->ha_callout)
		r = callout_new(&mountd->callout, daemon->event, daemon->config->ha_callout);
	if (r >= 0)
		r = rmtab_file_new(&mountd->rmtab, daemon->event,
				   daemon->config->nfs_state_directory, on_rmtab_read, mountd);
	if (r >= 0)
		r = open_rpc(mountd);
	if (r >= 0)
		r = open_rpcbind(mountd);
	if (r < 0) {
		mountd_free(mountd);
		return r;
	}
	*ret_mountd = mountd;
	return 0;
}

struct mountd *mountd_free(struct mountd *mountd)
{
	if (!mountd)
		return NULL;
	mountd_jobs_drop(mountd);
	mountd_lists_free(mountd);
	mountd_drop_waiters(&mountd->early);
	callout_free(mountd->callout);
	rpc_free(mountd->rpc);
	rpcbind_free(mountd->rpcbind);
	rmtab_file_free(mountd->rmtab);
	free(mountd);
	return NULL;
}

void mountd_again(struct mountd *mountd)
{
	if (!mountd)
		return;
	mountd_lists_again(mountd);
	mountd_jobs_again(mountd);
}

int mountd_each_mount(const struct mountd *mountd,
		      int (*each)(void *userdata, const char *client, const char *path),
		      void *userdata)
{
	return rmtab_each(rmtab_file_list(mountd->rmtab), each, userdata);
}

uint16_t mountd_port(const struct mountd *mountd)
{
	return rpc_port(mountd->rpc);
}
