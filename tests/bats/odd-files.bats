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
	[[ $output == *"$T/exports.d/a.exports: error: cannot be opened: it is a pipe or a socket, not a file"* ]]
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
