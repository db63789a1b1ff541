#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# seconds: 400
# shellcheck disable=SC2016 # evaluated later
#
# How long a reload takes that has host names to look up, when the DNS server takes 200 ms for each answer, and how long a
# client waits who mounts meanwhile; beside it exportfs -r and rpc.mountd, with fewer names, since they ask for one after the other.
. "$HELPERS"

zone() { for ((i = 1; i <= $1; i++)); do echo "host h$i.example.test 10.0.$((i / 250)).$((i % 250 + 1))"; done; }
lines() { for ((i = 1; i <= $1; i++)); do echo "/srv/plain h$i.example.test(ro,no_subtree_check,fsid=7)"; done; }
plain='/srv/plain 127.0.0.1(ro,no_subtree_check,fsid=7)'
mkdir -p /srv/plain

# measure WHAT NAMES RELOAD...: time the reload, and a mount 500 ms after its begin
measure() {
	local what=$1 n=$2 begin reload took before
	before=$(grep -cE '^A+ h' /run/dnsserver.log)
	shift 2
	exports "$plain
$(lines "$n")"
	begin=$(now_ms)
	{ "$@" >/dev/null 2>&1; now_ms >/run/reload.end; } &
	reload=$!
	sleep .5
	timed timeout 100 nfs3call mnt 127.0.0.1 /srv/plain >/dev/null
	took=$took_ms
	wait $reload
	note "$what, $n names: reload $(($(cat /run/reload.end) - begin)) ms; a client meanwhile $took ms; $(($(grep -cE '^A+ h' /run/dnsserver.log) - before)) questions"
}

serve_names "$(zone 1000)" --delay 200
start_exportsd "$plain"
start_server
measure exportsd 1000 exportsctl reload
ok "exportsd was measured" [ -s /run/reload.end ]
stop_server
stop_exportsd
serve_names "$(zone 1000)" --delay 200
start_mountd "$plain"
start_server
measure "exportfs -r and rpc.mountd" 20 exportfs -r
ok "nfs-utils were measured" [ -s /run/reload.end ]
done_testing
