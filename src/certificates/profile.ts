import { isIpAddress } from '../core/ip-address.ts';
import type { AuthorityOffer } from '../ports/acme-authority.ts';
import { AuthorityFailure, type IssueRequest } from '../ports/certificate-issuer.ts';

/**
 * The profile to order (draft-ietf-acme-profiles §4), undefined for the authority's own choice. An address can be had
 * under `shortlived` alone where that is offered (Let's Encrypt), so it is chosen by itself. One that is not offered is
 * done without where it is only a wish; else throws AuthorityFailure `invalidProfile` with what is offered.
 */
export function chooseProfile(
  { names, profile }: IssueRequest,
  { profiles }: AuthorityOffer,
  authority: string,
  onlyAWish = false,
): string | undefined {
  if (profile !== undefined && profiles?.includes(profile) === true) return profile;
  if (profile === undefined || onlyAWish) {
    const address = names.some(isIpAddress);
    return address && profiles?.includes('shortlived') === true ? 'shortlived' : undefined;
  }
  const offers = profiles === undefined ? 'no profiles' : profiles.toSorted().join(', ');
  throw new AuthorityFailure(
    `${URL.parse(authority)?.host ?? authority} does not offer the profile ${profile}; it offers ${offers}.`,
    {
      authority,
      problem: { type: 'invalidProfile', detail: `offers ${offers}`, status: undefined, subproblems: [] },
      remedy: 'Set CERT_PROFILE to one that it offers, or leave it out.',
      retryable: false,
    },
  );
}
