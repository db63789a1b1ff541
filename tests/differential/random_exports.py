# SPDX-License-Identifier: LGPL-2.1-or-later
"""random_exports.py - an exports file, and perhaps exports.d, made of a seed

make(seed) gives the same Case for the same seed, on any machine. Paths and hosts are those of the world the
differential tests build. What is written is mostly right; now and then a client, an option or a line is not, and
some files are damaged byte by byte.
"""

import random


class Case:
    """Files by their name below /etc, and what the kernel says its export flags are."""

    def __init__(self, files, features):
        self.files, self.features = files, features

    def with_file(self, name, text):
        return Case({**self.files, name: text}, self.features)

    def without_file(self, name):
        return Case({other: text for other, text in self.files.items() if other != name}, self.features)

    def with_features(self, features):
        return Case(self.files, features)

    def map(self, change):
        return Case({name: change(text) for name, text in self.files.items()}, self.features)

    def alone(self, text):
        return Case({"exports": text}, self.features)


PATHS = (
    "/srv/a /srv/b /srv/c /srv/d /srv/e /srv/f /srv/g /srv/h /srv/a/sub /srv/a/sub/deep / /srv /mnt /mnt/cdrom/disc1 "
    "/mnt/cdrom/disc2 /mnt/cdrom/empty /mnt/deep/x/y /srv/link-a /srv/rel-link /srv/dangling /srv/file /srv/missing "
    "/srv/eq=x /srv/dash- /srv/-lead /srv/comma,dir"
).split()
ODD_PATHS = [
    b"/srv/with space",
    b"/srv/hash#mark",
    b"/srv/paren(s)",
    b"/srv/back\\slash",
    b'/srv/quote"d',
    b"/srv/tab\tdir",
    b"/srv/nl\ndir",
    b"/srv/ut\xc3\xa9f8",
    b"/srv/lat\xe9n",
    b"/srv/star*name",
    b"/srv/q?x",
    b"/srv/[br]",
    b"/srv/no such\x7f\x01",
    b"/srv/a\\0407",
    b"/srv/link-octal",
    b"/srv/#",
    b"/srv/a#b",
    b"/srv/'a'",
    b"/srv/x@y",
    b"/srv/" + b"l" * 200,
    b"/srv/" + b"deep/" * 40 + b"end",
]
DECORATED = ["/srv//a", "/srv/a/", "/srv/./a", "/srv/b/../a", "/srv/a//", "//srv/b", "/srv/missing/", "/srv/missing//x/"]
BAD_PATHS = [b"srv/a", b"relative", b"'/srv/a'", b".", b"*", b"-", b"~", b"$HOME", b"(ro)"]

HOSTS = (
    "alpha beta gamma alpha.example.test beta.example.test gamma-alias.example.test multi.example.test six "
    "six.example.test dual.example.test ALPHA Beta.Example.Test localhost"
).split()
ADDRESSES = (
    "192.0.2.10 192.0.2.11 192.0.2.14 192.0.2.77 192.0.2.15 2001:db8::10 2001:DB8:0::10 2001:db8::77 ::1 127.0.0.1 "
    "::ffff:192.0.2.10 192.0.2 0xc000024d fe80::1%lo"
).split()
SUBNETS = (
    "192.0.2.0/24 192.0.2.0/25 192.0.2.128/25 192.0.2.7/24 10.0.0.0/8 0.0.0.0/0 0.0.0.0/1 192.0.2.0/255.255.255.0 "
    "192.0.2.0/255.0.255.0 192.0.2.0/024 192.0.2.10/32 0.0.0.0/0.0.0.0 2001:db8::/32 2001:db8::/64 2001:DB8::/32 ::/0 "
    "2001:db8::1/128 2001:db8::/ffff:ffff:: fe80::/10 2001:db8::/0 192.0.2.0/1 fe80::%lo/64 fe80::1%lo/10"
).split()
WILDCARDS = (
    "*.example.test *.test al?ha.example.test [ab]*.example.test [^a]*.example.test *.Example.Test ** ?* 192.0.2.* "
    "*.example.* 192.0.2.*/24 [2001:db8::1] [2001:db8::]/64 a\\*b *[ *.[a-"
).split()
NETGROUPS = "@hostgroup @other @no-such-group @ @UPPER @a.b @x,y @with/slash @st*r".split()
GSS = "gss/krb5 gss/krb5i gss/krb5p gss/ gss/other GSS/krb5".split()
UNKNOWN_HOSTS = "nosuch nosuch.example.test bad..name 256.1.1.1 1.2.3.4.5 -lead host_with_underscore a=b {x}".split()
BAD_CLIENTS = (
    "192.0.2.0/33 192.0.2/24 192.0.2.0/-1 256.0.0.0/8 192.0.2.0/255.255 alpha/24 2001:db8::/129 2001:db8::/x "
    "192.0.2.0/24x /24 2001:db8::/255.255.0.0 192.0.2.0/ffff:: 192.0.02.0/24 192.0.2.0/ 192.0.2.0%lo/24 fe80::1%nosuch/64"
).split()

FLAGS = (
    "ro rw sync async secure insecure root_squash no_root_squash all_squash no_all_squash wdelay no_wdelay hide nohide "
    "crossmnt nocrossmnt subtree_check no_subtree_check secure_locks insecure_locks auth_nlm no_auth_nlm acl no_acl "
    "nordirplus security_label pnfs no_pnfs"
).split()
BAD_OPTIONS = (
    "foo rw=1 RO no_such nosuid sec= sec=krb6 sec=sys: sec=SYS sec=sys,krb5 fsid= fsid=word fsid=12x anonuid= "
    "anonuid=x anongid=0x10 anonuid mountpoit hard squash_uids= squash_uids=1-x no_ro ;ro rw;ro refer replicas "
    "refer= no_sync sec wsync nordirplus=1 fsid fsid=3f2c1b4a-0d9e-4c55 tls zfs_snapdir -rw rw( root_squash= fsid=-"
).split()
NUMBERS = "0 1 2 5 7 010 0x10 65534 65536 4294967294 4294967295 4294967296 -1 -2 +3 99999999999999999999 00".split()
UUIDS = (
    "3f2c1b4a-0d9e-4c55-8a77-9b1c2d3e4f50 3f2c1b4a0d9e4c558a779b1c2d3e4f50 3F2C1B4A:0D9E4C55:8A779B1C:2D3E4F50 "
    "ef2c1b4a-0d9e-4c55-8a77-9b1c2d3e4f5z0 12345678901234567890123456789012 0123abcd-0123-abcd-0123-abcd0123abcd"
).split()
REFERRALS = (
    "/srv/a@192.0.2.10 /srv/a@alpha+beta /a@192.0.2.1:/b@192.0.2.2 /x@[2001:db8::1] /@h relative@host "
    "/srv/a@192.0.2.10+[2001:db8::1]:/b@c /no-host /with\\040blank@h"
).split()
MOUNTPOINTS = ["", "=", "=/mnt/cdrom/disc1", "=/srv/a", "=/no/such", "=relative", "=/srv/with=eq", "=/a\\b"]
FLAVORS = "sys krb5 krb5i krb5p none unix null".split()
KERNELS = [None, None, "0x3feff 0xf", "0x3feff 0xf", "0x7e3f 0xd"]


class Writer:
    """One file. Each method returns bytes, and takes its decisions from the one random source."""

    def __init__(self, source, faults, oddness):
        self.random, self.faults, self.oddness = source, faults, oddness

    def chance(self, probability):
        return self.random.random() < probability

    def one_of(self, *weighted):
        """@weighted: (weight, function or text) pairs"""
        total = sum(weight for weight, _ in weighted)
        at = self.random.random() * total
        for weight, what in weighted:
            at -= weight
            if at < 0:
                break
        return what() if callable(what) else what

    def pick(self, texts):
        text = self.random.choice(texts)
        return text if isinstance(text, bytes) else text.encode()

    # ---- words ----

    def octal(self, byte):
        return b"\\%03o" % byte

    def spell(self, text, quotable=True):
        """@text such that it reads as itself: raw, escaped and quoted, in pieces"""
        needs = {0x20, 0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x22, 0x23}
        plain = not any(byte in needs for byte in text)
        if plain and not self.chance(self.oddness):
            return text
        if quotable and b'"' not in text and self.chance(0.5):
            return self.quote(text)
        out = bytearray()
        for at, byte in enumerate(text):
            must = byte in needs and not (byte == 0x23 and at > 0)
            out += self.octal(byte) if must or self.chance(0.1) else bytes([byte])
        return bytes(out)

    def quote(self, text):
        at = self.random.randrange(len(text) + 1) if self.chance(0.4) else 0
        end = self.random.randrange(at, len(text) + 1) if self.chance(0.4) else len(text)
        special = b' \t\n\v\f\r#"'
        if any(byte in special for byte in text[:at] + text[end:]):
            at, end = 0, len(text)
        return text[:at] + b'"' + text[at:end] + b'"' + text[end:]

    def blank(self):
        if not self.chance(self.oddness):
            return b" "
        return self.one_of(
            (4, b"\t"), (3, b"  "), (2, b" \t "), (2, b"\\\n"), (2, b" \\\n\t"), (1, b"\0"), (1, b" \\\n\\\n ")
        )

    def path(self):
        if self.chance(self.faults):
            return self.pick(BAD_PATHS)
        return self.one_of(
            (10, lambda: self.spell(self.pick(PATHS))),
            (2 * self.oddness * 10, lambda: self.spell(self.pick(ODD_PATHS))),
            (self.oddness * 10, lambda: self.spell(self.pick(DECORATED))),
            (1, lambda: b"/srv/new%d" % self.random.randrange(6)),
        )

    def client(self):
        if self.chance(self.faults):
            return self.pick(BAD_CLIENTS)
        text = self.one_of(
            (5, lambda: self.pick(HOSTS)),
            (3, lambda: self.pick(ADDRESSES)),
            (4, lambda: self.pick(SUBNETS)),
            (3, lambda: self.pick(WILDCARDS)),
            (2, lambda: self.pick(NETGROUPS)),
            (1, lambda: self.pick(GSS)),
            (2, b"*"),
            (1, lambda: self.pick(UNKNOWN_HOSTS)),
            (2, lambda: b"10.%d.%d.0/%d" % (self.random.randrange(3), self.random.randrange(256), self.random.randrange(33))),
        )
        return self.spell(text, quotable=False) if self.chance(self.oddness / 3) else text

    # ---- options ----

    def flavors(self):
        names = [self.pick(FLAVORS) for _ in range(self.random.choice([1, 1, 1, 2, 2, 3, 4, 7]))]
        flags = [self.pick(FLAGS) for _ in range(self.random.choice([0, 0, 1, 1, 2]))]
        return b",".join([b"sec=" + b":".join(names), *flags])

    def fsid(self):
        return b"fsid=" + self.one_of((4, lambda: self.pick(NUMBERS)), (2, b"root"), (3, lambda: self.pick(UUIDS)))

    def squash(self):
        first = self.random.choice([0, 1, 7, 99, 65534])
        last = b"-%d" % self.random.randrange(100, 200) if self.chance(0.5) else b""
        return self.pick(["squash_uids", "squash_gids"]) + b"=%d" % first + last

    def option(self):
        if self.chance(self.faults):
            return self.pick(BAD_OPTIONS)
        return self.one_of(
            (14, lambda: self.pick(FLAGS)),
            (4, self.flavors),
            (3, self.fsid),
            (2, lambda: self.pick(["anonuid=", "anongid="]) + self.pick(NUMBERS)),
            (2, lambda: self.pick(["mountpoint", "mp"]) + self.pick(MOUNTPOINTS)),
            (1, lambda: self.pick(["refer=", "replicas="]) + self.pick(REFERRALS)),
            (0.3, self.squash),
            (0.5, lambda: b"xprtsec=" + b":".join(self.random.sample([b"none", b"tls", b"mtls"], self.random.choice([1, 2, 3])))),
        )

    def options(self, most=6):
        options = [self.option() for _ in range(self.random.randrange(most))]
        text = b",".join(options)
        if options and self.chance(self.oddness / 4):
            text += b","
        if self.chance(self.faults):
            text = self.one_of((1, b"," + text), (1, text.replace(b",", b",,", 1)), (1, text.replace(b",", b", ", 1)))
        return text

    # ---- items and entries ----

    def item(self):
        client = b"" if self.chance(0.04) else self.client()
        options = b"(" + self.options() + b")"
        if self.chance(0.08):
            return client or b"*"
        if self.chance(self.faults):
            return self.one_of(
                (1, client + options[:-1]), (1, client + options + b"x"), (1, client + options + client + options), (1, client + b"(" + options)
            )
        if self.chance(0.03):
            return client + self.blank() + options
        item = client + options
        if self.chance(self.oddness / 3) and b'"' not in item:
            return self.quote(item.replace(b",", b", ") if self.chance(0.4) else item)
        return item

    def defaults(self):
        return b"-" + self.options()

    def entry(self):
        words = [self.path()]
        if self.chance(0.2):
            words.append(self.defaults())
        for _ in range(self.one_of((1, 0), (14, 1), (8, 2), (5, 3), (2, lambda: self.random.randrange(4, 12)))):
            words.append(self.item())
            if self.chance(0.05):
                words.append(self.defaults())
        text = words[0]
        for word in words[1:]:
            text += self.blank() + word
        if self.chance(self.oddness / 3):
            text += self.one_of((1, b" "), (1, b"\t"), (2, b" # comment \\"), (1, b" \\\n"))
        return text

    def line(self):
        return self.one_of(
            (20, self.entry),
            (1.5, b"# a comment with \"quotes\", \\ and /srv/a *(rw)"),
            (1, b""),
            (self.oddness, b" \t "),
            (self.oddness, lambda: b"\t" + self.entry()),
            (self.oddness, lambda: b"\\\n" + self.entry()),
        )

    def file(self):
        lines = [self.line() for _ in range(self.random.choice([1, 1, 2, 2, 3, 3, 4, 5, 6, 8, 12]))]
        end = b"\r\n" if self.chance(self.oddness / 3) else b"\n"
        text = end.join(lines) + (b"" if self.chance(0.1) else end)
        return b"\xef\xbb\xbf" + text if self.chance(self.oddness / 30) else text

    def damage(self, text):
        """A few bytes changed, dropped, doubled or moved"""
        text = bytearray(text)
        for _ in range(self.random.choice([1, 1, 2, 3, 6])):
            at = self.random.randrange(len(text) + 1)
            length = self.random.choice([1, 1, 1, 2, 5, 20])
            self.one_of(
                (3, lambda: text.__setitem__(slice(at, at + length), b"")),
                (3, lambda: text.__setitem__(slice(at, at), text[at : at + length])),
                (
                    6,
                    lambda: text.__setitem__(
                        slice(at, at + self.random.choice([0, 1])),
                        self.pick([b'"', b"\\", b"\n", b"\r\n", b"#", b"(", b")", b",", b" ", b"-", b"=", b"*", b"\\040", b"\\134", b"\0", b"\t", b":", b"/", b"\xff", b"\\\n", b"@", b"0"]),
                    ),
                ),
            )
        return bytes(text)


NAMES = "a.exports 1-b.exports 10-c.exports 9-d.exports .hidden.exports e.export exports x.exports~ f.EXPORTS".split()


def make(seed):
    source = random.Random(seed)
    writer = Writer(source, source.choice([0, 0, 0, 0.03, 0.1]), source.choice([0, 0.1, 0.3, 0.6]))
    files = {"exports": writer.file()}
    if writer.chance(0.12):
        for name in source.sample(NAMES, source.randrange(1, 4)):
            files["exports.d/" + name] = writer.file()
    if writer.chance(0.12):
        files["exports"] = writer.damage(files["exports"])
    return Case(files, source.choice(KERNELS))
