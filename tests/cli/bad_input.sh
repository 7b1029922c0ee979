#!/bin/bash
# SPDX-License-Identifier: MIT
# Whatever is wrong with the input is told in one sentence, ends with exit code 2, and leaves nothing behind.
source tests/cli/lib.bash
mkdir -p "$work/in" "$HVSIM_DATA/configs" "$HVSIM_DATA/workloads"
cd "$work/in" || exit 1

# ---- The input -----------------------------------------------------------------------------------------------------

echo 'workload: {footprint: 1MiB, accesses: 1000}' >small.yaml
cp small.yaml "$HVSIM_DATA/configs/toaster.yaml"
cp small.yaml "$HVSIM_DATA/workloads/burnt.yaml"
printf 'tlb:\n  l2:\n    entires: 512\n' >unknown.yaml
printf 'tbl:\n  l2: {entries: 512}\n' >group.yaml
printf 'tlb:\n  l2: {ways: 4}\n  l2: {ways: 8}\n' >twice.yaml
printf 'core.width: 2\ncore: {width: 4}\n' >dotted.yaml
printf 'core:\n  width: 17\n' >range.yaml
printf 'core: {width: fast}\n' >word.yaml
printf 'core:\n\twidth: 2\n' >tab.yaml
printf '# nothing\n' >empty.yaml
printf -- '- core\n' >list.yaml
printf 'core:\n' >omitted.yaml
printf 'workload: {kind: trace, trace: nowhere.hvt}\n' >trace.yaml
printf 'tlb.l2: {entries: 10, ways: 4}\n' >ways.yaml
printf 'workload: {kind: mix, parts: "./part.yaml, small.yaml", mix_as: phases}\n' >mix.yaml
printf 'workload: {kind: stride, footprint: 8KiB, stride: 16KiB}\n' >part.yaml
printf 'workload: {kind: mix, parts: mix, mix_as: phases}\n' >mixes.yaml
printf 'workload:\n  kind: mix\n  mix_as: phases\n  parts: small, ways\n' >strange.yaml
printf 'workload: {sed: 2}\n' >wrong.yaml
mkdir sweeps
# sweep NAME LINE...: a sweep of these lines and, unless they are given, a configuration, an axis and a metric
sweep() {
    local file=sweeps/$1.yaml
    shift
    printf '%s\n' "$@" >"$file"
    grep -q '^config:' "$file" || echo 'config: small.yaml' >>"$file"
    grep -q '^axes:' "$file" || echo 'axes: {core.width: [2, 4]}' >>"$file"
    grep -q '^metrics:' "$file" || echo 'metrics: [core.cpi]' >>"$file"
}
sweep key 'axis: {}'
sweep far 'xyzzy: 1'
echo 'axes: {core.width: [2, 4]}' >sweeps/no_config.yaml
sed -i '$a metrics: core.cpi' sweeps/no_config.yaml
printf 'config: small.yaml\nmetrics: [core.cpi]\n' >sweeps/no_axes.yaml
printf 'config: small.yaml\naxes: {core.width: [2]}\n' >sweeps/no_metrics.yaml
sweep name 'name: ../up'
sweep config 'config: smal'
sweep configs 'config: [small.yaml, toster]'
sweep both 'config: small.yaml' 'axes: {config: [small.yaml]}'
sweep broken 'config: range.yaml'
sweep set 'set: {core: {widht: 3}}'
sweep set_list 'set: [core.width]'
sweep axes 'axes: [core.width]'
sweep axis 'axes:' '  tlb:' '    l2: {entires: [4]}'
sweep value 'axes: {core.width: [2, 40]}'
sweep twice 'axes: {core.width: [2, 4, 0x2]}'
sweep axis_twice 'axes: {core.width: [2], core: {width: [4]}}'
sweep single 'axes: {core.width: 2}'
sweep empty 'axes: {core.width: []}'
sweep map 'axes: {core.width: [{a: 1}]}'
sweep zip 'axes: {core.width: [1, 2], core.rob: [1, 2, 3], zip: [[core.width, core.rob]]}'
sweep zip_one 'axes: {core.width: [1, 2], zip: [core.width]}'
sweep zip_name 'axes: {core.width: [1, 2], core.rob: [1, 2], zip: [[core.width, core.rib]]}'
sweep zip_twice 'axes: {core.width: [1, 2], core.rob: [1, 2], zip: [[core.width, core.rob], [core.rob, core.width]]}'
sweep many "axes: {core.rob: [$(seq -s, 200)], core.mshrs: [$(seq -s, 200)]}"
sweep seeds 'seeds: none'
sweep many_seeds "axes: {core.rob: [$(seq -s, 200)]}" 'seeds: 1000'
sweep metric 'metrics: [core.cpy]'
sweep metric_twice 'metrics: [core.cpi, core.cpi]'
sweep metric_core 'metrics: [core1.cpi]'
sweep plot 'plot: {z: core.width}'
sweep plot_kind 'plot: {kind: pie}'
sweep plot_x 'plot: {x: core.wdth}'
sweep plot_y 'plot: {y: core.cycles}'
sweep plot_by 'axes: {core.width: [2, 4], core.rob: [1, 2], core.mshrs: [1, 2]}' 'plot: {x: core.width, by: core.rob}'
sweep plot_log 'axes: {paging.mode: [native, nested]}' 'plot: {log: x}'
sweep plot_zero 'axes: {tlb.l2.entries: [0, 12]}' 'plot: {log: x}'
sweep plot_map 'plot: {kind: heatmap}'
sweep ways 'axes: {tlb.l2.entries: [12, 24], tlb.l2.ways: [4, 5]}'
sweep warmup 'set: {workload.warmup: 1000}'
sweep page 'axes: {paging.host.page_size: [4k, 1g], paging.host.huge_fraction: [0, 0.5]}'
sweep key_of_slurm 'seeds: 2'
sweep sweep_trace 'set: {workload: {kind: trace, trace: nowhere.hvt}}'

# Two blocks of records, the second half as long as the first. The addresses are random, so that blocks take room in
# proportion; they are of few pages, so that the index at the end takes little.
make_trace trace.hvt
bytes=$(stat -c %s trace.hvt)
: >empty.hvt
: >empty.champsim
head -c 100 /dev/zero >cut.champsim
echo words >words.txt
printf '%128s' words >words.trace
head -c $((bytes / 4)) trace.hvt >cut.hvt
cp trace.hvt damaged.hvt
printf 'damage' | dd of=damaged.hvt bs=1 seek=$((bytes * 8 / 10)) conv=notrunc status=none
mkdir folder folder/empty
printf '{"hvsim": {"version": "1", "commit": "c"}, "complete": true, "config": {}, "stats": {"a": 1}}\n' >good.json
printf '{"hvsim": {"version": "1", "commit": "c"},\n "stats": {"a": 1,}}\n' >comma.json
printf '{"hvsim": {"version": "1", "commit": "c"}, "complete": true, "config": {}, "stats": {"a": "1"}}\n' >text.json
printf '{"config": {}, "stats": {}}\n' >other.json
printf '{"a": 1e999}' >huge.json
mkdir broken whole
cp comma.json broken/result.json
cp good.json whole/result.json
head -c 100000 /dev/zero | tr '\0' '[' >deep.json
head -c 70000000 /dev/zero | tr '\0' ' ' >long.json

# ---- The table -----------------------------------------------------------------------------------------------------

# Each case: its name, the command, the sentence (a backslash continues it on the next line). Every `run` gets
# --out result, unless it has one.
cases() {
    cat <<'TABLE'
unknown key
  run unknown.yaml
  unknown.yaml:3:5: unknown parameter "tlb.l2.entires"; did you mean "tlb.l2.entries"?
unknown group
  run group.yaml
  group.yaml:1:1: unknown group of parameters "tbl"; did you mean "tlb"?
duplicate key
  run twice.yaml
  twice.yaml:3:3: key "l2" is given twice, first at line 2
duplicate key in another notation
  run dotted.yaml
  dotted.yaml:2:8: parameter "core.width" is given twice, first at line 1
out of range
  run range.yaml
  range.yaml:2:10: core.width: "17" is out of range; it takes a whole number from 1 to 16 instructions/cycle
not a number
  run word.yaml
  word.yaml:1:15: core.width: "fast" is not a whole number; it takes a whole number from 1 to 16 instructions/cycle
a tab
  run tab.yaml
  tab.yaml:2:1: a tab is used for indentation; YAML allows spaces only
a file of comments
  run empty.yaml
  empty.yaml:1:1: no key in this file; write at least one line "key: value"
a list
  run list.yaml
  list.yaml:1:1: a list is not a configuration; write lines "key: value"
missing file
  run nowhere.yaml
  cannot read nowhere.yaml: No such file or directory
a folder
  run ./folder
  cannot read ./folder: Is a directory
no configuration
  run
  run needs a CONFIG: a file, or the name of one that hvsim list configs shows
unknown preset, nearly right
  run toster
  "toster" is neither a file nor a shipped config; did you mean "toaster"?
unknown preset, far off
  run xyzzy-9000
  "xyzzy-9000" is neither a file nor a shipped config; see hvsim list configs
unknown workload
  run toaster --workload brunt
  "brunt" is neither a file nor a shipped workload; did you mean "burnt"?
missing workload file
  run small.yaml --workload nowhere.yaml
  cannot read nowhere.yaml: No such file or directory
check finds it as well
  check range.yaml
  range.yaml:2:10: core.width: "17" is out of range; it takes a whole number from 1 to 16 instructions/cycle
check builds the machine
  check ways.yaml
  tlb.l2: 10 entries cannot be divided into sets of 4 ways; choose ways that divide entries, or `full`
check opens the trace
  check trace.yaml
  cannot read trace 'nowhere.hvt': No such file or directory
check without a file
  check
  check needs a FILE: a configuration, a workload or a sweep

unknown --set key
  run small.yaml --set tlb.l2.entires=4
  --set: unknown parameter "tlb.l2.entires"; did you mean "tlb.l2.entries"?
--set of a group
  run small.yaml --set tlb.l2=4
  --set: "tlb.l2" is a group of parameters and has no value of its own; name one, such as "tlb.l2.entries"
--set without a value
  run small.yaml --set core.width
  --set: "core.width" has no "="; write KEY=VALUE, such as core.width=4
zero accesses
  run small.yaml --set workload.accesses=0
  --set: workload.accesses: "0" is out of range; it takes a whole number from 1 to 1000000000000000 accesses
an entry count that the ways do not divide
  run small.yaml --set tlb.l2.entries=10 --set tlb.l2.ways=4
  tlb.l2: 10 entries cannot be divided into sets of 4 ways; choose ways that divide entries, or `full`
a cache without whole sets
  run small.yaml --set cache.l1d.size=1000
  cache.l1d: 1000 bytes in 8 ways is no whole number of sets of 64-byte lines; \
choose a size that is a multiple of 64 x ways
banks that are no power of two
  run small.yaml --set dram.banks=12
  dram.banks is 12; choose a power of two up to 64, or 0 for no banks
rows that are no power of two
  run small.yaml --set dram.banks=16 --set dram.row_bytes=3000
  dram.row_bytes is 3000; choose a power of two, such as 8KiB
a warm-up of everything
  run small.yaml --warmup 1000
  workload.warmup of 1000 accesses leaves none to measure of a workload of 1000; lower it
a warm-up that is no number
  run small.yaml --warmup long
  --warmup: workload.warmup: "long" is not a whole number; it takes a whole number from 0 to 1000000000000000 accesses

no thread of the host
  run small.yaml --host-threads 0
  --host-threads takes a whole number from 1 up
fewer threads of the host than none
  run small.yaml --host-threads -1
  --host-threads: "-1" is not a count; it takes a whole number such as 5000, 1e6 or 1_000_000
threads of the host that are no number
  run small.yaml --host-threads abc
  --host-threads: "abc" is not a count; it takes a whole number such as 5000, 1e6 or 1_000_000
half a thread of the host
  run small.yaml --host-threads 1.5
  --host-threads: "1.5" is not a count; it takes a whole number such as 5000, 1e6 or 1_000_000

a limit of nothing
  run small.yaml --limit 0
  --limit: workload.accesses: "0" is out of range; it takes a whole number from 1 to 1000000000000000 accesses
a skip that is no number
  run small.yaml --skip most
  --skip: workload.skip: "most" is not a whole number; it takes a whole number from 0 to 1000000000000000 accesses
a skip of everything
  run small.yaml --trace trace.hvt --skip 98304
  workload.skip of 98304 leaves nothing of a workload of 98304; lower it
a sample longer than its period
  run small.yaml --set workload.sample_period=10 --set workload.sample_length=11
  workload.sample_length is 11 and workload.sample_period 10; the length must be from 1 to the period, or both 0 \
to run all

missing trace
  run small.yaml --trace nowhere.hvt
  cannot read trace 'nowhere.hvt': No such file or directory
empty trace
  run small.yaml --trace empty.hvt
  trace '$PWD/empty.hvt' is empty
truncated trace
  run small.yaml --trace cut.hvt
  trace '$PWD/cut.hvt' is cut off or damaged: it breaks at record 0, after 0 whole records, and has no valid index
damaged trace
  run small.yaml --trace damaged.hvt --set workload.accesses=1e6
  trace '$PWD/damaged.hvt' is damaged at record 65536: the checksum of its block does not hold
no trace at all
  run small.yaml --trace small.yaml
  '$PWD/small.yaml' is not an hvsim trace: it does not begin with HVSIMTRC
text that is not lackey's
  run small.yaml --trace words.txt
  $PWD/words.txt, line 1: 'words' is not an access of lackey's; expected 'I  ADDRESS,SIZE' or ' L ADDRESS,SIZE' \
(also S or M) with a hexadecimal address and 1 to 512 bytes
a cut ChampSim trace
  run small.yaml --trace cut.champsim
  $PWD/cut.champsim, record 1: the trace ends after 36 of the record's 64 bytes
an empty ChampSim trace
  run small.yaml --trace empty.champsim
  trace '$PWD/empty.champsim' holds no record of an access
text as a ChampSim trace
  run small.yaml --trace words.trace
  $PWD/words.trace, record 0: whether it is a branch is neither 0 nor 1; is this a trace of ChampSim's?
kind trace without a trace
  run small.yaml --set workload.kind=trace
  workload.kind is trace but workload.trace names no file

a mix of nothing
  run small.yaml --set workload.kind=mix
  workload.kind is mix but workload.parts names no workload
a part that is unknown
  run small.yaml --set workload.kind=mix --set workload.parts=small.yaml,brunt
  "brunt" is neither a file nor a shipped workload; did you mean "burnt"?
a part that is missing
  run small.yaml --set workload.kind=mix --set workload.parts=nowhere.yaml
  cannot read nowhere.yaml: No such file or directory
a comma too many
  run small.yaml --set workload.kind=mix --set workload.parts=small.yaml,,burnt
  workload.parts has a comma too many; write one between two workloads
a part that is wrong
  run mix.yaml
  part 1 of the mix: workload.stride of 16384 bytes is more than workload.footprint of 8192 bytes; \
a stride must be at most the footprint
a part that is a mix
  run ./mixes.yaml
  part 1 of the mix is a mix itself; name its parts instead
a part that is a machine
  run ./strange.yaml
  $PWD/ways.yaml sets other parameters than workload.*, which a part of a mix cannot; move them to the configuration
a part with a mistake
  run small.yaml --set workload.kind=mix --set workload.parts=wrong.yaml
  $PWD/wrong.yaml:1:12: unknown parameter "workload.sed"; did you mean "workload.seed"?
fetches beside a trace
  run small.yaml --trace trace.hvt --set workload.code_footprint=1MiB
  workload.code_footprint is for synthetic workloads; a trace has the fetches that were recorded, so set it to 0
a graph without room
  run small.yaml --set workload.kind=graph --set workload.footprint=8KiB
  workload.footprint of 8KiB is out of range for kind graph, which takes from 16KiB to less than 9.0GiB \
because this computer's memory has to hold the graph too
a join without room
  run small.yaml --set workload.kind=join --set workload.footprint=8KiB
  workload.footprint of 8KiB has no room for both relations of a join; raise it, or move \
workload.join.build_fraction towards 0.5
a run of pages that no region holds
  run small.yaml --set workload.events.fork_interval=10 --set workload.events.fork_pages=500
  workload.events.fork_pages of 500 fits into no region of the workload at a multiple of its size; lower it

unknown command, nearly right
  rnu small.yaml
  unknown command "rnu"; did you mean "run"?
unknown command, far off
  xyzzy
  unknown command "xyzzy"; hvsim --help lists the known ones
no command

  a command is missing; hvsim --help lists them
an option before the command
  --set core.width=4 run small.yaml
  unknown option "--set"; a command comes first, and hvsim --help lists them
unknown option, nearly right
  run small.yaml --sett core.width=4
  unknown option "--sett"; did you mean "--set"?
unknown option, far off
  run small.yaml --xyzzy
  unknown option "--xyzzy"; hvsim run --help lists the known ones
unknown short option
  run small.yaml -x
  unknown option "-x"; hvsim run --help lists the known ones
option without its value
  check small.yaml --help=me
  option --help takes no value
option with nothing behind it
  stats --format
  option --format needs a value
ambiguous option
  run small.yaml --trac x
  option "--trac" may be --trace-points or --trace; write it out
two configurations
  run small.yaml toaster
  unexpected argument "toaster"; hvsim run --help says what is expected
unknown format
  run small.yaml --format yaml
  --format: "yaml" is not one of text, json, csv
unknown trace point
  run small.yaml --trace-points tbl
  --trace-points: unknown category "tbl"; it takes a list of tlb, pwc, ntlb, walk, cache, fault, \
inval, shared, or all; did you mean "tlb"?

a directory below a file
  run small.yaml --out small.yaml/result
  cannot create directory small.yaml: it exists as a file
a file as the directory
  run small.yaml --out small.yaml
  cannot create directory small.yaml: it exists as a file

intervals of nothing
  run small.yaml --interval 0
  --interval: "0" is out of range; it takes a whole number from 1 to 1000000000000000
intervals of much
  run small.yaml --interval 2e15
  --interval: "2e15" is out of range; it takes a whole number from 1 to 1000000000000000
intervals that are no number
  run small.yaml --interval often
  --interval: "often" is not a count; it takes a whole number such as 5000, 1e6 or 1_000_000
intervals shorter than a quantum
  run small.yaml --interval 9999 --set machine.cores=2 --set timing.sync=quantum
  --interval of 9999 cycles is shorter than timing.quantum_cycles, 10000, within which cores have no common time; \
choose at least that
a timeline in no directory
  run small.yaml --timeline nowhere/t.json
  cannot write nowhere/t.json: No such file or directory
a timeline that is a folder
  run small.yaml --timeline folder
  cannot write folder: it exists and is not a regular file
a VCD in no directory, and a timeline in one
  run small.yaml --timeline t.json --vcd nowhere/w.vcd
  cannot write nowhere/w.vcd: No such file or directory
one file for both
  run small.yaml --timeline t --vcd t
  --timeline and --vcd cannot be the same file
a limit of nothing
  run small.yaml --vcd w.vcd --activity-limit 0
  --activity-limit: "0" is out of range; it takes a whole number from 1 to 1000000000
a limit without anything to limit
  run small.yaml --activity-limit 5
  --activity-limit is for --timeline and --vcd; give one of them
a damaged trace that is watched
  run small.yaml --trace damaged.hvt --set workload.accesses=1e6 --timeline t.json --vcd w.vcd --interval 1000
  trace '$PWD/damaged.hvt' is damaged at record 65536: the checksum of its block does not hold

a pattern that no parameter has
  params xyzzy
  no parameter has a name like "xyzzy"
a pattern that no statistic has
  stats xyzzy
  no statistic has a name like "xyzzy"
a reference as a spreadsheet
  params --format csv
  --format: "csv" is not one of text, json
list of nothing
  list
  list needs a word that says what, such as configs or workloads; hvsim list --help has all
list of the unknown
  list presets
  list: "presets" is not one of configs, workloads, sweeps, figures, vmcs, fields, controls, exits, rules, faults, registers
list, nearly right
  list config
  list: "config" is not one of configs, workloads, sweeps, figures, vmcs, fields, controls, exits, rules, faults, registers; did you mean "configs"?
list in another form
  list rules --format xml
  --format: "xml" is not one of text, json
lint of nothing
  lint
  lint needs a FILE: the description of a VMCS, such as those of hvsim list vmcs
lint of the unknown
  lint long-moda
  "long-moda" is neither a file nor a shipped VMCS; did you mean "long-mode"?
lint over the unknown
  lint long-mode --base mode
  "mode" is neither a file nor a shipped VMCS; see hvsim list vmcs
lint without an unknown control
  lint long-mode --without secondary.unrestricted
  there is no secondary processor-based control "unrestricted"; see hvsim list controls
lint without no control
  lint long-mode --without unrestricted_guest
  "unrestricted_guest" is no control; write WORD.NAME, such as secondary.unrestricted_guest, with WORD one of pin, primary, secondary, tertiary, exit, entry
lint with too many address bits
  lint long-mode --physical-bits 53
  --physical-bits: 53 is out of range; it takes 32 to 52
lint of a configuration
  lint small.yaml
  small.yaml:1:1: there is no VMCS field "workload"; see hvsim list fields

miss-ratio curve of no entries
  mrc small.yaml --sizes 64,0
  --sizes: 0 entries; a TLB has 1 to 16777216
miss-ratio curve of a word
  mrc small.yaml --sizes 64,many
  --sizes: "many" is not a count; it takes a whole number such as 5000, 1e6 or 1_000_000
miss-ratio curve of sets in pieces
  mrc small.yaml --sizes 64,65 --ways 4
  --sizes: 65 entries cannot be divided into sets of 4 ways; choose multiples of them, or --ways full
miss-ratio curve of two cores
  mrc small.yaml --set machine.cores=2
  a miss-ratio curve is that of one process: set machine.cores, vm.count, vm.vcpus and sched.processes to 1
diff of one result
  diff good.json
  diff needs two RESULTs: files, or directories of hvsim run --out
diff of three results
  diff good.json good.json good.json
  unexpected argument "good.json"; hvsim diff --help says what is expected
diff with a missing file
  diff good.json nowhere.json
  cannot read nowhere.json: No such file or directory
diff with an empty directory
  diff folder/empty good.json
  directory folder/empty holds no result.json; `hvsim run --out` makes directories that do
diff with no JSON
  diff good.json small.yaml
  small.yaml:1:8: this is not JSON: '[' or '{' expected near 'workload'
diff with nearly JSON
  diff comma.json good.json
  comma.json:2:19: this is not JSON: string or '}' expected near '}'
diff with an empty file
  diff empty.hvt good.json
  empty.hvt:1:1: this is not JSON: '[' or '{' expected near end of file
diff with other JSON
  diff other.json good.json
  other.json is not a result of hvsim run: it does not say which hvsim wrote it
diff with a statistic that is no number
  diff good.json text.json
  text.json is not a result of hvsim run: "a" is no entry of "stats"
diff with a huge number
  diff huge.json good.json
  huge.json:1:11: this is not JSON: real number overflow near '1e999'
diff with deep nesting
  diff deep.json good.json
  deep.json:1:2049: this is not JSON: maximum parsing depth reached near '['
diff with a huge file
  diff long.json good.json
  long.json is not a result of hvsim run: it is longer than 64 MiB
diff as a drawing
  diff good.json good.json --format svg
  --format: "svg" is not one of text, json, csv
diff beyond a word
  diff good.json good.json --threshold much
  --threshold: "much" is not a percentage; it takes a number from 0 such as 0.5
diff beyond less than nothing
  diff good.json good.json --threshold -1
  --threshold: "-1" is not a percentage; it takes a number from 0 such as 0.5
diff of all beyond something
  diff good.json good.json --all --threshold 1
  --all lists what --threshold leaves out; give one of them
diff of what neither has
  diff good.json good.json --only xyzzy
  neither result has a parameter or statistic with a name like "xyzzy"

sweep of nothing
  sweep
  sweep needs a FILE: a sweep, or the name of one that hvsim list sweeps shows
sweep of what is not there
  sweep xyzzy-9000
  "xyzzy-9000" is neither a file nor a shipped sweep; see hvsim list sweeps
sweep of no document
  sweep list.yaml
  list.yaml:1:1: a list is not a configuration; write lines "key: value"
sweep with an unknown key, nearly right
  sweep sweeps/key.yaml
  sweeps/key.yaml:1:1: unknown key of a sweep "axis"; did you mean "axes"?
sweep with an unknown key, far off
  sweep sweeps/far.yaml
  sweeps/far.yaml:1:1: unknown key of a sweep "xyzzy"; it has name, config, workload, set, axes, seeds, metrics, plot
sweep without a configuration
  sweep sweeps/no_config.yaml
  sweeps/no_config.yaml:1:1: a sweep needs config: the name or file of a configuration
sweep without axes
  sweep sweeps/no_axes.yaml
  sweeps/no_axes.yaml:1:1: a sweep needs axes: parameters with lists of values, such as {paging.mode: [native, nested]}
sweep without metrics
  sweep sweeps/no_metrics.yaml
  sweeps/no_metrics.yaml:1:1: a sweep needs metrics: a list of statistics, such as [core.cpi]
sweep of a path as its name
  sweep sweeps/name.yaml
  sweeps/name.yaml:1:7: name: "../up" is no name for a directory; it takes a name of letters, digits, "-", "_" and \
".", and does not begin with "."
sweep of an unknown configuration
  sweep sweeps/config.yaml
  sweeps/config.yaml:1:9: "smal" is neither a file nor a shipped config; see hvsim list configs
sweep over an unknown configuration
  sweep sweeps/configs.yaml
  sweeps/configs.yaml:1:22: "toster" is neither a file nor a shipped config; did you mean "toaster"?
sweep over configurations and with one
  sweep sweeps/both.yaml
  sweeps/both.yaml:2:8: axis config: there is a config for all points as well; give one of them
sweep of a broken configuration
  sweep sweeps/broken.yaml
  range.yaml:2:10: core.width: "17" is out of range; it takes a whole number from 1 to 16 instructions/cycle
sweep that sets the unknown
  sweep sweeps/set.yaml
  sweeps/set.yaml:1:14: unknown parameter "core.widht"; did you mean "core.width"?
sweep that sets a list
  sweep sweeps/set_list.yaml
  sweeps/set_list.yaml:1:1: set takes a map of parameters, such as {workload.accesses: 2e6}
sweep over a list
  sweep sweeps/axes.yaml
  sweeps/axes.yaml:1:1: axes takes a map of parameters with lists of values, such as {paging.mode: [native, nested]}
sweep over the unknown
  sweep sweeps/axis.yaml
  sweeps/axis.yaml:3:10: unknown parameter "tlb.l2.entires"; did you mean "tlb.l2.entries"?
sweep over a value out of range
  sweep sweeps/value.yaml
  sweeps/value.yaml:1:24: core.width: "40" is out of range; it takes a whole number from 1 to 16 instructions/cycle
sweep over a value twice
  sweep sweeps/twice.yaml
  sweeps/twice.yaml:1:27: axis core.width has the value 2 twice
sweep over an axis twice
  sweep sweeps/axis_twice.yaml
  sweeps/axis_twice.yaml:1:32: axis core.width is given twice, first at line 1
sweep over one value
  sweep sweeps/single.yaml
  sweeps/single.yaml:1:8: axis core.width takes a list of values, such as [a, b]; one value for all goes into set
sweep over no value
  sweep sweeps/empty.yaml
  sweeps/empty.yaml:1:8: axis core.width takes a list of values, such as [a, b]
sweep over maps
  sweep sweeps/map.yaml
  sweeps/map.yaml:1:21: a value of axis core.width is a map; it takes a list of plain values
zip of unequal lists
  sweep sweeps/zip.yaml
  sweeps/zip.yaml:1:55: zip: core.width has 2 values and core.rob has 3; lists that go in step are of one length
zip of one list
  sweep sweeps/zip_one.yaml
  sweeps/zip_one.yaml:1:34: zip takes groups of two or more axes: [[a, b], ...]
zip of the unknown
  sweep sweeps/zip_name.yaml
  sweeps/zip_name.yaml:1:65: "core.rib" is no axis of this sweep; did you mean "core.rob"?
zip of a list twice
  sweep sweeps/zip_twice.yaml
  sweeps/zip_twice.yaml:1:76: zip has axis core.rob twice
sweep over too much
  sweep sweeps/many.yaml
  sweeps/many.yaml:1:8: the axes have more than 20000 combinations; take fewer values
sweep of no seeds
  sweep sweeps/seeds.yaml
  sweeps/seeds.yaml:1:8: seeds takes a whole number from 1 to 1000
sweep of too many seeds
  sweep sweeps/many_seeds.yaml
  sweeps/many_seeds.yaml:1:1: 200 combinations times 1000 seeds are more than 20000 points; take fewer
sweep for the unknown
  sweep sweeps/metric.yaml
  sweeps/metric.yaml:1:11: unknown statistic "core.cpy"; did you mean "core.cpi"?
sweep for a metric twice
  sweep sweeps/metric_twice.yaml
  sweeps/metric_twice.yaml:1:21: metrics has "core.cpi" twice
sweep for a core that there is not
  sweep sweeps/metric_core.yaml
  sweeps/metric_core.yaml:1:11: with core.width=2 the machine has 1 core, and so no statistic core1.cpi
plot with an unknown key
  sweep sweeps/plot.yaml
  sweeps/plot.yaml:1:8: unknown key of a plot "z"; it has kind, x, by, y, per, log, title, xlabel, ylabel
plot of an unknown kind
  sweep sweeps/plot_kind.yaml
  sweeps/plot_kind.yaml:1:14: kind: "pie" is not one of lines, bars, stack, heatmap
plot over what is no axis
  sweep sweeps/plot_x.yaml
  sweeps/plot_x.yaml:1:11: "core.wdth" is no axis of this sweep; did you mean "core.width"?
plot of what is no metric
  sweep sweeps/plot_y.yaml
  sweeps/plot_y.yaml:1:11: "core.cycles" is none of the metrics, which are what can be drawn
plot that leaves out an axis
  sweep sweeps/plot_by.yaml
  sweeps/plot_by.yaml:2:23: axis core.mshrs is neither x nor in by, so its values would be drawn over each other; by \
takes a list of axes as well
plot of words on a logarithmic axis
  sweep sweeps/plot_log.yaml
  sweeps/plot_log.yaml:2:13: log: x needs values that are numbers above 0, and a kind that draws them to scale; \
paging.mode are not
plot of zero on a logarithmic axis
  sweep sweeps/plot_zero.yaml
  sweeps/plot_zero.yaml:2:13: log: x needs values that are numbers above 0, and a kind that draws them to scale; \
tlb.l2.entries are not
heat map of one axis
  sweep sweeps/plot_map.yaml
  sweeps/plot_map.yaml:1:1: a plot of kind heatmap needs two axes
a combination that cannot be built
  sweep sweeps/ways.yaml
  sweeps/ways.yaml: with tlb.l2.entries=12, tlb.l2.ways=5: tlb.l2: 12 entries cannot be divided into sets of 5 ways; \
choose ways that divide entries, or `full`
a combination that contradicts itself
  sweep sweeps/page.yaml
  sweeps/page.yaml: with paging.host.page_size=1g, paging.host.huge_fraction=0.5: paging.host.huge_fraction applies \
to page_size 4k only; set it to 0 or page_size to 4k
a sweep of a warm-up of everything
  sweep sweeps/warmup.yaml
  sweeps/warmup.yaml: with core.width=2: workload.warmup of 1000 accesses leaves none to measure of a workload of \
1000; lower it
a sweep of a missing trace
  sweep sweeps/sweep_trace.yaml
  sweeps/sweep_trace.yaml: with core.width=2: cannot read trace 'nowhere.hvt': No such file or directory
check finds what is wrong with a sweep
  check sweeps/value.yaml
  sweeps/value.yaml:1:24: core.width: "40" is out of range; it takes a whole number from 1 to 16 instructions/cycle
check builds the machines of a sweep
  check sweeps/ways.yaml
  sweeps/ways.yaml: with tlb.l2.entries=12, tlb.l2.ways=5: tlb.l2: 12 entries cannot be divided into sets of 5 ways; \
choose ways that divide entries, or `full`
a dry run finds it as well
  sweep sweeps/ways.yaml --dry-run
  sweeps/ways.yaml: with tlb.l2.entries=12, tlb.l2.ways=5: tlb.l2: 12 entries cannot be divided into sets of 5 ways; \
choose ways that divide entries, or `full`
--set of an axis of a sweep
  sweep sweeps/warmup.yaml --set core.width=4
  --set: core.width is an axis of this sweep, whose values the file gives
--set of the unknown in a sweep
  sweep sweeps/warmup.yaml --set core.widht=4
  --set: unknown parameter "core.widht"; did you mean "core.width"?
no processes
  sweep sweeps/warmup.yaml -j 0
  -j takes a whole number from 1 to 4096
so many processes
  sweep sweeps/warmup.yaml -j many
  -j: "many" is not a count; it takes a whole number such as 5000, 1e6 or 1_000_000
an unknown engine
  sweep sweeps/warmup.yaml --engine cloud
  --engine: "cloud" is not one of local, slurm
sweep with options of another engine
  sweep sweeps/warmup.yaml --slurm-options --time=5
  --slurm-options is for --engine slurm
sweep in tasks without an engine that has them
  sweep sweeps/warmup.yaml --points-per-task 5
  --points-per-task is for --engine slurm
sweep in tasks of nothing
  sweep sweeps/warmup.yaml --engine slurm --points-per-task 0
  --points-per-task takes a whole number from 1 to 20000
sweep of a task of no job
  sweep sweeps/key_of_slurm.yaml --task 1/1 --out nowhere
  cannot read $PWD/nowhere/slurm/1/tasks: No such file or directory
sweep of a task that is no number
  sweep sweeps/key_of_slurm.yaml --task one --out nowhere
  --task takes RUN/TASK
report of nothing
  report
  report needs a DIR: the directory of hvsim run --out, or of a sweep
report of a missing directory
  report nowhere
  cannot read directory nowhere: No such file or directory
report of a file
  report good.json
  good.json is a file; report takes a directory, of hvsim run --out or of a sweep
report of a directory without results
  report folder
  directory folder holds no results, nor does any in it: no result.json of hvsim run --out, and no points/*.json \
of a sweep
report of nothing but a broken result
  report broken
  broken/result.json:2:19: this is not JSON: string or '}' expected near '}'
report of two directories
  report whole broken
  unexpected argument "broken"; hvsim report --help says what is expected
report below a file
  report whole -o small.yaml/page.html
  cannot write small.yaml/page.html: Not a directory
report onto a directory
  report whole -o folder
  cannot write folder: it exists and is not a regular file
report without a name
  report whole --output=
  the name of the page is empty or too long

trace of nothing
  trace
  trace needs a word that says what: info or convert
trace, nearly right
  trace inof
  trace: "inof" is not one of info, convert; did you mean "info"?
info of no trace
  trace info small.yaml
  'small.yaml' is not an hvsim trace: it does not begin with HVSIMTRC
info of an empty trace
  trace info empty.hvt
  trace 'empty.hvt' is empty
conversion without an output
  trace convert trace.hvt
  trace convert needs an INPUT and an OUTPUT file
conversion of the unknown
  trace convert small.yaml new.hvt
  the extension of 'small.yaml' names no trace format; known: hvsim (.hvt), lackey (.lackey .txt .log), \
champsim (.champsim .champsimtrace .trace)
conversion of a damaged trace
  trace convert damaged.hvt new.lackey
  trace 'damaged.hvt' is damaged at record 65536: the checksum of its block does not hold
a sample without a length
  trace convert trace.hvt new.hvt --sample 1000
  --sample: "1000" is not PERIOD:LENGTH; it takes two whole numbers such as 1e6:1e4, the length from 1 to the period
a sample of nothing
  trace convert trace.hvt new.hvt --sample 1000:0
  --sample: "1000:0" is not PERIOD:LENGTH; it takes two whole numbers such as 1e6:1e4, the length from 1 to the period
a conversion that leaves out everything
  trace convert trace.hvt new.hvt --skip 1e6
  trace 'new.hvt' would hold no record of an access, so it was not written
record nothing
  record
  record needs a COMMAND, as in: hvsim record -- ls -l
record without room
  record --limit 0 ls
  --limit 0 would record nothing; leave it out to record all
record so many
  record --limit many ls
  --limit: "many" is not a count; it takes a whole number such as 5000, 1e6 or 1_000_000
record what is not there
  record -o new.hvt -- xyzzy-9000
  cannot run 'xyzzy-9000': there is no such program
TABLE
}

# ---- The test ------------------------------------------------------------------------------------------------------

listing() { find . | sort; }

failures=0
complain() {
    printf '%s: %s\n' "$name" "$*" >&2
    failures=$((failures + 1))
}

# The command must not write to stdout either.
try() {
    local code=0 said
    [[ ${1-} == run && " $* " != *' --out '* ]] && set -- "$@" --out result
    "$HVSIM" "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
    said=$(<"$work/err")
    [[ $code -eq 2 ]] || complain "exit code $code"
    [[ $said == "hvsim: $sentence" ]] || complain "expected"$'\n'"  hvsim: $sentence"$'\n'"got"$'\n'"  $said"
    [[ ! -s $work/out ]] || complain "stdout was written to"
    [[ $(listing) == "$before" ]] || complain "left behind: $(diff <(echo "$before") <(listing))"
    rm -rf result
}

before=$(listing)
count=0
while IFS= read -r name; do
    [[ -n $name ]] || continue
    read -r -a words
    # shellcheck disable=SC2162 # without -r, a backslash continues the line
    IFS= read sentence
    sentence=${sentence#  }
    sentence=${sentence//\$PWD/$PWD}
    try ${words[@]+"${words[@]}"}
    count=$((count + 1))
done < <(cases)
# Without the directory of --out, which the table always gives, CSV has no room for a series.
name='a series in CSV'
"$HVSIM" run small.yaml --interval 5 --format csv >"$work/out" 2>"$work/err" && complain "it runs"
expect_equal "$name" "hvsim: --interval has no place in --format csv; add --out DIR, which gets an intervals.csv" \
    "$(<"$work/err")"
# How much is needed is the software's affair; that it is said is not.
name='no room in memory'
"$HVSIM" run small.yaml --set workload.footprint=1TiB --out result >"$work/out" 2>"$work/err" && complain "it runs"
grep -Eq '^hvsim: machine.memory is 262144 MiB, but the workload with its page tables needs 1[0-9]{6} MiB; raise '\
'machine.memory or lower workload.footprint$' "$work/err" || complain "$(<"$work/err")"

((count >= 60)) || fail "only $count cases were read"
((failures == 0)) || fail "$failures of $count cases fail"
