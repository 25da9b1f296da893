import { becomeOwner, makeDataFolder, ownerToBecome } from '../adapters/data-folder-owner.ts';
import type { CertificateService, RenewOptions } from '../certificates/certificate-service.ts';
import type { Config } from '../config/schema.ts';
import { ListenError } from '../http/listen-error.ts';
import { portHolder } from '../core/port-holder.ts';

/** Certificates where no service runs: this process does the work, below the data folder as that folder's owner. */
export function certificatesAlone(config: Config) {
  return {
    renewCerts: (options: RenewOptions, progress: (step: string) => void, signal: AbortSignal) =>
      alone(config, (certificates) => certificates.renew(options, progress, signal)),
    importCertificate: ({ chain, key }: { readonly chain: string; readonly key: string }) =>
      alone(config, (certificates) => certificates.import(chain, key)),
  };
}

async function alone<Result>(
  config: Config,
  act: (certificates: CertificateService) => Promise<Result>,
): Promise<Result> {
  const { createHttpChallengeResponder } = await import('../adapters/challenge-responder-http.ts');
  const { createLogger } = await import('../adapters/logger-pino.ts');
  const { createCertificates } = await import('./certificates.ts');
  const { listenHost: host, httpPort: port } = config;
  const responder = createHttpChallengeResponder({
    host,
    port,
    explain: (error) => ListenError.from(host, port, error, portHolder(port)),
  });
  const owner = ownerToBecome(config.dataDir);
  if (owner !== undefined) {
    // a port below 1024 is root's to open
    await responder.open();
    becomeOwner(owner);
  }
  // What happens is told as progress and outcome: the log would say it twice.
  const log = createLogger('fatal');
  const serve = () => Promise.resolve();
  try {
    makeDataFolder(config.dataDir);
    return await act(createCertificates({ config, responder, log, holder: 'appliance renew-certs', serve }));
  } finally {
    await responder.close();
  }
}
