import type { Loaded } from '../config/load.ts';
import { exitCodes, Failure } from '../core/errors.ts';
import { connectToService } from '../supervisor/control-client.ts';
import type { Io } from './command.ts';
import { runFolderOf } from './run-folder.ts';
import { warn } from './secrets-place.ts';

/** Has the running service, where there is one, read its files again. Never rejects for what it cannot reach. */
export async function tellService(loaded: Loaded, io: Io): Promise<void> {
  try {
    const { pid } = await connectToService<never, never>(runFolderOf(loaded)).status();
    process.kill(pid, 'SIGHUP');
    io.stderr.write('the running service reads the files again\n');
  } catch (error) {
    if (error instanceof Failure && error.exitCode === exitCodes.notRunning) return;
    warn(io, 'the running service could not be told: sudo systemctl reload appliance');
  }
}
