# The private RabbitMQ node, with a port mapper (epmd) of its own. Sourced by scripts/dev.

# Debian's wrapper in /usr/sbin runs only as root or rabbitmq; this is the script behind it.
rabbitmq_bin=/usr/lib/rabbitmq/bin/rabbitmq-server

rabbitmq_url() {
	if [[ -n ${ATTUNE__MESSAGE_QUEUE__URL:-} ]]; then
		echo "$ATTUNE__MESSAGE_QUEUE__URL"
	else
		rabbitmq_own_url
	fi
}

rabbitmq_own_url() { echo "amqp://attune:$(password)@127.0.0.1:$(port rabbitmq)"; }
rabbitmq_external() { external ATTUNE__MESSAGE_QUEUE__URL "$(rabbitmq_own_url)"; }
rabbitmq_check() { check_external ATTUNE__MESSAGE_QUEUE__URL "$ATTUNE__MESSAGE_QUEUE__URL" 5672; }

# rabbitmq_answers opens an AMQP connection as far as the broker's first frame, which begins with a 1.
rabbitmq_answers() (
	exec 3<>"/dev/tcp/127.0.0.1/$(port rabbitmq)"
	printf 'AMQP\0\0\11\1' >&3
	read -r -t 5 -n 1 -u 3 byte
	[[ $byte == $'\1' ]]
) 2>/dev/null

rabbitmq_start() {
	local home=$state/rabbitmq
	mkdir -p "$home"
	claim rabbitmq
	claim rabbitmq-distribution
	if ! running epmd; then
		claim epmd
		start epmd epmd -port "$(port epmd)" -address 127.0.0.1
	fi
	if [[ ! -s $home/.erlang.cookie ]]; then
		od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$home/.erlang.cookie"
		chmod 0400 "$home/.erlang.cookie"
	fi
	echo '[].' >"$home/enabled_plugins"
	cat >"$home/rabbitmq.conf" <<-CONF
		listeners.tcp.1 = 127.0.0.1:$(port rabbitmq)
		default_user = attune
		default_pass = $(password)
		log.console.level = warning
	CONF
	# RUNNING_UNDER_SYSTEMD: the script becomes the server, instead of waiting for it, so that a signal arrives.
	# An idle scheduler sleeps at once instead of spinning (+sbwt none): the machine is shared.
	start rabbitmq env RUNNING_UNDER_SYSTEMD=true \
		ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT="$(port epmd)" \
		RABBITMQ_NODENAME=attune@localhost \
		RABBITMQ_DIST_PORT="$(port rabbitmq-distribution)" \
		RABBITMQ_CONF_ENV_FILE="$home/rabbitmq-env.conf" \
		RABBITMQ_CONFIG_FILE="$home/rabbitmq.conf" \
		RABBITMQ_ADVANCED_CONFIG_FILE="$home/advanced.config" \
		RABBITMQ_ENABLED_PLUGINS_FILE="$home/enabled_plugins" \
		RABBITMQ_MNESIA_BASE="$home/mnesia" \
		RABBITMQ_LOG_BASE="$home/log" \
		RABBITMQ_LOGS=- \
		RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none" \
		"$rabbitmq_bin"
}

rabbitmq_stop() {
	stop rabbitmq TERM
	stop epmd TERM
}
