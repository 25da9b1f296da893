import type { Role } from '../admin/role.ts';
import type { User } from '../admin/users.ts';
import { configOf } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { exitCodes, UsageError } from '../core/errors.ts';
import { minuteText } from '../core/time-text.ts';
import { tellBareHost } from './bare-host.ts';
import type { Command, Io, ParsedArgs } from './command.ts';
import { loadFor } from './config.ts';
import { askNewPassword, type Input, passwordFrom } from './password-input.ts';

/** What the commands ask for, in a database that is open. */
export interface People {
  /** The name as it will be kept. Throws where it is none, or taken. */
  newName(name: string): Promise<string>;
  /** The name as it is kept. Throws where there is no such user. */
  knownName(name: string): Promise<string>;
  add(user: { readonly name: string; readonly password: string; readonly role?: Role }): Promise<User>;
  list(): Promise<readonly User[]>;
  remove(name: string): Promise<User>;
  setPassword(name: string, password: string): Promise<User>;
}

export interface AdminUserParts {
  readonly roles: readonly Role[];
  /** Opens the database, as the owner of the data folder, and closes it again. */
  withPeople<Result>(
    config: Config,
    environment: Io['environment'],
    act: (people: People) => Promise<Result>,
  ): Promise<Result>;
  /** Standard input, which only who asks for opens. */
  input(): Input;
}

const passwordStdin = { 'password-stdin': { help: 'read the password from standard input' } };

/** People who may sign in to the dashboard. */
export function adminUserCommands(parts: AdminUserParts): readonly Command[] {
  const run = async <Result>(args: ParsedArgs, io: Io, act: (people: People) => Promise<Result>) => {
    const loaded = loadFor(args, io);
    const config = configOf(loaded);
    tellBareHost(loaded, io);
    return parts.withPeople(config, io.environment, act);
  };
  const passwordFor = (name: string, args: ParsedArgs, io: Io): Promise<string> => {
    const input = parts.input();
    const fromPipe = args.switches.has('password-stdin') && input.isTTY !== true;
    return fromPipe ? passwordFrom(input) : askNewPassword(input, io.stderr, name);
  };

  const add: Command = {
    name: 'admin user add',
    summary: 'let somebody sign in to the dashboard',
    usage: `admin user add NAME [--role ${parts.roles.join('|')}] [--password-stdin]`,
    examples: [
      { command: 'sudo appliance admin user add anna', does: 'ask for a password; the first is an owner' },
      {
        command: 'sudo appliance admin user add ben --role viewer --password-stdin < FILE',
        does: 'for a script',
      },
    ],
    options: {
      role: {
        value: parts.roles.join('|'),
        help: 'owner, who may do everything, or viewer; first owner, then viewer',
      },
      ...passwordStdin,
    },
    takesConfiguration: true,
    maxPositionals: 2,
    async run(args, io) {
      const given = nameOf(args);
      const role = roleOf(args, parts.roles);
      const user = await run(args, io, async (people) => {
        const name = await people.newName(given);
        const password = await passwordFor(name, args, io);
        return people.add({ name, password, ...(role && { role }) });
      });
      io.stdout.write(`${user.name} may sign in now, as ${user.role}\n`);
      return exitCodes.done;
    },
  };
  const list: Command = {
    name: 'admin user list',
    summary: 'show who may sign in to the dashboard',
    usage: 'admin user list [--json]',
    examples: [
      { command: 'sudo appliance admin user list', does: 'name, role, last sign-in' },
      { command: "sudo appliance admin user list --json | jq -r '.users[].name'", does: 'for a script' },
    ],
    options: { json: { help: 'print JSON for scripts' } },
    takesConfiguration: true,
    async run(args, io) {
      const users = await run(args, io, (people) => people.list());
      const asJson = args.switches.has('json');
      io.stdout.write(asJson ? toJson(users) : users.length === 0 ? nobody : table(users));
      return exitCodes.done;
    },
  };
  const remove: Command = {
    name: 'admin user remove',
    summary: 'let somebody no longer sign in; open sessions end within seconds',
    usage: 'admin user remove NAME',
    examples: [{ command: 'sudo appliance admin user remove ben', does: 'at once, without asking' }],
    takesConfiguration: true,
    maxPositionals: 1,
    async run(args, io) {
      const name = nameOf(args);
      const user = await run(args, io, (people) => people.remove(name));
      io.stdout.write(`${user.name} may no longer sign in\n`);
      return exitCodes.done;
    },
  };
  const password: Command = {
    name: 'admin user password',
    summary: 'give somebody a new password; open sessions end within seconds',
    usage: 'admin user password NAME [--password-stdin]',
    examples: [
      { command: 'sudo appliance admin user password anna', does: 'ask for it, twice' },
      {
        command: 'sudo appliance admin user password anna --password-stdin < FILE',
        does: 'for a script',
      },
    ],
    options: passwordStdin,
    takesConfiguration: true,
    maxPositionals: 2,
    async run(args, io) {
      const given = nameOf(args);
      const user = await run(args, io, async (people) => {
        const name = await people.knownName(given);
        return people.setPassword(name, await passwordFor(name, args, io));
      });
      io.stdout.write(`${user.name} has a new password\n`);
      return exitCodes.done;
    },
  };
  return [add, list, remove, password];
}

const nobody = 'nobody may sign in yet: appliance admin user add NAME\n';

function nameOf({ positionals }: ParsedArgs): string {
  const [name, second] = positionals;
  // what stands there may be a password, so it is not repeated
  if (second !== undefined) {
    throw new UsageError(
      'there is one argument too many; a password is never one: anyone on this host can read them',
      'leave it out to be asked for it, or give it on standard input with --password-stdin',
    );
  }
  if (name === undefined) throw new UsageError('the name is missing', 'write it: admin user … NAME');
  return name;
}

function roleOf({ flags }: ParsedArgs, roles: readonly Role[]): Role | undefined {
  const given = flags['role'];
  const role = roles.find((each) => each === given);
  if (given !== undefined && role === undefined)
    throw new UsageError('there is no such role', `there is ${roles.join(' and ')}`);
  return role;
}

/** Times as ISO 8601; what is not known is left out. */
function toJson(users: readonly User[]): string {
  const shown = users.map(({ name, role, disabled, createdMs, lastSignInMs }) => ({
    name,
    role,
    disabled,
    created: new Date(createdMs).toISOString(),
    ...(lastSignInMs !== undefined && { lastSignIn: new Date(lastSignInMs).toISOString() }),
  }));
  return `${JSON.stringify({ schema: 1, users: shown }, undefined, 2)}\n`;
}

function table(users: readonly User[]): string {
  const width = Math.max(...users.map(({ name }) => Array.from(name).length));
  const lines = users.map(({ name, role, disabled, lastSignInMs }) => {
    const came =
      lastSignInMs === undefined ? 'never signed in' : `last signed in ${minuteText(lastSignInMs)}`;
    const pad = ' '.repeat(width - Array.from(name).length);
    return `${name}${pad}  ${role.padEnd(6)}  ${came}${disabled ? ', disabled' : ''}\n`;
  });
  return lines.join('');
}
