#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# handle.bats - exportsctl handle, without a daemon: what is in the handle itself.

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return 1
	CTL=${B:-build}/bin/exportsctl
}

handle() { "$CTL" --socket "$BATS_TEST_TMPDIR/none" handle "$@" 2>&1 || true; }

@test "a handle is read even if nobody can name its path" {
	run -1 "$CTL" --socket "$BATS_TEST_TMPDIR/none" handle 0100010067000000
	[[ $output == *"number 103 (FSID_NUM)"*"the root of the export"* ]]
	[[ $output == *"exportsd is not running"* ]]
}

@test "every form of it" {
	for form in 0x0100010067000000 '\x0100010067000000' 01:00:01:00:67:00:00:00 'FileHandle: 0x0100010067000000' \
		'8: 01 00 01 00 67 00 00 00' '8: 00010001 00000067'; do
		[[ $(handle "$form") == *"number 103 "* ]]
	done
	[[ $(handle 01 00 01 00 67 00 00 00) == *"number 103 "* ]]
}

@test "inode, generation and parent" {
	[[ $(handle 01000102 67000000 0c000000 78563412 02000000) == *"inode 12, generation 305419896, in the directory with inode 2"* ]]
}

@test "JSON" {
	[ "$("$CTL" --socket "$BATS_TEST_TMPDIR/none" handle --json 01000600 00112233445566778899aabbccddeeff 2>/dev/null |
		jq -r '.uuid, .fsid_type, (.places | length)' | paste -sd ' ')" = "00112233445566778899aabbccddeeff FSID_UUID16 0" ]
}

@test "what is no handle, and why" {
	[[ $(handle cabaebfe0200000002000000) == *"Linux 2.2"* ]]
	[[ $(handle 0200010067000000) == *"does not begin with version 1"* ]]
	[[ $(handle 010001006700) == *"ends too early"* ]]
	[[ $(handle '28: 00010001 00000067 00000000') == *"12 of 28 bytes"* ]]
	[[ $(handle 1234abcd) == *"a hash"* ]]
	[[ $(handle rubbish) == *"hexadecimal"* ]]
	run -2 "$CTL" handle
}
