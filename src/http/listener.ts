/** What the connections of one listening socket have in common. */
export interface Listener {
  readonly secure: boolean;
  /** Asked once for each answer: whether it is the last of its connection. */
  ends(): boolean;
}

export interface OpenListener extends Listener {
  /** From now on every connection ends with its next answer. */
  endAll(): void;
  /**
   * From now on connections end with one of their next answers, `connections` of them spread over ten seconds, which is
   * as long as one lives that asks for nothing. If all came back at once, with a full handshake each, they would keep
   * everybody waiting.
   */
  endGradually(connections: number): void;
}

const spreadMs = 10_000;
/** What costs nobody a noticeable wait. */
const atOnce = 4;

export function createListener(secure: boolean): OpenListener {
  let ends = (): boolean => false;
  return {
    secure,
    ends: () => ends(),
    endAll() {
      ends = () => true;
    },
    endGradually(connections) {
      const since = performance.now();
      let ended = 0;
      ends = () => {
        const due = atOnce + (connections * (performance.now() - since)) / spreadMs;
        if (ended >= due) return false;
        ended++;
        return true;
      };
    },
  };
}
