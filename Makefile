# SPDX-License-Identifier: MIT
# hvsim's build: one file, not recursive except that `test`, `demo` and `fuzz` call it again, once the packages are
# there or with other variables. `make help` lists the targets; everything is built under build*/.
#
#   SAN=1    address and undefined-behaviour sanitizers, in build-san/
#   COV=1    line coverage, in build-cov/
#   DEBUG=1  no optimization, in build-debug/
#   V=1      show the commands, and the output of passing tests
#   ARCH=    a portable build instead of one for this machine

VERSION := 0.1.0
PREFIX ?= /usr/local

B := build$(if $(SAN),-san)$(if $(COV),-cov)$(if $(DEBUG),-debug)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDEXPANSION:
MAKEFLAGS += --no-builtin-rules --no-print-directory
# As parallel as the machine, unless the user says -j himself; an inner make shares the outer one's job slots.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif

# ---- Tools and flags ----------------------------------------------------------------------------------------------

ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(origin CXX),default)
CXX := g++
endif

ifeq ($(shell uname -m),x86_64)
ARCH ?= native
endif

SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer

# -ffp-contract=off: the same floating-point results whether or not the machine has fused multiply-add.
MODE_FLAGS := $(if $(DEBUG),-O0 -g3 -fno-omit-frame-pointer,$(if $(SAN)$(COV),-O1 -g,-O2 -g)) \
  $(if $(SAN),$(SANITIZERS)) \
  $(if $(COV),--coverage)
# The sanitizers' extra code makes gcc warn of uninitialized variables that are not.
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wcast-qual -Werror $(if $(SAN),-Wno-maybe-uninitialized)
COMMON_FLAGS := $(MODE_FLAGS) $(if $(ARCH),-march=$(ARCH)) -ffp-contract=off -Isim -D_GNU_SOURCE $(WARNINGS)
C_FLAGS := -std=c11 $(COMMON_FLAGS) -Wstrict-prototypes -Wmissing-prototypes
CXX_FLAGS := -std=c++17 $(COMMON_FLAGS)
LIBS := -lyaml -ljansson -lzstd -llzma -lz -lm

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' '$(1)' '$(2)')

# ---- Sources ------------------------------------------------------------------------------------------------------

# The files below folder $(1) that match pattern $(2).
files = $(sort $(shell find $(1) -type f -name '$(2)' 2>/dev/null))
objects = $(patsubst %,$(B)/obj/%.o,$(basename $(1)))

CLI_SOURCES   := $(call files,sim/cli,*.c)
SYSC_SOURCES  := $(call files,sim/sysc,*.cpp)
LIB_SOURCES   := $(filter-out sim/cli/% sim/sysc/%,$(call files,sim,*.c))
BENCH_SOURCES := $(wildcard bench/*.c)

# tests/BLOCK/test_X.c is a program, tests/BLOCK/fuzz_X.c is a fuzz program, any other tests/BLOCK/*.c helps all of
# them in its folder. The harness itself lies in tests/.
HARNESS_SOURCES := $(wildcard tests/gtest*.c)
TEST_SOURCES    := $(sort $(wildcard tests/*/test_*.c))
FUZZ_SOURCES    := $(sort $(wildcard tests/*/fuzz_*.c))
HELPER_SOURCES  := $(filter-out $(TEST_SOURCES) $(FUZZ_SOURCES),$(sort $(wildcard tests/*/*.c)))
SHELL_TESTS     := $(sort $(wildcard tests/*/*.sh))

HVSIM := $(B)/hvsim
LIB   := $(B)/libhvsim.a
BENCH := $(B)/bench
TESTS := $(TEST_SOURCES:%.c=$(B)/%)
FUZZ  := $(FUZZ_SOURCES:%.c=$(B)/%)

LIB_OBJECTS   := $(call objects,$(LIB_SOURCES))
HVSIM_OBJECTS := $(call objects,$(CLI_SOURCES) $(SYSC_SOURCES))
# The helper objects in the folder of program $(1).
helpers = $(filter $(dir $(1:$(B)/%=$(B)/obj/%))%,$(call objects,$(HELPER_SOURCES)))

# The HTML, style sheets and scripts of reports become C strings: page.css is report_page_css of sim/report/files.h.
PAGE_FILES   := $(sort $(wildcard sim/report/*.html sim/report/*.css sim/report/*.js))
PAGE_OBJECTS := $(PAGE_FILES:%=$(B)/obj/%.o)
LIB_OBJECTS  += $(PAGE_OBJECTS)

# ---- What users call ----------------------------------------------------------------------------------------------

.PHONY: all
all: $(HVSIM) $(LIB) ## build build/hvsim and build/libhvsim.a (the default)

.PHONY: demo
demo: ## install what is missing, build, run the main job and plot it
	@scripts/deps.sh --use
	@$(MAKE) all
	@HVSIM=$(HVSIM) scripts/demo.sh

# A fresh machine has no compiler yet when make reads this file, hence the inner make.
.PHONY: test
test: ## install what is missing, build, run every test
	@scripts/deps.sh
	@$(MAKE) all tests
	@HVSIM=$(abspath $(HVSIM)) scripts/run-tests $(if $(V),-v) $(TESTS) $(SHELL_TESTS)

.PHONY: tests
tests: $(TESTS) ## build every test program, run none

.PHONY: t
ifdef T
T_SHELL_TESTS := $(filter tests/$(T)/%,$(SHELL_TESTS))
T_TESTS       := $(filter $(B)/tests/$(T)/%,$(TESTS))
endif
t: $(T_TESTS) $(if $(T_SHELL_TESTS),$(HVSIM)) ## run the tests of one folder: make t T=tlb (F=FILTER selects some)
	$(if $(T_TESTS)$(T_SHELL_TESTS),,$(error T= names a folder of tests/ that holds tests, as in `make t T=tlb`))
	@HVSIM=$(abspath $(HVSIM)) scripts/run-tests $(if $(V),-v) $(if $(F),-f '$(F)') $(T_TESTS) $(T_SHELL_TESTS)

.PHONY: deps
deps: ## install the Debian packages that hvsim needs
	@scripts/deps.sh

.PHONY: bench
bench: $(BENCH) $(HVSIM) ## throughput benchmarks: a table and results/bench.json
	@mkdir -p results
	@HVSIM=$(HVSIM) $(BENCH)

.PHONY: figures
figures: all ## every figure recipe: pictures, data and a verdict against the published band
	@$(HVSIM) figures --reference results/reference

.PHONY: figures-reference
figures-reference: ## make the results of the last `make figures` those that later ones are compared with
	@for figure in $(notdir $(basename $(wildcard configs/figures/*.yaml))); do \
	    test -f results/figures/$$figure/table.csv || continue; \
	    mkdir -p results/reference/$$figure; \
	    cp results/figures/$$figure/table.csv results/figures/$$figure/plot.png results/figures/$$figure/plot.svg \
	        results/reference/$$figure/; \
	done; cp results/figures/README.md results/reference/README.md

.PHONY: docs
docs: all ## write the reference pages from the tables
	@HVSIM=$(HVSIM) scripts/docs.sh

.PHONY: golden
golden: all ## rewrite the expected results of the golden runs
	@HVSIM=$(HVSIM) scripts/golden --rewrite

.PHONY: check-deps
check-deps: ## check that the blocks include each other downwards only
	@scripts/check-deps $(LIB)

FUZZ_RUNS ?= 1000000
.PHONY: fuzz
fuzz: ## try FUZZ_RUNS mutated inputs on every fuzz target (1000000)
	@$(MAKE) SAN=1 fuzz-programs
	@scripts/run-fuzz $(FUZZ_RUNS) $(FUZZ_SOURCES:%.c=build-san/%)

.PHONY: fuzz-programs
fuzz-programs: $(FUZZ)

.PHONY: coverage
coverage: ## run every test with COV=1 and list the share of lines that ran, file by file
	@$(MAKE) COV=1 test
	@cd build-cov && gcov -n $$(find obj/sim -name '*.gcno') 2>/dev/null | \
	    awk -F"'" '/^File/ { file = $$2 } /^Lines/ { if (file ~ /^sim\//) print $$0 "  " file; file = "" }' | sort -t: -k2n

# The tables that hvsim.h takes its names from.
API_TABLES := $(addprefix sim/cpu/vmx/,vmcs_fields.def vmx_controls.def vmx_errors.def vmx_exit_reasons.def)

.PHONY: install
install: all ## install below PREFIX (/usr/local), or DESTDIR and PREFIX
	install -d '$(DESTDIR)$(PREFIX)/bin' '$(DESTDIR)$(PREFIX)/lib/pkgconfig' '$(DESTDIR)$(PREFIX)/share/hvsim' \
	    '$(DESTDIR)$(PREFIX)/include/hvsim/cpu/vmx' '$(DESTDIR)$(PREFIX)/include/hvsim/iommu'
	install -m 755 $(HVSIM) '$(DESTDIR)$(PREFIX)/bin/hvsim'
	install -m 644 $(LIB) '$(DESTDIR)$(PREFIX)/lib/libhvsim.a'
	install -m 644 sim/api/hvsim.h '$(DESTDIR)$(PREFIX)/include/hvsim/hvsim.h'
	install -m 644 sim/cpu/instructions.def '$(DESTDIR)$(PREFIX)/include/hvsim/cpu/'
	install -m 644 $(API_TABLES) '$(DESTDIR)$(PREFIX)/include/hvsim/cpu/vmx/'
	install -m 644 sim/iommu/iommu_regs.def sim/iommu/iommu_faults.def '$(DESTDIR)$(PREFIX)/include/hvsim/iommu/'
	scripts/pkg-config-file '$(PREFIX)' '$(VERSION)' '$(LIBS)' >'$(DESTDIR)$(PREFIX)/lib/pkgconfig/hvsim.pc'
	cp -R configs workloads '$(DESTDIR)$(PREFIX)/share/hvsim/'

.PHONY: clean
clean: ## remove everything that was built
	rm -rf build build-*

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile
	@awk '/^#   [A-Z]+=/ { sub(/^# /, ""); print }' Makefile

# ---- Rules --------------------------------------------------------------------------------------------------------

# Before the first compilation, and with nothing to do after it: are the packages there?
$(B)/packages.stamp:
	@scripts/deps.sh --check
	@mkdir -p $(@D) && touch $@

# $(call stamp,TEXT) keeps TEXT in the target, touching it only when the text is new: what depends on it is rebuilt
# when flags or the commit changed, and at no other time.
stamp = @mkdir -p $(@D); printf '%s\n' '$(1)' | cmp -s - $@ || printf '%s\n' '$(1)' >$@

.PHONY: FORCE
FORCE:

$(B)/flags.stamp: FORCE
	$(call stamp,$(CC) $(C_FLAGS) / $(CXX) $(CXX_FLAGS))

# Only data_files.c knows where hvsim is installed, and only the command's version.c which commit it is.
SHARE_FLAG := -DHVSIM_SHARE_DIR="\"$(PREFIX)/share/hvsim\""
COMMIT = $(or $(shell git describe --always --dirty 2>/dev/null),unknown)
VERSION_FLAGS = -DHVSIM_VERSION="\"$(VERSION)\"" -DHVSIM_COMMIT="\"$(COMMIT)\""

$(B)/share.stamp: FORCE
	$(call stamp,$(SHARE_FLAG))

$(B)/version.stamp: FORCE
	$(call stamp,$(VERSION_FLAGS))

$(B)/obj/sim/machine/data_files.o: private EXTRA_FLAGS += $(SHARE_FLAG)
$(B)/obj/sim/machine/data_files.o: $(B)/share.stamp
$(B)/obj/sim/cli/version.o: private EXTRA_FLAGS += $(VERSION_FLAGS)
$(B)/obj/sim/cli/version.o: $(B)/version.stamp
$(B)/obj/tests/%.o: private EXTRA_FLAGS += -Itests

$(B)/obj/%.o: %.c $(B)/flags.stamp | $(B)/packages.stamp
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(C_FLAGS) $(EXTRA_FLAGS) -MMD -MP -c $< -o $@

$(B)/obj/%.o: %.cpp $(B)/flags.stamp | $(B)/packages.stamp
	$(call say,CXX,$<)
	@mkdir -p $(@D)
	$(Q)$(CXX) $(CXX_FLAGS) $(EXTRA_FLAGS) -MMD -MP -c $< -o $@

$(B)/obj/sim/report/%.c: sim/report/% scripts/embed
	$(call say,EMBED,$<)
	@mkdir -p $(@D)
	$(Q)scripts/embed 'report_$(subst .,_,$*)' $< >$@

$(PAGE_OBJECTS): $(B)/obj/%.o: $(B)/obj/%.c $(B)/flags.stamp | $(B)/packages.stamp
	$(Q)$(CC) $(C_FLAGS) -c $< -o $@

# From scratch, so that the object of a deleted source does not stay behind.
$(LIB): $(LIB_OBJECTS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(HVSIM): $(HVSIM_OBJECTS) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CXX) $(MODE_FLAGS) $^ -lsystemc $(LIBS) -o $@

$(BENCH): $(call objects,$(BENCH_SOURCES)) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(MODE_FLAGS) $^ $(LIBS) -o $@

# Tests never see SystemC: the models are C, and are tested as C. The wrap lets the harness see a failed HV_ASSERT.
$(TESTS): $(B)/%: $(B)/obj/%.o $$(call helpers,$$@) $(call objects,$(HARNESS_SOURCES)) $(LIB)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(MODE_FLAGS) -Wl,--wrap=_Exit $^ -lcmocka $(LIBS) -o $@

# The helpers of a folder that a fuzz program shares with its tests, and that need no cmocka.
FUZZ_HELPERS_fuzz_vm_entry := tests/vmx/baseline.c tests/vmx/machine.c

$(FUZZ): $(B)/%: $(B)/obj/%.o $$(call objects,$$(FUZZ_HELPERS_$$(@F))) $(B)/obj/tests/fuzz_main.o $(LIB)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(MODE_FLAGS) $(filter %.o,$^) $(LIB) $(LIBS) -o $@

# These build machines as the tests of their folder do.
$(B)/tests/execute/fuzz_execute: $(B)/obj/tests/execute/lab.o

# What each object was compiled from, as the compiler wrote it down.
-include $(patsubst %.o,%.d,$(LIB_OBJECTS) $(HVSIM_OBJECTS) $(call objects,$(BENCH_SOURCES) $(HARNESS_SOURCES) \
  $(TEST_SOURCES) $(FUZZ_SOURCES) $(HELPER_SOURCES) tests/fuzz_main.c))
