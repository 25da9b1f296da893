import { json } from '../answer.ts';
import type { Answer } from '../answer.ts';
import type { Request } from '../request.ts';
import type { Route } from '../router.ts';

/** What this process knows of itself. */
export interface Health {
  readonly draining: boolean;
  /** What is missing though answers go on, in words; empty when all is well. */
  readonly degraded: readonly string[];
  readonly version: string;
}

/** `/health/live` and `/health/ready`. Detail is for the host itself: a loopback peer that speaks for nobody else. */
export function healthRoutes(health: () => Health): readonly Route[] {
  const live: Route = {
    path: '/health/live',
    housekeeping: true,
    handle: () => body(200, { status: 'live' }),
  };
  const ready: Route = {
    path: '/health/ready',
    housekeeping: true,
    handle(request) {
      const { draining, degraded, version } = health();
      const status = draining ? 'draining' : 'ready';
      const detail = mayKnow(request) ? { degraded, version, pid: process.pid } : {};
      return body(draining ? 503 : 200, { status, ...detail });
    },
  };
  return [live, ready];
}

function mayKnow(request: Request): boolean {
  return (
    request.peerIsLoopback() && request.header('x-forwarded-for') === '' && request.header('forwarded') === ''
  );
}

function body(status: number, value: object): Answer {
  return { ...json(`${JSON.stringify(value)}\n`), status };
}
