import { writeSync } from 'node:fs';
import { type CachePlace, openCache } from './cache-client.ts';

/** A program that counts in a cache from a process of its own, several at a time, and prints every count that it got. */
const [place = '', name = '', times = ''] = process.argv.slice(2);
const cache = openCache(JSON.parse(place) as CachePlace);
const numbers = cache.namespace({ name, maxEntries: 10, maxValueBytes: 100, mustKeep: true });
for (let left = Number(times); left > 0; left -= 10) {
  const counts = await Promise.all(Array.from({ length: 10 }, () => numbers.increment('count')));
  writeSync(1, counts.map((each) => `${each?.count}\n`).join(''));
}
await cache.close();
