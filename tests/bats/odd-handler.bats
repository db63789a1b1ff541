#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# odd-handler.bats - a handler that says what no handler should: its medium fails, and nobody else's.

load helpers.bash

setup() {
	setup_tree
	echo "$T/media/*  *(mountpoint,ro,fsid=$T/handler)" >"$T/exports"
	echo 'deadline-seconds = 1' >>"$T/conf"
	mkdir "$T/victim"
	mount -t tmpfs victim "$T/victim"
	mkdir "$T/victim/directory"
}
teardown() {
	umount -l "$T/victim" 2>/dev/null || true
	teardown_tree
}

begin() {
	start_handler "$@"
	start_exportsd
	eventually exportsctl fsid "$T/media/$1"
}
# Processor time that the daemon and its processes have had.
ticks() { awk "{ sum += \$14 + \$15 } END { print sum }" "/proc/$(cat "$T/proc/pid")/stat"; }
n_descriptors() { find "/proc/$(cat "$T/proc/pid")/fd" -maxdepth 1 -type l | wc -l; }

@test "it sends a mount" {
	begin sends-mount
	exportsctl mount "$T/media/sends-mount"
	grep "disc sent" "$T/media/sends-mount/readme.txt"
}

@test "it sends what is no detached mount: nothing is moved, nothing unmounted" {
	kinds=(socket pipe file root attached directory)
	begin good "${kinds[@]/#/sends-}"
	exportsctl mount "$T/media/good"
	findmnt -rno ID,TARGET | sort >"$T/before"
	n=$(n_descriptors)
	for kind in "${kinds[@]}"; do
		run -1 timeout 10 "$BIN/exportsctl" --config "$T/conf" mount "$T/media/sends-$kind"
		echo "$kind: $output"
		[[ $output == *"what its handler sent is no detached mount"* ]]
		findmnt -rno ID,TARGET | sort | diff "$T/before" -
	done
	[ "$(n_descriptors)" -le "$n" ]
	grep "disc good" "$T/media/good/readme.txt"
}

@test "it sends more descriptors than were asked for" {
	begin sends-many good
	n=$(n_descriptors)
	exportsctl mount "$T/media/sends-many"
	grep "disc sent" "$T/media/sends-many/readme.txt"
	eventually test "$(n_descriptors)" -le $((n + 3))
}

@test "it answers twice, and what was never asked" {
	begin noise good
	number=$(exportsctl fsid "$T/media/noise")
	exportsctl mount "$T/media/noise"
	grep "disc noise" "$T/media/noise/readme.txt"
	exportsctl mount "$T/media/good"
	[ "$(exportsctl fsid "$T/media/noise")" = "$number" ]
	grep "with an id that was never asked" "$T/log"
	[[ $(exportsctl status "$T/media/noise") == *mounted* ]]
}

@test "what it says goes to no terminal as it is" {
	begin rude
	run -1 timeout 10 "$BIN/exportsctl" --config "$T/conf" mount "$T/media/rude"
	[[ $output == *'\033]0;c\007d\012e\177'* ]]
	exportsctl status >"$T/status"
	run ! env LC_ALL=C grep -P '[\x00-\x08\x0b-\x1f\x7f]' "$T/status" "$T/log"
	exportsctl status --json | python3 -c 'import json, sys; json.loads(sys.stdin.buffer.read().decode())'
}

@test "it closes each connection at once, or says half a word and nothing more: the daemon has time for others" {
	start_handler good
	echo "$T/media2/*  *(mountpoint,ro,fsid=$T/storm)" >>"$T/exports"
	mkdir "$T/media2"
	python3 - "$T/storm" <<-'END' >"$T/storm.log" 3>&- &
		import itertools, socket, sys
		listener = socket.socket(socket.AF_UNIX)
		listener.bind(sys.argv[1])
		listener.listen(64)
		kept = []
		for n in itertools.count():
		    connection = listener.accept()[0]
		    print(n, flush=True)
		    if n % 3 == 1:
		        connection.send(b"exportsd/1 ok\nid=")
		        kept.append(connection)
		    elif n % 3 == 2:
		        connection.send(b"exportsd/1 medium\nkey=x\nid=1\n\n" * 1000)
	END
	[ -p "$T/never" ] || mkfifo "$T/never"
	eventually test -S "$T/storm"
	start_exportsd
	eventually exportsctl fsid "$T/media/good"
	before=$(ticks)
	run ! timeout 2 "$BIN/exportsctl" --config "$T/conf" mount "$T/media2/x"
	exportsctl mount "$T/media/good"
	n=$(n_descriptors)
	read -r -t 3 <>"$T/never" || true
	# A hundred ticks are a second of a processor.
	[ $(($(ticks) - before)) -lt 200 ]
	[ "$(n_descriptors)" -le $((n + 20)) ]
	[ "$(wc -l <"$T/log")" -lt 100 ]
}
