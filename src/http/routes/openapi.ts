import type { Attribution } from '../../whoami/attribution.ts';
import type { BogonKind } from '../../core/bogon.ts';
import { problemCodes } from '../problem-codes.ts';

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
type JsonObject = { readonly [key: string]: Json };

/** What a key is, with an example: the schemas and the example answers are both made of these. */
interface Key {
  readonly type: 'string' | 'integer' | 'number' | 'boolean';
  readonly description: string;
  readonly example: string | number | boolean;
  readonly more?: JsonObject;
  /** Whether every answer has it. */
  readonly always?: true;
  /** Not in the example: it contradicts another key. */
  readonly aside?: true;
}
type Keys = { readonly [name: string]: Key };

const anAddress = '8.8.8.8';

const bogonKinds = Object.keys({
  unspecified: true,
  private: true,
  loopback: true,
  'link-local': true,
  cgnat: true,
  documentation: true,
  benchmarking: true,
  multicast: true,
  broadcast: true,
  reserved: true,
} satisfies Record<BogonKind, true>);

const whoamiKeys: Keys = {
  IP: { type: 'string', description: 'The address, in canonical form.', example: anAddress, always: true },
  AUTONOMOUS_SYSTEM_ORGANIZATION: {
    type: 'string',
    description: 'Who runs the network.',
    example: 'Google LLC',
  },
  CONTINENT_NAME: { type: 'string', description: 'Its continent.', example: 'North America' },
  COUNTRY_NAME: { type: 'string', description: 'Its country.', example: 'United States' },
  CITY_NAME: { type: 'string', description: 'Its city.', example: 'Mountain View' },
  LATITUDE: { type: 'number', description: 'Degrees north (WGS 84), approximate.', example: 37.422 },
  LONGITUDE: { type: 'number', description: 'Degrees east (WGS 84), approximate.', example: -122.085 },
  CREATED_AT: {
    type: 'string',
    description: 'When the database was built.',
    example: '05 Jun 2026 13:42:02 UTC',
    always: true,
  },
};

const jsonKeys: Keys = {
  ip: { type: 'string', description: 'The address, in canonical form.', example: anAddress, always: true },
  ip_decimal: {
    type: 'integer',
    description: 'The address as a number of up to 39 digits: more than many JSON readers keep exactly.',
    example: 134_744_072,
    always: true,
  },
  ip_version: {
    type: 'integer',
    description: 'Its family.',
    example: 4,
    more: { enum: [4, 6] },
    always: true,
  },
  network: { type: 'string', description: 'The network that it lies in.', example: '8.8.8.0/24' },
  bogon: {
    type: 'string',
    description: 'Why the address is not on the public Internet; no place or operator is given then.',
    example: 'private',
    more: { enum: bogonKinds },
    aside: true,
  },
  country: { type: 'string', description: 'Its country.', example: 'United States' },
  country_iso: { type: 'string', description: 'The country, ISO 3166-1 alpha-2.', example: 'US' },
  country_eu: {
    type: 'boolean',
    description: 'Whether the country is in the European Union.',
    example: false,
  },
  continent: { type: 'string', description: 'Its continent.', example: 'North America' },
  continent_code: {
    type: 'string',
    description: 'The continent.',
    example: 'NA',
    more: { enum: ['AF', 'AN', 'AS', 'EU', 'NA', 'OC', 'SA'] },
  },
  region_name: { type: 'string', description: 'Its state, province or the like.', example: 'California' },
  region_code: {
    type: 'string',
    description: 'The region, the part of ISO 3166-2 after the dash.',
    example: 'CA',
  },
  city: { type: 'string', description: 'Its city.', example: 'Mountain View' },
  postal_code: { type: 'string', description: 'Its postal code.', example: '94043' },
  latitude: { type: 'number', description: 'Degrees north (WGS 84), approximate.', example: 37.422 },
  longitude: { type: 'number', description: 'Degrees east (WGS 84), approximate.', example: -122.085 },
  time_zone: {
    type: 'string',
    description: 'Its zone in the IANA database.',
    example: 'America/Los_Angeles',
  },
  asn: { type: 'string', description: 'The autonomous system that announces it.', example: 'AS15169' },
  asn_org: { type: 'string', description: 'Who runs that system.', example: 'Google LLC' },
  hostname: {
    type: 'string',
    description: 'What reverse DNS calls it, where the server was told to ask.',
    example: 'dns.google',
  },
  user_agent: { type: 'string', description: 'The request’s own User-Agent.', example: 'curl/8.14.1' },
  database: {
    type: 'string',
    description: 'The databases that were asked and the days they were built.',
    example: 'DBIP-Country-Lite 2026-06-01, ASN 2026-06-17',
    always: true,
  },
};

/** What the one-line answers are and look like. */
const lines: { readonly [path: string]: readonly [summary: string, example: string] } = {
  '/ip': ['The address', anAddress],
  '/country': ['Its country', 'United States'],
  '/country-iso': ['Its country, ISO 3166-1 alpha-2', 'US'],
  '/city': ['Its city', 'Mountain View'],
  '/region': ['Its region', 'California'],
  '/asn': ['Its autonomous system', 'AS15169'],
  '/asn-org': ['Who runs that system', 'Google LLC'],
  '/coordinates': ['Where it is: degrees north, degrees east', '37.422,-122.085'],
  '/network': ['The network that it lies in', '8.8.8.0/24'],
};

/**
 * The description of the whole API as JSON (OpenAPI 3.1), made once. The paths are those of the routes, with
 * `{name}` for what varies; a slash at the end makes no difference to any.
 */
export function openapiDocument(version: string, attribution: readonly Attribution[]): string {
  const credits = attribution.map(({ text, url }) => `[${text}](${url})`).join(', ');
  return `${JSON.stringify({
    openapi: '3.1.1',
    info: {
      title: 'whoami',
      summary: 'The address that a request comes from, who runs it and where it is.',
      description:
        'Every path answers GET, HEAD and OPTIONS, with or without a slash at the end, to pages of any origin. ' +
        'Errors are `application/problem+json` (RFC 9457) with a stable `code`, or one line for clients that ' +
        `want text.\n\nData: ${credits}. Whoever shows the answers to others owes the same credit.`,
      version,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      'x-attribution': attribution.map(({ text, url }) => ({ text, url })),
    },
    servers: [{ url: '/' }],
    paths: paths(),
    components: {
      parameters: {
        ip: {
          name: 'ip',
          in: 'query',
          description: 'An IPv4 or IPv6 address to answer for instead of the caller’s own.',
          schema: { type: 'string', maxLength: 64 },
          examples: { ipv4: { value: anAddress }, ipv6: { value: '2620:fe::fe' } },
        },
      },
      schemas: {
        Whoami: objectSchema(whoamiKeys),
        Address: objectSchema(jsonKeys),
        Problem: problemSchema,
      },
      responses: {
        Problem: {
          description: 'What was wrong with the request, or what cannot be given.',
          content: {
            'application/problem+json': { schema: reference('schemas/Problem'), example: problemExample },
            'text/plain': { schema: { type: 'string' }, example: `${problemExample.detail}\n` },
          },
        },
      },
    },
  } satisfies JsonObject)}\n`;
}

function paths(): JsonObject {
  const whoami = jsonContent(reference('schemas/Whoami'), exampleOf(whoamiKeys));
  const lineOf = ([path, [summary, example]]: [string, readonly [string, string]]) => [
    path,
    operation(path.slice(1), `${summary}, as one line of text`, textContent(`${example}\n`), {
      ip: true,
      problems: path === '/ip' ? [400] : [400, 404],
    }),
  ];
  return {
    '/': operation(
      'front',
      'The address: as a page, as JSON or as one line, by what `Accept` and the client ask for',
      {
        'text/html': { schema: { type: 'string' } },
        ...whoami,
        ...textContent(`${anAddress}\n`),
      },
      { ip: true, problems: [400, 406] },
    ),
    '/whoami': operation('whoami', 'The address in short', whoami, { ip: true, problems: [400] }),
    '/json': operation(
      'json',
      'All that is known of the address',
      jsonContent(reference('schemas/Address'), exampleOf(jsonKeys)),
      { ip: true, problems: [400] },
    ),
    ...(Object.fromEntries(Object.entries(lines).map(lineOf)) as JsonObject),
    '/headers': operation(
      'headers',
      'The header that the request carried; what is secret is not shown',
      jsonContent(
        { type: 'object', additionalProperties: { type: 'string' } },
        { host: 'my.host', 'user-agent': 'curl/8.14.1', accept: '*/*', authorization: '(redacted)' },
      ),
    ),
    '/port/{number}': operation(
      'port',
      'Whether the caller’s own TCP port can be reached from here, within two seconds; off on most servers',
      jsonContent(
        {
          type: 'object',
          required: ['ip', 'port', 'reachable'],
          properties: { ip: { type: 'string' }, port: { type: 'integer' }, reachable: { type: 'boolean' } },
        },
        { ip: anAddress, port: 443, reachable: true },
      ),
      {
        problems: [400, 404, 429],
        parameter: {
          name: 'number',
          in: 'path',
          required: true,
          description: 'The port.',
          schema: { type: 'integer', minimum: 1, maximum: 65_535 },
          example: 443,
        },
      },
    ),
    '/health/live': operation('live', 'Whether the process runs', healthContent('live')),
    '/health/ready': operation('ready', 'Whether it answers', healthContent('ready'), {
      other: {
        '503': {
          description: 'It finishes what it has and takes nothing new.',
          content: healthContent('draining'),
        },
      },
    }),
    '/openapi.json': operation('openapi', 'This document', jsonContent({ type: 'object' })),
    '/robots.txt': operation('robots', 'What search engines may read', {
      'text/plain': { schema: { type: 'string' } },
    }),
  };
}

function operation(
  id: string,
  summary: string,
  content: JsonObject,
  more: { ip?: true; parameter?: JsonObject; problems?: readonly number[]; other?: JsonObject } = {},
): JsonObject {
  const { ip, parameter, problems = [], other = {} } = more;
  const parameters = [
    ...(ip ? [reference('parameters/ip')] : []),
    ...(parameter === undefined ? [] : [parameter]),
  ];
  return {
    get: {
      operationId: id,
      summary,
      ...(parameters.length === 0 ? {} : { parameters }),
      responses: {
        '200': { description: summary, content },
        ...Object.fromEntries(problems.map((status) => [String(status), reference('responses/Problem')])),
        ...other,
      },
    },
  };
}

const problemExample = {
  type: 'about:blank',
  title: 'Bad Request',
  status: 400,
  detail: 'The parameter "ip" is not an IPv4 or IPv6 address: "example".',
  code: 'ip-invalid',
};

const problemSchema: JsonObject = {
  type: 'object',
  required: Object.keys(problemExample),
  properties: {
    type: { type: 'string', format: 'uri-reference' },
    title: { type: 'string', description: 'The words of the status.' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'What went wrong, for people.' },
    code: {
      description: 'What went wrong, for programs; a code never changes its meaning.',
      oneOf: Object.entries(problemCodes).map(([code, description]) => ({ const: code, description })),
    },
  },
};

function objectSchema(keys: Keys): JsonObject {
  const property = ({ type, description, example, more = {} }: Key) => ({
    type,
    description,
    ...more,
    examples: [example],
  });
  return {
    type: 'object',
    description: 'Only the keys that are known are there.',
    required: Object.keys(keys).filter((name) => keys[name]!.always),
    properties: Object.fromEntries(Object.entries(keys).map(([name, key]) => [name, property(key)])),
  };
}

function exampleOf(keys: Keys): JsonObject {
  const shown = Object.entries(keys).filter(([, { aside }]) => !aside);
  return Object.fromEntries(shown.map(([name, { example }]) => [name, example]));
}

function healthContent(status: string): JsonObject {
  return jsonContent(
    {
      type: 'object',
      required: ['status'],
      properties: {
        status: { const: status },
        degraded: {
          type: 'array',
          items: { type: 'string' },
          description: 'What is missing though answers go on; told to the host itself only.',
        },
        version: { type: 'string' },
        pid: { type: 'integer' },
      },
    },
    { status },
  );
}

function jsonContent(schema: JsonObject, example?: JsonObject): JsonObject {
  return { 'application/json': { schema, ...(example === undefined ? {} : { example }) } };
}

function textContent(example: string): JsonObject {
  return { 'text/plain': { schema: { type: 'string' }, example } };
}

function reference(name: string): JsonObject {
  return { $ref: `#/components/${name}` };
}
