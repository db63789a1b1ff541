/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * mntstorm - many clients ask MOUNT for the same paths at once: mntstorm [-m PORT] [-t SECONDS] THREADS HOST PATH...
 *
 * Each thread has a connection of its own and asks for every PATH, beginning at another one.
 * All begin together. Prints "PATH HANDLE" for each answer; sorted and made unique, that is one line a
 * PATH if everybody got the same. Exit status 1 if any call failed.
 */

#include <pthread.h>

#include "tests/vm/tools/rpccall.h"

static const char *host, *port = "20048";
static char **paths;
static int n_paths;
static struct timeval timeout = { .tv_sec = 100 };
static pthread_barrier_t start;
static pthread_mutex_t printing = PTHREAD_MUTEX_INITIALIZER;
static unsigned int n_failed;

static void report(const char *path, const struct mnt_answer *answer, const char *trouble)
{
	pthread_mutex_lock(&printing);
	if (trouble || answer->status != 0) {
		n_failed++;
		if (trouble)
			printf("%s failed: %s\n", path, trouble);
		else
			printf("%s failed: error %u\n", path, answer->status);
	} else {
		printf("%s ", path);
		print_handle(stdout, &answer->handle);
		putchar('\n');
	}
	pthread_mutex_unlock(&printing);
}

static void ask(CLIENT *client, char *path)
{
	char bytes[HANDLE_MAX];
	struct mnt_answer answer = { .version = 3, .handle.bytes = bytes };
	enum clnt_stat status = clnt_call(client, MOUNT_MNT, (xdrproc_t)xdr_path, (void *)&path,
					  (xdrproc_t)xdr_mnt_answer, (void *)&answer, timeout);

	report(path, &answer, status == RPC_SUCCESS ? NULL : clnt_sperrno(status));
}

static void *run(void *number)
{
	int first = (int)(intptr_t)number;
	CLIENT *client = rpc_client(host, port, MOUNT_PROGRAM, 3, true);
	const char *trouble = client ? NULL : strerror(errno);

	pthread_barrier_wait(&start);
	for (int i = 0; i < n_paths; i++) {
		char *path = paths[(first + i) % n_paths];

		if (client)
			ask(client, path);
		else
			report(path, NULL, trouble);
	}
	if (client)
		clnt_destroy(client);
	return NULL;
}

int main(int argc, char **argv)
{
	int option, n_threads;
	pthread_t *threads;

	while ((option = getopt(argc, argv, "m:t:")) != -1) {
		if (option == 'm')
			port = optarg;
		else if (option == 't')
			timeout.tv_sec = atoi(optarg);
		else
			return 2;
	}
	if (argc - optind < 3) {
		fputs("usage: mntstorm [-m PORT] [-t SECONDS] THREADS HOST PATH...\n", stderr);
		return 2;
	}
	n_threads = atoi(argv[optind]);
	host = argv[optind + 1];
	paths = argv + optind + 2;
	n_paths = argc - optind - 2;
	threads = calloc((size_t)n_threads, sizeof(*threads));
	if (!threads || n_threads < 1 ||
	    pthread_barrier_init(&start, NULL, (unsigned int)n_threads) != 0)
		fail("cannot have %d threads", n_threads);
	for (int i = 0; i < n_threads; i++)
		if (pthread_create(&threads[i], NULL, run, (void *)(intptr_t)i) != 0)
			fail("cannot make thread %d", i);
	for (int i = 0; i < n_threads; i++)
		pthread_join(threads[i], NULL);
	free(threads);
	return n_failed ? 1 : 0;
}
