import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type NetworkInterfaceInfo, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { installedPage } from '../../src/cli/install-page.ts';
import { planForScripts, planText } from '../../src/cli/install-report.ts';
import { containerLines, inFlagsOfInstall, planSettings } from '../../src/config/install-settings.ts';
import { loadConfig } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/problem.ts';
import { parserOf, type SecretsFolder } from '../../src/config/secrets-folder.ts';
import type { FileName } from '../../src/config/setting.ts';
import { Failure } from '../../src/core/errors.ts';
import { applyPlan, type Report } from '../../src/host/install/apply.ts';
import { ownAddresses } from '../../src/host/install/own-addresses.ts';
import { type Look, makePlan, type Step } from '../../src/host/install/plan.ts';
import { dockerStep } from '../../src/host/install/steps/docker.ts';
import { imagesIn } from '../../src/host/install/steps/images.ts';
import { shellsStep } from '../../src/host/install/steps/shells.ts';
import { type UnfinishedInstall, unfinishedInstall } from '../../src/host/install/unfinished.ts';
import { composePackages, dockerPackages } from '../../src/host/stack/docker.ts';
import { readAsset } from '../../src/core/assets.ts';

const quiet: Report = { begin: () => {}, progress: () => {}, warning: () => {}, end: () => {} };
const untold: UnfinishedInstall = {
  at: () => Promise.resolve(),
  isThere: () => false,
  clear: () => Promise.resolve(),
};
const terminal = { write: () => {}, isTTY: false };

function step(name: string, state: Look['state'], act: Step['act'] = () => Promise.resolve()): Step {
  return { name, does: `does ${name}`, look: () => Promise.resolve({ state, words: state }), act };
}

describe('a plan', () => {
  it('runs what has something to do, and what only looks, in order', async () => {
    const ran: string[] = [];
    const noting = (name: string, state: Look['state']) =>
      step(name, state, () => Promise.resolve(void ran.push(name)));
    const plan = await makePlan([
      noting('one', 'to-do'),
      noting('two', 'done'),
      noting('three', 'kept'),
      noting('four', 'check'),
    ]);
    const { names } = await applyPlan(plan, quiet, new AbortController().signal, untold);
    expect(ran).toEqual(['one', 'four']);
    expect(names).toEqual(ran);
  });

  it('lets a step know what comes before it', async () => {
    const seen: boolean[] = [];
    const asking: Step = {
      ...step('last', 'done'),
      look({ willAct }) {
        seen.push(willAct('one'), willAct('two'), willAct('nobody'));
        return Promise.resolve({ state: 'done', words: '' });
      },
    };
    await makePlan([step('one', 'to-do'), step('two', 'done'), asking]);
    expect(seen).toEqual([true, false, false]);
  });

  it('ends at the step that fails, by its name, with its exit code and the way on', async () => {
    const ran: string[] = [];
    const failing = step('two', 'to-do', () =>
      Promise.reject(new Failure('it broke', { code: 'broken', exitCode: 4, remedy: 'Mend it.' })),
    );
    const plan = await makePlan([
      step('one', 'to-do', () => Promise.resolve(void ran.push('one'))),
      failing,
      step('three', 'to-do', () => Promise.resolve(void ran.push('three'))),
    ]);
    await expect(applyPlan(plan, quiet, new AbortController().signal, untold)).rejects.toMatchObject({
      message: 'step two: it broke',
      code: 'broken',
      exitCode: 4,
      remedy: 'Mend it; the same command again goes on from here',
    });
    expect(ran).toEqual(['one']);
  });

  it('leaves behind at which step it stopped until a run comes to its end', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'unfinished-'));
    const mark = join(folder, '.unfinished');
    let certified = false;
    let proven = false;
    const fails = (why: string) => Promise.reject(new Failure(why, { code: 'no' }));
    const steps = [
      step('certificate', 'to-do', () => (certified ? Promise.resolve() : fails('no certificate'))),
      step('proof', 'check', () => (proven ? Promise.resolve() : fails('no proof'))),
    ];
    const run = async () =>
      applyPlan(await makePlan(steps), quiet, new AbortController().signal, unfinishedInstall(mark));
    await expect(run()).rejects.toThrow('step certificate: no certificate');
    expect(readFileSync(mark, 'utf8')).toBe('certificate\n');
    certified = true;
    await expect(run()).rejects.toThrow('step proof: no proof');
    expect(readFileSync(mark, 'utf8')).toBe('proof\n');
    proven = true;
    await run();
    expect(existsSync(mark)).toBe(false);
    rmSync(folder, { recursive: true });
  });

  it('stops between two steps where somebody wants that', async () => {
    const stop = new AbortController();
    const plan = await makePlan([
      step('one', 'to-do', () => Promise.resolve(stop.abort(new Error('enough')))),
      step('two', 'to-do', () => Promise.reject(new Error('ran'))),
    ]);
    await expect(applyPlan(plan, quiet, stop.signal, untold)).rejects.toThrow('enough');
  });

  it('ends as interrupted where that is why a step failed', async () => {
    const stop = new AbortController();
    const plan = await makePlan([
      step('one', 'to-do', () => {
        // as a program of the step that has the signal first
        setImmediate(() => stop.abort(new Failure('interrupted', { code: 'interrupted' })));
        return Promise.reject(new Failure('systemctl failed: ', { code: 'systemd' }));
      }),
    ]);
    await expect(applyPlan(plan, quiet, stop.signal, untold)).rejects.toMatchObject({
      code: 'interrupted',
      message: 'interrupted',
    });
  });

  it('names an edited page of the manual in one line', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'shells-'));
    const files = [{ path: join(folder, 'appliance.1'), text: 'a\n' }];
    writeFileSync(join(folder, 'appliance.1'), 'b\n'.repeat(3000));
    const look = (replaceEdited: boolean) =>
      shellsStep({ files, record: join(folder, '.written'), replaceEdited }).look({ willAct: () => false });
    expect(await look(false)).toMatchObject({
      state: 'kept',
      details: [`${folder}/appliance.1 stays as you edited it`],
    });
    expect(await look(true)).toMatchObject({
      state: 'to-do',
      details: [`${folder}/appliance.1 loses your edits`],
    });
    rmSync(folder, { recursive: true });
  });

  it('is shown a step a line, with what stays and what is so already', async () => {
    const kept: Step = {
      ...step('units', 'kept'),
      look: () => Promise.resolve({ state: 'kept', words: 'as you edited them', details: ['- a', '+ b'] }),
    };
    const plan = await makePlan([
      step('user', 'to-do'),
      kept,
      step('kernel', 'done'),
      step('proof', 'check'),
    ]);
    expect(planText(plan, terminal, 'This will be done').split('\n')).toEqual([
      'This will be done',
      '  user    does user',
      '  proof   does proof',
      'Kept as you edited it (--replace-edited takes ours)',
      '  units: as you edited them',
      '            - a',
      '            + b',
      'Already so: kernel',
      '',
    ]);
    expect(planForScripts(plan)).toMatchObject({
      changes: true,
      steps: [
        { name: 'user', runs: true, state: 'to-do' },
        { name: 'units', runs: false, details: ['- a', '+ b'] },
        { name: 'kernel', runs: false },
        { name: 'proof', runs: true, state: 'check' },
      ],
    });
  });

  it('says so where there is nothing to do', async () => {
    const plan = await makePlan([step('user', 'done'), step('proof', 'check')]);
    expect(planText(plan, terminal, 'This will be done')).toMatch(
      /^Nothing to do: this host is as it should be\n/,
    );
  });
});

describe('the last page', () => {
  const host = {
    version: '1.2.3',
    httpPort: 80,
    httpsPort: 443,
    containers: true,
    dataFolder: '/var/lib/appliance',
  };
  it('says where it answers, in how long, what is next and where things are', () => {
    const page = installedPage(
      { ...host, names: ['a.example', '2001:db8::1'], changed: true, tookMs: 21_400 },
      terminal,
    );
    expect(page).toContain('appliance 1.2.3 is installed in 21 s and answers at\n  https://a.example/\n');
    expect(page).toContain('  https://[2001:db8::1]/\n');
    for (const word of [
      'status',
      'doctor',
      'admin user add',
      'BACKUP_PASSPHRASE_FILE',
      '/etc/appliance/secrets',
    ])
      expect(page).toContain(word);
    for (const line of page.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  });

  it('says that nothing was changed', () => {
    const page = installedPage({ ...host, names: [], changed: false, tookMs: 900, httpPort: 8080 }, terminal);
    expect(page).toContain(
      'Nothing had to be changed (1 s): appliance 1.2.3 answers at\n  http://localhost:8080/\n',
    );
  });
});

describe('the configuration that an install writes', () => {
  const folderWith = (texts: Partial<Record<FileName, string>>): SecretsFolder => ({
    files: Object.entries(texts).map(([name, text]) => ({
      name: name as FileName,
      path: `/${name}`,
      mode: 0o640,
      ...parserOf(name as FileName)(text),
    })),
    problems: [],
    warnings: [],
  });

  it('is that of a server which all reach, with what the flags say', () => {
    const { values, changes } = planSettings(folderWith({}), { domain: 'a.example', email: 'a@a.example' });
    expect(values.map(({ file, key, value }) => `${file} ${key}=${value}`)).toEqual([
      'app.env APP_LISTEN_HOST=::',
      'app.env APP_HTTP_PORT=80',
      'app.env APP_HTTPS_PORT=443',
      'acme.env CERT_DOMAIN=a.example',
      'acme.env CERT_EMAIL=a@a.example',
    ]);
    expect(changes).toContain('acme.env: CERT_DOMAIN = a.example');
  });

  it('listens on IPv4 where the kernel has nothing else', () => {
    const { changes, kept } = planSettings(folderWith({}), { listenHost: '0.0.0.0' });
    expect(changes).toContain('app.env: APP_LISTEN_HOST = 0.0.0.0');
    expect(kept).toEqual([]);
  });

  it('keeps what the owner has, but for what a flag says, and shows both', () => {
    const found = folderWith({
      'app.env': 'APP_LISTEN_HOST=192.0.2.1\nAPP_HTTP_PORT=80\nAPP_HTTPS_PORT=443\n',
      'acme.env': 'CERT_DOMAIN=A.example\nCERT_EMAIL=old@a.example\n',
    });
    expect(planSettings(found, {})).toEqual({
      values: [],
      changes: [],
      kept: ['app.env: APP_LISTEN_HOST = 192.0.2.1, usually ::'],
    });
    // the same name, otherwise written
    expect(planSettings(found, { domain: 'a.example' }).changes).toEqual([]);
    expect(planSettings(found, { domain: 'b.example' }).changes).toEqual([
      'acme.env: CERT_DOMAIN = b.example, was A.example',
    ]);
  });
});

describe('what is wrong with the flags of an install', () => {
  it('is told by the flag that was typed', () => {
    const { problems } = loadConfig({
      flags: { 'cert-domain': 'nonsense' },
      environment: {},
      workingFolder: '/',
    });
    const told = inFlagsOfInstall(new ConfigError(problems)) as Error;
    expect(told.message).toMatch(/\n {2}--domain: names nonsense, .*give --acme-ca-file the trust anchor/);
    expect(told.message).not.toMatch(/cert-domain|CERT_/);
  });
});

describe('the lines for containers that never kept anything', () => {
  const ours = { postgresHost: '/run/stack/postgres', redisSocket: '/run/stack/redis.sock' };
  const folderWith = (postgres: string, redis: string): SecretsFolder => ({
    files: (['postgres.env', 'redis.env'] as const).map((name, at) => ({
      name,
      path: `/${name}`,
      mode: 0o640,
      ...parserOf(name)([postgres, redis][at] ?? ''),
    })),
    problems: [],
    warnings: [],
  });

  it('are those that an install wrote, and no server elsewhere', () => {
    const own = folderWith(
      `POSTGRES_HOST=${ours.postgresHost}\nPOSTGRES_PASSWORD=x\n`,
      `REDIS_HOST=${ours.redisSocket}\nREDIS_CONNECTION_TYPE=unix\nREDIS_PASS=x\n`,
    );
    expect(containerLines(own, ours).map(({ file, key }) => `${file} ${key}`)).toEqual([
      'postgres.env POSTGRES_HOST',
      'redis.env REDIS_HOST',
      'redis.env REDIS_CONNECTION_TYPE',
    ]);
    const elsewhere = folderWith(
      'POSTGRES_HOST=db.example\n',
      'REDIS_HOST=/run/r\nREDIS_CONNECTION_TYPE=unix\n',
    );
    expect(containerLines(elsewhere, ours)).toEqual([]);
  });
});

describe("a host's own addresses", () => {
  const at = (address: string, internal = false) => ({ address, internal }) as NetworkInterfaceInfo;
  it('are told apart by who can reach them; those of Docker, loopback and link-local ones do not count', () => {
    expect(
      ownAddresses({
        lo: [at('127.0.0.1', true), at('::1', true)],
        eth0: [at('fe80::1%eth0'), at('2a01:4f8::1'), at('10.1.2.3'), at('8.8.4.4'), at('169.254.1.1')],
        docker0: [at('172.17.0.1')],
        'br-0a1b2c': [at('172.18.0.1')],
      }),
    ).toEqual({ public: ['8.8.4.4', '2a01:4f8::1'], private: ['10.1.2.3'] });
  });
});

describe('the packages of Docker', () => {
  it.each([
    ['ID=ubuntu\nVERSION_ID="24.04"\n', ['docker.io', 'docker-compose-v2']],
    ['ID=ubuntu\nVERSION_ID="26.04"\n', ['docker.io', 'docker-compose-v2']],
    ['ID=debian\nVERSION_ID="13"\n', ['docker.io', 'docker-cli', 'docker-compose']],
    ['ID=debian\nPRETTY_NAME="Debian forky/sid"\n', ['docker.io', 'docker-cli', 'docker-compose']],
    ['ID=debian\nVERSION_ID="12"\n', undefined],
    ['ID=fedora\nVERSION_ID=43\n', undefined],
    ['', undefined],
  ])('of %j are %j', (release, packages) => {
    expect(dockerPackages(release)).toEqual(packages);
  });

  const ubuntu = 'ID=ubuntu\nVERSION_ID="24.04"\n';
  const debian = (release: number) => `ID=debian\nVERSION_ID="${release}"\n`;
  it.each([
    [ubuntu, 'docker-ce-cli installed', ['docker-compose-plugin']],
    [debian(12), 'docker-ce-cli installed', ['docker-compose-plugin']],
    [ubuntu, 'docker-ce-cli config-files\ndocker.io installed', ['docker-compose-v2']],
    [debian(13), 'docker.io installed\ndocker-cli installed', ['docker-compose']],
    // out of no package, and with a plugin that was taken away
    [debian(13), '', ['docker-compose']],
    [debian(13), 'docker.io installed\ndocker-cli installed\ndocker-compose installed', ['docker-compose']],
    // an install that was cut off
    [debian(13), 'docker-cli unpacked', ['docker.io', 'docker-cli', 'docker-compose']],
    [debian(12), '', undefined],
  ])(
    'for Compose alone go with the Docker that is there: on %j with %j',
    async (release, states, packages) => {
      const found = await composePackages(release, (file, args) => {
        expect([file, ...args]).toEqual(expect.arrayContaining(['dpkg-query', 'docker-ce-cli']));
        return Promise.resolve({ stdout: `${states}\n` });
      });
      expect(found).toEqual(packages);
    },
  );

  it('are what a plan names, and a Docker that is here stays', async () => {
    const of = (found: 'missing' | 'no-compose' | 'stopped', packages: string[] | undefined) =>
      dockerStep(found, packages, debian(12), {});
    expect(of('missing', ['docker.io', 'docker-cli']).does).toBe(
      'install docker.io, docker-cli of the distribution',
    );
    expect(of('no-compose', ['docker-compose-plugin']).does).toBe(
      'install docker-compose-plugin for the Docker that is here',
    );
    expect(of('stopped', []).does).toBe('start Docker');
    const before = { willAct: () => false };
    expect(await of('stopped', []).look(before)).toEqual({ state: 'to-do', words: 'not running' });
    await expect(of('no-compose', undefined).look(before)).rejects.toMatchObject({
      code: 'docker-missing',
      remedy: expect.stringMatching(/--no-containers$/) as string,
    });
  });

  it('go with the images that the compose file names, or others that were chosen', () => {
    const compose = readAsset('compose/compose.yaml').toString('utf8');
    const usual = imagesIn(compose, ['postgres', 'redis'], {});
    expect(usual).toEqual([expect.stringMatching(/^postgres:\d/), expect.stringMatching(/^redis:\d/)]);
    expect(imagesIn(compose, ['redis'], { REDIS_IMAGE: 'valkey/valkey:9' })).toEqual(['valkey/valkey:9']);
  });
});
