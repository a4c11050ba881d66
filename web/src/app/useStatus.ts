/** What the server says of itself, asked again and again: trial, presence, whether it answers at all. */
import { useState } from "react";
import type { Status } from "../api/types";
import { readStatus } from "../api/visitor";
import { usePoll } from "../lib/poll";

const EVERY_MS = 20_000;

export interface ServerStatus {
  status: Status | null;
  reachable: boolean;
  /** On trial until the server says that it is released. */
  trial: boolean;
}

export function useStatus(): ServerStatus {
  const [status, setStatus] = useState<Status | null>(null);
  const [reachable, setReachable] = useState(true);
  usePoll(async (signal) => {
    try {
      const now = await readStatus(signal);
      if (signal.aborted) return;
      setStatus(now);
      setReachable(true);
    } catch {
      if (!signal.aborted) setReachable(false);
    }
  }, EVERY_MS);
  return { status, reachable, trial: status?.mode !== "released" };
}
