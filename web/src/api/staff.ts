/** What the desk asks of the server, one function for each door. */
import { ask, send } from "./request";
import type { CaseDetail, CaseState, CaseSummary, CloseReason, Message, StaffMe } from "./types";

export function signIn(name: string, password: string): Promise<StaffMe> {
  return ask("POST", "/staff/login", { body: { name, password } });
}

export function signOut(): Promise<void> {
  return send("POST", "/staff/logout");
}

export function whoAmI(): Promise<StaffMe> {
  return ask("GET", "/staff/me");
}

export function listCases(state: CaseState | "all", signal?: AbortSignal): Promise<CaseSummary[]> {
  return ask("GET", `/staff/cases?state=${state}`, { signal });
}

export function readCase(caseId: string, signal?: AbortSignal): Promise<CaseDetail> {
  return ask("GET", `/staff/cases/${encodeURIComponent(caseId)}`, { signal });
}

export function takeCase(caseId: string): Promise<CaseDetail> {
  return ask("POST", `/staff/cases/${encodeURIComponent(caseId)}/take`);
}

/** Send a counsellor's words, written while `baseVersion` was on the screen. */
export function answerCase(
  caseId: string,
  text: string,
  baseVersion: number,
  requestKey: string,
): Promise<Message> {
  const body = { text, base_version: baseVersion, request_key: requestKey };
  return ask("POST", `/staff/cases/${encodeURIComponent(caseId)}/messages`, { body });
}

export function closeCase(
  caseId: string,
  reason: CloseReason,
  note: string,
  baseVersion: number,
): Promise<CaseDetail> {
  const body = { reason, note, base_version: baseVersion };
  return ask("POST", `/staff/cases/${encodeURIComponent(caseId)}/close`, { body });
}
