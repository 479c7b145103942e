/** Follows the content of files as they change. */

export interface ContentWatchOptions<Content> {
  /** How long between two looks. */
  everyMs: number;
  /** Must not reject: what cannot be read is content too. */
  read: () => Promise<Content>;
  /** Two contents with the same fingerprint are the same. */
  fingerprintOf: (content: Content) => string;
  /** Of what is in use now. */
  fingerprint: string;
  /** Takes a new content into use, or says what is wrong with it: then the last good one stays, and is asked again. */
  takeUp: (content: Content) => readonly string[];
  /** Told once of each new content that was not taken up. */
  onKept: (problems: readonly string[]) => void;
  /** The content in use is there again, after one that was not taken up. */
  onBack?: () => void;
}

/**
 * Looks at the content and not at times or inodes: files are renamed into place, written over, copied with their times, or
 * swapped by a link above them. What was found must be found again at the next look, since several files change one after
 * the other, and a file that is being written may look whole.
 */
export function watchContent<Content>(options: ContentWatchOptions<Content>): { close(): void } {
  const { everyMs, read, fingerprintOf, takeUp, onKept, onBack } = options;
  let used = options.fingerprint;
  let seenLast = used;
  let toldOf = '';
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;

  async function look(): Promise<void> {
    const content = await read();
    if (isClosed) return;
    const seen = fingerprintOf(content);
    const isSettled = seen === seenLast;
    seenLast = seen;
    if (seen === used && toldOf !== '') {
      toldOf = '';
      onBack?.();
    }
    if (!isSettled || seen === used) return;
    const problems = takeUp(content);
    if (problems.length === 0) {
      used = seen;
      toldOf = '';
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
