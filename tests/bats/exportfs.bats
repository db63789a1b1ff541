#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# exportfs.bats - exportfs and the daemon: what tests/transcripts cannot compare with nfs-utils, because it has no rules,
# no memory of run-time exports, and no daemon. Also the Pacemaker agent, as it is.

load helpers.bash

setup() {
	setup_tree
	export EXPORTSD_CONFIG=$T/conf
	etab=$T/nfs/etab
	mkdir "$T/plain" "$T/other" "$T/third"
	echo "$T/plain *(ro,no_subtree_check)" >"$T/exports"
}
teardown() { teardown_tree; }

exportfs() { "$BIN/exportfs" "$@"; }
# Paths in force, in the daemon.
in_force() { exportsctl exports | cut -f 1 | sed "s|$T/||" | sort | paste -sd ' '; }
is_in_force() { [ "$(in_force)" = "$1" ]; }
# Another program's way to write etab.
rewrite_etab() { cat >"$T/nfs/new" && mv "$T/nfs/new" "$etab"; }
line() { echo "$T/$1	$2(rw,sync,wdelay,hide,nocrossmnt,secure,root_squash,no_all_squash,no_subtree_check,secure_locks,acl,no_pnfs,anonuid=65534,anongid=65534,sec=sys,rw,secure,root_squash,no_all_squash)"; }

@test "the daemon writes etab, and leaves it alone if nothing changed" {
	start_exportsd
	[ "$(cut -f 1 "$etab")" = "$T/plain" ]
	local inode
	inode=$(stat -c %i "$etab")
	exportfs -ra
	[ "$(stat -c %i "$etab")" = "$inode" ]
	[ ! -e "$etab.tmp" ]
}

@test "run-time exports outlive the daemon, and so does what was taken back" {
	echo "$T/third *(ro,no_subtree_check)" >>"$T/exports"
	start_exportsd
	exportfs -o rw,no_subtree_check "192.0.2.1:$T/other"
	exportfs -u "*:$T/third"
	is_in_force "other plain"
	kill -9 "$(cat "$T/proc/pid")"
	wait "$EXPORTSD" || true
	start_exportsd
	is_in_force "other plain"
	grep -q "$T/other	192.0.2.1(rw," "$etab"
	stop_exportsd
	start_exportsd
	is_in_force "other plain"
	run -0 exportsctl exports -v
	[[ $output == *"(run time)"* ]]
	exportfs -ra
	is_in_force "plain third"
	stop_exportsd
	start_exportsd
	is_in_force "plain third"
}

@test "exportfs -ua: nothing is exported, after a restart neither, until exportfs -a" {
	start_exportsd
	exportfs -ua
	is_in_force ""
	[ ! -s "$etab" ]
	stop_exportsd
	start_exportsd
	is_in_force ""
	exportfs -a
	is_in_force "plain"
}

@test "what another program writes into etab comes into force, rules stay, and it outlives the daemon" {
	echo "$T/media/* *(mountpoint,ro,fsid=$T/handler)" >>"$T/exports"
	start_handler good
	start_exportsd
	is_in_force "media/* plain"
	run ! grep -q media "$etab"
	{ cat "$etab"; line other 192.0.2.1; } | rewrite_etab
	eventually is_in_force "media/* other plain"
	stop_exportsd
	start_exportsd
	is_in_force "media/* other plain"
	line third '*' | rewrite_etab
	eventually is_in_force "media/* third"
	[ "$(cat "$etab")" = "$(line third '*')" ]
	stop_exportsd
	start_exportsd
	is_in_force "media/* third"
	exportfs -r
	is_in_force "media/* plain"
}

@test "a faulty command is no fault of the exports files" {
	start_exportsd
	run -1 exportfs -o nonsense "*:$T/other"
	run -0 exportsctl status
	[[ $output != *"had faults"* ]]
}

@test "a wildcard that another program wrote into etab is a character of the path" {
	mkdir "$T/star*"
	start_exportsd
	{ cat "$etab"; line 'star*' 192.0.2.1; } | rewrite_etab
	eventually is_in_force 'plain star\052'
	stop_exportsd
	start_exportsd
	is_in_force 'plain star\052'
	run -0 exportfs -s
	[[ $output == *"/star*  192.0.2.1("* ]]
	stop_exportsd
	exportfs -o ro "192.0.2.1:$T/third"
	grep -q "192.0.2.1(ro" "$etab"
	grep -q "^$T/star.*192.0.2.1(rw" "$etab"
}

@test "etab that another program wrote while no daemon ran is taken in as exportfs -a would" {
	start_exportsd
	stop_exportsd
	line other 192.0.2.1 | rewrite_etab
	start_exportsd
	is_in_force "other plain"
}

@test "a line of etab that cannot be read costs only itself" {
	start_exportsd
	{ echo "$T/third	*(nonsense)"; line other 192.0.2.1; } | rewrite_etab
	eventually is_in_force "other"
	grep -q "etab:1: unknown option" "$T/log"
}

@test "a faulty file: every fault is told, exit code 1, what was in force is" {
	start_exportsd
	printf '%s\n' "$T/other *(ro,nonsense)" "$T/third *(ro)" "$T/third @(fsid=x)" >"$T/exports"
	for how in -r -a -ra; do
		run -1 exportfs "$how"
		[[ $output == *"$T/exports:1:"*"unknown option 'nonsense'"*"$T/exports:3:"* ]]
		is_in_force plain
	done
	run -1 exportfs -o ro,no_subtree_check "192.0.2.1:$T/other"
	is_in_force "other plain"
	exportfs -i -o ro,no_subtree_check "192.0.2.2:$T/other"
	exportfs -u "192.0.2.1:$T/other" "192.0.2.2:$T/other"
	is_in_force plain
}

@test "whatever is no directory is named, be it one among many or more than the daemon lists" {
	: >"$T/file"
	mkdir "$T/many"
	for n in {100..299}; do
		mkdir "$T/many/$n"
		echo "$T/many/$n 192.0.2.0/24(ro,no_subtree_check) *(ro,no_subtree_check)" >>"$T/exports"
	done
	ln -s many/150 "$T/link"
	echo "$T/link *.example.test(ro,no_subtree_check)" >>"$T/exports"
	start_exportsd
	run -0 exportfs -ra
	[ -z "$output" ]
	echo "$T/file *(ro,no_subtree_check)" >>"$T/exports"
	rmdir "$T/many/150"
	run -1 exportfs -ra
	[ "$(grep -c "Failed to stat $T/many/150: No such file or directory" <<<"$output")" = 2 ]
	[ "$(grep -c "Failed to stat $T/link: No such file or directory" <<<"$output")" = 1 ]
	[ "$(grep -c "$T/file is not a directory" <<<"$output")" = 1 ]
	[ "${#lines[@]}" = 4 ]
	# One that is named is looked at, others are not.
	run -0 exportfs -o ro,no_subtree_check "192.0.2.1:$T/other"
	run -1 exportfs -o ro,no_subtree_check "192.0.2.1:$T/nowhere"
	[ "${#lines[@]}" = 1 ]
	rmdir "$T"/many/*
	run -1 exportfs -ra
	[ "$(grep -c "Failed to stat $T/many/[12]..: No such" <<<"$output")" = 400 ]
}

@test "an etab that somebody removed, emptied or could not be written comes back, though no export changed" {
	start_exportsd
	rm "$etab"
	exportfs -ra
	grep -q "$T/plain" "$etab"
	echo "$T/third *(ro,no_subtree_check)" >"$T/exports"
	chattr +i "$T/nfs" 2>/dev/null || mount --bind -o ro "$T/nfs" "$T/nfs" || skip "nothing to keep it from being written"
	run -1 exportfs -ra
	chattr -i "$T/nfs" 2>/dev/null || umount "$T/nfs"
	grep -q "$T/plain" "$etab"
	run -0 exportfs -ra
	grep -q "$T/third" "$etab"
}

@test "nfs-utils' lock on etab is waited for" {
	start_exportsd
	: >>"$T/nfs/.etab.lock"
	python3 - "$T/nfs/.etab.lock" "$T" 3>&- <<-'END' &
		import fcntl, os, sys, time
		lock = open(sys.argv[1], "r+")
		fcntl.lockf(lock, fcntl.LOCK_EX)
		os.mkdir(sys.argv[2] + "/held")
		time.sleep(1)
		os.mkdir(sys.argv[2] + "/free")
	END
	eventually test -d "$T/held"
	exportfs -i -o ro,no_subtree_check "192.0.2.1:$T/other"
	[ -d "$T/free" ]
	grep -q "$T/other" "$etab"
}

@test "rules are listed, with -v their mounted media" {
	echo "$T/media/* 192.0.2.0/24(mountpoint,ro,fsid=$T/handler)" >>"$T/exports"
	start_handler good
	start_exportsd
	run -0 exportfs
	[ "${lines[2]}" = "$T/media/*" ]
	[ "${lines[3]}" = "		192.0.2.0/24" ]
	run -0 exportfs -s
	[[ ${lines[1]} == "$T/media/*  192.0.2.0/24("*",fsid=$T/handler,mountpoint,"* ]]
	[ "$(exportfs -v | grep -c "^$T/media/good\$")" = 0 ]
	eventually exportsctl mount "$T/media/good"
	[ "$(exportfs -v | grep -c "^$T/media/good\$")" = 1 ]
	[[ $(exportfs -v) == *"fsid=$(exportsctl fsid "$T/media/good")"* ]]
	stop_exportsd
	run -0 exportfs
	[ ${#lines[@]} = 2 ]
}

@test "exportfs -u of a rule drains its media first; of a medium ejects it" {
	echo "$T/media/* *(mountpoint,ro,fsid=$T/handler)" >>"$T/exports"
	start_handler good-one good-two
	start_exportsd
	eventually exportsctl mount "$T/media/good-one"
	eventually exportsctl mount "$T/media/good-two"
	run -0 exportfs -u "*:$T/media/good-one"
	run ! mountpoint -q "$T/media/good-one"
	mountpoint -q "$T/media/good-two"
	is_in_force "media/* plain"
	exportfs -u "*:$T/media/*"
	run ! mountpoint -q "$T/media/good-two"
	is_in_force plain
	exportfs -u "*:$T/plain"
	exportfs -a
	is_in_force "media/* plain"
}

@test "without a daemon files and etab are enough, and a later daemon knows what was done" {
	echo "$T/third *(ro,no_subtree_check)" >>"$T/exports"
	exportfs -ra
	exportfs -i -o rw,no_subtree_check "192.0.2.1:$T/other"
	exportfs -u "*:$T/third"
	start_exportsd
	is_in_force "other plain"
	stop_exportsd
	run -1 exportfs -u "*:$T/third"
	exportfs -ra
	start_exportsd
	is_in_force "plain third"
}

@test "more pairs than one request takes" {
	start_exportsd
	local pairs=()
	for i in {1..600}; do pairs+=("192.0.2.$((i % 250)):$T/plain/$((i / 250))"); done
	mkdir "$T/plain/0" "$T/plain/1" "$T/plain/2"
	exportfs -i -o ro,no_subtree_check "${pairs[@]}"
	[ "$(wc -l <"$etab")" = 601 ]
	exportfs -u "${pairs[@]}"
	[ "$(wc -l <"$etab")" = 1 ]
}

# agent ACTION: the Pacemaker agent, with our exportfs in the path
agent() {
	PATH=$T/bin:$PATH OCF_ROOT=/usr/lib/ocf OCF_RESOURCE_INSTANCE=export OCF_RESKEY_clientspec="$client" \
		OCF_RESKEY_options=rw,no_subtree_check OCF_RESKEY_directory="$T/other" OCF_RESKEY_fsid=11 \
		HA_RSCTMP="$T" HA_logfile="$T/ha.log" /usr/lib/ocf/resource.d/heartbeat/exportfs "$1" >>"$T/agent.log" 2>&1
}

@test "the Pacemaker agent: start, monitor, stop" {
	[ -x /usr/lib/ocf/resource.d/heartbeat/exportfs ] || skip "resource-agents is not installed"
	mkdir "$T/bin"
	ln -s "$(realpath "$BIN/exportfs")" "$T/bin/exportfs"
	start_exportsd
	for client in 192.0.2.0/24 '*' '[2001:db8::]/64' '@hosts'; do
		run -7 agent monitor
		run -0 agent start
		run -0 agent monitor
		grep -q "$T/other	.*fsid=11" "$etab"
		stop_exportsd
		start_exportsd
		run -0 agent monitor
		run -0 agent start
		run -0 agent stop
		run -7 agent monitor
		run -0 agent stop
		run ! grep -q "$T/other" "$etab"
	done
}
