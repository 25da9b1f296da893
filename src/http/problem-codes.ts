/** Every stable `code` of a problem, with when it is given. */
export const problemCodes = {
  'ip-invalid': 'The parameter `ip` is no address.',
  'ip-repeated': 'The parameter `ip` was given more than once.',
  'not-known': 'The databases do not know it, or the address is on no public network.',
  'not-acceptable': 'Nothing that `Accept` allows is to be had.',
  'not-found': 'There is nothing at this path.',
  'method-not-allowed': 'Another method than GET, HEAD and OPTIONS.',
  'port-test-off': 'The port test is off on this server.',
  'port-invalid': 'No port has that number.',
  'port-tests-busy': 'Too many port tests are running; `Retry-After` says when to come back.',
  fault: 'Something went wrong on the server.',
} as const;

export type ProblemCode = keyof typeof problemCodes;
