#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# check.bats - exportsctl check: faults with their places, exit codes, etab's form. No daemon runs.

load helpers.bash

setup() { setup_tree; }
teardown() { teardown_tree; }

@test "a good file: a summary, exit code 0" {
	echo '/srv/a *(ro) @group(rw)' >"$T/exports"
	echo '/mnt/cdrom/*  @hostgroup(mountpoint,ro,fsid=/var/run/fsidsock)' >"$T/exports.d/cd.exports"
	run -0 --separate-stderr exportsctl check
	[ "$output" = "3 exports, 1 wildcard rule: 0 errors, 0 warnings" ]
	[ -z "$stderr" ]
}

@test "every fault of all files is told, with its place; exit code 1" {
	printf '%s\n' '/srv/a *(rwx)' '/srv/b *(ro)' '/srv/c 192.0.2.0/77(ro)' >"$T/exports"
	echo '/mnt/*  *(ro)' >"$T/exports.d/x.exports"
	run -1 --separate-stderr exportsctl check
	[[ ${stderr_lines[0]} == "$T/exports:1:10: error: "*rwx* ]]
	[[ ${stderr_lines[1]} == "$T/exports:3:8: error: "* ]]
	[[ ${stderr_lines[2]} == "$T/exports.d/x.exports:1:"*": error: "* ]]
	[ "${#stderr_lines[@]}" = 3 ]
	[[ $output == "1 export, 0 wildcard rules: 3 errors, 0 warnings" ]]
}

@test "warnings alone are exit code 0" {
	printf '%s\n' '/srv/a *(ro,no_subtree_check)' '/srv/a *(ro,no_subtree_check)' >"$T/exports"
	run -0 --separate-stderr exportsctl check
	[[ $stderr == "$T/exports:2:"*": warning: "* ]]
	[[ $output == *"0 errors, 1 warning" ]]
}

@test "files and directories that are named are read instead" {
	echo '/srv/a *(nonsense)' >"$T/exports"
	echo '/srv/b *(ro)' >"$T/b"
	mkdir "$T/dir"
	echo '/srv/c *(ro)' >"$T/dir/c.exports"
	echo '/srv/d *(nonsense)' >"$T/dir/d.other"
	run -0 exportsctl check "$T/b" "$T/dir"
	[ "$output" = "2 exports, 0 wildcard rules: 0 errors, 0 warnings" ]
}

@test "a file that cannot be read is a fault, and the others are read" {
	echo '/srv/b *(nonsense)' >"$T/b"
	run -1 --separate-stderr exportsctl check "$T/missing" "$T/b"
	[[ $stderr == *"$T/missing: error: "* ]]
	[[ $stderr == *"$T/b:1:"* ]]
}

@test "on a terminal the line is shown, with a mark under the place" {
	echo '/srv/a *(rwx)' >"$T/exports"
	run script -qec "$BIN/exportsctl --config '$T/conf' check" /dev/null </dev/null
	[ "$status" = 1 ]
	[[ ${lines[0]} == *:1:10:* ]]
	[[ ${lines[1]} == ' /srv/a *(rwx)'* ]]
	[[ ${lines[2]} == '          ^'* ]]
}

@test "faults of exportsd.conf are told, too" {
	echo 'ttl-second = 5' >>"$T/conf"
	run -1 exportsctl check
	[[ $output == *"$T/conf:"*":1: error: unknown key 'ttl-second'; did you mean 'ttl-seconds'?"* ]]
}

@test "--etab: symbolic links are followed, unknown hosts left out with a warning" {
	mkdir "$T/real"
	ln -s real "$T/link"
	echo "$T/link 192.0.2.1(ro,no_subtree_check) nosuchhost.invalid(ro)" >"$T/exports"
	run -0 --separate-stderr exportsctl check --etab
	[[ $output == "$T/real	192.0.2.1(ro,"* ]]
	[ "${#lines[@]}" = 1 ]
	[[ $stderr == *"warning: "*nosuchhost.invalid* ]]
}

@test "--etab can be read back, and says the same" {
	printf '%s\n' '/srv/a *(rw,sec=krb5:sys,fsid=7) 2001:db8::/32(ro,all_squash,anonuid=5)' '"/srv/b c" @group(crossmnt)' \
		'/mnt/cdrom/* @hostgroup(mountpoint,ro,fsid=/var/run/fsidsock)' '/star\052 *(ro)' >"$T/exports"
	exportsctl check --etab >"$T/first" 2>/dev/null
	[ "$(wc -l <"$T/first")" = 5 ]
	exportsctl check --etab "$T/first" >"$T/second"
	diff "$T/first" "$T/second"
}

@test "a path with a newline cannot forge a message" {
	printf '"/srv/a\\012%s:9:9: error: forged" *(rwx)\n' "$T/exports" >"$T/exports"
	run -1 --separate-stderr exportsctl check
	run ! grep -q '^/.*:9:9:' <<<"$stderr"
}

@test "a full disk is noticed" {
	echo '/srv/a *(ro,no_subtree_check)' >"$T/exports"
	run -1 bash -c "'$BIN/exportsctl' --config '$T/conf' check --etab >/dev/full"
	[[ $output == *"No space left"* ]]
}
