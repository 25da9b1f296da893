import { type Kind, Refusal } from './kind.ts';

const words = ['hourly', 'daily', 'weekly', 'monthly', 'quarterly', 'semiannually', 'yearly'];
const day = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)';
const days = `${day}(?:(?:\\.\\.|,)${day})*`;
const part = '(?:\\*|\\d{1,4}(?:\\.\\.\\d{1,4})?)(?:/\\d{1,4})?';
const parts = `${part}(?:,${part})*`;
const shape = new RegExp(
  `^(?:${days} +)?(?:(?:(?:${parts})-)?(?:${parts})[-~](?:${parts}) +)?(${parts}):(${parts})(?::(${parts}))?(?: +UTC)?$`,
  'i',
);

/** True where every number written in `field` is at most `max`. */
function within(field: string | undefined, max: number): boolean {
  return (field?.match(/\d+/g) ?? []).every((digits) => Number(digits) <= max);
}

/**
 * A time that comes again, in the form of systemd.time(7) "Calendar Events". The shape and the time of day
 * are checked here; whether the date exists is for systemd.
 */
export const calendar: Kind<string> = {
  allowed: `${words.join(', ')}, or a systemd calendar time such as 03:30 or Mon..Fri *-*-* 03:30:00`,
  parse(text) {
    if (words.includes(text.toLowerCase())) return text.toLowerCase();
    const match = shape.exec(text);
    if (match === null) return new Refusal(text);
    const [, hour, minute, second] = match;
    return within(hour, 23) && within(minute, 59) && within(second, 59) ? text : new Refusal(text);
  },
  format: String,
};
