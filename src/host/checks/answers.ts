import { request } from 'node:http';
import { connect } from 'node:tls';
import { isIpAddress } from '../../core/ip-address.ts';
import { minuteText } from '../../core/time-text.ts';
import { type Check, failed, ok, skipped } from './check.ts';
import type { ServiceView } from '../../ports/service-view.ts';
import type { DoctorContext } from './doctor-context.ts';
import { notRunning, serviceIfRunning } from './service.ts';

const limitMs = 8000;

/** Where the service is reached from this host: what it really listens on, whatever its files say by now. */
function addressOf({ listenHost }: ServiceView): string {
  // "::" is every address, and a host without IPv6 has no ::1
  return listenHost === '0.0.0.0' || listenHost === '::' ? '127.0.0.1' : listenHost;
}

const plain: Check<DoctorContext> = {
  name: 'http-answer',
  title: 'answer over HTTP',
  async run(context) {
    const service = await serviceIfRunning(context);
    if (service === undefined) return notRunning;
    const { httpPort } = service;
    try {
      const status = await ask(addressOf(service), httpPort, '/health/ready');
      if (status === 200) return ok('the service is ready');
      return failed(
        `the service says that it is not ready (${status})`,
        'journalctl --unit appliance --lines 50',
      );
    } catch (error) {
      return failed(
        `no answer on port ${httpPort}: ${error instanceof Error ? error.message : String(error)}`,
        'sudo systemctl restart appliance',
      );
    }
  },
};

function ask(host: string, port: number, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = request({ host, port, path, timeout: limitMs, agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    call.once('timeout', () => call.destroy(new Error(`silence for ${limitMs / 1000} s`)));
    call.once('error', reject);
    call.end();
  });
}

/** What a caller gets to see, which may be another certificate than the one in the files. */
const secure: Check<DoctorContext> = {
  name: 'https-answer',
  title: 'certificate that is shown',
  async run(context) {
    const [name] = (context.configuration.values.certificates ?? []).flat();
    if (name === undefined) return skipped('CERT_DOMAIN is not set');
    const service = await serviceIfRunning(context);
    if (service === undefined) return notRunning;
    const { httpsPort } = service;
    if (httpsPort === undefined) {
      return failed('the service runs without HTTPS', 'sudo systemctl reload appliance');
    }
    let shown: { readonly until: number; readonly selfSigned: boolean };
    try {
      shown = await shownFor(name, addressOf(service), httpsPort);
    } catch (error) {
      return failed(
        `no answer on port ${httpsPort}: ${error instanceof Error ? error.message : String(error)}`,
        'sudo systemctl restart appliance',
      );
    }
    if (shown.until <= context.host.now()) {
      return failed(`${name}: the one that is shown has expired`, 'sudo appliance renew-certs');
    }
    if (shown.selfSigned) return failed(`${name}: a self-signed one is shown`, 'sudo appliance renew-certs');
    return ok(`${name}, until ${minuteText(shown.until)}`);
  },
};

function shownFor(name: string, host: string, port: number) {
  return new Promise<{ readonly until: number; readonly selfSigned: boolean }>((resolve, reject) => {
    const socket = connect({
      host,
      port,
      ...(isIpAddress(name) ? {} : { servername: name }),
      rejectUnauthorized: false,
      timeout: limitMs,
    });
    socket.once('timeout', () => socket.destroy(new Error(`silence for ${limitMs / 1000} s`)));
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      const leaf = socket.getPeerX509Certificate();
      socket.destroy();
      if (leaf === undefined) reject(new Error('no certificate was shown'));
      else
        resolve({
          until: leaf.validToDate.getTime(),
          selfSigned: leaf.issuer === leaf.subject && leaf.verify(leaf.publicKey),
        });
    });
  });
}

export const answerChecks: readonly Check<DoctorContext>[] = [plain, secure];
