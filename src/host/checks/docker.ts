import { composePackages, howToInstall } from '../stack/docker.ts';
import { type Check, failed, ok, skipped } from './check.ts';

const unwanted = 'database and cache are not containers here';
const engineLimitMs = 8000;

/** Present, and its engine answers. */
const docker: Check = {
  name: 'docker',
  title: 'Docker',
  async run({ host, containers }) {
    if (!containers) return skipped(unwanted);
    const { exitCode, stdout, stderr } = await host.run(
      'docker',
      ['version', '--format', '{{.Server.Version}}'],
      engineLimitMs,
    );
    if (exitCode === 0) return ok(`Docker ${stdout.trim()} answers`);
    if (exitCode === 127) {
      return failed('docker is not installed', howToInstall(host.text('/etc/os-release') ?? ''));
    }
    if (exitCode === 124) {
      return failed(
        `docker has not answered within ${engineLimitMs / 1000} s`,
        'sudo systemctl restart docker',
      );
    }
    if (/permission denied/i.test(stderr)) return skipped('this user may not ask docker', 'use sudo');
    return failed('the docker engine does not answer', 'sudo systemctl start docker');
  },
};

const compose: Check = {
  name: 'compose',
  title: 'Docker Compose',
  async run({ host, containers }) {
    if (!containers) return skipped(unwanted);
    const { exitCode, stdout } = await host.run('docker', ['compose', 'version', '--short']);
    const version = /^v?(\d+)\.\S*/.exec(stdout.trim());
    if (version !== null && Number(version[1]) >= 2) return ok(`Docker Compose ${version[0]}`);
    if (exitCode === 124)
      return failed('docker compose has not answered in time', 'sudo systemctl restart docker');
    const release = host.text('/etc/os-release') ?? '';
    return failed(
      'docker has no "docker compose" of version 2 or later',
      howToInstall(release, exitCode === 127 ? undefined : await composePackages(release, host.run)),
    );
  },
};

export const dockerChecks: readonly Check[] = [docker, compose];
