/** What came back from one address. */
export type ProbeResult =
  | {
      readonly kind: 'answer';
      readonly status: number;
      /** Its first kibibyte. */
      readonly body: string;
      readonly server: string | undefined;
      readonly location: string | undefined;
    }
  /** This host itself has no way to such an address: nothing is said about the address. */
  | { readonly kind: 'no-route' }
  /** The connection was refused or cut. */
  | { readonly kind: 'refused' }
  /** Bytes came that are no HTTP. */
  | { readonly kind: 'not-http' }
  | { readonly kind: 'silent'; readonly connected: boolean };

/** Asks for a challenge as an authority would (RFC 8555 §8.3), but from this host and at one address. */
export interface ChallengeProbe {
  /** Never rejects. `host` is the name, or the address, that is to be proven; `address` where to connect. */
  fetch(host: string, address: string, token: string, signal: AbortSignal): Promise<ProbeResult>;
}
