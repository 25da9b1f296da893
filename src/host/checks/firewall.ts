import { type Check, type Finding, type HostContext, ok, skipped, warning } from './check.ts';

/** ufw and firewalld, the two that people have: active without our ports, nobody reaches us. */
const firewall: Check = {
  name: 'firewall',
  title: 'firewall',
  async run(context) {
    const findings = (await Promise.all([ufw(context), firewalld(context)])).filter(
      (each) => each !== undefined,
    );
    return (
      findings.find(({ state }) => state === 'warning') ??
      findings.find(({ state }) => state === 'skipped') ??
      findings[0] ??
      ok('neither ufw nor firewalld is active')
    );
  },
};

async function ufw({ host, httpPort, httpsPort }: HostContext): Promise<Finding | undefined> {
  if (!/^ENABLED=["']?yes/im.test(host.text('/etc/ufw/ufw.conf') ?? '')) return undefined;
  if (host.uid !== 0) return skipped("what ufw lets in is root's to see", 'use sudo');
  const { stdout, exitCode } = await host.run('ufw', ['status']);
  if (exitCode !== 0)
    return skipped('ufw is set to be active and does not tell its rules', 'sudo ufw status');
  if (!/^Status: active/m.test(stdout)) return undefined;
  const allows = (port: number) =>
    new RegExp(
      String.raw`^(${port}(/tcp)?|80,443/tcp|Anywhere|(Nginx|Apache|WWW) Full)( \(v6\))? +ALLOW`,
      'm',
    ).test(stdout);
  const missing = [httpPort, httpsPort].filter((port) => !allows(port));
  if (missing.length === 0) return ok('ufw lets the ports in');
  return warning(
    `ufw is active and does not let in port ${missing.join(' and ')}`,
    missing.map((port) => `sudo ufw allow ${port}/tcp`).join(' && '),
  );
}

async function firewalld({ host, httpPort, httpsPort }: HostContext): Promise<Finding | undefined> {
  const state = await host.run('firewall-cmd', ['--state']);
  if (state.exitCode !== 0) return undefined;
  const listed = await host.run('firewall-cmd', ['--list-all']);
  if (listed.exitCode !== 0) return skipped("what firewalld lets in is root's to see", 'use sudo');
  const words = (key: string) =>
    new RegExp(`^ *${key}: *(.*)$`, 'm').exec(listed.stdout)?.[1]?.trim().split(/\s+/) ?? [];
  const service: Readonly<Record<number, string>> = { 80: 'http', 443: 'https' };
  const missing = [httpPort, httpsPort].filter(
    (port) => !words('ports').includes(`${port}/tcp`) && !words('services').includes(service[port] ?? ''),
  );
  if (missing.length === 0 || /^ *target: ACCEPT/m.test(listed.stdout))
    return ok('firewalld lets the ports in');
  const flags = missing.map((port) => `--add-port=${port}/tcp`).join(' ');
  return warning(
    `firewalld is active and does not let in port ${missing.join(' and ')}`,
    `sudo firewall-cmd --permanent ${flags} && sudo firewall-cmd --reload`,
  );
}

export const firewallChecks: readonly Check[] = [firewall];
