#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# daemon.bats - the whole daemon and exportsctl, with fakekernel in the kernel's place and a real
# handler that mounts tmpfs.

load helpers.bash

setup() { setup_plain_and_media; }
teardown() { teardown_tree; }

all_are_mounted() { exportsctl status --json | jq -e 'all(.media[]; .state == "mounted")'; }

json() { exportsctl status --json | jq -r "$1"; }

@test "it starts, says so, answers, and ends with SIGTERM" {
	start_exportsd
	run -0 exportsctl status
	[[ ${lines[0]} == "exportsd "*": 1 exports, 0 rules, in force since 20"* ]]
	[ "$(json .daemon.pid)" = "$(cat "$T/proc/pid")" ]
	stop_exportsd
	grep -q STOPPING=1 "$T/proc/notify"
	[ ! -e "$T/run/control" ]
	run -1 exportsctl status
}

@test "the socket is for root only" {
	start_exportsd
	[ "$(stat -c %a "$T/run/control")" = 600 ]
}

@test "too many connections: exportsctl says so, and they end by themselves" {
	start_exportsd
	python3 - "$T" 3>&- <<-'END' &
		import socket, sys, time
		held = []
		for _ in range(64):
		    held.append(socket.socket(socket.AF_UNIX))
		    held[-1].connect(sys.argv[1] + "/run/control")
		open(sys.argv[1] + "/holds", "w").close()
		time.sleep(20)
	END
	local holder=$!
	eventually test -e "$T/holds"
	run -1 exportsctl status
	[[ $output == *"too many connections at once"* ]]
	kill "$holder"
	eventually exportsctl status
}

@test "a second daemon is refused, and the first one does not notice" {
	start_exportsd
	run -1 "$BIN/exportsd" --config "$T/conf" --proc "$T/proc"
	[[ $output == *"nother exportsd is running"* ]]
	exportsctl status
}

@test "after kill -9 another one starts" {
	start_exportsd
	kill -9 "$(cat "$T/proc/pid")"
	wait "$EXPORTSD" || [ $? = 137 ]
	[ -S "$T/run/control" ]
	run -1 exportsctl status
	[[ $output == *"nobody listens"* ]]
	start_exportsd
	exportsctl status
}

@test "exports: what is in force, where it comes from, as JSON" {
	echo "$rule" >"$T/exports.d/media.exports"
	start_exportsd
	run -0 exportsctl exports
	diff <(echo "$output") <(exportsctl check --etab)
	run -0 exportsctl exports -v
	[[ ${lines[1]} == *"	# $T/exports.d/media.exports:1" ]]
	[ "$(exportsctl exports --json | jq -r '.[1].handler')" = "$T/handler" ]
	[ "$(exportsctl exports --json | jq '.[0].line')" = 1 ]
}

# The kernel here takes whatever it is told, as one that has no TLS does with xprtsec.
@test "an export for TLS only is told about, and served to nobody, by a kernel that knows no TLS" {
	echo "$T/plain *(ro,no_subtree_check,fsid=77,xprtsec=mtls)" >"$T/exports"
	start_exportsd
	grep -q "$T/exports:1:[1-9][0-9]*: warning: client '\*': xprtsec= asks for TLS" "$T/log"
	echo "nfsd.export * $T/plain" >"$T/proc/ask"
	eventually grep -q "^nfsd.export \* $T/plain [0-9]* \?$" "$T/proc/answers"
	run ! grep -q "$T/plain .*xprtsec" "$T/proc/answers"
	sed -i s/mtls/none:mtls/ "$T/exports"
	run -0 exportsctl reload
	[[ $output != *TLS* ]]
	echo "nfsd.export * $T/plain" >"$T/proc/ask"
	eventually grep -q "$T/plain .* xprtsec 2 1 4" "$T/proc/answers"
}

@test "exportsctl reload: new exports are in force when it ends" {
	start_exportsd
	run -0 exportsctl reload
	[ "$output" = "nothing changed" ]
	echo "$T/more *(ro,no_subtree_check)" >>"$T/exports"
	run -0 exportsctl reload
	[ "$output" = "new exports are in force" ]
	[ "$(exportsctl exports | wc -l)" = 2 ]
	grep -q "Exports reloaded by exportsctl: in force" "$T/log"
}

@test "a reload with faults tells them all and changes nothing" {
	start_exportsd
	exportsctl exports >"$T/before"
	printf '%s\n' "$T/new *(ro)" "$T/bad *(rwx)" "$T/worse 1.2.3.4/99(ro)" >"$T/exports"
	run -1 --separate-stderr exportsctl reload
	[[ ${stderr_lines[0]} == "$T/exports:2:"*": error: "*rwx* ]]
	[[ ${stderr_lines[1]} == "$T/exports:3:"*": error: "* ]]
	[[ $stderr == *"stay as they were"* ]]
	[ -z "$output" ]
	exportsctl exports | diff "$T/before" -
	[ "$(json .daemon.reload_errors)" = 2 ]
	exportsctl status | grep -q "had faults (2)"
}

@test "SIGHUP reloads; faults are logged and change nothing" {
	start_exportsd
	exportsctl exports >"$T/before"
	echo "$T/bad *(rwx)" >"$T/exports"
	kill -HUP "$EXPORTSD"
	eventually grep -q "keeping the previous exports" "$T/log"
	grep -q "error: $T/exports:1:.*rwx" "$T/log"
	exportsctl exports | diff "$T/before" -
	echo "$T/good *(ro,no_subtree_check)" >"$T/exports"
	kill -HUP "$EXPORTSD"
	eventually grep -q "Exports reloaded: in force" "$T/log"
	grep -q RELOADING=1 "$T/proc/notify"
	[[ $(exportsctl exports) == "$T/good	"* ]]
}

@test "at the start what has no fault is in force" {
	echo "$T/bad *(rwx)" >>"$T/exports"
	start_exportsd
	grep -q "error: $T/exports:2:" "$T/log"
	[[ $(exportsctl exports) == "$T/plain	"* ]]
}

@test "the kernel's questions are answered, and counted" {
	start_exportsd
	echo "auth.unix.ip nfsd 192.0.2.7" >"$T/proc/ask"
	eventually grep -q '^auth.unix.ip nfsd 192.0.2.7 [0-9]* \*' "$T/proc/answers"
	printf '%s\n' 'nfsd.fh * 1 \x4d000000' >"$T/proc/ask"
	eventually grep -q "^nfsd.fh \* 1 .*$T/plain" "$T/proc/answers"
	[ "$(json '.kernel.asked["auth.unix.ip"]')" = 1 ]
	[ "$(json '.kernel.answered["nfsd.fh"]')" = 1 ]
}

@test "media: listed, numbered, absent" {
	start_media good noent
	run -0 exportsctl status
	[[ $output == *"$T/media/good "*" absent "* ]]
	[ "$(json '.media | map(.state) | unique | .[]')" = absent ]
	number=$(exportsctl fsid "$T/media/good")
	[ "$number" -ge 65536 ]
	[ "$(exportsctl fsid "$T/media/good/docs/deep.txt")" = "$number" ]
	[ "$(exportsctl path "$number")" = "$T/media/good" ]
	[ "$(exportsctl path 77)" = "$T/plain" ]
	[ "$(cd "$T/media" && "$OLDPWD/$BIN/exportsctl" --config "$T/conf" fsid ./x/../good)" = "$number" ]
	run -1 exportsctl path 78
	[[ $output == *"nothing has this number" ]]
	run -1 exportsctl fsid /elsewhere
	run ! mountpoint -q "$T/media/good"
}

@test "mount: waits for the medium, and tells its number and the time" {
	start_media good
	run -0 exportsctl mount "$T/media/good"
	[[ $output == *"$T/media/good: mounted, fsid $(exportsctl fsid "$T/media/good"), "*" s" ]]
	mountpoint "$T/media/good"
	run -0 exportsctl status "$T/media/good/docs"
	[ "${lines[0]}" = "$T/media/good" ]
	[[ ${lines[1]} == "  state     mounted, since 20"* ]]
	[ "$(json '.media[0].state')" = mounted ]
	run -0 exportsctl mount "$T/media/good/docs"
}

@test "mount: progress is told, a line a change" {
	start_media slow-3
	run -0 --separate-stderr exportsctl mount "$T/media/slow-3"
	[[ $output == "$T/media/slow-3: mounted, "* ]]
	[ "${#stderr_lines[@]}" -ge 2 ]
	[[ ${stderr_lines[-1]} == "loading "*% || ${stderr_lines[-1]} == "loading "*%\ * ]]
}

@test "mount: on a terminal there is a bar" {
	start_media slow-2
	run -0 script -qec "$BIN/exportsctl --config '$T/conf' mount '$T/media/slow-2'" /dev/null </dev/null
	[[ $output == *$'\r['*']'*'%'* ]]
	[[ $output == *"mounted, fsid "* ]]
}

@test "mount: leaving it does not stop the loading" {
	start_media slow-2
	run -124 timeout -s INT 0.5 "$BIN/exportsctl" --config "$T/conf" mount "$T/media/slow-2"
	eventually mountpoint "$T/media/slow-2"
	eventually all_are_mounted
}

@test "mount: what cannot be is said, exit code 1" {
	start_media good noent denied
	run -1 exportsctl mount "$T/media/noent"
	[[ ${lines[-1]} == "exportsctl: $T/media/noent: "* ]]
	run -1 exportsctl mount "$T/media/denied"
	[[ ${lines[-1]} == "exportsctl: $T/media/denied: "* ]]
	run -1 exportsctl mount "$T/plain"
	[[ $output == *"no rule claims this path" ]]
	run -1 exportsctl status "$T/plain"
	run -1 exportsctl status "$T/media/nothing"
}

@test "garbage costs its own connection" {
	start_exportsd
	for bytes in 'GET / HTTP/1.0\r\n\r\n' 'exportsd/1 status\nno equals sign\n\n' 'exportsd/1 \0\n\n'; do
		python3 -c "
import socket, sys
peer = socket.socket(socket.AF_UNIX)
peer.connect('$T/run/control')
peer.sendall(b'$bytes')
answer = b''
while more := peer.recv(1000):
    answer += more
sys.exit(not answer.startswith(b'exportsd/1 error\n'))"
	done
	grep -q "closing the connection" "$T/log"
	exportsctl status
}

@test "numbers outlive the daemon" {
	start_media good
	number=$(exportsctl fsid "$T/media/good")
	stop_exportsd
	start_exportsd
	[ "$(exportsctl fsid "$T/media/good")" = "$number" ]
}

state_is() { exportsctl status --json | jq -e --arg path "$T/media/$2" --arg state "$1" 'any(.media[]; .path == $path and .state == $state)'; }

@test "an eject that a restart cuts short is dropped, says so, and can be asked for again" {
	echo "$T/media/* *(mountpoint,ro,fsid=$T/handler)" >>"$T/exports"
	start_handler good-one
	start_exportsd
	eventually exportsctl mount "$T/media/good-one"
	(cd "$T/media/good-one" && exec sleep 60 3>&-) &
	holder=$!
	exportsctl eject --wait 60 "$T/media/good-one" >"$T/eject" 2>&1 3>&- &
	eject=$!
	eventually state_is draining good-one
	stop_exportsd
	! wait $eject || false
	grep -q "good-one: not known to be ejected" "$T/eject"
	start_exportsd
	mountpoint -q "$T/media/good-one"
	eventually state_is mounted good-one
	kill $holder
	exportsctl eject --wait 20 "$T/media/good-one"
	run ! mountpoint -q "$T/media/good-one"
}
