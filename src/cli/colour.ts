import { styleText } from 'node:util';

import type { Output } from './command.ts';

type Style = 'bold' | 'red' | 'yellow';

/** Only on a terminal, and never where NO_COLOR is set (https://no-color.org). */
function styled(style: Style, text: string, output: Output): string {
  const wanted = output.isTTY === true && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb';
  return wanted ? styleText(style, text, { validateStream: false }) : text;
}

export const bold = (text: string, output: Output): string => styled('bold', text, output);
export const red = (text: string, output: Output): string => styled('red', text, output);
export const yellow = (text: string, output: Output): string => styled('yellow', text, output);
