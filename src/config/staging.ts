import { letsEncrypt, letsEncryptStaging } from './lets-encrypt.ts';
import type { Value } from './value.ts';

/** The staging directory in effect: the one that is set, else the one that is known for Let's Encrypt, else none. */
export function stagingUrlOf(directoryUrl: string, given: string | undefined): string | undefined {
  if (given !== undefined) return given;
  return new URL(directoryUrl).href === letsEncrypt ? letsEncryptStaging : undefined;
}

/** The values with the staging directory that is in effect among them. */
export function withStagingUrl(values: readonly Value<unknown>[]): Value<unknown>[] {
  const directoryUrl = values.find(({ field }) => field === 'certDirectoryUrl')?.value as string | undefined;
  return values.map((value) => {
    if (value.field !== 'certStagingUrl' || directoryUrl === undefined) return value;
    const url = stagingUrlOf(directoryUrl, value.value as string | undefined);
    return { ...value, text: url, value: url };
  });
}
