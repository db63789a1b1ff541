/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * bench-idle - what clients wait while media fall idle, measured by a process that stays:
 *
 *	bench-idle remount HOST HANDLE NAME ROUNDS COMMAND...
 *		NAME is looked up once; each round runs COMMAND, which unmounts the medium, and times a read of the file
 *		by its old handle
 *	bench-idle mnt HOST PATH ROUNDS COMMAND...
 *		the same with a MOUNT call instead of the read
 *	bench-idle mount IMAGE TYPE DIRECTORY ROUNDS
 *		times a loop device for the image and mount(2) of it, and nothing else
 *	bench-idle ask HOST FIRST COUNT PAUSE-MS FILE
 *		times GETATTR of the exports with the numbers FIRST, FIRST+1 ..., each asked of once, so that the kernel has
 *		to ask for each; ends after COUNT, or as soon as FILE is there
 *	bench-idle null HOST COUNT PAUSE-MS FILE
 *		the same with calls of MOUNT's NULL procedure, which the daemon answers
 *
 * Prints microseconds, one time a line. Whatever fails ends it.
 */

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/vm/tools/rpccall.h"

enum { NFS3_GETATTR = 1, NFS3_LOOKUP = 3, NFS3_READ = 6, NAME_LENGTH_MAX = 255, READ_BYTES = 4096 };

static struct timeval timeout = { .tv_sec = 60 };

static uint64_t now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static unsigned int number(const char *text)
{
	return (unsigned int)strtoul(text, NULL, 10);
}

/* ---- a little of NFSv3 (RFC 1813) ---- */

struct arguments {
	struct handle *handle;
	char *name; /* LOOKUP */
	bool reads; /* READ */
};

struct answer {
	unsigned int status;
	struct handle *handle; /* LOOKUP; or NULL */
};

static bool_t encode(XDR *xdr, struct arguments *arguments)
{
	uint64_t offset = 0;
	unsigned int count = READ_BYTES;

	if (!xdr_bytes(xdr, &arguments->handle->bytes, &arguments->handle->length, HANDLE_MAX))
		return FALSE;
	if (arguments->name)
		return xdr_string(xdr, &arguments->name, NAME_LENGTH_MAX);
	return !arguments->reads || (xdr_uint64_t(xdr, &offset) && xdr_u_int(xdr, &count));
}

/* What follows the status is not looked at, but for LOOKUP's handle. */
static bool_t decode(XDR *xdr, struct answer *answer)
{
	if (!xdr_u_int(xdr, &answer->status))
		return FALSE;
	return answer->status != 0 || !answer->handle ||
	       xdr_bytes(xdr, &answer->handle->bytes, &answer->handle->length, HANDLE_MAX);
}

static void call(CLIENT *client, unsigned int procedure, struct arguments *arguments,
		 struct answer *answer)
{
	void *encoder = encode, *decoder = decode;

	if (clnt_call(client, procedure, (xdrproc_t)encoder, (caddr_t)arguments, (xdrproc_t)decoder,
		      (caddr_t)answer, timeout) != RPC_SUCCESS)
		fail("%s", clnt_sperror(client, "no answer"));
	if (answer->status != 0)
		fail("procedure %u: error %u", procedure, answer->status);
}

static CLIENT *connect_to(const char *host, const char *port, unsigned long program)
{
	static char machine[] = "bench-idle";
	CLIENT *client = rpc_client(host, port, program, 3, true);

	if (!client)
		fail("%s: %s", host, strerror(errno));
	auth_destroy(client->cl_auth);
	client->cl_auth = authunix_create(machine, 0, 0, 0, NULL);
	return client;
}

/* ---- the verbs ---- */

static void run(char **command)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
		execvp(command[0], command);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
		fail("%s fails", command[0]);
}

static void parse_handle(const char *text, struct handle *handle)
{
	unsigned int byte;

	for (handle->length = 0; handle->length < HANDLE_MAX && sscanf(text, "%2x", &byte) == 1;
	     text += 2)
		handle->bytes[handle->length++] = (char)byte;
}

static void time_remounts(const char *host, const char *text, char *name, unsigned int rounds,
			  char **command)
{
	char root_bytes[HANDLE_MAX], file_bytes[HANDLE_MAX];
	struct handle root = { .bytes = root_bytes }, file = { .bytes = file_bytes };
	struct arguments look_up = { .handle = &root, .name = name };
	struct arguments reading = { .handle = &file, .reads = true };
	CLIENT *client = connect_to(host, "2049", NFS_PROGRAM);

	parse_handle(text, &root);
	call(client, NFS3_LOOKUP, &look_up, &(struct answer){ .handle = &file });
	for (unsigned int i = 0; i < rounds; i++) {
		uint64_t begin;

		run(command);
		begin = now_usec();
		call(client, NFS3_READ, &reading, &(struct answer){ 0 });
		printf("%llu\n", (unsigned long long)(now_usec() - begin));
	}
	clnt_destroy(client);
}

static void time_mnt_calls(const char *host, char *path, unsigned int rounds, char **command)
{
	CLIENT *client = connect_to(host, "20048", MOUNT_PROGRAM);
	void *encoder = xdr_path, *decoder = xdr_mnt_answer;

	for (unsigned int i = 0; i < rounds; i++) {
		char bytes[HANDLE_MAX];
		struct mnt_answer answer = { .version = 3, .handle.bytes = bytes };
		uint64_t begin;

		run(command);
		begin = now_usec();
		if (clnt_call(client, MOUNT_MNT, (xdrproc_t)encoder, (caddr_t)&path,
			      (xdrproc_t)decoder, (caddr_t)&answer, timeout) != RPC_SUCCESS ||
		    answer.status != 0)
			fail("%s: error %u", path, answer.status);
		printf("%llu\n", (unsigned long long)(now_usec() - begin));
	}
	clnt_destroy(client);
}

static void mount_once(int control, const char *image, const char *type, const char *directory)
{
	struct loop_config config = {
		.info = { .lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR },
	};
	int index = ioctl(control, LOOP_CTL_GET_FREE), fd = open(image, O_RDONLY | O_CLOEXEC), loop;
	char device[32];

	snprintf(device, sizeof(device), "/dev/loop%d", index);
	loop = open(device, O_RDONLY | O_CLOEXEC);
	config.fd = (unsigned int)fd;
	if (fd < 0 || loop < 0 || ioctl(loop, LOOP_CONFIGURE, &config) < 0 ||
	    mount(device, directory, type, MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) < 0)
		fail("cannot mount %s: %s", image, strerror(errno));
	close(loop);
	close(fd);
}

static void time_mounts(const char *image, const char *type, const char *directory,
			unsigned int rounds)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	for (unsigned int i = 0; i < rounds; i++) {
		uint64_t begin = now_usec();

		mount_once(control, image, type, directory);
		printf("%llu\n", (unsigned long long)(now_usec() - begin));
		if (umount(directory) < 0)
			fail("cannot unmount %s: %s", directory, strerror(errno));
		usleep(100000); /* the device is cleared later (drivers/block/loop.c) */
	}
	close(control);
}

/* The handle of an export's root (linux fs/nfsd/nfsfh.h FSID_NUM). */
static void make_handle(uint32_t number, struct handle *handle)
{
	const char head[] = { 1, 0, 1, 0 };

	memcpy(handle->bytes, head, sizeof(head));
	memcpy(handle->bytes + sizeof(head), &number, sizeof(number));
	handle->length = sizeof(head) + sizeof(number);
}

static void time_answers(const char *host, uint32_t first, unsigned int count,
			 unsigned int pause_ms, const char *end)
{
	CLIENT *client = connect_to(host, "2049", NFS_PROGRAM);

	for (unsigned int i = 0; i < count && access(end, F_OK) < 0; i++) {
		char bytes[HANDLE_MAX];
		struct handle root = { .bytes = bytes };
		uint64_t begin;

		make_handle(first + i, &root);
		begin = now_usec();
		call(client, NFS3_GETATTR, &(struct arguments){ .handle = &root },
		     &(struct answer){ 0 });
		printf("%llu\n", (unsigned long long)(now_usec() - begin));
		usleep(pause_ms * 1000);
	}
	clnt_destroy(client);
}

static void time_null_calls(const char *host, unsigned int count, unsigned int pause_ms,
			    const char *end)
{
	CLIENT *client = connect_to(host, "20048", MOUNT_PROGRAM);
	void *nothing = xdr_void;

	for (unsigned int i = 0; i < count && access(end, F_OK) < 0; i++) {
		uint64_t begin = now_usec();

		if (clnt_call(client, 0, (xdrproc_t)nothing, NULL, (xdrproc_t)nothing, NULL,
			      timeout) != RPC_SUCCESS)
			fail("%s", clnt_sperror(client, "no answer"));
		printf("%llu\n", (unsigned long long)(now_usec() - begin));
		usleep(pause_ms * 1000);
	}
	clnt_destroy(client);
}

int main(int argc, char **argv)
{
	if (argc >= 7 && strcmp(argv[1], "remount") == 0)
		time_remounts(argv[2], argv[3], argv[4], number(argv[5]), argv + 6);
	else if (argc >= 6 && strcmp(argv[1], "mnt") == 0)
		time_mnt_calls(argv[2], argv[3], number(argv[4]), argv + 5);
	else if (argc == 6 && strcmp(argv[1], "mount") == 0)
		time_mounts(argv[2], argv[3], argv[4], number(argv[5]));
	else if (argc == 7 && strcmp(argv[1], "ask") == 0)
		time_answers(argv[2], number(argv[3]), number(argv[4]), number(argv[5]), argv[6]);
	else if (argc == 6 && strcmp(argv[1], "null") == 0)
		time_null_calls(argv[2], number(argv[3]), number(argv[4]), argv[5]);
	else
		fail("usage: bench-idle remount|mnt|mount|ask|null ...");
	return fflush(stdout) == 0 ? 0 : 1;
}
