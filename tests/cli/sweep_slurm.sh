#!/bin/bash
# SPDX-License-Identifier: MIT
# A sweep through a real Slurm leaves what the local engine leaves, to the byte: also when tasks are killed, when points
# fail, and when the command that waits for it is interrupted or dies.
source tests/cli/lib.bash
source tests/cli/slurm_cluster.bash
start_cluster
cd "$work" || exit 1
cat >small.yaml <<'YAML'
tlb: {l1d_4k: {entries: 4}, l2: {entries: 16, ways: 4}}
workload: {footprint: 1MiB, kind: zipf, accesses: 20000}
YAML
cat >twenty.yaml <<'YAML'
config: small.yaml
axes:
  tlb.l2.entries: [8, 16, 24, 32, 40]
  paging.mode: [native, nested]
seeds: 2
metrics: [core.cpi, mmu.walk_refs_mean]
plot: {x: tlb.l2.entries, y: core.cpi}
YAML
slurm=("$HVSIM" sweep --engine slurm)
tasks() { squeue --me --noheader --array --states="$1" --format=%i; }
await() { # await CONDITION...: waits until a command succeeds
    for ((tick = 0; tick < 300; tick++)); do
        "$@" && return
        sleep 0.05
    done
    fail "in vain: $*"
}
some_task_runs() { [[ -n $(tasks running) ]]; }
nothing_is_left() { [[ -z $(tasks pending,running,completing) ]]; }

# More points than tasks that an array may have, with options of which one is Slurm's own
expect_code 0 "$HVSIM" sweep twenty.yaml --out local
cp out printed
expect_code 0 "${slurm[@]}" twenty.yaml --out slurm --slurm-options '--time=5 --comment=mine'
cmp out printed || fail "another table is printed"
diff -r local slurm || fail "Slurm makes other results"
grep -Eqx 'hvsim: Slurm job [0-9]+ has 7 tasks' err || fail "$(<err)"
grep -qx 'hvsim: 20 points, 20 of them computed now; results are in slurm' err || fail "$(<err)"
expect_equal "time limit and comment" "5:00 mine" "$(squeue --states=all --noheader --format='%l %k' | sort -u)"

# Nothing is left to do, so nobody is asked; one point that is missing is one task. Names may need quotes.
expect_code 0 "${slurm[@]}" twenty.yaml --out slurm
expect_equal "the talk" "hvsim: 20 points, 0 of them computed now; results are in slurm" "$(<err)"
odd="it's \"odd\" \$HOME"
mkdir "$odd"
cp -r small.yaml twenty.yaml slurm "$odd"
rm "$odd/slurm/points/tlb.l2.entries=24,paging.mode=nested,seed=1.json"
expect_code 0 "${slurm[@]}" "$odd/twenty.yaml" --out "$odd/slurm" --set core.width=4
grep -q ' has 1 task$' err || fail "$(<err)"
diff -r local "$odd/slurm" || fail "Slurm makes other results"

# A dry run says what would be submitted, and leaves nothing behind.
expect_code 0 "${slurm[@]}" twenty.yaml --out dry --dry-run -j 3 --points-per-task 5
grep -Eq "^sbatch --parsable --job-name=hvsim-[0-9a-f]{16}-1 --array=1-4%3 --output=/dev/null --error=/dev/null <<'END'$" \
    out || fail "$(<out)"
[[ ! -e dry ]] || fail "a dry run leaves something behind"
nothing_is_left || fail "a dry run submits"

# Points that fail are told as the local engine tells them; a signal that kills comes again, or not.
good_and_damaged_traces
cat >traces.yaml <<'YAML'
config: small.yaml
set: {workload: {kind: trace, accesses: 98304}}
axes: {workload.trace: [good.hvt, damaged.hvt], core.width: [2, 4]}
metrics: [core.accesses]
YAML
expect_code 1 "$HVSIM" sweep traces.yaml --out damaged
sed '$d' err >told
expect_code 1 "${slurm[@]}" traces.yaml --out damaged_slurm
expect_equal "what failed" "$(<told)" "$(sed '1d; $d' err)"
diff -r damaged damaged_slurm || fail "Slurm makes other results where points fail"
expect_equal "arrays for what fails by itself" 1 "$(grep -c 'Slurm job' err)"

cat >limit.yaml <<'YAML'
config: small.yaml
axes: {workload.accesses: [1000, 1e12]}
metrics: [core.accesses]
YAML
expect_code 1 bash -c 'ulimit -St 1; "$HVSIM" sweep limit.yaml --out limit --engine slurm'
grep -qF 'hvsim: point 2 (workload.accesses=1000000000000, seed=1) failed: its process was killed by signal 24' err ||
    fail "not told: $(<err)"
expect_equal "arrays for what is killed each time" 3 "$(grep -c 'Slurm job' err)"
expect_equal "the table" "1000,1000 1000000000000," "$(tail -n +2 limit/table.csv | xargs)"

# One task is cancelled and a process of another killed; both are tried again.
cat >slow.yaml <<'YAML'
config: small.yaml
set: {workload.accesses: 6e6}
axes: {tlb.l2.entries: [8, 16, 24]}
metrics: [core.cpi]
YAML
[[ $HVSIM != */build-san/* ]] || sed -i 's/6e6/6e5/' slow.yaml
expect_code 0 "$HVSIM" sweep slow.yaml --out slow
"${slurm[@]}" slow.yaml --out slow_slurm >out 2>err &
pid=$!
two_tasks_run() { (($(tasks running | wc -l) >= 2)); }
await two_tasks_run
scancel "$(tasks running | tail -1)"
point_runs() { victim=$(pgrep -f -- "--out $PWD/slow_slurm .* --task 1/1" | tail -1) && [[ -n $victim ]]; }
await point_runs
kill -KILL "$victim"
wait $pid || fail "exit code $? after kills: $(<err)"
grep -Eq '^hvsim: what was lost is tried again: Slurm job [0-9]+ has [12] tasks?$' err || fail "$(<err)"
diff -r slow slow_slurm || fail "a killed task changes the results"

# SIGINT cancels the job and keeps what there is.
cat >endless.yaml <<'YAML'
config: small.yaml
axes: {workload.accesses: [1000, 1e15], paging.mode: [native, nested]}
metrics: [core.accesses]
YAML
two_points() { [[ $(find "$1/points" -name "*.json" 2>/dev/null | wc -l) -eq 2 ]]; }
set -m # without job control, a script's background child ignores SIGINT
"${slurm[@]}" endless.yaml --out endless >out 2>err &
pid=$!
set +m
await two_points endless
kill -INT $pid
code=0
wait $pid || code=$?
[[ $code -eq 3 ]] || fail "exit code $code after SIGINT"
grep -qx 'hvsim: interrupted with 2 of 4 points done; the same command goes on from there' err || fail "$(<err)"
nothing_is_left || fail "tasks go on after SIGINT"
expect_equal "the files" points "$(ls -A endless)"

# So does scancel of the whole job, from elsewhere.
"${slurm[@]}" endless.yaml --out cancelled >out 2>err &
pid=$!
await two_points cancelled
scancel "$(tasks running | head -1 | cut -d_ -f1)"
code=0
wait $pid || code=$?
[[ $code -eq 3 ]] || fail "exit code $code after scancel: $(<err)"

# The job of a command that died is waited for by the next, unless it is of another sweep.
"${slurm[@]}" slow.yaml --out orphan >/dev/null 2>&1 &
pid=$!
await some_task_runs
kill -KILL $pid
wait $pid 2>/dev/null
expect_code 0 "${slurm[@]}" slow.yaml --out orphan
grep -Eqx 'hvsim: waiting for Slurm job [0-9]+, which was submitted before' err || fail "$(<err)"
expect_equal "the talk" 2 "$(wc -l <err)"
diff -r slow orphan || fail "a command that died changes the results"
"${slurm[@]}" endless.yaml --out orphan >/dev/null 2>&1 &
pid=$!
await some_task_runs
kill -KILL $pid
wait $pid 2>/dev/null
expect_code 0 "${slurm[@]}" slow.yaml --out orphan --fresh
nothing_is_left || fail "the job of another sweep goes on"
diff -r slow/table.csv orphan/table.csv || fail "the job of another sweep changes the results"

# Mistakes
expect_code 2 "${slurm[@]}" twenty.yaml --out bad --slurm-options --partition=none
grep -q '^hvsim: sbatch does not take the job: .*nvalid partition' err || fail "$(<err)"
if unshare -m true 2>/dev/null; then
    expect_code 2 "${slurm[@]}" twenty.yaml --out unshared/results
    expect_equal "results that a node does not see" "hvsim: node n2 cannot read and write $work/unshared/results: with \
--engine slurm the results have to be in a directory that all nodes share; choose one with --out" "$(tail -1 err)"
fi
exit 0
