/** A time, in milliseconds since 1970, as people read it: `2026-11-22 18:04:05 UTC`. */
export function timeText(at: number): string {
  return new Date(at)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, ' UTC');
}

/** For the name of a file: `20261122T213600Z`. */
export function timeStamp(at: number): string {
  return new Date(at).toISOString().replace(/\.\d+/, '').replaceAll(/[-:]/g, '');
}

/** As `timeText`, without the seconds: `2026-11-22 18:04 UTC`. */
export function minuteText(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
