/**
 * Whether a counsellor is there, as far as one conversation can tell.
 *
 * The service's word is asked for only now and then, so it may be older than a
 * take-over: "away" is said of a counsellor who took over only when a word that
 * came after their last sign of life says so.
 */
import { useState } from "react";
import type { Status } from "../../api/types";
import type { ChatState } from "./state";

export interface Presence {
  present: boolean;
  /** A person has taken over and is not there any more. */
  away: boolean;
}

export function usePresence({ conversation, messages }: ChatState, status: Status | null): Presence {
  const spoken = messages.filter((message) => message.author === "counsellor").length;
  const sign = `${conversation?.owner} ${spoken}`;
  const [last, setLast] = useState({ sign, status });
  if (last.sign !== sign) setLast({ sign, status });
  const present = status?.counsellor_present === true;
  const newer = last.sign === sign && last.status !== status;
  return { present, away: conversation?.owner === "person" && !present && newer };
}
