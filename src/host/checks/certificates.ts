import { rootCertificates, getCACertificates } from 'node:tls';
import { X509Certificate } from 'node:crypto';
import { clockToleranceMs } from '../../core/clock.ts';
import { minuteText } from '../../core/time-text.ts';
import type { CertificateView } from '../../ports/service-view.ts';
import { type Check, failed, type Finding, ok, skipped, warning } from './check.ts';
import { type CertificateFiles, readCertificates } from './certificate-files.ts';
import type { DoctorContext } from './doctor-context.ts';
import { wrongRights } from './file-rights.ts';
import { serviceIfRunning } from './service.ts';

const renew = 'sudo appliance renew-certs';
const dayMs = 24 * 3_600_000;

/** One that is wanted, as the service tells of it, or, where that does not run, as the files do. */
type Standing = Pick<CertificateView, 'names' | 'state' | 'notBefore' | 'notAfter' | 'lastError'>;

async function standings(context: DoctorContext): Promise<readonly Standing[]> {
  const wanted = context.configuration.values.certificates ?? [];
  const told = (await serviceIfRunning(context))?.certificates ?? [];
  if (told.length > 0) return told;
  const files = readCertificates(context.dataFolder);
  return wanted.map((names) => {
    const facts = files
      .flatMap(({ pair }) => (pair === undefined ? [] : [pair.facts]))
      .filter((each) => names.every((name) => covers(each.names, name)))
      .toSorted((a, b) => b.notAfter - a.notAfter)[0];
    if (facts === undefined) return { names, state: 'stand-in' };
    const { notBefore, notAfter } = facts;
    const now = context.host.now();
    const ended = notAfter <= now ? 'expired' : 'valid';
    return {
      names,
      state: notBefore > now + clockToleranceMs ? 'not-yet-valid' : ended,
      notBefore,
      notAfter,
    };
  });
}

function covers(names: readonly string[], name: string): boolean {
  return names.includes(name) || names.includes(name.replace(/^[^.]+/, '*'));
}

/** Asks `judge` of each that is wanted: the first that is not well is what is told. */
function eachWanted(
  name: string,
  title: string,
  allWell: string,
  judge: (standing: Standing, now: number) => Finding | undefined,
): Check<DoctorContext> {
  return {
    name,
    title,
    async run(context) {
      const all = await standings(context);
      if (all.length === 0) return skipped('CERT_DOMAIN is not set');
      const found = all.flatMap((standing) => judge(standing, context.host.now()) ?? []);
      return found.find(({ state }) => state === 'failed') ?? found[0] ?? ok(allWell);
    },
  };
}

/** Renewal is due with a third of the life left: with a fifth it has been tried in vain for long. */
const lateShare = 1 / 5;

const expiry = eachWanted('certificate-expiry', 'life of certificates', 'none ends soon', (standing, now) => {
  const { names, notBefore, notAfter } = standing;
  const [name = ''] = names;
  if (notAfter === undefined || notBefore === undefined) return undefined;
  if (notAfter <= now) return failed(`${name}: expired ${minuteText(notAfter)}`, `${renew} --domain ${name}`);
  if (notBefore > now + clockToleranceMs)
    return failed(
      `${name}: not valid before ${minuteText(notBefore)}, by the clock of this host`,
      `sudo timedatectl set-ntp true; where the clock is right: ${renew} --force --domain ${name}`,
    );
  if (notAfter - now > (notAfter - notBefore) * lateShare) return undefined;
  const days = Math.floor((notAfter - now) / dayMs);
  return failed(
    `${name}: ends ${minuteText(notAfter)}, in ${days === 1 ? 'a day' : `${days} days`}, and was not renewed`,
    `${renew} --domain ${name}`,
  );
});

const standIn = eachWanted(
  'certificate-stand-in',
  'stand-ins',
  'every name has a certificate',
  ({ names, state }) =>
    state === 'stand-in'
      ? failed(
          `${names.join(', ')}: no certificate yet, a self-signed stand-in serves`,
          `${renew} --domain ${names[0]}`,
        )
      : undefined,
);

const renewal = eachWanted(
  'certificate-renewal',
  'last try to renew',
  'none has failed',
  ({ names, lastError }) =>
    lastError === undefined
      ? undefined
      : warning(
          `${names[0]}: ${lastError.message}${lastError.failures > 1 ? ` (${lastError.failures} times)` : ''}`,
          lastError.remedy ?? renew,
        ),
);

/** Asks `judge` of each that lies in the store. */
function eachStored(
  name: string,
  title: string,
  allWell: string,
  judge: (files: CertificateFiles, context: DoctorContext) => Finding | undefined,
): Check<DoctorContext> {
  return {
    name,
    title,
    run(context) {
      const all = readCertificates(context.dataFolder);
      if (all.length === 0) return skipped('there is no certificate');
      const found = all.flatMap((files) => judge(files, context) ?? []);
      return found.find(({ state }) => state === 'failed') ?? found[0] ?? ok(allWell);
    },
  };
}

const pair = eachStored(
  'certificate-pair',
  'certificates and their keys',
  'belong together',
  ({ folder, problem }) =>
    problem === undefined
      ? undefined
      : failed(`${folder}: ${problem}`, `sudo mv ${folder} /root/ && ${renew}`),
);

/** Root certificates: those that Node brings, and those of the host. */
function trusted(): readonly X509Certificate[] {
  return [...rootCertificates, ...getCACertificates('system')].map((text) => new X509Certificate(text));
}

const chain = eachStored(
  'certificate-chain',
  'chains of certificates',
  'verify',
  ({ folder, chain: links, pair }, { host, configuration: { values } }) => {
    // told by certificate-pair
    if (pair === undefined || links.length === 0) return undefined;
    const again = `${renew} --force --domain ${pair.facts.names[0]}`;
    for (const [index, link] of links.entries()) {
      const issuer = links[index + 1];
      if (index > 0 && link.validToDate.getTime() <= host.now()) {
        return failed(`${folder}: certificate ${index + 1} of the chain has expired`, again);
      }
      if (issuer !== undefined && !(link.checkIssued(issuer) && link.verify(issuer.publicKey))) {
        return failed(
          `${folder}: certificate ${index + 2} of the chain has not signed the one before it`,
          again,
        );
      }
    }
    const last = links.at(-1)!;
    // of a private authority only its own clients know the root
    if (values.certCaFile !== undefined) return undefined;
    const known = trusted().some((root) => last.checkIssued(root) && last.verify(root.publicKey));
    if (known) return undefined;
    return links.length === 1 && !last.checkIssued(last)
      ? failed(
          `${folder}: the chain ends before a root that is trusted: an intermediate certificate is missing`,
          again,
        )
      : warning(
          `${folder}: no root that is trusted has signed the chain: ${last.issuer.replaceAll('\n', ', ')}`,
          again,
        );
  },
);

const rights = eachStored(
  'certificate-rights',
  'rights to keys',
  'the service alone reads them',
  ({ folder, keyFile }) => {
    const wrong =
      wrongRights(keyFile, { forbidden: 0o077, mode: 0o600 }) ??
      wrongRights(folder, { forbidden: 0o022, mode: 0o700 });
    return wrong === undefined ? undefined : failed(wrong.words, wrong.remedy);
  },
);

export const certificateChecks: readonly Check<DoctorContext>[] = [
  expiry,
  standIn,
  renewal,
  pair,
  chain,
  rights,
];
