/** One measured thing that the product promises. */
export interface Figure {
  readonly what: string;
  readonly measured: string;
  readonly target: string;
  readonly verdict: 'met' | 'not met' | 'void';
}

/** What one benchmark found: what was promised, and the measurements behind it. */
export interface Findings {
  readonly figures: readonly Figure[];
  readonly details: Table;
  /** Said below the details. */
  readonly notes?: readonly string[];
}

export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export function atLeast(what: string, value: number, least: number, measured: string, valid = true): Figure {
  return { what, measured, target: `≥ ${least}`, verdict: verdict(value >= least, valid) };
}

export function atMost(what: string, value: number, most: number, unit: string): Figure {
  const digits = value < 10 ? 2 : 0;
  return {
    what,
    measured: `${value.toFixed(digits)} ${unit}`,
    target: `≤ ${most} ${unit}`,
    verdict: verdict(value <= most, true),
  };
}

/** `value` has no unit: ours by another's. */
export function ratioAtMost(what: string, value: number, most: number, measured: string): Figure {
  return { what, measured, target: `≤ ${most}`, verdict: verdict(value <= most, true) };
}

function verdict(met: boolean, valid: boolean): Figure['verdict'] {
  if (!valid) return 'void';
  return met ? 'met' : 'not met';
}
