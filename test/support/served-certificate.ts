import { once } from 'node:events';
import { connect } from 'node:tls';
import { readPair } from '../../src/adapters/certificate-store-pair.ts';
import type { Scene } from './certificate-scene.ts';
import { until } from './until.ts';

/** The serial number of the certificate that the service shows; undefined where nobody completes a handshake. */
export async function servedSerial({ host, name, address }: Scene): Promise<string | undefined> {
  const socket = connect({
    host: address,
    port: host.httpsPort,
    servername: name,
    rejectUnauthorized: false,
  });
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(5000) });
    return socket.getPeerCertificate().serialNumber;
  } catch {
    return undefined;
  } finally {
    socket.destroy();
  }
}

/** The serial number in a folder of the store, which is left as it is; undefined where there is no pair. */
export async function storedSerial(place: string): Promise<string | undefined> {
  return (await readPair(place)).pair?.facts.serial;
}

/** Waits until the service shows what lies in a folder of the store; `before` is not waited for. Its serial number. */
export async function untilServed(
  scene: Scene,
  { place = scene.place, before, timeoutMs }: { place?: string; before?: string; timeoutMs?: number } = {},
): Promise<string> {
  let serial: string | undefined;
  const isServed = async () => {
    serial = await storedSerial(place);
    return serial !== undefined && serial !== before && (await servedSerial(scene)) === serial;
  };
  await until('the certificate of the store serves', isServed, timeoutMs);
  return serial!;
}

/** The first certificate of `appliance status --json`. */
export async function statusOf({
  host,
}: Scene): Promise<Readonly<Record<string, unknown>> & { lastError?: { message: string; remedy: string } }> {
  const { exitCode, out, err } = await host.run(['status', '--json']);
  if (exitCode !== 0) throw new Error(err);
  return (JSON.parse(out) as { certificates: [Record<string, unknown>] }).certificates[0];
}

/** The HTTP status of /health/live. */
export async function liveness({ host, address }: Scene): Promise<number> {
  return (await fetch(`http://${address}:${host.environment['APP_HTTP_PORT']}/health/live`)).status;
}
