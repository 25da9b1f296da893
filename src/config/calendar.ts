import { calendarTimes, fullYears, spansOf, weekdayNames } from '../core/calendar-times.ts';
import { type Kind, Refusal } from './kind.ts';

const words = ['hourly', 'daily', 'weekly', 'monthly', 'quarterly', 'semiannually', 'yearly'];
const day = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)';
const someDays = `${day}(?:\\.\\.${day})?`;
const part = '\\d{1,4}(?:\\.\\.\\d{1,4})?(?:/\\d{1,4})?';
const parts = `\\*|${part}(?:,${part})*`;
const shape = new RegExp(
  `^(?:(${someDays}(?:,${someDays})*) +)?(?:(?:(${parts})-)?(${parts})([-~])(${parts}) +)?(${parts}):(${parts})(?::(${parts}))?(?: UTC)?$`,
  'i',
);

/**
 * A time that comes again, in the form of systemd.time(7) "Calendar Events", as far as systemd takes it too: its timer is
 * given the text. Checked besides is that it ever comes: the 31st of June and a year that has gone never do.
 */
export const calendar: Kind<string> = {
  offers: words,
  allowed: `${words.join(', ')}, or a systemd calendar time such as 03:30 or Mon..Fri *-*-* 03:30:00`,
  parse(text) {
    if (words.includes(text.toLowerCase())) return text.toLowerCase();
    const match = shape.exec(text);
    if (match === null) return new Refusal(text);
    const [
      ,
      names = '',
      years = '*',
      months = '*',
      sign,
      days = '*',
      hours = '',
      minutes = '',
      seconds = '*',
    ] = match;
    const fromEnd = sign === '~';
    const fault =
      faultInWeek(names) ??
      faultIn(fullYears(years), { min: 1970, max: 2199, comesRound: false }) ??
      faultIn(months, { min: 1, max: 12 }) ??
      // the 28th from the end is the first that every month has
      faultIn(days, fromEnd ? { min: 1, max: 28, fromEnd } : { min: 1, max: 31 }) ??
      faultIn(hours, { min: 0, max: 23 }) ??
      faultIn(minutes, { min: 0, max: 59 }) ??
      faultIn(seconds, { min: 0, max: 59 });
    if (fault !== undefined) return new Refusal(text, fault);
    return calendarTimes(text).next(Date.now()) === undefined
      ? new Refusal(text, 'there is no such time to come')
      : text;
  },
  format: String,
};

/** What is wrong with days of the week, of which Mon is the first; undefined where nothing is. */
function faultInWeek(text: string): string | undefined {
  for (const days of text.toLowerCase().split(',')) {
    const [first = '', last = first] = days.split('..');
    if (weekdayNames.indexOf(first) > weekdayNames.indexOf(last))
      return `a week begins with Mon: write ${around(named(first), named(last), 'Mon', 'Sun')}`;
  }
  return undefined;
}

const named = (day: string): string => day.slice(0, 1).toUpperCase() + day.slice(1);

interface Bounds {
  readonly min: number;
  readonly max: number;
  /** Counted from the end of the month: 1 is the last day. */
  readonly fromEnd?: boolean;
  /** False for what does not begin anew after its end. */
  readonly comesRound?: boolean;
}

/** What is wrong with a field of numbers; undefined where nothing is. */
function faultIn(
  field: string,
  { min, max, fromEnd = false, comesRound = !fromEnd }: Bounds,
): string | undefined {
  if (field === '*') return undefined;
  for (const { from, to, step } of spansOf(field)) {
    const outside = [from, to].find((number) => number !== undefined && (number < min || number > max));
    if (outside !== undefined) return `${outside} is not one of ${min} to ${max}`;
    if (to !== undefined && from > to)
      return `a range goes upwards: ${comesRound ? around(from, to, min, max) : `${to}..${from}`}`;
    if (step === 0) return 'a step is 1 or more';
    const room = fromEnd ? from - min : max - from;
    if (to === undefined && step !== undefined && step > room)
      return `a step of ${step} leads nowhere from ${from}`;
  }
  return undefined;
}

/** A range that goes over the end, as two that do not. */
function around<T extends string | number>(from: T, to: T, min: T, max: T): string {
  const range = (first: T, last: T) => (first === last ? String(first) : `${first}..${last}`);
  return `${range(min, to)},${range(from, max)}`;
}
