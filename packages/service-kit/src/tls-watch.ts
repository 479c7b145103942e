/** Follows TLS files as they are renewed. */
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

/**
 * Looks at the content and not at times or inodes: files are renamed into place, written over, copied with their times, or
 * swapped by a link above them. What was found must be found again at the next look, since the three files change one
 * after the other, and a file that is being written may look whole.
 */
export function watchTlsFiles(options: TlsWatchOptions): { close(): void } {
  const { files, everyMs, onChange, onKept, now } = options;
  let served = tlsFingerprint(options.content);
  let seenLast = served;
  let toldOf = '';
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;

  async function look(): Promise<void> {
    const read = await readTlsFiles(files);
    if (isClosed) return;
    const seen = read.kind === 'content' ? tlsFingerprint(read.content) : read.problems.join(' ');
    const isSettled = seen === seenLast;
    seenLast = seen;
    if (seen === served) toldOf = '';
    if (!isSettled || seen === served) return;
    const problems = read.kind === 'content' ? replacementProblems(read.content, files, now()) : read.problems;
    if (read.kind === 'content' && problems.length === 0) {
      served = seen;
      toldOf = '';
      onChange(read.content);
    } else if (seen !== toldOf) {
      toldOf = seen;
      onKept(problems);
    }
  }

  function lookLater(): void {
    timer = setTimeout(() => {
      void look().finally(() => {
        if (!isClosed) lookLater();
      });
    }, everyMs);
    timer.unref();
  }

  lookLater();
  return {
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}

/** A certificate that is not valid now would replace one that may still be. */
function replacementProblems(content: TlsContent, files: TlsFiles, nowMs: number): string[] {
  const problems = tlsProblems(content, files);
  if (problems.length > 0) return problems;
  const { fromMs, untilMs } = validityOf(content);
  if (nowMs < fromMs) return [`TLS_CERT_FILE: ${files.certFile} is not valid before ${new Date(fromMs).toISOString()}.`];
  return nowMs > untilMs ? [`TLS_CERT_FILE: ${files.certFile} has expired at ${new Date(untilMs).toISOString()}.`] : [];
}
