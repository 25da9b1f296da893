/** What a type of problem means for a person. */
export interface Words {
  /** Follows the authority's name. */
  readonly says: string;
  readonly remedy: string;
  readonly retryable: boolean;
}

const port80 = (name: string): Words => ({
  says: `could not connect to ${name} on port 80`,
  remedy: `Open port 80 for everybody, in this host's firewall and at its provider, and check that ${name} leads to this host, each of its A and AAAA records.`,
  retryable: true,
});

/** Of a validation (RFC 8555 §7.5.1): what the authority saw when it looked at us. */
export const validationWords: Readonly<Record<string, (name: string, challenge: string) => Words>> = {
  connection: port80,
  dns: (name) => ({
    says: `found no usable DNS records for ${name}`,
    remedy: `Make A (and AAAA) records of ${name} that lead to this host, see them with \`dig ${name}\`, and mind that changes take a while to be seen everywhere.`,
    retryable: true,
  }),
  unauthorized: (name, challenge) =>
    challenge === 'dns-01'
      ? {
          says: `did not find our value in the TXT records of _acme-challenge.${name}`,
          remedy:
            'See that the program of CERT_DNS_HOOK writes CERTBOT_VALIDATION there, and returns only when all name servers know it.',
          retryable: true,
        }
      : {
          says: `got somebody else's answer for ${name}`,
          remedy: `Another server answers on port 80 under ${name}: check that its A and AAAA records lead to this host and that no proxy or web server in front of it keeps /.well-known/acme-challenge/ to itself.`,
          retryable: true,
        },
  incorrectResponse: (name) => ({
    says: `got a wrong answer for ${name}`,
    remedy: `Check that no proxy or web server in front of this host answers /.well-known/acme-challenge/ under ${name} itself.`,
    retryable: true,
  }),
  tls: (name) => ({
    says: `was sent to HTTPS for ${name} and could not connect there`,
    remedy: `Let nothing in front of this host redirect /.well-known/acme-challenge/ to HTTPS.`,
    retryable: true,
  }),
};

/** RFC 8555 §6.7, RFC 9773 §7.4, draft-ietf-acme-profiles §5. */
export const requestWords: Readonly<Record<string, Words>> = {
  accountDoesNotExist: {
    says: 'does not know our account',
    remedy: 'Nothing is to be done: the account is registered anew at the next attempt.',
    retryable: true,
  },
  alreadyReplaced: {
    says: 'has replaced this certificate before',
    remedy: 'Nothing is to be done: the next attempt does not name it.',
    retryable: true,
  },
  alreadyRevoked: {
    says: 'has revoked this certificate before',
    remedy: 'Nothing is to be done: ask for a new one.',
    retryable: true,
  },
  badCSR: {
    says: 'does not accept the kind of key or request',
    remedy: 'Choose another CERT_KEY_TYPE; ecdsa-p256 and rsa-2048 are accepted nearly everywhere.',
    retryable: false,
  },
  badNonce: {
    says: 'refused every nonce, its own too',
    remedy: 'This is a fault of the authority, or of a cache in front of it; try again later.',
    retryable: true,
  },
  badPublicKey: {
    says: 'does not accept the key',
    remedy: 'Choose another CERT_KEY_TYPE; the key of a weak or known certificate is never accepted.',
    retryable: false,
  },
  badRevocationReason: {
    says: 'does not accept the reason of the revocation',
    remedy: 'Leave the reason out.',
    retryable: false,
  },
  badSignatureAlgorithm: {
    says: "does not accept our account's kind of key (ECDSA P-256)",
    remedy: 'Use another authority: RFC 8555 asks of each to accept it.',
    retryable: false,
  },
  caa: {
    says: 'is forbidden to issue by a CAA record',
    remedy:
      'Allow the authority in the CAA records of the name or of the domain above it, or delete those records.',
    retryable: false,
  },
  compound: {
    says: 'found several things wrong',
    remedy: 'Mend what is said of each name.',
    retryable: true,
  },
  connection: {
    says: 'could not connect to this host',
    remedy: "Open port 80 for everybody, in this host's firewall and at its provider.",
    retryable: true,
  },
  dns: {
    says: 'found no usable DNS records',
    remedy: 'Check the A, AAAA and CAA records of the names, and that their name servers answer.',
    retryable: true,
  },
  invalidContact: {
    says: 'does not accept the e-mail address',
    remedy: 'Correct CERT_EMAIL.',
    retryable: false,
  },
  invalidProfile: {
    says: 'does not offer this profile',
    remedy: 'Correct CERT_PROFILE, or leave it out.',
    retryable: false,
  },
  malformed: {
    says: 'does not understand the request',
    remedy:
      'Check the names in CERT_DOMAIN; if they are right, this is a fault of this program or of the authority.',
    retryable: false,
  },
  orderNotReady: {
    says: 'is not ready to issue yet',
    remedy: 'Nothing is to be done: the order is gone on with at the next attempt.',
    retryable: true,
  },
  rateLimited: {
    says: 'limits how often it may be asked',
    remedy:
      'Wait; it is tried again by itself. To try things out use the staging directory, which has other limits.',
    retryable: true,
  },
  rejectedIdentifier: {
    says: 'does not issue for this name',
    remedy:
      'Check the spelling in CERT_DOMAIN; public authorities refuse names and addresses that are not public, and some names by policy.',
    retryable: false,
  },
  serverInternal: {
    says: 'has trouble of its own',
    remedy: 'The trouble is there, not here: it is tried again by itself.',
    retryable: true,
  },
  unauthorized: {
    says: 'does not allow that to our account',
    remedy:
      'The account may have been closed, or the names belong to another account of the authority: ask it.',
    retryable: false,
  },
  unsupportedContact: {
    says: 'does not accept this kind of contact',
    remedy: 'Correct CERT_EMAIL, or leave it out.',
    retryable: false,
  },
  unsupportedIdentifier: {
    says: 'does not issue for this kind of name',
    remedy: 'Use a DNS name in CERT_DOMAIN, or an authority that issues for IP addresses.',
    retryable: false,
  },
  userActionRequired: {
    says: 'wants something done by a person first, mostly to agree to new terms',
    remedy: 'Read what it says and do it.',
    retryable: false,
  },
};
