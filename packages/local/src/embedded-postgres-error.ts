/** The embedded PostgreSQL cannot run, for a reason told in one sentence to whoever started it. */
export class EmbeddedPostgresError extends Error {
  override readonly name = "EmbeddedPostgresError";
}

const REASONS: readonly [
  pattern: RegExp,
  sentence: (place: string, match: RegExpMatchArray) => string,
][] = [
  [
    /^spawn .*\b(?:EPERM|EINVAL)|^EINVAL: .*chown/,
    () => "Root may not run PostgreSQL as another user here: start as an ordinary user.",
  ],
  [/ENOSPC|No space left on device/, (place) => `The disk that holds ${place} is full.`],
  [
    /could not look up effective user ID (\d+)/,
    (_place, [, uid]) =>
      `PostgreSQL cannot run as user id ${uid}, which has no entry in the password file.`,
  ],
  [
    /EACCES|EPERM|EROFS|Permission denied|Read-only file system/,
    (place) => `The folder ${place} is not writable.`,
  ],
  [
    /database files are incompatible with server|was initialized by PostgreSQL version/,
    (place) => `The database in ${place} was made by another version of PostgreSQL.`,
  ],
  [/ENOTDIR|EEXIST/, (place) => `The folder ${place} cannot be made: a file stands in its way.`],
];

/** The sentence for what the system or a PostgreSQL program reported about the folder `place`. */
export function explainFailure(report: unknown, place: string): EmbeddedPostgresError {
  if (report instanceof EmbeddedPostgresError) return report;
  const text = report instanceof Error ? report.message : String(report);
  for (const [pattern, sentence] of REASONS) {
    const match = text.match(pattern);
    if (match !== null) return new EmbeddedPostgresError(sentence(place, match), { cause: report });
  }
  const said =
    /(?:FATAL|PANIC|ERROR|error): *(.*)/.exec(text)?.[1] ??
    (text.trim().split("\n").at(-1) || "it said nothing");
  return new EmbeddedPostgresError(`PostgreSQL in ${place} did not start: ${said}`, {
    cause: report,
  });
}

/** The `code` of an error of the system or of PostgreSQL, "" when it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
