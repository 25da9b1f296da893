/** The version of the C library that this process runs on, as `2.36`; undefined on a host that has another one. */
export function hostGlibc(): string | undefined {
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork: boolean };
  report.excludeNetwork = true; // else it asks the name service for the other end of every socket
  const { header } = report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime;
}
