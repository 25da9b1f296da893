#!/bin/bash
# A throw-away host for tests: systemd as PID 1, a Docker engine with Compose v2, a network, /run, /tmp and cgroups of its
# own, over a root file system that others share. Made of namespaces: it boots in seconds and leaves nothing. Needs root.
#
#   host.sh boot FOLDER BASE   boot a fresh host, with what it writes in FOLDER; returns when systemd has settled
#   host.sh exec FOLDER CMD…   run a command inside it
#   host.sh reboot FOLDER      the power fails and comes back: the same disk, the same cable
#   host.sh stop FOLDER        power it off and delete what it wrote
#
# A cable leads from each to the machine: the host is 10.213.N.2 and fd5a:6170:N::2, the machine .1 and ::1, other callers
# .11 to .13; N is in FOLDER/number. The machine's end answers for names: all below "test" are the host, "elsewhere.test"
# is a strange address, "nowhere.test" is no name, and others are not told. Nothing is routed any further.
set -euo pipefail
die() { echo "host.sh: $*" >&2; exit 1; }

# Control groups of its own: else two hosts at a time share them, "appliance.service" of one with that of the other, and
# systemd waits for processes to end that it cannot see. Runs in a mount namespace that ends with the process.
with_groups() { mount -t cgroup2 none "$1/mnt"; }
enter() {
  local group=$1/mnt/appliance-host-$2
  with_groups "$1"; mkdir -p "$group"; echo $$ >"$group/cgroup.procs"; umount "$1/mnt"
  exec unshare -m -p -n -u -i -C -f --propagation private "$0" init "$@"
}
leave() { # what was killed may take a moment to end
  local group=$1/mnt/appliance-host-$2
  with_groups "$1"
  for _ in $(seq 40); do find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true; [[ -e $group ]] || return 0; sleep 0.05; done
}

# runs as the first process of the new namespaces
init() {
  local root=$1 number=$2 node
  mount -t proc proc "$root/proc"
  mount -t sysfs sysfs "$root/sys"
  mount -t cgroup2 none "$root/sys/fs/cgroup"
  mount -t tmpfs -o mode=755,nosuid,nodev,noexec tmpfs "$root/run" # as Ubuntu and Debian mount it
  mount -t tmpfs -o nosuid,nodev tmpfs "$root/tmp"
  mount -t tmpfs -o mode=755 tmpfs "$root/dev"
  for node in null zero full random urandom tty; do touch "$root/dev/$node"; mount --bind "/dev/$node" "$root/dev/$node"; done
  mkdir -p "$root/dev/pts" "$root/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"; ln -s pts/ptmx "$root/dev/ptmx"
  mount -t tmpfs -o nosuid,nodev tmpfs "$root/dev/shm"
  ip link set lo up; hostname appliance-host
  until ip link show eth0 >/dev/null 2>&1; do sleep 0.02; done
  ip addr add "10.213.$number.2/24" dev eth0; ip addr add "fd5a:6170:$number::2/64" dev eth0 nodad; ip link set eth0 up
  ip route add default via "10.213.$number.1"; ip -6 route add default via "fd5a:6170:$number::1"
  cd "$root"
  # The root of the namespace itself and not chroot's: what enters a container's namespace, as "docker exec" and health
  # checks do, gets the root of the namespace.
  mkdir -p .old-root; pivot_root . .old-root
  exec chroot . /bin/sh -c 'umount -l /.old-root; rmdir /.old-root
    exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=box /lib/systemd/systemd --unit=multi-user.target'
}

alive() { local pid; pid=$(cat "$1/pid" 2>/dev/null) && kill -0 "$pid" 2>/dev/null && echo "$pid"; }
inside() { local pid; pid=$(alive "$1") || die "$1 is not running"; shift
  nsenter -t "$pid" -m -p -n -u -i -C -r -w env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb "$@"; }

# The machine's end of the cable is a bridge, whose name is the lock on the number. It stays while the host is down.
lay_cable() {
  local number bridge net names
  for number in $(shuf -i 1-250) none; do ip link add "ah-$number" type bridge 2>/dev/null && break; done
  [[ $number != none ]] || die "no number is free: is there a kernel with bridges?"
  echo "$number" >"$1/number"; bridge=ah-$number net=10.213.$number names=fd5a:6170:$number
  for each in 1 11 12 13; do ip addr add "$net.$each/24" dev "$bridge"; done
  ip addr add "$names::1/64" dev "$bridge" nodad; ip link set "$bridge" up
  printf 'nameserver %s.1\n' "$net" >"$1/root/etc/resolv.conf"; chmod 0644 "$1/root/etc/resolv.conf"
  dnsmasq --conf-file=/dev/null --pid-file="$1/dnsmasq.pid" --bind-interfaces --interface="$bridge" --except-interface=lo \
    --no-resolv --no-hosts --local=/test/ --address="/test/$net.2" --address="/test/$names::2" \
    --address=/elsewhere.test/203.0.113.9 --address=/elsewhere.test/2001:db8::9 --address=/nowhere.test/
}
unlay_cable() {
  local number; number=$(cat "$1/number" 2>/dev/null) || return 0
  kill "$(cat "$1/dnsmasq.pid")" 2>/dev/null || true
  ip link del "ap-$number" 2>/dev/null || true; ip link del "ah-$number" 2>/dev/null || true
}
plug_in() { # the kernel removes the old end some time after the host went
  ip link del "ap-$2" 2>/dev/null || true
  ip link add "ap-$2" type veth peer name eth0 netns "$1"; ip link set "ap-$2" master "ah-$2" up
}

start() {
  local parent state= number; number=$(cat "$1/number")
  setsid unshare -m "$0" enter "$1/root" "$number" >>"$1/console.log" 2>&1 </dev/null &
  parent=$!
  for _ in $(seq 1200); do
    pgrep -P "$parent" -f "$0 init " >"$1/pid" && break
    kill -0 "$parent" 2>/dev/null || die "it did not start; see $1/console.log"
    sleep 0.05
  done
  plug_in "$(cat "$1/pid")" "$number"
  for _ in $(seq 240); do
    state=$(inside "$1" systemctl is-system-running 2>/dev/null || true)
    case $state in running|degraded) return;; esac; sleep 0.25
  done
  die "it did not settle (last state: ${state:-none}); see $1/console.log"
}

boot() {
  mkdir -p "$1"/{upper,work,root,docker}
  mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" "$1/root"
  # Docker's own overlays cannot lie on an overlay
  mkdir -p "$1/root/var/lib/docker" "$1/root/lib/modules"; mount --bind "$1/docker" "$1/root/var/lib/docker"
  lay_cable "$1"
  start "$1"
}

halt() { local pid; pid=$(alive "$1") || return 0; kill -9 "$pid" 2>/dev/null || true; while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done; }
stop() {
  halt "$1"; unshare -m "$0" leave "$1/root" "$(cat "$1/number" 2>/dev/null)" || true
  unlay_cable "$1"; umount -R "$1/root" 2>/dev/null || umount -Rl "$1/root" 2>/dev/null || true
  rm -rf "$1"
}

case ${1:-} in
  enter) enter "$2" "$3" ;;
  init) init "$2" "$3" ;;
  leave) leave "$2" "$3" ;;
  boot) boot "${2:?folder}" "${3:?base}" ;;
  exec) shift; inside "$@" ;;
  reboot) halt "${2:?folder}"; start "$2" ;;
  stop) stop "${2:?folder}" ;;
  *) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
