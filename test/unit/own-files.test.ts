import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lineDifference } from '../../src/core/line-difference.ts';
import { lookAtFiles, type OwnFiles, writeFiles, wroteFile } from '../../src/host/own-files.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'own-files-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const path = () => join(folder, 'units', 'a.service');
const own = (text: string, unknownIs: OwnFiles['unknownIs'] = 'edited'): OwnFiles => ({
  record: join(folder, 'record', '.written'),
  files: [{ path: path(), text }],
  unknownIs,
});
const stateOf = async (text: string, unknownIs?: OwnFiles['unknownIs']) =>
  (await lookAtFiles(own(text, unknownIs)))[0]?.state;

describe('a file of ours among those of the host', () => {
  it('is written where it is missing, for all to read, and left alone then', async () => {
    expect(await stateOf('one\n')).toBe('absent');
    expect(await writeFiles(own('one\n'))).toEqual([path()]);
    expect([readFileSync(path(), 'utf8'), statSync(path()).mode & 0o777]).toEqual(['one\n', 0o644]);
    expect(await stateOf('one\n')).toBe('same');
    expect(await writeFiles(own('one\n'))).toEqual([]);
  });

  it('follows a later release where nobody edited it', async () => {
    await writeFiles(own('one\n'));
    expect(await stateOf('two\n')).toBe('older');
    await writeFiles(own('two\n'));
    expect(readFileSync(path(), 'utf8')).toBe('two\n');
  });

  it('stays as its owner edited it, and shows how, until ours is asked for', async () => {
    await writeFiles(own('a\nb\n'));
    writeFileSync(path(), 'a\nc\n');
    expect(await lookAtFiles(own('a\nb\n'))).toMatchObject([
      { state: 'edited', difference: ['  a', '- c', '+ b'] },
    ]);
    expect(await writeFiles(own('a\nb\nd\n'))).toEqual([]);
    expect(readFileSync(path(), 'utf8')).toBe('a\nc\n');
    expect(await writeFiles(own('a\nb\n'), { replaceEdited: true })).toEqual([path()]);
    expect(readFileSync(path(), 'utf8')).toBe('a\nb\n');
  });

  it('shows the beginning alone of an edit that is long', async () => {
    await writeFiles(own('a\n'));
    writeFileSync(path(), 'b\n'.repeat(5000));
    const [found] = await lookAtFiles(own('a\n'));
    expect(found?.difference).toHaveLength(21);
    expect(found?.difference.at(-1)).toBe('… and 4981 lines more');
  });

  it('is no edit where a run was killed between the record and the file', async () => {
    await writeFiles(own('one\n'));
    await writeFiles(own('two\n'));
    // as it was before the file was written
    writeFileSync(path(), 'one\n');
    expect(await stateOf('two\n')).toBe('older');
  });

  it('of nobody knows whom is as the caller takes it', async () => {
    await writeFiles({ ...own(''), files: [{ path: join(folder, 'units', 'other'), text: 'x\n' }] });
    writeFileSync(path(), 'theirs\n');
    expect(await stateOf('ours\n')).toBe('edited');
    expect(await stateOf('ours\n', 'older')).toBe('older');
  });

  it('is known as ours, edited or not there', async () => {
    const { record } = own('');
    expect(await wroteFile(record, path())).toBe(false);
    await writeFiles(own('one\n'));
    expect(await wroteFile(record, path())).toBe(true);
    writeFileSync(path(), 'edited\n');
    expect(await wroteFile(record, path())).toBe(false);
  });
});

describe('the lines that two texts differ in', () => {
  it.each([
    ['', '', []],
    ['a\n', 'a\n', []],
    ['a\n', '', ['- a']],
    ['', 'a\n', ['+ a']],
    ['a\nb\nc\nd\ne\n', 'a\nb\nX\nd\ne\n', ['  b', '- c', '+ X', '  d']],
    ['1\n2\n3\n4\n5\n6\n7\n', '0\n2\n3\n4\n5\n6\n8\n', ['- 1', '+ 0', '  2', '…', '  6', '- 7', '+ 8']],
  ])('of %j and %j are shown with what is around them', (before, after, shown) => {
    expect(lineDifference(before, after)).toEqual(shown);
  });
});
