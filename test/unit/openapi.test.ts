import { describe, expect, it } from 'vitest';
import { parseIpAddress } from '../../src/core/ip-address.ts';
import { problemCodes } from '../../src/http/problem-codes.ts';
import { allRoutes } from '../../src/http/routes/all.ts';
import { openapiDocument } from '../../src/http/routes/openapi.ts';
import { attribution } from '../../src/whoami/attribution.ts';
import { fullJson, textFields, whoamiFormatter } from '../../src/whoami/formats.ts';
import type { WhoamiRecord } from '../../src/whoami/record.ts';

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly required?: readonly string[];
  readonly properties?: { readonly [name: string]: Schema };
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly oneOf?: readonly Schema[];
  readonly examples?: readonly unknown[];
}
interface Content {
  readonly [type: string]: { readonly schema: Schema; readonly example?: unknown };
}
interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly { readonly $ref?: string; readonly name?: string; readonly in?: string }[];
  readonly responses: {
    readonly [status: string]: { $ref?: string; description?: string; content?: Content };
  };
}
interface Document {
  readonly openapi: string;
  readonly info: { readonly version: string; readonly description: string };
  readonly paths: { readonly [path: string]: { readonly get: Operation } };
  readonly components: { readonly [kind: string]: { readonly [name: string]: unknown } };
}

const document = JSON.parse(openapiDocument('1.2.3', attribution)) as Document;
const operations = Object.entries(document.paths).map(([path, { get }]) => [path, get] as const);
const schemas = document.components['schemas'] as { readonly [name: string]: Schema };
const responses = document.components['responses'] as { readonly [name: string]: { content: Content } };

/** A record in which everything is known, the one that the examples describe. */
const record: WhoamiRecord = {
  address: parseIpAddress('8.8.8.8')!,
  bogon: undefined,
  geo: {
    prefixLength: 24,
    place: {
      continent: 'North America',
      continentCode: 'NA',
      country: 'United States',
      countryIso: 'US',
      countryEu: false,
      regionName: 'California',
      regionCode: 'CA',
      city: 'Mountain View',
      postalCode: '94043',
      latitude: 37.422,
      longitude: -122.085,
      timeZone: 'America/Los_Angeles',
    },
    operator: { asn: 15_169, asnOrg: 'Google LLC' },
  },
  databases: [
    { type: 'DBIP-Country-Lite', builtAt: new Date('2026-06-05T13:42:02Z'), source: 'embedded' },
    { type: 'ASN', builtAt: new Date('2026-06-17T00:00:00Z'), source: 'embedded' },
  ],
};

const whoamiJson = whoamiFormatter();

function resolve<Value extends { $ref?: string | undefined }>(value: Value): Value {
  if (value.$ref === undefined) return value;
  const [, kind, name] = /^#\/components\/(\w+)\/(\w+)$/.exec(value.$ref) ?? [];
  const found = document.components[kind!]?.[name!];
  if (found === undefined) throw new Error(`${value.$ref} leads nowhere`);
  return found as Value;
}

/** The part of JSON Schema that the document uses: what is wrong with a value. */
function faults(value: unknown, given: Schema, at = ''): string[] {
  const schema = resolve(given);
  const type = Array.isArray(value) ? 'array' : Number.isInteger(value) ? 'integer' : typeof value;
  const fits =
    schema.type === undefined || schema.type === type || (schema.type === 'number' && type === 'integer');
  if (!fits) return [`${at} is ${type}, not ${schema.type}`];
  if (schema.enum !== undefined && !schema.enum.includes(value)) return [`${at} is not one of the allowed`];
  if ('const' in schema && schema.const !== value) return [`${at} is not ${String(schema.const)}`];
  if (schema.oneOf?.filter((one) => faults(value, one).length === 0).length === 0) return [`${at} fits none`];
  if (type !== 'object') return [];
  const members = value as { readonly [name: string]: unknown };
  return [
    ...(schema.required ?? []).filter((name) => !(name in members)).map((name) => `${at}/${name} is missing`),
    ...Object.entries(members).flatMap(([name, member]) => {
      const of = schema.properties?.[name] ?? schema.additionalProperties;
      return of === undefined
        ? schema.properties
          ? [`${at}/${name} is unknown`]
          : []
        : faults(member, of, `${at}/${name}`);
    }),
  ];
}

describe('the description of the API', () => {
  it('has every path that is answered and no other', () => {
    const health = () => ({ draining: false, degraded: [], version: '1.2.3' });
    const routes = allRoutes({
      version: '1.2.3',
      portTest: true,
      hostnameOf: undefined,
      editions: [],
      challenges: () => new Map(),
      health,
    });
    // what certificate authorities ask for is not for callers
    const offered = routes.filter(({ path }) => !path.startsWith('/.well-known/'));
    const answered = offered.map(({ path }) => path.replaceAll(/:(\w+)/g, '{$1}'));
    expect(Object.keys(document.paths).toSorted()).toEqual(answered.toSorted());
  });

  it('is OpenAPI 3.1, of the version that runs, and gives the credits that are owed', () => {
    expect(document.openapi).toMatch(/^3\.1\.\d$/);
    expect(document.info.version).toBe('1.2.3');
    expect(document.info).toMatchObject({ 'x-attribution': attribution });
    for (const { text, url } of attribution) expect(document.info.description).toContain(`[${text}](${url})`);
  });

  it('describes each operation once, with its parameters and an answer for success', () => {
    const ids = operations.map(([, { operationId }]) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [path, operation] of operations) {
      const parameters = (operation.parameters ?? []).map(resolve);
      const inPath = parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => `{${name}}`);
      expect(inPath).toEqual(path.match(/\{\w+\}/g) ?? []);
      expect(operation.responses).toHaveProperty('200');
      for (const answer of Object.values(operation.responses))
        expect(resolve(answer).description).toBeTruthy();
    }
  });

  it('gives examples that fit their schemas', () => {
    const contents = [
      ...operations.flatMap(([, { responses: of }]) =>
        Object.values(of).map((answer) => resolve(answer).content ?? {}),
      ),
      ...Object.values(responses).map(({ content }) => content),
    ].flatMap((content) => Object.values(content));
    const examples = contents.filter(({ example }) => example !== undefined);
    expect(examples.length).toBeGreaterThan(20);
    for (const { schema, example } of examples) expect(faults(example, schema)).toEqual([]);
    for (const { properties = {} } of Object.values(schemas)) {
      for (const [name, property] of Object.entries(properties)) {
        for (const example of property.examples ?? []) expect(faults(example, property, name)).toEqual([]);
      }
    }
  });

  it('shows what the answers really are', () => {
    const example = (path: string, type: string) =>
      resolve(document.paths[path]!.get.responses['200']!).content![type]!.example;
    expect(JSON.parse(whoamiJson(record))).toEqual(example('/whoami', 'application/json'));
    const { database, ...whole } = JSON.parse(
      fullJson(record, { hostname: 'dns.google', userAgent: 'curl/8.14.1' }),
    ) as { database: string };
    expect(database).toMatch(/^DBIP-Country-Lite 2026-06-\d\d, ASN 2026-06-17$/);
    expect(example('/json', 'application/json')).toMatchObject(whole);
    for (const [path, field] of Object.entries(textFields)) {
      expect(example(path, 'text/plain'), path).toBe(`${field(record)}\n`);
    }
  });

  it('knows every key and every kind of address that an answer can hold', () => {
    const everything = { ...record, bogon: 'private' } as const;
    expect(faults(JSON.parse(fullJson(everything, {})), schemas['Address']!)).toEqual([]);
    expect(faults(JSON.parse(whoamiJson(everything)), schemas['Whoami']!)).toEqual([]);
    const bare: WhoamiRecord = { ...record, geo: { prefixLength: undefined, place: {}, operator: {} } };
    expect(faults(JSON.parse(fullJson(bare, {})), schemas['Address']!)).toEqual([]);
    expect(faults(JSON.parse(whoamiJson(bare)), schemas['Whoami']!)).toEqual([]);
  });

  it('lists every code that a problem can have', () => {
    const listed = schemas['Problem']?.properties?.['code']?.oneOf?.map((one) => one.const);
    expect(listed).toEqual(Object.keys(problemCodes));
  });
});
