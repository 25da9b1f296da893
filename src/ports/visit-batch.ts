/** What a process counted since it last told; plain values that another process can be sent. */
export interface VisitBatch {
  /** When it was told, milliseconds since 1970. */
  readonly atMs: number;
  readonly visits: readonly (readonly [
    country: string,
    asn: number,
    operator: string,
    statusClass: number,
    visits: number,
  ])[];
  /** Only where addresses are kept. */
  readonly addresses: readonly (readonly [address: string, visits: number])[];
}
