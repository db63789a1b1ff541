#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# seconds: 280
#
# What first access to a medium costs: over NFS with exportsd, beside a bare mount -o loop of the same
# image and a read of the same file, and beside the same NFS access to a medium that is mounted already.
. "$HELPERS"

rounds=$(counts 40 200)
make_library $((2 * rounds))
serve_library
mkdir -p /bare
ok "the parent is mounted" mount_v4 "$RULES" /client/cdrom
ls /client/cdrom >/dev/null

# read_file FILE: without starting a process; $took_us is how long it took
read_file() {
	local start=${EPOCHREALTIME/./}
	read -r <"$1" || bail "$1 cannot be read"
	took_us=$((${EPOCHREALTIME/./} - start))
}

# bare IMAGE
bare() {
	local start=${EPOCHREALTIME/./}
	mount -o loop,ro "$1" /bare || bail "$1 cannot be mounted"
	read_file /bare/readme.txt
	took_us=$((${EPOCHREALTIME/./} - start))
	umount /bare
}

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

for ((i = 1; i <= rounds; i++)); do
	disc=$(printf 'disc%04d' "$i") other=$(printf 'disc%04d' $((rounds + i)))
	bare "$LIBRARY/$disc.iso"
	echo "$took_us" >>/tmp/bare
	read_file "/client/cdrom/$disc/readme.txt"
	echo "$took_us" >>/tmp/first
	read_file "/client/cdrom/$disc/docs/deep.txt"
	echo "$took_us" >>/tmp/another
	mount -o loop,ro,nosuid,nodev "$LIBRARY/$other.iso" "$RULES/$other"
	read_file "/client/cdrom/$other/readme.txt"
	echo "$took_us" >>/tmp/mounted
done
note "raw, microseconds: bare | first access over NFS | over NFS, mounted before | another file over NFS"
paste /tmp/bare /tmp/first /tmp/mounted /tmp/another | sed 's/^/# /'
b=$(median </tmp/bare) f=$(median </tmp/first) m=$(median </tmp/mounted) a=$(median </tmp/another)
note "median, microseconds"
note "mount -o loop and read           $b"
note "first access over NFS            $f"
note "the same, mounted before         $m"
note "another file of a mounted medium $a"
note "added by asking for the mount, beyond a bare mount: $((f - m - b))"
is "each was mounted once" "$(count_mounts)" $((2 * rounds))
done_testing
