/** Short names for the types generated from the server's OpenAPI description. */
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Article = Schemas["Article"];
export type Status = Schemas["Status"];
export type Level = Schemas["Level"];
export type Message = Schemas["Message"];
export type SourceNote = Schemas["SourceNote"];
export type Turn = Schemas["Turn"];
export type Conversation = Schemas["Conversation"];
export type ConversationSummary = Schemas["ConversationSummary"];
export type RunInfo = Schemas["RunInfo"];
export type Rating = Schemas["Rating"];
export type RatingIn = Schemas["RatingIn"];
export type PersonAsked = Schemas["PersonAsked"];
export type Problem = Schemas["Problem"];
export type StaffMe = Schemas["StaffMe"];
export type CaseState = Schemas["CaseState"];
export type CaseSummary = Schemas["CaseSummary"];
export type CaseDetail = Schemas["CaseDetail"];
export type CaseScreening = Schemas["CaseScreening"];
export type CloseReason = Schemas["CloseReason"];
export type ReviewItem = Schemas["ReviewItem"];
export type ReviewTexts = Schemas["ReviewTexts"];
export type ReviewOpinion = Schemas["ReviewOpinion"];
export type ReviewDecision = Schemas["ReviewDecisionIn"];
export type ReviewVerdict = Schemas["ReviewVerdict"];
export type ReviewReason = Schemas["ReviewReason"];
export type ReviewProgress = Schemas["ReviewProgress"];
export type ReviewNext = Schemas["ReviewNext"];
export type TrainingSummary = Schemas["TrainingSummary"];
export type TrainingStage = Schemas["TrainingStage"];
export type TrainingDetail = Schemas["TrainingDetail"];
export type TrainingSetting = Schemas["TrainingSetting"];
export type TrainingCurve = Schemas["TrainingCurve"];
export type TrainingLine = Schemas["TrainingLine"];
export type TrainingNow = Schemas["TrainingNow"];
export type LineageStep = Schemas["LineageStep"];

/** What a run sends, in the order of its numbers; `done` is always the last. */
export type RunEvent =
  | ({ name: "state" } & Schemas["StateEvent"])
  | ({ name: "sentence" } & Schemas["SentenceEvent"])
  | ({ name: "message" } & Schemas["MessageEvent"])
  | ({ name: "replaced" } & Schemas["ReplacedEvent"])
  | ({ name: "done" } & Schemas["DoneEvent"]);
