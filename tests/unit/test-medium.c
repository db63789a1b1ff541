/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The state machine of one medium: pure, so each case is a few steps with made-up times. */

#include "exportsd/media/medium.h"
#include "tests/tap.h"

enum { SECOND = 1000000 };
static const struct medium_limits limits = { .deadline_usec = 120ull * SECOND,
					     .longest_pause_usec = 15ull * SECOND };

static enum medium_action step(struct medium_machine *machine, enum medium_event event,
			       uint64_t now_sec)
{
	return medium_step(machine, event, true, &limits, now_sec * SECOND);
}

static void test_good(void)
{
	struct medium_machine machine = { 0 };

	is_int(step(&machine, MEDIUM_WANTED, 100), MEDIUM_ASK, "wanted: the handler is asked");
	is_int(step(&machine, MEDIUM_WANTED, 101), MEDIUM_STAY,
	       "wanted again meanwhile: not asked again");
	is_int(step(&machine, MEDIUM_FOUND, 108), MEDIUM_TELL, "it is there: told");
	is_int(machine.stage, MEDIUM_DONE, "and it is mounted");
	is_int(step(&machine, MEDIUM_WANTED, 200), MEDIUM_ASK,
	       "wanted when it is gone: asked anew");
	is_int((long long)machine.begun_usec, 200ll * SECOND, "with a deadline of its own");
}

static void test_adoption(void)
{
	struct medium_machine machine = { 0 };

	is_int(step(&machine, MEDIUM_FOUND, 1), MEDIUM_TELL,
	       "found mounted: told, nobody was asked");
	machine.stage = MEDIUM_PAUSING;
	is_int(step(&machine, MEDIUM_FOUND, 1), MEDIUM_TELL, "found in a pause: told");
	is_int(step(&machine, MEDIUM_TIMER, 2), MEDIUM_STAY,
	       "and the pause's timer does nothing then");
}

/* Promise P5: trouble that may pass delays, it never breaks. */
static void test_delays(void)
{
	static const unsigned int pauses[] = { 1, 2, 4, 8, 15, 15, 15 };
	struct medium_machine machine = { 0 };
	uint64_t now = 1000;
	bool all = true;

	step(&machine, MEDIUM_WANTED, now);
	for (size_t i = 0; i < N_ELEMENTS(pauses); i++) {
		all &= step(&machine, MEDIUM_DELAYED, now) == MEDIUM_SLEEP;
		all &= machine.wake_usec == (now + pauses[i]) * SECOND;
		now += pauses[i];
		all &= step(&machine, MEDIUM_TIMER, now) == MEDIUM_ASK;
	}
	ok(all, "pauses of 1, 2, 4, 8 and then 15 s");
	now += 100000;
	is_int(step(&machine, MEDIUM_DELAYED, now), MEDIUM_SLEEP,
	       "a day later it is still asked for");
	is_int(step(&machine, MEDIUM_TIMER, now + 15), MEDIUM_ASK, "as long as somebody waits");
	step(&machine, MEDIUM_DELAYED, now + 15);
	is_int(medium_step(&machine, MEDIUM_TIMER, false, &limits, (now + 30) * SECOND),
	       MEDIUM_FORGET, "when nobody waits any more, it is forgotten");
	is_int(machine.stage, MEDIUM_IDLE, "and may be wanted anew");
}

static void test_nobody_waits(void)
{
	struct medium_machine machine = { 0 };

	step(&machine, MEDIUM_WANTED, 0);
	step(&machine, MEDIUM_DELAYED, 10);
	is_int(medium_step(&machine, MEDIUM_TIMER, false, &limits, 11ull * SECOND), MEDIUM_ASK,
	       "within the deadline it is loaded even if nobody waits: who asked may come back");
}

static void test_broken(void)
{
	struct medium_machine machine = { 0 };
	uint64_t now = 0;
	unsigned int asked = 1;

	step(&machine, MEDIUM_WANTED, 0);
	while (step(&machine, MEDIUM_BROKEN, now) == MEDIUM_SLEEP && asked < 100) {
		now = machine.wake_usec / SECOND;
		asked += step(&machine, MEDIUM_TIMER, now) == MEDIUM_ASK;
	}
	is_int((long long)now, 120,
	       "a broken medium fails when its deadline is over, not sooner or later");
	is_int(asked, 12, "after attempts at 0, 1, 3, 7, 15, 30, ... 120 s");
	is_int(machine.stage, MEDIUM_FAILED, "failed");
	is_int(machine.reason, MEDIUM_BROKEN, "as broken");
	is_int(step(&machine, MEDIUM_WANTED, 134), MEDIUM_TELL,
	       "which is remembered for the longest pause");
	is_int(step(&machine, MEDIUM_WANTED, 135), MEDIUM_ASK, "then it is asked for");
	is_int(step(&machine, MEDIUM_BROKEN, 136), MEDIUM_TELL, "but only once");
	is_int(step(&machine, MEDIUM_TIMER, 151), MEDIUM_FORGET, "forgotten");
	is_int(step(&machine, MEDIUM_WANTED, 160), MEDIUM_ASK, "soon afterwards");
	is_int(step(&machine, MEDIUM_BROKEN, 161), MEDIUM_TELL, "once as well");
	is_int(step(&machine, MEDIUM_TIMER, 176), MEDIUM_FORGET, "forgotten");
	is_int(step(&machine, MEDIUM_WANTED, 161 + 135), MEDIUM_ASK, "long afterwards");
	is_int(step(&machine, MEDIUM_BROKEN, 161 + 136), MEDIUM_SLEEP, "with a whole deadline");
	step(&machine, MEDIUM_TIMER, 161 + 137);
	step(&machine, MEDIUM_FOUND, 161 + 138);
	step(&machine, MEDIUM_WANTED, 161 + 139);
	is_int(step(&machine, MEDIUM_BROKEN, 161 + 140), MEDIUM_SLEEP,
	       "and so after it was mounted once");
}

/* after-deadline = delay */
static void test_never_fails(void)
{
	struct medium_limits endless = limits;
	struct medium_machine machine = { 0 };

	endless.never_fails = true;
	medium_step(&machine, MEDIUM_WANTED, true, &endless, 0);
	is_int(medium_step(&machine, MEDIUM_BROKEN, true, &endless, 1000ull * SECOND), MEDIUM_SLEEP,
	       "a broken medium is asked for beyond its deadline");
	is_int(medium_step(&machine, MEDIUM_TIMER, true, &endless, 1015ull * SECOND), MEDIUM_ASK,
	       "again and again");
	medium_step(&machine, MEDIUM_BROKEN, true, &endless, 1016ull * SECOND);
	is_int(medium_step(&machine, MEDIUM_TIMER, false, &endless, 1031ull * SECOND),
	       MEDIUM_FORGET, "until nobody waits for it");
}

static void test_no(void)
{
	static const enum medium_event reasons[] = { MEDIUM_ABSENT, MEDIUM_REFUSED };

	for (size_t i = 0; i < N_ELEMENTS(reasons); i++) {
		struct medium_machine machine = { 0 };

		step(&machine, MEDIUM_WANTED, 10);
		is_int(step(&machine, reasons[i], 11), MEDIUM_TELL, "a no is told at once");
		is_int(machine.reason, reasons[i], "with its reason");
		is_int((long long)machine.wake_usec, 16ll * SECOND, "and remembered for 5 s");
		is_int(step(&machine, MEDIUM_WANTED, 15), MEDIUM_TELL, "told again without asking");
		is_int((long long)machine.wake_usec, 16ll * SECOND,
		       "which does not make it last longer");
		is_int(step(&machine, MEDIUM_TIMER, 16), MEDIUM_FORGET, "then forgotten");
	}
}

/* Whatever happens in whatever order, the machine stays within its states and its pauses within their limits. */
static void test_random(void)
{
	struct medium_machine machine = { 0 };
	uint64_t now = 1;
	bool good = true;

	for (unsigned int i = 0; i < 100000; i++) {
		enum medium_event event = (enum medium_event)(tap_random() % (MEDIUM_TIMER + 1));
		bool answers = event == MEDIUM_ABSENT || event == MEDIUM_REFUSED ||
			       event == MEDIUM_BROKEN || event == MEDIUM_DELAYED;
		enum medium_action action;

		now += tap_random() % (20 * SECOND);
		if (answers && machine.stage != MEDIUM_ASKING)
			continue;
		action = medium_step(&machine, event, tap_random() % 2, &limits, now);
		good &= (action == MEDIUM_ASK) == (machine.stage == MEDIUM_ASKING) ||
			action == MEDIUM_STAY;
		good &= action != MEDIUM_SLEEP ||
			(machine.stage == MEDIUM_PAUSING && machine.wake_usec <= now + 15 * SECOND);
		good &= machine.stage != MEDIUM_FAILED ||
			machine.wake_usec <= now + limits.longest_pause_usec;
		good &= machine.stage != MEDIUM_FAILED || machine.reason == MEDIUM_BROKEN ||
			machine.wake_usec <= now + MEDIUM_NO_USEC;
		good &= action != MEDIUM_TELL || machine.stage == MEDIUM_DONE ||
			machine.stage == MEDIUM_FAILED;
	}
	ok(good, "100,000 random steps keep the rules");
}

/* ---- draining ---- */

enum { PATIENCE = 3 };

static enum drain_action drain(struct drain_machine *machine, enum drain_event event,
			       uint64_t now_usec)
{
	return drain_step(machine, event, true, PATIENCE * SECOND, now_usec);
}

static void test_drain(void)
{
	struct drain_machine machine = { 0 };

	is_int(drain(&machine, DRAIN_WISHED, 0), DRAIN_TRY, "a drain: the kernel forgets");
	is_int(drain(&machine, DRAIN_WISHED, 0), DRAIN_STAY, "wished for twice is once");
	is_int(drain(&machine, DRAIN_FREE, 1), DRAIN_UNMOUNT, "nothing holds it: unmounted");
	is_int(drain(&machine, DRAIN_ASKED, 2), DRAIN_STAY,
	       "somebody asks for it now: too late to turn round");
	is_int(drain(&machine, DRAIN_TIMER, 3), DRAIN_STAY, "an old timer does nothing");
	is_int(drain(&machine, DRAIN_UNMOUNTED, 4), DRAIN_END, "done");
	is_int(machine.stage, DRAIN_NONE, "and over");
	is_int(drain(&machine, DRAIN_ASKED, 5), DRAIN_STAY, "nothing happens to what is over");
	is_int(drain(&machine, DRAIN_UNMOUNTED, 5), DRAIN_STAY, "whatever comes");
}

static void test_drain_busy(void)
{
	struct drain_machine machine = { 0 };
	uint64_t now = 7 * SECOND, longest = 0;
	unsigned int tries = 1;

	drain(&machine, DRAIN_WISHED, now);
	while (drain(&machine, DRAIN_BUSY, now) == DRAIN_SLEEP && tries < 1000) {
		uint64_t pause = machine.wake_usec - now;

		longest = pause > longest ? pause : longest;
		now = machine.wake_usec;
		tries += drain(&machine, DRAIN_TIMER, now) == DRAIN_TRY;
	}
	is_int((long long)now, (7 + PATIENCE) * SECOND, "busy until the patience is over");
	is_int((long long)longest, (long long)DRAIN_LONGEST_PAUSE_USEC,
	       "with pauses up to a limit");
	ok(tries > 10 && tries < 30, "and %u tries", tries);
	is_int(machine.stage, DRAIN_NONE, "given up");
}

static void test_drain_handler(void)
{
	struct drain_machine machine = { 0 };

	drain(&machine, DRAIN_WISHED, 0);
	drain(&machine, DRAIN_FREE, 1);
	is_int(drain(&machine, DRAIN_BUSY, 2), DRAIN_SLEEP, "its handler says busy: tried again");
	is_int(drain(&machine, DRAIN_TIMER, 3), DRAIN_TRY, "from the start");
	drain(&machine, DRAIN_FREE, 4);
	is_int(drain(&machine, DRAIN_BROKEN, 5), DRAIN_FAIL, "its handler cannot: failed");
	is_int(machine.stage, DRAIN_NONE, "and over");
	drain(&machine, DRAIN_WISHED, 6);
	is_int(drain(&machine, DRAIN_UNMOUNTED, 7), DRAIN_END, "somebody else was faster");
}

static void test_drain_turns(void)
{
	struct drain_machine machine = { 0 };

	drain(&machine, DRAIN_WISHED, 0);
	is_int(drain(&machine, DRAIN_ASKED, 1), DRAIN_TURN, "asked for: an idle drain turns");
	is_int(machine.stage, DRAIN_NONE, "and is over");
	drain(&machine, DRAIN_WISHED, 2);
	drain(&machine, DRAIN_BUSY, 3);
	is_int(drain(&machine, DRAIN_ASKED, 4), DRAIN_TURN, "in a pause, too");
	drain_step(&machine, DRAIN_WISHED, false, PATIENCE * SECOND, 5);
	is_int(drain(&machine, DRAIN_ASKED, 6), DRAIN_STAY, "another one does not");
	is_int(drain(&machine, DRAIN_FREE, 7), DRAIN_UNMOUNT, "and goes on");
}

static void test_drain_random(void)
{
	struct drain_machine machine = { 0 };
	uint64_t now = 1;
	bool good = true;

	for (unsigned int i = 0; i < 100000; i++) {
		enum drain_event event = (enum drain_event)(tap_random() % (DRAIN_TIMER + 1));
		bool turns = tap_random() % 2, was_over = machine.stage == DRAIN_NONE;
		enum drain_action action;

		now += tap_random() % SECOND;
		action = drain_step(&machine, event, turns, PATIENCE * SECOND, now);
		good &= !was_over || (action == (event == DRAIN_WISHED ? DRAIN_TRY : DRAIN_STAY));
		good &= (action >= DRAIN_END) == (!was_over && machine.stage == DRAIN_NONE);
		good &= action != DRAIN_SLEEP ||
			(machine.wake_usec > now &&
			 machine.wake_usec <= machine.begun_usec + PATIENCE * SECOND);
		good &= (action == DRAIN_UNMOUNT) <= (machine.stage == DRAIN_UNMOUNTING);
	}
	ok(good, "100,000 random steps of a drain keep the rules");
}

int main(void)
{
	test_good();
	test_adoption();
	test_delays();
	test_nobody_waits();
	test_broken();
	test_no();
	test_never_fails();
	test_random();
	test_drain();
	test_drain_busy();
	test_drain_handler();
	test_drain_turns();
	test_drain_random();
	return tap_done();
}
