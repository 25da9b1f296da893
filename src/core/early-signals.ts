/**
 * What must hold before anything else is loaded, so it is the first import of main.ts. SIGUSR1 would open Node's
 * debugger to everybody on the host, and log rotation sends it to servers; SIGUSR2 and, until a service is up and
 * listens for it, SIGHUP would end the process.
 */
const ignored: readonly NodeJS.Signals[] = ['SIGUSR1', 'SIGUSR2'];
for (const signal of ignored) process.on(signal, () => {});
if (process.argv[2] === 'serve' || process.argv[2] === 'worker') process.on('SIGHUP', () => {});
