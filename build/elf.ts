/**
 * The few parts of an ELF file (System V ABI, "Object Files", and the GNU symbol versioning of the LSB core)
 * that the build reads and changes: 64-bit, little-endian, shared objects and executables.
 */
interface Section {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
  readonly info: number;
}

/** One symbol version that the file asks of a library; `offset` is where its entry lies in the file. */
export interface VersionNeed {
  readonly library: string;
  readonly version: string;
  readonly offset: number;
}

/** One symbol that a library has to give; `offset` is where its entry lies in the file. */
export interface ImportedSymbol {
  readonly name: string;
  readonly offset: number;
}

const symbolSize = 24;

/** What the file asks of its libraries, in file order. Throws when the bytes are no 64-bit little-endian ELF file. */
export function versionNeeds(file: Buffer): VersionNeed[] {
  const table = section(file, '.gnu.version_r');
  const found: VersionNeed[] = [];
  let library = table.offset;
  for (let left = table.info; left > 0; left--) {
    const name = dynamicString(file, file.readUInt32LE(library + 4));
    let entry = library + file.readUInt32LE(library + 8);
    for (let entries = file.readUInt16LE(library + 2); entries > 0; entries--) {
      found.push({
        library: name,
        version: dynamicString(file, file.readUInt32LE(entry + 8)),
        offset: entry,
      });
      entry += file.readUInt32LE(entry + 12);
    }
    library += file.readUInt32LE(library + 12);
  }
  return found;
}

/** The symbols the file does not define itself, in file order. */
export function importedSymbols(file: Buffer): ImportedSymbol[] {
  const table = section(file, '.dynsym');
  const found: ImportedSymbol[] = [];
  for (let offset = table.offset; offset < table.offset + table.size; offset += symbolSize) {
    const nameAt = file.readUInt32LE(offset);
    if (nameAt !== 0 && file.readUInt16LE(offset + 6) === 0)
      found.push({ name: dynamicString(file, nameAt), offset });
  }
  return found;
}

/** Points a symbol `bytes` further into its own name: the linker then looks for what is left of it. */
export function skipStartOfName(file: Buffer, symbol: ImportedSymbol, bytes: number): void {
  file.writeUInt32LE(file.readUInt32LE(symbol.offset) + bytes, symbol.offset);
}

/** Gives the entry `need` the version name and hash of the entry `like`; symbols keep their index into it. */
export function renameVersion(file: Buffer, need: VersionNeed, like: VersionNeed): void {
  file.copy(file, need.offset, like.offset, like.offset + 4);
  file.copy(file, need.offset + 8, like.offset + 8, like.offset + 12);
}

/** The newest glibc that the file asks for, such as `[2, 36]`. */
export function newestGlibc(file: Buffer): [major: number, minor: number] {
  let newest: [number, number] = [0, 0];
  for (const { version } of versionNeeds(file)) {
    const [, major, minor] = /^GLIBC_(\d+)\.(\d+)/.exec(version)?.map(Number) ?? [];
    if (major === undefined || minor === undefined) continue;
    if (major > newest[0] || (major === newest[0] && minor > newest[1])) newest = [major, minor];
  }
  return newest;
}

function section(file: Buffer, wanted: string): Section {
  if (file.length < 64 || file.toString('latin1', 0, 6) !== '\x7fELF\x02\x01')
    throw new Error('not a 64-bit little-endian ELF file');
  const table = Number(file.readBigUInt64LE(0x28));
  const entrySize = file.readUInt16LE(0x3a);
  const names = header(table + entrySize * file.readUInt16LE(0x3e));
  for (let index = 0; index < file.readUInt16LE(0x3c); index++) {
    const at = table + entrySize * index;
    const name = stringAt(file, names.offset + file.readUInt32LE(at));
    if (name === wanted) return { name, ...header(at) };
  }
  throw new Error(`the ELF file has no section ${wanted}`);

  function header(at: number) {
    return {
      offset: Number(file.readBigUInt64LE(at + 0x18)),
      size: Number(file.readBigUInt64LE(at + 0x20)),
      info: file.readUInt32LE(at + 0x2c),
    };
  }
}

function dynamicString(file: Buffer, offset: number): string {
  return stringAt(file, section(file, '.dynstr').offset + offset);
}

function stringAt(file: Buffer, offset: number): string {
  return file.toString('latin1', offset, file.indexOf(0, offset));
}
