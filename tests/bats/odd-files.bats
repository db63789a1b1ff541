#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# odd-files.bats - where a file should be there is a pipe, a directory, a link to itself, or what a crash left of it.
# Nothing waits for it, it is told, and whatever else there is stays in force.

load helpers.bash

setup() {
	setup_tree
	export EXPORTSD_CONFIG=$T/conf
	mkdir "$T/plain"
	echo "$T/plain *(ro,no_subtree_check)" >"$T/exports"
}
teardown() { teardown_tree; }

is_exported() { exportsctl exports | grep -q "^$T/plain	"; }

# starts_with WORDS: it starts, exports what it should, and its log has these words
starts_with() {
	start_exportsd
	is_exported
	grep "$1" "$T/log"
}

@test "etab is a pipe" {
	mkfifo "$T/nfs/etab"
	starts_with "etab there cannot be read"
	grep -q "^$T/plain" "$T/nfs/etab"
}

@test "etab is a directory" {
	mkdir "$T/nfs/etab"
	starts_with "etab there cannot be read: Is a directory"
	grep "Cannot write etab, other tools see old exports" "$T/log"
}

@test "etab is a link to itself" {
	ln -s etab "$T/nfs/etab"
	starts_with "etab there cannot be read: Too many levels"
	[ -f "$T/nfs/etab" ] && [ ! -L "$T/nfs/etab" ]
}

@test "the lock's name is a directory's, etab's next version a pipe" {
	mkdir "$T/nfs/.etab.lock"
	starts_with "etab there cannot be read"
	stop_exportsd
	rmdir "$T/nfs/.etab.lock"
	mkfifo "$T/nfs/etab.tmp"
	starts_with "exportsd\|etab"
	grep -q "^$T/plain" "$T/nfs/etab"
}

@test "run-time-exports and its next version are pipes" {
	mkfifo "$T/state/run-time-exports" "$T/state/run-time-exports.tmp"
	starts_with "Cannot read .*run-time-exports, exports made by commands are lost"
	eventually test -f "$T/state/run-time-exports"
}

@test "an exports file is a pipe, by way of a link" {
	mkfifo "$T/pipe"
	ln -s "$T/pipe" "$T/exports.d/a.exports"
	run -1 timeout 10 "$BIN/exportsctl" --config "$T/conf" check
	[[ $output == *"$T/exports.d/a.exports: error: cannot be opened: it is a pipe, a socket or a device, not a file"* ]]
	starts_with "a.exports: error: cannot be opened: it is a pipe"
}

@test "a damaged exports file takes nothing back" {
	start_exportsd
	head -c 4096 /dev/zero >"$T/exports"
	run -1 exportsctl reload
	[[ $output == *"$T/exports:1:1: error: the file starts with a NUL byte: it is damaged"* ]]
	is_exported
}

@test "exportsd.conf is a pipe" {
	mkfifo "$T/pipe"
	run -1 timeout 10 "$BIN/exportsd" --config "$T/pipe" --print-config
	[[ $output == *"$T/pipe"* ]]
}

@test "/dev/null is an empty exports file" {
	echo "exports-files = {\"/dev/null\", \"$T/exports\"}" >>"$T/conf"
	sed -i 1d "$T/conf"
	start_exportsd
	is_exported
}

@test "run-time-exports is a directory, a link, or no text" {
	mkdir "$T/state/run-time-exports"
	starts_with "Cannot read .*run-time-exports, exports made by commands are lost: Is a directory"
	grep "Cannot write run-time-exports, what commands changed is lost if exportsd ends now" "$T/log"
	stop_exportsd
	rmdir "$T/state/run-time-exports"
	echo precious >"$T/victim"
	ln -s "$T/victim" "$T/state/run-time-exports"
	starts_with "exportsd\|Making"
	[ "$(cat "$T/victim")" = precious ]
	stop_exportsd
	head -c 100000 /dev/urandom >"$T/state/run-time-exports"
	starts_with "."
	[ -z "$(tr -d '[:print:][:space:]' <"$T/state/run-time-exports")" ]
}

@test "etab and run-time-exports are larger than memory" {
	truncate -s 1T "$T/nfs/etab"
	truncate -s 1T "$T/state/run-time-exports"
	starts_with "etab there cannot be read: File too large"
	grep "Cannot read .*run-time-exports, exports made by commands are lost: File too large" "$T/log"
	[ "$(stat -c %s "$T/nfs/etab")" -lt 10000 ]
}

@test "etab, run-time-exports and an exports file never end" {
	ln -s /dev/zero "$T/nfs/etab"
	ln -s /dev/zero "$T/state/run-time-exports"
	ln -s /dev/zero "$T/exports.d/a.exports"
	starts_with "etab there cannot be read: Operation not supported"
	grep "Cannot read .*run-time-exports, exports made by commands are lost: Operation not supported" "$T/log"
	grep "a.exports: error: cannot be opened: it is a pipe, a socket or a device" "$T/log"
}

@test "etab is no text" {
	head -c 100000 /dev/urandom >"$T/nfs/etab"
	starts_with "."
	[ "$(wc -l <"$T/nfs/etab")" = 1 ]
}

has_both() { grep -q "^$T/other" "$T/nfs/etab" && grep -q "^added $T/other" "$T/state/run-time-exports"; }

@test "what exportfs changes while disks are full is written when there is room again" {
	echo 'name-timeout-seconds = 1' >>"$T/conf"
	mkdir "$T/other"
	mount -t tmpfs -o size=16k,mode=755 nfs "$T/nfs"
	mount -t tmpfs -o size=512k,mode=755 state "$T/state"
	start_exportsd
	cat /dev/zero >"$T/nfs/full" || true
	cat /dev/zero >"$T/state/full" || true
	run -1 "$BIN/exportfs" -o rw,no_subtree_check "192.0.2.1:$T/other"
	[[ $output == *"cannot write etab: No space left on device"*"cannot write run-time-exports: No space left on device"* ]]
	exportsctl exports | grep "^$T/other"
	run ! has_both
	is_exported
	rm "$T/nfs/full" "$T/state/full"
	eventually has_both
	eventually grep "etab and run-time-exports are written again" "$T/log"
	kill -9 "$(cat "$T/proc/pid")"
	wait "$EXPORTSD" || true
	start_exportsd
	exportsctl exports | grep "^$T/other"
	umount "$T/nfs"
}
