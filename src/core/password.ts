import { randomBytes } from 'node:crypto';

/** 256 bits, of letters, digits, - and _ alone: no tool has to quote it. */
export function newPassword(): string {
  return randomBytes(32).toString('base64url');
}
