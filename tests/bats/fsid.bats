#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# fsid.bats - the number store in administrators' hands: exportsctl fsid, copies that are lost, damaged and recovered.

load helpers.bash

setup() { setup_plain_and_media; }
teardown() { teardown_tree; }

fsid() { exportsctl fsid "$@"; }
# state_of N: of the Nth copy, as the daemon sees it
state_of() { fsid verify --json | jq -r ".[$1].state"; }
is_good() { [ "$(state_of "$1")" = good ]; }
# flip FILE WORD: another byte in the middle of the word, wherever it is
flip() {
	python3 - "$1" "$2" <<-'END'
		import sys
		name, word = sys.argv[1], sys.argv[2].encode()
		data = bytearray(open(name, "rb").read())
		at = data.index(word)
		data[at + len(word) // 2] ^= 4
		open(name, "wb").write(data)
	END
}

@test "numbers are listed, set, retired, and never change their path" {
	start_media one two
	number=$(fsid "$T/media/one")
	run -0 fsid list
	[ "${#lines[@]}" = 2 ]
	[[ $output == *"$number"*" primary $T/media/one"* ]]
	[ "$(fsid list --json | jq -r '.[] | select(.path | endswith("/two")).state')" = primary ]
	fsid set "$T/media/one" 70001
	[ "$(fsid "$T/media/one")" = 70001 ]
	[ "$(exportsctl path "$number")" = "$T/media/one" ]
	[ "$(fsid list "$T/media/one" | wc -l)" = 2 ]
	run -1 fsid set "$T/media/two" 70001
	[[ $output == *"70001"*"$T/media/two"*"$T/media/one"* ]]
	run -1 fsid set "$T/media/two" 77
	[[ $output == *"the exports files give it to '$T/plain'"* ]]
	fsid retire 70001
	[ "$(fsid "$T/media/one")" = "$number" ]
	[ "$(exportsctl path 70001)" = "$T/media/one" ]
	[ "$(fsid list --json | jq -r '.[] | select(.fsid == 70001).state')" = retired ]
	run -1 fsid retire 70002
	run -2 fsid nonsense words
	run -2 fsid recover
	stop_exportsd
	[ "$(fsid list | wc -l)" = 3 ]
	start_exportsd
	[ "$(fsid "$T/media/one")" = "$number" ]
}

@test "both copies are written, verified, and seen in status" {
	start_media one
	eventually is_good 1
	[ "$(fsid verify --json | jq -r '.[0].rows')" = "$(fsid verify --json | jq -r '.[1].rows')" ]
	[ "$(fsid verify --json | jq -r '.[1].file')" = "$T/numbers" ]
	stop_exportsd
	run -0 fsid verify
	[[ ${lines[0]} == "$T/state/numbers.sqlite: good, "* ]]
	[[ ${lines[1]} == "$T/numbers: good, "* ]]
}

@test "each copy alone is enough, and the other one is made anew" {
	start_media one two three
	before=$(fsid list)
	eventually is_good 1
	stop_exportsd
	rm "$T/state/numbers.sqlite"
	start_exportsd
	[ "$(fsid list)" = "$before" ]
	eventually is_good 0
	stop_exportsd
	rm -r "$T/numbers"
	start_exportsd
	[ "$(fsid list)" = "$before" ]
	eventually is_good 1
	stop_exportsd
	run -0 fsid verify
}

@test "a damaged copy is kept and made anew from the other one" {
	start_media one two three
	before=$(fsid list)
	eventually is_good 1
	stop_exportsd
	n=0
	for damage in 'flip "$copy" media/two' 'truncate -s 5000 "$copy"' ': >"$copy"' \
		'dd if=/dev/zero of="$copy" bs=4096 seek=1 count=3 conv=notrunc status=none' \
		'dd if=/dev/urandom of="$copy" bs=60 seek=1 count=1 conv=notrunc status=none' \
		'python3 -c "open(\"$copy\", \"r+b\").write(bytes(100))"'; do
		# shellcheck disable=SC2034 # $damage uses it
		for copy in "$T/state/numbers.sqlite" "$T/numbers"; do
			eval "$damage"
			start_exportsd
			[ "$(fsid list)" = "$before" ]
			eventually is_good 0
			eventually is_good 1
			stop_exportsd
			fsid verify
			n=$((n + 1))
		done
	done
	[ "$(find "$T" -name '*.damaged-*' ! -name '*-wal' | wc -l)" = "$n" ]
}

@test "with no good copy it refuses to start, and what is left can be recovered" {
	start_media one two three
	fsid list >"$T/before"
	fsid export >"$T/list"
	eventually is_good 1
	stop_exportsd
	cp "$T/numbers" "$T/kept"
	flip "$T/state/numbers.sqlite" media/two
	flip "$T/numbers" media/two
	run start_exportsd
	[[ $output == *"no copy of the number store is good"*"fsid recover --from"*"fsid recover --new"* ]]
	run -1 fsid verify
	[[ $output == *"$T/numbers: damaged"*"checksum"* ]]
	cmp "$T/numbers" "$T/kept" && false
	# Two of three rows are right.
	run -0 fsid recover --from "$T/numbers"
	[ "$(fsid list | grep -c media/)" = 2 ]
	fsid recover --from "$T/list"
	fsid list | cmp - "$T/before"
	start_exportsd
	fsid list | cmp - "$T/before"
}

@test "a new store is begun only if it is asked for" {
	start_media one
	eventually is_good 1
	number=$(fsid "$T/media/one")
	run -1 fsid recover --new
	stop_exportsd
	run -1 fsid recover --new
	[[ $output == *"is good"* ]]
	: >"$T/numbers"
	: >"$T/state/numbers.sqlite"
	run -0 fsid recover --new
	start_exportsd
	eventually fsid "$T/media/one"
	[ "$(fsid "$T/media/one")" = "$number" ]
}

@test "copies that contradict each other are refused, both facts named" {
	start_media one
	number=$(fsid "$T/media/one")
	eventually is_good 1
	stop_exportsd
	printf '# exportsd numbers 2\nnumber=%s sequence=0 retired=0 created=0 path=/other\n' "$number" >"$T/list"
	run -1 fsid recover --from "$T/list" --untrusted
	[[ $output == *"line 3"* ]]
	mv "$T/numbers" "$T/away"
	mv "$T/state/numbers.sqlite" "$T/away2"
	: >"$T/exports"
	start_exportsd
	fsid set /other "$number"
	stop_exportsd
	mv "$T/away" "$T/numbers"
	run start_exportsd
	echo "$output"
	[[ $output == *"contradict"*"$number"* ]]
	[[ $output == *"/other"* ]]
	[[ $output == *"$T/media/one"* ]]
}

@test "a copy whose directory is gone is dropped, and taken up again" {
	mkdir "$T/disk"
	sed -i "s,number-copies.*,number-copies = {$T/disk/numbers}," "$T/conf"
	start_media one
	eventually is_good 1
	stop_exportsd
	rm -r "$T/disk"
	start_exportsd
	grep -q "A copy of the number store fails, going on with '$T/state/numbers.sqlite'" "$T/log"
	[ "$(state_of 1)" = failed ]
	fsid set "$T/media/one" 70001
	mkdir "$T/disk"
	# verify tries what was dropped.
	eventually is_good 1
	grep -q "takes part again" "$T/log"
	stop_exportsd
	[ "$(fsid verify --json | jq -r 'map(.rows) | unique | length')" = 1 ]
}

@test "copies in text: export, recover, and whose they are" {
	start_media one 'odd name'
	fsid list >"$T/before"
	fsid export >"$T/list"
	[ "$(head -1 "$T/list")" = "# exportsd numbers 2" ]
	stop_exportsd
	rm "$T/numbers" "$T/state/numbers.sqlite"
	chmod 666 "$T/list"
	run -1 fsid recover --from "$T/list"
	[[ $output == *"could have been written by others"* ]]
	ln -s "$T/list" "$T/link"
	run -1 fsid recover --from "$T/link"
	[[ $output == *"symbolic link"* ]]
	mkfifo "$T/pipe"
	run -1 fsid recover --from "$T/pipe"
	[[ $output == *"not a file"* ]]
	truncate -s 2G "$T/huge"
	run -1 fsid recover --from "$T/huge"
	[[ $output == *"too large"* ]]
	head -2 "$T/list" >"$T/short"
	run -1 fsid recover --from "$T/short"
	[[ $output == *"cut short"* ]]
	run -0 fsid recover --from "$T/list" --untrusted
	fsid list | cmp - "$T/before"
}

@test "a copy of the store by hand" {
	start_media one two
	fsid list >"$T/before"
	fsid copy "$T/by-hand"
	stop_exportsd
	rm "$T/numbers" "$T/state/numbers.sqlite"
	mv "$T/by-hand" "$T/numbers"
	start_exportsd
	fsid list | cmp - "$T/before"
}

@test "an fsidd database is imported" {
	python3 - "$T/reexpdb.sqlite3" <<-'END'
		import sqlite3, sys
		db = sqlite3.connect(sys.argv[1])
		db.executescript("""
		CREATE TABLE fsidnums (num INTEGER PRIMARY KEY CHECK (num > 0 AND num < 4294967296), path TEXT UNIQUE);
		CREATE INDEX idx_ids_path ON fsidnums (path);
		INSERT INTO fsidnums VALUES (1, '/srv/a'), (2, '/srv/b'), (4294967295, '/srv/c');
		""")
	END
	run -0 fsid import "$T/reexpdb.sqlite3"
	[[ $output == *"left out: number 4294967295"* ]]
	start_exportsd
	[ "$(exportsctl path 2)" = /srv/b ]
	[ "$(fsid /srv/a)" = 1 ]
	run -0 fsid import "$T/reexpdb.sqlite3"
	sqlite='import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript("UPDATE fsidnums SET path = \"/srv/x\" WHERE num = 1")'
	python3 -c "$sqlite" "$T/reexpdb.sqlite3"
	run -1 fsid import "$T/reexpdb.sqlite3"
	[[ $output == *"/srv/x"*"/srv/a"* ]]
}

@test "copies on exported file systems, where clients are in the way" {
	mkdir "$T/shared" "$T/elsewhere"
	echo "$T/shared *(rw,no_subtree_check,fsid=78)" >>"$T/exports"
	start_media one two
	fsid list >"$T/before"
	run -0 fsid publish
	[ "$output" = "$T/shared/.exportsd-numbers" ]
	[ "$(stat -c %a:%h "$output")" = 600:1 ]
	[ "$(stat -c %a "$T/state/numbers.key")" = 600 ]
	[ ! -e "$T/plain/.exportsd-numbers" ]
	# What a client may do: links, a directory, its own file.
	echo mine >"$T/elsewhere/victim"
	ln -sf "$T/elsewhere/victim" "$T/shared/.exportsd-numbers"
	ln -sf "$T/elsewhere/victim" "$T/shared/.exportsd-numbers.tmp"
	fsid publish
	[ ! -L "$T/shared/.exportsd-numbers" ]
	[ "$(cat "$T/elsewhere/victim")" = mine ]
	rm "$T/shared/.exportsd-numbers"
	ln "$T/elsewhere/victim" "$T/shared/.exportsd-numbers"
	ln "$T/elsewhere/victim" "$T/shared/.exportsd-numbers.tmp"
	fsid publish
	[ "$(cat "$T/elsewhere/victim")" = mine ]
	cp "$T/shared/.exportsd-numbers" "$T/good"
	rm "$T/shared/.exportsd-numbers"
	mkdir "$T/shared/.exportsd-numbers"
	run -1 fsid publish
	[[ $output == *"no copy in '$T/shared'"* ]]
	mv "$T/shared" "$T/moved"
	ln -s "$T/elsewhere" "$T/shared"
	run -1 fsid publish
	[[ $output == *"symbolic link"* ]]
	[ "$(ls -A "$T/elsewhere")" = victim ]
	# A client that changes a number has no key.
	stop_exportsd
	rm "$T/numbers" "$T/state/numbers.sqlite"
	chmod 666 "$T/good"
	sed 's,media/one,media/eno,' "$T/good" >"$T/forged"
	chmod 666 "$T/forged"
	run -1 fsid recover --from "$T/forged"
	run -0 fsid recover --from "$T/good"
	fsid list | cmp - "$T/before"
	rm "$T/state/numbers.key"
	run -1 fsid recover --from "$T/good"
	[[ $output == *"key is lost"* ]]
}
