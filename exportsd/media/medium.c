/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* medium.c - the table of the life of a medium. */

#include "exportsd/media/medium.h"

/* What a row is judged by, and may change. */
struct step {
	struct medium_course *course;
	enum medium_event event;
	const struct medium_limits *limits;
	const struct medium_now *now;
};

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* ---- in which case ---- */

static bool is_remembered(const struct step *step)
{
	return step->now->usec < step->course->wake_usec;
}

static bool is_for_others(const struct step *step)
{
	return step->course->reason == MEDIUM_REFUSED && step->now->is_for_others;
}

static bool is_over(const struct step *step)
{
	return step->now->usec - step->course->begun_usec >= step->limits->deadline_usec;
}

/* It was broken not long ago: one attempt shows whether it still is. */
static bool was_broken(const struct step *step)
{
	return step->course->broken_usec &&
	       step->now->usec - step->course->broken_usec <
		       step->limits->deadline_usec + step->limits->longest_pause_usec;
}

static bool is_hopeless(const struct step *step)
{
	return !step->limits->never_fails && (is_over(step) || was_broken(step));
}

static bool is_of_no_use(const struct step *step)
{
	return !step->now->is_awaited && is_over(step);
}

static bool was_absent(const struct step *step)
{
	return step->course->reason == MEDIUM_ABSENT;
}

static bool was_lost(const struct step *step)
{
	return step->course->reason == MEDIUM_LOST;
}

static bool turns(const struct step *step)
{
	return step->now->turns;
}

static bool is_patient(const struct step *step)
{
	return step->now->usec < step->course->begun_usec + step->now->patience_usec;
}

static bool is_tiresome(const struct step *step)
{
	return !step->course->has_tried_all &&
	       step->now->usec - step->course->begun_usec >= MEDIUM_TRY_ALL_USEC;
}

/* ---- what changes with it ---- */

static void begin(const struct step *step)
{
	step->course->begun_usec = step->now->usec;
	step->course->pause_usec = 0;
	step->course->has_tried_all = false;
}

static void be_well(const struct step *step)
{
	step->course->broken_usec = 0;
}

static void say_no(const struct step *step)
{
	step->course->reason = step->event;
	step->course->broken_usec = 0;
	step->course->wake_usec = step->now->usec + MEDIUM_NO_USEC;
}

static void give_up(const struct step *step)
{
	step->course->reason = step->event;
	step->course->broken_usec = step->now->usec;
	step->course->wake_usec =
		step->now->usec + max(MEDIUM_NO_USEC, step->limits->longest_pause_usec);
}

/* Each pause is twice the last one. */
static void pause_on(const struct step *step)
{
	struct medium_course *course = step->course;
	uint64_t pause_usec = course->pause_usec ? 2 * course->pause_usec : MEDIUM_FIRST_PAUSE_USEC;

	pause_usec = min(pause_usec, step->limits->longest_pause_usec);
	course->pause_usec = max(pause_usec, MEDIUM_LEAST_PAUSE_USEC);
	course->reason = step->event;
	course->wake_usec = step->now->usec + course->pause_usec;
}

/* The last attempt at a broken medium is made when the deadline ends. */
static void pause_broken(const struct step *step)
{
	struct medium_course *course = step->course;

	pause_on(step);
	if (!step->limits->never_fails)
		course->wake_usec =
			min(course->wake_usec, course->begun_usec + step->limits->deadline_usec);
}

/* The last look is when the patience ends. */
static void wait_for_holders(const struct step *step)
{
	struct medium_course *course = step->course;
	uint64_t pause_usec = course->pause_usec ? 2 * course->pause_usec : MEDIUM_FIRST_TRY_USEC;

	course->pause_usec = min(pause_usec, MEDIUM_LONGEST_TRY_USEC);
	course->wake_usec = min(step->now->usec + course->pause_usec,
				course->begun_usec + step->now->patience_usec);
}

static void note_all(const struct step *step)
{
	step->course->has_tried_all = true;
}

/* ---- the table ---- */

#define NUMBER (1u << MEDIUM_NUMBER)
#define MOUNT (1u << MEDIUM_MOUNT)
#define DRAIN (1u << MEDIUM_DRAIN)
#define BOTH (NUMBER | MOUNT)

#define IDLE (1u << MEDIUM_IDLE)
#define ASKING (1u << MEDIUM_ASKING)
#define WAITING (1u << MEDIUM_WAITING)
#define PAUSING (1u << MEDIUM_PAUSING)
#define DONE (1u << MEDIUM_DONE)
#define FAILED (1u << MEDIUM_FAILED)
#define QUEUED (1u << MEDIUM_QUEUED)
#define LOOKING (1u << MEDIUM_LOOKING)
#define TRYING (1u << MEDIUM_TRYING)
#define UNMOUNTING (1u << MEDIUM_UNMOUNTING)
#define BEGUN (TRYING | UNMOUNTING)
#define ANY (~0u)

/*
 * In these stages of these parts, when that happens, in this case (NULL: in any): the next stage,
 * what changes, and what is to be done. The first row counts; what has none changes nothing.
 */
static const struct way {
	unsigned int parts, stages;
	enum medium_event event;
	bool (*in_case)(const struct step *step);
	enum medium_stage next;
	void (*change)(const struct step *step);
	enum medium_action action;
} ways[] = {
	/* clang-format off */
	/* Is there such a medium, and what is its number? Have it mounted. */
	{ BOTH, IDLE | DONE, MEDIUM_WANTED, NULL, MEDIUM_ASKING, begin, MEDIUM_ASK },
	{ BOTH, FAILED, MEDIUM_WANTED, is_for_others, MEDIUM_ASKING, begin, MEDIUM_ASK },
	{ BOTH, FAILED, MEDIUM_WANTED, is_remembered, MEDIUM_FAILED, NULL, MEDIUM_TELL_AGAIN },
	{ BOTH, FAILED, MEDIUM_WANTED, NULL, MEDIUM_ASKING, begin, MEDIUM_ASK },
	{ BOTH, ASKING, MEDIUM_WAITS, NULL, MEDIUM_WAITING, NULL, MEDIUM_FETCH },
	{ BOTH, WAITING, MEDIUM_SERVED, NULL, MEDIUM_ASKING, NULL, MEDIUM_GO_ON },
	{ BOTH, ANY, MEDIUM_FOUND, NULL, MEDIUM_DONE, be_well, MEDIUM_TELL },
	{ BOTH, ANY, MEDIUM_ABSENT, NULL, MEDIUM_FAILED, say_no, MEDIUM_TELL },
	{ BOTH, ANY, MEDIUM_REFUSED, NULL, MEDIUM_FAILED, say_no, MEDIUM_TELL },
	{ BOTH, ANY, MEDIUM_BROKEN, is_hopeless, MEDIUM_FAILED, give_up, MEDIUM_TELL },
	{ BOTH, ANY, MEDIUM_BROKEN, NULL, MEDIUM_PAUSING, pause_broken, MEDIUM_SLEEP },
	{ BOTH, ANY, MEDIUM_DELAYED, NULL, MEDIUM_PAUSING, pause_on, MEDIUM_SLEEP },
	{ BOTH, ANY, MEDIUM_LOST, NULL, MEDIUM_PAUSING, pause_on, MEDIUM_SLEEP },
	{ BOTH, PAUSING, MEDIUM_TIMER, is_of_no_use, MEDIUM_IDLE, NULL, MEDIUM_FORGET },
	{ BOTH, PAUSING, MEDIUM_TIMER, NULL, MEDIUM_ASKING, NULL, MEDIUM_ASK },
	{ BOTH, FAILED, MEDIUM_TIMER, NULL, MEDIUM_IDLE, NULL, MEDIUM_FORGET },
	{ BOTH, PAUSING, MEDIUM_RETURNED, was_lost, MEDIUM_PAUSING, NULL, MEDIUM_WAKE },
	/* The number alone. */
	{ NUMBER, FAILED, MEDIUM_APPEARED, NULL, MEDIUM_IDLE, NULL, MEDIUM_STAY },
	{ NUMBER, ANY, MEDIUM_STOPPED, NULL, MEDIUM_IDLE, NULL, MEDIUM_STAY },
	/* The mount alone. */
	{ MOUNT, FAILED, MEDIUM_APPEARED, was_absent, MEDIUM_IDLE, NULL, MEDIUM_STAY },
	{ MOUNT, IDLE, MEDIUM_SIGHTED, NULL, MEDIUM_IDLE, NULL, MEDIUM_LOOK },
	{ MOUNT, ANY, MEDIUM_DRAINED, NULL, MEDIUM_IDLE, NULL, MEDIUM_STAY },
	{ MOUNT, ~DONE, MEDIUM_STOPPED, NULL, MEDIUM_IDLE, NULL, MEDIUM_STAY },
	{ MOUNT, ANY, MEDIUM_LEFT, NULL, MEDIUM_IDLE, NULL, MEDIUM_STAY },
	/* Have it unmounted. */
	{ DRAIN, IDLE | QUEUED, MEDIUM_WISHED, NULL, MEDIUM_QUEUED, NULL, MEDIUM_QUEUE },
	{ DRAIN, QUEUED, MEDIUM_WANTED, turns, MEDIUM_IDLE, NULL, MEDIUM_UNQUEUE },
	{ DRAIN, QUEUED, MEDIUM_NEEDED, NULL, MEDIUM_IDLE, NULL, MEDIUM_UNQUEUE },
	{ DRAIN, QUEUED, MEDIUM_CALLED, NULL, MEDIUM_LOOKING, begin, MEDIUM_BEGIN },
	{ DRAIN, LOOKING, MEDIUM_NEEDED, NULL, MEDIUM_IDLE, NULL, MEDIUM_TURN },
	{ DRAIN, LOOKING, MEDIUM_HELD, NULL, MEDIUM_IDLE, NULL, MEDIUM_GIVE_UP },
	{ DRAIN, LOOKING, MEDIUM_SERVED, NULL, MEDIUM_TRYING, begin, MEDIUM_TRY },
	{ DRAIN, LOOKING | TRYING, MEDIUM_WANTED, turns, MEDIUM_IDLE, NULL, MEDIUM_TURN },
	{ DRAIN, TRYING, MEDIUM_TIMER, is_tiresome, MEDIUM_TRYING, note_all, MEDIUM_TRY_ALL },
	{ DRAIN, TRYING, MEDIUM_TIMER, NULL, MEDIUM_TRYING, NULL, MEDIUM_TRY },
	{ DRAIN, LOOKING | TRYING, MEDIUM_FREE, NULL, MEDIUM_UNMOUNTING, NULL, MEDIUM_UNMOUNT },
	{ DRAIN, BEGUN, MEDIUM_BUSY, is_patient, MEDIUM_TRYING, wait_for_holders, MEDIUM_SLEEP },
	{ DRAIN, BEGUN, MEDIUM_BUSY, NULL, MEDIUM_IDLE, NULL, MEDIUM_GIVE_UP },
	{ DRAIN, LOOKING | BEGUN, MEDIUM_UNMOUNTED, NULL, MEDIUM_IDLE, NULL, MEDIUM_END },
	{ DRAIN, UNMOUNTING, MEDIUM_BROKEN, NULL, MEDIUM_IDLE, NULL, MEDIUM_FAIL },
	{ DRAIN, ~IDLE, MEDIUM_STOPPED, NULL, MEDIUM_IDLE, NULL, MEDIUM_STOP },
	/* clang-format on */
};

static bool is_way(const struct way *way, enum medium_part part, const struct step *step)
{
	return way->parts & 1u << part && way->stages & 1u << step->course->stage &&
	       way->event == step->event && (!way->in_case || way->in_case(step));
}

enum medium_action medium_step(struct medium_life *life, enum medium_part part,
			       enum medium_event event, const struct medium_limits *limits,
			       const struct medium_now *now)
{
	struct step step = {
		.course = &life->part[part], .event = event, .limits = limits, .now = now
	};

	for (const struct way *way = ways; way < ways + N_ELEMENTS(ways); way++) {
		if (!is_way(way, part, &step))
			continue;
		if (way->change)
			way->change(&step);
		step.course->stage = way->next;
		return way->action;
	}
	return MEDIUM_STAY;
}
