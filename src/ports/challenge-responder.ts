/** Answers `http-01` on the public port (RFC 8555 §8.3). */
export interface ChallengeResponder {
  /** Rejects with a Failure where nothing could be presented, before an order is placed for it; absent: it always could. */
  prepare?(): Promise<void>;
  /** Resolves when every process that shares the port answers; rejects with a Failure when one cannot. */
  present(token: string, keyAuthorization: string): Promise<void>;
  /** No answer any more. Never rejects. */
  remove(token: string): Promise<void>;
}
