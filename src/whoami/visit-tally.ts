import type { VisitBatch } from '../ports/visit-batch.ts';

/** Visits from one country and network operator since they were last told, by status class. */
export interface VisitGroup {
  readonly country: string;
  readonly asn: number;
  readonly operator: string;
  readonly byClass: number[];
  touched: boolean;
}

/**
 * Counts visits beside the answers: a visitor that is known costs two additions, a new one a look into a map. Nothing
 * here reaches another process or the disk.
 */
export interface VisitTally {
  /** The group that visitors from there are counted in; whoever holds it may go on using it. */
  groupOf(country: string | undefined, asn: number | undefined, operator: string | undefined): VisitGroup;
  count(group: VisitGroup, status: number, address: string): void;
  /** What was counted since the last call; undefined when it was nothing. */
  take(): VisitBatch | undefined;
}

const statusClasses = 6;
/** Real traffic has a few thousand. More are made anew for each second, so that nobody can fill the memory. */
const maxGroups = 20_000;
const maxAddresses = 20_000;
const maxNameLength = 200;

export function createVisitTally({ keepAddresses }: { readonly keepAddresses: boolean }): VisitTally {
  /** By country and number: a key of both would be a new text for each stranger. */
  let countries = new Map<string, Map<number, VisitGroup>>();
  let groupCount = 0;
  let touched: VisitGroup[] = [];
  let addresses = new Map<string, number>();

  return {
    groupOf(iso = '', asn = 0, name = '') {
      const known = countries.get(iso)?.get(asn);
      if (known !== undefined) return known;
      const country = /^[A-Z]{2}$/.test(iso) ? iso : '';
      const groups = countries.get(country) ?? new Map<number, VisitGroup>();
      countries.set(country, groups);
      const unplaced = groups.get(asn);
      if (unplaced !== undefined) return unplaced;
      const operator = name.replaceAll('\0', '').slice(0, maxNameLength);
      const byClass = new Array<number>(statusClasses).fill(0);
      const group = { country, asn, operator, byClass, touched: false };
      groups.set(asn, group);
      groupCount++;
      return group;
    },
    count(group, status, address) {
      group.byClass[Math.floor(status / 100)]!++;
      if (!group.touched) {
        group.touched = true;
        touched.push(group);
      }
      if (!keepAddresses) return;
      const visits = addresses.get(address);
      if (visits !== undefined || addresses.size < maxAddresses) addresses.set(address, (visits ?? 0) + 1);
    },
    take() {
      if (touched.length === 0) return undefined;
      const visits: VisitBatch['visits'][number][] = [];
      for (const group of touched) {
        const { country, asn, operator, byClass } = group;
        for (let statusClass = 0; statusClass < statusClasses; statusClass++) {
          const count = byClass[statusClass]!;
          if (count > 0) visits.push([country, asn, operator, statusClass, count]);
        }
        byClass.fill(0);
        group.touched = false;
      }
      const batch = { atMs: Date.now(), visits, addresses: [...addresses] };
      touched = [];
      if (addresses.size > 0) addresses = new Map();
      if (groupCount > maxGroups) [countries, groupCount] = [new Map(), 0];
      return batch;
    },
  };
}
