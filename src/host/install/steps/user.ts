import { stat } from 'node:fs/promises';
import { exitCodes, Failure } from '../../../core/errors.ts';
import type { Step } from '../plan.ts';
import { findServiceUser, hasServiceGroup, isUnsettled, settleServiceHome } from '../service-user.ts';

/** The user of the service, and the folder of its data. */
export function userStep(dataFolder: string): Step {
  return {
    name: 'user',
    does: `make the user appliance, and ${dataFolder} for its data`,
    async look() {
      const user = await findServiceUser();
      const settled = !(await isUnsettled(dataFolder));
      if (settled) {
        const { uid } = await stat(dataFolder);
        if (uid !== user?.uid) throw notOurs(dataFolder, uid, user !== undefined);
        if (!(await hasServiceGroup()))
          return { state: 'to-do', words: 'there is no group appliance, of the user appliance' };
        return { state: 'done', words: `the user appliance (${uid}) and its folder are there` };
      }
      return {
        state: 'to-do',
        words: user === undefined ? 'there is no user appliance' : `${dataFolder} is missing`,
      };
    },
    act: () => settleServiceHome(dataFolder),
  };
}

function notOurs(folder: string, uid: number, hasUser: boolean): Failure {
  const make = hasUser ? '' : 'sudo useradd --system --shell /usr/sbin/nologin appliance && ';
  return new Failure(`${folder} is not the service's: it belongs to user ${uid}`, {
    code: 'folder-not-ours',
    exitCode: exitCodes.checkFailed,
    remedy: `look at what is there; give it to the service (${make}sudo chown -R appliance: ${folder}), or move it away`,
  });
}
