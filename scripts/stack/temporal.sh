# The private Temporal server with its Web UI. Sourced by scripts/dev.

temporal_url() { echo "${TEMPORAL_ADDRESS:-$(temporal_own_url)}"; }
temporal_own_url() { echo "127.0.0.1:$(port temporal)"; }
temporal_external() { external TEMPORAL_ADDRESS "$(temporal_own_url)"; }
temporal_check() { check_external TEMPORAL_ADDRESS "tcp://$TEMPORAL_ADDRESS" 7233; }
temporal_ui() { temporal_external || echo "http://127.0.0.1:$(port temporal-ui)"; }
temporal_metrics() { temporal_external || echo "http://127.0.0.1:$(port temporal-metrics)/metrics"; }

# temporal_answers asks for the default namespace by way of the Web UI, and so proves both.
temporal_answers() (
	exec 3<>"/dev/tcp/127.0.0.1/$(port temporal-ui)"
	printf 'GET /api/v1/namespaces/default HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' >&3
	read -r -t 5 -u 3 line
	[[ $line == *" 200 "* ]]
) 2>/dev/null

temporal_build() {
	if ! command -v temporal >/dev/null; then
		(umask 022 && make -s -C "$root" bin/temporal-dev >&2)
	fi
}

# temporal_start runs the temporal command line's development server, or ours with the same flags.
temporal_start() {
	local setting server=("$root/bin/temporal-dev")
	if command -v temporal >/dev/null; then
		server=("$(command -v temporal)" server start-dev --log-level warn)
		while read -r setting; do
			server+=(--dynamic-config-value "$setting")
		done <"$root/internal/devserver/dynamicconfig.txt"
	fi
	mkdir -p "$state/temporal"
	claim temporal
	claim temporal-ui
	claim temporal-metrics
	start temporal "${server[@]}" --ip 127.0.0.1 --port "$(port temporal)" \
		--ui-port "$(port temporal-ui)" --metrics-port "$(port temporal-metrics)" \
		--db-filename "$state/temporal/temporal.db"
}

temporal_stop() { stop temporal TERM; }
