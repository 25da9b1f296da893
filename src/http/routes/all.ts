import type { GeoEdition } from '../../ports/geo-database.ts';
import { createPage } from '../../web/page.ts';
import { attributionFor } from '../../whoami/attribution.ts';
import type { Route } from '../router.ts';
import { acmeChallengeRoute, type Challenges } from './acme-challenge.ts';
import { frontRoute } from './front.ts';
import { headersRoute } from './headers.ts';
import { healthRoutes, type Health } from './health.ts';
import { openapiDocument } from './openapi.ts';
import { portRoute } from './port.ts';
import { staticRoutes } from './static.ts';
import { jsonRoute, textRoutes, whoamiRoute } from './whoami.ts';

export interface RouteOptions {
  readonly version: string;
  /** The databases that answers come from. */
  readonly editions: readonly GeoEdition[];
  readonly portTest: boolean;
  /** The name that reverse DNS has for an address; absent when that is switched off. */
  readonly hostnameOf: ((address: string) => Promise<string | undefined>) | undefined;
  readonly health: () => Health;
  readonly challenges: Challenges;
}

/** Everything that the server answers. */
export function allRoutes(options: RouteOptions): readonly Route[] {
  const attribution = attributionFor(options.editions.map(({ type }) => type));
  return [
    frontRoute(createPage(attribution)),
    whoamiRoute,
    jsonRoute(options.hostnameOf),
    ...textRoutes,
    headersRoute,
    portRoute(options.portTest),
    acmeChallengeRoute(options.challenges),
    ...healthRoutes(options.health),
    ...staticRoutes(openapiDocument(options.version, attribution)),
  ];
}
