# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# dns.sh - a name server of the machine's own, for stories: tests/vm/tools/dnsserver on its loopback address.
# What it is asked is in /run/dns.log.

# start_dns ZONE...: hosts are looked up in /etc/hosts, then there
start_dns() {
	printf '%s\n' "$*" >/run/dns.zone
	printf 'nameserver 127.0.0.1\noptions timeout:30 attempts:1\n' >/etc/resolv.conf
	printf 'hosts: files dns\nnetgroup: files\npasswd: files\ngroup: files\nservices: files\nprotocols: files\nrpc: files\n' >/etc/nsswitch.conf
	setsid "$TREE/tests/vm/tools/dnsserver" --listen 127.0.0.1 --port 53 /run/dns.zone >/run/dns.log 2>&1 &
	dns_pid=$!
	disown
	eventually 10 grep -q ready /run/dns.log || bail "dnsserver does not start"
}

# set_dns ZONE: from now on
set_dns() {
	printf '%s\n' "$*" >/run/dns.zone
	kill -HUP "$dns_pid"
	sleep .2
}
