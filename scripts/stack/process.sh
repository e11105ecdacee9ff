# Processes, ports and passwords of the development stack. Sourced by scripts/dev.

say() { echo "dev: $*" >&2; }

fail() {
	say "$*"
	exit 1
}

# identity prints what tells a process from a later one with the same pid: its start time and the boot. A
# zombie has ended, unless some of its threads are still there and keep its ports.
identity() {
	local fields
	fields=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
	read -ra fields <<<"${fields##*) }"
	[[ ${fields[0]} != Z || ${fields[17]} -gt 1 ]] && echo "$1 ${fields[19]} $(</proc/sys/kernel/random/boot_id)"
}

# running says whether the process that start recorded under NAME still runs.
running() {
	local recorded
	recorded=$(cat "$state/run/$1" 2>/dev/null) || return 1
	[[ $(identity "${recorded%% *}") == "$recorded" ]]
}

# start NAME COMMAND... runs a server in a session of its own, so that it outlives the caller's terminal,
# with a clean environment and without the lock that this script holds.
start() {
	local name=$1
	shift
	(
		cd /
		exec env -i PATH="$PATH" LANG=C.UTF-8 HOME="$state/$name" \
			setsid "$@" </dev/null >"$state/logs/$name.log" 2>&1 9>&-
	) &
	disown
	identity $! >"$state/run/$name" || true
}

# stop NAME SIGNAL asks a recorded process to end, every second because a server that is still starting may
# miss it, and kills its process group when it does not end in half a minute.
stop() {
	local name=$1 signal=$2 pid asked=-1 deadline=$((SECONDS + 30))
	while running "$name"; do
		read -r pid _ <"$state/run/$name"
		if ((SECONDS >= deadline)); then
			say "$name ignores SIG$signal; killing it"
			kill -s KILL -- "-$pid" || true
			deadline=$((SECONDS + 5))
		elif ((SECONDS != asked)); then
			asked=$SECONDS
			kill -s "$signal" "$pid" || true
		fi
		sleep 0.05
	done
	rm -f "$state/run/$name"
}

# wait_for NAME CHECK waits until CHECK succeeds, for as long as the server runs, at most two minutes.
wait_for() {
	local name=$1 check=$2 deadline=$((SECONDS + 120))
	until "$check"; do
		if ! running "$name" || ((SECONDS >= deadline)); then
			tail -n 20 "$state/logs/$name.log" >&2
			fail "$name does not come up; its log is .dev/logs/$name.log"
		fi
		sleep 0.1
	done
}

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

port() { cat "$state/ports/$1" 2>/dev/null || true; }

# claim NAME keeps the port of NAME, unless another program listens there by now; then it picks a new one,
# below the range from which the kernel takes ports for outgoing connections.
claim() {
	local port
	port=$(port "$1")
	if [[ -n $port ]] && ! listening "$port"; then
		return
	fi
	until port=$((20000 + RANDOM % 12000)); ! listening "$port" && ! grep -qsx "$port" "$state"/ports/*; do
		continue
	done
	echo "$port" >"$state/ports/$1"
}

# password prints the password of this stack, made on first use.
password() {
	if [[ ! -s $state/password ]]; then
		od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$state/password"
	fi
	cat "$state/password"
}

masked() { sed -E 's#://([^:@/]+):[^@/]*@#://\1:***@#' <<<"$1"; }

# external VARIABLE OWN says whether VARIABLE names a server that is not the private one at OWN. The two are
# equal when the caller has sourced .dev/env.
external() { [[ -n ${!1:-} && ${!1} != "$2" ]]; }

# check_external VARIABLE URL DEFAULT_PORT fails when nothing listens at the address that the user gave.
# Addresses without a host (sockets, key=value strings) and lists are left to the programs that use them.
check_external() {
	local variable=$1 host port
	if [[ $2 =~ ^[a-z]+://([^@/]*@)?(\[[^]]+\]|[^]:/?,[]+)(:([0-9]+))?([/?]|$) ]]; then
		host=${BASH_REMATCH[2]//[\[\]]/}
		port=${BASH_REMATCH[4]:-$3}
		timeout 5 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$host" "$port" 2>/dev/null ||
			fail "$variable: nothing answers at $host:$port; start that server, or unset $variable to use a private one"
	fi
}
