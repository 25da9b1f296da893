import type { RootRecipe } from '../support/debian-root.ts';

/**
 * What the official images hold, from Debian's packages: where no registry can be reached nothing can be pulled. They
 * keep the contract that the compose file relies on: users and their numbers, variables, paths, entry points, the
 * signal that stops them. The numbers of PostgreSQL's versions differ: Debian 13 has 17.
 */
export const servers: RootRecipe = {
  packages: ['postgresql-17', 'redis-server', 'redis-tools', 'nginx-light', 'gettext-base', 'locales'],
  before: `
    groupadd -r -g 999 postgres
    useradd -r -g postgres -u 999 --home-dir /var/lib/postgresql --shell /bin/bash postgres
    groupadd -r -g 101 nginx
    useradd -r -g nginx -u 101 --home-dir /nonexistent nginx
    printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d; chmod 0755 /usr/sbin/policy-rc.d
    mkdir -p /etc/postgresql-common
    printf 'create_main_cluster = false\\n' >/etc/postgresql-common/createcluster.conf`,
  after: `
    install -d -o postgres -g postgres -m 1777 /var/lib/postgresql
    install -d -o postgres -g postgres -m 3777 /var/run/postgresql
    install -d /docker-entrypoint-initdb.d /etc/nginx/templates
    install -d -o 999 -g 999 /data
    ln -sf /dev/stdout /var/log/nginx/access.log
    ln -sf /dev/stderr /var/log/nginx/error.log
    sed -i 's/^user .*/user nginx;/; /sites-enabled/d' /etc/nginx/nginx.conf
    for each in client_body_temp proxy_temp fastcgi_temp uwsgi_temp scgi_temp; do
      sed -i '/^http {/a '"$each"'_path /var/cache/nginx/'"$each;" /etc/nginx/nginx.conf
    done`,
};

/** Each is that root, the entry point over it and the lines of a Dockerfile. */
export interface ContainerImage {
  readonly name: string;
  readonly entrypoint: string;
  readonly changes: readonly string[];
}

const postgresEntrypoint = String.raw`#!/bin/bash
# As the official one does it, down to the password in the environment of whatever it starts.
set -Eeo pipefail
if [ "$1" = postgres ]; then
  if [ -n "$POSTGRES_PASSWORD_FILE" ]; then POSTGRES_PASSWORD=$(<"$POSTGRES_PASSWORD_FILE"); fi
  export POSTGRES_PASSWORD POSTGRES_USER=${'$'}{POSTGRES_USER:-postgres}
  unset POSTGRES_PASSWORD_FILE
  mkdir -p "$PGDATA"; chmod 0700 "$PGDATA" || :; chmod 3775 /var/run/postgresql || :
  if [ ! -s "$PGDATA/PG_VERSION" ]; then
    [ -n "$POSTGRES_PASSWORD" ] || { echo 'Error: superuser password is not specified.' >&2; exit 1; }
    eval 'initdb --username="$POSTGRES_USER" --pwfile=<(printf "%s\n" "$POSTGRES_PASSWORD") '"$POSTGRES_INITDB_ARGS"
    postgres -C password_encryption "${'$'}{@:2}" >/dev/null
    export PGPASSWORD=$POSTGRES_PASSWORD
    PGUSER=$POSTGRES_USER pg_ctl -D "$PGDATA" -o "$(printf '%q ' "${'$'}{@:2}" -c listen_addresses= -p 5432)" -w start
    psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --no-password --dbname postgres -c 'SELECT 1' >/dev/null
    sleep "${'$'}{SLOW_START:-0}"
    pg_ctl -D "$PGDATA" -m fast -w stop
    unset PGPASSWORD
  fi
fi
exec "$@"
`;

const redisEntrypoint = String.raw`#!/bin/bash
set -e
case $1 in -*|*.conf) set -- redis-server "$@" ;; esac
if [ "$(umask)" = 0022 ]; then umask 0077; fi
if [ "$1" = redis-server ]; then
  for module in /usr/local/lib/redis/modules/*.so; do
    [ ! -s "$module" ] || set -- "$@" --loadmodule "$module"
  done
fi
exec "$@"
`;

const nginxEntrypoint = String.raw`#!/bin/sh
set -e
for template in /etc/nginx/templates/*.template; do
  [ -e "$template" ] || continue
  defined=$(printf '${'$'}{%s} ' $(env | cut -d= -f1))
  envsubst "$defined" <"$template" >"/etc/nginx/conf.d/$(basename "$template" .template)"
done
exec "$@"
`;

const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** PostgreSQL under a tag, which the image tells as its major version too. */
export function postgresImage(tag: string, major: string): ContainerImage {
  return {
    name: `postgres:${tag}`,
    entrypoint: postgresEntrypoint,
    changes: [
      `ENV PATH ${path}:/usr/lib/postgresql/17/bin`,
      'ENV LANG C.UTF-8',
      `ENV PG_MAJOR ${major}`,
      `ENV PGDATA /var/lib/postgresql/${major}/docker`,
      'VOLUME /var/lib/postgresql',
      'STOPSIGNAL SIGINT',
      'EXPOSE 5432',
      'CMD ["postgres"]',
    ],
  };
}

export function redisImage(tag: string): ContainerImage {
  return {
    name: `redis:${tag}`,
    entrypoint: redisEntrypoint,
    changes: [`ENV PATH ${path}`, 'WORKDIR /data', 'EXPOSE 6379', 'CMD ["redis-server"]'],
  };
}

export function nginxImage(tag: string): ContainerImage {
  return {
    name: `nginx:${tag}`,
    entrypoint: nginxEntrypoint,
    changes: [`ENV PATH ${path}`, 'STOPSIGNAL SIGQUIT', 'EXPOSE 80', 'CMD ["nginx", "-g", "daemon off;"]'],
  };
}
