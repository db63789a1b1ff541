/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * clock.c - time passes only when everybody waits for it.
 *
 * What all share lies in a memory file: the time, and a slot for each thread that waits with a time-out, with the time when it ends.
 * One that waits looks whether its descriptors are ready, then whether all others are asleep, and if so puts the clock forward
 * to the first of all these times. If not, it naps in real time (on its descriptors), and looks again. Whose time has come counts as awake until
 * it has noticed.
 *
 * Who is asleep is asked of /proc, twice: who slept both times and was not switched to in between slept all the
 * while, and so there was a moment when all did. What is ready after it was ready in it, or never will be by itself.
 */

#include "tests/fake/clock.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
	SLOTS_MAX = 1024,
	SLEEPERS_MAX = 256,
	TIMERS_MAX = 64,
	SEEN_MAX = 4096,
	NAP_MSEC_MAX = 8,
	HIGH_FD = 400
};
static const uint64_t second_nsec = 1000000000, reading_nsec = 1000, never = UINT64_MAX;

/* A thread that was seen asleep: if it was not switched to since then, it still is. */
struct seen {
	long thread;
	unsigned long switches;
};

/* One that knows nothing of this clock, and until when it sleeps. */
struct sleeper {
	struct seen seen;
	uint64_t until;
};

/* A thread that waits, and until when. */
struct slot {
	_Atomic pid_t thread; /* 0: free */
	_Atomic bool has_fds; /* for which it waits as well */
	_Atomic unsigned long turn; /* another one each time it is taken */
	_Atomic uint64_t until;
};

struct shared {
	_Atomic uint64_t now; /* CLOCK_MONOTONIC, nanoseconds */
	uint64_t to_boottime, to_realtime; /* added to that */
	pid_t top; /* this process and those below it */
	pthread_mutex_t looking; /* one at a time */
	_Atomic uint64_t looked_at; /* in real time */
	_Atomic bool disks_may_be_dead;
	_Atomic uint32_t n_steps; /* forward; a futex */
	struct sleeper sleepers[SLEEPERS_MAX]; /* who looks may touch them */
	struct slot slots[SLOTS_MAX];
};

/* A timer of this process: a real one, which is let fire when its time has come. */
struct timer {
	int fd;
	clockid_t clock;
	uint64_t at;
};

static struct shared *shared;
static struct timer timers[TIMERS_MAX];
static size_t n_timers;
static pid_t timers_of;

/* ---- the real ones ---- */

#define REAL(function)                                                                             \
	({                                                                                         \
		static __typeof__(function) *real;                                                 \
		if (!real)                                                                         \
			real = (__typeof__(function) *)dlsym(RTLD_NEXT, #function);                \
		real;                                                                              \
	})

static uint64_t real_nsec(clockid_t clock)
{
	struct timespec now;

	(void)REAL(clock_gettime)(clock, &now);
	return (uint64_t)now.tv_sec * second_nsec + (uint64_t)now.tv_nsec;
}

/* ---- what is shared ---- */

static void make_lock(void)
{
	pthread_mutexattr_t attributes;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&shared->looking, &attributes);
	pthread_mutexattr_destroy(&attributes);
}

static struct shared *map(int fd)
{
	void *memory = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

void clock_begin_anew(void)
{
	int low = memfd_create("clock", MFD_CLOEXEC), fd = fcntl(low, F_DUPFD_CLOEXEC, HIGH_FD);
	uint64_t now = shared ? atomic_load(&shared->now) : real_nsec(CLOCK_MONOTONIC);
	char path[64];

	if (fd < 0 || ftruncate(fd, sizeof(*shared)) < 0 || !(shared = map(fd))) {
		fprintf(stderr, "clock: %s\n", strerror(errno));
		abort();
	}
	close(low);
	shared->now = now;
	shared->to_boottime = real_nsec(CLOCK_BOOTTIME) - now;
	shared->to_realtime = real_nsec(CLOCK_REALTIME) - now;
	shared->top = getpid();
	prctl(PR_SET_CHILD_SUBREAPER, 1); /* whose parent died stays below */
	make_lock();
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), fd);
	setenv("TEST_CLOCK", path, 1);
}

/* Without the processes in /proc nobody can tell who sleeps. */
static bool has_proc(void)
{
	char self[32] = "";

	return readlink("/proc/self", self, sizeof(self) - 1) > 0 && atoi(self) == getpid();
}

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("TEST_CLOCK");
	int fd;

	if (!path) {
		if (has_proc())
			clock_begin_anew();
	} else if (*path && (fd = open(path, O_RDWR | O_CLOEXEC)) >= 0) {
		shared = map(fd);
		close(fd);
	}
}

void clock_let_run(unsigned int usec)
{
	struct timespec time = { .tv_nsec = (long)usec * 1000 };

	(void)REAL(nanosleep)(&time, NULL);
}

void clock_disks_may_be_dead(void)
{
	if (shared)
		atomic_store(&shared->disks_may_be_dead, true);
}

void clock_is_real(void)
{
	shared = NULL;
	setenv("TEST_CLOCK", "", 1);
}

/* ---- who is asleep ---- */

struct look {
	struct seen seen[SEEN_MAX];
	size_t n;
	bool has_threads; /* others of this process */
	bool has_disks; /* that are waited for */
	bool is_second; /* then also what they sleep in */
	uint64_t first; /* until when */
};

static bool read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n >= 0;
}

static unsigned long number_after(const char *text, const char *key)
{
	const char *found = strstr(text, key);

	return found ? strtoul(found + strlen(key), NULL, 10) : 0;
}

static bool is_thread(pid_t thread)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", (int)thread);
	return access(path, F_OK) == 0;
}

static const struct slot *slot_of(pid_t thread)
{
	for (size_t i = 0; i < SLOTS_MAX; i++)
		if (atomic_load(&shared->slots[i].thread) == thread)
			return &shared->slots[i];
	return NULL;
}

/* A time in another process' memory. */
static uint64_t time_at(pid_t thread, unsigned long address)
{
	struct timespec time;
	struct iovec here = { .iov_base = &time, .iov_len = sizeof(time) };
	struct iovec there = { .iov_base = (void *)address, .iov_len = sizeof(time) };

	if (!address)
		return never;
	if (process_vm_readv(thread, &here, 1, &there, 1, 0) != sizeof(time))
		return 0;
	return (uint64_t)time.tv_sec * second_nsec + (uint64_t)time.tv_nsec;
}

static uint64_t msec_of(unsigned long msec)
{
	return (int)msec < 0 ? never : (uint64_t)msec * 1000000;
}

/* How long does it sleep if nothing wakes it, in real time? never; 0: nobody can tell. */
static uint64_t sleep_of(pid_t thread, const char *directory)
{
	unsigned long a[6] = { 0 };
	char path[96], text[256];
	long number;

	snprintf(path, sizeof(path), "%s/syscall", directory);
	if (!read_text(path, text, sizeof(text)))
		return never;
	if (sscanf(text, "%ld %lx %lx %lx %lx %lx", &number, &a[0], &a[1], &a[2], &a[3], &a[4]) < 6)
		return 0;
	switch (number) {
#ifdef SYS_nanosleep
	case SYS_nanosleep: return time_at(thread, a[0]);
#endif
#ifdef SYS_poll
	case SYS_poll: return msec_of(a[2]);
#endif
#ifdef SYS_epoll_wait
	case SYS_epoll_wait: return msec_of(a[3]);
#endif
#ifdef SYS_select
	case SYS_select: return a[4] ? 0 : never;
#endif
	case SYS_clock_nanosleep: return a[1] & TIMER_ABSTIME ? 0 : time_at(thread, a[2]);
	case SYS_epoll_pwait: return msec_of(a[3]);
	case SYS_epoll_pwait2: return time_at(thread, a[3]);
	case SYS_ppoll: return time_at(thread, a[2]);
	case SYS_pselect6: return a[4] ? 0 : never;
	default: return never;
	}
}

/*
 * Until when sleeps one that knows nothing of this clock? The first time it is seen asleep it has just begun to, as the clock stands still while
 * it does anything else.
 */
static uint64_t sleeps_until(const struct seen *seen, const char *directory)
{
	uint64_t now = atomic_load(&shared->now), length;
	struct sleeper *sleeper = NULL;

	for (size_t i = 0; i < SLEEPERS_MAX; i++) {
		struct sleeper *this = &shared->sleepers[i];

		if (this->seen.thread == seen->thread)
			sleeper = this;
		else if (!sleeper && (!this->seen.thread || !is_thread(this->seen.thread)))
			sleeper = this;
	}
	if (!sleeper)
		return 0;
	if (sleeper->seen.thread == seen->thread && sleeper->seen.switches == seen->switches)
		return sleeper->until;
	length = sleep_of(seen->thread, directory);
	*sleeper =
		(struct sleeper){ .seen = *seen, .until = length == never ? never : now + length };
	return sleeper->until;
}

static bool is_known(const struct seen *seen)
{
	for (size_t i = 0; i < SLEEPERS_MAX; i++)
		if (memcmp(&shared->sleepers[i].seen, seen, sizeof(*seen)) == 0)
			return true;
	return false;
}

/* Is it asleep, for good or until a time that is still to come? */
static bool sleeps(struct look *look, const char *directory, pid_t thread)
{
	const struct slot *slot = slot_of(thread);
	uint64_t now = atomic_load(&shared->now), until;
	char path[96], text[4096], state;
	const char *found;
	struct seen *seen;

	if (slot && atomic_load(&slot->until) <= now)
		return false;
	if (slot && !atomic_load(&slot->has_fds))
		return true;
	snprintf(path, sizeof(path), "%s/status", directory);
	if (!read_text(path, text, sizeof(text)) || !(found = strstr(text, "\nState:\t")))
		return true; /* it has just ended */
	state = found[8];
	if (state == 'Z' || state == 'X' || state == 'T')
		return true;
	if (state != 'S' && !(state == 'D' && atomic_load(&shared->disks_may_be_dead)))
		return false;
	if (look->n == SEEN_MAX)
		return false;
	seen = &look->seen[look->n++];
	*seen = (struct seen){
		.thread = thread,
		.switches = slot ? atomic_load(&slot->turn)
				 : number_after(text, "\nvoluntary_ctxt_switches:") +
					    number_after(text, "\nnonvoluntary_ctxt_switches:"),
	};
	if (state == 'D')
		look->has_disks |= !is_known(seen);
	if (slot || !look->is_second)
		return true;
	until = sleeps_until(seen, directory);
	if (until < look->first)
		look->first = until;
	return until > now;
}

static bool all_sleep_below(struct look *look, pid_t process);

static bool children_sleep(struct look *look, const char *directory)
{
	char path[96], text[4096], *p = text, *end;
	bool do_sleep = true;

	snprintf(path, sizeof(path), "%s/children", directory);
	(void)read_text(path, text, sizeof(text));
	for (;; p = end) {
		pid_t child = (pid_t)strtol(p, &end, 10);

		if (end == p || !do_sleep)
			return do_sleep;
		do_sleep = all_sleep_below(look, child);
	}
}

static bool all_sleep_below(struct look *look, pid_t process)
{
	pid_t self = gettid();
	char path[64], directory[64];
	struct dirent *entry;
	bool do_sleep = true;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)process);
	tasks = opendir(path);
	while (do_sleep && tasks && (entry = readdir(tasks))) {
		pid_t thread = (pid_t)atoi(entry->d_name);

		if (thread <= 0)
			continue;
		snprintf(directory, sizeof(directory), "/proc/%d/task/%d", (int)process,
			 (int)thread);
		if (thread != self) {
			look->has_threads |= process == getpid();
			do_sleep = sleeps(look, directory, thread);
		}
		do_sleep = do_sleep && children_sleep(look, directory);
	}
	if (tasks)
		closedir(tasks);
	return do_sleep;
}

static bool all_others_sleep(uint64_t *ret_until)
{
	static struct look first, second;

	first.n = second.n = 0;
	first.has_threads = first.has_disks = false;
	second.is_second = true;
	second.first = never;
	if (!all_sleep_below(&first, shared->top))
		return false;
	if (first.has_disks)
		clock_let_run(100000);
	else if (first.has_threads)
		clock_let_run(1000); /* valgrind runs one at a time, and others look asleep */
	if (first.n > 0 && (!all_sleep_below(&second, shared->top) || second.n != first.n ||
			    memcmp(first.seen, second.seen, first.n * sizeof(*first.seen)) != 0))
		return false;
	*ret_until = second.first;
	return true;
}

/* ---- to wait ---- */

static struct slot *take_slot(uint64_t until, bool has_fds)
{
	for (size_t i = 0; i < SLOTS_MAX; i++) {
		pid_t nobody = 0;

		if (atomic_compare_exchange_strong(&shared->slots[i].thread, &nobody, -1)) {
			atomic_store(&shared->slots[i].until, until);
			atomic_store(&shared->slots[i].has_fds, has_fds);
			atomic_fetch_add(&shared->slots[i].turn, 1);
			atomic_store(&shared->slots[i].thread, gettid());
			return &shared->slots[i];
		}
	}
	fprintf(stderr, "clock: too many wait\n");
	abort();
}

/* The first time that anybody waits for. Who was killed while it waited has left its slot. */
static uint64_t first_of_all(uint64_t first)
{
	for (size_t i = 0; i < SLOTS_MAX; i++) {
		pid_t thread = atomic_load(&shared->slots[i].thread);

		if (thread > 0 && !is_thread(thread))
			atomic_store(&shared->slots[i].thread, 0);
		else if (thread > 0 && atomic_load(&shared->slots[i].until) < first)
			first = atomic_load(&shared->slots[i].until);
	}
	return first;
}

/* What somebody waits for besides a time. */
struct wait {
	/* Is it there within so long, in real time? */
	int (*look)(struct wait *wait, int msec);
	int epoll;
	struct epoll_event *events;
	int n_events;
	struct pollfd *fds;
	nfds_t n_fds;
};

/* Put the clock forward if all sleep. Returns what look() does, if that is not 0. */
static int go_on(struct wait *wait, bool *ret_did)
{
	int n = 0, r = pthread_mutex_trylock(&shared->looking);
	uint64_t first;

	*ret_did = false;
	if (r == EOWNERDEAD)
		pthread_mutex_consistent(&shared->looking);
	else if (r != 0)
		return 0;
	if (all_others_sleep(&first) && (n = wait->look(wait, 0)) == 0) {
		first = first_of_all(first);
		*ret_did = first != never && first > atomic_load(&shared->now);
	}
	if (*ret_did) {
		atomic_store(&shared->now, first);
		atomic_fetch_add(&shared->n_steps, 1);
		syscall(SYS_futex, &shared->n_steps, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	}
	atomic_store(&shared->looked_at, real_nsec(CLOCK_MONOTONIC));
	pthread_mutex_unlock(&shared->looking);
	return n;
}

static uint64_t now_nsec(void)
{
	return atomic_fetch_add(&shared->now, reading_nsec);
}

static struct timer *timer_of(int fd)
{
	if (timers_of != getpid()) {
		n_timers = 0;
		timers_of = getpid();
	}
	for (size_t i = 0; i < n_timers; i++)
		if (timers[i].fd == fd)
			return &timers[i];
	return NULL;
}

static void fire(struct timer *timer)
{
	struct itimerspec at_once = { .it_value = { .tv_nsec = 1 } };
	struct pollfd fired = { .fd = timer->fd, .events = POLLIN };

	timer->at = never;
	if (REAL(timerfd_settime)(timer->fd, TFD_TIMER_ABSTIME, &at_once, NULL) == 0)
		(void)REAL(poll)(&fired, 1, 1000);
	else
		*timer = timers[--n_timers]; /* it was closed, its number may be something else's */
}

/* Let those fire whose time has come. Returns the time of the next. */
static uint64_t fire_timers(void)
{
	uint64_t first = never, now = atomic_load(&shared->now);

	(void)timer_of(-1);
	for (size_t i = n_timers; i-- > 0;)
		if (timers[i].at <= now)
			fire(&timers[i]);
	for (size_t i = 0; i < n_timers; i++)
		if (timers[i].at < first)
			first = timers[i].at;
	return first;
}

/* Wait for something, or a time. Returns what look() says of it; 0 at the time. */
static int wait_until(struct wait *wait, uint64_t until, bool with_timers)
{
	struct slot *slot = take_slot(until, true);
	int n, nap_msec = 1;

	for (;;) {
		uint64_t first = with_timers ? fire_timers() : never;
		bool did;

		atomic_store(&slot->until, first < until ? first : until);
		n = wait->look(wait, first == never && until == never ? -1 : 0);
		if (n != 0 || atomic_load(&shared->now) >= until)
			break;
		n = go_on(wait, &did);
		if (n == 0 && !did) {
			n = wait->look(wait, nap_msec);
			if (nap_msec < NAP_MSEC_MAX)
				nap_msec *= 2;
		}
		if (n != 0)
			break;
	}
	atomic_store(&slot->thread, 0);
	return n;
}

static int look_at_nothing(struct wait *wait, int msec)
{
	return 0;
}

/*
 * The test's own thread puts the clock forward. If that does not for a while, because it waits for this one, this one does.
 */
static void sleep_until(uint64_t until)
{
	static const uint64_t while_nsec = 20000000;
	struct timespec nap = { .tv_nsec = (long)while_nsec };
	struct wait nothing = { .look = look_at_nothing };
	struct slot *slot = take_slot(until, false);

	while (atomic_load(&shared->now) < until) {
		uint32_t n_steps = atomic_load(&shared->n_steps);
		bool did;

		if (gettid() == shared->top ||
		    real_nsec(CLOCK_MONOTONIC) > atomic_load(&shared->looked_at) + while_nsec)
			(void)go_on(&nothing, &did);
		if (atomic_load(&shared->now) < until)
			syscall(SYS_futex, &shared->n_steps, FUTEX_WAIT, n_steps, &nap, NULL, 0);
	}
	atomic_store(&slot->thread, 0);
}

static uint64_t in_msec(int msec)
{
	return msec < 0 ? never : now_nsec() + (uint64_t)msec * 1000000;
}

static int look_at_epoll(struct wait *wait, int msec)
{
	return REAL(epoll_wait)(wait->epoll, wait->events, wait->n_events, msec);
}

static int look_at_fds(struct wait *wait, int msec)
{
	return REAL(poll)(wait->fds, wait->n_fds, msec);
}

/* ---- in the C library's place ---- */

int clock_gettime(clockid_t clock, struct timespec *ret_now)
{
	uint64_t now;

	if (!shared)
		return REAL(clock_gettime)(clock, ret_now);
	switch (clock) {
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_MONOTONIC_RAW: now = now_nsec(); break;
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM: now = now_nsec() + shared->to_boottime; break;
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_REALTIME_ALARM: now = now_nsec() + shared->to_realtime; break;
	default: return REAL(clock_gettime)(clock, ret_now);
	}
	*ret_now = (struct timespec){ .tv_sec = (time_t)(now / second_nsec),
				      .tv_nsec = (long)(now % second_nsec) };
	return 0;
}

time_t time(time_t *ret_now)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (ret_now)
		*ret_now = now.tv_sec;
	return now.tv_sec;
}

int gettimeofday(struct timeval *restrict ret_now, void *restrict zone)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	*ret_now = (struct timeval){ .tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000 };
	return 0;
}

int timerfd_create(int clock, int flags)
{
	int fd = REAL(timerfd_create)(clock, flags);
	struct timer *timer;

	if (!shared || fd < 0)
		return fd;
	timer = timer_of(fd);
	if (!timer && n_timers == TIMERS_MAX) {
		fprintf(stderr, "clock: too many timers\n");
		abort();
	}
	if (!timer)
		timer = &timers[n_timers++];
	*timer = (struct timer){ .fd = fd, .clock = clock, .at = never };
	return fd;
}

static uint64_t offset_of(clockid_t clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM	  ? shared->to_realtime
	       : clock == CLOCK_BOOTTIME || clock == CLOCK_BOOTTIME_ALARM ? shared->to_boottime
									  : 0;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old)
{
	static const struct itimerspec off;
	uint64_t at =
		(uint64_t) new->it_value.tv_sec *second_nsec + (uint64_t) new->it_value.tv_nsec;
	struct timer *timer = shared ? timer_of(fd) : NULL;
	int r;

	if (!timer)
		return REAL(timerfd_settime)(fd, flags, new, old);
	r = REAL(timerfd_settime)(fd, 0, &off, old);
	if (r < 0)
		return r;
	if (at == 0)
		timer->at = never;
	else if (flags & TFD_TIMER_ABSTIME)
		timer->at = at - (at > offset_of(timer->clock) ? offset_of(timer->clock) : at);
	else
		timer->at = now_nsec() + at;
	return 0;
}

int epoll_wait(int epoll, struct epoll_event *events, int n_events, int msec)
{
	struct wait wait = {
		.look = look_at_epoll, .epoll = epoll, .events = events, .n_events = n_events
	};

	if (!shared)
		return look_at_epoll(&wait, msec);
	return wait_until(&wait, in_msec(msec), true);
}

int epoll_pwait2(int epoll, struct epoll_event *events, int n_events,
		 const struct timespec *timeout, const sigset_t *signals)
{
	struct wait wait = {
		.look = look_at_epoll, .epoll = epoll, .events = events, .n_events = n_events
	};

	if (!shared || signals)
		return REAL(epoll_pwait2)(epoll, events, n_events, timeout, signals);
	return wait_until(&wait,
			  timeout ? now_nsec() + (uint64_t)timeout->tv_sec * second_nsec +
					    (uint64_t)timeout->tv_nsec
				  : never,
			  true);
}

int poll(struct pollfd *fds, nfds_t n_fds, int msec)
{
	struct wait wait = { .look = look_at_fds, .fds = fds, .n_fds = n_fds };

	if (!shared || msec <= 0)
		return look_at_fds(&wait, msec);
	return wait_until(&wait, in_msec(msec), false);
}

int nanosleep(const struct timespec *time, struct timespec *ret_rest)
{
	if (!shared)
		return REAL(nanosleep)(time, ret_rest);
	sleep_until(now_nsec() + (uint64_t)time->tv_sec * second_nsec + (uint64_t)time->tv_nsec);
	return 0;
}

int usleep(useconds_t usec)
{
	struct timespec time = { .tv_sec = (time_t)(usec / 1000000),
				 .tv_nsec = (long)(usec % 1000000) * 1000 };

	return nanosleep(&time, NULL);
}

unsigned int sleep(unsigned int seconds)
{
	struct timespec time = { .tv_sec = (time_t)seconds };

	return nanosleep(&time, NULL) < 0 ? seconds : 0;
}
