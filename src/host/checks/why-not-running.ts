import { unmask } from './run-doctor.ts';
import { startsInVain, type UnitFacts } from './unit-facts.ts';

/**
 * Why nobody answers, as systemd knows it, and what helps; undefined where systemd knows of no such service. `isBad`: the
 * configuration is not valid.
 */
export function whyNotRunning(
  unit: UnitFacts | undefined,
  isBad: boolean,
): { readonly message: string; readonly remedy: string } | undefined {
  if (unit === undefined || unit.load === 'not-found') return undefined;
  if (unit.load === 'masked')
    return { message: 'the service is masked: nothing can start it', remedy: unmask(unit.name) };
  const { active, result, restarts } = unit;
  const log = `journalctl --unit ${unit.name} --lines 50`;
  const start = (verb: string) =>
    isBad ? 'correct what "sudo appliance config check" names' : `sudo systemctl ${verb} appliance`;
  const look = isBad ? start('') : `see why: ${log}`;
  if (startsInVain(unit)) {
    const times = restarts > 1 ? `; it was tried ${restarts} times` : '';
    // unknown again while it starts
    const why = result === 'success' ? '' : ` (${result})`;
    return { message: `the service ends as soon as systemd starts it${why}${times}`, remedy: look };
  }
  if (active === 'failed') {
    const then = isBad ? `${look}, then: sudo systemctl start appliance` : `${look}; then: ${start('start')}`;
    return { message: `the service has failed (${result})`, remedy: then };
  }
  if (active === 'activating') return { message: 'the service is just starting', remedy: look };
  if (active === 'deactivating')
    return { message: 'the service is just being stopped', remedy: 'ask again in a moment' };
  if (active === 'inactive') return { message: 'the service is stopped', remedy: start('start') };
  return { message: 'the service runs, but does not listen to commands', remedy: start('restart') };
}
