import { join } from 'node:path';
import { Failure } from '../../core/errors.ts';
import type { ProgramResult } from '../run-program.ts';
import { volumesFolder, volumesOnDisk } from './kept-in-containers.ts';
import { lookAt } from './removal.ts';
import type { UninstallOptions, UninstallPart, UninstallStep } from './uninstall.ts';
import { stackUnit, unitsFolder } from './units.ts';

/** Compose marks what it makes, so that neither its plugin nor the compose file has to be there still. */
const project = 'label=com.docker.compose.project=appliance';
const composeFolder = '/etc/appliance/compose';
const folderLabel = 'com.docker.compose.project.working_dir';
const ofPostgres = 'label=com.docker.compose.volume=postgres';

const missing = 127;
/** An engine that hangs answers nothing at all. */
const askMs = 20_000;
/** PostgreSQL has a minute to end, as its container says. */
const workMs = 180_000;

/** Ends the containers and their networks; with `purge` the volumes go too. Images stay. */
export async function removeContainers({ purge, run, root = '' }: UninstallOptions): Promise<UninstallPart> {
  const docker = (args: readonly string[], timeoutMs = askMs): Promise<ProgramResult> =>
    run('docker', args, { timeoutMs });
  const listed = async (...args: readonly string[]): Promise<readonly string[]> => {
    const { exitCode, stdout, stderr } = await docker(args);
    if (exitCode === 0) return stdout.split('\n').filter((line) => line !== '');
    throw refused(`docker ${args[0]} ${args[1]}`, stderr);
  };
  const containers = async () => {
    const form = `{{.ID}}\t{{.Names}}\t{{.Label "${folderLabel}"}}`;
    const all = await listed('container', 'ls', '--all', '--filter', project, '--format', form);
    const found = all.map((line) => line.split('\t'));
    const isOurs = ([, , folder]: readonly string[]) => folder === composeFolder;
    return {
      ours: found.filter(isOurs).map(([id = '', name = '']) => ({ id, name })),
      foreign: found.filter((each) => !isOurs(each)).map(([, name = '']) => name),
    };
  };
  const networks = () => listed('network', 'ls', '--quiet', '--filter', project);
  const volumes = () => listed('volume', 'ls', '--quiet', '--filter', project, '--filter', ofPostgres);

  const engine = await docker(['version', '--format', '{{.Server.Version}}']);
  if (engine.exitCode !== 0) {
    // a purge takes all else away, and then these alone tell of it
    const left = await volumesOnDisk(root + volumesFolder);
    if (left.length === 0 && !(await lookAt(root + composeFolder))) return {};
    const volume = left.length === 0 ? '' : `, with the volume ${left.join(', ')}`;
    if (engine.exitCode === missing)
      return {
        stays: [
          `containers, volumes and images below /var/lib/docker, if they are there still${volume}: Docker is gone`,
        ],
      };
    const why = engine.stderr.trim().split('\n').at(-1);
    return {
      unknown: [
        `Docker does not answer (${why || 'no answer in time'}), so its containers are not looked at${volume}: mend it (systemctl status docker), then run this again with the file of the release: sudo ./appliance uninstall${purge ? ' --purge' : ''}`,
      ],
    };
  }

  const { ours, foreign } = await containers();
  const kept = await volumes();
  const stays =
    foreign.length > 0
      ? [`containers ${foreign.join(', ')}: another compose project of that name made them`]
      : [];
  const steps: UninstallStep[] = [];
  const nets = foreign.length > 0 ? [] : await networks();
  // one that is starting may have them up by the time it is stopped
  const starts = (await lookAt(join(root, unitsFolder, stackUnit))) !== undefined;
  if (ours.length > 0 || nets.length > 0 || starts) {
    const known = [...ours.map(({ name }) => name), ...(nets.length > 0 ? ['their network'] : [])];
    steps.push({
      name: 'remove-containers',
      does: `end ${known.length > 0 ? known.join(', ') : 'the containers, where there are any'}`,
      async run() {
        const ids = (await containers()).ours.map(({ id }) => id);
        if (ids.length > 0) {
          // in their own time, each as long as it asked for, unless what they keep goes too
          if (!purge) await docker(['container', 'stop', ...ids], workMs);
          await done(docker(['container', 'rm', '--force', ...ids], workMs), 'the containers');
        }
        const left = foreign.length > 0 ? [] : await networks();
        if (left.length > 0) await done(docker(['network', 'rm', ...left], workMs), 'the network');
        return [];
      },
    });
  }
  if (kept.length > 0 && purge && foreign.length === 0) {
    steps.push({
      name: 'remove-volumes',
      does: `delete what PostgreSQL keeps: the volume ${kept.join(', ')}`,
      async run() {
        const names = await volumes();
        if (names.length > 0) await done(docker(['volume', 'rm', ...names], workMs), 'the volume');
        return [];
      },
    });
  } else if (kept.length > 0) stays.push(`the volume ${kept.join(', ')}: what PostgreSQL keeps`);
  if (ours.length > 0 || kept.length > 0) stays.push('images of containers: "docker image ls" shows them');
  return { steps, stays };
}

async function done(result: Promise<ProgramResult>, what: string): Promise<void> {
  const { exitCode, stderr } = await result;
  if (exitCode !== 0) throw refused(`to remove ${what}`, stderr);
}

function refused(what: string, stderr: string): Failure {
  return new Failure(`docker refused: ${what}`, {
    code: 'docker-failed',
    remedy: 'see "journalctl --unit docker", then run this again',
    cause: new Error(stderr.trim().split('\n').at(-1) || 'it was not done in time'),
  });
}
