#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# exportsd-image.bats - the program itself: its command line, and all but loop devices, which are
# out of reach in a user namespace.

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return 1
	IMAGE=${B:-build}/bin/exportsd-image TALK=${B:-build}/bin/handlertalk
	IMAGES=$BATS_TEST_TMPDIR/images
	SOCKET=$BATS_TEST_TMPDIR/socket
	mkdir "$IMAGES" "$BATS_TEST_TMPDIR/files"
	echo content >"$BATS_TEST_TMPDIR/files/file"
}

teardown() {
	[ -z "$PID" ] || kill "$PID" 2>/dev/null || :
}

# start OPTION...
start() {
	"$IMAGE" --socket="$SOCKET" --directory="$IMAGES" "$@" 2>"$BATS_TEST_TMPDIR/log" 3>&- &
	PID=$!
	for _ in {1..500}; do
		[ ! -S "$SOCKET" ] || return 0
		sleep .01
	done
	return 1
}

# heard WORD N: the watch has told it N times
heard() {
	for _ in {1..500}; do
		[ "$(grep -c "$1" "$BATS_TEST_TMPDIR/watch")" != "$2" ] || return 0
		sleep .01
	done
	return 1
}

ask() { run -"${STATUS:-0}" "$TALK" -t 10 "$SOCKET" ask "$@"; }

@test "--help tells every option, and so does the manual" {
	run -0 "$IMAGE" --help
	for option in directory endings types options follow-links socket at-once idle help version; do
		grep -q -- "--$option" <<<"$output"
		grep -q -- "-$option" man/exportsd-image.8
	done
	[ "$(grep -o -- '--[a-z-]*' <<<"$output" | sort -u | wc -l)" = 10 ]
}

@test "--version" {
	run -0 "$IMAGE" --version
	[[ $output =~ ^exportsd-image\ [0-9.]+$ ]]
}

@test "a wrong command line is told, with exit code 2" {
	local option
	for option in --nonsense word --idle=x --idle=-1 --idle= --at-once=0 --at-once=1025 --socket=relative \
		--socket= --directory=relative --endings= --endings=a,,b --endings=. --endings=a/b --types=nonsense \
		--types= '--types=ext4,'; do
		run -2 "$IMAGE" "$option"
		[ -n "$output" ]
	done
}

@test "without a socket it says what to do" {
	run -1 "$IMAGE" --directory="$IMAGES" </dev/null
	[[ $output == *--socket* ]]
}

@test "it keeps to the protocol" {
	genisoimage -quiet -R -V DISC -o "$IMAGES/disc.iso" "$BATS_TEST_TMPDIR/files"
	start
	"$TALK" -t 10 "$SOCKET" check
}

@test "on standard input, as systemd has it with Accept=yes" {
	genisoimage -quiet -R -V DISC -o "$IMAGES/disc.iso" "$BATS_TEST_TMPDIR/files"
	"$TALK" -t 10 "exec:exec $IMAGE --directory='$IMAGES' 2>/dev/null" check
}

@test "images of all kinds are listed" {
	genisoimage -quiet -R -V ROCK -o "$IMAGES/rock.iso" "$BATS_TEST_TMPDIR/files"
	genisoimage -quiet -R -J -udf -V BRIDGE -o "$IMAGES/bridge.ISO" "$BATS_TEST_TMPDIR/files"
	mksquashfs "$BATS_TEST_TMPDIR/files" "$IMAGES/squash.squashfs" -quiet >/dev/null
	start
	ask list
	grep -qE '^identity=iso9660 ROCK 20[0-9]{2}-[0-9-]+ sum-[0-9a-f]{16}-[0-9]+$' <<<"$output"
	grep -qE '^identity=udf BRIDGE [0-9a-f]+ sum-[0-9a-f]{16}-[0-9]+$' <<<"$output"
	grep -qE '^identity=squashfs - sum-[0-9a-f]{16}-[0-9]+$' <<<"$output"
	[ "$(grep ^key= <<<"$output")" = "$(printf 'key=%s\n' bridge rock squash)" ]
}

@test "a disc of two kinds is what is allowed" {
	genisoimage -quiet -R -J -udf -V BRIDGE -o "$IMAGES/bridge.iso" "$BATS_TEST_TMPDIR/files"
	start --types=iso9660
	ask lookup key=bridge
	grep -q '^identity=iso9660 BRIDGE' <<<"$output"
}

@test "--endings" {
	touch "$IMAGES/a.iso" "$IMAGES/b.disc" "$IMAGES/c.DISC"
	start --endings=disc,.bin
	ask list
	[ "$(grep ^key= <<<"$output")" = "$(printf 'key=%s\n' b c)" ]
}

@test "--follow-links" {
	touch "$BATS_TEST_TMPDIR/outside.iso"
	ln -s ../outside.iso "$IMAGES/link.iso"
	start
	STATUS=1 ask lookup key=link
	kill "$PID"
	wait "$PID"
	start --follow-links
	ask lookup key=link
}

@test "10,000 images are listed at once, and the directory may be missing" {
	(cd "$IMAGES" && seq -f 'disc%05g.iso' 10000 | xargs touch)
	start
	ask list
	[ "$(grep -c ^key= <<<"$output")" = 10000 ]
	rm -r "$IMAGES"
	STATUS=4 ask list
	grep -q "^message=directory $IMAGES: No such file or directory" <<<"$output"
}

@test "watch: what is copied in, removed, and renamed" {
	start
	"$TALK" -t 10 "$SOCKET" ask watch >"$BATS_TEST_TMPDIR/watch" 3>&- &
	heard watching 1
	echo 1 >"$IMAGES/one.iso"
	heard appeared 1
	mv "$IMAGES/one.iso" "$IMAGES/two.iso"
	heard appeared 2
	rm "$IMAGES/two.iso"
	heard vanished 2
	# If the handler is slower than who writes, a file is whole at its first event, and "changed" by the next.
	grep -E '^(exportsd|key)' "$BATS_TEST_TMPDIR/watch" | tail -n +2 | sed '/ changed$/,+1d' >"$BATS_TEST_TMPDIR/seen"
	printf 'exportsd/1 %s\nkey=%s\n' appeared one vanished one appeared two vanished two |
		cmp - "$BATS_TEST_TMPDIR/seen"
}

@test "a mount that fails is told, and leaves nothing" {
	genisoimage -quiet -R -V DISC -o "$IMAGES/disc.iso" "$BATS_TEST_TMPDIR/files"
	mkdir -p "$BATS_TEST_TMPDIR/place/disc"
	start
	STATUS=4 ask mount key=disc path="$BATS_TEST_TMPDIR/place/disc" # no loop devices here
	grep -q '^errno=' <<<"$output"
	run ! mountpoint -q "$BATS_TEST_TMPDIR/place/disc"
}
