#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# nfsconf.bats - nfs.conf as nfs-utils read it: the same files through nfsconf(8) and through exportsd's reader.

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return 1
	OURS=${B:-build}/tests/unit/test-nfsconf
	T=$BATS_TEST_TMPDIR
	command -v nfsconf >/dev/null || skip "nfsconf(8) is not there"
}

# "[SECTION] TAG = VALUE" lines of nfsconf's dump. It quotes values with blanks at their ends.
theirs() {
	nfsconf --file "$1" --dump 2>/dev/null |
		LC_ALL=C awk '/^\[/ { section = $0; next }
			NF { sub(/^ /, ""); if ($0 ~ / = "[[:space:]].*"$/ || $0 ~ / = ".*[[:space:]]"$/) { sub(/ = "/, " = "); sub(/"$/, "") } print section, $0 }' |
		LC_ALL=C sort
}
ours() { "$OURS" --dump "$1" | LC_ALL=C sort; }

# Without subsections: a plain setting removes a subsection's of the same name there (conf_remove_now()), and nobody
# who reads this file for exportsd asks for subsections.
compare() { diff -a <(theirs "$1" | grep -av '^\[[^]]*"') <(ours "$1" | grep -av '^\[[^]]*"'); }

@test "the file that Debian installs" {
	[ -e /etc/nfs.conf ] || skip "no /etc/nfs.conf"
	compare /etc/nfs.conf
	ours /etc/nfs.conf | grep -q '^\[mountd\] manage-gids = y$'
}

@test "includes, a directory, continued lines, quotes, comments" {
	mkdir "$T/nfs.conf.d"
	cat >"$T/nfs.conf" <<-'END'
		# a comment \
		[nowhere]
		[MountD]
		 port = 892 # the port
		threads= '8'
		include = more.inc
		include = -none.inc
		descriptors = "0" junk
		ha-callout = /usr/bin/ha \
			--now
		[mountd "sub"]
		port=1
		[exports]
		rootdir=$ROOT
		[environment]
		ROOT=/srv
	END
	printf '[nfsd]\nvers3=n\n[mountd]\nttl=60\nunfinished=1' >"$T/more.inc"
	printf '[mountd]\nport=1000\n' >"$T/nfs.conf.d/9.conf"
	printf '[mountd]\nport=1001\n' >"$T/nfs.conf.d/10.conf"
	compare "$T/nfs.conf"
	[ "$(ours "$T/nfs.conf" | grep -c .)" = 9 ]
	ours "$T/nfs.conf" | grep -qx '\[mountd\] port = 1001'
}

@test "what is odd: random files" {
	for ((seed = 1; seed <= 60; seed++)); do
		TEST_SEED=$seed "$OURS" --random | sed '/^# TEST_SEED/d' >"$T/nfs.conf"
		compare "$T/nfs.conf" || { echo "TEST_SEED=$seed"; cat -A "$T/nfs.conf"; return 1; }
	done
}
