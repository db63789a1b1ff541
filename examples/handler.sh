#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# handler.sh DIRECTORY - a whole handler for exportsd(8): disc images in DIRECTORY, on loop devices.
# systemd starts one for each connection: Accept=yes, StandardInput=socket. See exportsd-handler(7).
export LC_ALL=C; directory=$1 verb='' how=loop,ro,nosuid,nodev types=udf,iso9660,squashfs,erofs
escape() { printf '%s\n' "$1" | sed -e ':a' -e '$!{N;ba' -e '}' -e 's/\\/\\134/g; s/\n/\\012/g'; }
octals='s/\\/\\0134/g; s/\\0134\([0-3][0-7][0-7]\)/\\0\1/g' # \ooo as printf %b wants it, no other \
unescape() { printf %b "$(printf '%s\n' "$1" | sed "$octals")"; }
say() { word=$1 && shift && printf '%s\n' "exportsd/1 $word" "id=$id" "$@" ''; }
find_image() { # sets image; a key with / would lead out of the directory
	case $key in '' | .* | */*) return 1 ;; esac
	for e in iso img squashfs erofs udf; do image=$directory/$key.$e && [ -f "$image" ] && return; done
}
list() {
	for file in "$directory"/*.*; do # of two files with one key, find_image knows which counts
		key=${file##*/} key=${key%.*} && find_image && [ "$image" = "$file" ] &&
			say medium "key=$(escape "$key")" "size-bytes=$(wc -c <"$file")"
	done
}
is_mounted() { device=$(findmnt -rno SOURCE --mountpoint "$path") && [ "${device#/dev/loop}" != "$device" ]; }
identify() { head -c 1048576 "$device" >/dev/null && printf '%s %s' "$(blkid -po full "$device" | sed 's/[^:]*: *//')" \
	"$(head -c 1048576 "$device" | cksum)"; } # two discs may have one label and one date
do_mount() { [ "${path##*/}" = "$key" ] && [ ! -L "$path" ] && mount -t $types -o $how "$image" "$path"; }
answer() {
	case $verb in lookup | mount) find_image || { say noent && return; } ;; esac
	if case $verb in
	mount) { is_mounted || why=$(do_mount 2>&1) && is_mounted; } && is=$(identify) ;;
	unmount) ! is_mounted || why=$(umount "$path" 2>&1) ;;
	list) list || : ;; lookup) ;; *) say unsupported && return ;;
	esac; then say ok removable=1 ${is:+"identity=$(escape "$is")"}; else say error errno=EIO "message=$(escape "$why")"; fi
}
while IFS= read -r line; do case $line in # the dots save a newline at the end of key and path
	'exportsd/1 '*) verb=${line#* } id='' key='' path='' is='' why='' ;;
	id=*) id=${line#*=} ;;
	key=*) key=$(unescape "${line#*=}.") key=${key%.} ;;
	path=*) path=$(unescape "${line#*=}.") path=${path%.} ;;
	'') [ "$verb" ] || exit 1; answer </dev/null; verb='' ;;
	*=*) ;; # unknown keys do not matter
	*) exit 1 ;;
esac; done
