import { type Check, failed, ok, skipped, warning } from './check.ts';
import type { Host } from './host.ts';

/** A chain of rules for what comes in, in the words of iptables-save or nft. */
interface Incoming {
  readonly program: 'iptables' | 'ip6tables' | 'nft';
  readonly rules: readonly string[];
  /** What becomes of a packet that no rule is for. */
  readonly dropsByDefault: boolean;
}

/** Rules that somebody wrote by hand, or that a firewall left: what they drop, callers and certificate authorities miss. */
const packetFilter: Check = {
  name: 'packet-filter',
  title: 'rules of the packet filter',
  async run({ host, httpPort, httpsPort }) {
    if (host.uid !== 0) return skipped('only root may see the rules', 'use sudo');
    const chains = (
      await Promise.all([iptables(host, 'iptables'), iptables(host, 'ip6tables'), nft(host)])
    ).flat();
    for (const port of [httpPort, httpsPort]) {
      for (const { program, rules, dropsByDefault } of chains) {
        const about = rules.filter((rule) => isAbout(rule, port));
        const [first] = about;
        if (first !== undefined && drops(first)) {
          return failed(
            `a rule drops what comes to port ${port}: ${first.trim()}`,
            program === 'nft'
              ? 'sudo nft --handle list ruleset shows its number, sudo nft delete rule removes it'
              : `sudo ${program} ${first.trim().replace(/^-A/, '-D')}`,
          );
        }
        if (first === undefined && dropsByDefault && !rules.some(acceptsAll)) {
          return warning(
            `${program} drops what no rule lets in, and none lets in port ${port}`,
            program === 'nft'
              ? `sudo nft add rule inet filter input tcp dport ${port} accept`
              : `sudo ${program} -I INPUT -p tcp --dport ${port} -j ACCEPT`,
          );
        }
      }
    }
    return ok('none keeps the ports closed');
  },
};

/** Firewalls that manage chains of their own, which "firewall" looks at. */
const managed = /ufw|firewalld|IN_public/;

async function iptables(host: Host, program: 'iptables' | 'ip6tables'): Promise<Incoming[]> {
  const { exitCode, stdout } = await host.run(program, ['-S', 'INPUT']);
  if (exitCode !== 0 || managed.test(stdout)) return [];
  const rules = stdout.split('\n').filter((line) => line.startsWith('-A INPUT'));
  return [{ program, rules, dropsByDefault: /^-P INPUT (DROP|REJECT)/m.test(stdout) }];
}

/** Tables that iptables made are left to it. */
async function nft(host: Host): Promise<Incoming[]> {
  const { exitCode, stdout } = await host.run('nft', ['--stateless', 'list', 'ruleset']);
  if (exitCode !== 0) return [];
  const tables = stdout
    .split(/^(?=table )/m)
    .filter(
      (text) => !/^table ip6? filter/.test(text) || !/xt |counter packets \d+ bytes \d+ jump/.test(text),
    );
  return tables
    .filter((text) => !managed.test(text))
    .flatMap((text) => text.split(/^(?=\tchain )/m))
    .filter((chain) => /hook input/.test(chain))
    .map((chain) => ({
      program: 'nft',
      rules: chain.split('\n').slice(2),
      dropsByDefault: /hook input[^\n]*policy drop/.test(chain),
    }));
}

function isAbout(rule: string, port: number): boolean {
  const ports = /(?:--dports?|dport) +(?:\{ *)?(\d+(?: *[,:-] *\d+)*)/.exec(rule)?.[1];
  if (ports === undefined || /-s (?!0\.0\.0\.0\/0|::\/0)|\bsaddr\b|-i (?!\S*\+)|\biif(name)?\b/.test(rule))
    return false;
  return ports.split(',').some((part) => {
    const [from = NaN, to = from] = part.trim().split(/[:-]/).map(Number);
    return port >= from && port <= to;
  });
}

function drops(rule: string): boolean {
  return /-j (DROP|REJECT)\b|\b(drop|reject)\b/.test(rule);
}

/** A rule without any condition of where to. */
function acceptsAll(rule: string): boolean {
  return /^-A INPUT -j ACCEPT$|^\s*accept$/.test(rule.trim());
}

export const packetFilterChecks: readonly Check[] = [packetFilter];
