#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# seconds: 280
# memory: 1G
#
# What ls -l of 1,000 and 10,000 unmounted media costs a client, first and again, beside as many plain directories
# of an ordinary export.
. "$HELPERS"

# list DIRECTORY LABEL COUNT
list() {
	local first
	timed ls -l "$1" >/tmp/listing
	first=$took_ms
	is "$2: all are listed" "$(grep -c ^d /tmp/listing)" "$3"
	timed ls -l "$1" >/tmp/listing
	note "$2, $3: first ls -l $first ms, again $took_ms ms"
}

mkdir -p /srv/plain
for count in 1000 10000; do
	make_library $count
	seq -f /srv/plain/d%05.0f $count | xargs mkdir -p
	serve_library "$RULE
/srv/plain *(ro,fsid=5)"
	for version in 4.2 3; do
		mount_nfs $version /srv/plain /client/plain nosharecache || bail "no plain mount"
		list /client/plain "plain directories, NFSv$version" $count
		unmount_clients
	done
	mount_v4 "$RULES" /client/cdrom || bail "no mount"
	list /client/cdrom "media, NFSv4.2" $count
	unmount_clients
	is "none is mounted" "$(count_mounts)" 0
done
done_testing
