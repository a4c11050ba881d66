/** What can go wrong between page and server, as one value that the screens can put into calm words. */
import type { PlainKey } from "../lib/messages/t";
import type { Problem } from "./types";

export type FailureKind =
  | "offline"
  | "slow"
  | "server"
  | "busy"
  | "tooLong"
  | "input"
  | "gone"
  | "state"
  | "stale"
  | "forbidden"
  | "login";

/** A failed request; `help` says that the server asks for the help card. */
export class Failure extends Error {
  readonly kind: FailureKind;
  readonly help: boolean;

  constructor(kind: FailureKind, help = false) {
    super(kind);
    this.name = "Failure";
    this.kind = kind;
    this.help = help;
  }
}

const BY_STATUS: Record<number, FailureKind> = {
  401: "login",
  403: "forbidden",
  404: "gone",
  413: "tooLong",
  422: "input",
  429: "busy",
};

/** Return the failure that an answer with an error status stands for. */
export async function failureOf(response: Response): Promise<Failure> {
  const problem = await readProblem(response);
  const help = problem?.help === true;
  if (response.status === 409) return new Failure(problem?.code === "PSY-503" ? "stale" : "state", help);
  return new Failure(BY_STATUS[response.status] ?? (response.status < 500 ? "input" : "server"), help);
}

/** Return any thrown thing as a `Failure`; what never reached the server is "offline". */
export function asFailure(thrown: unknown): Failure {
  return thrown instanceof Failure ? thrown : new Failure("offline");
}

/** Return the key of the sentence that tells a person what to do now. */
export function failureMessage(failure: Failure): PlainKey {
  return `problem.${failure.kind}`;
}

async function readProblem(response: Response): Promise<Partial<Problem> | null> {
  try {
    return (await response.json()) as Partial<Problem>;
  } catch {
    return null;
  }
}
