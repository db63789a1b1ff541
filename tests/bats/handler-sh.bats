#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# handler-sh.bats - examples/handler.sh, with mount, umount and findmnt replaced: loop devices are
# out of reach in a user namespace. The fakes keep what is mounted in $MOUNTS.

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return 1
	TALK=${B:-build}/bin/handlertalk
	IMAGES=$BATS_TEST_TMPDIR/images MOUNTS=$BATS_TEST_TMPDIR/mounts
	PLACE=$BATS_TEST_TMPDIR/place FAKES=$BATS_TEST_TMPDIR/fakes
	export MOUNTS
	mkdir "$IMAGES" "$MOUNTS" "$PLACE" "$FAKES"
	cat >"$FAKES/mount" <<-'END'
		#!/bin/sh
		for path; do :; done
		echo "mount $*" >>"$MOUNTS/log"
		case $path in *refused*) echo "mount: $path: no\such\device" >&2; exit 32 ;; esac
		: >"$MOUNTS/at.$(printf %s "$path" | md5sum | cut -c-32)"
	END
	cat >"$FAKES/umount" <<-'END'
		#!/bin/sh
		rm "$MOUNTS/at.$(printf %s "$1" | md5sum | cut -c-32)"
	END
	cat >"$FAKES/findmnt" <<-'END'
		#!/bin/sh
		for path; do :; done
		[ -e "$MOUNTS/at.$(printf %s "$path" | md5sum | cut -c-32)" ] && echo /dev/loop7
	END
	cat >"$FAKES/head" <<-'END'
		#!/bin/sh
		cat "$MOUNTS/device" 2>/dev/null || echo data
	END
	cat >"$FAKES/blkid" <<-'END'
		#!/bin/sh
		for device; do :; done
		echo "$device: LABEL=\"A\\B\" TYPE=\"iso9660\" "
	END
	chmod +x "$FAKES"/*
	HANDLER="exec:PATH=$FAKES:\$PATH; exec examples/handler.sh '$IMAGES'"
}

ask() { run -"${STATUS:-0}" "$TALK" -t 5 "$HANDLER" ask "$@"; }

@test "it is at most 40 lines" {
	[ "$(wc -l <examples/handler.sh)" -le 40 ]
}

@test "shellcheck finds nothing" {
	! grep -q systemd.unit=vm.service /proc/cmdline || skip "User-Mode Linux's address space is too small for it"
	shellcheck examples/handler.sh
}

@test "it keeps to the protocol, in dash and bash" {
	mkdir "$PLACE/disc"
	echo data >"$IMAGES/disc.iso"
	"$TALK" -t 10 "$HANDLER" check disc "$PLACE/disc"
	"$TALK" -t 10 "exec:PATH=$FAKES:\$PATH; exec bash --posix examples/handler.sh '$IMAGES'" check disc "$PLACE/disc"
}

@test "list: keys, sizes, and only what is an image" {
	printf 12345 >"$IMAGES/five.iso"
	: >"$IMAGES/empty.squashfs"
	: >"$IMAGES/readme.txt"
	: >"$IMAGES/.hidden.iso"
	mkdir "$IMAGES/directory.iso"
	ask list
	[ "$output" = "$(printf '%s\n' 'exportsd/1 medium' id=1 key=empty size-bytes=0 '' 'exportsd/1 medium' \
		id=1 key=five size-bytes=5 '' 'exportsd/1 ok' id=1 removable=1)" ]
}

@test "list: of two files with one key, one is listed" {
	printf 1 >"$IMAGES/a.img"
	printf 12 >"$IMAGES/a.iso"
	ask list
	[ "$(grep -c key=a <<<"$output")" = 1 ]
	grep -q size-bytes=2 <<<"$output"
}

@test "list: an empty directory has no media" {
	ask list
	[ "$output" = "$(printf 'exportsd/1 ok\nid=1\nremovable=1')" ]
}

@test "names with every odd byte come and go unharmed" {
	local name
	for name in 'a b' 'back\slash' '\012' '\\134' $'new\nline' $'ends in newline\n' '%s%n' "quote'\"" \
		'$(touch pwned)' '`id`' '-n' '*' $'\xff\xfe' 'a=b' 'dot.ted'; do
		: >"$IMAGES/$name.iso"
		ask lookup key="$name"
		mkdir -p -- "$PLACE/$name"
		ask mount key="$name" path="$PLACE/$name"
		[ "$(find "$MOUNTS" -name 'at.*' | wc -l)" = 1 ]
		ask unmount key="$name" path="$PLACE/$name"
		[ "$(find "$MOUNTS" -name 'at.*' | wc -l)" = 0 ]
	done
	ask list
	[ "$(grep -ac ^key= <<<"$output")" = 15 ]
	grep -aqxF 'key=back\134slash' <<<"$output"
	grep -aqxF 'key=new\012line' <<<"$output"
	grep -aqxF 'key=ends in newline\012' <<<"$output"
	grep -aqxF 'key=\134\134134' <<<"$output"
	[ ! -e pwned ]
	STATUS=1 ask lookup key='ends in newline'
}

@test "mount: how it is done" {
	: >"$IMAGES/disc.iso"
	mkdir "$PLACE/disc"
	ask mount key=disc path="$PLACE/disc" options=rw fsid=7 unknown=x
	[ "$(cat "$MOUNTS/log")" = "mount -t udf,iso9660,squashfs,erofs -o loop,ro,nosuid,nodev $IMAGES/disc.iso $PLACE/disc" ]
	ask mount key=disc path="$PLACE/disc"
	[ "$(grep -c . "$MOUNTS/log")" = 1 ]
}

@test "mount: the identity is told, of what is mounted" {
	: >"$IMAGES/disc.iso"
	mkdir "$PLACE/disc"
	ask mount key=disc path="$PLACE/disc"
	grep -qxF 'identity=LABEL="A\134B" TYPE="iso9660"  '"$(echo data | cksum)" <<<"$output"
	echo other >"$MOUNTS/device"
	ask mount key=disc path="$PLACE/disc"
	grep -qxF 'identity=LABEL="A\134B" TYPE="iso9660"  '"$(echo other | cksum)" <<<"$output"
	printf '#!/bin/sh\nexit 1\n' >"$FAKES/head"
	STATUS=4 ask mount key=disc path="$PLACE/disc"
}

@test "mount: not over a symbolic link, nor where the key does not belong" {
	: >"$IMAGES/disc.iso"
	mkdir "$PLACE/other"
	ln -s other "$PLACE/disc"
	STATUS=4 ask mount key=disc path="$PLACE/disc"
	STATUS=4 ask mount key=disc path="$PLACE/other"
	[ ! -e "$MOUNTS/log" ]
}

@test "mount: what went wrong is said, escaped" {
	: >"$IMAGES/refused.iso"
	mkdir "$PLACE/refused"
	STATUS=4 ask mount key=refused path="$PLACE/refused"
	grep -qxF errno=EIO <<<"$output"
	grep -qF "no\\134such\\134device" <<<"$output"
}

@test "keys that lead out of the directory do not exist" {
	: >"$BATS_TEST_TMPDIR/secret.iso"
	STATUS=1 ask lookup key=../secret
	STATUS=1 ask mount key=../secret path="$PLACE/../secret"
	STATUS=1 ask lookup key=
}

@test "several requests come over one connection" {
	: >"$IMAGES/disc.iso"
	run -0 "$TALK" -t 5 "$HANDLER" raw <<-'END'
		exportsd/1 lookup
		id=5
		key=disc

		exportsd/1 lookup
		id=6
		key=none

	END
	[ "$output" = "$(printf '%s\n' 'exportsd/1 ok' id=5 removable=1 '' 'exportsd/1 noent' id=6)" ]
}
