import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { Failure } from './errors.ts';
import { createSlots } from './slots.ts';

/** scrypt (RFC 7914): 2^ln blocks of 128·r bytes of memory, gone through p times. */
export interface ScryptCost {
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

/** One of those that OWASP's Password Storage Cheat Sheet holds for equal: with 32 MiB the smallest that is no slower than others. */
export const recommendedCost: ScryptCost = { ln: 15, r: 8, p: 3 };

/**
 * Hashes of passwords in the PHC string format, `$scrypt$ln=15,r=8,p=3$SALT$HASH`. At most two are computed at once, so 64 MiB
 * and half of the threads that files are read by. All reject with `password-busy` (retryable) where too many wait for that.
 */
export interface PasswordHashing {
  hash(password: string): Promise<string>;
  /**
   * Whether the hash is of that password. Undefined, for a user that there is none of, takes as long and gives false.
   * Rejects with `password-hash` where it is no hash of ours.
   */
  verify(password: string, hash: string | undefined): Promise<boolean>;
  /** Whether it was made with another cost than hashes are now. */
  isOutdated(hash: string): boolean;
}

export interface HashingOptions {
  readonly cost?: ScryptCost;
  /** How long one may wait for its turn, milliseconds. */
  readonly waitMs?: number;
}

const atOnce = 2;
const saltBytes = 16;
const keyBytes = 32;
/** A hash from elsewhere must not have us take the whole machine. */
const maxMemoryBytes = 268_435_456;

export function createPasswordHashing({
  cost = recommendedCost,
  waitMs = 10_000,
}: HashingOptions = {}): PasswordHashing {
  const slots = createSlots(atOnce);
  const unknown: ParsedHash = { cost, salt: randomBytes(saltBytes), key: randomBytes(keyBytes) };

  const derive = async (password: string, salt: Uint8Array, by: ScryptCost, bytes: number) => {
    const release = await slots.take(waitMs);
    if (release === undefined) {
      throw new Failure(`too many passwords are being checked: none was in ${waitMs} ms`, {
        code: 'password-busy',
        retryable: true,
        remedy: 'Try again in a moment.',
      });
    }
    try {
      return await scryptOf(password, salt, by, bytes);
    } finally {
      release();
    }
  };

  return {
    async hash(password) {
      const salt = randomBytes(saltBytes);
      return textOf({ cost, salt, key: await derive(password, salt, cost, keyBytes) });
    },
    async verify(password, hash) {
      const found = hash === undefined ? unknown : parse(hash);
      const key = await derive(password, found.salt, found.cost, found.key.length);
      return timingSafeEqual(key, found.key) && hash !== undefined;
    },
    isOutdated(hash) {
      const { ln, r, p } = parse(hash).cost;
      return ln !== cost.ln || r !== cost.r || p !== cost.p;
    },
  };
}

interface ParsedHash {
  readonly cost: ScryptCost;
  readonly salt: Uint8Array;
  readonly key: Uint8Array;
}

/** The same password may come in several forms of Unicode, by keyboard and system: NIST SP 800-63B asks for NFKC. */
function scryptOf(
  password: string,
  salt: Uint8Array,
  { ln, r, p }: ScryptCost,
  bytes: number,
): Promise<Buffer> {
  const options = { N: 2 ** ln, r, p, maxmem: memoryBytes({ ln, r, p }) + 1_048_576 };
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFKC'), salt, bytes, options, (error, key) =>
      error === null ? resolve(key) : reject(error),
    );
  });
}

function memoryBytes({ ln, r, p }: ScryptCost): number {
  return 128 * r * (2 ** ln + p + 2);
}

function textOf({ cost: { ln, r, p }, salt, key }: ParsedHash): string {
  return `$scrypt$ln=${ln},r=${r},p=${p}$${base64(salt)}$${base64(key)}`;
}

/** As the PHC format has it: without padding. */
function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replaceAll('=', '');
}

const phc =
  /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

function parse(hash: string): ParsedHash {
  const [, ln, r, p, salt, key] = phc.exec(hash) ?? [];
  const cost = { ln: Number(ln), r: Number(r), p: Number(p) };
  const fits = cost.ln > 0 && cost.r > 0 && cost.p > 0 && cost.p <= 16 && memoryBytes(cost) <= maxMemoryBytes;
  if (salt === undefined || key === undefined || !fits) {
    throw new Failure('the database holds a hash of a password that this program does not know', {
      code: 'password-hash',
      remedy: 'set a new password: appliance admin user password NAME',
    });
  }
  return { cost, salt: Buffer.from(salt, 'base64'), key: Buffer.from(key, 'base64') };
}
