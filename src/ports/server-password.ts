/** The password of a running server, as whoever signs in with it may change it. */
export interface ServerPassword {
  /** Whether the server takes it now. Rejects with the Failure `server-down` where it cannot be asked. */
  accepts(password: string): Promise<boolean>;
  /**
   * Makes the server take `next` instead of `current`, which it accepts. Who is signed in stays so. `next` goes to the
   * server in no statement that it could log. Rejects with `server-down`, or with `password-refused`.
   */
  change(current: string, next: string): Promise<void>;
}
