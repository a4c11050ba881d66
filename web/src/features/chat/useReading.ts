/**
 * Where the page stands while a conversation grows: at the start of what is new,
 * and never moved under the eyes of somebody who has scrolled back to read.
 */
import { type RefObject, useCallback, useEffect, useRef, useState } from "react";

// Nearer to the end than this counts as reading along.
const NEAR_PX = 240;

interface New {
  /** Changes with each new message, the one being written included. */
  newest: string | undefined;
  /** Changes with each message of the visitor. */
  newestOwn: string | undefined;
  /** Changes when something went wrong: its words stand at the end. */
  failure: unknown;
}

interface Places {
  /** Holds the messages, and the help card when it comes first. */
  log: RefObject<HTMLElement | null>;
  /** Stands behind everything but the composer. */
  end: RefObject<HTMLElement | null>;
}

interface Reading {
  /** Something new has come while the reader was elsewhere on the page. */
  unseen: boolean;
  showNewest: () => void;
}

export function useReading({ log, end }: Places, { newest, newestOwn, failure }: New): Reading {
  const [unseen, setUnseen] = useState(false);
  const along = useRef(true);
  const ownBefore = useRef<string | undefined>(undefined);

  useEffect(() => {
    const look = (): void => {
      const left = document.documentElement.scrollHeight - window.scrollY - window.innerHeight;
      along.current = left <= NEAR_PX;
      if (along.current) setUnseen(false);
    };
    window.addEventListener("scroll", look, { passive: true });
    return () => window.removeEventListener("scroll", look);
  }, []);

  useEffect(() => {
    if (newest === undefined) return;
    const sent = newestOwn !== ownBefore.current;
    ownBefore.current = newestOwn;
    if (!sent && !along.current) {
      setUnseen(true);
      return;
    }
    const help = sent ? log.current?.querySelector(".help-card") : null;
    if (help) help.scrollIntoView({ block: "start" });
    else if (newest === newestOwn) end.current?.scrollIntoView({ block: "end" });
    else log.current?.lastElementChild?.scrollIntoView({ block: "start" });
  }, [newest, newestOwn, log, end]);

  useEffect(() => {
    if (failure !== null) end.current?.scrollIntoView({ block: "end" });
  }, [failure, end]);

  const showNewest = useCallback(() => {
    setUnseen(false);
    log.current?.lastElementChild?.scrollIntoView({ block: "start" });
  }, [log]);

  return { unseen, showNewest };
}
