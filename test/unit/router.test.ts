import { describe, expect, it } from 'vitest';
import { createRouter, type Route } from '../../src/http/router.ts';
import { allRoutes } from '../../src/http/routes/all.ts';

const route = (path: string): Route => ({
  path,
  handle: () => {
    throw new Error('nobody asked');
  },
});
const router = createRouter(['/', '/whoami', '/health/live', '/port/:number', '/port/fixed'].map(route));
const found = (path: string): string | undefined => router.find(path)?.path;

describe('the router', () => {
  it.each([
    ['/', '/'],
    ['/whoami', '/whoami'],
    ['/whoami/', '/whoami'],
    ['/health/live', '/health/live'],
    ['/health/live/', '/health/live'],
    ['/port/80', '/port/:number'],
    ['/port/80/', '/port/:number'],
    ['/port/anything', '/port/:number'],
    ['/port/%2f', '/port/:number'],
    ['/port/fixed', '/port/fixed'],
  ])('takes %s to %s', (path, expected) => {
    expect(found(path)).toBe(expected);
  });

  it.each([
    '',
    '/WHOAMI',
    '/whoami//',
    '/whoami/x',
    '//whoami',
    '/whoam',
    '/whoamix',
    'whoami',
    '/health',
    '/health/',
    '/port',
    '/port/',
    '/port//',
    '/port/80/81',
    '/port/80//',
    '/port/:number/x',
    '/__proto__',
    '/constructor',
    '/toString',
    '/%77hoami',
    '/whoami?x',
    '/whoami\0',
    '*',
    `/${'a'.repeat(10_000)}`,
    '/'.repeat(10_000),
  ])('knows nothing at %j', (path) => {
    expect(found(path)).toBeUndefined();
  });
});

describe('the routes', () => {
  it('are at the documented paths', () => {
    const routes = allRoutes({
      version: '0',
      portTest: false,
      hostnameOf: undefined,
      editions: [],
      challenges: () => new Map(),
      health: () => ({ draining: false, degraded: [], version: '0' }),
    });
    const all = createRouter(routes);
    const documented = [
      '/', '/whoami', '/whoami/', '/json', '/ip', '/country', '/country-iso', '/city', '/region', '/asn', '/asn-org',
      '/coordinates', '/network', '/headers', '/port/80', '/openapi.json', '/health/live', '/health/ready', '/robots.txt',
    ]; // prettier-ignore
    expect(documented.filter((path) => all.find(path) === undefined)).toEqual([]);
    expect(new Set(routes.map(({ path }) => path)).size).toBe(routes.length);
  });
});
