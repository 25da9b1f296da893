import { isIpAddress } from './ip-address.ts';

/** A name of a certificate with its kind, as ACME (RFC 8555 §7.1.3, RFC 8738) and X.509 both tell them apart. */
export interface Identifier {
  readonly type: 'dns' | 'ip';
  readonly value: string;
}

export function identifierOf(value: string): Identifier {
  return { type: isIpAddress(value) ? 'ip' : 'dns', value };
}
