import { exitCodes, Failure } from '../../../core/errors.ts';
import { compareReleases } from '../../../core/release-order.ts';
import { isUndamaged } from '../../upgrade/signature.ts';
import type { PendingStart } from '../pending.ts';
import type { Step } from '../plan.ts';
import {
  isPlaced,
  placeRelease,
  pruneReleases,
  readReleases,
  type ReleaseFiles,
  type ReleasesPlace,
  switchRelease,
} from '../releases.ts';
import { haveSameContent } from '../same-content.ts';
import { isOurProgram } from '../our-program.ts';

/** The binary in the folder of its version, and the link to it. */
export function releaseStep(place: ReleasesPlace, files: ReleaseFiles, pending: PendingStart): Step {
  const { version } = files;
  return {
    name: 'release',
    does: `put ${version} into ${place.folder}, and the link ${place.link} to it`,
    async look() {
      const { link, current } = await readReleases(place);
      if (link === 'elsewhere' || (link === 'file' && !(await isOurs(place.link, files))))
        throw foreign(place);
      const placed = await isPlaced(place, files);
      if (placed && current === version) return { state: 'done', words: `${version} is in use` };
      // by the sums beside it, where there are any
      await isUndamaged(files.binary, files.binary);
      const details =
        current !== undefined && compareReleases(version, current) < 0
          ? [`${version} is older than ${current}, which is in use: this goes back`]
          : [];
      if (!placed) {
        return {
          state: 'to-do',
          words: current === undefined ? 'not there yet' : `${current} is in use`,
          details,
        };
      }
      return {
        state: 'to-do',
        words: `the link leads ${current === undefined ? 'nowhere yet' : `to ${current}`}`,
        details,
      };
    },
    async act({ progress }) {
      await pending.need('restart');
      progress('copying the binary');
      await placeRelease(place, files);
      await switchRelease(place, version);
      for (const old of await pruneReleases(place)) progress(`${old} is gone; the last two stay`);
    },
  };
}

async function isOurs(path: string, files: ReleaseFiles): Promise<boolean> {
  return (await haveSameContent(path, files.binary)) || isOurProgram(path);
}

function foreign({ link }: ReleasesPlace): Failure {
  return new Failure(`${link} is somebody else's: it is no binary of the appliance and no link to one`, {
    code: 'link-not-ours',
    exitCode: exitCodes.checkFailed,
    remedy: `look at what it is, and move it away: sudo mv ${link} ${link}.old`,
  });
}
