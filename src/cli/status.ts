import type { Loaded } from '../config/load.ts';
import type { CertificateStatus } from '../certificates/certificate-service.ts';
import { exitCodes, Failure } from '../core/errors.ts';
import { halfUpgraded, halfUpgradedRemedy, halfUpgradedWords } from '../core/half-upgraded.ts';
import type { BackupsStatus } from '../supervisor/control-messages.ts';
import { connectToService, type ServiceStatus } from '../supervisor/control-client.ts';
import type { Command } from './command.ts';
import { loadFor } from './config.ts';
import { runFolderOf } from './run-folder.ts';
import { statusScreen, type Status, type ContainerState, whatNeedsYou } from './status-screen.ts';

export interface StatusParts {
  /**
   * The containers of this host, in one look of a second at most; undefined where there are to be none. Rejects with a Failure
   * where docker does not tell.
   */
  containers(loaded: Loaded): Promise<readonly ContainerState[] | undefined>;
  /** The release that the service would start with; undefined where none is installed. */
  installedRelease(): Promise<string | undefined>;
  /** Why nobody answers, and what helps; undefined where nobody knows more. */
  whyNotRunning(loaded: Loaded): Promise<{ readonly message: string; readonly remedy: string } | undefined>;
}

export const statusCommand = ({ containers, installedRelease, whyNotRunning }: StatusParts): Command => ({
  name: 'status',
  summary: 'show how the service, its containers and its certificates are',
  usage: 'status [--json]',
  examples: [
    { command: 'appliance status', does: 'show all that is known' },
    { command: 'sudo appliance status', does: 'the same, where the service is another user' },
    {
      command: "appliance status --json | jq '.certificates[].notAfter'",
      does: 'when each certificate ends, for a script',
    },
  ],
  options: { json: { help: 'print JSON for scripts' } },
  takesConfiguration: true,
  async run(args, io) {
    const loaded = loadFor(args, io);
    const service = connectToService<CertificateStatus, never>(runFolderOf(loaded));
    const explain = async (error: unknown): Promise<never> => {
      if (!(error instanceof Failure) || error.code !== 'not-running') throw error;
      const why = await whyNotRunning(loaded);
      if (why === undefined) throw error;
      const { code, exitCode } = error;
      throw new Failure(why.message, { code, exitCode, remedy: why.remedy });
    };
    const asked = containers(loaded).catch((error: unknown) => error as Error);
    const all = async (): Promise<Status> => {
      const [status, found, installed] = await Promise.all([
        service.status().catch(explain),
        asked,
        installedRelease().catch(() => undefined),
      ]);
      const told = withCutOff(status, installed);
      return found instanceof Error ? { ...told, containersFailure: found } : { ...told, containers: found };
    };
    if (!args.switches.has('json')) {
      io.stdout.write(`${statusScreen(await all(), Date.now(), io.stdout).join('\n')}\n`);
      return exitCodes.done;
    }
    try {
      const status = await all();
      io.stdout.write(
        toJson({ running: true, needsYou: whatNeedsYou(status, Date.now()), ...forScripts(status) }),
      );
      return exitCodes.done;
    } catch (error) {
      if (!(error instanceof Failure) || error.exitCode !== exitCodes.notRunning) throw error;
      const { code, message, remedy } = error;
      io.stdout.write(toJson({ running: false, error: { code, message, remedy } }));
      return error.exitCode;
    }
  },
});

/** The service cannot know that the link was not led to it. */
function withCutOff(status: ServiceStatus<CertificateStatus>, installed: string | undefined): typeof status {
  const { lastUpgrade, version } = status;
  const half = halfUpgraded(lastUpgrade, version, installed);
  if (lastUpgrade === undefined || half === undefined) return status;
  return {
    ...status,
    lastUpgrade: {
      ...lastUpgrade,
      outcome: 'interrupted',
      reason: halfUpgradedWords(half),
      remedy: halfUpgradedRemedy(half),
    },
  };
}

function toJson(body: object): string {
  return `${JSON.stringify({ schema: 1, ...body }, undefined, 2)}\n`;
}

/** Times as ISO 8601; what is not known is left out. */
function forScripts({ version, pid, startedAt, listenHost, httpPort, httpsPort, ...lists }: Status): object {
  return {
    service: { version, pid, startedAt: iso(startedAt), listenHost, httpPort, httpsPort },
    workers: lists.workers.map((worker) => ({ ...worker, startedAt: iso(worker.startedAt) })),
    containers: lists.containers,
    geoip: lists.geoip?.map(({ type, builtMs, source }) => ({ type, builtAt: iso(builtMs), source })),
    refusedReload: lists.refusedReload && {
      at: iso(lists.refusedReload.atMs),
      reason: lists.refusedReload.reason,
      remedy: lists.refusedReload.remedy,
    },
    lastUpgrade: lists.lastUpgrade && upgradeForScripts(lists.lastUpgrade),
    state: lists.state && {
      ...lists.state,
      database: { ...lists.state.database, since: iso(lists.state.database.since) },
    },
    backups: lists.backups && backupsForScripts(lists.backups),
    certificates: lists.certificates.map((certificate) => ({
      ...certificate,
      notBefore: iso(certificate.notBefore),
      notAfter: iso(certificate.notAfter),
      nextAttemptAt: iso(certificate.nextAttemptAt),
      lastError: certificate.lastError && { ...certificate.lastError, at: iso(certificate.lastError.at) },
    })),
  };
}

function backupsForScripts({ count, newest, lastFailure, unfinishedRestore }: BackupsStatus): object {
  return {
    count,
    newest: newest && {
      name: newest.name,
      encrypted: newest.encrypted,
      createdAt: iso(newest.createdMs),
      verifiedAt: iso(newest.verifiedMs),
      copiedAt: iso(newest.copiedMs),
      copyFailure: newest.copyFailure,
    },
    unfinishedRestore,
    lastFailure: lastFailure && { at: iso(lastFailure.atMs), message: lastFailure.message },
  };
}

function upgradeForScripts({
  from,
  to,
  outcome,
  reason,
  remedy,
  startedMs,
  endedMs,
}: NonNullable<Status['lastUpgrade']>): object {
  return { from, to, outcome, reason, remedy, startedAt: iso(startedMs), endedAt: iso(endedMs) };
}

function iso(at: number | undefined): string | undefined {
  return at === undefined ? undefined : new Date(at).toISOString();
}
