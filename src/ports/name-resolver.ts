/** One property of a CAA record set (RFC 8659 §4.1). */
export interface CaaProperty {
  /** The flags octet; bit 7 is `critical`. */
  readonly flags: number;
  /** In lower case: `issue`, `issuewild`, `iodef`, … */
  readonly tag: string;
  readonly value: string;
}

/** What DNS says of a name, as far as certificate authorities ask. Nothing comes from the host's own table of names. */
export interface NameResolver {
  /** IPv4 addresses and then IPv6; empty where there are none. Rejects with a Failure `dns` where no answer came in time. */
  addresses(name: string, signal: AbortSignal): Promise<readonly string[]>;
  /** The record set of this very name (aliases followed), parents not asked; empty where there is none. Rejects likewise. */
  caa(name: string, signal: AbortSignal): Promise<readonly CaaProperty[]>;
}
