/** A file of the log as it stands now. */
export interface LogFile {
  path: string;
  fileId: string;
  sizeBytes: number;
  changedMs: number;
}

export interface WitnessLog {
  /**
   * Reads on in every file, the oldest first, and tells how far it came in each; true where all of them were read to their
   * last whole line. Ends early where `isFull` says so.
   */
  read(visit: { line(line: string): void; readTo(fileId: string, offset: number): void; isFull(): boolean }): Promise<boolean>;
  /** Reads again what was read and is not kept. */
  reread(visit: (lines: readonly string[]) => Promise<void>): Promise<void>;
  /** What is before these offsets is checked, and never read again. */
  keep(offsets: ReadonlyMap<string, number>): void;
  keptOffset(fileId: string): number;
  /** Of what was read to its end: nothing of this file waits. */
  isDone(file: LogFile): boolean;
  /** Oldest first, the one that is written to last. */
  files(): Promise<LogFile[]>;
}
