import { ChildProcess, spawn, type SpawnOptions } from 'node:child_process';

/**
 * As `spawn`, but that whatever keeps a program from being started is told in one way, by the event `error` in the next tick. Node
 * throws where memory is lacking, which would end a service from a timer; and where descriptors are, there is a child without streams.
 */
export function startProgram(file: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  try {
    return spawn(file, args, options);
  } catch (error) {
    const child = new ChildProcess();
    // its own would signal whatever number lies in memory that nobody has set
    child.kill = () => false;
    process.nextTick(() => child.emit('error', error));
    return child;
  }
}
