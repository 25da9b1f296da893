import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './until.ts';

/** A real Chromium without a window, driven over its DevTools protocol. */
export interface Browser {
  open(url: string, view: View): Promise<Tab>;
  close(): Promise<void>;
}

export interface View {
  readonly width: number;
  readonly height: number;
  readonly scheme: 'light' | 'dark';
  readonly javaScript?: boolean;
}

export interface Tab {
  /** The value of an expression in the page; it has to survive JSON. */
  evaluate<Value>(expression: string): Promise<Value>;
  /** A PNG of what is in the window, or of the whole page. */
  screenshot(whole: boolean): Promise<Buffer>;
  /** Console messages, errors and broken policies so far. */
  readonly complaints: readonly string[];
  /** Every address that was asked for, `data:` aside. */
  readonly requested: readonly string[];
  close(): Promise<void>;
}

const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
  '--hide-scrollbars',
  '--remote-debugging-port=0',
];

interface Message {
  readonly id?: number;
  readonly sessionId?: string;
  readonly method?: string;
  readonly params?: { readonly [name: string]: unknown };
  readonly result?: { readonly [name: string]: unknown };
  readonly error?: { readonly message: string };
}

export async function startBrowser(): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), 'chromium-'));
  const child = spawn('chromium', [...flags, `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const socket = new WebSocket(await debuggerAddress(child.stderr));
  await once(socket, 'open');

  const waiting = new Map<number, (message: Message) => void>();
  const listeners = new Map<string, (method: string, params: Message['params'] & {}) => void>();
  let lastId = 0;
  socket.addEventListener('message', ({ data }) => {
    const message = JSON.parse(String(data)) as Message;
    if (message.id !== undefined) waiting.get(message.id)?.(message);
    else listeners.get(message.sessionId ?? '')?.(message.method ?? '', message.params ?? {});
  });
  const send = (
    method: string,
    params: object = {},
    sessionId?: string,
  ): Promise<{ [name: string]: unknown }> =>
    new Promise((resolve, reject) => {
      const id = ++lastId;
      waiting.set(id, ({ result, error }) => {
        waiting.delete(id);
        if (error === undefined) resolve(result ?? {});
        else reject(new Error(`${method}: ${error.message}`));
      });
      socket.send(JSON.stringify({ id, method, params, sessionId }));
    });

  return {
    async open(url, { width, height, scheme, javaScript = true }) {
      const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
      const { sessionId } = (await send('Target.attachToTarget', { targetId, flatten: true })) as {
        sessionId: string;
      };
      const call = (method: string, params: object = {}) => send(method, params, sessionId);
      const complaints: string[] = [];
      const requested: string[] = [];
      const loaded = new Set<unknown>();
      listeners.set(sessionId, (method, params) => {
        if (method === 'Page.lifecycleEvent' && params['name'] === 'load') loaded.add(params['loaderId']);
        if (method === 'Network.requestWillBeSent') {
          const asked = (params['request'] as { url: string }).url;
          if (!asked.startsWith('data:')) requested.push(asked);
        }
        if (/^(?:Runtime\.exceptionThrown|Runtime\.consoleAPICalled|Log\.entryAdded)$/.test(method)) {
          complaints.push(JSON.stringify(params));
        }
      });
      for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await call(`${domain}.enable`);
      await call('Page.setLifecycleEventsEnabled', { enabled: true });
      await call('Emulation.setDeviceMetricsOverride', {
        width,
        height,
        deviceScaleFactor: 1,
        mobile: width < 600,
      });
      await call('Emulation.setEmulatedMedia', {
        features: [{ name: 'prefers-color-scheme', value: scheme }],
      });
      await call('Emulation.setScriptExecutionDisabled', { value: !javaScript });
      // about:blank, where the tab began, loads too
      const { loaderId } = await call('Page.navigate', { url });
      await until(`${url} is loaded`, () => loaded.has(loaderId));
      return {
        complaints,
        requested,
        async evaluate<Value>(expression: string) {
          const { result, exceptionDetails } = (await call('Runtime.evaluate', {
            expression,
            returnByValue: true,
            awaitPromise: true,
          })) as { result: { value: Value }; exceptionDetails?: unknown };
          if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
          return result.value;
        },
        async screenshot(whole) {
          const { data } = await call('Page.captureScreenshot', {
            format: 'png',
            captureBeyondViewport: whole,
          });
          return Buffer.from(data as string, 'base64');
        },
        async close() {
          listeners.delete(sessionId);
          await send('Target.closeTarget', { targetId });
        },
      };
    },
    async close() {
      const ended = child.exitCode === null ? once(child, 'exit') : undefined;
      await send('Browser.close').catch(() => child.kill());
      socket.close();
      await ended;
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Chromium names the address to drive it by on standard error; ends with what it said instead. */
function debuggerAddress(stderr: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      const address = /DevTools listening on (ws:\S+)/.exec(said)?.[1];
      if (address !== undefined) resolve(address);
    });
    stderr.on('end', () => reject(new Error(`chromium did not start: ${said}`)));
  });
}
