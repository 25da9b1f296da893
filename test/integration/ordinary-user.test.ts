import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { onBareHost } from '../support/bare-host.ts';

it('an ordinary user of an installed host is told to use sudo, and not to open the folder of passwords', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ordinary-user-'));
  chmodSync(folder, 0o755);
  const script = `mkdir -p /etc/appliance/secrets; chmod 0750 /etc/appliance/secrets
    asUser='setpriv --reuid 65534 --regid 65534 --clear-groups'
    for command in 'backup list' 'admin user list' serve 'config show' 'secrets rotate'; do
      appliance $command 2>&1 || echo "ended with $?"
    done`;
  const { stdout } = onBareHost(folder, script);
  rmSync(folder, { recursive: true });
  expect(stdout.match(/^to do: use sudo$/gm)?.length, stdout).toBe(5);
  expect(stdout).not.toMatch(/make this one readable|Let user/);
});
