/** A test that shows something: where it stands and what it is called there. */
export interface Evidence {
  /** Path from the root of the project. */
  readonly file: string;
  /** The exact title of a test or of a group of tests; where that is not the only one, groups before it: `group > test`. */
  readonly title: string;
  /** The exact name of the row of a table of cases that shows it. */
  readonly row?: string;
}

/** Names tests of one file. */
export const testsIn =
  (file: string) =>
  (title: string, row?: string): Evidence =>
    row === undefined ? { file, title } : { file, title, row };
