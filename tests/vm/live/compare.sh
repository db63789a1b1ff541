# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# compare.sh - the same exports file and the same clients' doings, once under rpc.mountd and once under
# exportsd: what clients get and what the kernel was told must agree. A story is
#
#	. "$HELPERS"
#	. "$TREE/tests/vm/live/compare.sh"
#	compare_live SET
#	done_testing
#
# and runs each case in tests/vm/live/SET/. A case is a bash file with
#
#	exports='...'       the exports file
#	set_up() { ... }    directories, file systems: made once, for both daemons (optional)
#	before() { ... }    what is done each time before the exports are loaded (optional)
#	operate() { ... }   what clients do; what it prints is compared
#
# and the words below. known-differences.tsv has what differs, and why: case, - (only rpc.mountd has the
# line) or + (only exportsd), the line, the reason, the manual that tells of it.

# ---- what a case may set up ----

# directory PATH...: each with a file
directory() {
	local path
	for path; do
		mkdir -p "$path"
		[ -e "$path/file" ] || echo "in $path" >"$path/file"
	done
}

# disk KIND PATH: a file system of that kind, mounted
disk() {
	local image=/srv/.images/${2//\//-}
	mkdir -p /srv/.images "$2"
	case $1 in
	ext4) truncate -s 8M "$image" && mke2fs -q -t ext4 -U "$(printf %s "$2" | md5sum | sed -E 's/(.{8})(.{4})(.{4})(.{4})(.{12}).*/\1-\2-\3-\4-\5/')" "$image" ;;
	xfs) truncate -s 300M "$image" && mkfs.xfs -q "$image" ;;
	btrfs) truncate -s 128M "$image" && mkfs.btrfs -q "$image" ;;
	iso) directory /run/iso && genisoimage -quiet -R -o "$image" /run/iso ;;
	tmpfs) mount -t tmpfs none "$2" && directory "$2" && return ;;
	*) bail "disk: $1?" ;;
	esac || bail "cannot make $image"
	mount -o loop "$image" "$2" || bail "cannot mount $image"
	[ "$1" = iso ] || directory "$2"
}

# ---- what clients do ----
# HOST is who asks: here (127.0.0.1), here6 (::1), or an address: 192.0.2.N, or 2001:db8::N.

# A veth has no IPv6 address by itself.
give_ipv6() {
	[ -e "/run/$1.ipv6" ] && return
	as_client "192.0.2.$1" true
	ip addr add 2001:db8::1/64 dev clients nodad 2>/dev/null
	ip -n "client$1" addr add "2001:db8::$1/64" dev eth0 nodad
	: >"/run/$1.ipv6"
}

# as HOST COMMAND...: $SERVER is the server to it
as() {
	local host=$1
	shift
	case $host in
	here) SERVER=127.0.0.1 "$@" ;;
	here6) SERVER=::1 "$@" ;;
	*:*)
		give_ipv6 "${host##*:}"
		as_client "192.0.2.${host##*:}" on_server 2001:db8::1 "$@"
		;;
	*) as_client "$host" "$@" ;;
	esac
}

on_server() {
	local SERVER=$1
	shift
	"$@"
}

v3_call() { nfs3call -t 20 show "$SERVER" "$@" 2>&1; }
v4_call() { nfs4call -t 20 "$1" "$SERVER" "${@:2}" 2>&1; }

# What a real mount shows: kinds, modes, owners, and where file systems begin.
tree_of() {
	local version=$1 path=$2 at=/client/tree
	if ! mount -t nfs -o "vers=$version,port=2049,nolock,lookupcache=none,retry=0,${3-}" "$(bracketed "$SERVER"):$path" $at 2>/run/mount.err; then
		sed 's/^/mount: /' /run/mount.err
		return
	fi
	timeout 20 find $at -name lost+found -prune -o -printf '%y %m %U:%G %P\n' 2>&1 | sort
	timeout 20 find $at -maxdepth 4 -type f -exec cat {} + 2>&1 | sort
	umount -R $at || bail "cannot unmount $at"
}

bracketed() {
	case $1 in
	*:*) echo "[$1]" ;;
	*) echo "$1" ;;
	esac
}

did() {
	echo "== $*"
	"${@:2}" 2>&1
}

# v3 HOST PATH [NAME...]: MNT, and look-ups in it
v3() { did "v3 $*" as "$1" v3_call "${@:2}"; }
# walk, list, secinfo HOST PATH...: NFSv4
walk() { did "walk $*" as "$1" v4_call walk "${@:2}"; }
list() { did "list $*" as "$1" v4_call list "${@:2}"; }
secinfo() { did "secinfo $*" as "$1" v4_call secinfo "${@:2}"; }
# tree VERSION HOST PATH [OPTIONS]: a real mount, looked through
tree() { did "tree $*" as "$2" tree_of "$1" "${@:3}"; }
# write HOST PATH USER: may this user write there, NFSv3? PATH is exported; as whom does it arrive?
try_write() {
	local at=/client/write
	mount -t nfs -o vers=3,port=2049,nolock,retry=0 "$SERVER:$1" $at || return
	setpriv --reuid "$2" --regid "$2" --clear-groups touch "$at/by-$2" && stat -c '%U:%G %u:%g' "$at/by-$2"
	rm -f "$at/by-$2"
	umount $at
}
write() { did "write $*" as "$1" try_write "${@:2}"; }

# ---- running a case ----

# The kernel's caches, without order. What a daemon did not answer, or with "no", begins with "#".
caches() {
	local cache
	for cache in auth.unix.ip nfsd.export nfsd.fh; do
		sort -u /proc/net/rpc/$cache/content | grep -v -e '^#\(class\|path\|domain\) ' -e '-\(test\|no\)-client-' | sed "s/^/$cache: /; s/\t/ /g"
	done
}

live=$TREE/tests/vm/live

# Give the trials' address to another domain, and so sweep what they left.
end_trials() {
	printf 'nfsd 0.0.0.0 %s -no-client-\n' $((EPOCHSECONDS + 60)) >/proc/net/rpc/auth.unix.ip/channel
	not grep -q -e -test-client- /proc/net/rpc/auth.unix.ip/content
}

# load DAEMON: it takes up /etc/exports
load() {
	case $1 in
	stock)
		exportfs -ra 2>/run/exportfs.err
		# rpc.mountd takes other uuids for pseudo-roots if it reads the exports while exportfs' trials go on.
		# Another flush would not end them: within a second it only puts off the first one's sweep.
		eventually 10 end_trials || bail "exportfs' trials do not end"
		pidof rpc.mountd >/dev/null || { rpc.mountd -p 20048 && eventually 5 pidof rpc.mountd; }
		;;
	ours)
		exportsctl reload >/run/reload.err 2>&1 || systemctl start exportsd
		;;
	esac
}

# go_through DAEMON CASE: in a process of its own
# shellcheck disable=SC2317 # cases replace them
go_through() (
	set_up() { :; }
	before() { :; }
	# shellcheck source=/dev/null
	. "$live/$live_set/$2"
	printf '%s\n' "$exports" >/etc/exports
	: >/etc/krb5.keytab # rpc.mountd 2.6.2 offers Kerberos on pseudo-roots in any case; 2.6.3 and exportsd with a key
	before
	load "$1"
	rpc.nfsd -G 10 -L 10 4 || bail "the kernel's server does not start"
	timed operate >"/run/$1.$2" 2>&1
	note "$2 under $1: $took_ms ms"
	caches >>"/run/$1.$2"
	rpc.nfsd 0 # it forgets everything
)

# shellcheck disable=SC2317
prepare() (
	set_up() { :; }
	# shellcheck source=/dev/null
	. "$live/$live_set/$1"
	set_up
)

# What is only in one of them, as known-differences.tsv has it.
differences() {
	diff "/run/stock.$1" "/run/ours.$1" | sed -n -e 's/^< /-\t/p' -e 's/^> /+\t/p' | sort
}

compare_live() {
	live_set=$1
	local case daemon only=${2-}
	start_around
	systemctl start nfsdcld
	mkdir -p /client/{tree,write}
	for case in $(cd "$live/$live_set" && ls); do
		[[ $case == *$only* ]] || continue
		prepare "$case" || exit
	done
	for daemon in stock ours; do
		for case in $(cd "$live/$live_set" && ls); do
			[[ $case == *$only* ]] || continue
			go_through $daemon "$case"
		done
		if [ $daemon = stock ]; then
			kill "$(pidof rpc.mountd)" && eventually 5 not pidof rpc.mountd || bail "rpc.mountd does not stop"
			exportfs -f
		fi
	done
	for case in $(cd "$live/$live_set" && ls); do
		[[ $case == *$only* ]] || continue
		cp "/run/stock.$case" "/run/ours.$case" /vm/
		ok "$case: something was asked and answered" grep -q '^nfsd.export: [^#]' "/run/stock.$case"
		is "$case: clients and the kernel see the same" "$(differences "$case")" \
			"$(grep -v '^#' "$live/known-differences.tsv" | awk -F '\t' -v c="$live_set/$case" '$1 == c { print $2 "\t" $3 }' | sort)"
	done
}

# In as_client's process, too.
# shellcheck disable=SC2046 # names of functions
export -f $(compgen -A function)
