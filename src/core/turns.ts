/** Runs an action after all that were given before it have ended, well or not; gives what it gives. */
export type InTurn = <Result>(action: () => Result | Promise<Result>) => Promise<Result>;

export function createTurns(): InTurn {
  let last: Promise<unknown> = Promise.resolve();
  return (action) => {
    const result = last.then(action);
    last = result.catch(() => {});
    return result;
  };
}
