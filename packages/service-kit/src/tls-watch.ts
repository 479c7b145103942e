/** Follows TLS files as they are renewed. */
import { watchContent } from './content-watch.js';
import { readTlsFiles, type TlsContent, type TlsFiles, tlsFingerprint, tlsProblems, validityOf } from './tls-files.js';

export interface TlsWatchOptions {
  files: TlsFiles;
  /** What is served with now. */
  content: TlsContent;
  /** How long between two looks. */
  everyMs: number;
  /** Told of each new content that serves. */
  onChange: (content: TlsContent) => void;
  /** Told once of each new content that does not; the last good one stays. */
  onKept: (problems: readonly string[]) => void;
  /** Unix milliseconds. */
  now: () => number;
}

/** Looks at the three files together, as `watchContent` does; they change one after the other. */
export function watchTlsFiles(options: TlsWatchOptions): { close(): void } {
  const { files, everyMs, onChange, onKept, now } = options;
  return watchContent({
    everyMs,
    read: () => readTlsFiles(files),
    fingerprintOf: (read) => (read.kind === 'content' ? tlsFingerprint(read.content) : read.problems.join(' ')),
    fingerprint: tlsFingerprint(options.content),
    takeUp(read) {
      const problems = read.kind === 'content' ? replacementProblems(read.content, files, now()) : read.problems;
      if (read.kind === 'content' && problems.length === 0) onChange(read.content);
      return problems;
    },
    onKept,
  });
}

/** A certificate that is not valid now would replace one that may still be. */
function replacementProblems(content: TlsContent, files: TlsFiles, nowMs: number): string[] {
  const problems = tlsProblems(content, files);
  if (problems.length > 0) return problems;
  const { fromMs, untilMs } = validityOf(content);
  if (nowMs < fromMs) return [`TLS_CERT_FILE: ${files.certFile} is not valid before ${new Date(fromMs).toISOString()}.`];
  return nowMs > untilMs ? [`TLS_CERT_FILE: ${files.certFile} has expired at ${new Date(untilMs).toISOString()}.`] : [];
}
