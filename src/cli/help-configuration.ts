import { configFlags, isVariable } from '../config/flags.ts';
import { settings } from '../config/schema.ts';
import { files, type Setting } from '../config/setting.ts';
import { bold } from './colour.ts';
import type { Output } from './command.ts';
import { labelled, widthOf } from './wrap.ts';

export const configurationIntroduction =
  'Every key stands in a file of the secrets folder, /etc/appliance/secrets on an installed host, or in the ' +
  'environment. Every key that is not a secret has a flag: GEOIP_URL is --geoip-url. A flag goes before the ' +
  'environment, the environment before the file, and that before the default.';

const indent = 6;

/** What `appliance help configuration` prints: all keys, by the file that they belong in. */
export function configurationHelp(output: Output): string {
  const width = widthOf(output);
  const lines = [bold('Configuration', output), ...labelled('  ', configurationIntroduction, 2, width)];
  for (const file of files) {
    const own = settings.filter(([, setting]) => setting.file === file && isVariable(setting));
    if (own.length > 0) lines.push('', bold(file, output));
    for (const [, setting] of own) {
      const flag = configFlags.find((each) => each.setting === setting);
      const name =
        flag === undefined ? `${setting.key}  (a secret: no flag)` : `${setting.key}  --${flag.name} VALUE`;
      lines.push(`  ${bold(name, output)}`);
      lines.push(...labelled(' '.repeat(indent), `${setting.help} ${defaultText(setting)}`, indent, width));
    }
  }
  lines.push(
    '',
    ...labelled(
      '',
      '"appliance config show" prints what is in effect, "appliance config check" what is wrong.',
      0,
      width,
    ),
    '',
  );
  return lines.join('\n');
}

/** As the end of its help. */
export function defaultText({ default: standing, effective }: Setting<unknown>): string {
  if (!effective) return 'This release only checks it.';
  if (standing === undefined) return 'Default: nothing.';
  return typeof standing === 'string' ? `Default: ${standing}.` : 'The default depends on where it runs.';
}
