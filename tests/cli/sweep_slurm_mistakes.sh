#!/bin/bash
# SPDX-License-Identifier: MIT
# What can go wrong with a cluster, played by commands that stand for Slurm's: sentences, tries and exit codes.
source tests/cli/lib.bash
cd "$work" || exit 1
echo 'workload: {footprint: 1MiB, accesses: 1000}' >small.yaml
cat >s.yaml <<'YAML'
config: small.yaml
axes: {core.width: [1, 2, 3, 4]}
metrics: [core.cpi]
YAML
# One command in four roles. Files say how it plays: `limit` is MaxArraySize, `silent` what is said instead of an answer
# (`quiet`: once the next job is submitted), `refused` why sbatch takes nothing, and `fate` which task, by state, exit
# status and node, does not run but ends so.
mkdir bin fate
cat >bin/slurm <<'SLURM'
#!/bin/bash
cd "${0%/*}/.." || exit 1
row() { printf '%-20s%-20s%-24s%-12s%-24s%-60s%-60s\n' "$job" "$task" "$1" "$2" now "${3-n1}" None; }
[[ ! -s silent ]] || { cat silent >&2; exit 1; }
job=$(cat job 2>/dev/null || echo 0)
case ${0##*/} in
scontrol) printf 'MaxJobCount = 5\nMaxArraySize            = %s\n' "$(cat limit)" ;;
squeue) cat queue ;;
scancel) echo "$*" >>cancelled && sed -i "s/PENDING  /CANCELLED/" queue ;;
sbatch)
    [[ ! -s refused ]] || { cat refused >&2; exit 1; }
    job=$((job + 1))
    echo $job >job
    cat >script
    for word; do [[ $word != --array=* ]] || last=${word##*-} last=${last%\%*}; done
    for ((task = 1; task <= last; task++)); do
        if [[ -s fate/$task ]]; then
            row $(<fate/$task)
        else
            (SLURM_ARRAY_TASK_ID=$task sh script) && row COMPLETED 0 || row FAILED $(($? << 8))
        fi
    done >queue
    echo $job
    [[ ! -e quiet ]] || mv quiet silent
    ;;
esac
SLURM
chmod +x bin/slurm
for command in scontrol squeue scancel sbatch; do ln -s slurm bin/$command; done
export PATH=$work/bin:$PATH
play() { # play LIMIT: as a cluster without faults
    rm -f silent quiet refused job queue cancelled fate/*
    : >queue
    echo "$1" >limit
}
slurm=("$HVSIM" sweep s.yaml --engine slurm)
mistake() { # mistake WHAT SENTENCE OPTION...: it is told, and leaves nothing behind
    expect_code 2 "${slurm[@]}" --out bad "${@:3}"
    expect_equal "$1" "hvsim: $2" "$(grep -v '^hvsim: Slurm job' err)"
    [[ ! -e bad ]] || fail "$1: left behind: $(find bad)"
}

expect_code 0 "$HVSIM" sweep s.yaml --out local
play 1001
expect_code 0 "${slurm[@]}" --out good
diff -r local good || fail "it makes other results"
expect_equal "the talk" "hvsim: Slurm job 1 has 4 tasks
hvsim: 4 points, 4 of them computed now; results are in good" "$(<err)"
# A command died, and its job has computed everything since.
mkdir -p good/slurm/1
touch good/slurm/1/tasks good/slurm/1/1.log
expect_code 0 "${slurm[@]}" --out good
expect_equal "the talk" "hvsim: 4 points, 0 of them computed now; results are in good" "$(<err)"
diff -r local good || fail "something is left"

# --- Before anything is submitted ---

expect_code 2 env PATH="$work" "${slurm[@]}" --out bad
expect_equal "no Slurm" "hvsim: --engine slurm needs Slurm's commands, and there is no scontrol in the PATH; install \
slurm-client, or leave the option out to compute on this machine" "$(<err)"
echo 'slurm_load_ctl_conf error: Unable to contact slurm controller (connect failure)' >silent
mistake "no controller" "Slurm's controller does not answer: Unable to contact slurm controller (connect failure); \
\`scontrol ping\` says whether it is there"
mistake "no controller, in a dry run" "Slurm's controller does not answer: Unable to contact slurm controller (connect \
failure); \`scontrol ping\` says whether it is there" --dry-run >/dev/null
play 1
mistake "no arrays" "this cluster has no job arrays, which --engine slurm needs: MaxArraySize of slurm.conf is 1, and has \
to be 2 or more"
play 1001
printf 'sbatch: error: invalid partition specified: x\nsbatch: error: Batch job submission failed: Invalid partition\n' \
    >refused
mistake "a job that is refused" "sbatch does not take the job: Batch job submission failed: Invalid partition"
play 1001
mistake "a letter that nobody sees" "--slurm-options takes at most 1000 characters without control characters" \
    --slurm-options $'--time=5\n--mem=3'
mistake "many options" "--slurm-options has too many options; put them into SBATCH_ variables of the environment" \
    --slurm-options "$(seq -s' ' 100)"

# --- Nodes that lack something ---

lacks() { # lacks CODE SENTENCE
    play 1001
    echo "FAILED $(($1 << 8)) n7" >fate/1
    echo "PENDING 0" >fate/2
    expect_code 2 "${slurm[@]}" --out lacking
    expect_equal "a node that lacks something" "hvsim: $2" "$(tail -1 err)"
    expect_equal "the files" points "$(ls -A lacking)"
    grep -q -- '--name=hvsim-[0-9a-f]*-1$' cancelled || fail "the other tasks are not cancelled"
}
lacks 97 "node n7 cannot read and write $PWD/lacking: with --engine slurm the results have to be in a directory that all \
nodes share; choose one with --out"
lacks 98 "node n7 does not have the working directory: start the sweep in a directory that all nodes share"
lacks 99 "node n7 does not have this hvsim: start one that lies in a directory that all nodes share"

# --- Tasks that are lost ---

lost() { # lost TRIES REASON STATE [STATUS]: task 2 ends so in the first try, and its point alone in each later one
    play 1001
    echo "${*:3}" >fate/2
    cp fate/2 fate/1
    # Nothing but the point of task 2 is missing.
    rm -rf lost
    cp -r local lost
    rm -f lost/points/core.width=2,*
    expect_code 1 "${slurm[@]}" --out lost
    expect_equal "a lost task" "hvsim: point 2 (core.width=2, seed=1) failed: its Slurm task $2" "$(tail -2 err | head -1)"
    expect_equal "tries of $3" "$1" "$(<job)"
    expect_equal "the table" "1 2 3 4" "$(tail -n +2 lost/table.csv | cut -d, -f1 | xargs)"
    expect_equal "what is empty in it" "2," "$(grep ',$' lost/table.csv)"
}
lost 3 "lost its node" NODE_FAIL 0
lost 3 "was killed by signal 9 (Killed), by somebody or for want of memory" FAILED 9
lost 3 "ended with exit code 5" FAILED 1280
lost 1 "ran into its time limit; ask for more time with --slurm-options=--time=..." TIMEOUT 0
lost 1 "ran out of memory; ask for more with --slurm-options=--mem=..." OUT_OF_MEMORY 0

# A task of several points that ran out of time is tried again, point by point; those that are well come out.
play 1001
echo "TIMEOUT 0" >fate/1
rm -rf parts
expect_code 1 "${slurm[@]}" --out parts --points-per-task 4
expect_equal "arrays" "hvsim: Slurm job 1 has 1 task
hvsim: what was lost is tried again: Slurm job 2 has 4 tasks" "$(head -2 err)"
expect_equal "what is left out" "1," "$(grep ',$' parts/table.csv)"
grep -q 'hvsim: 4 points, 3 of them computed now' err || fail "$(<err)"

# Several tasks that somebody cancelled end the sweep.
play 1001
echo "CANCELLED 0" | tee fate/2 >fate/3
expect_code 3 "${slurm[@]}" --out stopped
expect_equal "the talk" "hvsim: interrupted with 2 of 4 points done; the same command goes on from there" "$(tail -1 err)"

# A controller that stops answering is waited for.
play 1001
echo "NODE_FAIL 0" >fate/1
echo 'error: gone' >quiet
"${slurm[@]}" --out again >out 2>err &
pid=$!
until grep -q 'waiting$' err; do kill -0 $pid || fail "it ended"; sleep 0.02; done
rm -f silent fate/1
wait $pid || fail "exit code $?: $(<err)"
expect_equal "the talk" "hvsim: Slurm job 1 has 4 tasks
hvsim: Slurm's controller does not answer: gone; \`scontrol ping\` says whether it is there; waiting
hvsim: what was lost is tried again: Slurm job 2 has 1 task
hvsim: 4 points, 4 of them computed now; results are in again" "$(<err)"
diff -r local again || fail "it makes other results"

# Tasks that begin after the sweep was changed do not compute something else.
play 1001
sed -i '/^    cat >script$/a sed -i s/3,/5,/ s.yaml' bin/slurm
cp s.yaml kept.yaml
expect_code 1 "${slurm[@]}" --out changed
grep -q 'failed: the sweep, a file that it names, or hvsim is another than when its job was submitted$' err ||
    fail "$(<err)"
exit 0
