#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# seconds: 280
# memory: 1G
#
# MNT calls a second over TCP with 1 and 8 clients at once, 10 and 10,000 exports: exportsd beside rpc.mountd,
# both on the real kernel.
. "$HELPERS"

seconds=$(counts 5 20)
bench=$BUILD/tests/bench/bench-mountd
[ -x "$bench" ] || bail "make bench builds $bench"

make_exports() { # count
	seq -f /srv/e/d%06.0f 0 $(($1 - 1)) | xargs mkdir -p
	seq 0 $(($1 - 1)) | awk '{ printf "/srv/e/d%06d *(ro,no_subtree_check,fsid=%d)\n", $1, 1000 + $1 }'
}

measure() { # label count
	local clients
	for clients in 1 8; do
		"$bench" 127.0.0.1 20048 "$seconds" $clients "$1, $2 exports" /srv/e/d%06ld "$2" >/run/figures
		is "$1, $2 exports, $clients clients: calls were answered" $? 0
		note "$(cat /run/figures)"
	done
}

note "label, connections, calls a second, median and 99th percentile in microseconds, refused"
for count in 10 10000; do
	text=$(make_exports $count)
	start_exportsd "$text"
	start_server
	measure exportsd $count
	stop_server
	stop_exportsd
	start_mountd "$text"
	start_server
	measure rpc.mountd $count
	stop_server
	stop_mountd
done
done_testing
