# PostgreSQL in a container, without root: makes its files the first time, then
# becomes the server. Whoever is on the same network and has the password (of
# the user lab, for the database lab) may use it.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
	secret=$(mktemp)
	printf '%s\n' "${LAB_DB_PASSWORD:?the password of the user lab}" >"$secret"
	initdb --username=lab --pwfile="$secret" --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale=C >/dev/null
	rm "$secret"
	echo 'host all lab samenet scram-sha-256' >>"$PGDATA/pg_hba.conf"
	echo 'CREATE DATABASE lab' | postgres --single -D "$PGDATA" postgres >/dev/null
fi
exec postgres -c "listen_addresses=${LAB_DB_LISTEN:-*}" -c "port=${LAB_DB_PORT:-5432}" -c unix_socket_directories=/tmp
