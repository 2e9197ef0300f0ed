/** What a hash of argon2id costs. */
export interface HashParameters {
  readonly memoryKiB: number;
  readonly passes: number;
  readonly lanes: number;
}

/** A hash of a password, as it is stored. */
export interface StoredHash<Parameters extends HashParameters = HashParameters> {
  readonly parameters: Parameters;
  readonly salt: Uint8Array;
  readonly tag: Uint8Array;
}

/** Of a tag: as long as RFC 9106 recommends. */
export const tagBytes = 32;

/**
 * Salts of 8 bytes, the least that argon2 takes, to 48, the most that PHC has; and our tags.
 * v=19 is the version of RFC 9106, 0x13.
 */
const pattern =
  /^\$argon2id\$v=19\$(?<parameters>[a-z0-9=,]{1,64})\$(?<salt>[A-Za-z0-9+/]{11,64})\$(?<tag>[A-Za-z0-9+/]{43})$/;

/** Writes a hash as a PHC string (https://github.com/P-H-C/phc-string-format). */
export function formatPhc({ parameters, salt, tag }: StoredHash): string {
  return `$argon2id$v=19$${parametersText(parameters)}$${unpadded(salt)}$${unpadded(tag)}`;
}

/**
 * Reads a PHC string. Only hashes of known parameters are read: those of others, who may have come with a copy from
 * elsewhere, could take any memory and time.
 *
 * @returns `undefined` if it is anything else
 */
export function readPhc<Parameters extends HashParameters>(
  text: string,
  known: readonly Parameters[],
): StoredHash<Parameters> | undefined {
  const groups = pattern.exec(text)?.groups;
  const parameters = known.find((it) => parametersText(it) === groups?.parameters);
  if (groups === undefined || parameters === undefined) return undefined;
  const { salt = '', tag = '' } = groups;
  const stored = { parameters, salt: Buffer.from(salt, 'base64'), tag: Buffer.from(tag, 'base64') };
  // base64 has several texts for some bytes, and one of them is written.
  return formatPhc(stored) === text ? stored : undefined;
}

function parametersText({ memoryKiB, passes, lanes }: HashParameters): string {
  return `m=${memoryKiB},t=${passes},p=${lanes}`;
}

function unpadded(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replaceAll('=', '');
}
