#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# arrows.bats - tests/arrows finds what runs against the table, in small trees made here.

bats_require_minimum_version 1.5.0

setup() {
	TREE=$(mktemp -d)
	mkdir -p "$TREE"/{tests,parser,exportsd/{high,low},objects}
	printf '%s\n' 'parser	' 'exportsd/low	parser' 'exportsd/high	parser exportsd/low' >"$TREE/tests/arrows.tsv"
	printf '%s\n' '| folder | what it hides | what it may use |' '|---|---|---|' \
		'| `parser/` | a |  |' '| `exportsd/low/` | b | `parser` |' \
		'| `exportsd/high/` | c | `parser` `exportsd/low` |' >"$TREE/CONTRIBUTING.md"
	put parser/base.h 'int base(void);'
	put parser/base.c '#include "parser/base.h"' 'int base(void) { return 0; }'
	put exportsd/low/low.h 'int low(void);' 'int low_more(void);'
	put exportsd/low/low.c '#include "exportsd/low/low.h"' '#include "parser/base.h"' 'int low(void) { return base(); }'
	put exportsd/low/more.c '#include "exportsd/low/low.h"' 'int low_more(void) { return low(); }'
	put exportsd/high/high.c '#include "exportsd/low/low.h"' 'int high(void);' 'int high(void) { return low_more(); }'
}

teardown() { rm -rf "$TREE"; }

# put FILE LINE...
put() {
	local file=$1
	shift
	printf '%s\n' "$@" >"$TREE/$file"
}

compile() {
	local file
	while read -r file; do
		mkdir -p "$TREE/objects/$(dirname "$file")"
		${CC:-cc} -I"$TREE" -c "$TREE/$file" -o "$TREE/objects/${file%.c}.o" || return 1
	done < <(cd "$TREE" && find parser exportsd -name '*.c')
}

arrows() { "$BATS_TEST_DIRNAME/../arrows" --objects "$TREE/objects" "$TREE"; }

# finds TEXT: it is said, and the exit status is 1
finds() {
	compile
	run -1 arrows
	[[ $output == *"$1"* ]]
}

@test "a clean tree passes" {
	compile
	run -0 arrows
	[ "$output" = "0 arrows against the table, 0 circles, 0 rows of the map differ" ]
}

@test "an include against the table" {
	put exportsd/high/high.h 'struct high;'
	sed -i '1i #include "exportsd/high/high.h"' "$TREE/exportsd/low/low.c"
	finds 'exportsd/low/low.c:1: includes "exportsd/high/high.h": exportsd/low may not use exportsd/high'
	[[ $output == *"1 arrows against the table, 0 circles, 0 rows"* ]]
}

@test "a symbol against the table, without an include" {
	put exportsd/low/up.c 'int high(void);' 'int low_up(void);' 'int low_up(void) { return high(); }'
	finds 'exportsd/low/up.c: needs high() of exportsd/high/high.c: exportsd/low may not use exportsd/high'
}

@test "a circle of two files of one folder" {
	put exportsd/low/low.c '#include "exportsd/low/low.h"' 'int low(void) { return low_more(); }'
	finds 'a circle of 2 files: exportsd/low/low.c exportsd/low/more.c'
	[[ $output == *"exportsd/low/low.c -> exportsd/low/more.c: low_more"* ]]
	[[ $output == *"0 arrows against the table, 1 circles, 0 rows"* ]]
}

@test "a circle in the table" {
	sed -i 's,^exportsd/low.*,& exportsd/high,' "$TREE/tests/arrows.tsv"
	sed -i 's,| b | `parser` |,| b | `parser` `exportsd/high` |,' "$TREE/CONTRIBUTING.md"
	finds 'tests/arrows.tsv: a circle of folders: exportsd/high exportsd/low'
}

@test "a symbol that is exported twice" {
	put exportsd/high/twin.c 'int low(void);' 'int low(void) { return 1; }'
	finds 'low() is exported by exportsd/high/twin.c and by exportsd/low/low.c'
}

@test "a row of the map that differs" {
	sed -i 's,| b | `parser` |,| b |  |,' "$TREE/CONTRIBUTING.md"
	finds "CONTRIBUTING.md: the map's row of exportsd/low differs from tests/arrows.tsv"
}

@test "a row of the map that is missing" {
	sed -i '/exportsd.high/d' "$TREE/CONTRIBUTING.md"
	finds "CONTRIBUTING.md: the map's row of exportsd/high differs from tests/arrows.tsv"
}

@test "a folder that the table does not have" {
	mkdir "$TREE/exportsd/new"
	put exportsd/new/new.c '#include "parser/base.h"' 'int new(void);' 'int new(void) { return base(); }'
	finds 'exportsd/new/new.c:1: includes "parser/base.h": exportsd/new is not in the table'
	[[ $output == *"exportsd/new/new.c: needs base() of parser/base.c: exportsd/new is not in the table"* ]]
}

@test "nothing to look at is no success" {
	run -1 arrows
	[[ $output == *"nothing to look at"* ]]
}
