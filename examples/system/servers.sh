# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# The servers around hedged: Redis, ClickHouse and PostgreSQL, each with its own folder in $run and,
# where we are root, as its own user. Sourced by system.sh.
# shellcheck disable=SC2034,SC2154 # $run and others are system.sh's, and it uses what is set here

own_folder() { # user
    mkdir -m 700 "$run/$1"
    [ "$(id -u)" != 0 ] || chown "$1": "$run/$1"
}

# What a command begins with that runs as a server's user, in a folder that this user may enter:
# nothing where we are not root.
as() { # user
    [ "$(id -u)" != 0 ] || echo "env -C $run setpriv --reuid=$1 --regid=$1 --clear-groups"
}

# Mostly free, and not among those that the kernel gives to connections.
any_port() {
    echo $((20000 + $(od -An -N2 -tu2 /dev/urandom) % 12000))
}

# Calls launch_NAME until it has found a free port, and until the server says that it is ready.
start_on_a_port() { # name, pattern of the log
    for _ in 1 2 3 4 5; do
        "launch_$1"
        ! wait_for_line "$2" "$run/$1.log" $! || return 0
        stop_one
    done
    give_up "$1 does not start" "$1"
}

# ---- Redis: the scores

launch_redis() {
    redis_port=$(any_port)
    # shellcheck disable=SC2046 # words
    launch redis TERM/ $(as redis) redis-server --bind 127.0.0.1 --port "$redis_port" \
        --dir "$run/redis" --save '' --appendonly no
}

start_redis() {
    own_folder redis
    start_on_a_port redis 'Ready to accept connections'
}

# ---- ClickHouse: the order books

clickhouse_is_here() {
    [ -n "$clickhouse_server" ] && command -v "$clickhouse_server" >/dev/null &&
        command -v clickhouse-client >/dev/null
}

write_clickhouse_settings() { # http_port, tcp_port
    cat >"$run/clickhouse.xml" <<END
<yandex>
  <logger><level>information</level><console>1</console></logger>
  <listen_host>127.0.0.1</listen_host><http_port>$1</http_port><tcp_port>$2</tcp_port>
  <path>$run/clickhouse/data/</path><tmp_path>$run/clickhouse/tmp/</tmp_path>
  <users_config>clickhouse_users.xml</users_config><timezone>UTC</timezone>
  <default_profile>default</default_profile><default_database>default</default_database>
  <mark_cache_size>268435456</mark_cache_size>
</yandex>
END
    cat >"$run/clickhouse_users.xml" <<END
<yandex>
  <profiles><default/></profiles><quotas><default/></quotas>
  <users><default>
    <password/><networks><ip>127.0.0.1</ip></networks>
    <profile>default</profile><quota>default</quota>
  </default></users>
</yandex>
END
}

launch_clickhouse() {
    clickhouse_port=$(any_port) clickhouse_tcp_port=$(any_port)
    write_clickhouse_settings "$clickhouse_port" "$clickhouse_tcp_port"
    # shellcheck disable=SC2046 # words
    launch clickhouse TERM/ $(as clickhouse) env CLICKHOUSE_WATCHDOG_ENABLE=0 \
        "$clickhouse_server" --config-file="$run/clickhouse.xml"
}

start_clickhouse() {
    own_folder clickhouse
    start_on_a_port clickhouse 'Ready for connections'
    clickhouse_url=http://127.0.0.1:$clickhouse_port
    clickhouse-client --port "$clickhouse_tcp_port" -n <configs/clickhouse.sql
}

# ---- PostgreSQL: the log of decisions

# A connection string. There is no password: PostgreSQL asks the kernel who is at the other end of
# its socket, and takes this user alone.
dsn_of() { # role
    echo "host=$run/postgres port=5432 dbname=hedge user=$1"
}

make_cluster() {
    # shellcheck disable=SC2046 # words
    $(as postgres) "$postgres_bin/initdb" -D "$run/postgres/data" -U hedge_owner -A peer \
        -E UTF8 --locale=C --no-instructions >"$run/initdb.log" 2>&1 ||
        give_up "the database cluster cannot be made" initdb
    echo "local all all peer map=system" >"$run/postgres/data/pg_hba.conf"
    for role in hedge_owner hedged auditor; do
        echo "system $(id -un) $role"
    done >"$run/postgres/data/pg_ident.conf"
}

start_postgres() {
    postgres_bin=$(find /usr/lib/postgresql/*/bin -name initdb -printf '%h\n' 2>/dev/null |
        sort -V | tail -n 1)
    [ -n "$postgres_bin" ] || give_up "there is no /usr/lib/postgresql/*/bin/initdb"
    own_folder postgres
    make_cluster
    # INT, because TERM would wait for a psql that somebody left open.
    # shellcheck disable=SC2046 # words
    launch postgres INT/ $(as postgres) "$postgres_bin/postgres" -D "$run/postgres/data" \
        -p 5432 -c listen_addresses= -c unix_socket_directories="$run/postgres"
    wait_for_line 'ready to accept connections' "$run/postgres.log" $! ||
        give_up "PostgreSQL does not start" postgres
}

as_owner() { # database, SQL
    psql -Xq -v ON_ERROR_STOP=1 "host=$run/postgres port=5432 dbname=$1 user=hedge_owner" -c "$2"
}

# The tables belong to one role, hedged may add to them, and an auditor may read them.
make_tables() {
    as_owner postgres "CREATE DATABASE hedge"
    HEDGE_DB_DSN=$(dsn_of hedge_owner) "$hedged" --init-db
    as_owner hedge "CREATE ROLE hedged LOGIN IN ROLE hedge_daemon"
    as_owner hedge "CREATE ROLE auditor LOGIN IN ROLE pg_read_all_data"
}
