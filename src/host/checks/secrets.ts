import { accessSync, constants, existsSync, lstatSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Failure } from '../../core/errors.ts';
import { minuteText } from '../../core/time-text.ts';
import { isPending } from '../stack/rotation.ts';
import { checkModes } from '../stack/secrets-files.ts';
import { containerUser, stackLayout } from '../stack/stack-layout.ts';
import { type Check, failed, ok, skipped, warning } from './check.ts';
import type { DoctorContext } from './doctor-context.ts';
import { wrongRights } from './file-rights.ts';
import { serviceUserOf } from './folders.ts';
import { serviceIfRunning } from './service.ts';

const fileNames = ['app.env', 'acme.env', 'postgres.env', 'redis.env', 'redis.password.conf', 'geoip.key'];

const configuration: Check<DoctorContext> = {
  name: 'configuration',
  title: 'configuration',
  async run(context) {
    const { configuration, installed } = context;
    const { problems, warnings, secretsFolder } = configuration;
    if (secretsFolder === undefined && installed) {
      return failed('/etc/appliance/secrets is missing', 'sudo appliance install --yes writes it anew');
    }
    if (secretsFolder !== undefined && existsSync(secretsFolder))
      accessSync(secretsFolder, constants.R_OK | constants.X_OK);
    const dangling = secretsFolder === undefined ? undefined : danglingLinkIn(secretsFolder);
    if (dangling !== undefined)
      return failed(`${dangling} is a link that leads nowhere`, `sudo rm ${dangling}`);
    if (problems.length > 0) return failed(problems.join('; '), 'sudo appliance config check');
    const refused = (await serviceIfRunning(context).catch(() => undefined))?.refusedReload;
    if (refused !== undefined) {
      return failed(
        `the service refused it ${minuteText(refused.atMs)} and serves with the one before: ${refused.reason}`,
        'sudo systemctl reload appliance',
      );
    }
    if (warnings.length > 0) return warning(warnings.join('; '), 'sudo appliance config check');
    return ok(secretsFolder ?? 'there is no folder of it: defaults and the environment count');
  },
};

function danglingLinkIn(folder: string): string | undefined {
  return [folder, ...fileNames.map((name) => join(folder, name))].find(
    (path) => lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() && !existsSync(path),
  );
}

/** Nobody else may read or change them, and the service has to be able to read them. */
const modes: Check<DoctorContext> = {
  name: 'secrets-modes',
  title: 'rights to the secrets',
  async run({ host, configuration: { secretsFolder }, installed }) {
    if (secretsFolder === undefined) return skipped('there is no folder of secrets');
    if (existsSync(secretsFolder)) accessSync(secretsFolder, constants.R_OK | constants.X_OK);
    try {
      await checkModes(secretsFolder, fileNames);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return failed(
        error.message.replaceAll('\n', '; '),
        `sudo sh -c '${error.remedy?.split('; ')[0] ?? ''}'`,
      );
    }
    const user = installed ? serviceUserOf(host) : undefined;
    if (user === undefined) return ok('are as they should be');
    const closed = foldersAbove(secretsFolder).find((path) => !grants(path, user, 0o1));
    if (closed !== undefined) {
      return failed(`the service may not enter ${closed}`, `sudo chmod 0755 ${closed}`);
    }
    for (const path of [secretsFolder, ...fileNames.map((name) => join(secretsFolder, name))]) {
      const found = statSync(path, { throwIfNoEntry: false });
      if (found === undefined || grants(path, user, found.isDirectory() ? 0o5 : 0o4)) continue;
      const mode = found.isDirectory() ? '0750' : '0640';
      return failed(
        `the service may not read ${path}`,
        `sudo chown root:appliance ${path} && sudo chmod ${mode} ${path}`,
      );
    }
    return ok('the service reads them, root changes them, nobody else');
  },
};

/** From the root of the disk down. */
function foldersAbove(path: string): string[] {
  const above = dirname(path);
  return above === path ? [] : [...foldersAbove(above), above];
}

/** Whether a user has the rights to a path that exists: 4 to read, 1 to enter. The first of owner, group and others counts. */
function grants(path: string, user: { readonly uid: number; readonly gid: number }, rights: number): boolean {
  const { uid, gid, mode } = statSync(path);
  const shift = uid === user.uid ? 6 : gid === user.gid ? 3 : 0;
  return ((mode >> shift) & rights) === rights;
}

const stackSecrets: Check<DoctorContext> = {
  name: 'stack-secrets',
  title: 'secrets of the containers',
  run({ installed, dataFolder, containers }) {
    if (!containers) return skipped('database and cache are not containers here');
    const { secretsFolder } = stackLayout({ installed, dataDir: dataFolder });
    if (!existsSync(secretsFolder)) return failed(`${secretsFolder} is missing`, 'sudo appliance stack up');
    const wrong =
      wrongRights(secretsFolder, { forbidden: 0o077, mode: 0o700, ...(installed ? { owners: [0] } : {}) }) ??
      ['postgres', 'redis']
        .flatMap((name) => [
          { path: join(secretsFolder, name), mode: 0o500 },
          { path: join(secretsFolder, name, 'redis.password.conf'), mode: 0o400 },
          { path: join(secretsFolder, name, 'superuser.verifier'), mode: 0o400 },
        ])
        .map(({ path, mode }) =>
          wrongRights(path, { forbidden: 0o077, mode, owners: [containerUser.uid], ownerName: '999:999' }),
        )
        .find((found) => found !== undefined);
    return wrong === undefined
      ? ok('are for root and each container alone')
      : failed(wrong.words, wrong.remedy);
  },
};

const rotation: Check<DoctorContext> = {
  name: 'secrets-rotation',
  title: 'change of passwords',
  async run({ configuration: { secretsFolder } }) {
    if (secretsFolder === undefined) return skipped('there is no folder of secrets');
    accessSync(secretsFolder, constants.R_OK | constants.X_OK);
    const pending: string[] = [];
    for (const name of ['postgres', 'redis']) if (await isPending(secretsFolder, name)) pending.push(name);
    if (pending.length === 0) return ok('none is under way');
    return failed(
      `a new password for ${pending.join(' and ')} is only half in place`,
      'sudo appliance secrets rotate brings it to its end',
    );
  },
};

const alert: Check<DoctorContext> = {
  name: 'alert-command',
  title: 'word to a person',
  run({ configuration: { values } }) {
    if (values.alertCommand !== undefined) return ok('APP_ALERT_COMMAND tells of trouble');
    return skipped(
      'not set: nobody is told when a certificate, a backup or the disk is in trouble',
      `set APP_ALERT_COMMAND in app.env, then: sudo systemctl reload appliance`,
    );
  },
};

export const secretChecks: readonly Check<DoctorContext>[] = [
  configuration,
  modes,
  stackSecrets,
  rotation,
  alert,
];
