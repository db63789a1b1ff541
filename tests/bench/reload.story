#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# seconds: 500
# memory: 1G
#
# exportfs -ra on the real kernel, where nfs-utils has nfsd try each export: processor time of the tool and the daemon
# together, exportsd beside exportfs and rpc.mountd. Two clients a line, all directories existing; in every hundredth line
# two files differ and take turns ("changed"), or the same is read again ("same"). After each reload one client asks.
. "$HELPERS"

rounds=$(counts 2 1)
sizes=$(counts 1000 "1000 10000")

make_exports() { # count
	seq -f /srv/e/d%06.0f 0 $(($1 - 1)) | xargs mkdir -p
	for i in 0 1; do
		seq 0 $(($1 - 1)) | awk -v i=$i '{
			options = "(" (i && $1 % 100 == 0 ? "rw" : "ro") ",no_subtree_check,fsid=" 1000 + $1 ")"
			printf "/srv/e/d%06d 127.0.0.0/8%s *.example.test%s\n", $1, options, options }' >/run/exports.$i
	done
}

exportsd_us() { sed -n 's/^usage_usec //p' "/sys/fs/cgroup$(systemctl show -P ControlGroup exportsd)/cpu.stat"; }
mountd_us() { awk '{ print ($14 + $15) * 10000 }' "/proc/$(pidof rpc.mountd)/stat"; }
ask() { nfs3call mnt 127.0.0.1 /srv/e/d000007 >/run/handle || bail "no answer"; }

# reload DAEMON KIND TOOL...: prints milliseconds of processor time a reload
reload() {
	local daemon=$1 kind=$2 before after i TIMEFORMAT='%3U %3S'
	shift 2
	: >/run/tool
	before=$("${daemon}_us")
	for ((i = 1; i <= rounds; i++)); do
		[ "$kind" = same ] || cat /run/exports.$((i % 2)) >/etc/exports
		{ time "$@" || bail "$* failed"; } 2>>/run/tool
		ask
	done
	sleep 1 # what is done behind the answer
	after=$("${daemon}_us")
	awk -v n="$rounds" -v us=$((after - before)) 'NF == 2 { s += $1 + $2 } END { printf "%.1f", (us / 1000 + s * 1000) / n }' /run/tool
}

note "lines, kind, exportsd: ms, exportfs and rpc.mountd: ms, ratio"
for size in $sizes; do
	make_exports "$size"
	start_exportsd "$(cat /run/exports.0)"
	start_server
	ask
	for kind in changed same; do
		reload exportsd $kind "$BUILD/bin/exportfs" -ra >/run/ours.$kind
	done
	stop_server
	stop_exportsd
	start_mountd "$(cat /run/exports.0)"
	start_server
	ask
	for kind in changed same; do
		reload mountd $kind /usr/sbin/exportfs -ra >/run/stock.$kind
		ours=$(cat /run/ours.$kind) stock=$(cat /run/stock.$kind)
		ratio=$(awk -v a="$stock" -v b="$ours" 'BEGIN { printf "%.1f", a / b }')
		note "$size	$kind	$ours	$stock	$ratio"
		is "$size lines, $kind: less than stock" "$(awk -v r="$ratio" 'BEGIN { print (r > 1) }')" 1
	done
	stop_server
	stop_mountd
done
done_testing
