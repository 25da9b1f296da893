import { X509Certificate } from 'node:crypto';
import type {
  CertificateId,
  CertificatePair,
  CertificateStore,
  PendingOrder,
  StoredAccount,
  StoredCertificate,
} from '../../src/ports/certificate-store.ts';

/** The part of a store that an issuer uses, without files. */
export interface MemoryStore extends Pick<
  CertificateStore,
  'load' | 'account' | 'saveAccount' | 'order' | 'saveOrder' | 'removeOrder'
> {
  keep(id: CertificateId, pair: CertificatePair): void;
  /** Each call of `saveAccount` and `saveOrder`, for tests of what is written when. */
  readonly writes: readonly (StoredAccount | PendingOrder)[];
}

export function memoryCertificateStore(): MemoryStore {
  const accounts = new Map<string, StoredAccount>();
  const orders = new Map<string, PendingOrder>();
  const certificates = new Map<string, StoredCertificate>();
  const writes: (StoredAccount | PendingOrder)[] = [];
  const keyOf = ({ authority, name }: CertificateId) => `${authority} ${name}`;
  return {
    writes,
    load: async (id) => certificates.get(keyOf(id)),
    account: async (authority) => accounts.get(authority),
    async saveAccount(authority, account) {
      writes.push(account);
      accounts.set(authority, account);
    },
    order: async (id) => orders.get(keyOf(id)),
    async saveOrder(id, order) {
      writes.push(order);
      orders.set(keyOf(id), order);
    },
    removeOrder: async (id) => void orders.delete(keyOf(id)),
    keep(id, { chain }) {
      const leaf = new X509Certificate(chain);
      const facts = {
        names: [],
        serial: leaf.serialNumber,
        fingerprint: leaf.fingerprint256,
        issuer: leaf.issuer,
        notBefore: Date.parse(leaf.validFrom),
        notAfter: Date.parse(leaf.validTo),
        ariId: undefined,
      };
      certificates.set(keyOf(id), { id, facts, chainFile: '', keyFile: '', chain });
    },
  };
}
