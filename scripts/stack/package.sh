# Debian packages that the development stack needs. Sourced by scripts/dev.

# install_packages installs what is missing when run as root, else says in one line what to install.
install_packages() {
	local missing=()
	postgres_external || [[ -n $(postgres_bin) ]] || missing+=(postgresql)
	rabbitmq_external || [[ -x $rabbitmq_bin ]] || missing+=(rabbitmq-server)
	command -v python3 >/dev/null || missing+=(python3)
	python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
	command -v node >/dev/null || missing+=(nodejs)
	command -v bwrap >/dev/null || missing+=(bubblewrap)
	command -v npm >/dev/null || missing+=(npm)
	if ((${#missing[@]} == 0)); then
		return
	fi
	if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
		fail "missing packages, please install them: sudo apt-get install ${missing[*]}"
	fi
	say "installing ${missing[*]}"
	apt_install "${missing[@]}" >"$state/logs/apt.log" 2>&1 || {
		tail -n 20 "$state/logs/apt.log" >&2
		fail "installing ${missing[*]} failed; the log is .dev/logs/apt.log"
	}
}

# apt_install keeps the packages from starting or enabling services of their own: the machine gets the
# programs, and only this stack runs them. The lock keeps two checkouts from sharing one policy file.
apt_install() (
	exec 8>/var/lock/attune-dev-packages
	flock 8
	policy=/usr/sbin/policy-rc.d
	if [[ ! -e $policy ]]; then
		trap 'rm -f "$policy"' EXIT
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 0755 "$policy"
	fi
	umask 022
	export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
	install=(apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 "$@")
	"${install[@]}" || { apt-get update -q && "${install[@]}"; } || return 1
	for service in postgresql rabbitmq-server; do
		if [[ " $* " == *" $service "* ]] && command -v systemctl >/dev/null; then
			systemctl disable "$service"
		fi
	done
) 9>&-
