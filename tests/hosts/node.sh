#!/usr/bin/env bash
# The first process of a pretended machine (tests/hosts.rs), in namespaces of its own.
#
#   node.sh FOLDER [SSHD]
#
# FOLDER/etc holds files that this machine has in /etc. With SSHD it runs that SSH server with FOLDER/sshd_config.
# Says 'ready' once all is up, and ends when its standard input does: with the test, however that ends. Its processes end with it,
# and then its network, its mounts and its names, which nothing else holds.
set -euo pipefail

folder=$1
sshd=${2-}

# Our process is in the network too, and is the last to go: as the first process of a machine, it takes all others with it.
end_all() {
  local found=yes process
  while [[ $found == yes ]]; do
    found=no
    for process in /proc/[0-9]*; do
      [[ $process/ns/net -ef /proc/self/ns/net && ${process#/proc/} != "$$" ]] || continue
      kill -KILL "${process#/proc/}" 2>/dev/null && found=yes
    done
  done
}

# Files that the system does not have are left out: the test then says -F.
overlay() {
  local file
  for file in "$folder"/etc/* "$folder"/etc/ssh/*; do
    [[ -f $file && -f /etc/${file#"$folder"/etc/} ]] || continue
    mount --bind "$file" "/etc/${file#"$folder"/etc/}"
  done
}

# Of newer servers a stranger's mistakes cost everybody at that address time; older ones do not know the setting.
start_sshd() {
  local more=(-f "$folder/sshd_config" -o PerSourcePenalties=no)
  "$sshd" -t "${more[@]}" 2>/dev/null || more=(-f "$folder/sshd_config")
  "$sshd" -D -e "${more[@]}" 2>"$folder/sshd.log" </dev/null >/dev/null &
  until (: </dev/tcp/127.0.0.1/22) 2>/dev/null; do
    kill -0 $!
    sleep 0.01
  done
}

trap end_all EXIT
basename "$folder" >/proc/sys/kernel/hostname
ip link set lo up
# The server wants an empty folder there that belongs to root.
mount -t tmpfs tmpfs /run
mkdir /run/sshd
overlay
[[ -z $sshd ]] || start_sshd
echo ready
cat >/dev/null
