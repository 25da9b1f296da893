import { join } from 'node:path';
import { until } from '../support/until.ts';
import type { Contestant } from './contest.ts';
import { startPinned } from './pinned-process.ts';
import { expectSameAnswer, type SampleAnswer } from './sample-answer.ts';

/** Node's own HTTP server doing the product's work, in one process, on the Node that runs this. */
export async function startNodeHttp(answer: SampleAnswer, core: number): Promise<Contestant> {
  const node = startPinned(process.execPath, [join(import.meta.dirname, 'node-http-peer.ts')], { core });
  const port = (): string | undefined => /listens on (\d+)/.exec(node.output())?.[1];
  await until('the server of Node answers', () => port() !== undefined);
  const origin = `http://127.0.0.1:${port()}`;
  await expectSameAnswer(`${origin}/whoami`, answer);
  return { name: 'Node http', origin, pid: node.pid, stop: () => node.stop() };
}
