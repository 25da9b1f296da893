import { setTimeout as wait } from 'node:timers/promises';
import { listeningUsers, portListener, type PortListener } from '../../core/port-holder.ts';
import { type Check, failed, type Finding, type HostContext, ok, skipped, warning } from './check.ts';
import { serviceUserOf } from './folders.ts';

const looks = 20;
const betweenLooksMs = 100;

/** Whether a port is free, or held by us. */
function port(name: string, title: string, numberOf: (context: HostContext) => number): Check {
  return {
    name,
    title,
    async run(context) {
      const { host } = context;
      const number = numberOf(context);
      const proc = host.path('/proc');
      const isOurUser = (uid: number) => uid === serviceUserOf(host)?.uid;
      for (let look = 0; look < looks; look++) {
        const listener = portListener(number, proc);
        if (listener !== undefined)
          return isOurs(listener) ? ok(`port ${number} is ours`) : taken(context, number, listener);
        const users = [...listeningUsers(number, proc)];
        if (users.length === 0) return ok(`nobody listens on port ${number}`);
        if (users.every(isOurUser)) return ok(`port ${number} is ours`);
        if (host.uid !== 0) return skipped(`who holds port ${number} is root's to see`, 'use sudo');
        // who is ending, or has just given its place to another, is not seen, and gone in a moment
        await wait(betweenLooksMs);
      }
      return failed(
        `somebody listens on port ${number} who cannot be seen from here`,
        `sudo ss -ltnp 'sport = ${number}'`,
      );
    },
  };
}

function isOurs({ name, unit }: PortListener): boolean {
  return name === 'appliance' && (unit === undefined || unit === 'appliance.service');
}

async function taken(
  { host }: HostContext,
  port: number,
  { name, pid, unit }: PortListener,
): Promise<Finding> {
  const words = `port ${port} is held by ${name} (process ${pid})`;
  if (name === 'docker-proxy') {
    const format = '{{.Names}} {{.Label "com.docker.compose.project"}}';
    const { stdout } = await host.run('docker', ['ps', '--filter', `publish=${port}`, '--format', format]);
    const [container, project] = stdout.trim().split(/\s+/);
    if (!container) return failed(`${words}, for a container`, `sudo docker ps --filter publish=${port}`);
    return project
      ? failed(
          `${words}, for the container ${container} of another stack, ${project}`,
          `sudo docker compose --project-name ${project} down`,
        )
      : failed(`${words}, for the container ${container}`, `sudo docker stop ${container}`);
  }
  if (unit !== undefined && !unit.startsWith('user@')) {
    return failed(`${words}, of ${unit}`, `sudo systemctl disable --now ${unit}`);
  }
  return failed(words, `sudo kill ${pid}`);
}

/** They would take the ports at the next start of the host. */
const webServers = ['nginx', 'apache2', 'httpd', 'caddy', 'lighttpd', 'haproxy', 'traefik'];

const otherWebServer: Check = {
  name: 'other-web-server',
  title: 'other web servers',
  async run({ host }) {
    const units = webServers.map((name) => `${name}.service`);
    // one line each, in their order; it exits with 1 where one is not enabled
    const { stdout, exitCode, stderr } = await host.run('systemctl', ['is-enabled', ...units]);
    const states = stdout.trim().split('\n');
    if (states.length !== units.length)
      return skipped(`systemctl tells nothing (${exitCode}): ${stderr.trim()}`);
    const enabled = units.filter((_, index) => states[index] === 'enabled');
    if (enabled.length === 0) return ok('none is set to start');
    return warning(
      `${enabled.join(', ')} will start with the host and may take the ports`,
      `sudo systemctl disable --now ${enabled.join(' ')}`,
    );
  },
};

export const portChecks: readonly Check[] = [
  port('http-port', 'port for HTTP', ({ httpPort }) => httpPort),
  port('https-port', 'port for HTTPS', ({ httpsPort }) => httpsPort),
  otherWebServer,
];
