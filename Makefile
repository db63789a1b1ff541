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
GENERATORDIR ?= $(patsubst %/system,%/system-generators,$(UNITDIR))
TMPFILESDIR ?= /usr/lib/tmpfiles.d
SYSUSERSDIR ?= /usr/lib/sysusers.d

PACKAGES  := libsystemd mount blkid libconfuse libtirpc sqlite3 uuid json-c libcrypto expat
CFLAGS    ?= -O2 -g
XCPPFLAGS := -I. -I$(B) -D_GNU_SOURCE -DHASH_NONFATAL_OOM=1 -DEXPORTSD_VERSION='"$(VERSION)"' $(shell pkg-config --silence-errors --cflags $(PACKAGES))
XCFLAGS   := -std=gnu17 -Wall -Wextra -Wformat=2 -Wshadow -Wvla -Wstrict-prototypes \
             -Wmissing-prototypes -Wwrite-strings -Wno-unused-parameter -fno-common -MMD -MP
HARDENING ?= -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
XCFLAGS   += $(HARDENING)
XLIBS     := $(shell pkg-config --silence-errors --libs $(PACKAGES))

objects    = $(patsubst %.c,$(B)/%.o,$(1))
# The whole tree: a folder with a main.c is a program, and so each handlers/NAME/ is exportsd-NAME.
SOURCES   := $(wildcard parser/*.c parser/*/*.c handlers/*.c handlers/*/*.c exportsd/*.c exportsd/*/*.c)
HEADERS   := $(wildcard parser/*.h parser/*/*.h handlers/*.h handlers/*/*.h exportsd/*.h exportsd/*/*.h)
MAINS     := $(filter %/main.c,$(SOURCES))
HANDLERS  := $(patsubst handlers/%/main.c,exportsd-%,$(filter handlers/%,$(MAINS)))
PROGRAMS  := exportsd exportsctl exportfs exportsd-generator $(HANDLERS)
main_exportsd           := exportsd/main.c
main_exportsctl         := exportsd/ctl/main.c
main_exportfs           := exportsd/exportfs/main.c
main_exportsd-generator := exportsd/generator/main.c
$(foreach handler,$(HANDLERS),$(eval main_$(handler) := handlers/$(handler:exportsd-%=%)/main.c))

# MOUNT's XDR routines are generated from exportsd/mountd/mount.x (RFC 1813, RFC 1094).
XDR       := $(B)/exportsd/mountd/mount_xdr.o
# A verb of the control socket is a file with a struct control_verb, a command of exportsctl one with a struct ctl_command:
# the tables of both are made of these definitions.
TABLES    := $(B)/exportsd/control/table.o $(B)/exportsd/ctl/table.o
PARTS     := $(call objects,$(filter-out $(MAINS),$(SOURCES))) $(XDR) $(TABLES)
# Everything but the mains, as one archive: a program or a test takes the objects it needs, and a
# test that brings a seam of its own (tests/fake/) has it linked in the real one's place.
LIBRARY   := $(B)/libexportsd.a
PRODUCT   := $(PARTS) $(call objects,$(MAINS))

UNIT      := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/test-*.c))
FUZZ      := $(patsubst %.c,$(B)/%,$(wildcard tests/fuzz/fuzz-*.c))
# The same with a driver of our own: seeds and some changes to them, a few seconds with any compiler.
TRIES     := $(patsubst tests/fuzz/fuzz-%.c,$(B)/tests/fuzz/try-%,$(wildcard tests/fuzz/fuzz-*.c))
BENCH     := $(patsubst %.c,$(B)/%,$(wildcard tests/bench/bench-*.c))
TOOLS     := $(patsubst tests/vm/tools/%.c,$(B)/bin/%,$(wildcard tests/vm/tools/*.c))
BATS      := $(wildcard tests/bats/*.bats)
# Cases in files, compared with what they gave before and with what nfs-utils makes of them.
CASES     := tests/golden/run tests/differential/run tests/differential/random tests/transcripts/run
TESTS     := $(UNIT) $(TRIES) $(BATS) $(CASES)
STORIES   := $(wildcard tests/vm/stories/*)

# The scripts under tests/ look for what was built there.
export B

all: $(addprefix $(B)/bin/,$(PROGRAMS)) ## build the daemon, exportsctl and the handlers

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call SAY,CC,$<)
	$(Q)$(CC) $(XCPPFLAGS) $(CPPFLAGS) $(XCFLAGS) $(CFLAGS) -c $< -o $@

$(B)/exportsd/mountd/mount_xdr.h: exportsd/mountd/mount.x
	@pkg-config --exists $(PACKAGES) || { echo 'make: libraries or their headers are missing: run make deps' >&2; exit 1; }
	@mkdir -p $(@D)
	$(call SAY,RPC,$<)
	$(Q)rpcgen -C -h $< >$@.new && mv $@.new $@

$(B)/exportsd/mountd/mount_xdr.c: exportsd/mountd/mount.x $(B)/exportsd/mountd/mount_xdr.h
	$(call SAY,RPC,$<)
	$(Q)rpcgen -C -c $< | sed 's|#include ".*mount.h"|#include "exportsd/mountd/mount_xdr.h"|' >$@.new && mv $@.new $@

$(XDR): $(B)/exportsd/mountd/mount_xdr.c
	$(call SAY,CC,$<)
	$(Q)$(CC) $(XCPPFLAGS) $(CPPFLAGS) $(XCFLAGS) -Wno-unused-variable $(CFLAGS) -c $< -o $@

# FOLDER,HEADER,TYPE: every `const struct TYPE NAME = {` in FOLDER, as an array TYPEs that NULL ends.
define table
$(B)/$(1)/table.c: $(wildcard $(1)/*.c) $(1) Makefile
	@mkdir -p $$(@D)
	$$(call SAY,GEN,$$@)
	$$(Q)names=$$$$(sed -n 's/^const struct $(3) \([a-z_]*\) = {.*/\1/p' $$(filter %.c,$$^) | LC_ALL=C sort) && { \
	  echo '#include "$(2)"'; \
	  printf 'extern const struct $(3) %s;\n' $$$$names; \
	  echo 'const struct $(3) *const $(3)s[] = {'; \
	  printf '\t&%s,\n' $$$$names; echo '	NULL };'; } >$$@
$(B)/$(1)/table.o: $(B)/$(1)/table.c
	$$(call SAY,CC,$$<)
	$$(Q)$$(CC) $$(XCPPFLAGS) $$(CPPFLAGS) $$(XCFLAGS) $$(CFLAGS) -c $$< -o $$@
endef
$(eval $(call table,exportsd/control,exportsd/control/verb.h,control_verb))
$(eval $(call table,exportsd/ctl,exportsd/ctl/ctl.h,ctl_command))

# Who includes the generated header must not be compiled before it is there.
$(PRODUCT) $(call objects,$(wildcard tests/unit/*.c tests/fuzz/*.c tests/bench/*.c)): | $(B)/exportsd/mountd/mount_xdr.h

$(LIBRARY): $(PARTS)
	$(call SAY,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

LINK = $(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(LDFLAGS) -Wl,--as-needed -o $@ $^ $(XLIBS)

define program
$(B)/bin/$(1): $(call objects,$(main_$(1))) $(LIBRARY)
	$$(call SAY,LD,$$@)
	$$(LINK)
endef
$(foreach name,$(PROGRAMS),$(eval $(call program,$(name))))
$(B)/bin/%: $(B)/tests/vm/tools/%.o $(LIBRARY)
	$(call SAY,LD,$@)
	$(LINK)
$(B)/tests/%: $(B)/tests/%.o $(LIBRARY)
	$(call SAY,LD,$@)
	$(LINK)
# Nobody waits for a clock in a unit test.
$(B)/tests/unit/%: $(B)/tests/unit/%.o $(B)/tests/fake/clock.o $(LIBRARY)
	$(call SAY,LD,$@)
	$(LINK)
$(B)/tests/fuzz/try-%: $(B)/tests/fuzz/fuzz-%.o $(B)/tests/fuzz/driver.o $(LIBRARY)
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
AFRESH = $(MAKE) --no-print-directory $(if $(filter 0,$(V)),-s) $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

demo: deps ## see it work: a server and a client in a machine of its own; no root
	@$(AFRESH) all $(TOOLS)
	@tests/vm/run tests/vm/demo

check: deps ## every test: unit, golden, differential, bats, stories on a real kernel
	@$(AFRESH) check-all
check-all: all $(TESTS) $(B)/tests/golden/print $(TOOLS) check-headers check-deps
	@tests/run -j 2 $(TESTS) $(STORIES)
# Unit tests that a story runs on its kernel.
IN_VM     := $(B)/tests/unit/test-media-identity
check-vm: all $(TOOLS) $(IN_VM) ## the stories on a real kernel, each in a machine of its own
	@tests/run -j 2 $(STORIES)
# What has a longer round of its own besides the stories.
LONG_ROUNDS := $(B)/tests/unit/test-store-model tests/differential/random $(TRIES)
soak: all $(TOOLS) $(IN_VM) $(LONG_ROUNDS) $(B)/tests/golden/print ## the stories with their full counts, such as 10,000 media, and other long rounds
	@SOAK=1 tests/run -v $(LONG_ROUNDS) $(STORIES)
check-unit: all $(UNIT) $(TRIES) ## unit tests: nobody waits for a clock; fuzzers' seeds, and what is near them
	@tests/run -j 2 $(UNIT) $(TRIES)
# What T names, by how its name begins; a story also by a word after its number.
T_BUILT   := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/test-$(T)*.c)) \
             $(patsubst tests/fuzz/fuzz-%.c,$(B)/tests/fuzz/try-%,$(wildcard tests/fuzz/fuzz-$(T)*.c))
T_CASES   := $(filter tests/$(T)/%,$(CASES))
T_STORIES := $(sort $(wildcard tests/vm/stories/$(T)* tests/vm/stories/*-$(T)*))
T_TESTS   := $(if $(T),$(strip $(T_BUILT) $(wildcard tests/bats/$(T)*.bats) $(T_CASES) $(T_STORIES)))
test: $(if $(T_TESTS),$(T_BUILT) $(if $(filter-out $(T_BUILT),$(T_TESTS)),all $(TOOLS)) $(if $(T_CASES),$(B)/tests/golden/print) $(if $(T_STORIES),$(IN_VM))) ## build and run what T=NAME names: unit tests, bats files, cases, stories
	@$(if $(T_TESTS),,echo "make: T=$(T) names no test: try the beginning of a name in tests/unit (without test-), tests/bats or tests/fuzz, or a number or word of tests/vm/stories" >&2; exit 2)
	@echo "T=$(T): $(T_TESTS:$(B)/%=%)"
	@tests/run $(T_TESTS)
check-cases: all $(B)/tests/golden/print ## golden files; exports as nfs-utils reads them
	@tests/run $(CASES)
check-headers: $(B)/exportsd/mountd/mount_xdr.h ## every header compiles alone
	@for header in $(HEADERS); do \
	  echo "#include \"$$header\"" | $(CC) $(XCPPFLAGS) -std=gnu17 -Wall -Werror -fsyntax-only -xc - || exit 1; done
check-deps: $(PRODUCT) ## the arrows between folders, by includes and symbols, against tests/arrows.tsv; circles
	@! grep -nE '#include <(systemd|libmount|blkid|sqlite3)' $(filter parser/%,$(SOURCES) $(HEADERS)) || exit 1
	@tests/arrows --objects $(B)

check-bats: all $(TOOLS) $(BATS) ## the real programs in namespaces of their own, the kernel's files faked
	@B=$(B) tests/run $(BATS)

# The same tests in other build trees. A clang or gcc of the caller's choice: CC.
SANITIZE  := address,undefined
check-asan: ## unit tests and bats under AddressSanitizer and UndefinedBehaviorSanitizer
	@$(AFRESH) B=build/asan HARDENING= CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=$(SANITIZE) -fno-sanitize-recover=all" \
	  LDFLAGS="-fsanitize=$(SANITIZE)" check-unit-bats
check-unit-bats: all $(TOOLS) $(UNIT) $(TRIES) $(BATS)
	@B=$(B) tests/run $(UNIT) $(TRIES) $(BATS)
# Debian 12's valgrind knows neither openat2(2) nor pidfd_open(2), and wants a type for mount(2)'s propagation flags.
NO_VALGRIND := $(patsubst %,$(B)/tests/unit/test-%,callout identities image kit media media-identity media-watch mount-table mountd names numbers paths rmtab-file store store-copies store-model worker)
check-valgrind: all $(UNIT) ## unit tests under valgrind, but for those that it cannot run
	@B=$(B) RUN_UNDER="valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite" \
	  tests/run $(filter-out $(NO_VALGRIND),$(UNIT))

FUZZ_TIME ?= 60
fuzz: ## each fuzzer for FUZZ_TIME=60 seconds (clang's libFuzzer)
	@$(AFRESH) B=build/fuzz CC=clang HARDENING= fuzz-run \
	  CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all" \
	  LDFLAGS="-fsanitize=fuzzer,address,undefined"
fuzz-run: $(FUZZ)
	@tests/fuzz/run $(FUZZ_TIME) $(FUZZ)

# ---- the code itself ----

C_FILES   := $(SOURCES) $(HEADERS) $(wildcard tests/*.h tests/*/*.[ch] tests/vm/tools/*.[ch])
# What is data for tests looks as the tests want it.
DATA_FILES := tests/golden/% tests/fuzz/corpus/% tests/fuzz/seeds/% tests/differential/corpus/%
ALL_FILES := $(shell git ls-files 2>/dev/null || find . -type f ! -path './build/*')
PAGES     := $(wildcard man/*.[1-9])
# gcc 12's analyser looks at what is installed, not at tests. It does not follow ownership through cleanup
# attributes, lists' macros and asprintf(3): those faults are the sanitizers' and valgrind's to find.
ANALYZER  := -fanalyzer -Wno-analyzer-malloc-leak -Wno-analyzer-use-after-free \
             -Wno-analyzer-use-of-uninitialized-value
product: $(PRODUCT)
objects: $(PRODUCT) $(call objects,$(wildcard tests/fake/*.c tests/unit/*.c tests/fuzz/*.c tests/bench/*.c tests/vm/tools/*.c))

# Not in parallel, and nothing else beside it: each prints its raw figures and its peer's.
bench: all $(BENCH) $(TOOLS) ## measure: answers, numbers, MNT calls, first access, listings, each beside its peer
	@for script in $(filter-out %.c %.md,$(wildcard tests/bench/*)); do \
	  echo "# $$script"; \
	  case $$script in *.story) tests/vm/run $$script ;; *) B=$(B) $$script ;; esac || exit 1; done

tables: $(B)/tests/unit/test-config ## write anew what shows the table of settings: the example, and the list in exportsd.conf(5)
	@$< --print >examples/exportsd.conf
	@{ sed '/^The keys are:$$/q' man/exportsd.conf.5; echo '.Bl -tag -width Ds'; $< --manual; \
	  sed '1,/^The keys are:$$/d' man/exportsd.conf.5 | sed '1,/^\.El$$/{/^\.El$$/!d}'; } >$(B)/exportsd.conf.5
	@cp $(B)/exportsd.conf.5 man/exportsd.conf.5

lint: lint-files lint-scripts lint-man lint-c ## style, compilers' warnings and static analysis; nothing to say is good
lint-files:
	@! grep -L 'SPDX-License-Identifier: LGPL-2.1-or-later' $(filter-out LICENSE %.md $(DATA_FILES),$(ALL_FILES)) | sed 's/$$/: no SPDX line/' | grep .
	@! grep -nE '[[:space:]]+$$' $(filter-out LICENSE $(DATA_FILES),$(ALL_FILES)) /dev/null
	@clang-format --dry-run -Werror $(C_FILES)
lint-scripts:
	@shellcheck -x $$(grep -lE '^#!.*/(ba)?sh$$' $(filter-out $(DATA_FILES),$(ALL_FILES)))
	@shellcheck -s bats -e SC2016,SC2154 $(BATS) tests/bats/*.bash
lint-man:
	@! mandoc -T lint -W warning $(PAGES) | grep .
	@tests/units-lint
lint-c:
	@$(AFRESH) B=build/gcc CC=gcc HARDENING= CFLAGS="-O2 -Werror -D_FORTIFY_SOURCE=2" objects
	@$(AFRESH) B=build/clang CC=clang HARDENING= CFLAGS="-O1 -Werror" objects
	@$(AFRESH) B=build/analyzer CC=gcc HARDENING= CFLAGS="-O1 -Werror $(ANALYZER)" product
	@mkdir -p build/cppcheck/sys && ln -sf /usr/include/uthash.h /usr/include/utlist.h build/cppcheck
	@ln -sf $(wildcard /usr/include/*/sys/queue.h) build/cppcheck/sys
	@cppcheck --quiet --error-exitcode=1 --enable=warning,portability,performance --inline-suppr -j2 \
	  --suppressions-list=tests/cppcheck-suppressions --std=c11 -D_GNU_SOURCE -I. -Ibuild/cppcheck \
	  parser exportsd handlers tests/vm/tools

# ---- installing ----

# What is installed, as FILE:DIRECTORY:MODE; units with @NAME@ replaced.
INSTALL_PROGRAMS := exportsd:$(SBINDIR) exportsctl:$(SBINDIR) exportfs:$(LIBEXECDIR) exportsd-generator:$(GENERATORDIR) $(HANDLERS:%=%:$(LIBEXECDIR))
INSTALL_UNITS := $(patsubst units/%,%,$(wildcard units/*.service units/*.socket units/*.timer units/*.d/*.conf))
INSTALL_TMPFILES := $(notdir $(wildcard units/*.tmpfiles))
INSTALL_SYSUSERS := $(notdir $(wildcard units/*.sysusers))
SUBSTITUTE := sed -e 's|@SBINDIR@|$(SBINDIR)|g' -e 's|@LIBEXECDIR@|$(LIBEXECDIR)|g' -e 's|@SYSCONFDIR@|$(SYSCONFDIR)|g'

install: all ## install under DESTDIR; PREFIX, SBINDIR, LIBEXECDIR, MANDIR, DOCDIR, UNITDIR, GENERATORDIR say where
	@for entry in $(INSTALL_PROGRAMS); do \
	  install -D -m 755 $(B)/bin/$${entry%%:*} "$(DESTDIR)$${entry#*:}/$${entry%%:*}" || exit 1; done
	@for page in $(PAGES); do \
	  install -D -m 644 $$page "$(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/}" || exit 1; done
	@for unit in $(INSTALL_UNITS); do \
	  install -d "$(DESTDIR)$(UNITDIR)/$$(dirname $$unit)" && \
	  $(SUBSTITUTE) units/$$unit >"$(DESTDIR)$(UNITDIR)/$$unit" && chmod 644 "$(DESTDIR)$(UNITDIR)/$$unit" || exit 1; done
	@for file in $(INSTALL_TMPFILES); do \
	  install -D -m 644 units/$$file "$(DESTDIR)$(TMPFILESDIR)/$${file%.tmpfiles}.conf" || exit 1; done
	@for file in $(INSTALL_SYSUSERS); do \
	  install -D -m 644 units/$$file "$(DESTDIR)$(SYSUSERSDIR)/$${file%.sysusers}.conf" || exit 1; done
	@link="$(DESTDIR)$(SYSCONFDIR)/systemd/system/nfs-mountd.service"; case $$(readlink "$$link") in \
	  */exportsd.service) ln -sfn $(UNITDIR)/exportsd-mountd.service "$$link" ;; esac # enabled before there was this unit
	@install -d "$(DESTDIR)$(SYSCONFDIR)/exportsd.d"
	@install -d "$(DESTDIR)$(DOCDIR)/examples" && cp -r examples/. "$(DESTDIR)$(DOCDIR)/examples"
	@install -m 644 README.md CHANGELOG.md "$(DESTDIR)$(DOCDIR)"

# Scripts call exportfs by its name. dpkg keeps the stock one as exportfs.nfs-utils, over its upgrades, too.
divert: ## after install: have /usr/sbin/exportfs be ours (Debian; as root)
	dpkg-divert --local --rename --divert /usr/sbin/exportfs.nfs-utils --add /usr/sbin/exportfs
	ln -sf $(LIBEXECDIR)/exportfs /usr/sbin/exportfs
undivert: ## the stock exportfs again
	rm -f /usr/sbin/exportfs
	dpkg-divert --local --rename --remove /usr/sbin/exportfs

# Removed from under nfs-server or from under who calls exportfs, both would lead to nothing.
check-unused:
	@for unit in $(filter-out %.conf,$(INSTALL_UNITS)); do \
	  find "$(DESTDIR)$(SYSCONFDIR)/systemd/system" -lname "*/$$unit" -printf "make: %p leads to $$unit, nothing was removed: first run systemctl disable $${unit%-mountd.service} (README.md, \"To go back\")\n" 2>/dev/null; done | { ! grep . >&2; }
	@if [ "$$(readlink "$(DESTDIR)/usr/sbin/exportfs")" = "$(LIBEXECDIR)/exportfs" ]; then \
	  echo 'make: $(DESTDIR)/usr/sbin/exportfs leads to ours, nothing was removed: first run make undivert' >&2; exit 1; fi

uninstall: check-unused ## remove what install installs; the configuration and the numbers stay
	@for entry in $(INSTALL_PROGRAMS); do rm -f "$(DESTDIR)$${entry#*:}/$${entry%%:*}"; done
	@for page in $(PAGES); do rm -f "$(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/}"; done
	@for unit in $(INSTALL_UNITS); do rm -f "$(DESTDIR)$(UNITDIR)/$$unit"; done
	@for file in $(INSTALL_TMPFILES); do rm -f "$(DESTDIR)$(TMPFILESDIR)/$${file%.tmpfiles}.conf"; done
	@for file in $(INSTALL_SYSUSERS); do rm -f "$(DESTDIR)$(SYSUSERSDIR)/$${file%.sysusers}.conf"; done
	@rm -rf "$(DESTDIR)$(DOCDIR)"

.PHONY: tables all help clean deps demo check check-all check-vm soak test check-unit check-cases check-headers check-deps check-unused check-bats check-asan bench \
  check-unit-bats check-valgrind fuzz fuzz-run objects lint lint-files lint-scripts lint-man lint-c install uninstall
.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)
