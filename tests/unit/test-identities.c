/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-identities - ids of places, beside what a kernel told by Debian 12's rpc.mountd put into handles.
 */

#include "exportsd/identities.h"
#include "tests/tap.h"

static void test_pseudo_root(void)
{
	static const uint8_t srv[16] = { 0x0c, 0x21, 0xa5, 0xbe, 0xc5, 0x39, 0x5c, 0x60,
					 0x81, 0xba, 0x26, 0x13, 0x90, 0x41, 0xc6, 0xd8 };
	uint8_t uuid[16];

	identity_of_pseudo_root("/srv", uuid);
	ok(memcmp(uuid, srv, sizeof(srv)) == 0, "the pseudo-root /srv has rpc.mountd's uuid");
}

int main(void)
{
	test_pseudo_root();
	return tap_done();
}
