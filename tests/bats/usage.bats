#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# usage.bats - command lines, and that help, manual pages, the table of keys and the example agree.

load helpers.bash

setup() { setup_tree; }
teardown() { teardown_tree; }

@test "wrong usage is exit code 2, and says what is right" {
	run -2 exportsctl
	run -2 exportsctl dance
	[[ $output == *dance* ]]
	run -2 exportsctl mount
	[ "$output" = "Usage: exportsctl mount PATH" ]
	run -2 exportsctl status a b
	run -2 exportsctl reload --json
	run -2 exportsctl --nonsense
	run -2 "$BIN/exportsd" argument
	run -2 "$BIN/exportsd" --nonsense
}

@test "without a daemon: what to do" {
	run -1 exportsctl status
	[ "$output" = "exportsctl: exportsd is not running (no $T/run/control); systemctl start exportsd" ]
	EXPORTSCTL_SOCKET=$T/elsewhere run -1 exportsctl reload
	[[ $output == *"(no $T/elsewhere)"* ]]
	run -1 exportsctl --socket "$T/third" fsid /x
	[[ $output == *"(no $T/third)"* ]]
	python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('$T/dead')"
	run -1 exportsctl --socket "$T/dead" path 7
	[[ $output == *"nobody listens on $T/dead"* ]]
}

@test "what answers is another program" {
	python3 - "$T/other" 3>&- <<-'END' &
		import socket, sys
		listener = socket.socket(socket.AF_UNIX)
		listener.bind(sys.argv[1])
		listener.listen()
		for answer in b"HTTP/1.1 400 Bad Request\r\n\r\n", b"exportsd/1 daemon\npid=1\n":
		    peer, _ = listener.accept()
		    peer.recv(1000)
		    peer.send(answer)
		    peer.close()
	END
	mkfifo "$T/never"
	eventually test -S "$T/other"
	run -1 exportsctl --socket "$T/other" status
	[[ $output == *"is not exportsd"* ]]
	run -1 exportsctl --socket "$T/other" status
	[[ $output == *"ended the connection before"* ]]
}

# The long options a program knows, by its help; settings, which are keys of the configuration, too, apart.
options_of() { "$BIN/$1" --help | sed '/^Settings/,$d' | grep -oE -- '--[a-z-]+' | sort -u; }

# The same of its page: mdoc writes -- as "Fl -".
options_in() { sed -n 's/^\.It.* Fl -\([a-z-]*\).*/--\1/p' "man/$1.8" | sort -u; }

@test "help and manual pages list the same options" {
	for program in exportsd exportsctl; do
		diff <(options_of $program) <(options_in $program)
	done
}

# exportsctl's commands: "name" and "group name". In the page these are "Cm name", and "Ic group name" in a group.
@test "help and manual page list the same commands" {
	local name='\([a-z]\+\( [a-z]\+\)\{0,1\}\)\( .*\)\{0,1\}$'
	diff <(exportsctl --help | sed -n "/^Commands:/,/^\$/s/^  $name/\1/p" | sort) \
		<(sed -n "s/^\.It Cm $name/\1/p; s/^\.It Ic $name/\1/p" man/exportsctl.8 | sort -u)
}

@test "wrong usage of a command shows it as the help does, of a group all of it" {
	run -2 exportsctl fsid set /x
	[ "$output" = "Usage: exportsctl fsid set PATH FSID [IDENTITY]" ]
	run -2 exportsctl eject /x --wait soon
	[ "${lines[1]}" = "Usage: exportsctl eject PATH [--wait SECONDS] [--force]" ]
	run -2 exportsctl fsid nonsense words
	[ "${#lines[@]}" = "$(exportsctl --help | grep -c '^  fsid ')" ]
	run -2 exportsctl status --wait 3
	[ "$output" = "Usage: exportsctl status [PATH] [--json]" ]
}

@test "every option of the help is taken" {
	for option in $(options_of exportsd); do
		run "$BIN/exportsd" "$option" "$T/conf" --help
		[[ $output != *unrecognized* ]]
	done
}

# "KEY DEFAULT" lines.
keys_in_example() { sed -n 's/^#\([a-z0-9-]*\) = \(.*\)/\1 \2/p' examples/exportsd.conf; }
keys_in_help() { "$BIN/exportsd" --help | sed -n '/^Settings/,$s/^      --\([a-z0-9-]*\)=[A-Z,.]*$/\1/p'; }
keys_in_page() {
	sed -n '/^\.It Cm [a-z0-9-]*$/{s/^\.It Cm //;h}; /^Default:$/{n;s/^\.Li //;s/\\(dq/"/g;H;x;s/\n/ /;p}' man/exportsd.conf.5
}

@test "the manual page has every key with its default, in the order of the example" {
	diff <(keys_in_example) <(keys_in_page)
	[ "$(keys_in_page | wc -l)" -ge 18 ]
}

@test "the help has every key, and each is taken as an option" {
	diff <(keys_in_help) <(keys_in_page | cut -d' ' -f1)
	: >"$T/empty"
	local key value
	while read -r key value; do
		value=${value//[\{\}\" ]/}
		"$BIN/exportsd" --config "$T/empty" --nfs-conf= --"$key=$value" -p >"$T/printed"
		"$BIN/exportsd" --config "$T/printed" -p | diff "$T/printed" -
		"$BIN/exportsd" --config "$T/empty" --nfs-conf= --"$key=$value" -pp | grep -q "^$key = .* # command line\$"
	done < <(keys_in_page)
	run -1 "$BIN/exportsd" --config "$T/empty" --ttl-seconds=soon -p
	[ "$output" = "command line: error: ttl-seconds: 'soon' is not a whole number" ]
}

@test "nfs.conf, exportsd.conf, command line: each goes before those before it" {
	printf '[mountd]\nport=1\nttl=1\ndebug=all\nmanage-gids=n\nthreads=4\n' >"$T/nfs.conf"
	printf 'nfs-conf = "%s"\nttl-seconds = 2\nmount-port = 2\n' "$T/nfs.conf" >"$T/both"
	run -0 --separate-stderr "$BIN/exportsd" --config "$T/both" --ttl-seconds=3 -pp
	[ "$stderr" = "$T/nfs.conf:6:9: warning: [mountd] threads: '4' has no effect: exportsd has one, and nobody waits for another's DNS or disk in it" ]
	diff <(printf '%s\n' "${lines[@]}") - <<-END
		nfs-conf = "$T/nfs.conf" # $T/both
		manage-gids = false # $T/nfs.conf:5: [mountd] manage-gids
		ttl-seconds = 3 # command line
		mount-port = 2 # $T/both
		debug = true # $T/nfs.conf:4: [mountd] debug
	END
}

@test "the ranges in the manual page are those that are checked" {
	awk '/^\.It Cm/ { key = $3 }
		/^[SP][a-z ]*, [0-9]+ to [0-9]+:/ { gsub(/[^0-9]+/, " "); print key, $1, $2 }' \
		man/exportsd.conf.5 >"$T/ranges"
	[ "$(wc -l <"$T/ranges")" -ge 9 ]
	while read -r key min max; do
		for value in "$min" "$max"; do
			echo "$key = $value" >"$T/range"
			"$BIN/exportsd" --config "$T/range" --print-config | grep -qx "$key = $value"
		done
		echo "$key = $((max + 1))" >"$T/range"
		run -1 "$BIN/exportsd" --config "$T/range" --print-config
		[[ $output == *"is not within $min .. $max" ]]
	done <"$T/ranges"
}

@test "the examples in the manual page are configurations" {
	sed -n '/^Example/{n;s/^\.Li //;s/\\(dq/"/g;p}' man/exportsd.conf.5 >"$T/examples"
	[ "$(wc -l <"$T/examples")" = "$(keys_in_page | wc -l)" ]
	sed -i '/^mount-[tuv]/d' "$T/examples"
	"$BIN/exportsd" --config "$T/examples" --print-config >"$T/printed"
	grep -qx 'deadline-seconds = 900' "$T/printed"
}

@test "what --print-config prints is a configuration that says the same" {
	"$BIN/exportsd" --config "$T/conf" --print-config >"$T/printed"
	"$BIN/exportsd" --config "$T/printed" --print-config | diff "$T/printed" -
	grep -qx "runtime-directory = \"$T/run\"" "$T/printed"
}

@test "a faulty configuration: every fault, exit code 1, and no start" {
	printf '%s\n' 'rpcbind = perhaps' 'mount-prot = 5' 'ttl-seconds = 0' >"$T/bad"
	run -1 "$BIN/exportsd" --config "$T/bad" --proc "$T/proc"
	[ "${lines[0]}" = "$T/bad:1:11: error: rpcbind: 'perhaps' is neither true nor false" ]
	[ "${lines[1]}" = "$T/bad:2:1: error: unknown key 'mount-prot'; did you mean 'mount-port'?" ]
	[ "${lines[2]}" = "$T/bad:3:15: error: ttl-seconds: '0' is not within 1 .. 2147483647" ]
	run -1 "$BIN/exportsd" --config "$T/missing"
	[[ $output == *"$T/missing"*"No such file"* ]]
	[ ! -e "$T/run" ]
}

@test "no page has a fault, and pages name only pages that exist" {
	run mandoc -T lint -W warning man/*.[1-9]
	[ -z "$output" ]
}
