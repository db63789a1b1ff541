# SPDX-License-Identifier: LGPL-2.1-or-later
"""random_shrink.py - make a case smaller as long as it shows what it shows

Files are taken away, then lines, words, options and bytes, in runs that become shorter (Zeller's ddmin). What a
piece is is a matter of text alone, so that a file that was damaged on purpose shrinks like any other.
"""

import re

TRIES_MAX = 1500

PIECES = (
    re.compile(rb"[^\n]*\n?"),
    re.compile(rb"[ \t]*(?:\"[^\"]*\"|[^ \t\n\"])+|\s"),
    re.compile(rb",?[^,()]+|[(),]"),
    re.compile(rb".", re.S),
)


class Tries:
    def __init__(self, shows):
        self.shows, self.left = shows, TRIES_MAX

    def __call__(self, case):
        if self.left <= 0:
            return False
        self.left -= 1
        return self.shows(case)


def shrink_pieces(case, name, regex, tries):
    pieces = [piece for piece in regex.findall(case.files[name]) if piece]
    run = max(1, len(pieces) // 2)
    while run and pieces:
        at, gone = 0, False
        while at < len(pieces):
            fewer = pieces[:at] + pieces[at + run :]
            smaller = case.with_file(name, b"".join(fewer))
            if tries(smaller):
                case, pieces, gone = smaller, fewer, True
            else:
                at += run
        if run > 1 or not gone:
            run //= 2
    return case


def shrink(case, shows):
    tries = Tries(shows)
    for name in list(case.files):
        smaller = case.without_file(name)
        if smaller.files and tries(smaller):
            case = smaller
    if case.features and tries(case.with_features(None)):
        case = case.with_features(None)
    before = None
    while before != case.files and tries.left > 0:
        before = case.files
        for regex in PIECES:
            for name in list(case.files):
                case = shrink_pieces(case, name, regex, tries)
    return case
