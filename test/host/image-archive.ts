import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cache, debianBase } from '../support/debian-root.ts';
import { type ContainerImage, nginxImage, postgresImage, redisImage, servers } from './container-images.ts';
import { bootHost } from './throwaway-host.ts';

const composeFile = readFileSync(join(import.meta.dirname, '../../compose/compose.yaml'), 'utf8');

/** The tag that the compose file pins. */
function pinned(image: string): string {
  const tag = new RegExp(String.raw`\$\{\w+:-${image}:([^}]+)\}`).exec(composeFile)?.[1];
  if (tag === undefined) throw new Error(`compose.yaml pins no ${image}`);
  return tag;
}
const postgresTag = pinned('postgres');

/** The containers of an installed host, and the one of its front. */
export const stackImages = [
  postgresImage(postgresTag, postgresTag.split('.')[0]!),
  redisImage(pinned('redis')),
];
export const frontImage = nginxImage(pinned('nginx'));

/** What nobody looks at in a container, and PostgreSQL's compiler of queries, half of the size. */
const leftOut = [
  'usr/share/doc',
  'usr/share/man',
  'usr/share/locale',
  'usr/share/i18n',
  'var/lib/apt/lists',
  'var/cache',
  'usr/lib/postgresql/17/lib/bitcode',
  'usr/lib/postgresql/17/lib/llvmjit.so',
  'usr/lib/x86_64-linux-gnu/libLLVM*',
  'usr/lib/x86_64-linux-gnu/libz3*',
];

/**
 * A file of `docker save` with those images, made once by an engine in a throw-away host, in some
 * seconds: they share one layer, so that `docker load` takes as long for all as for one.
 */
export async function imageArchive(
  images: readonly ContainerImage[],
  print: (line: string) => void,
): Promise<string> {
  const root = await debianBase(servers, print);
  const recipe = createHash('sha256')
    .update(JSON.stringify([root, images, leftOut]))
    .digest('hex');
  const archive = join(cache, `images-${recipe.slice(0, 12)}.tar`);
  if (existsSync(archive)) return archive;
  print(`Making ${images.map(({ name }) => name).join(', ')} in ${archive} (once) …`);
  const folder = mkdtempSync(join(cache, 'images-'));
  const host = await bootHost('docker', print);
  try {
    const layer = join(folder, 'layer.tar');
    execFileSync('tar', [
      '-c',
      '-f',
      layer,
      ...leftOut.map((each) => `--exclude=./${each}`),
      '-C',
      root,
      '.',
    ]);
    host.feed(layer, 'docker', 'import', '-', 'servers:base');
    for (const { name, entrypoint, changes } of images) {
      const lines = [
        'FROM servers:base',
        'COPY docker-entrypoint.sh /usr/local/bin/',
        ...changes,
        'ENTRYPOINT ["docker-entrypoint.sh"]',
      ];
      const script = `mkdir -p /root/image && cd /root/image && cat >docker-entrypoint.sh && chmod 0755 docker-entrypoint.sh &&
printf '%s\n' '${lines.join("' '")}' >Dockerfile && DOCKER_BUILDKIT=0 docker build -t ${name} .`;
      const { status, stdout, stderr } = host.run(script, entrypoint);
      if (status !== 0) throw new Error(`docker build of ${name} failed: ${stdout}${stderr}`);
    }
    const made = join(folder, 'images.tar');
    host.fetch(made, 'docker', 'save', ...images.map(({ name }) => name));
    renameSync(made, archive);
  } finally {
    host.remove();
    rmSync(folder, { recursive: true, force: true });
  }
  return archive;
}
