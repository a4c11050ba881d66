/** Small valid values of the API's models; a test changes what it is about. */
import type {
  CaseDetail,
  CaseSummary,
  Conversation,
  Message,
  Rating,
  RunInfo,
  Status,
  Turn,
} from "../src/api/types";

export const status: Status = {
  mode: "trial",
  counsellor_present: false,
  generation: "ready",
  version: "0.1.0",
};

export function message(change: Partial<Message> = {}): Message {
  return {
    id: "m1",
    seq: 1,
    author: "visitor",
    text: "最近总是睡不着",
    created_at: "2026-11-23T02:13:00Z",
    run_id: null,
    source: null,
    rating: null,
    can_rate: false,
    ...change,
  };
}

export const libraryAnswer: Message = message({
  id: "m2",
  seq: 2,
  author: "library",
  text: "睡不着的时候，可以先起来坐一会儿。困了再回床上。",
  run_id: "r1",
  can_rate: true,
  source: {
    kind: "library",
    title: "总是醒着",
    written_for_this_project: true,
    reviewed_by: "",
    match: 0.4,
    model: null,
  },
});

export const modelAnswer: Message = message({
  id: "m3",
  seq: 3,
  author: "model",
  text: "夜里会显得很长。你已经在照顾自己了。",
  run_id: "r2",
  can_rate: true,
  source: {
    kind: "generated",
    title: "",
    written_for_this_project: false,
    reviewed_by: "",
    match: null,
    model: "m",
  },
});

export const notice: Message = message({ id: "n1", seq: 2, author: "notice", text: "谢谢你愿意说出来。" });

export const run: RunInfo = { id: "r1", kind: "library", state: "running" };

export function conversation(change: Partial<Conversation> = {}): Conversation {
  return {
    id: "c1",
    version: 2,
    owner: "bot",
    title: "最近总是睡不着",
    level: "none",
    help: false,
    case: null,
    messages: [message()],
    running: null,
    may_view: (change.owner ?? "bot") === "bot" && ["none", "distress"].includes(change.level ?? "none"),
    ...change,
  };
}

export function turn(change: Partial<Turn> = {}): Turn {
  return {
    conversation_id: "c1",
    version: 1,
    owner: "bot",
    message: message(),
    notice: null,
    level: "none",
    help_first: false,
    help: false,
    case_open: false,
    run,
    ...change,
  };
}

export const urgentTurn: Turn = turn({
  level: "urgent",
  help: true,
  help_first: true,
  case_open: true,
  run: null,
  notice,
});

export const rating: Rating = {
  helpfulness: 4,
  fluency: 3,
  relevance: 5,
  logic: 2,
  comment: "",
  training_consent: false,
  updated_at: "2026-11-23T02:20:00Z",
};

export function caseSummary(change: Partial<CaseSummary> = {}): CaseSummary {
  return {
    id: "case-000001",
    conversation_id: "c1",
    level: "urgent",
    state: "open",
    opened_at: "2026-11-23T02:13:00Z",
    waiting_s: 125,
    assignee: null,
    language: "zh",
    last_message_at: "2026-11-23T02:13:00Z",
    ...change,
  };
}

export function caseDetail(change: Partial<CaseDetail> = {}): CaseDetail {
  return {
    case: caseSummary(),
    conversation: conversation({ level: "urgent", help: true, case: "open" }),
    screenings: [{ message_id: "m1", level: "urgent", rules: ["wish.plain"] }],
    history: [{ at: "2026-11-23T02:13:00Z", who: "screening", what: "opened at level urgent" }],
    ...change,
  };
}
