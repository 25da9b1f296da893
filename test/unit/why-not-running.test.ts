import { expect, it } from 'vitest';
import type { UnitFacts } from '../../src/host/checks/unit-facts.ts';
import { whyNotRunning } from '../../src/host/checks/why-not-running.ts';

const stopped: UnitFacts = {
  name: 'appliance.service',
  load: 'loaded',
  active: 'inactive',
  sub: 'dead',
  enabled: 'enabled',
  result: 'success',
  restarts: 0,
  mainPid: 0,
  activeSinceMs: undefined,
  stale: false,
  path: '',
  dropIns: [],
};
const told = (facts: Partial<UnitFacts>, isBad = false) => {
  const { message, remedy } = whyNotRunning({ ...stopped, ...facts }, isBad)!;
  return [message, remedy];
};

it('that the service does not run is told as systemd knows it, with what helps', () => {
  expect(told({})).toEqual(['the service is stopped', 'sudo systemctl start appliance']);
  expect(told({ load: 'masked' })).toEqual([
    'the service is masked: nothing can start it',
    'sudo systemctl unmask appliance.service && sudo appliance install --yes',
  ]);
  expect(told({ active: 'failed', result: 'signal' })).toEqual([
    'the service has failed (signal)',
    'see why: journalctl --unit appliance.service --lines 50; then: sudo systemctl start appliance',
  ]);
  const looping = { active: 'activating', sub: 'auto-restart', result: 'exit-code', restarts: 12 };
  expect(told(looping, true)).toEqual([
    'the service ends as soon as systemd starts it (exit-code); it was tried 12 times',
    'correct what "sudo appliance config check" names',
  ]);
  expect(told({ ...looping, sub: 'auto-restart-queued' }, true)).toEqual(told(looping, true));
  expect(told({ ...looping, sub: 'start', result: 'success' })[0]).toBe(
    'the service ends as soon as systemd starts it; it was tried 12 times',
  );
  expect(told({ active: 'activating', sub: 'start' })[0]).toBe('the service is just starting');
  expect(told({ active: 'active', sub: 'running' })[0]).toBe(
    'the service runs, but does not listen to commands',
  );
});

it('is not told by systemd where it knows of no service', () => {
  expect(whyNotRunning(undefined, false)).toBeUndefined();
  expect(whyNotRunning({ ...stopped, load: 'not-found' }, false)).toBeUndefined();
});
