#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# install.bats - make install and uninstall, into a directory.

load helpers.bash

setup() {
	setup_tree
	R=$T/root
	make_into install
}

make_into() { env -u MAKEFLAGS -u MFLAGS make -s --no-print-directory B="${B:-build}" DESTDIR="$R" SYSCONFDIR=/etc "$@"; }
is_whole() { [ -x "$R/usr/sbin/exportsd" ] && [ -e "$R/lib/systemd/system/exportsd.service" ] && [ -x "$R/usr/libexec/exportsd/exportfs" ]; }

@test "uninstall leaves the configuration, and nothing else" {
	is_whole
	make_into uninstall
	run -0 find "$R" ! -type d
	[ "$output" = "" ]
	[ -d "$R/etc/exportsd.d" ]
}

@test "uninstall refuses as long as a unit is enabled, and says which" {
	links="$R/etc/systemd/system"
	mkdir -p "$links/sockets.target.wants"
	ln -s /lib/systemd/system/exportsd-mountd.service "$links/nfs-mountd.service"
	ln -s /lib/systemd/system/exportsd-image.socket "$links/sockets.target.wants/exportsd-image.socket"
	run ! make_into uninstall
	[[ $output == *"$links/nfs-mountd.service leads to exportsd-mountd.service, nothing was removed: first run systemctl disable exportsd"* ]]
	[[ $output == *"exportsd-image.socket, nothing was removed"* ]]
	is_whole
	rm "$links/nfs-mountd.service" "$links/sockets.target.wants/exportsd-image.socket"
	make_into uninstall
	run ! is_whole
}

@test "an upgrade has nfs-server require exportsd-mountd, where it required exportsd itself" {
	links="$R/etc/systemd/system"
	mkdir -p "$links"
	ln -s /lib/systemd/system/exportsd.service "$links/nfs-mountd.service"
	make_into install
	[ "$(readlink "$links/nfs-mountd.service")" = /lib/systemd/system/exportsd-mountd.service ]
	ln -sfn /lib/systemd/system/other.service "$links/nfs-mountd.service"
	make_into install
	[ "$(readlink "$links/nfs-mountd.service")" = /lib/systemd/system/other.service ]
	rm "$links/nfs-mountd.service"
	make_into install
	[ ! -L "$links/nfs-mountd.service" ]
}

@test "uninstall refuses as long as exportfs is ours" {
	ln -s /usr/libexec/exportsd/exportfs "$R/usr/sbin/exportfs"
	run ! make_into uninstall
	[[ $output == *"$R/usr/sbin/exportfs leads to ours, nothing was removed: first run make undivert"* ]]
	is_whole
	ln -sf exportfs.nfs-utils "$R/usr/sbin/exportfs"
	make_into uninstall
	[ -L "$R/usr/sbin/exportfs" ]
}
