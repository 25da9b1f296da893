import { minuteText } from '../core/time-text.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** A length of time as people say it, rounded down: `61 days`, `2 days 5 h`, `5 h 12 min`, `3 min`, `12 s`. */
export function lengthText(ms: number): string {
  const length = Math.max(0, ms);
  const days = Math.floor(length / day);
  const hours = Math.floor((length % day) / hour);
  const minutes = Math.floor((length % hour) / minute);
  const inDays = days === 1 ? '1 day' : `${days} days`;
  if (days >= 7 || (days > 0 && hours === 0)) return inDays;
  if (days > 0) return `${inDays} ${hours} h`;
  if (hours > 0) return minutes === 0 ? `${hours} h` : `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min` : `${Math.floor(length / second)} s`;
}

/** A moment with how far away it is: `2027-02-01 10:00 UTC (in 61 days)`. */
export function momentText(at: number, now: number): string {
  return `${minuteText(at)} (${awayText(at, now)})`;
}

function awayText(at: number, now: number): string {
  if (Math.abs(at - now) < second) return 'just now';
  return at > now ? `in ${lengthText(at - now)}` : `${lengthText(now - at)} ago`;
}
