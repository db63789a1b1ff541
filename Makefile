# SPDX-License-Identifier: LGPL-2.1-or-later
#
# exportsd - the whole build, one file, no recursion of folders. Objects land under $(B).
#
# CC, CFLAGS, CPPFLAGS and LDFLAGS belong to whoever calls make; what the project itself needs
# is in the X* variables, so `make CFLAGS=-O0` drops no warning, no -std and no dependency file.
# `make help` lists the targets; V=1 shows the commands.

B         ?= build
V         ?= 0
Q         := $(if $(filter 0,$(V)),@)
SAY        = @$(if $(filter 0,$(V)),printf '  %-5s %s\n' $(1) '$(2)',:)

VERSION   := 0.1.0
PREFIX    ?= /usr
SYSCONFDIR ?= /etc
SBINDIR   ?= $(PREFIX)/sbin
LIBEXECDIR ?= $(PREFIX)/libexec/exportsd
MANDIR    ?= $(PREFIX)/share/man
DOCDIR    ?= $(PREFIX)/share/doc/exportsd
UNITDIR   ?= /lib/systemd/system
TMPFILESDIR ?= /usr/lib/tmpfiles.d

PACKAGES  := libsystemd mount blkid libconfuse libtirpc sqlite3 uuid json-c
CFLAGS    ?= -O2 -g
XCPPFLAGS := -I. -I$(B) -D_GNU_SOURCE -DEXPORTSD_VERSION='"$(VERSION)"' $(shell pkg-config --silence-errors --cflags $(PACKAGES))
XCFLAGS   := -std=gnu17 -Wall -Wextra -Wformat=2 -Wshadow -Wvla -Wstrict-prototypes \
             -Wmissing-prototypes -Wwrite-strings -Wno-unused-parameter -fno-common -MMD -MP
HARDENING ?= -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
XCFLAGS   += $(HARDENING)
XLIBS     := $(shell pkg-config --silence-errors --libs $(PACKAGES))

objects    = $(patsubst %.c,$(B)/%.o,$(1))
PROGRAMS  := exportsd exportsctl exportsd-image

PARSER    := $(call objects,$(wildcard parser/*.c))
PROTO     := $(B)/handlers/proto.o
KIT       := $(call objects,$(filter-out handlers/proto.c handlers/image.c,$(wildcard handlers/*.c)))
# What each program adds to the shared objects.
MAINS     := exportsd/main.c exportsd/exportsctl.c
# MOUNT's XDR routines are generated from exportsd/mount.x (RFC 1813, RFC 1094).
XDR       := $(B)/exportsd/mount_xdr.o
CORE      := $(call objects,$(filter-out $(MAINS),$(wildcard exportsd/*.c))) $(XDR)
# Everything but the mains, as one archive: a program or a test takes the objects it needs, and a
# test that brings a seam of its own (tests/fake/) has it linked in the real one's place.
LIBRARY   := $(B)/libexportsd.a

UNIT      := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/test-*.c))
FUZZ      := $(patsubst %.c,$(B)/%,$(wildcard tests/fuzz/fuzz-*.c))
BENCH     := $(patsubst %.c,$(B)/%,$(wildcard tests/bench/bench-*.c))
TOOLS     := $(patsubst tests/vm/tools/%.c,$(B)/bin/%,$(wildcard tests/vm/tools/*.c))
BATS      := $(wildcard tests/bats/*.bats)
STORIES   := $(wildcard tests/vm/stories/*)

all: $(addprefix $(B)/bin/,$(PROGRAMS)) ## build the daemon, exportsctl and the handlers

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call SAY,CC,$<)
	$(Q)$(CC) $(XCPPFLAGS) $(CPPFLAGS) $(XCFLAGS) $(CFLAGS) -c $< -o $@

$(B)/exportsd/mount_xdr.h: exportsd/mount.x
	@mkdir -p $(@D)
	$(call SAY,RPC,$<)
	$(Q)rpcgen -C -h $< >$@.new && mv $@.new $@

$(B)/exportsd/mount_xdr.c: exportsd/mount.x $(B)/exportsd/mount_xdr.h
	$(call SAY,RPC,$<)
	$(Q)rpcgen -C -c $< | sed 's|#include ".*mount.h"|#include "exportsd/mount_xdr.h"|' >$@.new && mv $@.new $@

$(XDR): $(B)/exportsd/mount_xdr.c
	$(call SAY,CC,$<)
	$(Q)$(CC) $(XCPPFLAGS) $(CPPFLAGS) $(XCFLAGS) -Wno-unused-variable $(CFLAGS) -c $< -o $@

# Who includes the generated header must not be compiled before it is there.
$(CORE) $(call objects,$(MAINS) $(wildcard tests/unit/*.c tests/fuzz/*.c tests/bench/*.c)): | $(B)/exportsd/mount_xdr.h

$(LIBRARY): $(PARSER) $(PROTO) $(KIT) $(CORE)
	$(call SAY,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

LINK = $(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(LDFLAGS) -Wl,--as-needed -o $@ $^ $(XLIBS)

$(B)/bin/exportsd: $(B)/exportsd/main.o $(LIBRARY)
	$(call SAY,LD,$@)
	$(LINK)
$(B)/bin/exportsctl: $(B)/exportsd/exportsctl.o $(LIBRARY)
	$(call SAY,LD,$@)
	$(LINK)
$(B)/bin/exportsd-image: $(B)/handlers/image.o $(LIBRARY)
	$(call SAY,LD,$@)
	$(LINK)
$(B)/bin/%: $(B)/tests/vm/tools/%.o $(LIBRARY)
	$(call SAY,LD,$@)
	$(LINK)
$(B)/tests/%: $(B)/tests/%.o $(LIBRARY)
	$(call SAY,LD,$@)
	$(LINK)

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | \
	while IFS="$$(printf '\t')" read -r name what; do printf '  %-16s %s\n' "$$name" "$$what"; done

clean: ## remove what was built
	rm -rf build

# ---- tests ----

deps: ## install what is missing to build, test and demonstrate (Debian), and say what
	@tests/deps

# What deps has installed is seen by a make that starts after it.
AFRESH = $(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

demo: deps ## see it work: a server and a client in a machine of its own; no root
	@$(AFRESH) all $(TOOLS)
	@tests/vm/run tests/vm/demo

check: deps ## every test: unit, golden, differential, bats, stories on a real kernel
	@$(AFRESH) check-all
check-all: all $(TESTS) $(TOOLS) check-headers check-deps
	@tests/run -j 2 $(TESTS) $(STORIES)
check-vm: all $(TOOLS) ## the stories on a real kernel, each in a machine of its own
	@tests/run -j 2 $(STORIES)
soak: all $(TOOLS) ## the stories with their full counts: 10,000 media, many kills
	@SOAK=1 tests/run -v $(STORIES)
check-unit: all $(UNIT) ## unit tests: no disk, clock or network
	@tests/run $(UNIT)
check-headers: $(B)/exportsd/mount_xdr.h ## every header compiles alone
	@for header in $(wildcard parser/*.h exportsd/*.h handlers/*.h); do \
	  echo "#include \"$$header\"" | $(CC) $(XCPPFLAGS) -std=gnu17 -Wall -Werror -fsyntax-only -xc - || exit 1; done
check-deps: ## the folders' arrows: parser knows nobody, handlers never the daemon
	@! grep -nE '#include "(exportsd|handlers)/' parser/*.[ch] || exit 1
	@! grep -nE '#include <(systemd|libmount|blkid|sqlite3)' parser/*.[ch] || exit 1
	@! grep -nE '#include "exportsd/' handlers/*.[ch] || exit 1
	@! grep -nE '#include "handlers/' exportsd/*.[ch] | grep -v 'handlers/proto.h' || exit 1
	@! grep -nE '#include "exportsd/(daemon|questions|mountd|control|reload)\.h"' \
	  $(filter-out exportsd/main.c $(foreach m,questions mountd control reload daemon,$(wildcard exportsd/$(m)*.[ch])),$(wildcard exportsd/*.[ch])) || exit 1

.PHONY: all help clean check-unit check-headers check-deps
.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)
