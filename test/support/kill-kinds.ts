import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { sql } from 'kysely';
import { rowsOfArchive, rowsOfDatabase } from './archive-rows.ts';
import { isAlive } from './child-processes.ts';
import type { Ended } from './kill-host.ts';
import { type KillStage, password, patiently, type Work } from './kill-stage.ts';
import type { KillKind } from './kills.ts';
import type { MigratorOrder } from './migrator.ts';
import { type DatabasePlace, openDatabase } from './open-database.ts';
import { placeOf } from './postgres.ts';

/** Kills once, starts or runs again what was killed, and says in a few words what was met. Throws where something is wrong. */
type Kill = (stage: KillStage) => Promise<string>;

const longestAwayMs = 1_500;
/** In that time everybody who writes has something to commit. */
const unheardMs = 1_500;
const serviceStartsMs = 1_200;
const migratorTakesMs = 900;
let number = 0;

export const kills: Readonly<Record<KillKind, Kill>> = {
  async database(stage) {
    const postgres = stage.host.postgres!;
    const writing = addUser(stage);
    await wait(stage.random() * 1_000);
    const how = stage.random();
    if (how < 1 / 3) {
      await postgres.killConnection((pids) => pick(pids, stage));
      await writing.again();
      return 'one of its connections';
    }
    const unheard = how < 2 / 3;
    if (unheard) {
      await postgres.withholdAnswers(true);
      await wait(unheardMs);
    }
    await postgres.kill();
    await wait(stage.random() * longestAwayMs);
    await postgres.start();
    if (unheard) await postgres.withholdAnswers(false);
    await writing.again();
    return unheard ? 'with commits that nobody heard of' : 'the server and all its connections';
  },

  async cache(stage) {
    const { redis } = stage.host;
    await wait(stage.random() * 500);
    await redis!.kill();
    await wait(stage.random() * longestAwayMs);
    await redis!.start();
    return 'it is empty again';
  },

  async supervisor({ host, probe, visits, random }) {
    await wait(random() * 1_500);
    const over = probe.gap();
    const killedAt = performance.now();
    const orphans = host.service().workers();
    await killService();
    let times = 1;
    while (random() < 0.3) {
      await host.launch();
      await wait(random() * serviceStartsMs);
      await killService();
      times++;
    }
    await host.launch();
    await host.untilItAnswers();
    over();
    visits.serviceKilled(killedAt);
    if (orphans.some(isAlive)) throw new Error('workers outlived their supervisor');
    const took = `answers again after ${Math.round(performance.now() - killedAt)} ms`;
    return times === 1 ? took : `${took}, killed ${times - 1} times more while it started`;

    async function killService(): Promise<void> {
      host.service().kill('SIGKILL');
      await host.service().ended;
    }
  },

  async 'user add'(stage) {
    const writing = addUser(stage);
    await wait(writing.usualMs * (0.3 + 0.7 * stage.random()));
    const killed = await writing.kill();
    const what = await writing.again();
    return killed ? what : this['user add'](stage);
  },

  async migrate(stage) {
    const { place, remove } = await freshDatabase(stage);
    const order: MigratorOrder = { place, pauseMs: 300 };
    const starters = [1, 2, 3].map(() => migrator(order));
    let victim = pick(starters, stage);
    // at any moment, or with half of the work done
    if (stage.random() < 0.5) await wait(stage.random() * migratorTakesMs);
    else {
      victim = await Promise.race(starters.map((each) => each.halfDone.then(() => each)));
      await wait(stage.random() * order.pauseMs);
    }
    victim.child.kill('SIGKILL');
    const said = await Promise.all(starters.map(({ ended }) => ended));
    const last = await migrator(order).ended;
    const others = said.filter((_, index) => starters[index] !== victim);
    if (![...others, last].every((text) => text.includes('did [')) || !last.endsWith('did []\n'))
      throw new Error(`migrations ended with ${JSON.stringify([...said, last])}`);
    const database = openDatabase(place);
    const counted = await sql<{ times: number }>`select times from counted`.execute(database.queries);
    const done = await database.queries.selectFrom('schema_migrations').select('name').execute();
    await database.close();
    if (counted.rows.map(({ times }) => times).join() !== '2' || done.length !== 2)
      throw new Error(`migrations were done ${JSON.stringify([counted.rows, done])}`);
    await remove();
    const text = await victim.ended;
    if (text.includes('did [')) return this.migrate(stage);
    return text.includes('half') ? 'half done' : 'before its turn';
  },

  async 'backup create'(stage) {
    const folder = join(stage.host.dataDir, 'backups');
    const then = stage.known.acknowledged();
    const before = await stage.archives();
    const hasBegun = () => readdirSync(folder).some((name) => name.endsWith('.unfinished'));
    await untilKilled(stage, ['backup', 'create'], { begun: hasBegun, takesMs: 150 });
    const whole = (await stage.archives()).filter((file) => !before.includes(file));
    await stage.succeeds(['backup', 'create']);
    const [newest = ''] = await stage.archives();
    for (const file of new Set([...whole, newest])) {
      // retention may have taken it
      const rows = await rowsOfArchive(file).catch(() => undefined);
      const missing = rows === undefined ? [] : stage.known.missingIn(rows, then);
      if (missing.length > 0) throw new Error(`${file}: ${missing.slice(0, 10).join('; ')}`);
    }
    return whole.length > 0 ? 'the archive was there' : 'there was no archive';
  },

  async 'backup verify'(stage) {
    const [newest = ''] = await stage.archives();
    const command = ['backup', 'verify', newest];
    await untilKilled(stage, command);
    await stage.succeeds(command);
    return 'proven when it was run again';
  },

  async 'backup restore'(stage) {
    const { host, known } = stage;
    const file = pick(await stage.archives(), stage);
    const archive = await rowsOfArchive(file);
    await known.pause();
    const before = await rowsOfDatabase(host.state().database);
    const command = ['backup', 'restore', file, '--yes'];
    const killed = await stage.killed(command, {
      begun: (err) => err.includes('putting the rows in place'),
      takesMs: 60,
    });
    const now = await rowsOfDatabase(host.state().database);
    const wasUnderWay = existsSync(join(host.dataDir, 'backups', 'restore.json'));
    const isNew = now.people === archive.people;
    if (!isNew && now.people !== before.people) throw new Error(`neither the old rows nor those of ${file}`);
    const done = killed.status === 'SIGKILL' ? await stage.succeeds(command) : killed;
    expectTold(done);
    const after = await rowsOfDatabase(host.state().database);
    if (after.people !== archive.people) throw new Error(`not the rows of ${file}`);
    const copy = /what there was before: (.+)/.exec(done.out)?.[1] ?? '';
    // what had come to its end, but for its last words, made a copy of its own, and the next run another
    const copies = wasUnderWay ? [copy] : await stage.archives();
    if (!(await Promise.all(copies.map(rowsOfArchive))).some(({ people }) => people === before.people))
      throw new Error(`no copy is left of what there was before; ${copy} is something else`);
    stage.visits.restored(before.visits, archive.visits);
    known.restored(archive);
    known.resume();
    if (killed.status !== 'SIGKILL') return this['backup restore'](stage);
    return isNew ? 'the new rows were there' : 'the old rows were there';
  },

  async 'secrets rotate'(stage) {
    const { host } = stage;
    const passwords = () => [
      host.passwordIn('postgres.env', 'POSTGRES_PASSWORD'),
      host.passwordIn('redis.env', 'REDIS_PASS'),
    ];
    const before = passwords();
    const hasBegun = () => readdirSync(host.secretsDir).some((name) => name.startsWith('.rotation'));
    await untilKilled(stage, ['secrets', 'rotate'], { begun: hasBegun, takesMs: 60 });
    const between = passwords();
    expectTold(await stage.succeeds(['secrets', 'rotate']));
    await host.reopenState();
    const { database, cache } = host.state();
    const { status, words } = await database.probe();
    const space = cache.namespace({ name: 'kills', maxEntries: 10, maxValueBytes: 10, mustKeep: true });
    await patiently(() => space.set('a', 'b'));
    if (status !== 'up' || !cache.state().ok) throw new Error(`${words}; ${cache.state().words}`);
    const changed = between.filter((each, index) => each !== before[index]).length;
    return `${changed} of 2 passwords were in the files`;
  },
};

/** Runs it anew where it came to its end before. */
async function untilKilled(stage: KillStage, command: readonly string[], work?: Work): Promise<void> {
  while ((await stage.killed(command, work)).status !== 'SIGKILL');
}

function expectTold({ err }: Ended): void {
  if (!err.includes('the running service reads the files again'))
    throw new Error(`the service was not told: ${err}`);
}

function pick<T>(list: readonly T[], { random }: KillStage): T {
  return list[Math.floor(random() * list.length)]!;
}

/** Has the command add a user with a name that nobody had. */
function addUser({ host, known, succeeds }: KillStage) {
  const name = `user-${++number}`;
  const command = ['admin', 'user', 'add', name, '--password-stdin'];
  const acknowledge = known.addsUser(name);
  const running = host.start(command, password);
  const done = running.ended.then((ended) => {
    if (ended.status === 0) acknowledge();
    return ended;
  });
  return {
    usualMs: 900,
    /** Whether it was under way still. */
    async kill(): Promise<boolean> {
      running.kill();
      return (await done).status === 'SIGKILL';
    },
    /** Runs it again where it did not say that it was done; then he is there in any case. */
    async again(): Promise<string> {
      if ((await done).status === 0) return 'acknowledged';
      const again = await succeeds(command, { input: password, codes: [0, 2] });
      if (again.status === 2 && !again.err.includes(name)) throw new Error(again.err);
      acknowledge();
      return again.status === 0 ? 'added when it was run again' : 'he was there';
    },
  };
}

function migrator(order: MigratorOrder) {
  const program = join(import.meta.dirname, 'migrator.ts');
  const child = spawn(process.execPath, [program, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  const ended = once(child, 'close').then(() => out);
  const halfDone = new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk) => {
      out += String(chunk);
      if (out.includes('half done')) resolve();
    });
  });
  return { child, ended, halfDone };
}

async function freshDatabase({
  host,
}: KillStage): Promise<{ place: DatabasePlace; remove(): Promise<void> }> {
  const name = `fresh_${++number}`;
  const { postgres, folder } = host;
  if (postgres === undefined)
    return { place: { kind: 'sqlite', file: join(folder, `${name}.sqlite`) }, remove: async () => {} };
  const password = host.passwordIn('postgres.env', 'POSTGRES_PASSWORD');
  return {
    place: { ...placeOf(postgres, await postgres.createDatabase(name)), password },
    async remove() {
      await postgres.admin(`drop database "${name}"`);
    },
  };
}
