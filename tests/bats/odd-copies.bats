#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# odd-copies.bats - where a copy of the number store should be there is something else, or somebody else was at it, also
# while the daemon runs. What is not ours is left alone; numbers go on with the other copy, which says what to change.

load helpers.bash

setup() {
	setup_tree
	echo "$T/media/*  *(mountpoint,ro,fsid=$T/handler)" >"$T/exports"
	mkdir "$T/disk"
	sed -i "s,number-copies.*,number-copies = {\"$T/disk/numbers\"}," "$T/conf"
}
teardown() { teardown_tree; }

fsid() { exportsctl fsid "$@"; }
state_of() { fsid verify --json | jq -r ".[$1].state"; }
is_good() { [ "$(state_of "$1")" = good ]; }
set_number() { fsid set "$T/media/$1" "$2"; }
has_number() { [ "$(exportsctl path "$2")" = "$T/media/$1" ]; }

# begin: both copies have one number, and nobody runs
begin() {
	start_exportsd
	set_number one 70001
	eventually is_good 1
	stop_exportsd
}

# goes_on_without WORDS: it starts with the copy in the state directory, says these words of the other one, and numbers
# are still given, and there after the next start
goes_on_without() {
	start_exportsd
	has_number one 70001
	[ "$(state_of 1)" = failed ]
	grep "$1" "$T/log"
	set_number two 70002
	stop_exportsd
	start_exportsd
	has_number two 70002
	stop_exportsd
}

@test "a directory is in a copy's place, and stays" {
	begin
	rm "$T/disk/numbers"
	mkdir "$T/disk/numbers"
	echo precious >"$T/disk/numbers/file"
	goes_on_without "'$T/disk/numbers' is a directory"
	[ "$(cat "$T/disk/numbers/file")" = precious ]
	rm -r "$T/disk/numbers"
	start_exportsd
	eventually is_good 1
}

@test "a pipe or a device is in a copy's place, and stays" {
	begin
	rm "$T/disk/numbers"
	mkfifo "$T/disk/numbers"
	goes_on_without "'$T/disk/numbers' is a pipe"
	[ -p "$T/disk/numbers" ]
	sed -i "s,number-copies.*,number-copies = {\"/dev/null\"}," "$T/conf"
	goes_on_without "'/dev/null' is a device"
	[ -c /dev/null ]
}

@test "a symbolic link is in a copy's place" {
	begin
	mkdir "$T/elsewhere"
	mv "$T/disk/numbers" "$T/elsewhere/numbers"
	ln -s "$T/elsewhere/numbers" "$T/disk/numbers"
	cp "$T/elsewhere/numbers" "$T/before"
	goes_on_without "'$T/disk/numbers' is a symbolic link"
	cmp "$T/elsewhere/numbers" "$T/before"
	[ -L "$T/disk/numbers" ]
	ln -sf "$T/nowhere" "$T/disk/numbers"
	goes_on_without "'$T/disk/numbers' is a symbolic link"
	ln -sf numbers "$T/disk/numbers"
	goes_on_without "'$T/disk/numbers' is a symbolic link"
	[ -L "$T/disk/numbers" ] && [ ! -e "$T/nowhere" ]
}

@test "another program's file is in a copy's place, and stays" {
	begin
	printf 'root:x:0:0:root:/root:/bin/bash\n' >"$T/disk/numbers"
	goes_on_without "'$T/disk/numbers' is no number store"
	grep root:x "$T/disk/numbers"
	rm "$T/disk/numbers"
	python3 -c "import sqlite3; sqlite3.connect('$T/disk/numbers').executescript('CREATE TABLE precious (a); INSERT INTO precious VALUES (1);')"
	cp "$T/disk/numbers" "$T/before"
	goes_on_without "'$T/disk/numbers' is a database, but no number store"
	cmp "$T/disk/numbers" "$T/before"
	[ "$(find "$T/disk" -name '*damaged*' | wc -l)" = 0 ]
}

@test "others could have written a copy" {
	begin
	chmod 666 "$T/disk/numbers"
	goes_on_without "'$T/disk/numbers' could have been written by others.*chmod"
	chmod 600 "$T/disk/numbers"
	start_exportsd
	eventually is_good 1
	stop_exportsd
	: >"$T/disk/numbers-wal"
	chmod 666 "$T/disk/numbers-wal"
	goes_on_without "'$T/disk/numbers-wal' could have been written by others"
}

@test "what a crash left beside a copy does no harm" {
	begin
	head -c 3000 /dev/urandom >"$T/disk/numbers-journal"
	head -c 3000 /dev/urandom >"$T/disk/numbers-wal"
	head -c 300 /dev/urandom >"$T/disk/numbers.new-ABCDEF"
	start_exportsd
	has_number one 70001
	eventually is_good 1
}

# loses WORDS COMMAND: something happens to the copies while the daemon runs
@test "a copy is removed, replaced or cut short while it is in use" {
	begin
	cp "$T/disk/numbers" "$T/old"
	n=70010
	for change in 'rm "$T/disk/numbers"' 'rm "$T/disk/numbers-wal"' 'rm "$T/disk/"*' 'rm -r "$T/disk"' \
		'mv "$T/disk/numbers" "$T/disk/away"' 'cp "$T/old" "$T/new" && mv "$T/new" "$T/disk/numbers"' \
		': >"$T/disk/numbers"' ': >"$T/disk/numbers-wal"' 'cp "$T/old" "$T/disk/numbers"; echo more >>"$T/disk/numbers"'; do
		start_exportsd
		eventually is_good 1
		set_number one $n
		eval "$change"
		set_number two $((n + 1))
		grep "A copy of the number store fails, going on with '$T/state/numbers.sqlite'.*'$T/disk/numbers'.*while exportsd had it open" \
			"$T/log" || { echo "$change"; cat "$T/log"; false; }
		mkdir -p "$T/disk"
		# verify has it tried again.
		eventually is_good 1
		kill -9 "$(cat "$T/proc/pid")"
		wait "$EXPORTSD" || true
		mv "$T/state/numbers.sqlite" "$T/kept"
		rm -f "$T/state/"numbers*
		start_exportsd
		has_number one $n
		has_number two $((n + 1)) || { echo "$change"; false; }
		eventually is_good 0
		stop_exportsd
		n=$((n + 2))
	done
}

@test "both copies are removed while they are in use: no number is given until one is there again" {
	start_exportsd
	set_number one 70001
	eventually is_good 1
	rm "$T/disk/"* "$T/state/"numbers*
	run -1 set_number two 70002
	[[ $output == *"removed or replaced"* ]]
	grep "No copy of the number store works" "$T/log"
	fsid verify || true
	eventually is_good 0
	eventually is_good 1
	set_number two 70002
	stop_exportsd
	for gone in "$T/disk/numbers" "$T/state/numbers.sqlite"; do
		rm "$gone"
		start_exportsd
		has_number one 70001
		has_number two 70002
		eventually is_good 0
		eventually is_good 1
		stop_exportsd
	done
}

# fill FILE: until nothing fits there
fill() { cat /dev/zero >"$1" 2>/dev/null || true; }

@test "a copy's file system is full, then read-only, then gone" {
	mount -t tmpfs -o size=64k,mode=755 tmpfs "$T/disk"
	begin
	fill "$T/disk/full"
	start_exportsd
	has_number one 70001
	set_number two 70002
	has_number two 70002
	grep "A copy of the number store fails, going on with '$T/state/numbers.sqlite'.*'$T/disk/numbers'.*full" "$T/log"
	rm "$T/disk/full"
	eventually is_good 1
	mount -o remount,ro "$T/disk" || true
	set_number three 70003
	stop_exportsd
	mount -o remount,ro "$T/disk"
	start_exportsd
	set_number four 70004
	grep "'$T/disk/numbers' cannot be written, its file system is read-only" "$T/log"
	mount -o remount,rw "$T/disk"
	eventually is_good 1
	umount -l "$T/disk"
	set_number five 70005
	eventually is_good 1
	stop_exportsd
	rm "$T/state/"numbers*
	start_exportsd
	for number in 'one 70001' 'two 70002' 'three 70003' 'four 70004' 'five 70005'; do
		# shellcheck disable=SC2086 # two words
		has_number $number
	done
}

@test "the state directory is read-only or full" {
	mount -t tmpfs -o size=128k,mode=755 tmpfs "$T/state"
	begin
	mount -o remount,ro "$T/state"
	start_exportsd
	cat "$T/log"
	has_number one 70001
	set_number two 70002
	grep "'$T/state/numbers.sqlite' cannot be written, its file system is read-only" "$T/log"
	stop_exportsd
	mount -o remount,rw "$T/state"
	start_exportsd
	eventually is_good 0
	fill "$T/state/full"
	# What fits into the log as it is does no harm.
	for i in {70100..70199}; do fsid set "$T/media/a-rather-long-name-of-a-medium-number-$i" "$i"; done
	grep "A copy of the number store fails, going on with '$T/disk/numbers'.*full" "$T/log"
	stop_exportsd
	start_exportsd
	has_number two 70002
	has_number a-rather-long-name-of-a-medium-number-70199 70199
	rm "$T/state/full"
	eventually is_good 0
}

@test "every file system is full: no number is given, and none is lost" {
	mount -t tmpfs -o size=96k,mode=755 tmpfs "$T/disk"
	mount -t tmpfs -o size=128k,mode=755 tmpfs "$T/state"
	start_exportsd
	set_number one 70001
	eventually is_good 1
	fill "$T/disk/full"
	fill "$T/state/full"
	given=
	for i in {70100..70199}; do
		if fsid set "$T/media/a-rather-long-name-of-a-medium-number-$i" "$i" 2>"$T/why"; then given=$i; else break; fi
	done
	[ "$i" -lt 70199 ]
	cat "$T/why" "$T/log"
	grep full "$T/why"
	grep "No copy of the number store works, new media get no number, trying again" "$T/log"
	has_number one 70001
	kill -9 "$(cat "$T/proc/pid")"
	wait "$EXPORTSD" || true
	start_exportsd
	has_number one 70001
	[ -z "$given" ] || has_number "a-rather-long-name-of-a-medium-number-$given" "$given"
	rm "$T/disk/full" "$T/state/full"
	eventually is_good 0
	eventually is_good 1
	set_number two 70002
}
