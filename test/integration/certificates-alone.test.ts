import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createHttpChallengeResponder,
  type HttpChallengeResponder,
} from '../../src/adapters/challenge-responder-http.ts';
import { Failure } from '../../src/core/errors.ts';
import { freePort } from '../support/free-port.ts';

const adapters = join(import.meta.dirname, '..', '..', 'src', 'adapters');

const curl = promisify(execFile);

describe('the responder of a run without a service', () => {
  let port: number;
  let responder: HttpChallengeResponder;
  beforeEach(async () => {
    port = await freePort();
    responder = responderOn('127.0.0.1');
  });
  afterEach(() => responder.close());

  const responderOn = (host: string) =>
    createHttpChallengeResponder({
      host,
      port,
      explain: ({ code }) => new Failure('taken', { code: code ?? '', remedy: 'free it' }),
    });

  /** What curl gets, as `BODY STATUS`; the name of the failure of curl where nobody listens. */
  async function get(
    path: string,
    { host = '127.0.0.1', name = 'a.example', method = 'GET' } = {},
  ): Promise<string> {
    const address = `http://${host.includes(':') ? `[${host}]` : host}:${port}${path}`;
    const words = [
      '-s',
      '-g',
      '-m',
      '5',
      '--path-as-is',
      '-H',
      `Host: ${name}`,
      '-w',
      ' %{http_code}',
      address,
    ];
    try {
      const { stdout } = await curl('curl', [...words, ...(method === 'HEAD' ? ['-I'] : ['-X', method])]);
      return stdout;
    } catch (error) {
      return `curl ended with ${(error as { code: number }).code}`;
    }
  }
  const nobodyListens = 'curl ended with 7';
  const notFound = /404$/;
  const token = '/.well-known/acme-challenge/TOKEN';

  it('listens only while there is a challenge', async () => {
    expect(await get(token)).toBe(nobodyListens);
    await responder.present('TOKEN', 'TOKEN.thumb');
    await responder.present('OTHER', 'OTHER.thumb');
    expect(await get(token)).toBe('TOKEN.thumb 200');
    await responder.remove('TOKEN');
    expect(await get(token)).toMatch(notFound);
    expect(await get('/.well-known/acme-challenge/OTHER')).toBe('OTHER.thumb 200');
    await responder.remove('OTHER');
    await responder.remove('OTHER');
    expect(await get(token)).toBe(nobodyListens);
    await responder.present('TOKEN', 'again');
    expect(await get(token)).toBe('again 200');
  });

  it('answers under any name, to GET and HEAD, and nothing else', async () => {
    await responder.present('TOKEN', 'TOKEN.thumb');
    expect(await get(token, { name: '192.0.2.1:80' })).toBe('TOKEN.thumb 200');
    expect(await get(token, { method: 'HEAD' })).toMatch(/^HTTP\/1.1 200 OK[^]* 200$/);
    expect(await get(token, { method: 'POST' })).toMatch(notFound);
    for (const path of [
      '/',
      '/.well-known/acme-challenge/',
      '/.well-known/acme-challenge/token',
      '/.well-known/acme-challenge/../TOKEN',
      '/.well-known/acme-challenge/__proto__',
      `${token}?x`,
      `/x${token}`,
    ]) {
      expect(await get(path), path).toMatch(notFound);
    }
  });

  it('listens on both families for ::', async () => {
    const both = responderOn('::');
    await both.present('TOKEN', 'TOKEN.thumb');
    expect(await get(token)).toBe('TOKEN.thumb 200');
    expect(await get(token, { host: '::1' })).toBe('TOKEN.thumb 200');
    await both.close();
    expect(await get(token)).toBe(nobodyListens);
  });

  it('fails with the reason when the port is taken, and tries anew the next time', async () => {
    const holder = createServer().listen(port, '127.0.0.1');
    await once(holder, 'listening');
    await expect(responder.present('TOKEN', 'x')).rejects.toMatchObject({ code: 'EADDRINUSE' });
    holder.close();
    await once(holder, 'close');
    await responder.present('TOKEN', 'x');
    expect(await get(token)).toBe('x 200');
  });

  it('keeps a port that it was told to open, until it is closed', async () => {
    await responder.open();
    expect(await get(token)).toMatch(notFound);
    await responder.present('TOKEN', 'x');
    await responder.remove('TOKEN');
    expect(await get(token)).toMatch(notFound);
    await responder.close();
    expect(await get(token)).toBe(nobodyListens);
  });

  it('keeps the reason why it could not open the port for the first challenge', async () => {
    const holder = createServer().listen(port, '127.0.0.1');
    await once(holder, 'listening');
    await responder.open();
    holder.close();
    await once(holder, 'close');
    await expect(responder.present('TOKEN', 'x')).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await expect(responder.present('TOKEN', 'x')).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  it('may be closed, opened and asked all at once', async () => {
    const work = [];
    for (let round = 0; round < 50; round++) {
      work.push(responder.present(`T${round}`, 'x'), responder.remove(`T${round}`));
    }
    await Promise.all(work);
    expect(await get(token)).toBe(nobodyListens);
  });
});

describe('a command of root below a folder of another user', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'appliance-owner-'));
    chmodSync(folder, 0o755);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const nobody = 65_534;

  /** Runs lines in a process of its own, after it has become the owner of the folder; what they printed, as JSON. */
  function asOwnerOf(dataFolder: string, script: string): unknown {
    const lines = [
      `import { becomeOwner, makeDataFolder, ownerToBecome } from ${JSON.stringify(join(adapters, 'data-folder-owner.ts'))};`,
      "import fs from 'node:fs'; import { createServer } from 'node:http'; import { once } from 'node:events';",
      `const folder = ${JSON.stringify(dataFolder)};`,
      // root of a shell has groups of its own, which must not stay
      'process.setgroups([0, 27]);',
      'const owner = ownerToBecome(folder);',
      script,
    ];
    const words = ['--input-type=module', '-e', lines.join('\n')];
    const text = execFileSync(process.execPath, words, { encoding: 'utf8', cwd: '/' });
    return JSON.parse(text) as unknown;
  }

  it("leaves files that are all the owner's, of whatever thread made them, and cannot go back", () => {
    const data = join(folder, 'data');
    mkdirSync(data, { mode: 0o700 });
    chownSync(data, nobody, nobody);
    const seen = asOwnerOf(
      data,
      `becomeOwner(owner);
       fs.mkdirSync(folder + '/certificates/a.example', { recursive: true });
       fs.writeFileSync(folder + '/certificates/a.example/key.pem', 'x', { mode: 0o600 });
       await Promise.all(Array.from({ length: 8 }, (_, n) => fs.promises.writeFile(folder + '/' + n, 'x')));
       const back = [];
       for (const attempt of [() => process.setuid(0), () => process.seteuid(0), () => process.setgid(0),
         () => process.setgroups([0]), () => fs.writeFileSync('/etc/appliance-test', '')])
         try { attempt(); back.push('went back'); } catch (error) { back.push(error.code); }
       console.log(JSON.stringify({ uid: [process.getuid(), process.geteuid()], gid: [process.getgid(), process.getegid()],
         groups: process.getgroups(), home: process.env.HOME, user: process.env.USER, back }));`,
    );
    expect(seen).toEqual({
      uid: [nobody, nobody],
      gid: [nobody, nobody],
      groups: [nobody],
      home: '/nonexistent',
      user: 'nobody',
      back: ['EPERM', 'EPERM', 'EPERM', 'EPERM', 'EACCES'],
    });
    const made = readdirSync(data, { recursive: true, encoding: 'utf8' });
    expect(made).toHaveLength(11);
    for (const name of made) {
      const { uid, gid } = statSync(join(data, name));
      expect([name, uid, gid]).toEqual([name, nobody, nobody]);
    }
  });

  it('works for an owner that no file of the system knows', () => {
    chownSync(folder, 54_321, 54_322);
    const seen = asOwnerOf(
      folder,
      `becomeOwner(owner);
       console.log(JSON.stringify([process.getuid(), process.getgid(), process.getgroups(), process.env.HOME]));`,
    );
    expect(seen).toEqual([54_321, 54_322, [54_322], '/']);
  });

  it('stays root where root owns the folder', () => {
    expect(asOwnerOf(folder, 'console.log(JSON.stringify(owner ?? null));')).toBe(null);
  });

  it('makes a folder that is missing, as whoever has the one above', () => {
    chownSync(folder, nobody, nobody);
    const missing = join(folder, 'a', 'b');
    asOwnerOf(missing, 'becomeOwner(owner); makeDataFolder(folder); console.log(1);');
    const { uid, mode } = statSync(missing);
    expect([uid, mode & 0o777]).toEqual([nobody, 0o700]);
  });

  it('says which folder it cannot make', () => {
    writeFileSync(join(folder, 'file'), '');
    const data = join(folder, 'file', 'data');
    const script =
      'try { makeDataFolder(folder); } catch (error) { console.log(JSON.stringify(error.message)); }';
    expect(asOwnerOf(data, script)).toBe(`the data folder ${data} cannot be used`);
  });

  it('keeps a low port that it opened before', () => {
    chownSync(folder, nobody, nobody);
    const responder = join(adapters, 'challenge-responder-http.ts');
    const seen = asOwnerOf(
      folder,
      `const { createHttpChallengeResponder } = await import(${JSON.stringify(responder)});
       const options = (port) => ({ host: '127.0.0.73', port, explain: (error) => error });
       const early = createHttpChallengeResponder(options(73));
       await early.open();
       becomeOwner(owner);
       await early.present('T', 'T.thumb');
       const body = await (await fetch('http://127.0.0.73:73/.well-known/acme-challenge/T')).text();
       await early.close();
       const late = await createHttpChallengeResponder(options(74)).present('T', 'x').catch((error) => error.code);
       console.log(JSON.stringify([body, late ?? 'allowed']));`,
    );
    expect((seen as string[])[0]).toBe('T.thumb');
    // where the system lets everybody open low ports there is nothing to lose
    expect(['EACCES', 'allowed']).toContain((seen as string[])[1]);
  });
});
