# The private PostgreSQL server. Sourced by scripts/dev.

postgres_url() {
	if [[ -n ${ATTUNE__DATABASE__URL:-} ]]; then
		echo "$ATTUNE__DATABASE__URL"
	else
		postgres_own_url
	fi
}

postgres_own_url() { echo "postgres://attune:$(password)@127.0.0.1:$(port postgres)/attune?sslmode=disable"; }
postgres_external() { external ATTUNE__DATABASE__URL "$(postgres_own_url)"; }
postgres_check() { check_external ATTUNE__DATABASE__URL "$ATTUNE__DATABASE__URL" 5432; }
postgres_answers() { "$(postgres_bin)/pg_isready" -q -h 127.0.0.1 -p "$(port postgres)"; }

# postgres_bin prints the directory of the server's programs: of the version that made the data if there
# are any, else of the newest one installed; nothing if there is none.
postgres_bin() {
	local version dirs
	version=$(cat "$state/postgres/data/PG_VERSION" 2>/dev/null || true)
	dirs=$(find /usr/lib/postgresql -path "*/${version:-*}/bin/postgres" 2>/dev/null || true)
	sort -V <<<"$dirs" | tail -n 1 | xargs -r dirname
}

# PostgreSQL refuses to run as root: then its commands run as the package's own user.
as_postgres=()
if ((EUID == 0)); then
	as_postgres=(setpriv --reuid=postgres --regid=postgres --init-groups)
fi

postgres_start() {
	postgres_init
	claim postgres
	# Durability is PostgreSQL's default, fsync and synchronous_commit on: benchmarks quote this server.
	start postgres "${as_postgres[@]}" "$(postgres_bin)/postgres" -D "$(readlink -f "$state/postgres/data")" \
		-c listen_addresses=127.0.0.1 -c port="$(port postgres)" -c unix_socket_directories= \
		-c max_connections=300 -c log_checkpoints=off
}

postgres_stop() { stop postgres INT; }

# postgres_init makes a cluster with the role and the database attune, whole or not at all.
postgres_init() {
	local bin home
	bin=$(postgres_bin)
	if [[ -d $state/postgres/data ]]; then
		return
	fi
	postgres_home "$state/postgres"
	home=$(readlink -f "$state/postgres")
	rm -rf "$home/new"
	password >"$home/password"
	((EUID != 0)) || chown postgres: "$home/password"
	(
		cd /
		"${as_postgres[@]}" "$bin/initdb" -D "$home/new" -U attune --pwfile="$home/password" \
			--auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 &&
			echo 'create database attune' | "${as_postgres[@]}" "$bin/postgres" --single -D "$home/new" postgres
	) >"$state/logs/postgres.log" 2>&1 || {
		tail -n 20 "$state/logs/postgres.log" >&2
		fail "initdb failed; its log is .dev/logs/postgres.log"
	}
	rm "$home/password"
	mv "$home/new" "$home/data"
}

# postgres_home makes the directory of the server's data. Run by root, the server's own user may be unable
# to get there (a checkout below a home of mode 0700); then the directory is a link into /var/lib.
postgres_home() {
	local home=$1 elsewhere
	elsewhere=/var/lib/attune-dev-$(cksum <<<"$root" | cut -d' ' -f1)
	[[ -e $home ]] || rm -f "$home" # a link to nowhere
	mkdir -p "$home"
	if ((EUID != 0)); then
		return
	fi
	chmod 0711 "$state"
	chown postgres: "$home"
	if ! "${as_postgres[@]}" test -x "$home"; then
		rm -rf "$home"
		mkdir -p "$elsewhere"
		chown postgres: "$elsewhere"
		ln -s "$elsewhere" "$home"
	fi
}

postgres_delete() {
	if [[ -L $state/postgres ]]; then
		rm -rf "$(readlink "$state/postgres")"
	fi
	rm -rf "$state/postgres"
}
