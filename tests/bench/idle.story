#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What a client with an old handle waits for an idle medium, beside a bare mount; and what others wait while many media
# fall idle together. bench-idle, which stays running, takes the times.
# seconds: 900
# memory: 1G
. "$HELPERS"

n=$(counts 100 1000) rounds=$(counts 21 101) asked=$(counts 1000 3000) first=200000
bench=$BUILD/tests/bench/bench-idle
cat >/etc/exportsd.conf <<END
rule "$RULES/*" { idle = 20  min-hold = 0 }
END
make_library $((n + 2))
mkdir -p /mnt/bare
(cd /srv && seq -f 'plain/%.0f' $((2 * asked)) | xargs mkdir -p)
serve_library "$RULE
$(seq 0 $((2 * asked - 1)) | awk -v first=$first '{ print "/srv/plain/" $1 + 1 " *(ro,no_subtree_check,fsid=" first + $1 ")" }')"
# percentile PER-CENT FILE
percentile() {
	sort -n "$2" | awk -v share="$1" '{ all[NR] = $1 }
		END { printf("%.1f ms (largest %.1f, of %d)", all[int((NR - 1) * share / 100) + 1] / 1000, all[NR] / 1000, NR) }'
}

handle=$(nfs3call mnt 127.0.0.1 "$RULES/disc0001")
$bench remount 127.0.0.1 "$handle" readme.txt "$rounds" exportsctl eject --wait 60 "$RULES/disc0001" >/run/remount ||
	bail "no remounts"
$bench mount "$LIBRARY/disc0002.iso" iso9660 /mnt/bare "$rounds" >/run/bare || bail "no mounts"
note "first read of an idle medium by its old handle, median: $(percentile 50 /run/remount)"
note "a loop device and mount(2) of the same, median: $(percentile 50 /run/bare)"

$bench ask 127.0.0.1 $first "$asked" 10 /run/never >/run/alone || bail "no answers"
mapfile -t paths < <(printf "$RULES/disc%04d\n" $(seq "$n"))
mntstorm 8 127.0.0.1 "${paths[@]}" >/dev/null
mounted=$(count_mounts)
note "$mounted of $n media are mounted when the measure begins"
cpu() { systemctl show -p CPUUsageNSec --value "$1"; }
# Who looks needs the processor, too: seldom.
until [ "$(count_mounts)" -lt "$mounted" ]; do sleep 2; done
daemon=$(cpu exportsd) handler=$(cpu exportsd-image) left=$(count_mounts) begin=$(now_ms)
$bench ask 127.0.0.1 $((first + asked)) "$asked" 10 /run/end >/run/meanwhile &
while [ "$(count_mounts)" != 0 ]; do sleep 5; done
: >/run/end
wait $!
note "$left are unmounted within $((($(now_ms) - begin) / 1000)) s;" \
	"processor time for each: $((($(cpu exportsd) - daemon) / left / 1000)) us of exportsd (questions too)," \
	"$((($(cpu exportsd-image) - handler) / left / 1000)) us of its handler"
note "an answer with nothing else to do, p99: $(percentile 99 /run/alone)"
note "an answer while media are unmounted, p99: $(percentile 99 /run/meanwhile)"
ok "all were unmounted" test "$(count_mounts)" = 0
done_testing
