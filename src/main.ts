import './core/early-signals.ts';
import { writeFileSync } from 'node:fs';
import { adminUserCommands } from './cli/admin-user.ts';
import { backupCreate, backupList, backupScheduled } from './cli/backup.ts';
import { backupExport } from './cli/backup-export.ts';
import { backupRestore } from './cli/backup-restore.ts';
import { backupVerify } from './cli/backup-verify.ts';
import type { Command, Io } from './cli/command.ts';
import { completionCommand } from './cli/completion.ts';
import { configCheck, configShow } from './cli/config.ts';
import { type Doctor, doctorCommand } from './cli/doctor.ts';
import { installCommand, type Installer } from './cli/install.ts';
import { runCommandLine } from './cli/run.ts';
import { manPageCommand } from './cli/man-page.ts';
import { nativeFileCommand } from './cli/native-file.ts';
import { renewCertsCommand } from './cli/renew-certs.ts';
import { secretsInitCommand } from './cli/secrets-init.ts';
import { secretsRotateCommand } from './cli/secrets-rotate.ts';
import { type Serve, serveCommand } from './cli/serve.ts';
import { shellFiles } from './cli/shell-files.ts';
import { shellCommands } from './cli/shells.ts';
import { stackCommands } from './cli/stack.ts';
import { statusCommand } from './cli/status.ts';
import { uninstallCommand } from './cli/uninstall.ts';
import { type Upgrader, upgradeCommands } from './cli/upgrade.ts';
import { upgradePostgresCommand } from './cli/upgrade-postgres.ts';
import { versionCommand } from './cli/version.ts';
import { workerCommand } from './cli/worker.ts';
import { exitCodes, type ExitCode } from './core/errors.ts';
import { written } from './core/written.ts';
import { admin } from './wire/admin.ts';
import { backups } from './wire/backup.ts';
import { restores } from './wire/backup-restore.ts';
import { certificatesAlone } from './wire/certificates-alone.ts';
import { readCertbotLineage } from './wire/certbot.ts';
import { writeNativeFile } from './wire/native-file.ts';
import { secrets } from './wire/secrets.ts';
import { stack } from './wire/stack.ts';
import { statusParts } from './wire/status.ts';
import { uninstaller } from './wire/uninstall.ts';

nameProcess(process.argv[2] === 'worker' ? 'appliance-work' : 'appliance');

const io: Io = {
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
  workingFolder: process.cwd(),
};
// a worker does without the code of its supervisor, and the short commands without either
const serve: Serve = async (...parts) => (await import('./wire/serve.ts')).serve(...parts);
const work = async () => (await import('./wire/worker.ts')).work();
const doctor: Doctor = { run: async (...parts) => (await import('./wire/doctor.ts')).doctor.run(...parts) };
const upgrades = async () => (await import('./wire/upgrade-host.ts')).upgrader;
const upgrader: Upgrader = {
  begin: async (...parts) => (await upgrades()).begin(...parts),
  apply: async (...parts) => (await upgrades()).apply(...parts),
  settle: async (...parts) => (await upgrades()).settle(...parts),
  examine: async (...parts) => (await upgrades()).examine(...parts),
  renewFiles: async (...parts) => (await upgrades()).renewFiles(...parts),
};
// a dozen commands do without the code of an install
const installer: Installer = {
  facts: async (...parts) => (await import('./wire/install.ts')).installer.facts(...parts),
  withPlan: async (...parts) => (await import('./wire/install.ts')).installer.withPlan(...parts),
};
const commands: readonly Command[] = [
  installCommand(installer, () => shellFiles(commands)),
  serveCommand(serve),
  statusCommand(statusParts),
  doctorCommand(doctor),
  renewCertsCommand({ alone: certificatesAlone, readCertbotLineage }),
  configCheck,
  configShow,
  ...stackCommands(stack),
  upgradePostgresCommand(stack),
  ...shellCommands(stack),
  backupCreate(backups),
  backupList(backups),
  backupVerify(restores),
  backupRestore(restores),
  backupExport(backups),
  secretsInitCommand(secrets),
  secretsRotateCommand(secrets),
  ...upgradeCommands(upgrader, () => shellFiles(commands)),
  ...adminUserCommands(admin),
  uninstallCommand(uninstaller),
  completionCommand(() => commands),
  versionCommand,
  backupScheduled(backups),
  manPageCommand(() => commands),
  nativeFileCommand(writeNativeFile),
  workerCommand(work),
];

// Whoever reads may have seen enough, as `head` has, or the disk below may be full. A service goes on without its
// greeting; any other command has not done its work when its output is lost.
let outputLost: NodeJS.ErrnoException | undefined;
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') outputLost ??= error;
});
process.stderr.on('error', () => {});

// no `await` here: the packaged binary is one CommonJS file
void runCommandLine(process.argv.slice(2), commands, io).then(exitWhenWritten);

/** A pipe takes 64 KiB at once: the rest, of both streams, must have gone before the process may. */
async function exitWhenWritten(exitCode: ExitCode): Promise<void> {
  await written(process.stdout);
  const lost = outputLost !== undefined && process.argv[2] !== 'serve';
  if (lost) process.stderr.write(`error: the output could not be written: ${outputLost?.message}\n`);
  await written(process.stderr);
  process.exit(lost ? exitCodes.fault : exitCode);
}

/** What `ps` and `top` show, fifteen characters at most. `process.title` would overwrite the arguments as well. */
function nameProcess(name: string): void {
  try {
    writeFileSync('/proc/self/comm', name);
  } catch {
    // without /proc it keeps the name of Node's thread
  }
}
