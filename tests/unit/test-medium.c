/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The state machine of one medium: pure, so each case is a few steps with made-up times. */

#include "exportsd/medium.h"
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

/* DESIGN promise P5: trouble that may pass delays, it never breaks. */
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
	is_int(step(&machine, MEDIUM_WANTED, 124), MEDIUM_TELL, "which is remembered for 5 s");
	is_int(step(&machine, MEDIUM_WANTED, 125), MEDIUM_ASK, "and then begun anew");
	is_int(step(&machine, MEDIUM_BROKEN, 125), MEDIUM_SLEEP, "with a whole deadline");
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
		good &= machine.stage != MEDIUM_FAILED || machine.wake_usec <= now + MEDIUM_NO_USEC;
		good &= action != MEDIUM_TELL || machine.stage == MEDIUM_DONE ||
			machine.stage == MEDIUM_FAILED;
	}
	ok(good, "100,000 random steps keep the rules");
}

int main(void)
{
	test_good();
	test_adoption();
	test_delays();
	test_nobody_waits();
	test_broken();
	test_no();
	test_random();
	return tap_done();
}
