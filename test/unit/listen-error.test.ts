import { expect, it } from 'vitest';
import { ListenError } from '../../src/http/listen-error.ts';

it('a port on a kernel without IPv6 cannot be had, and it is said what can', () => {
  const error = Object.assign(new Error('listen EAFNOSUPPORT: address family not supported :::80'), {
    code: 'EAFNOSUPPORT',
  });
  expect(ListenError.from('::', 80, error)).toMatchObject({
    message: 'cannot listen on [::]:80: this kernel has no IPv6',
    remedy: 'Listen on IPv4 alone: set APP_LISTEN_HOST=0.0.0.0.',
  });
});
