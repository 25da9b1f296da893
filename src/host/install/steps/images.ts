import { basename } from 'node:path';
import { exitCodes, Failure } from '../../../core/errors.ts';
import type { Docker } from '../../stack/docker.ts';
import type { Look, Step } from '../plan.ts';

export interface ImageParts {
  /** An archive of "docker save". */
  readonly file: string;
  /** The images that the containers need. */
  readonly needed: readonly string[];
  readonly docker: () => Promise<Docker>;
}

/** The images of the containers, out of a file: for hosts that reach no registry. */
export function imagesStep({ file, needed, docker }: ImageParts): Step {
  const missing = async (client: Docker): Promise<readonly string[]> => {
    const absent: string[] = [];
    for (const image of needed) {
      const { exitCode } = await client.run(['image', 'inspect', '--format', '{{.Id}}', image]);
      if (exitCode !== 0) absent.push(image);
    }
    return absent;
  };
  return {
    name: 'images',
    does: `load ${needed.join(' and ')} out of ${basename(file)}`,
    async look({ willAct }): Promise<Look> {
      if (willAct('docker')) return { state: 'to-do', words: 'Docker comes first' };
      const absent = await missing(await docker());
      return absent.length === 0
        ? { state: 'done', words: 'they are there' }
        : { state: 'to-do', words: `${absent.join(' and ')} missing` };
    },
    async act({ progress }) {
      const client = await docker();
      progress(`reading ${file}`);
      const { exitCode, stdout, stderr } = await client.run(['load', '--input', file]);
      if (exitCode !== 0) throw damaged(file, stderr);
      const absent = await missing(client);
      if (absent.length > 0) throw lacks(file, absent, stdout);
    },
  };
}

function damaged(file: string, stderr: string): Failure {
  return new Failure(`the images cannot be loaded: ${file} is damaged, or no archive of "docker save"`, {
    code: 'images-damaged',
    exitCode: exitCodes.checkFailed,
    remedy: `make it again where the images are: docker save IMAGE… -o FILE; compare the two with sha256sum`,
    cause: new Error(stderr.trim().split('\n').at(-1) ?? ''),
  });
}

function lacks(file: string, absent: readonly string[], stdout: string): Failure {
  const held = [...stdout.matchAll(/^Loaded image(?: ID)?: (.+)$/gm)].map(([, name]) => name);
  return new Failure(`${file} lacks ${absent.join(' and ')}; it holds ${held.join(', ') || 'no image'}`, {
    code: 'image-missing',
    exitCode: exitCodes.checkFailed,
    remedy: `on a host that has them: docker save ${absent.join(' ')} -o FILE`,
  });
}

/** The images that the compose file names, without asking Docker. `choices`: those named instead, by variable. */
export function imagesIn(
  composeText: string,
  services: readonly string[],
  choices: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  return services.flatMap((service) => {
    const variable = `${service.toUpperCase()}_IMAGE`;
    const usual = new RegExp(`\\$\\{${variable}:-([^}]+)\\}`).exec(composeText)?.[1];
    const image = choices[variable] ?? usual;
    return image === undefined ? [] : [image];
  });
}
