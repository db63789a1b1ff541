# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What the files here share. T is a test's own directory.

bats_require_minimum_version 1.5.0

setup_tree() {
	cd "$BATS_TEST_DIRNAME/../.." || return 1
	BIN=${B:-build}/bin
	T=$BATS_TEST_TMPDIR
	export T
	mkdir "$T/exports.d" "$T/state" "$T/media" "$T/nfs"
	cat >"$T/conf" <<-END
		exports-files = {"$T/exports"}
		exports-directories = {"$T/exports.d"}
		state-directory = "$T/state"
		number-copies = {"$T/numbers"}
		nfs-state-directory = "$T/nfs"
		runtime-directory = "$T/run"
		mount-service = false
		nfs-conf = ""
		retry-seconds = 1
	END
	: >"$T/exports"
}

exportsctl() { "$BIN/exportsctl" --config "$T/conf" "$@"; }

# eventually COMMAND...: within ten seconds; each try waits for something to happen in $T
eventually() {
	local deadline=$((SECONDS + 10))
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$deadline" ] || { echo "not within ten seconds: $*"; return 1; }
		read -r -t 0.05 <>"$T/never" || true
	done
}

is_ready_or_dead() { grep -q READY=1 "$T/proc/notify" || ! kill -0 "$EXPORTSD"; }

# start_exportsd [ARGUMENT...]: its messages go to $T/log
# shellcheck disable=SC2120 # tests give some
start_exportsd() {
	[ -p "$T/never" ] || mkfifo "$T/never"
	rm -rf "$T/proc"
	mkdir "$T/proc"
	tests/bats/fakekernel "$T/proc" "$BIN/exportsd" --config "$T/conf" --proc "$T/proc" "$@" \
		>"$T/log" 2>&1 3>&- &
	EXPORTSD=$!
	eventually is_ready_or_dead || true
	grep -q READY=1 "$T/proc/notify" || { cat "$T/log"; return 1; }
}

stop_exportsd() {
	kill "$EXPORTSD"
	wait "$EXPORTSD" || { cat "$T/log"; return 1; }
}

# start_handler KEY...: tests/vm/tools/badhandler, whose keys say how they behave, for $T/media/*
start_handler() {
	python3 tests/vm/tools/badhandler "$T/handler" "$@" >"$T/handler.log" 2>&1 3>&- &
	[ -p "$T/never" ] || mkfifo "$T/never"
	eventually test -S "$T/handler"
}

# setup_plain_and_media: one plain export, and a $rule for media that start_media adds
setup_plain_and_media() {
	setup_tree
	rule="$T/media/*  *(mountpoint,ro,fsid=$T/handler)"
	echo "$T/plain *(ro,no_subtree_check,fsid=77)" >"$T/exports"
	mkdir "$T/plain"
}

# start_media KEY...: a daemon with media that have numbers
start_media() {
	echo "$rule" >>"$T/exports"
	start_handler "$@"
	# shellcheck disable=SC2119 # none
	start_exportsd
	local key
	for key; do eventually exportsctl fsid "$T/media/$key"; done
}

# What a test left running is ended, what it left mounted unmounted.
teardown_tree() {
	local left
	left="$(jobs -p) $(cat "$T/proc/pid" 2>/dev/null || true)"
	# shellcheck disable=SC2086 # numbers
	[ "$left" = ' ' ] || kill -9 $left 2>/dev/null || true
	awk -v top="$T/" 'index($5, top) == 1 { print $5 }' /proc/self/mountinfo | tac | xargs -r umount -l
}
