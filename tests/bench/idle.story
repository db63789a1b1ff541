#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What a client with an old handle waits for an idle medium, beside a bare mount; and what others wait while many media
# fall idle together.
# seconds: 900
# memory: 1G
. "$HELPERS"

n=$(counts 100 1000) rounds=$(counts 9 51)
cat >/etc/exportsd.conf <<END
rule "$RULES/*" { idle = 20  min-hold = 0 }
END
make_library $((n + 1))
mkdir -p /srv/plain /mnt/bare
echo plain >/srv/plain/file
serve_library "$RULE
/srv/plain *(ro,no_subtree_check,fsid=77)"
mount_v3 /srv/plain /client/plain || bail "no mount"
median() { sort -n | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; }
p99() { sort -n | awk '{ all[NR] = $1 } END { print all[int(NR * .99 + .5)] " (largest " all[NR] ", of " NR ")" }'; }
us() { echo "${EPOCHREALTIME/./}"; }

handle=$(nfs3call mnt 127.0.0.1 "$RULES/disc0001")
for ((i = 0; i < rounds; i++)); do
	exportsctl eject --wait 60 "$RULES/disc0001" >/dev/null 2>&1
	begin=$(us)
	nfs3call read 127.0.0.1 "$handle" readme.txt >/dev/null
	echo $((($(us) - begin) / 1000))
done >/run/remount
for ((i = 0; i < rounds; i++)); do
	begin=$(us)
	mount -o loop,ro "$LIBRARY/disc0002.iso" /mnt/bare
	nfs3call read 127.0.0.1 "$(nfs3call mnt 127.0.0.1 /srv/plain)" file >/dev/null
	echo $((($(us) - begin) / 1000))
	umount /mnt/bare
done >/run/bare
note "first read of an idle medium by its old handle, median ms: $(median </run/remount)"
note "mount -o loop and a read of a plain export, median ms: $(median </run/bare)"

mapfile -t paths < <(printf "$RULES/disc%04d\n" $(seq "$n"))
mntstorm 8 127.0.0.1 "${paths[@]}" >/dev/null
note "$(count_mounts) of $n media are mounted when the measure begins"
while [ "$(count_mounts)" -gt 0 ]; do
	for ((i = 0; i < 20; i++)); do
		begin=$(us)
		exportsctl path 77 >/dev/null
		echo $((($(us) - begin) / 1000))
	done
done >/run/meanwhile
for ((i = 0; i < 300; i++)); do
	begin=$(us)
	exportsctl path 77 >/dev/null
	echo $((($(us) - begin) / 1000))
done >/run/alone
note "an answer while they are unmounted, p99 ms: $(p99 </run/meanwhile)"
note "the same with nothing else to do, p99 ms: $(p99 </run/alone)"
ok "all were unmounted" test "$(count_mounts)" = 0
done_testing
