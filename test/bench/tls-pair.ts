import { makeCertificate, type BenchCertificate } from './certificate.ts';
import { startNginx } from './nginx.ts';
import { serveProduct, type Product, type RunningProduct } from './product.ts';
import { sampleAnswer } from './sample-answer.ts';

/** A server that listens for TLS on 127.0.0.1. */
export interface TlsServer {
  readonly name: string;
  readonly port: number;
  /** The one process of it that answers, or the first of them. */
  readonly pid: number;
}

export interface TlsPair {
  readonly ours: TlsServer;
  readonly nginx: TlsServer;
  readonly product: RunningProduct;
  readonly certificate: BenchCertificate;
  stop(): Promise<void>;
}

/** The product and nginx, with the same certificate, answer and number of workers. */
export async function startTlsPair(
  product: Product,
  options: { readonly workers: number; readonly core?: number },
): Promise<TlsPair> {
  const certificate = await makeCertificate();
  const running = await serveProduct(product, { ...options, certificate });
  const { httpsPort, workers } = running;
  try {
    const answer = await sampleAnswer(`https://127.0.0.1:${httpsPort}/whoami`);
    const nginx = await startNginx(answer, { ...options, certificate });
    return {
      ours: { name: 'appliance', port: httpsPort, pid: workers[0]! },
      nginx: { name: 'nginx', port: Number(new URL(nginx.origin).port), pid: nginx.pid },
      product: running,
      certificate,
      stop: async () => void (await Promise.all([running.stop(), nginx.stop()])),
    };
  } catch (error) {
    await running.stop();
    throw error;
  }
}
