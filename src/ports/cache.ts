/** A part of the cache with bounds of its own; each service declares the ones that it uses. */
export interface CacheNamespaceOptions {
  /** Lower-case letters, digits and hyphens. Whoever opens the same name shares its entries. */
  readonly name: string;
  /** The life of an entry that is given none, in milliseconds; the cache's own default where absent. */
  readonly lifeMs?: number;
  /** One more, and the entry that would expire soonest goes. Other namespaces never make one go. */
  readonly maxEntries: number;
  /** A larger value is not kept. */
  readonly maxValueBytes: number;
  /**
   * Its entries must not be lost quietly, as with sessions: what cannot be done rejects with a Failure (`cache-down`,
   * retryable), after 2 s instead of 200 ms, and in a server that is full the other namespaces make room for it.
   */
  readonly mustKeep?: boolean;
}

export interface CacheCount {
  readonly count: number;
  /** When the count ends and the next begins at nothing, milliseconds from now. */
  readonly endsInMs: number;
}

/**
 * Entries with a life, by key. Any text is a key and any text or bytes are a value. What cannot be done, because the
 * server is away, slow or full, counts as a miss: each answer below says what that is. It rejects for `mustKeep` alone,
 * and after a caller's mistake (`RangeError`: a life that is no positive number). A write that was reported
 * as not done may have been done all the same.
 */
export interface CacheNamespace {
  /** Undefined where there is none; bytes that are no UTF-8 come as U+FFFD. */
  get(key: string): Promise<string | undefined>;
  getBytes(key: string): Promise<Uint8Array | undefined>;
  /** Gives and deletes in one step: of several who ask, one gets it. */
  take(key: string): Promise<string | undefined>;
  takeBytes(key: string): Promise<Uint8Array | undefined>;
  /** False where it was not kept. For `mustKeep` a value that is too large rejects with `cache-value-too-large`. */
  set(key: string, value: string | Uint8Array, lifeMs?: number): Promise<boolean>;
  /** True for the one who set it. */
  setIfAbsent(key: string, value: string | Uint8Array, lifeMs?: number): Promise<boolean>;
  /** Only where it is `expected`, byte for byte: what was deleted meanwhile does not come back. */
  compareAndSet(
    key: string,
    expected: string | Uint8Array,
    value: string | Uint8Array,
    lifeMs?: number,
  ): Promise<boolean>;
  /** Gives it a new life from now on; false where there is none. */
  touch(key: string, lifeMs?: number): Promise<boolean>;
  /** Whether there was one. */
  delete(key: string): Promise<boolean>;
  /**
   * Counts in a fixed window, as rate limits do: the first makes the entry with its life, which the following leave as it
   * is. `by` is a whole number from -1e9 to 1e9. An entry that is no count is replaced. Undefined where nothing was counted.
   */
  increment(key: string, lifeMs?: number, by?: number): Promise<CacheCount | undefined>;
}

export interface CacheState {
  readonly kind: 'redis' | 'embedded';
  /** Whether the last that was asked of it was done. */
  readonly ok: boolean;
  /** A sentence for `status`, which names the server and what ails it. */
  readonly words: string;
  /** What could not be done since the start. */
  readonly failures: number;
}

/** What may be forgotten, and is shared by all processes and hosts that use one server. Every entry has a life. */
export interface Cache {
  /** Costs nothing and asks nobody. Throws `RangeError` where the options make no sense. */
  namespace(options: CacheNamespaceOptions): CacheNamespace;
  state(): CacheState;
  /** Lets go of the server, within three seconds; what is asked afterwards is a miss. May be called again. */
  close(): Promise<void>;
}
