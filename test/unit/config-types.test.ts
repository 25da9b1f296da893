import { expectTypeOf, it } from 'vitest';

import type { Config } from '../../src/config/schema.ts';

it('the type of the configuration follows the table of keys', () => {
  expectTypeOf<Config['httpPort']>().toEqualTypeOf<number>();
  expectTypeOf<Config['reverseDns']>().toEqualTypeOf<boolean>();
  expectTypeOf<Config['publicNames']>().toEqualTypeOf<readonly string[] | undefined>();
  expectTypeOf<Config['certificates']>().toEqualTypeOf<readonly (readonly string[])[] | undefined>();
  expectTypeOf<Config['certStagingUrl']>().toEqualTypeOf<string | undefined>();
  expectTypeOf<Config['trustedProxies']>().toEqualTypeOf<readonly string[]>();
  expectTypeOf<Config['clientAddressHeader']>().toEqualTypeOf<'x-forwarded-for' | 'forwarded'>();
  expectTypeOf<Config['hsts']>().toEqualTypeOf<number | 'auto' | 'off'>();
  expectTypeOf<Config['metricsListen']>().toEqualTypeOf<
    { readonly host: string; readonly port: number } | undefined
  >();
});
