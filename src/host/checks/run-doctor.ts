import { serviceUnit } from '../install/units.ts';
import type { Check } from './check.ts';
import type { DoctorContext } from './doctor-context.ts';
import { type CheckResult, runChecks } from './run-checks.ts';
import type { UnitFacts } from './unit-facts.ts';

/** Runs doctor's checks. What they advise is made sure to work, and to end nothing that still serves. Never rejects. */
export async function runDoctor(
  checks: readonly Check<DoctorContext>[],
  context: DoctorContext,
): Promise<readonly CheckResult[]> {
  const results = await runChecks(checks, context);
  const { configuration, installed } = context;
  const isBad = configuration.problems.length > 0 || (installed && configuration.secretsFolder === undefined);
  const units = await context.units().catch((): ReadonlyMap<string, UnitFacts> => new Map());
  return results.map((result) => {
    const [, verb, name = ''] = startsUnit.exec(result.remedy ?? '') ?? [];
    if (verb === undefined) return result;
    const unit = name.includes('.') ? name : `${name}.service`;
    if (isBad && unit === serviceUnit && verb.endsWith('start')) return { ...result, remedy: correctFirst };
    return units.get(unit)?.load === 'masked' ? { ...result, remedy: unmask(unit) } : result;
  });
}

const startsUnit = /systemctl (start|restart|enable)(?: --now)? (appliance[\w.-]*)/;

/** With a configuration that is not valid a service that runs would not come back, and another would not start. */
const correctFirst = 'correct the configuration first: see "configuration", then ask doctor again';

/** Our units lie where a mask does: it took the place of the file, which is missing after it. */
export function unmask(...units: readonly string[]): string {
  return `sudo systemctl unmask ${units.join(' ')} && sudo appliance install --yes`;
}
