# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# helpers.sh - what a story may call; tests/vm/README.md tells of each. A story begins with
#
#	. "$HELPERS"
#
# and ends with done_testing.
set -u
PATH=$BUILD/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C
cd /
modprobe -a loop nfsd nfsv3 nfsv4 # nobody coldplugs here

# shellcheck disable=SC2034 # some are for stories only
LIBRARY=/srv/library    # where discs' images are
RULES=/mnt/cdrom        # where the media appear on the server
SERVER=127.0.0.1        # as whom clients address it
NETGROUP=hostgroup
# shellcheck disable=SC2034
RULE="$RULES/* @$NETGROUP(mountpoint,ro,fsid=/var/run/fsidsock)"

# ---- results, as TAP ----

tap_state=/vm/tap # goes on over a power cut
tap_done=''
read -r tap_run tap_failed 2>/dev/null <$tap_state || { tap_run=0 tap_failed=0; }

note() {
	printf '%s\n' "$*" | sed 's/^/# /'
}

# result STATUS DESCRIPTION
result() {
	tap_run=$((tap_run + 1))
	if [ "$1" = 0 ]; then
		echo "ok $tap_run - ${*:2}"
	else
		tap_failed=$((tap_failed + 1))
		echo "not ok $tap_run - ${*:2}"
	fi
	echo "$tap_run $tap_failed" >$tap_state
	return 0
}

ok() {
	local out status=0
	out=$("${@:2}" 2>&1) || status=$?
	result $status "$1"
	[ $status = 0 ] || note "$(printf '%q ' "${@:2}")exited with $status" "$out"
}

not_ok() {
	local out status=0
	out=$("${@:2}" 2>&1) && status=1
	result $status "$1"
	[ $status = 0 ] || note "$(printf '%q ' "${@:2}")should have failed" "$out"
}

# verdict STATUS DESCRIPTION GOT WANTED
verdict() {
	result "$1" "$2"
	[ "$1" = 0 ] || note "     got: $3"$'\n'"  wanted: $4"
}

is() {
	local status=0
	[ "$2" = "$3" ] || status=1
	verdict $status "$1" "$2" "$3"
}

like() {
	local status=0
	[[ $2 =~ $3 ]] || status=1
	verdict $status "$1" "$2" "something like $3"
}

unlike() {
	local status=0
	[[ $2 =~ $3 ]] && status=1
	verdict $status "$1" "$2" "nothing like $3"
}

below() {
	local status=0
	[ "$2" -lt "$3" ] || status=1
	verdict $status "$1 ($2)" "$2" "less than $3"
}

skip() {
	tap_run=$((tap_run + 1))
	echo "ok $tap_run - $1 # SKIP $2"
	echo "$tap_run $tap_failed" >$tap_state
}

bail() {
	echo "not ok $((tap_run + 1)) - the story cannot go on: $*"
	tap_failed=$((tap_failed + 1)) tap_done=1
	exit 1
}

done_testing() {
	tap_done=1
	exit 0
}

# What went on, for whoever reads of a failure.
explain() {
	note "--- journal"
	note "$(journalctl -q --no-pager -o short-monotonic -n 60 -u exportsd -u 'exportsd-*' -u 'story-*' 2>/dev/null)"
	note "--- mounts"
	note "$(grep -E ' - (iso9660|udf|squashfs|erofs|nfs4?|tmpfs) ' /proc/self/mountinfo | cut -c 1-150 | grep -v ' /\(run\|dev\)')"
	note "--- kernel caches"
	note "$(grep -H . /proc/net/rpc/{auth.unix.ip,nfsd.export,nfsd.fh}/content 2>/dev/null | head -n 40)"
	note "--- kernel"
	note "$(dmesg | grep -v -e loop -e 'UDF-fs: INFO' -e 'systemd\[1\]' | tail -n 15)"
}

at_exit() {
	local status=$?
	[ "$tap_done" ] || { result 1 "the story ran to its end (it exited with $status)"; }
	if [ "$tap_failed" != 0 ]; then explain; fi
	if [ "$BOOT" = "$BOOTS" ]; then echo "1..$tap_run"; fi
	if [ "$tap_failed" != 0 ] || [ "$tap_run" = 0 ]; then exit 1; fi
	exit 0
}
trap at_exit EXIT

# counts NORMALLY SOAKING: how many of something, for `make soak` many
counts() {
	if [ "${SOAK-}" ]; then echo "$2"; else echo "$1"; fi
}

# ---- time ----

now_ms() {
	local now=${EPOCHREALTIME/./}
	echo $((now / 1000))
}

# timed COMMAND...: run it; $took_ms is how long it took
timed() {
	local begin status=0
	begin=$(now_ms)
	"$@" || status=$?
	# shellcheck disable=SC2034 # for stories
	took_ms=$(($(now_ms) - begin))
	return $status
}

# eventually SECONDS COMMAND...: wait until it succeeds
eventually() {
	local end=$(($(now_ms) + $1 * 1000))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(now_ms)" -lt $end ] || return 1
		sleep .1
	done
}

# within SECONDS COMMAND...: it succeeds, and in time
within() {
	timeout -k 1 "$1" bash -c '"$@"' within "${@:2}"
}

# ---- discs ----

# fill_disc DIRECTORY NAME [FILE=TEXT...]
fill_disc() {
	local file
	mkdir -p "$1/docs"
	echo "disc $2" >"$1/readme.txt"
	echo "deep in $2" >"$1/docs/deep.txt"
	for file in "${@:3}"; do
		mkdir -p "$(dirname "$1/${file%%=*}")"
		printf '%s\n' "${file#*=}" >"$1/${file%%=*}"
	done
}

make_udf() {
	local mounted=/run/make_udf
	truncate -s 1M "$1"
	mkudffs --label="$2" "$1" >/dev/null || return
	mkdir -p $mounted
	mount -o loop "$1" $mounted && cp -r "$3/." $mounted/ && umount $mounted
}

make_disc() {
	local kind=$1 name=$2 from image=$LIBRARY/$2.$1
	from=$(mktemp -d /run/disc.XXXXXX)
	chmod 755 "$from"
	mkdir -p "$LIBRARY"
	fill_disc "$from" "$name" "${@:3}"
	case $kind in
	iso) genisoimage -quiet -R -no-pad -V "$name" -o "$image" "$from" ;;
	udf) make_udf "$image" "$name" "$from" ;;
	squashfs) mksquashfs "$from" "$image" -quiet -no-progress >/dev/null ;;
	erofs) mkfs.erofs "$image" "$from" >/dev/null 2>&1 ;;
	*) bail "make_disc: $kind?" ;;
	esac || bail "cannot make $image"
	rm -r "$from"
}

# One image is made, and its copies are told apart by eight bytes: label and files say discNNNN.
make_library() {
	local template=/run/template.iso from=/run/template
	mkdir -p "$LIBRARY"
	fill_disc $from @@@@@@@@
	genisoimage -quiet -R -no-pad -V @@@@@@@@ -o $template $from || bail "cannot make an image"
	perl -e '
		my ($template, $library, $n) = @ARGV;
		open(my $in, "<:raw", $template) or die "$template: $!";
		my $disc = do { local $/; <$in> };
		for my $i (1 .. $n) {
			my $name = sprintf("disc%04d", $i);
			(my $copy = $disc) =~ s/\@{8}/$name/g;
			open(my $out, ">:raw", "$library/$name.iso") or die "$name: $!";
			print($out $copy) && close($out) or die "$name: $!";
		}' $template "$LIBRARY" "$1" || bail "cannot make $1 discs"
}

# ---- the server ----

# What the kernel's server needs around it, but for who answers its questions.
start_around() {
	mountpoint -q /proc/fs/nfsd || mount -t nfsd nfsd /proc/fs/nfsd
	mkdir -p /run/rpc_pipefs
	mountpoint -q /run/rpc_pipefs || mount -t rpc_pipefs pipefs /run/rpc_pipefs
	systemctl start rpcbind.socket || bail "no rpcbind"
}

# The kernel's server as hosts run it: nfs-server.service, with exportsd enabled in rpc.mountd's place. Beside rpc.mountd,
# which these stories start by hand, the threads alone.
start_server() {
	local conf=/etc/nfs.conf.d/story.conf
	start_around
	if ! pidof -q rpc.mountd; then
		mkdir -p /etc/nfs.conf.d
		[ -e $conf ] || printf '[nfsd]\ngrace-time=10\nlease-time=10\nthreads=8\n' >$conf
		systemctl enable -q exportsd || bail "exportsd cannot be enabled"
		systemctl start nfs-server || bail "nfs-server.service does not start"
		nobody_reclaims
		return
	fi
	systemctl start nfsdcld || bail "no nfsdcld"
	rpc.nfsd -G 10 -L 10 8 || bail "the kernel's server does not start"
	nobody_reclaims
}

# Nobody has anything to reclaim at the first start, also if nfsdcld was too late to say so.
nobody_reclaims() {
	[ ! -e /run/server-was-started ] || return 0
	{ echo Y >/proc/fs/nfsd/v4_end_grace; } 2>/dev/null
	: >/run/server-was-started
}

# When nfs-server.service was started last: it is not, whatever becomes of exportsd.
server_since() { systemctl show -P ActiveEnterTimestampMonotonic nfs-server; }

# With the unit, exportsd is stopped, too.
stop_server() {
	if systemctl is-active -q nfs-server; then
		systemctl stop nfs-server
		eventually 10 not pidof exportsd || bail "exportsd does not stop with the server"
	else
		rpc.nfsd 0
	fi
}

start_mountd() {
	start_around
	printf '%s\n' "$1" >/etc/exports
	exportfs -ra || bail "exportfs -ra failed"
	eventually 10 test_client_is_gone || bail "the kernel keeps exportfs's test client"
	rpc.mountd --manage-gids -p 20048 || bail "rpc.mountd does not start"
	eventually 5 pidof rpc.mountd || bail "rpc.mountd is not there"
}

# exportfs makes the kernel know a client -test-client- for a while, to try exports on it. A pseudo-root's uuid is that of its
# path if rpc.mountd reads etab when that client is gone, and its file system's otherwise (nfs-utils 2.6.2, v4root_create()):
# clients of one that was restarted too soon get ESTALE for their mounts. A flush sweeps nothing in the second of another one.
test_client_is_gone() {
	local cache=/proc/net/rpc/auth.unix.ip
	grep -qs -e -test-client- "$cache/content" || return 0
	sleep 2
	date +%s >"$cache/flush"
	false
}

stop_mountd() {
	kill "$(pidof rpc.mountd)"
	eventually 5 not pidof rpc.mountd || bail "rpc.mountd does not stop"
	exportfs -f
}

not() {
	! "$@"
}

# netgroup NAME MEMBER...
netgroup() {
	local member line=$1
	for member in "${@:2}"; do line+=" ($member,,)"; done
	sed -i "/^$1 /d" /etc/netgroup
	echo "$line" >>/etc/netgroup
}

# ---- names ----

# serve_names ZONE [OPTION...]: the name service asks tests/vm/tools/dnsserver, which says what ZONE tells it;
# called again, it says something else. Its questions are in /run/dnsserver.log.
serve_names() {
	printf '%s\n' "$1" >/run/dnsserver.zone
	stop_names
	rm -f /etc/resolv.conf
	printf 'nameserver 127.0.0.1\n' >/etc/resolv.conf
	sed -i 's/^hosts:.*/hosts: files dns/' /etc/nsswitch.conf
	setsid "$TREE/tests/vm/tools/dnsserver" "${@:2}" /run/dnsserver.zone >/run/dnsserver.log 2>&1 &
	echo $! >/run/dnsserver.pid
	disown
	eventually 10 grep -qx ready /run/dnsserver.log || bail "dnsserver does not start"
}

# From here on nobody answers.
stop_names() {
	[ ! -e /run/dnsserver.pid ] || kill "$(cat /run/dnsserver.pid)" || return
	rm -f /run/dnsserver.pid
}

# How many questions were asked about a name or address, of any type: count_names REGEX
count_names() {
	grep -cE "^[A-Z]+ $1\$" /run/dnsserver.log
}

# ---- exportsd ----

exports() {
	printf '%s\n' "$1" >/etc/exports
}

start_exportsd() {
	start_around
	mkdir -p "$RULES"
	[ $# = 0 ] || exports "$1"
	systemctl start exportsd || bail "exportsd does not start"
}

stop_exportsd() {
	systemctl stop exportsd || bail "exportsd does not stop"
}

kill_exportsd() {
	systemctl kill -s KILL exportsd
}

exportsd_pid() {
	systemctl show -P MainPID exportsd
}

# restarted PID: exportsd runs and is another process than that
restarted() {
	local pid
	pid=$(exportsd_pid)
	[ "$pid" != 0 ] && [ "$pid" != "$1" ] && exportsctl status
}

# The handle of a medium's root, made of its number as the kernel does.
root_handle() {
	printf '01000100%08x' "$(exportsctl fsid "$1")" | sed 's/\(.\{8\}\)\(..\)\(..\)\(..\)\(..\)/\1\5\4\3\2/'
}

# ---- handlers ----

start_image_handler() {
	local file=/etc/systemd/system/exportsd-image.service.d/library.conf setting
	setting=$(printf '[Service]\nExecStart=\nExecStart=%s --directory=%s' /usr/libexec/exportsd/exportsd-image "$LIBRARY")
	mkdir -p "$LIBRARY" "${file%/*}"
	if [ "$(cat $file 2>/dev/null)" != "$setting" ]; then
		echo "$setting" >$file
		systemctl daemon-reload
	fi
	systemctl start exportsd-image.socket || bail "the image handler's socket does not start"
}

stop_image_handler() {
	systemctl stop exportsd-image.socket exportsd-image.service || bail "the image handler does not stop"
}

# start_badhandler SOCKET KEY...: tests/vm/tools/badhandler, which writes what it is asked to SOCKET.log
start_badhandler() {
	setsid "$TREE/tests/vm/tools/badhandler" "$@" >>"$1.log" 2>&1 &
	disown
	eventually 10 test -S "$1" || bail "badhandler does not start"
}

# serve_library [EXPORTS]: all that is needed to serve $LIBRARY by $RULE, to $NETGROUP
serve_library() {
	grep -q "^$NETGROUP " /etc/netgroup || netgroup $NETGROUP localhost 192.0.2.7
	start_image_handler
	start_exportsd "${1:-$RULE}"
	start_server
	eventually $((20 + $(find "$LIBRARY" -type f | wc -l) / 50)) placeholders_are_there || bail "exportsd makes no placeholders in $RULES"
}

placeholders_are_there() {
	[ "$(find "$RULES" -mindepth 1 -maxdepth 1 -type d | wc -l)" = "$(find "$LIBRARY" -type f | wc -l)" ]
}

# ---- clients ----

mount_nfs() {
	local version=$1 path=$2 at=$3 options=${4-}
	mkdir -p "$at"
	[ "$version" != 3 ] || options+=,nolock
	mount -t nfs -o "vers=$version,port=2049${options:+,$options}" "$SERVER:$path" "$at"
}

mount_v4() { mount_nfs 4.2 "$@"; }
mount_v3() { mount_nfs 3 "$@"; }

# as_client ADDRESS COMMAND...: from another host, whose address that is: 192.0.2.2 .. 254. The server is 192.0.2.1 to it.
as_client() {
	local address=$1 host=client${1##*.}
	shift
	if ! [ -e "/run/netns/$host" ]; then
		if ! [ -e /sys/class/net/clients ]; then
			# An address of its own: a bridge's changes with its ports, and clients would keep asking for the old one.
			ip link add clients address 02:00:00:00:00:01 type bridge && ip addr add 192.0.2.1/24 dev clients && ip link set clients up
		fi
		# shellcheck disable=SC2015
		ip netns add "$host" &&
			ip link add "$host" type veth peer name eth0 netns "$host" &&
			ip link set "$host" master clients up &&
			ip -n "$host" addr add "$address/24" dev eth0 &&
			ip -n "$host" link set eth0 up &&
			ip -n "$host" link set lo up || bail "no network for $address"
	fi
	# NFSv4 clients are told apart by their host's name: two of one name throw each other out.
	# shellcheck disable=SC2016
	SERVER=192.0.2.1 nsenter --net="/run/netns/$host" unshare --uts \
		bash -c 'hostname "$1" && shift && "$@"' as_client "$host" "$@"
}

# ---- what is the case on the server ----

# The media that are mounted, one path a line: what is mounted under $RULES or /srv and has a filesystem that discs
# or a test's handler have (a placeholder that is mounted on itself has the root's).
mounted_media() {
	awk '{ for (i = 7; i < NF; i++) if ($i == "-") type = $(i + 1) }
		$5 ~ /^\/(mnt|srv)\// && type ~ /^(iso9660|udf|squashfs|erofs|tmpfs)$/ { print $5 }' /proc/self/mountinfo
}

count_mounts() {
	mounted_media | wc -l
}

# How many questions of a kind the kernel has asked: count_upcalls nfsd.fh|nfsd.export|auth.unix.ip|auth.unix.gid
count_upcalls() {
	exportsctl status --json | jq -r ".kernel.asked[\"$1\"]"
}

unmount_clients() {
	umount -a -t nfs,nfs4
}

# Have the kernel forget what it was told, and unmount all media: the state after a long idle time.
unmount_media() {
	local path channel
	for channel in auth.unix.ip nfsd.export nfsd.fh; do
		[ ! -e /proc/net/rpc/$channel/flush ] || echo $((EPOCHSECONDS + 1)) >/proc/net/rpc/$channel/flush
	done
	for path in $(mounted_media | sort -r); do
		eventually 10 unmount_swept "$path" || bail "$path is busy"
	done
}

# A flush in the same second as another one sweeps nothing (net/sunrpc/cache.c write_flush() puts off
# nextcheck by a second), and what it left keeps the mount busy until somebody writes to a channel.
unmount_swept() {
	umount "$1" && return
	printf 'nfsd 0.0.0.0 %s -test-client-\n' $((EPOCHSECONDS + 60)) >/proc/net/rpc/auth.unix.ip/channel
	return 1
}

# ---- power ----

cut_power() {
	: >/vm/cut-power
	sleep 60
	bail "there is still power"
}

# within and as_client run helpers too, in a process of their own.
export LIBRARY RULES SERVER NETGROUP RULE
# shellcheck disable=SC2046 # names of functions
export -f $(compgen -A function)
