/** When something comes again: systemd.time(7) "Calendar Events", as far as `config/calendar.ts` takes them. */
export interface CalendarTimes {
  /** The first time after `ms`; undefined where there is none for forty years. Milliseconds since 1970. */
  next(ms: number): number | undefined;
  /** The last time up to `ms`. */
  previous(ms: number): number | undefined;
}

const words: Readonly<Record<string, string>> = {
  hourly: '*-*-* *:00:00',
  daily: '*-*-* 00:00:00',
  weekly: 'Mon *-*-* 00:00:00',
  monthly: '*-*-01 00:00:00',
  quarterly: '*-01,04,07,10-01 00:00:00',
  semiannually: '*-01,07-01 00:00:00',
  yearly: '*-01-01 00:00:00',
};
/** From the first to the last, in lower case. */
export const weekdayNames = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const dayMs = 24 * 3_600_000;
/** The 29th of February on a Monday may be that far away. */
const mostDays = 40 * 366;

/** `text` has passed `config/calendar.ts`. Times are those of the process's time zone, or of UTC where it says so. */
export function calendarTimes(text: string): CalendarTimes {
  const tokens = (words[text.toLowerCase()] ?? text).split(/ +/);
  const utc = tokens.at(-1)?.toUpperCase() === 'UTC';
  if (utc) tokens.pop();
  const [hours, minutes, seconds = [0]] = timesOf(tokens.pop() ?? '');
  const isDay = dayTest(tokens);

  /** Of a day that UTC has at `day`, whatever the zone. */
  const timesOfDay = (day: number): number[] => {
    const date = new Date(day);
    const [year, month, dayOfMonth] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()];
    const times = hours!.flatMap((hour) =>
      minutes!.flatMap((minute) =>
        seconds.map((second) =>
          utc
            ? Date.UTC(year, month, dayOfMonth, hour, minute, second)
            : // an hour that summer time leaves out is the one after it
              new Date(year, month, dayOfMonth, hour, minute, second).getTime(),
        ),
      ),
    );
    return times.toSorted((a, b) => a - b);
  };
  const dayOf = (ms: number): number => {
    const date = new Date(ms);
    return utc
      ? Math.floor(ms / dayMs) * dayMs
      : Date.UTC(date.getFullYear(), date.getMonth(), date.getDate());
  };
  const search = (ms: number, step: 1 | -1, fits: (time: number) => boolean): number | undefined => {
    const first = dayOf(ms);
    for (let days = 0; days < mostDays; days++) {
      const day = first + step * days * dayMs;
      if (!isDay(new Date(day))) continue;
      const times = timesOfDay(day);
      const found = step > 0 ? times.find(fits) : times.findLast(fits);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return {
    next: (ms) => search(ms, 1, (time) => time > ms),
    previous: (ms) => search(ms, -1, (time) => time <= ms),
  };
}

function timesOf(text: string): number[][] {
  return text.split(':').map((field, at) => numbersOf(field, 0, at === 0 ? 23 : 59));
}

/** Whether a date (UTC) fits what is before the time: days of the week, a date, both or neither. */
function dayTest(tokens: readonly string[]): (date: Date) => boolean {
  const names = tokens.find((token) => /^[a-z]/i.test(token));
  const date = tokens.find((token) => /[-~]/.test(token)) ?? '*-*-*';
  const fromEnd = date.includes('~');
  const fields = date.split(/[-~]/);
  const [days = '*', months = '*', years = '*'] = fields.toReversed();
  const isMonth = new Set(numbersOf(months, 1, 12));
  const isYear = new Set(numbersOf(fullYears(years), 1970, 2199));
  const isWeekday = names === undefined ? undefined : new Set(weekdaysOf(names));
  return (on) => {
    const [year, month] = [on.getUTCFullYear(), on.getUTCMonth()];
    if (!isYear.has(year) || !isMonth.has(month + 1)) return false;
    if (isWeekday?.has((on.getUTCDay() + 6) % 7) === false) return false;
    const length = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
    return numbersOf(days, 1, length, fromEnd).includes(on.getUTCDate());
  };
}

/** A field of years with those of two digits as POSIX has them. */
export function fullYears(field: string): string {
  return field.replaceAll(/\d+/g, (digits: string, at: number) => {
    const year = Number(digits);
    if (field[at - 1] === '/' || digits.length > 2) return digits;
    return String(year < 70 ? 2000 + year : 1900 + year);
  });
}

function weekdaysOf(text: string): number[] {
  return text
    .toLowerCase()
    .split(',')
    .flatMap((part) => {
      const [first = 0, last = first] = part.split('..').map((name) => weekdayNames.indexOf(name));
      return every(first, last);
    });
}

/** One of those that a field of numbers lists: `from`, `from..to`, `from/step`, `from..to/step`. */
interface Span {
  readonly from: number;
  readonly to: number | undefined;
  readonly step: number | undefined;
}

/** What a field lists that is not `*`. */
export function spansOf(field: string): readonly Span[] {
  return field.split(',').map((part) => {
    const [range = '', step] = part.split('/');
    const [from, to] = range.split('..');
    return { from: Number(from), to: numberOf(to), step: numberOf(step) };
  });
}

function numberOf(digits: string | undefined): number | undefined {
  return digits === undefined ? undefined : Number(digits);
}

/** The numbers that a field stands for, in their order. `fromEnd`: 1 is `max`, 2 the one before it. */
function numbersOf(field: string, min: number, max: number, fromEnd = false): number[] {
  if (field === '*') return every(min, max);
  const place = (number: number) => (fromEnd ? max - number + 1 : number);
  const numbers = spansOf(field).flatMap(({ from, to, step }) => {
    // steps go towards the end, in a range away from its first number
    if (to !== undefined) return every(from, to, step).map(place);
    return step === undefined ? [place(from)] : every(place(from), max, step);
  });
  return [...new Set(numbers)].filter((number) => number >= min && number <= max).toSorted((a, b) => a - b);
}

function every(first: number, last: number, step = 1): number[] {
  return Array.from(
    { length: Math.max(0, Math.floor((last - first) / step) + 1) },
    (_, at) => first + at * step,
  );
}
