#!/bin/bash
# Runs a command on a Slurm of one node: this computer. As root, after
#   apt-get install --no-install-recommends slurm-wlm munge
# For example: tests/slurm/single_node.sh python -m pytest tests/slurm
# Nothing of it outlives the command; there is no accounting (sacct), as on many small clusters.
set -euo pipefail
[ $# -gt 0 ] || { sed -n '2,6s/^# //p' "$0" >&2; exit 2; }
folder=$(mktemp -d)
chmod 755 "$folder"
trap 'kill $(cat "$folder"/*.pid 2>/dev/null) 2>/dev/null || true; sleep 1; rm -rf "$folder"' EXIT
host=$(hostname -s)
cat > "$folder/slurm.conf" <<CONF
ClusterName=single
SlurmctldHost=$host
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$folder/munge.socket
SlurmctldPort=16817
SlurmdPort=16818
StateSaveLocation=$folder
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
NodeName=$host CPUs=$(nproc) State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
mkdir "$folder/spool"
export SLURM_CONF=$folder/slurm.conf
head -c 1024 /dev/urandom > "$folder/munge.key"
chmod 600 "$folder/munge.key"
munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" \
  --pid-file="$folder/munged.pid" --log-file="$folder/munged.log" --seed-file="$folder/seed"
slurmctld
slurmd
for _ in $(seq 60); do
  [ "$(sinfo --noheader --format=%T)" = idle ] && break
  sleep 0.5
done
sinfo >&2
"$@"
