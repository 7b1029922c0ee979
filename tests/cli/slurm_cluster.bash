# SPDX-License-Identifier: MIT
# A Slurm cluster of two nodes on this machine's loopback, for tests: sourced after lib.bash. Everything that it writes
# lies in $work/cluster, its ports are free ones, and it ends with the test.

cluster=$work/cluster
# Where Debian has daemons, an ordinary user's PATH does not look.
PATH=$PATH:/usr/sbin:/sbin

# skip WHY: leaves the test out.
skip() {
    echo "left out: $*" >&2
    exit 77
}

# Daemons take their time to end, and nothing of theirs is worth keeping, so after a second they are made to.
stop_cluster() {
    local pids
    # shellcheck disable=SC2046  # a number each
    kill -KILL $(jobs -p) 2>/dev/null
    if [[ -e $cluster/slurmctld.pid ]]; then
        scancel --me 2>/dev/null
    fi
    mapfile -t pids < <(cat "$cluster"/*.pid 2>/dev/null)
    for signal in TERM KILL; do
        for ((i = 0; i < 10; i++)); do
            kill -$signal "${pids[@]}" 2>/dev/null || return
            sleep 0.1
        done
    done
}

# A port that nobody listens at, from a number on.
free_port() {
    local port=$1
    while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
    echo "$port"
}

# write_conf: two nodes of four processors that are not asked for, without accounting, control groups and systemd.
write_conf() {
    local host user first
    host=$(hostname -s) user=$(id -un) first=$((20000 + $$ * 4 % 10000))
    cat >"$SLURM_CONF" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$(free_port "$first")
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$cluster/munge.socket
CredType=cred/munge
StateSaveLocation=$cluster/state
SlurmdSpoolDir=$cluster/spool.%n
SlurmctldPidFile=$cluster/slurmctld.pid
SlurmdPidFile=$cluster/slurmd.%n.pid
SlurmctldLogFile=$cluster/slurmctld.log
SlurmdLogFile=$cluster/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
MpiDefault=none
ReturnToService=2
KillWait=2
MaxArraySize=8
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=50000
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$(free_port $((first + 1))) CPUs=4 State=UNKNOWN
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$(free_port $((first + 2))) CPUs=4 State=UNKNOWN
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
CONF
}

# The second node sees another directory than the first in $work/unshared, where this machine allows that.
start_second_node() {
    mkdir "$work/unshared"
    if unshare -m true 2>/dev/null; then
        unshare -m sh -c "mount -t tmpfs none '$work/unshared' && touch '$work/unshared/other' && exec slurmd -c -N n2"
    else
        slurmd -c -N n2
    fi
}

start_cluster() {
    local command
    for command in munged slurmctld slurmd sbatch; do
        [[ -n $(type -P $command) ]] || skip "there is no $command"
    done
    mkdir -p -m 700 "$cluster"/{,state}
    export SLURM_CONF=$cluster/slurm.conf
    write_conf
    (umask 077 && head -c 128 /dev/urandom >"$cluster/munge.key")
    trap stop_cluster EXIT
    munged --force --num-threads=1 --key-file="$cluster/munge.key" --socket="$cluster/munge.socket" \
        --pid-file="$cluster/munged.pid" --log-file="$cluster/munged.log" --seed-file="$cluster/munge.seed" \
        >"$cluster/talk" 2>&1 || skip "munged does not start: $(tail -1 "$cluster/talk")"
    { slurmctld -i && slurmd -c -N n1 && start_second_node; } >"$cluster/talk" 2>&1 ||
        skip "Slurm does not start: $(tail -1 "$cluster/talk")"
    for ((i = 0; i < 100; i++)); do
        [[ $(sinfo --noheader --Node --format=%T 2>/dev/null | xargs) != "idle idle" ]] || return 0
        sleep 0.1
    done
    skip "Slurm's nodes do not come up: $(sinfo --noheader --Node --format='%N %T %E' 2>&1 | xargs)"
}
