import { becomeOwner, makeDataFolder, ownerToBecome } from '../adapters/data-folder-owner.ts';
import type { Actor } from '../admin/audit-log.ts';
import { roles } from '../admin/role.ts';
import type { NewUser } from '../admin/users.ts';
import type { Config } from '../config/schema.ts';
import { systemClock } from '../core/clock.ts';
import type { Database } from '../ports/database.ts';
import { systemUser } from './system-user.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The people of this host, for the commands. */
export const admin = { roles, withPeople, input: () => process.stdin };

/** Opens the database, below the data folder as that folder's owner, and makes its tables where it is new. */
async function withPeople<Result>(
  config: Config,
  environment: Environment,
  act: (people: Awaited<ReturnType<typeof peopleOf>>) => Promise<Result>,
): Promise<Result> {
  const by = { name: systemUser(environment) };
  const owner = ownerToBecome(config.dataDir);
  if (owner !== undefined) becomeOwner(owner);
  if (config.postgresHost === undefined) makeDataFolder(config.dataDir);
  const { openDatabase } = await import('./state.ts');
  const database = await openDatabase(config);
  try {
    await database.migrate();
    return await act(await peopleOf(database, by));
  } finally {
    await database.close();
  }
}

async function peopleOf(database: Database, by: Actor) {
  const { createPasswordHashing } = await import('../core/password-hash.ts');
  const { createUsers } = await import('../admin/users.ts');
  const users = createUsers({ database, hashing: createPasswordHashing(), clock: systemClock });
  return {
    newName: (name: string) => users.expectFree(name),
    knownName: async (name: string) => (await users.expect(name)).name,
    add: (user: NewUser) => users.add(user, by),
    list: () => users.list(),
    remove: (name: string) => users.remove(name, by),
    setPassword: (name: string, password: string) => users.setPassword(name, password, by),
  };
}
