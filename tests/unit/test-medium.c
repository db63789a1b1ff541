/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The table of the life of a medium: pure, so each case is a few steps with made-up times. */

#include "exportsd/media/medium.h"
#include "tests/tap.h"

enum { SECOND = 1000000 };
static const struct medium_limits limits = { .deadline_usec = 120ull * SECOND,
					     .longest_pause_usec = 15ull * SECOND };

/* Of the part under test. */
static enum medium_part part = MEDIUM_MOUNT;

static enum medium_action step_by(struct medium_life *life, enum medium_event event,
				  const struct medium_limits *by, bool is_awaited, uint64_t now_sec)
{
	return medium_step(
		life, part, event, by,
		&(struct medium_now){ .usec = now_sec * SECOND, .is_awaited = is_awaited });
}

static enum medium_action step(struct medium_life *life, enum medium_event event, uint64_t now_sec)
{
	return step_by(life, event, &limits, true, now_sec);
}

static struct medium_course *course(struct medium_life *life)
{
	return &life->part[part];
}

static void test_good(void)
{
	struct medium_life life = { 0 };

	is_int(step(&life, MEDIUM_WANTED, 100), MEDIUM_ASK, "wanted: the handler is asked");
	is_int(step(&life, MEDIUM_WANTED, 101), MEDIUM_STAY,
	       "wanted again meanwhile: not asked again");
	is_int(step(&life, MEDIUM_FOUND, 108), MEDIUM_TELL, "it is there: told");
	is_int(course(&life)->stage, MEDIUM_DONE, "and it is mounted");
	is_int(step(&life, MEDIUM_WANTED, 200), MEDIUM_ASK, "wanted when it is gone: asked anew");
	is_int((long long)course(&life)->begun_usec, 200ll * SECOND, "with a deadline of its own");
}

static void test_adoption(void)
{
	struct medium_life life = { 0 };

	is_int(step(&life, MEDIUM_FOUND, 1), MEDIUM_TELL, "found mounted: told, nobody was asked");
	step(&life, MEDIUM_WANTED, 1);
	step(&life, MEDIUM_DELAYED, 1);
	is_int(step(&life, MEDIUM_FOUND, 1), MEDIUM_TELL, "found in a pause: told");
	is_int(step(&life, MEDIUM_TIMER, 2), MEDIUM_STAY,
	       "and the pause's timer does nothing then");
}

/* Promise P5: trouble that may pass delays, it never breaks. */
static void test_delays(void)
{
	static const unsigned int pauses[] = { 1, 2, 4, 8, 15, 15, 15 };
	struct medium_life life = { 0 };
	uint64_t now = 1000;
	bool all = true;

	step(&life, MEDIUM_WANTED, now);
	for (size_t i = 0; i < N_ELEMENTS(pauses); i++) {
		all &= step(&life, MEDIUM_DELAYED, now) == MEDIUM_SLEEP;
		all &= course(&life)->wake_usec == (now + pauses[i]) * SECOND;
		now += pauses[i];
		all &= step(&life, MEDIUM_TIMER, now) == MEDIUM_ASK;
	}
	ok(all, "pauses of 1, 2, 4, 8 and then 15 s");
	now += 100000;
	is_int(step(&life, MEDIUM_DELAYED, now), MEDIUM_SLEEP, "a day later it is still asked for");
	is_int(step(&life, MEDIUM_TIMER, now + 15), MEDIUM_ASK, "as long as somebody waits");
	step(&life, MEDIUM_DELAYED, now + 15);
	is_int(step_by(&life, MEDIUM_TIMER, &limits, false, now + 30), MEDIUM_FORGET,
	       "when nobody waits any more, it is forgotten");
	is_int(course(&life)->stage, MEDIUM_IDLE, "and may be wanted anew");
}

static void test_nobody_waits(void)
{
	struct medium_life life = { 0 };

	step(&life, MEDIUM_WANTED, 0);
	step(&life, MEDIUM_DELAYED, 10);
	is_int(step_by(&life, MEDIUM_TIMER, &limits, false, 11), MEDIUM_ASK,
	       "within the deadline it is loaded even if nobody waits: who asked may come back");
}

static void test_broken(void)
{
	struct medium_life life = { 0 };
	uint64_t now = 0;
	unsigned int asked = 1;

	step(&life, MEDIUM_WANTED, 0);
	while (step(&life, MEDIUM_BROKEN, now) == MEDIUM_SLEEP && asked < 100) {
		now = course(&life)->wake_usec / SECOND;
		asked += step(&life, MEDIUM_TIMER, now) == MEDIUM_ASK;
	}
	is_int((long long)now, 120,
	       "a broken medium fails when its deadline is over, not sooner or later");
	is_int(asked, 12, "after attempts at 0, 1, 3, 7, 15, 30, ... 120 s");
	is_int(course(&life)->stage, MEDIUM_FAILED, "failed");
	is_int(course(&life)->reason, MEDIUM_BROKEN, "as broken");
	is_int(step(&life, MEDIUM_WANTED, 134), MEDIUM_TELL_AGAIN,
	       "which is remembered for the longest pause");
	is_int(step(&life, MEDIUM_WANTED, 135), MEDIUM_ASK, "then it is asked for");
	is_int(step(&life, MEDIUM_BROKEN, 136), MEDIUM_TELL, "but only once");
	is_int(step(&life, MEDIUM_TIMER, 151), MEDIUM_FORGET, "forgotten");
	is_int(step(&life, MEDIUM_WANTED, 160), MEDIUM_ASK, "soon afterwards");
	is_int(step(&life, MEDIUM_BROKEN, 161), MEDIUM_TELL, "once as well");
	is_int(step(&life, MEDIUM_TIMER, 176), MEDIUM_FORGET, "forgotten");
	is_int(step(&life, MEDIUM_WANTED, 161 + 135), MEDIUM_ASK, "long afterwards");
	is_int(step(&life, MEDIUM_BROKEN, 161 + 136), MEDIUM_SLEEP, "with a whole deadline");
	step(&life, MEDIUM_TIMER, 161 + 137);
	step(&life, MEDIUM_FOUND, 161 + 138);
	step(&life, MEDIUM_WANTED, 161 + 139);
	is_int(step(&life, MEDIUM_BROKEN, 161 + 140), MEDIUM_SLEEP,
	       "and so after it was mounted once");
}

/* after-deadline = delay */
static void test_never_fails(void)
{
	struct medium_limits endless = limits;
	struct medium_life life = { 0 };

	endless.never_fails = true;
	step_by(&life, MEDIUM_WANTED, &endless, true, 0);
	is_int(step_by(&life, MEDIUM_BROKEN, &endless, true, 1000), MEDIUM_SLEEP,
	       "a broken medium is asked for beyond its deadline");
	is_int(step_by(&life, MEDIUM_TIMER, &endless, true, 1015), MEDIUM_ASK, "again and again");
	step_by(&life, MEDIUM_BROKEN, &endless, true, 1016);
	is_int(step_by(&life, MEDIUM_TIMER, &endless, false, 1031), MEDIUM_FORGET,
	       "until nobody waits for it");
}

static void test_no(void)
{
	static const enum medium_event reasons[] = { MEDIUM_ABSENT, MEDIUM_REFUSED };

	for (size_t i = 0; i < N_ELEMENTS(reasons); i++) {
		struct medium_life life = { 0 };

		step(&life, MEDIUM_WANTED, 10);
		is_int(step(&life, reasons[i], 11), MEDIUM_TELL, "a no is told at once");
		is_int(course(&life)->reason, reasons[i], "with its reason");
		is_int((long long)course(&life)->wake_usec, 16ll * SECOND,
		       "and remembered for 5 s");
		is_int(step(&life, MEDIUM_WANTED, 15), MEDIUM_TELL_AGAIN,
		       "told again without asking");
		is_int((long long)course(&life)->wake_usec, 16ll * SECOND,
		       "which does not make it last longer");
		is_int(step(&life, MEDIUM_TIMER, 16), MEDIUM_FORGET, "then forgotten");
	}
}

/* It waits for something else, and goes on where it was. */
static void test_waiting(void)
{
	struct medium_life life = { 0 };

	step(&life, MEDIUM_WANTED, 100);
	is_int(step(&life, MEDIUM_WAITS, 101), MEDIUM_FETCH, "something is needed first: fetched");
	is_int(step(&life, MEDIUM_WANTED, 102), MEDIUM_STAY, "wanted meanwhile: not asked again");
	is_int(step(&life, MEDIUM_TIMER, 103), MEDIUM_STAY, "no timer runs");
	is_int(step(&life, MEDIUM_SERVED, 104), MEDIUM_GO_ON, "it goes on");
	is_int(step(&life, MEDIUM_SERVED, 105), MEDIUM_STAY, "once");
	step(&life, MEDIUM_WAITS, 106);
	is_int(step(&life, MEDIUM_ABSENT, 107), MEDIUM_TELL, "or fails as what it waited for did");
	is_int(step(&life, MEDIUM_SERVED, 108), MEDIUM_STAY, "then it waits no more");
}

static void test_handler_returns(void)
{
	struct medium_life life = { 0 };

	step(&life, MEDIUM_WANTED, 0);
	step(&life, MEDIUM_DELAYED, 1);
	is_int(step(&life, MEDIUM_RETURNED, 1), MEDIUM_STAY, "a busy one sits its pause out");
	step(&life, MEDIUM_TIMER, 2);
	step(&life, MEDIUM_LOST, 3);
	is_int(step(&life, MEDIUM_RETURNED, 3), MEDIUM_WAKE, "a handler that is back is asked");
	is_int(step(&life, MEDIUM_TIMER, 3), MEDIUM_ASK, "at once");
}

/* A refusal is for whom it was meant; a "no" until the handler lists the medium. */
static void test_other_news(void)
{
	struct medium_life life = { 0 };
	struct medium_now now = { .usec = 12ull * SECOND, .is_awaited = true };

	step(&life, MEDIUM_WANTED, 10);
	step(&life, MEDIUM_REFUSED, 11);
	is_int(medium_step(&life, part, MEDIUM_WANTED, &limits, &now), MEDIUM_TELL_AGAIN,
	       "who was refused is told so again");
	now.is_for_others = true;
	is_int(medium_step(&life, part, MEDIUM_WANTED, &limits, &now), MEDIUM_ASK,
	       "others may be let in");
	step(&life, MEDIUM_ABSENT, 13);
	is_int(medium_step(&life, part, MEDIUM_WANTED, &limits, &now), MEDIUM_TELL_AGAIN,
	       "a no is for all");
	is_int(step(&life, MEDIUM_APPEARED, 14), MEDIUM_STAY, "until the handler lists it");
	is_int(course(&life)->stage, MEDIUM_IDLE, "then it is forgotten");
	step(&life, MEDIUM_WANTED, 15);
	step(&life, MEDIUM_REFUSED, 16);
	step(&life, MEDIUM_APPEARED, 17);
	is_int(course(&life)->stage, MEDIUM_FAILED, "a refusal is not");
}

static void test_ends(void)
{
	struct medium_life life = { 0 };

	is_int(step(&life, MEDIUM_SIGHTED, 1), MEDIUM_LOOK, "somebody may have mounted it");
	step(&life, MEDIUM_FOUND, 1);
	is_int(step(&life, MEDIUM_SIGHTED, 2), MEDIUM_STAY, "which is known by now");
	step(&life, MEDIUM_STOPPED, 3);
	is_int(course(&life)->stage, MEDIUM_DONE, "its rule goes: it stays mounted");
	step(&life, MEDIUM_LEFT, 3);
	is_int(course(&life)->stage, MEDIUM_IDLE, "and is nobody's");
	step(&life, MEDIUM_FOUND, 4);
	step(&life, MEDIUM_DRAINED, 5);
	is_int(course(&life)->stage, MEDIUM_IDLE, "it is unmounted");
	step(&life, MEDIUM_WANTED, 6);
	step(&life, MEDIUM_STOPPED, 7);
	is_int(course(&life)->stage, MEDIUM_IDLE, "its rule goes while it is asked for");
}

/* Whatever happens, it stays within its stages, and its pauses within their limits. */
static void test_random(void)
{
	struct medium_life life = { 0 };
	uint64_t now = 1;
	bool good = true;

	for (unsigned int i = 0; i < 100000; i++) {
		enum medium_event event = (enum medium_event)(tap_random() % (MEDIUM_TIMER + 1));
		bool answers = event == MEDIUM_ABSENT || event == MEDIUM_REFUSED ||
			       event == MEDIUM_BROKEN || event == MEDIUM_DELAYED ||
			       event == MEDIUM_LOST;
		enum medium_action action;

		now += tap_random() % (20 * SECOND);
		if (answers && course(&life)->stage != MEDIUM_ASKING)
			continue;
		action = medium_step(
			&life, part, event, &limits,
			&(struct medium_now){ .usec = now, .is_awaited = tap_random() % 2 });
		good &= (action == MEDIUM_ASK || action == MEDIUM_GO_ON) ==
				(course(&life)->stage == MEDIUM_ASKING) ||
			action == MEDIUM_STAY;
		good &= action != MEDIUM_SLEEP || (course(&life)->stage == MEDIUM_PAUSING &&
						   course(&life)->wake_usec <= now + 15 * SECOND);
		good &= course(&life)->stage != MEDIUM_FAILED ||
			course(&life)->wake_usec <= now + limits.longest_pause_usec;
		good &= course(&life)->stage != MEDIUM_FAILED ||
			course(&life)->reason == MEDIUM_BROKEN ||
			course(&life)->wake_usec <= now + MEDIUM_NO_USEC;
		good &= (action != MEDIUM_TELL && action != MEDIUM_TELL_AGAIN) ||
			course(&life)->stage == MEDIUM_DONE ||
			course(&life)->stage == MEDIUM_FAILED;
	}
	ok(good, "100,000 random steps keep the rules");
}

/* ---- draining ---- */

enum { PATIENCE = 3 };

static enum medium_action drain_by(struct medium_life *life, enum medium_event event, bool turns,
				   uint64_t now_usec)
{
	return medium_step(life, MEDIUM_DRAIN, event, &limits,
			   &(struct medium_now){ .usec = now_usec,
						 .turns = turns,
						 .patience_usec = PATIENCE * SECOND });
}

static enum medium_action drain(struct medium_life *life, enum medium_event event,
				uint64_t now_usec)
{
	return drain_by(life, event, true, now_usec);
}

/* One whose turn has come; and one that is under way. */
static void call_drain(struct medium_life *life, uint64_t now_usec)
{
	drain(life, MEDIUM_WISHED, now_usec);
	drain(life, MEDIUM_CALLED, now_usec);
}

static void begin_drain(struct medium_life *life, uint64_t now_usec)
{
	call_drain(life, now_usec);
	drain(life, MEDIUM_SERVED, now_usec);
}

static void test_drain(void)
{
	struct medium_life life = { 0 };

	is_int(drain(&life, MEDIUM_WISHED, 0), MEDIUM_QUEUE, "a drain: queued");
	is_int(drain(&life, MEDIUM_CALLED, 0), MEDIUM_BEGIN, "it is its turn");
	is_int(drain(&life, MEDIUM_TIMER, 0), MEDIUM_STAY, "an old timer does nothing");
	is_int(drain(&life, MEDIUM_SERVED, 0), MEDIUM_TRY, "to be drained: the kernel forgets");
	is_int(drain(&life, MEDIUM_WISHED, 0), MEDIUM_STAY, "wished for twice is once");
	is_int(drain(&life, MEDIUM_FREE, 1), MEDIUM_UNMOUNT, "nothing holds it: unmounted");
	is_int(drain(&life, MEDIUM_WANTED, 2), MEDIUM_STAY,
	       "somebody asks for it now: too late to turn round");
	is_int(drain(&life, MEDIUM_TIMER, 3), MEDIUM_STAY, "an old timer does nothing");
	is_int(drain(&life, MEDIUM_UNMOUNTED, 4), MEDIUM_END, "done");
	is_int(life.part[MEDIUM_DRAIN].stage, MEDIUM_IDLE, "and over");
	is_int(drain(&life, MEDIUM_WANTED, 5), MEDIUM_STAY, "nothing happens to what is over");
	is_int(drain(&life, MEDIUM_UNMOUNTED, 5), MEDIUM_STAY, "whatever comes");
}

static void test_drain_busy(void)
{
	struct medium_life life = { 0 };
	uint64_t now = 7 * SECOND, longest = 0;
	unsigned int tries = 1;

	begin_drain(&life, now);
	while (drain(&life, MEDIUM_BUSY, now) == MEDIUM_SLEEP && tries < 1000) {
		uint64_t pause = life.part[MEDIUM_DRAIN].wake_usec - now;

		longest = pause > longest ? pause : longest;
		now = life.part[MEDIUM_DRAIN].wake_usec;
		tries += drain(&life, MEDIUM_TIMER, now) == MEDIUM_TRY;
	}
	is_int((long long)now, (7 + PATIENCE) * SECOND, "busy until the patience is over");
	is_int((long long)longest, (long long)MEDIUM_LONGEST_TRY_USEC, "with pauses up to a limit");
	ok(tries > 10 && tries < 30, "and %u tries", tries);
	is_int(life.part[MEDIUM_DRAIN].stage, MEDIUM_IDLE, "given up");
}

static void test_drain_handler(void)
{
	struct medium_life life = { 0 };

	begin_drain(&life, 0);
	drain(&life, MEDIUM_FREE, 1);
	is_int(drain(&life, MEDIUM_BUSY, 2), MEDIUM_SLEEP, "its handler says busy: tried again");
	is_int(drain(&life, MEDIUM_TIMER, 3), MEDIUM_TRY, "from the start");
	drain(&life, MEDIUM_FREE, 4);
	is_int(drain(&life, MEDIUM_BROKEN, 5), MEDIUM_FAIL, "its handler cannot: failed");
	is_int(life.part[MEDIUM_DRAIN].stage, MEDIUM_IDLE, "and over");
	begin_drain(&life, 6);
	is_int(drain(&life, MEDIUM_UNMOUNTED, 7), MEDIUM_END, "somebody else was faster");
}

static void test_drain_turns(void)
{
	struct medium_life life = { 0 };

	begin_drain(&life, 0);
	is_int(drain(&life, MEDIUM_WANTED, 1), MEDIUM_TURN, "asked for: an idle drain turns");
	is_int(life.part[MEDIUM_DRAIN].stage, MEDIUM_IDLE, "and is over");
	begin_drain(&life, 2);
	drain(&life, MEDIUM_BUSY, 3);
	is_int(drain(&life, MEDIUM_WANTED, 4), MEDIUM_TURN, "in a pause, too");
	begin_drain(&life, 5);
	is_int(drain_by(&life, MEDIUM_WANTED, false, 6), MEDIUM_STAY, "another one does not");
	is_int(drain(&life, MEDIUM_FREE, 7), MEDIUM_UNMOUNT, "and goes on");
}

static void test_drain_queue(void)
{
	struct medium_life life = { 0 };

	drain(&life, MEDIUM_WISHED, 0);
	is_int(drain(&life, MEDIUM_WISHED, 0), MEDIUM_QUEUE, "wished for otherwise: queued anew");
	is_int(drain(&life, MEDIUM_WANTED, 1), MEDIUM_UNQUEUE,
	       "asked for in the queue: left there");
	is_int(drain(&life, MEDIUM_CALLED, 1), MEDIUM_STAY, "and not called");
	drain(&life, MEDIUM_WISHED, 2);
	is_int(drain_by(&life, MEDIUM_WANTED, false, 2), MEDIUM_STAY, "who ejects insists");
	is_int(drain(&life, MEDIUM_STOPPED, 3), MEDIUM_STOP, "its rule goes: the end");
	call_drain(&life, 4);
	is_int(drain(&life, MEDIUM_NEEDED, 4), MEDIUM_TURN, "begun, and not to be drained");
	call_drain(&life, 5);
	is_int(drain(&life, MEDIUM_HELD, 5), MEDIUM_GIVE_UP, "begun, and a client needs it");
	call_drain(&life, 6);
	is_int(drain(&life, MEDIUM_UNMOUNTED, 6), MEDIUM_END, "begun, and not mounted");
	call_drain(&life, 7);
	is_int(drain(&life, MEDIUM_FREE, 7), MEDIUM_UNMOUNT, "nothing to drain, but to give up");
	is_int(drain(&life, MEDIUM_STOPPED, 8), MEDIUM_STOP, "stopped while its handler is at it");
	is_int(drain(&life, MEDIUM_STOPPED, 8), MEDIUM_STAY, "once");
	call_drain(&life, 9);
	is_int(drain(&life, MEDIUM_WANTED, 9), MEDIUM_TURN, "wanted while the kernel is asked");
	call_drain(&life, 10);
	is_int(drain_by(&life, MEDIUM_WANTED, false, 10), MEDIUM_STAY, "unless it is ejected");
}

/* Once, when all that the kernel was told must be over. */
static void test_drain_tries_all(void)
{
	struct medium_life life = { 0 };

	begin_drain(&life, 0);
	is_int(drain(&life, MEDIUM_TIMER, 2 * SECOND), MEDIUM_TRY, "tried");
	is_int(drain(&life, MEDIUM_TIMER, 3 * SECOND), MEDIUM_TRY_ALL,
	       "with all means after a while");
	is_int(drain(&life, MEDIUM_TIMER, 4 * SECOND), MEDIUM_TRY, "once");
	drain(&life, MEDIUM_UNMOUNTED, 4 * SECOND);
	begin_drain(&life, 5 * SECOND);
	is_int(drain(&life, MEDIUM_TIMER, 8 * SECOND), MEDIUM_TRY_ALL, "and so in the next drain");
}

static void test_drain_random(void)
{
	struct medium_life life = { 0 };
	struct medium_course *it = &life.part[MEDIUM_DRAIN];
	uint64_t now = 1;
	bool good = true;

	for (unsigned int i = 0; i < 100000; i++) {
		enum medium_event event = (enum medium_event)(tap_random() % (MEDIUM_LEFT + 1));
		enum medium_stage before = it->stage;
		bool was_over = before == MEDIUM_IDLE, was_queued = before == MEDIUM_QUEUED;
		enum medium_action action;

		now += tap_random() % SECOND;
		action = drain_by(&life, event, tap_random() % 2, now);
		good &= !was_over ||
			action == (event == MEDIUM_WISHED ? MEDIUM_QUEUE : MEDIUM_STAY);
		good &= !was_queued || it->stage != MEDIUM_UNMOUNTING;
		good &= (action >= MEDIUM_END || action == MEDIUM_UNQUEUE) ==
			(!was_over && it->stage == MEDIUM_IDLE);
		good &= action != MEDIUM_SLEEP ||
			(it->wake_usec > now &&
			 it->wake_usec <= it->begun_usec + PATIENCE * SECOND);
		good &= (action == MEDIUM_UNMOUNT) <= (it->stage == MEDIUM_UNMOUNTING);
	}
	ok(good, "100,000 random steps of a drain keep the rules");
}

int main(void)
{
	for (part = MEDIUM_NUMBER; part <= MEDIUM_MOUNT; part++) {
		test_good();
		test_adoption();
		test_delays();
		test_nobody_waits();
		test_broken();
		test_no();
		test_never_fails();
		test_waiting();
		test_handler_returns();
		test_random();
	}
	part = MEDIUM_MOUNT;
	test_other_news();
	test_ends();
	test_drain();
	test_drain_busy();
	test_drain_handler();
	test_drain_turns();
	test_drain_queue();
	test_drain_tries_all();
	test_drain_random();
	return tap_done();
}
